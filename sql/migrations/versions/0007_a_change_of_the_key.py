"""both keys at a change: contributions ahead"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

ABOUT = ["affiliate", "product", "grain", "activity_date"]


def upgrade() -> None:
    op.add_column(
        "contributions",
        sa.Column(
            "ahead",
            sa.Boolean(name=op.f("ahead")),
            nullable=False,
            server_default=sa.false(),
            comment=(
                "whether it is a day's second one, under the coming epoch's key: for windows across its change, and no month"
            ),
        ),
    )
    op.drop_index(op.f("ix_contributions_affiliate_product_grain_activity_date_id"), "contributions")
    op.create_index(
        op.f("ix_contributions_affiliate_product_grain_activity_date_ahead_id"), "contributions", [*ABOUT, "ahead", "id"]
    )
