"""headroom by the bounds: columns of a view, and no table"""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Nothing: an upgrade makes all views anew."""
