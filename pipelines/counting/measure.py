"""From inputs to figures: products, affiliates and the group in one window, under one reading. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from affiliates.errors import Code, refused
from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end
from pipelines.counting import product_share
from pipelines.counting.bounds import Sketches, shares_seen, unite
from pipelines.counting.figure import Figure, figure_of
from pipelines.counting.inputs import Inputs, _is_settled, gather
from pipelines.counting.product_share import Frame, StatedBounds
from pipelines.counting.window import Window
from pipelines.records import ContributionReader, StoredContribution, summed_bounds


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
        group = self.group
        wrong = []
        for name, figure in self.products.items():
            if group.upper is not None and figure.lower > group.upper:
                wrong.append(f"{name} has at least {figure.lower:,} people, the group at most {group.upper:,}")
        upper = self.summed[2]
        if upper is not None and group.lower > upper:
            wrong.append(f"the group has at least {group.lower:,} people, its products together at most {upper:,}")
        return wrong


def measure(warehouse: ContributionReader, group: Group, inputs: Inputs) -> Measured:
    """The window's figures for products, affiliates and the group.

    Raises `RefusedError` where a month's contributions can't be united: of two keys or two crosswalks. In other windows these are
    told apart, and bounded.
    """
    window = Window.from_days(inputs.window, group.settings.time_zone)
    if window.is_month:
        _check_unitable(inputs.month, [v for v in inputs.versions if window.names(v)])
    newest = max(inputs.versions, key=lambda v: (v.activity_date, v.id), default=None)
    frame = Frame(warehouse, group, window, inputs.reading, newest)
    by_product: dict[ProductRef, list[StoredContribution]] = defaultdict(list)
    for version in inputs.versions:
        by_product[version.ref].append(version)
    shared = {
        ref: product_share.share(frame, ref, product, by_product[ref], StatedBounds(inputs.given.get(ref), inputs.least.get(ref)))
        for ref, product in inputs.due
    }
    products = {ref: figure_of([share]) for ref, share in shared.items()}
    affiliates = {
        affiliate: figure_of([shared[ref] for ref in refs], [products[ref] for ref in refs])
        for affiliate, refs in ((affiliate, list(same)) for affiliate, same in groupby(shared, key=lambda ref: ref.affiliate))
    }
    whole = figure_of(list(shared.values()), list(products.values()))
    return Measured(inputs, whole, affiliates, {str(ref): figure for ref, figure in products.items()})


def _check_unitable(month: date, versions: Sequence[StoredContribution]) -> None:
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


def share_by(warehouse: ContributionReader, group: Group, month: date, reading: Reading) -> dict[date, float]:
    """By day of a past month, the share of its people who had come by the day's end, of products that count by day: what a
    month to date may be of its month.

    Empty where that can't be told: a day is missing, was computed before it settled, or is erased; or nothing came by day.
    """
    inputs = gather(warehouse, group, month, reading)
    window = Window.from_days(inputs.window, group.settings.time_zone)
    versions = [v for v in inputs.versions if window.names(v)]
    by_product: dict[ProductRef, list[StoredContribution]] = defaultdict(list)
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
    seen = shares_seen(_united(warehouse, reading, [v for v in by_day if v.activity_date == day]) for day in days)
    return dict(zip(days, seen, strict=False))


def _united(warehouse: ContributionReader, reading: Reading, versions: Sequence[StoredContribution]) -> Sketches:
    parts = (part for _, part in warehouse.read_parts([v.id for v in versions]) if part.audience in reading.audiences)
    return unite({part.namespace: {part.registers.lg_k: part.registers}} for part in parts if part.registers)
