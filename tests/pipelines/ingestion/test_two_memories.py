"""Two memories of what was taken, the store's and the receipts beside the files: where they disagree, the store is right.

What would silently go wrong: a correction that was accepted is lost with a restored store, and is never taken again; a file that
another has replaced is never read.
"""

import json
import os
import shutil
from collections.abc import Callable, Collection
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from affiliates.manifests.loader import read_group
from dashboards.cli.commands import receive
from pipelines.defs import sensors
from pipelines.figures import query
from pipelines.ingestion import inbox
from pipelines.store import contributions, mark
from tests.support.groups import NOW, entity, product
from tests.support.receipts import outcomes, receipt, take
from tests.support.wrong_contributions import folder, other_namespace, row, write

Make = Callable[..., Path]
DAY = date(2025, 1, 31)
LATER = NOW - timedelta(days=1)
STORE = ".mauwatch/store.sqlite"


@pytest.fixture
def directory(make: Make) -> Path:
    directory = make([entity("a", [product("app", sources=[], **{"from": "2025-01-31", "to": "2025-02-01"})])])
    (directory / ".mauwatch" / "inbox" / "a").mkdir(parents=True)
    return directory


def box(directory: Path) -> Path:
    return directory / ".mauwatch" / "inbox" / "a"


def people(directory: Path) -> int | None:
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        figures, _ = query.figures_of_month(store, group, date(2025, 1, 1), group.readings.readings[0])
    return figures.group.estimate


def copied(directory: Path, name: str) -> Path:
    """The store's file, copied: a backup, while nobody writes."""
    return Path(shutil.copy(directory / STORE, directory / name))


def restored(directory: Path, backup: Path) -> None:
    for file in directory.glob(f"{STORE}*"):
        file.unlink()
    shutil.copy(backup, directory / STORE)


def forgotten(directory: Path) -> None:
    """Begin a new store, and leave the inbox as it is."""
    for file in [*directory.glob(f"{STORE}*"), directory / mark.MARK]:
        file.unlink(missing_ok=True)


def test_a_restored_store_takes_again_what_it_lacks(directory: Path) -> None:
    """The correction of yesterday was accepted, and its receipt lies beside it; today's store has never seen it."""
    write(box(directory) / "january", row(DAY, number=310))
    take(directory)
    backup = copied(directory, "backup")
    write(box(directory) / "january-corrected", row(DAY, number=900, computed_at=LATER))
    take(directory)
    corrected = people(directory)
    restored(directory, backup)
    session = take(directory)
    assert ([file.offer.name for file in session.files], outcomes(session)) == (["january-corrected"], ["replaced"])
    assert session.skipped == ["a/january"]
    assert people(directory) == corrected == 900
    assert take(directory).skipped == ["a/january", "a/january-corrected"]


def test_a_store_made_anew_takes_all_again(directory: Path) -> None:
    """Whatever order it takes them in, the version that was computed last counts."""
    write(box(directory) / "b", row(DAY, number=310))
    take(directory)
    write(box(directory) / "a", row(DAY, number=900, computed_at=LATER))
    take(directory)
    forgotten(directory)
    assert outcomes(take(directory)) == ["new", "older"]
    assert people(directory) == 900


@pytest.mark.parametrize("same_size", [False, True])
def test_a_file_replaced_with_its_time_kept_is_read(directory: Path, same_size: bool) -> None:
    """As `cp -p` and `rsync -t` do: its time says nothing, and its size may say nothing either."""
    path = write(box(directory) / "f", row(DAY, number=310))
    before = path.stat()
    take(directory)
    path.write_bytes(write(directory / "other", row(DAY, number=900, computed_at=LATER)).read_bytes())
    if same_size:  # The signature of a file that was read, and then changed within.
        take(directory)
        before = path.stat()
        content = bytearray(path.read_bytes())
        content[40] ^= 1
        path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert (path.stat().st_size == before.st_size) == same_size
    session = take(directory)
    assert [file.outcome for file in session.files] == (["refused"] if same_size else ["accepted"])
    assert people(directory) == 900


def test_a_part_replaced_with_its_time_kept_is_read(directory: Path) -> None:
    """In a folder of part-files, where the folder's own time stays, too."""
    path = box(directory) / "parts"
    folder(path, row(DAY, number=310), other_namespace(DAY))
    os.utime(path, (0, 0))
    for part in path.iterdir():
        os.utime(part, (0, 0))
    take(directory)
    part = path / "part-00000-c000.snappy.parquet"
    part.write_bytes(write(directory / "other", row(DAY, number=900)).read_bytes())
    os.utime(part, (0, 0))
    assert [file.offer.name for file in take(directory).files] == ["parts"]


def test_a_link_in_the_place_of_an_accepted_file_is_refused(directory: Path) -> None:
    """With the time of the file: nothing but its inode tells that it isn't the file any more."""
    path = write(box(directory) / "f", row(DAY))
    before = path.stat()
    take(directory)
    path.unlink()
    path.symlink_to(directory / "group.key")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns), follow_symlinks=False)
    session = take(directory)
    assert [file.refusals[0].rule for file in session.files] == ["is no plain file"]


@pytest.mark.parametrize("what", ["another time", "a copy of it", "an older receipt"])
def test_the_bytes_decide_where_in_doubt(directory: Path, what: str) -> None:
    """The same file is judged once: an erasure, or a closed month, would else refuse what was accepted."""
    path = write(box(directory) / "f", row(DAY))
    take(directory)
    if what == "another time":
        os.utime(path, (1, 1))
    elif what == "a copy of it":
        shutil.copy2(path, directory / "copy")
        os.replace(directory / "copy", path)
    else:
        beside = path.with_name("f.receipt.json")
        beside.write_text(json.dumps({k: v for k, v in receipt(path).items() if k != "state"}))
    session = take(directory)
    assert (session.files, session.skipped) == ([], ["a/f"])
    asked = list[str]()

    def accepted(digests: Collection[str]) -> Collection[tuple[str, str | None]]:
        asked.extend(digests)
        return {(digest, "a") for digest in digests}

    waiting = inbox.waiting(directory, 2e10, accepted)
    assert (waiting.offers, waiting.skipped, len(asked)) == ([], ["a/f"], 1), "the next look doesn't copy the file"


def test_a_receipt_that_the_store_does_not_have_proves_nothing(directory: Path) -> None:
    """A sender may write here, too: a receipt beside a new file would keep the file from ever being read."""
    first = write(box(directory) / "a", row(DAY))
    take(directory)
    forged = receipt(first)
    path = write(box(directory) / "b", row(DAY, number=900, computed_at=LATER))
    forged |= {"file": "b", "sha256": "0" * 64, "state": inbox.state_digest(inbox.state_of(path))}
    path.with_name("b.receipt.json").write_text(json.dumps(forged))
    assert outcomes(take(directory)) == ["replaced"]


def test_what_is_skipped_is_said(directory: Path) -> None:
    """Nothing new may mean that nothing came, or that a file isn't looked at."""
    for name in "fg":
        write(box(directory) / name, row(DAY, number=310))
    take(directory)
    session = take(directory)
    assert receive.to_dict(session, NOW)["skipped"] == ["a/f", "a/g"]
    printed = "".join(str(part) for part in receive.shown(session).renderables)  # type: ignore[union-attr]
    assert "Skipped: 2 files, accepted before and the same still." in printed


def test_the_sensor_starts_a_run_for_a_restored_store(directory: Path) -> None:
    """The same file on the same day: with the key of the run that took it, Dagster would start none."""
    asks = sensors.inbox_sensor(directory, read_group(directory), running=False)

    def key() -> Any:
        asked = asks(dg.build_sensor_context())
        return asked.run_key if isinstance(asked, dg.RunRequest) else None

    path = write(box(directory) / "f", row(DAY))
    os.utime(path, (0, 0))
    first = key()
    take(directory)
    assert key() is None
    forgotten(directory)
    assert key() not in (None, first)
