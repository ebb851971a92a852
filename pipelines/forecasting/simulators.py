"""Sample paths of a series by three simulators: damped trends, lines, and recent steps drawn anew. Pure.

- Damped: trends in logarithms whose slope fades, at a rate that is drawn anew for each path; flat ones and slow cycles
  among them.
- Lines: a constant step in people with its uncertainty. How well the two foretold the series so far tells how many paths
  each has.
- Recent: steps of the last periods drawn with replacement, half of the paths in people and half in per cent.

No path reaches zero, and none grows or falls exponentially for ever. All of it is in ratios to the newest value, so the unit
doesn't matter.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipelines.forecasting import state_space
from pipelines.forecasting.state_space import Flags, Floats, Trend


@dataclass(frozen=True)
class Chosen:
    """What was chosen by looking at companies' series: `make bench` leaves each company out of it in turn."""

    scale: float = 0.014
    """Standard deviation of one quarter's step that is expected before a series has been seen."""
    shares: tuple[float, float, float] = (0.65, 0.25, 0.10)
    """Of damped trends, lines and recent steps."""
    temper: float = 0.5
    """How much the past decides between candidates: at 1 the best one so far takes nearly all paths, and 80 % intervals of
    companies' quarters then held 77 % at two and 78 % at eight quarters ahead; at a half 80 and 88 %."""


CHOSEN = Chosen()
FREEDOM = 3.0
"""So many values is the expected scale worth."""
FEWEST = 6
"""With fewer figures than these the expected scale is wider."""
TURNS = 0.35
"""Of a trend in a year. Made-up saturating series (tests/support/made_up.py) were held by 80 and 95 % intervals four quarters
ahead in 62 and 80 % of cases without turns, in 72 and 95 % with them."""
RECENT = 8
YEARS = 15
"""What lies further back says nothing of the next two years, and only takes time."""
GROWTH = 1.0
FALL = -2.0
LOW = 0.3

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
"""Variances of level, slope and noise."""
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
"""Of a year and a half to seven. Without them 80 % intervals of made-up wobbling series held 65 %, with them 78 %."""
_LINES = [
    Trend(1 / 8, 1, level, slope, noise, first)
    for level, slope, noise in ((1, 0, 0), (1, 0.03, 0), (0.2, 0, 1), (0.01, 0, 1))
    for first in (30, 300)
]


def paths(
    values: Floats, breaks: Flags, per_year: int, horizon: int, number: int, rng: np.random.Generator, chosen: Chosen = CHOSEN
) -> Floats:
    """So many paths of the next `horizon` periods, one a row.

    `values`: over zero, at an even spacing, NaN where nothing is known, the last one known; `breaks`: where the level is
    another for a reason that says nothing of growth.
    """
    keep = -YEARS * per_year
    values = values[keep:]
    breaks = breaks[keep:]
    known = np.flatnonzero(~np.isnan(values))
    newest = values[-1]
    people = values / newest
    logs = np.log(values / newest)
    widened = math.sqrt(max(FEWEST / len(known), 1))
    scale = chosen.scale * widened * math.sqrt(4 / per_year)
    turns = TURNS / per_year
    unlike = breaks | jumps(values, breaks)
    damped = state_space.fit(logs, unlike, [*_DAMPED, *_FLAT, *_CYCLES], per_year, scale, FREEDOM, chosen.temper)
    lines = state_space.fit(people, unlike, _LINES, per_year, scale, FREEDOM, chosen.temper)
    # Densities of people and of their logarithms, made comparable.
    in_people = chosen.temper * float(logs[[i for i in known[1:] if not unlike[i]]].sum())
    shares = np.array(chosen.shares)
    ahead = state_space.evidence(lines) + in_people - state_space.evidence(damped)
    odds = shares[1] * math.exp(min(ahead, 50))
    of_lines = (shares[0] + shares[1]) * odds / (shares[0] + odds)
    lined = round(number * of_lines / shares.sum())
    drawn = round(number * shares[2] / shares.sum())
    several = [
        _bounded(state_space.paths(damped, number - lined - drawn, horizon, turns, rng)),
        _positive(state_space.paths(lines, lined, horizon, turns, rng)),
        _bounded(_steps(logs, breaks, drawn // 2, horizon, scale, rng)),
        _positive(1 + _steps(people, breaks, drawn - drawn // 2, horizon, scale, rng)),
    ]
    return np.asarray(newest * np.concatenate(several))


def jumps(values: Floats, breaks: Flags) -> Flags:
    """Steps unlike all around them that weren't taken back: a level shift that nobody has marked.

    A step counts as one when it is over six robust standard deviations from the median of the six on either side, and further
    from each of them than half of that.
    Where they are left out of the growth, 95 % intervals of made-up series with a shift hold all, and are a tenth narrower.
    """
    found = np.zeros(len(values), bool)
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < 8:
        return found
    steps = np.diff(np.log(values[known])) / np.diff(known)
    for i, step in enumerate(steps):
        near = np.delete(steps[max(0, i - 6) : i + 7], min(i, 6))
        middle = np.median(near)
        spread = 1.4826 * float(np.median(np.abs(near - middle)))
        beside = steps[max(0, i - 1) : i + 2] - middle
        taken_back = bool(np.any(beside * (step - middle) < -0.25 * (step - middle) ** 2))
        far = abs(step - middle)
        alike = bool(np.any(np.abs(near - step) < far / 2))
        found[known[i + 1]] = far > 6 * max(spread, 0.004) and not taken_back and not alike
    return found & ~breaks


def _steps(values: Floats, breaks: Flags, number: int, horizon: int, scale: float, rng: np.random.Generator) -> Floats:
    """Sums of recent steps, drawn with other weights for each path: their mean is uncertain, too."""
    known = np.flatnonzero(~np.isnan(values))
    pairs = [(i, j) for i, j in pairwise(known) if not breaks[i + 1 : j + 1].any()][-RECENT:]
    steps = np.array([(values[j] - values[i]) / (j - i) for i, j in pairs] or [0.0])
    weights = rng.exponential(size=(number, len(steps)))
    borders = (weights / weights.sum(axis=1, keepdims=True)).cumsum(axis=1)
    drawn = (rng.random((number, horizon, 1)) > borders[:, None, :]).sum(axis=2)
    squares = FREEDOM * scale**2 + ((steps - steps.mean()) ** 2).sum()
    spread = math.sqrt(squares / (FREEDOM + len(steps)))
    shaken = 0.5 * spread * rng.standard_t(state_space.SHOCKS, (number, horizon))
    drift = 0.7 * spread / math.sqrt(len(steps)) * rng.standard_normal((number, 1))
    moved = steps[np.minimum(drawn, len(steps) - 1)] + shaken + drift
    return np.asarray(np.cumsum(moved, axis=1))


def _bounded(logs: Floats) -> Floats:
    """Ratios from logarithms; beyond e times the newest value growth is linear, and below a seventh a fall fades."""
    grown = math.exp(GROWTH) * (1 + np.maximum(logs - GROWTH, 0))
    fallen = math.exp(FALL) / (1 + np.maximum(FALL - logs, 0))
    return np.where(logs > GROWTH, grown, np.where(logs < FALL, fallen, np.exp(np.clip(logs, FALL, GROWTH))))


def _positive(ratios: Floats) -> Floats:
    """Below 30 % of the newest value a fall in people fades, and never reaches zero."""
    return np.where(ratios > LOW, ratios, LOW / (1 + np.maximum(LOW - ratios, 0) / LOW))
