"""Series of kinds that companies have, made up: so that the forecast isn't good for five companies alone."""

from collections.abc import Callable, Iterator

import numpy as np

from pipelines.forecasting.series import Point, Series, even_series
from pipelines.forecasting.state_space import Floats

AHEAD = 8
"""Quarters after the origin."""
Kind = Callable[[Floats, int, int, np.random.Generator], Floats]
"""Times, figures until the origin, periods in a year, chance: logarithms without noise."""


def _saturating(t: Floats, n: int, year: int, rng: np.random.Generator) -> Floats:
    return -np.log1p(np.exp(-(t - rng.uniform(-0.3, 1.2) * n) / (n * rng.uniform(0.1, 0.4))))


def _growing(t: Floats, n: int, year: int, rng: np.random.Generator) -> Floats:
    return np.log1p(rng.uniform(0.01, 0.3) / year * t)


def _falling(t: Floats, n: int, year: int, rng: np.random.Generator) -> Floats:
    return -rng.uniform(0.02, 0.25) / year * t


def _seasonal(t: Floats, n: int, year: int, rng: np.random.Generator) -> Floats:
    angle, swing = 2 * np.pi * t / year + rng.uniform(0, 6.3), rng.uniform(0.01, 0.1)
    return np.asarray(rng.uniform(-0.04, 0.16) / year * t + swing * (np.cos(angle) + 0.4 * np.cos(2 * angle)))


def _wobbling(t: Floats, n: int, year: int, rng: np.random.Generator) -> Floats:
    angle = 2 * np.pi * t / (rng.uniform(1.25, 6.25) * year) + rng.uniform(0, 6.3)
    return np.asarray(rng.uniform(-0.04, 0.12) / year * t + rng.uniform(0.02, 0.12) * np.sin(angle))


def _shifted(t: Floats, n: int, year: int, rng: np.random.Generator) -> Floats:
    step = rng.choice([-1, 1]) * rng.uniform(0.05, 0.2)
    return np.asarray(rng.uniform(-0.04, 0.16) / year * t + step * (t >= rng.integers(2, n - 1)))


def _hovering(t: Floats, n: int, year: int, rng: np.random.Generator) -> Floats:
    return np.zeros(len(t))


def _turning(t: Floats, n: int, year: int, rng: np.random.Generator) -> Floats:
    before, after = rng.uniform(-0.04, 0.24, 2) / year
    return np.asarray(before * np.minimum(t, k := rng.integers(1, n)) + after * np.maximum(t - k, 0))


def _peaking(t: Floats, n: int, year: int, rng: np.random.Generator) -> Floats:
    width, fall = 0.15 * n, rng.uniform(0.02, 0.2) / year
    return np.asarray(-fall * width * np.log(np.cosh((t - n * rng.uniform(0.6, 1.2)) / width)))


def _walking(t: Floats, n: int, year: int, rng: np.random.Generator) -> Floats:
    return np.asarray(rng.uniform(-0.04, 0.12) / year * t + np.cumsum(rng.standard_t(3, len(t))) * 0.03 / np.sqrt(year))


KINDS: dict[str, Kind] = {
    "saturating": _saturating, "growing by a constant": _growing, "falling": _falling, "seasonal": _seasonal,
    "wobbling": _wobbling, "with a level shift": _shifted, "hovering": _hovering, "with a new trend": _turning,
    "turning at a peak": _peaking, "a random walk with jumps": _walking,
}  # fmt: skip


def several(kind: str, number: int, years: tuple[int, ...] = (4, 12)) -> Iterator[tuple[Series, int]]:
    """So many series of a kind, with the number of figures until the origin."""
    rng = np.random.default_rng(sum(map(ord, kind)))
    for _ in range(number):
        year = int(rng.choice(years))
        n = int(rng.choice([6, 8, 12, 20, 40] if year == 4 else [6, 10, 18, 30, 60]))
        size = n + AHEAD * year // 4
        noise = rng.choice([0.005, 0.01, 0.02, 0.04]) * np.sqrt(4 / year)
        logs = KINDS[kind](np.arange(size, dtype=float), n, year, rng)
        logs = logs + 0.5 * noise * (np.cumsum(rng.standard_normal(size)) * (kind != "hovering") + rng.standard_normal(size))
        values = 10 ** rng.uniform(1, 9) * np.exp(logs)
        months = 12 // year
        points = [Point(2015 * 12 + 2 + months * i, float(value)) for i, value in enumerate(values)]
        yield even_series(kind, points, 3 if year == 4 else 1, "quarter" if year == 4 else "month"), n
