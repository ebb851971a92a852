"""The command line: reads the clock and the arguments, calls the centre, prints.

Exit codes: 0 fine, 2 bad input or usage, 1 for a finding, only from run, receive, validate, doctor, verify and alerts. What
a command needs is imported inside it, so that the first answer comes fast and commands of the edge
run where only the core is installed.
"""

import errno
import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group as Stack
from rich.text import Text

from affiliates.errors import Code, Refusal, RefusedError
from affiliates.periods import local_day, month_end
from dashboards import (
    alerting,
    console,
    contributing,
    crosswalks,
    erasing,
    evidencing,
    forecasting,
    keys,
    licensing,
    measuring,
    receiving,
)
from pipelines import runbook

if TYPE_CHECKING:
    from affiliates.group import Group

app = typer.Typer(
    name="mauwatch",
    help="How many different people a corporate group reaches in a month, and how close that is to the thresholds "
    "in AI model licences.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.add_typer(keys.app, name="key")
app.add_typer(alerting.app, name="alerts")

GroupDir = Annotated[Path, typer.Option("--group", help="The group directory.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
HERE = Path()


def main() -> None:
    """The entry point: a refusal is said on standard error and ends with 2."""
    pages = []
    try:
        app()
        return
    except RefusedError as error:
        found = error.refusals
    except ModuleNotFoundError as error:
        said = f"{error.name} is missing"
        found = (
            Refusal(Code.SOFTWARE_MISSING, "this command", "needs the centre's packages", said, "pip install 'mauwatch[group]'"),
        )
    except OSError as error:
        said = str(error.strerror)
        pages = [runbook.Page.DISK] if error.errno == errno.ENOSPC else []
        found = (
            Refusal(Code.FILE_UNUSABLE, str(error.filename or "a file"), "can't be read or written", said, "see to the path"),
        )
    from dashboards import terminal

    console.errors().print(terminal.refusals(found))
    for line in runbook.lines(pages or map(runbook.of_refusal, found)):
        console.errors().print(line)
    sys.exit(2)


def _read(directory: Path) -> "Group":
    from affiliates.manifests import read_group

    return read_group(directory)


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    name: Annotated[str, typer.Option(help="The group's short name: a-z, 0-9, dot, dash.")] = "my-group",
    time_zone: Annotated[str, typer.Option(help="Whose calendar months are measured.")] = "UTC",
) -> None:
    """Make a group directory that runs as it is, to be replaced by one's own files."""
    from dashboards import starter

    for path in starter.write(directory, name, time_zone):
        typer.echo(path)
    typer.echo(f"\nNext: mauwatch run --group {directory} --from 2025-01-01 --to 2025-01-31")
    typer.echo(f"then: mauwatch measure --group {directory} --month 2025-01")


@app.command()
def validate(group: GroupDir = HERE, as_json: Json = False) -> None:
    """Check the manifests, and show who is in the group and by which path."""
    from affiliates import manifests
    from dashboards import terminal
    from pipelines import registry

    try:
        found = _read(group)
        mistakes = [*registry.unknown(found, registry.from_directory(group)), *manifests.mistakes_in_attested(group, found)]
        if mistakes:
            raise RefusedError(*mistakes)
    except RefusedError as error:
        if as_json:
            console.print_json({"valid": False, "mistakes": [refusal.to_dict() for refusal in error.refusals]})
        else:
            console.plain().print(terminal.refusals(error.refusals), f"\n{len(error.refusals)} mistakes", sep="")
        raise typer.Exit(1) from None
    today = local_day(datetime.now(UTC), found.settings.time_zone)
    paths = found.affiliates(today)
    members = {name: [str(step) for step in steps] for name, steps in paths.items()}
    outside = {name: found.why_outside(name, members, today) for name in found.entities if name not in members}
    if as_json:
        console.print_json(
            {"valid": True, "group": found.settings.group, "on": today.isoformat(), "affiliates": members, "outside": outside}
        )
        return
    rows: list[tuple[str, str, str | Text]] = [
        (name, str(len(found.entities[name].products)), "; ".join(steps) or "the ultimate parent")
        for name, steps in members.items()
    ]
    rows += [(name, str(len(found.entities[name].products)), Text(why, "yellow")) for name, why in outside.items()]
    console.plain().print(terminal.table(f"{found.settings.group} on {today}", ("entity", "products", "path"), rows, (1,)))


@app.command()
def doctor(group: GroupDir = HERE, as_json: Json = False) -> None:
    """Look at this machine, the settings and the first events of each source; changes nothing."""
    from dashboards import terminal
    from dashboards.doctor import examine

    found = list(examine(group, _read(group), datetime.now(UTC)))
    if as_json:
        console.print_json([{"what": what, "fine": fine, "found": said} for what, fine, said in found])
    else:
        console.plain().print(terminal.checks(found))
    if not all(fine for _, fine, _ in found):
        raise typer.Exit(1)


@app.command()
def run(
    group: GroupDir = HERE,
    first: Annotated[str | None, typer.Option("--from", help="First day to compute again.", metavar="YYYY-MM-DD")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day to compute again.", metavar="YYYY-MM-DD")] = None,
    as_json: Json = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Tell what is done and found in JSON, a line each, on standard error.")
    ] = False,
) -> None:
    """Count the events: what is missing or wasn't settled, or all of a range again; then publish the months."""
    with console.without_collecting():
        from dashboards import logged, terminal
        from pipelines.defs.in_process import run as run_group
    begin, end = console.day_of(first), console.day_of(last)
    if begin and end and begin > end:
        raise typer.BadParameter(f"--from {begin} lies after --to {end}")
    settings = _read(group)
    with logged.log_lines() if log_json else console.progress_bar() as progress:
        report = run_group(group, settings, datetime.now(UTC), begin, end, progress)
    if log_json:
        logged.tell(report)
    if as_json:
        console.print_json(report.to_dict())
    elif not log_json:
        console.plain().print(terminal.report(report))
    if not report.clean:
        raise typer.Exit(1)


@app.command()
def serve(
    group: GroupDir = HERE,
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 is everywhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Of Dagster's pages.", min=1, max=65535)] = 3000,
    health_port: Annotated[int, typer.Option(help="Of /health.", min=1, max=65535)] = 3001,
) -> None:
    """Let the number come by itself: schedules, runs and Dagster's pages, until it is told to stop. Logs in JSON."""
    from pipelines.defs import serve as served
    from pipelines.log import Log

    served.serve(group, _read(group), served.Address(host, port, health_port), Log(sys.stdout, "serve"))


app.command()(measuring.measure)


@app.command()
def close(
    month: Annotated[str, typer.Argument(help="The calendar month.", metavar="YYYY-MM")],
    by: Annotated[str, typer.Option(help="Who signs.", metavar="NAME")],
    despite: Annotated[str | None, typer.Option(help="Why, although something is open.", metavar="REASON")] = None,
    restates: Annotated[str | None, typer.Option(help="Why, although it is closed already.", metavar="REASON")] = None,
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """Sign a month: from then on its figures stand, whatever comes later; to change them is to restate them."""
    from dashboards import answer, terminal
    from pipelines import closing, collected
    from pipelines.collect import Centre

    first, settings = console.month_of(month), _read(group)
    with Centre(group, settings, datetime.now(UTC)) as centre:
        closing.close(centre, first, closing.Signature(by, despite, restates))
        chosen = measuring.reading_of(settings, None, month_end(first))
        found, publication = closing.shown(centre.store(), settings, first, chosen)
        head = closing.head(centre.store(), first)
    told = json.loads(publication.collected) if publication and publication.collected else {}
    if as_json:
        more = {"collected": told, "ledger_head": {"number": head.number, "digest": head.digest}}
        console.print_json(answer.to_dict(found, publication) | more)
        return
    said = [Text(line) for line in collected.said(told)] if told else []
    said.append(Text(f"Ledger, entry {head.number}: {head.digest}"))
    said.append(Text("Print that line and mail it to outside counsel: no other ledger of this month has it."))
    console.plain().print(Stack(terminal.measured(found, settings, publication), *said))


app.command()(receiving.receive)
app.command()(evidencing.evidence)
app.command()(evidencing.verify)
app.command()(erasing.erase)
app.command()(licensing.licences)
app.command()(forecasting.forecast)
app.command()(crosswalks.crosswalk)


class Data(StrEnum):
    """Which group a demo counts."""

    conglomerate = "conglomerate"
    git_activity = "git-activity"


@app.command()
def demo(
    directory: Annotated[Path, typer.Argument(help="Where the demo's group directory is put.")] = Path("mauwatch-demo"),
    data: Annotated[Data, typer.Option(help="Made-up people at real size, or real commits of 39 projects.")] = Data.conglomerate,
    scale: Annotated[float, typer.Option(help="Of the conglomerate: 0.01 makes 7 million people of 690.", min=1e-6, max=1)] = 1,
    today: Annotated[str | None, typer.Option(help="Play it as on this day.", metavar="YYYY-MM-DD")] = None,
    as_json: Json = False,
) -> None:
    """Count a group of 690 million people, and compare each figure with the truth; or a real one."""
    from dashboards import show_demo

    day, now = console.day_of(today), datetime.now(UTC)
    if day is not None:
        now = min(now, datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
    if data == Data.conglomerate:
        show_demo.conglomerate(directory, now, scale, as_json)
    else:
        show_demo.git_activity(directory, now, as_json)


app.command()(contributing.contribute)
app.command()(contributing.inspect)


if __name__ == "__main__":
    main()
