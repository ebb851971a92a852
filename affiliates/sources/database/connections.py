"""From a manifest's `database` to connections that only read, and from a server's errors to refusals.

A message shows a URL as its kind, host, port and database alone (`display name` below): its user, password and options stay
out. So does what a server says, since it quotes values.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import sqlalchemy as sa

from affiliates.concurrency import read_small
from affiliates.errors import Code, RefusedError, refused
from affiliates.manifests.source import Database, LoadedThrough

ROWS = 50_000
"""Rows that are fetched at a time: 40 MB of Python's objects at four columns of text, and a polars frame of 5 MB."""
_WAITS = {"connect_timeout": 10, "keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 6}
"""PostgreSQL's seconds to connect, and after which a server that has gone without a word is given up; for the URL to change."""
_MOST_URL_BYTES = 1 << 16
"""Bytes of the file that holds a database's URL at most."""
_LONGEST_STATEMENT = 3_600_000
"""Milliseconds of one statement: also of one that waits for a lock which nobody gives up. A cursor's rows come by many."""
_DENIED = "42501"
"""PostgreSQL's and the SQL standard's state for a missing privilege."""


def engine_of(database: Database, directory: Path, subject: str) -> tuple[sa.Engine, str]:
    """The engine that connects to a manifest's database, and the database's display name. Connects to nothing yet.

    A relative path, of an SQLite file or of the file with the URL, is relative to `directory`. Raises `RefusedError` for a
    place without a URL, a URL that isn't one, a driver or an SQLite file that isn't there.
    """
    url = _url(database, directory, subject)
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, directory, subject)
    # Without a driver's name SQLAlchemy takes psycopg2, which isn't installed; `postgres` is how many services write it.
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    options: dict[str, Any] = {}
    if url.drivername == "postgresql+psycopg":
        options |= {name: seconds for name, seconds in _WAITS.items() if name not in url.query}
    try:
        # No pool: a connection ends with its reading, and none stays open in the affiliate's database between runs.
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=options, hide_parameters=True)
    except (sa.exc.ArgumentError, ImportError):
        extra = "'mauwatch[postgres]'" if url.get_backend_name() == "postgresql" else "its driver"
        raise refused(
            Code.SOURCE_SETTING_WRONG,
            subject,
            "the database's URL has no driver here",
            url.drivername,
            f"correct its first part, or pip install {extra}",
        ) from None
    if engine.dialect.name == "postgresql":
        sa.event.listen(engine, "connect", _prepare_postgresql)
    return engine, _display_name(url)


@contextmanager
def connected(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that only reads, by a cursor of the server: `ROWS` rows at a time, whatever the table's size."""
    options: dict[str, Any] = {"stream_results": True, "yield_per": ROWS}
    if engine.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    with engine.connect().execution_options(**options) as connection:
        yield connection


@contextmanager
def refusing(subject: str, display_name: str) -> Iterator[None]:
    """Turns an error of a database, or of a value that polars can't take, into a `RefusedError` that quotes neither."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, pl.exceptions.PolarsError) as error:
        raise _refusal(error, subject, display_name) from None


def table_of(name: str) -> sa.TableClause:
    """A table by its name in the manifest, with or without a schema. SQLAlchemy quotes it as the database needs it."""
    schema, _, table = name.rpartition(".")
    return sa.table(table, schema=schema or None)


def loaded_through(setting: LoadedThrough, engine: sa.Engine, subject: str, display_name: str) -> date | None:
    """The greatest day of the column that `complete_through` names; None for an empty table, where no day is loaded yet.

    Raises `RefusedError` for a value that isn't a day. A time isn't one: it doesn't tell whether its day is whole.
    """
    with refusing(f"{subject}, `complete_through`", f"{setting.table} in {display_name}"), connected(engine) as connection:
        greatest: sa.ColumnElement[Any] = sa.func.max(sa.column(setting.column))
        try:
            value = connection.execute(sa.select(greatest).select_from(table_of(setting.table))).scalar_one()
        except (sa.exc.DataError, sa.exc.InterfaceError) as error:
            # A greatest day of `infinity`, which Python has no date for.
            if type(error.orig).__name__ != "DataError":
                raise
            value = ""
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        day = value
    # A datetime is a date to Python, too.
    if day is not None and (isinstance(day, datetime) or not isinstance(day, date)):
        raise refused(
            Code.SOURCE_SETTING_WRONG,
            subject,
            "`complete_through` names a column that doesn't hold days",
            f"{setting.column} of {setting.table} in {display_name}",
            "name one of days (a type of dates, or text YYYY-MM-DD); a view can cast it",
        )
    return day


def _url(database: Database, directory: Path, subject: str) -> sa.URL:
    """The URL from the one place that the manifest names: the manifest itself, a variable or a file."""
    place = "`url`"
    text = database.url.get_secret_value() if database.url else None
    if database.env is not None:
        place = f"the environment's {database.env}"
        text = os.environ.get(database.env)
    elif database.file is not None:
        place = database.file
        try:
            text = read_small(directory / database.file, _MOST_URL_BYTES).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            text = None
    if not text or not text.strip():
        raise refused(
            Code.SOURCE_SETTING_WRONG,
            subject,
            "the database's URL isn't there",
            place,
            "put it there; the manifest says where by `database`",
        )
    try:
        return sa.make_url(text.strip())
    except (sa.exc.ArgumentError, ValueError):
        raise refused(
            Code.SOURCE_SETTING_WRONG,
            subject,
            "the database's URL isn't one",
            place,
            "write one such as postgresql://host/database or sqlite:///shop.sqlite",
        ) from None


def _display_name(url: sa.URL) -> str:
    """The URL as messages show it: kind, host, port and database; the kind alone where the rest may hold a password."""
    kind = url.get_backend_name()
    place = f"{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database or ''}"
    # A password with an @ that isn't escaped ends there for the parser, which takes the rest of it for the host.
    return f"{kind}://…" if "@" in place or not url.database else f"{kind}://{place}"


def _sqlite_engine(url: sa.URL, directory: Path, subject: str) -> tuple[sa.Engine, str]:
    """As `engine_of`, for an SQLite file, which is opened for reading alone."""
    display_name = f"sqlite:///{url.database or ''}"
    path = directory / (url.database or "")
    # SQLite would make an empty database of a name that isn't there, and the product would have no users.
    if not path.is_file():
        raise refused(
            Code.SOURCE_MISSING, subject, "no file is there", display_name, "correct the database's URL, or bring the file"
        )
    place = f"file:{quote(str(path.absolute()))}?mode=ro"
    # Batches may be fetched by another thread than the one that connected; never by two at once.
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(place, uri=True, check_same_thread=False),
        poolclass=sa.pool.NullPool,
        hide_parameters=True,
    )
    return engine, display_name


def _prepare_postgresql(connection: Any, _: object) -> None:
    """Set PostgreSQL's session to UTC, so that a cast to a day doesn't depend on the server's own zone, and its statements to a
    longest time, where neither the server nor the user has one."""
    with connection.cursor() as cursor:
        cursor.execute("set time zone 'UTC'")
        cursor.execute("select current_setting('statement_timeout')")
        if cursor.fetchone()[0] == "0":
            cursor.execute(f"set statement_timeout = {_LONGEST_STATEMENT}")
    connection.commit()


def _refusal(error: Exception, subject: str, display_name: str) -> RefusedError:
    """The refusal for an error of a database: by its SQLSTATE and its class, never by its text."""
    original = getattr(error, "orig", None)
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if state == _DENIED:
        return refused(
            Code.SOURCE_UNREACHABLE,
            subject,
            "may not be read",
            f"{display_name}: permission denied",
            "grant mauwatch's user `select` on it",
        )
    values = f"{display_name}: {type(original or error).__name__}" + (f", state {state}" if state else "")
    # A value that the driver can't turn into one of Python's, such as a time `infinity`; no fault of the connection.
    if type(original).__name__ == "DataError" and state is None:
        return refused(
            Code.SOURCE_TYPES_WRONG,
            subject,
            "a value can't be read",
            values,
            "look for values that no other database has, such as infinity, or give a view without them",
        )
    # An error without a statement came before any query: from connecting.
    if isinstance(error, sa.exc.DBAPIError) and error.statement is None and state is None:
        return refused(
            Code.SOURCE_UNREACHABLE,
            subject,
            "the database can't be reached, or lets nobody in",
            values,
            "see that it runs, and that the URL's host, port, database, user and password are right",
        )
    return refused(
        Code.SOURCE_UNREADABLE,
        subject,
        "the database didn't give its rows",
        values,
        "see to its log, the table and its columns' values",
    )
