"""Numbers, shares, growth and days as ranges from a lowest to a highest value. Pure."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from affiliates.manifests.base import Day, Model, part_of_one

MOST_PEOPLE = 100_000_000_000
"""A stated number over this is a slip: many times the accounts of everybody alive."""


def _whole(value: object) -> object:
    """A text such as 50_000_000 without its underscores; any other text with them is left to the refusal below."""
    if value is None or type(value) is int:
        return value
    digits = str(value).strip().replace("_", "")
    if not digits.removeprefix("-").isdecimal() or not digits.isascii():
        raise ValueError("is no whole number: write digits alone, such as 50_000_000")
    return int(digits)


def _positive(value: int | None) -> int | None:
    if value is None:
        return value
    if value <= 0:
        raise ValueError("is no number of people over 0")
    if value > MOST_PEOPLE:
        raise ValueError(f"is over {MOST_PEOPLE:,}: are there too many digits?")
    return value


def _share(value: object) -> object:
    """A part of one, from 0 to 1. Raises `ValueError` where it is less, or over 100 %."""
    share = part_of_one(value)
    if isinstance(share, Decimal) and not 0 <= share <= 1:
        raise ValueError("is over 100 %" if share > 1 else "is below 0 %")
    return share


def _rate(value: object) -> object:
    """A growth as a part of one: over -100 %, and at most 100 %. Raises `ValueError` outside."""
    rate = part_of_one(value)
    if isinstance(rate, Decimal) and not -1 < rate <= 1:
        raise ValueError("is over 100 % a month" if rate > 1 else "is a fall of everybody: say `retire` or `divest`")
    return rate


People = Annotated[int, BeforeValidator(_whole), AfterValidator(_positive)]
"""A number over 0; underscores between the digits are for the reader."""
# Its own type: a model looks at the marks of a field's whole type, and `People | None` has none.
MaybePeople = Annotated[int | None, BeforeValidator(_whole), AfterValidator(_positive)]
"""The same, or nothing."""
Part = Annotated[Decimal, BeforeValidator(_share)]
"""A part of one from 0 to 100 %, written 30 % or 0.3."""
Rate = Annotated[Decimal, BeforeValidator(_rate)]
"""A growth a month, written 2 % or -1 %."""
PerUnit = Annotated[Decimal, Field(gt=0, le=1000)]
"""People for one unit."""


class LowToHigh(Model):
    """A lowest and a highest value; one value alone is both."""

    # The fields are of the ranges below, each with its own type.
    @model_validator(mode="before")
    @classmethod
    def _from_one(cls, value: Any) -> Any:
        return {"low": value, "high": value} if isinstance(value, str | int | float | Decimal) else value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = (getattr(self, name) for name in ("low", "high"))
        if low is not None and high is not None and low > high:
            raise ValueError(f"`low` {low} lies over `high` {high}")
        return self


class PartRange(LowToHigh):
    """A range of parts of one."""

    low: Part
    """The lowest part, written 30 % or 0.3."""
    high: Part
    """The highest part."""


class RateRange(LowToHigh):
    """A range of growth a month."""

    low: Rate
    """The lowest growth a month, written -1 %."""
    high: Rate
    """The highest growth a month."""


class PeopleRange(LowToHigh):
    """A range of numbers of people."""

    low: People
    """The fewest people."""
    high: People
    """The most people."""


class DayRange(Model):
    """The day of a change, or the first and the last day that it may have, each equally likely."""

    from_: Day = Field(alias="from")
    """The first day."""
    to: Day
    """The last day, included."""

    @model_validator(mode="before")
    @classmethod
    def _from_day(cls, value: Any) -> Any:
        return {"from": value, "to": value} if isinstance(value, str | date) else value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.from_ > self.to:
            raise ValueError(f"`from` {self.from_} lies after `to` {self.to}")
        return self
