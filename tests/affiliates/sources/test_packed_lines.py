"""Gzip that unpacks to one endless line is refused in bounded memory; a large file of lines is read."""

import gzip
from pathlib import Path

import pytest

from affiliates.errors import RefusedError
from affiliates.manifests.source import Source
from affiliates.sources.file_checks import check_file
from tests.support.groups import source

HEADER = b"at,user\n"


@pytest.mark.parametrize(("kind", "header"), [("csv", HEADER), ("jsonl", b"")])
def test_an_endless_line_is_refused_with_its_limit(tmp_path: Path, kind: str, header: bytes) -> None:
    path = tmp_path / f"events.{kind}.gz"
    path.write_bytes(gzip.compress(header + bytes(17 << 20), 9))
    with pytest.raises(RefusedError, match=r"line that is too long \(over 16,777,216 bytes\)"):
        check_file(path, kind, Source.model_validate(source(files=path.name)), "a/app")


def test_many_lines_are_read(tmp_path: Path) -> None:
    """More bytes than a line may have, packed as well as a bomb is."""
    path = tmp_path / "events.csv.gz"
    path.write_bytes(gzip.compress(HEADER + b"2025-01-01T00:00:00Z,somebody@example.com\n" * 450_000))
    check_file(path, "csv", Source.model_validate(source(files=path.name)), "a/app")
