"""what was erased: erasures"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("id", BIG, nullable=False, comment="grows with time"),
        sa.Column("kind", sa.String(length=7), nullable=False, comment="erased, or allowed: to be contributed again"),
        sa.Column("affiliate", sa.String(length=64), nullable=True, comment="whose product it was; null for all"),
        sa.Column("product", sa.String(length=64), nullable=True, comment="the product; null for all"),
        sa.Column("first_day", sa.Date(), nullable=True, comment="the first day; null for all"),
        sa.Column("last_day", sa.Date(), nullable=True, comment="the last day; null for all"),
        sa.Column("key_epoch", sa.String(length=32), nullable=True, comment="the key epoch; null for all"),
        sa.Column(
            "before",
            sa.Date(),
            nullable=True,
            comment="first day of the month before which all periods went; null for no such limit",
        ),
        sa.Column(
            "superseded",
            sa.Boolean(name=op.f("superseded")),
            nullable=False,
            comment="whether only versions that others replaced",
        ),
        sa.Column("periods", BIG, nullable=False, comment="days and months of products whose sketches went"),
        sa.Column("sketches", BIG, nullable=False, comment="sketches that went"),
        sa.Column("bytes", BIG, nullable=False, comment="that they took up"),
        sa.Column("shared", BIG, nullable=False, comment="sketches that stayed, since contributions beyond are the same"),
        sa.Column("signed_by", sa.String(length=200), nullable=False, comment="who ordered it"),
        sa.Column("reason", sa.String(length=500), nullable=False, comment="why"),
        sa.Column("known_at", MOMENT, nullable=False, comment="when: the same as in sketches.erased_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
        comment="Sketches that were erased, and periods that may be contributed again after it; each kept",
    )
