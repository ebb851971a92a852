"""Schedules and sensors when something is wrong: Dagster's own tick and its run raise nothing and quote nobody (B-23)."""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.test_utils import freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs

from affiliates.manifests.loader import read_group
from pipelines.definitions import build_defs
from pipelines.defs import instance, ticks
from pipelines.serving.health import HealthMonitor
from pipelines.store import alert_log, contributions
from tests.support.databases import SQLITE, rows_of
from tests.support.groups import entity, events, product, source

Make = Callable[..., Path]
PLANTED = "alice.planted@example.org"
LOG = logging.getLogger("ticks")
MORNING = (datetime.now(UTC) - timedelta(hours=6)).replace(hour=6, minute=0, second=0, microsecond=0)
"""The last one, for the manifests' calendars have the machine's time, and so has a run that a look asks for."""
pytestmark = pytest.mark.filterwarnings(
    "ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning", "ignore:Property `ScheduleDefinition:DeprecationWarning"
)


class Served:
    """A group under Dagster's own scheduler and sensors, without their processes."""

    def __init__(self, directory: Path, dagster: dg.DagsterInstance, process: WorkspaceProcessContext) -> None:
        self.directory = directory
        self.dagster = dagster
        self.process = process

    def schedules(self, at: datetime) -> None:
        list(launch_scheduled_runs(self.process, LOG, at, {}))

    def sensors(self, at: datetime) -> None:
        with freeze_time(at):
            list(execute_sensor_iteration(self.process, LOG, None, None))

    def run_queued(self) -> list[bool]:
        """Whether each run that was asked for succeeds, carried out here in the place of a process of its own."""
        repository = build_defs(self.directory).get_repository_def()
        outcomes = []
        for queued in self.dagster.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])):
            starting = DagsterEvent(DagsterEventType.PIPELINE_STARTING.value, queued.job_name)
            self.dagster.report_dagster_event(starting, queued.run_id)
            run = self.dagster.get_run_by_id(queued.run_id)
            assert run is not None
            job = repository.get_job(run.job_name).get_subset(asset_selection=run.asset_selection)
            outcomes.append(execute_run(InMemoryJob(job), run, self.dagster).success)
        return outcomes

    def statuses(self) -> dict[str, TickStatus]:
        states = self.dagster.all_instigator_state()
        ticks_of = {s.instigator_name: self.dagster.get_ticks(s.instigator_origin_id, s.selector_id) for s in states}
        return {f"{name} {n}": tick.status for name, kept in ticks_of.items() for n, tick in enumerate(kept)}

    def health(self) -> dict[str, Any]:
        group = read_group(self.directory)
        monitor = HealthMonitor(self.directory, lambda: group, self.dagster, ("127.0.0.1", 9), lambda: 0.0, lambda: "")
        return monitor.report()[1]

    def failed_runs(self) -> list[str]:
        with contributions.open_store(SQLITE, self.directory) as store:
            alert = alert_log.current(store).get(alert_log.AlertKey("failed_run"))
        return alert.subjects.splitlines() if alert else []


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Any]:
    @contextmanager
    def serve(directory: Path) -> Iterator[Served]:
        instance.home(directory, read_group(directory))
        monkeypatch.setenv("MAUWATCH_GROUP", str(directory))
        group = read_group(directory)
        origin = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="pipelines.definitions"), location_name="mauwatch")
        with (
            instance.open_daemon_instance(directory, group) as dagster,
            WorkspaceProcessContext(dagster, InProcessWorkspaceLoadTarget(origin)) as process,
        ):
            yield Served(directory, dagster, process)

    return serve


TABLE = source(files=None, table="events", database={"url": "sqlite:///shop.sqlite"})


def change(directory: Path, **settings: Any) -> None:
    path = directory / "group.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | settings, sort_keys=False))


def shifted_row(directory: Path) -> None:
    connection = sqlite3.connect(directory / "shop.sqlite")
    with connection:
        connection.execute("create table events (at date, user text)")
        connection.executemany("insert into events values (?, ?)", [("2025-01-05", "u1@example.org"), (PLANTED, "2025-01-05")])
    connection.close()


def no_store(directory: Path) -> None:
    (directory / "store.sqlite").write_text(f"no database, but of {PLANTED}")
    change(directory, store="sqlite:///store.sqlite")


WRONG = {
    "crosswalk gone": lambda d: change(d, crosswalk="cw.parquet"),
    "key gone": lambda d: change(d, key={"env": "NO_SUCH_KEY"}),
    "a shifted row": lambda _: None,
    "no store": no_store,
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_look_raises_nothing_and_a_morning_without_success_is_known(
    make: Make, served: Callable[[Path], Any], wrong: str
) -> None:
    days = [(f"2025-01-{1 + i % 31:02}T10:00:00Z", f"u{i}@example.com") for i in range(60)]
    products = [entity("a", [product(to="2025-02-01", sources=[TABLE])]), entity("b", [product("web", to="2025-02-01")])]
    directory = make(products, {"events.parquet": events(days)}, store=SQLITE)
    shifted_row(directory)
    WRONG[wrong](directory)
    with served(directory) as centre:
        centre.schedules(MORNING - timedelta(hours=1))
        centre.sensors(MORNING - timedelta(minutes=50))
        before = ticks.missed(centre.dagster, read_group(directory), MORNING, MORNING)
        assert not [text for text in before if "mauwatch_days" in text], "nothing was due yet"
        centre.schedules(MORNING + timedelta(seconds=30))
        outcomes = centre.run_queued()
        centre.sensors(MORNING + timedelta(minutes=10))
        assert set(centre.statuses().values()) <= {TickStatus.SUCCESS, TickStatus.SKIPPED}
        now = MORNING + timedelta(minutes=20)
        missed = "; ".join(ticks.missed(centre.dagster, read_group(directory), now, MORNING - timedelta(hours=2)))
        is_whole = wrong != "a shifted row"
        assert ("nothing of mauwatch_days has succeeded since" in missed) == is_whole, missed
        if not is_whole:
            assert len(rows_of(SQLITE, directory)["contributions"]) == 31, "the other product is counted"
        assert False in outcomes
        if wrong != "no store":
            assert any("mauwatch_days" in text for text in centre.failed_runs())
        answer = centre.health()
        assert answer["last_looks"]["mauwatch_days_due"] == MORNING.isoformat(timespec="seconds")
        assert not answer["healthy"]
    kept = [path for path in (directory / ".mauwatch").rglob("*") if path.is_file()]
    assert len(kept) > 5
    assert [path for path in kept if b"planted" in path.read_bytes()] == []
