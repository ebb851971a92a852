"""How far a month's step usually goes, and whether the last one went further. Pure."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist, mean, stdev
from typing import NamedTuple

from affiliates.manifests.alert_settings import Jump
from affiliates.periods import months_apart
from pipelines.records import PublishedMonth

_YEAR = 12
"""Months."""
LEAST_STEPS = 6
MOST_STEPS = 24
"""Steps of the past that the next one is judged by: fewer show nothing about the next one, older ones little."""


class UsualStep(NamedTuple):
    """Bounds of a month's usual step, as differences of natural logarithms."""

    low: float
    high: float


def is_jump(past: Sequence[PublishedMonth], limits: Jump) -> bool:
    """Whether the last month lies too far from the last bounded month before it to be believed.

    Too far is outside the usual step, taken once for every month between the two. An open month can only be too high: it has no
    upper bound, and its estimate still grows.
    """
    before = comparison_month(past)
    last = past[-1]
    if before is None:
        return False
    months = months_apart(before.month, last.month)
    usual = usual_step(past[:-1], limits)
    low = usual.low * months
    high = usual.high * months
    # By the lower bound, which an open month has, too: the month has at least so many people already.
    if last.lower > 0 and math.log(last.lower / (before.estimate or 1)) > high:
        return True
    if not _is_bounded(last):
        return False
    step = math.log((last.estimate or 1) / (before.estimate or 1))
    return not low <= step <= high


def comparison_month(past: Sequence[PublishedMonth]) -> PublishedMonth | None:
    """The month that the last one is compared with; null where none of the year before the last one is bounded."""
    bounded = [month for month in past[:-1] if _is_bounded(month) and months_apart(month.month, past[-1].month) <= _YEAR]
    return bounded[-1] if bounded else None


def usual_step(past: Sequence[PublishedMonth], limits: Jump) -> UsualStep:
    """The 99 % prediction interval of the next step by the steps before, taken as normal: mean ± t · s · sqrt(1 + 1/n).

    Steps are of bounded months that follow each other. The interval is never narrower than `least`, and `without_past` where
    fewer than `LEAST_STEPS` are known.
    """
    # Of logarithms, so that the step over several months is the sum of the steps between.
    steps = [
        math.log((b.estimate or 1) / (a.estimate or 1))
        for a, b in pairwise(past)
        if _is_bounded(a) and _is_bounded(b) and months_apart(a.month, b.month) == 1
    ][-MOST_STEPS:]
    if len(steps) < LEAST_STEPS:
        return UsualStep(math.log1p(-limits.without_past), math.log1p(limits.without_past))
    middle = mean(steps)
    n = len(steps)
    reach = _student_quantile(0.995, n - 1) * stdev(steps) * math.sqrt(1 + 1 / n)
    return UsualStep(min(middle - reach, math.log1p(-limits.least)), max(middle + reach, math.log1p(limits.least)))


def _is_bounded(month: PublishedMonth) -> bool:
    """Whether a month can be compared with another: it has an upper bound, and somebody in it."""
    return month.upper is not None and month.estimate is not None and month.estimate > 0


def _student_quantile(share: float, degrees: int) -> float:
    """Student's quantile by its expansion around the normal one (Abramowitz and Stegun, 26.7.5).

    Within 1 % from five degrees of freedom on. Written out: scipy, which has it, is no dependency.
    """
    z = NormalDist().inv_cdf(share)
    n = degrees
    terms = (
        z,
        (z**3 + z) / (4 * n),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3),
    )
    return sum(terms)
