"""From registers by namespace to a number of people with bounds. Pure.

Within a namespace keys are united, and only the sketch errs: HyperLogLog's standard error, 1.04 / sqrt(2^lg_k) of the number
(Flajolet, Fusy, Gandouet, Meunier 2007), with the bounds of `affiliates.sketches.registers`. Across namespaces nobody can tell
who is who: the people are from those of the largest namespace (all the same people) to the sum of all (all different).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from affiliates.manifests.namespaces import UNSAID, IdentifierRange
from affiliates.sketches.registers import Bounds, Registers, standard_error

Sketches = Mapping[str, Mapping[int, Registers]]
"""Registers by namespace and lg_k."""


@dataclass(frozen=True)
class Pool:
    """The sketches of a window, three times: they differ only where days are another zone's (decision 47)."""

    inner: Sketches = field(default_factory=dict)
    """Of the contributions whose every moment lies in the window: they bound the people from below."""
    stated: Sketches = field(default_factory=dict)
    """Of the contributions whose days are in the window by their dates: the estimate's."""
    outer: Sketches = field(default_factory=dict)
    """Of the contributions with any moment in the window: they bound the people from above."""

    @classmethod
    def from_sketches(cls, sketches: Sketches) -> "Pool":
        """The pool of a window whose days are all of its own zone: the three are the same."""
        return cls(sketches, sketches, sketches)

    @classmethod
    def united(cls, pools: Sequence["Pool"]) -> "Pool":
        """The pool of everybody in any of the pools."""
        stated = unite(p.stated for p in pools)
        # One object for all three saves two unions a namespace here, and as many bounds in `estimate_people`.
        if all(p.inner is p.stated is p.outer for p in pools):
            return cls.from_sketches(stated)
        return cls(unite(p.inner for p in pools), stated, unite(p.outer for p in pools))


@dataclass(frozen=True)
class IdentifierRanges:
    """How many identifiers of each namespace one person has."""

    said: Mapping[str, IdentifierRange] = field(default_factory=dict)
    unsaid: IdentifierRange = UNSAID
    """The range of every other namespace."""

    def of_namespace(self, namespace: str) -> IdentifierRange:
        """A namespace's range; `namespace` may go on with a key's epoch and fingerprint, as in windows of two keys."""
        return self.said.get(base_namespace(namespace), self.unsaid)


def base_namespace(namespace: str) -> str:
    """A namespace without the key's epoch and fingerprint that windows of two keys add; no namespace's name has a space."""
    return namespace.partition(" ")[0]


class PeopleEstimate(NamedTuple):
    """A number of people, not yet rounded."""

    estimate: float
    """The people if each identifier, and each person whom the crosswalk joins, is another person."""
    lower: float
    """95 % lower bound of the people, whoever is who."""
    upper: float
    """95 % upper bound of the people, whoever is who."""
    standard_error: float
    """The sketches' standard error of the estimate, in people."""
    identity_low: float
    """The fewest people that the identifiers of one namespace need, if that namespace has everybody."""
    identity_high: float
    """The most people that the identifiers can be: no two namespaces share anybody; the estimate, if nobody shares one."""
    lg_k: int | None
    """The lowest lg_k of the sketches; null without any."""


def unite(pools: Iterable[Sketches]) -> Sketches:
    """The union by namespace and lg_k."""
    gathered: dict[str, dict[int, list[Registers]]] = defaultdict(lambda: defaultdict(list))
    for sketches in pools:
        for namespace, by_lg_k in sketches.items():
            for lg_k, registers in by_lg_k.items():
                gathered[namespace][lg_k].append(registers)
    return {n: {k: Registers.union(registers) for k, registers in by_lg_k.items()} for n, by_lg_k in gathered.items()}


def estimate_people(pool: Pool, ranges: IdentifierRanges) -> PeopleEstimate:
    """Estimate and 95 % bounds of the people in a pool, by how many identifiers one person has.

    The estimate is the sum over namespaces: an identifier that isn't joined is taken for another person. With at most k
    identifiers a person, N identifiers need N / k people; with an unknown number they only show that somebody is there. Where s
    people may share one, N identifiers are at most s N people. So the lower bound is the largest that a namespace needs; the
    upper bound is the sum of what the namespaces can be, plus the root of the sum of their squared errors. `person` is a
    namespace like any other (decisions 4 and 65).
    """
    stated = {n: namespace_bounds(by_lg_k) for n, by_lg_k in pool.stated.items()}
    same = pool.inner is pool.stated is pool.outer
    inner = stated if same else {n: namespace_bounds(by_lg_k) for n, by_lg_k in pool.inner.items()}
    outer = stated if same else {n: namespace_bounds(by_lg_k) for n, by_lg_k in pool.outer.items()}
    lg_ks = {n: min(by_lg_k) for n, by_lg_k in pool.stated.items()}
    per_person = {n: ranges.of_namespace(n) for n in {*stated, *inner, *outer}}
    # Namespaces are hashed apart, so their errors are independent and add in squares.
    above = math.sqrt(sum(per_person[n].most_people(b.upper - b.estimate) ** 2 for n, b in outer.items()))
    return PeopleEstimate(
        estimate=sum(b.estimate for b in stated.values()),
        lower=max((per_person[n].fewest_people(b.lower) for n, b in inner.items()), default=0.0),
        upper=sum(per_person[n].most_people(b.estimate) for n, b in outer.items()) + above,
        standard_error=math.sqrt(sum(standard_error(lg_ks[n], b.estimate) ** 2 for n, b in stated.items())),
        identity_low=max((per_person[n].fewest_people(b.estimate) for n, b in stated.items()), default=0.0),
        identity_high=sum(per_person[n].most_people(b.estimate) for n, b in stated.items()),
        lg_k=min(lg_ks.values(), default=None),
    )


def shares_seen(days: Iterable[Sketches]) -> list[float]:
    """Of all people in these days' sketches, the share that the first day has, the first two days have, and so on up to 1.

    By estimates, with unjoined namespaces taken as different people. Empty where there is nobody.
    """
    united: Sketches = {}
    estimates: list[float] = []
    for sketches in days:
        united = unite([united, sketches])
        estimates.append(estimate_people(Pool.from_sketches(united), IdentifierRanges()).estimate)
    return [estimate / estimates[-1] for estimate in estimates] if estimates and estimates[-1] else []


def namespace_bounds(by_lg_k: Mapping[int, Registers]) -> Bounds:
    """Estimate and 95 % bounds of one namespace's union, whose sketches may differ in lg_k.

    Folding everything to the lowest lg_k would give all the error of the coarsest sketch: a group of 650 million with one small
    affiliate at lg_k 12 would be known to 21 million. The sketches of a finer lg_k, taken alone, bound the union from below;
    those and the coarser sketches added bound the union from above. The interval is where all of these agree.
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
    # Bounds of 95 % can miss each other: then the folded union's bounds stand alone.
    if lower > upper:
        return folded
    return Bounds(min(max(folded.estimate, lower), upper), lower, upper)
