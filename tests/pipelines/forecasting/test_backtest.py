"""The forecast against real companies' quarters, in a fixed slice: every third origin, each company left out of what was
chosen. `make bench` has the whole."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from pipelines.forecasting.forecast import forecast_from_paths, walk
from pipelines.forecasting.simulators import TUNING
from tests.support import made_up
from tests.support.paths import SHARED as SHARED_DATA
from tests.tools.backtest import (
    CANDIDATES,
    FILE,
    HORIZONS,
    Played,
    brier,
    companies,
    coverage,
    interval_score,
    leave_one_out,
    play,
    tried,
)

SHARED = SHARED_DATA / "data" / "public-mau" / "public_mau.csv"


@pytest.fixture(scope="module")
def each() -> list[Played]:
    """Each company by what the others chose among the scales and two tempers."""
    some = [c for c in CANDIDATES if c.shares == TUNING.shares and c.temper >= TUNING.temper]
    return [played for _, played in leave_one_out(tried(companies(), some, every=3, paths=1000)).values()]


@pytest.mark.skipif(not SHARED.exists(), reason="the original lies beside the checkout")
def test_the_slice_is_the_public_data() -> None:
    """A slice that was touched up would flatter the forecast."""
    assert FILE.read_bytes() == SHARED.read_bytes()


def test_series_are_regular_quarters_of_one_metric() -> None:
    """A milestone or a half-year's step taken for a quarter would look like growth, or like weekly users for monthly ones."""
    by_company = companies()
    assert {name: len(s.points) for name, s in by_company.items()} == {
        "Facebook": 60, "Meta_Family_MAP": 17, "Pinterest": 25, "Spotify": 44, "Twitter": 37,
    }  # fmt: skip
    with FILE.open(encoding="utf-8", newline="") as opened:
        rows = {(r["company"], r["quarter_end"]): r for r in csv.DictReader(opened)}
    for name, series in by_company.items():
        ends = [series.points[i].number - series.points[i - 1].number for i in range(1, len(series.points))]
        assert set(ends) == {3}
        assert len({r["metric"] for (company, _), r in rows.items() if company == name}) == 1
    assert by_company["Spotify"].label(by_company["Spotify"].newest.number) == "2025-Q4"


@pytest.mark.parametrize(("low", "high", "nominal"), [("p10", "p90", 0.8), ("p2_5", "p97_5", 0.95)])
@pytest.mark.parametrize("quarters", [1, 2])
def test_intervals_hold_what_they_say(each: list[Played], quarters: int, low: str, high: str, nominal: float) -> None:
    """Too narrow says a crossing can't be, too wide says nothing: the nominal share lies within what companies differ by."""
    share, lower, upper = coverage(each, quarters, low, high)
    assert lower <= nominal <= upper, share


def test_a_year_ahead_nine_of_ten_are_held(each: list[Played]) -> None:
    assert coverage(each, 4, "p2_5", "p97_5")[0] >= 0.9


@pytest.mark.parametrize("quarters", HORIZONS)
@pytest.mark.parametrize("outside", [0.2, 0.05])
def test_intervals_are_sharper_than_a_random_walks(each: list[Played], quarters: int, outside: float) -> None:
    """Coverage alone is had by saying anything can be."""
    assert interval_score(each, quarters, outside) < interval_score(each, quarters, outside, peer=True)


def test_the_probability_of_crossing_is_better_than_a_frequency(each: list[Played]) -> None:
    """And than the frequency of each line by itself, which knows how far it is."""
    ours, climate, by_line = brier(each)
    assert ours <= 0.6 * climate
    assert ours < by_line


def test_nothing_leaks_from_the_future() -> None:
    """With figures to come changed, a forecast at an origin is the same to the last digit: else coverage is of the past."""
    series, origins = companies()["Twitter"], [8, 20]
    before = play(series, origins=origins, paths=200)
    points = [p if i < 20 else replace(p, value=(p.value or 0) * (3 + i % 2)) for i, p in enumerate(series.points)]
    after = play(replace(series, points=tuple(points)), origins=origins, paths=200)
    assert np.array_equal(before.said, after.said)
    assert np.array_equal(before.crossing, after.crossing)
    assert not np.array_equal(before.came, after.came)


def test_a_company_has_no_part_in_what_it_is_judged_by() -> None:
    """Constants chosen with a company look better on it than on the next: with its figures changed the choice for it stays."""
    some, by_company = CANDIDATES[::4], companies()
    series = {name: by_company[name] for name in ("Twitter", "Pinterest", "Meta_Family_MAP")}
    wild = [replace(p, value=(p.value or 0) * (1 + i % 2)) for i, p in enumerate(series["Twitter"].points)]
    before = leave_one_out(tried(series, some, every=6, paths=200))
    series["Twitter"] = replace(series["Twitter"], points=tuple(wild))
    after = leave_one_out(tried(series, some, every=6, paths=200))
    assert before["Twitter"][0] == after["Twitter"][0]


def test_the_measures_are_measures() -> None:
    """By hand: two forecasts, one held by both intervals, one beyond both by 0.1."""
    quantiles = np.array([[0.8, 0.9, 1, 1.1, 1.2]] * 2)
    played = Played(
        np.ones(2), quantiles, quantiles * 2, np.array([1.0, 1.3]), np.array([[0.5], [1.0]]), np.array([[0.0], [1.0]])
    )
    assert coverage([played], 1, "p2_5", "p97_5")[0] == 0.5
    assert interval_score([played], 1, 0.05) == pytest.approx(0.4 + 40 * 0.1 / 2)
    assert interval_score([played], 1, 0.2) == pytest.approx(0.2 + 10 * 0.2 / 2)
    assert brier([played])[:2] == (0.125, 0.25)


@pytest.mark.parametrize("kind", ["saturating", "falling", "with a level shift", "hovering", "a random walk with jumps"])
def test_other_series_are_held_too(kind: str) -> None:
    """Kinds that none of the five companies is of, by quarters: 95 % intervals hold at least 80 % a year ahead (of 20, where
    19 are expected)."""
    each = [play(series, origins=[origin], paths=400) for series, origin in made_up.several(kind, 20, (4,))]
    assert coverage(each, 4, "p2_5", "p97_5", draws=10)[0] >= 0.8


def test_fewer_than_six_widen() -> None:
    """The last five figures of a company are less than all of them: an interval as narrow would claim what isn't known."""
    wider = []
    for series in companies().values():
        short = replace(series, points=series.points[-5:])
        long_, short_ = (forecast_from_paths(walk(s, 4, paths=1000), 1.0).ahead[-1].quantiles for s in (series, short))
        wider.append((short_["p97_5"] - short_["p2_5"]) / (long_["p97_5"] - long_["p2_5"]))
    assert np.mean(wider) > 1.1
