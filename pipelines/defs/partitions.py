"""Days and months as Dagster partitions, and ranges of them as a run's tags."""

from dataclasses import dataclass
from datetime import date

import dagster as dg

from affiliates.manifests.group import Group
from affiliates.periods import Grain, month_from_text, month_of

_FIRST_MEASURED = date(2023, 6, 1)
"""Where a group has no product: the first month that a version of Llama tests."""
FORMATS: dict[Grain, str] = {"day": "%Y-%m-%d", "month": "%Y-%m"}
"""A partition's key, for `strftime`. Dagster's own key of a month is its first day: months need the format."""


@dataclass(frozen=True)
class Calendar:
    """The group's days and months as partitions, in its time zone."""

    days: dg.DailyPartitionsDefinition
    months: dg.MonthlyPartitionsDefinition

    def of(self, grain: Grain) -> dg.TimeWindowPartitionsDefinition:
        """The partitions of one grain."""
        return self.days if grain == "day" else self.months


def calendar(group: Group) -> Calendar:
    """Days from the first day of any product, and months from that day's month, or from the first stated count.

    The current month is a partition: its figures are published while it lasts. Today isn't, unless a product's days are those
    of another zone, where today may be over.
    """
    products = list(group.products.values())
    day = min((p.from_ for p in products), default=_FIRST_MEASURED)
    first = month_of(min([day, *(c.month for p in products for c in p.counts)]))
    zone = group.settings.time_zone
    ahead = int(any(p.day_zone not in (None, zone) for p in products))
    return Calendar(
        dg.DailyPartitionsDefinition(day.isoformat(), timezone=zone, end_offset=ahead),
        dg.MonthlyPartitionsDefinition(f"{first:%Y-%m}", timezone=zone, fmt=FORMATS["month"], end_offset=1),
    )


def key_of(grain: Grain, period: date) -> str:
    """A period's partition key, from its first day."""
    return period.strftime(FORMATS[grain])


def requested_periods(context: dg.AssetExecutionContext, grain: Grain) -> tuple[date, date]:
    """First days of the first and of the last period that a run is about, from its tags."""
    keys = context.partition_key_range
    return _parsed(grain, keys.start), _parsed(grain, keys.end)


def range_tags(grain: Grain, first: date, last: date) -> dict[str, str]:
    """The tags by which one Dagster run is about a range of partitions, both ends included; Dagster defines their names."""
    return {
        "dagster/asset_partition_range_start": key_of(grain, first),
        "dagster/asset_partition_range_end": key_of(grain, last),
    }


def _parsed(grain: Grain, key: str) -> date:
    """The first day of a partition key's period."""
    return date.fromisoformat(key) if grain == "day" else month_from_text(key)
