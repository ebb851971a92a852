"""What of a product has to be computed: periods that are missing, hadn't settled, or have changed since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from affiliates.aggregation import availability, key_overlap
from affiliates.errors import RefusedError, refused_if_unforeseen
from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.product import Product, ProductRef, definition_digest
from affiliates.periods import Grain, first_day, last_day, month_of
from affiliates.sources import resolve
from affiliates.sources.protocol import EventSource, Fingerprint
from pipelines.counting import overlap
from pipelines.counting.missing import asked_of
from pipelines.counting.missing import missing as missing_days
from pipelines.ingestion import seen
from pipelines.records import StoredContribution
from pipelines.store import product_days
from pipelines.workspace import Workspace

Versions = Mapping[date, StoredContribution]
"""By a period's first day, the current contribution."""


@dataclass(frozen=True)
class ProductDue:
    """What of a product has to be computed, and which days ought to be in its sources and aren't."""

    sources: list[EventSource]
    periods: dict[date, list[date]]
    """By first day, the days of each period to compute."""
    missing: tuple[date, ...]
    """Days that are missing (`pipelines.counting.missing`) in the store, and that the sources don't have either."""
    fingerprints: dict[date, Fingerprint]
    """By a period's first day, the files or rows that the period is computed from."""
    next_epoch: dict[date, list[date]] = field(default_factory=dict)
    """By the first month of the next key epoch, the days that are contributed under that epoch's key as well."""
    to_note: dict[date, str] = field(default_factory=dict)
    """By first day, the notes (`seen`) of periods that aren't computed: the store's notes of the same events are older."""


def due(
    workspace: Workspace, ref: ProductRef, product: Product, first: date | None = None, last: date | None = None
) -> ProductDue:
    """What of a product is due from `first` to `last`, both included.

    Of a product that is handed in nothing is computed here, and what is missing is told all the same.
    In a range, everything that the sources have is due again. Without one, due are the periods that are missing in the store,
    hadn't settled when they were computed, or have changed since. Raises `RefusedError` for a source that isn't there.
    """
    in_range = first is not None or last is not None
    store = workspace.store_if_any()
    versions = store.read_versions(ref) if store else []
    zone = product.day_zone or workspace.group.settings.time_zone
    days = _days(product, first, last, workspace.now.date(), zone)
    if product.handed_in:
        return ProductDue([], {}, _missing(workspace, ref, product, days, [(v.grain, v.activity_date) for v in versions]), {})
    stored = {version.activity_date: version for version in versions if version.grain == product.grain}
    sources = resolve.find(str(ref), product, workspace.directory, workspace.group.settings.time_zone)
    periods = availability.periods_present(sources, product, days, zone, workspace.now)
    fingerprints = availability.fingerprints(sources, periods)
    to_note = dict[date, str]()
    next_epoch = key_overlap.next_epoch_days(product, list(periods), workspace.edge)
    if not in_range:
        present = ProductDue(sources, periods, (), fingerprints, next_epoch)
        notes = workspace.store().read_seen(ref, product.grain) if store else {}
        needed = _needed(workspace, ref, product, present, stored, notes)
        to_note = seen.newer_notes({period: note for period, note in notes.items() if period not in needed}, fingerprints)
        periods = {period: days_ for period, days_ in periods.items() if period in needed}
        next_epoch = {month: [day for day in days_ if day in periods] for month, days_ in next_epoch.items()}
    # Who computes a range again is told what the sources no longer hold, though the store has it.
    there = {(product.grain, period) for period in (periods if in_range else {*periods, *stored})}
    there |= {("month", version.activity_date) for version in versions if version.grain == "month"}
    # A day that the sources hold is late in a month that isn't over, or refused below; it isn't missing.
    lacking = _missing(workspace, ref, product, days, there)
    missing = tuple(day for day in lacking if not all(source.has(day) for source in sources))
    return ProductDue(sources, periods, missing, {period: fingerprints[period] for period in periods}, next_epoch, to_note)


def _missing(
    workspace: Workspace, ref: ProductRef, product: Product, days: Sequence[date], present: Iterable[tuple[Grain, date]]
) -> tuple[date, ...]:
    """The days that are missing (`counting.missing`), among `days` (in ascending order)."""
    if not days:
        return ()
    zone = product.day_zone or workspace.group.settings.time_zone
    lacking = missing_days(product, present, days[0], days[-1], zone, workspace.now)
    return asked_of(workspace.group, ref.affiliate, lacking)


def has_days(group: Group, first: date | None, last: date | None, today: date) -> bool:
    """Whether any product has a day of its life from `first` to `last`, both included, and not after today."""
    zone = group.settings.time_zone
    return any(_days(product, first, last, today, product.day_zone or zone) for product in group.products.values())


def sources_changed(workspace: Workspace, ref: ProductRef, product: Product, computed: ProductDue) -> bool:
    """Whether a source was written again, or went, since it was found: what it was refused for may be gone, too."""
    try:
        with refused_if_unforeseen(str(ref)):
            sources = resolve.find(str(ref), product, workspace.directory, workspace.group.settings.time_zone)
            return availability.fingerprints(sources, computed.periods) != computed.fingerprints
    except (OSError, RefusedError):
        return True


def _days(product: Product, first: date | None, last: date | None, today: date, zone: str) -> list[date]:
    """The days of the product's life in the range; whole months for a product that counts by month."""
    begin = first or product.from_
    end = min(last or today, today)
    return product.days_due(first_day(product.grain, begin), last_day(product.grain, end), zone)


def _needed(
    workspace: Workspace,
    ref: ProductRef,
    product: Product,
    present: ProductDue,
    stored: Versions,
    notes: Mapping[date, str],
) -> set[date]:
    """First days of the periods in the sources that have to be computed. `notes`: of the files of which each was computed."""
    needed = {period for period in present.periods if _is_outdated(stored.get(period), workspace, ref, product)}
    if workspace.store_if_any():
        others = {period: days for period, days in present.periods.items() if period not in needed}
        needed |= _changed(workspace, ref, product, present, others, notes)
        needed |= _second_ones_due(workspace, ref, product, present.next_epoch)
    # Erased periods come back only where somebody names them: `mauwatch run --from --to` after `erase --allow-again`.
    return needed - {period for period, version in stored.items() if version.erased_at is not None}


def _changed(
    workspace: Workspace,
    ref: ProductRef,
    product: Product,
    present: ProductDue,
    candidates: Mapping[date, list[date]],
    notes: Mapping[date, str],
) -> set[date]:
    """First days of the candidates whose events have changed since they were computed.

    A file named by day is known by its name, size, times and inode. A file of many days changes with each of them: there,
    the number of a period's events tells whether the period has changed (decisions 27 and 32).
    """
    now = present.fingerprints
    # A period whose files nobody noted (an older store's, or handed in) passes for unchanged.
    changed = {
        period: days
        for period, days in candidates.items()
        # A copy can't be computed under a key that is gone: there, what a copy keeps decides.
        if period in notes
        and not (seen.is_as_stated if _key_is_destroyed(workspace, period) else seen.is_same)(notes[period], now[period])
    }
    # No look at the events where each file is one day's: there, another fingerprint is the day's own.
    if not changed or all(source.source.by_day for source in present.sources):
        return set(changed)
    before = product_days.read_events(workspace.store(), ref, product.grain)
    events = availability.events_now(present.sources, product.grain, changed, workspace.group.settings.time_zone)
    return {period for period in changed if before.get(period, events[period]) != events[period]}


def _second_ones_due(
    workspace: Workspace, ref: ProductRef, product: Product, next_epoch: Mapping[date, Sequence[date]]
) -> set[date]:
    """Days whose second contribution is missing, is outdated, or isn't of as many events as the day's own."""
    if not any(next_epoch.values()):
        return set()
    store = workspace.store()
    stored = {version.activity_date: version for version in store.read_versions(ref, next_epoch=True)}
    differing = overlap.differing_days(*overlap.read_events(store, ref))

    def is_due(day: date, month: date) -> bool:
        version = stored.get(day)
        if version is None:
            return True
        return version.erased_at is None and (day in differing or _is_outdated(version, workspace, ref, product, month))

    return {day for month, days in next_epoch.items() for day in days if is_due(day, month)}


def _is_outdated(
    version: StoredContribution | None, workspace: Workspace, ref: ProductRef, product: Product, month: date | None = None
) -> bool:
    """Whether a period was never computed, or before it settled, or under another key, crosswalk or definition.

    `month`: the month whose key and crosswalk the contribution has to be under; its own where None.
    """
    if version is None:
        return True
    edge = workspace.edge
    month = month or month_of(version.activity_date)
    # Under a destroyed key nothing can be computed again: what is stored is the last that there will be.
    if _key_is_destroyed(workspace, month):
        return False
    settles = settles_at(workspace.group, ref, version.grain, version.activity_date, version.day_zone)
    return (
        version.computed_at < settles
        or (version.key_epoch, version.key_fingerprint) != (edge.keys.source(month).epoch, edge.keys.fingerprint(month))
        or version.definition_digest != definition_digest(product, edge.settings)
        or version.crosswalk_digest != workspace.crosswalk_digest(month)
    )


def _key_is_destroyed(workspace: Workspace, day: date) -> bool:
    return workspace.edge.keys.source(month_of(day)).destroyed is not None
