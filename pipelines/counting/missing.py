"""What "missing" means, in every place that says it: `run`, `measure`, `close`, licence tests, alerts and /health. Pure.

A period of a product's life is absent while nobody has contributed it. It is missing once it is over and its late events ought
to have come (`settles_after`), and no count and no ceiling stands in for its month. That is so for products with sources and
for those that are handed in. Of an entity outside the group nothing is missing: no figure has its products (`asked_of`).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from affiliates.manifests.group import Group
from affiliates.manifests.product import Product
from affiliates.periods import DAY, Grain, end_of, month_days, month_end, month_of, stretches


@dataclass(frozen=True)
class Absent:
    """The due periods of a product between two days that nothing was contributed for."""

    days: tuple[date, ...] = ()
    """Of a product that counts by day."""
    months: tuple[date, ...] = ()
    """First days of the months of a product that counts by month."""


def absent(product: Product, present: Iterable[tuple[Grain, date]], first: date, last: date, zone: str) -> Absent:
    """What is due of a product from `first` to `last` (both included) and isn't there; `zone`: of the product's days.

    `present`: grain and first day of each period that is there. A month that was contributed whole stands for its days, unless
    a product that counts by day has days of its own in the month: the two are never united.
    """
    there = set(present)
    own_days = {month_of(day) for grain, day in there if grain == "day"}
    whole = {day for grain, day in there if grain == "month"} - (own_days if product.grain == "day" else set())
    due = [day for day in product.days_due(first, last, zone) if month_of(day) not in whole]
    if product.grain == "month":
        # Days of a month that nobody contributed whole stand in for the month.
        return Absent(
            tuple(day for day in due if month_of(day) in own_days and ("day", day) not in there),
            tuple(dict.fromkeys(month_of(day) for day in due if month_of(day) not in own_days)),
        )
    return Absent(tuple(day for day in due if ("day", day) not in there))


def missing(
    product: Product, present: Iterable[tuple[Grain, date]], first: date, last: date, zone: str, now: datetime
) -> tuple[date, ...]:
    """The days from `first` to `last` (both included) that are missing at a moment, in order; `present` and `zone` as `absent`.

    Of a month of a product that counts by month, all days are missing, or none. So it is for a product that is handed in by
    whole months or as counts: nobody can hand in a month that isn't over.
    """
    there = list(present)
    settling = DAY * product.settles_after
    lacking = absent(product, there, first, last, zone)
    has_whole_months = bool(product.counts) or any(grain == "month" for grain, _ in there)
    by_month = product.handed_in and has_whole_months and not any(grain == "day" for grain, _ in there)
    unit: Grain = "month" if by_month else "day"
    days = [day for day in lacking.days if end_of(unit, day, zone) + settling <= now]
    months = {month for month in lacking.months if end_of("month", month, zone) + settling <= now}
    days += [day for day in product.days_due(first, last, zone) if month_of(day) in months]
    bounded = {month for month in {month_of(day) for day in days} if stands_in(product, month)}
    return tuple(sorted(day for day in days if month_of(day) not in bounded))


def asked_of(group: Group, affiliate: str, days: Collection[date]) -> tuple[date, ...]:
    """The days of the months whose figures have the affiliate's products: it is a member on the month's last day.

    A licence's test of another day's group says for itself what that group lacks.
    """
    share = min(reading.control_share for reading in group.readings.readings)
    by_month = {month: affiliate in group.affiliates(month_end(month), share) for month in {month_of(day) for day in days}}
    return tuple(day for day in days if by_month[month_of(day)])


def stands_in(product: Product, month: date) -> bool:
    """Whether the manifest gives a count of a month (its first day), or a ceiling for each day that the product lives in it."""
    lived = [day for day in month_days(month) if product.holds_on(day)]
    has_ceiling = bool(lived) and all(any(ceiling.holds_on(day) for ceiling in product.ceilings) for day in lived)
    return has_ceiling or any(count.month == month for count in product.counts)


def day_ranges(days: Iterable[date]) -> str:
    """Days in words: the first three stretches of days that follow one another."""
    runs = stretches("day", days)
    listed = [f"{first}" if first == last else f"{first} to {last}" for first, last in runs[:3]]
    return ", ".join(listed) + (" …" if len(runs) > 3 else "")
