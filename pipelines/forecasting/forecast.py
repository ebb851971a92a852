"""From a series to what is to be expected of the series: quantiles, and probabilities of being over a threshold. Pure.

The same input gives the same answer: the paths are drawn from a fixed seed. A forecast is no evidence: no part of a forecast is
part of a month's figures or of a licence's test.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from affiliates.periods import DAY, month_number
from pipelines.forecasting import simulators
from pipelines.forecasting.series import Series
from pipelines.forecasting.simulators import FEWEST, TUNING, Tuning
from pipelines.forecasting.state_space import Flags, Floats

QUANTILES = {"p2_5": 0.025, "p10": 0.1, "p50": 0.5, "p90": 0.9, "p97_5": 0.975}
"""The quantiles of a forecast, by their names in `forecast --json`."""
PATHS = 10_000
"""Paths of a forecast: a probability near a half then errs by half a per cent (one standard error)."""
SEED = 700
STATED = 0.1, 0.5
"""Probabilities of having crossed at which there is a day to decide by."""
NORMAL_95 = 1.96
"""Standard deviations on either side of the mean that hold 95 % of normal numbers."""
_ENOUGH = 200
"""The effective number of paths that have to agree with a month to date for all paths to be drawn anew from them."""


@dataclass(frozen=True)
class MonthToDate:
    """A month that isn't over: the people so far with their bounds, and which share of the whole month's people that may be."""

    month: date
    """The month's first day."""
    estimate: float
    lower: float
    upper: float
    share_low: float
    share_high: float


@dataclass(frozen=True)
class ForecastPeriod:
    """One period to come."""

    number: int
    """The period, as the series counts periods."""
    quantiles: Mapping[str, float]
    """By the names of `QUANTILES`, in the unit of the series."""
    over: float
    """Probability of being over the threshold in this period."""
    crossed: float
    """Probability of being over the threshold in this period or any between the newest figure and this period."""


@dataclass(frozen=True)
class Outcomes:
    """What becomes of the periods of a horizon, in the light of one doubt or of several."""

    series: Series
    ahead: tuple[ForecastPeriod, ...]
    """The periods of the horizon, the nearest first."""
    over_now: float
    """Probability that the newest figure is over."""

    @property
    def not_within(self) -> float:
        """Probability that no period of the horizon is over."""
        return 1 - self.ahead[-1].crossed

    @property
    def first_passage(self) -> dict[int, float]:
        """By period, the probability that it is the first one over."""
        before = [0.0, *(a.crossed for a in self.ahead)]
        return {a.number: a.crossed - b for a, b in zip(self.ahead, before, strict=False)}

    def crossing(self, probability: float) -> int | None:
        """The first period by which the threshold has been crossed with this probability; none within the horizon."""
        return next((a.number for a in self.ahead if a.crossed >= probability), None)

    def decide_by(self, lead_times: Mapping[str, int]) -> list[dict[str, Any]]:
        """For each stated probability its crossing, and for each lead time the last day to decide on.

        `lead_times`: days by name. The last day lies so many days before the first day of the period of the crossing; null
        where there is no crossing within the horizon.
        """
        decisions = []
        for probability in STATED:
            number = self.crossing(probability)
            days = {
                name: None if number is None else self.series.begins(number) - DAY * lead for name, lead in lead_times.items()
            }
            decisions.append(
                {"probability": probability, "crossing": None if number is None else self.series.label(number), "days": days}
            )
        return decisions


@dataclass(frozen=True)
class Forecast(Outcomes):
    """What is to be expected of a series: how the figure goes on, together with the doubt that the newest figure's bounds leave.

    The two doubts are told apart. Growth's doubt shrinks as months pass. The bounds' doubt is mostly who is one person; each
    month has it, and nobody knows how likely each place between the bounds is (`_measuring` has the assumption).
    """

    threshold: float
    at_estimate: Outcomes
    """The same by growth's doubt alone: as if the newest figure were the truth."""
    now: Mapping[str, float]
    """Quantiles of the newest figure by its bounds, by the names of `QUANTILES`."""
    notes: tuple[str, ...]

    @property
    def has_bounds(self) -> bool:
        """Whether the newest figure has bounds; without, `at_estimate` says the same."""
        return self.series.newest.lower is not None and self.series.newest.upper is not None


@dataclass(frozen=True)
class SamplePaths:
    """Sample paths of a series, before they are compared with any threshold."""

    series: Series
    paths: Floats
    """One path a row, one period a column, in the unit of the series; with each path's measuring error."""
    growth: Floats
    """The same without any measuring error."""
    newest: Floats
    """The newest figure on each path, with the path's measuring error."""
    notes: tuple[str, ...]


def walk(
    series: Series, horizon: int, to_date: MonthToDate | None = None, tuning: Tuning = TUNING, paths: int = PATHS
) -> SamplePaths:
    """Sample paths of the next `horizon` periods, `paths` of them.

    The newest figure's measuring error is one factor of a path from end to end: the same people and registers are measured
    each month, so the error doesn't average out. `to_date`: the paths agree with the people so far of a month that isn't over.
    """
    # Each use of chance has a generator of its own, and each draws period after period. So a period's figures are the same
    # whatever the horizon: what is drawn for later periods comes after all that is drawn for earlier ones.
    growing, measuring, agreeing = np.random.default_rng(SEED).spawn(3)
    values = np.array([math.nan if p.value is None else p.value for p in series.points])
    breaks = np.array([bool(p.break_) for p in series.points])
    # A month to date decides which paths there are, so the paths reach it even where the horizon doesn't.
    steps = max(horizon, _steps_to(series, to_date) or 0)
    growth = simulators.paths(values, breaks, 12 // series.months, steps, paths, growing, tuning)
    factors = _measuring(series, paths, measuring)
    notes = _notes(series, values, breaks)
    walked = growth * factors[:, None]
    if to_date is not None:
        walked, about_month = _agreeing(walked, series, to_date, agreeing)
        notes += about_month
        # By growth alone, the people to date are their estimate.
        exact = replace(to_date, lower=to_date.estimate, upper=to_date.estimate)
        growth, _ = _agreeing(growth, series, exact, agreeing)
    return SamplePaths(series, walked[:, :horizon], growth[:, :horizon], values[-1] * factors, tuple(notes))


def forecast_from_paths(walked: SamplePaths, threshold: float) -> Forecast:
    """The forecast of sample paths: quantiles, and probabilities of being over a threshold, which is strictly more than it."""
    series = walked.series
    newest = series.newest.value or 0
    notes = walked.notes
    ratio = newest / threshold
    if not 1e-3 < ratio < 1e3:  # Figures in millions beside a threshold in users are a mistake that is easily made.
        notes = (*notes, f"the newest figure is {ratio:.1g} of the threshold: are both in the same unit?")
    now = np.quantile(walked.newest, list(QUANTILES.values()))
    return Forecast(
        series,
        _periods(series, walked.paths, threshold),
        float((walked.newest > threshold).mean()),
        threshold,
        Outcomes(series, _periods(series, walked.growth, threshold), float(newest > threshold)),
        dict(zip(QUANTILES, map(float, now), strict=True)),
        notes,
    )


def _periods(series: Series, paths: Floats, threshold: float) -> tuple[ForecastPeriod, ...]:
    """What becomes of each period of the paths, (paths, periods)."""
    # The texts say "greater than" the threshold.
    over = paths > threshold
    crossed = np.logical_or.accumulate(over, axis=1)
    quantiles = np.quantile(paths, list(QUANTILES.values()), axis=0)
    return tuple(
        ForecastPeriod(
            series.newest.number + (i + 1) * series.months,
            dict(zip(QUANTILES, map(float, quantiles[:, i]), strict=True)),
            float(over[:, i].mean()),
            float(crossed[:, i].mean()),
        )
        for i in range(over.shape[1])
    )


def forecast(series: Series, threshold: float, horizon: int, to_date: MonthToDate | None = None) -> Forecast:
    """The next `horizon` periods of a series, compared with a threshold."""
    return forecast_from_paths(walk(series, horizon, to_date), threshold)


def _measuring(series: Series, paths: int, rng: np.random.Generator) -> Floats:
    """For each path, the factor from the newest figure to a truth that the figure's 95 % bounds leave open: (`paths`,).

    Normal in logarithms, with a standard deviation of its own towards each bound; 1 where the newest figure has no bounds.
    """
    newest = series.newest
    if newest.value is None or newest.lower is None or newest.upper is None:
        return np.ones(paths)
    drawn = rng.standard_normal(paths) / NORMAL_95
    # A lower bound near zero would make paths of nobody, so it is taken for a hundredth of the figure at least.
    low = math.log(newest.value / max(newest.lower, newest.value / 100))
    return np.exp(np.where(drawn < 0, drawn * low, drawn * math.log(newest.upper / newest.value)))


def _steps_to(series: Series, to_date: MonthToDate | None) -> int | None:
    """How many periods after the newest figure a month to date is; null where there is none."""
    if to_date is None or series.months != 1:
        return None
    steps = month_number(to_date.month) - series.newest.number
    return steps if steps > 0 else None


def _agreeing(walked: Floats, series: Series, to_date: MonthToDate, rng: np.random.Generator) -> tuple[Floats, list[str]]:
    """The paths that agree with a month to date, drawn anew by how well they agree, and a note of that.

    Where too few agree, the month's value is drawn from the month to date alone, and each path goes on from there.
    """
    steps = _steps_to(series, to_date)
    if steps is None:
        return walked, []
    i = steps - 1
    low = math.log(to_date.lower / to_date.share_high)
    high = math.log(to_date.upper / to_date.share_low)
    middle = (low + high) / 2
    spread = max((high - low) / (2 * NORMAL_95), 1e-6)
    # A month has at least the people of its days so far, so a path below the lower bound to date can't be.
    weights = np.exp(-0.5 * ((np.log(walked[:, i]) - middle) / spread) ** 2) * (walked[:, i] >= to_date.lower)
    label = series.label(series.newest.number + steps)
    share = f"{to_date.share_low:.0%} to {to_date.share_high:.0%} of the month"
    note = f"{label}: {to_date.estimate:,.0f} people to date, taken as {share}"
    # Kish's effective sample size: of how many equal weights these weights are worth.
    if weights.sum() > 0 and weights.sum() ** 2 / (weights**2).sum() >= _ENOUGH:
        return walked[rng.choice(len(walked), len(walked), p=weights / weights.sum())], [note]
    drawn = np.maximum(np.exp(middle + spread * rng.standard_normal(len(walked))), to_date.lower)
    after = walked.copy()
    after[:, i:] *= (drawn / walked[:, i])[:, None]
    return after, [f"{note}; the months before let expect another figure, so this is taken as a step"]


def _notes(series: Series, values: Floats, breaks: Flags) -> list[str]:
    """What a reader of the forecast has to know of the series: too few values, breaks, jumps, seasons, measuring error."""
    known = int(np.count_nonzero(~np.isnan(values)))
    unit = series.unit
    notes = list(series.notes)
    if known < FEWEST:
        notes.append(f"only {known} {unit}s are known: fewer than {FEWEST} say little of a trend, so the intervals are wide")
    notes += [f"{p.break_}; the step says nothing of growth, and isn't taken for any" for p in series.points if p.break_]
    logs = np.log(values)
    for i in np.flatnonzero(simulators.jumps(values, breaks)):
        step = math.exp(logs[i] - logs[:i][~np.isnan(logs[:i])][-1]) - 1
        label = series.label(series.points[i].number)
        notes.append(f"{label}: a step of {step:+.1%} unlike those around it; taken for another level, not for growth")
    if known < 24 // series.months:
        notes.append("seasons aren't looked for: two years aren't there")
    if series.newest.lower is not None and series.newest.upper is not None:
        bounds = f"{_in_digits(series.newest.lower)} to {_in_digits(series.newest.upper)}"
        notes.append(
            f"the newest figure lies from {bounds}, and nobody knows how likely each place between is. By the range: taken as "
            "normal in logarithms around the estimate, half on either side, with the bounds as its 95 %; each path carries that "
            "error to its end. By the estimate: as if the estimate were the truth"
        )
    return notes


def _in_digits(value: float) -> str:
    """A value with all its digits before the point: people aren't written as 1.5e+07."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.6g}"
