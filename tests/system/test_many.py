"""Many files, many products, many runs: the work that each one costs doesn't grow with how many there are.

No time is measured here: `python -m tests.tools.many` does that, beside another build.
"""

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from affiliates.manifests.loader import read_group
from pipelines.defs import in_process, instance
from pipelines.defs.event_log import EventLog
from pipelines.figures import data_findings
from pipelines.store.contributions import open_store
from tests.support.groups import NOW
from tests.support.receipts import outcomes, take
from tests.support.runs import go
from tests.tools import many


@contextmanager
def statements() -> Iterator[Counter[str]]:
    """The statements that are issued inside, by their text."""
    issued = Counter[str]()

    def note(_: object, __: object, statement: str, *___: object) -> None:
        issued[statement] += 1

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield issued
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("number", [4, 12])
def test_a_file_costs_the_same_whatever_else_waits(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each was read twice, and all versions of its product three times: the more days, the more of both."""
    directory = many.write_inbox(tmp_path, 1, 1, number)
    opened = list[int]()
    read = pl.read_parquet

    def note(contents: list[bytes], **options: object) -> pl.DataFrame:
        opened.append(len(contents))
        return read(contents, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pl, "read_parquet", note)
    with statements() as issued:
        session = take(directory, now=many.NOON)
    assert outcomes(session) == ["new"] * number
    assert opened == [number], "small files are read together, and once"
    # All in one transaction; what else there is, is the months' publication.
    assert sum(count for text, count in issued.items() if text.startswith("INSERT INTO contributions")) == 1
    assert sum(issued.values()) < number + 400


def test_one_file_that_the_store_does_not_take_keeps_out_no_other(tmp_path: Path) -> None:
    """Files share a transaction: what ends it would else leave two hundred of them waiting for one."""
    directory = many.write_inbox(tmp_path, 1, 2, 3)
    settings = read_group(directory).settings
    full = "create trigger full before insert on receipts when new.file like 'p01%' begin select raise(abort, 'full'); end"
    with open_store(settings.store, directory, create=True) as store, store.writing() as connection:
        connection.exec_driver_sql(full)
    session = take(directory, now=many.NOON)
    assert outcomes(session) == ["new"] * 3
    assert [file.offer.name[:3] for file in session.files] == ["p00"] * 3
    assert [finding.text[:3] for finding in session.undecided] == ["p01"] * 3
    with open_store(settings.store, directory) as store, store.writing() as connection:
        assert connection.exec_driver_sql("select count(*) from contributions").scalar() == 3
        connection.exec_driver_sql("drop trigger full")
    again = take(directory, now=many.NOON)
    assert outcomes(again) == ["new"] * 3
    assert len(again.skipped) == 3


def test_files_of_one_call_are_compared_with_each_other(tmp_path: Path) -> None:
    """Stored together, each would be compared with what was there before the first alone."""
    directory = many.write_inbox(tmp_path, 1, 2, 1)
    folder = many.box(directory, "e00")
    for name in ("p00", "p01"):
        for hour in range(3):
            file = folder / f"{name}-{many.BEGIN}{'abc'[hour]}.parquet"
            many.hand_in(file, "e00", name, many.BEGIN, 5 + hour, timedelta(hours=1 + hour), users=200)
    session = take(directory, now=many.NOON)
    assert outcomes(session) == ["new", "replaced", "replaced", "replaced"] * 2
    alike = [file.offer.name for file in session.files if any("very ones of e00/p00" in warning for warning in file.warnings)]
    assert alike == [f"p01-{many.BEGIN}c.parquet"], "of the others the first product has later versions"


@pytest.mark.parametrize("days", [2, 40])
def test_the_versions_that_a_file_is_compared_with_are_its_months(tmp_path: Path, days: int) -> None:
    """Of a product of years, all days would be read with each file."""
    directory = many.write_inbox(tmp_path, 1, 1, days)
    session = take(directory, now=many.NOON)
    assert outcomes(session) == ["new"] * days
    with open_store(read_group(directory).settings.store, directory) as store:
        (ref,) = read_group(directory).products
        versions = store.read_versions(ref)
        assert len(versions) == days
    # The same file again, with fewer users and a later computation, finds the one version that it replaces.
    many.hand_in(many.box(directory, ref.affiliate) / "again.parquet", *ref, many.BEGIN, 7, later=timedelta(hours=1))
    assert outcomes(take(directory, now=many.NOON)) == ["replaced"]


def test_what_the_data_show_is_asked_of_all_products_at_once(tmp_path: Path) -> None:
    """Five queries a product were twenty thousand of 2,000 products, twice a run."""
    asked = []
    for number in (2, 9):
        directory = many.write_first_day(tmp_path / f"{number}", 1, number)
        go(directory, many.NOON)
        group = read_group(directory)
        with open_store(group.settings.store, directory) as store, statements() as issued:
            data_findings.read(store, group, many.NOON)
        asked.append(sum(issued.values()))
    assert asked[0] == asked[1]


def test_dagster_takes_the_same_steps_and_statements_for_more_products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each product was a step, each event was several statements, and each asked whether Dagster's tables are there."""
    asked = Counter[str]()
    has_table = SqliteEventLogStorage.has_table
    monkeypatch.setattr(SqliteEventLogStorage, "has_table", lambda self, name: asked.update([name]) or has_table(self, name))
    dagsters = []
    for number in (2, 9):
        asked.clear()
        directory = many.write_first_day(tmp_path / f"{number}", 1, number)
        group = read_group(directory)
        with statements() as issued:
            report = in_process.run(directory, group, many.NOON)
        assert [product_run.received.new for product_run in report.products] == [1] * number
        assert set(asked.values()) <= {1}
        tables = "event_logs", "asset_keys", "asset_event_tags", "asset_check_executions"
        dagsters.append(sum(count for text, count in issued.items() if any(table in text for table in tables)))
        with instance.open_instance(directory, group) as dagster:
            for run in dagster.get_runs():
                events = Counter(entry.dagster_event_type for entry in dagster.all_logs(run.run_id))
                assert events[dg.DagsterEventType.STEP_OUTPUT] == 0
                assert events[dg.DagsterEventType.RUN_SUCCESS] == 1
                steps = 1 if run.job_name == "mauwatch_days" else 2
                assert events[dg.DagsterEventType.STEP_START] == events[dg.DagsterEventType.STEP_SUCCESS] == steps
                planned = events[dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED]
                assert planned == events[dg.DagsterEventType.ASSET_CHECK_EVALUATION] > 0
            for ref in group.products:
                assert dagster.get_latest_materialization_event(dg.AssetKey([*ref])) is not None
    # What a month's figures rest on Dagster asks of each product, by two queries.
    assert dagsters[1] - dagsters[0] <= 2 * (9 - 2)


def test_dagsters_files_are_those_that_dagster_itself_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written many at a time, an event could lack its row in one of the tables that Dagster's pages are read from."""
    written = list[dg.EventLogEntry]()
    write = EventLog._write

    def note(log: EventLog, events: Sequence[dg.EventLogEntry], *connections: sa.Connection) -> None:
        written.extend(events)
        write(log, events, *connections)

    monkeypatch.setattr(EventLog, "_write", note)
    directory = many.write_first_day(tmp_path / "group", 2, 2)
    group = read_group(directory)
    in_process.run(directory, group, many.NOON)
    (directory / "data/e00-p001.csv").write_text(f"at,user\n{many.BEGIN}T10:00:00Z,somebody@example.com\n")
    (directory / "data/e01-p000.csv").write_text("at,user\nno time,somebody@example.com\n")
    assert [len(product_run.refusals) for product_run in in_process.run(directory, group, many.NOON).products] == [0, 0, 1, 0]
    plain = SqliteEventLogStorage(str(tmp_path / "plain"))
    for event in written:
        plain.store_event(event)
    ours = _tables(directory / instance.HOME / "history" / "runs")
    assert ours == _tables(tmp_path / "plain")
    assert len(ours["index.db", "asset_check_executions"]) > len(written) // 3


def _tables(folder: Path) -> dict[tuple[str, str], list[str]]:
    """By file and table, the rows of Dagster's event log, without the moments at which rows were made."""
    tables = {}
    for path in folder.glob("*.db"):
        engine = sa.create_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            for name in set(sa.inspect(connection).get_table_names()) - {"alembic_version", "secondary_indexes"}:
                rows = connection.execute(sa.text(f"select * from {name}")).mappings()
                tables[path.name, name] = sorted(str({k: v for k, v in row.items() if k != "create_timestamp"}) for row in rows)
        engine.dispose()
    return tables


def test_many_runs_in_one_process_hold_nothing(tmp_path: Path) -> None:
    """`serve` lives for months: a descriptor a run would end it after a thousand. Memory may grow by what libraries keep."""
    directory = many.write_running(tmp_path)
    used = list(many.runs(directory, 21, lambda text: None))
    gc.collect()
    descriptors = [d for d, _ in used]
    assert max(descriptors[12:]) <= max(descriptors[6:12])
    assert used[-1][1] < used[8][1] + (48 << 20)


def test_the_tool_counts_from_the_past() -> None:
    """What is handed in mustn't be computed after the moment of the run."""
    assert NOW < many.NOON
    assert many.BEGIN + timedelta(days=100) < many.NOON.date()
