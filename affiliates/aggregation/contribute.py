"""One product's periods, from its sources to contributions: what runs inside an affiliate's walls.

Over 300 lines: the tally, its checks and the passes over the sources are one loop.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cache, partial
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import numpy as np

from affiliates.aggregation import activity, ready_keys
from affiliates.aggregation.batch import Batch
from affiliates.aggregation.frequent import FrequentValues
from affiliates.aggregation.key_cache import KeyCache
from affiliates.aggregation.per_person import PerPersonSample
from affiliates.contributions.completeness import LOOK_AT_CONDITIONS, NOBODY_COUNTS, EventNumbers, share_over_limit
from affiliates.contributions.contract import Contribution, Part
from affiliates.crosswalks.snapshot import NO_CROSSWALK, Crosswalk
from affiliates.errors import Code, refused
from affiliates.identity import canaries
from affiliates.identity.keyring import Keyring
from affiliates.identity.normalisation import NORMALISATION, rules_of
from affiliates.identity.spellings import Spellings
from affiliates.manifests.product import Product, ProductRef, definition_digest
from affiliates.manifests.settings import Settings
from affiliates.periods import Grain, first_day, month_of
from affiliates.sketches.arrays import Keys
from affiliates.sketches.registers import Absorber, Registers
from affiliates.sources.protocol import EventSource

PASS_BYTES = 256 << 20
"""Sources up to this size on disk are read once for all days, larger ones once a month: a day's registers wait in memory until
its pass is over."""


@dataclass(frozen=True)
class EdgeContext:
    """What an affiliate's machine knows: where the group directory is, the keys, the crosswalks, the time."""

    directory: Path
    settings: Settings
    keys: Keyring
    crosswalk: Callable[[date], Crosswalk | None]
    """The crosswalk of a month; raises `RefusedError` where the month's can't be read."""
    now: datetime
    spellings: Spellings = field(default_factory=Spellings)
    """What the identifiers look like that are counted in this context."""


@dataclass
class _Tally:
    """What one period's batches add up to. Cells are audience and namespace."""

    absorbers: dict[tuple[str, str], Absorber] = field(default_factory=dict)
    events: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    frequent: FrequentValues = field(default_factory=FrequentValues)
    unidentified: int = 0
    undecided: int = 0
    left_out: int = 0
    excluded: int = 0

    def numbers(self, audiences: Collection[str]) -> EventNumbers:
        """The events by what becomes of them, where a contribution is of these audiences."""
        by_audience = Counter[str]()
        for (audience, _), events in self.events.items():
            by_audience[audience] += events
        others = sum(events for audience, events in by_audience.items() if audience not in audiences)
        counted = sum(events for audience, events in by_audience.items() if audience in audiences and audience != "automated")
        automated = by_audience["automated"] if "automated" in audiences else 0
        return EventNumbers(counted, automated, self.excluded + others, self.unidentified + self.left_out)

    def check_frequent(self, subject: str, product: Product, largest_person: int) -> None:
        """Refuse a period in which one value stands for too many people. Raises `RefusedError`."""
        people = sum(_people(self.absorbers[cell]) for cell in self.judged)
        self.frequent.check(subject, product, self.judged_events, people, largest_person)

    @property
    def judged(self) -> set[tuple[str, str]]:
        """The cells whose values are judged: those of automated users may stand for anything."""
        return {cell for cell in self.absorbers if cell[0] != "automated"}

    @property
    def judged_events(self) -> int:
        """How many events the judged cells have."""
        return sum(self.events[cell] for cell in self.judged)

    def add_cell(self, audience: str, namespace: str, keys: Keys, events: int, lg_k: int) -> None:
        """Take one cell's keys and events; `lg_k` is of the cell's sketch."""
        cell = (audience, namespace)
        if cell not in self.absorbers:
            self.absorbers[cell] = Absorber(lg_k)
        self.absorbers[cell].absorb(keys)
        self.events[cell] += events


def _people(absorber: Absorber) -> int:
    """How many different keys there were, or about how many."""
    return absorber.distinct if absorber.distinct is not None else round(absorber.registers().bounds().estimate)


def _check_months(
    subject: str,
    product: Product,
    months: Mapping[date, FrequentValues],
    tallies: Mapping[date, _Tally],
    days: Sequence[date],
    settings: Settings,
) -> None:
    """Refuse a month in which one value stands for too many people, its days being too small to tell. Raises `RefusedError`.

    `days`: those of the pass. `tallies`: the pass's, by period.
    """
    n_days = Counter(map(month_of, days))
    by_month = defaultdict[date, list[_Tally]](list)
    for first, tally in tallies.items():
        by_month[month_of(first)].append(tally)
    for month, frequent in sorted(months.items()):
        of_month = by_month[month]
        sketches = [tally.absorbers[cell].registers() for tally in of_month for cell in tally.judged]
        people = round(Registers.union(sketches, settings.lg_k).bounds().estimate)
        events = sum(tally.judged_events for tally in of_month)
        frequent.check(f"{subject}, {month:%Y-%m}", product, events, people, settings.largest_person, n_days[month])


def contribute(
    ref: ProductRef,
    product: Product,
    sources: Sequence[EventSource],
    periods: Mapping[date, Sequence[date]],
    context: EdgeContext,
    key_month: date | None = None,
) -> Iterator[list[Contribution]]:
    """Contributions of these periods, in passes over the sources; memory is bounded by a pass.

    `sources`: all of the product's. `periods`: each period's days, by its first day, in order. `key_month`: the month whose key
    and crosswalk to take, in the place of each period's own.

    Raises `RefusedError` for anything in the sources that would count wrongly.
    """
    zone = context.settings.time_zone
    subject = str(ref)
    definition = definition_digest(product, context.settings)
    identified = 0
    unidentified = 0
    left_out = 0
    numbers = EventNumbers()
    wanted = [day for days in periods.values() for day in days]
    # A pass has one key and one crosswalk: where these can change by month, so must the pass.
    per_month = context.keys.has_several_epochs or "{month}" in (context.settings.crosswalk or "")
    for number, pass_days in enumerate(_passes(sources, wanted, per_month)):
        month = key_month or month_of(pass_days[0])
        crosswalk = context.crosswalk(month)
        canary_images = _CanaryImages(subject, context, month, product.has_ready_keys)
        tallies: dict[date, _Tally] = defaultdict(_Tally)
        months: dict[date, FrequentValues] = defaultdict(FrequentValues)
        samples: list[tuple[str, PerPersonSample]] = []
        tells_excluded = True
        for source in sources:
            if product.has_ready_keys:
                batches = ready_keys.batches(source, pass_days, product.grain, crosswalk)
            else:
                # A source that is read as a whole is checked as a whole, by the first pass.
                if source.day_by_day or number == 0:
                    activity.check(source, pass_days, zone, context.now)
                rules = partial(rules_of, context.settings)
                key_cache = KeyCache(
                    source.source.identifiers, context.keys.key(month), crosswalk, rules, source.subject, context.spellings
                )
                sample = PerPersonSample(source.source.identifiers, context.settings, key_cache.person_code, pass_days[0])
                samples.append((source.subject, sample))
                batches = activity.batches(source, pass_days, zone, key_cache, sample)
            for batch in batches:
                canary_images.add(batch.canaries)
                tells_excluded &= batch.tells_excluded
                _absorb(batch, set(pass_days), product.grain, context.settings.lg_k, tallies)
                for value in batch.frequent_in_month:
                    months[value.day].add([value])
        for first, tally in sorted(tallies.items()):
            events = sum(tally.events.values())
            check_shares(f"{subject}, {first}", product, events, tally.unidentified, tally.left_out)
            check_counted(f"{subject}, {first}", product, tally.numbers(product.audiences))
            tally.check_frequent(f"{subject}, {first}", product, context.settings.largest_person)
            numbers += tally.numbers(product.audiences)
            identified += events
            unidentified += tally.unidentified
            left_out += tally.left_out
        _check_months(subject, product, months, tallies, pass_days, context.settings)
        # After the values that stand for many: one of them beside many devices says nothing of a person's.
        for name, sample in samples:
            sample.check(name)
        # Once more for all passes so far: many small days, each too small to judge, can be as wrong as one large day.
        check_shares(subject, product, identified, unidentified, left_out)
        check_counted(subject, product, numbers)
        pass_periods = sorted({first_day(product.grain, day) for day in pass_days})
        contributions = (
            _contribution(ref, product, definition, first, tallies[first], crosswalk, canary_images, context, month)
            for first in pass_periods
        )
        yield [one if tells_excluded else replace(one, excluded_events=None) for one in contributions]


def _passes(sources: Sequence[EventSource], days: Sequence[date], per_month: bool) -> Iterator[list[date]]:
    """The days that are read together: all of them, or month by month."""
    if not per_month and sum(source.bytes_of(days) for source in sources) <= PASS_BYTES:
        if days:
            yield list(days)
        return
    for _, month in groupby(days, key=month_of):
        yield list(month)


def _absorb(batch: Batch, days: set[date], grain: Grain, lg_k: int, tallies: dict[date, _Tally]) -> None:
    """Add a batch to its periods' tallies; days that weren't asked for are left out."""
    for cell in batch.cells:
        if cell.day in days:
            tallies[first_day(grain, cell.day)].add_cell(cell.audience, cell.namespace, cell.keys, cell.events, lg_k)
    for value in batch.frequent:
        if value.day in days:
            tallies[first_day(grain, value.day)].frequent.add([value])
    for day, unidentified, undecided, left_out, excluded in batch.not_counted:
        if day in days:
            tally = tallies[first_day(grain, day)]
            tally.unidentified += unidentified
            tally.undecided += undecided
            tally.left_out += left_out
            tally.excluded += excluded


def check_shares(subject: str, product: Product, identified: int, unidentified: int, left_out: int) -> None:
    """Refuse a period, a run or a sample of too many events that are nobody's or can't be told to count.

    Those aren't zero users: raises `RefusedError` with their share.
    """
    for number, code, rule, next_step in (
        (
            unidentified,
            Code.EVENTS_UNIDENTIFIED,
            "too many events without a usable identifier",
            "name the column of signed-out users as a second identifier",
        ),
        (
            left_out,
            Code.EVENTS_UNDECIDED,
            "too many events that `counts_when` leaves undecided, its columns being null",
            "say what null means, by `coalesce`",
        ),
    ):
        if share := share_over_limit(number, identified, product):
            raise refused(code, subject, rule, share, f"{next_step}, correct the export, or raise `unidentified_limit`")


def check_counted(subject: str, product: Product, numbers: EventNumbers) -> None:
    """Refuse a period, or a run, of many events none of which counts. Those aren't zero users: raises `RefusedError`."""
    if values := numbers.nobody_counts(product):
        raise refused(Code.EVENTS_ALL_EXCLUDED, subject, NOBODY_COUNTS, values, LOOK_AT_CONDITIONS)


class _CanaryImages:
    """Sketches of the protocol's fixed identifiers, for the contributions of one pass.

    Hashed by the month's key; where keys are made elsewhere, of the canaries' keys that came with them.
    """

    def __init__(self, subject: str, context: EdgeContext, month: date, made_elsewhere: bool) -> None:
        self._subject = subject
        self._settings = context.settings
        self._key = None if made_elsewhere else context.keys.key(month)
        self._received: dict[str, set[int]] = defaultdict(set)

    def add(self, keys_of_canaries: Mapping[str, Keys]) -> None:
        """Take canaries' keys that a source has, by namespace; the same ones can come again."""
        for namespace, keys in keys_of_canaries.items():
            self._received[namespace].update(keys.tolist())

    def image(self, namespace: str, lg_k: int) -> bytes:
        """The namespace's canary. Raises `RefusedError` where keys are made elsewhere and came without canaries."""
        if self._key is not None:
            return canaries.image(namespace, self._key, lg_k, rules=rules_of(self._settings, namespace))
        if namespace not in self._received:
            raise refused(
                Code.SOURCE_KEYS_INVALID,
                self._subject,
                "keys without canaries",
                f"namespace {namespace}",
                "send the canaries' keys with them, in rows of the audience `canary`: --print-sql ENGINE --person-keys",
            )
        return Registers.from_keys(lg_k, np.array(sorted(self._received[namespace]), np.uint64)).to_image()


@cache
def _producer() -> str:
    """This software and its version; cached, since a distribution's metadata takes half a millisecond to read."""
    return f"mauwatch {version('mauwatch')}"


def _contribution(
    ref: ProductRef,
    product: Product,
    definition: str,
    first: date,
    tally: _Tally,
    crosswalk: Crosswalk | None,
    canary_images: _CanaryImages,
    context: EdgeContext,
    month: date,
) -> Contribution:
    """The contribution of a period, named by its first day.

    `definition`: the digest of the settings that decide who counts. `month`: whose key made the contribution.
    """
    lg_k = context.settings.lg_k
    namespaces = dict.fromkeys(namespace for source in product.sources for namespace in source.namespaces)
    # A row for each namespace of the sources even without users: its canary proves the way there.
    counted = {(audience, namespace) for audience, namespace in tally.absorbers if audience in product.audiences}
    cells = sorted({("external", namespace) for namespace in namespaces} | counted)
    parts = []
    for audience, namespace in cells:
        users = tally.absorbers.get((audience, namespace)) or Absorber(lg_k)
        canary = canary_images.image(namespace, lg_k)
        events = tally.events[audience, namespace]
        parts.append(Part(audience, namespace, users.registers(), events, users.distinct, canary))
    return Contribution(
        affiliate=ref.affiliate,
        product=ref.product,
        grain=product.grain,
        activity_date=first,
        key_epoch=context.keys.source(month).epoch,
        crosswalk_digest=crosswalk.digest if crosswalk else NO_CROSSWALK,
        normalisation=product.sources[0].normalisation or NORMALISATION,
        unidentified_events=tally.unidentified,
        undecided_events=tally.undecided,
        definition=product.active.label,
        definition_digest=definition,
        day_zone=product.day_zone or context.settings.time_zone,
        computed_at=context.now,
        producer=_producer(),
        parts=tuple(parts),
        audiences=product.limited_to,
        excluded_events=tally.numbers(product.audiences).excluded,
    )
