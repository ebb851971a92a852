"""The centre under Dagster: the same numbers as without it, what was asked for and no more, and nobody's data in its store."""

import json
import logging
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from pipelines.definitions import build_defs
from pipelines.defs import checks, in_process, instance, jobs
from pipelines.defs.instance import process_tag
from pipelines.defs.resources import RunContext
from pipelines.workflows.report import Report
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.databases import both_databases, rows_of
from tests.support.groups import KEY, NOW, entity, events, product, source
from tests.support.wrong_contributions import old, row, write

Make = Callable[..., Path]
pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
FIRST = date(2025, 3, 3)
DAYS = 12
PLANTED = "planted@example.com"
BY_DAY = {"files": "seen-{day}.parquet", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}]}
LIFE = {"from": FIRST.isoformat(), "to": (FIRST + timedelta(DAYS)).isoformat()}


def write_day(directory: Path, day: date, users: int = 20) -> None:
    people = [(f"{day}T12:00:00Z", f"u{day.day % 5}-{i}@example.com") for i in range(users)]
    events(people).write_parquet(directory / f"seen-{day}.parquet")


@pytest.fixture
def directory(make: Make) -> Path:
    """Daily products (one with dots and dashes), a monthly one, a count, a refused source; and a day is missing."""
    month = {"grain": "month", "from": "2025-03-01", "to": "2025-04-01"}
    made = make(
        [
            entity("a", [product("app", **LIFE, sources=[BY_DAY]), product("monthly", **month, sources=[BY_DAY])]),
            entity("b.co-de", [product("we-b.x", **LIFE, sources=[BY_DAY])]),
            entity(
                "c", [
                    product("counted", sources=None, counts=[
                        {"month": "2025-03", "users": 7, "unit": "people", "document": "d", "attested_by": "CFO"}
                    ]),
                    product("broken", **LIFE, sources=[source(files="broken.csv", complete_through="2025-03-31")]),
                ],
            ),
        ],
        {"broken.csv": f"at,user\n2025-03-05T00:00:00Z,{PLANTED}\n{PLANTED}\n".encode()},
    )  # fmt: skip
    for number in range(DAYS):
        if number != 4:
            write_day(made, FIRST + timedelta(number))
    return made


def go(directory: Path, now: datetime = NOW, **asked: Any) -> Report:
    return in_process.run(directory, read_group(directory), now, **asked)


@contextmanager
def history(directory: Path) -> Iterator[dg.DagsterInstance]:
    with instance.open_instance(directory, read_group(directory)) as dagster:
        yield dagster


def kept(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """What the store has, without the order in which rows came into it: a Dagster run takes products in its own order."""
    rows = rows_of(read_group(directory).settings.store, directory)
    for seen in rows["sources_seen"]:  # The second half tells a file from its copy, and each directory has its own.
        seen["files"] = seen["files"].partition(":")[0]
    # A digest of rows goes by their order, and so do the digests of all entries from there on.
    rows["ledger"] = [
        {name: entry[name] for name in ("number", "at", "kind")}
        | {name: value for name, value in json.loads(entry["body"]).items() if name != "rows"}
        for entry in rows["ledger"]
    ]
    orders = {"id", "contribution_id", "publication", "supersedes", "contributions_to", "counts_to"}
    return {
        table: sorted(({k: v for k, v in row.items() if k not in orders} for row in table_rows), key=repr)
        for table, table_rows in rows.items()
    }


def loaded(directory: Path, now: datetime = NOW, prefix: tuple[str, ...] = ()) -> dg.RepositoryDefinition:
    defs = build_defs(directory, prefix, clock=lambda: now)
    dg.Definitions.validate_loadable(defs)
    return defs.get_repository_def()


def run_requests(repository: dg.RepositoryDefinition, name: str, dagster: dg.DagsterInstance) -> list[dg.RunRequest]:
    """What a schedule or the sensor asks for."""
    if repository.has_sensor_def(name):
        tick = repository.get_sensor_def(name).evaluate_tick(dg.build_sensor_context(dagster))
        return list(tick.run_requests or [])
    context = dg.build_schedule_context(dagster, scheduled_execution_time=NOW)
    return list(repository.get_schedule_def(name).evaluate_tick(context).run_requests or [])


def execute(repository: dg.RepositoryDefinition, job: str, request: dg.RunRequest, dagster: dg.DagsterInstance) -> bool:
    result = repository.get_job(job).execute_in_process(
        instance=dagster, asset_selection=request.asset_selection, tags=request.tags, raise_on_error=False
    )
    return result.success


def test_a_red_day_stays_red_while_its_month_is_open(make: Make) -> None:
    """Each morning's run is about another day: the check would be green again before anybody has looked."""
    directory = make([entity("a", [product("app", **{"from": "2025-03-03", "sources": [BY_DAY]})])])
    for number in range(37):
        write_day(directory, FIRST + timedelta(number), 20 if number == 35 else 200)
    key = dg.AssetCheckKey(dg.AssetKey(["a", "app"]), "usual_change")
    for number, passed in ((34, True), (35, False), (36, False)):
        go(directory, datetime(2025, 3, 4, 12, tzinfo=UTC) + timedelta(number))
        with history(directory) as dagster:
            record = dagster.event_log_storage.get_asset_check_execution_history(key, limit=1)[0]
        assert (record.status.value == "SUCCEEDED") == passed


@both_databases
def test_the_same_as_without_dagster(directory: Path, tmp_path: Path, store_url: str) -> None:
    """First all that is there, then a day that came late, then a range once more."""
    plain = tmp_path / "plain"
    shutil.copytree(directory, plain)
    (plain / "group.yaml").write_text((plain / "group.yaml").read_text().replace(store_url, "sqlite:///.mauwatch/plain.sqlite"))
    reports = []
    ranges: list[tuple[date | None, date | None]] = [
        (None, None), (None, None), (FIRST, FIRST + timedelta(3)), (None, date(2020, 1, 1)),
    ]  # fmt: skip
    for number, (first, last) in enumerate(ranges):
        if number == 1:
            for folder in (directory, plain):
                write_day(folder, FIRST + timedelta(4), 33)
                shutil.copystat(directory / f"seen-{FIRST}.parquet", folder / f"seen-{FIRST + timedelta(4)}.parquet")
        now = NOW + timedelta(number)
        reports.append((go(directory, now, first=first, last=last), run(plain, read_group(plain), now, first, last)))
    for through, without in reports:
        assert through.to_dict() == without.to_dict()
        assert [t.to_dict() for t in through.tests] == [t.to_dict() for t in without.tests]
    assert [len(r[0].published) for r in reports] == [1, 1, 0, 0]
    assert any(p.refusals for p in reports[0][0].products)
    assert any(p.missing for p in reports[0][0].products)
    one, other = kept(directory), kept(plain)
    for table in one:
        assert one[table] == other[table], table


def test_a_missing_day_stays_missing(directory: Path) -> None:
    """A run over a range materialises what its sources have: a green partition without data would hide the gap."""
    go(directory)
    with history(directory) as dagster:
        days = dagster.get_materialized_partitions(dg.AssetKey(["b.co-de", "we-b.x"]))
        assert days == {f"{FIRST + timedelta(n)}" for n in range(DAYS) if n != 4}
        assert dagster.get_materialized_partitions(dg.AssetKey(["a", "monthly"])) == set()
        assert dagster.get_materialized_partitions(dg.AssetKey(["group", "figures"])) == {"2025-03"}


def test_metadata_are_the_stored_numbers(directory: Path) -> None:
    report = go(directory)
    with history(directory) as dagster:
        (figure,) = dagster.fetch_materializations(dg.AssetKey(["group", "figures"]), limit=9).records
        days = dagster.fetch_materializations(dg.AssetKey(["a", "app"]), limit=99).records
    measured = report.measured[date(2025, 3, 1), "unique_people"].group
    assert measured.upper is None
    assert figure.asset_materialization is not None
    said = {name: value.value for name, value in figure.asset_materialization.metadata.items()}
    assert (said["estimate"], said["lower"], said.get("upper")) == (measured.estimate, measured.lower, None)
    assert said["coverage"] == f"{measured.coverage.days_present} of {measured.coverage.days_expected} days"
    assert len(days) == DAYS - 1
    for record in days:
        assert record.asset_materialization is not None
        assert record.asset_materialization.metadata["estimate"].value == 20
        assert record.asset_materialization.metadata["events"].value == 20


@pytest.mark.parametrize(
    ("now", "passed", "said"),
    [
        (datetime(2025, 3, 5, 12, tzinfo=UTC), True, "the others aren't due yet"),
        (datetime(2025, 3, 20, 12, tzinfo=UTC), False, "a/app: 1 day missing, the first 2025-03-07"),
        (NOW, False, "a/app: 1 of 12 days (2025-03-07) missing"),
    ],
    ids=["not due", "overdue", "over"],
)
def test_a_day_that_is_missing_is_red_once_it_is_due(directory: Path, now: datetime, passed: bool, said: str) -> None:
    go(directory, now)
    key = dg.AssetCheckKey(dg.AssetKey(["group", "figures"]), "coverage")
    with history(directory) as dagster:
        record = dagster.event_log_storage.get_asset_check_execution_history(key, limit=1)[0]
    assert record.event is not None
    assert record.event.dagster_event is not None
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    assert evaluation.description is not None
    assert (evaluation.passed, said in evaluation.description) == (passed, True), evaluation.description


def test_the_schedule_and_the_sensor_do_what_a_run_does(directory: Path, tmp_path: Path) -> None:
    """In a Dagster of one's own nobody types `mauwatch run`: what is due is asked for, once, and then the month."""
    plain = tmp_path / "plain"
    shutil.copytree(directory, plain)
    report = run(plain, read_group(plain), NOW)
    repository = loaded(directory, prefix=("acme", "reach"))
    with history(directory) as dagster:
        by_day = run_requests(repository, "mauwatch_days_due", dagster)
        stretches = [(r.tags["dagster/asset_partition_range_start"], len(r.asset_selection or [])) for r in by_day]
        assert stretches == [("2025-03-03", 2), ("2025-03-03", 1), ("2025-03-08", 2)]  # The second is the refused product's.
        assert [execute(repository, "mauwatch_days", request, dagster) for request in by_day] == [True, False, True]
        assert run_requests(repository, "mauwatch_months_due", dagster) == []
        (month,) = run_requests(repository, "mauwatch_figures_outdated", dagster)
        assert execute(repository, "mauwatch_figures", month, dagster)
        assert run_requests(repository, "mauwatch_figures_outdated", dagster) == []
        again = run_requests(repository, "mauwatch_days_due", dagster)
        assert [[key.path[-1] for key in r.asset_selection or []] for r in again] == [["broken"]]
        assert dagster.get_materialized_partitions(dg.AssetKey(["acme", "reach", "group", "figures"])) == {"2025-03"}
    assert report.published
    one, other = kept(directory), kept(plain)
    # A whole run notes at its end what it was refused, and that it has looked, `serve` when a job has ended.
    for table in one.keys() - {"incidents", "runs"}:
        assert one[table] == other[table], table


def test_a_refused_product_is_red_by_itself(make: Make) -> None:
    """Products of an affiliate share a step: one that is refused must show as failed, and must keep no other from being green."""
    names = ("first", "bad", "x.y", "x-y")
    sources = {name: [source(files=f"{name}.csv", complete_through="2025-03-14")] for name in names}
    files = {f"{name}.csv": f"at,user\n2025-03-14T00:00:00Z,{PLANTED}\n".encode() for name in names}
    files["bad.csv"] = f"at,user\n{PLANTED},{PLANTED}\n".encode()
    life = {"from": "2025-03-14", "to": "2025-03-15"}
    directory = make([entity("a", [product(name, **life, sources=sources[name]) for name in names])], files)
    report = go(directory)
    assert [bool(product_run.refusals) for product_run in report.products] == [name == "bad" for name in names]
    with history(directory) as dagster:
        (run,) = dagster.get_runs(dg.RunsFilter(job_name="mauwatch_days"))
        assert run.status == dg.DagsterRunStatus.FAILURE
        entries = [entry for entry in dagster.all_logs(run.run_id) if entry.dagster_event]
        materialised = [e.asset_materialization.asset_key for e in entries if e.asset_materialization]
        assert materialised == [dg.AssetKey(["a", name]) for name in names if name != "bad"]
        for name in names:
            key = dg.AssetKey(["a", name])
            assert dagster.get_latest_planned_materialization_info(key) is not None
            for check_name in checks.of_product("day"):
                (record,) = dagster.event_log_storage.get_asset_check_execution_history(
                    dg.AssetCheckKey(key, check_name), limit=1
                )
                evaluation = record.evaluation
                assert isinstance(evaluation, dg.AssetCheckEvaluation) == (name != "bad")
                if isinstance(evaluation, dg.AssetCheckEvaluation):
                    latest = dagster.get_latest_materialization_event(key)
                    of = evaluation.target_materialization_data
                    assert latest is not None
                    assert of is not None
                    assert (of.run_id, of.timestamp) == (run.run_id, latest.timestamp)
    (failed,) = (e.dagster_event.step_failure_data for e in entries if e.dagster_event and e.dagster_event.is_step_failure)
    assert failed.user_failure_data is not None
    assert failed.user_failure_data.description is not None
    assert failed.user_failure_data.description.startswith("a/bad")
    assert failed.user_failure_data.description.endswith("docs/runbook.md#source-refused")


def test_the_sensor_waits_for_products(directory: Path) -> None:
    """A month published while its days are on their way would be published twice."""
    run(directory, read_group(directory), NOW)
    write_day(directory, FIRST, 44)
    repository = loaded(directory)
    with history(directory) as dagster:
        (request,) = (r for r in run_requests(repository, "mauwatch_days_due", dagster) if len(r.asset_selection or []) == 2)
        assert execute(repository, "mauwatch_days", request, dagster)
        going_on = dagster.create_run_for_job(
            repository.get_job("mauwatch_days"), tags=process_tag(), status=dg.DagsterRunStatus.STARTED
        )
        assert run_requests(repository, "mauwatch_figures_outdated", dagster) == []
        dagster.report_run_failed(going_on)
        assert len(run_requests(repository, "mauwatch_figures_outdated", dagster)) == 1


def test_a_killed_run_holds_nothing_up(directory: Path) -> None:
    """Dagster would show the run as running for ever, and no figure would come beside it."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    host, _, began = process_tag()["mauwatch/process"].rsplit(" ", 2)
    repository = loaded(directory)
    with history(directory) as dagster:
        tags = {"mauwatch/process": f"{host} {ended.pid} {began}"}
        left = dagster.create_run_for_job(repository.get_job("mauwatch_days"), tags=tags, status=dg.DagsterRunStatus.STARTED)
    go(directory)
    with history(directory) as dagster:
        killed = dagster.get_run_by_id(left.run_id)
    assert killed is not None
    assert killed.status == dg.DagsterRunStatus.FAILURE


def test_a_range_run_again_replaces(directory: Path) -> None:
    go(directory)
    write_day(directory, FIRST, 30)
    before = kept(directory)
    report = go(directory, NOW + timedelta(1), first=FIRST, last=FIRST + timedelta(2))
    outcomes = {
        p.name: (p.received.new, p.received.replaced, p.received.unchanged + p.received.confirmed) for p in report.products
    }
    assert outcomes["a/app"] == outcomes["b.co-de/we-b.x"] == (0, 1, 2)
    after = kept(directory)
    assert len(after["contributions"]) == len(before["contributions"]) + 2
    with history(directory) as dagster:
        records = dagster.fetch_materializations(dg.AssetKey(["a", "app"]), limit=3).records
    assert [r.partition_key for r in records] == ["2025-03-05", "2025-03-04", "2025-03-03"]
    assert records[2].asset_materialization is not None
    assert records[2].asset_materialization.metadata["estimate"].value == 30


def test_nobody_in_dagsters_store(directory: Path) -> None:
    """A refused source quotes nobody, nor does an error that nobody foresaw."""
    go(directory)
    with history(directory) as dagster:
        assert dagster.get_runs_count() >= 3
        assert [run.status.value for run in dagster.get_runs()].count("FAILURE") == 1
    written = [path for path in (directory / ".mauwatch" / "dagster").rglob("*") if path.is_file()]
    assert len(written) > 5
    for path in written:
        for word in (PLANTED, "planted", KEY, "u1-1@"):
            assert word.encode() not in path.read_bytes(), path
    with Workspace(directory, read_group(directory), NOW) as workspace:
        run_context = RunContext(workspace)
        with pytest.raises(dg.Failure) as caught, run_context.without_data("a/app"):
            raise ValueError(PLANTED)
    assert "planted" not in str(caught.value) + repr(caught.value.__cause__)
    assert caught.value.__suppress_context__
    assert run_context.errors == []
    (finding,) = run_context.report.findings
    assert str(finding).startswith("a/app: an error that nobody foresaw (ValueError in ")


def test_what_nobody_foresaw_ends_the_run(directory: Path) -> None:
    """An error that is no product's refusal: a green exit would be a silent gap."""
    go(directory)
    (directory / "seen-2025-03-03.parquet").unlink()
    (directory / "seen-2025-03-03.parquet").mkdir()
    report = go(directory, NOW + timedelta(1), first=FIRST, last=FIRST)
    assert not report.clean


def test_a_folder_that_cannot_be_written_keeps_no_history(directory: Path) -> None:
    (directory / ".mauwatch").mkdir()
    (directory / ".mauwatch" / "dagster").write_text("a file where the folder should be")
    assert go(directory).published == [date(2025, 3, 1)]


def test_keys_of_a_prefix_beside_others(directory: Path) -> None:
    """In a Dagster that has other things: no name of ours is taken there, and none of theirs here."""

    @dg.asset
    def theirs() -> None: ...

    both = dg.Definitions.merge(build_defs(directory, ["acme"]), dg.Definitions(assets=[theirs]))
    dg.Definitions.validate_loadable(both)
    keys = both.resolve_asset_graph().get_all_asset_keys()
    ours = {key for key in keys if key.path[0] == "acme"}
    assert {key.to_user_string() for key in keys - ours} == {"theirs"}
    assert {key.to_user_string() for key in ours} == {
        "acme/a/app", "acme/a/monthly", "acme/b.co-de/we-b.x", "acme/c/broken", "acme/group/figures", "acme/group/licence_tests",
    }  # fmt: skip


def test_the_group_is_read_when_dagster_asks(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the module reads no environment: a program that only looks at it would need a group."""
    from pipelines import definitions

    # Loading reduces what libraries print in this process, for good.
    for module, name in ((warnings, "showwarning"), (logging, "lastResort"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.delenv("MAUWATCH_GROUP", raising=False)
    with pytest.raises(RefusedError, match="names no group directory"):
        definitions.defs()
    monkeypatch.setenv("MAUWATCH_GROUP", str(directory))
    monkeypatch.setenv("MAUWATCH_KEY_PREFIX", "acme/reach")
    found = definitions.defs().resolve_asset_graph().get_all_asset_keys()
    assert all(key.path[:2] == ["acme", "reach"] for key in found)


def test_dagsters_store_in_postgresql(directory: Path, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("postgres").url.set(drivername="postgresql", database="postgres")
    settings = directory / "group.yaml"
    settings.write_text(settings.read_text() + f"dagster_store: {url.render_as_string(hide_password=False)}\n")
    go(directory)
    assert not list((directory / ".mauwatch" / "dagster").rglob("*.db"))
    with history(directory) as dagster:
        assert len(dagster.get_materialized_partitions(dg.AssetKey(["a", "app"]))) == DAYS - 1


@pytest.mark.parametrize(
    ("url", "rule"),
    [("postgresql://u:secret@localhost:1/x", "can't be used"), ("sqlite:///x.db", "isn't the URL"), ("what", "isn't the URL")],
)
def test_dagsters_store_that_cannot_be_used(directory: Path, url: str, rule: str) -> None:
    settings = directory / "group.yaml"
    settings.write_text(settings.read_text() + f"dagster_store: {url}\n")
    with pytest.raises(RefusedError, match=rule) as caught:
        go(directory)
    assert "secret" not in str(caught.value)


def test_stretches_of_a_plan(directory: Path) -> None:
    """Only what is due: a stretch over a gap would compute days that are settled, or that aren't there."""
    with Workspace(directory, read_group(directory), NOW) as workspace:
        found = [(s.first, s.last, len(s.products)) for s in jobs.plan(workspace).stretches if len(s.products) == 2]
        ranged = jobs.plan(workspace, FIRST + timedelta(1), FIRST + timedelta(2)).stretches
    assert found == [(FIRST, FIRST + timedelta(3), 2), (FIRST + timedelta(5), FIRST + timedelta(11), 2)]
    assert {(s.first, s.last) for s in ranged} == {(date(2025, 3, 4), date(2025, 3, 5))}


def test_today_in_another_zone(make: Make) -> None:
    """A product whose days end earlier than the group's: its yesterday is a partition already."""
    life = {"from": "2025-03-01", "sources": [{**BY_DAY, "time": None, "day_zone": "Pacific/Auckland"}]}
    directory = make([entity("a", [product("app", **life)])], time_zone="America/Los_Angeles")
    days = loaded(directory).assets_defs_by_key[dg.AssetKey(["a", "app"])].partitions_def
    assert isinstance(days, dg.DailyPartitionsDefinition)
    assert days.end_offset == 1
    moment = datetime(2025, 3, 20, 12, tzinfo=UTC)  # The 21st in Auckland, the 20th in Los Angeles.
    with dg.partition_loading_context(effective_dt=moment):
        assert days.get_last_partition_key() == "2025-03-20"


def test_what_is_handed_in_comes_in_by_itself_and_moves_its_month(make: Make) -> None:
    """Whole files only, each once; a refused one is told, and fails nothing; then the month is published."""
    life = {"from": "2025-01-01", "to": "2025-01-02", "sources": []}
    directory = make([entity("a", [product("app", **life)])])
    box = directory / ".mauwatch" / "inbox" / "a"
    box.mkdir(parents=True)
    repository = loaded(directory)
    with history(directory) as dagster:
        write(box / "good", row(date(2025, 1, 1)))
        write(box / "bad", row(date(2025, 1, 1), product=PLANTED, namespace="planted"))
        assert run_requests(repository, "mauwatch_inbox", dagster) == []
        for name in ("good", "bad"):
            old(box / name, 100)
        (request,) = run_requests(repository, "mauwatch_inbox", dagster)
        (again,) = run_requests(repository, "mauwatch_inbox", dagster)
        assert request.run_key == again.run_key
        found = repository.get_job("mauwatch_receive").execute_in_process(instance=dagster)
        assert found.success
        said = [e.user_message for e in dagster.all_logs(found.run_id) if e.level == logging.ERROR]
        assert [("values that are no name" in text, "docs/runbook.md#contribution-refused" in text) for text in said] == [
            (True, True)
        ]
        assert run_requests(repository, "mauwatch_inbox", dagster) == []
        (month,) = run_requests(repository, "mauwatch_figures_outdated", dagster)
        assert execute(repository, "mauwatch_figures", month, dagster)
        old(write(box / "late", row(date(2025, 1, 1), number=400, computed_at=datetime(2025, 2, 1, tzinfo=UTC))), 100)
        (later,) = run_requests(repository, "mauwatch_inbox", dagster)
        assert later.run_key != request.run_key
        assert repository.get_job("mauwatch_receive").execute_in_process(instance=dagster).success
        (month,) = run_requests(repository, "mauwatch_figures_outdated", dagster)
        assert execute(repository, "mauwatch_figures", month, dagster)
    figures = rows_of(read_group(directory).settings.store, directory)["figures"]
    assert {f["estimate"] for f in figures if f["scope"] == "group"} == {300, 400}
    kept = [path.read_bytes() for path in (directory / ".mauwatch" / "dagster").rglob("*") if path.is_file()]
    assert not [text for text in kept if b"planted" in text]
