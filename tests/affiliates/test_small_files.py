"""Keys, canaries, URLs and statements are small files: a device or a huge file in their place is refused without being read.

What would silently go wrong: a command reads /dev/zero for ever, or until the machine has no memory; a list in lists without end
breaks the reader, whose error nobody foresaw.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from affiliates.concurrency import UnfitFileError, read_small
from affiliates.crosswalks import statements
from affiliates.errors import RefusedError
from affiliates.identity import canaries
from affiliates.identity.keys import read_key
from affiliates.manifests import alert_settings
from affiliates.manifests.settings import KeySource
from affiliates.manifests.source import Database
from affiliates.signing import public_of
from affiliates.sources.database import connections
from dashboards.cli.commands import key as key_command
from pipelines import hash_chain

SIZE = 1 << 30


def a_hole(path: Path) -> None:
    path.touch()
    os.truncate(path, SIZE)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


PLACES = pytest.mark.parametrize("put", [a_hole, a_device, a_pipe])
READERS: dict[str, Callable[[Path], object]] = {
    "the group key": lambda path: read_key(KeySource(file=path.name), path.parent),
    "the group key, checked": lambda path: key_command._looked_at(KeySource(file=path.name), path.parent),
    "a signing key": public_of,
    "a trustee's canaries": canaries.from_file,
    "a database's URL": lambda path: connections._url(Database(file=path.name), path.parent, "x"),
    "a channel's URL": lambda path: alert_settings._secret("x", None, path.name, path.parent),
    "a statement beside a snapshot": lambda path: statements._beside(path),
}


@PLACES
@pytest.mark.parametrize("what", READERS)
def test_what_is_no_small_file_is_refused_unread(tmp_path: Path, what: str, put: Callable[[Path], None]) -> None:
    put(tmp_path / "small")
    with pytest.raises(RefusedError):
        READERS[what](tmp_path / "small")


@PLACES
def test_why_a_key_is_not_read_is_said(tmp_path: Path, put: Callable[[Path], None]) -> None:
    put(tmp_path / "group.key")
    with pytest.raises(RefusedError) as raised:
        read_key(KeySource(file="group.key"), tmp_path)
    wanted = "group.key: has over 4,096 bytes" if put is a_hole else "group.key: is no plain file"
    assert raised.value.refusals[0].values == wanted


def test_a_file_of_just_the_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 10)
    assert read_small(tmp_path / "f", 10) == b"x" * 10
    with pytest.raises(UnfitFileError):
        read_small(tmp_path / "f", 9)


NESTED = '{"mauwatch":' + "[" * 200_000 + "]" * 200_000 + "}"


def test_lists_in_lists_are_refused(tmp_path: Path) -> None:
    (tmp_path / "nested").write_text(NESTED)
    for read in (canaries.from_file, statements._beside):
        with pytest.raises(RefusedError):
            read(tmp_path / "nested")
    with pytest.raises(ValueError, match="nested too deep"):
        hash_chain.from_lines(NESTED)
