"""A file with one endless line, plain or packed, is refused in bounded memory; a large file of lines is read.

What would silently go wrong: a few kilobytes that somebody sends fill the machine's memory, and the kernel ends the run.
"""

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affiliates.crosswalks import link_tables
from affiliates.errors import RefusedError
from affiliates.manifests.source import Source
from affiliates.sources import long_lines
from affiliates.sources.file_checks import check_file
from affiliates.sources.file_contents import head_of
from tests.support.event_files import packed_as
from tests.support.groups import source

HEADER = b"at,user\n"
MIB = 1 << 20
PACKED = pytest.mark.parametrize("packed", ["", "gz", "zst"])


def file_of(folder: Path, content: bytes, packed: str, kind: str = "csv") -> Path:
    path = folder / f"events.{kind}{f'.{packed}' if packed else ''}"
    path.write_bytes(packed_as(content, packed))
    return path


@PACKED
@pytest.mark.parametrize(("kind", "header"), [("csv", HEADER), ("csv", b""), ("jsonl", b"")])
def test_an_endless_line_is_refused_with_its_limit(tmp_path: Path, packed: str, kind: str, header: bytes) -> None:
    path = file_of(tmp_path, header + b"x" * (17 * MIB), packed, kind)
    with pytest.raises(RefusedError, match=r"line that is too long \(over 16,777,216 bytes\)"):
        check_file(path, kind, Source.model_validate(source(files=path.name)), "a/app")


@PACKED
def test_many_lines_are_read(tmp_path: Path, packed: str) -> None:
    """More bytes than a line may have, packed as well as a bomb is."""
    path = file_of(tmp_path, HEADER + b"2025-01-01T00:00:00Z,somebody@example.com\n" * 450_000, packed)
    check_file(path, "csv", Source.model_validate(source(files=path.name)), "a/app")


@PACKED
def test_the_check_itself_holds_little(tmp_path: Path, packed: str) -> None:
    """Of 64 MiB behind a megabyte's limit: what is held is a few of the reader's pieces."""
    path = file_of(tmp_path, HEADER + b"x" * (64 * MIB), packed)
    head = head_of(path)
    tracemalloc.start()
    try:
        with pytest.raises(RefusedError, match="too long"):
            long_lines.check_lines(path, head, "a/app", MIB)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


def test_a_hole_of_a_gibibyte_is_refused_by_its_first_stretch(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(HEADER)
    with path.open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.raises(RefusedError, match="has a line that is too long"):
        check_file(path, "csv", Source.model_validate(source(files=path.name)), "a/app")


@PACKED
def test_links_are_looked_at_before_their_columns_are_read(tmp_path: Path, packed: str) -> None:
    path = file_of(tmp_path, b"e" * (17 * MIB), packed)
    with pytest.raises(RefusedError, match="line that is too long"):
        link_tables.find([path], link_tables.Columns(namespaces={"email"}))


@PACKED
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(0, 90), max_size=12), is_ended=st.booleans(), longest=st.integers(1, 80))
def test_the_longest_line_decides(tmp_path: Path, packed: str, lengths: Sequence[int], is_ended: bool, longest: int) -> None:
    """Whatever stands before and behind it, and whether the last line is ended."""
    lines = [b"x" * length for length in lengths]
    path = file_of(tmp_path, b"\n".join(lines) + (b"\n" if is_ended else b""), packed)
    is_long = max(lengths, default=0) > longest
    try:
        long_lines.check_lines(path, head_of(path), "a/app", longest)
        assert not is_long
    except RefusedError:
        assert is_long


@pytest.mark.parametrize("packed", ["gz", "zst"])
def test_damage_is_told_by_whoever_reads_the_rows(tmp_path: Path, packed: str) -> None:
    path = file_of(tmp_path, HEADER + bytes(range(256)) * 4_000, packed)
    path.write_bytes(path.read_bytes()[:-20] + b"0" * 15)
    long_lines.check_lines(path, head_of(path), "a/app", MIB)
