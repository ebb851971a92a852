"""Types of columns that SQLite and PostgreSQL keep differently: a number of 64 bits, and a moment."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Integer, String
from sqlalchemy.engine.interfaces import Dialect

BIG = sa.BigInteger().with_variant(Integer, "sqlite")
"""A number of 64 bits. SQLite numbers rows by itself in a column of the type INTEGER alone, which has 64 bits there."""


class Utc(sa.types.TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps it as ISO 8601 text with microseconds, which sorts as time does."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """The column's type: text in SQLite, a timestamp with time zone elsewhere."""
        text = dialect.name == "sqlite"
        return dialect.type_descriptor(String(27) if text else sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """What goes to the database; `value` has a zone."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """What comes from the database, as a moment in UTC."""
        return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else value
