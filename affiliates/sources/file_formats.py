"""Files of events as polars frames: which columns are read, with which types, from Parquet, CSV or JSON lines.

CSV and JSON lines are read as text: a guessed type would turn the identifier 0012 into 12. A column that a condition needs
with another type is named under the manifest's `types`. Whether a file is whole is `file_checks`' question.
"""

import glob
import os
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from affiliates.errors import Code, alike, refused
from affiliates.manifests import conditions
from affiliates.manifests.source import EXCLUDED_COLUMN, PERSON_KEY_COLUMNS, ColumnType, EventTime, Source

READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What polars raises for a file that is damaged or gone. It panics where damage lies beyond what it looked at first."""
_TYPES: dict[ColumnType, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
}
_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_IDENTIFIER_TYPES = (pl.String, pl.Categorical, pl.Enum, pl.Null)
"""Types of identifiers beside whole numbers. Null is the type of a column in a file without users."""
_CORRECT_COLUMNS = (
    "correct the manifest's columns (a text in a condition stands in single quotes, or it is a column's name), or the export; "
    "a CSV needs a first line with its columns' names"
)


def columns_needed(source: Source, who: bool = True) -> list[str]:
    """The columns that the manifest names, each once: time, identifiers, those of conditions, those under `types`.

    Without `who` the identifiers' columns are left out, unless a condition needs them, too.
    """
    names = [source.time.column] if source.time else []
    names += [identifier.column for identifier in source.identifiers if who]
    for condition in (source.counts_when, source.internal_when, source.automated_when):
        if condition is not None:
            names += sorted(conditions.check(condition, "a condition"))
    return list(dict.fromkeys([*names, *source.types]))


def scan_file(path: Path, file_format: str, source: Source) -> pl.LazyFrame:
    """A file's columns, lazily. Columns of CSV and JSON lines are text, but for those that `types` names.

    A value that isn't of its named type becomes null here: `file_checks.check_file` refuses it before.
    """
    if file_format == "parquet":
        return scan_parquet(literal(path))
    if file_format == "csv":
        return _typed(pl.scan_csv(literal(path), infer_schema=False, separator=source.separator), source)
    columns = [*PERSON_KEY_COLUMNS, EXCLUDED_COLUMN] if source.person_keys else columns_needed(source)
    return _typed(scan_jsonl(path, columns), source)


def scan_parquet(place: str, **options: Any) -> pl.LazyFrame:
    """A Parquet file's columns, lazily. `place` is escaped where a name isn't meant as a pattern; `options` are polars'."""
    # Without it polars panics on a zone that isn't in the IANA database, such as the +05:30 that Arrow writes, even in a column
    # that nobody reads. The moments are in UTC, whatever the name of the zone.
    os.environ.setdefault("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1")
    return pl.scan_parquet(place, **options)


def scan_jsonl(path: Path, columns: Sequence[str]) -> pl.LazyFrame:
    """These columns of JSON lines as text; a field that a line lacks is null."""
    # With a schema of text polars guesses no type: lines may mix numbers and text, and a number of 23 digits keeps all of them.
    return pl.scan_ndjson(literal(path), schema=dict.fromkeys(columns, pl.String()))


def together(
    parts: Sequence[tuple[str, date | None, pl.LazyFrame]], columns: Sequence[str], source: Source, subject: str
) -> list[pl.LazyFrame]:
    """Frames of several files, each file given by name, day and frame: these columns with `__day__` and `__file__`.

    Files whose columns have the same types make one frame. Another writer's times are never cast to fit: a date would become a
    midnight in UTC, which is another day elsewhere. Columns that nobody reads may be of any type.

    Raises `RefusedError` for a file whose identifiers or times are of a type that can't be counted: joined with another file's
    text, a float would become text as well, and 1001.0 would be another user than 1001.
    """
    if EXCLUDED_COLUMN in columns:
        parts = [(name, day, _with_excluded(frame)) for name, day, frame in parts]
    schemas = [pl.Schema({name: frame.collect_schema()[name] for name in columns}) for _, _, frame in parts]
    # A day without users often comes as a file whose columns have no type: such a column fits any other.
    typed = {name: next((s[name] for s in schemas if s[name] != pl.Null), pl.Null()) for name in columns}
    by_types: dict[tuple[pl.DataType, ...], list[pl.LazyFrame]] = {}
    for (name, day, frame), schema in zip(parts, schemas, strict=True):
        where = f"{subject}, {name}"
        for column in [identifier.column for identifier in source.identifiers if identifier.column in schema]:
            check_identifiers(schema[column], column, where)
        if source.time is not None and source.time.column in schema:
            check_time(schema[source.time.column], source.time, where)
        types = tuple(typed[column] if schema[column] == pl.Null else schema[column] for column in columns)
        if types not in by_types:
            check_conditions(source, pl.Schema(zip(columns, types, strict=True)), where)
        part = frame.select(*columns, __day__=pl.lit(day, pl.Date), __file__=pl.lit(name, pl.String))
        by_types.setdefault(types, []).append(part)
    return [pl.concat(frames, how="vertical_relaxed") for frames in by_types.values()]


def _with_excluded(frame: pl.LazyFrame) -> pl.LazyFrame:
    """The frame with the column that a table of ready keys may lack: null where it does, or where a value is no whole number."""
    dtype = frame.collect_schema().get(EXCLUDED_COLUMN)
    column = pl.lit(None, pl.Int64) if dtype is None else pl.col(EXCLUDED_COLUMN).cast(pl.Int64, strict=False)
    return frame.with_columns(column.alias(EXCLUDED_COLUMN))


def check_conditions(source: Source, schema: pl.Schema, where: str) -> None:
    """Raise `RefusedError` for a condition whose columns are all in a schema and don't fit their types."""
    for name in ("counts_when", "internal_when", "automated_when"):
        condition = getattr(source, name)
        if condition is not None and conditions.check(condition, name) <= set(schema):
            conditions.expression(condition, schema, f"{where}, {name}")


def check_time(dtype: pl.DataType, spec: EventTime, where: str) -> None:
    """Raise `RefusedError` for a column of times whose type is none of a time. A column without a type fits: it has no time."""
    if dtype == pl.Null or isinstance(dtype, pl.Date | pl.Datetime) or (dtype == pl.String and not spec.unit):
        return
    if not (dtype.is_integer() and spec.unit):
        raise refused(
            Code.SOURCE_TIMES_UNCLEAR,
            where,
            "the time column has no type of a time",
            f"column {spec.column} is {dtype}",
            "give times with a zone, ISO 8601 text, or whole numbers with a `unit`; CSV and JSON lines need `types` for these",
        )


def check_identifiers(dtype: pl.DataType, column: str, where: str) -> None:
    """Raise `RefusedError` for a column of identifiers that is neither text nor whole numbers."""
    if not (dtype in _IDENTIFIER_TYPES or dtype.is_integer()):
        raise refused(
            Code.SOURCE_IDENTIFIERS_UNUSABLE,
            where,
            "identifiers must be text or whole numbers",
            f"column {column} is {dtype}",
            "write them as text: other types lose digits or have no one spelling",
        )


def check_columns(needed: Sequence[str], present: Sequence[str], where: str, next_step: str = _CORRECT_COLUMNS) -> None:
    """Raise `RefusedError` where a column that the manifest names isn't among those that are present."""
    missing = [column for column in needed if column not in present]
    if not missing:
        return
    # The message shows only those present names that look much like a missing one: where a CSV has no header, its first line
    # holds people, and their addresses would be printed.
    words = [column for column in present if re.fullmatch("[A-Za-z_]+", column)]
    similar = {column: name for column in missing for name in alike(column, words)}
    hint = f"; it has {', '.join(f'{name} for {column}' for column, name in similar.items())}" if similar else ""
    raise refused(
        Code.SOURCE_COLUMNS_MISSING,
        where,
        "columns are missing",
        f"{', '.join(missing)}, among {len(present)} columns{hint}",
        next_step,
    )


def check_only_keys(source: Source, present: Sequence[str], where: str) -> None:
    """Raise `RefusedError` where a table of ready-made keys has more columns than such a table: identifiers may stand there.

    The message says where a column stands, and not its name.
    """
    if not source.person_keys:
        return
    others = [place for place, column in enumerate(present, 1) if column not in (*PERSON_KEY_COLUMNS, EXCLUDED_COLUMN)]
    if others or len(set(present)) < len(present):
        raise refused(
            Code.SOURCE_KEYS_INVALID,
            where,
            "a table of keys has other columns beside its own",
            f"no. {', '.join(map(str, others[:10]))} of {len(present)}" if others else "a column stands twice",
            "write the columns of the query that makes such tables, and no identifier",
        )


def literal(path: Path) -> str:
    """The path, escaped for polars, which would read `e[1].csv` as a pattern and open e1.csv instead."""
    return glob.escape(str(path))


def cast_text(column: str, column_type: ColumnType) -> pl.Expr:
    """A column of text as the type that `types` names; null for a value that isn't of it."""
    text = pl.col(column).str.strip_chars()
    if column_type == "boolean":
        # polars has no cast from text to boolean. PostgreSQL writes t and f into its CSV exports, Python True and False.
        return text.str.to_lowercase().replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)
    if column_type == "date":
        return text.str.to_date("%Y-%m-%d", strict=False)
    return text.cast(_TYPES[column_type], strict=False)


def _typed(frame: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """The frame with each column that `types` names in its type."""
    return frame.with_columns(cast_text(column, column_type) for column, column_type in source.types.items())
