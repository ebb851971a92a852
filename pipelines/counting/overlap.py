"""Second contributions, under the coming epoch's key: which of them a window takes in the place of a day's own. Pure but for
`events_of`.

A second contribution that isn't of the same events would make a window silently low, so it is only taken where nothing speaks
against it; a day's own contribution, under another key, widens the window's bounds.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from affiliates.manifests.product import ProductRef
from pipelines.records import ContributionReader, StoredContribution

Events = Mapping[date, int]


def events_of(holder: ContributionReader, ref: ProductRef) -> tuple[Events, Events]:
    """By day, the events of a product's own contributions, and of the second ones; without those that don't say."""
    return holder.read_events(ref), holder.read_events(ref, next_epoch=True)


def differing(own: Events, second: Events) -> set[date]:
    """Days whose two contributions are of other numbers of events."""
    return {day for day in own.keys() & second.keys() if own[day] != second[day]}


def chosen(near: Sequence[StoredContribution], epoch: str, own: Events, second: Events) -> list[StoredContribution]:
    """A product's contributions, each day's own or, where it is under another key than an epoch's, the second one under that."""
    days = {v.activity_date: v for v in near if v.grain == "day" and not v.next_epoch}
    taken = {
        v.activity_date: v
        for v in near
        if v.next_epoch and v.key_epoch == epoch and not v.erased_at and _replaces(v, days.get(v.activity_date), own, second)
    }
    kept = [v for v in near if not v.next_epoch and (v.grain != "day" or v.activity_date not in taken)]
    return sorted([*kept, *taken.values()], key=lambda v: v.activity_date)


def _replaces(second: StoredContribution, own: StoredContribution | None, events: Events, second_events: Events) -> bool:
    """Whether it is of as many events as the day's own; of more, or where nobody says how many, if it was computed no earlier."""
    if own is None:
        return True
    if own.key_epoch == second.key_epoch or own.definition != second.definition or own.day_zone != second.day_zone:
        return False
    day = own.activity_date
    if day in events and day in second_events and events[day] >= second_events[day]:
        return events[day] == second_events[day]
    return second.computed_at >= own.computed_at
