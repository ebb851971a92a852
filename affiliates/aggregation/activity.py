"""From a source's events to who was active on a day, by audience: lazily, in batches, in bounded memory."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.aggregation.batch import Batch, CellKeys, NotCounted, SourceSample
from affiliates.aggregation.event_columns import event_columns, is_beyond
from affiliates.aggregation.frequent import frequent_values, frequent_values_of_months
from affiliates.aggregation.key_cache import KeyCache
from affiliates.aggregation.per_person import PerPersonSample
from affiliates.concurrency import ordered
from affiliates.errors import Code, refused
from affiliates.identity.normalisation import check_usable, normalised, rules_of
from affiliates.identity.spellings import ColumnRef, Spellings
from affiliates.manifests.product import AUDIENCES
from affiliates.manifests.settings import Settings
from affiliates.periods import DAY, local_day
from affiliates.sketches.arrays import Keys, Values
from affiliates.sketches.kernels.cells import cells_of, sort_by_cell
from affiliates.sources.file_formats import columns_needed
from affiliates.sources.protocol import EARLIEST, EventSource

BATCH_ROWS = 1_000_000
"""Events that are in memory at a time, for each thread that works on a batch."""

_EPOCH = date(1970, 1, 1)
"""polars counts days from here."""
_COUNTS = 1
_LEFT_OUT = 2
_UNDECIDED = 4
_AUDIENCE = 8
"""An event's flags, added up in one byte as `kernels.cells.cells_of` reads them; the audience is its place times 8."""


def check(event_source: EventSource, days: Sequence[date], zone: str, now: datetime) -> None:
    """Refuse what would count wrongly, before anything of these days counts.

    Raises `RefusedError` for a damaged file; for an event that counts and whose time is missing, before 1971 or after `now`;
    and, where files are named by day, for an event on another day than its file's. Events that don't count aren't checked.
    """
    event_source.check(days)
    if event_source.source.time is None:
        return
    counts = Counter[str]()
    first_file: dict[str, str] = {}
    with event_source.reading():
        for frame in event_source.frames(days, columns_needed(event_source.source, who=False), now):
            by_fault = _impossible_times(event_source, frame, days, zone, now).collect().to_dicts()[0]
            for fault, events in by_fault.items():
                counts[fault] += events["number"]
                if events["file"] is not None:
                    first_file.setdefault(fault, events["file"])
    _refuse_impossible(event_source, counts, first_file, zone, now)


def _refuse_impossible(
    event_source: EventSource, counts: Mapping[str, int], first_file: Mapping[str, str], zone: str, now: datetime
) -> None:
    """Raise `RefusedError` if any event has a time that can't be right.

    By what is wrong, as `_impossible_times` names it: `counts` has the number of events, `first_file` a file that has one.
    """
    spec = event_source.source.time
    if spec is None:
        return

    def values(fault: str) -> str:
        """How many events have the fault, in which column, and a file that has one."""
        where = f", as in {first_file[fault]}" if fault in first_file else ""
        return f"{counts[fault]:,} in column {spec.column}{where}"

    out_of_the_way = "correct the export, or leave these events out by `counts_when`"
    if counts["without_zone"]:
        raise refused(
            Code.SOURCE_TIMES_UNCLEAR,
            event_source.subject,
            "times without a zone",
            values("without_zone"),
            "say which zone they are in: `time: {column: …, zone: …}`",
        )
    if counts["unreadable"]:
        raise refused(
            Code.SOURCE_TIMES_UNCLEAR,
            event_source.subject,
            "events without a readable time",
            values("unreadable"),
            f"{out_of_the_way}; text that is days alone needs `types: {{{spec.column}: date}}`",
        )
    if counts["beyond"]:
        raise refused(
            Code.SOURCE_TIMES_IMPOSSIBLE,
            event_source.subject,
            "times that can't be: infinity, or the first or last day of the years 1 to 9999",
            values("beyond"),
            out_of_the_way,
        )
    if counts["early"]:
        raise refused(
            Code.SOURCE_TIMES_IMPOSSIBLE,
            event_source.subject,
            "times before 1971: most likely missing ones written as 0",
            values("early"),
            out_of_the_way,
        )
    if counts["late"]:
        raise refused(
            Code.SOURCE_TIMES_IMPOSSIBLE,
            event_source.subject,
            "times in the future",
            f"{values('late')}, after {now:%Y-%m-%d %H:%M} UTC",
            f"{out_of_the_way}; check the column's zone and unit",
        )
    if counts["elsewhere"]:
        raise refused(
            Code.SOURCE_DAYS_ELSEWHERE,
            event_source.subject,
            f"events on another day, in {zone}, than the file's name says",
            values("elsewhere"),
            "name the files by the group's days, or, if they are named by arrival, give the folder without {day}",
        )


def _impossible_times(
    event_source: EventSource, frame: pl.LazyFrame, days: Sequence[date], zone: str, now: datetime, rows: int | None = None
) -> pl.LazyFrame:
    """One row, by what is wrong with a time: how many events that count have it so, and the file of one of them, or null.

    `rows`: of the first so many events that count; of all where null.
    """
    spec = event_source.source.time
    assert spec is not None  # `check` comes here only with one.
    time = pl.col("time")
    day = pl.col("day")
    is_date = frame.collect_schema()[spec.column] == pl.Date
    # Of whole numbers it is the unit that is wrong, and no column has an infinite one.
    beyond = pl.lit(False) if spec.unit else is_beyond(time)
    faults = {
        "unreadable": time.is_null(),
        "without_zone": time.is_null() & pl.col("naive") & pl.lit(spec.zone is None),
        "beyond": beyond,
        "early": (time < EARLIEST) & ~beyond,
        # A date stands for midnight UTC, which east of UTC can be later than now on today's date: dates compare as days.
        "late": (day > local_day(now, zone) if is_date else time > now) & ~beyond,
        "elsewhere": day != pl.col("__day__"),
    }
    return (
        event_columns(event_source, frame, days, zone, identifiers=False)
        .filter("counts")
        .slice(0, rows)
        .select(
            pl.struct(number=fault.sum(), file=pl.col("__file__").filter(fault).first()).alias(name)
            for name, fault in faults.items()
        )
    )


def events_by_day(event_source: EventSource, days: Sequence[date], zone: str) -> dict[date, int]:
    """The events that count, by day; a cheap look, which reads no identifier and checks nothing. Days without any are missing."""
    number = Counter[date]()
    with event_source.reading():
        for frame in event_source.frames(days, columns_needed(event_source.source, who=False)):
            events = event_columns(event_source, frame, days, zone, only_days=True, identifiers=False)
            events = events.filter("counts", pl.col("day").is_between(days[0], days[-1]))
            number.update(dict(events.group_by("day").len().collect(engine="streaming").iter_rows()))
    return number


def batches(
    event_source: EventSource, days: Sequence[date], zone: str, key_cache: KeyCache, per_person: PerPersonSample
) -> Iterator[Batch]:
    """Who was active on these days (in ascending order), batch by batch; memory is bounded whatever the events' order.

    `per_person` takes a sample of the events' identifiers. A person can come again in a later batch: whoever unites the batches
    must be idempotent. Raises `RefusedError`.
    """
    names = [f"identifier_{number}" for number in range(len(event_source.source.identifiers))]
    n_days = (days[-1] - days[0]).days + 1
    has_condition = event_source.source.counts_when is not None
    since = (pl.col("day").cast(pl.Int32) - (days[0] - _EPOCH).days).fill_null(-1)
    flags = pl.col("audience") * _AUDIENCE
    for name, weight in (("counts", _COUNTS), ("left_out", _LEFT_OUT), ("undecided", _UNDECIDED)):
        flags += pl.col(name).cast(pl.UInt8) * weight

    def read() -> Iterator[pl.DataFrame]:
        for frame in event_source.frames(days, columns_needed(event_source.source)):
            events = event_columns(event_source, frame, days, zone, only_days=True)
            # Without a condition, nearly all events of a file named by day count: to filter them would save nothing. Events that
            # a condition leaves out stay until they are counted (`_without_excluded`).
            if has_condition or not event_source.source.by_day:
                events = events.filter(pl.col("day").is_between(days[0], days[-1]))
            rows = events.select(*names, since=since, flags=flags)
            # The order is of no use to registers, and keeping it would hold finished batches back.
            yield from rows.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False)

    def aggregate(rows: pl.DataFrame) -> Batch:
        rows, excluded = _without_excluded(rows, n_days) if has_condition else (rows, np.zeros(n_days, np.int64))
        columns = [rows[name] for name in names]
        since = rows["since"].to_numpy()
        flags = rows["flags"].to_numpy()
        keys, codes, places = key_cache.keys_and_places_of(columns)
        counted = (flags & _COUNTS > 0) & (since < n_days)
        per_person.add(columns, keys, codes, np.where(counted, since, np.int32(-1)))
        given = (rows, keys, codes, places, event_source.source.identifiers, days)
        batch = _by_cell(since, flags, keys, codes, excluded, days, key_cache.namespaces)
        return replace(batch, frequent=frequent_values(*given), frequent_in_month=frequent_values_of_months(*given))

    with event_source.reading():
        yield from ordered(aggregate, read(), at_once=1)


def _without_excluded(rows: pl.DataFrame, n_days: int) -> tuple[pl.DataFrame, npt.NDArray[np.int64]]:
    """The events that count or are undecided, and by day the number of those that `counts_when` leaves out."""
    is_excluded = rows["flags"].to_numpy() & (_COUNTS | _LEFT_OUT) == 0
    days = rows["since"].to_numpy()[is_excluded]
    excluded = np.bincount(days[(days >= 0) & (days < n_days)], minlength=n_days)
    return rows.filter(pl.Series(~is_excluded)), excluded


def _by_cell(
    since: npt.NDArray[np.int32],
    flags: Values,
    keys: Keys,
    codes: Values,
    excluded: npt.NDArray[np.int64],
    days: Sequence[date],
    namespaces: Sequence[str],
) -> Batch:
    """A batch of events, one of each array's elements an event; see `cells_of` for `since`, `flags` and `codes`.

    `excluded`: by day, the number of events beside those, which `counts_when` leaves out.
    """
    n_days = (days[-1] - days[0]).days + 1
    n_namespaces = len(namespaces)
    cells = np.empty(len(keys), np.int64)
    sorted_keys = np.empty_like(keys)
    not_counted = np.zeros((n_days, 3), np.int64)
    starts = np.zeros(n_days * len(AUDIENCES) * n_namespaces + 1, np.int64)
    cells_of(since, flags, codes, (n_days, n_namespaces), cells, not_counted)
    sort_by_cell(cells, keys, starts, sorted_keys)
    occupied = [
        CellKeys(
            days[0] + DAY * (cell // (len(AUDIENCES) * n_namespaces)),
            AUDIENCES[cell // n_namespaces % len(AUDIENCES)],
            namespaces[cell % n_namespaces],
            sorted_keys[starts[cell] : starts[cell + 1]],
            int(starts[cell + 1] - starts[cell]),
        )
        for cell in np.flatnonzero(np.diff(starts)).tolist()
    ]
    not_counted = np.column_stack([not_counted, excluded])
    days_not_counted = np.flatnonzero(not_counted.any(axis=1)).tolist()
    return Batch(occupied, [NotCounted(days[0] + DAY * day, *not_counted[day].tolist()) for day in days_not_counted])


def sample(
    event_source: EventSource, zone: str, settings: Settings, spellings: Spellings, now: datetime, rows: int = 10_000
) -> SourceSample:
    """A first look at the newest part of a source, at `rows` events at most, by the checks that counting makes.

    `spellings` looks at their identifiers.

    Raises `RefusedError` for a file, a column, a condition or an event's time that is wrong, as `check` does.
    """
    newest = event_source.newest(rows)
    if event_source.source.time is not None:
        with event_source.reading():
            impossible = _impossible_times(event_source, newest, (), zone, now, rows).collect().to_dicts()[0]
        counts = {fault: events["number"] for fault, events in impossible.items()}
        files = {fault: events["file"] for fault, events in impossible.items() if events["file"] is not None}
        _refuse_impossible(event_source, counts, files, zone, now)
    events = event_columns(event_source, newest, (), zone)
    with event_source.reading():
        looked_at = events.filter(pl.col("counts") | pl.col("left_out")).head(rows).collect()
        empty = events.head(1).collect().is_empty()
    counting = looked_at.filter("counts")
    users = []
    for number, identifier in enumerate(event_source.source.identifiers):
        rules = rules_of(settings, identifier.namespace)
        values = counting[f"identifier_{number}"]
        subject = f"{event_source.subject}, column {identifier.column}"
        check_usable(values, identifier.namespace, rules, Code.SOURCE_IDENTIFIERS_UNUSABLE, subject)
        usable = normalised(values, identifier.namespace, identifier.region, rules)
        spellings.note(ColumnRef(event_source.subject, identifier.column, identifier.namespace), values, usable)
        users.append(usable.alias(f"{number}"))
    unidentified = pl.DataFrame(users).select(pl.all_horizontal(pl.all().is_null()).sum()).item()
    automated = int((counting["audience"] == AUDIENCES.index("automated")).sum())
    return SourceSample(empty, counting.height, unidentified, int(looked_at["left_out"].sum()), automated)
