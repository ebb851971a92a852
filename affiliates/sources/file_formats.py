"""One file of events: reading it lazily, and whether it is whole.

polars fills a CSV's short lines with nulls, loses lines between stray quotation marks and quotes
values in its errors. So a file is checked here before anything in it counts, and what is wrong is
said without a value: not even a column's name, since a file without a header has people there.
"""

import csv
import glob
import json
import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from affiliates.errors import Code, alike, refused
from affiliates.manifests import conditions
from affiliates.manifests.source import ColumnType, Source

READ_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
"""What polars says of a file that is damaged or gone; a panic, where it looked at too little."""
_TYPES: dict[ColumnType, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
}
_IDENTIFIER_TYPES = (pl.String, pl.Categorical, pl.Enum, pl.Null)
_HEADED = "correct the manifest's columns, or the export; a CSV needs a first line with its columns' names"
_QUOTED = '"(?:[^"]|"")*"'


def columns_needed(source: Source, who: bool = True) -> list[str]:
    """The columns that the manifest names, in its order; but for `who`, without those that only tell the user."""
    names = [source.time.column] if source.time else []
    names += [identifier.column for identifier in source.identifiers if who]
    for condition in (source.counts_when, source.internal_when, source.automated_when):
        if condition is not None:
            names += sorted(conditions.check(condition, "a condition"))
    return list(dict.fromkeys([*names, *source.types]))


def scan_file(path: Path, kind: str, source: Source) -> pl.LazyFrame:
    """A file's columns, in CSV and JSON lines as text but for those that `types` names."""
    if kind == "parquet":
        return pl.scan_parquet(literal(path))
    if kind == "csv":
        return _typed(pl.scan_csv(literal(path), infer_schema=False, separator=source.separator), source)
    return _typed(_scan_jsonl(path, columns_needed(source)), source)


def together(files: Sequence[tuple[str, date | None, pl.LazyFrame]], source: Source, subject: str) -> pl.LazyFrame:
    """The columns of files, by name and day; `__day__` is the day, or null.

    Raises `RefusedError` for a file whose identifiers have no one spelling: among others' text, a float would become text, too.
    """
    for name, _, frame in files:
        schema = frame.collect_schema()
        for column in [i.column for i in source.identifiers if i.column in schema]:
            check_identifiers(schema[column], column, f"{subject}, {name}")
    # Relaxed: a day without users often comes as a file whose columns have no type.
    return pl.concat([frame.with_columns(__day__=pl.lit(day, pl.Date)) for _, day, frame in files], how="diagonal_relaxed")


def check_identifiers(dtype: pl.DataType, column: str, where: str) -> None:
    """Refuse a column of identifiers by its type."""
    if not (dtype in _IDENTIFIER_TYPES or dtype.is_integer()):
        raise refused(
            Code.SOURCE_IDENTIFIERS_UNUSABLE,
            where,
            "identifiers must be text or whole numbers",
            f"column {column} is {dtype}",
            "write them as text: other types lose digits or have no one spelling",
        )


def check_file(path: Path, kind: str, source: Source, subject: str, name: str = "") -> None:
    """Check a file as a whole: readable to its end, with the manifest's columns, each line complete.

    Raises `RefusedError`, which calls it by `name` where its own isn't what the manifest leads to.
    """
    where = f"{subject}, {name or path.name}"
    try:
        if path.stat().st_size == 0:
            raise refused(
                Code.SOURCE_UNREADABLE,
                where,
                "the file has zero bytes",
                "an export that failed, not a day without users",
                "write it again; for zero users, write a file with its columns and no rows",
            )
        if kind == "parquet":
            _check_parquet(path, columns_needed(source), where)
        elif kind == "csv":
            _check_csv(path, source, where)
        else:
            _check_jsonl(path, columns_needed(source), where, {i.column for i in source.identifiers})
        if kind != "parquet" and source.types:
            _check_types(path, kind, source, where)
    except PermissionError:
        raise refused(
            Code.SOURCE_UNREACHABLE, where, "may not be read", "permission denied", "let the user of mauwatch read it"
        ) from None
    except READ_ERRORS:
        raise refused(
            Code.SOURCE_UNREADABLE, where, "can't be read to its end", f"read as {kind}", "write it again; it may be cut off"
        ) from None


def literal(path: Path) -> str:
    """The path as polars takes it: it would read `e[1].csv` as a pattern, and then e1.csv instead."""
    return glob.escape(str(path))


def _scan_jsonl(path: Path, columns: list[str]) -> pl.LazyFrame:
    return pl.scan_ndjson(literal(path), schema=dict.fromkeys(columns, pl.String()))


def _typed(frame: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    return frame.with_columns(_cast(column, dtype) for column, dtype in source.types.items())


def _cast(column: str, dtype: ColumnType) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    if dtype == "boolean":
        names = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
        return text.str.to_lowercase().replace_strict(names, default=None, return_dtype=pl.Boolean)
    if dtype == "date":
        return text.str.to_date("%Y-%m-%d", strict=False)
    return text.cast(_TYPES[dtype], strict=False)


def check_there(needed: list[str], there: list[str], where: str, next_step: str = _HEADED) -> None:
    """Refuse what lacks a column that the manifest names."""
    missing = [column for column in needed if column not in there]
    if not missing:
        return
    # Of the names that are there, only those that look much like a missing one: the first line of a
    # file without a header holds people.
    names = [column for column in there if re.fullmatch("[A-Za-z_]+", column)]
    near = {column: name for column in missing for name in alike(column, names)}
    hint = f"; it has {', '.join(f'{n} for {m}' for m, n in near.items())}" if near else ""
    raise refused(
        Code.SOURCE_COLUMNS_MISSING,
        where,
        "columns are missing",
        f"{', '.join(missing)}, among {len(there)} columns{hint}",
        next_step,
    )


def _check_parquet(path: Path, needed: list[str], where: str) -> None:
    try:
        there = list(pl.scan_parquet(literal(path)).collect_schema())
    except pl.exceptions.PolarsError:
        raise refused(
            Code.SOURCE_UNREADABLE,
            where,
            "is not a readable Parquet file",
            f"{path.stat().st_size:,} bytes; its footer is missing or broken",
            "write it again; it may be cut off",
        ) from None
    check_there(needed, there, where)


def _check_types(path: Path, kind: str, source: Source, where: str) -> None:
    text = scan_file(path, kind, source.model_copy(update={"types": {}}))
    lost = text.select(
        (_cast(c, t).is_null() & (pl.col(c).str.strip_chars() != "")).sum().alias(c) for c, t in source.types.items()
    )
    for column, count in lost.collect().to_dicts()[0].items():
        if count:
            raise refused(
                Code.SOURCE_TYPES_WRONG,
                where,
                "values of the wrong type",
                f"{count:,} of column {column} aren't {source.types[column]}",
                "correct the export, or the column's type under `types`",
            )


def _lines(path: Path) -> Iterator[str]:
    for batch in pl.scan_lines(literal(path)).collect_batches(maintain_order=True):
        yield from batch["line"]


def _check_csv(path: Path, source: Source, where: str) -> None:
    """Each line has as many fields as the header, and quotation marks only where they enclose a field."""
    separator = source.separator
    try:
        first = pl.scan_lines(literal(path)).head(1).collect()["line"].to_list()
        header = next(csv.reader([first[0].removeprefix("\ufeff")], delimiter=separator, strict=True)) if first else []
    except csv.Error:
        header = []
    if len(set(header)) != len(header) or not header or not all(header):
        raise refused(
            Code.SOURCE_COLUMNS_MISSING,
            where,
            "the first line must name the columns, each once",
            f"{len(header)} names",
            "write it with a header",
        )
    check_there(columns_needed(source), header, where)
    line = pl.col("line").str.strip_prefix("\ufeff")
    sep = re.escape(separator)
    plain = f'[^"{sep}]*'
    quoted = line.str.contains('"', literal=True)
    proper = line.str.contains(f"^(?:{_QUOTED}|{plain})(?:{sep}(?:{_QUOTED}|{plain}))*$")
    bare = pl.when(quoted).then(line.str.replace_all(_QUOTED, "")).otherwise(line)
    counted = pl.scan_lines(literal(path), row_index_name="row").select(
        "row", fields=bare.str.count_matches(separator, literal=True) + 1, improper=quoted & ~proper, blank=line == ""
    )
    fault = (pl.col("fields") != len(header)) | pl.col("improper") | (pl.col("blank") & pl.lit(len(header) > 1))
    bad = counted.filter(fault).head(1).collect().to_dicts()
    if bad and bad[0]["improper"]:  # Perhaps a field over several lines: only a full reading tells.
        records = _check_records(path, separator, len(header), where)
    elif bad:
        said = "it is empty" if bad[0]["blank"] else f"{bad[0]['fields']} fields"
        _refuse_line(where, bad[0]["row"] + 1, said, len(header))
    else:
        records = counted.select(pl.len()).collect().item()
    read = pl.scan_csv(literal(path), infer_schema=False, separator=separator).select(pl.len()).collect().item()
    if read != records - 1:
        raise refused(
            Code.SOURCE_LINES_INVALID,
            where,
            "its lines and its rows don't agree",
            f"{records - 1:,} lines are read as {read:,} rows",
            "enclose fields with quotation marks in quotation marks, doubled inside",
        )


def _check_records(path: Path, separator: str, width: int, where: str) -> int:
    """The number of records, where a quoted field may hold line ends."""
    sep = re.escape(separator)
    field = f'(?:{_QUOTED}|[^"{sep}]*)'
    whole = re.compile(f"{field}(?:{sep}{field})*")
    number = 0
    start = 1
    records = 0
    gathered = ""
    for line in _lines(path):
        number += 1
        gathered = f"{gathered}\n{line}" if gathered else line.removeprefix("\ufeff")
        if gathered.count('"') % 2:
            continue
        if not whole.fullmatch(gathered):
            _refuse_line(where, start, "a quotation mark that encloses no field", width)
        fields = re.sub(_QUOTED, "", gathered).count(separator) + 1
        if fields != width:
            _refuse_line(where, start, f"{fields} fields", width)
        start = number + 1
        records = records + 1
        gathered = ""
    if gathered:
        _refuse_line(where, start, "a quotation mark is never closed", width)
    return records


def _refuse_line(where: str, line: int, said: str, width: int) -> None:
    raise refused(
        Code.SOURCE_LINES_INVALID,
        where,
        "a bad line",
        f"line {line}: {said}, the header has {width} fields",
        "correct the line or the export",
    )


def _check_jsonl(path: Path, needed: list[str], where: str, identifiers: set[str]) -> None:
    try:
        inferred = dict(pl.scan_ndjson(literal(path), infer_schema_length=10_000).collect_schema())
    except pl.exceptions.PolarsError:
        inferred = {}  # Lines that fit no one type: whether each is JSON is found out below.
    try:
        found = _scan_jsonl(path, needed).select(pl.len().alias("__rows__"), pl.all().is_not_null().any()).collect().to_dicts()[0]
    except pl.exceptions.PolarsError:
        number = _first_bad_json(path)
        raise refused(
            Code.SOURCE_LINES_INVALID, where, "a bad line", f"line {number} isn't a JSON object", "write one JSON object a line"
        ) from None
    if not found["__rows__"]:
        raise refused(
            Code.SOURCE_COLUMNS_MISSING,
            where,
            "holds no line, so no columns",
            "",
            "write one JSON object a line, or a file of another format",
        )
    check_there(
        needed, [name for name in needed if name in inferred or found[name]] + [n for n in inferred if n not in needed], where
    )
    nested = [name for name in identifiers if name in inferred and inferred[name].is_nested()]
    if nested:
        raise refused(
            Code.SOURCE_IDENTIFIERS_UNUSABLE,
            where,
            "identifiers must be text or whole numbers",
            f"{', '.join(nested)} holds objects or lists",
            "write their text",
        )


def _first_bad_json(path: Path) -> int:
    number = 0
    try:
        for line in _lines(path):
            number += 1
            if not isinstance(json.loads(line), dict):
                break
    except ValueError:
        pass
    return number
