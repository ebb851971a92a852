"""Events in object stores: an object left out of a listing is people left out of the number."""

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
import polars as pl
import pytest
from obstore.store import S3Store

from tests.conftest import events, source
from tests.test_sources import JANUARY, contributions, encoded
from tests.test_tables import KINDS, ROWS, SECRET, digests, group_of

Put = Callable[[Mapping[str, bytes]], str]


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 of this process's own, on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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


FRAME = events(ROWS, kind=KINDS)


@pytest.mark.parametrize("kind", ["parquet", "csv.gz"])
def test_objects_count_as_the_same_events_in_a_file(tmp_path: Path, put: Put, kind: str) -> None:
    """One object, all below a prefix, a pattern, partitions by day: each the same people."""
    by_file = group_of(tmp_path / "file", source(), {"events.parquet": FRAME}, lg_k=12)
    expected = digests(contributions(by_file))
    by_day = {
        f"days/day={d}/part-{i}.{kind}": encoded(kind, FRAME.filter(pl.col("at").dt.date() == d)[i::2])
        for d in JANUARY
        for i in (0, 1)
    }
    marks = {"all/_SUCCESS": b"", "all/.x.crc": b"1", "days/_SUCCESS": b"", "other.txt": b"x"}
    parts = {f"all/we ird#[{i}]?%20é.{kind}": encoded(kind, FRAME[i::3]) for i in range(3)}
    bucket = put({f"one.{kind}": encoded(kind, FRAME), **by_day, **marks, **parts})
    for files in (f"one.{kind}", "all/", "all", f"all/*.{kind}"):
        assert digests(contributions(group_of(tmp_path / "s3", source(files=f"{bucket}/{files}"), lg_k=12))) == expected
    days = source(files=f"{bucket}/days/day={{day}}/*.{kind}", complete_through=None)
    assert digests(contributions(group_of(tmp_path / "s3", days, lg_k=12))) == expected
