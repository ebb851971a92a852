"""What is expected of the figure: probabilities where there is a forecast, and how far a month's step usually goes. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import NormalDist, mean, stdev

from affiliates.manifests.alert_settings import Jump
from affiliates.periods import month_from_number, months_apart
from pipelines.forecasting.forecast import forecast
from pipelines.forecasting.series import Point, even_series
from pipelines.records import PublishedMonth

_QUARTER = 3
_YEAR = 12
LEAST_STEPS = 6
MOST_STEPS = 24
"""Of the past: fewer steps say nothing about the next one, older ones little."""


@dataclass(frozen=True)
class Outlook:
    """What a forecast says of a threshold."""

    within_year: float
    """Probability that it is passed within twelve months."""
    within_quarter: float
    crossing: date | None
    """First day of the month in which it is most likely passed; null if that isn't within the forecast."""


def probabilities(points: Sequence[Point], threshold: int) -> Outlook | None:
    """What is expected of a threshold after the last of these months; null where there are fewer than two: alerts then go by
    the figure alone, and say so."""
    if len(points) < 2:
        return None
    found = forecast(even_series("the published months", points, 1, "month"), threshold, _YEAR)
    crossing = found.crossing(0.5)
    first = month_from_number(crossing) if crossing is not None else None
    return Outlook(found.ahead[-1].crossed, found.ahead[_QUARTER - 1].crossed, first)


def is_jump(past: Sequence[PublishedMonth], rules: Jump) -> bool:
    """Whether the last month lies too far from the last bounded one before it to be believed: beyond the 99 % interval of the
    steps before, for each month between them.

    An open month can only be too high: it has no upper bound.
    """
    before = comparison_month(past)
    last = past[-1]
    if before is None:
        return False
    months = months_apart(before.month, last.month)
    low, high = (bound * months for bound in usual_step(past[:-1], rules))
    if last.lower > 0 and math.log(last.lower / (before.estimate or 1)) > high:
        return True
    if not _bounded(last):
        return False
    step = math.log((last.estimate or 1) / (before.estimate or 1))
    return not low <= step <= high


def comparison_month(past: Sequence[PublishedMonth]) -> PublishedMonth | None:
    """The month that the last one is compared with; null where none before it is bounded, within the year."""
    found = [p for p in past[:-1] if _bounded(p) and months_apart(p.month, past[-1].month) <= _YEAR]
    return found[-1] if found else None


def usual_step(past: Sequence[PublishedMonth], rules: Jump) -> tuple[float, float]:
    """The 99 % prediction interval of the next step (of logarithms) by the steps before, if they are as normal ones would be;
    never narrower than `least`, and `without_past` where too few are known."""
    steps = [
        math.log((b.estimate or 1) / (a.estimate or 1))
        for a, b in pairwise(past)
        if _bounded(a) and _bounded(b) and months_apart(a.month, b.month) == 1
    ][-MOST_STEPS:]
    if len(steps) < LEAST_STEPS:
        return math.log1p(-rules.without_past), math.log1p(rules.without_past)
    middle = mean(steps)
    n = len(steps)
    reach = _t(0.995, n - 1) * stdev(steps) * math.sqrt(1 + 1 / n)
    return min(middle - reach, math.log1p(-rules.least)), max(middle + reach, math.log1p(rules.least))


def _bounded(past: PublishedMonth) -> bool:
    return past.upper is not None and past.estimate is not None and past.estimate > 0


def _t(share: float, degrees: int) -> float:
    """Student's quantile, by the expansion around the normal one: within 1 % from five degrees of freedom on."""
    z = NormalDist().inv_cdf(share)
    n = degrees
    terms = (
        z,
        (z**3 + z) / (4 * n),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3),
    )
    return sum(terms)
