"""Real events by the day on which they came in: what a month lacks on the day on which it first calls itself complete.

What would silently go wrong: a `settles_after` that is shorter than the events take makes a month complete while more people
of it are still to come than anybody would call a rounding. `tests/by_arrival.md` has the whole year.
"""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from affiliates.periods import DAY, month_after
from tests.support.git_activity import SETTLES_AFTER, SHARED
from tests.tools import by_arrival
from tests.tools.by_arrival import A_FILE_A_DAY, A_WEEK, AS_IN_THE_DEMO, LIMIT, MONTHS, Way

pytestmark = pytest.mark.skipif(
    not SHARED.exists(), reason="when an event was recorded is only in the whole data, beside the checkout, and not in the demo's"
)
SUMMER = MONTHS[6:8]
"""July lacked the most of all months."""


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return by_arrival.arrivals()


@pytest.fixture(scope="module")
def final(rows: pl.DataFrame) -> dict[date, int]:
    return by_arrival.people(rows)


def near(found: int, true: int) -> bool:
    """By the sketches' error."""
    return abs(found - true) <= 2


@pytest.mark.parametrize(
    "way", [pytest.param(A_WEEK, id=str(A_WEEK), marks=pytest.mark.thorough), pytest.param(A_FILE_A_DAY, id=str(A_FILE_A_DAY))]
)
def test_a_month_has_what_had_come_in_and_gets_the_rest(
    tmp_path: Path, rows: pl.DataFrame, final: dict[date, int], way: Way
) -> None:
    """On each day it is what polars counts in the rows of that day, however long ago its days settled; in the end, in all."""
    for month in by_arrival.play(way, tmp_path / "group", rows, SUMMER):
        assert month.first_complete == month_after(month.month) + DAY * way.settles
        for day, (found, complete) in month.seen.items():
            assert near(found, by_arrival.people(by_arrival.visible_on(rows, day))[month.month])
            assert complete == (day >= month.first_complete)
        assert near(month.last, final[month.month])


@pytest.mark.parametrize(
    "months", [pytest.param(SUMMER, id="July and August"), pytest.param(MONTHS, id="a year", marks=pytest.mark.thorough)]
)
def test_as_the_demo_settles_no_complete_month_lacks_one_percent(
    tmp_path: Path, rows: pl.DataFrame, final: dict[date, int], months: list[date]
) -> None:
    for month in by_arrival.play(AS_IN_THE_DEMO, tmp_path / "group", rows, months):
        assert month.first_complete == month_after(month.month) + DAY * AS_IN_THE_DEMO.settles
        assert month.least >= (1 - LIMIT) * month.last
        assert near(month.last, final[month.month])


def test_a_week_is_too_short_for_these_events_in_every_month(rows: pl.DataFrame, final: dict[date, int]) -> None:
    """Were it otherwise, the demo could say a week and the table would be wrong."""
    for month in MONTHS:
        day = month_after(month) + DAY * 7
        assert by_arrival.people(by_arrival.visible_on(rows, day))[month] < (1 - LIMIT) * final[month]


def test_the_table_is_of_this_data(rows: pl.DataFrame, final: dict[date, int]) -> None:
    said = by_arrival.TABLE.read_text(encoding="utf-8")
    assert by_arrival.lags(rows) in said
    assert f" {by_arrival.least_settling(rows)} days" in said
    assert by_arrival.least_settling(rows) < SETTLES_AFTER
    for month in MONTHS:
        lines = [line.split(" | ") for line in said.splitlines() if line.startswith(f"| {month:%Y-%m} ")]
        assert {line[-1].rstrip(" |") for line in lines} == {str(final[month])}
