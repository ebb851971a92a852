"""A run with nothing new: it measures and publishes nothing, says what the whole run says, and finds whatever is new."""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from pipelines.figures.figure_cache import FOLDER
from pipelines.licences.release_tests import LicenceTest
from pipelines.store import alert_log, contributions
from pipelines.workflows.close import Signature, close_month
from pipelines.workflows.quiet_run import quiet_run
from pipelines.workflows.report import Report
from pipelines.workspace import Workspace
from tests.support.command import answer, mauwatch
from tests.support.databases import rows_of
from tests.support.groups import NOW, entity, events, product
from tests.support.runs import go

Make = Callable[..., Path]
FIRST = date(2025, 3, 1)
SOURCE = {"files": "seen-{day}.parquet", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}]}
LATER = NOW + timedelta(days=1)


def write_day(directory: Path, day: date, users: int = 20) -> None:
    people = [(f"{day}T12:00:00Z", f"u{i}@example.com") for i in range(users)]
    events(people).write_parquet(directory / f"seen-{day}.parquet")


@pytest.fixture
def directory(make: Make) -> Path:
    """March 2025 of one product without its 5th, run once: a day is missing, and everything else is published. The release
    day's group is another one than the month's, so that its figures are nowhere published."""
    app = product("app", **{"from": "2025-03-01", "to": "2025-04-01", "sources": [SOURCE]})
    other = product("other", **{"from": "2025-03-01", "to": "2025-04-01", "sources": None})
    joined = {"owned_by": [{"owner": "parent", "share": 1, "from": "2025-04-03"}]}
    directory = make([entity("a", [app]), entity("b", [other], **joined)])
    for number in range(31):
        if number != 4:
            write_day(directory, FIRST + timedelta(number))
    go(directory)
    return directory


def quietly(directory: Path, now: datetime = LATER) -> Report | None:
    return quiet_run(directory, read_group(directory), now)


def everything(directory: Path) -> dict[str, list[dict[str, Any]]]:
    return rows_of(read_group(directory).settings.store, directory)


def test_nothing_new_is_neither_measured_nor_published(directory: Path) -> None:
    """The release day's group was measured anew each day: six seconds and half a gigabyte each time, in the demo. Here the
    sketches are broken, so that whatever measured anything would be refused."""
    assert quietly(directory)
    with closing(sqlite3.connect(directory / ".mauwatch" / "store.sqlite")) as store:
        store.execute("update sketches set image = x'00'")
        store.commit()
    before = everything(directory)
    report = quietly(directory)
    assert report is not None
    assert (report.published, report.measured) == ([], {})
    assert everything(directory) == before
    for file in (directory / FOLDER).glob("*.json"):
        file.unlink()
    assert "not_measured" in {outcome.result for test in quiet_tests(directory) for outcome in test.readings.values()}


def quiet_tests(directory: Path) -> list[LicenceTest]:
    """The licence tests of a quiet run."""
    report = quietly(directory)
    assert report is not None
    return [test for test in report.tests if test.licence.id == "llama-4"]


def test_it_says_what_the_whole_run_says(directory: Path) -> None:
    """Missing days, findings, licence tests and open alerts: a quiet day must not hide what is still wrong."""
    quiet = quietly(directory)
    whole = go(directory, LATER)
    assert quiet is not None
    assert quiet.to_dict() == whole.to_dict()
    assert quiet.to_dict()["products"]["a/app"]["missing_days"] == ["2025-03-05"]
    assert [test.to_dict() for test in quiet.tests] == [test.to_dict() for test in whole.tests]
    assert not quiet.clean


def test_a_changed_closed_month_is_said_each_day(directory: Path) -> None:
    """Such a month is published by nobody, and asks for a person until it is restated."""
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close_month(workspace, FIRST, Signature("Head of Finance", despite="the 5th is lost"))
    write_day(directory, date(2025, 3, 31), 30)
    assert quietly(directory) is None
    whole = go(directory, LATER)
    quiet = quietly(directory, LATER + timedelta(days=1))
    assert quiet is not None
    assert quiet.findings == whole.findings
    assert [finding.text.partition(",")[0] for finding in quiet.findings] == ["2025-03 is closed"]


def join(directory: Path) -> None:
    """A crosswalk, where there was none."""
    (directory / "group.yaml").write_text((directory / "group.yaml").read_text() + "crosswalk: joined.parquet\n")
    pl.DataFrame({"key": ["00" * 8], "person_key": ["00" * 8]}).write_parquet(directory / "joined.parquet")


NEWS: dict[str, Callable[[Path], object]] = {
    "a late day": lambda d: write_day(d, date(2025, 3, 5)),
    "a day written again": lambda d: write_day(d, date(2025, 3, 7), 33),
    "a day touched": lambda d: os.utime(d / "seen-2025-03-07.parquet", (1, 1)),
    "another definition": lambda d: edit(d, "id: seen", "id: opened"),
    "settles later": lambda d: edit(d, "settles_after: 3", "settles_after: 90"),
    "another reading": lambda d: (d / "readings.yaml").write_text(
        "readings: [{name: unique_people, counts: unique_people, audiences: [external]}]\n"
    ),
    "a count": lambda d: edit(
        d, "product: app", "product: app\n  counts: [{month: 2025-03, users: 25, unit: people, document: x, attested_by: y}]"
    ),
    "a file that can't be read": lambda d: (d / "seen-2025-03-09.parquet").write_bytes(b""),
    "another crosswalk": lambda d: join(d),
}  # fmt: skip


def edit(directory: Path, before: str, after: str, name: str = "a") -> None:
    path = directory / "affiliates" / f"{name}.yaml"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.parametrize("name", NEWS)
def test_whatever_is_new_is_for_the_whole_run(directory: Path, name: str) -> None:
    """A quiet run that overlooked late data would leave a figure low for ever."""
    assert quietly(directory)
    NEWS[name](directory)
    assert quietly(directory) is None


def test_kept_figures_are_of_the_very_same_inputs(directory: Path) -> None:
    """Of other settings, a kept figure would be a wrong test of a licence; a file that somebody broke is measured anew."""
    report = quietly(directory)
    assert report is not None
    files = sorted((directory / FOLDER).glob("*.json"))
    assert files
    results = [test.to_dict() for test in report.tests]
    for file in files:
        content = json.loads(file.read_text())
        assert content["group"]["upper"] is None
        file.write_text("{")
    again = quietly(directory)
    assert again is not None
    assert [test.to_dict() for test in again.tests] == results
    edit(directory, "share: 1", "share: 0.9", "b")  # Moves no figure, and makes every kept one another's.
    assert quietly(directory)
    assert {file.name for file in (directory / FOLDER).glob("*.json")}.isdisjoint(file.name for file in files)


def test_the_command_goes_without_dagster(directory: Path) -> None:
    """Dagster's own store is made by the first run that has something to do."""
    go(directory, datetime.now(NOW.tzinfo))
    report = answer("run", "--group", directory, code=1)
    assert report["products"]["a/app"]["missing_days"] == ["2025-03-05"]
    assert not (directory / ".mauwatch" / "dagster").exists()
    write_day(directory, date(2025, 3, 5))
    assert json.loads(mauwatch("run", "--group", directory, "--json").stdout)["published_months"] == ["2025-03"]
    assert (directory / ".mauwatch" / "dagster").is_dir()


def test_a_quiet_run_that_fails_is_an_alert(directory: Path) -> None:
    """Nobody would hear of a daily job that fails before it has anything to do."""
    (directory / "licences").mkdir()
    (directory / "licences" / "own.yaml").write_text("{")
    with pytest.raises(RefusedError, match="is not YAML"):
        quietly(directory)
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        assert [alert.kind for alert in alert_log.current(store).values() if alert.kind == "failed_run" and alert.is_open]
