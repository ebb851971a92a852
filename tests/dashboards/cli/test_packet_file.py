"""A packet comes by mail: what unpacks to more than it is, or holds something else beside, is refused before it is read.

What would silently go wrong: a small file fills an affiliate's memory; a second list in the same zip says other settings than the
one that somebody looked at.
"""

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from affiliates.crosswalks import snapshot
from affiliates.errors import RefusedError
from affiliates.manifests.packet import PacketSnapshot
from dashboards.cli import packet_file
from tests.support.command import answer
from tests.support.groups import entity, product, write_group

Members = list[tuple[str, bytes]]
NAME = "crosswalk.parquet"


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Members:
    """Of a whole packet with a snapshot."""
    directory = tmp_path_factory.mktemp("group")
    write_group(directory, [entity("a", [product()])], crosswalk=NAME)
    pl.DataFrame({"key": ["00000000000000aa", "00000000000000bb"], "person_key": ["00000000000000cc"] * 2}).write_parquet(
        directory / NAME
    )
    answer("packet", "a", "-o", directory / "p.zip", "--group", directory)
    with zipfile.ZipFile(directory / "p.zip") as file:
        return [(name, file.read(name)) for name in file.namelist()]


def zipped(path: Path, members: Members, packing: int = zipfile.ZIP_STORED) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", packing) as file:
        warnings.simplefilter("ignore", UserWarning)  # A name that is there twice.
        for name, content in members:
            file.writestr(name, content)
    return path


def test_a_whole_packet_is_read(tmp_path: Path, members: Members) -> None:
    packet, snapshots = packet_file.read(zipped(tmp_path / "p", members))
    assert (packet.affiliate, list(snapshots)) == ("a", [NAME])


def billions() -> bytes:
    """Ten million rows in a few bytes: as many times more are as small."""
    file = io.BytesIO()
    pl.DataFrame({"key": ["00" * 8], "person_key": ["00" * 8]}).sample(10_000_000, with_replacement=True).write_parquet(file)
    return file.getvalue()


def replaced(members: Members, name: str, content: bytes) -> Members:
    return [(other, content if other == name else before) for other, before in members]


ODD: dict[str, Callable[[Members], Members]] = {
    "something beside": lambda m: [*m, ("readme.txt", b"x")],
    "a place outside": lambda m: [*m, ("../group.key", b"x")],
    "a second list": lambda m: [*m, m[0]],
    "a second snapshot": lambda m: [*m, m[1]],
    "no snapshot": lambda m: m[:1],
    "no list": lambda m: m[1:],
    "a list in lists": lambda m: replaced(m, "packet.json", b"[" * 500_000 + b"]" * 500_000),
    "too long a list": lambda m: replaced(m, "packet.json", b" " * (2 << 20)),
    "more rows than listed": lambda m: replaced(m, NAME, billions()),
    "no table": lambda m: replaced(m, NAME, b"x"),
}  # fmt: skip


@pytest.mark.parametrize("what", ODD)
def test_odd_members_are_refused(tmp_path: Path, members: Members, what: str) -> None:
    with pytest.raises(RefusedError, match="is no whole packet"):
        packet_file.read(zipped(tmp_path / "p", ODD[what](members)))


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_what_is_packed_is_not_unpacked(tmp_path: Path, members: Members, packing: int) -> None:
    """16 MiB of zeros in 16 kB, where a snapshot is named."""
    path = zipped(tmp_path / "p", replaced(members, NAME, bytes(16 << 20)), packing)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(RefusedError, match="is no whole packet"):
        packet_file.read(path)


def test_an_encrypted_member_is_refused(tmp_path: Path, members: Members) -> None:
    content = bytearray(zipped(tmp_path / "p", members).read_bytes())
    for head, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(head)
        while at >= 0:
            content[at + flags] |= 1
            at = content.find(head, at + 4)
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(RefusedError, match="is no whole packet"):
        packet_file.read(tmp_path / "p")


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_device_is_no_packet(tmp_path: Path, put: Callable[[Path], None]) -> None:
    put(tmp_path / "p")
    with pytest.raises(RefusedError, match="is no whole packet"):
        packet_file.read(tmp_path / "p")


def edited(members: Members, **changes: object) -> Members:
    """The packet's list says other things of its snapshot."""
    content = json.loads(members[0][1])
    content["snapshots"][0] |= changes
    return replaced(members, "packet.json", json.dumps(content).encode())


@pytest.mark.parametrize(
    ("rows", "why"), [(200_000, "too many rows"), (3, "")], ids=["200,000 rows in a few bytes", "as many as it holds"]
)
def test_as_many_rows_as_listed_are_refused_where_no_keys_stand_for_them(
    tmp_path: Path, members: Members, rows: int, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is the sender's, too: it agrees with whatever the snapshot claims."""
    file = io.BytesIO()
    keys = [f"{number if rows < 10 else 0:016x}" for number in range(rows)]
    pl.DataFrame({"key": keys, "person_key": ["00" * 8] * rows}).write_parquet(file)
    listed = PacketSnapshot(digest="0" * 64, keys=rows)
    if why:
        with pytest.raises(RefusedError, match=why):
            packet_file._snapshot(file.getvalue(), listed)
        with pytest.raises(RefusedError, match="is no whole packet"):
            packet_file.read(zipped(tmp_path / "p", edited(replaced(members, NAME, file.getvalue()), keys=rows)))
        return
    assert packet_file._snapshot(file.getvalue(), listed).table.height == rows
    # The same harmless file, were so few bytes allowed.
    monkeypatch.setattr(packet_file, "_BYTES_BESIDE", 0)
    monkeypatch.setattr(packet_file, "_BYTES_OF_A_KEY", 4)
    with pytest.raises(RefusedError, match=r"a page of it is too large|it unpacks to too much"):
        packet_file._snapshot(file.getvalue(), listed)


@pytest.mark.parametrize("number", [0, 1, 50_000])
def test_a_snapshot_of_any_size_is_read(number: int) -> None:
    """All that `mauwatch packet` writes stays far within the limits."""
    keys = np.arange(number, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    crosswalk = snapshot.from_keys(keys, keys[::-1])
    content = snapshot.table_bytes(crosswalk)
    listed = PacketSnapshot(digest=crosswalk.digest, keys=number)
    assert packet_file._snapshot(content, listed).digest == crosswalk.digest
