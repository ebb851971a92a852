"""Numbers of people that a sketch rules out, as good as surely: no honest file may be refused by chance.

At two standard errors, one of forty sketches of people with one event each would show more people than events; at six, one of a
billion. Pure.
"""

import math

import numpy as np

from affiliates.sketches.registers import Registers, standard_error

SURE = 6.0
"""Standard errors from the estimate, beyond which a number is ruled out."""
MANY = 100
"""Users of a sketch from which on a loss is no chance of a few people."""
MISSED = 0.1
"""The share of a sketch's users whose loss is told."""
MOST_EVENTS_A_DAY = 20_000
"""Events of one user on one day beyond which hardly anybody is behind them: one every four seconds, day and night."""
_SHARED_FACTOR = 1.001
_SHARED_MORE = 5
"""Keys for a number of coupons, at most: of 200,000 keys about 100 share a coupon with another (2^26 addresses, and a value)."""


def fewest(registers: Registers) -> int:
    """A number that there are at least as many people as."""
    if registers.coupons is not None:
        return registers.at_least
    estimate = registers.bounds().estimate
    return max(registers.at_least, math.floor(estimate - SURE * standard_error(registers.lg_k, estimate)))


def most(registers: Registers) -> int:
    """A number that there are at most as many people as."""
    if registers.coupons is not None:
        return math.ceil(registers.at_least * _SHARED_FACTOR) + _SHARED_MORE if registers.at_least else 0
    estimate = registers.bounds().estimate
    return math.ceil(estimate + SURE * standard_error(registers.lg_k, estimate))


def gone(before: Registers, after: Registers) -> float:
    """How many users of a sketch aren't in a later one any more; 0 where these are few of them, or perhaps chance.

    Late events only add users, so a later version of a sketch has them all. Both sketches are of one key and one crosswalk.
    """
    known = before.bounds().estimate
    if known < MANY:
        return 0.0
    # Registers can't be subtracted. Who is in the union and not in the later sketch was in the one before alone.
    united = Registers.union([before, after])
    both = united.bounds().estimate
    number = both - after.fold(united.lg_k).bounds().estimate
    # A difference of two estimates errs by the union's standard error, a multiple of which is no chance.
    return number if number > max(known * MISSED, SURE * standard_error(united.lg_k, both)) else 0.0


def are_many(events: int | None, users: int | None, days: int) -> bool:
    """Whether so many events are more than these users hardly make in so many days; never where a number isn't known."""
    return bool(events and users) and (events or 0) > MOST_EVENTS_A_DAY * days * (users or 0)


def are_over(registers: Registers, number: int) -> bool:
    """Whether there are surely more people than a number. Quicker than `fewest(registers) > number`, and the same answer."""
    if registers.values is None or registers.at_least > number:
        return registers.at_least > number
    # The plain estimate (Flajolet et al. 2007, alpha 0.7213) is hardly under the library's, which takes 3.7 ms at lg_k 21: nearly
    # always the plain one says that there aren't more people, and the library's isn't needed.
    plain = 0.7213 * 4.0**registers.lg_k / float(registers.counts @ 0.5 ** np.arange(64))
    return plain > number and fewest(registers) > number
