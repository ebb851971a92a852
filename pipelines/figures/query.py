"""A month's figures as they stand, as they stood on a day, or of another window of days."""

from datetime import date, datetime

from affiliates.errors import Code, RefusedError, refused
from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import end_of
from pipelines.counting import measure
from pipelines.counting.inputs import gather, gather_window
from pipelines.counting.measure import Measured
from pipelines.counting.window import Days
from pipelines.figures.rows import read
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import Publication


def known_on(day: date, group: Group) -> datetime:
    """The moment after which a day's knowledge is over, in the group's zone."""
    return end_of("day", day, group.settings.time_zone)


def figures_of_month(
    store: ContributionStore, group: Group, month: date, reading: Reading, as_known_on: date | None = None, anew: bool = False
) -> tuple[Measured, Publication | None]:
    """A month's figures as they stand, and the publication they are from; null for what isn't published yet.

    What is signed stands, what is preliminary is measured by what the store has now. `as_known_on`: what
    had been published by the end of a day; `anew`: by what the store has now, although it was signed.
    Raises `RefusedError` where there is nothing.
    """
    name = f"the group in {month:%Y-%m}"
    if as_known_on is not None:
        found = publications.in_force(store, month, known_on(as_known_on, group)).get((month, reading.name))
        if found is None:
            raise refused(
                Code.FIGURE_MISSING,
                name,
                "nothing had been published",
                f"by {as_known_on}, under {reading.name}",
                "ask for a later day, or a month",
            )
        return read(store, found, reading), found
    found = publications.in_force(store, month).get((month, reading.name))
    if found is not None and found.signed and not anew:
        return read(store, found, reading), found
    inputs = gather(store, group, month, reading)
    if inputs.is_empty:
        raise _no_data(store, name, "this month")
    return measure.measure(store, group, inputs), None


def figures_of_window(store: ContributionStore, group: Group, days: Days, reading: Reading) -> Measured:
    """People in other days than a calendar month's, by what the store has now: of these nothing is published, and nothing rests
    on them. Raises `RefusedError` where there is nothing."""
    inputs = gather_window(store, group, days, reading)
    if inputs.is_empty:
        raise _no_data(store, f"the group, {days}", "these days")
    return measure.measure(store, group, inputs)


def _no_data(store: ContributionStore, subject: str, what: str) -> RefusedError:
    months = store.read_months()
    there = f"there are {months[0]:%Y-%m} to {months[-1]:%Y-%m}" if months else "the store is empty"
    return refused(Code.FIGURE_MISSING, subject, f"no data: nothing was contributed for {what}", there, "run it: mauwatch run")
