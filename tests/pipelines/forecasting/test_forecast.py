"""What is said of a series: probabilities that fit together, and that move as they must."""

import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.forecasting import simulators, state_space
from pipelines.forecasting.forecast import QUANTILES, Forecast, MonthToDate, forecast, forecast_from_paths, walk
from pipelines.forecasting.series import Point, Series, even_series
from pipelines.forecasting.state_space import Trend

START = 2024 * 12


def monthly(values: list[float | None], **newest: Any) -> Series:
    points = [Point(START + i, v) for i, v in enumerate(values)]
    return even_series("x", [*points[:-1], replace(points[-1], **newest)], 1, "month")


def growing(number: int = 20, by: float = 1.01, noise: float = 0.004) -> list[float | None]:
    steps = by * np.exp(noise * np.random.default_rng(number).standard_normal(number))
    return [float(v) for v in 600 * np.cumprod(steps)]


def quickly(series: Series, threshold: float, horizon: int = 12, paths: int = 600) -> Forecast:
    return forecast_from_paths(walk(series, horizon, paths=paths), threshold)


figures = st.lists(st.one_of(st.none(), st.floats(1, 1e9)), min_size=2, max_size=40).filter(
    lambda values: sum(v is not None for v in values) >= 2
)


@settings(max_examples=25)
@given(figures, st.floats(0.3, 3), st.sampled_from([1, 3]), st.data())
def test_all_that_is_said_fits_together(values: list[float | None], line: float, months: int, data: st.DataObject) -> None:
    """Whatever the series: quantiles in order and over zero, crossed at least as likely as over and never less likely later,
    and first passages with "not within the horizon" are all there is."""
    broken = data.draw(st.sets(st.integers(0, len(values) - 1), max_size=4))
    points = [Point(START + months * i, v, break_="another" if i in broken else "") for i, v in enumerate(values)]
    series = even_series("x", points, 1 if months == 1 else 3, "month")
    outlook = quickly(series, line * (series.newest.value or 0), 6, 200)
    for a in outlook.ahead:
        assert list(a.quantiles.values()) == sorted(a.quantiles.values())
        assert a.quantiles["p2_5"] > 0
        assert math.isfinite(a.quantiles["p97_5"])
        assert 0 <= a.over <= a.crossed <= 1
    crossed = [a.crossed for a in outlook.ahead]
    assert crossed == sorted(crossed)
    assert sum(outlook.first_passage.values()) + outlook.not_within == pytest.approx(1)
    assert list(outlook.first_passage) == [series.newest.number + months * (i + 1) for i in range(6)]


@settings(max_examples=15)
@given(st.integers(2, 30), st.floats(1e-3, 1e6))
def test_the_unit_doesnt_matter(number: int, unit: float) -> None:
    """People or millions of them: else the same group would be told two probabilities."""
    values = growing(number)
    ours, theirs = (quickly(monthly([(v or 0) * u for v in values]), 700 * u, 8) for u in (1, unit))
    assert [a.over for a in ours.ahead] == pytest.approx([a.over for a in theirs.ahead], abs=0.02)
    assert [a.quantiles["p50"] * unit for a in ours.ahead] == pytest.approx([a.quantiles["p50"] for a in theirs.ahead], rel=0.01)


def test_the_same_series_has_the_same_answer() -> None:
    """A figure that changes from one look to the next can't be acted on."""
    series = monthly(growing())
    assert forecast(series, 700, 12) == forecast(series, 700, 12)


def test_a_higher_threshold_is_less_likely_crossed() -> None:
    """The same paths are compared with each threshold, so no chance can turn the order around."""
    walked = walk(monthly(growing()), 12, paths=2000)
    crossed = [forecast_from_paths(walked, line).ahead[-1].crossed for line in (500, 700, 760, 800, 900, 5000)]
    assert crossed == sorted(crossed, reverse=True)
    assert crossed[0] == 1
    assert crossed[-1] == 0


def test_over_is_strictly_more() -> None:
    """The clause says "greater than": at the threshold nobody is over it."""
    walked = walk(monthly(growing()), 1, paths=500)
    line = float(walked.paths[0, 0])
    at = forecast_from_paths(walked, line).ahead[0].over
    below = forecast_from_paths(walked, math.nextafter(line, 0)).ahead[0].over
    assert round((below - at) * 500) == 1


def test_growth_crosses_and_a_fall_does_not() -> None:
    """A sign error would forecast the fall of a growing product."""
    up, down = quickly(monthly(growing()), 780), quickly(monthly(growing(by=0.985)), 700)
    assert up.ahead[-1].crossed > 0.6
    assert down.ahead[-1].crossed < 0.05
    assert down.ahead[-1].quantiles["p50"] < down.series.newest.value  # type: ignore[operator]


def test_measuring_error_keeps_a_figure_near_the_line_undecided() -> None:
    """699 with an error of 2 % may be over, and 701 may not: certainty would be the sketch's, not the group's. It doesn't
    average out either: a year's months all have it."""
    for value in (699.0, 701.0):
        outlook = quickly(monthly([*growing()[:6], value], lower=value * 0.98, upper=value * 1.02), 700)
        assert 0.2 < outlook.over_now < 0.8
    flat: list[float | None] = [650 + 0.5 * (i % 2) for i in range(30)]
    sure, unsure = (
        quickly(monthly(flat, **bounds), 680, paths=4000).ahead[-1] for bounds in ({}, {"lower": 600.0, "upper": 700.0})
    )
    wide, narrow = (a.quantiles["p97_5"] - a.quantiles["p2_5"] for a in (unsure, sure))
    assert wide > 1.5 * narrow
    assert wide > 90


def test_already_over() -> None:
    """A series that is over crosses at once: the crossing isn't looked for from below alone."""
    outlook = quickly(monthly([v and v * 2 for v in growing()]), 700)
    assert outlook.over_now == 1
    assert outlook.ahead[0].over > 0.99
    assert outlook.crossing(0.5) == outlook.series.newest.number + 1


def test_a_new_definition_is_no_growth() -> None:
    """36 of 372 million gone in a month by another window of days: read as a fall it would hide a crossing for a year."""
    values = [v and v * (1 if i < 10 else 1.2) for i, v in enumerate(growing(20, 1.0))]
    series = monthly(values)
    marked = replace(series, points=tuple(replace(p, break_="new" if i == 10 else "") for i, p in enumerate(series.points)))
    plain = monthly(growing(20, 1.0))
    medians = {
        name: quickly(s, 1, 12, 3000).ahead[-1].quantiles["p50"] / (s.newest.value or 0)
        for name, s in (("marked", marked), ("plain", plain))
    }
    assert medians["marked"] == pytest.approx(medians["plain"], rel=0.02)
    assert any("new; the step says nothing of growth" in note for note in quickly(marked, 1).notes)


def test_a_step_that_nobody_marked_is_said_and_isnt_growth() -> None:
    """And one that is taken back in the next month is none."""
    series = monthly([v and v * (1 if i < 12 else 1.3) for i, v in enumerate(growing(24))])
    notes = quickly(series, 1).notes
    assert any(note.startswith("2025-01: a step of +31") for note in notes), notes
    spike = monthly([v and v * (1.3 if i == 12 else 1) for i, v in enumerate(growing(24))])
    assert not any("a step of" in note for note in quickly(spike, 1).notes)


def test_time_passes_in_a_gap() -> None:
    """Half of the months left out is the same growth: as steps of one month it would be twice as much."""
    whole = growing(24, 1.02, 0.002)
    thin = [v if i % 2 else None for i, v in enumerate(whole)]
    medians = [quickly(monthly(v), 1, 12, 3000).ahead[-1].quantiles["p50"] for v in (whole, thin)]
    assert medians[1] == pytest.approx(medians[0], rel=0.05)


def test_seasons_once_two_years_are_there() -> None:
    """A December's peak isn't growth, and the next one comes in a year."""
    values: list[float | None] = [600 * (1 + 0.1 * math.cos(2 * math.pi * i / 12)) + 0.5 * (i % 5) for i in range(37)]
    ahead = quickly(monthly(values), 1, 12, 3000).ahead
    middle = [a.quantiles["p50"] for a in ahead]
    assert middle[5] < 560 < 640 < middle[11]
    assert "seasons aren't looked for: two years aren't there" in quickly(monthly(values[:14]), 1).notes


def test_few_figures_are_said() -> None:
    """A forecast of a few figures would else look as sure as one of many."""
    assert any("only 5 months" in note for note in quickly(monthly(growing(5)), 1).notes)
    assert not any("only" in note for note in quickly(monthly(growing(6)), 1).notes)


def test_days_to_decide_by() -> None:
    """The first day of the month of crossing less the lead times; none where it isn't crossed."""
    outlook = quickly(monthly(growing(24, 1.02)), 1000)
    number = outlook.crossing(0.5)
    assert number is not None
    assert outlook.ahead[number - outlook.series.newest.number - 1].crossed >= 0.5
    assert number == outlook.series.newest.number + 1 or outlook.ahead[number - outlook.series.newest.number - 2].crossed < 0.5
    ten, fifty = outlook.decide_by({"request": 90, "move": 0})
    first = outlook.series.begins(number)
    assert (fifty["crossing"], fifty["days"]["move"]) == (f"{first:%Y-%m}", first)
    assert (first - fifty["days"]["request"]).days == 90
    assert ten["days"]["move"] <= fifty["days"]["move"]
    none = quickly(monthly(growing()), 1e6).decide_by({"request": 90})
    assert [(e["crossing"], e["days"]) for e in none] == [(None, {"request": None})] * 2


def test_a_month_to_date_narrows_it() -> None:
    """Half a month seen: the paths that can't have it go. None is below the people who were seen already."""
    series = monthly(growing(24))
    newest = series.newest.value or 0
    month = date(2026, 1, 1)
    plain = walk(series, 6).paths
    to_date = MonthToDate(month, newest * 0.9, newest * 0.899, newest * 0.901, 0.88, 0.89)
    seen = walk(series, 6, to_date)
    assert np.ptp(np.quantile(seen.paths[:, 0], [0.1, 0.9])) < np.ptp(np.quantile(plain[:, 0], [0.1, 0.9]))
    assert np.median(seen.paths[:, 5]) > np.median(plain[:, 5])
    assert seen.paths[:, 0].min() >= to_date.lower
    assert any(note.startswith("2026-01: ") and "88% to 89% of the month" in note for note in seen.notes)


@pytest.mark.parametrize("seen", [0.9, 1.5])
def test_the_horizon_changes_no_period_with_a_month_to_date(seen: float) -> None:
    """Also where the month to date lies beyond the shorter horizon, whether paths agree with that month or none does."""
    series = monthly(growing(24), lower=500.0, upper=900.0)
    newest = series.newest.value or 0
    to_date = MonthToDate(date(2026, 3, 1), newest * seen, newest * seen * 0.99, newest * seen * 1.01, 0.88, 0.92)
    long, short = (walk(series, horizon, to_date, paths=600) for horizon in (30, 2))
    for ours, theirs in ((long.paths, short.paths), (long.growth, short.growth)):
        assert np.array_equal(ours[:, :2], theirs)
    assert np.array_equal(long.newest, short.newest)


def test_growths_doubt_is_the_one_without_bounds() -> None:
    """By the estimate: the same as for a series whose figures have no bounds at all."""
    values = growing(24)
    with_bounds, without = (quickly(monthly(values, **bounds), 700) for bounds in ({"lower": 300.0, "upper": 800.0}, {}))
    assert with_bounds.at_estimate.ahead == without.ahead
    assert without.at_estimate.ahead == without.ahead
    assert (with_bounds.has_bounds, without.has_bounds) == (True, False)
    assert with_bounds.ahead[5].quantiles["p2_5"] < without.ahead[5].quantiles["p2_5"]


def test_a_month_to_date_that_nobody_expected_is_a_step() -> None:
    """Twice as many as ever before: no path has it, and it is said rather than left out."""
    series = monthly(growing(24))
    newest = series.newest.value or 0
    seen = walk(series, 6, MonthToDate(date(2026, 1, 1), newest * 1.5, newest * 1.49, newest * 1.51, 0.7, 0.8))
    assert np.median(seen.paths[:, 0]) == pytest.approx(newest * 1.5 / 0.75, rel=0.05)
    assert any("taken as a step" in note for note in seen.notes)


def test_a_month_to_date_of_another_time_changes_nothing() -> None:
    """A month that the paths don't reach must not be taken for one that they do."""
    series = monthly(growing(24))
    plain, other = walk(series, 3), walk(series, 3, MonthToDate(date(2025, 3, 1), 1, 1, 1, 0.5, 0.6))
    assert np.array_equal(plain.paths, other.paths)


def test_a_filter_by_hand() -> None:
    """A level alone without shocks is a mean, and its likelihood Student's: by plain regression."""
    values = np.array([1.0, 1.2, 0.9, 1.1])
    trend = Trend(1, 0.5, 0, 0, 1, 1e-12)
    (fit,) = state_space.fit(values, np.zeros(4, bool), [trend], 12, 0.1, 3.0, 1.0)
    assert fit.mean[0, 0] == pytest.approx(values.mean(), rel=1e-4)
    assert fit.covariance[0, 0, 0] == pytest.approx(1 / 4, rel=1e-3)
    squares = 3 * 0.1**2 + ((values - values.mean()) ** 2).sum()
    assert fit.variance[0] == pytest.approx(squares / (3 + 3), rel=1e-3)
    assert fit.freedom == 6


def test_paths_neither_vanish_nor_explode() -> None:
    """A month's tenfold growth isn't the next year's: no path grows exponentially for ever, and none reaches zero."""
    explosive = walk(monthly([1.0, 3, 9, 30, 90, 270]), 24, paths=2000).paths
    assert explosive.max() < 270 * 300
    dying = walk(monthly([1000.0, 300, 90, 30, 9, 3]), 24, paths=2000).paths
    assert dying.min() > 0
    assert QUANTILES["p50"] == 0.5


def test_jumps_need_neighbours() -> None:
    """Of few figures nobody knows which step is unlike the others."""
    few = np.array([1.0, 1.01, 1.5, 1.52, 1.53, 1.54])
    assert not simulators.jumps(few, np.zeros(6, bool)).any()
