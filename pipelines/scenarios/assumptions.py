"""What a scenario takes for granted of people by a stated number: unit, conversion, overlap, models. Pure.

A unit is part of a number: whoever states accounts, devices or households also states how many people one of them is.
"""

from typing import Any, Literal, Self, cast

from pydantic import Field, model_validator

from affiliates.manifests.base import Day, Model, Month, Name, Text
from pipelines.scenarios.ranges import LowToHigh, MaybePeople, Part, PartRange, PeopleRange, PerUnit

Unit = Literal["people", "accounts", "devices", "households", "subscriptions", "SIMs", "weekly_users", "daily_users"]
"""What a stated number counts."""


class PeoplePerUnit(LowToHigh):
    """How many people one unit of a stated number is, and who says so."""

    low: PerUnit
    """The fewest people for one unit."""
    high: PerUnit
    """The most people for one unit."""
    source: Text | None = None
    """Who says so."""
    as_of: Day | None = None
    """Of which day that is."""


class Users(Model):
    """A stated number of monthly users, with its unit and its month."""

    low: MaybePeople = None
    """The lowest number."""
    likely: MaybePeople = None
    """The likeliest number; alone, the number is taken for exact."""
    high: MaybePeople = None
    """The highest number."""
    unit: Unit
    """What the number counts."""
    month: Month
    """The month that the number is of."""

    @model_validator(mode="before")
    @classmethod
    def _with_unit(cls, value: Any) -> Any:
        has_keys = isinstance(value, dict)
        if not has_keys:
            raise ValueError("has no unit and no month: write {likely: 55_000_000, unit: people, month: 2026-09}")
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.likely is None and (self.low is None or self.high is None):
            raise ValueError("needs `low` and `high`, or `likely` alone")
        if (self.low is None) != (self.high is None):
            raise ValueError("needs `low` and `high` together")
        low, likely, high = self.span
        if not low <= likely <= high:
            raise ValueError(f"must be in order: `low` {low:,}, `likely` {likely:,.0f}, `high` {high:,}")
        return self

    @property
    def span(self) -> tuple[int, float, int]:
        """The lowest, the likeliest and the highest number; where none is the likeliest, the middle stands for it."""
        low = cast(int, self.likely if self.low is None else self.low)
        high = cast(int, self.likely if self.high is None else self.high)
        return low, (low + high) / 2 if self.likely is None else self.likely, high


class StatedOverlap(Model):
    """How many of the target's people the group has already. Exactly one way to say it, or the shares of both sides."""

    of: Literal["target", "group"] | None = None
    """Of which side `low` and `high` are shares."""
    low: Part | None = None
    """The lowest share."""
    high: Part | None = None
    """The highest share."""
    target: PartRange | None = None
    """The shared people as a share of the target, where both sides are said."""
    group: PartRange | None = None
    """The shared people as a share of the group, where both sides are said."""
    independent_in: PeopleRange | None = None
    """The people of an addressable population in which both sides' users are drawn independently."""
    unknown: bool = False
    """Whether nobody knows; written `overlap: unknown`."""

    @model_validator(mode="before")
    @classmethod
    def _from_word(cls, value: Any) -> Any:
        if value == "unknown":
            return {"unknown": True}
        has_keys = isinstance(value, dict)
        if not has_keys:
            raise ValueError("isn't said of whom: write {of: target, low: 30 %, high: 60 %}, or unknown")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        of_one = [value is not None for value in (self.of, self.low, self.high)]
        if any(of_one) and not all(of_one):
            raise ValueError("needs `of`, `low` and `high` together")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"`low` {self.low} lies over `high` {self.high}")
        ways = [all(of_one), self.target is not None or self.group is not None, self.independent_in is not None, self.unknown]
        if sum(ways) != 1:
            raise ValueError("is said in one way: `of`, `target` and `group`, `independent_in`, or unknown")
        return self

    @property
    def of_target(self) -> PartRange | None:
        """The shared people as a share of the target; null where that isn't said."""
        return self._side("target") or self.target

    @property
    def of_group(self) -> PartRange | None:
        """The shared people as a share of the group; null where that isn't said."""
        return self._side("group") or self.group

    def _side(self, side: str) -> PartRange | None:
        return (
            PartRange(low=self.low, high=self.high)
            if self.of == side and self.low is not None and self.high is not None
            else None
        )


class TargetModel(Model):
    """An AI model that a target uses."""

    licence: Name
    """The licence's id in the registry."""
    from_: Day | None = Field(None, alias="from")
    """The first day of its use; unknown without one."""
