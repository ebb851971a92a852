"""A product's share in the figures of a window: its people, what is missing of them, and what stands in."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from affiliates.identity.keys import PERSON
from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.product import Product, ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end, month_of, stretches
from pipelines.counting.bounds import Pool, Sketches, unite
from pipelines.counting.figure import Coverage, Share
from pipelines.counting.window import Window
from pipelines.records import ContributionReader, StatedCount, StoredContribution


@dataclass(frozen=True)
class Frame:
    """What all products of a window have in common."""

    warehouse: ContributionReader
    group: Group
    window: Window
    reading: Reading
    newest: StoredContribution | None = None
    """Of all contributions the newest: by its key and crosswalk the window's other days are told apart."""


@dataclass(frozen=True)
class StatedBounds:
    """What was given of a product in the place of sketches."""

    most: StatedCount | None = None
    """Its count or ceiling; of several months all of theirs together."""
    least: int | None = None
    """Its count of a month that lies inside whole."""


def share(frame: Frame, ref: ProductRef, product: Product, versions: Sequence[StoredContribution], given: StatedBounds) -> Share:
    """A product's share, by its contributions in the window and those that reach into it."""
    window = frame.window
    group = frame.group
    name = str(ref)
    within = [v for v in versions if window.names(v)]
    zone = within[0].day_zone if within else product.day_zone or window.zone
    covered = _covered(product, [v for v in versions if window.overlaps(v)], window, zone)
    reasons = [f"{name}: {what} missing" for what in covered.missing]
    # Days of another zone, right beside the window, bound it as well: they have to have settled, too.
    settled = {v.id: settles_at(group, ref, v.grain, v.activity_date, v.day_zone) for v in versions}
    early = [v for v in versions if v.computed_at < settled[v.id]]
    if early:
        until = max(settled[v.id] for v in early)
        reasons.append(
            f"{name}: {len(early)} of {len(versions)} periods were computed before they settled; all have on {until:%Y-%m-%d}"
        )
    limited = [v for v in versions if v.lacks(frame.reading.audiences)]
    if limited:
        of, counted = (" and ".join(a) for a in (str(limited[0].audiences).split(), frame.reading.audiences))
        reasons.append(f"{name}: {len(limited)} of {len(versions)} periods are of {of} users alone, and {counted} count")
    excluded = sum(v.unidentified_events or 0 for v in within), sum(v.undecided_events or 0 for v in within)
    pool, unknown, apart = _pool(frame, name, product, versions)
    said = [
        f"{name}: {month:%Y-%m} was contributed as a whole month, which the window has a part of: it is in the upper bound alone"
        for month in covered.reaching
    ]
    return Share(pool, given.most, covered.coverage, (*reasons, *unknown), *excluded, least=given.least, noted=(*said, *apart))


@dataclass
class _Covered:
    coverage: Coverage = field(default_factory=Coverage)
    missing: list[str] = field(default_factory=list)
    """What is, in words."""
    reaching: list[date] = field(default_factory=list)
    """Months that were contributed whole and that the window has a part of."""


def _covered(product: Product, versions: Sequence[StoredContribution], window: Window, zone: str) -> _Covered:
    """What was due and is there: of each month its days, or the month where it was contributed so."""
    found = _Covered()
    gaps = list[date]()
    without = list[date]()
    for month in window.months:
        days = product.days_due(*window.part_of(month), zone)
        of_month = [v for v in versions if month_of(v.activity_date) == month]
        if any(v.grain == "month" for v in of_month) or (product.grain == "month" and not of_month):
            found.coverage += Coverage(months_expected=int(bool(days)), months_present=int(bool(of_month)))
            without += [month] if days and not of_month else []
            found.reaching += [month] if of_month and not all(map(window.names, of_month)) else []
        else:
            there = {v.activity_date for v in of_month if v.grain == "day"} & set(days)
            found.coverage += Coverage(len(days), len(there))
            gaps += [day for day in days if day not in there]
    if without:
        found.missing.append(", ".join(f"{month:%Y-%m}" for month in without))
    if gaps:
        found.missing.append(f"{len(gaps)} of {found.coverage.days_expected} days ({ranges(gaps)})")
    return found


def ranges(days: Sequence[date]) -> str:
    """Days in words, the first three stretches of them."""
    runs = stretches("day", days)
    said = [f"{first}" if first == last else f"{first} to {last}" for first, last in runs[:3]]
    return ", ".join(said) + (" …" if len(runs) > 3 else "")


def _pool(frame: Frame, name: str, product: Product, versions: Sequence[StoredContribution]) -> tuple[Pool, list[str], list[str]]:
    """A product's sketches, why they may not bound its people from above, and which of them are apart.

    Days beside a month may be hashed by another month's key or joined by its crosswalk. So they are in the upper bound
    alone, where somebody whom they have a second time makes it wider; in a lower one it would be wrong.
    """
    window = frame.window
    within = [v for v in versions if window.names(v)]
    reaching = [v for v in versions if window.overlaps(v) and not window.names(v)]
    zones = dict.fromkeys(v.day_zone for v in (within or versions)) or {product.day_zone or window.zone: None}
    if set(zones) == {window.zone} and not reaching:
        sketches, unknown, apart = _sketches(frame, name, [within])
        return Pool.from_sketches(sketches[0]), unknown, apart
    zone = next(iter(zones))
    outer = [v for v in versions if window.touches(v)]
    sketches, unknown, apart = _sketches(frame, name, [[v for v in within if window.holds(v)], within, outer])
    if set(zones) != {window.zone} and not window.is_covered(product, outer, zone):
        what = "month's" if window.is_month else "window's"
        unknown.append(f"{name}: its days are {zone}'s, and the periods around the {what} edges aren't all there")
    return Pool(*sketches), unknown, apart


def _sketches(
    frame: Frame, name: str, wanted: Sequence[Sequence[StoredContribution]]
) -> tuple[list[Sketches], list[str], list[str]]:
    """The union of each list of contributions, in the reading's audiences; what of it is erased, and what is apart."""
    by_id = {v.id: v for versions in wanted for v in versions}
    each: dict[int, list[Sketches]] = defaultdict(list)
    erased = list[datetime | None]()
    joined = list[StoredContribution]()
    for number, part in frame.warehouse.read_parts(sorted(by_id)):
        if part.audience not in frame.reading.audiences:
            continue
        if part.registers is None:
            erased.append(part.erased_at)
            continue
        joined += [by_id[number]] if part.namespace == PERSON else []
        namespace = part.namespace if frame.window.is_month else _namespace(part.namespace, by_id[number])
        each[number].append({namespace: {part.registers.lg_k: part.registers}})
    united = [unite(s for v in versions for s in each[v.id]) for versions in wanted]
    since = min((at for at in erased if at), default=None)
    said = f"{name}: {len(erased)} sketch{'es are' if len(erased) > 1 else ' is'} erased"
    unknown = [said + (f", the first on {since:%Y-%m-%d}" if since else "")] if erased else []
    return united, unknown, list(_apart(frame, name, list(by_id.values()), joined))


def _namespace(namespace: str, version: StoredContribution) -> str:
    """A namespace by the key that hashed it, and `person` by the snapshot that joined it, too: nobody can tell who is who in
    two of these, so they are bounded as any two namespaces are. A calendar month refuses them."""
    by = [namespace, version.key_epoch, version.key_fingerprint]
    return " ".join([*by, version.crosswalk_digest] if namespace == PERSON else by)


def _apart(
    frame: Frame, name: str, versions: Sequence[StoredContribution], joined: Sequence[StoredContribution]
) -> Iterator[str]:
    """Of which contributions nobody can tell whether their people are those of the newest one."""
    newest = frame.newest
    if newest is None or frame.window.is_month:
        return
    key = newest.key_epoch, newest.key_fingerprint
    older = [v for v in versions if (v.key_epoch, v.key_fingerprint) != key]
    if older:
        of_two = any(v.key_epoch == newest.key_epoch for v in older)  # Two secrets by one name.
        epochs, its = (
            sorted(
                {f"{e} ({fingerprint})" if of_two else e for e, fingerprint in ((v.key_epoch, v.key_fingerprint) for v in each)}
            )
            for each in (older, [newest])
        )
        yield (
            f"{name}: {_periods(older)} under the key of epoch {' and '.join(epochs)}, not of {its[0]}: whether they have the "
            "same people nobody can tell, so they are added in the estimate and the upper bound"
        )
    others = {v.id: v for v in joined if v.crosswalk_digest != newest.crosswalk_digest}
    if others:
        yield (
            f"{name}: {_periods(list(others.values()))} joined by another crosswalk snapshot than the newest: whether they have "
            "the same people nobody can tell, so those joined are added in the estimate and the upper bound"
        )


def _periods(versions: Sequence[StoredContribution]) -> str:
    days = ranges(sorted(v.activity_date for v in versions if v.grain == "day"))
    months = [f"{v.activity_date:%Y-%m}" for v in versions if v.grain == "month"]
    many = len(versions) > 1
    return f"{len(versions)} period{'s' * many} ({', '.join([*months, *([days] if days else [])])}) {'are' if many else 'is'}"


def stated_bounds(
    counts: Sequence[StatedCount], due: Sequence[tuple[ProductRef, Product]], window: Window
) -> Mapping[ProductRef, StatedBounds]:
    """By product, what its counts and ceilings say of a window.

    A number is of a calendar month: its people in a part of it are at most as many, and of several months at most all of
    them added. If one of the months has none, nothing is known from above.
    """
    of_product: dict[ProductRef, dict[date, StatedCount]] = defaultdict(dict)
    for count in counts:
        months = of_product[count.ref]
        if count.kind == "count" or count.month not in months:
            months[count.month] = count
    found = {}
    for ref, product in due:
        if there := of_product.get(ref):
            # A product of hours alone, by its zone, has no day in the window: then its months are all that the window is in.
            lives = [m for m in window.months if product.due_between(*window.part_of(m))] or window.months
            all_given = [there[m] for m in lives if m in there]
            whole = [c.users for c in all_given if c.kind == "count" and _is_whole(c.month, window)]
            most = _added(all_given, window) if len(all_given) == len(lives) else None
            found[ref] = StatedBounds(most, max(whole, default=None))
    return dict(sorted(found.items()))


def _is_whole(month: date, window: Window) -> bool:
    return window.first <= month and month_end(month) <= window.last


def _added(given: Sequence[StatedCount], window: Window) -> StatedCount:
    if window.is_month:
        return given[0]
    first = given[0]
    kinds = {c.kind for c in given}
    months = " and ".join(f"{c.month:%Y-%m}" for c in given)
    part = "" if all(_is_whole(c.month, window) for c in given) else ", of which the window has a part"
    return StatedCount(
        *first.ref,
        first.month,
        "count" if kinds == {"count"} else "ceiling",
        sum(c.users for c in given),
        " and ".join(dict.fromkeys(c.unit for c in given)),
        f"of {months}{part}: " + "; ".join(dict.fromkeys(c.document for c in given)),
        "; ".join(dict.fromkeys(c.attested_by for c in given)),
    )
