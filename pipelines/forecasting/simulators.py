"""Sample paths of a series by three simulators: damped trends, lines, and recent steps drawn anew. Pure.

- Damped: trends in logarithms whose slope fades, at a rate that is drawn anew for each path; flat trends and slow cycles
  among them.
- Lines: a constant step in people, with the step's uncertainty. How well damped trends and lines foretold the series so far
  tells how many paths each of the two has.
- Recent: steps of the last periods drawn with replacement, half of the paths in people and half in per cent.

No path reaches zero, and none grows or falls exponentially for ever. All numbers are ratios to the newest value, so the unit
doesn't matter. Why a mix, and how its numbers were chosen: decision 56; how well it forecasts: tests/bench.md.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipelines.forecasting import state_space
from pipelines.forecasting.state_space import Flags, Floats, Trend


@dataclass(frozen=True)
class Tuning:
    """The numbers chosen by looking at companies' series; `make bench` leaves each company out of the choice in turn."""

    scale: float = 0.014
    """Standard deviation of one quarter's step, as a share of the value, that is expected before a series has been seen."""
    shares: tuple[float, float, float] = (0.65, 0.25, 0.10)
    """The shares of damped trends, lines and recent steps in the paths."""
    temper: float = 0.5
    """How much the past decides between candidates: at 1 the best one so far takes nearly all paths, and 80 % intervals of
    companies' quarters then held 77 % at two and 78 % at eight quarters ahead; at a half 80 and 88 %."""


TUNING = Tuning()
FREEDOM = 3.0
"""How many values the expected scale is worth beside the series' own."""
FEWEST = 6
"""With fewer values than these the expected scale is wider."""
TURNS = 0.35
"""The chance that a trend turns within a year. Made-up saturating series (tests/support/made_up.py) were held by 80 and 95 %
intervals four quarters ahead in 62 and 80 % of cases without turns, in 72 and 95 % with them."""
RECENT = 8
"""How many of the last steps are drawn anew."""
YEARS = 15
"""How many years of a series are looked at: what lies further back says nothing of the next two years, and only takes time."""
GROWTH = 1.0
"""The logarithm of the ratio above which growth is linear: e times the newest value."""
FALL = -2.0
"""The logarithm of the ratio below which a fall fades: a seventh of the newest value."""
LOW = 0.3
"""The ratio below which a fall in people fades."""
ROUND = 6
"""How many steps on either side a step is compared with."""
UNLIKE = 6.0
"""A step is a jump only if it lies further than this many robust standard deviations from the median of the steps around."""
LEAST_SPREAD = 0.004
"""The robust standard deviation of a very even series is taken for at least this, or rounding would make jumps."""

_NOISES: tuple[tuple[float, float, float], ...] = (
    (1, 0, 0),
    (1, 0.03, 0),
    (1, 0.15, 0),
    (0.3, 0.15, 0),
    (0.2, 0, 1),
    (0.2, 0.03, 1),
    (0.01, 0.01, 1),
    (1, 0.03, 1),
    (0.003, 0, 1),
)
"""Variances of level, slope and noise of the damped trends."""
_DAMPED = [
    Trend(0.55 / 72, damping, level, slope, noise, first)
    for first in (30, 300)
    for damping in (0.6, 0.8, 0.9, 0.97)
    for level, slope, noise in _NOISES
]
_FLAT = [Trend(0.25 / 4, 0.5, level, 0, noise, 1e-8) for level, noise in ((1, 0), (0.3, 1), (0.03, 1), (0.001, 1))]
_CYCLES = [
    Trend(0.2 / 12, 1, level, 0, noise, 30, years, cycle)
    for years in (1.5, 2.5, 4, 7)
    for level, cycle, noise in ((1, 0, 0), (0.05, 0.3, 0), (0.05, 0.1, 1))
]
"""Cycles of 1.5 to 7 years. Without them 80 % intervals of made-up wobbling series held 65 %, with them 78 %."""
_LINES = [
    Trend(1 / 8, 1, level, slope, noise, first)
    for level, slope, noise in ((1, 0, 0), (1, 0.03, 0), (0.2, 0, 1), (0.01, 0, 1))
    for first in (30, 300)
]


def paths(
    values: Floats, breaks: Flags, per_year: int, horizon: int, number: int, rng: np.random.Generator, tuning: Tuning = TUNING
) -> Floats:
    """Sample paths of the next `horizon` periods, one a row: (`number`, `horizon`), in the unit of the values.

    `values`: over zero, at an even spacing of `per_year` a year, NaN where nothing is known, the last one known; `breaks`: of
    each value, whether the level is another for a reason that says nothing of growth. A longer horizon adds columns, and
    changes none.
    """
    first = -YEARS * per_year
    values = values[first:]
    breaks = breaks[first:]
    known = np.flatnonzero(~np.isnan(values))
    newest = values[-1]
    people = values / newest
    logs = np.log(values / newest)
    widened = math.sqrt(max(FEWEST / len(known), 1))
    # Independent steps add up by their variances: a month's standard deviation is a quarter's over the root of three.
    scale = tuning.scale * widened * math.sqrt(4 / per_year)
    turns = TURNS / per_year
    unlike = breaks | jumps(values, breaks)
    damped = state_space.fit(logs, unlike, [*_DAMPED, *_FLAT, *_CYCLES], per_year, scale, FREEDOM, tuning.temper)
    lines = state_space.fit(people, unlike, _LINES, per_year, scale, FREEDOM, tuning.temper)
    # A density of logarithms is a density of people times the people: this makes the two evidences comparable.
    in_people = tuning.temper * float(logs[[i for i in known[1:] if not unlike[i]]].sum())
    shares = np.array(tuning.shares)
    lead = state_space.evidence(lines) + in_people - state_space.evidence(damped)
    odds = shares[1] * math.exp(min(lead, 50))  # Beyond 50 nothing changes, and exp would overflow.
    line_share = (shares[0] + shares[1]) * odds / (shares[0] + odds)
    line_paths = round(number * line_share / shares.sum())
    recent_paths = round(number * shares[2] / shares.sum())
    # A generator for each: else what one draws for a longer horizon would change what the next one draws.
    of_damped, of_lines, of_logs, of_people = rng.spawn(4)
    walked = [
        _bounded(state_space.paths(damped, number - line_paths - recent_paths, horizon, turns, of_damped)),
        _positive(state_space.paths(lines, line_paths, horizon, turns, of_lines)),
        _bounded(_steps(logs, breaks, recent_paths // 2, horizon, scale, of_logs)),
        _positive(1 + _steps(people, breaks, recent_paths - recent_paths // 2, horizon, scale, of_people)),
    ]
    return np.asarray(newest * np.concatenate(walked))


def jumps(values: Floats, breaks: Flags) -> Flags:
    """Of each value, whether the step to it is a level shift that nobody has marked: unlike all around it, and not taken back.

    A step counts as a shift when it is over six robust standard deviations (1.4826 times the median absolute deviation) from the
    median of the six steps on either side, and further from each of them than half of its own distance.
    Where shifts are left out of the growth, 95 % intervals of made-up series with a shift hold all, and are a tenth narrower.
    """
    jumped = np.zeros(len(values), bool)
    known = np.flatnonzero(~np.isnan(values))
    # With fewer values a step has too few around it to tell what is usual.
    if len(known) < 8:
        return jumped
    steps = np.diff(np.log(values[known])) / np.diff(known)
    for i, step in enumerate(steps):
        near = np.delete(steps[max(0, i - ROUND) : i + ROUND + 1], min(i, ROUND))
        middle = np.median(near)
        spread = 1.4826 * float(np.median(np.abs(near - middle)))
        beside = steps[max(0, i - 1) : i + 2] - middle
        taken_back = bool(np.any(beside * (step - middle) < -0.25 * (step - middle) ** 2))
        far = abs(step - middle)
        alike = bool(np.any(np.abs(near - step) < far / 2))
        jumped[known[i + 1]] = far > UNLIKE * max(spread, LEAST_SPREAD) and not taken_back and not alike
    return jumped & ~breaks


def _steps(values: Floats, breaks: Flags, number: int, horizon: int, scale: float, rng: np.random.Generator) -> Floats:
    """Sums of recent steps, drawn with other weights for each path: (`number`, `horizon`), in the unit of the values.

    The weights are those of the Bayesian bootstrap (Rubin 1981): the steps' mean is uncertain, too. Steps over a break are left
    out, and a step over several periods counts as its mean over them.
    """
    known = np.flatnonzero(~np.isnan(values))
    pairs = [(i, j) for i, j in pairwise(known) if not breaks[i + 1 : j + 1].any()][-RECENT:]
    steps = np.array([(values[j] - values[i]) / (j - i) for i, j in pairs] or [0.0])
    # Of each generator the draws of a period come before those of the next: a period's are the same whatever the horizon.
    of_weights, of_choices, of_shocks, of_drifts = rng.spawn(4)
    weights = of_weights.exponential(size=(number, len(steps)))
    borders = (weights / weights.sum(axis=1, keepdims=True)).cumsum(axis=1)
    drawn = (of_choices.random((horizon, number)).T[:, :, None] > borders[:, None, :]).sum(axis=2)
    squares = FREEDOM * scale**2 + ((steps - steps.mean()) ** 2).sum()
    spread = math.sqrt(squares / (FREEDOM + len(steps)))
    shaken = 0.5 * spread * of_shocks.standard_t(state_space.SHOCKS, (horizon, number)).T
    drift = 0.7 * spread / math.sqrt(len(steps)) * of_drifts.standard_normal((number, 1))
    moved = steps[np.minimum(drawn, len(steps) - 1)] + shaken + drift
    return np.asarray(np.cumsum(moved, axis=1))


def _bounded(logs: Floats) -> Floats:
    """Ratios from logarithms; above e times the newest value growth is linear, and below a seventh a fall fades."""
    grown = math.exp(GROWTH) * (1 + np.maximum(logs - GROWTH, 0))
    fallen = math.exp(FALL) / (1 + np.maximum(FALL - logs, 0))
    return np.where(logs > GROWTH, grown, np.where(logs < FALL, fallen, np.exp(np.clip(logs, FALL, GROWTH))))


def _positive(ratios: Floats) -> Floats:
    """Ratios whose fall fades below 30 % of the newest value, and never reaches zero."""
    return np.where(ratios > LOW, ratios, LOW / (1 + np.maximum(LOW - ratios, 0) / LOW))
