"""A product's share in the figures of a window: its people, what is missing of them, and what stands in. Pure.

The reasons and notes are texts of a publication (`reasons`), so they stay as they are.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from affiliates.identity.keys import PERSON
from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.product import Product, ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import month_of
from pipelines.counting.bounds import Pool, Sketches, unite
from pipelines.counting.contradictions import OtherGrain
from pipelines.counting.figure import Coverage, Share, sum_of_known
from pipelines.counting.missing import absent, day_ranges
from pipelines.counting.stand_ins import StatedBounds
from pipelines.counting.window import Window
from pipelines.records import ContributionReader, StoredContribution


@dataclass(frozen=True)
class WindowContext:
    """What all products of a window have in common."""

    reader: ContributionReader
    group: Group
    window: Window
    reading: Reading
    newest: StoredContribution | None = None
    """The newest of all contributions: the window's other days are compared with its key and its crosswalk."""


def share_of(
    context: WindowContext, ref: ProductRef, product: Product, versions: Sequence[StoredContribution], stated: StatedBounds
) -> Share:
    """A product's share, by its contributions in the window and those that reach into the window (`versions`)."""
    window = context.window
    name = str(ref)
    within = [v for v in versions if window.includes(v)]
    zone = within[0].day_zone if within else product.day_zone or window.zone
    present = _present(product, [v for v in versions if window.overlaps(v)], window, zone)
    unbounded = [
        *(f"{name}: {what} missing" for what in present.missing),
        *_unsettled(context.group, ref, versions),
        *_limited(context.reading, name, versions),
    ]
    pooled = _pool(context, name, product, versions)
    notes = [
        f"{name}: {month:%Y-%m} was contributed as a whole month, which the window has a part of: it is in the upper bound alone"
        for month in present.reaching
    ]
    return Share(
        pooled.pool,
        stated.most,
        present.coverage,
        (*unbounded, *pooled.unbounded),
        # Days beside the window are in the upper bound alone: their events are those of another window's figure.
        unidentified_events=sum(v.unidentified_events or 0 for v in within),
        undecided_events=sum(v.undecided_events or 0 for v in within),
        least_people=stated.least,
        notes=(*notes, *pooled.notes),
        excluded_events=sum_of_known(v.excluded_events for v in within),
        empty_periods=pooled.empty_periods,
        automated=pooled.automated if any(not v.lacks(("automated",)) for v in within) else None,
    )


def _unsettled(group: Group, ref: ProductRef, versions: Sequence[StoredContribution]) -> Iterator[str]:
    """How many periods were computed before their late events had come, if any: they may have more people."""
    # Days of another zone, right beside the window, bound it as well: they have to have settled, too.
    settled = {v.id: settles_at(group, ref, v.grain, v.activity_date, v.day_zone) for v in versions}
    early = [v for v in versions if v.computed_at < settled[v.id]]
    if early:
        until = max(settled[v.id] for v in early)
        yield f"{ref}: {len(early)} of {len(versions)} periods were computed before they settled; all have on {until:%Y-%m-%d}"


def _limited(reading: Reading, name: str, versions: Sequence[StoredContribution]) -> Iterator[str]:
    """How many periods aren't of all audiences that the reading counts, if any: they bound nobody from above (decision 50)."""
    limited = [v for v in versions if v.lacks(reading.audiences)]
    if limited:
        contributed = " and ".join(str(limited[0].audiences).split())
        counted = " and ".join(reading.audiences)
        yield f"{name}: {len(limited)} of {len(versions)} periods are of {contributed} users alone, and {counted} count"


@dataclass
class _Present:
    """What of a product is there in a window."""

    coverage: Coverage = field(default_factory=Coverage)
    missing: list[str] = field(default_factory=list)
    """What is due and isn't there, in words."""
    reaching: list[date] = field(default_factory=list)
    """Months that were contributed whole and that the window has a part of."""


def _present(product: Product, versions: Sequence[StoredContribution], window: Window, zone: str) -> _Present:
    """What was due and is there: of each month its days, or the month where it was contributed whole."""
    present = _Present()
    missing_days = list[date]()
    missing_months = list[date]()
    for month in window.months:
        first, last = window.part_of(month)
        days = product.days_due(first, last, zone)
        of_month = [v for v in versions if month_of(v.activity_date) == month]
        lacking = absent(product, [(v.grain, v.activity_date) for v in of_month], first, last, zone)
        missing_days += lacking.days
        missing_months += lacking.months
        if any(v.grain == "month" for v in of_month) or (product.grain == "month" and not of_month):
            present.coverage += Coverage(months_expected=int(bool(days)), months_present=int(bool(of_month)))
            present.reaching += [month] if of_month and not all(map(window.includes, of_month)) else []
        else:
            present.coverage += Coverage(len(days), len(days) - len(lacking.days))
    if missing_months:
        present.missing.append(", ".join(f"{month:%Y-%m}" for month in missing_months))
    if missing_days:
        present.missing.append(f"{len(missing_days)} of {present.coverage.days_expected} days ({day_ranges(missing_days)})")
    return present


class _Pooled(NamedTuple):
    """A product's sketches."""

    pool: Pool
    unbounded: list[str]
    """Why the sketches may not bound the product's people from above."""
    notes: list[str]
    """Which of the sketches can't be united with the newest ones."""
    automated: Sketches
    """Of the automated users, who are nobody in most readings."""
    empty_periods: int
    """Contributions with a part of events and of nobody."""


def _pool(context: WindowContext, name: str, product: Product, versions: Sequence[StoredContribution]) -> _Pooled:
    """A product's sketches, by how their days lie to the window.

    Days beside a month may be hashed by another month's key or joined by another crosswalk. So they are in the upper bound
    alone: a person counted twice makes that bound wider, and would make a lower bound wrong (decision 47).
    """
    window = context.window
    within = [v for v in versions if window.includes(v)]
    reaching = [v for v in versions if window.overlaps(v) and not window.includes(v)]
    # In the order of the contributions: the first zone is named where a product has days of two.
    zones = dict.fromkeys(v.day_zone for v in (within or versions)) or {product.day_zone or window.zone: None}
    if set(zones) == {window.zone} and not reaching:
        united = _unite(context, name, [within])
        return _Pooled(Pool.from_sketches(united.sketches[0]), *united[1:])
    zone = next(iter(zones))
    outer = [v for v in versions if window.touches(v)]
    united = _unite(context, name, [[v for v in within if window.contains(v)], within, outer])
    if set(zones) != {window.zone} and not window.is_covered(product, outer, zone):
        what = "month's" if window.is_month else "window's"
        united.unbounded.append(f"{name}: its days are {zone}'s, and the periods around the {what} edges aren't all there")
    return _Pooled(Pool(*united.sketches), *united[1:])


class _United(NamedTuple):
    """The unions of several lists of contributions."""

    sketches: list[Sketches]
    unbounded: list[str]
    notes: list[str]
    automated: Sketches
    empty_periods: int


def other_grain(
    context: WindowContext, ref: ProductRef, versions: Sequence[StoredContribution], others: Sequence[StoredContribution]
) -> OtherGrain | None:
    """The people by a month's contributions in the other grain than those that are counted (`versions`); null without any.

    Only where both are of the same definition and the same days: else the people may rightly differ.
    """
    alike = {(v.definition, v.day_zone, v.audiences) for v in versions}
    same = [v for v in others if (v.definition, v.day_zone, v.audiences) in alike]
    if not same or len(alike) > 1:
        return None
    united = _unite(context, str(ref), [same])
    names = {"day": "days", "month": "month"}
    hashed = {(v.key_epoch, v.key_fingerprint, v.crosswalk_digest) for v in [*versions, *same]}
    keys = {v.key_fingerprint for v in [*versions, *same]}
    crosswalks = {v.crosswalk_digest for v in [*versions, *same]}
    has_other = len(keys) == 1 and len(crosswalks) > 1 and "" not in crosswalks
    return OtherGrain(names[versions[0].grain], names[same[0].grain], united.sketches[0], len(hashed) == 1, has_other)


def _unite(context: WindowContext, name: str, lists: Sequence[Sequence[StoredContribution]]) -> _United:
    """The union of each list of contributions, in the reading's audiences; what is erased, and what can't be united."""
    by_id = {v.id: v for versions in lists for v in versions}
    sketches: dict[int, list[Sketches]] = defaultdict(list)
    automated = list[Sketches]()
    empty = set[int]()
    stated = {v.id for v in by_id.values() if context.window.includes(v)}
    erased = list[datetime | None]()
    joined = list[StoredContribution]()
    for number, part in context.reader.read_parts(sorted(by_id)):
        if part.audience == "automated" and number in stated and part.registers is not None and part.registers.at_least:
            automated.append({part.namespace: {part.registers.lg_k: part.registers}})
        if part.audience not in context.reading.audiences:
            continue
        if part.registers is None:
            erased.append(part.erased_at)
            continue
        if part.events and not part.registers.at_least:
            empty.add(number)
        joined += [by_id[number]] if part.namespace == PERSON else []
        # A month's own days are of one key, since `measure` refuses two; days beside the month only widen the upper bound.
        namespace = part.namespace if context.window.is_month else _namespace_of_key(part.namespace, by_id[number])
        sketches[number].append({namespace: {part.registers.lg_k: part.registers}})
    unions = [unite(s for v in versions for s in sketches[v.id]) for versions in lists]
    apart = list(_apart(context, name, list(by_id.values()), joined))
    return _United(unions, list(_erased(name, erased)), apart, unite(automated), len(empty & stated))


def _erased(name: str, erased: Sequence[datetime | None]) -> Iterator[str]:
    """How many sketches are erased, if any, and since when."""
    if erased:
        since = min((at for at in erased if at), default=None)
        count = f"{name}: {len(erased)} sketch{'es are' if len(erased) > 1 else ' is'} erased"
        yield count + (f", the first on {since:%Y-%m-%d}" if since else "")


def _namespace_of_key(namespace: str, version: StoredContribution) -> str:
    """A namespace under the key that hashed it; `person` also under the crosswalk snapshot that joined it.

    Nobody can tell who is who in two of these, so they are bounded as any two namespaces are.
    """
    parts = [namespace, version.key_epoch, version.key_fingerprint]
    return " ".join([*parts, version.crosswalk_digest] if namespace == PERSON else parts)


def _apart(
    context: WindowContext, name: str, versions: Sequence[StoredContribution], joined: Sequence[StoredContribution]
) -> Iterator[str]:
    """Of which contributions nobody can tell whether their people are those of the newest one; nothing for a month.

    `joined`: the contributions with people in the namespace `person`.
    """
    newest = context.newest
    if newest is None or context.window.is_month:
        return
    older = [v for v in versions if (v.key_epoch, v.key_fingerprint) != (newest.key_epoch, newest.key_fingerprint)]
    if older:
        # Two secrets under one epoch's name: then only the fingerprints tell them apart.
        with_fingerprint = any(v.key_epoch == newest.key_epoch for v in older)
        epochs = _epochs(older, with_fingerprint)
        newest_epoch = _epochs([newest], with_fingerprint)[0]
        yield (
            f"{name}: {_periods(older)} under the key of epoch {' and '.join(epochs)}, not of {newest_epoch}: whether they have "
            "the same people nobody can tell, so they are added in the estimate and the upper bound"
        )
    others = {v.id: v for v in joined if v.crosswalk_digest != newest.crosswalk_digest}
    if others:
        yield (
            f"{name}: {_periods(list(others.values()))} joined by another crosswalk snapshot than the newest: whether they have "
            "the same people nobody can tell, so those joined are added in the estimate and the upper bound"
        )


def _epochs(versions: Sequence[StoredContribution], with_fingerprint: bool) -> list[str]:
    """The key epochs of contributions, in order, with the keys' fingerprints where the epochs alone don't tell."""
    return sorted({f"{v.key_epoch} ({v.key_fingerprint})" if with_fingerprint else v.key_epoch for v in versions})


def _periods(versions: Sequence[StoredContribution]) -> str:
    """How many periods the contributions are of, and which, as the subject of a sentence with its verb."""
    days = day_ranges(sorted(v.activity_date for v in versions if v.grain == "day"))
    months = [f"{v.activity_date:%Y-%m}" for v in versions if v.grain == "month"]
    many = len(versions) > 1
    return f"{len(versions)} period{'s' * many} ({', '.join([*months, *([days] if days else [])])}) {'are' if many else 'is'}"
