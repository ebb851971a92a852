"""Days, months and zones: a wrong edge moves a day's people into another month, or leaves them out."""

import calendar
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates import periods

# fmt: off
MONTHS = {
    # A day:             (month_of,          month_end,          month_before,      month_after)
    date(2025, 1, 1):    (date(2025, 1, 1),  date(2025, 1, 31),  date(2024, 12, 1), date(2025, 2, 1)),
    date(2025, 1, 31):   (date(2025, 1, 1),  date(2025, 1, 31),  date(2024, 12, 1), date(2025, 2, 1)),
    date(2025, 12, 1):   (date(2025, 12, 1), date(2025, 12, 31), date(2025, 11, 1), date(2026, 1, 1)),
    date(2025, 12, 31):  (date(2025, 12, 1), date(2025, 12, 31), date(2025, 11, 1), date(2026, 1, 1)),
    date(2023, 2, 28):   (date(2023, 2, 1),  date(2023, 2, 28),  date(2023, 1, 1),  date(2023, 3, 1)),
    date(2024, 2, 29):   (date(2024, 2, 1),  date(2024, 2, 29),  date(2024, 1, 1),  date(2024, 3, 1)),
    date(2024, 3, 31):   (date(2024, 3, 1),  date(2024, 3, 31),  date(2024, 2, 1),  date(2024, 4, 1)),
    date(1900, 2, 1):    (date(1900, 2, 1),  date(1900, 2, 28),  date(1900, 1, 1),  date(1900, 3, 1)),
    date(2000, 2, 1):    (date(2000, 2, 1),  date(2000, 2, 29),  date(2000, 1, 1),  date(2000, 3, 1)),
    date(2025, 4, 30):   (date(2025, 4, 1),  date(2025, 4, 30),  date(2025, 3, 1),  date(2025, 5, 1)),
}
LATER = [
    # A day,            months, and the day so many months later.
    (date(2025, 1, 31),     0, date(2025, 1, 31)),
    (date(2025, 1, 31),     1, date(2025, 2, 28)),
    (date(2025, 1, 31),     2, date(2025, 3, 31)),
    (date(2024, 1, 31),     1, date(2024, 2, 29)),
    (date(2024, 2, 29),    12, date(2025, 2, 28)),
    (date(2024, 2, 29),    48, date(2028, 2, 29)),
    (date(2025, 3, 31),    -1, date(2025, 2, 28)),
    (date(2025, 1, 15),    -1, date(2024, 12, 15)),
    (date(2025, 12, 1),     1, date(2026, 1, 1)),
    (date(2025, 1, 1),    -40, date(2021, 9, 1)),
]
ZONES = [
    # A zone, a day, hours of the day, and when the day begins (UTC).
    ("UTC",               date(2025, 3, 30),  24, datetime(2025, 3, 30, 0, tzinfo=UTC)),
    ("Asia/Tokyo",        date(2025, 1, 1),   24, datetime(2024, 12, 31, 15, tzinfo=UTC)),
    ("Europe/Berlin",     date(2025, 3, 30),  23, datetime(2025, 3, 29, 23, tzinfo=UTC)),
    ("Europe/Berlin",     date(2025, 10, 26), 25, datetime(2025, 10, 25, 22, tzinfo=UTC)),
    ("America/Santiago",  date(2024, 9, 8),   23, datetime(2024, 9, 8, 4, tzinfo=UTC)),  # Begins at one o'clock.
    ("America/Havana",    date(2024, 11, 3),  25, datetime(2024, 11, 3, 4, tzinfo=UTC)),  # Midnight twice: the first.
    ("Pacific/Apia",      date(2011, 12, 29), 24, datetime(2011, 12, 29, 10, tzinfo=UTC)),
    ("Pacific/Apia",      date(2011, 12, 30),  0, datetime(2011, 12, 30, 10, tzinfo=UTC)),  # There was no such day.
    ("Pacific/Apia",      date(2011, 12, 31), 24, datetime(2011, 12, 30, 10, tzinfo=UTC)),
]
# fmt: on
DAYS = st.dates(date(1, 2, 1), date(9999, 11, 30))
NEAR = st.dates(date(1999, 12, 1), date(2004, 3, 1))


@pytest.mark.parametrize(("day", "expected"), MONTHS.items(), ids=str)
def test_the_months_of_a_day(day: date, expected: tuple[date, date, date, date]) -> None:
    functions = periods.month_of, periods.month_end, periods.month_before, periods.month_after
    assert tuple(function(day) for function in functions) == expected


@pytest.mark.parametrize(("day", "months", "expected"), LATER)
def test_months_later_and_earlier(day: date, months: int, expected: date) -> None:
    assert periods.add_months(day, months) == expected
    assert periods.months_apart(day, expected) == months


@given(DAYS)
def test_months_are_those_of_the_calendar(day: date) -> None:
    """Against `calendar`: the weeks of a month name its days, the days before and the days after."""
    dates = [shown for shown in calendar.Calendar().itermonthdates(day.year, day.month) if shown.month == day.month]
    assert periods.month_days(day) == dates
    assert periods.month_after(day) == dates[-1] + timedelta(1)
    assert periods.month_end(periods.month_before(day)) == dates[0] - timedelta(1)
    assert periods.month_from_number(periods.month_number(day)) == dates[0]


@given(NEAR, st.integers(-60, 60))
def test_added_months_keep_the_day_where_the_month_has_it(day: date, months: int) -> None:
    later = periods.add_months(day, months)
    assert periods.months_apart(day, later) == months
    assert later.day == min(day.day, calendar.monthrange(later.year, later.month)[1])


@pytest.mark.parametrize("grain", ["day", "month"])
@given(first=NEAR, last=NEAR)
def test_periods_between_hold_every_day_once(grain: str, first: date, last: date) -> None:
    """Both ends are included; a range that ends before its first day has no period."""
    between = periods.periods_between(grain, first, last)
    wanted = [first + timedelta(n) for n in range((last - first).days + 1)]
    assert between == list(dict.fromkeys(periods.first_day(grain, day) for day in wanted))
    for period, following in pairwise(between):
        assert periods.period_after(grain, period) == following
        assert periods.last_day(grain, period) + timedelta(1) == following
        assert periods.period_days(grain, period) == (period, periods.last_day(grain, period))


@pytest.mark.parametrize("grain", ["day", "month"])
def test_every_day_of_a_period_names_the_period(grain: str) -> None:
    for day in periods.days_between(date(2024, 2, 1), date(2024, 2, 29)):
        first = day if grain == "day" else date(2024, 2, 1)
        last = day if grain == "day" else date(2024, 2, 29)
        assert periods.period_days(grain, day) == (first, last)
        assert periods.period_after(grain, day) == last + timedelta(1)


def test_the_last_month_there_is_has_an_end() -> None:
    assert periods.month_end(date(9999, 12, 1)) == date(9999, 12, 31)
    assert periods.months_between(date(9999, 11, 30), date.max) == [date(9999, 11, 1), date(9999, 12, 1)]


def test_months_beside_reach_over_a_year() -> None:
    assert periods.months_beside([]) == set()
    assert periods.months_beside([date(2024, 12, 1), date(2025, 1, 1)]) == {
        date(2024, 11, 1), date(2024, 12, 1), date(2025, 1, 1), date(2025, 2, 1),
    }  # fmt: skip


def test_stretches_end_at_each_gap() -> None:
    assert periods.stretches("day", []) == []
    days = [date(2024, 2, 28), date(2024, 3, 1), date(2024, 2, 29), date(2024, 3, 3)]
    assert periods.stretches("day", days) == [(date(2024, 2, 28), date(2024, 3, 1)), (date(2024, 3, 3), date(2024, 3, 3))]
    months = [date(2025, 1, 1), date(2024, 12, 1), date(2025, 3, 1)]
    assert periods.stretches("month", months) == [(date(2024, 12, 1), date(2025, 1, 1)), (date(2025, 3, 1), date(2025, 3, 1))]


@pytest.mark.parametrize(("zone", "day", "hours", "begins"), ZONES)
def test_a_day_of_a_zone(zone: str, day: date, hours: int, begins: datetime) -> None:
    assert periods.midnight(day, zone) == begins
    assert periods.end_of("day", day, zone) == begins + timedelta(hours=hours)
    assert periods.is_day(day, zone) == (hours > 0)
    if hours:
        assert periods.local_day(begins, zone) == day
        assert periods.local_day(begins - timedelta(seconds=1), zone) < day
        assert periods.local_day(begins + timedelta(hours=hours), zone) > day


def test_a_month_of_a_zone_is_over_with_its_last_day() -> None:
    assert periods.end_of("month", date(2024, 2, 1), "Asia/Tokyo") == datetime(2024, 2, 29, 15, tzinfo=UTC)
    assert periods.end_of("month", date(2025, 3, 1), "Europe/Berlin") == datetime(2025, 3, 31, 22, tzinfo=UTC)


def test_a_moment_of_any_zone_has_the_day_of_the_zone_asked_for() -> None:
    moment = datetime(2025, 1, 1, 1, tzinfo=timezone(timedelta(hours=9)))
    assert periods.local_day(moment, "UTC") == date(2024, 12, 31)
    assert periods.local_day(moment, "Asia/Tokyo") == date(2025, 1, 1)
    assert periods.local_day(moment, "America/New_York") == date(2024, 12, 31)


def test_an_hour_that_comes_again_after_midnight_is_of_the_day_before() -> None:
    """In St John's clocks went back at 00:01 on 7 November 2010: a range that ends at the first midnight would lose an hour."""
    day, after, zone = date(2010, 11, 6), date(2010, 11, 7), "America/St_Johns"
    begin, end = periods.moments_of(day, day, zone)
    assert begin == periods.midnight(day, zone)
    assert end == periods.midnight(after, zone, again=True) == periods.midnight(after, zone) + timedelta(hours=1)
    assert periods.local_day(end - timedelta(seconds=1), zone) == day


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "Europe/Berlin"])
def test_moments_of_days_follow_one_another(zone: str) -> None:
    days = periods.days_between(date(2025, 3, 28), date(2025, 4, 2))
    ranges = [periods.moments_of(day, day, zone) for day in days]
    assert [end for _, end in ranges[:-1]] == [begin for begin, _ in ranges[1:]]
    assert periods.moments_of(days[0], days[-1], zone) == (ranges[0][0], ranges[-1][1])


def test_names_of_zones() -> None:
    assert all(map(periods.is_zone, ("UTC", "Asia/Tokyo", "Europe/Berlin")))
    assert not any(map(periods.is_zone, ("", "Factory", "localtime", "Mars/Olympus", "../UTC", "utc+1")))
