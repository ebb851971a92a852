"""Where a product's users fall to nobody, or to a small part of the product's past. Pure.

A fall isn't learned: days of a fall never become the past that later days are compared with. Else a source that has stood
still for five weeks would be the usual one, and nobody would be told any more.
"""

import math
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from statistics import fmean, median
from typing import NamedTuple

from pipelines.store.product_days import ProductDay

FALLEN_SHARE = 0.25
"""A period has fallen if it has at most this share of the usual number of users."""
SURE = 5.0
"""A fall lacks more users than this many times what chance does to so many of them: the square root of the usual number
(Poisson), or the scatter of the past where that is larger."""
LEAST_EMPTY_DAYS = 7
"""Days without users after which a product of few users has fallen, if it was never empty for half as long."""
PAST_DAYS = 400
"""Days of the past that a fall is looked for in: a year, and the weeks before it."""
WEEKS = 8
"""How many weeks before a day are its past: the day is compared with the same weekday of each."""
LEAST_WEEKS = 4
"""How many of these weeks must be there for a comparison by weekday."""
MAD_TO_DEVIATION = 1.4826
"""The standard deviation of a normal distribution over its median absolute deviation: 1 / 0.6745, the 75 % quantile."""
_UNLIKELY = 20.0
"""Users expected of an empty stretch: by chance alone all of them stay away with the probability exp(-20)."""
_FEW_USERS = 3.0
"""Users a period, below which a product's empty stretches are judged by the ones before, too."""
_LEAST_DAYS = 7
_MONTHS = 6
"""The past of a product that counts by month."""


@dataclass(frozen=True)
class Fall:
    """Periods in a row in which a product had nobody, or far fewer users than before."""

    first: date
    last: date
    """First days of the first and of the last period."""
    periods: int
    users: float
    """Users in a period of the fall, on average."""
    usual: float
    """Users in a period before the fall, on average; 0 where the product never had any."""

    @property
    def is_empty(self) -> bool:
        """Whether there was nobody at all."""
        return self.users == 0


def find(periods: Sequence[ProductDay], unlearned: Collection[date] = ()) -> list[Fall]:
    """The falls among a product's periods of one grain, which are in order; in order of time.

    Periods whose users aren't known are left out. `unlearned`: first days of periods that are known to lack users
    (`losses`): they may be part of a fall, and are no past.
    """
    known = [period for period in periods if period.users is not None]
    if not known:
        return []
    empty = _empty_stretches(known, unlearned)
    in_empty = days_of(known, empty)
    fewer = _fewer([period for period in known if period.day not in in_empty], unlearned)
    return sorted([*empty, *fewer], key=lambda fall: fall.first)


def days_of(periods: Iterable[ProductDay], falls: Sequence[Fall]) -> set[date]:
    """First days of the periods that lie in a fall."""
    return {period.day for period in periods if any(fall.first <= period.day <= fall.last for fall in falls)}


def _empty_stretches(periods: Sequence[ProductDay], unlearned: Collection[date]) -> list[Fall]:
    """Stretches without any user that the periods before them don't explain.

    Nobody in all of the periods, for a week or more, is a fall: a condition that never holds looks like that. Else, with the
    users before as a Poisson process, chance has to leave a stretch so long empty with a probability of exp(-20) at most. And a
    product of few users, which come in bursts, was never empty for half as long.
    """
    by_day = periods[0].grain == "day"
    least = LEAST_EMPTY_DAYS if by_day else 1
    falls = list[Fall]()
    before = list[int]()
    longest = 0
    for is_empty, group in groupby(periods, key=lambda period: period.users == 0):
        stretch = list(group)
        if not is_empty:
            before += [period.users or 0 for period in stretch if period.day not in unlearned]
            continue
        number = len(stretch)
        # A few days say little about the days to come: they are taken for a whole week's.
        usual = sum(before) / max(len(before), least)
        is_unlikely = usual * number > _UNLIKELY
        has_few = usual < _FEW_USERS
        if is_unlikely and not (has_few and (number < least or number <= 2 * longest)):
            falls.append(Fall(stretch[0].day, stretch[-1].day, number, 0.0, fmean(before)))
        elif number == len(periods) >= least:
            falls.append(Fall(stretch[0].day, stretch[-1].day, number, 0.0, 0.0))
        elif before:
            before += [0 for period in stretch if period.day not in unlearned]
        longest = max(longest, number if before else 0)
    return falls


def _fewer(periods: Sequence[ProductDay], unlearned: Collection[date]) -> list[Fall]:
    """Stretches of at most `FALLEN_SHARE` of the usual users, by the past that isn't itself a fall."""
    falls = list[Fall]()
    past = _Past(unlearned)
    fallen = list[_Fallen]()
    for period in periods:
        usual = past.usual(period)
        if usual is not None and usual.users > 0 and (period.users or 0) <= FALLEN_SHARE * usual.users:
            fallen.append(_Fallen(period, usual))
            continue
        falls += _judge(fallen, past)
        fallen = []
        past.learn(period)
    return falls + _judge(fallen, past)


class _Usual(NamedTuple):
    """What is usual for a period, by the periods before it."""

    users: float
    scatter: float
    of_weekday: bool
    """Whether the past is of the same weekday, or of a whole period's kind; else a weekend may be taken for a fall."""


class _Fallen(NamedTuple):
    """A period with far fewer users than usual."""

    period: ProductDay
    usual: _Usual


def _judge(fallen: Sequence[_Fallen], past: "_Past") -> list[Fall]:
    """The periods as a fall, if they lack more users than chance takes away; else they are learned, and the list is empty."""
    # A whole week has every weekday: then the weekdays' differences don't matter.
    judged = fallen if len(fallen) >= LEAST_EMPTY_DAYS else [one for one in fallen if one.usual.of_weekday]
    lacking = sum(one.usual.users - (one.period.users or 0) for one in judged)
    if judged and lacking > SURE * math.sqrt(sum(one.usual.scatter**2 for one in judged)):
        users = fmean(one.period.users or 0 for one in fallen)
        usual = fmean(one.usual.users for one in fallen)
        return [Fall(fallen[0].period.day, fallen[-1].period.day, len(fallen), users, usual)]
    for one in fallen:
        past.learn(one.period)
    return []


class _Past:
    """The users of earlier periods: of each weekday, and of all."""

    def __init__(self, unlearned: Collection[date]) -> None:
        self._unlearned = unlearned
        self._by_weekday = defaultdict[int, deque[int]](lambda: deque(maxlen=WEEKS))
        self._all = deque[int](maxlen=WEEKS * 7)

    def usual(self, period: ProductDay) -> _Usual | None:
        """What is usual for a period; null where there is no past to tell it by.

        The scatter is 1.4826 times the median absolute deviation, and at least what chance does (Poisson).
        """
        by_day = period.grain == "day"
        weekday = self._by_weekday[period.day.weekday()]
        of_weekday = not by_day or len(weekday) >= LEAST_WEEKS
        values = list(weekday) if by_day and of_weekday else list(self._all) if by_day else list(self._all)[-_MONTHS:]
        if len(values) < (1 if not by_day else LEAST_WEEKS if of_weekday else _LEAST_DAYS):
            return None
        middle = median(values)
        scatter = max(MAD_TO_DEVIATION * median(abs(number - middle) for number in values), math.sqrt(middle))
        return _Usual(float(middle), scatter, of_weekday)

    def learn(self, period: ProductDay) -> None:
        """Take a period's users for past, unless the period is known to lack users."""
        if period.day in self._unlearned:
            return
        self._by_weekday[period.day.weekday()].append(period.users or 0)
        self._all.append(period.users or 0)
