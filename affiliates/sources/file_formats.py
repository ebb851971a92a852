"""Files of events as polars frames: which columns are read, with which types, from Parquet, CSV or JSON lines.

CSV and JSON lines are read as text: a guessed type would turn the identifier 0012 into 12. A column that a condition needs
with another type is named under the manifest's `types`. Whether a file is whole is `file_checks`' question.
"""

import glob
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl

from affiliates.errors import Code, alike, refused
from affiliates.manifests import conditions
from affiliates.manifests.source import ColumnType, Source

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
        return pl.scan_parquet(literal(path))
    if file_format == "csv":
        return _typed(pl.scan_csv(literal(path), infer_schema=False, separator=source.separator), source)
    return _typed(scan_jsonl(path, columns_needed(source)), source)


def scan_jsonl(path: Path, columns: Sequence[str]) -> pl.LazyFrame:
    """These columns of JSON lines as text; a field that a line lacks is null."""
    # With a schema of text polars guesses no type: lines may mix numbers and text, and a number of 23 digits keeps all of them.
    return pl.scan_ndjson(literal(path), schema=dict.fromkeys(columns, pl.String()))


def together(parts: Sequence[tuple[str, date | None, pl.LazyFrame]], source: Source, subject: str) -> pl.LazyFrame:
    """One frame of several files, each given by name, day and frame; `__day__` is the day, or null.

    Raises `RefusedError` for a file whose identifiers are neither text nor whole numbers: joined with another file's text,
    a float would become text as well, and 1001.0 would be another user than 1001.
    """
    for name, _, frame in parts:
        schema = frame.collect_schema()
        for column in [identifier.column for identifier in source.identifiers if identifier.column in schema]:
            check_identifiers(schema[column], column, f"{subject}, {name}")
    # Relaxed: a day without users often comes as a file whose columns have no type.
    return pl.concat([frame.with_columns(__day__=pl.lit(day, pl.Date)) for _, day, frame in parts], how="diagonal_relaxed")


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
