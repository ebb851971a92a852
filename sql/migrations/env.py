"""Alembic's entry: the connection comes from `pipelines.store.engine`, or a URL from `-x url=...`."""

import sqlalchemy as sa
from alembic import context

from pipelines.store.schema import metadata


def migrate(connection: sa.Connection) -> None:
    """Run the migrations that are due, in one transaction."""
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


# Alembic runs this module for each of its commands.
open_connection = context.config.attributes.get("connection")
if open_connection is not None:
    migrate(open_connection)
else:
    with sa.create_engine(context.get_x_argument(as_dictionary=True)["url"]).connect() as new_connection:
        migrate(new_connection)
