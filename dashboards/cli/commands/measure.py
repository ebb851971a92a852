"""The command `measure`: a calendar month as it stands, or another window by what the store has."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affiliates.periods import DAY, local_day, month_end
from dashboards.cli import console
from dashboards.cli.options import Json

if TYPE_CHECKING:
    from affiliates.manifests.group import Group
    from affiliates.manifests.readings import Reading
    from pipelines.counting.window import Days


_OTHERS = "Windows that no licence tests"


def measure(
    month: Annotated[str | None, typer.Option(help="The calendar month.", metavar="YYYY-MM")] = None,
    group: Annotated[Path, typer.Option(help="The group directory.", metavar="DIR")] = Path(),
    reading: Annotated[str | None, typer.Option(help="A reading of readings.yaml; else the one of record.")] = None,
    as_known_on: Annotated[
        str | None, typer.Option(help="What had been published by the end of this day.", metavar="YYYY-MM-DD")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="By what the store and the manifests have now, whatever is published.")
    ] = False,
    trailing: Annotated[
        int | None, typer.Option(help="Instead of a month: so many days, 28 or 30.", metavar="DAYS", rich_help_panel=_OTHERS)
    ] = None,
    to_date: Annotated[bool, typer.Option("--to-date", help="Instead: a month's days so far.", rich_help_panel=_OTHERS)] = False,
    to: Annotated[
        str | None,
        typer.Option(help="The last day of these; else the last that is over.", metavar="YYYY-MM-DD", rich_help_panel=_OTHERS),
    ] = None,
    as_json: Json = False,
) -> None:
    """People in a month: products, affiliates and the group, with bounds and coverage. Or in another window, always labelled."""
    from affiliates.manifests.loader import read_group
    from dashboards.cli import answers, tables
    from pipelines.figures import changes, data_findings, query, signed_readings
    from pipelines.store import contributions, moments

    _check_one([("--month", month is not None), ("--trailing", trailing is not None), ("--to-date", to_date)])
    first = month and console.month_of(month)
    day = console.day_of(as_known_on)
    last = console.day_of(to)
    # Only calendar months are published, so only they have a past and a signed figure to look beside.
    if first is None and (day or anew):
        raise typer.BadParameter("--as-known-on and --anew go with --month: no other window is published")
    if day and anew:
        raise typer.BadParameter("--as-known-on and --anew ask for two things")
    if first and last:
        raise typer.BadParameter("--to goes with --trailing or --to-date: a month has its own last day")
    # The two windows that companies report; any other number would be compared with theirs by mistake.
    if trailing not in (None, 28, 30):
        raise typer.BadParameter("--trailing is 28 or 30")
    settings = read_group(group)
    changed: list[str] = []
    notes: list[str] = []
    if first:
        chosen = reading_of(settings, reading, month_end(first))
        with contributions.open_store(settings.settings.store, group) as store, store.snapshot() as fixed:
            measured, publication = query.figures_of_month(fixed, settings, first, chosen, day, anew)
            # Of a past day's figures nobody knows what the data had shown.
            findings = [] if day else data_findings.read_month(fixed, settings, first)
            # What had been published by a past day is history: nothing is to be done about changes since.
            if publication is not None and publication.reading != chosen.name:
                known = {known.name for known in settings.readings.readings}
                notes = [f"{signed_readings.describe(publication, chosen, known)}."]
            elif publication is not None and day is None:
                changed = changes.since_published(fixed, settings, chosen, publication)
                notes = [f"{changes.describe(publication, changed)}."] if changed else []
            ahead = 0 if day else moments.computed_ahead(fixed, first, month_end(first), datetime.now(UTC))
        if publication is None:
            notes = ["Not published: measured by what the store and the manifests have now."]
        if ahead:
            notes.append(f"Contributions computed at a moment that is still to come: {ahead}. `mauwatch run` computes them anew.")
    else:
        # A day that isn't over would make the window look small.
        days = _days(trailing, last or last_over(settings, datetime.now(UTC)))
        publication = None
        chosen = reading_of(settings, reading, days.last)
        with contributions.open_store(settings.settings.store, group) as store, store.snapshot() as fixed:
            measured = query.figures_of_window(fixed, settings, days, chosen)
            findings = [
                finding
                for month in days.months
                for finding in data_findings.read_month(fixed, settings, month)
                if finding.first is None or finding.first <= days.last
            ]
    if as_json:
        console.print_json(answers.to_dict(measured, settings, publication, findings, changed))
    else:
        # Nobody has kept what group.yaml said on a past day.
        doubted = day is not None or any(changes.OTHER_SETTINGS in text for text in changed)
        console.output().print(tables.measured(measured, settings, publication, findings, notes, doubted))


def reading_of(group: "Group", name: str | None, day: date) -> "Reading":
    """The reading asked for, else the reading of record on that day, else the first."""
    readings = {r.name: r for r in group.readings.readings}
    if name is not None:
        if name not in readings:
            raise typer.BadParameter(f"no reading {name}; there are {', '.join(readings)}")
        return readings[name]
    return group.readings.reading_on(day)


def _check_one(asked: list[tuple[str, bool]]) -> None:
    given = [name for name, is_given in asked if is_given]
    if not given:
        raise typer.BadParameter("say which days: --month YYYY-MM, --trailing 28, --trailing 30 or --to-date")
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)} ask for two windows: name one")


def last_over(group: "Group", now: datetime) -> date:
    """The last day that is over in the group's zone."""
    return local_day(now, group.settings.time_zone) - DAY


def _days(trailing: int | None, last: date) -> "Days":
    from pipelines.counting.window import Days

    if trailing is None:
        return Days.to_date(last)
    return Days.trailing(28 if trailing == 28 else 30, last)
