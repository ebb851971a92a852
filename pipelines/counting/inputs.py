"""From contributions to a window's figures: who is in the group, what was due, what is there. The window is the calendar
month; others are labelled and never published.

A bound is a bound or it isn't given: the upper one is null while anything that is due is missing,
or was computed before it settled, and has neither a count nor a ceiling.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import groupby

from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.product import Product, ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import month_of
from pipelines.counting import exclusions, overlap, product_share
from pipelines.counting.window import Days, Window
from pipelines.records import ContributionReader, Position, StatedCount, StoredContribution

METHOD = 2
"""Grows with every change of counting that can move a figure: then preliminary figures are published anew."""


@dataclass(frozen=True)
class Inputs:
    """All that a window's figures rest on, under one reading."""

    window: Days
    reading: Reading
    members: tuple[str, ...]
    due: tuple[tuple[ProductRef, Product], ...]
    versions: tuple[StoredContribution, ...]
    """Current contributions of due products, each of one grain in a month: the window's, and those of another zone's days or
    of whole months that reach into it."""
    given: Mapping[ProductRef, StatedCount]
    """A product's count, or else its ceiling; of several months, all of theirs together."""
    not_counted: tuple[str, ...]
    """Who has products or contributions and is left out, and why; and what awaits a run."""
    digest: str
    unerased: str = ""
    """The same digest as if no sketch had been erased; empty where that isn't known."""
    least: Mapping[ProductRef, int] = field(default_factory=dict)
    """A product's count of a month that lies in the window whole: it has at least as many people."""

    @property
    def month(self) -> date:
        """The month's first day, where the window is one."""
        return self.window.first

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was contributed for the window; days beside a month, by their label, are the next month's."""
        first, last = (self.window.first, self.window.last) if self.window.is_month else (date.min, date.max)
        return not self.given and not any(first <= v.activity_date <= last for v in self.versions)


def gather(
    warehouse: ContributionReader,
    group: Group,
    month: date,
    reading: Reading,
    on: date | None = None,
    up_to: Position | None = None,
) -> Inputs:
    """What the month's figures rest on, for the group as it is on a day (default: the month's last).

    `up_to`: of contributions and counts, what the store had when it was filled so far.
    """
    return gather_window(warehouse, group, Days.from_month(month), reading, on, up_to)


def gather_window(
    warehouse: ContributionReader,
    group: Group,
    days: Days,
    reading: Reading,
    on: date | None = None,
    up_to: Position | None = None,
) -> Inputs:
    """What the figures of any window rest on; as `gather`."""
    window = Window.from_days(days, group.settings.time_zone)
    last = window.last
    members = tuple(sorted(group.affiliates(on or last, reading.control_share)))
    near: dict[ProductRef, list[StoredContribution]] = defaultdict(list)
    for version in warehouse.read_around(window.first, last, up_to, next_epoch=not window.is_month):
        if window.names(version) or window.touches(version):
            near[version.ref].append(version)
    epoch = group.settings.epoch_of(month_of(last)).epoch
    for ref, found in near.items():
        if any(v.next_epoch for v in found):
            near[ref] = overlap.chosen(found, epoch, *overlap.events_of(warehouse, ref))
    due = tuple(
        (ref, product)
        for member in members
        for product in group.entities[member].products
        if window.has_life_of(product, near.get(ref := ProductRef(member, product.product), ()))
    )
    versions = tuple(v for ref, product in due for v in _of_one_grain(near.get(ref, ()), product))
    months = window.months
    numbers = product_share.stated_bounds(warehouse.read_counts(months[0], months[-1], up_to), due, window)
    given = {key: g.most for key, g in numbers.items() if g.most}
    least = {key: g.least for key, g in numbers.items() if g.least is not None}
    said: dict[str, object] = {
        "zone": group.settings.time_zone,
        "audiences": reading.audiences,
        "due": [
            (ref.affiliate, p.model_dump(mode="json", include={"product", "grain", "settles_after", "from_", "to"}))
            for ref, p in due
        ],
        "versions": sorted(_said_of(v, group) for v in versions),
        "given": [asdict(g) for _, g in sorted(given.items())],
    }
    if not window.is_month:  # What months' figures rest on is told as before there were others: signed months have its digest.
        said |= {"window": asdict(days), "least": sorted(least.items())}
    unerased = _digest(said)
    erased = sorted(f"{v.ref} {v.grain} {v.activity_date} {v.erased_at}" for v in versions if v.erased_at)
    digest = _digest(said | {"erased": erased}) if erased else unerased
    within = [v for v in versions if window.names(v)]
    not_counted = tuple(exclusions.reasons(group, members, on or last, near, due, within, window.is_month))
    return Inputs(days, reading, members, due, versions, given, not_counted, digest, unerased, least)


def _digest(said: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _said_of(v: StoredContribution, group: Group) -> list[str]:
    return [*v.content, str(_is_settled(v, group))]


def _is_settled(v: StoredContribution, group: Group) -> bool:
    return v.computed_at >= settles_at(group, v.ref, v.grain, v.activity_date, v.day_zone)


def _of_one_grain(near: Sequence[StoredContribution], product: Product) -> Iterator[StoredContribution]:
    """A product's contributions of each month in its own grain where there are any, else in the other: months may have been
    handed in whole, and days since.

    Days and a month of one product are two computations of the same people, perhaps under other settings.
    """
    for _, each in groupby(near, key=lambda v: month_of(v.activity_date)):
        found = list(each)
        of_its_own = [v for v in found if v.grain == product.grain]
        yield from of_its_own or found
