"""`mauwatch run`: count what is due, and publish the months."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboards.cli import console
from dashboards.cli.options import HERE, GroupDir, Json, read_group

if TYPE_CHECKING:
    from pipelines.workflows.report import Report
    from pipelines.workflows.unchanged import Look


def run(
    group: GroupDir = HERE,
    first: Annotated[str | None, typer.Option("--from", help="First day to compute again.", metavar="YYYY-MM-DD")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day to compute again.", metavar="YYYY-MM-DD")] = None,
    new_store: Annotated[
        bool, typer.Option("--new-store", help="The store that is there, or a new one, is meant, although there was another.")
    ] = False,
    as_json: Json = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Tell what is done and found in JSON, a line each, on standard error.")
    ] = False,
) -> None:
    """Count the events: what is missing or wasn't settled, or all of a range again; then publish the months."""
    with console.without_collecting():
        from affiliates.concurrency import owner_alone
        from dashboards.cli import log_lines, tables
        from pipelines.workflows.unchanged import Look
    begin = console.day_of(first)
    end = console.day_of(last)
    if begin and end and begin > end:
        raise typer.BadParameter(f"--from {begin} lies after --to {end}")
    # A range is computed again, whatever has changed; and who names a new store has changed something.
    look = Look(group, datetime.now(UTC)) if begin is None and end is None and not new_store else None
    with owner_alone(), console.collecting_rarely():
        # Most of a day's runs find all as it was, and then say what the last one has said.
        report = look.report() if look is not None else None
        report = report or _run(group, look, begin, end, new_store, log_json)
    if log_json:
        log_lines.tell(report)
    if as_json:
        console.print_json(report.to_dict())
    elif not log_json:
        console.output().print(tables.report(report))
    if not report.clean:
        raise typer.Exit(1)


def _run(directory: Path, look: "Look | None", begin: date | None, end: date | None, new_store: bool, log_json: bool) -> "Report":
    """The run, with its progress; `look` was taken before, where the run is without a range."""
    from dashboards.cli import log_lines

    settings = read_group(directory)
    if new_store:
        from pipelines.store import mark

        mark.forget(directory)
    with log_lines.log_lines() if log_json else console.progress_bar() as progress:
        now = datetime.now(UTC)
        report = None
        if begin is None and end is None:
            # Others find nothing new: these are spared Dagster, whose import alone takes longer than they do.
            with console.without_collecting():
                from pipelines.workflows.quiet_run import quiet_run
            report = quiet_run(directory, settings, now, look)
        if report is None:
            with console.without_collecting():
                from pipelines.defs.in_process import run as run_group
            report = run_group(directory, settings, now, begin, end, progress)
        return report
