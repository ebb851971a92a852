"""The schema of a store: made in one step for a new store, and brought up to date by migrations for an older one."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipelines.store import schema, views

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION = """
    create table alembic_version (version_num varchar(32) not null, constraint alembic_version_pkc primary key (version_num))
"""
"""Alembic's own table, as alembic makes it."""


def sql_folder() -> Path:
    """The folder of migrations and views: `pipelines/sql` in the wheel, `sql` at the top of a checkout."""
    inside = Path(__file__).parents[1] / "sql"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "sql"


def newest_revision() -> str:
    """The schema that this program has: the number that the last migration's file begins with."""
    return max(path.name.partition("_")[0] for path in (sql_folder() / "migrations" / "versions").glob("[0-9]*.py"))


def revision(connection: sa.Connection) -> str | None:
    """The store's schema, as alembic notes it; null where there is none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    number: str | None = connection.scalar(sa.text("select version_num from alembic_version"))
    return number


def config() -> "Config":
    """Alembic's settings: where the migrations lie."""
    from alembic.config import Config

    settings = Config()
    # Alembic's options are read by configparser, for which a per cent sign begins a name.
    settings.set_main_option("script_location", str(sql_folder() / "migrations").replace("%", "%%"))
    return settings


def is_known(number: str) -> bool:
    """Whether this program has a migration of that number: a newer program's schema isn't known."""
    from alembic.script import ScriptDirectory

    return number in {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}


def create(connection: sa.Connection) -> None:
    """Make the newest schema where there is none.

    All migrations one after the other would make the same schema, in several times the time and with alembic, which takes half
    a second to import.
    """
    _run(connection, _tables(connection.dialect.name))
    connection.execute(sa.text("insert into alembic_version values (:number)"), {"number": newest_revision()})
    _make_views(connection)


@cache
def _tables(dialect: str) -> tuple[str, ...]:
    """What creates the newest schema's tables and alembic's, in SQL of a database's kind."""
    statements = list[str]()

    def note(statement: sa.schema.ExecutableDDLElement, *_: Any, **__: Any) -> None:
        statements.append(str(statement.compile(dialect=engine.dialect)))

    # A parameter that begins with a colon, so that per cent signs aren't doubled.
    engine = sa.create_mock_engine(f"{dialect}://", note, paramstyle="named")
    schema.metadata.create_all(engine, checkfirst=False)
    return *statements, _VERSION


def upgrade(connection: sa.Connection) -> None:
    """Take an older schema through the migrations that it lacks, with all views made anew.

    SQLite changes no table that a view reads, so all views go first.
    """
    from alembic import command

    settings = config()
    settings.attributes["connection"] = connection
    views.drop(connection, sql_folder() / "views")
    command.upgrade(settings, "head")
    connection.execute(schema.column_comments.delete())
    _make_views(connection)


def _make_views(connection: sa.Connection) -> None:
    """Create the views, and note what they and the tables mean."""
    folder = sql_folder() / "views"
    _run(connection, views.statements(folder, connection.dialect.supports_comments))
    connection.execute(schema.column_comments.insert(), [*schema.comments(), *views.comments(folder)])


def _run(connection: sa.Connection, statements: Iterable[str]) -> None:
    """Run statements as they are; PostgreSQL takes all of them in one message, and answers once."""
    scripts = [";".join(statements)] if connection.dialect.name == "postgresql" else statements
    for script in scripts:
        # Without parameters, so that a per cent sign or a colon in a comment is one.
        connection.exec_driver_sql(script, execution_options={"no_parameters": True})
