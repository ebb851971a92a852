"""One product's periods, from its sources to contributions: what runs inside an affiliate's walls."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import numpy as np

from affiliates.aggregation import activity, ready_keys
from affiliates.aggregation.key_cache import KnownKeys
from affiliates.contributions.completeness import share_over_limit
from affiliates.contributions.contract import Contribution, Part
from affiliates.crosswalks.snapshot import NO_CROSSWALK, Crosswalk
from affiliates.errors import Code, refused
from affiliates.identity.canaries import image
from affiliates.identity.keyring import Keyring
from affiliates.identity.normalisation import NORMALISATION
from affiliates.manifests.product import Product, ProductRef, definition_digest
from affiliates.manifests.settings import Settings
from affiliates.periods import Grain, first_day, month_of
from affiliates.sketches.arrays import Keys
from affiliates.sketches.registers import Absorber, Registers
from affiliates.sources.protocol import EventSource

PASS_BYTES = 256 << 20
"""Sources up to this size on disk are read once for all days, larger ones once a month: a day's
registers wait in memory until its pass is over."""


@dataclass(frozen=True)
class EdgeContext:
    """What an affiliate's machine knows: where the group directory is, the keys, the crosswalks, the time."""

    directory: Path
    settings: Settings
    keys: Keyring
    crosswalk: Callable[[date], Crosswalk | None]
    now: datetime


@dataclass
class _Tally:
    """What is known of one period, besides its people."""

    absorbers: dict[tuple[str, str], Absorber] = field(default_factory=dict)
    events: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    unidentified: int = 0
    undecided: int = 0
    left_out: int = 0


def contribute(
    ref: ProductRef,
    product: Product,
    found: Sequence[EventSource],
    periods: dict[date, list[date]],
    place: EdgeContext,
    hashed_as: date | None = None,
) -> Iterator[list[Contribution]]:
    """Contributions of these periods, in passes over the sources; memory is bounded by a pass.

    `hashed_as`: by the key and the crosswalk of this month, instead of their own.

    Raises `RefusedError` for anything in the sources that would count wrongly.
    """
    zone = place.settings.time_zone
    subject = str(ref)
    identified = unidentified = left_out = 0
    wanted = [day for days in periods.values() for day in days]
    per_month = place.keys.has_several_epochs or "{month}" in (place.settings.crosswalk or "")
    for number, pass_days in enumerate(_passes(found, wanted, per_month)):
        month = hashed_as or month_of(pass_days[0])
        crosswalk = place.crosswalk(month)
        proof = _Proof(subject, place, month, product.has_ready_keys)
        tallies: dict[date, _Tally] = defaultdict(_Tally)
        for source in found:
            if product.has_ready_keys:
                events = ready_keys.batches(source, pass_days, product.grain, crosswalk)
            else:
                if source.day_by_day or number == 0:
                    activity.check(source, pass_days, zone, place.now)
                known = KnownKeys(source.source.identifiers, place.keys.key(month), crosswalk)
                events = activity.batches(source, pass_days, zone, known)
            for batch in events:
                proof.add(batch.canaries)
                _absorb(batch, set(pass_days), product.grain, place.settings.lg_k, tallies)
        for first, tally in sorted(tallies.items()):
            _judge(f"{subject}, {first}", product, sum(tally.events.values()), tally.unidentified, tally.left_out)
            identified += sum(tally.events.values())
            unidentified += tally.unidentified
            left_out += tally.left_out
        _judge(subject, product, identified, unidentified, left_out)
        passed = sorted({first_day(product.grain, day) for day in pass_days})
        yield [_contribution(ref, product, first, tallies[first], crosswalk, proof, place, month) for first in passed]


def _passes(found: Sequence[EventSource], days: Sequence[date], per_month: bool) -> Iterator[list[date]]:
    if not per_month and sum(source.bytes_of(days) for source in found) <= PASS_BYTES:
        if days:
            yield list(days)
        return
    for _, month in groupby(days, key=month_of):
        yield list(month)


def _absorb(batch: activity.Batch, days: set[date], grain: Grain, lg_k: int, tallies: dict[date, _Tally]) -> None:
    for day, audience, namespace, keys, events in batch.cells:
        if day in days:
            tally = tallies[first_day(grain, day)]
            cell = (audience, namespace)
            if cell not in tally.absorbers:
                tally.absorbers[cell] = Absorber(lg_k)
            tally.absorbers[cell].absorb(keys)
            tally.events[cell] += events
    for day, unidentified, undecided, left_out in batch.left_out:
        if day in days:
            tally = tallies[first_day(grain, day)]
            tally.unidentified += unidentified
            tally.undecided += undecided
            tally.left_out += left_out


def _judge(subject: str, product: Product, identified: int, unidentified: int, left_out: int) -> None:
    """Refuse a period, or a run, most of whose events name nobody or can't be told to count: not zero users."""
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


class _Proof:
    """Canaries of a pass: by the key that hashes here, or the keys that whoever hashed elsewhere has made of them."""

    def __init__(self, subject: str, place: EdgeContext, month: date, made_elsewhere: bool) -> None:
        self._subject = subject
        self._elsewhere = made_elsewhere
        self._key = None if made_elsewhere else place.keys.key(month)
        self._made: dict[str, set[int]] = defaultdict(set)

    def add(self, canaries: Mapping[str, Keys]) -> None:
        for namespace, keys in canaries.items():
            self._made[namespace].update(keys.tolist())

    def image(self, namespace: str, lg_k: int) -> bytes:
        if self._key is not None:
            return image(namespace, self._key, lg_k)
        if namespace not in self._made:
            raise refused(
                Code.SOURCE_KEYS_INVALID,
                self._subject,
                "keys without canaries",
                f"namespace {namespace}",
                "send the canaries' keys with them, in rows of the audience `canary`: --print-sql ENGINE --person-keys",
            )
        return Registers.from_keys(lg_k, np.array(sorted(self._made[namespace]), np.uint64)).to_image()


@cache
def _producer() -> str:
    return f"mauwatch {version('mauwatch')}"


def _contribution(
    ref: ProductRef,
    product: Product,
    first: date,
    tally: _Tally,
    crosswalk: Crosswalk | None,
    proof: _Proof,
    place: EdgeContext,
    month: date,
) -> Contribution:
    lg_k = place.settings.lg_k
    namespaces = dict.fromkeys(n for s in product.sources for n in s.namespaces)
    # A row for each namespace of the sources even without users: its canary proves the way there.
    counted = {(audience, n) for audience, n in tally.absorbers if audience in product.audiences}
    cells = sorted({("external", n) for n in namespaces} | counted)
    parts = tuple(
        Part(
            audience,
            namespace,
            people.registers(),
            tally.events[audience, namespace],
            people.distinct,
            proof.image(namespace, lg_k),
        )
        for audience, namespace in cells
        for people in [tally.absorbers.get((audience, namespace)) or Absorber(lg_k)]
    )
    return Contribution(
        affiliate=ref.affiliate,
        product=ref.product,
        grain=product.grain,
        activity_date=first,
        key_epoch=place.keys.source(month).epoch,
        crosswalk_digest=crosswalk.digest if crosswalk else NO_CROSSWALK,
        normalisation=product.sources[0].normalisation or NORMALISATION,
        unidentified_events=tally.unidentified,
        undecided_events=tally.undecided,
        definition=product.active.label,
        definition_digest=definition_digest(product, place.settings),
        day_zone=product.day_zone or place.settings.time_zone,
        computed_at=place.now,
        producer=_producer(),
        parts=parts,
        audiences=product.limited_to,
    )
