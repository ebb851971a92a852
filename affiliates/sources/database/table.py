"""Events in a table or view of any database that SQLAlchemy knows: a range of days, by a cursor of the server.

Rows come in batches, so memory is bounded whatever the table's size, and no identifier touches a disk. A query asks for the
columns that the manifest names and for the days alone: a day that is computed again doesn't read the whole table.

Check and count are two statements over the same range. A row that arrives in between counts, and it can't be one that the
check would have refused: only events whose time can be read and lies in the range count. The fingerprints are older than
both, so the next run sees that the day has changed. One transaction around both would keep the affiliate's database from
removing old rows for as long as a month is read.

A server's errors quote values and addresses, so none of its messages gets out.

Over 300 lines: the conditions on a table's time share the column's type.
"""

from collections import Counter
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
from affiliates.sources.database.columns import CONVERSION_ERRORS, Column, column_of
from affiliates.sources.database.connections import ROWS, connected, engine_of, loaded_through, refusing, table_of
from affiliates.sources.file_formats import check_columns, columns_needed
from affiliates.sources.protocol import EARLIEST, Fingerprint, complete_through

UNKNOWN_BYTES = 1 << 40
"""The size of any table for `bytes_of`, since no database is asked for it: large, so that counting takes a month a pass."""
_SECONDS = {"s": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}
_CORRECT_COLUMNS = (
    "correct the manifest's columns (a text in a condition stands in single quotes, or it is a column's name), or give a view "
    "that has them"
)
"""The next step where a column is missing."""


@dataclass(frozen=True)
class EventTable:
    """A table or view with the columns that the manifest names: an `EventSource`, as `find` gives it."""

    subject: str
    source: Source
    zone: str
    """The group's time zone, whose days are counted."""
    engine: sa.Engine
    display_name: str
    """The database as messages show it, without user and password."""
    columns: Mapping[str, Column]
    """By name: the columns that the manifest names."""
    complete_through: date | None

    @property
    def day_by_day(self) -> bool:
        """Whether the database can find a range of days by the time column: by each type but text, and in SQLite by text, too."""
        return self._time.dtype != pl.String or self._is_sqlite

    @property
    def left_out(self) -> list[str]:
        """Nothing: a table has no files."""
        return []

    def has(self, day: date) -> bool:
        """Whether all events of the day are there. A day that is there and has no event has zero users."""
        return self.complete_through is not None and day <= self.complete_through

    def bytes_of(self, days: Sequence[date]) -> int:
        """`UNKNOWN_BYTES`, whatever the days."""
        return UNKNOWN_BYTES

    def fingerprints(self, periods: Mapping[date, Sequence[date]]) -> dict[date, Fingerprint]:
        """By period: a digest of the number of rows of each day, which the database counts in one statement for all periods.

        Rows that change and stay as many go unnoticed: `mauwatch run --from --to` counts those again. Where the database
        can't tell the group's days, a period's digest has the days beside it, too. Where times are text (but in SQLite), it
        has the number of all rows.
        """
        if not periods:
            return {}
        days = sorted(day for period_days in periods.values() for day in period_days)
        day_expression, margin = self._database_day
        with self.reading(), connected(self.engine) as connection:
            number = sa.func.count()
            if day_expression is None:
                all_rows = connection.execute(sa.select(number).select_from(self._from)).scalar_one()
                return dict.fromkeys(periods, Fingerprint.of_all(all_rows))
            within = self._within([days[0] - DAY * 2, days[-1] + DAY * 2])  # So that days beside are whole.
            by_day = sa.select(day_expression, number).select_from(self._from).where(within).group_by(day_expression)
            rows = Counter[date | None]()
            for value, count in connection.execute(by_day):
                rows[self._day_of(value)] += count
        around = range(-margin, margin + 1)
        # Rows without a day (None) may belong to any period, so each digest has their number.
        return {
            period: Fingerprint.of_all([rows.get(None)] + [rows.get(day + DAY * i) for day in period_days for i in around])
            for period, period_days in periods.items()
        }

    def check(self, days: Sequence[date]) -> None:
        """Nothing: `find` has checked the columns, and values are checked as they are read."""

    def frames(self, days: Sequence[date], columns: Sequence[str], now: datetime | None = None) -> Iterator[pl.LazyFrame]:
        """Rows of these days, `ROWS` a frame; with `now` also the rows whose time no day can have.

        Where the database can't find a range of days, all rows.
        """
        wanted = [self.columns[name] for name in columns]
        yield self._frame([], wanted).lazy()  # So that types are judged without a row, too.
        query = sa.select(*(column.selected for column in wanted)).select_from(self._from)
        if self.day_by_day:
            within = self._within(days)
            query = query.where(within if now is None else sa.or_(within, self._impossible(now)))
        with connected(self.engine) as connection:
            for rows in connection.execute(query).partitions(ROWS):
                yield self._frame(rows, wanted).lazy()

    def newest(self, rows: int) -> pl.LazyFrame:
        """At most `rows` rows of the last complete day or, if that has none, of the table, in no order."""
        wanted = [self.columns[name] for name in columns_needed(self.source)]
        query = sa.select(*(column.selected for column in wanted)).select_from(self._from).limit(rows)
        with self.reading(), connected(self.engine) as connection:
            of_last_day: Sequence[Any] = []
            if self.complete_through is not None and self.day_by_day:
                of_last_day = connection.execute(query.where(self._within([self.complete_through]))).all()
            return self._frame(of_last_day or connection.execute(query).all(), wanted).lazy()

    def reading(self) -> AbstractContextManager[None]:
        """Turns an error of reading inside into a `RefusedError` that quotes no value."""
        return refusing(self.subject, f"{self.source.table} in {self.display_name}")

    def summary(self) -> str:
        """The table, its database and the last complete day; no number of rows, which might take minutes."""
        through = f"complete through {self.complete_through}" if self.complete_through else "complete through no day yet"
        return f"table {self.source.table} in {self.display_name}, {through}"

    @property
    def _is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @cached_property
    def _from(self) -> sa.TableClause:
        assert self.source.table is not None
        return table_of(self.source.table)

    @property
    def _time(self) -> Column:
        """The time column, which the manifest of a table with a database always names."""
        assert self.source.time is not None
        return self.columns[self.source.time.column]

    def _frame(self, rows: Sequence[Any], columns: Sequence[Column]) -> pl.DataFrame:
        """Rows of a query for these columns as a frame; raises `RefusedError` for a value of another type."""
        by_column: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [[] for _ in columns]
        series = []
        for column, values in zip(columns, by_column, strict=True):
            try:
                series.append(column.series(values))
            except CONVERSION_ERRORS:
                raise refused(
                    Code.SOURCE_TYPES_WRONG,
                    f"{self.subject}, {self.source.table}",
                    "values of the wrong type",
                    f"some of column {column.name} aren't {column.values}",
                    "correct them, or give a view that casts the column",
                ) from None
        return pl.DataFrame(series).with_columns(__day__=pl.lit(None, pl.Date), __file__=pl.lit(None, pl.String))

    def _within(self, days: Sequence[date]) -> sa.ColumnElement[bool]:
        """The condition for the days from the first to the last: on the column as it is stored, so that an index serves.

        It is wider than the days where the column alone can't tell them; counting then leaves the others out by each row's
        own day.
        """
        assert self.source.time is not None
        time = self._time.sql
        spec = self.source.time
        dtype = self._time.dtype
        first, after = moments_of(days[0], days[-1], self.zone)
        if dtype == pl.Date:
            return self._text_within(time, days[0], days[-1]) if self._is_sqlite else time.between(days[0], days[-1])
        if isinstance(dtype, pl.Datetime):
            if dtype.time_zone:
                return sa.and_(time >= first, time < after)
            # Local times: three hours more on both sides, since the clocks may have changed and no change is that large.
            local = [at.astimezone(ZoneInfo(spec.zone or "UTC")).replace(tzinfo=None) for at in (first, after)]
            return sa.and_(time >= local[0] - timedelta(hours=3), time < local[1] + timedelta(hours=3))
        if dtype.is_integer():
            scale = _SECONDS[spec.unit or "s"]
            return sa.and_(time >= int(first.timestamp()) * scale, time < int(after.timestamp()) * scale)
        # By the day that a text begins with. Offsets reach from -12 to +14 hours, so two days more on both sides are enough.
        return self._text_within(sa.func.substr(time, 1, 10), days[0] - DAY * 2, days[-1] + DAY * 2)

    @staticmethod
    def _text_within(day_text: sa.ColumnElement[Any], low: date, high: date) -> sa.ColumnElement[bool]:
        """Texts from `low` to `high` (both inclusive), and each text that isn't a day as SQLite writes one.

        Among other texts that would stand where no range finds it: here it is read, and then refused.
        """
        # With a modifier SQLite makes 2025-03-02 of 2025-02-30, and null of what is no day: both differ from the text.
        in_range = day_text.between(low.isoformat(), high.isoformat())
        return sa.or_(in_range, sa.func.date(day_text, "+0 days").is_distinct_from(day_text))

    def _impossible(self, now: datetime) -> sa.ColumnElement[bool]:
        """The condition for rows without a time, or with one before 1971 or after `now`.

        Where the column alone can't tell, times up to a day nearer are read, too: the check of each row is exact.
        """
        assert self.source.time is not None
        time = self._time.sql
        dtype = self._time.dtype
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            return sa.or_(time.is_(None), time < EARLIEST, time > now)
        if dtype.is_integer():
            scale = _SECONDS[self.source.time.unit or "s"]
            return sa.or_(time.is_(None), time < int(EARLIEST.timestamp()) * scale, time > int(now.timestamp()) * scale)
        # In any zone, a local time is less than a day away from UTC's.
        low = EARLIEST.replace(tzinfo=None) + DAY
        high = now.replace(tzinfo=None) - DAY
        if isinstance(dtype, pl.Datetime):
            return sa.or_(time.is_(None), time < low, time > high)
        first, last = (moment.date().isoformat() if self._is_sqlite else moment.date() for moment in (low, high))
        day = time if dtype == pl.Date else sa.func.substr(time, 1, 10)
        return sa.or_(time.is_(None), day < first, day > last)

    @cached_property
    def _database_day(self) -> tuple[sa.ColumnElement[Any] | None, int]:
        """A row's day as the database can tell it, and by how many days that may differ from the group's day.

        None where times are text, in another database than SQLite.
        """
        spec = self.source.time
        time = self._time.sql
        dtype = self._time.dtype
        assert spec is not None
        if dtype == pl.Date:
            return time, 0
        if dtype.is_integer():
            return time // (86_400 * _SECONDS[spec.unit or "s"]), int(self.zone != "UTC")
        if self._is_sqlite:
            return sa.func.date(time), int((spec.zone or "UTC", self.zone) != ("UTC", "UTC"))
        if dtype == pl.String:
            return None, 0
        if self.engine.dialect.name == "postgresql":
            utc = time if dtype.time_zone else sa.func.timezone(spec.zone, time)  # type: ignore[attr-defined]
            return sa.cast(sa.func.timezone(self.zone, utc), sa.Date), 0
        return sa.cast(time, sa.Date), int(spec.zone != self.zone)

    @staticmethod
    def _day_of(value: object) -> date | None:
        """A day as the database gives it: a number of days since 1970, or a day or its text.

        None for rows without a time, and for what is no day: whoever reads these rows refuses them.
        """
        try:
            if isinstance(value, int | float | Decimal):
                return date(1970, 1, 1) + timedelta(int(value))
            return date.fromisoformat(str(value)) if value is not None else None
        except (ValueError, OverflowError):  # Its text quotes the value.
            return None


def find(source: Source, directory: Path, subject: str, zone: str) -> EventTable:
    """Find the table or view that the manifest's `table` names, and its columns, for days of the time zone `zone`.

    Raises `RefusedError` where the database or the table isn't there, where a column is missing, and for a column whose type
    can't be counted.
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
    engine, display_name = engine_of(source.database, directory, subject)
    where = f"{subject}, {source.table}"
    types = _column_types(engine, source.table, where, display_name)
    if not types:
        raise refused(
            Code.SOURCE_MISSING,
            where,
            "no such table or view",
            display_name,
            "correct `table` (with its schema), or let mauwatch's user see it",
        )
    needed = columns_needed(source)
    check_columns(needed, list(types), where, _CORRECT_COLUMNS)
    columns = {name: column_of(name, types[name], source, engine.dialect.name, where) for name in needed}
    setting = source.complete_through
    if isinstance(setting, LoadedThrough):
        last_day = loaded_through(setting, engine, subject, display_name)
    else:
        last_day = complete_through(setting, directory, subject)
    return EventTable(subject, source, zone, engine, display_name, columns, last_day)


def _column_types(engine: sa.Engine, table: str, where: str, display_name: str) -> dict[str, sa.types.TypeEngine[Any]]:
    """The declared type of each column by its name; none where there is no such table, or the user may not see it."""
    named = table_of(table)
    with refusing(where, display_name), engine.connect() as connection:
        try:
            # SQLAlchemy warns of a type that it doesn't know. A needed column of such a type is refused by `column_of`.
            with catch_warnings(action="ignore", category=sa.exc.SAWarning):
                return {column["name"]: column["type"] for column in sa.inspect(connection).get_columns(named.name, named.schema)}
        except sa.exc.NoSuchTableError:
            return {}
