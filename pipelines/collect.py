"""Contributions of one product, from its sources by the edge and the one way in to the store.

A few lines over 300: what is due and how it is computed have to agree.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from affiliates import both_keys, contribution, crosswalk, edge
from affiliates.crosswalk import NO_CROSSWALK
from affiliates.edge import Workplace
from affiliates.errors import Code, Refusal, RefusedError
from affiliates.group import Group, Product, ProductRef, said_in
from affiliates.keyring import Keyring
from affiliates.periods import (
    DAY,
    end_of,
    first_day,
    last_day,
    local_day,
    month_before,
    month_days,
    month_of,
    months_between,
)
from affiliates.sources.found import Found
from pipelines import ahead as events_ahead
from pipelines import erased, intake, product_days, registry, warehouse
from pipelines.held import Accepted, GivenCount, Received, Version, period
from pipelines.warehouse import Warehouse

_ATTEMPTS = 3
"""Times that a product is computed while its files are written again under its hands."""


class Centre:
    """A group directory at work: manifests, key, crosswalks, the time, and the store, opened once it is needed."""

    def __init__(self, directory: Path, group: Group, now: datetime) -> None:
        self.directory, self.group, self.now, self._began = directory, group, now, time.monotonic()
        self.registry = registry.from_directory(directory)
        keys = Keyring(group.settings, directory)
        keys.newest()
        self.place = Workplace(directory, group.settings, keys, crosswalk.by_month(group.settings.crosswalk, directory), now)
        if group.settings.crosswalk and "{month}" not in group.settings.crosswalk:
            self.place.crosswalk(date.min)  # One snapshot for all: if it can't be read, no product can be counted.
        self._stack = ExitStack()
        self._store: Warehouse | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store = None
        self._stack.__exit__(kind, error, trace)  # The store turns a database's error into a refusal that quotes nothing.

    @property
    def today(self) -> date:
        """The day that it is in the group's zone."""
        return local_day(self.now, self.group.settings.time_zone)

    def clock(self) -> datetime:
        """The time, for what waits: all that a run computes is of `now`."""
        return self.now + timedelta(seconds=time.monotonic() - self._began)

    def crosswalk_digest(self, month: date) -> str:
        """Of the snapshot that joins a month's identifiers; empty for none."""
        return _digest(self.place, month)

    def store(self) -> Warehouse:
        """The store, made where there is none."""
        if self._store is None:
            opened = warehouse.opened(self.group.settings.store, self.directory, create=True)
            self._store = self._stack.enter_context(opened)
        return self._store

    def store_if_any(self) -> Warehouse | None:
        """The store; it comes into being only with the first contribution that is accepted."""
        there = self._store is not None or warehouse.exists(self.group.settings.store, self.directory)
        return self.store() if there else None


@dataclass
class ProductRun:
    """What a run did for one product."""

    ref: ProductRef
    received: Received = field(default_factory=Received)
    periods: int = 0
    """Computed anew."""
    missing: tuple[date, ...] = ()
    """Days that are over and settled, and are neither in the sources nor in the store."""
    refusals: tuple[Refusal, ...] = ()
    unidentified: int = 0
    """Events of the computed periods without a usable identifier."""
    undecided: int = 0
    """Events of the computed periods that a condition left undecided."""

    @property
    def name(self) -> str:
        """The product, as affiliate/product."""
        return str(self.ref)

    def add(self, more: Self) -> None:
        """Take in what was done for other periods of the same product; what is missing stays as it is."""
        r, m = vars(self.received), vars(more.received)
        self.received = Received(**{outcome: number + m[outcome] for outcome, number in r.items()})
        self.periods += more.periods
        self.refusals += tuple(new for new in more.refusals if str(new) not in map(str, self.refusals))
        self.unidentified += more.unidentified
        self.undecided += more.undecided


@dataclass(frozen=True)
class Due:
    """What can be computed of a product and has to be, and what can't be and ought to."""

    found: list[Found]
    periods: dict[date, list[date]]
    """By first day, its days."""
    missing: tuple[date, ...]
    seen: dict[date, str]
    """By first day, the digest of the files it is computed from."""
    next_epoch: dict[date, list[date]] = field(default_factory=dict)
    """By the first month of the coming key epoch, those of its days that are contributed under its key, too."""


def due(centre: Centre, ref: ProductRef, product: Product, first: date | None = None, last: date | None = None) -> Due:
    """What of a product is due in a range; without one, what is missing, wasn't settled or has changed since.

    Raises `RefusedError` for a source that isn't there.
    """
    if product.handed_in:
        return Due([], {}, (), {})
    store, group, now = centre.store_if_any(), centre.group, centre.now
    versions = store.read_versions(ref) if store else []
    known = {v.activity_date: v for v in versions if v.grain == product.grain}
    zone = product.day_zone or group.settings.time_zone
    days = _days(product, first, last, now.date(), zone)
    found = edge.find(str(ref), product, centre.directory, group.settings.time_zone)
    periods = edge.periods_present(found, product, days, zone, now)
    seen = edge.fingerprints(found, periods)
    next_epoch = both_keys.next_epoch_days(product, list(periods), centre.place)
    if first is None and last is None:
        outdated = {p: ds for p, ds in periods.items() if _outdated(known.get(p), centre, ref, product)}
        others = {p: ds for p, ds in periods.items() if p not in outdated}
        changed = _changed(centre, ref, product, found, others, seen) if store else set()
        changed |= _behind(centre, ref, product, next_epoch) if store else set()
        gone = {p for p, version in known.items() if version.erased_at is not None}  # Again only by name.
        periods = {p: ds for p, ds in periods.items() if (p in outdated or p in changed) and p not in gone}
        next_epoch = {month: [day for day in days_ if day in periods] for month, days_ in next_epoch.items()}
    settled = DAY * product.settles_after
    # Asked to compute a range again, what its sources no longer hold is said, though the store has it.
    there = set(periods) | (set(known) if first is None and last is None else set())
    by_month = {v.activity_date for v in versions if v.grain == "month"}  # Handed in whole; until there is a day of its own.
    by_month -= {month_of(p) for p in (*periods, *known) if product.grain == "day"}
    missing = tuple(
        d for d in days
        if first_day(product.grain, d) not in there and month_of(d) not in by_month
        and end_of("day", d, zone) + settled <= now
        and not all(f.has(d) for f in found)
    )  # fmt: skip
    return Due(found, periods, missing, {p: seen[p] for p in periods}, next_epoch)


def collect(centre: Centre, ref: ProductRef, product: Product, first: date | None = None, last: date | None = None) -> ProductRun:
    """Compute what is due of a product and store it; what its sources are refused for is in the answer."""
    computed: list[Accepted] = []
    for _ in range(_ATTEMPTS):
        done, wanted = plan(centre, ref, product, first, last)
        if wanted is not None:
            with _refusals_in(done):
                computed = _computed(centre, ref, product, wanted)
        if wanted is None or not done.refusals or not _rewritten(centre, ref, product, wanted):
            break
    if wanted is not None and computed:
        done.periods, store = len(computed), centre.store()
        done.received = store.append_contributions(computed, centre.now, wanted.seen)
        if done.received.erased:
            versions = {period(v): v for v in store.read_versions(ref)}
            own = [a for a in computed if not a.next_epoch]  # An erased second one is left alone, as a run leaves erased days.
            done.refusals += tuple(erased.refusals(store.read_not_again(own, versions)))
        done.unidentified = sum(a.contribution.unidentified_events or 0 for a in computed if not a.next_epoch)
        done.undecided = sum(a.contribution.undecided_events or 0 for a in computed if not a.next_epoch)
    return done


def plan(
    centre: Centre, ref: ProductRef, product: Product, first: date | None = None, last: date | None = None
) -> tuple[ProductRun, Due | None]:
    """What `collect` would do, before it does it: what is missing or refused already, and else what is due."""
    done, wanted = ProductRun(ref), None
    with _refusals_in(done):
        wanted = due(centre, ref, product, first, last)
        done.missing = wanted.missing
    return done, wanted


def take_counts(centre: Centre) -> int:
    """Bring the manifests' counts and ceilings into the store; says how many changed."""
    given = list(_given(centre.group, centre.today))
    store = centre.store() if given else centre.store_if_any()
    return store.replace_counts(date.min, date.max, given, centre.now) if store else 0


def any_days(group: Group, first: date | None, last: date | None, today: date) -> bool:
    """Whether any product lives in a range."""
    zone = group.settings.time_zone
    return any(_days(product, first, last, today, product.day_zone or zone) for product in group.products.values())


@contextmanager
def _refusals_in(done: ProductRun) -> Iterator[None]:
    """What is refused inside becomes the product's refusals."""
    try:
        yield
    except RefusedError as error:
        done.refusals = error.refusals
    except OSError as error:
        done.refusals = (
            Refusal(
                Code.SOURCE_UNREADABLE,
                done.name,
                "a file can't be read",
                str(error.strerror),
                "see to its permissions and its disk",
            ),
        )


def _computed(centre: Centre, ref: ProductRef, product: Product, wanted: Due) -> list[Accepted]:
    """The product's contributions, written at the edge and read at the centre: there is one way in."""
    with TemporaryDirectory(prefix="mauwatch-") as folder:
        paths = []
        made = both_keys.contribute(ref, product, wanted.found, wanted.periods, wanted.next_epoch, centre.place)
        for number, contributions in enumerate(made):
            paths.append(Path(folder) / f"{ref.affiliate}-{ref.product}-{number}.parquet")
            contribution.write(paths[-1], contributions)
        return intake.accept(paths, centre.group, centre.place.keys.canaries, centre.crosswalk_digest, centre.now)


def _changed(
    centre: Centre, ref: ProductRef, product: Product, found: list[Found], periods: dict[date, list[date]], seen: dict[date, str]
) -> set[date]:
    """Periods whose files have changed since; one file of many days changes with each of them, and which of them did, the
    number of their events tells."""
    store = centre.store()
    before = store.read_seen(ref, product.grain)
    changed = {p: days for p, days in periods.items() if before.get(p, seen[p]) != seen[p]}
    if not changed or all(f.source.by_day for f in found):
        return set(changed)
    counted = product_days.read_events(store, ref, product.grain)
    there = edge.events_now(found, product.grain, changed, centre.group.settings.time_zone)
    return {p for p in changed if counted.get(p, there[p]) != there[p]}


def _rewritten(centre: Centre, ref: ProductRef, product: Product, wanted: Due) -> bool:
    """Whether a source was written again or went since it was found: then what it was refused for may be gone too."""
    try:
        found = edge.find(str(ref), product, centre.directory, centre.group.settings.time_zone)
        return edge.fingerprints(found, wanted.periods) != wanted.seen
    except (OSError, RefusedError):
        return True


def _days(product: Product, first: date | None, last: date | None, today: date, zone: str) -> list[date]:
    """The days of the product's life in the range; whole months for a product that counts by month."""
    begin, end = first or product.from_, min(last or today, today)
    return product.days_due(first_day(product.grain, begin), last_day(product.grain, end), zone)


def _digest(place: Workplace, month: date) -> str:
    snapshot = place.crosswalk(month)
    return snapshot.digest if snapshot else NO_CROSSWALK


def _behind(centre: Centre, ref: ProductRef, product: Product, next_epoch: Mapping[date, Sequence[date]]) -> set[date]:
    """Days whose second contribution has to be computed, or isn't of the events that their own is of."""
    if not any(next_epoch.values()):
        return set()
    store = centre.store()
    second = {v.activity_date: v for v in store.read_versions(ref, next_epoch=True)}
    differing = events_ahead.differing(*events_ahead.events_of(store, ref))
    return {
        day
        for month, days in next_epoch.items()
        for day in days
        if (version := second.get(day)) is None
        or (version.erased_at is None and (day in differing or _outdated(version, centre, ref, product, month)))
    }


def _outdated(version: Version | None, centre: Centre, ref: ProductRef, product: Product, month: date | None = None) -> bool:
    """Whether a period has to be computed: never, not settled, or under other settings; `month`: of whose key and crosswalk
    they are, else its own."""
    if version is None:
        return True
    place, month = centre.place, month or month_of(version.activity_date)
    if place.keys.source(month).destroyed:
        return False
    settles = intake.settles_at(centre.group, ref, version.grain, version.activity_date, version.day_zone)
    return (
        version.computed_at < settles
        or (version.key_epoch, version.key_fingerprint) != (place.keys.source(month).epoch, place.keys.fingerprint(month))
        or version.definition_digest != edge.definition_digest(product, place.settings)
        or version.crosswalk_digest != _digest(place, month)
    )


def _given(group: Group, today: date) -> Iterator[GivenCount]:
    """The manifests' counts, and their ceilings for each month that is over."""
    for ref, p in group.products.items():
        for count in p.counts:
            yield GivenCount(*ref, count.month, "count", count.users, count.unit, said_in(count), count.attested_by)
        for month in months_between(p.from_, month_before(today)) if p.ceilings else ():
            alive = [day for day in month_days(month) if p.holds_on(day)]
            roofs = [next((c for c in p.ceilings if c.holds_on(day)), None) for day in alive]
            # In force on every day; where it changed in the month, the higher one holds.
            if (found := [c for c in roofs if c]) and None not in roofs:
                c = max(found, key=lambda c: c.users)
                yield GivenCount(*ref, month, "ceiling", c.users, c.unit, said_in(c), c.attested_by)
