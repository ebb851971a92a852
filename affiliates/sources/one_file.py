"""One file of events: reading it lazily, and whether it is whole.

polars fills a CSV's short lines with nulls and quotes values in its errors, so a file is checked
here before anything in it counts, and what is wrong is said without a value.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from affiliates import conditions
from affiliates.refusal import Refusal
from affiliates.source import ColumnType, Source

READ_ERRORS = (pl.exceptions.PolarsError, OSError)
_TYPES: dict[ColumnType, pl.DataType] = {
    "text": pl.String(), "integer": pl.Int64(), "number": pl.Float64(), "boolean": pl.Boolean(), "date": pl.Date(),
}  # fmt: skip


def columns_needed(source: Source) -> list[str]:
    """The columns that the manifest names, in its order."""
    names = [source.time.column] if source.time else []
    names += [identifier.column for identifier in source.identifiers]
    for condition in (source.counts_when, source.internal_when, source.automated_when):
        if condition is not None:
            names += sorted(conditions.check(condition, "a condition"))
    return list(dict.fromkeys([*names, *source.types]))


def scan_file(path: Path, kind: str, source: Source) -> pl.LazyFrame:
    if kind == "parquet":
        frame = pl.scan_parquet(path)
    elif kind == "csv":
        frame = _typed(pl.scan_csv(path, infer_schema=False, separator=source.separator), source)
    else:
        schema = dict.fromkeys(columns_needed(source), pl.String())
        frame = _typed(pl.scan_ndjson(path, schema=schema), source)
    return frame


def _typed(frame: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    return frame.with_columns(cast(column, dtype) for column, dtype in source.types.items())


def cast(column: str, dtype: ColumnType) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    if dtype == "boolean":
        names = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
        return text.str.to_lowercase().replace_strict(names, default=None, return_dtype=pl.Boolean)
    if dtype == "date":
        return text.str.to_date("%Y-%m-%d", strict=False)
    return text.cast(_TYPES[dtype], strict=False)


def check_file(path: Path, kind: str, source: Source, subject: str) -> None:
    where = f"{subject}, {path.name}"
    if path.stat().st_size == 0:
        raise Refusal(
            where, "the file has zero bytes", "an export that failed, not a day without users",
            "write it again; for zero users, write a file with its columns and no rows",
        )  # fmt: skip
    if kind == "parquet":
        try:
            there = list(pl.scan_parquet(path).collect_schema())
        except READ_ERRORS:
            raise Refusal(
                where, "is not a readable Parquet file", f"{path.stat().st_size:,} bytes; its footer is missing or broken",
                "write it again; it may be cut off",
            ) from None  # fmt: skip
    elif kind == "csv":
        there = _check_csv(path, source.separator, where)
    else:
        there = _check_jsonl(path, where)
    missing = [column for column in columns_needed(source) if column not in there]
    if missing:
        raise Refusal(
            where, "columns are missing", f"{', '.join(missing)}; there are {', '.join(there)}",
            "correct the manifest's columns, or the export",
        )  # fmt: skip
    if kind != "parquet" and source.types:
        _check_types(path, kind, source, where)


def _check_types(path: Path, kind: str, source: Source, where: str) -> None:
    text = scan_file(path, kind, source.model_copy(update={"types": {}}))
    lost = text.select(
        (cast(c, t).is_null() & (pl.col(c).str.strip_chars() != "")).sum().alias(c) for c, t in source.types.items()
    )
    for column, count in lost.collect().to_dicts()[0].items():
        if count:
            raise Refusal(
                where, "values of the wrong type", f"{count:,} of column {column} aren't {source.types[column]}",
                "correct the export, or the column's type under `types`",
            )  # fmt: skip


def _lines(path: Path) -> Iterator[str]:
    for batch in pl.scan_lines(path).collect_batches(maintain_order=True):
        yield from batch["line"]


def _check_csv(path: Path, separator: str, where: str) -> list[str]:
    """The header, once every line has as many fields: polars fills short lines with nulls."""
    try:
        first = pl.scan_lines(path).head(1).collect()["line"].to_list()
        header = next(csv.reader(first, delimiter=separator, strict=True)) if first else []
        if header:
            header[0] = header[0].removeprefix("\ufeff")
        line = pl.col("line")
        bare = pl.when(line.str.contains('"', literal=True)).then(line.str.replace_all('"[^"]*"', "")).otherwise(line)
        counted = pl.scan_lines(path, row_index_name="row").select(
            "row", fields=bare.str.count_matches(separator, literal=True) + 1, quoted=bare.str.contains('"', literal=True)
        )
        bad = counted.filter((pl.col("fields") != len(header)) | pl.col("quoted")).head(1).collect().rows()
    except csv.Error:
        header, bad = [], []
    except READ_ERRORS:
        raise Refusal(where, "can't be read as CSV", "it isn't UTF-8 text, or it is cut off", "write the file again") from None
    if len(set(header)) != len(header) or not header or not all(header):
        raise Refusal(where, "the first line must name the columns, each once", f"{len(header)} names", "write it with a header")
    if bad and bad[0][2]:  # A quote that its line doesn't close: only a full reading tells.
        bad = [(row - 1, fields, False) for row, fields in _uneven_rows(path, separator, len(header))]
    if bad:
        row, fields, _ = bad[0]
        said = f"{fields} fields" if fields >= 0 else "a quotation mark is never closed"
        raise Refusal(
            where, "a bad line", f"line {row + 1}: {said}, the header has {len(header)}", "correct the line or the export"
        )
    return header


def _uneven_rows(path: Path, separator: str, width: int) -> Iterator[tuple[int, int]]:
    reader = csv.reader((f"{line}\n" for line in _lines(path)), delimiter=separator, strict=True)
    try:
        for row in reader:
            if len(row) != width:
                yield reader.line_num, len(row)
                return
    except csv.Error:
        yield reader.line_num, -1


def _check_jsonl(path: Path, where: str) -> list[str]:
    try:
        inferred = list(pl.scan_ndjson(path, infer_schema_length=10_000).collect_schema())
        pl.scan_ndjson(path, schema={column: pl.String() for column in inferred}).select(pl.len()).collect()
    except READ_ERRORS:
        inferred = []
    if inferred:
        return inferred
    number = 0
    try:
        for line in _lines(path):
            number += 1
            if not isinstance(json.loads(line), dict):
                break
    except ValueError:
        pass
    except READ_ERRORS:
        raise Refusal(where, "can't be read to its end", f"after line {number}", "write it again; it may be cut off") from None
    raise Refusal(
        where, "a bad line" if number else "holds no line, so no columns",
        f"line {number} isn't a JSON object" if number else "", "write one JSON object a line",
    )  # fmt: skip
