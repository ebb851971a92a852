"""A database's column as polars has it: which type, and how a value that comes otherwise is spelled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from affiliates.errors import Code, refused
from affiliates.manifests.source import Source

WRONG = (TypeError, ValueError, OverflowError, KeyError, pl.exceptions.PolarsError)
"""What values of another type raise, with the value in its text."""
_WHOLE_DIGITS = 18
"""A NUMERIC of so many digits fits into 64 bits."""


@dataclass(frozen=True)
class Column:
    """A column as it is asked for and read; `said` names its type for people."""

    name: str
    dtype: pl.DataType
    said: str
    spelled: Callable[[Any], Any] | None = None
    in_utc: bool = False
    """Times with a zone are asked for as UTC without one: psycopg and polars take them three times as fast."""

    @property
    def sql(self) -> sa.ColumnClause[Any]:
        """Without its type: values come as the driver has them, and are spelled here."""
        return sa.column(self.name)

    @property
    def asked(self) -> sa.ColumnElement[Any]:
        return sa.func.timezone("UTC", self.sql).label(self.name) if self.in_utc else self.sql

    def series(self, values: Sequence[Any]) -> pl.Series:
        """The values as they came; raises one of WRONG for a value of another type."""
        spelled = values if self.spelled is None else [None if v is None else self.spelled(v) for v in values]
        if self.in_utc:
            return pl.Series(self.name, spelled, pl.Datetime("us"), strict=True).dt.replace_time_zone("UTC")
        return pl.Series(self.name, spelled, self.dtype, strict=True)


def column_of(name: str, given: sa.types.TypeEngine[Any], source: Source, dialect: str, where: str) -> Column:
    """How a column is read.

    Raises `RefusedError` for a type that can't be counted, and for identifiers that have more than one spelling.
    """
    who = name in {identifier.column for identifier in source.identifiers}
    column = _lite(name, given, source) if dialect == "sqlite" else _declared(name, given, who)
    if dialect == "postgresql" and column is not None and column.dtype == pl.Datetime("us", "UTC"):
        column = replace(column, in_utc=True)
    spelled = type(given).__name__.lower()
    if who and (column is None or not (column.dtype == pl.String or column.dtype.is_integer())):
        raise refused(
            Code.SOURCE_IDENTIFIERS_UNUSABLE,
            where,
            "identifiers must be text or whole numbers",
            f"column {name} is {spelled}",
            "give a view with their text: other types lose digits or have no one spelling",
        )
    if column is None:
        raise refused(
            Code.SOURCE_TYPES_WRONG,
            where,
            "a column has a type that can't be counted",
            f"{name} is {spelled}",
            "give a view that casts it",
        )
    spec = source.time
    if spec is not None and name == spec.column:
        if isinstance(column.dtype, pl.Datetime) and not column.dtype.time_zone and spec.zone is None:
            raise refused(
                Code.SOURCE_TIMES_UNCLEAR,
                where,
                "times without a zone",
                f"column {name} is {spelled}",
                "say which zone they are in: `time: {column: …, zone: …}`",
            )
        if column.dtype.is_integer() != (spec.unit is not None) or not (column.dtype.is_temporal() or spec.unit or _text(column)):
            raise refused(
                Code.SOURCE_TIMES_UNCLEAR,
                where,
                "the time column has no type of a time",
                f"column {name} is {spelled}",
                "name a column of times or days, ISO 8601 text, or whole numbers with a `unit`",
            )
    return column


def _text(column: Column) -> bool:
    return column.dtype == pl.String


def _declared(name: str, given: sa.types.TypeEngine[Any], who: bool) -> Column | None:
    """By the type that the database says, which its values have."""
    utc = "UTC" if getattr(given, "timezone", False) else None
    if isinstance(given, sa.Numeric) and not isinstance(given, sa.Float) and given.scale == 0 and given.precision:
        if given.precision <= _WHOLE_DIGITS:
            return Column(name, pl.Int64(), "whole numbers", int)
        return Column(name, pl.String(), "whole numbers", lambda v: str(int(v))) if who else Column(name, pl.Float64(), "", float)
    known: list[tuple[type[sa.types.TypeEngine[Any]], Column]] = [
        (sa.Boolean, Column(name, pl.Boolean(), "true or false", bool)),
        (sa.Integer, Column(name, pl.Int64(), "whole numbers")),
        (sa.Uuid, Column(name, pl.String(), "UUIDs", lambda v: str(UUID(str(v))))),
        (sa.String, Column(name, pl.String(), "text")),
        (sa.DateTime, Column(name, pl.Datetime("us", utc), "times")),
        (sa.Date, Column(name, pl.Date(), "days")),
        (sa.Float, Column(name, pl.Float64(), "numbers", float)),
        (sa.Numeric, Column(name, pl.Float64(), "numbers", float)),
    ]
    return next((column for kind, column in known if isinstance(given, kind)), None)


def _lite(name: str, given: sa.types.TypeEngine[Any], source: Source) -> Column | None:
    """SQLite's values have types of their own, whatever was declared: each is looked at."""
    if source.time is not None and name == source.time.column and source.time.unit:
        return Column(name, pl.Int64(), "whole numbers", _whole)
    if isinstance(given, sa.Boolean):
        return Column(name, pl.Boolean(), "0 or 1", {0: False, 1: True}.__getitem__)
    if isinstance(given, sa.Integer):
        return Column(name, pl.Int64(), "whole numbers", _whole)
    if isinstance(given, sa.Date):
        return Column(name, pl.Date(), "days such as 2026-10-31", date.fromisoformat)
    if isinstance(given, sa.Numeric | sa.Float):
        return Column(name, pl.Float64(), "numbers", float)
    if isinstance(given, sa.JSON | sa.LargeBinary):
        return None
    return Column(name, pl.String(), "text or whole numbers", _as_text)


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _as_text(value: object) -> str:
    if not isinstance(value, str | int):
        raise TypeError
    return str(value)
