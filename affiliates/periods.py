"""Days, months and time zones: the arithmetic of all other modules. Pure.

A month is written as its first day. A period is a day or a month, and is named by its first day, too. Ranges of days, months or
periods include both ends; ranges of moments are half-open. Moments are in UTC.
"""

import calendar
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

Grain = Literal["day", "month"]
"""The length of a product's periods."""

DAY = timedelta(days=1)

EARLIEST = datetime(2023, 7, 18, tzinfo=UTC)
"""The release of Llama 2, the first licence that mauwatch was made for: no right clock shows an earlier moment."""
LATEST = datetime(2050, 1, 1, tzinfo=UTC)
"""A moment that no right clock shows while this version is in use."""
LONGEST_RUN = timedelta(hours=6)
"""How long a run may take. A moment that is ahead of a run's by no more may be of another run, which began later."""


def month_number(day: date) -> int:
    """Months from January of the year 0 to the month of a day: numbers of months that follow one another differ by 1."""
    return day.year * 12 + day.month - 1


def month_from_number(number: int) -> date:
    """The month with a number of `month_number`. Raises `ValueError` outside the years 1 to 9999."""
    return date(number // 12, number % 12 + 1, 1)


def month_from_text(text: str) -> date:
    """The month that is written YYYY-MM. Raises `ValueError` for any other text."""
    return date.fromisoformat(f"{text}-01")


def month_of(day: date) -> date:
    """The month of a day: its first day."""
    return day.replace(day=1)


def month_end(day: date) -> date:
    """The last day of the month of a day."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def month_before(day: date) -> date:
    """The month before the month of a day."""
    return month_from_number(month_number(day) - 1)


def month_after(day: date) -> date:
    """The month after the month of a day."""
    return month_from_number(month_number(day) + 1)


def add_months(day: date, months: int) -> date:
    """The same day so many months later, or earlier below 0; the last day of that month where the month is too short."""
    month = month_from_number(month_number(day) + months)
    return month.replace(day=min(day.day, month_end(month).day))


def months_apart(day: date, other: date) -> int:
    """How many months the month of `other` lies after the month of `day`; below 0 where the month lies before."""
    return month_number(other) - month_number(day)


def months_between(first: date, last: date) -> list[date]:
    """The months, in order, that hold any day from `first` to `last`, both included; none where `last` lies before `first`."""
    if last < first:
        return []
    return [month_from_number(number) for number in range(month_number(first), month_number(last) + 1)]


def months_beside(months: Iterable[date]) -> set[date]:
    """The months, and the month before and the month after each: a day of another zone reaches into the month beside its own."""
    return {beside for month in months for beside in (month_before(month), month, month_after(month))}


def days_between(first: date, last: date) -> list[date]:
    """The days from `first` to `last`, both included, in order; none where `last` lies before `first`."""
    return [first + DAY * number for number in range((last - first).days + 1)]


def month_days(day: date) -> list[date]:
    """The days of the month of a day, in order."""
    return days_between(month_of(day), month_end(day))


def first_day(grain: str, day: date) -> date:
    """The first day of the period of a day: the name of the period."""
    return day if grain == "day" else month_of(day)


def last_day(grain: str, day: date) -> date:
    """The last day of the period of a day: a day of the period."""
    return day if grain == "day" else month_end(day)


def period_after(grain: str, day: date) -> date:
    """The first day of the period after the period of a day: no day of the period itself."""
    return day + DAY if grain == "day" else month_after(day)


def period_days(grain: str, day: date) -> tuple[date, date]:
    """The first and the last day of the period of a day, both included."""
    return first_day(grain, day), last_day(grain, day)


def periods_between(grain: str, first: date, last: date) -> list[date]:
    """The periods, in order, that hold any day from `first` to `last`, both included; none where `last` lies before `first`."""
    return days_between(first, last) if grain == "day" else months_between(first, last)


def stretches(grain: str, periods: Iterable[date]) -> list[tuple[date, date]]:
    """The first and the last period, both included, of each run of different periods without a gap; in order of time."""
    # In order, so that a period either continues the last stretch or begins a new one.
    joined: list[tuple[date, date]] = []
    for period in sorted(periods):
        if joined and period_after(grain, joined[-1][1]) == period:
            joined[-1] = joined[-1][0], period
        else:
            joined.append((period, period))
    return joined


@cache
def is_zone(name: str) -> bool:
    """Whether a name is in the IANA time zone database."""
    # Files beside the zones in some systems' folders: `localtime` is another zone on each machine, `Factory` is none.
    return name in available_timezones() - {"Factory", "localtime"}


@lru_cache(maxsize=1 << 16)
def midnight(day: date, zone: str, again: bool = False) -> datetime:
    """The moment at which a day begins in a zone; where clocks skip midnight, the moment at which clocks skip it.

    `again`: where clocks go back over midnight, so that midnight comes twice, the second one.
    """
    # PEP 495: of a time that comes twice, fold 0 is the first. Of a time that clocks skip, fold 0 counts on from before the
    # skip, so midnight is then the moment of the skip, and fold 1 lies earlier.
    first, second = (datetime(day.year, day.month, day.day, fold=fold, tzinfo=ZoneInfo(zone)).astimezone(UTC) for fold in (0, 1))
    return max(first, second) if again else first


def is_day(day: date, zone: str) -> bool:
    """Whether there is such a day in a zone: Samoa had no 30th of December 2011."""
    return midnight(day, zone) < midnight(day + DAY, zone)


def end_of(grain: str, day: date, zone: str) -> datetime:
    """The first moment after the period of a day, in the zone of the period's days."""
    return midnight(period_after(grain, day), zone)


def local_day(moment: datetime, zone: str) -> date:
    """The day in a zone at a moment. The moment has a zone of its own, which may be another one."""
    return moment.astimezone(ZoneInfo(zone)).date()


def moments_of(first: date, last: date, zone: str) -> tuple[datetime, datetime]:
    """When `first` begins in a zone, and when `last` (included) is over; the second moment isn't in the range.

    In some zones clocks went back over midnight, at 00:01 (St John's until 2011): the last hour of a day came once more
    after the next day had begun, and is that day's all the same. So two of these ranges may overlap where their days don't.
    """
    return midnight(first, zone), midnight(last + DAY, zone, again=True)


def clock_fault(now: datetime) -> str | None:
    """Why a clock that shows this moment is wrong for certain, in words; None where nothing speaks against the clock."""
    if EARLIEST <= now < LATEST:
        return None
    shown = f"{now:%Y-%m-%d %H:%M} UTC"
    return f"{shown} lies before mauwatch was made" if now < EARLIEST else f"{shown} lies decades after mauwatch was made"
