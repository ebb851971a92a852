"""What a source's columns tell of each event, as polars expressions: day, audience, whether the event counts, identifiers.

Nothing is read here: expressions are built from a frame's schema, and the caller collects them.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import polars as pl

from affiliates.errors import Code, refused
from affiliates.manifests import conditions
from affiliates.manifests.product import AUDIENCES
from affiliates.manifests.source import EventTime
from affiliates.periods import DAY, is_zone, moments_of
from affiliates.sources.file_formats import check_identifiers, check_time
from affiliates.sources.protocol import EventSource

_MICROSECONDS = {"s": 1_000_000, "ms": 1000, "us": 1}
"""How many microseconds a unit has; of nanoseconds a microsecond has 1,000."""
_YEARS = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)
"""The first and the last moment that a time is taken for. Databases' `infinity`, and whatever another unit makes of a number, is
put at these: polars panics, or wraps around to a day of our own, where it converts a time that lies far beyond."""
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
    """A source's frame as `day`, `audience`, `counts`, `undecided`, `left_out`, `time`, `naive`, `identifier_0`, …

    `audience` is a place in `AUDIENCES`. `counts`: whether the event is activity; null of `counts_when` is false and makes the
    event `left_out`. `undecided`: any condition was null. `time` is in UTC, and what lies beyond the
    years 1 to 9999 is at their ends. `__day__` and `__file__` are as in the frame.
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
        "__file__",
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
        if not is_zone(dtype.time_zone):  # An offset in the place of a zone's name: nothing can be brought there.
            return pl.lit(True)
        bounds = pl.Series([first, after], dtype=pl.Datetime(dtype.time_unit, "UTC")).dt.convert_time_zone(dtype.time_zone)
        return column.is_between(bounds[0], bounds[1], closed="left")
    return column.is_between(days[0], days[-1]) if isinstance(dtype, pl.Date) else pl.lit(True)


def _audience(name: str) -> pl.Expr:
    return pl.lit(AUDIENCES.index(name), pl.UInt8)


def is_beyond(time: pl.Expr) -> pl.Expr:
    """Whether a time of `event_columns` is on the first or the last day of the years 1 to 9999, as an infinite one is.

    On a day, and not at a moment: the end of a local time's years is some hours off in UTC.
    """
    first, last = (pl.lit(end, pl.Datetime("us")).dt.replace_time_zone("UTC") for end in (_YEARS[0] + DAY, _YEARS[1] - DAY))
    return (time < first) | (time > last)


def _time_columns(spec: EventTime | None, schema: pl.Schema, zone: str, subject: str) -> _TimeColumns:
    """By the type of the time column. Raises `RefusedError` for a type that holds no time, and for dates of another zone."""
    if spec is None:  # Files named by day, without a time of each event.
        return _TimeColumns(pl.lit(None, pl.Datetime("us", "UTC")), pl.lit(False), pl.col("__day__"))
    column = pl.col(spec.column)
    dtype = schema[spec.column]
    check_time(dtype, spec, subject)
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
        day = column.clip(*(pl.lit(end.date()) for end in _YEARS))
        # The last day stands for whatever lies behind it: its end, as that of a time.
        last = pl.lit(_YEARS[1], pl.Datetime("us"))
        midnight = pl.when(day >= pl.lit(_YEARS[1].date())).then(last).otherwise(day.cast(pl.Datetime("us")))
        return _TimeColumns(midnight.dt.replace_time_zone("UTC"), naive, day)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        time = _within_years(column.dt.convert_time_zone("UTC"), dtype.time_unit, "UTC")
    elif isinstance(dtype, pl.Datetime):
        time = _in_utc(_within_years(column, dtype.time_unit), spec.zone)
        naive = column.is_not_null()
    elif dtype.is_integer() and spec.unit:
        scale = _MICROSECONDS.get(spec.unit)
        # Not strict: a number of more than 63 bits is no time, and no reason to give the file up.
        number = column.cast(pl.Int64, strict=False)
        # Before they are multiplied, since products wrap around.
        ends = [(end - datetime(1970, 1, 1)) // timedelta(microseconds=1) for end in _YEARS]
        micros = number.clip(ends[0] // scale, ends[1] // scale + 1) * scale if scale else number // 1000
        time = micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    else:
        # As other tools write ISO 8601: with a space for the T, and with "UTC" for the offset.
        text = column.str.strip_chars().str.replace(" ", "T", literal=True).str.replace("T?UTC$", "Z")
        with_offset = [text.str.to_datetime(f, time_unit="us", time_zone="UTC", strict=False) for f in _WITH_OFFSET]
        local = [text.str.to_datetime(f, time_unit="us", strict=False) for f in _LOCAL]
        naive = pl.coalesce(local).is_not_null() & pl.coalesce(with_offset).is_null()
        time = pl.coalesce(*with_offset, _in_utc(pl.coalesce(local), spec.zone))
    return _TimeColumns(time, naive, time.dt.convert_time_zone(zone).dt.date())


def _within_years(time: pl.Expr, unit: str, zone: str | None = None) -> pl.Expr:
    """Times of a unit, in no zone or in UTC, with those outside of the years 1 to 9999 put at their ends."""
    if unit == "ns":  # Reaches from 1677 to 2262.
        return time
    ends = (pl.lit(end, pl.Datetime(unit)) for end in _YEARS)  # type: ignore[arg-type]
    return time.clip(*(end.dt.replace_time_zone(zone) if zone else end for end in ends))


def _in_utc(local: pl.Expr, zone: str | None) -> pl.Expr:
    """Local times of a zone in UTC; null without a zone, and for the hour that summer time skips.

    Of the hour that comes twice in autumn the first is taken: either is on the same day nearly everywhere.
    """
    if zone is None:
        return pl.lit(None, pl.Datetime("us", "UTC"))
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
