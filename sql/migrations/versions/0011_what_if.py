"""what if: scenarios with their answers, and who may see them"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "scenarios",
        sa.Column("id", BIG, nullable=False, comment="grows with time"),
        sa.Column("owner", sa.String(length=200), nullable=False, comment="who ran it"),
        sa.Column("name", sa.String(length=64), nullable=False, comment="the owner's name for it: a secret"),
        sa.Column("version", sa.Integer(), nullable=False, comment="from 1: the owner's scenarios of one name"),
        sa.Column("definition", sa.Text(), nullable=False, comment="JSON: all that the scenario's file says"),
        sa.Column(
            "folder", sa.Text(), nullable=False, comment="from which files that the definition names are found; empty for none"
        ),
        sa.Column("inputs", sa.Text(), nullable=False, comment="JSON: digests of all that the answer rests on"),
        sa.Column("answer", sa.Text(), nullable=False, comment="JSON: the answer"),
        sa.Column("answer_digest", sa.String(length=64), nullable=False, comment="SHA-256 of the answer's text"),
        sa.Column("program", sa.String(length=64), nullable=False, comment="version of mauwatch that has run it"),
        sa.Column("known_at", MOMENT, nullable=False, comment="when it was kept"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scenarios")),
        sa.UniqueConstraint("owner", "name", "version", name=op.f("uq_scenarios_owner_name_version")),
        comment="What-if scenarios and their answers; each kept as it was run, and seen by who may see it alone",
    )
    op.create_table(
        "scenario_access",
        sa.Column("id", BIG, nullable=False, comment="grows with time"),
        sa.Column("scenario", BIG, nullable=False, comment="the scenario"),
        sa.Column("person", sa.String(length=200), nullable=False, comment="who may see it, or may no longer"),
        sa.Column("granted_by", sa.String(length=200), nullable=False, comment="who said so: the scenario's owner"),
        sa.Column("revoked", sa.Boolean(), nullable=False, comment="whether the person may no longer see it"),
        sa.Column("known_at", MOMENT, nullable=False, comment="since when"),
        sa.ForeignKeyConstraint(["scenario"], ["scenarios.id"], name=op.f("fk_scenario_access_scenario")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scenario_access")),
        comment="Who may see a scenario beside its owner; each kept, and a person's last row of a scenario is in force",
    )
    op.create_index(op.f("ix_scenario_access_scenario_person_id"), "scenario_access", ["scenario", "person", "id"], unique=False)
    op.create_index(op.f("ix_scenario_access_person"), "scenario_access", ["person"], unique=False)
