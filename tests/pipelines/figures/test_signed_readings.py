"""A reading that signed months rest on is renamed or removed. What would silently go wrong: the month shows a newly computed,
lower, preliminary figure in the place of the signed one."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from affiliates.errors import Code, RefusedError
from affiliates.manifests.loader import read_group
from pipelines.figures import query, signed_readings
from pipelines.figures.months import Months
from pipelines.runbook import Page
from pipelines.serving.health import HealthMonitor
from pipelines.store import contributions, publications
from pipelines.workflows.close import Signature, close_month
from pipelines.workspace import Workspace
from tests.support.command import answer, mauwatch
from tests.support.groups import NOW, entity, events, product, source
from tests.support.runs import go

Make = Callable[..., Path]
JANUARY = date(2025, 1, 1)


def name_readings(directory: Path, *names: str) -> None:
    lines = "\n".join(f"- {{name: {name}, counts: unique_people}}" for name in names)
    (directory / "readings.yaml").write_text(f"readings:\n{lines}\n")


def write_events(directory: Path, days: int) -> None:
    rows = [(f"2025-01-{day:02}T10:00:00Z", f"u{day}@example.org") for day in range(1, days + 1)]
    events(rows).write_parquet(directory / "events.parquet")


def sign(directory: Path, **why: str) -> None:
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close_month(workspace, JANUARY, Signature("Head of Finance", **why))


@pytest.fixture
def directory(make: Make) -> Path:
    """A month of 31 people, signed by the readings people and sum; since then the source has lost a third of it."""
    directory = make([entity("a", [product("app", to="2025-02-01", sources=[source()])])])
    name_readings(directory, "people", "sum")
    write_events(directory, 31)
    go(directory)
    sign(directory)
    write_events(directory, 20)
    return directory


def shown(directory: Path) -> tuple[int | None, str, str]:
    """The estimate, its state and its reading, as asked for by the first reading."""
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        measured, _ = query.figures_of_month(store, group, JANUARY, group.readings.readings[0])
    return measured.group.estimate, measured.group.state, measured.inputs.reading.name


@pytest.mark.parametrize(
    ("names", "gone", "by"),
    [
        (["unique", "sum"], ["people"], "sum"),
        (["unique"], ["people", "sum"], "sum"),
        (["people"], ["sum"], "people"),
        (["sum"], ["people"], "sum"),
        (["other", "people", "sum"], [], "people"),
    ],
)
def test_the_month_stays_shown_as_signed(directory: Path, names: list[str], gone: list[str], by: str) -> None:
    name_readings(directory, *names)
    report = go(directory)
    told = [str(finding) for finding in report.findings if finding.page == Page.READING]
    assert [name for name in ("people", "sum") if any(f"no reading {name}," in text for text in told)] == gone
    assert shown(directory) == (31, "closed", by)
    answered = answer("measure", "--group", directory, "--month", "2025-01")
    assert (answered["group"]["estimate"], answered["group"]["state"]) == (31, "closed")
    done = mauwatch("validate", "--group", directory)
    assert done.returncode == (1 if gone else 0)
    assert [name for name in gone if f"no reading {name}," not in " ".join(done.stdout.split())] == []
    printed = " ".join(mauwatch("measure", "--group", directory, "--month", "2025-01").stdout.split())
    assert ("the signed figure is shown" in printed) == (names[0] != by)


def test_the_reading_named_again_or_the_month_signed_again_ends_it(directory: Path) -> None:
    name_readings(directory, "unique", "sum")
    assert [finding for finding in go(directory).findings if finding.page == Page.READING]
    name_readings(directory, "people", "sum")
    assert not [finding for finding in go(directory).findings if finding.page == Page.READING]
    name_readings(directory, "unique")
    with pytest.raises(RefusedError, match="is closed already"):
        sign(directory)
    sign(directory, restates="the reading has another name", despite="the source has lost days")
    assert not [finding for finding in go(directory).findings if finding.page == Page.READING]
    assert shown(directory)[1:] == ("restated", "unique")


def test_health_knows(directory: Path) -> None:
    """Under `serve` nobody reads what a run prints."""
    name_readings(directory, "unique", "sum")
    group = read_group(directory)
    with dg.DagsterInstance.ephemeral() as dagster:
        monitor = HealthMonitor(directory, lambda: group, dagster, ("127.0.0.1", 9), lambda: 0.0, lambda: "")
        store = monitor.report()[1]["checks"]["store"]
        assert "has no reading people" in store["found"]
        assert store["runbook"].endswith(f"#{Page.READING}")
        for path in directory.glob(".mauwatch/store.sqlite*"):
            path.unlink()
        assert monitor.report()[1]["checks"]["store"]["runbook"].endswith(f"#{Page.GONE}")


def test_no_licence_is_tested_by_a_figure_that_took_a_signed_ones_place(directory: Path) -> None:
    name_readings(directory, "unique")
    go(directory)
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        with pytest.raises(RefusedError) as refused:
            Months(store, group).figures_of(JANUARY, group.readings.readings[0])
        assert {refusal.code for refusal in refused.value.refusals} == {Code.READING_GONE}
        assert set(signed_readings.gone(publications.in_force(store), group)) == {JANUARY}
