"""A snapshot's digest that is looked up: of another file, it would take contributions of other people for those of today."""

import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from affiliates.crosswalks import snapshot
from affiliates.crosswalks.digest_memo import FILE, DigestMemo
from affiliates.crosswalks.snapshot import Crosswalk, Snapshots
from affiliates.crosswalks.statements import BESIDE, Expected
from affiliates.errors import RefusedError
from affiliates.identity.keyring import Keyring
from affiliates.manifests.loader import read_group
from tests.support.groups import entity, write_group

JANUARY, FEBRUARY = date(2025, 1, 1), date(2025, 2, 1)
NAME = "joined-2025-01.parquet"


def table(person: int = 0) -> pl.DataFrame:
    return pl.DataFrame({"key": ["0" * 15 + "1", "0" * 15 + "2"], "person_key": [f"{person:016x}"] * 2})


def slow(read: Callable[..., Crosswalk], meanwhile: Callable[[], object] = lambda: None) -> Callable[..., Crosswalk]:
    """A reading as long as that of a large snapshot, while something happens."""

    def reading(*arguments: object) -> Crosswalk:
        crosswalk = read(*arguments)
        time.sleep(0.06)
        meanwhile()
        return crosswalk

    return reading


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A group with snapshots of two months, whose digests are known."""
    write_group(tmp_path / "group", [entity("a", [])], {NAME: table()}, crosswalk="joined-{month}.parquet")
    table().write_parquet(tmp_path / "group" / "joined-2025-02.parquet")
    with monkeypatch.context() as patched:
        patched.setattr(snapshot, "read", slow(snapshot.read))
        opened = snapshots(tmp_path / "group")
        assert opened.digest(JANUARY) == opened.digest(FEBRUARY) == snapshot.from_table(table()).digest
    return tmp_path / "group"


def snapshots(directory: Path, code: str = "this program") -> Snapshots:
    settings = read_group(directory).settings
    return Snapshots(settings, directory, Keyring(settings, directory), DigestMemo(directory, code))


def test_what_is_known_is_not_read_again(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group of two years had 24 snapshots read by each run; and what one doesn't say of itself is told all the same."""
    read = Snapshots(read_group(directory).settings, directory, Keyring(read_group(directory).settings, directory))
    read(JANUARY)
    monkeypatch.setattr(snapshot, "read", lambda *_: pytest.fail("read again"))
    known = snapshots(directory)
    assert known.digest(JANUARY) == snapshot.from_table(table()).digest
    assert known.unsaid == read.unsaid != {}
    assert oct((directory / FILE).stat().st_mode)[-3:] == "600"


def in_place(path: Path) -> None:
    """Other people in the same file, with its size and times."""
    before = path.stat()
    table(1).write_parquet(path.with_name("other"))
    content = path.with_name("other").read_bytes()
    path.with_name("other").unlink()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def edit(directory: Path, before: str, after: str) -> None:
    text = (directory / "group.yaml").read_text()
    assert before in text
    (directory / "group.yaml").write_text(text.replace(before, after))


CHANGES: dict[str, Callable[[Path], object]] = {
    "the file in place": lambda d: in_place(d / NAME),
    "another file": lambda d: shutil.copy(d / "joined-2025-02.parquet", d / NAME),
    "the file beside": lambda d: (d / f"{NAME}{BESIDE}").write_text('{"mauwatch.month": "2024-12"}'),
    "what a person may have": lambda d: edit(d, "group: test", "group: test\nlargest_person: 2"),
    "another key": lambda d: (d / "group.key").write_text("beef" * 16),
    "the file gone": lambda d: (d / NAME).unlink(),
    "not ours": lambda d: (d / FILE).write_text('{"joined-2025-01.parquet": ["a", 1]}'),
    "half of what was kept": lambda d: (d / FILE).write_text((d / FILE).read_text()[:-9]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_known_is_of_the_very_same_file(directory: Path, name: str) -> None:
    CHANGES[name](directory)
    settings = read_group(directory).settings
    keys = Keyring(settings, directory)
    assert DigestMemo(directory, "this program").digest(NAME, Expected.of(settings, keys, JANUARY)) is None


def test_other_months_and_another_program_are_others(directory: Path) -> None:
    settings = read_group(directory).settings
    keys = Keyring(settings, directory)
    assert DigestMemo(directory, "this program").digest(NAME, Expected.of(settings, keys, JANUARY))
    assert DigestMemo(directory, "this program").digest(NAME, Expected.of(settings, keys, FEBRUARY)) is None
    assert DigestMemo(directory, "a newer one").digest(NAME, Expected.of(settings, keys, JANUARY)) is None


def test_a_wrong_snapshot_is_refused_each_time(directory: Path) -> None:
    (directory / NAME).write_bytes(b"PAR1")
    for _ in range(2):
        with pytest.raises(RefusedError, match="isn't a readable Parquet file"):
            snapshots(directory).digest(JANUARY)


def test_what_changes_while_it_is_read_is_not_kept(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is what was read too fast for the clock of files to show a change."""
    for meanwhile in (lambda: in_place(directory / NAME), lambda: os.utime(directory / NAME)):
        (directory / FILE).unlink(missing_ok=True)
        with monkeypatch.context() as patched:
            patched.setattr(snapshot, "read", slow(snapshot.read, meanwhile))
            snapshots(directory).digest(JANUARY)
        assert not (directory / FILE).exists()


def test_the_table_that_is_read_wins(directory: Path) -> None:
    """A run counts by the table: a digest that was looked up before would be another one's after a change in between."""
    opened = snapshots(directory)
    opened.digest(JANUARY)
    in_place(directory / NAME)
    read = opened(JANUARY)
    assert read is not None
    assert opened.digest(JANUARY) == read.digest == snapshot.from_table(table(1)).digest
    assert NAME not in json.loads((directory / FILE).read_text()) or snapshots(directory).digest(JANUARY) == read.digest
