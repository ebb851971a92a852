"""readings.yaml: the ways in which the group reads a clause, and the reading of record. Pure."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from affiliates.manifests.base import Dated, Day, Model, Name, Share, Text
from affiliates.manifests.product import Audience

CONTROL_SHARE = Decimal("0.5")
"""Shares held by members must sum to over this; exactly half is out."""


class Reading(Model):
    """One way to read the clause: who counts, how, and on which day the group is drawn."""

    name: Name
    """Its short name."""
    counts: Literal["unique_people", "summed_products"]
    """How people of several products count: each person once, or once for each product."""
    audiences: Annotated[tuple[Audience, ...], Field(min_length=1)] = ("external", "internal")
    """Whose users count."""
    control_share: Annotated[Share, Field(lt=1)] = CONTROL_SHARE
    """Members' shares must sum to over this to make an affiliate."""
    membership: Literal["release_date", "month_end"] = "release_date"
    """The day whose affiliates count in a licence's test: that of the licence's release, or the month's last."""


class OfRecord(Dated):
    """The reading that the group stands by, adopted by a named person."""

    reading: Name
    """The name of the reading."""
    adopted_by: Text
    """Name or office of who adopted it."""
    from_: Day = Field(alias="from")
    """The first day on which it is the reading of record."""


class Readings(Model):
    """readings.yaml: how the group reads a licence's clause, and by which reading it stands."""

    readings: Annotated[tuple[Reading, ...], Field(min_length=1)]
    """All readings; each licence's test is shown under each of them."""
    of_record: tuple[OfRecord, ...] = ()
    """The reading that the group stands by, and since when."""

    def reading_on(self, day: date) -> Reading:
        """The reading of record on a day; the first reading where none is of record."""
        record = next((adopted.reading for adopted in self.of_record if adopted.holds_on(day)), None)
        return next((reading for reading in self.readings if reading.name == record), self.readings[0])


# Both, and none of record: a group that hasn't decided sees by how much its reading matters.
DEFAULT_READINGS = Readings(
    readings=(
        Reading(name="unique_people", counts="unique_people"),
        Reading(name="summed_products", counts="summed_products"),
    )
)
"""The readings of a group that has no readings.yaml."""
