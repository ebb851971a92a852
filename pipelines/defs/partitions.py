"""Days and months as Dagster partitions, and stretches of them."""

from dataclasses import dataclass
from datetime import date

import dagster as dg

from affiliates.manifests.group import Group
from affiliates.periods import Grain, month_from_text, month_of

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
    products = list(group.products.values())
    day = min((p.from_ for p in products), default=date(2023, 6, 1))
    first = month_of(min([day, *(c.month for p in products for c in p.counts)]))
    zone = group.settings.time_zone
    ahead = int(any(p.day_zone not in (None, zone) for p in products))
    return Calendar(
        dg.DailyPartitionsDefinition(day.isoformat(), timezone=zone, end_offset=ahead),
        dg.MonthlyPartitionsDefinition(f"{first:%Y-%m}", timezone=zone, fmt=FORMATS["month"], end_offset=1),
    )


def key_of(grain: Grain, period: date) -> str:
    return period.strftime(FORMATS[grain])


def requested_periods(context: dg.AssetExecutionContext, grain: Grain) -> tuple[date, date]:
    """First days of the first and the last period that a run is about."""
    keys = context.partition_key_range
    return _parsed(grain, keys.start), _parsed(grain, keys.end)


def range_tags(grain: Grain, first: date, last: date) -> dict[str, str]:
    """What makes one Dagster run of a range of partitions."""
    return {
        "dagster/asset_partition_range_start": key_of(grain, first),
        "dagster/asset_partition_range_end": key_of(grain, last),
    }


def _parsed(grain: Grain, key: str) -> date:
    return date.fromisoformat(key) if grain == "day" else month_from_text(key)
