"""Days on which users had far more, or far fewer, events than before: a sign of another column of identifiers. Pure.

An identifier that is made anew for each visit, or one that stands for a whole shop, changes how many users there are and hardly
how many events. The number of users alone looks like growth, or like a loss.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from statistics import median
from typing import NamedTuple

from affiliates.periods import DAY
from pipelines.store.product_days import ProductDay

PAST = 28
"""How many days before a day are its past."""
LEAST_DAYS = 14
"""How many of these must be there for a comparison."""
LEAST_USERS = 100
"""Users below which a few people make the rate."""
FACTOR = 3.0
"""How many times the usual rate, or what part of it, is far from it."""
BEYOND = 1.5
"""How far outside of all days of its past a rate must lie, too: products whose rate always varies are no findings."""


class EventRate(NamedTuple):
    """A day whose users had far more, or far fewer, events than usual."""

    day: date
    rate: float
    """Events per user."""
    usual: float
    """The median of the days before."""


def unusual(days: Sequence[ProductDay], judged: Sequence[ProductDay], left_out: Collection[date]) -> Iterator[EventRate]:
    """The days among `judged` whose rate is far from the past's; `days` are all that are known, `left_out` are no past.

    A day that was far off is no past either, so that a change is told for as long as it lasts.
    """
    rates = {
        day.day: day.events / day.users
        for day in days
        if day.events and day.users and day.users >= LEAST_USERS and day.day not in left_out
    }
    wanted = {day.day for day in judged}
    for day in sorted(rates):
        past = [rates[before] for back in range(1, PAST + 1) if (before := day - DAY * back) in rates]
        if len(past) < LEAST_DAYS:
            continue
        usual = median(past)
        rate = rates[day]
        if rate > max(FACTOR * usual, BEYOND * max(past)) or rate < min(usual / FACTOR, min(past) / BEYOND):
            if day in wanted:
                yield EventRate(day, rate, usual)
            rates[day] = usual
