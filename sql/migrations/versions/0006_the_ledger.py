"""the ledger, and what was collected when a month was signed"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "ledger",
        sa.Column("number", BIG, autoincrement=False, nullable=False, comment="from 1 on, without a gap"),
        sa.Column("at", sa.String(length=32), nullable=False, comment="when, UTC"),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="began, published, tested or erased"),
        sa.Column("body", sa.Text(), nullable=False, comment="JSON: what it is about, and the digest of its rows"),
        sa.Column("previous", sa.String(length=64), nullable=False, comment="digest of the entry before"),
        sa.Column(
            "digest", sa.String(length=64), nullable=False, comment="SHA-256 of the entry with the digest of the one before"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger")),
        comment="What was published, tested and erased: each entry holds the digest of the one before",
    )
    op.add_column(
        "publications",
        sa.Column(
            "collected",
            sa.Text(),
            nullable=True,
            comment="JSON: what affiliates attested when it was signed, and what was reconciled",
        ),
    )
