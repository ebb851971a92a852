"""What nobody foresaw, from the command to the store: one thing's error ends nothing else and quotes nobody, anywhere."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import Code
from affiliates.manifests.loader import read_group
from pipelines.defs import in_process
from pipelines.runbook import Page
from pipelines.store import alert_log, contributions
from pipelines.workflows.run import run
from tests.support.command import mauwatch
from tests.support.databases import SQLITE, rows_of
from tests.support.groups import NOW, entity, events, product, source

Make = Callable[..., Path]
PLANTED = "alice.planted@example.org"
TABLE = source(files=None, table="events", database={"url": "sqlite:///shop.sqlite"})
pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")


def shop(directory: Path, *rows: tuple[Any, Any]) -> None:
    connection = sqlite3.connect(directory / "shop.sqlite")
    with connection:
        connection.execute("create table events (at date, user text)")
        connection.executemany("insert into events values (?, ?)", rows)
    connection.close()


@pytest.fixture
def directory(make: Make) -> Path:
    """A product whose table has a row with its columns shifted, and one of 100 people in January and 33 in March."""
    days = [(f"2025-{month:02}-{1 + i % 28:02}T10:00:00Z", f"u{i}@example.com") for month in (1, 3) for i in range(100 // month)]
    made = make(
        [
            entity("a", [product(to="2025-02-01", sources=[TABLE])]),
            entity("b", [product("web", to="2025-04-01", sources=[source(complete_through="2025-03-31")])]),
        ],
        {"events.parquet": events(days)},
        store=SQLITE,
    )
    shop(made, ("2025-01-05", "u1@example.com"), (PLANTED, "2025-01-05"))
    return made


@pytest.fixture
def a_driver_that_fails(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library's error that no code of ours foresees, for one product's source alone."""
    connect = sqlite3.connect

    def connect_or_fail(database: Any, *given: Any, **more: Any) -> Any:
        if "shop.sqlite" in str(database):
            raise ValueError(PLANTED)
        return connect(database, *given, **more)

    monkeypatch.setattr(sqlite3, "connect", connect_or_fail)


def estimates(directory: Path) -> set[int]:
    return {row["estimate"] for row in rows_of(SQLITE, directory)["figures"]}


def files_with(directory: Path, text: str) -> list[Path]:
    """The files that mauwatch keeps in which a text stands."""
    return [path for path in (directory / ".mauwatch").rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_a_row_with_shifted_columns_is_one_products_refusal(directory: Path) -> None:
    """It ended the run of both products, and cron mailed the address (B-15)."""
    done = mauwatch("run", "--group", directory)
    assert done.returncode == 1
    assert "planted" not in done.stdout + done.stderr
    assert "column at aren't days such as 2026-10-31" in " ".join(done.stdout.split())
    assert 100 in estimates(directory)
    assert files_with(directory, "planted") == []


@pytest.mark.usefixtures("a_driver_that_fails")
@pytest.mark.parametrize("through", [run, in_process.run])
def test_an_error_of_a_driver_is_one_products_refusal(directory: Path, through: Callable[..., Any]) -> None:
    report = through(directory, read_group(directory), NOW)
    refused, other = report.products
    (refusal,) = refused.refusals
    assert (refusal.code, refusal.subject, other.refusals) == (Code.ERROR_UNFORESEEN, "a/app", ())
    assert refusal.values.startswith("ValueError in affiliates.sources.database.connections, line ")
    assert report.pages[0] == Page.UNFORESEEN
    assert not report.clean
    assert 100 in estimates(directory)
    with contributions.open_store(SQLITE, directory) as store:
        assert alert_log.current(store)[alert_log.AlertKey("failed_run")].subjects == "a/app"
    assert files_with(directory, "planted") == []


@pytest.mark.usefixtures("a_driver_that_fails")
def test_doctor_and_contribute_quote_nobody(directory: Path) -> None:
    done = mauwatch("doctor", "--group", directory)
    assert done.returncode == 1
    assert "ValueError in affiliates.sources.database.connections" in " ".join(done.stdout.split())
    assert "b/web" in done.stdout, "the next product is looked at"
    contributed = mauwatch(
        "contribute", "a", "--from", "2025-01-01", "--to", "2025-01-31", "--group", directory, "--out", directory / "out.parquet"
    )
    assert contributed.returncode == 3
    for text in (done.stdout, done.stderr, contributed.stdout, contributed.stderr):
        assert "planted" not in text


A_PROCESS_OF_DAGSTERS = f"""
import gc, logging, sqlite3, threading, warnings
from datetime import date
from pathlib import Path
import dagster as dg
from pipelines.defs import instance, partitions
from pipelines.definitions import defs
from affiliates.manifests.loader import read_group

directory = Path.cwd()
connect = sqlite3.connect
warnings.simplefilter("always", RuntimeWarning)

def fail():
    raise ValueError("{PLANTED}")

class Final:
    def __del__(self):
        fail()

def speak():
    warnings.warn("{PLANTED}", RuntimeWarning)
    logging.getLogger("made.up.pool").error("{PLANTED}")
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    Final()
    gc.collect()

def connect_or_fail(database, *given, **more):
    if "shop.sqlite" in str(database):
        speak()
        fail()
    return connect(database, *given, **more)

sqlite3.connect = connect_or_fail
with instance.open_instance(directory, read_group(directory)) as dagster:
    job = defs().get_repository_def().get_job("mauwatch_days")
    tags = partitions.range_tags("day", date(2025, 1, 1), date(2025, 1, 31))
    done = job.execute_in_process(
        instance=dagster, asset_selection=[dg.AssetKey(["a", "app"])], tags=tags, raise_on_error=False
    )
    print(done.success)
speak()
"""
"""What Dagster's code server and its runs do: load the group, and compute; after a job, too, a library may speak."""


def test_a_process_of_dagsters_quotes_nobody(directory: Path) -> None:
    """Its standard error goes into the log of `serve`, and its events into Dagster's databases."""
    done = subprocess.run(
        [sys.executable, "-c", A_PROCESS_OF_DAGSTERS],
        cwd=directory,
        env=os.environ | {"MAUWATCH_GROUP": str(directory)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.splitlines()[-1:] == ["False"], done.stderr
    assert "planted" not in done.stdout + done.stderr
    for said in ("a warning: RuntimeWarning in", "error of made.up.pool", "an error that nobody foresaw: ValueError"):
        assert done.stderr.count(said) >= 2, done.stderr
    assert "ValueError in affiliates.sources.database.connections, line" in done.stderr
    assert files_with(directory, "planted") == []


def edit_store(directory: Path, statement: str) -> None:
    connection = sqlite3.connect(directory / ".mauwatch" / "store.sqlite")
    with connection:
        assert connection.execute(statement, (PLANTED,)).rowcount
    connection.close()


@pytest.mark.parametrize("through", [run, in_process.run])
def test_a_month_that_cant_be_gathered_keeps_no_other_from_being_published(directory: Path, through: Callable[..., Any]) -> None:
    """A store that somebody has edited, or an error of ours that one month's data meet."""
    run(directory, read_group(directory), NOW)
    edit_store(directory, "update contributions set day_zone = ? where activity_date < '2025-02-01'")
    days = [(f"2025-03-{1 + i:02}T10:00:00Z", f"v{i}@example.com") for i in range(20)]
    events(days).write_parquet(directory / "events.parquet")
    report = through(directory, read_group(directory), NOW, date(2025, 3, 1), date(2025, 3, 31))
    assert report.published == [date(2025, 3, 1)]
    failed = [str(finding) for finding in report.findings if finding.page == Page.UNFORESEEN]
    assert any(text.startswith("2025-01: an error that nobody foresaw (") for text in failed)
    assert "planted" not in "".join(map(str, report.findings))
    assert files_with(directory / ".mauwatch", "planted") == []
    with contributions.open_store(SQLITE, directory) as store:
        subjects = alert_log.current(store)[alert_log.AlertKey("failed_run")].subjects.splitlines()
    assert "2025-03-01 to 2025-03-31 by mauwatch run" in subjects


def test_an_error_in_alerts_is_told_and_keeps_no_message_waiting(directory: Path) -> None:
    run(directory, read_group(directory), NOW)
    edit_store(directory, "update incidents set memory = ?")
    report = run(directory, read_group(directory), datetime(2025, 6, 2, 12, tzinfo=UTC))
    assert any(str(finding).startswith("the alerts: an error that nobody foresaw (") for finding in report.findings)
    assert "planted" not in "".join(map(str, report.findings))


@pytest.mark.parametrize("as_json", [False, True])
def test_a_command_that_fails_has_an_exit_code_of_its_own(directory: Path, as_json: bool) -> None:
    """2 is bad input: a job that gets 2 has somebody look at the manifests. A traceback quoted the value."""
    mauwatch("run", "--group", directory)
    edit_store(directory, "update incidents set memory = ?")
    done = mauwatch("alerts", "ack", 1, "--by", "me", "--group", directory, *(["--json"] if as_json else []))
    assert done.returncode == 3
    assert "an error that nobody foresaw" in done.stderr
    assert done.stderr.splitlines()[-1] == "Runbook: docs/runbook.md#error-unforeseen"
    assert "planted" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if as_json:
        answer = json.loads(done.stdout)
        assert (answer["exit_code"], answer["errors"][0]["code"]) == (3, "error-unforeseen")
