"""Whether one file of events is whole: readable to its end, with the manifest's columns, each line complete.

polars fills a CSV's short lines with nulls, loses lines between stray quotation marks and quotes values in its errors. So a
file is checked here before anything in it counts, and what is wrong is said without a value: not even a column's name, since
a file without a header has people there.

Over 300 lines: each way in which a file is cut off has its own check and its own words.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import polars as pl

from affiliates.errors import Code, refused
from affiliates.manifests.source import Identifier, Source
from affiliates.sources.file_contents import (
    TextFault,
    check_kind,
    ends_with_line_end,
    head_of,
    not_text,
    parquet_fault,
    text_fault,
    unreadable,
)
from affiliates.sources.file_formats import (
    READ_ERRORS,
    cast_text,
    check_columns,
    check_only_keys,
    columns_needed,
    literal,
    scan_file,
    scan_jsonl,
    scan_parquet,
)
from affiliates.sources.long_lines import check_lines
from affiliates.sources.plain_csv import are_whole, plain_lines

_QUOTED = '"(?:[^"]|"")*"'
"""A quoted field of a CSV by RFC 4180: quotation marks inside are doubled."""
_LONGEST_RECORD = 16 << 20
"""Characters of a record over several lines: where a quotation mark is never closed, the rest of the file would be one."""
_JSON_LINES_INFERRED = 10_000
"""Lines from which polars infers the columns of JSON lines. A field that comes later is found by reading the needed columns."""


def check_file(path: Path, file_format: str, source: Source, subject: str, name: str = "") -> None:
    """Check one file as a whole. Raises `RefusedError` for what is wrong with it.

    The refusal calls the file by `name` if that is given: a fetched object lies in a file of another name.
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
        head = head_of(path)
        check_kind(head, file_format, where)
        if file_format != "parquet":
            check_lines(path, head, where)
        if file_format == "parquet":
            _check_parquet(path, source, where)
        elif file_format == "csv":
            _check_csv(path, source, where)
        else:
            check_only_keys(source, _check_jsonl(path, columns_needed(source), where, source.identifiers), where)
        if file_format != "parquet" and source.types:
            _check_types(path, file_format, source, where)
    # Before READ_ERRORS, of which it is one: the file may be fine.
    except PermissionError:
        raise refused(
            Code.SOURCE_UNREACHABLE, where, "may not be read", "permission denied", "let the user of mauwatch read it"
        ) from None
    except READ_ERRORS:
        raise unreadable(path, file_format, where) from None


def _check_parquet(path: Path, source: Source, where: str) -> None:
    """Read the footer, which is at the end of the file: a file that was cut off has none. Pages are judged as they are read."""
    try:
        columns = list(scan_parquet(literal(path)).collect_schema())
    except pl.exceptions.DuplicateError:
        raise refused(
            Code.SOURCE_COLUMNS_MISSING, where, "two columns have one name", "", "write each column once, under a name of its own"
        ) from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        cause, next_step = parquet_fault(path)
        raise refused(
            Code.SOURCE_UNREADABLE,
            where,
            "is not a readable Parquet file",
            f"{path.stat().st_size:,} bytes; {cause}",
            next_step,
        ) from None
    check_columns(columns_needed(source), columns, where)
    check_only_keys(source, columns, where)


def _check_types(path: Path, file_format: str, source: Source, where: str) -> None:
    """Refuse values that `scan_file` would turn into nulls, since they aren't of the type under `types`."""
    text = scan_file(path, file_format, source.model_copy(update={"types": {}}))
    wrong = text.select(
        (cast_text(column, column_type).is_null() & (pl.col(column).str.strip_chars() != "")).sum().alias(column)
        for column, column_type in source.types.items()
    )
    for column, count in wrong.collect().to_dicts()[0].items():
        if count:
            raise refused(
                Code.SOURCE_TYPES_WRONG,
                where,
                "values of the wrong type",
                f"{count:,} of column {column} aren't {source.types[column]}",
                "correct the export, or the column's type under `types`",
            )


def _lines(path: Path) -> Iterator[str]:
    """The lines of a text file, unpacked, without their ends; in bounded memory."""
    for batch in pl.scan_lines(literal(path)).collect_batches(maintain_order=True):
        yield from batch["line"]


def _check_csv(path: Path, source: Source, where: str) -> None:
    """Each line has as many fields as the header, and quotation marks only where they enclose a field."""
    separator = source.separator
    small = plain_lines(path)
    first = small[:1] if small else pl.scan_lines(literal(path)).head(1).collect()["line"].to_list()
    width = len(_check_header(first, path, source, where))
    if small and are_whole(small, separator, width):
        return
    line = pl.col("line").str.strip_prefix("\ufeff")
    sep = re.escape(separator)
    plain = f'[^"{sep}]*'
    has_quotes = line.str.contains('"', literal=True)
    well_quoted = line.str.contains(f"^(?:{_QUOTED}|{plain})(?:{sep}(?:{_QUOTED}|{plain}))*$")
    # A separator inside a quoted field parts no fields.
    without_quoted = pl.when(has_quotes).then(line.str.replace_all(_QUOTED, "")).otherwise(line)
    lines = pl.scan_lines(literal(path), row_index_name="row").select(
        "row",
        fields=without_quoted.str.count_matches(separator, literal=True) + 1,
        improper=has_quotes & ~well_quoted,
        blank=line == "",
        nul=line.str.contains("\x00", literal=True),
    )
    # In a file of one column, an empty line is an empty field.
    fault = (pl.col("fields") != width) | pl.col("improper") | (pl.col("blank") & pl.lit(width > 1)) | pl.col("nul")
    # Once through the file for both: the first line that is wrong, and how many there are.
    looked_at = lines.select(pl.len().alias("lines"), pl.struct(pl.all()).filter(fault).first().alias("fault"))
    n_lines, wrong = looked_at.collect(engine="streaming").row(0)
    faults = [] if wrong is None else [wrong]
    # What is no text has no lines either: its encoding is the cause.
    if faults and (text := text_fault(path)):
        raise not_text(where, text)
    if faults and faults[0]["improper"]:  # Perhaps a field over several lines: only a full reading tells.
        records = _check_records(path, separator, width, where)
    elif faults:
        fields = "it is empty" if faults[0]["blank"] else f"{faults[0]['fields']} fields"
        if lines.filter(pl.col("row") > faults[0]["row"]).head(1).collect().is_empty() and not ends_with_line_end(path):
            fields += ", and no end: the file may be cut off"
        _refuse_line(where, faults[0]["row"] + 1, fields, width)
    else:
        records = n_lines
    # Lastly by polars itself, which will count these rows: whatever it reads otherwise than the check must not count.
    rows = pl.scan_csv(literal(path), infer_schema=False, separator=separator).select(pl.len()).collect().item()
    if rows != records - 1:
        raise refused(
            Code.SOURCE_LINES_INVALID,
            where,
            "its lines and its rows don't agree",
            f"{records - 1:,} lines are read as {rows:,} rows",
            "enclose fields with quotation marks in quotation marks, doubled inside",
        )


def _check_header(first: Sequence[str], path: Path, source: Source, where: str) -> list[str]:
    """The names in a CSV's first line, `first`, if there is one: each name once, with those that the manifest needs."""
    try:
        if first and "\r" in first[0]:
            raise unreadable(path, "csv", where)
        # Excel writes a byte order mark before the first name.
        names = next(csv.reader([first[0].removeprefix("\ufeff")], delimiter=source.separator, strict=True)) if first else []
    except csv.Error:
        names = []
    if len(set(names)) != len(names) or not names or not all(names):
        raise refused(
            Code.SOURCE_COLUMNS_MISSING,
            where,
            "the first line must name the columns, each once",
            f"{len(names)} names",
            "write it with a header",
        )
    needed = columns_needed(source)
    if not set(needed) <= set(names):
        for other in get_args(Source.model_fields["separator"].annotation):
            if set(needed) <= set(next(csv.reader([first[0].removeprefix("\ufeff")], delimiter=other), [])):
                raise refused(
                    Code.SOURCE_COLUMNS_MISSING,
                    where,
                    "its columns are parted by another separator",
                    f"{other!r}, and not {source.separator!r}",
                    f"say `separator: {json.dumps(other)}`",
                )
    check_columns(needed, names, where)
    check_only_keys(source, names, where)
    return names


def _check_records(path: Path, separator: str, width: int, where: str) -> int:
    """The number of records (the header among them) of a CSV in which a quoted field may hold line ends.

    Raises `RefusedError` for the first record that has another number of fields, or a quotation mark that encloses none.
    """
    sep = re.escape(separator)
    field = f'(?:{_QUOTED}|[^"{sep}]*)'
    record_pattern = re.compile(f"{field}(?:{sep}{field})*")
    number = 0
    start = 1
    records = 0
    begun: list[str] = []
    size = 0
    is_open = False
    for line in _lines(path):
        number += 1
        begun.append(line if begun else line.removeprefix("\ufeff"))
        size += len(line)
        # An odd number of quotation marks: a quoted field is still open, and goes on in the next line.
        is_open ^= line.count('"') % 2 == 1
        if size > _LONGEST_RECORD:
            _refuse_line(where, start, f"a quotation mark isn't closed within {_LONGEST_RECORD:,} characters", width)
        if is_open:
            continue
        record = "\n".join(begun)
        if not record_pattern.fullmatch(record):
            _refuse_line(where, start, "a quotation mark that encloses no field", width)
        fields = re.sub(_QUOTED, "", record).count(separator) + 1
        if fields != width:
            _refuse_line(where, start, f"{fields} fields", width)
        start = number + 1
        records = records + 1
        begun = []
        size = 0
    if begun:
        _refuse_line(where, start, "a quotation mark is never closed", width)
    return records


def _refuse_line(where: str, line: int, fault: str, width: int) -> None:
    """Raise the refusal of one line (counted from 1) of a CSV whose header has `width` fields."""
    raise refused(
        Code.SOURCE_LINES_INVALID,
        where,
        "a bad line",
        f"line {line}: {fault}, the header has {width} fields",
        "correct the line or the export",
    )


def _check_jsonl(path: Path, needed: list[str], where: str, identifiers: Sequence[Identifier]) -> list[str]:
    """Each line is a JSON object; each needed column is in one of them, and identifiers are neither objects nor lists.

    Gives the columns that the first lines have.
    """
    try:
        inferred = dict(pl.scan_ndjson(literal(path), infer_schema_length=_JSON_LINES_INFERRED).collect_schema())
    except pl.exceptions.PolarsError:
        inferred = {}  # Lines that fit no one type: whether each is JSON is found out below.
    try:
        needed_columns = scan_jsonl(path, needed).select(pl.len().alias("__rows__"), pl.all().is_not_null().any())
        has_value = needed_columns.collect().to_dicts()[0]
    except pl.exceptions.PolarsError:
        if fault := text_fault(path):
            raise not_text(where, fault) from None
        head = head_of(path)
        if head.startswith(b"\xef\xbb\xbf"):
            rule = "begins with a byte order mark, which JSON has not"
            raise not_text(where, TextFault(rule, "line 1", "write it as UTF-8 without the mark", is_damage=False)) from None
        number = _first_bad_json(path)
        next_step = "write one JSON object a line; NaN and Infinity are no JSON, null is"
        if head.lstrip().startswith(b"["):
            next_step = "the file is one list: write one JSON object a line"
        raise refused(Code.SOURCE_LINES_INVALID, where, "a bad line", f"line {number} isn't a JSON object", next_step) from None
    if not has_value["__rows__"]:
        raise refused(
            Code.SOURCE_COLUMNS_MISSING,
            where,
            "holds no line, so no columns",
            "",
            "write one JSON object a line, or a file of another format",
        )
    # polars gives a needed column whether or not a line has it, so a column without any value counts as missing.
    present = [name for name in needed if name in inferred or has_value[name]] + [name for name in inferred if name not in needed]
    check_columns(needed, present, where)
    names = {identifier.column for identifier in identifiers}
    nested = [name for name in names if name in inferred and inferred[name].is_nested()]
    if nested:
        raise refused(
            Code.SOURCE_IDENTIFIERS_UNUSABLE,
            where,
            "identifiers must be text or whole numbers",
            f"{', '.join(nested)} holds objects or lists",
            "write their text",
        )
    return list(inferred)


def _no_json(constant: str) -> None:
    """For what Python's reader takes beyond JSON. Raises `ValueError`."""
    raise ValueError(constant)


def _first_bad_json(path: Path) -> int:
    """The number (from 1) of the first line that isn't a JSON object; of the last line where each is one."""
    number = 0
    try:
        for line in _lines(path):
            number += 1
            # Python reads NaN and Infinity, which are no JSON: polars stumbled on these, and the line is theirs.
            if line.strip() and not isinstance(json.loads(line, parse_constant=_no_json), dict):
                break
    except ValueError:
        pass
    return number
