"""From contributions to a month's figures: who is in the group, what was due, what is there.

A bound is a bound or it isn't given: the upper one is null while anything that is due is missing,
or was computed before it settled, and has neither a count nor a ceiling.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from affiliates.group import Group, Product, Reading
from affiliates.model import period_end
from affiliates.refusal import Refusal
from pipelines import left_out
from pipelines.bounds import Pool, Sketches, unite
from pipelines.figures import Coverage, Figure, Share, figure_of
from pipelines.intake import settles_at
from pipelines.versions import Position, Version
from pipelines.warehouse import GivenCount, Warehouse
from pipelines.window import Window

METHOD = 2
"""Grows with every change of counting that can move a figure: then preliminary figures are published anew."""

DAY = timedelta(1)


@dataclass(frozen=True)
class Inputs:
    """All that a month's figures rest on, under one reading."""

    month: date
    reading: Reading
    members: tuple[str, ...]
    due: tuple[tuple[str, Product], ...]
    """Affiliate and product."""
    versions: tuple[Version, ...]
    """Current contributions of due products, each of one grain: the month's, and those of another zone's days that reach
    into it."""
    given: Mapping[tuple[str, str], GivenCount]
    """A product's count, or else its ceiling."""
    not_counted: tuple[str, ...]
    """Who has products or contributions and is left out, and why; and what awaits a run."""
    digest: str
    unerased: str = ""
    """The same digest as if no sketch had been erased; empty where that isn't known."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was contributed for the month."""
        return not self.given and not any(self.month <= v.activity_date <= month_end(self.month) for v in self.versions)


@dataclass(frozen=True)
class Measured:
    """The figures of one month under one reading."""

    inputs: Inputs
    group: Figure
    affiliates: Mapping[str, Figure]
    products: Mapping[str, Figure]

    @property
    def summed(self) -> tuple[int | None, int, int | None]:
        """Estimate, lower and upper bound of the sum over products.

        Products share people and so their sketches share errors: the bounds add up.
        """
        uppers = [f.upper for f in self.products.values() if f.upper is not None]
        upper = sum(uppers) if uppers and len(uppers) == len(self.products) else None
        return self.group.summed_products, sum(f.lower for f in self.products.values()), upper

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


def month_end(month: date) -> date:
    """The month's last day."""
    return period_end("month", month) - DAY


def gather(
    warehouse: Warehouse,
    group: Group,
    month: date,
    reading: Reading,
    on: date | None = None,
    up_to: Position | None = None,
) -> Inputs:
    """What the month's figures rest on, for the group as it is on a day (default: the month's last).

    `up_to`: of contributions and counts, what the store had when it was filled so far.
    """
    last = month_end(month)
    window = Window(month, last, group.settings.time_zone)
    members = tuple(sorted(group.affiliates(on or last, reading.control_share)))
    near: dict[tuple[str, str], list[Version]] = defaultdict(list)
    for version in warehouse.read_around(month, last, up_to):
        if window.names(version) or window.touches(version):
            near[version.affiliate, version.product].append(version)
    due = tuple(
        (m, p) for m in members for p in group.entities[m].products if window.has_life_of(p, near.get((m, p.product), ()))
    )
    products = {(m, p.product) for m, p in due}
    versions = tuple(v for m, p in due for v in _of_one_grain(near.get((m, p.product), ()), p, window))
    given: dict[tuple[str, str], GivenCount] = {}
    for count in warehouse.read_counts(month, month, up_to):
        key = count.affiliate, count.product
        if key in products and (count.kind == "count" or key not in given):
            given[key] = count
    said = {
        "zone": group.settings.time_zone,
        "audiences": reading.audiences,
        "due": [(m, p.model_dump(mode="json", include={"product", "grain", "settles_after", "from_", "to"})) for m, p in due],
        "versions": sorted(_said_of(v, group) for v in versions),
        "given": [asdict(g) for _, g in sorted(given.items())],
    }
    unerased = _digest(said)
    erased = sorted(f"{v.affiliate}/{v.product} {v.grain} {v.activity_date} {v.erased_at}" for v in versions if v.erased_at)
    digest = _digest(said | {"erased": erased}) if erased else unerased
    within = [v for v in versions if window.names(v)]
    not_counted = tuple(left_out.said(group, members, on or last, near, due, within))
    return Inputs(month, reading, members, due, versions, given, not_counted, digest, unerased)


def _digest(said: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _said_of(v: Version, group: Group) -> list[str]:
    settled = v.computed_at >= settles_at(group, v.affiliate, v.product, v.grain, v.activity_date, v.day_zone)
    return [*v.content, str(settled)]


def _of_one_grain(near: Sequence[Version], product: Product, window: Window) -> Iterator[Version]:
    """A product's contributions of the month in its own grain where there are any, else in the other; and so before and after
    it, where months may have been handed in whole and days since.

    Days and a month of one product are two computations of the same people, perhaps under other settings.
    """
    for _, side in groupby(sorted(near, key=window.side), key=window.side):
        found = list(side)
        of_its_own = [v for v in found if v.grain == product.grain]
        yield from of_its_own or found


def measure(warehouse: Warehouse, group: Group, inputs: Inputs) -> Measured:
    """The month's figures for products, affiliates and the group.

    Raises `Refusal` where contributions can't be united: of two keys or two crosswalks.
    """
    _check_unitable(inputs.month, [v for v in inputs.versions if inputs.month <= v.activity_date <= month_end(inputs.month)])
    by_product: dict[tuple[str, str], list[Version]] = defaultdict(list)
    for version in inputs.versions:
        by_product[version.affiliate, version.product].append(version)
    shares = {
        (member, product.product): _share(warehouse, group, inputs, member, product, by_product[member, product.product])
        for member, product in inputs.due
    }
    products = {key: figure_of([share]) for key, share in shares.items()}
    affiliates = {
        member: figure_of([shares[k] for k in keys], [products[k] for k in keys])
        for member, keys in ((m, list(ks)) for m, ks in groupby(shares, key=lambda k: k[0]))
    }
    whole = figure_of(list(shares.values()), list(products.values()))
    return Measured(inputs, whole, affiliates, {f"{m}/{p}": figure for (m, p), figure in products.items()})


def _check_unitable(month: date, versions: Sequence[Version]) -> None:
    for what, each in (
        ("keys", [f"{v.key_epoch} ({v.key_fingerprint})" for v in versions]),
        ("crosswalk snapshots", [v.crosswalk_digest[:12] or "none" for v in versions]),
    ):
        if len(found := Counter(each)) > 1:
            of = dict(zip(each, (f"{v.affiliate}/{v.product}" for v in versions), strict=True))
            said = [f"{name} in {number} periods, such as {of[name]}'s" for name, number in found.items()]
            raise Refusal(
                f"{month:%Y-%m}", f"contributions of two {what} can't be united", ", ".join(sorted(said)),
                f"compute the month again: mauwatch run --from {month} --to {month_end(month)}; what was handed in has to be "
                "computed and handed in again: mauwatch contribute",
            )  # fmt: skip


def _share(
    warehouse: Warehouse, group: Group, inputs: Inputs, affiliate: str, product: Product, versions: Sequence[Version]
) -> Share:
    window = Window(inputs.month, month_end(inputs.month), group.settings.time_zone)
    name, reasons = f"{affiliate}/{product.product}", []
    within = [v for v in versions if window.names(v)]
    zone = within[0].day_zone if within else product.day_zone or window.zone
    days = product.days_due(window.first, window.last, zone)
    there = {v.activity_date for v in within if v.grain == "day"} & set(days)
    if any(v.grain == "month" for v in within) or (product.grain == "month" and not within):
        coverage = Coverage(months_expected=int(bool(days)), months_present=int(bool(within)))
        missing = f"{window.first:%Y-%m}" if days and not within else ""
    else:
        gaps = [d for d in days if d not in there]
        coverage = Coverage(len(days), len(there))
        missing = f"{len(gaps)} of {len(days)} days ({_ranges(gaps)})" if gaps else ""
    if missing:
        reasons.append(f"{name}: {missing} missing")
    # Days of another zone, right beside the month, bound it as well: they have to have settled, too.
    settled = {v.id: settles_at(group, affiliate, product.product, v.grain, v.activity_date, v.day_zone) for v in versions}
    early = [v for v in versions if v.computed_at < settled[v.id]]
    if early:
        until = max(settled[v.id] for v in early)
        reasons.append(
            f"{name}: {len(early)} of {len(versions)} periods were computed before they settled; all have on {until:%Y-%m-%d}"
        )
    limited = [v for v in versions if v.lacks(inputs.reading.audiences)]
    if limited:
        of, counted = (" and ".join(a) for a in (str(limited[0].audiences).split(), inputs.reading.audiences))
        reasons.append(f"{name}: {len(limited)} of {len(versions)} periods are of {of} users alone, and {counted} count")
    excluded = sum(v.unidentified_events or 0 for v in within), sum(v.undecided_events or 0 for v in within)
    pool, unknown = _pool(warehouse, inputs, name, product, versions, window)
    return Share(pool, inputs.given.get((affiliate, product.product)), coverage, (*reasons, *unknown), *excluded)


def _ranges(days: Sequence[date]) -> str:
    """Days in words, the first three stretches of them."""
    stretches: list[list[date]] = []
    for day in days:
        if stretches and day - stretches[-1][-1] == DAY:
            stretches[-1].append(day)
        else:
            stretches.append([day])
    said = [f"{s[0]}" if len(s) == 1 else f"{s[0]} to {s[-1]}" for s in stretches[:3]]
    return ", ".join(said) + (" …" if len(stretches) > 3 else "")


def _pool(
    warehouse: Warehouse, inputs: Inputs, name: str, product: Product, versions: Sequence[Version], window: Window
) -> tuple[Pool, list[str]]:
    """A product's sketches, and why they may not bound its people from above.

    Days beside the month may be hashed by another month's key or joined by its crosswalk. So they are in the upper bound
    alone, where somebody whom they have a second time makes it wider; in a lower one it would be wrong.
    """
    within = [v for v in versions if window.names(v)]
    zones = dict.fromkeys(v.day_zone for v in (within or versions)) or {product.day_zone or window.zone: None}
    if set(zones) == {window.zone}:
        sketches, unknown = _sketches(warehouse, inputs, name, [within])
        return Pool.of_window(sketches[0]), unknown
    zone = next(iter(zones))
    outer = [v for v in versions if window.touches(v)]
    sketches, unknown = _sketches(warehouse, inputs, name, [[v for v in within if window.holds(v)], within, outer])
    if not window.is_covered(product, outer, zone):
        unknown.append(f"{name}: its days are {zone}'s, and the periods around the month's edges aren't all there")
    return Pool(*sketches), unknown


def _sketches(
    warehouse: Warehouse, inputs: Inputs, name: str, wanted: Sequence[Sequence[Version]]
) -> tuple[list[Sketches], list[str]]:
    """The union of each list of contributions, in the reading's audiences."""
    each: dict[int, list[Sketches]] = defaultdict(list)
    erased = list[datetime | None]()
    for number, part in warehouse.read_parts(sorted({v.id for versions in wanted for v in versions})):
        if part.audience not in inputs.reading.audiences:
            continue
        if part.registers is None:
            erased.append(part.erased_at)
            continue
        each[number].append({part.namespace: {part.registers.lg_k: part.registers}})
    united = [unite(s for v in versions for s in each[v.id]) for versions in wanted]
    since = min((at for at in erased if at), default=None)
    said = f"{name}: {len(erased)} sketch{'es are' if len(erased) > 1 else ' is'} erased"
    return united, [said + (f", the first on {since:%Y-%m-%d}" if since else "")] if erased else []
