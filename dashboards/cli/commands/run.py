"""`mauwatch run`: count what is due, and publish the months."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dashboards.cli import console
from dashboards.cli.options import HERE, GroupDir, Json, read_group


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
        from pipelines.workflows.quiet_run import quiet_run
    begin = console.day_of(first)
    end = console.day_of(last)
    if begin and end and begin > end:
        raise typer.BadParameter(f"--from {begin} lies after --to {end}")
    settings = read_group(group)
    if new_store:
        from pipelines.store import mark

        mark.forget(group)
    with owner_alone(), log_lines.log_lines() if log_json else console.progress_bar() as progress:
        now = datetime.now(UTC)
        # Most of a day's runs find nothing new: these are spared Dagster, whose import alone takes longer than they do.
        report = quiet_run(group, settings, now) if begin is None and end is None else None
        if report is None:
            with console.without_collecting():
                from pipelines.defs.in_process import run as run_group
            report = run_group(group, settings, now, begin, end, progress)
    if log_json:
        log_lines.tell(report)
    if as_json:
        console.print_json(report.to_dict())
    elif not log_json:
        console.output().print(tables.report(report))
    if not report.clean:
        raise typer.Exit(1)
