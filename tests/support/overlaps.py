"""Trials of overlaps whose truth is known: pairs of sketches of made-up people, hashed for real, by seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from affiliates.concurrency import ordered
from affiliates.sketches.kernels import hashing
from affiliates.sketches.overlap import MeasuredOverlap, overlap
from affiliates.sketches.registers import Bounds, Registers

NUMBERS = ("common", "only_first", "only_second", "share_of_first", "share_of_second")
"""The fields of an overlap that have an interval."""


@dataclass(frozen=True)
class Case:
    """Two sets of people and what they share."""

    lg_k: int
    first: int
    second: int
    shared: float
    """The share of the smaller set that is in both."""

    @property
    def common(self) -> int:
        """People in both."""
        return round(self.shared * min(self.first, self.second))

    @property
    def truth(self) -> dict[str, float]:
        """The true value of each of `NUMBERS`."""
        values = (self.common, self.first - self.common, self.second - self.common)
        return dict(zip(NUMBERS, (*values, self.common / self.first, self.common / self.second), strict=True))

    def sketches(self, seed: int) -> tuple[Registers, Registers]:
        """The two sketches of a trial; no seed has people of another's."""
        salt = _salt(seed)
        return people(0, self.first, self.lg_k, salt), self.other(salt)

    def other(self, salt: int) -> Registers:
        """The second sketch of a trial."""
        return people(self.first - self.common, self.second, self.lg_k, salt)


def _salt(seed: int) -> int:
    return int(np.random.default_rng(seed).integers(1 << 63))


@dataclass(frozen=True)
class Outcome:
    """How the estimates of a case did over all its trials."""

    case: Case
    trials: int
    covered: dict[str, float]
    """By number, the share of trials whose 95 % interval holds the truth."""
    error: float
    """The root of the mean squared error of `common`, in people."""
    plain_error: float
    """The same of inclusion and exclusion by Apache DataSketches' estimates."""
    measurable: float
    """The share of trials that call the overlap measured."""

    @property
    def ratio(self) -> float:
        """The error as a part of inclusion and exclusion's."""
        return self.error / self.plain_error


def people(first: int, count: int, lg_k: int, salt: int) -> Registers:
    """The sketch of made-up people numbered from `first`."""
    if count < 200_000:
        keys = np.empty(count, np.uint64)
        hashing.simulated_keys(np.uint64(first), np.uint64(salt), keys)
        return Registers.from_keys(lg_k, keys)
    values = np.zeros(1 << lg_k, np.uint8)
    hashing.raise_simulated(values, np.uint64(first), count, np.uint64(salt))
    return Registers(lg_k, None, values)


def included_and_excluded(a: Registers, b: Registers) -> float:
    """People in both by the estimates of Apache DataSketches."""
    return a.bounds().estimate + b.bounds().estimate - Registers.union([a, b]).bounds().estimate


def outcomes(cases: Sequence[Case], trials: int, plain_trials: int | None = None) -> list[Outcome]:
    """Try cases with seeds from 1, and inclusion and exclusion with the first `plain_trials` of them (default: all).

    Cases whose first sketches are alike share them, trial by trial: making them takes the most time.
    """
    seeds = range(1, trials + 1)
    measured = list(ordered(lambda seed: _trials(cases, seed, plain_trials is None or seed <= plain_trials), seeds))
    return [_outcome(case, [of_seed[place] for of_seed in measured]) for place, case in enumerate(cases)]


def _outcome(case: Case, measured: Sequence[tuple[MeasuredOverlap, float | None]]) -> Outcome:
    overlaps = [trial for trial, _ in measured]
    plain = [estimate - case.common for _, estimate in measured if estimate is not None]
    errors = [trial.common.estimate - case.common for trial in overlaps]
    covered = {name: _mean(holds(getattr(trial, name), case.truth[name]) for trial in overlaps) for name in NUMBERS}
    measurable = _mean(trial.measurable for trial in overlaps)
    return Outcome(case, len(measured), covered, _root_mean_square(errors), _root_mean_square(plain), measurable)


def holds(bounds: Bounds, truth: float) -> bool:
    """Whether an interval holds the truth."""
    return bounds.lower <= truth <= bounds.upper


def _trials(cases: Sequence[Case], seed: int, plain: bool) -> list[tuple[MeasuredOverlap, float | None]]:
    salt = _salt(seed)
    firsts = {key: people(0, key[0], key[1], salt) for key in dict.fromkeys((case.first, case.lg_k) for case in cases)}
    pairs = [(firsts[case.first, case.lg_k], case.other(salt)) for case in cases]
    return [(overlap(a, b), included_and_excluded(a, b) if plain else None) for a, b in pairs]


def _mean(values: Iterator[bool]) -> float:
    return float(np.mean(list(values)))


def _root_mean_square(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
