"""A month's figures as they are in force, as they were on a day, or the figures of another window of days."""

from dataclasses import replace
from datetime import date, datetime

from affiliates.errors import Code, RefusedError, refused
from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import end_of, month_days
from pipelines.counting import measure
from pipelines.counting.inputs import gather, gather_window
from pipelines.counting.measure import Measured
from pipelines.counting.window import Days
from pipelines.figures import signed_readings
from pipelines.figures.rows import read_figures
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import Publication


def known_on(day: date, group: Group) -> datetime:
    """The first moment after a day in the group's zone: what was known on the day was known before."""
    return end_of("day", day, group.settings.time_zone)


def figures_of_month(
    store: ContributionStore, group: Group, month: date, reading: Reading, as_known_on: date | None = None, anew: bool = False
) -> tuple[Measured, Publication | None]:
    """A month's figures as they are published, and their publication; null for figures that were measured and aren't published.

    A month that is signed by other readings alone has the figures of one of them, under its name. Another month without a
    publication is measured by what the store has now. `as_known_on`: the figures that had been published by
    the end of a day; `anew`: measured by what the store and the manifests have now, whatever is published. What has changed
    since the publication says `changes`. Raises `RefusedError` where there are no figures.
    """
    name = f"the group in {month:%Y-%m}"
    if as_known_on is not None:
        known = publications.in_force(store, month, known_on(as_known_on, group)).get((month, reading.name))
        if known is None:
            raise refused(
                Code.FIGURE_MISSING,
                name,
                "nothing had been published",
                f"by {as_known_on}, under {reading.name}",
                "ask for a later day, or a month",
            )
        return _read(store, known, reading), known
    in_force = publications.in_force(store, month)
    published = in_force.get((month, reading.name))
    if published is not None and not anew:
        return _read(store, published, reading), published
    if not anew and (signed := signed_readings.standing(in_force, group, month, reading)):
        by, publication = signed
        return _read(store, publication, by), publication
    inputs = gather(store, group, month, reading)
    if inputs.is_empty:
        raise _no_data(store, name, "this month")
    return measure.measure(store, group, inputs), None


def _read(store: ContributionStore, publication: Publication, reading: Reading) -> Measured:
    """The figures as they were published, with the namespaces of the sketches that the store has of the month."""
    namespaces = {cell.namespace for cell in store.read_cells(month_days(publication.month))}
    return replace(read_figures(store, publication, reading), namespaces=tuple(sorted(namespaces)))


def figures_of_window(store: ContributionStore, group: Group, days: Days, reading: Reading) -> Measured:
    """The figures of other days than a calendar month's, measured by what the store has now.

    Such figures are never published, and nothing rests on them. Raises `RefusedError` where nothing was contributed.
    """
    inputs = gather_window(store, group, days, reading)
    if inputs.is_empty:
        raise _no_data(store, f"the group, {days}", "these days")
    return measure.measure(store, group, inputs)


def _no_data(store: ContributionStore, subject: str, what: str) -> RefusedError:
    """The error for days without any contribution: it names the months that there are."""
    months = store.read_months()
    known = f"there are {months[0]:%Y-%m} to {months[-1]:%Y-%m}" if months else "the store is empty"
    return refused(Code.FIGURE_MISSING, subject, f"no data: nothing was contributed for {what}", known, "run it: mauwatch run")
