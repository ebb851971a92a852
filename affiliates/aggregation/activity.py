"""Events -> who was active on a day, by audience: lazily, in batches, in bounded memory."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.aggregation.key_cache import KnownKeys
from affiliates.concurrency import ordered
from affiliates.errors import Code, refused
from affiliates.identity.normalisation import normalise
from affiliates.manifests import conditions
from affiliates.manifests.product import AUDIENCES
from affiliates.manifests.source import EventTime
from affiliates.periods import DAY, local_day, moments_of
from affiliates.sketches.arrays import Keys, Values
from affiliates.sketches.kernels.cells import cells_of, sort_by_cell
from affiliates.sources.file_formats import check_identifiers, columns_needed
from affiliates.sources.protocol import EARLIEST, EventSource

BATCH_ROWS = 1_000_000


@dataclass(frozen=True)
class Batch:
    """Some events: the keys of who was active, by cell, and by day what isn't anybody's."""

    cells: Sequence[tuple[date, str, str, Keys, int]]
    """Day, audience, namespace, the keys of its events' users, which can come again, and how many events there are."""
    left_out: list[tuple[date, int, int, int]]
    """Day, and the events that count and whose user isn't identified; those that a condition left
    undecided (it was null, which counts as false); and those of them left out for it."""
    canaries: Mapping[str, Keys] = field(default_factory=dict)
    """By namespace, keys of fixed identifiers, where somebody else has made the keys."""


def check(found: EventSource, days: Sequence[date], zone: str, now: datetime) -> None:
    """Refuse what would count wrongly, before anything of these days counts.

    Raises `RefusedError` for a bad file, for an event that counts and has no time or one before 1971 or
    after `now`, and, with a `{day}` pattern, for one on another day than its file's.
    """
    found.check(days)
    if found.source.time is None:
        return
    counts = Counter[str]()
    with found.reading():
        for frame in found.frames(days, columns_needed(found.source, who=False), now):
            counts.update(_strays(found, frame, days, zone, now).collect().to_dicts()[0])
    column = f"column {found.source.time.column}"
    if counts["without_zone"]:
        raise refused(
            Code.SOURCE_TIMES_UNCLEAR,
            found.subject,
            "times without a zone",
            f"{counts['without_zone']:,} in {column}",
            "say which zone they are in: `time: {column: …, zone: …}`",
        )
    out_of_the_way = "correct the export, or leave these events out by `counts_when`"
    if counts["unreadable"]:
        raise refused(
            Code.SOURCE_TIMES_UNCLEAR,
            found.subject,
            "events without a readable time",
            f"{counts['unreadable']:,} in {column}",
            out_of_the_way,
        )
    if counts["early"]:
        raise refused(
            Code.SOURCE_TIMES_IMPOSSIBLE,
            found.subject,
            "times before 1971: most likely missing ones written as 0",
            f"{counts['early']:,} in {column}",
            out_of_the_way,
        )
    if counts["late"]:
        raise refused(
            Code.SOURCE_TIMES_IMPOSSIBLE,
            found.subject,
            "times in the future",
            f"{counts['late']:,} in {column} after {now:%Y-%m-%d %H:%M} UTC",
            f"{out_of_the_way}; check the column's zone and unit",
        )
    if counts["elsewhere"]:
        raise refused(
            Code.SOURCE_DAYS_ELSEWHERE,
            found.subject,
            f"events on another day, in {zone}, than the file's name says",
            f"{counts['elsewhere']:,} events",
            "name the files by the group's days, or, if they are named by arrival, give the folder without {day}",
        )


def _strays(found: EventSource, frame: pl.LazyFrame, days: Sequence[date], zone: str, now: datetime) -> pl.LazyFrame:
    """One row: how many events that count have a time that can't be, by what is wrong with it."""
    spec = found.source.time
    time = pl.col("time")
    day = pl.col("day")
    assert spec is not None
    dated = frame.collect_schema()[spec.column] == pl.Date
    return (
        _events(found, frame, days, zone, who=False)
        .filter("counts")
        .select(
            unreadable=time.is_null().sum(),
            without_zone=(time.is_null() & pl.col("naive") & pl.lit(spec.zone is None)).sum(),
            early=(time < EARLIEST).sum(),
            late=(day > local_day(now, zone) if dated else time > now).sum(),
            elsewhere=(day != pl.col("__day__")).sum(),
        )
    )


def events_by_day(found: EventSource, days: Sequence[date], zone: str) -> dict[date, int]:
    """Events that count, by day; a cheap look, which reads no identifier and judges nothing."""
    number = Counter[date]()
    with found.reading():
        for frame in found.frames(days, columns_needed(found.source, who=False)):
            rows = _events(found, frame, days, zone, within=True, who=False)
            rows = rows.filter("counts", pl.col("day").is_between(days[0], days[-1]))
            number.update(dict(rows.group_by("day").len().collect(engine="streaming").iter_rows()))
    return number


def batches(found: EventSource, days: Sequence[date], zone: str, known: KnownKeys) -> Iterator[Batch]:
    """Who was active on these days (in order), batch by batch; memory is bounded whatever the events' order.

    A person can come again in a later batch: whoever unites them must be idempotent.
    """
    names = [f"identifier_{i}" for i in range(len(found.source.identifiers))]
    since = (pl.col("day").cast(pl.Int32) - (days[0] - date(1970, 1, 1)).days).fill_null(-1)
    flags = pl.col("audience") * 8
    for name, weight in (("counts", 1), ("left_out", 2), ("undecided", 4)):
        flags += pl.col(name).cast(pl.UInt8) * weight

    def wanted() -> Iterator[pl.DataFrame]:
        for frame in found.frames(days, columns_needed(found.source)):
            rows = _events(found, frame, days, zone, within=True)
            if found.source.counts_when is not None or not found.source.by_day:  # Else nearly all of them count.
                rows = rows.filter(pl.col("day").is_between(days[0], days[-1]) & (pl.col("counts") | pl.col("left_out")))
            rows = rows.select(*names, since=since, flags=flags)
            yield from rows.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False)

    def work(batch: pl.DataFrame) -> Batch:
        keys, codes = known.of([batch[name] for name in names])
        return _by_cell(batch["since"].to_numpy(), batch["flags"].to_numpy(), keys, codes, days, known.namespaces)

    with found.reading():
        yield from ordered(work, wanted(), at_once=1)


def _by_cell(
    since: npt.NDArray[np.int32], flags: Values, keys: Keys, codes: Values, days: Sequence[date], namespaces: Sequence[str]
) -> Batch:
    n_days = (days[-1] - days[0]).days + 1
    each = len(namespaces)
    cells = np.empty(len(keys), np.int64)
    out = np.empty_like(keys)
    left_out = np.zeros((n_days, 3), np.int64)
    starts = np.zeros(n_days * len(AUDIENCES) * each + 1, np.int64)
    cells_of(since, flags, codes, (n_days, each), cells, left_out)
    sort_by_cell(cells, keys, starts, out)
    found = [
        (
            days[0] + DAY * (cell // (len(AUDIENCES) * each)),
            AUDIENCES[cell // each % len(AUDIENCES)],
            namespaces[cell % each],
            out[starts[cell] : starts[cell + 1]],
            int(starts[cell + 1] - starts[cell]),
        )
        for cell in np.flatnonzero(np.diff(starts)).tolist()
    ]
    said = np.flatnonzero(left_out.any(axis=1)).tolist()
    return Batch(found, [(days[0] + DAY * day, *left_out[day].tolist()) for day in said])


def _events(
    found: EventSource, frame: pl.LazyFrame, days: Sequence[date], zone: str, within: bool = False, who: bool = True
) -> pl.LazyFrame:
    """day, audience, counts, undecided, left_out, identifier_i if `who`, and time (UTC), naive, __day__ for the checks.

    `within` leaves out what the time column itself shows to lie outside the days.
    """
    source = found.source
    with found.reading():
        schema = frame.collect_schema()
    if within and source.time is not None:
        frame = frame.filter(_around(source.time, schema, days, zone))
    when = {
        name: conditions.expression(condition, schema, f"{found.subject}, {name}")
        for name in ("counts_when", "internal_when", "automated_when")
        if (condition := getattr(source, name)) is not None
    }
    identifiers = source.identifiers if who else ()
    for identifier in identifiers:
        check_identifiers(schema[identifier.column], identifier.column, found.subject)
    no = pl.lit(False)
    audience = (
        pl.when(when.get("automated_when", no))
        .then(_audience("automated"))
        .when(when.get("internal_when", no))
        .then(_audience("internal"))
        .otherwise(_audience("external"))
    )
    counts = when.pop("counts_when", pl.lit(True))
    undecided = counts.is_null() | (counts & pl.any_horizontal([e.is_null() for e in when.values()] or [no]))
    time, naive, day = _time(source.time, schema, zone, found.subject)
    return frame.select(
        "__day__",
        time=time,
        naive=naive,
        day=day,
        audience=audience,
        counts=counts.fill_null(False),
        undecided=undecided.fill_null(False),
        left_out=counts.is_null(),
        **{f"identifier_{i}": pl.col(ident.column).cast(pl.String) for i, ident in enumerate(identifiers)},
    )


def _around(spec: EventTime, schema: pl.Schema, days: Sequence[date], zone: str) -> pl.Expr:
    """On the column as it is stored, so that polars skips a Parquet file's row groups by their statistics."""
    column = pl.col(spec.column)
    dtype = schema[spec.column]
    first, after = moments_of(days[0], days[-1], zone)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        bounds = pl.Series([first, after], dtype=pl.Datetime(dtype.time_unit, "UTC")).dt.convert_time_zone(dtype.time_zone)
        return column.is_between(bounds[0], bounds[1], closed="left")
    return column.is_between(days[0], days[-1]) if isinstance(dtype, pl.Date) else pl.lit(True)


def _audience(name: str) -> pl.Expr:
    return pl.lit(AUDIENCES.index(name), pl.UInt8)


def _time(spec: EventTime | None, schema: pl.Schema, zone: str, subject: str) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """An event's time in UTC, whether it is a time that only lacks its zone, and its day in `zone`."""
    if spec is None:
        return pl.lit(None, pl.Datetime("us", "UTC")), pl.lit(False), pl.col("__day__")
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
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), naive, column
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        time = column.dt.convert_time_zone("UTC")
    elif isinstance(dtype, pl.Datetime):
        time = _in_zone(column, spec.zone)
        naive = column.is_not_null()
    elif dtype.is_integer() and spec.unit:
        scale = {"s": 1_000_000, "ms": 1000, "us": 1}.get(spec.unit)
        micros = column.cast(pl.Int64) * scale if scale else column.cast(pl.Int64) // 1000
        time = micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    elif dtype == pl.String and not spec.unit:
        text = column.str.strip_chars().str.replace(" ", "T", literal=True).str.replace("T?UTC$", "Z")
        offsets = [text.str.to_datetime(f, time_unit="us", time_zone="UTC", strict=False) for f in ("%FT%T%.f%#z", "%FT%R%#z")]
        locals_ = [text.str.to_datetime(f, time_unit="us", strict=False) for f in ("%FT%T%.f", "%FT%R")]
        naive = pl.coalesce(locals_).is_not_null() & pl.coalesce(offsets).is_null()
        time = pl.coalesce(*offsets, _in_zone(pl.coalesce(locals_), spec.zone))
    else:
        raise refused(
            Code.SOURCE_TIMES_UNCLEAR,
            subject,
            "the time column has no type of a time",
            f"column {spec.column} is {dtype}",
            "give times with a zone, ISO 8601 text, or whole numbers with a `unit`; CSV and JSON lines need `types` for these",
        )
    return time, naive, time.dt.convert_time_zone(zone).dt.date()


def _in_zone(local: pl.Expr, zone: str | None) -> pl.Expr:
    """Local times in UTC; null without a zone, and for the hour that summer time skips."""
    if zone is None:
        return pl.lit(None, pl.Datetime("us", "UTC"))
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")


@dataclass(frozen=True)
class SourceSample:
    """What a source's newest file looks like: whether it has events, and how its first counting ones do."""

    empty: bool
    counting: int
    unidentified: int


def sample(found: EventSource, zone: str, rows: int = 10_000) -> SourceSample:
    """A first look at the newest of a source; raises `RefusedError` for a file, column or condition that is wrong."""
    events = _events(found, found.newest(rows), (), zone)
    user = pl.coalesce(
        normalise(pl.col(f"identifier_{i}"), ident.namespace, ident.region) for i, ident in enumerate(found.source.identifiers)
    )
    with found.reading():
        users = events.filter("counts").head(rows).select(user=user).collect()["user"]
        return SourceSample(events.head(1).collect().is_empty(), len(users), users.null_count())
