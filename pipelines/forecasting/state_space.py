"""Many structural trends of one series, filtered at once: level, damped slope, cycle, seasons and noise. Pure.

Each trend is the textbook model: a structural time series as a linear state (Harvey, "Forecasting, Structural Time Series
Models and the Kalman Filter", 1989) with a slope that fades (Gardner, McKenzie 1985). Its variances are in units of one unknown
variance, which is integrated out (West, Harrison, "Bayesian Forecasting and Dynamic Models", 1997, variance learning): so a
value yet to come is Student's t, and a short series gives wide answers by itself. How well a trend foretold each value so far is
its evidence beside the others.

Shapes: g candidates of one shape, each with a state of s numbers: level, slope, two of a cycle where there is one, then those
of the seasons.
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
"""Prior variance of a level that nobody knows, in units of one period's variance."""
SHOCKS = 5.0
"""Degrees of freedom of a shock: one in a thousand is beyond 5.3 standard deviations, where it is 3.3 for normal ones."""
SURPRISE = 9.0
"""One value counts as no more than three standard errors towards the variance: a single odd one must not hide a trend."""
TURNED = -0.8, 1.5
"""What a trend that turns multiplies its slope by: a number drawn from the first to the second, all alike likely."""
_CYCLE_KEEPS = 0.97
"""What a cycle keeps of its swing in a quarter."""
_FIRST_CYCLE = 30.0
"""Prior variance of a cycle's swing, in units of one period's variance."""
SEASON = 30.0
"""Prior variance of a year's swing, in units of one period's variance."""
_SEASONAL = 0.5
"""Prior share of trends with seasons, once two years are there."""


class Trend(NamedTuple):
    """One candidate; variances are in units of one period's variance."""

    prior: float
    """Its share among the candidates, before the series has been looked at."""
    damping: float
    """What the slope keeps from one period to the next."""
    level: float
    """Variance of the level's shock in a period."""
    slope: float
    """Variance of the slope's shock in a period."""
    noise: float
    """Variance of a value around its level: the level keeps nothing of the noise."""
    first_slope: float
    """Prior variance of the slope."""
    cycle_years: float = 0.0
    """Length of the cycle; zero for none."""
    cycle: float = 0.0
    """Variance of the cycle's shock in a period."""


@dataclass(frozen=True)
class Fit:
    """Candidates of one shape after the last value: states, and what is known of the variance."""

    trends: tuple[Trend, ...]
    """The g candidates."""
    step: Floats
    """(g, s, s): what becomes of a state in a period."""
    shows: Floats
    """(s,): what a value shows of a state."""
    shocks: Floats
    """(g, s, s): variances of the states' shocks in a period, in units of the variance."""
    mean: Floats
    """(g, s): the expected states."""
    covariance: Floats
    """(g, s, s): covariance of the states, in units of the variance."""
    variance: Floats
    """(g,): the expected variance of a period."""
    freedom: float
    """Degrees of freedom of the variance: how many values it is known by."""
    evidence: Floats
    """(g,): log of the prior share times the tempered density of the values."""


def fit(
    values: Floats, breaks: Flags, trends: Sequence[Trend], per_year: int, scale: float, freedom: float, temper: float
) -> list[Fit]:
    """The fits of a series by each trend, without seasons and, once two years are there, with seasons as well.

    `values`: one a period, NaN where not known; `breaks`: of each period, whether its level is new, so that the step to it says
    nothing of slope or variance; `per_year`: periods a year. `scale`: standard deviation of one period that is expected
    beforehand, worth `freedom` values. `temper`: the power of the densities in the evidence; below one, since none of the
    candidates is the truth.
    """
    fits = []
    seasons = per_year if np.count_nonzero(~np.isnan(values)) >= 2 * per_year else 0
    # Candidates with a cycle have two more numbers in their state, so they are filtered apart.
    for cyclic in (False, True):
        alike = [t for t in trends if (t.cycle_years > 0) == cyclic]
        if not alike:
            continue
        plain = 1 - _SEASONAL if seasons else 1.0
        fits.append(_filter(values, breaks, _model(alike, per_year, 0), plain, scale, freedom, temper))
        if seasons:
            fits.append(_filter(values, breaks, _model(alike, per_year, seasons), _SEASONAL, scale, freedom, temper))
    return fits


def _seasons(per_year: int) -> tuple[Floats, Floats]:
    """Fourier seasons that sum to zero over a year (Harvey 1989, trigonometric seasonality): their step, and what they show."""
    size = max(per_year - 1, 0)
    step = np.zeros((size, size))
    shows = np.zeros(size)
    for wave in range(1, per_year // 2 + 1):
        i = 2 * (wave - 1)
        angle = 2 * math.pi * wave / per_year
        shows[i] = 1
        # The shortest wave only changes its sign each period, so it is one number where the others are two.
        if 2 * wave == per_year:
            step[i, i] = -1
        else:
            step[i : i + 2, i : i + 2] = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    return step, shows


class _Model(NamedTuple):
    """Candidates of one shape before the first value; shapes as in `Fit`."""

    trends: tuple[Trend, ...]
    step: Floats
    shows: Floats
    shocks: Floats
    covariance: Floats
    noise: Floats
    """(g,): variance of a value around its level."""


def _model(trends: Sequence[Trend], per_year: int, seasons: int) -> _Model:
    """Candidates that all have a cycle or all have none, with a year of `seasons` periods, or without seasons at 0."""
    damping, level, slope, noise, first_slope, years, cycle = (np.array([t[i] for t in trends]) for i in range(1, 8))
    turning, seasonal = _seasons(seasons)
    cyclic = bool(years[0] > 0)
    base = 4 if cyclic else 2
    size = base + len(seasonal)
    step, shocks, covariance = (np.zeros((len(trends), size, size)) for _ in range(3))
    step[:, 0, 0] = 1
    step[:, 0, 1] = damping
    step[:, 1, 1] = damping
    step[:, base:, base:] = turning
    shows = np.concatenate([[1.0, 0.0, 1.0, 0.0][:base], seasonal])
    shocks[:, 0, 0] = level
    shocks[:, 1, 1] = slope
    covariance[:, 0, 0] = DIFFUSE
    covariance[:, 1, 1] = first_slope
    if cyclic:
        # A damped rotation: the stochastic cycle of Harvey 1989.
        keeps = _CYCLE_KEEPS ** (4 / per_year)
        angle = 2 * math.pi / (years * per_year)
        step[:, 2, 2] = step[:, 3, 3] = keeps * np.cos(angle)
        step[:, 2, 3] = keeps * np.sin(angle)
        step[:, 3, 2] = -keeps * np.sin(angle)
        shocks[:, 2, 2] = shocks[:, 3, 3] = cycle
        covariance[:, 2, 2] = covariance[:, 3, 3] = _FIRST_CYCLE
    # The half-year's swing is expected to be half of the year's, and so on.
    covariance[:, range(base, size), range(base, size)] = SEASON / (np.arange(len(seasonal)) // 2 + 1) ** 2
    return _Model(tuple(trends), step, shows, shocks, covariance, noise)


def _filter(values: Floats, breaks: Flags, model: _Model, share: float, scale: float, freedom: float, temper: float) -> Fit:
    """The candidates of a model after the last value, by the Kalman filter; `share`: the prior share of the model's shape."""
    step = model.step
    shows = model.shows
    covariance = model.covariance
    mean = np.zeros((len(model.trends), len(shows)))
    density = np.zeros(len(model.trends))
    squares = np.full(len(model.trends), freedom * scale**2)
    new_level = True
    back = step.transpose(0, 2, 1)
    for value, broken in zip(values, breaks, strict=True):
        mean = np.einsum("gij,gj->gi", step, mean)
        covariance = step @ covariance @ back + model.shocks
        if broken:
            covariance[:, 0, 0] += DIFFUSE
            new_level = True
        if np.isnan(value):
            continue
        leaning = covariance @ shows
        expected = leaning @ shows + model.noise
        error = value - mean @ shows
        # The first value of a new level tells where the level is, and nothing of how well the trend foretells.
        if not new_level:
            ratio = error**2 / (expected * squares / freedom)
            density += _student(ratio, expected * squares / freedom, freedom)
            squares = squares + np.minimum(ratio, SURPRISE) * squares / freedom
            freedom += 1
        new_level = False
        gain = leaning / expected[:, None]
        mean = mean + gain * error[:, None]
        covariance = covariance - gain[:, :, None] * leaning[:, None, :]
        # Rounding makes the covariance drift from symmetry, and the paths' Cholesky root needs a symmetric one.
        covariance = (covariance + covariance.transpose(0, 2, 1)) / 2
    evidence = temper * density + np.log([share * t.prior for t in model.trends])
    return Fit(model.trends, step, shows, model.shocks, mean, covariance, squares / freedom, freedom, evidence)


def _student(ratio: Floats, variance: Floats, freedom: float) -> Floats:
    """Log density of Student's t where the squared distance is `ratio` variances."""
    constant = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    density: Floats = constant - 0.5 * np.log(variance) - (freedom + 1) / 2 * np.log1p(ratio / freedom)
    return density


def evidence(fits: Sequence[Fit]) -> float:
    """Log of the sum of all candidates' evidence: how well they foretold the series together."""
    return float(np.logaddexp.reduce(np.concatenate([f.evidence for f in fits])))


def paths(fits: Sequence[Fit], number: int, horizon: int, turns: float, rng: np.random.Generator) -> Floats:
    """Sample paths of the next periods' values: (`number`, `horizon`).

    Each path is a candidate's, drawn by its evidence, with a variance and a state drawn from what is known of them. `turns`:
    the chance, in a period, that the trend turns at the period's end: its slope is then another, most often a smaller one.
    """
    logs = np.concatenate([f.evidence for f in fits])
    drawn = rng.choice(len(logs), number, p=np.exp(logs - np.logaddexp.reduce(logs)))
    walked = [np.empty((0, horizon))]
    start = 0
    # A generator for each shape: a longer horizon of one shape mustn't change the draws of the next.
    for of_shape, of_draws in zip(fits, rng.spawn(len(fits)), strict=True):
        own = drawn[(drawn >= start) & (drawn < start + len(of_shape.trends))] - start
        start += len(of_shape.trends)
        if len(own):
            walked.append(_walk(of_shape, own, horizon, turns, of_draws))
    return np.concatenate(walked)


def _walk(fit: Fit, which: npt.NDArray[np.int_], horizon: int, turns: float, rng: np.random.Generator) -> Floats:
    """Paths of a fit's candidates: one for each index in `which`, of `horizon` values."""
    number = len(which)
    size = len(fit.shows)
    # The variance is inverse chi-squared around what is known of it: a short series has paths of very different widths.
    scale = np.sqrt(fit.variance[which] * fit.freedom / rng.chisquare(fit.freedom, number))
    # A covariance that rounding left on the edge of being singular has no Cholesky root without this.
    jitter = 1e-8 * np.maximum(1, np.trace(fit.covariance, axis1=1, axis2=2))[:, None, None] * np.eye(size)
    root = np.linalg.cholesky(fit.covariance + jitter)[which]
    state = fit.mean[which] + scale[:, None] * np.einsum("kij,kj->ki", root, rng.standard_normal((number, size)))
    # Student's t has the variance SHOCKS / (SHOCKS - 2), so shocks are scaled back to the variances of the model.
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
