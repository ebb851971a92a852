"""A group that is run every day for 45 days, as `cron` would, while its files come in as files do.

What would silently go wrong: that the figures depend on the days on which somebody ran, so that nobody could compute them
again; or that a month calls itself complete on a day on which something of it is still to come.
"""

import json
import shutil
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from affiliates.manifests.loader import read_group
from affiliates.periods import days_between
from pipelines.defs import in_process
from pipelines.licences import release_tests
from pipelines.store import contributions, publications
from pipelines.workflows.report import Report
from pipelines.workflows.run import run
from tests.support.daily_group import BEGIN, END, RESTATED, DailyGroup
from tests.support.databases import SQLITE, rows_of

DAYS = days_between(BEGIN, END)
FEBRUARY, MARCH, APRIL = date(2025, 2, 1), date(2025, 3, 1), date(2025, 4, 1)
Row = dict[str, Any]


def at(day: date) -> datetime:
    return datetime.combine(day, time(6), UTC)


class Published:
    """Figures in force, read again only where a newer publication is."""

    def __init__(self) -> None:
        self._kept: dict[int, list[Row]] = {}

    def now(self, directory: Path) -> list[Row]:
        group = read_group(directory)
        with contributions.open_store(group.settings.store, directory) as store, store.snapshot() as fixed:
            numbers = [p.id for p in publications.in_force(fixed).values()]
            for number in numbers:
                if number not in self._kept:
                    self._kept[number] = publications.figures_of(fixed, number)
        return [row for number in numbers for row in self._kept[number]]


def go(directory: Path, day: date, through_dagster: bool) -> Report:
    return (in_process.run if through_dagster else run)(directory, read_group(directory), at(day))


def check(world: DailyGroup, figures: list[Row], today: date) -> None:
    """Each figure claims to be whole exactly when nothing of it is to come, and then says what all of its events give.

    The one exception is a day that is written again after it settled. Nobody can know of it before, so until its morning the
    figure of the older events is right, and stands complete; the first run after it has the newer events' figure.
    """
    for row in figures:
        month, subject = row["month"], row["subject"]
        where = f"{today}: {month:%Y-%m}, {row['reading']}, {subject}"
        whole = world.is_whole(month, subject, at(today))
        assert (row["upper"] is not None) == whole, f"{where}: {row['reasons']}"
        stands_in = bool({"kiosk", "prepaid"} & set(world.products(month, subject)))
        assert row["complete"] == (whole and not stands_in), f"{where}: {row['reasons']}"
        if whole:
            assert all(
                map(close, (row["estimate"], row["summed_products"]), world.people(month, subject, today, row["reading"]))
            ), where


def close(found: int | None, true: int | None) -> bool:
    """By the sketches' error: a product's day that is missing or lacks its late events all month is more."""
    return found == true or (found is not None and true is not None and abs(found - true) <= max(1, 0.004 * true))


def kept(rows: list[Row], *without: str) -> list[str]:
    """Rows as text, without what depends on when they were written."""
    return sorted(json.dumps({k: v for k, v in row.items() if k not in without}, default=str) for row in rows)


def in_the_store(directory: Path) -> dict[str, list[str]]:
    """What is in force: contributions with their sketches' digests, and the sketches themselves."""
    group = read_group(directory)
    rows = rows_of(group.settings.store, directory)
    latest = {
        (r["affiliate"], r["product"], r["grain"], r["activity_date"]): r for r in sorted(rows["contributions"], key=number)
    }
    period = {r["id"]: "/".join(map(str, key)) for key, r in latest.items()}
    parts = [r | {"contribution_id": period[r["contribution_id"]]} for r in rows["parts"] if r["contribution_id"] in period]
    used = {r["sketch"] for r in parts}
    return {
        "contributions": kept(list(latest.values()), "id", "supersedes", "known_at", "computed_at"),
        "parts": kept(parts),
        "sketches": kept([r for r in rows["sketches"] if r["digest"] in used]),
        "counts": kept([r for r in rows["counts"] if r["users"] is not None], "id", "known_at"),
        # Of the one file of all days each day has the state in which its own events last changed. The second half of a state
        # tells a file from its copy.
        "files": kept([_by_content(r) for r in rows["sources_seen"] if r["product"] != "messenger"], "seen_at"),
    }


def _by_content(row: Row) -> Row:
    return row | {"files": row["files"].partition(":")[0]}


def number(row: Row) -> int:
    return int(row["id"])


def results(directory: Path) -> list[Row]:
    """Of all licences, under each reading, tested now; the store's newest say the same."""
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        tested = list(release_tests.run_tests(store, group))
        rows = release_tests.rows(tested, at(END))
    noted = {
        (r["licence"], r["reading"]): r for r in sorted(rows_of(group.settings.store, directory)["licence_tests"], key=number)
    }
    assert kept(list(rows), "known_at") == kept(list(noted.values()), "id", "known_at")
    return [t.to_dict() for t in tested]


@pytest.mark.long
def test_daily_runs_end_where_one_run_does(tmp_path: Path) -> None:
    """In between no figure is complete that lacks something, and none that lacks nothing stays open."""
    world, published, first_complete = DailyGroup(tmp_path / "group", SQLITE), Published(), dict[date, date]()
    moved: list[date] = []
    before: dict[tuple[Any, ...], int] = {}
    for turn, today in enumerate(DAYS):
        world.morning(today)
        report = go(world.directory, today, through_dagster=turn % 15 == 14)
        assert not any(p.refusals for p in report.products)
        figures = published.now(world.directory)
        check(world, figures, today)
        whole = {(r["month"], r["reading"], r["subject"]): r["estimate"] for r in figures if r["upper"] is not None}
        assert set(before) <= set(whole), today
        if any(whole[subject] != estimate for subject, estimate in before.items()):
            moved.append(today)
        before = whole
        for month in {r["month"] for r in figures if r["scope"] == "group" and r["upper"] is not None}:
            first_complete.setdefault(month, today)
    # February waits for its callers' number and a late file, March for the week that was missing; April isn't over.
    assert first_complete == {FEBRUARY: date(2025, 3, 5), MARCH: date(2025, 4, 8)}
    # A whole figure moves on the morning on which a day of it was written again, and on no other.
    assert moved == sorted({day for (_, of), day in RESTATED.items() if day > first_complete[of.replace(day=1)]})

    clean = DailyGroup(tmp_path / "clean", SQLITE)
    shutil.copytree(world.directory, clean.directory, ignore=shutil.ignore_patterns(".mauwatch"))
    assert go(clean.directory, END, through_dagster=False).published == [FEBRUARY, MARCH, APRIL]
    passing = "id", "publication", "known_at", "inputs"
    assert kept(published.now(world.directory), *passing) == kept(Published().now(clean.directory), *passing)
    assert in_the_store(world.directory) == in_the_store(clean.directory)
    assert results(world.directory) == results(clean.directory)
    llama_4 = next(t for t in results(clean.directory) if t["licence"] == "llama-4")
    assert {r["result"] for r in llama_4["readings"].values()} == {"under"}
