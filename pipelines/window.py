"""A month in the group's zone, and which contributions name it, touch it or lie inside it whole. Pure.

A contribution's day is a day of its own zone: at the month's edges another zone's days reach over, so those of the
neighbouring months hold people of this one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from affiliates.group import Product
from affiliates.model import midnight, period_end
from pipelines.versions import Version


@dataclass(frozen=True)
class Window:
    """A calendar month of a zone."""

    first: date
    last: date
    zone: str

    @property
    def begin(self) -> datetime:
        return midnight(self.first, self.zone)

    @property
    def end(self) -> datetime:
        return midnight(period_end("month", self.first), self.zone)

    def names(self, version: Version) -> bool:
        """Whether the contribution is of the month, as it is labelled."""
        return self.side(version) == 0

    def side(self, version: Version) -> int:
        """Whether the contribution is of a time before the month (-1), in (0) or after it (1), as it is labelled."""
        return (version.activity_date > self.last) - (version.activity_date < self.first)

    def touches(self, version: Version) -> bool:
        """Whether any moment of the contribution's period lies in the month."""
        if version.day_zone == self.zone:
            return self.names(version)
        start, stop = span(version)
        return start < self.end and stop > self.begin

    def holds(self, version: Version) -> bool:
        """Whether all of the contribution's period lies in the month."""
        start, stop = span(version)
        return start >= self.begin and stop <= self.end

    def has_life_of(self, product: Product, versions: Sequence[Version]) -> bool:
        """Whether the product lives in the month: by its days as they are labelled, or by the hours of them that reach
        into it. Its days' zone is what its contributions (`versions`, near the month) say, and else its manifest."""
        if product.due_between(self.first, self.last):
            return True
        zones = {v.day_zone for v in versions} or {product.day_zone or self.zone}
        return any(begin < end for zone in zones for begin, end in [self.life_of(product, zone)])

    def life_of(self, product: Product, zone: str) -> tuple[datetime, datetime]:
        """The part of the month in which a product lives whose days are a zone's: what lies before or after is no gap."""
        begin, end = max(self.begin, midnight(product.from_, zone)), self.end
        return begin, min(end, midnight(product.to, zone)) if product.to else end

    def is_covered(self, product: Product, versions: Sequence[Version], zone: str) -> bool:
        """Whether these contributions, one after the other, reach over all of the month in which the product lives."""
        reach, end = self.life_of(product, zone)
        for start, stop in sorted(span(v) for v in versions):
            if start > reach:
                break
            reach = max(reach, stop)
        return reach >= end


def span(version: Version) -> tuple[datetime, datetime]:
    """When the contribution's period begins and when it is over."""
    zone = version.day_zone
    return midnight(version.activity_date, zone), midnight(period_end(version.grain, version.activity_date), zone)
