"""A stranger's Parquet or CSV file as a table of the contract's columns, or a refusal that quotes nothing of the file.

Whatever polars raises on damaged files is caught, a panic too. A file that would end the process can't be caught, and is refused
before (`parquet_limits`). Later messages show names and zones of the file, so such a text has to look like a name.
"""

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import polars as pl

from affiliates import signing
from affiliates.contributions import parquet_extras, parquet_limits
from affiliates.errors import Code, RefusedError, refused
from affiliates.sketches.image import MOST_BYTES
from affiliates.sources import file_contents

READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What polars raises on a damaged file; `PanicException` is no `Exception`, and would end the program."""
MOST_TEXT = 256
"""Bytes of a text: a name, a digest, a zone."""
MOST_IMAGES = 1 << 30
"""Bytes of all images together: an image that a dictionary holds once can stand for 100,000 rows."""
_READ_WHOLE = 1 << 20
"""Bytes of a file up to which it is read into memory before polars reads it."""

_FREE_TEXTS = ("protocol", "definition", "definition_digest", "producer")
"""Columns of texts that no message shows; they need not look like a name."""
_NAME_OR_EMPTY = r"^[A-Za-z0-9_][A-Za-z0-9_+./ :-]*$|^$"
_DATE_RANGES = {pl.Date: (-719_162, 2_932_896), pl.Datetime: (-62_135_596_800_000_000, 253_402_300_799_999_999)}
"""The years 1 to 9999, which Python's dates can hold: in days, and in microseconds, from 1970. Both ends are included."""


def read(
    path: Path,
    schema: pl.Schema,
    nullable: Collection[str],
    optional: Collection[str] = (),
    known: Collection[str] | None = None,
) -> pl.DataFrame:
    """The columns of a schema, in its order and types, of a file; of a folder, the rows of all part-files.

    `nullable`: columns in which values may be missing. `optional`: columns that a file may lack; they are then null. `known`: the
    columns that a file may have, where `schema` has only those of them that are wanted.
    Raises `RefusedError` for a file that is too large, can't be read, lacks columns or values, or holds anything else.
    """
    known = schema.names() if known is None else known
    if not path.is_dir():
        return _read_file(path, schema, nullable, optional, known)
    frames = list[pl.DataFrame]()
    size = 0.0
    for part in signing.parts_of(path):
        frames.append(_read_file(part, schema, nullable, optional, known))
        size += frames[-1].estimated_size()
        # Each part is within the limits of a file; a folder of many parts needs the same limits once more.
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


def _read_file(
    path: Path, contract: pl.Schema, nullable: Collection[str], optional: Collection[str], known: Collection[str]
) -> pl.DataFrame:
    if path.stat().st_size == 0:
        raise refused(Code.CONTRIBUTION_UNREADABLE, path.name, "the file has zero bytes", "", "write it again")
    _check_kind(path)
    layout = None if path.suffix == ".csv" else parquet_limits.check(path, known)
    frame = (
        _read_parquet(path, contract, optional, layout.columns, known) if layout else _read_csv(path, contract, optional, known)
    )
    as_written = frame.schema
    schema = pl.Schema({name: contract[name] for name in frame.columns})
    different = [name for name in schema if as_written[name] != schema[name]]
    try:
        if different:
            frame = frame.with_columns(
                _image_of_text(name) for name in different if as_written[name] == pl.String and schema[name] == pl.Binary
            )
            frame = frame.cast(schema)
    except READ_ERRORS:
        raise _wrong_type(path.name, different, as_written, schema) from None
    incomplete = [name for name in schema if name not in nullable and frame[name].null_count()]
    if incomplete:
        raise refused(
            Code.CONTRIBUTION_COLUMNS_WRONG,
            path.name,
            "values are missing",
            f"in {', '.join(incomplete)}",
            "write a value in each row",
        )
    check_values(frame, path.name)
    # Who reads a few of the columns reads all of them later.
    if layout and set(known) <= set(contract.names()):
        parquet_extras.check(path, layout, [name for name, dtype in contract.items() if dtype == pl.Binary])
    if frame.columns == contract.names():
        return frame
    return frame.select(pl.col(name) if name in schema else pl.lit(None, contract[name]).alias(name) for name in contract)


def _check_kind(path: Path) -> None:
    """Raise `RefusedError` for a file that begins as one of another kind, such as a page in HTML, or as text in UTF-16."""
    file_format = "csv" if path.suffix == ".csv" else "parquet"
    head = file_contents.head_of(path)
    # Nobody knows how much it unpacks to before it is unpacked: a kilobyte may be a gigabyte.
    if file_format == "csv" and file_contents.is_packed(head):
        raise refused(
            Code.CONTRIBUTION_UNREADABLE, path.name, "a packed file isn't unpacked", "", "hand in the CSV itself, or Parquet"
        )
    kind = file_contents.other_kind(head, file_format)
    if kind is None and file_format == "csv":
        kind = file_contents.wide_encoding(head)
    if kind:
        raise refused(
            Code.CONTRIBUTION_UNREADABLE,
            path.name,
            f"is not a readable {'CSV' if file_format == 'csv' else 'Parquet'} file",
            f"it is {kind}",
            "write it as Parquet, or as CSV in UTF-8 under a name that ends with .csv",
        )


def _read_parquet(
    path: Path, schema: pl.Schema, optional: Collection[str], columns: Collection[str], known: Collection[str]
) -> pl.DataFrame:
    try:
        # From memory polars reads a small file in half the time.
        content = path.read_bytes() if path.stat().st_size <= _READ_WHOLE else path
        as_written = pl.Schema(pl.read_parquet_schema(content))
        schema = _without_absent(as_written, path.name, schema, optional)
        parquet_extras.check_columns(path.name, columns, known)
        wrong = [name for name in schema if as_written[name].is_nested() or as_written[name].base_type() == pl.Object]
        if wrong:
            raise _wrong_type(path.name, wrong, as_written, schema)
        # Without `glob=False` polars would take a bracket or a star in the file's name for a pattern.
        frame = pl.read_parquet(content, columns=schema.names(), glob=False)
        return frame if frame.columns == schema.names() else frame.select(schema.names())
    except READ_ERRORS:
        raise refused(
            Code.CONTRIBUTION_UNREADABLE,
            path.name,
            "is not a readable Parquet file",
            f"{path.stat().st_size:,} bytes",
            "write it again; it may be cut off",
        ) from None


def _read_csv(path: Path, schema: pl.Schema, optional: Collection[str], known: Collection[str]) -> pl.DataFrame:
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
        # As text, without a guess at types: an epoch named 01 isn't 1. One row more than allowed shows that there are more.
        frame = pl.read_csv(path, infer_schema=False, n_rows=most + 1, glob=False)
        schema = _without_absent(frame.schema, path.name, schema, optional)
        parquet_extras.check_columns(path.name, frame.columns, known)
        if len(frame) > most:
            raise refused(
                Code.CONTRIBUTION_TOO_LARGE, path.name, "the file has too many rows", f"at most {most:,}", "write several files"
            )
        # CSV writes an empty text and a missing value alike. A missing crosswalk's digest is an empty text.
        empty_texts = [pl.col(name).fill_null("") for name in ("crosswalk_digest",) if name in schema]
        days = [pl.col(name).str.to_date("%F") for name, dtype in schema.items() if dtype == pl.Date]
        times = [_moment(name) for name, dtype in schema.items() if dtype.base_type() == pl.Datetime]
        return frame.select(schema.names()).with_columns(*empty_texts, *days, *times)
    except READ_ERRORS:
        fault = file_contents.text_fault(path)
        raise refused(
            Code.CONTRIBUTION_UNREADABLE,
            path.name,
            "is not a readable CSV file",
            f"{fault.rule}: {fault.values}" if fault else f"{path.stat().st_size:,} bytes",
            fault.next_step if fault else "write it again, in UTF-8 and with a header",
        ) from None


def _moment(name: str) -> pl.Expr:
    """A column of ISO 8601 texts with an offset, in UTC; without an offset nobody could tell which moment is meant."""
    return pl.col(name).str.replace(" ", "T", literal=True).str.to_datetime("%FT%T%.f%#z", time_unit="us", time_zone="UTC")


def _without_absent(columns: Collection[str], subject: str, schema: pl.Schema, optional: Collection[str]) -> pl.Schema:
    """The schema without the optional columns that a file lacks; raises `RefusedError` where it lacks others."""
    missing = [name for name in schema if name not in columns]
    if needed := [name for name in missing if name not in optional]:
        raise refused(
            Code.CONTRIBUTION_COLUMNS_WRONG,
            subject,
            "columns are missing",
            ", ".join(needed),
            "write all columns of the contract",
        )
    return pl.Schema({name: dtype for name, dtype in schema.items() if name not in missing})


def _image_of_text(name: str) -> pl.Expr:
    """A column of images that an engine has written as text: in hex, as PostgreSQL and Snowflake show bytes, or in base64.

    No text is both: an image begins with the bytes 2, 3 or 10, 1, 7, which in base64 are no hex. A text that is neither stays
    as it is: no image, and refused later, by what it is.
    """
    text = pl.col(name).str.strip_prefix("\\x")
    as_it_is = pl.col(name).cast(pl.Binary)
    image = pl.coalesce(text.str.decode("hex", strict=False), text.str.decode("base64", strict=False), as_it_is)
    return pl.when(text.is_not_null()).then(image).alias(name)


def _wrong_type(subject: str, names: Collection[str], as_written: pl.Schema, schema: pl.Schema) -> RefusedError:
    """Types by their kind alone: the fields of a struct and the values of an enumeration are the sender's words."""
    wrong = [f"{name} is {as_written[name].base_type().__name__}, not {schema[name]}" for name in names]
    return refused(
        Code.CONTRIBUTION_COLUMNS_WRONG, subject, "columns have the wrong type", "; ".join(wrong), "write the contract's types"
    )


def check_values(frame: pl.DataFrame, subject: str) -> None:
    """Refuse dates that Python can't hold, images and texts beyond the limits, and texts that are no name: `RefusedError`.

    Rows that pass together pass in parts.
    """
    measures = _measures(tuple(frame.schema.items()))
    measured = frame.select(measures).row(0, named=True)  # All in one query: a file often has one row.

    def columns_over(measure: str, limit: int) -> str:
        return ", ".join(name for name in frame.columns if (measured.get(f"{measure} {name}") or 0) > limit)

    if names := columns_over("dates", 0):
        raise refused(
            Code.CONTRIBUTION_VALUES_INVALID, subject, "a date outside the years 1 to 9999", f"in {names}", "correct the query"
        )
    if names := columns_over("image", MOST_BYTES):
        raise refused(
            Code.CONTRIBUTION_TOO_LARGE,
            subject,
            "an image is too large",
            f"in {names}, at most {MOST_BYTES:,} bytes",
            "write sketches",
        )
    images = sum(number for name, number in measured.items() if name.startswith("images "))
    if images > MOST_IMAGES:
        raise refused(
            Code.CONTRIBUTION_TOO_LARGE,
            subject,
            "the images are too large",
            f"{images:,} bytes, at most {MOST_IMAGES:,}",
            "write several files",
        )
    if names := columns_over("text", MOST_TEXT):
        raise refused(
            Code.CONTRIBUTION_VALUES_INVALID,
            subject,
            "a text is too long",
            f"in {names}, at most {MOST_TEXT} bytes",
            "write names",
        )
    if names := columns_over("no_name", 0):
        n_rows = sum(measured[f"no_name {name}"] for name in names.split(", "))
        raise refused(
            Code.CONTRIBUTION_VALUES_INVALID,
            subject,
            "values that are no name",
            f"{n_rows} rows of {names}",
            "write letters, digits, dots and dashes",
        )


@lru_cache(maxsize=16)
def _measures(columns: tuple[tuple[str, pl.DataType], ...]) -> list[pl.Expr]:
    """The expressions of `_measures_of`, made once for all files of these columns."""
    return list(_measures_of(columns))


def _measures_of(columns: Iterable[tuple[str, pl.DataType]]) -> Iterator[pl.Expr]:
    """Of each column, as `MEASURE COLUMN`: `dates` out of range, the largest `image` or `text`, all `images`, texts of `no_name`.

    `image`, `images` and `text` are bytes; the others are numbers of rows.
    """
    for name, dtype in columns:
        column = pl.col(name)
        kind = dtype.base_type()
        if kind in _DATE_RANGES:
            yield (~column.to_physical().is_between(*_DATE_RANGES[kind])).sum().alias(f"dates {name}")
        if kind == pl.Binary:
            yield column.bin.size().max().alias(f"image {name}")
            yield column.bin.size().cast(pl.UInt64).sum().alias(f"images {name}")  # 32 bits overflow at 4 GiB.
        if kind == pl.String:
            yield column.str.len_bytes().max().alias(f"text {name}")
        if kind == pl.String and name not in _FREE_TEXTS:
            yield (~column.str.contains(_NAME_OR_EMPTY)).sum().alias(f"no_name {name}")
