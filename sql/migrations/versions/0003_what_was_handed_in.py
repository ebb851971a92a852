"""what was handed in: receipts, senders, who approved"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "receipts",
        sa.Column("id", BIG, nullable=False, comment="grows with time"),
        sa.Column("file", sa.String(length=200), nullable=False, comment="its name"),
        sa.Column(
            "sha256", sa.String(length=64), nullable=False, comment="of its bytes; of a folder, of its part-files' digests"
        ),
        sa.Column(
            "sender",
            sa.String(length=64),
            nullable=True,
            comment="the affiliate that handed it in; null if that couldn't be told",
        ),
        sa.Column("bound_by", sa.String(length=64), nullable=False, comment="what the sender was known by"),
        sa.Column("received_at", MOMENT, nullable=False, comment="when this store received it"),
        sa.Column("outcome", sa.String(length=8), nullable=False, comment="accepted or refused"),
        sa.Column("reasons", sa.Text(), nullable=False, comment="one a line: why it was refused; empty for what was accepted"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
        comment="Files of contributions that were handed in, taken or refused; each kept",
    )
    for name, length, comment in (
        ("sender", 64, "the affiliate that handed it in; null for what was computed here"),
        ("approved_by", 200, "who approved that it was restated, once its month was closed"),
    ):
        op.add_column("contributions", sa.Column(name, sa.String(length=length), nullable=True, comment=comment))
