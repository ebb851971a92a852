"""Second contributions, under the coming epoch's key: which of them a window takes in the place of a day's own.

The 29 days before a new epoch are contributed under both keys, so that a trailing window has one key for all its days
(decision 51). A second contribution that isn't of the same events would make a window silently low. So a window takes a second
one only where nothing speaks against it; a day's own contribution, under another key, widens the window's bounds instead.

Pure but for `read_events`.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from affiliates.manifests.product import ProductRef
from pipelines.records import ContributionReader, StoredContribution

Events = Mapping[date, int]
"""Numbers of events by day."""


def read_events(reader: ContributionReader, ref: ProductRef) -> tuple[Events, Events]:
    """By day, the events of a product's own contributions, and of the second ones; days that name no number are left out."""
    return reader.read_events(ref), reader.read_events(ref, next_epoch=True)


def differing_days(own: Events, second: Events) -> set[date]:
    """Days whose two contributions are of other numbers of events."""
    return {day for day in own.keys() & second.keys() if own[day] != second[day]}


def choose(near: Sequence[StoredContribution], epoch: str, own: Events, second: Events) -> list[StoredContribution]:
    """One contribution a day of a product, in order of days, and the whole months among them.

    The day's own contribution, or the second one where that is under the key of `epoch` and the own one isn't. A second
    contribution whose sketches were erased never takes the place of the own one.
    """
    own_days = {v.activity_date: v for v in near if v.grain == "day" and not v.next_epoch}
    replacing = {
        v.activity_date: v
        for v in near
        if v.next_epoch and v.key_epoch == epoch and not v.erased_at and _replaces(v, own_days.get(v.activity_date), own, second)
    }
    # Whole months stay beside the days: which of the two grains counts is decided afterwards, by the product's own.
    kept = [v for v in near if not v.next_epoch and (v.grain != "day" or v.activity_date not in replacing)]
    return sorted([*kept, *replacing.values()], key=lambda v: v.activity_date)


def _replaces(second: StoredContribution, own: StoredContribution | None, events: Events, second_events: Events) -> bool:
    """Whether the second contribution is of as many events as the day's own.

    Where the second one has more events, or one of them names no number, the second one replaces the own one if it was computed
    no earlier: events that came late are in the later computation alone.
    """
    if own is None:
        return True
    # Under one key the own contribution is as good; another definition or zone would count other people.
    if own.key_epoch == second.key_epoch or own.definition != second.definition or own.day_zone != second.day_zone:
        return False
    day = own.activity_date
    if day in events and day in second_events and events[day] >= second_events[day]:
        return events[day] == second_events[day]
    return second.computed_at >= own.computed_at
