"""From contributions to a window's figures: who is in the group, what was due, what is there. The window is the calendar
month; others are labelled and never published.

A bound is a bound or it isn't given: the upper one is null while anything that is due is missing,
or was computed before it settled, and has neither a count nor a ceiling.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import groupby

from affiliates.errors import Code, refused
from affiliates.group import Group, Product, ProductRef, Reading
from affiliates.periods import month_end, month_of
from pipelines import ahead, left_out, shares
from pipelines.bounds import Sketches, seen_by, unite
from pipelines.figures import Figure, figure_of
from pipelines.held import GivenCount, Holder, Position, Version, summed_bounds
from pipelines.intake import settles_at
from pipelines.shares import Frame, Given
from pipelines.window import Days, Window

METHOD = 2
"""Grows with every change of counting that can move a figure: then preliminary figures are published anew."""


@dataclass(frozen=True)
class Inputs:
    """All that a window's figures rest on, under one reading."""

    window: Days
    reading: Reading
    members: tuple[str, ...]
    due: tuple[tuple[ProductRef, Product], ...]
    versions: tuple[Version, ...]
    """Current contributions of due products, each of one grain in a month: the window's, and those of another zone's days or
    of whole months that reach into it."""
    given: Mapping[ProductRef, GivenCount]
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


@dataclass(frozen=True)
class Measured:
    """The figures of one window under one reading."""

    inputs: Inputs
    group: Figure
    affiliates: Mapping[str, Figure]
    products: Mapping[str, Figure]

    @property
    def summed(self) -> tuple[int | None, int, int | None]:
        """Estimate, lower and upper bound of the sum over products."""
        return self.group.summed_products, *summed_bounds((f.lower, f.upper) for f in self.products.values())

    @property
    def contradictions(self) -> list[str]:
        """What can't be: a product larger than the group, or the group larger than all products."""
        group, wrong = self.group, []
        for name, figure in self.products.items():
            if group.upper is not None and figure.lower > group.upper:
                wrong.append(f"{name} has at least {figure.lower:,} people, the group at most {group.upper:,}")
        upper = self.summed[2]
        if upper is not None and group.lower > upper:
            wrong.append(f"the group has at least {group.lower:,} people, its products together at most {upper:,}")
        return wrong


def gather(
    warehouse: Holder,
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
    warehouse: Holder,
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
    near: dict[ProductRef, list[Version]] = defaultdict(list)
    for version in warehouse.read_around(window.first, last, up_to, next_epoch=not window.is_month):
        if window.names(version) or window.touches(version):
            near[version.ref].append(version)
    epoch = group.settings.epoch_of(month_of(last)).epoch
    for ref, found in near.items():
        if any(v.next_epoch for v in found):
            near[ref] = ahead.chosen(found, epoch, *ahead.events_of(warehouse, ref))
    due = tuple(
        (ref, product)
        for member in members
        for product in group.entities[member].products
        if window.has_life_of(product, near.get(ref := ProductRef(member, product.product), ()))
    )
    versions = tuple(v for ref, product in due for v in _of_one_grain(near.get(ref, ()), product))
    months = window.months
    numbers = shares.given_by(warehouse.read_counts(months[0], months[-1], up_to), due, window)
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
    not_counted = tuple(left_out.said(group, members, on or last, near, due, within, window.is_month))
    return Inputs(days, reading, members, due, versions, given, not_counted, digest, unerased, least)


def _digest(said: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _said_of(v: Version, group: Group) -> list[str]:
    return [*v.content, str(_is_settled(v, group))]


def _is_settled(v: Version, group: Group) -> bool:
    return v.computed_at >= settles_at(group, v.ref, v.grain, v.activity_date, v.day_zone)


def _of_one_grain(near: Sequence[Version], product: Product) -> Iterator[Version]:
    """A product's contributions of each month in its own grain where there are any, else in the other: months may have been
    handed in whole, and days since.

    Days and a month of one product are two computations of the same people, perhaps under other settings.
    """
    for _, each in groupby(near, key=lambda v: month_of(v.activity_date)):
        found = list(each)
        of_its_own = [v for v in found if v.grain == product.grain]
        yield from of_its_own or found


def measure(warehouse: Holder, group: Group, inputs: Inputs) -> Measured:
    """The window's figures for products, affiliates and the group.

    Raises `RefusedError` where a month's contributions can't be united: of two keys or two crosswalks. In other windows these are
    told apart, and bounded.
    """
    window = Window.from_days(inputs.window, group.settings.time_zone)
    if window.is_month:
        _check_unitable(inputs.month, [v for v in inputs.versions if window.names(v)])
    newest = max(inputs.versions, key=lambda v: (v.activity_date, v.id), default=None)
    frame = Frame(warehouse, group, window, inputs.reading, newest)
    by_product: dict[ProductRef, list[Version]] = defaultdict(list)
    for version in inputs.versions:
        by_product[version.ref].append(version)
    shared = {
        ref: shares.share(frame, ref, product, by_product[ref], Given(inputs.given.get(ref), inputs.least.get(ref)))
        for ref, product in inputs.due
    }
    products = {ref: figure_of([share]) for ref, share in shared.items()}
    affiliates = {
        affiliate: figure_of([shared[ref] for ref in refs], [products[ref] for ref in refs])
        for affiliate, refs in ((affiliate, list(same)) for affiliate, same in groupby(shared, key=lambda ref: ref.affiliate))
    }
    whole = figure_of(list(shared.values()), list(products.values()))
    return Measured(inputs, whole, affiliates, {str(ref): figure for ref, figure in products.items()})


def _check_unitable(month: date, versions: Sequence[Version]) -> None:
    for what, each in (
        ("keys", [f"{v.key_epoch} ({v.key_fingerprint})" for v in versions]),
        ("crosswalk snapshots", [v.crosswalk_digest[:12] or "none" for v in versions]),
    ):
        if len(found := Counter(each)) > 1:
            of = dict(zip(each, (v.ref for v in versions), strict=True))
            said = [f"{name} in {number} periods, such as {of[name]}'s" for name, number in found.items()]
            raise refused(
                Code.CONTRIBUTIONS_NOT_UNITED,
                f"{month:%Y-%m}",
                f"contributions of two {what} can't be united",
                ", ".join(sorted(said)),
                f"compute the month again: mauwatch run --from {month} --to {month_end(month)}; what was handed in has to be "
                "computed and handed in again: mauwatch contribute",
            )


def share_by(warehouse: Holder, group: Group, month: date, reading: Reading) -> dict[date, float]:
    """By day of a past month, the share of its people who had come by the day's end, of products that count by day: what a
    month to date may be of its month.

    Empty where that can't be told: a day is missing, was computed before it settled, or is erased; or nothing came by day.
    """
    inputs = gather(warehouse, group, month, reading)
    window = Window.from_days(inputs.window, group.settings.time_zone)
    versions = [v for v in inputs.versions if window.names(v)]
    by_product: dict[ProductRef, list[Version]] = defaultdict(list)
    for version in versions:
        by_product[version.ref].append(version)
    for ref, product in inputs.due:
        mine = by_product[ref]
        zone = mine[0].day_zone if mine else product.day_zone or window.zone
        missing = set(product.days_due(window.first, window.last, zone)) - {v.activity_date for v in mine}
        if missing and not any(v.grain == "month" for v in mine):
            return {}
    by_day = [v for v in versions if v.grain == "day"]
    if any(v.erased_at or not _is_settled(v, group) for v in by_day):
        return {}
    days = sorted({v.activity_date for v in by_day})
    seen = seen_by(_united(warehouse, reading, [v for v in by_day if v.activity_date == day]) for day in days)
    return dict(zip(days, seen, strict=False))


def _united(warehouse: Holder, reading: Reading, versions: Sequence[Version]) -> Sketches:
    parts = (part for _, part in warehouse.read_parts([v.id for v in versions]) if part.audience in reading.audiences)
    return unite({part.namespace: {part.registers.lg_k: part.registers}} for part in parts if part.registers)
