"""what is kept of files: the comment of sources_seen.files says what the column holds"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

BEFORE = "SHA-256 of the files' names, sizes and times of change"
FILES = "STATED:EXACT, 31 hex each: SHA-256 of names, sizes and times of change; with inodes and times of attributes"


def upgrade() -> None:
    # SQLite keeps no comments of its own; `column_comments` is written anew with every upgrade.
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("sources_seen", "files", existing_type=sa.String(64), comment=FILES, existing_comment=BEFORE)
