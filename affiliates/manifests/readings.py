"""readings.yaml: the ways in which the group reads a clause, and the reading of record. Pure."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from affiliates.manifests.base import Dated, Model, Name, Share, Text
from affiliates.manifests.product import Audience

CONTROL_SHARE = Decimal("0.5")
"""Shares held by members must sum to over this; exactly half is out."""


class Reading(Model):
    """One way to read the clause: who counts, how, and on which day the group is drawn."""

    name: Name
    """Its short name."""
    counts: Literal["unique_people", "summed_products"]
    """Each person once, or the sum of all products."""
    audiences: Annotated[tuple[Audience, ...], Field(min_length=1)] = ("external", "internal")
    """Whose users count."""
    control_share: Annotated[Share, Field(lt=1)] = CONTROL_SHARE
    """Shares over this make an affiliate."""
    membership: Literal["release_date", "month_end"] = "release_date"
    """The day whose group counts, in a licence's test."""


class OfRecord(Dated):
    """The reading that the group stands by, adopted by a named person."""

    reading: Name
    """The name of the reading."""
    adopted_by: Text
    """Name or office of who adopted it."""
    from_: date = Field(alias="from")


class Readings(Model):
    """readings.yaml."""

    readings: Annotated[tuple[Reading, ...], Field(min_length=1)]
    """All readings; each licence's test is shown under each of them."""
    of_record: tuple[OfRecord, ...] = ()
    """The reading that the group stands by, and since when."""

    def shown_on(self, day: date) -> Reading:
        """The reading of record on a day, or else the first."""
        record = next((r.reading for r in self.of_record if r.holds_on(day)), None)
        return next((r for r in self.readings if r.name == record), self.readings[0])


DEFAULT_READINGS = Readings(
    readings=(
        Reading(name="unique_people", counts="unique_people"),
        Reading(name="summed_products", counts="summed_products"),
    )
)
