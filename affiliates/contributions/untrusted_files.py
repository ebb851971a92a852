"""A stranger's Parquet file as a table of the contract's columns, or a refusal that quotes nothing of it.

What polars does with damaged files is caught, a panic too; what nobody could catch, because the process would be gone, is
refused before (`parquet_limits`). What a text holds shows in later messages, so it has to look like a name.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

import polars as pl

from affiliates import signing
from affiliates.contributions import parquet_limits
from affiliates.errors import Code, RefusedError, refused
from affiliates.sketches.image import MOST_BYTES

READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
MOST_TEXT = 256
"""Bytes of a text: a name, a digest, a zone."""
MOST_IMAGES = 1 << 30
"""Bytes of all images together: a dictionary of one can stand for 100,000."""

_FREE = ("protocol", "definition", "definition_digest", "producer")
"""Texts that no message shows."""
_WORD = r"^[A-Za-z0-9_][A-Za-z0-9_+./ :-]*$|^$"
_DATES = {pl.Date: (-719_162, 2_932_896), pl.Datetime: (-62_135_596_800_000_000, 253_402_300_799_999_999)}
"""What Python's dates can say, the years 1 to 9999: in days, and in microseconds, from 1970."""


def read(path: Path, schema: pl.Schema, nullable: Collection[str], optional: Collection[str] = ()) -> pl.DataFrame:
    """The columns of a schema, in its types, within the limits; of a folder all part-files together. Raises `RefusedError`.

    Columns that are optional and not there are null.
    """
    if not path.is_dir():
        return _file(path, schema, nullable, optional)
    frames = list[pl.DataFrame]()
    size = 0.0
    for part in signing.parts_of(path):
        frames.append(_file(part, schema, nullable, optional))
        size += frames[-1].estimated_size()
        if sum(map(len, frames)) > parquet_limits.MOST_ROWS or size > parquet_limits.MOST_UNPACKED:
            raise refused(
                Code.CONTRIBUTION_TOO_LARGE,
                path.name,
                "the folder holds too much",
                f"{len(frames)} parts of it already",
                "write several folders",
            )
    if not frames:
        raise refused(Code.CONTRIBUTION_UNREADABLE, path.name, "the folder holds no part-file", "", "write it again")
    return pl.concat(frames)


def _file(path: Path, whole: pl.Schema, nullable: Collection[str], optional: Collection[str]) -> pl.DataFrame:
    if path.stat().st_size == 0:
        raise refused(Code.CONTRIBUTION_UNREADABLE, path.name, "the file has zero bytes", "", "write it again")
    frame = _csv(path, whole, optional) if path.suffix == ".csv" else _parquet(path, whole, optional)
    there = frame.schema
    schema = pl.Schema({name: whole[name] for name in frame.columns})
    try:
        frame = frame.with_columns(_image(name) for name in schema if there[name] == pl.String and schema[name] == pl.Binary)
        frame = frame.cast(schema)
    except READ_ERRORS:
        different = [name for name in schema if there[name] != schema[name]]
        raise _wrong_type(path.name, different, there, schema) from None
    missing_in = frame.null_count().row(0, named=True)
    empty = [name for name in schema if name not in nullable and missing_in[name]]
    if empty:
        raise refused(
            Code.CONTRIBUTION_COLUMNS_WRONG,
            path.name,
            "values are missing",
            f"in {', '.join(empty)}",
            "write a value in each row",
        )
    _check_values(frame, path.name)
    return frame.select(pl.col(name) if name in schema else pl.lit(None, whole[name]).alias(name) for name in whole)


def _parquet(path: Path, schema: pl.Schema, optional: Collection[str]) -> pl.DataFrame:
    parquet_limits.check(path, schema.names())
    try:
        there = pl.Schema(pl.read_parquet_schema(path))
        schema = _there(there, path.name, schema, optional)
        wrong = [name for name in schema if there[name].is_nested() or there[name].base_type() == pl.Object]
        if wrong:
            raise _wrong_type(path.name, wrong, there, schema)
        return pl.read_parquet(path, columns=schema.names(), glob=False).select(schema.names())
    except READ_ERRORS:
        raise refused(
            Code.CONTRIBUTION_UNREADABLE,
            path.name,
            "is not a readable Parquet file",
            f"{path.stat().st_size:,} bytes",
            "write it again; it may be cut off",
        ) from None


def _csv(path: Path, schema: pl.Schema, optional: Collection[str]) -> pl.DataFrame:
    """From an engine that writes no Parquet: UTF-8, a header, commas, ISO 8601; images as text."""
    most = parquet_limits.MOST_ROWS
    try:
        if path.stat().st_size > parquet_limits.MOST_FILE:
            raise refused(
                Code.CONTRIBUTION_TOO_LARGE,
                path.name,
                "the file is too large",
                f"at most {parquet_limits.MOST_FILE:,} bytes",
                "write several files",
            )
        frame = pl.read_csv(path, infer_schema=False, n_rows=most + 1, glob=False)
        schema = _there(frame.schema, path.name, schema, optional)
        if len(frame) > most:
            raise refused(
                Code.CONTRIBUTION_TOO_LARGE, path.name, "the file has too many rows", f"at most {most:,}", "write several files"
            )
        # An empty text and a missing value look alike in CSV; only where nothing may be missing it is a text.
        empty = [pl.col(name).fill_null("") for name in ("crosswalk_digest",) if name in schema]
        days = [pl.col(n).str.to_date("%F") for n, dtype in schema.items() if dtype == pl.Date]
        times = [_moment(n) for n, dtype in schema.items() if dtype.base_type() == pl.Datetime]
        return frame.select(schema.names()).with_columns(*empty, *days, *times)
    except READ_ERRORS:
        raise refused(
            Code.CONTRIBUTION_UNREADABLE,
            path.name,
            "is not a readable CSV file",
            f"{path.stat().st_size:,} bytes",
            "write it again, in UTF-8 and with a header",
        ) from None


def _moment(name: str) -> pl.Expr:
    return pl.col(name).str.replace(" ", "T", literal=True).str.to_datetime("%FT%T%.f%#z", time_unit="us", time_zone="UTC")


def _there(there: Collection[str], subject: str, schema: pl.Schema, optional: Collection[str]) -> pl.Schema:
    """The schema without the optional columns that aren't there."""
    missing = [name for name in schema if name not in there]
    if needed := [name for name in missing if name not in optional]:
        raise refused(
            Code.CONTRIBUTION_COLUMNS_WRONG,
            subject,
            "columns are missing",
            ", ".join(needed),
            "write all columns of the contract",
        )
    return pl.Schema({name: dtype for name, dtype in schema.items() if name not in missing})


def _image(name: str) -> pl.Expr:
    """An image that an engine has written as text: hex, as PostgreSQL and Snowflake show bytes, or base64. Neither can be the
    other: an image begins with the bytes 2, 3 or 10, 1, 7, which in base64 are no hex."""
    text = pl.col(name).str.strip_prefix("\\x")
    image = pl.coalesce(text.str.decode("hex", strict=False), text.str.decode("base64", strict=False), pl.lit(b""))
    return pl.when(text.is_not_null()).then(image).alias(name)


def _wrong_type(subject: str, names: Collection[str], there: pl.Schema, schema: pl.Schema) -> RefusedError:
    """Types by their kind alone: the fields of a struct and the values of an enumeration are the sender's words."""
    wrong = [f"{name} is {there[name].base_type().__name__}, not {schema[name]}" for name in names]
    return refused(
        Code.CONTRIBUTION_COLUMNS_WRONG, subject, "columns have the wrong type", "; ".join(wrong), "write the contract's types"
    )


def _check_values(frame: pl.DataFrame, subject: str) -> None:
    found = frame.select(_measures(frame.schema)).row(0, named=True)  # All in one query: a file often has one row.

    def over(what: str, limit: int) -> str:
        return ", ".join(name for name in frame.columns if (found.get(f"{what} {name}") or 0) > limit)

    if names := over("dates", 0):
        raise refused(
            Code.CONTRIBUTION_VALUES_INVALID, subject, "a date outside the years 1 to 9999", f"in {names}", "correct the query"
        )
    if names := over("image", MOST_BYTES):
        raise refused(
            Code.CONTRIBUTION_TOO_LARGE,
            subject,
            "an image is too large",
            f"in {names}, at most {MOST_BYTES:,} bytes",
            "write sketches",
        )
    images = sum(number for name, number in found.items() if name.startswith("images "))
    if images > MOST_IMAGES:
        raise refused(
            Code.CONTRIBUTION_TOO_LARGE,
            subject,
            "the images are too large",
            f"{images:,} bytes, at most {MOST_IMAGES:,}",
            "write several files",
        )
    if names := over("text", MOST_TEXT):
        raise refused(
            Code.CONTRIBUTION_VALUES_INVALID,
            subject,
            "a text is too long",
            f"in {names}, at most {MOST_TEXT} bytes",
            "write names",
        )
    if names := over("words", 0):
        wrong = f"{sum(found[f'words {name}'] for name in names.split(', '))} rows of {names}"
        raise refused(
            Code.CONTRIBUTION_VALUES_INVALID, subject, "values that are no name", wrong, "write letters, digits, dots and dashes"
        )


def _measures(schema: pl.Schema) -> Iterator[pl.Expr]:
    """What is to be known of each column: how many values are out of range, the largest, and the sum of all."""
    for name, dtype in schema.items():
        column = pl.col(name)
        kind = dtype.base_type()
        if kind in _DATES:
            yield (~column.to_physical().is_between(*_DATES[kind])).sum().alias(f"dates {name}")
        if kind == pl.Binary:
            yield column.bin.size().max().alias(f"image {name}")
            yield column.bin.size().cast(pl.UInt64).sum().alias(f"images {name}")  # 32 bits overflow at 4 GiB.
        if kind == pl.String:
            yield column.str.len_bytes().max().alias(f"text {name}")
        if kind == pl.String and name not in _FREE:
            yield (~column.str.contains(_WORD)).sum().alias(f"words {name}")
