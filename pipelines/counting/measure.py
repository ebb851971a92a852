"""From inputs to figures: products, affiliates and the group in one window, under one reading. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import NamedTuple

from affiliates.errors import Code, refused
from affiliates.manifests.group import Group
from affiliates.manifests.product import Product, ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end
from pipelines.counting.bounds import Sketches, base_namespace, shares_seen, unite
from pipelines.counting.contradictions import doubted
from pipelines.counting.convention import convention_of
from pipelines.counting.figure import Figure, Share, figure_of
from pipelines.counting.inputs import Inputs, gather, is_settled
from pipelines.counting.product_share import WindowContext, other_grain, share_of
from pipelines.counting.stand_ins import StatedBounds
from pipelines.counting.window import Window
from pipelines.records import ContributionReader, StoredContribution, summed_bounds


class SummedPeople(NamedTuple):
    """A sum over products: a person of two products counts twice."""

    estimate: int | None
    lower: int
    upper: int | None


@dataclass(frozen=True)
class Measured:
    """The figures of one window under one reading."""

    inputs: Inputs
    group: Figure
    affiliates: Mapping[str, Figure]
    """By affiliate id."""
    products: Mapping[str, Figure]
    """By affiliate/product."""
    namespaces: tuple[str, ...] | None = None
    """The namespaces of the sketches; null for figures that were read as they were published."""

    @property
    def summed(self) -> SummedPeople:
        """The sum over products, with bounds that hold whatever the products share."""
        return SummedPeople(self.group.summed_products, *summed_bounds((f.lower, f.upper) for f in self.products.values()))

    @property
    def contradictions(self) -> list[str]:
        """What can't be: a product larger than the group, or the group larger than all products; one text each."""
        group = self.group
        contradictions = []
        for name, figure in self.products.items():
            if group.upper is not None and figure.lower > group.upper:
                contradictions.append(f"{name} has at least {figure.lower:,} people, the group at most {group.upper:,}")
        upper = self.summed.upper
        if upper is not None and group.lower > upper:
            contradictions.append(f"the group has at least {group.lower:,} people, its products together at most {upper:,}")
        return contradictions


def measure(
    reader: ContributionReader,
    group: Group,
    inputs: Inputs,
    also: Callable[[Mapping[ProductRef, Share]], None] = lambda shares: None,
) -> Measured:
    """The window's figures for products, affiliates and the group.

    `also`: called with the products' shares, whose sketches are let go afterwards. Raises `RefusedError` where a month's
    contributions can't be united: of two keys or two crosswalks. In other windows such contributions are told apart, and bounded.
    """
    window = Window.from_days(inputs.window, group.settings.time_zone)
    if window.is_month:
        # Only days that the month includes: a day beside the month may have another month's key, and bounds from above alone.
        check_unitable(inputs.month, [v for v in inputs.versions if window.includes(v)])
    convention = convention_of(inputs.method, group.settings)
    shares = shares_of(reader, group, inputs)
    also(shares)
    products = {ref: figure_of([share], convention) for ref, share in shares.items()}
    # `inputs.due` is in order of members, so an affiliate's products follow one another.
    by_affiliate = {affiliate: list(refs) for affiliate, refs in groupby(shares, key=lambda ref: ref.affiliate)}
    affiliates = {
        affiliate: figure_of([shares[ref] for ref in refs], convention, [products[ref] for ref in refs])
        for affiliate, refs in by_affiliate.items()
    }
    whole = figure_of(list(shares.values()), convention, list(products.values()))
    namespaces = sorted({base_namespace(namespace) for share in shares.values() for namespace in share.pool.stated})
    return Measured(inputs, whole, affiliates, {str(ref): figure for ref, figure in products.items()}, tuple(namespaces))


def shares_of(reader: ContributionReader, group: Group, inputs: Inputs) -> dict[ProductRef, Share]:
    """Each due product's share in the window's figures: its people, what is missing of them, and what stands in."""
    window = Window.from_days(inputs.window, group.settings.time_zone)
    # By day first: a window's people are told apart by the key of its last days, whenever those were stored.
    newest = max(inputs.versions, key=lambda v: (v.activity_date, v.id), default=None)
    context = WindowContext(reader, group, window, inputs.reading, newest)
    versions = _by_product(inputs.versions)
    others = _by_product(inputs.other_grain)
    convention = convention_of(inputs.method, group.settings)
    shares = dict[ProductRef, Share]()
    for ref, product in inputs.due:
        stated = StatedBounds(inputs.stated_counts.get(ref), inputs.least_people.get(ref), inputs.ceilings.get(ref))
        shares[ref] = share_of(context, ref, product, versions[ref], stated)
        if convention.finds_contradictions:
            other = other_grain(context, ref, versions[ref], others[ref])
            shares[ref] = doubted(str(ref), shares[ref], stated, convention, other)
    return shares


def _by_product(versions: Sequence[StoredContribution]) -> Mapping[ProductRef, list[StoredContribution]]:
    """Contributions by product, in their order; an empty list for any other product."""
    grouped: dict[ProductRef, list[StoredContribution]] = defaultdict(list)
    for version in versions:
        grouped[version.ref].append(version)
    return grouped


def check_unitable(month: date, versions: Sequence[StoredContribution]) -> None:
    """Raises `RefusedError` if the contributions are of more than one key, or of more than one crosswalk snapshot."""
    # The fingerprint counts, and not the epoch alone: two secrets under one epoch's name would count everybody twice.
    _check_same("keys", month, versions, [f"{v.key_epoch} ({v.key_fingerprint})" for v in versions])
    _check_same("crosswalk snapshots", month, versions, [v.crosswalk_digest[:12] or "none" for v in versions])


def _check_same(what: str, month: date, versions: Sequence[StoredContribution], names: Sequence[str]) -> None:
    """Raises `RefusedError` if the contributions, each with a name in `names`, have more than one name."""
    periods = Counter(names)
    if len(periods) < 2:
        return
    example = dict(zip(names, (v.ref for v in versions), strict=True))
    listed = [f"{name} in {number} periods, such as {example[name]}'s" for name, number in periods.items()]
    raise refused(
        Code.CONTRIBUTIONS_NOT_UNITED,
        f"{month:%Y-%m}",
        f"contributions of two {what} can't be united",
        ", ".join(sorted(listed)),
        f"compute the month again: mauwatch run --from {month} --to {month_end(month)}; what was handed in has to be "
        "computed and handed in again: mauwatch contribute",
    )


def share_seen_by_day(reader: ContributionReader, group: Group, month: date, reading: Reading) -> dict[date, float]:
    """By day of a past month, the share of the month's people who had come by the day's end, from 0 to 1.

    Of products that count by day: what share a month to date may be of its month. Empty where that can't be told: a day is
    missing, was computed before it settled, or is erased; or nothing came by day.
    """
    inputs = gather(reader, group, month, reading)
    window = Window.from_days(inputs.window, group.settings.time_zone)
    versions = [v for v in inputs.versions if window.includes(v)]
    grouped = _by_product(versions)
    if any(_lacks_days(product, grouped[ref], window) for ref, product in inputs.due):
        return {}
    by_day = [v for v in versions if v.grain == "day"]
    if any(v.erased_at or not is_settled(v, group) for v in by_day):
        return {}
    days = sorted({v.activity_date for v in by_day})
    shares = shares_seen(_united(reader, reading, [v for v in by_day if v.activity_date == day]) for day in days)
    return dict(zip(days, shares, strict=False))  # Without anybody there are days and no shares.


def _lacks_days(product: Product, versions: Sequence[StoredContribution], window: Window) -> bool:
    """Whether any day of the product is missing in a window; none is where a whole month was contributed."""
    zone = versions[0].day_zone if versions else product.day_zone or window.zone
    missing = set(product.days_due(window.first, window.last, zone)) - {v.activity_date for v in versions}
    return bool(missing) and not any(v.grain == "month" for v in versions)


def _united(reader: ContributionReader, reading: Reading, versions: Sequence[StoredContribution]) -> Sketches:
    """The union of contributions' sketches in the reading's audiences."""
    parts = (part for _, part in reader.read_parts([v.id for v in versions]) if part.audience in reading.audiences)
    return unite({part.namespace: {part.registers.lg_k: part.registers}} for part in parts if part.registers)
