"""A PostgreSQL server that takes connections and says nothing: a refusal after the limit, and no run that hangs for good.

What would silently go wrong: a load balancer in front of a dead database accepts; `run`, `doctor` and /health wait, and nobody
is told that no day is counted any more.
"""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import Code, RefusedError
from affiliates.manifests.loader import read_group
from affiliates.sources import resolve
from affiliates.sources.database import connections
from pipelines.defs import instance
from pipelines.store import contributions, engine
from tests.support.groups import SECRET, entity, product, source

Make = Callable[..., Path]
PATIENCE = 60
"""Seconds after which a test gives up; the limit here is 2, the shortest that libpq takes."""


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a server whose connections are accepted, and that reads and writes nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield f"postgresql://user:{SECRET}@127.0.0.1:{server.getsockname()[1]}/db"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (engine, connections):
        assert 0 < module._WAITS["connect_timeout"] <= 10
        monkeypatch.setitem(module._WAITS, "connect_timeout", 2)


def refusal_of(function: Callable[[], Any]) -> Code:
    """The kind of the refusal that a call ends with, within `PATIENCE`. It shows no password."""
    pool = ThreadPoolExecutor(1)
    try:
        with pytest.raises(RefusedError) as error:
            pool.submit(function).result(PATIENCE)
    finally:
        pool.shutdown(wait=False)
    assert SECRET not in str(error.value)
    return error.value.refusals[0].code


def test_a_silent_store_is_refused(silent: str, tmp_path: Path) -> None:
    def opened() -> None:
        with contributions.open_store(silent, tmp_path):
            pass

    assert refusal_of(opened) == Code.STORE_UNUSABLE


def test_a_silent_source_is_refused(silent: str, make: Make) -> None:
    table = source(files=None, table="events", database={"file": "url"})
    directory = make([entity("a", [product(sources=[table])])])
    (directory / "url").write_text(silent)
    (directory / "url").chmod(0o600)

    def read() -> None:
        group = read_group(directory)
        (of_product,) = group.products.values()
        (found,) = resolve.find("a/app", of_product, directory, "UTC")
        found.check([date(2025, 1, 1)])

    assert refusal_of(read) == Code.SOURCE_UNREACHABLE


def test_a_silent_store_of_dagsters_is_refused(silent: str, make: Make) -> None:
    directory = make([entity("a", [product()])], dagster_store=f"{silent}?connect_timeout=2")
    group = read_group(directory)

    def opened() -> None:
        with instance.open_instance(directory, group):
            pass

    assert refusal_of(opened) == Code.STORE_UNUSABLE
    assert "connect_timeout=10" in instance._dagster_url(silent), "unless the group says otherwise"
