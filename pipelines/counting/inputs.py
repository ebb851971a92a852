"""What a window's figures rest on: who is in the group, which products are due, which contributions and counts are there.

The window is the calendar month. Other windows are labelled and never published (decision 51).

A bound is a bound or it isn't given: the upper bound is null while anything that is due is missing, or was computed before it
settled, and has neither a count nor a ceiling (decision 3).
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from itertools import groupby
from typing import NamedTuple

from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.product import Product, ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import month_of
from pipelines.counting import exclusions, overlap, stand_ins
from pipelines.counting.convention import FIRST_WITH_CONTRADICTIONS, METHOD, said_ranges
from pipelines.counting.window import Days, Window
from pipelines.records import ContributionReader, Position, StatedCount, StoredContribution

ByProduct = Mapping[ProductRef, Sequence[StoredContribution]]
NEEDS_RUN = exclusions.RUN_COMPUTES
"""How each text of `under_earlier_settings` ends."""


@dataclass(frozen=True)
class Inputs:
    """All that a window's figures rest on, under one reading."""

    window: Days
    reading: Reading
    members: tuple[str, ...]
    """The affiliates of the group, by id."""
    due: tuple[tuple[ProductRef, Product], ...]
    """The products of the members that live in the window."""
    versions: tuple[StoredContribution, ...]
    """Current contributions of due products, each of one grain in a month: the window's, and those of another zone's days or
    of whole months that reach into the window."""
    stated_counts: Mapping[ProductRef, StatedCount]
    """By product, the count, or else the ceiling; where the window has days of several months, those of all of them together."""
    not_counted: tuple[str, ...]
    """Who has products or contributions and is left out, and why; and what awaits a run. Part of a publication."""
    digest: str
    """SHA-256 in hex of what can move a figure (decision 28)."""
    unerased: str = ""
    """The same digest as if no sketch had been erased (decision 46); empty where that isn't known."""
    least_people: Mapping[ProductRef, int] = field(default_factory=dict)
    """By product, the largest count of a month that lies in the window whole: the product has at least as many people."""
    method: int = METHOD
    """The version of counting that the figures are made by."""
    ceilings: Mapping[ProductRef, StatedCount] = field(default_factory=dict)
    """By product that has a count, the ceiling beside it: it can contradict the count."""
    other_grain: tuple[StoredContribution, ...] = ()
    """Current contributions of the month in the grain that isn't counted: they can contradict those that are."""

    @property
    def month(self) -> date:
        """The month's first day, where the window is a month."""
        return self.window.first

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was contributed for the window."""
        # Another zone's day beside a month carries the next month's label: alone, the day is no contribution for the month.
        first, last = (self.window.first, self.window.last) if self.window.is_month else (date.min, date.max)
        return not self.stated_counts and not any(first <= v.activity_date <= last for v in self.versions)


def gather(
    reader: ContributionReader,
    group: Group,
    month: date,
    reading: Reading,
    on: date | None = None,
    up_to: Position | None = None,
    method: int = METHOD,
) -> Inputs:
    """What a month's figures rest on, for the group as it is on a day (default: the month's last).

    `up_to`: only the contributions and counts that the store held when it was filled so far. `method`: the version of counting
    that is to make the figures, or has made them.
    """
    return gather_window(reader, group, Days.from_month(month), reading, on, up_to, method)


def gather_window(
    reader: ContributionReader,
    group: Group,
    days: Days,
    reading: Reading,
    on: date | None = None,
    up_to: Position | None = None,
    method: int = METHOD,
) -> Inputs:
    """What the figures of any window rest on, for the group as it is on a day (default: the window's last); as `gather`."""
    window = Window.from_days(days, group.settings.time_zone)
    membership_day = on or window.last
    members = tuple(sorted(group.affiliates(membership_day, reading.control_share)))
    near = _near(reader, group, window, up_to)
    due = tuple(
        (ref, product)
        for member in members
        for product in group.entities[member].products
        if window.product_lives(product, near.get(ref := ProductRef(member, product.product), ()))
    )
    versions = tuple(v for ref, product in due for v in _of_one_grain(near.get(ref, ()), product))
    months = window.months
    bounds = stand_ins.stated_bounds(reader.read_counts(months[0], months[-1], up_to), due, window)
    stated_counts = {ref: stated.most for ref, stated in bounds.items() if stated.most}
    least_people = {ref: stated.least for ref, stated in bounds.items() if stated.least is not None}
    said = said_ranges(method, group.settings)
    compares = window.is_month and method >= FIRST_WITH_CONTRADICTIONS
    ceilings = {ref: stated.ceiling for ref, stated in bounds.items() if stated.ceiling and compares}
    counted = {v.id for v in versions}
    others = [v for ref, _ in due for v in near.get(ref, ()) if compares and window.includes(v) and v.id not in counted]
    beside = _Beside(ceilings, tuple(others))
    digests = _digests(group, reading, window, days, due, versions, stated_counts, least_people, said, beside)
    within = [v for v in versions if window.includes(v)]
    not_counted = tuple(exclusions.reasons(group, members, membership_day, near, due, within, window.is_month))
    return Inputs(
        days,
        reading,
        members,
        due,
        versions,
        stated_counts,
        not_counted,
        digests.digest,
        digests.unerased,
        least_people,
        method,
        *beside,
    )


def limited_to(inputs: Inputs, group: Group, names: Collection[str]) -> Inputs:
    """The same inputs as if no other products were due than these (affiliate/product)."""
    due = tuple((ref, product) for ref, product in inputs.due if str(ref) in names)
    refs = {ref for ref, _ in due}
    versions = tuple(v for v in inputs.versions if v.ref in refs)
    stated_counts = {ref: count for ref, count in inputs.stated_counts.items() if ref in refs}
    least_people = {ref: least for ref, least in inputs.least_people.items() if ref in refs}
    ceilings = {ref: ceiling for ref, ceiling in inputs.ceilings.items() if ref in refs}
    beside = _Beside(ceilings, tuple(v for v in inputs.other_grain if v.ref in refs))
    window = Window.from_days(inputs.window, group.settings.time_zone)
    said = said_ranges(inputs.method, group.settings)
    digests = _digests(group, inputs.reading, window, inputs.window, due, versions, stated_counts, least_people, said, beside)
    return replace(
        inputs,
        due=due,
        versions=versions,
        stated_counts=stated_counts,
        least_people=least_people,
        digest=digests.digest,
        unerased=digests.unerased,
        ceilings=beside.ceilings,
        other_grain=beside.other_grain,
    )


def under_earlier_settings(inputs: Inputs, group: Group) -> list[str]:
    """The products whose contributions rest on other settings than the manifests', a text each: what a run computes anew."""
    return list(exclusions.stale(group, inputs.due, inputs.versions))


def _near(reader: ContributionReader, group: Group, window: Window, up_to: Position | None) -> ByProduct:
    """By product, the contributions that have a day in the window by label, or a moment in the window by their own zone."""
    near: dict[ProductRef, list[StoredContribution]] = defaultdict(list)
    # A month is hashed by one key alone, so months never read a day's second contribution (decision 51).
    for version in reader.read_around(window.first, window.last, up_to, next_epoch=not window.is_month):
        if window.includes(version) or window.touches(version):
            near[version.ref].append(version)
    epoch = group.settings.epoch_of(month_of(window.last)).epoch
    for ref, contributions in near.items():
        if any(v.next_epoch for v in contributions):
            near[ref] = overlap.choose(contributions, epoch, *overlap.read_events(reader, ref))
    return near


class _Beside(NamedTuple):
    """What isn't counted and may contradict what is."""

    ceilings: Mapping[ProductRef, StatedCount]
    other_grain: tuple[StoredContribution, ...]


class _Digests(NamedTuple):
    digest: str
    unerased: str


def _digests(
    group: Group,
    reading: Reading,
    window: Window,
    days: Days,
    due: Sequence[tuple[ProductRef, Product]],
    versions: Sequence[StoredContribution],
    stated_counts: Mapping[ProductRef, StatedCount],
    least_people: Mapping[ProductRef, int],
    said: Mapping[str, Sequence[float | None]],
    beside: _Beside,
) -> _Digests:
    """SHA-256 over all that can move a figure, and the same as if no sketch had been erased.

    Row numbers and times of computation aren't part of the digest, so that any store with the same contributions gives the
    same digest (decision 28). The keys and their order of writing are those of published months: they must never change.
    """
    content: dict[str, object] = {
        "zone": group.settings.time_zone,
        "audiences": reading.audiences,
        "due": [
            (ref.affiliate, p.model_dump(mode="json", include={"product", "grain", "settles_after", "from_", "to"}))
            for ref, p in due
        ],
        "versions": sorted([*v.content, str(is_settled(v, group))] for v in versions),
        "given": [asdict(stated) for _, stated in sorted(stated_counts.items())],
    }
    # Signed months have the digest that was made before there were other windows, so a month's content has neither key.
    if not window.is_month:
        content |= {"window": asdict(days), "least": sorted(least_people.items())}
    # A month of a group that says nothing of its namespaces keeps the digest of methods 1 and 2.
    if said:
        content |= {"namespaces": said}
    # Months without them keep the digest of the methods before.
    if beside.ceilings:
        content |= {"ceilings": [asdict(ceiling) for _, ceiling in sorted(beside.ceilings.items())]}
    if beside.other_grain:
        content |= {"other_grain": sorted(v.content for v in beside.other_grain)}
    unerased = _sha256(content)
    erased = sorted(f"{v.ref} {v.grain} {v.activity_date} {v.erased_at}" for v in versions if v.erased_at)
    return _Digests(_sha256(content | {"erased": erased}) if erased else unerased, unerased)


def _sha256(content: Mapping[str, object]) -> str:
    """SHA-256 in hex of the content as JSON with sorted keys; dates as ISO texts."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def is_settled(version: StoredContribution, group: Group) -> bool:
    """Whether the contribution was computed after its period's late events had arrived."""
    return version.computed_at >= settles_at(group, version.ref, version.grain, version.activity_date, version.day_zone)


def _of_one_grain(near: Sequence[StoredContribution], product: Product) -> Iterator[StoredContribution]:
    """A product's contributions of each month in the product's own grain where there are any, else in the other grain.

    Days and a month of one product are two computations of the same people, perhaps under other settings, so they are never
    united (decision 15). Both may be there: months were handed in whole, and days since. `near` is in order of days.
    """
    for _, same_month in groupby(near, key=lambda v: month_of(v.activity_date)):
        contributions = list(same_month)
        own_grain = [v for v in contributions if v.grain == product.grain]
        yield from own_grain or contributions
