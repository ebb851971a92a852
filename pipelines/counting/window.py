"""The days that are counted, in the group's zone, and how a contribution's days lie to them. Pure.

A contribution's day is a day of its own zone. At a month's edges another zone's days reach over, so days of the neighbouring
months hold people of this month (decision 47). Over the edges of any other window a whole month may reach, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Self

from affiliates.manifests.product import Product
from affiliates.periods import DAY, end_of, last_day, midnight, month_end, month_of, months_between
from pipelines.records import StoredContribution

Kind = Literal["month", "month_to_date", "trailing_28_days", "trailing_30_days"]


@dataclass(frozen=True)
class Days:
    """Which days are counted, from `first` to `last`, both included, and what they are called: no figure goes without that."""

    kind: Kind
    first: date
    last: date

    @classmethod
    def from_month(cls, month: date) -> "Days":
        """A calendar month, by its first day."""
        return Days("month", month, month_end(month))

    @classmethod
    def to_date(cls, last: date) -> "Days":
        """A month's days up to `last`."""
        return Days("month_to_date", month_of(last), last)

    @classmethod
    def trailing(cls, number: Literal[28, 30], last: date) -> "Days":
        """So many days, of which `last` is the last."""
        kind: Kind = "trailing_28_days" if number == 28 else "trailing_30_days"
        return Days(kind, last - DAY * (number - 1), last)

    @property
    def is_month(self) -> bool:
        """Whether the days are a calendar month: the one window that a licence's clause tests."""
        return self.kind == "month"

    @property
    def months(self) -> list[date]:
        """First days of the months that any of the days is in."""
        return months_between(self.first, self.last)

    def part_of(self, month: date) -> tuple[date, date]:
        """The first and the last of the days that are in a month; `month` is the month's first day."""
        return max(self.first, month), min(self.last, month_end(month))

    def __str__(self) -> str:
        if self.is_month:
            return f"{self.first:%Y-%m}"
        name = "month to date" if self.kind == "month_to_date" else f"trailing {self.kind[9:11]} days"
        return f"{name}, {self.first} to {self.last}"


@dataclass(frozen=True)
class Window(Days):
    """Days of a time zone: of the group's."""

    zone: str
    """The IANA name of the zone."""

    @classmethod
    def from_days(cls, days: Days, zone: str) -> Self:
        """The same days, of a time zone."""
        return cls(days.kind, days.first, days.last, zone)

    @property
    def begin(self) -> datetime:
        """The moment at which the first day begins."""
        return midnight(self.first, self.zone)

    @property
    def end(self) -> datetime:
        """The first moment after the last day."""
        return end_of("day", self.last, self.zone)

    def includes(self, version: StoredContribution) -> bool:
        """Whether all of the contribution's days are counted, by their dates and whatever their zone."""
        return self.first <= version.activity_date and _last_day(version) <= self.last

    def overlaps(self, version: StoredContribution) -> bool:
        """Whether any of the contribution's days is counted, by their dates and whatever their zone."""
        return version.activity_date <= self.last and _last_day(version) >= self.first

    def touches(self, version: StoredContribution) -> bool:
        """Whether any moment of the contribution's period lies in the window."""
        if version.day_zone == self.zone:  # In one zone dates and moments agree.
            return self.overlaps(version)
        start, stop = span(version)
        return start < self.end and stop > self.begin

    def contains(self, version: StoredContribution) -> bool:
        """Whether every moment of the contribution's period lies in the window."""
        start, stop = span(version)
        return start >= self.begin and stop <= self.end

    def product_lives(self, product: Product, versions: Sequence[StoredContribution]) -> bool:
        """Whether the product lives in the window: by the dates of its days, or by hours of its days that reach into the window.

        The zone of a product's days is the zone of its contributions near the window (`versions`), else the manifest's.
        """
        if product.due_between(self.first, self.last):
            return True
        # A contribution keeps the zone that it was counted in, whatever the manifest has said since.
        zones = {v.day_zone for v in versions} or {product.day_zone or self.zone}
        return any(begin < end for zone in zones for begin, end in [self.life_of(product, zone)])

    def life_of(self, product: Product, zone: str) -> tuple[datetime, datetime]:
        """The part of the window in which a product lives whose days are those of a zone, half-open.

        What lies before or after is no gap of the product. The part is empty where its begin isn't before its end.
        """
        begin = max(self.begin, midnight(product.from_, zone))
        end = self.end
        return begin, min(end, midnight(product.to, zone)) if product.to else end

    def is_covered(self, product: Product, versions: Sequence[StoredContribution], zone: str) -> bool:
        """Whether the contributions' periods together leave no gap in the part of the window in which the product lives."""
        reach, end = self.life_of(product, zone)
        for start, stop in sorted(span(v) for v in versions):
            if start > reach:
                break
            reach = max(reach, stop)
        return reach >= end


def span(version: StoredContribution) -> tuple[datetime, datetime]:
    """When the contribution's period begins and when it is over, half-open, in UTC."""
    zone = version.day_zone
    return midnight(version.activity_date, zone), end_of(version.grain, version.activity_date, zone)


def _last_day(version: StoredContribution) -> date:
    """The contribution's last day."""
    return last_day(version.grain, version.activity_date)
