"""What chance decides of a scenario: a number from 0 to 1 a path for each doubtful input, and what ranges make of it. Pure.

Each input has a generator of its own, named by the change and the key, so that another value of one input moves nothing that the
others draw, and the order of the lines in a file moves nothing at all.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from affiliates.periods import month_end, month_number
from pipelines.scenarios.assumptions import PeoplePerUnit, Users
from pipelines.scenarios.ranges import DayRange, PartRange, PeopleRange, RateRange

PATHS = 10_000
"""Paths of a scenario: a probability near a half then errs by half a per cent (one standard error)."""
SEED = 17
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Days = npt.NDArray[np.int64]
"""Days as ordinals, one a path."""
_EVER = 1
"""The ordinal of a day before all others: of a change that holds from the base month on."""


@dataclass(frozen=True)
class Draws:
    """The chance of all inputs, with some of them held at a place in their range."""

    paths: int = PATHS
    held: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """By change and key, the place in the input's range that each path has: 0 is its low end, 1 its high end."""

    def uniform(self, change: str, key: str) -> Floats:
        """A number from 0 to 1 a path for an input: evenly spread, in an order of its own. Not to be written to."""
        if (change, key) in self.held:
            return np.full(self.paths, self.held[change, key])
        return _evenly(change, key, self.paths)

    def within(self, change: str, key: str, span: PartRange | RateRange | PeopleRange | PeoplePerUnit) -> Floats:
        """A number of a range a path, each equally likely."""
        low, high = float(span.low), float(span.high)
        return low + (high - low) * self.uniform(change, key)

    def users(self, change: str, key: str, users: Users) -> Floats:
        """A stated number a path: the likeliest most often where it is said, else each equally likely."""
        low, likely, high = users.span
        place = self.uniform(change, key)
        if users.likely is None or low == high:
            return low + (high - low) * place
        return triangular(place, low, likely, high)

    def normal(self, change: str, key: str) -> Floats:
        """A standard normal number a path. Not to be written to."""
        if (change, key) in self.held:
            return np.full(self.paths, NormalDist().inv_cdf(self.held[change, key]))
        return _normally(change, key, self.paths)

    def days(self, change: str, on: DayRange | None) -> Days:
        """The day of a change a path."""
        if on is None:
            return np.full(self.paths, _EVER, np.int64)
        first = on.from_.toordinal()
        days = on.to.toordinal() - first + 1
        return np.asarray(first + np.minimum((days * self.uniform(change, "on")).astype(np.int64), days - 1))


# The same each time, so that a slider, or an assumption that is held, draws nothing anew.
@lru_cache(maxsize=128)
def _evenly(change: str, key: str, paths: int) -> Floats:
    rng = np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(zlib.crc32(f"{change}\n{key}".encode()),)))
    # One number in each of as many equal parts: the ends of a range are then reached on every run.
    places = np.asarray((rng.permutation(paths) + rng.random(paths)) / paths)
    places.flags.writeable = False
    return places


@lru_cache(maxsize=8)
def _normally(change: str, key: str, paths: int) -> Floats:
    inverse = NormalDist().inv_cdf
    numbers = np.array([inverse(place) for place in _evenly(change, key, paths).tolist()])
    numbers.flags.writeable = False
    return numbers


def triangular(place: Floats, low: float, likely: float, high: float) -> Floats:
    """The numbers at these places (0 to 1) of a triangular distribution."""
    rising = (likely - low) / (high - low)
    up = low + np.sqrt(place * (high - low) * (likely - low))
    down = high - np.sqrt((1 - place) * (high - low) * (high - likely))
    return np.where(place < rising, up, down)


def distinct(holds: Flags) -> tuple[Flags, npt.NDArray[np.int64]]:
    """The different rows of a table of truths, and which of them each row is."""
    # A row as one number: numpy sorts numbers many times as fast as rows, and a scenario has fewer changes than bits.
    numbers = holds @ (1 << np.arange(holds.shape[1], dtype=np.int64))
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    return holds[first], which


def months_since(days: Days, month: date) -> Floats:
    """How many months of growth have passed from each day to the end of a month: the day's own month counts from the day on."""
    first = np.unique(days)
    passed = np.empty(len(days))
    for number in first:
        day = date.fromordinal(int(number))
        length = month_end(day).day
        passed[days == number] = month_number(month) - month_number(day) + (length - day.day + 1) / length
    return passed
