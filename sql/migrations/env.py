"""Alembic's entry: the connection comes from `pipelines.store.engine`, or a URL from `-x url=...`."""

import sqlalchemy as sa
from alembic import context

from pipelines.store.schema import metadata


def migrate(connection: sa.Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with sa.create_engine(context.get_x_argument(as_dictionary=True)["url"]).connect() as made:
        migrate(made)
