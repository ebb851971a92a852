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

LEAST_OTHERS = 3
"""Products of the group with a past of their own, from which on a young product is compared with them."""
FAR_FROM_OTHERS = 5.0
"""How far outside of the range of all these a young product's rate must lie. Of 2,775 months of commits to 39 projects none lay
so far outside of the other projects' range, 5 lay outside threefold."""


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


class GroupRate(NamedTuple):
    """A young product whose users have far more, or far fewer, events than those of each other product of the group."""

    ref: str
    """affiliate/product"""
    first: date
    last: date
    """The first and the last day of those that were compared."""
    rate: float
    """Events per user: the median of the product's days."""
    lowest: float
    highest: float
    """Of the other products' medians."""


def unlike_group(products: Sequence[Sequence[ProductDay]]) -> Iterator[GroupRate]:
    """The products without a past to compare with whose rate is far from all others'. `products`: each one's days, in order."""
    rates = {
        str(days[0].ref): {
            day.day: day.events / day.users for day in days[-PAST:] if day.events and day.users and day.users >= LEAST_USERS
        }
        for days in products
        if days and days[0].grain == "day"
    }
    usual = {ref: median(of_days.values()) for ref, of_days in rates.items() if of_days}
    others = [usual[ref] for ref, of_days in rates.items() if len(of_days) >= LEAST_DAYS]
    if len(others) < LEAST_OTHERS:
        return
    lowest = min(others)
    highest = max(others)
    for ref, rate in usual.items():
        is_far = rate > FAR_FROM_OTHERS * highest or rate < lowest / FAR_FROM_OTHERS
        if is_far and len(rates[ref]) < LEAST_DAYS:
            yield GroupRate(ref, min(rates[ref]), max(rates[ref]), rate, lowest, highest)
