"""Fixtures that all tests share, and which tests are run; their builders lie in tests/support."""

import gc
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from uuid import uuid4

import obstore
import pytest
import sqlalchemy as sa
from hypothesis import settings
from obstore.store import S3Store

from affiliates.identity.keys import GroupKey
from tests.support.databases import SQLITE, new_database, running_postgres
from tests.support.groups import KEY, SECRET, write_group
from tests.support.services import Put, free_port

settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("steady")

# Imports make a million objects and no garbage: to look through them again and again takes seconds of each worker.
gc.disable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="fault tests at as many points as are claimed; minutes more")
    parser.addoption("--documents", action="store_true", help="only: the documents' commands print what stands beneath them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs the documents' commands, a demo at real size among them, takes minutes and is asked for by itself.

    The longest tests come first: one of three minutes that begins last leaves the other worker idle for three minutes.
    """
    wanted, thorough = config.getoption("--documents"), config.getoption("--thorough")
    left_out = [
        item for item in items
        if bool(item.get_closest_marker("documents")) != wanted or (item.get_closest_marker("thorough") and not thorough)
    ]  # fmt: skip
    items[:] = sorted((item for item in items if item not in left_out), key=lambda item: item.get_closest_marker("long") is None)
    config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    """What is there before the first test stays: the collector needn't look through a million objects again and again.

    It looks less often than Python has it, too: most tests leave little, and each look takes as long as a small test.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture
def key() -> GroupKey:
    return GroupKey(KEY, "1")


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
