"""Noting that a run has looked: when, what came of it, and by which version."""

from datetime import date, datetime
from importlib import metadata
from pathlib import Path

from pipelines.store import run_log
from pipelines.store.contributions import ContributionStore
from pipelines.store.run_log import LoggedRun
from pipelines.workflows.report import Report
from pipelines.workspace import Workspace


def note(workspace: Workspace, report: Report, first: date | None = None, last: date | None = None) -> None:
    """Note a run that may write, where there is a store; `first`, `last`: the range that the run was about."""
    with report.step("the log of runs"):
        store = workspace.store_if_any()
        if store is not None:
            kind = "whole" if first is None and last is None else "range"
            run_log.append(store, workspace.directory, report.logged(workspace.now, kind, _program()))


def note_watch(workspace: Workspace, store: ContributionStore, findings: int, failed: bool) -> None:
    """Note Dagster's daily look, which evaluates what its other jobs have published; `findings`: how many it told of."""
    result = "failed" if failed else "findings" if findings else "clean"
    run_log.append(store, workspace.directory, LoggedRun(workspace.now, "watch", result, findings, 0, _program()))


def note_failure(directory: Path, now: datetime) -> None:
    """Note a run that has failed as a whole: in the file, since what made it fail may keep the store from being written."""
    run_log.to_file(directory, LoggedRun(now, "whole", "failed", 1, 0, _program()))


def note_quiet(workspace: Workspace, report: Report, is_kept: bool) -> None:
    """Note a run that found nothing new.

    `is_kept`: what the run says may be kept for the next one, which the store's file must not change for. Then the run goes into
    the file, unless the file has grown long.
    """
    run = report.logged(workspace.now, "quiet", _program())
    store = workspace.store_if_any()
    if store is not None and (not is_kept or run_log.has_many(workspace.directory)):
        with report.step("the log of runs"):
            run_log.append(store, workspace.directory, run)
        return
    run_log.to_file(workspace.directory, run)


def _program() -> str:
    return metadata.version("mauwatch")
