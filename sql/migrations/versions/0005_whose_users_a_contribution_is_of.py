"""the audiences that a contribution is of, where they aren't all"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "contributions",
        sa.Column(
            "audiences",
            sa.String(length=32),
            nullable=True,
            comment="all that it is of, such as external; null for external, internal and automated",
        ),
    )
