"""`mauwatch whatif`: what buying, selling or growing would do to the number; kept for whom its owner lets see it.

As in `main.py`, what a command needs is imported inside it. What a person may see is decided by the store, for the operating
system's user: an environment variable, or an option, would be anybody's word.

Over 300 lines: eight small commands of one app, most of each its options and help.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from affiliates.concurrency import write_secret
from affiliates.errors import Code, RefusedError, did_you_mean, refused
from dashboards.cli import console
from dashboards.cli.file_or_command import FileOrCommand
from dashboards.cli.options import HERE, GroupDir, Json, Yes, one_line, read_group

if TYPE_CHECKING:
    from affiliates.manifests.group import Group
    from dashboards.cli.scenario_scaffold import Facts
    from pipelines.scenarios.access import ReadScenario
    from pipelines.store.contributions import ContributionStore


app = typer.Typer(
    cls=FileOrCommand,
    help="What buying, selling or growing would do to the number: before and after, by month, with the chance of being over. "
    "`mauwatch whatif FILE.yaml` runs the scenario of a file; `new` writes one. Kept scenarios are seen by who ran them, and by "
    "whom that person grants it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    subcommand_metavar="FILE.yaml | COMMAND [ARGS]...",
)

Scenario = Annotated[
    str, typer.Argument(metavar="NAME", help="NAME, OWNER/NAME for somebody else's, or either with @VERSION.", callback=one_line)
]
_PICTURES = (".png", ".svg", ".html")
_EXPORTS = (".xlsx", ".csv", *_PICTURES)


def asker() -> str:
    """Who asks: the operating system's user by number, so that no environment variable makes somebody of anybody."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


@contextmanager
def _opened(directory: Path) -> "Iterator[ContributionStore]":
    from pipelines.store import contributions

    with contributions.open_store(read_group(directory).settings.store, directory) as store:
        yield store


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The scenario's file.")],
    plot: Annotated[
        Path | None, typer.Option(help="Draw months and frontier, too.", metavar="FILE.png|FILE.svg|FILE.html")
    ] = None,
    no_keep: Annotated[bool, typer.Option("--no-keep", help="Show the answer, and keep nothing.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Keep it beside another one of its name, as a further version.")] = False,
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """Run a scenario's file and keep the answer. `mauwatch whatif FILE.yaml` is the same.

    It is kept for whoever runs it, under the scenario's name; what was run is never changed.
    """
    from dashboards.cli import scenario_tables
    from pipelines.scenarios import access
    from pipelines.scenarios.file_lines import read_file
    from pipelines.workspace import Workspace

    if plot is not None and plot.suffix not in _PICTURES:
        raise typer.BadParameter("--plot takes a file that ends in .png, .svg or .html")
    if no_keep and again:
        raise typer.BadParameter("--again keeps a further version, and --no-keep nothing")
    if not file.is_file():
        raise _no_file(file)
    scenario = read_file(file)
    definition = scenario.definition
    settings = read_group(group)
    _warn_inside(file, group)
    now = datetime.now(UTC)
    # The store is opened first: a what-if makes none, and changes no schema.
    with _opened(group) as store, Workspace(group, settings, now) as workspace:
        with console.progress_bar() as told, scenario.with_lines():
            answer = access.run(store, workspace, definition, file.parent, told)
        kept = None if no_keep else access.keep(store, asker(), definition, file.parent, answer, now, again)
    if plot is not None:
        _write(plot, answer)
    if as_json:
        console.print_json({**answer.to_dict(), "kept": kept and _short(kept)})
        return
    lines = [f"Kept as {kept.reference}, seen by you alone: mauwatch whatif grant {kept.kept.name} --to PERSON."] if kept else []
    lines += [f"{plot}: months and frontier."] if plot else []
    out = console.output()
    out.print(scenario_tables.answer(answer, lines or ["Not kept."], console.lines_of(out)))


def _no_file(file: Path) -> RefusedError:
    """The refusal of a scenario's file that isn't there; it may be a command's name, misspelt or behind the options."""
    names = [command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands]
    if str(file) in names:
        return refused(Code.USAGE_INVALID, str(file), "is a command", "", f"write its options after it: mauwatch whatif {file}")
    hint = did_you_mean(str(file), names)
    next_step = "write one by `mauwatch whatif new FILE.yaml`; for a kept scenario: mauwatch whatif show NAME"
    return refused(Code.FILE_UNUSABLE, str(file), "is no file", hint if hint != str(file) else "", next_step)


@app.command()
def new(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE.yaml", help="A new file; else it is printed.", show_default=False)
    ] = None,
    group: GroupDir = HERE,
) -> None:
    """Write a scenario for the group at hand. It runs as it is, and each line is explained."""
    from dashboards.cli import scenario_scaffold

    text = scenario_scaffold.scenario(_facts(group))
    if file is None:
        console.print_exactly(text)
        return
    _warn_inside(file, group)
    try:
        write_secret(file, text.encode())
    except FileExistsError:
        raise refused(Code.FILE_EXISTS, str(file), "is there already", "it isn't overwritten", "name a new file") from None
    console.say(f"{file}: a scenario, for its owner's eyes alone. Next: mauwatch whatif {file}")


def _facts(directory: Path) -> "Facts":
    """What the scenario of `new` is written from. Raises `RefusedError` where no month is published."""
    from affiliates.manifests.product import ProductRef
    from affiliates.periods import local_day, month_end
    from dashboards.cli.scenario_scaffold import Facts
    from pipelines.store import publications

    group = read_group(directory)
    record = group.readings.reading_on(local_day(datetime.now(UTC), group.settings.time_zone))
    with _opened(directory) as store:
        months = [month for month, reading in publications.in_force(store) if reading == record.name]
        for month in sorted(months, reverse=True):
            publication = publications.in_force(store, month)[month, record.name]
            figures = publications.figures_of(store, publication.id)
            people = next((row["estimate"] for row in figures if row["scope"] == "group"), None)
            if not people:
                continue
            products = [ProductRef.parse(row["subject"]) for row in figures if row["scope"] == "product"]
            others = [reading.name for reading in group.readings.readings if reading.name != record.name]
            name = group.settings.name or group.settings.group
            return Facts(name, month, people, record.name, others, products, _holder(group, month_end(month)))
    raise refused(
        Code.FIGURE_MISSING, "the scenario", "no month has a figure that it could start from", "", "publish one: mauwatch run"
    )


def _holder(group: "Group", day: date) -> tuple[str, str] | None:
    """The first affiliate that somebody's share makes one on a day, and the first who holds a share of it."""
    for affiliate, path in group.affiliates(day).items():
        if path and path[-1].holders:
            return affiliate, path[-1].holders[0][0]
    return None


@app.command("list")
def list_(group: GroupDir = HERE, as_json: Json = False) -> None:
    """The kept scenarios that you may see, the newest first."""
    from dashboards.cli import scenario_tables
    from pipelines.scenarios import access

    with _opened(group) as store:
        scenarios = access.listed(store, asker())
    if as_json:
        console.print_json([{**_kept(one), "title": one.answer.title, "headline": one.answer.headline} for one in scenarios])
        return
    rows = [(one.reference, f"on {one.kept.known_at:%Y-%m-%d}", one.answer.headline) for one in scenarios]
    console.output().print(scenario_tables.listed(rows))


@app.command()
def show(name: Scenario, group: GroupDir = HERE, as_json: Json = False) -> None:
    """A kept scenario's answer, as it was run."""
    from dashboards.cli import scenario_tables
    from pipelines.scenarios import access

    person = asker()
    with _opened(group) as store:
        one = access.read(store, person, name)
        others = access.shared_with(store, person, one)
    if as_json:
        shared = {"shared_with": others} if one.kept.owner == person else {}
        console.print_json({**one.answer.to_dict(), "kept": {**_kept(one), **shared}, "definition": one.definition.to_dict()})
        return
    by = f"you; seen by {', '.join(others) or 'you alone'}" if one.kept.owner == person else one.kept.owner
    kept = f"{one.reference}: kept at {one.kept.known_at:%Y-%m-%d %H:%M} UTC by {by}."
    out = console.output()
    out.print(scenario_tables.answer(one.answer, [kept], console.lines_of(out)))


@app.command()
def compare(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Two kept scenarios or more, as `list` names them.")],
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """Kept scenarios side by side. Answers, months, chances, and what matters most in each."""
    from dashboards.cli import scenario_tables
    from pipelines.scenarios import access

    if len(set(names)) < 2:
        raise typer.BadParameter("compare takes two scenarios or more")
    with _opened(group) as store:
        comparison = access.compare(store, asker(), names)
    if as_json:
        console.print_json(comparison.to_dict())
        return
    console.output().print(scenario_tables.compared(comparison))


@app.command()
def export(
    name: Scenario,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="The file that is written; its ending says what.", metavar="FILE.xlsx|html|csv|png|svg"),
    ],
    group: GroupDir = HERE,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Write a kept scenario's answer to a file. A workbook, a page, a table, or a picture for a slide."""
    from pipelines.scenarios import access

    if out.suffix not in _EXPORTS:
        raise typer.BadParameter(f"--out takes a file that ends in {', '.join(_EXPORTS)}")
    with _opened(group) as store:
        one = access.read(store, asker(), name)
    if out.exists():
        console.confirm(str(out), f"{out} is there already. Overwrite?", yes)
    _warn_inside(out, group)
    _write(out, one.answer)
    if as_json:
        console.print_json({"file": str(out), "scenario": one.reference})
        return
    console.say(f"{out}: {one.reference}, for its owner's eyes alone.")


@app.command()
def grant(
    name: Scenario,
    to: Annotated[str, typer.Option("--to", help="Who may see it: a user of this system.", metavar="PERSON", callback=one_line)],
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """Let somebody see your scenario. The version that is named, else the newest; later versions stay unseen."""
    from pipelines.scenarios import access

    person = _person(to)
    with _opened(group) as store:
        one = access.grant(store, asker(), name, person, datetime.now(UTC))
    _answer(as_json, [one], person, f"{person} may see {one.reference} now.")


@app.command()
def revoke(
    name: Scenario,
    of: Annotated[str, typer.Option("--from", help="Who may no longer see it.", metavar="PERSON", callback=one_line)],
    group: GroupDir = HERE,
    as_json: Json = False,
) -> None:
    """Let somebody no longer see your scenario. The version that is named, else all; what was exported stays with them."""
    from pipelines.scenarios import access

    person = _person(of)
    with _opened(group) as store:
        seen = access.revoke(store, asker(), name, person, datetime.now(UTC))
    names = ", ".join(one.reference for one in seen)
    _answer(as_json, seen, person, f"{person} may no longer see {names}." if seen else f"{person} didn't see it before.")


@app.command()
def verify(name: Scenario, group: GroupDir = HERE, as_json: Json = False) -> None:
    """Run a kept scenario once more. The same answer, else a refusal that names what has changed."""
    from pipelines.scenarios import access
    from pipelines.workspace import Workspace

    settings = read_group(group)
    with _opened(group) as store, Workspace(group, settings, datetime.now(UTC)) as workspace, console.progress_bar() as told:
        one = access.check(store, workspace, asker(), name, told)
    if as_json:
        console.print_json({**_kept(one), "same": True})
        return
    console.say(f"{one.reference}: the same answer as at {one.kept.known_at:%Y-%m-%d %H:%M} UTC, from the same inputs.")


def _person(name: str) -> str:
    """Somebody's name. Raises `BadParameter` for none, and for one that nobody can have."""
    if not 0 < len(name.strip()) <= 200:
        raise typer.BadParameter("name a person, in at most 200 characters")
    return name.strip()


def _short(one: "ReadScenario") -> dict[str, Any]:
    """What names a kept scenario; nothing of when, so that the same scenario has the same JSON."""
    return {"reference": one.reference, "owner": one.kept.owner, "name": one.kept.name, "version": one.kept.version}


def _kept(one: "ReadScenario") -> dict[str, Any]:
    return {**_short(one), "known_at": one.kept.known_at.isoformat(timespec="seconds"), "program": one.kept.program}


def _answer(as_json: bool, scenarios: "list[ReadScenario]", person: str, sentence: str) -> None:
    if as_json:
        console.print_json({"person": person, "scenarios": [one.reference for one in scenarios]})
    else:
        console.say(sentence)


def _write(path: Path, answer: Any) -> None:
    from dashboards.report.scenario_files import write

    write(answer, path)


def _warn_inside(file: Path, directory: Path) -> None:
    """Say that a file of a deal lies where everybody who keeps the group's manifests sees its name."""
    if file.resolve().is_relative_to(directory.resolve()):
        text = "This file lies in the group directory, whose readers see its name: keep what is about a deal elsewhere."
        console.errors().print(Text(text, "yellow"))
