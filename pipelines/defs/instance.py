"""Dagster's home in a group directory, and its store: what was run, when, and with what outcome."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
import yaml
from filelock import FileLock

from affiliates.concurrency import atomic_write
from affiliates.errors import Code, refused
from affiliates.manifests.group import Group
from pipelines.store.process_identity import process_identity, process_is_gone

HOME = Path(".mauwatch") / "dagster"
"""Dagster's home in a group directory: with `DAGSTER_HOME=.mauwatch/dagster`, `dagster dev` shows what was run."""

LONGEST = timedelta(hours=6)
"""A run that has taken longer than this has lost its process, or will never end."""

_PROCESS = "mauwatch/process"
_HEAD = "# Made by mauwatch from group.yaml, and made again when that changes. Settings of one's own: another DAGSTER_HOME.\n"


def home(directory: Path, group: Group) -> Path:
    """The folder for DAGSTER_HOME, with its settings brought up to date."""
    found = (directory / HOME).absolute()
    found.mkdir(parents=True, exist_ok=True)
    url = group.settings.dagster_store
    at_once = 1 if url is None else 4  # SQLite's files are no place for several runs at once.
    settings: dict[str, Any] = {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},  # Dagster's page asks its first visitor for an address otherwise.
        # Nothing that a step prints is kept: it could quote somebody's data.
        "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
    }
    daemon = {
        "concurrency": {"runs": {"max_concurrent_runs": at_once}},
        # A run whose process was killed with the machine would hold up the next ones for ever.
        "run_monitoring": {"enabled": True, "max_runtime_seconds": int(LONGEST.total_seconds())},
        # Each of a run's hundreds of events is kept; printed are those that somebody has to read.
        "python_logs": {"python_log_level": "INFO"},
    }
    stored = {"storage": {"postgres": {"postgres_url": _checked(url)}}} if url is not None else {}
    _write(found / "dagster.yaml", settings | daemon | stored)
    _write(found / "run.yaml", settings | (stored or _many_at_a_time(found)))
    return found


@contextmanager
def open_instance(directory: Path, group: Group) -> Iterator[dg.DagsterInstance]:
    """The group's Dagster for a run in this process, made where there is none; where its folder can't be written, one
    that forgets. Raises `RefusedError` when its database can't be used."""
    try:
        folder = home(directory, group)
    except OSError:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
        return
    with ExitStack() as stack:
        stack.enter_context(usable_database(group))
        with FileLock(folder / "being-made"):  # Several first runs at once would each make its tables.
            instance = stack.enter_context(dg.DagsterInstance.from_config(str(folder), "run.yaml"))
        end_orphans(instance)
        yield instance


@contextmanager
def of_daemon(directory: Path, group: Group) -> Iterator[dg.DagsterInstance]:
    """The group's Dagster as its daemon and its webserver have it."""
    with usable_database(group), dg.DagsterInstance.from_config(str(directory / HOME)) as instance:
        yield instance


def process_tag() -> dict[str, str]:
    """What tells later which process a run was in."""
    return {_PROCESS: process_identity()}


def end_orphans(instance: dg.DagsterInstance) -> None:
    """Runs that ended with their process are marked as failed; Dagster would show them as running for ever."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if _PROCESS in run.tags and process_is_gone(run.tags[_PROCESS]):
            instance.report_run_failed(run, "its process ended before it did; the next run computes what it left")


def _many_at_a_time(folder: Path) -> dict[str, Any]:
    return {
        name: {"module": module, "class": kind, "config": {"base_dir": str(folder / inside)}}
        for name, module, kind, inside in (
            ("run_storage", "dagster._core.storage.runs", "SqliteRunStorage", "history"),
            ("event_log_storage", "pipelines.defs.event_log", "EventLog", "history/runs"),
            ("schedule_storage", "dagster._core.storage.schedules", "SqliteScheduleStorage", "schedules"),
        )
    }


def _write(path: Path, settings: dict[str, Any]) -> None:
    """In one step, for others may be reading it."""
    text = _HEAD + yaml.safe_dump(settings)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    with atomic_write(path, mode=0o600) as unfinished:  # A store's URL has a password.
        unfinished.write_text(text, encoding="utf-8")


def _checked(url: str) -> str:
    """For the driver that Dagster's storage is written for. Raises `RefusedError` for what isn't a PostgreSQL's."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.get_backend_name() != "postgresql":
        shown = parsed.render_as_string(hide_password=True) if parsed else ""
        raise refused(
            Code.STORE_UNUSABLE,
            "Dagster's store",
            "isn't the URL of a PostgreSQL database",
            shown,
            "correct `dagster_store` in group.yaml, or leave it out: then it is files in .mauwatch",
        )
    return parsed.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


@contextmanager
def usable_database(group: Group) -> Iterator[None]:
    """Where Dagster's database can't be used inside, a `RefusedError` says so."""
    url = group.settings.dagster_store
    if url is None:
        yield
        return
    shown = sa.make_url(_checked(url)).render_as_string(hide_password=True)
    try:
        from dagster_postgres.utils import DagsterPostgresException
    except ModuleNotFoundError:
        raise refused(
            Code.STORE_UNUSABLE, "Dagster's store", "has no driver here", shown, "pip install 'mauwatch[postgres]'"
        ) from None
    try:
        yield
    except (sa.exc.DBAPIError, DagsterPostgresException) as error:
        kind = type(error.__cause__ or error).__name__
        raise refused(
            Code.STORE_UNUSABLE, "Dagster's store", "can't be used", f"{shown}: {kind}", "see that it runs and has room"
        ) from None
