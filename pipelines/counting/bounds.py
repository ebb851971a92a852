"""From registers by namespace to a number of people with bounds. Pure.

Within a namespace keys are united, and only the sketch errs. Across namespaces nobody can tell who
is who: from the largest namespace (all the same people) to the sum of all (all different).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from affiliates.sketches.registers import Bounds, Registers, standard_error

Sketches = Mapping[str, Mapping[int, Registers]]
"""Registers by namespace and lg_k."""


@dataclass(frozen=True)
class Pool:
    """Sketches that lie inside the window for certain, as they are labelled, and all that may.

    The three differ only where days are another zone's.
    """

    inner: Sketches = field(default_factory=dict)
    stated: Sketches = field(default_factory=dict)
    outer: Sketches = field(default_factory=dict)

    @classmethod
    def from_sketches(cls, sketches: Sketches) -> "Pool":
        """Of a window whose days are all of its own zone: the three are the same."""
        return cls(sketches, sketches, sketches)

    @classmethod
    def united(cls, pools: Sequence["Pool"]) -> "Pool":
        stated = unite(p.stated for p in pools)
        if all(p.inner is p.stated is p.outer for p in pools):
            return cls.from_sketches(stated)
        return cls(unite(p.inner for p in pools), stated, unite(p.outer for p in pools))


class PeopleEstimate(NamedTuple):
    """A number of people, not yet rounded."""

    estimate: float
    """Unjoined namespaces taken as different people."""
    lower: float
    upper: float
    standard_error: float
    """Of the sketches alone."""
    identity_low: float
    identity_high: float
    lg_k: int | None


def unite(each: Iterable[Sketches]) -> Sketches:
    """The union, namespace by namespace and lg_k by lg_k."""
    gathered: dict[str, dict[int, list[Registers]]] = defaultdict(lambda: defaultdict(list))
    for sketches in each:
        for namespace, by_lg_k in sketches.items():
            for lg_k, registers in by_lg_k.items():
                gathered[namespace][lg_k].append(registers)
    return {n: {k: Registers.union(found) for k, found in by.items()} for n, by in gathered.items()}


def estimate_people(pool: Pool) -> PeopleEstimate:
    """Estimate and 95 % bounds of the people in a pool."""
    stated = {n: namespace_bounds(by) for n, by in pool.stated.items()}
    same = pool.inner is pool.stated is pool.outer
    inner = stated if same else {n: namespace_bounds(by) for n, by in pool.inner.items()}
    outer = stated if same else {n: namespace_bounds(by) for n, by in pool.outer.items()}
    lg_ks = {n: min(by) for n, by in pool.stated.items()}
    high = sum(b.estimate for b in stated.values())
    # Namespaces are hashed apart, so their errors are independent and add in squares.
    above = math.sqrt(sum((b.upper - b.estimate) ** 2 for b in outer.values()))
    return PeopleEstimate(
        estimate=high,
        lower=max((b.lower for b in inner.values()), default=0.0),
        upper=sum(b.estimate for b in outer.values()) + above,
        standard_error=math.sqrt(sum(standard_error(lg_ks[n], b.estimate) ** 2 for n, b in stated.items())),
        identity_low=max((b.estimate for b in stated.values()), default=0.0),
        identity_high=high,
        lg_k=min(lg_ks.values(), default=None),
    )


def shares_seen(each: Iterable[Sketches]) -> list[float]:
    """Of all people in these sketches, the share that the first of them has, the first two have, and so on up to 1; by
    estimates, unjoined namespaces taken as different people. Nothing where there is nobody."""
    united: Sketches = {}
    found: list[float] = []
    for sketches in each:
        united = unite([united, sketches])
        found.append(estimate_people(Pool.from_sketches(united)).estimate)
    return [estimate / found[-1] for estimate in found] if found and found[-1] else []


def namespace_bounds(by_lg_k: Mapping[int, Registers]) -> Bounds:
    """Bounds of one namespace's union, where sketches may differ in lg_k.

    Folding everything to the lowest lg_k would give all the error of the coarsest sketch. What is
    finer, taken alone, bounds the union from below; that and the coarser parts added, from above.
    The interval is where all of these agree.
    """
    levels = sorted(by_lg_k, reverse=True)
    folded = Registers.union(by_lg_k.values()).bounds()
    if len(levels) == 1:
        return folded
    lower = folded.lower
    upper = folded.upper
    for i in range(1, len(levels)):
        fine = Registers.union(by_lg_k[k] for k in levels[:i]).bounds()
        coarse = [by_lg_k[k].bounds() for k in levels[i:]]
        lower = max(lower, fine.lower)
        upper = min(upper, fine.upper + sum(b.upper for b in coarse))
    # Bounds of 95 % can miss each other: then the wider one of the two stands.
    if lower > upper:
        return folded
    return Bounds(min(max(folded.estimate, lower), upper), lower, upper)
