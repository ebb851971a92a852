"""Days and months as Dagster partitions, and stretches of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import dagster as dg

from affiliates.group import Grain, Group
from affiliates.model import period_end

FORMATS: dict[Grain, str] = {"day": "%Y-%m-%d", "month": "%Y-%m"}


@dataclass(frozen=True)
class Calendar:
    """The group's days and months, in its time zone."""

    days: dg.DailyPartitionsDefinition
    months: dg.MonthlyPartitionsDefinition

    def of(self, grain: Grain) -> dg.TimeWindowPartitionsDefinition:
        return self.days if grain == "day" else self.months


def calendar(group: Group) -> Calendar:
    """Days from the first on that any product lives, and months from the one in which that is, or has the first count.

    The current month is one of them: its figures are published while it lasts. Today isn't, unless a product's days are
    those of another zone, where they may be over earlier.
    """
    products = [product for entity in group.entities.values() for product in entity.products]
    day = min((p.from_ for p in products), default=date(2023, 6, 1))
    first, zone = min([day, *(c.month for p in products for c in p.counts)]).replace(day=1), group.settings.time_zone
    ahead = int(any(p.day_zone not in (None, zone) for p in products))
    return Calendar(
        dg.DailyPartitionsDefinition(day.isoformat(), timezone=zone, end_offset=ahead),
        dg.MonthlyPartitionsDefinition(f"{first:%Y-%m}", timezone=zone, fmt=FORMATS["month"], end_offset=1),
    )


def key_of(grain: Grain, period: date) -> str:
    return period.strftime(FORMATS[grain])


def asked(context: dg.AssetExecutionContext, grain: Grain) -> tuple[date, date]:
    """First days of the first and the last period that a run is about."""
    keys = context.partition_key_range
    return _first_day(grain, keys.start), _first_day(grain, keys.end)


def periods(grain: Grain, first: date, last: date) -> Iterator[date]:
    """First days of the periods from `first` to `last`, both included."""
    while first <= last:
        yield first
        first = period_end(grain, first)


def last_day(grain: Grain, period: date) -> date:
    """The last day of a period."""
    return date.fromordinal(period_end(grain, period).toordinal() - 1)


def stretches(grain: Grain, found: Iterable[date]) -> list[tuple[date, date]]:
    """First and last of each run of periods without a gap."""
    joined: list[tuple[date, date]] = []
    for period in sorted(found):
        if joined and period_end(grain, joined[-1][1]) == period:
            joined[-1] = joined[-1][0], period
        else:
            joined.append((period, period))
    return joined


def range_tags(grain: Grain, first: date, last: date) -> dict[str, str]:
    """What makes one Dagster run of a range of partitions."""
    return {
        "dagster/asset_partition_range_start": key_of(grain, first),
        "dagster/asset_partition_range_end": key_of(grain, last),
    }


def _first_day(grain: Grain, key: str) -> date:
    return date.fromisoformat(key if grain == "day" else f"{key}-01")
