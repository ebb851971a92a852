"""What files a period was computed from: a file in another's place is read, and a copy of everything is looked at once.

What would silently go wrong: a day's file of the same size and time is another day's people, and its old users stay in the
figure; or every period is computed again each day, because its files lie on another disk.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from pipelines.figures import query
from pipelines.ingestion import collect
from pipelines.ingestion.due import ProductDue
from pipelines.store import contributions, schema
from pipelines.workspace import Workspace
from tests.support.databases import both_databases
from tests.support.groups import NOW, entity, product, source
from tests.support.runs import go

Make = Callable[..., Path]
REF = ProductRef("a", "app")
DAYS = [date(2025, 1, 1) + timedelta(number) for number in range(3)]
LATER = NOW + timedelta(days=1)
BY_DAY = source(files="seen-{day}.csv", complete_through=None)
ONE_FILE = source(files="all.csv", complete_through="2025-01-03")


def write(path: Path, days: list[date], prefix: str = "a") -> None:
    """Twenty users a day in CSV: another prefix of one sign is as many bytes."""
    lines = [f"{day}T12:00:00Z,{prefix}{number:02}@example.com\n" for day in days for number in range(20)]
    path.write_text("at,user\n" + "".join(lines))


def group(make: Make, its_source: dict[str, Any] = BY_DAY, **settings: Any) -> Path:
    directory = make([entity("a", [product(to="2025-01-04", sources=[its_source])])], **settings)
    for day in DAYS:
        write(directory / f"seen-{day}.csv", [day])
    write(directory / "all.csv", DAYS)
    go(directory)
    return directory


def planned(directory: Path, now: datetime = LATER) -> ProductDue:
    """What is due; whatever the look itself notes is noted."""
    group_ = read_group(directory)
    with Workspace(directory, group_, now) as workspace:
        outcome, due = collect.plan(workspace, REF, group_.products[REF])
    assert due is not None, outcome.refusals
    return due


def people(directory: Path) -> int | None:
    read = read_group(directory)
    with contributions.open_store(read.settings.store, directory) as store:
        figures, _ = query.figures_of_month(store, read, date(2025, 1, 1), read.readings.readings[0])
    return figures.group.estimate


def notes(directory: Path) -> dict[date, str]:
    with contributions.open_store(read_group(directory).settings.store, directory) as store:
        return store.read_seen(REF, "day")


def as_before(directory: Path, paths: list[Path]) -> str:
    """The note of an older version: of the names, sizes and times of change alone."""
    stats = repr([(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths])
    return hashlib.sha256(hashlib.sha256(stats.encode()).hexdigest().encode()).hexdigest()


def note_as_before(directory: Path) -> None:
    with contributions.open_store(read_group(directory).settings.store, directory) as store, store.writing() as connection:
        seen = schema.sources_seen
        for day in DAYS:
            note = as_before(directory, [directory / f"seen-{day}.csv"])
            connection.execute(sa.update(seen).where(seen.c.activity_date == day).values(files=note))


def in_its_place(path: Path, way: str) -> None:
    """Another file of the same name, size and time of change."""
    before = path.stat()
    other = path.with_name("other")
    write(other, [DAYS[1]], "b")
    if way == "written over":
        path.write_bytes(other.read_bytes())
    elif way == "moved there":
        os.replace(other, path)
    else:
        path.unlink()
        path.symlink_to(other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("way", ["written over", "moved there", "linked"])
def test_a_days_file_replaced_with_its_time_kept_is_read(make: Make, way: str) -> None:
    """As `cp -p`, `rsync -t` and an unpacked archive do: half of the people were others, and the figure stayed at 20."""
    directory = group(make)
    assert people(directory) == 20
    in_its_place(directory / f"seen-{DAYS[1]}.csv", way)
    assert list(planned(directory).periods) == [DAYS[1]]
    go(directory, LATER)
    assert people(directory) == 40
    assert planned(directory).periods == {}


@both_databases
def test_an_older_note_is_compared_as_it_was_made(make: Make) -> None:
    """An update computes nothing again; the look that follows it notes more, so that the next exchange is seen."""
    directory = group(make)
    note_as_before(directory)
    due = planned(directory)
    assert (due.periods, sorted(due.to_note)) == ({}, DAYS)
    assert planned(directory).to_note == {}
    assert {len(note) for note in notes(directory).values()} == {63}, "the column holds 64 characters"
    in_its_place(directory / f"seen-{DAYS[1]}.csv", "written over")
    assert list(planned(directory).periods) == [DAYS[1]]


def test_an_older_note_still_shows_a_changed_file(make: Make) -> None:
    directory = group(make)
    note_as_before(directory)
    os.utime(directory / f"seen-{DAYS[2]}.csv", (1, 1))
    due = planned(directory)
    assert (list(due.periods), sorted(due.to_note)) == ([DAYS[2]], DAYS[:2])


def moved(directory: Path) -> None:
    """All files as on another machine: copied with their times, so that inodes and their own times are others."""
    for path in directory.glob("*.csv"):
        shutil.copy2(path, directory / "copy")
        os.replace(directory / "copy", path)


def test_a_copy_of_a_group_is_looked_at_once(make: Make) -> None:
    """The same people: nothing is stored, published or told."""
    directory = group(make)
    before = go(directory, LATER)
    moved(directory)
    assert list(planned(directory).periods) == DAYS
    report = go(directory, LATER)
    (done,) = [found for found in report.products if found.ref == REF]
    assert (done.periods, done.received.unchanged) == (3, 3)
    assert (report.published, report.findings, done.findings, done.refusals) == ([], before.findings, (), ())
    due = planned(directory)
    assert (due.periods, due.to_note) == ({}, {})


def test_one_file_of_all_days_is_looked_at_once(make: Make) -> None:
    """Its events are as many on each day, so nothing is computed, and the next look reads no event."""
    directory = group(make, ONE_FILE)
    first = notes(directory)
    moved(directory)
    due = planned(directory)
    assert (due.periods, sorted(due.to_note)) == ({}, DAYS)
    assert notes(directory) == due.to_note
    assert notes(directory) != first
    assert planned(directory).to_note == {}


def test_a_copy_is_not_computed_under_a_key_that_is_gone(make: Make) -> None:
    """Nobody can: each run would be refused for good, of data that nobody has changed."""
    second = {"epoch": "2", "from": "2025-03", "file": "second.key"}
    (make([]) / "second.key").write_text("d0d0" * 16)
    directory = group(make, key=None, keys=[{"epoch": "1", "file": "group.key"}, second])
    manifest = yaml.safe_load((directory / "group.yaml").read_text())
    manifest["keys"][0] = {"epoch": "1", "destroyed": "2025-05-30"}
    (directory / "group.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    moved(directory)
    assert planned(directory).periods == {}
    in_its_place(directory / f"seen-{DAYS[1]}.csv", "moved there")
    os.utime(directory / f"seen-{DAYS[1]}.csv", (1, 1))
    assert list(planned(directory).periods) == [DAYS[1]], "that it was changed is told, as before"
