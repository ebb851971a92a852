"""The life of a month: what was signed stands, what is missing keeps it open, what was known when can be told."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from pipelines.counting.measure import Measured
from pipelines.figures import query
from pipelines.licences.release_tests import LicenceTest, run_tests
from pipelines.store import contributions, publications
from pipelines.store.publications import Publication
from pipelines.workflows.close import Signature, close_month
from pipelines.workspace import Workspace
from tests.support.databases import both_databases
from tests.support.groups import NOW, entity, events, product
from tests.support.runs import go

Make = Callable[..., Path]
pytestmark = both_databases
MARCH = date(2025, 3, 1)
"""Which Llama 4 tests."""
LIFE = {"from": "2025-03-01", "to": "2025-04-01", "sources": [{
    "files": "seen-{day}.parquet", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}],
}]}  # fmt: skip


def write_day(directory: Path, day: date, users: int) -> None:
    people = [(f"{day}T12:00:00Z", f"u{day.day % 7}-{i}@example.com") for i in range(users)]
    events(people).write_parquet(directory / f"seen-{day}.parquet")


@pytest.fixture
def directory(make: Make) -> Path:
    """March 2025 of one product: seven groups of ten people take turns."""
    directory = make([entity("a", [product("app", **LIFE)])])
    for number in range(31):
        write_day(directory, MARCH + timedelta(number), 10)
    return directory


def close(directory: Path, now: datetime = NOW, by: str = "Head of Finance", **why: str) -> dict[str, Measured]:
    with Workspace(directory, read_group(directory), now) as workspace:
        return close_month(workspace, MARCH, Signature(by, **why))


def shown(directory: Path, **asked: Any) -> tuple[Measured, Publication | None]:
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        return query.figures_of_month(store, group, MARCH, group.readings.readings[0], **asked)


def llama_4(directory: Path) -> LicenceTest:
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        (test,) = (t for t in run_tests(store, group) if t.licence.id == "llama-4")
        return test


def test_a_closed_month_stands_whatever_comes(directory: Path) -> None:
    """A late file would change a figure under the name of who signed it."""
    go(directory)
    close(directory, NOW)
    write_day(directory, date(2025, 3, 31), 500)
    report = go(directory, NOW + timedelta(1))
    assert report.products[0].received.replaced == 1
    assert [f.text.partition(",")[0] for f in report.findings] == ["2025-03 is closed"]
    measured, publication = shown(directory)
    assert publication
    assert (measured.group.estimate, measured.group.state, publication.signed_by) == (70, "closed", "Head of Finance")
    assert llama_4(directory).readings["unique_people"].estimate == 70
    assert shown(directory, anew=True)[0].group.estimate == 560
    assert go(directory, NOW + timedelta(2)).findings == report.findings  # It is said until it is restated.


def test_a_closed_month_is_tested_as_it_was_when_membership_is_another(directory: Path) -> None:
    """A reading that draws the group on the release date gathers anew: by what could count when it was signed."""
    go(directory)
    close(directory)
    write_day(directory, date(2025, 3, 31), 500)
    go(directory, NOW + timedelta(1))
    manifest = directory / "affiliates" / "b.yaml"
    manifest.write_text("entity: b\nowned_by: [{owner: parent, share: 1, from: 2025-04-02}]\n")
    assert llama_4(directory).readings["unique_people"].estimate == 70


def test_a_restatement_keeps_both(directory: Path) -> None:
    """The figure that was signed first would be gone, and with it what licences were tested by."""
    go(directory)
    first = close(directory, NOW)
    write_day(directory, date(2025, 3, 31), 500)
    go(directory, NOW + timedelta(1))
    with pytest.raises(RefusedError, match="is closed already"):
        close(directory, NOW + timedelta(2))
    unusual = {"despite": "the 31st is as the vendor says", "restates": "a day was exported by halves"}
    with pytest.raises(RefusedError, match="usual_change"):
        close(directory, NOW + timedelta(2), restates=unusual["restates"])
    second = close(directory, NOW + timedelta(2), **unusual)
    assert [m["unique_people"].group.estimate for m in (first, second)] == [70, 560]
    assert second["unique_people"].group.state == "restated"
    assert go(directory, NOW + timedelta(3)).clean
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        kept = publications.history(store, MARCH, "unique_people")
    assert [p.state for p in kept] == ["preliminary", "closed", "restated"]
    assert (kept[2].supersedes, kept[2].reason) == (kept[1].id, "a day was exported by halves")
    with pytest.raises(RefusedError, match="nothing has changed"):
        close(directory, NOW + timedelta(4), restates="once more")


def test_two_who_sign_at_the_same_moment(directory: Path) -> None:
    """One of them signs; the other is told, and no figure is signed twice."""
    go(directory)

    def sign(by: str) -> str:
        try:
            close(directory, by=by)
        except RefusedError as error:
            return error.refusals[0].rule
        return "signed"

    with ThreadPoolExecutor(4) as several:
        outcomes = sorted(several.map(sign, ["one", "two", "three", "four"]))
    assert outcomes.count("signed") == 1
    assert set(outcomes) <= {"signed", "is closed already", "was signed by somebody else at the same moment"}
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        assert [p.state for p in publications.history(store, MARCH, "unique_people")] == ["preliminary", "closed"]


@pytest.mark.parametrize(
    ("now", "missing", "why", "rule"),
    [
        (datetime(2025, 3, 31, 23, tzinfo=UTC), None, {}, "isn't over"),
        (datetime(2025, 4, 2, tzinfo=UTC), None, {}, "red"),
        (NOW, 12, {}, "red"),
        (NOW, None, {"restates": "a reason"}, "isn't closed"),
        (NOW, None, {"by": " "}, "empty"),
        (NOW, None, {"despite": ""}, "empty"),
    ],
    ids=["not over", "not settled", "a day missing", "not closed", "nobody", "no reason"],
)
def test_what_cannot_be_closed(directory: Path, now: datetime, missing: int | None, why: dict[str, str], rule: str) -> None:
    """Somebody would sign a month that isn't over or whole, or without a name or a reason."""
    if missing:
        (directory / f"seen-2025-03-{missing}.parquet").unlink()
    go(directory, now)
    with pytest.raises(RefusedError, match=rule):
        close(directory, now, **why)
    assert shown(directory)[0].group.state == "preliminary"


def test_despite_what_is_open(directory: Path) -> None:
    """A signature with a reason mustn't make a gap look closed: the upper bound stays unknown."""
    (directory / "seen-2025-03-12.parquet").unlink()
    go(directory)
    close(directory, despite="the log of the 12th is lost for good")
    measured, publication = shown(directory)
    assert (measured.group.upper, measured.group.complete, measured.group.state) == (None, False, "closed")
    assert publication
    assert publication.despite == "the log of the 12th is lost for good"
    assert llama_4(directory).readings["unique_people"].result == "undetermined"


def test_nothing_to_close(directory: Path) -> None:
    """Without any contribution there is no figure to sign, not one of zero."""
    with pytest.raises(RefusedError, match="no data"):
        close(directory)


def test_what_was_known_when(directory: Path) -> None:
    """Each day's answer is what had been published by its end, in the group's zone."""
    last = directory / "seen-2025-03-31.parquet"
    kept = last.read_bytes()
    last.unlink()
    go(directory, datetime(2025, 4, 10, 12, tzinfo=UTC))
    last.write_bytes(kept)
    write_day(directory, date(2025, 3, 30), 40)
    go(directory, datetime(2025, 4, 12, 12, tzinfo=UTC))
    close(directory, datetime(2025, 4, 20, 12, tzinfo=UTC), despite="the 30th was a fair")
    write_day(directory, date(2025, 3, 31), 500)
    go(directory, datetime(2025, 5, 1, 12, tzinfo=UTC))
    close(directory, datetime(2025, 5, 2, 12, tzinfo=UTC), restates="late", despite="two days of a fair")
    days = ["2025-04-10", "2025-04-11", "2025-04-12", "2025-04-19", "2025-04-20", "2025-05-01", "2025-05-02"]
    answers = [shown(directory, as_known_on=date.fromisoformat(day))[0].group for day in days]
    assert [(f.estimate, f.complete, f.state) for f in answers] == [
        (70, False, "preliminary"), (70, False, "preliminary"), (100, True, "preliminary"), (100, True, "preliminary"),
        (100, True, "closed"), (100, True, "closed"), (590, True, "restated"),
    ]  # fmt: skip
    with pytest.raises(RefusedError, match="nothing had been published"):
        shown(directory, as_known_on=date(2025, 4, 9))


def test_a_day_written_again_is_computed_again(directory: Path) -> None:
    """Long after it settled, and without being asked."""
    go(directory)
    assert go(directory, NOW + timedelta(1)).products[0].periods == 0
    write_day(directory, date(2025, 3, 5), 25)
    report = go(directory, NOW + timedelta(2))
    assert (report.products[0].periods, report.products[0].received.replaced) == (1, 1)
    assert shown(directory)[0].group.estimate == 85


def test_late_events_in_one_file_of_all_days(make: Make) -> None:
    """An export that is written anew each day: its late events belong to days that settled long ago. Only these are counted
    again, and none is when the file was merely copied."""
    days = {"files": "all.parquet", "complete_through": "2025-03-31", "time": "at", "counts_when": "automatic is not true"}
    source = {**days, "identifiers": [{"column": "user", "namespace": "email"}]}
    directory = make([entity("a", [product("app", **{"from": "2025-03-01", "to": "2025-04-01", "sources": [source]})])])
    rows = [(f"2025-03-{day:02}T12:00:00Z", f"u{day}@example.com" if day % 5 else None) for day in range(1, 32)]

    def export(more: list[tuple[str, str]], automatic: bool = False) -> None:
        flags = [False] * len(rows) + [automatic] * len(more)
        events([*rows, *more], automatic=flags).write_parquet(directory / "all.parquet")

    export([])
    assert go(directory).products[0].periods == 31
    (directory / "all.parquet").touch()
    assert go(directory, NOW + timedelta(1)).products[0].periods == 0
    late = [("2025-03-05T01:00:00Z", "late@example.com"), ("2025-03-10T01:00:00Z", "late@example.com")]
    export(late, automatic=True)
    assert go(directory, NOW + timedelta(2)).products[0].periods == 0
    export(late)
    report = go(directory, NOW + timedelta(3))
    assert (report.products[0].periods, report.products[0].received.replaced) == (2, 2)
    assert shown(directory)[0].group.estimate == 26
    assert go(directory, NOW + timedelta(4)).products[0].periods == 0


def test_a_slower_run_does_not_undo_a_newer_one(directory: Path) -> None:
    """Two runs at once: the one that read the day earlier stores it later."""
    go(directory, NOW)
    write_day(directory, date(2025, 3, 5), 25)
    go(directory, NOW - timedelta(hours=1))
    assert shown(directory)[0].group.estimate == 70
    go(directory, NOW + timedelta(hours=1))
    assert shown(directory)[0].group.estimate == 85  # That its file has changed isn't noted without what it holds.


def test_half_a_day_keeps_a_month_open(directory: Path, make: Make) -> None:
    """Its file is there, whole and settled: only the product's own past tells."""
    make([entity("a", [product("app", **{**LIFE, "from": "2025-02-01"})])])
    for number in range(28):
        write_day(directory, date(2025, 2, 1) + timedelta(number), 1000)
    for number in range(31):
        write_day(directory, MARCH + timedelta(number), 450 if number == 19 else 1000)
    go(directory)
    with pytest.raises(RefusedError, match=r"usual_change, a/app: 2025-03-20: 450 users, usually 1,000"):
        close(directory)
    close(directory, despite="an outage in the night to the 20th, report 17")
