"""From a manifest's `database` to connections that only read, and from a server's errors to refusals.

A URL is shown as its kind, host, port and database alone: its user, password and options stay out of every message,
and so does what a server says, since it quotes values.
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

from affiliates.errors import Code, RefusedError, refused
from affiliates.manifests.source import Database, LoadedThrough

ROWS = 50_000
"""Fetched at a time: 40 MB of Python's objects at four columns of text, and a polars frame of 5 MB."""
_SECONDS_TO_CONNECT = 10
_DENIED = "42501"
"""PostgreSQL's and the SQL standard's state for a missing privilege."""


def engine_of(database: Database, directory: Path, subject: str) -> tuple[sa.Engine, str]:
    """What connects to a database, and how it is called in messages.

    Raises `RefusedError` for a place without a URL, a URL that isn't one, a driver or an SQLite file that isn't there.
    """
    url = _url(database, directory, subject)
    shown = _shown(url)
    if url.get_backend_name() == "sqlite":
        return _lite(url, directory, subject)
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    options: dict[str, Any] = {}
    if url.drivername == "postgresql+psycopg" and "connect_timeout" not in url.query:
        options["connect_timeout"] = _SECONDS_TO_CONNECT
    try:
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
        sa.event.listen(engine, "connect", _in_utc)
    return engine, shown


@contextmanager
def connected(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that only reads, and fetches a batch at a time."""
    options: dict[str, Any] = {"stream_results": True, "yield_per": ROWS}
    if engine.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    with engine.connect().execution_options(**options) as connection:
        yield connection


@contextmanager
def refusing(subject: str, shown: str) -> Iterator[None]:
    """Turns what a database or a value makes go wrong inside into a refusal that quotes neither."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, pl.exceptions.PolarsError) as error:
        raise _refusal(error, subject, shown) from None


def table_of(name: str) -> sa.TableClause:
    """A table by its name, with or without a schema; quoted as the database needs it."""
    schema, _, table = name.rpartition(".")
    return sa.table(table, schema=schema or None)


def loaded_through(said: LoadedThrough, engine: sa.Engine, subject: str, shown: str) -> date | None:
    """The column's greatest day; None for an empty table, where no day is loaded yet.

    Raises `RefusedError` for anything that isn't a day: of a time nobody can tell whether its day is whole.
    """
    with refusing(f"{subject}, `complete_through`", f"{said.table} in {shown}"), connected(engine) as connection:
        column: sa.ColumnElement[Any] = sa.func.max(sa.column(said.column))
        value = connection.execute(sa.select(column).select_from(table_of(said.table))).scalar_one()
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        day = value
    if day is not None and (isinstance(day, datetime) or not isinstance(day, date)):
        raise refused(
            Code.SOURCE_SETTING_WRONG,
            subject,
            "`complete_through` names a column that doesn't hold days",
            f"{said.column} of {said.table} in {shown}",
            "name one of days (a type of dates, or text YYYY-MM-DD); a view can cast it",
        )
    return day


def _url(database: Database, directory: Path, subject: str) -> sa.URL:
    place = "`url`"
    text = database.url.get_secret_value() if database.url else None
    if database.env is not None:
        place = f"the environment's {database.env}"
        text = os.environ.get(database.env)
    elif database.file is not None:
        place = database.file
        try:
            text = (directory / database.file).read_text(encoding="utf-8")
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


def _shown(url: sa.URL) -> str:
    kind = url.get_backend_name()
    place = f"{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database or ''}"
    # A password with an @ of its own ends there, and the rest of it is taken for the host.
    return f"{kind}://…" if "@" in place or not url.database else f"{kind}://{place}"


def _lite(url: sa.URL, directory: Path, subject: str) -> tuple[sa.Engine, str]:
    """SQLite, opened for reading alone: a file that isn't there is no empty database."""
    shown = f"sqlite:///{url.database or ''}"
    path = directory / (url.database or "")
    if not path.is_file():
        raise refused(Code.SOURCE_MISSING, subject, "no file is there", shown, "correct the database's URL, or bring the file")
    place = f"file:{quote(str(path.absolute()))}?mode=ro"
    # Batches may be fetched by another thread than the one that connected; never by two at once.
    return sa.create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(place, uri=True, check_same_thread=False), poolclass=sa.pool.NullPool
    ), shown


def _in_utc(connection: Any, _: object) -> None:
    """Times with a zone are days of UTC where they are cast to days."""
    with connection.cursor() as cursor:
        cursor.execute("set time zone 'UTC'")
    connection.commit()


def _refusal(error: Exception, subject: str, shown: str) -> RefusedError:
    original = getattr(error, "orig", None)
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if state == _DENIED:
        return refused(
            Code.SOURCE_UNREACHABLE,
            subject,
            "may not be read",
            f"{shown}: permission denied",
            "grant mauwatch's user `select` on it",
        )
    said = f"{shown}: {type(original or error).__name__}" + (f", state {state}" if state else "")
    if isinstance(error, sa.exc.DBAPIError) and error.statement is None and state is None:
        return refused(
            Code.SOURCE_UNREACHABLE,
            subject,
            "the database can't be reached, or lets nobody in",
            said,
            "see that it runs, and that the URL's host, port, database, user and password are right",
        )
    return refused(
        Code.SOURCE_UNREADABLE,
        subject,
        "the database didn't give its rows",
        said,
        "see to its log, the table and its columns' values",
    )
