"""A source of ready-made keys: for an engine that can hash and can't sketch. Its events have no identifiers any more.

A row is a key with how many events it stands for, on a day (or in a month), by audience and namespace; a row without a key
tells of events that aren't counted; rows of the audience `canary` hold the keys of the protocol's fixed identifiers, and prove
how the others were made. `mauwatch contribute --print-sql ENGINE --person-keys` prints the query that makes such a table.

polars numbers each row's cell (day x audience x namespace), and the compiled loops read the keys from polars' own memory: such
a table has as many rows as the product has users.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import nanoarrow
import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.aggregation.activity import Batch, SourceSample
from affiliates.concurrency import ordered
from affiliates.crosswalks.snapshot import NO_CROSSWALK, Crosswalk
from affiliates.errors import Code, refused
from affiliates.identity.keys import PERSON
from affiliates.manifests.product import AUDIENCES
from affiliates.manifests.source import PERSON_KEY_COLUMNS
from affiliates.periods import Grain, first_day
from affiliates.sketches.arrays import Keys
from affiliates.sketches.kernels.cells import sort_by_cell
from affiliates.sketches.kernels.key_texts import read_keys
from affiliates.sources.protocol import EventSource

BATCH_ROWS = 1_000_000
_CANARY = "canary"
_NUMBERS = ("events", "unidentified_events", "undecided_events")
_TYPES = (
    ("activity_date", pl.Date, "days must be dates", "write them as dates, without a time"),
    ("person_key", pl.String, "keys must be text", "write 16 characters of 0-9 and a-f, in lower case"),
)
_NO_KEY = "no_key"
_FAULTS = (
    ("day", "rows without a day", "write the day, or a month's first one, of each"),
    ("first", "days in a table of months", "write each month's first day, or `grain: day` into the manifest"),
    (_NO_KEY, "texts that are no key", "write 16 characters of 0-9 and a-f, in lower case"),
    ("audience", "unknown audiences", "write external, internal, automated or canary"),
    ("namespace", "namespaces that the manifest doesn't name", "name them under `person_keys`, or correct the query"),
    ("number", "numbers of events that are missing or negative", "write 0 where there are none"),
    ("crosswalk", "keys joined by another crosswalk than the month's", "compute them with the month's, or without any"),
)
"""What can be wrong with a row: its name, and what is said of it. The first one that a table has is refused."""


@dataclass(frozen=True)
class _Grid:
    """The cells of a pass: of each day, audience and namespace; behind them one of each namespace's canaries."""

    days: Sequence[date]
    first: date
    """The day that days are counted from: a month's first one where the product counts by month."""
    period_days: Mapping[date, date]
    """The day that stands for a row's day: a month's rows carry its first day, which may lie before the product's life."""
    namespaces: Sequence[str]

    @property
    def n_user_cells(self) -> int:
        return ((self.days[-1] - self.first).days + 1) * len(AUDIENCES) * len(self.namespaces)

    def numbered(self, since: pl.Expr, audience: pl.Expr, namespace: pl.Expr) -> pl.Expr:
        """The number of a row's cell, by the numbers of its day, audience and namespace."""
        wide = namespace.cast(pl.Int64)  # A backfill of ten years has more cells than the 16 bits of a place.
        of_users = (since.cast(pl.Int64) * len(AUDIENCES) + audience) * len(self.namespaces) + wide
        return pl.when(audience == len(AUDIENCES)).then(self.n_user_cells + wide).otherwise(of_users)

    def cell(self, number: int) -> tuple[date, str, str]:
        """Day, audience and namespace of a user cell."""
        rest, namespace = divmod(number, len(self.namespaces))
        day, audience = divmod(rest, len(AUDIENCES))
        return self.first + timedelta(day), AUDIENCES[audience], self.namespaces[namespace]


def batches(found: EventSource, days: Sequence[date], grain: Grain, crosswalk: Crosswalk | None) -> Iterator[Batch]:
    """Keys of these days, batch by batch, joined by the crosswalk where the table's aren't yet; and the canaries' keys.

    Raises `RefusedError` for what is no key, an unknown audience or namespace, or keys joined by another crosswalk.
    """
    found.check(days)
    grid = _grid(found, days, grain)
    proof = _ProofByFile(found.source.by_day, days[0], grid.namespaces)
    digests = {NO_CROSSWALK, crosswalk.digest if crosswalk else NO_CROSSWALK}

    def wanted() -> Iterator[pl.DataFrame]:
        for frame in found.frames(days, list(PERSON_KEY_COLUMNS)):
            _check_types(frame.collect_schema(), found.subject)
            rows = _numbered(_wanted(frame, grid), grid, grain, digests)
            yield from rows.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False)

    def work(rows: pl.DataFrame) -> tuple[Batch, set[tuple[int, int, bool]]]:
        keyed = rows.filter(pl.col("person_key").is_not_null()) if rows["person_key"].null_count() else rows
        keys, n_wrong = _read(keyed["person_key"])
        _check(rows["faults"], n_wrong, found.subject)
        return _batch(rows, keyed, keys, grid, crosswalk), proof.of(keyed)

    with found.reading():
        for batch, in_files in ordered(work, wanted(), at_once=1):
            proof.seen |= in_files
            yield batch
    if alone := proof.missing():
        raise refused(
            Code.SOURCE_KEYS_INVALID,
            found.subject,
            "files of keys without canaries",
            f"{len(alone)}, such as {alone[0]}",
            "each file has the canaries of the query that made it: another's don't prove its keys",
        )


def events_by_day(found: EventSource, days: Sequence[date]) -> dict[date, int]:
    """Events that count, by day."""
    number: dict[date, int] = defaultdict(int)
    with found.reading():
        for frame in found.frames(days, list(PERSON_KEY_COLUMNS)):
            events = pl.col("events").fill_null(0) + pl.col("unidentified_events").fill_null(0)
            rows = frame.filter(pl.col("audience") != _CANARY).group_by("activity_date").agg(n=events.sum())
            for day, events_of in rows.collect(engine="streaming").iter_rows():
                number[day] += events_of
    return dict(number)


def sample(found: EventSource, rows: int = 10_000) -> SourceSample:
    """A first look at the newest of a source."""
    with found.reading():
        seen = found.newest(rows).filter(pl.col("audience") != _CANARY).head(rows).collect()
    return SourceSample(seen.is_empty(), int(seen["events"].sum()), int(seen["unidentified_events"].sum()))


def _grid(found: EventSource, days: Sequence[date], grain: Grain) -> _Grid:
    namespaces = [*dict.fromkeys([*found.source.person_keys, PERSON])]
    period_days = {first_day(grain, day): day for day in reversed(days)}
    return _Grid(days, first_day(grain, days[0]), period_days, namespaces)


def _check_types(schema: pl.Schema, subject: str) -> None:
    for column, dtype, rule, next_step in _TYPES:
        if schema[column] != dtype:
            raise refused(Code.SOURCE_KEYS_INVALID, subject, rule, f"column {column} is {schema[column]}", next_step)


def _wanted(frame: pl.LazyFrame, grid: _Grid) -> pl.LazyFrame:
    """Rows of the grid's days, those without a day, and canaries."""
    day = pl.col("activity_date")
    rows = frame.select("__day__", *PERSON_KEY_COLUMNS)
    return rows.filter((pl.col("audience") == _CANARY) | day.is_null() | day.is_between(grid.first, grid.days[-1]))


def _numbered(rows: pl.LazyFrame, grid: _Grid, grain: Grain, digests: set[str]) -> pl.LazyFrame:
    """The rows with `since` (days since the grid's first), `cell` (-1: none), `namespace` as a number, `is_canary`, and
    `faults`: a bit for each of `_FAULTS` but a key's own."""
    day = pl.col("activity_date")
    rows = rows.with_columns(
        since=day.cast(pl.Int32) - (grid.first - date(1970, 1, 1)).days,
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
        "number": pl.any_horizontal((pl.col(n) < 0) | pl.col(n).is_null() for n in _NUMBERS),
        "crosswalk": ~is_canary & ~pl.any_horizontal(pl.col("crosswalk_digest") == d for d in digests).fill_null(False),
    }
    bits = [faults[name].cast(pl.UInt8) * (1 << bit) for bit, (name, *_) in enumerate(_FAULTS) if name in faults]
    return rows.select(
        "person_key",
        *(pl.col(number).cast(pl.Int64) for number in _NUMBERS),
        "since",
        "namespace",
        "is_canary",
        "__day__",
        cell=grid.numbered(pl.col("since"), pl.col("audience"), pl.col("namespace")).fill_null(-1),
        faults=pl.sum_horizontal(bits).cast(pl.UInt8),
    )


def _place(column: pl.Expr, texts: Sequence[str]) -> pl.Expr:
    """Which of the texts it is, by number; null where it is another, or null."""
    # As a chain of comparisons, which takes half as long as a cast to an Enum.
    return pl.coalesce(pl.when(column == text).then(pl.lit(place, pl.Int16)) for place, text in enumerate(texts))


def _read(texts: pl.Series) -> tuple[Keys, int]:
    """Keys of texts, and how many of these are none."""
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


def _check(faults: pl.Series, n_wrong_keys: int, subject: str) -> None:
    if not n_wrong_keys and not faults.max():
        return
    bits = faults.to_numpy()
    for bit, (name, rule, next_step) in enumerate(_FAULTS):
        number = n_wrong_keys if name == _NO_KEY else np.count_nonzero(bits & (1 << bit))
        if number:
            raise refused(Code.SOURCE_KEYS_INVALID, subject, rule, f"{number:,} rows", next_step)


def _batch(rows: pl.DataFrame, keyed: pl.DataFrame, keys: Keys, grid: _Grid, crosswalk: Crosswalk | None) -> Batch:
    """`keyed`: the rows with a key; `keys`: those, in the rows' order."""
    cells = keyed["cell"].to_numpy(writable=True)
    n_cells = grid.n_user_cells + len(grid.namespaces)
    by_cell, starts = _by_cell(cells, keys, n_cells)
    events, _ = _by_cell(cells, keyed["events"].to_numpy(writable=True).view(np.uint64), n_cells)
    active = []
    canaries = dict[str, Keys]()
    for number in np.flatnonzero(np.diff(starts)).tolist():
        some = slice(starts[number], starts[number + 1])
        if number >= grid.n_user_cells:
            canaries[grid.namespaces[number - grid.n_user_cells]] = by_cell[some]
            continue
        day, audience, namespace = grid.cell(number)
        if day in grid.period_days:
            for name, people, n_events in _joined(by_cell[some], events[some].view(np.int64), namespace, crosswalk):
                active.append((grid.period_days[day], audience, name, people, n_events))
    not_counted = (pl.col("unidentified_events") > 0) | (pl.col("undecided_events") > 0)
    sums = rows.filter(~pl.col("is_canary") & not_counted).group_by("since").agg(pl.col(*_NUMBERS[1:]).sum())
    told = [(grid.first + timedelta(since), unidentified, undecided) for since, unidentified, undecided in sums.iter_rows()]
    return Batch(active, [(grid.period_days[day], u, n, 0) for day, u, n in told if day in grid.period_days], canaries)


def _by_cell(cells: npt.NDArray[np.int64], values: Keys, n_cells: int) -> tuple[Keys, npt.NDArray[np.int64]]:
    """The values of each cell together, and where each cell's begin."""
    starts = np.zeros(n_cells + 1, np.int64)
    out = np.empty_like(values)
    sort_by_cell(cells, values, starts, out)
    return out, starts


def _joined(
    keys: Keys, events: npt.NDArray[np.int64], namespace: str, crosswalk: Crosswalk | None
) -> Iterator[tuple[str, Keys, int]]:
    """Keys that the crosswalk has, as people's; and the others, in their namespace; with the number of events of each."""
    if crosswalk is None:
        yield namespace, keys, int(events.sum())
        return
    joined, people = crosswalk.persons(keys)
    for some, name in ((joined, PERSON), (~joined, namespace)):
        if some.any():
            yield name, people[some], int(events[some].sum())


class _ProofByFile:
    """Of which namespaces a day's file has keys of users, and of which it has canaries; asked where files are by day."""

    def __init__(self, by_day: bool, first: date, namespaces: Sequence[str]) -> None:
        self._by_day = by_day
        self._first = first
        self._namespaces = namespaces
        self.seen = set[tuple[int, int, bool]]()

    def of(self, keyed: pl.DataFrame) -> set[tuple[int, int, bool]]:
        """Days since the first, number of the namespace, and whether it is a canary's, of these rows."""
        if not self._by_day:
            return set()
        since = keyed["__day__"].cast(pl.Int64).to_numpy() - (self._first - date(1970, 1, 1)).days
        width = len(self._namespaces)
        marks = (since * width + keyed["namespace"].to_numpy()) * 2 + keyed["is_canary"].to_numpy()
        return {(mark // 2 // width, mark // 2 % width, bool(mark % 2)) for mark in np.flatnonzero(np.bincount(marks)).tolist()}

    def missing(self) -> list[str]:
        """Day and namespace of keys whose file has no canary of theirs."""
        alone = {(since, place) for since, place, is_canary in self.seen if not is_canary}
        alone -= {(since, place) for since, place, is_canary in self.seen if is_canary}
        return sorted(f"{self._first + timedelta(since)}, {self._namespaces[place]}" for since, place in alone)
