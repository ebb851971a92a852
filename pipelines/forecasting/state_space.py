"""Many structural trends of one series, filtered at once: level, damped slope, cycle, seasons and noise. Pure.

Each is the textbook model (a Kalman filter on a linear state) with its variances in units of one unknown variance, which
is integrated out: so a short series gives wide answers by itself, and how well a trend foretold each value so far is its
evidence beside the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

DIFFUSE = 1e4
"""Prior variance of a level nobody knows, in units of one period's."""
SHOCKS = 5.0
"""Degrees of freedom of a shock: one in a thousand is beyond 5.3 standard deviations, where it is 3.3 for normal ones."""
SURPRISE = 9.0
"""One value counts as no more than three standard errors towards the variance: a single odd one must not hide a trend."""
TURNED = -0.8, 1.5
"""What a trend that turns multiplies its slope by, from and to."""
_CYCLE_KEEPS = 0.97
"""What a cycle keeps of its swing in a quarter."""
_FIRST_CYCLE = 30.0
SEASON = 30.0
"""Prior variance of a year's swing, in units of one period's."""
_SEASONAL = 0.5
"""Prior share of trends with seasons, once two years are there."""


class Trend(NamedTuple):
    """One candidate; variances are in units of one period's."""

    prior: float
    """Its share among the candidates, before the series has been looked at."""
    damping: float
    """What the slope keeps from one period to the next."""
    level: float
    slope: float
    noise: float
    """Of a value around its level: nothing of it stays."""
    first_slope: float
    cycle_years: float = 0.0
    """Length of its cycle; zero for none."""
    cycle: float = 0.0


@dataclass(frozen=True)
class Fit:
    """Candidates of one shape after the last value: states, and what is known of the variance."""

    trends: tuple[Trend, ...]
    step: Floats
    shows: Floats
    shocks: Floats
    """Variances of the states' shocks."""
    mean: Floats
    covariance: Floats
    variance: Floats
    freedom: float
    evidence: Floats
    """Log of the prior share times the tempered density of what was seen."""


def fit(
    values: Floats, breaks: Flags, trends: Sequence[Trend], per_year: int, scale: float, freedom: float, temper: float
) -> list[Fit]:
    """Filter a series (NaN: not known) by each trend, without seasons and, once two years are there, with them.

    Over a break the level is new: the step over it says nothing of slope or variance. `scale`: standard deviation of one
    period that is expected beforehand, worth `freedom` values. `temper`: how far the candidates are told apart by their
    density; below one, since none of them is the truth.
    """
    shapes: list[tuple[list[Trend], int, float]] = []
    seasons = per_year if np.count_nonzero(~np.isnan(values)) >= 2 * per_year else 0
    for cyclic in (False, True):
        some = [t for t in trends if (t.cycle_years > 0) == cyclic]
        if some:
            shapes.append((some, 0, 1 - _SEASONAL if seasons else 1.0))
            shapes += [(some, seasons, _SEASONAL)] if seasons else []
    return [_filter(values, breaks, some, per_year, m, share, scale, freedom, temper) for some, m, share in shapes]


def _seasons(per_year: int) -> tuple[Floats, Floats]:
    """Fourier seasons that sum to zero over a year: their step, and what they show."""
    size = max(per_year - 1, 0)
    step = np.zeros((size, size))
    shows = np.zeros(size)
    for k in range(1, per_year // 2 + 1):
        i = 2 * (k - 1)
        angle = 2 * math.pi * k / per_year
        shows[i] = 1
        if 2 * k == per_year:
            step[i, i] = -1
        else:
            step[i : i + 2, i : i + 2] = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    return step, shows


def _filter(
    values: Floats,
    breaks: Flags,
    trends: Sequence[Trend],
    per_year: int,
    seasons: int,
    share: float,
    scale: float,
    freedom: float,
    temper: float,
) -> Fit:
    damping, level, slope, noise, first, years, cycle = (np.array([t[i] for t in trends]) for i in range(1, 8))
    turning, shown = _seasons(seasons)
    cyclic = bool(years[0] > 0)
    base = 4 if cyclic else 2
    size = base + len(shown)
    step, shocks, covariance = (np.zeros((len(trends), size, size)) for _ in range(3))
    step[:, 0, 0] = 1
    step[:, 0, 1] = damping
    step[:, 1, 1] = damping
    step[:, base:, base:] = turning
    shows = np.concatenate([[1.0, 0.0, 1.0, 0.0][:base], shown])
    shocks[:, 0, 0] = level
    shocks[:, 1, 1] = slope
    covariance[:, 0, 0] = DIFFUSE
    covariance[:, 1, 1] = first
    if cyclic:
        keeps = _CYCLE_KEEPS ** (4 / per_year)
        angle = 2 * math.pi / (years * per_year)
        step[:, 2, 2] = step[:, 3, 3] = keeps * np.cos(angle)
        step[:, 2, 3], step[:, 3, 2] = keeps * np.sin(angle), -keeps * np.sin(angle)
        shocks[:, 2, 2] = shocks[:, 3, 3] = cycle
        covariance[:, 2, 2] = covariance[:, 3, 3] = _FIRST_CYCLE
    # The half-year's swing is expected to be half of the year's, and so on.
    covariance[:, range(base, size), range(base, size)] = SEASON / (np.arange(len(shown)) // 2 + 1) ** 2
    mean = np.zeros((len(trends), size))
    density = np.zeros(len(trends))
    squares = np.full(len(trends), freedom * scale**2)
    new_level = True
    back = step.transpose(0, 2, 1)
    for value, broken in zip(values, breaks, strict=True):
        mean = np.einsum("gij,gj->gi", step, mean)
        covariance = step @ covariance @ back + shocks
        if broken:
            covariance[:, 0, 0] += DIFFUSE
            new_level = True
        if np.isnan(value):
            continue
        leaning = covariance @ shows
        expected = leaning @ shows + noise
        off = value - mean @ shows
        if not new_level:
            ratio = off**2 / (expected * squares / freedom)
            density += _student(ratio, expected * squares / freedom, freedom)
            squares = squares + np.minimum(ratio, SURPRISE) * squares / freedom
            freedom += 1
        new_level = False
        gain = leaning / expected[:, None]
        mean = mean + gain * off[:, None]
        covariance = covariance - gain[:, :, None] * leaning[:, None, :]
        covariance = (covariance + covariance.transpose(0, 2, 1)) / 2
    evidence = temper * density + np.log([share * t.prior for t in trends])
    return Fit(tuple(trends), step, shows, shocks, mean, covariance, squares / freedom, freedom, evidence)


def _student(ratio: Floats, variance: Floats, freedom: float) -> Floats:
    """Log density of Student's t where the squared distance is `ratio` variances."""
    constant = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    density: Floats = constant - 0.5 * np.log(variance) - (freedom + 1) / 2 * np.log1p(ratio / freedom)
    return density


def evidence(fits: Sequence[Fit]) -> float:
    """Log of the candidates' evidence together."""
    return float(np.logaddexp.reduce(np.concatenate([f.evidence for f in fits])))


def paths(fits: Sequence[Fit], number: int, horizon: int, turns: float, rng: np.random.Generator) -> Floats:
    """So many paths of the next periods' values, each by a candidate drawn by its evidence, with a variance and a state drawn
    from what is known of them.

    `turns`: the chance, in a period, that the trend turns at its end: its slope is then another, most often a smaller one.
    """
    logs = np.concatenate([f.evidence for f in fits])
    drawn = rng.choice(len(logs), number, p=np.exp(logs - np.logaddexp.reduce(logs)))
    found = [np.empty((0, horizon))]
    start = 0
    for each in fits:
        some = drawn[(drawn >= start) & (drawn < start + len(each.trends))] - start
        start += len(each.trends)
        if len(some):
            found.append(_walk(each, some, horizon, turns, rng))
    return np.concatenate(found)


def _walk(fit: Fit, which: npt.NDArray[np.int_], horizon: int, turns: float, rng: np.random.Generator) -> Floats:
    number = len(which)
    size = len(fit.shows)
    scale = np.sqrt(fit.variance[which] * fit.freedom / rng.chisquare(fit.freedom, number))
    jitter = 1e-8 * np.maximum(1, np.trace(fit.covariance, axis1=1, axis2=2))[:, None, None] * np.eye(size)
    root = np.linalg.cholesky(fit.covariance + jitter)[which]
    state = fit.mean[which] + scale[:, None] * np.einsum("kij,kj->ki", root, rng.standard_normal((number, size)))
    spread = scale[:, None] * np.sqrt(fit.shocks[:, range(size), range(size)])[which] * math.sqrt((SHOCKS - 2) / SHOCKS)
    noise = scale * np.sqrt([fit.trends[i].noise for i in which]) * math.sqrt((SHOCKS - 2) / SHOCKS)
    step = fit.step[which]
    moved = np.flatnonzero(fit.shocks.any(axis=(0, 1)))
    values = np.empty((number, horizon))
    for t in range(horizon):
        state = np.einsum("kij,kj->ki", step, state)
        state[:, moved] += spread[:, moved] * rng.standard_t(SHOCKS, (number, len(moved)))
        values[:, t] = state @ fit.shows + noise * rng.standard_t(SHOCKS, number)
        turned = rng.random(number) < turns
        shaken = state[:, 1] * rng.uniform(*TURNED, number) + 0.5 * scale * rng.standard_normal(number)
        state[:, 1] = np.where(turned, shaken, state[:, 1])
    return values
