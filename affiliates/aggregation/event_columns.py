"""What a source's columns tell of each event, as polars expressions: day, audience, whether the event counts, identifiers.

Nothing is read here: expressions are built from a frame's schema, and the caller collects them.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from affiliates.errors import Code, refused
from affiliates.manifests import conditions
from affiliates.manifests.product import AUDIENCES
from affiliates.manifests.source import EventTime
from affiliates.periods import moments_of
from affiliates.sources.file_formats import check_identifiers
from affiliates.sources.protocol import EventSource

_MICROSECONDS = {"s": 1_000_000, "ms": 1000, "us": 1}
"""How many microseconds a unit has; of nanoseconds a microsecond has 1,000."""
_WITH_OFFSET = ("%FT%T%.f%#z", "%FT%R%#z")
_LOCAL = ("%FT%T%.f", "%FT%R")
"""ISO 8601 to the second (and its fractions) or to the minute; polars takes no pattern with optional parts."""


class _TimeColumns(NamedTuple):
    """Expressions for an event's time."""

    time: pl.Expr
    """The moment in UTC; null where it can't be read."""
    naive: pl.Expr
    """Whether the value is a readable time that only lacks its zone."""
    day: pl.Expr
    """The moment's day in the zone of the product's days."""


def event_columns(
    event_source: EventSource,
    frame: pl.LazyFrame,
    days: Sequence[date],
    zone: str,
    only_days: bool = False,
    identifiers: bool = True,
) -> pl.LazyFrame:
    """A source's frame as `day`, `audience`, `counts`, `undecided`, `left_out`, `time`, `naive`, `__day__`, `identifier_0`, …

    `audience` is a place in `AUDIENCES`. `counts`: whether the event is activity; null of `counts_when` is false and makes the
    event `left_out`. `undecided`: any condition was null. `time` is in UTC. `__day__` is the day of a file's name.
    `only_days` leaves events out that the time column itself shows to lie outside `days`; `identifiers=False` their columns.
    Raises `RefusedError` for a condition, an identifier or a time that doesn't fit its column.
    """
    source = event_source.source
    with event_source.reading():
        schema = frame.collect_schema()
    if only_days and source.time is not None:
        frame = frame.filter(_is_near(source.time, schema, days, zone))
    given_conditions = {
        name: conditions.expression(condition, schema, f"{event_source.subject}, {name}")
        for name in ("counts_when", "internal_when", "automated_when")
        if (condition := getattr(source, name)) is not None
    }
    wanted_identifiers = source.identifiers if identifiers else ()
    for identifier in wanted_identifiers:
        check_identifiers(schema[identifier.column], identifier.column, event_source.subject)
    never = pl.lit(False)
    # A robot of the staff is a robot: automated comes first. Null is false, as everywhere in a condition.
    audience = (
        pl.when(given_conditions.get("automated_when", never))
        .then(_audience("automated"))
        .when(given_conditions.get("internal_when", never))
        .then(_audience("internal"))
        .otherwise(_audience("external"))
    )
    counts = given_conditions.pop("counts_when", pl.lit(True))
    audience_unclear = pl.any_horizontal([condition.is_null() for condition in given_conditions.values()] or [never])
    # An event that certainly doesn't count is nobody's, whatever its audience: it isn't undecided.
    undecided = counts.is_null() | (counts & audience_unclear)
    times = _time_columns(source.time, schema, zone, event_source.subject)
    return frame.select(
        "__day__",
        time=times.time,
        naive=times.naive,
        day=times.day,
        audience=audience,
        counts=counts.fill_null(False),
        undecided=undecided.fill_null(False),
        left_out=counts.is_null(),
        **{
            f"identifier_{number}": pl.col(identifier.column).cast(pl.String)
            for number, identifier in enumerate(wanted_identifiers)
        },
    )


def _is_near(spec: EventTime, schema: pl.Schema, days: Sequence[date], zone: str) -> pl.Expr:
    """Whether an event can lie on the days: true of too many, never false of one that does.

    On the column as it is stored, so that polars skips a Parquet file's row groups by their statistics.
    """
    column = pl.col(spec.column)
    dtype = schema[spec.column]
    first, after = moments_of(days[0], days[-1], zone)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        bounds = pl.Series([first, after], dtype=pl.Datetime(dtype.time_unit, "UTC")).dt.convert_time_zone(dtype.time_zone)
        return column.is_between(bounds[0], bounds[1], closed="left")
    return column.is_between(days[0], days[-1]) if isinstance(dtype, pl.Date) else pl.lit(True)


def _audience(name: str) -> pl.Expr:
    return pl.lit(AUDIENCES.index(name), pl.UInt8)


def _time_columns(spec: EventTime | None, schema: pl.Schema, zone: str, subject: str) -> _TimeColumns:
    """By the type of the time column. Raises `RefusedError` for a type that holds no time, and for dates of another zone."""
    if spec is None:  # Files named by day, without a time of each event.
        return _TimeColumns(pl.lit(None, pl.Datetime("us", "UTC")), pl.lit(False), pl.col("__day__"))
    column = pl.col(spec.column)
    dtype = schema[spec.column]
    naive: pl.Expr = pl.lit(False)
    if dtype == pl.Null:  # No row has a time: refused if there are rows, else a day without users.
        column = column.cast(pl.String)
        dtype = pl.String()
    if isinstance(dtype, pl.Date):
        if spec.zone not in (None, zone):
            raise refused(
                Code.SOURCE_TIMES_UNCLEAR,
                subject,
                "a date can't be brought into another zone",
                f"column {spec.column} holds days of {spec.zone}",
                "give times, or files named by {day} with `day_zone`",
            )
        return _TimeColumns(column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), naive, column)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        time = column.dt.convert_time_zone("UTC")
    elif isinstance(dtype, pl.Datetime):
        time = _in_utc(column, spec.zone)
        naive = column.is_not_null()
    elif dtype.is_integer() and spec.unit:
        scale = _MICROSECONDS.get(spec.unit)
        micros = column.cast(pl.Int64) * scale if scale else column.cast(pl.Int64) // 1000
        time = micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    elif dtype == pl.String and not spec.unit:
        # As other tools write ISO 8601: with a space for the T, and with "UTC" for the offset.
        text = column.str.strip_chars().str.replace(" ", "T", literal=True).str.replace("T?UTC$", "Z")
        with_offset = [text.str.to_datetime(f, time_unit="us", time_zone="UTC", strict=False) for f in _WITH_OFFSET]
        local = [text.str.to_datetime(f, time_unit="us", strict=False) for f in _LOCAL]
        naive = pl.coalesce(local).is_not_null() & pl.coalesce(with_offset).is_null()
        time = pl.coalesce(*with_offset, _in_utc(pl.coalesce(local), spec.zone))
    else:
        raise refused(
            Code.SOURCE_TIMES_UNCLEAR,
            subject,
            "the time column has no type of a time",
            f"column {spec.column} is {dtype}",
            "give times with a zone, ISO 8601 text, or whole numbers with a `unit`; CSV and JSON lines need `types` for these",
        )
    return _TimeColumns(time, naive, time.dt.convert_time_zone(zone).dt.date())


def _in_utc(local: pl.Expr, zone: str | None) -> pl.Expr:
    """Local times of a zone in UTC; null without a zone, and for the hour that summer time skips.

    Of the hour that comes twice in autumn the first is taken: either is on the same day nearly everywhere.
    """
    if zone is None:
        return pl.lit(None, pl.Datetime("us", "UTC"))
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
