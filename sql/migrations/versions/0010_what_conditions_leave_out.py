"""what conditions leave out: events that counts_when rules out, and automated users"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
EXCLUDED = "events that counts_when leaves out, or of other audiences; null if not known"


def upgrade() -> None:
    op.add_column("contributions", sa.Column("excluded_events", BIG, nullable=True, comment=EXCLUDED))
    op.add_column("figures", sa.Column("excluded_events", BIG, nullable=True, comment=EXCLUDED))
    automated = "automated users, by the sketches; null if not known"
    op.add_column("figures", sa.Column("automated_users", BIG, nullable=True, comment=automated))
