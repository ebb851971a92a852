"""A database's column as polars has it: its type, and how values that the driver gives otherwise are converted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from affiliates.errors import Code, refused
from affiliates.manifests.source import Source

CONVERSION_ERRORS = (TypeError, ValueError, OverflowError, KeyError, pl.exceptions.PolarsError)
"""What a value of another type raises in `Column.series`. Its text quotes the value, so it must not get out."""
_YEARS = {"date": ("0001-01-01", "9999-12-31"), "timestamp": ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999")}
"""By PostgreSQL's type: the first and the last value that Python has."""
_INT64_DIGITS = 18
"""A NUMERIC without fraction of at most so many digits fits into 64 bits."""


@dataclass(frozen=True)
class Column:
    """A column of a table: how the query asks for it, and how its values become a polars series."""

    name: str
    dtype: pl.DataType
    values: str
    """What its values are, in words for people, such as "whole numbers"."""
    convert: Callable[[Any], Any] | None = None
    """From a value as the driver gives it to one that `dtype` takes; None where the driver's is one."""
    in_utc: bool = False
    """Whether times with a zone are asked for as UTC without one: psycopg and polars take them three times as fast."""
    within_years: bool = False
    """Whether the database puts what lies beyond the years 1 to 9999 at their ends: PostgreSQL has `infinity` and years that no
    date of Python's has, and psycopg gives a whole query up for one of them."""

    @property
    def sql(self) -> sa.ColumnClause[Any]:
        """The column in a condition; without its type, so that SQLAlchemy leaves the driver's values as they are."""
        return sa.column(self.name)

    @property
    def selected(self) -> sa.ColumnElement[Any]:
        """The column in a select list."""
        column: sa.ColumnElement[Any] = sa.func.timezone("UTC", self.sql) if self.in_utc else self.sql
        if self.within_years:
            kind = "date" if self.dtype == pl.Date else "timestamp"
            ends: list[sa.ColumnElement[Any]] = [sa.literal_column(f"{kind} '{end}'") for end in _YEARS[kind]]
            first, last = ends
            column = sa.case((column < first, first), (column > last, last), else_=column)
        return column.label(self.name) if self.in_utc or self.within_years else self.sql

    def series(self, values: Sequence[Any]) -> pl.Series:
        """The driver's values as a series of `dtype`; raises one of `CONVERSION_ERRORS` for a value of another type."""
        converted = values if self.convert is None else [None if value is None else self.convert(value) for value in values]
        if self.in_utc:
            return pl.Series(self.name, converted, pl.Datetime("us"), strict=True).dt.replace_time_zone("UTC")
        return pl.Series(self.name, converted, self.dtype, strict=True)


def column_of(name: str, declared: sa.types.TypeEngine[Any], source: Source, dialect: str, where: str) -> Column:
    """How a column is read, by the type that the database declares. `dialect` is SQLAlchemy's name of the kind of database.

    Raises `RefusedError` for a type that can't be counted, for identifiers that have more than one spelling, and for a time
    column whose type is none of a time or lacks its zone.
    """
    is_identifier = name in {identifier.column for identifier in source.identifiers}
    column = _sqlite_column(name, declared, source) if dialect == "sqlite" else _declared_column(name, declared, is_identifier)
    if dialect == "postgresql" and column is not None and isinstance(column.dtype, pl.Date | pl.Datetime):
        column = replace(column, in_utc=column.dtype == pl.Datetime("us", "UTC"), within_years=True)
    type_name = type(declared).__name__.lower()
    if is_identifier and (column is None or not (column.dtype == pl.String or column.dtype.is_integer())):
        raise refused(
            Code.SOURCE_IDENTIFIERS_UNUSABLE,
            where,
            "identifiers must be text or whole numbers",
            f"column {name} is {type_name}",
            "give a view with their text: other types lose digits or have no one spelling",
        )
    if column is None:
        raise refused(
            Code.SOURCE_TYPES_WRONG,
            where,
            "a column has a type that can't be counted",
            f"{name} is {type_name}",
            "give a view that casts it",
        )
    if source.time is not None and name == source.time.column:
        _check_time(column, source, type_name, where)
    return column


def _check_time(column: Column, source: Source, type_name: str, where: str) -> None:
    """Refuse a time column whose type and `time` in the manifest don't give one moment together."""
    spec = source.time
    assert spec is not None
    if isinstance(column.dtype, pl.Datetime) and not column.dtype.time_zone and spec.zone is None:
        raise refused(
            Code.SOURCE_TIMES_UNCLEAR,
            where,
            "times without a zone",
            f"column {column.name} is {type_name}",
            "say which zone they are in: `time: {column: …, zone: …}`",
        )
    is_text = column.dtype == pl.String
    # A whole number is a time if and only if the manifest names its unit.
    if column.dtype.is_integer() != (spec.unit is not None) or not (column.dtype.is_temporal() or spec.unit or is_text):
        raise refused(
            Code.SOURCE_TIMES_UNCLEAR,
            where,
            "the time column has no type of a time",
            f"column {column.name} is {type_name}",
            "name a column of times or days, ISO 8601 text, or whole numbers with a `unit`",
        )


def _declared_column(name: str, declared: sa.types.TypeEngine[Any], is_identifier: bool) -> Column | None:
    """By the declared type, which in all databases but SQLite the values have; None for one that can't be counted."""
    zone = "UTC" if getattr(declared, "timezone", False) else None
    if isinstance(declared, sa.Numeric) and not isinstance(declared, sa.Float) and declared.scale == 0 and declared.precision:
        if declared.precision <= _INT64_DIGITS:
            return Column(name, pl.Int64(), "whole numbers", int)
        # An identifier of more digits stays exact as text. In a condition a float is near enough.
        if is_identifier:
            return Column(name, pl.String(), "whole numbers", lambda value: str(int(value)))
        return Column(name, pl.Float64(), "", float)
    # In order: the first that the declared type is an instance of.
    by_type: list[tuple[type[sa.types.TypeEngine[Any]], Column]] = [
        (sa.Boolean, Column(name, pl.Boolean(), "true or false", bool)),
        (sa.Integer, Column(name, pl.Int64(), "whole numbers")),
        (sa.Uuid, Column(name, pl.String(), "UUIDs", lambda value: str(UUID(str(value))))),
        (sa.String, Column(name, pl.String(), "text")),
        (sa.DateTime, Column(name, pl.Datetime("us", zone), "times")),
        (sa.Date, Column(name, pl.Date(), "days")),
        (sa.Float, Column(name, pl.Float64(), "numbers", float)),
        (sa.Numeric, Column(name, pl.Float64(), "numbers", float)),
    ]
    return next((column for kind, column in by_type if isinstance(declared, kind)), None)


def _sqlite_column(name: str, declared: sa.types.TypeEngine[Any], source: Source) -> Column | None:
    """SQLite's values have types of their own, whatever was declared: so each value is converted and thereby checked."""
    if source.time is not None and name == source.time.column and source.time.unit:
        return Column(name, pl.Int64(), "whole numbers", _whole_number)
    if isinstance(declared, sa.Boolean):
        return Column(name, pl.Boolean(), "0 or 1", {0: False, 1: True}.__getitem__)
    if isinstance(declared, sa.Integer):
        return Column(name, pl.Int64(), "whole numbers", _whole_number)
    if isinstance(declared, sa.Date):
        return Column(name, pl.Date(), "days such as 2026-10-31", date.fromisoformat)
    if isinstance(declared, sa.Numeric | sa.Float):
        return Column(name, pl.Float64(), "numbers", float)
    if isinstance(declared, sa.JSON | sa.LargeBinary):
        return None
    # Times, too: SQLite keeps them as text, and activity reads ISO 8601 text.
    return Column(name, pl.String(), "text or whole numbers", _text)


def _whole_number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError
    return value


def _text(value: object) -> str:
    # A float has no one spelling, and bytes are no text: both would make another identifier.
    if not isinstance(value, str | int):
        raise TypeError
    return str(value)
