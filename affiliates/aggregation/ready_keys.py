"""From a table of ready-made person keys to batches: for an engine that can hash and can't sketch. Identifiers never come here.

A row is a key and the number of its events on a day (or in a month), by audience and namespace. A row without a key has numbers
of events that aren't counted. Rows of the audience `canary` hold the keys of the protocol's fixed identifiers, and prove how the
others were made. `mauwatch contribute --print-sql ENGINE --person-keys` prints the query that makes such a table.

polars numbers each row's cell (day x audience x namespace), and compiled loops read the keys from polars' own memory: such a
table has as many rows as the product has users.

Over 300 lines: reading, checking and joining a batch of ready keys share the batch's columns.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import nanoarrow
import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.aggregation.batch import Batch, CellKeys, NotCounted, SourceSample
from affiliates.aggregation.frequent import FrequentValue
from affiliates.concurrency import ordered
from affiliates.crosswalks.snapshot import NO_CROSSWALK, Crosswalk
from affiliates.errors import Code, refused
from affiliates.identity.keys import PERSON
from affiliates.manifests.product import AUDIENCES
from affiliates.manifests.source import EXCLUDED_COLUMN, PERSON_KEY_COLUMNS
from affiliates.periods import Grain, first_day
from affiliates.sketches.arrays import Keys
from affiliates.sketches.kernels.cells import sort_by_cell
from affiliates.sketches.kernels.key_texts import read_keys
from affiliates.sources.protocol import EventSource

BATCH_ROWS = 1_000_000
"""Rows that are in memory at a time, for each thread that works on a batch."""
_EPOCH = date(1970, 1, 1)
"""polars counts days from here."""
_CANARY = "canary"
_NUMBERS = ("events", "unidentified_events", "undecided_events")
_COLUMNS = [*PERSON_KEY_COLUMNS, EXCLUDED_COLUMN]


class _Fault(NamedTuple):
    """A way in which a row can be wrong, with the rule and the next step of its refusal."""

    name: str
    rule: str
    next_step: str


_TYPES = (
    ("activity_date", pl.Date, "days must be dates", "write them as dates, without a time"),
    ("person_key", pl.String, "keys must be text", "write 16 characters of 0-9 and a-f, in lower case"),
)
"""Columns of one type alone, with the rule and the next step of their refusal."""
_NO_KEY = "no_key"
_FAULTS = (
    _Fault("day", "rows without a day", "write the day, or a month's first one, of each"),
    _Fault("first", "days in a table of months", "write each month's first day, or `grain: day` into the manifest"),
    _Fault(_NO_KEY, "texts that are no key", "write 16 characters of 0-9 and a-f, in lower case"),
    _Fault("audience", "unknown audiences", "write external, internal, automated or canary"),
    _Fault("namespace", "namespaces that the manifest doesn't name", "name them under `person_keys`, or correct the query"),
    _Fault("number", "numbers of events that are missing or negative", "write 0 where there are none"),
    _Fault(
        "keyless",
        "events of rows without a key",
        "each event is some user's: see to the join that gives the keys, or tell them as `unidentified_events`",
    ),
    _Fault("crosswalk", "keys joined by another crosswalk than the month's", "compute them with the month's, or without any"),
)
"""The first fault that a batch has is refused. In the column `faults` each has the bit of its place."""


@dataclass(frozen=True)
class _Grid:
    """The cells of a pass, numbered: one of each day, audience and namespace, then one of each namespace's canaries."""

    days: Sequence[date]
    first: date
    """The day from which days are counted: a month's first one where the product counts by month."""
    period_days: Mapping[date, date]
    """The day of the pass by the day of a row: a month's rows carry its first day, which may lie before the product's life."""
    namespaces: Sequence[str]

    @property
    def n_user_cells(self) -> int:
        """How many cells of users there are; the canaries' cells follow."""
        return ((self.days[-1] - self.first).days + 1) * len(AUDIENCES) * len(self.namespaces)

    def numbered(self, since: pl.Expr, audience: pl.Expr, namespace: pl.Expr) -> pl.Expr:
        """The number of a row's cell, by its days since the first, and the places of its audience and namespace."""
        wide = namespace.cast(pl.Int64)  # A backfill of ten years has more cells than the 16 bits of a place.
        user_cell = (since.cast(pl.Int64) * len(AUDIENCES) + audience) * len(self.namespaces) + wide
        return pl.when(audience == len(AUDIENCES)).then(self.n_user_cells + wide).otherwise(user_cell)

    def cell(self, number: int) -> tuple[date, str, str]:
        """Day, audience and namespace of a user cell."""
        rest, namespace = divmod(number, len(self.namespaces))
        day, audience = divmod(rest, len(AUDIENCES))
        return self.first + timedelta(day), AUDIENCES[audience], self.namespaces[namespace]


def batches(event_source: EventSource, days: Sequence[date], grain: Grain, crosswalk: Crosswalk | None) -> Iterator[Batch]:
    """Keys of these days, batch by batch, joined by the crosswalk where the table's aren't yet; and the canaries' keys.

    `days` in ascending order; a month's days where `grain` is month. Raises `RefusedError` for a text that is no key, an unknown
    audience or namespace, keys joined by another crosswalk, and, where files are named by day, a file without its own canaries.
    """
    event_source.check(days)
    grid = _grid(event_source, days, grain)
    proofs = _ProofByFile(event_source.source.by_day, days[0], grid.namespaces)
    digests = {NO_CROSSWALK, crosswalk.digest if crosswalk else NO_CROSSWALK}

    def read() -> Iterator[pl.DataFrame]:
        for frame in event_source.frames(days, _COLUMNS):
            _check_types(frame.collect_schema(), event_source.subject)
            rows = _numbered(_wanted(frame, grid), grid, grain, digests)
            yield from rows.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False)

    def aggregate(rows: pl.DataFrame) -> tuple[Batch, set[_Mark]]:
        keyed = rows.filter(pl.col("person_key").is_not_null()) if rows["person_key"].null_count() else rows
        keys, n_wrong = _read_keys(keyed["person_key"])
        _check_faults(rows["faults"], n_wrong, event_source.subject)
        _check_people(keyed, keys, grid, crosswalk, event_source.subject)
        return _batch(rows, keyed, keys, grid, crosswalk), proofs.marks_of(keyed)

    with event_source.reading():
        # Marks are gathered here, in one thread; `aggregate` runs in several.
        for batch, marks in ordered(aggregate, read(), at_once=1):
            proofs.seen |= marks
            yield batch
    if unproved := proofs.missing():
        raise refused(
            Code.SOURCE_KEYS_INVALID,
            event_source.subject,
            "files of keys without canaries",
            f"{len(unproved)}, such as {unproved[0]}",
            "each file has the canaries of the query that made it: another's don't prove its keys",
        )


def events_by_day(event_source: EventSource, days: Sequence[date]) -> dict[date, int]:
    """The events that count, identified or not, by the rows' day; perhaps of other days, too. Nothing is checked."""
    number: dict[date, int] = defaultdict(int)
    with event_source.reading():
        for frame in event_source.frames(days, list(PERSON_KEY_COLUMNS)):
            events = pl.col("events").fill_null(0) + pl.col("unidentified_events").fill_null(0)
            rows = frame.filter(pl.col("audience") != _CANARY).group_by("activity_date").agg(events=events.sum())
            for day, day_events in rows.collect(engine="streaming").iter_rows():
                number[day] += day_events
    return dict(number)


def sample(event_source: EventSource, rows: int = 10_000) -> SourceSample:
    """A first look at the newest part of a source, at `rows` rows at most. Raises `RefusedError` for a damaged part."""
    with event_source.reading():
        newest = event_source.newest(rows).filter(pl.col("audience") != _CANARY).head(rows).collect()
    automated = newest.filter(pl.col("audience") == "automated")["events"].sum()
    return SourceSample(
        newest.is_empty(), int(newest["events"].sum()), int(newest["unidentified_events"].sum()), automated=int(automated)
    )


def _grid(event_source: EventSource, days: Sequence[date], grain: Grain) -> _Grid:
    # `person` stands for keys that the crosswalk joins here, or that the table's query has joined already.
    namespaces = [*dict.fromkeys([*event_source.source.person_keys, PERSON])]
    period_days = {first_day(grain, day): day for day in reversed(days)}
    return _Grid(days, first_day(grain, days[0]), period_days, namespaces)


def _check_types(schema: pl.Schema, subject: str) -> None:
    for column, dtype, rule, next_step in _TYPES:
        if schema[column] != dtype:
            raise refused(Code.SOURCE_KEYS_INVALID, subject, rule, f"column {column} is {schema[column]}", next_step)


def _wanted(frame: pl.LazyFrame, grid: _Grid) -> pl.LazyFrame:
    """Rows of the grid's days, those without a day, and canaries."""
    day = pl.col("activity_date")
    rows = frame.select("__day__", *_COLUMNS)
    return rows.filter((pl.col("audience") == _CANARY) | day.is_null() | day.is_between(grid.first, grid.days[-1]))


def _numbered(rows: pl.LazyFrame, grid: _Grid, grain: Grain, digests: set[str]) -> pl.LazyFrame:
    """The rows with `since` (days since the grid's first), `cell` (-1: none), `namespace` as a place, `is_canary`, and `faults`.

    `faults` has a bit for each of `_FAULTS`, but never that of a text that is no key: the loop that reads the keys counts those.
    `digests`: of the crosswalks by which keys may be joined; empty for none.
    """
    day = pl.col("activity_date")
    rows = rows.with_columns(
        since=day.cast(pl.Int32) - (grid.first - _EPOCH).days,
        audience=_place(pl.col("audience"), [*AUDIENCES, _CANARY]),
        namespace=_place(pl.col("namespace"), grid.namespaces),
        is_canary=(pl.col("audience") == _CANARY).fill_null(False),
    )
    is_canary = pl.col("is_canary")
    has_key = pl.col("person_key").is_not_null()
    not_first = (day.dt.day() != 1).fill_null(False)
    faults = {
        "day": ~is_canary & day.is_null(),
        "first": ~is_canary & not_first if grain == "month" else pl.lit(False),
        "audience": pl.col("audience").is_null(),
        "namespace": has_key & pl.col("namespace").is_null(),
        "number": pl.any_horizontal((pl.col(name) < 0) | pl.col(name).is_null() for name in _NUMBERS)
        | (pl.col(EXCLUDED_COLUMN) < 0).fill_null(False),
        # Left alone, everybody whose key a wrong join lost would be nobody, and the figure low without a sign.
        "keyless": ~is_canary & ~has_key & (pl.col("events") > 0),
        # Canaries are never joined: a person's key in their place would prove nothing of the way to it.
        "crosswalk": ~is_canary & ~pl.any_horizontal(pl.col("crosswalk_digest") == digest for digest in digests).fill_null(False),
    }
    bits = [faults[fault.name].cast(pl.UInt8) * (1 << bit) for bit, fault in enumerate(_FAULTS) if fault.name in faults]
    return rows.select(
        "person_key",
        *(pl.col(number).cast(pl.Int64) for number in (*_NUMBERS, EXCLUDED_COLUMN)),
        "since",
        "namespace",
        "is_canary",
        "__day__",
        cell=grid.numbered(pl.col("since"), pl.col("audience"), pl.col("namespace")).fill_null(-1),
        faults=pl.sum_horizontal(bits).cast(pl.UInt8),
    )


def _place(column: pl.Expr, texts: Sequence[str]) -> pl.Expr:
    """The place of a column's value among the texts; null for any other value."""
    # As a chain of comparisons, which takes half as long as a cast to an Enum.
    return pl.coalesce(pl.when(column == text).then(pl.lit(place, pl.Int16)) for place, text in enumerate(texts))


def _read_keys(texts: pl.Series) -> tuple[Keys, int]:
    """Keys of texts, in their order, and how many of the texts are none.

    From polars' own memory: a regular expression and decoding of hex took several times as long (decision 63).
    """
    keys = np.empty(len(texts), np.uint64)
    start = 0
    n_wrong = 0
    for array in nanoarrow.c_array_stream(texts):
        view = array.view()
        # Arrow's string view: validity, views of 16 bytes, the texts' buffers, and how long these are.
        views = np.frombuffer(view.buffer(1), np.uint64).reshape(-1, 2)[array.offset : array.offset + array.length]
        buffers = [np.frombuffer(view.buffer(i), np.uint8) for i in range(2, view.n_buffers - 1)]
        addresses = np.array([buffer.ctypes.data for buffer in buffers], np.uint64)
        n_wrong += read_keys(views, addresses, keys[start : start + array.length])
        start += array.length
    return keys, n_wrong


def _check_faults(faults: pl.Series, n_wrong_keys: int, subject: str) -> None:
    if not n_wrong_keys and not faults.max():
        return
    bits = faults.to_numpy()
    for bit, fault in enumerate(_FAULTS):
        number = n_wrong_keys if fault.name == _NO_KEY else np.count_nonzero(bits & (1 << bit))
        if number:
            raise refused(Code.SOURCE_KEYS_INVALID, subject, fault.rule, f"{number:,} rows", fault.next_step)


def _check_people(keyed: pl.DataFrame, keys: Keys, grid: _Grid, crosswalk: Crosswalk | None, subject: str) -> None:
    """Refuse people whom the month's snapshot doesn't have: a join that goes wrong elsewhere makes one key of everybody.

    `keyed`: rows with a key. `keys`: their keys, in their order. Raises `RefusedError`.
    """
    if crosswalk is None:
        return
    is_person = (keyed["namespace"] == grid.namespaces.index(PERSON)) & ~keyed["is_canary"]
    people = keys[is_person.to_numpy()]
    if number := int(np.count_nonzero(~crosswalk.has_people(people))):
        rule = "people whom the month's crosswalk doesn't have"
        raise refused(Code.SOURCE_KEYS_INVALID, subject, rule, f"{number:,} rows", "join the keys by the month's snapshot")


def _batch(rows: pl.DataFrame, keyed: pl.DataFrame, keys: Keys, grid: _Grid, crosswalk: Crosswalk | None) -> Batch:
    """`rows`: as `_numbered` gives them. `keyed`: those with a key. `keys`: their keys, in their order."""
    cells = keyed["cell"].to_numpy(writable=True)
    n_cells = grid.n_user_cells + len(grid.namespaces)
    keys_by_cell, starts = _by_cell(cells, keys, n_cells)
    # The same loop sorts events: it moves words of 64 bits, whatever they mean.
    events_by_cell, _ = _by_cell(cells, keyed["events"].to_numpy(writable=True).view(np.uint64), n_cells)
    user_cells = []
    frequent = []
    canaries = dict[str, Keys]()
    for number in np.flatnonzero(np.diff(starts)).tolist():
        part = slice(starts[number], starts[number + 1])
        if number >= grid.n_user_cells:
            canaries[grid.namespaces[number - grid.n_user_cells]] = keys_by_cell[part]
            continue
        day, audience, namespace = grid.cell(number)
        if day in grid.period_days:
            if audience != "automated":
                # A key has one row a day here: the one with most events is enough, and what stands beside it isn't known.
                most = int(np.argmax(events_by_cell[part].view(np.int64)))
                key, events = int(keys_by_cell[part][most]), int(events_by_cell[part][most])
                frequent.append(FrequentValue(grid.period_days[day], key, events, 0, "person_key", "a key"))
            for name, people, events in _joined(keys_by_cell[part], events_by_cell[part].view(np.int64), namespace, crosswalk):
                user_cells.append(CellKeys(grid.period_days[day], audience, name, people, events))
    tells_excluded = not rows[EXCLUDED_COLUMN].null_count()
    return Batch(user_cells, _not_counted(rows, grid), canaries, frequent, tells_excluded=tells_excluded)


def _not_counted(rows: pl.DataFrame, grid: _Grid) -> list[NotCounted]:
    """By day, the events of rows that aren't counted. No table of keys tells which of them a null of `counts_when` left out."""
    told = (*_NUMBERS[1:], EXCLUDED_COLUMN)
    has_any = pl.any_horizontal((pl.col(name) > 0).fill_null(False) for name in told)
    sums = rows.filter(~pl.col("is_canary") & has_any).group_by("since").agg(pl.col(*told).sum())
    return [
        NotCounted(grid.period_days[day], unidentified, undecided, 0, excluded)
        for since, unidentified, undecided, excluded in sums.iter_rows()
        if (day := grid.first + timedelta(since)) in grid.period_days
    ]


def _by_cell(cells: npt.NDArray[np.int64], values: Keys, n_cells: int) -> tuple[Keys, npt.NDArray[np.int64]]:
    """The values of each cell together, and where each cell's begin; the cell -1 is left out."""
    starts = np.zeros(n_cells + 1, np.int64)
    sorted_values = np.empty_like(values)
    sort_by_cell(cells, values, starts, sorted_values)
    return sorted_values, starts


def _joined(
    keys: Keys, events: npt.NDArray[np.int64], namespace: str, crosswalk: Crosswalk | None
) -> Iterator[tuple[str, Keys, int]]:
    """Namespace, keys and number of events: of the keys that the crosswalk joins, as people's keys, and of the others."""
    if crosswalk is None:
        yield namespace, keys, int(events.sum())
        return
    is_joined, people = crosswalk.persons(keys)
    for chosen, name in ((is_joined, PERSON), (~is_joined, namespace)):
        if chosen.any():
            yield name, people[chosen], int(events[chosen].sum())


class _Mark(NamedTuple):
    """A file of a day that has keys of a namespace, or canaries of it."""

    since: int
    """The file's day, in days since the pass's first."""
    place: int
    """The namespace's place."""
    is_canary: bool


class _ProofByFile:
    """Of which namespaces a day's file has keys of users, and of which canaries; for sources of files named by day.

    Each file may come from another run of the query, by another key: its own canaries alone prove its keys.
    """

    def __init__(self, by_day: bool, first: date, namespaces: Sequence[str]) -> None:
        self._by_day = by_day
        self._first = first
        self._namespaces = namespaces
        self.seen = set[_Mark]()

    def marks_of(self, keyed: pl.DataFrame) -> set[_Mark]:
        """The marks of these rows with a key; none where files aren't named by day."""
        if not self._by_day:
            return set()
        since = keyed["__day__"].cast(pl.Int64).to_numpy() - (self._first - _EPOCH).days
        width = len(self._namespaces)
        numbers = (since * width + keyed["namespace"].to_numpy()) * 2 + keyed["is_canary"].to_numpy()
        # By counting: distinct numbers of a million rows, of which there are few, without a sort.
        return {
            _Mark(number // 2 // width, number // 2 % width, bool(number % 2))
            for number in np.flatnonzero(np.bincount(numbers)).tolist()
        }

    def missing(self) -> list[str]:
        """Day and namespace of keys whose file has no canary of theirs, in order of their text."""
        unproved = {(mark.since, mark.place) for mark in self.seen if not mark.is_canary}
        unproved -= {(mark.since, mark.place) for mark in self.seen if mark.is_canary}
        return sorted(f"{self._first + timedelta(since)}, {self._namespaces[place]}" for since, place in unproved)
