"""How the store's tables are made: one set of metadata, and a comment on every table and column."""

from typing import Any

from sqlalchemy import MetaData, Table

from pipelines.store.column_types import BIG

# Constraints have names of our own making: SQLite gives none, and Alembic drops a constraint by its name.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


def new_table(name: str, comment: str, *columns: Any) -> Table:
    """A table of the store."""
    return Table(name, metadata, *columns, comment=comment)


def number(comment: str, nullable: bool = True) -> Any:
    """The arguments of a column that holds a number of 64 bits."""
    return {"type_": BIG, "nullable": nullable, "comment": comment}
