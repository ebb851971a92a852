"""`mauwatch demo`: the conglomerate beside its truth, or the git-activity group with and without its crosswalk."""

import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dashboards.cli import answers, console, licence_tables, tables
from dashboards.cli.options import Json


class Data(StrEnum):
    """Which group a demo counts."""

    conglomerate = "conglomerate"
    git_activity = "git-activity"


def demo(
    directory: Annotated[Path, typer.Argument(help="Where the demo's group directory is put.")] = Path("mauwatch-demo"),
    data: Annotated[Data, typer.Option(help="Made-up people at real size, or real commits of 39 projects.")] = Data.conglomerate,
    scale: Annotated[float, typer.Option(help="Of the conglomerate: 0.01 makes 7 million people of 690.", min=1e-6, max=1)] = 1,
    today: Annotated[str | None, typer.Option(help="Play it as on this day.", metavar="YYYY-MM-DD")] = None,
    as_json: Json = False,
) -> None:
    """Count a group of 690 million people, and compare each figure with the truth; or a real one."""

    day = console.day_of(today)
    now = datetime.now(UTC)
    if day is not None:
        # Played as on a day, the demo ends with the month before it; a day to come would have events that nobody made
        # yet.
        now = min(now, datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
    if data == Data.conglomerate:
        _conglomerate(directory, now, scale, as_json)
    else:
        _git_activity(directory, now, as_json)


def _conglomerate(directory: Path, now: datetime, scale: float, as_json: bool) -> None:
    """Made-up people at real size."""
    from dashboards.demo import conglomerate

    started = time.monotonic()
    out = console.output()
    with console.progress_bar() as progress:
        result = conglomerate.play(directory, now, scale, progress)
    if as_json:
        console.print_json(conglomerate.to_dict(result) | {"measure": answers.to_dict(result.last, result.group)})
        return
    out.print(tables.report(result.report))
    out.print(tables.measured(result.last, result.group))
    out.print(tables.against_truth(result.compared))
    out.print(licence_tables.of_family(result.tests))
    out.print(licence_tables.of_family(result.released))
    # The time differs from run to run, so it stays out of standard output, which documents are compared with.
    console.errors().print(f"{result.people:,} people in {time.monotonic() - started:.0f} s.")
    out.print(
        f"The group directory is {directory}: mauwatch measure --group {directory} --month {result.last.inputs.month:%Y-%m}"
    )


def _git_activity(directory: Path, now: datetime, as_json: bool) -> None:
    """Real commits of 39 projects."""
    from dashboards.demo import git_activity

    with console.progress_bar() as progress:
        result = git_activity.play(directory, now, progress)
    if as_json:
        effect = {m: {"identifiers": a.to_dict(), "people": b.to_dict()} for m, (a, b) in result.effect.items()}
        tests = [t.to_dict() for t in result.tests]
        console.print_json({"measure": answers.to_dict(result.shown, result.group), "identity": effect, "licences": tests})
        return
    out = console.output()
    out.print(tables.report(result.report))
    out.print(tables.measured(result.shown, result.group))
    out.print(tables.effect(result.effect))
    out.print(licence_tables.of_family(result.tests))
    out.print(f"The group directory is {directory}: mauwatch measure --group {directory} --month 2026-07")
