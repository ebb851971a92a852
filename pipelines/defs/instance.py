"""Dagster's home in a group directory, and Dagster's own store: what was run, when, and with what outcome."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
import yaml
from filelock import FileLock

from affiliates.concurrency import atomic_write, private_folder
from affiliates.errors import Code, refused
from affiliates.manifests.group import Group
from affiliates.periods import LONGEST_RUN
from pipelines.defs import sqlite_files
from pipelines.store.process_identity import process_identity, process_is_gone

HOME = Path(".mauwatch") / "dagster"
"""Dagster's home in a group directory: with `DAGSTER_HOME=.mauwatch/dagster`, `dagster dev` shows what was run."""

_PROCESS = "mauwatch/process"
"""The tag of a run that names its process."""
_HEAD = "# Made by mauwatch from group.yaml, and made again when that changes. Settings of one's own: another DAGSTER_HOME.\n"
"""First line of a settings file."""


def home(directory: Path, group: Group) -> Path:
    """The folder for DAGSTER_HOME, with its settings brought up to date.

    `dagster.yaml` is for the daemon and the webserver, `run.yaml` for a run in this process. Raises
    `RefusedError` for a `dagster_store` that is no URL of PostgreSQL, and for a path that is no text.
    """
    folder = (directory / HOME).absolute()
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        shown = str(directory).encode(errors="backslashreplace").decode()
        raise refused(
            Code.FILE_UNUSABLE, "the group directory", "its path is no UTF-8 text", shown, "rename the folder"
        ) from None
    private_folder(folder.parent)
    private_folder(folder)
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
        "run_monitoring": {"enabled": True, "max_runtime_seconds": int(LONGEST_RUN.total_seconds())},
        # Each of a run's hundreds of events is kept; printed are those that somebody has to read.
        "python_logs": {"python_log_level": "INFO"},
    }
    stored = {"storage": {"postgres": {"postgres_url": _dagster_url(url)}}} if url is not None else {}
    _write(folder / "dagster.yaml", settings | daemon | (stored or _quoted_storage(folder)))
    _write(folder / "run.yaml", settings | (stored or _batched_storage(folder)))
    return folder


@contextmanager
def open_instance(directory: Path, group: Group) -> Iterator[dg.DagsterInstance]:
    """The group's Dagster for a run in this process, made where there is none.

    Where its folder can't be written, one that forgets: a lost history of runs is no lost number. Raises `RefusedError` when its
    database can't be used.
    """
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
def open_daemon_instance(directory: Path, group: Group) -> Iterator[dg.DagsterInstance]:
    """The group's Dagster with the settings of its daemon and webserver."""
    with usable_database(group), dg.DagsterInstance.from_config(str(directory / HOME)) as instance:
        yield instance


def process_tag() -> dict[str, str]:
    """The tag of a run that is carried out in this process."""
    return {_PROCESS: process_identity()}


def end_orphans(instance: dg.DagsterInstance) -> None:
    """Mark the runs as failed whose process is gone; Dagster would show them as running for ever."""
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        if _PROCESS in run.tags and process_is_gone(run.tags[_PROCESS]):
            instance.report_run_failed(run, "its process ended before it did; the next run computes what it left")


def _quoted_storage(folder: Path) -> dict[str, Any]:
    """Dagster's own SQLite files, by quoted paths where the folder's name needs that; nothing for any other folder."""
    if not sqlite_files.url_differs(str(folder)):
        return {}
    config = {"base_dir": str(folder)}
    return {"storage": {"custom": {"module": "pipelines.defs.sqlite_files", "class": "SqliteFiles", "config": config}}}


def _batched_storage(folder: Path) -> dict[str, Any]:
    """Dagster's SQLite files where Dagster itself puts them, with events written many at a time."""
    return {
        name: {"module": module, "class": kind, "config": {"base_dir": str(folder / inside)}}
        for name, module, kind, inside in (
            ("run_storage", "pipelines.defs.sqlite_files", "SqliteRunStorage", "history"),
            ("event_log_storage", "pipelines.defs.event_log", "EventLog", "history/runs"),
            ("schedule_storage", "pipelines.defs.sqlite_files", "SqliteScheduleStorage", "schedules"),
        )
    }


def _write(path: Path, settings: dict[str, Any]) -> None:
    """Write a settings file in one step, for others may be reading it; not where it stays the same."""
    text = _HEAD + yaml.safe_dump(settings)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    with atomic_write(path, mode=0o600) as unfinished:  # A store's URL has a password.
        unfinished.write_text(text, encoding="utf-8")


def _dagster_url(url: str) -> str:
    """A URL for psycopg2, the driver that Dagster's storage is written for.

    Raises `RefusedError` for a URL that isn't PostgreSQL's.
    """
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
    # A server that takes the connection and says nothing would hold `run` and /health for ever.
    waits = {} if "connect_timeout" in parsed.query else {"connect_timeout": "10"}
    return parsed.set(drivername="postgresql+psycopg2").update_query_dict(waits).render_as_string(hide_password=False)


@contextmanager
def usable_database(group: Group) -> Iterator[None]:
    """Turns an error of Dagster's database inside into a `RefusedError`, which shows no password.

    The database is asked for a connection first: Dagster would try each of its storages six times, for minutes in all.
    """
    url = group.settings.dagster_store
    if url is None:
        yield
        return
    whole_url = _dagster_url(url)  # Refuses what is none.
    shown = sa.make_url(url).render_as_string(hide_password=True)
    try:
        from dagster_postgres.utils import DagsterPostgresException
    except ModuleNotFoundError:
        raise refused(
            Code.STORE_UNUSABLE, "Dagster's store", "has no driver here", shown, "pip install 'mauwatch[postgres]'"
        ) from None
    try:
        with sa.create_engine(whole_url, poolclass=sa.NullPool, hide_parameters=True).connect():
            pass
        yield
    except (sa.exc.DBAPIError, DagsterPostgresException) as error:
        kind = type(error.__cause__ or error).__name__
        raise refused(
            Code.STORE_UNUSABLE, "Dagster's store", "can't be used", f"{shown}: {kind}", "see that it runs and has room"
        ) from None
