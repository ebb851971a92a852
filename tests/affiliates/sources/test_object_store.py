"""Events in object stores: an object left out of a listing is people left out of the number."""

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import polars as pl
import pytest

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from affiliates.sources import object_client, object_store
from dashboards.cli.doctor import examine
from tests.support.event_files import JANUARY, contributions, encoded, users
from tests.support.groups import NOW, PLANTED, SECRET, entity, events, product, source, write_group
from tests.support.runs import go
from tests.support.services import Put, free_port
from tests.support.tables import KINDS, ROWS, digests, fill, found_in, group_of, table, whole_text

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


def test_more_objects_than_a_listing_has(tmp_path: Path, put: Put) -> None:
    """A store lists 1,000 at a time, and those of the second page are people, too."""
    days = [JANUARY[i % 31] for i in range(1010)]
    lines = {f"many/{day}/part-{i:04}.csv": f"at,user\n{day}T12:00:00Z,u{i}@example.com\n" for i, day in enumerate(days)}
    bucket = put({key: text.encode() for key, text in lines.items()})
    directory = group_of(tmp_path, source(files=f"{bucket}/many/{{day}}/*.csv", complete_through=None), lg_k=12)
    assert found_in(directory).summary().startswith("1010 objects")
    assert users(contributions(directory, JANUARY[30:])[JANUARY[30]]) == {"email": days.count(JANUARY[30])}


def test_what_is_large_is_read_in_place_and_nothing_is_left(tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whichever way: the same people, and no raw events on the disk after it, nor for others while it lasts."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    bucket = put({f"p/{i}.parquet": encoded("parquet", FRAME[i::4]) for i in range(4)})
    expected = digests(contributions(group_of(tmp_path / "file", source(), {"events.parquet": FRAME}, lg_k=12)))
    directory = group_of(tmp_path / "s3", source(files=f"{bucket}/p/"), lg_k=12)
    for in_place, portion in ((1, 1), (1 << 30, 1), (1 << 30, 1 << 30)):
        monkeypatch.setattr(object_store, "IN_PLACE_BYTES", in_place)
        monkeypatch.setattr(object_store, "PORTION_BYTES", portion)
        assert digests(contributions(directory)) == expected
    for _ in found_in(directory).frames(JANUARY, ["at"]):
        (folder,) = temporary.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
    assert not list(temporary.iterdir())


WRONG: dict[str, tuple[dict[str, bytes], dict[str, str], str]] = {
    "no bucket": ({}, {"files": "s3://no-such-bucket/p/"}, r"a/app, s3://no-such-bucket/p/: no such bucket. Next: correct the b"),
    "no object": ({"other.csv": b"x"}, {}, r"a/app: no object is there \(s3://.*/p/\)"),
    "zero bytes": ({"p/e.csv": b""}, {}, r"a/app, s3://.*/p/e.csv: the object has zero bytes"),
    "cut off": ({"p/e.parquet": encoded("parquet", FRAME)[:-9]}, {}, r"s3://.*/p/e.parquet: is not a readable Parquet file"),
    "a cut page": (
        {"p/e.parquet": (whole := encoded("parquet", FRAME))[:4] + b"\xff" * 60 + whole[64:]}, {},
        r"a/app, s3://\w+: an object can't be read to its end .*p/e.parquet",
    ),
    "cut gzip": ({"p/e.csv.gz": encoded("csv.gz", FRAME)[:-30]}, {}, r"s3://.*/p/e.csv.gz: can't be unpacked to its end"),
    "a bad line": ({"p/e.csv": f"at,user\n1,x,{PLANTED}\n".encode()}, {}, r"p/e.csv: a bad line \(line 2: 3 fields"),
    "no column": ({"p/e.csv": b"at,usr\n"}, {}, r"p/e.csv: columns are missing \(user, among 2 columns; it has usr for user"),
    "no JSON": ({"p/e.jsonl": PLANTED.encode()}, {}, r"p/e.jsonl: a bad line \(line 1 isn't a JSON object\)"),
    "floats": (
        {"p/e.parquet": encoded("parquet", FRAME), "p/f.parquet": encoded("parquet", FRAME.with_columns(user=pl.lit(1.5)))}, {},
        r"a/app, s3://\w+/p/f.parquet: identifiers must be text or whole numbers \(column user is Float64\)",
    ),
    "two formats": ({"p/e.csv": b"at,user\n", "p/e.parquet": b"x"}, {}, "the files' format isn't clear"),
    "unknown format": ({"p/e.csv": b"at,user\n", "p/e.txt": b"x"}, {}, r"files of an unknown format \(1 of 2, such as \*.txt\)"),
}  # fmt: skip


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_objects_are_refused_by_name(
    tmp_path: Path, put: Put, wrong: str, in_place: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As files are: with what is wrong and what to do, and with nobody's address."""
    given, changes, expected = WRONG[wrong]
    if in_place:
        if not any(key.endswith(".parquet") for key in given):
            return
        monkeypatch.setattr(object_store, "IN_PLACE_BYTES", 1)
    bucket = put(given)
    with pytest.raises(RefusedError, match=expected) as refused:
        contributions(group_of(tmp_path, source(**{"files": f"{bucket}/p/", **changes})))
    assert not {"planted", SECRET} & {word for word in ("planted", SECRET) if word in whole_text(refused.value)}


class Denying(BaseHTTPRequestHandler):
    """A store that lets nobody in, and says who asked."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.end_headers()
        self.wfile.write(f"<Error><Code>AccessDenied</Code><Message>{PLANTED}</Message></Error>".encode())

    do_HEAD = do_GET

    def log_message(self, *values: object) -> None:
        pass


def test_a_store_that_denies_and_one_that_is_not_there(
    tmp_path: Path, environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = group_of(tmp_path, source(files="s3://bucket/p/"))
    with HTTPServer(("127.0.0.1", 0), Denying) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(RefusedError, match=r"a/app, s3://bucket/p/: may not be read \(permission denied\)") as refused:
            contributions(directory)
        server.shutdown()
    assert "planted" not in whole_text(refused.value)
    monkeypatch.setattr(object_client, "RETRIES", 0)
    with pytest.raises(RefusedError, match="the store can't be reached, or doesn't know mauwatch") as refused:
        contributions(directory)
    assert SECRET not in whole_text(refused.value)


def test_an_object_written_again_meanwhile_is_read_again(tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked is what counts: another object under the same key is refused, and the run begins anew."""
    key = "p/e.csv"
    bucket = put({key: f"at,user\n2025-01-05T12:00:00Z,{PLANTED}\n".encode()})
    declared = entity("a", [product(sources=[source(files=f"{bucket}/p/")], to="2025-02-01")])
    directory = write_group(tmp_path, [declared], lg_k=12)
    fetch = object_store.Objects._fetch
    done = list[str]()

    def meanwhile(self: object_store.Objects, listed: object_client.Object, path: Path) -> None:
        if not done:
            done.append(put({key: b"at,user\n2025-01-05T12:00:00Z,a@example.com\n2025-01-06T12:00:00Z,b@example.com\n"}))
        fetch(self, listed, path)

    monkeypatch.setattr(object_store.Objects, "_fetch", meanwhile)
    with pytest.raises(RefusedError, match=r"p/e.csv: the object was written again while it was read"):
        contributions(directory)
    done.clear()
    report = go(directory)
    assert (report.products[0].refusals, report.products[0].periods) == ((), 31)
    assert go(directory, NOW + timedelta(1)).products[0].periods == 0
    put({key: b"at,user\n2025-01-05T12:00:00Z,a@example.com\n2025-01-07T12:00:00Z,b@example.com\n"})
    assert go(directory, NOW + timedelta(2)).products[0].periods == 2


class Other(BaseHTTPRequestHandler):
    """As much of Google's and of Azure's protocol as listing and reading take; their own servers aren't here."""

    held: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        at = "Sat, 01 Feb 2025 00:00:00 GMT"
        if "list" not in query:
            whole = self.held[unquote(path).removeprefix("/bucket/")]
            asked = self.headers["Range"] or self.headers["x-ms-range"]
            first, _, last = (asked or "bytes=0-").partition("=")[2].partition("-")
            begin, end = (int(first), int(last or len(whole) - 1)) if first else (max(0, len(whole) - int(last)), len(whole) - 1)
            body = whole[begin : end + 1]
            self.send_response(206 if asked else 200)
            headers = {"Content-Length": len(body), "ETag": '"1"', "Last-Modified": at}
            for name, value in (headers | {"Content-Range": f"bytes {begin}-{begin + len(body) - 1}/{len(whole)}"}).items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body if self.command == "GET" else b"")
            return
        google = "".join(
            f"<Contents><Key>{key}</Key><Size>{len(body)}</Size><LastModified>2025-02-01T00:00:00Z</LastModified>"
            '<ETag>"1"</ETag></Contents>'
            for key, body in self.held.items()
        )
        azure = "".join(
            f"<Blob><Name>{key}</Name><Properties><Content-Length>{len(body)}</Content-Length><Last-Modified>{at}</Last-Modified>"
            "<Content-Type>x</Content-Type><Etag>&quot;1&quot;</Etag><ResourceType>file</ResourceType></Properties></Blob>"
            for key, body in self.held.items()
        )
        answer = f"<ListBucketResult>{google}</ListBucketResult>"
        if "comp=list" in query:
            answer = f"<EnumerationResults><Blobs>{azure}</Blobs><NextMarker/></EnumerationResults>"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    do_HEAD = do_GET

    def log_message(self, *values: object) -> None:
        pass


@pytest.mark.parametrize("kind", ["csv.gz", "parquet"])
@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_the_other_stores_take_the_same_way(tmp_path: Path, scheme: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole objects, and Parquet in place: an address leads to its store by either library."""
    monkeypatch.setattr(object_store, "IN_PLACE_BYTES", 1)
    monkeypatch.setattr(Other, "held", {f"p/{i}.{kind}": encoded(kind, FRAME[i::2]) for i in range(2)})
    expected = digests(contributions(group_of(tmp_path / "file", source(), {"events.parquet": FRAME}, lg_k=12)))
    with HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        account = {"gcs_base_url": address, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
        (tmp_path / "account.json").write_text(json.dumps(account))
        for name, value in {
            "GOOGLE_SERVICE_ACCOUNT": str(tmp_path / "account.json"), "GOOGLE_ALLOW_HTTP": "true", "AZURE_ALLOW_HTTP": "true",
            "AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5", "AZURE_STORAGE_ENDPOINT": address,
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        counted = contributions(group_of(tmp_path / "there", source(files=f"{scheme}://bucket/p/*.{kind}"), lg_k=12))
        server.shutdown()
    assert digests(counted) == expected


def test_doctor_looks_at_tables_and_objects(tmp_path: Path, put: Put) -> None:
    """Before a first run: what is there, or what is wrong with it, and nobody's address or password."""
    bucket = put({"p/e.csv": f"at,user\n2025-01-05T12:00:00Z,{PLANTED}\n".encode(), "p/f.csv.gz": encoded("csv.gz", FRAME)})
    fill(f"sqlite:///{tmp_path}/shop.sqlite", {"at": "text", "user": "text"}, [("2025-01-05T12:00:00Z", PLANTED)])
    declared = {
        "objects": source(files=f"{bucket}/p/"), "table": table("sqlite:///shop.sqlite"),
        "elsewhere": table("", database=None), "gone": source(files=f"{bucket}/q/"),
        "closed": table(f"postgresql://me:{SECRET}@localhost:{free_port()}/shop"),
    }  # fmt: skip
    sources = {name: {k: v for k, v in one.items() if v is not None} for name, one in declared.items()}
    write_group(tmp_path, [entity("a", [product(name, sources=[one]) for name, one in sources.items()])])
    examined = {what: (fine, text) for what, fine, text in examine(tmp_path, read_group(tmp_path), NOW) if what.startswith("a/")}
    assert {what: fine for what, (fine, _) in examined.items()} == {
        "a/objects": True, "a/table": True, "a/elsewhere": True, "a/gone": False, "a/closed": False
    }  # fmt: skip
    assert "2 objects, " in examined["a/objects"][1]
    assert "table events in sqlite:///shop.sqlite, complete through 2025-01-31" in examined["a/table"][1]
    assert not [word for word in ("planted", SECRET) if word in str(examined)]
