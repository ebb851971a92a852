"""Statements that empty a month: a condition that never holds, or always, would give zero people, complete and signed."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import Code, RefusedError
from affiliates.manifests.loader import read_group
from dashboards.cli import tables
from pipelines.counting.measure import Measured
from pipelines.figures import query
from pipelines.store import contributions
from pipelines.workflows.close import Signature, close_month
from pipelines.workspace import Workspace
from tests.support.command import ran
from tests.support.groups import NOW, Manifests, entity, product, source
from tests.support.runs import go

Make = Callable[..., Path]
JANUARY = date(2025, 1, 1)
DAYS = [JANUARY + timedelta(n) for n in range(31)]
OPEN = "kind = 'open'"


def csv(rows: list[tuple[date, str, str]]) -> bytes:
    """Events of (day, user, kind)."""
    return ("at,user,kind\n" + "".join(f"{day}T10:00:00Z,{user},{kind}\n" for day, user, kind in rows)).encode()


def by_day(make: Make, number: int, kind: Callable[[date], str] = lambda day: "open", **changes: Any) -> Path:
    """A file a day of so many events, each of another person; `changes` are of the source, or of the product."""
    of_product: Manifests = {name: changes.pop(name) for name in ("unidentified_limit", "audiences", "grain") if name in changes}
    files = {f"data/{d}.csv": csv([(d, f"u{n}-{d.day}@example.com", kind(d)) for n in range(number)]) for d in DAYS}
    one = source(files="data/{day}.csv", complete_through=None, **changes)
    return make([entity("a", [product(sources=[one], to="2025-02-01", **of_product)])], files)


def figures(directory: Path) -> Measured:
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        return query.figures_of_month(store, group, JANUARY, group.readings.readings[0])[0]


@pytest.mark.parametrize(
    ("day", "zone", "rule"),
    [
        ("2026-12-31", "UTC", "lies in the future"),
        ("2025-06-02", "UTC", "lies in the future"),
        ("2025-06-01", "UTC", "is today, which isn't over"),
        ("2025-05-31", "UTC", ""),
        ("2025-06-02", "Pacific/Kiritimati", "is today, which isn't over"),
        ("2025-06-01", "Pacific/Kiritimati", ""),
    ],
)
def test_complete_through_after_yesterday_is_refused(make: Make, day: str, zone: str, rule: str) -> None:
    """The case: the year is mistyped, the export has stopped, and each day since is one of zero users."""
    rows = [(JANUARY + timedelta(n % 20), f"u{n}@example.com", "open") for n in range(600)]
    one = source(files="e.csv", complete_through=day)
    directory = make([entity("a", [product(sources=[one], to="2025-02-01")])], {"e.csv": csv(rows)}, time_zone=zone)
    report = go(directory)  # At noon in UTC on 1 June 2025.
    assert [refusal.code for refusal in report.products[0].refusals] == ([Code.SOURCE_SETTING_WRONG] if rule else [])
    assert rule in "".join(map(str, report.products[0].refusals))
    assert not (rule and report.clean)


@pytest.mark.parametrize(
    ("conditions", "kind"),
    [
        ({"counts_when": OPEN}, lambda day: "open" if day.day < 16 else "app_open"),  # Renamed by a release on the 16th.
        ({"counts_when": "kind = 'Open'"}, lambda day: "open"),
        ({"automated_when": "kind like '%o%'"}, lambda day: "open"),
        ({"automated_when": "kind like '%o%'", "audiences": ["external"]}, lambda day: "open"),
        ({"internal_when": "kind = 'open'", "audiences": ["external"]}, lambda day: "open"),
        ({"counts_when": "kind = 'Open' or user like 'u1%'", "automated_when": "user like 'u1%'"}, lambda day: "open"),
        ({"counts_when": "kind = 'Open'", "grain": "month"}, lambda day: "open"),
    ],
)
def test_a_period_all_of_whose_events_are_left_out_is_refused(
    make: Make, conditions: Manifests, kind: Callable[[date], str]
) -> None:
    """The case. Nobody of 6,200 people was there, by a word that the app no longer writes."""
    directory = by_day(make, 120, kind, **conditions)
    report = go(directory)
    (refusal,) = report.products[0].refusals
    assert refusal.code == Code.EVENTS_ALL_EXCLUDED
    assert "conditions leave out all of them" in str(refusal)
    assert not report.clean
    # What may rightly be so can be said, and is then told in each place.
    changes = {"unidentified_limit": 1.0, **conditions}
    report = go(by_day(make, 120, kind, **changes), NOW + timedelta(days=1))
    assert not report.products[0].refusals
    told = report.to_dict()["products"]["a/app"]
    assert told["excluded_events"] + 120 * told["automated_users"] > 0


def test_days_too_small_to_judge_are_judged_together(make: Make) -> None:
    """50 events a day are under the limit of 100, and 1,550 in a month aren't."""
    report = go(by_day(make, 50, counts_when="kind = 'Open'"))
    assert [refusal.code for refusal in report.products[0].refusals] == [Code.EVENTS_ALL_EXCLUDED]


def test_what_is_left_out_is_told_everywhere(make: Make, tmp_path: Path) -> None:
    """Who reads a small figure sees beside it how much a condition took away: in the run, the figure, the file, text and JSON."""
    files = {}
    for day in DAYS:
        rows = [(day, f"u{n}@example.com", "open") for n in range(10)]
        rows += [(day, f"u{n}@example.com", "close") for n in range(7)]
        rows += [(day, f"robot{n}@example.com", "open") for n in range(3)]
        files[f"data/{day}.csv"] = csv(rows)
    one = source(files="data/{day}.csv", complete_through=None, counts_when=OPEN, automated_when="user like 'robot%'")
    directory = make([entity("a", [product(sources=[one], to="2025-02-01")])], files)
    report = go(directory)
    told = report.to_dict()["products"]["a/app"]
    assert (told["excluded_events"], told["automated_users"]) == (217, 3)
    measured = figures(directory)
    for figure in (measured.group, measured.affiliates["a"], measured.products["a/app"]):
        assert (figure.estimate, figure.excluded_events, figure.automated_users) == (10, 217, 3)
    answer = json.loads(ran("measure", "--group", str(directory), "--month", "2025-01", "--json"))
    assert (answer["group"]["excluded_events"], answer["group"]["automated_users"]) == (217, 3)
    shown = " ".join(ran("measure", "--group", str(directory), "--month", "2025-01").split())
    assert "217 events are left out by `counts_when` or `audiences`. 3 automated users aren't counted." in shown
    for line in (tables.not_counted(0, 0, 217, 3), tables.not_counted(0, 0, 217, 0)):
        assert line is not None
        assert "217 events are left out" in line.plain
    out = tmp_path / "c.parquet"
    ran("contribute", "a/app", "--group", str(directory), "--month", "2025-01", "-o", str(out))
    held = json.loads(ran("inspect", str(out), "--json"))
    assert held["excluded_events"] == 217
    assert [row["people"] for row in held["holds"] if row["audience"] == "automated"] == [3]


def test_a_count_above_the_sketches_is_red_and_keeps_the_month_open(make: Make) -> None:
    """The case: a count of 1,000 people, sketches of 310. `close` signed 310, with 311 as its upper bound."""
    counts = [{"month": "2025-01", "users": 1000, "unit": "people", "document": "annual report", "attested_by": "CFO"}]
    files = {f"data/{d}.csv": csv([(d, f"u{n}-{d.day}@example.com", "open") for n in range(10)]) for d in DAYS}
    one = source(files="data/{day}.csv", complete_through=None)
    directory = make([entity("a", [product(sources=[one], to="2025-02-01", counts=counts)])], files)
    for moment in (NOW, NOW + timedelta(days=1)):  # Until it is cleared up, every run says so.
        report = go(directory, moment)
        (told,) = report.to_dict()["data_findings"]
        assert report.alerts, "an alert is open as well"
        assert "a count of 1,000 people (annual report), and its sketches give at most 311" in told["text"]
    whole = figures(directory).group
    assert (whole.estimate, whole.lower, whole.upper, whole.complete) == (310, 310, None, False)
    with Workspace(directory, read_group(directory), NOW) as workspace, pytest.raises(RefusedError, match="numbers_agree"):
        close_month(workspace, JANUARY, Signature("Head of Finance"))
