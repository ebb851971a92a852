"""Numbers of people that a sketch rules out, as good as surely: an honest file must never be refused by chance.

At two standard errors one of forty sketches whose users have one event each would have more users than events; at six, one of a
billion.
"""

import math

import numpy as np

from affiliates.sketches.registers import Registers, standard_error

SURE = 6.0
"""Standard errors."""
_SHARED = 1.001, 5
"""Keys that few coupons may stand for: two of 200,000 keys share one 100 times (2^26 addresses, and a value)."""


def fewest(registers: Registers) -> int:
    """There aren't fewer people."""
    if registers.coupons is not None:
        return registers.at_least
    estimate = registers.bounds().estimate
    return max(registers.at_least, math.floor(estimate - SURE * standard_error(registers.lg_k, estimate)))


def most(registers: Registers) -> int:
    """There aren't more people."""
    if registers.coupons is not None:
        return math.ceil(registers.at_least * _SHARED[0]) + _SHARED[1]
    estimate = registers.bounds().estimate
    return math.ceil(estimate + SURE * standard_error(registers.lg_k, estimate))


def are_over(registers: Registers, number: int) -> bool:
    """Whether there are more people than a number."""
    if registers.values is None or registers.at_least > number:
        return registers.at_least > number
    # The plain harmonic mean is hardly under the estimate, and there far sooner than 3.7 ms (lg_k 21).
    plain = 0.7213 * 4.0**registers.lg_k / float(registers.counts @ 0.5 ** np.arange(64))
    return plain > number and fewest(registers) > number
