"""What of a product has to be computed: what is missing, was not settled, or has changed since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from affiliates.aggregation import availability, key_overlap
from affiliates.errors import RefusedError
from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.product import Product, ProductRef, definition_digest
from affiliates.periods import DAY, end_of, first_day, last_day, month_of
from affiliates.sources import resolve
from affiliates.sources.protocol import EventSource
from pipelines.counting import overlap
from pipelines.records import StoredContribution
from pipelines.store import product_days
from pipelines.workspace import Workspace, crosswalk_digest


@dataclass(frozen=True)
class ProductDue:
    """What can be computed of a product and has to be, and what can't be and ought to."""

    found: list[EventSource]
    periods: dict[date, list[date]]
    """By first day, its days."""
    missing: tuple[date, ...]
    seen: dict[date, str]
    """By first day, the digest of the files it is computed from."""
    next_epoch: dict[date, list[date]] = field(default_factory=dict)
    """By the first month of the coming key epoch, those of its days that are contributed under its key, too."""


def due(
    workspace: Workspace, ref: ProductRef, product: Product, first: date | None = None, last: date | None = None
) -> ProductDue:
    """What of a product is due in a range; without one, what is missing, wasn't settled or has changed since.

    Raises `RefusedError` for a source that isn't there.
    """
    if product.handed_in:
        return ProductDue([], {}, (), {})
    store = workspace.store_if_any()
    group = workspace.group
    now = workspace.now
    versions = store.read_versions(ref) if store else []
    known = {v.activity_date: v for v in versions if v.grain == product.grain}
    zone = product.day_zone or group.settings.time_zone
    days = _days(product, first, last, now.date(), zone)
    found = resolve.find(str(ref), product, workspace.directory, group.settings.time_zone)
    periods = availability.periods_present(found, product, days, zone, now)
    seen = availability.fingerprints(found, periods)
    next_epoch = key_overlap.next_epoch_days(product, list(periods), workspace.edge)
    if first is None and last is None:
        outdated = {p: ds for p, ds in periods.items() if _outdated(known.get(p), workspace, ref, product)}
        others = {p: ds for p, ds in periods.items() if p not in outdated}
        changed = _changed(workspace, ref, product, found, others, seen) if store else set()
        changed |= _behind(workspace, ref, product, next_epoch) if store else set()
        gone = {p for p, version in known.items() if version.erased_at is not None}  # Again only by name.
        periods = {p: ds for p, ds in periods.items() if (p in outdated or p in changed) and p not in gone}
        next_epoch = {month: [day for day in days_ if day in periods] for month, days_ in next_epoch.items()}
    settled = DAY * product.settles_after
    # Asked to compute a range again, what its sources no longer hold is said, though the store has it.
    there = set(periods) | (set(known) if first is None and last is None else set())
    by_month = {v.activity_date for v in versions if v.grain == "month"}  # Handed in whole; until there is a day of its own.
    by_month -= {month_of(p) for p in (*periods, *known) if product.grain == "day"}
    missing = tuple(
        d
        for d in days
        if first_day(product.grain, d) not in there
        and month_of(d) not in by_month
        and end_of("day", d, zone) + settled <= now
        and not all(f.has(d) for f in found)
    )
    return ProductDue(found, periods, missing, {p: seen[p] for p in periods}, next_epoch)


def any_days(group: Group, first: date | None, last: date | None, today: date) -> bool:
    """Whether any product lives in a range."""
    zone = group.settings.time_zone
    return any(_days(product, first, last, today, product.day_zone or zone) for product in group.products.values())


def _changed(
    workspace: Workspace,
    ref: ProductRef,
    product: Product,
    found: list[EventSource],
    periods: dict[date, list[date]],
    seen: dict[date, str],
) -> set[date]:
    """Periods whose files have changed since; one file of many days changes with each of them, and which of them did, the
    number of their events tells."""
    store = workspace.store()
    before = store.read_seen(ref, product.grain)
    changed = {p: days for p, days in periods.items() if before.get(p, seen[p]) != seen[p]}
    if not changed or all(f.source.by_day for f in found):
        return set(changed)
    counted = product_days.read_events(store, ref, product.grain)
    there = availability.events_now(found, product.grain, changed, workspace.group.settings.time_zone)
    return {p for p in changed if counted.get(p, there[p]) != there[p]}


def _rewritten(workspace: Workspace, ref: ProductRef, product: Product, wanted: ProductDue) -> bool:
    """Whether a source was written again or went since it was found: then what it was refused for may be gone too."""
    try:
        found = resolve.find(str(ref), product, workspace.directory, workspace.group.settings.time_zone)
        return availability.fingerprints(found, wanted.periods) != wanted.seen
    except (OSError, RefusedError):
        return True


def _days(product: Product, first: date | None, last: date | None, today: date, zone: str) -> list[date]:
    """The days of the product's life in the range; whole months for a product that counts by month."""
    begin = first or product.from_
    end = min(last or today, today)
    return product.days_due(first_day(product.grain, begin), last_day(product.grain, end), zone)


def _behind(workspace: Workspace, ref: ProductRef, product: Product, next_epoch: Mapping[date, Sequence[date]]) -> set[date]:
    """Days whose second contribution has to be computed, or isn't of the events that their own is of."""
    if not any(next_epoch.values()):
        return set()
    store = workspace.store()
    second = {v.activity_date: v for v in store.read_versions(ref, next_epoch=True)}
    differing = overlap.differing_days(*overlap.read_events(store, ref))
    return {
        day
        for month, days in next_epoch.items()
        for day in days
        if (version := second.get(day)) is None
        or (version.erased_at is None and (day in differing or _outdated(version, workspace, ref, product, month)))
    }


def _outdated(
    version: StoredContribution | None, workspace: Workspace, ref: ProductRef, product: Product, month: date | None = None
) -> bool:
    """Whether a period has to be computed: never, not settled, or under other settings; `month`: of whose key and crosswalk
    they are, else its own."""
    if version is None:
        return True
    place = workspace.edge
    month = month or month_of(version.activity_date)
    if place.keys.source(month).destroyed:
        return False
    settles = settles_at(workspace.group, ref, version.grain, version.activity_date, version.day_zone)
    return (
        version.computed_at < settles
        or (version.key_epoch, version.key_fingerprint) != (place.keys.source(month).epoch, place.keys.fingerprint(month))
        or version.definition_digest != definition_digest(product, place.settings)
        or version.crosswalk_digest != crosswalk_digest(place, month)
    )
