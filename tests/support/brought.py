"""What would settle a test, put in: the store's contributions as they would be if causes of a range were brought.

At its best a cause adds nobody whom the others don't have; at its worst everybody in it is somebody else. The people of it are
made up, and counting's own code makes the figures of them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import NamedTuple

import numpy as np

from affiliates.identity.keys import PERSON
from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.sketches.image import MAX_LG_K
from affiliates.sketches.registers import Registers
from pipelines.counting import measure
from pipelines.counting.inputs import Inputs
from pipelines.figures.months import clause_count
from pipelines.licences.outcome import Result, decide
from pipelines.licences.settling import Cause
from pipelines.records import ContributionReader, Position, StatedCount, StoredContribution, StoredPart

Parts = dict[str, list[Registers]]
"""A product's registers by namespace."""
_PLAIN = StoredContribution(
    0, "a", "x", "month", date(2025, 1, 1), "", "1", "fingerprint", "", "made up", None, "UTC", None, None, False,
    datetime(2100, 1, 1, tzinfo=UTC),
)  # fmt: skip


class Limits(NamedTuple):
    """What a clause asks."""

    threshold: int
    comparator: str


class Brought:
    """A `ContributionReader` of made-up contributions, one a product, that are whole and have settled."""

    def __init__(self, parts: Mapping[int, Parts], audience: str) -> None:
        self._parts = parts
        self._audience = audience

    def read_around(
        self, first: date, last: date, up_to: Position | None = None, next_epoch: bool = False
    ) -> list[StoredContribution]:
        raise NotImplementedError

    def read_counts(self, first: date, last: date, up_to: Position | None = None) -> list[StatedCount]:
        raise NotImplementedError

    def read_events(self, ref: ProductRef, next_epoch: bool = False) -> Mapping[date, int]:
        return {}

    def read_parts(self, ids: Sequence[int]) -> Iterator[tuple[int, StoredPart]]:
        for number in ids:
            for namespace, registers in self._parts[number].items():
                for part in registers:
                    yield number, StoredPart(self._audience, namespace, part)


def result_with(
    reader: ContributionReader,
    group: Group,
    inputs: Inputs,
    names: Collection[str] | None,
    causes: Collection[Cause],
    best: bool,
    limits: Limits,
) -> Result:
    """The result of a test of a month's people once these causes are brought; `names`: of these products alone."""
    due = tuple((ref, product) for ref, product in inputs.due if names is None or str(ref) in names)
    parts = _parts_of(reader, inputs, {ref for ref, _ in due})
    brought = {cause.subject: cause for cause in causes if cause.kind in ("stand_in", "gap")}
    summed = inputs.reading.counts == "summed_products" and len(due) > 1
    joined = {ref for ref, _ in due if any(c.kind == "identity" and c.subject == str(ref) for c in causes)}
    finer = any(cause.kind == "sketches" for cause in causes)
    if not summed and any(cause.kind == "identity" for cause in causes):
        joined = {ref for ref, _ in due}
    if finer:
        parts = _finer(parts, apart=summed)
    _bring(parts, due, inputs, brought, best, summed)
    for refs in [{ref} for ref in joined] if summed else [joined] if joined else []:
        _join(parts, refs, best)
    whole = {ref for ref, _ in due if str(ref) in brought}
    stated_counts = {ref: count for ref, count in inputs.stated_counts.items() if ref not in whole and ref in parts}
    versions = [version for version in inputs.versions if version.ref in parts and version.ref not in whole]
    # One contribution a product has all of its people; those that weren't brought keep what is missing of them.
    rest, numbers = _placed(parts, versions, whole, inputs.month, group)
    changed = replace(
        inputs,
        due=due,
        versions=tuple(rest),
        stated_counts=stated_counts,
        least_people={ref: n for ref, n in inputs.least_people.items() if ref in stated_counts},
    )
    audience = inputs.reading.audiences[0]
    measured = measure.measure(Brought(numbers, audience), group, changed)
    people = clause_count(measured, inputs.reading)
    assert people is not None
    return decide(limits.threshold, people.lower, people.upper, limits.comparator)


def _parts_of(reader: ContributionReader, inputs: Inputs, refs: Collection[ProductRef]) -> dict[ProductRef, Parts]:
    """The products' registers in the reading's audiences, united by namespace."""
    by_id = {version.id: version.ref for version in inputs.versions if version.ref in refs}
    parts: dict[ProductRef, Parts] = {ref: defaultdict(list) for ref in refs}
    for number, part in reader.read_parts(sorted(by_id)):
        if part.audience in inputs.reading.audiences and part.registers is not None:
            parts[by_id[number]][part.namespace].append(part.registers)
    return {ref: {n: _united(registers) for n, registers in of_ref.items()} for ref, of_ref in parts.items()}


def _united(registers: Sequence[Registers]) -> list[Registers]:
    """The union for each lg_k."""
    by_lg_k: dict[int, list[Registers]] = defaultdict(list)
    for same in registers:
        by_lg_k[same.lg_k].append(same)
    return [Registers.union(level) for level in by_lg_k.values()]


def made_up(number: int, lg_k: int, seed: int) -> Registers:
    """Registers of so many different people; of two seeds nobody is the same, and of one the fewer are among the more."""
    keys = np.arange(number, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed * 0x1000193)
    return Registers.from_keys(lg_k, keys)


def _estimate(registers: Sequence[Registers]) -> float:
    return Registers.union(registers).bounds().estimate if registers else 0.0


def _by_namespace(parts: Mapping[ProductRef, Parts]) -> dict[str, list[Registers]]:
    united: dict[str, list[Registers]] = defaultdict(list)
    for of_ref in parts.values():
        for namespace, registers in of_ref.items():
            united[namespace] += registers
    return {namespace: _united(registers) for namespace, registers in united.items()}


def _bring(
    parts: dict[ProductRef, Parts],
    due: Sequence[tuple[ProductRef, object]],
    inputs: Inputs,
    brought: Mapping[str, Cause],
    best: bool,
    summed: bool,
) -> None:
    """Give the products that are brought the people that they have at their best or worst."""
    sizes = {namespace: _estimate(registers) for namespace, registers in _by_namespace(parts).items()}
    lg_k = max((r.lg_k for of_ref in parts.values() for rs in of_ref.values() for r in rs), default=14)
    for i, (ref, _) in enumerate(due):
        stated = inputs.stated_counts.get(ref)
        if str(ref) not in brought or stated is None:
            continue
        own = {namespace: _estimate(registers) for namespace, registers in parts[ref].items()}
        others = own if summed else sizes
        known = sum(others.values())
        largest = max(others, key=lambda namespace: others[namespace]) if others else "email"
        # A count says how many there are: those whom the sketches don't have are, at best, the same for every count.
        at_best = max(0, stated.users - round(known)) if stated.kind == "count" else 0
        new = at_best if best else stated.users
        parts[ref][largest] = [*parts[ref].get(largest, []), made_up(new, lg_k, 1 if best else 2 + i)]
        parts[ref][largest] = _united(parts[ref][largest])


def _join(parts: dict[ProductRef, Parts], refs: Collection[ProductRef], best: bool) -> None:
    """Join the identifiers of these products: at best all are the same people, at worst all are different ones."""
    sizes = {n: _estimate(registers) for n, registers in _by_namespace({ref: parts[ref] for ref in refs}).items()}
    if not sizes:
        return
    largest = max(sizes, key=lambda namespace: sizes[namespace])
    for ref in refs:
        if best:
            parts[ref] = {PERSON: parts[ref].get(largest, [])}
        else:
            parts[ref] = {PERSON: _united([r for registers in parts[ref].values() for r in registers])}


def _finer(parts: Mapping[ProductRef, Parts], apart: bool) -> dict[ProductRef, Parts]:
    """Sketches of the finest lg_k, of as many people as the coarse ones estimate; `apart`: product by product."""
    if apart:
        return {
            ref: {n: [made_up(round(_estimate(rs)), MAX_LG_K, i)] for n, rs in of_ref.items()}
            for i, (ref, of_ref) in enumerate(parts.items())
        }
    united = {n: [made_up(round(_estimate(rs)), MAX_LG_K, 0)] for n, rs in _by_namespace(parts).items()}
    return {ref: {n: united[n] for n in of_ref} for ref, of_ref in parts.items()}


def _placed(
    parts: Mapping[ProductRef, Parts],
    versions: Sequence[StoredContribution],
    whole: Collection[ProductRef],
    month: date,
    group: Group,
) -> tuple[list[StoredContribution], dict[int, Parts]]:
    """The contributions, with the parts of each by its number.

    A product that was brought has one of the whole month. Of any other the first contribution gets all of its people: whose
    day that is matters to nobody, and what is missing of the product stays missing.
    """
    example = replace(versions[0] if versions else _PLAIN, day_zone=group.settings.time_zone)
    placed, numbers = list(versions), {}
    seen = set[ProductRef]()
    for version in versions:
        numbers[version.id] = parts[version.ref] if version.ref not in seen else {}
        seen.add(version.ref)
    for i, ref in enumerate(sorted(whole)):
        new = replace(
            example, id=10**12 + i, affiliate=ref.affiliate, product=ref.product, grain="month", activity_date=month,
            computed_at=_PLAIN.computed_at, audiences=None, erased_at=None,
        )  # fmt: skip
        placed.append(new)
        numbers[new.id] = parts[ref]
    return placed, numbers
