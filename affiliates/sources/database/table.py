"""Events in a table or view of any database that SQLAlchemy knows: a range of days, by a cursor of the server.

Rows come in batches, so memory is bounded whatever the table's size, and no identifier touches a disk. Only the
columns that the manifest names are asked for, and only the days: a day computed again doesn't read the whole table.

Checking and counting are two statements over the same range. A row that arrives in between is counted, and can't be
one that a check would have refused: counting takes only events whose time can be read and lies in the range. The
fingerprints are older than both, so the next run sees that the day has changed. One transaction around both would keep
the affiliate's database from clearing up for as long as a month is read.

A server's errors quote values and addresses, so none of its messages gets out.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any
from warnings import catch_warnings
from zoneinfo import ZoneInfo

import polars as pl
import sqlalchemy as sa

from affiliates.errors import Code, refused
from affiliates.manifests.source import LoadedThrough, Source
from affiliates.periods import DAY, moments_of
from affiliates.sources.database.columns import WRONG, Column, column_of
from affiliates.sources.database.connections import ROWS, connected, engine_of, loaded_through, refusing, table_of
from affiliates.sources.file_formats import check_there, columns_needed
from affiliates.sources.protocol import EARLIEST, complete_through, digest

UNTOLD_BYTES = 1 << 40
"""A table's size isn't asked for: as if it were large, so that a pass is a month."""
_SECONDS = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}


@dataclass(frozen=True)
class EventTable:
    """A table or view, found, with the columns that the manifest names."""

    subject: str
    source: Source
    zone: str
    engine: sa.Engine
    shown: str
    """Which database, without user and password."""
    columns: Mapping[str, Column]
    complete_through: date | None

    @property
    def day_by_day(self) -> bool:
        """Whether the type of its times lets the database tell a range; times as text do in SQLite alone."""
        return self._time.dtype != pl.String or self._lite

    def has(self, day: date) -> bool:
        """Whether the day's events are all there; with none of them, the day has zero users."""
        return self.complete_through is not None and day <= self.complete_through

    def bytes_of(self, days: Sequence[date]) -> int:
        return UNTOLD_BYTES

    def fingerprints(self, periods: Mapping[date, Sequence[date]]) -> dict[date, str]:
        """By the number of rows of each day, which the database counts in one statement for all periods.

        Rows that are altered and stay as many aren't noticed: for those, say `run --from --to`. Where the database can't
        tell the group's days, the days beside count too; where times are text (but in SQLite), all rows are one number.
        """
        if not periods:
            return {}
        days = sorted(day for some in periods.values() for day in some)
        by_day, margin = self._by_day
        with self.reading(), connected(self.engine) as connection:
            number = sa.func.count()
            if by_day is None:
                return dict.fromkeys(periods, digest(connection.execute(sa.select(number).select_from(self._from)).scalar_one()))
            within = self._within([days[0] - DAY * 2, days[-1] + DAY * 2])  # So that days beside are whole.
            each = sa.select(by_day, number).select_from(self._from).where(within).group_by(by_day)
            rows = {self._day_of(day): rows for day, rows in connection.execute(each)}
        around = range(-margin, margin + 1)
        return {
            period: digest([rows.get(None)] + [rows.get(day + DAY * i) for day in some for i in around])
            for period, some in periods.items()
        }

    def check(self, days: Sequence[date]) -> None:
        """Its columns were checked when it was found, and its rows are as they are read."""

    def frames(self, days: Sequence[date], columns: Sequence[str], now: datetime | None = None) -> Iterator[pl.LazyFrame]:
        """Rows of these days, and for a check those that no day can have."""
        wanted = [self.columns[name] for name in columns]
        yield self._frame([], wanted).lazy()  # So that types are judged without a row, too.
        query = sa.select(*(column.asked for column in wanted)).select_from(self._from)
        if self.day_by_day:
            within = self._within(days)
            query = query.where(within if now is None else sa.or_(within, self._impossible(now)))
        with connected(self.engine) as connection:
            for rows in connection.execute(query).partitions(ROWS):
                yield self._frame(rows, wanted).lazy()

    def newest(self, rows: int) -> pl.LazyFrame:
        """Some rows of the last complete day or, without any, of the table."""
        wanted = [self.columns[name] for name in columns_needed(self.source)]
        query = sa.select(*(column.asked for column in wanted)).select_from(self._from).limit(rows)
        with self.reading(), connected(self.engine) as connection:
            found: Sequence[Any] = []
            if self.complete_through is not None and self.day_by_day:
                found = connection.execute(query.where(self._within([self.complete_through]))).all()
            return self._frame(found or connection.execute(query).all(), wanted).lazy()

    def reading(self) -> AbstractContextManager[None]:
        """Turns what goes wrong while reading into a refusal that quotes no value."""
        return refusing(self.subject, f"{self.source.table} in {self.shown}")

    def described(self) -> str:
        through = f"complete through {self.complete_through}" if self.complete_through else "complete through no day yet"
        return f"table {self.source.table} in {self.shown}, {through}"

    @property
    def _lite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @cached_property
    def _from(self) -> sa.TableClause:
        assert self.source.table is not None
        return table_of(self.source.table)

    @property
    def _time(self) -> Column:
        assert self.source.time is not None
        return self.columns[self.source.time.column]

    def _frame(self, rows: Sequence[Any], columns: Sequence[Column]) -> pl.DataFrame:
        values: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [[] for _ in columns]
        series = []
        for column, given in zip(columns, values, strict=True):
            try:
                series.append(column.series(given))
            except WRONG:
                raise refused(
                    Code.SOURCE_TYPES_WRONG,
                    f"{self.subject}, {self.source.table}",
                    "values of the wrong type",
                    f"some of column {column.name} aren't {column.said}",
                    "correct them, or give a view that casts the column",
                ) from None
        return pl.DataFrame(series).with_columns(__day__=pl.lit(None, pl.Date))

    def _within(self, days: Sequence[date]) -> sa.ColumnElement[bool]:
        """On the column as it is stored, so that an index or a partition serves; wider than the days where it must be."""
        assert self.source.time is not None
        time = self._time.sql
        spec = self.source.time
        dtype = self._time.dtype
        first, after = moments_of(days[0], days[-1], self.zone)
        if dtype == pl.Date:
            return self._text_within(time, days[0], days[-1]) if self._lite else time.between(days[0], days[-1])
        if isinstance(dtype, pl.Datetime):
            if dtype.time_zone:
                return sa.and_(time >= first, time < after)
            # Local times: three hours more on both sides, where clocks may have changed.
            local = [at.astimezone(ZoneInfo(spec.zone or "UTC")).replace(tzinfo=None) for at in (first, after)]
            return sa.and_(time >= local[0] - timedelta(hours=3), time < local[1] + timedelta(hours=3))
        if dtype.is_integer():
            scale = _SECONDS[spec.unit or "s"]
            return sa.and_(time >= int(first.timestamp()) * scale, time < int(after.timestamp()) * scale)
        # By the day that a text begins with, two more on both sides for any offset.
        return self._text_within(sa.func.substr(time, 1, 10), days[0] - DAY * 2, days[-1] + DAY * 2)

    @staticmethod
    def _text_within(begun: sa.ColumnElement[Any], low: date, high: date) -> sa.ColumnElement[bool]:
        """Texts of these days, and whatever isn't a day as SQLite writes one: it is refused, and not left out in silence."""
        return sa.or_(begun.between(low.isoformat(), high.isoformat()), sa.func.date(begun, "+0 days").is_distinct_from(begun))

    def _impossible(self, now: datetime) -> sa.ColumnElement[bool]:
        """No time, or one before 1971 or after `now`, or somewhat nearer: the check of each row is exact."""
        assert self.source.time is not None
        time = self._time.sql
        dtype = self._time.dtype
        edges = (EARLIEST, now)
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            low, high = edges
            return sa.or_(time.is_(None), time < low, time > high)
        if dtype.is_integer():
            scale = _SECONDS[self.source.time.unit or "s"]
            return sa.or_(time.is_(None), time < int(EARLIEST.timestamp()) * scale, time > int(now.timestamp()) * scale)
        near = EARLIEST.replace(tzinfo=None) + DAY, now.replace(tzinfo=None) - DAY
        if isinstance(dtype, pl.Datetime):
            return sa.or_(time.is_(None), time < near[0], time > near[1])
        days = [at.date().isoformat() if self._lite else at.date() for at in near]
        said = time if dtype == pl.Date else sa.func.substr(time, 1, 10)
        return sa.or_(time.is_(None), said < days[0], said > days[1])

    @cached_property
    def _by_day(self) -> tuple[sa.ColumnElement[Any] | None, int]:
        """What tells a row's day to the database, and by how many days it may be wrong."""
        spec = self.source.time
        time = self._time.sql
        dtype = self._time.dtype
        assert spec is not None
        if dtype == pl.Date:
            return time, 0
        if dtype.is_integer():
            return time // (86_400 * _SECONDS[spec.unit or "s"]), int(self.zone != "UTC")
        if self._lite:
            return sa.func.date(time), int((spec.zone or "UTC", self.zone) != ("UTC", "UTC"))
        if dtype == pl.String:
            return None, 0
        if self.engine.dialect.name == "postgresql":
            utc = time if dtype.time_zone else sa.func.timezone(spec.zone, time)  # type: ignore[attr-defined]
            return sa.cast(sa.func.timezone(self.zone, utc), sa.Date), 0
        return sa.cast(time, sa.Date), int(spec.zone != self.zone)

    @staticmethod
    def _day_of(said: object) -> date | None:
        if isinstance(said, int | float | Decimal):
            return date(1970, 1, 1) + timedelta(int(said))
        return date.fromisoformat(str(said)) if said is not None else None


def find(source: Source, directory: Path, subject: str, zone: str) -> EventTable:
    """Find a table and the columns that the manifest names.

    Raises `RefusedError` where the database or the table isn't there, and for a column whose type can't be counted.
    """
    assert source.table is not None
    if source.database is None:
        raise refused(
            Code.SOURCE_SETTING_WRONG,
            subject,
            "a table without `database` can't be read from here",
            source.table,
            "name its `database`, or run its query in the warehouse and hand in the contributions",
        )
    engine, shown = engine_of(source.database, directory, subject)
    where = f"{subject}, {source.table}"
    named = table_of(source.table)
    with refusing(where, shown), engine.connect() as connection:
        try:
            with catch_warnings(action="ignore", category=sa.exc.SAWarning):  # Of other columns' types that it doesn't know.
                there = sa.inspect(connection).get_columns(named.name, named.schema)
        except sa.exc.NoSuchTableError:
            there = []
    if not there:
        raise refused(
            Code.SOURCE_MISSING,
            where,
            "no such table or view",
            shown,
            "correct `table` (with its schema), or let mauwatch's user see it",
        )
    types = {column["name"]: column["type"] for column in there}
    needed = columns_needed(source)
    check_there(needed, list(types), where, "correct the manifest's columns, or give a view that has them")
    columns = {name: column_of(name, types[name], source, engine.dialect.name, where) for name in needed}
    through = source.complete_through
    known = (
        loaded_through(through, engine, subject, shown)
        if isinstance(through, LoadedThrough)
        else complete_through(through, directory, subject)
    )
    return EventTable(subject, source, zone, engine, shown, columns, known)
