"""A published outlook in words and in what is drawn. Pure: nothing is forecast here."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from dashboards import formats
from dashboards.charts.chances import MonthChance
from dashboards.charts.trend import ExpectedMonth
from pipelines.store.outlooks import PublishedOutlook

LEAD_TIMES = {"licence_request": "to request a licence", "migration": "to migrate"}
"""What takes its time, by the name of alerts.yaml."""
BASIS = "taking the range for a 95 % interval around the estimate"
"""What a chance by the range takes for granted."""
AHEAD = 12
"""Months to come on the overview; the page of the forecast shows all."""


def expected_months(outlook: PublishedOutlook, most: int | None = AHEAD) -> list[ExpectedMonth]:
    """The outlook's own month, where the fans begin, and those to come, at most so many."""
    return [
        ExpectedMonth(m.month, m.p2_5, m.p97_5, m.p50_by_estimate, m.p2_5_by_estimate, m.p97_5_by_estimate)
        for m in outlook.months[: None if most is None else most + 1]
    ]


def chances_of(outlook: PublishedOutlook) -> list[MonthChance]:
    """The months to come with their chances, and with the chance of being the first one over."""
    first = outlook.first_passage
    by_estimate = outlook.first_passage_by_estimate
    return [MonthChance(m.month, m.over, m.over_by_estimate, first[m.month], by_estimate[m.month]) for m in outlook.ahead]


def months_in_words(months: Sequence[MonthChance]) -> str:
    """The chances of the first and the last month in a sentence."""
    if not months:
        return ""
    first, last = months[0], months[-1]
    return (
        f"In {formats.month_name(first.month)} {formats.percent(first.over)} by the range and "
        f"{formats.percent(first.over_by_estimate)} by the estimate; in {formats.month_name(last.month)} "
        f"{formats.percent(last.over)} and {formats.percent(last.over_by_estimate)}. Each chance is of that month alone."
    )


def decide_by(outlook: PublishedOutlook, today: date) -> tuple[str, str]:
    """The earliest day to decide by at even odds of crossing, and what it rests on."""
    earliest = earliest_decision(outlook)
    if earliest is None:
        return "no day", NO_DAY
    return f"{earliest.day}", f"{formats.days_from(earliest.day, today)}; {earliest.why}"


NO_DAY = "the threshold isn't crossed with even odds within the horizon"
"""What stands in the place of a day to decide by."""


class EarliestDay(NamedTuple):
    """A day to decide by."""

    day: date
    why: str
    """What has to be begun by then, and for which crossing."""


def earliest_decision(outlook: PublishedOutlook) -> EarliestDay | None:
    """The earliest day to decide by at even odds of crossing; null where there is none within the horizon."""
    # By the range: a day by the estimate alone would come too late where identity is in doubt.
    even = [decision for decision in outlook.decisions if decision.doubt == "range" and decision.probability == 0.5]
    days = [(day, name) for decision in even for name, day in decision.days.items()]
    if not days:
        return None
    # Whatever has to begin first.
    day, name = min(days)
    crossing = next(decision.crossing for decision in even if decision.crossing)
    return EarliestDay(day, f"{LEAD_TIMES.get(name, name)}, if it is crossed in {formats.month_name(crossing)}")
