"""What a manifest says of a product's events: which files, and what their columns mean."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

import phonenumbers
from pydantic import BeforeValidator, Field, field_validator, model_validator

from affiliates.model import Model, Name, Text, Zone


def _spelt_out(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


class EventTime(Model):
    """The column that says when an event happened, and what its values mean."""

    column: Text
    zone: Zone | None = None
    """The zone of values that carry none."""
    unit: Literal["s", "ms", "us", "ns"] | None = None
    """Set for whole numbers since 1970-01-01 UTC."""


class Identifier(Model):
    """A column of identifiers and the namespace they live in."""

    column: Text
    namespace: Annotated[Name, Field(max_length=32)]
    region: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    """For phone numbers without a country code: the country they are dialled in."""

    @field_validator("region")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None and value not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError("is no region of ISO 3166, such as DE, GB or US")
        return value

    @model_validator(mode="after")
    def _not_person(self) -> Self:
        if self.namespace == "person":
            raise ValueError("`person` is the namespace of people joined by the crosswalk")
        return self


ColumnType = Literal["text", "integer", "number", "boolean", "date"]


class Source(Model):
    """Files with a product's events."""

    files: Text
    """One file, a folder, or a pattern with `{day}` (YYYY-MM-DD) and `*`; relative to the group."""
    format: Literal["parquet", "csv", "jsonl"] | None = None
    """Told by the files' ending where it is left out."""
    separator: Literal[",", ";", "\t", "|"] = ","
    """Of CSV files."""
    time: Annotated[EventTime, BeforeValidator(_spelt_out)] | None = None
    identifiers: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    """The first usable one of an event is its user."""
    counts_when: Text | None = None
    internal_when: Text | None = None
    automated_when: Text | None = None
    types: Mapping[str, ColumnType] = Field(default_factory=dict)
    """CSV and JSON lines are read as text; a column named here is read as this type."""
    complete_through: Annotated[date | Text | None, Field(union_mode="left_to_right")] = None
    """The last day whose events are all there, or a file that holds that day and nothing else."""
    day_zone: Zone | None = None
    """The zone whose days name the files of a `{day}` pattern without event times."""

    @property
    def by_day(self) -> bool:
        return "{day}" in self.files

    @field_validator("files")
    @classmethod
    def _placeholder(cls, value: str) -> str:
        if other := set(re.findall(r"\{(.*?)\}", value)) - {"day"}:
            raise ValueError(f"unknown placeholder {{{other.pop()}}}: only {{day}} is known")
        return value

    @model_validator(mode="after")
    def _knows_its_days(self) -> Self:
        if self.by_day and self.complete_through is not None:
            raise ValueError("`complete_through` is for one file or a folder: with {day}, each file speaks for its day")
        if not self.by_day and self.complete_through is None:
            raise ValueError("`complete_through` is missing: without it a day with no events can't be told from a missing day")
        if not self.by_day and self.time is None:
            raise ValueError("`time` is missing: without {day} in `files` only the events' own time tells their day")
        if self.day_zone and self.time is not None:
            raise ValueError("`day_zone` is for files without event times; give `time` its zone instead")
        if self.day_zone and not self.by_day:
            raise ValueError("`day_zone` is for files named by {day}")
        return self
