"""the life of a month: publications, what files a period was computed from"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "sources_seen",
        sa.Column("affiliate", sa.String(length=64), nullable=False, comment="the entity that offers the product"),
        sa.Column("product", sa.String(length=64), nullable=False, comment="the product"),
        sa.Column("grain", sa.String(length=5), nullable=False, comment="day or month"),
        sa.Column("activity_date", sa.Date(), nullable=False, comment="the day, or the month's first day"),
        sa.Column(
            "files", sa.String(length=64), nullable=False, comment="SHA-256 of the files' names, sizes and times of change"
        ),
        sa.Column("seen_at", MOMENT, nullable=False, comment="when the period was computed from them"),
        sa.PrimaryKeyConstraint("affiliate", "product", "grain", "activity_date", name=op.f("pk_sources_seen")),
        comment="What files a period was computed from, so that a file that changes later is noticed; replaced",
    )
    publications = op.create_table(
        "publications",
        sa.Column("id", BIG, nullable=False, comment="grows with time: the greatest of a month and reading is in force"),
        sa.Column("month", sa.Date(), nullable=False, comment="first day of the month"),
        sa.Column("reading", sa.String(length=64), nullable=False, comment="name of the reading"),
        sa.Column("state", sa.String(length=11), nullable=False, comment="preliminary, closed or restated"),
        sa.Column("inputs", sa.String(length=64), nullable=False, comment="SHA-256 of all that the figures rest on"),
        sa.Column("method", sa.Integer(), nullable=False, comment="of counting; 0 where it is part of the inputs"),
        sa.Column("not_counted", sa.Text(), nullable=False, comment="one a line: who is left out and why; empty for nobody"),
        sa.Column(
            "contributions_to", BIG, nullable=True, comment="the last contribution that could count; null before it was noted"
        ),
        sa.Column("counts_to", BIG, nullable=True, comment="the last count that could count; null before it was noted"),
        sa.Column(
            "signed_by", sa.String(length=200), nullable=True, comment="who closed or restated the month; null while preliminary"
        ),
        sa.Column("despite", sa.Text(), nullable=True, comment="why it was closed although something was open"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why it was restated"),
        sa.Column("supersedes", BIG, nullable=True, comment="the closed publication that it restates"),
        sa.Column("known_at", MOMENT, nullable=False, comment="when it was published"),
        sa.ForeignKeyConstraint(["supersedes"], ["publications.id"], name=op.f("fk_publications_supersedes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publications")),
        comment="One publishing of all figures of a month under a reading; each kept",
    )
    op.create_index(op.f("ix_publications_month_reading_id"), "publications", ["month", "reading", "id"])
    op.add_column(
        "parts", sa.Column("estimate", BIG, nullable=True, comment="users by the sketch; null if it came before this was noted")
    )
    comment = "with which it was published"
    if op.get_bind().dialect.name == "sqlite":  # Alembic adds a foreign key by itself, which SQLite can't.
        name = op.f("fk_figures_publication")
        op.execute(f"ALTER TABLE figures ADD COLUMN publication INTEGER CONSTRAINT {name} REFERENCES publications (id)")
    else:
        op.add_column("figures", sa.Column("publication", BIG, nullable=True, comment=comment))
        op.create_foreign_key(op.f("fk_figures_publication"), "figures", "publications", ["publication"], ["id"])
    op.create_index(op.f("ix_figures_publication"), "figures", ["publication"])
    _gather(publications)


def _gather(publications: sa.Table) -> None:
    """Figures that were published together get a publication, numbered as the group's figure."""
    figures = sa.table(
        "figures",
        *(sa.column(name) for name in ("id", "month", "reading", "scope", "state", "inputs", "known_at", "publication")),
    )
    f = figures.c
    whole = sa.select(f.id, f.month, f.reading, f.state, f.inputs, sa.literal(0), sa.literal(""), f.known_at).where(
        f.scope == "group"
    )
    columns = ["id", "month", "reading", "state", "inputs", "method", "not_counted", "known_at"]
    op.execute(sa.insert(publications).from_select(columns, whole))
    p = publications.c
    mine = sa.select(sa.func.max(p.id)).where(
        p.month == f.month, p.reading == f.reading, p.inputs == f.inputs, p.known_at == f.known_at
    )
    op.execute(sa.update(figures).values(publication=mine.scalar_subquery()))
