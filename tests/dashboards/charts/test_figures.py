"""What is drawn: valid for Plotly, from zero on, and with numbers in our own words."""

import json
from datetime import date
from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.periods import add_months
from dashboards.charts import axes, chances, heat_map, ownership, trend
from dashboards.charts.chances import MonthChance
from dashboards.charts.ownership import Held
from dashboards.charts.trend import ExpectedMonth, Mark, MonthTrend, PastMonth

FIRST = date(2025, 1, 1)
PAST = [PastMonth(add_months(FIRST, n), 690_000_000 + n, 310_000_000, 760_000_000) for n in range(12)]
AHEAD = [ExpectedMonth(add_months(FIRST, 11 + n), 3e8, 8e8, 7e8, 6.5e8, 7.5e8) for n in range(3)]
MONTHS = [MonthChance(add_months(FIRST, n), 0.5, 0.9, 0.1, 0.2) for n in range(3)]
HELD = [Held("p", "Parent", 0, [], "the ultimate parent"), Held("a", "A", 1, ["p"], "Parent 60 %")]
FIGURES = {
    "trend": trend.figure(MonthTrend(PAST, AHEAD, [Mark(FIRST, "A joined")], 700_000_000)),
    "past alone": trend.figure(MonthTrend(PAST, [], [], 700_000_000)),
    "far threshold": trend.figure(MonthTrend(PAST[:2], [], [], 7_000_000_000)),
    "chances": chances.over(MONTHS),
    "first passage": chances.first_passage(MONTHS),
    "ownership": ownership.figure(HELD),
    "heat map": heat_map.figure(["a", "b"], {("a", "b"): 0.5, ("b", "a"): None}, {("a", "b"): "half"}),
}


def plain(value: Any) -> Any:
    """A figure with black in the place of the palette's colours."""
    if isinstance(value, str) and value.startswith("@"):
        return "#000000"
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", FIGURES)
def test_plotly_knows_each_property(name: str) -> None:
    """In a browser a property that is misspelt is ignored without a word."""
    figure = plain(json.loads(json.dumps(FIGURES[name])))
    go.Figure(figure)
    # Numbers that a reader sees are texts of ours: Plotly makes 1.00G of 999.6 M.
    assert "%{y" not in json.dumps(figure)


@pytest.mark.parametrize("name", ["trend", "past alone", "far threshold", "chances", "first passage"])
def test_an_axis_begins_at_zero(name: str) -> None:
    """An area that begins elsewhere shows another share of the whole."""
    layout = FIGURES[name]["layout"]
    assert layout["yaxis"]["range"][0] == 0
    top = max(value for part in FIGURES[name]["data"] for value in part["y"])
    assert top <= layout["yaxis"]["range"][1]


def test_a_far_threshold_is_not_drawn() -> None:
    """To scale it would press all months to one line at the bottom."""
    assert FIGURES["far threshold"]["layout"]["shapes"] == []
    assert FIGURES["trend"]["layout"]["annotations"][0]["text"] == "threshold<br>700\u00a0M"


def test_a_month_without_an_upper_bound_has_no_range() -> None:
    """An area down to zero, or up to the estimate, would be a bound that nobody has."""
    opened = [*PAST[:-1], PastMonth(PAST[-1].month, 690_000_000, 310_000_000, None)]
    figure = trend.figure(MonthTrend(opened, [], [], None))
    assert [len(part["x"]) for part in figure["data"]] == [11, 11, 12]
    assert figure["data"][-1]["text"][-1] == "best estimate 690.0\u00a0M, range at least 310\u00a0M"


def test_the_picture_before_scripts_shows_the_same() -> None:
    picture = trend.svg(MonthTrend(PAST, AHEAD, [Mark(FIRST, "A joined")], 700_000_000))
    assert picture.startswith("<?xml")
    assert "threshold" in picture
    assert len(picture) < 40_000


@given(st.floats(0, 1e12))
def test_ticks_reach_over_the_top(top: float) -> None:
    """A line that leaves the picture is a month that nobody sees."""
    values = axes.ticks(top)
    assert values[0] == 0
    assert values[-1] >= top
    assert len(values) <= 8
    assert values == sorted(set(values))
