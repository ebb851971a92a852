"""A series, read from a CSV. Whatever isn't a figure of a period that is over is refused, by its line."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

from affiliates.errors import Code, printable, refused
from affiliates.periods import month_after, month_end, month_from_number, month_from_text, month_number, month_of
from pipelines.forecasting.series import Point, Series, Spelling, even_series, period_name

COLUMNS = "period", "value", "lower", "upper", "definition"
"""Columns that are read from a CSV; the first two must be there, any others are ignored."""
_LARGEST = 1e15
"""No number of people is as large, in whatever unit, nor as small as one over it."""
_MOST_BYTES = 8 << 20
"""Of a file: ten thousand days take a tenth of it, and a line without an end would fill the memory."""
_FORMS = "2026-10, 2026-10-31 or 2026-Q3"


def read_csv(path: Path, today: date) -> Series:
    """A series from a CSV with the columns `period` and `value`, and, where they are there, `lower`, `upper` and `definition`.

    A period whose value is left empty is missing. Raises `RefusedError` for anything but figures of periods that are over on
    `today`, one a line, in order and without gaps.
    """
    file = path.name
    header, rows = _rows(path)
    _check_header(file, header)
    lines: list[_Line] = []
    for number, row in rows:
        where = f"{file}:{number}"
        if len(row) != len(header):
            raise refused(
                Code.SERIES_INVALID,
                where,
                "has another number of cells than the first line",
                f"{len(row)} for {len(header)}",
                "quote texts that hold commas",
            )
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=True) if name in COLUMNS}
        lines.append(_line(where, cells))
    if not lines:
        raise refused(Code.SERIES_INVALID, file, "holds no figure", "only its first line", "write one line a period beneath it")
    months = _spacing(file, lines)
    spelling = lines[0].spelling
    for line in lines:
        if _day_after(line.point.number, months, spelling) > today:
            raise refused(
                Code.SERIES_INVALID,
                line.where,
                "lies in the future, or isn't over",
                period_name(line.point.number, spelling),
                "leave the line out: a period to date is no figure of the period",
            )
    points = [line.point for line in lines]
    missing = tuple(f"{period_name(p.number, spelling)}: its value is left empty" for p in points if p.value is None)
    return even_series(file, _with_breaks(lines, spelling), months, spelling, left_out=missing)


class _Line(NamedTuple):
    """One period's line of a CSV."""

    where: str
    """The file and the line's number."""
    spelling: Spelling
    point: Point
    definition: str
    """Empty where the line doesn't say."""


def _rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of a CSV's columns, in lower case, and the rows beneath with their lines' numbers; rows of blanks are left out.

    Raises `RefusedError` for a file that isn't CSV in UTF-8, or is empty.
    """
    file = path.name
    try:
        if (size := path.stat().st_size) > _MOST_BYTES:
            values = f"{size:,} bytes, at most {_MOST_BYTES:,}"
            raise refused(Code.SERIES_INVALID, file, "is larger than a series is", values, "name a file with a line a period")
        # Spreadsheets write a byte order mark in front of the first column's name.
        with path.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened, strict=True)
            rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError:
        raise refused(Code.SERIES_INVALID, file, "is not UTF-8 text", "", "save it as CSV in UTF-8") from None
    except csv.Error:
        raise refused(
            Code.SERIES_INVALID, file, "is not CSV", "a quoted text doesn't end, or a line is no text", "save it as CSV again"
        ) from None
    if not rows:
        raise refused(
            Code.SERIES_INVALID, file, "is empty", "", "write a line with `period,value`, and one line a period beneath"
        )
    return [cell.strip().lower() for cell in rows[0][1]], rows[1:]


def _check_header(file: str, header: Sequence[str]) -> None:
    """Raises `RefusedError` if a needed column is missing, or a known column is there twice."""
    for name in COLUMNS[:2]:
        if name not in header:
            columns = ", ".join(printable(cell) for cell in header)
            raise refused(
                Code.SERIES_INVALID,
                f"{file}:1",
                f"has no column `{name}`",
                f"there are {columns}",
                "name the columns in the first line: period,value",
            )
    for name in header:
        if name in COLUMNS and header.count(name) > 1:
            raise refused(Code.SERIES_INVALID, f"{file}:1", f"has two columns `{name}`", "", "keep one of them")


def _line(where: str, cells: Mapping[str, str]) -> _Line:
    """A line's point by its cells. Raises `RefusedError` for a period or a number that is none, or for bounds without a value."""
    spelling, number = _period(where, cells["period"])
    value, lower, upper = (_number(where, name, cells.get(name, "")) for name in ("value", "lower", "upper"))
    if value is None and (lower, upper) != (None, None):
        raise refused(
            Code.SERIES_INVALID, where, "has bounds and no value", "", "write the value, or leave the bounds empty, too"
        )
    if (lower is None) != (upper is None):
        raise refused(Code.SERIES_INVALID, where, "has one bound of two", "", "write `lower` and `upper`, or neither")
    if value is not None and lower is not None and upper is not None and not lower <= value <= upper:
        raise refused(
            Code.SERIES_INVALID,
            where,
            "`value` must lie from `lower` to `upper`",
            f"{lower:,.15g}, {value:,.15g}, {upper:,.15g}",
            "correct them",
        )
    return _Line(where, spelling, Point(number, value, lower, upper), cells.get("definition", ""))


def _period(where: str, text: str) -> tuple[Spelling, int]:
    """How a text writes a period, and the period's number. Raises `RefusedError` for any other text."""
    if matched := re.fullmatch(r"([12][0-9]{3})-?Q([1-4])", text, re.IGNORECASE):
        return "quarter", month_number(date(int(matched[1]), 3 * int(matched[2]), 1))
    try:
        if re.fullmatch(r"[12][0-9]{3}-[0-9]{2}", text):
            return "month", month_number(month_from_text(text))
        if re.fullmatch(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}", text):
            day = date.fromisoformat(text)
            if day == month_end(day):
                return "last day", month_number(day)
            if day == month_of(day):
                return "first day", month_number(day)
            raise refused(
                Code.SERIES_INVALID, where, "a day that names a period is its last or its first", text, f"write {_FORMS}"
            )
    except ValueError:
        pass  # No such month or day: refused below, as any other text.
    raise refused(Code.SERIES_INVALID, where, "`period` is no period", _safe(text), f"write {_FORMS}")


def _number(where: str, name: str, text: str) -> float | None:
    """A number of people in whatever unit; null for an empty text. Raises `RefusedError` for any other text."""
    if text == "":
        return None
    # `float` alone would read `nan`, `inf` and `1_000`, which no spreadsheet means as a number of people.
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        step = "write digits alone, with a dot for decimals; leave a missing value empty"
        raise refused(Code.SERIES_INVALID, where, f"`{name}` is no number", _safe(text), step)
    number = float(text)
    if number <= 0 and name != "lower":
        step = "leave a missing value empty; from nobody at all there is no growth to forecast"
        raise refused(Code.SERIES_INVALID, where, f"`{name}` must be over zero", f"{number:,.15g}", step)
    if not (abs(number) < _LARGEST and (number <= 0 or number > 1 / _LARGEST)):
        raise refused(Code.SERIES_INVALID, where, f"`{name}` is no number of people, in whatever unit", text, "correct it")
    return number


def _safe(text: str) -> str:
    """A cell's text as a message shows it."""
    return printable(text) if text else "empty"


def _day_after(number: int, months: int, spelling: Spelling) -> date:
    """The day after a period's last day."""
    last = number + (months - 1 if spelling == "first day" else 0)
    return month_after(month_from_number(last))


class _LineStep(NamedTuple):
    """The way from one line's period to the next line's."""

    months: int
    where: str
    """The later line."""
    before: Point
    after: Point


def _spacing(file: str, lines: Sequence[_Line]) -> Literal[1, 3]:
    """Months of a period, by how the lines' periods follow one another.

    Raises `RefusedError` if periods are written in two ways, aren't in order, have two spacings, or are missing.
    """
    steps = _steps(lines)
    spelling = lines[0].spelling
    sizes = [step.months for step in steps]
    # Quarters may be named by a day: then every step is of whole quarters, and at least one is a quarter.
    quarterly = spelling == "quarter" or (bool(sizes) and all(size % 3 == 0 for size in sizes) and 3 in sizes)
    months: Literal[1, 3] = 3 if quarterly else 1
    if not quarterly and 1 not in sizes and sizes:
        raise refused(
            Code.SERIES_INVALID,
            file,
            "periods are neither months nor quarters",
            f"the nearest are {min(sizes)} months apart",
            f"give a figure for each month or quarter, as {_FORMS}",
        )
    if not quarterly and 2 * sum(size == 1 for size in sizes) < len(sizes):
        raise refused(
            Code.SERIES_INVALID,
            file,
            "mixes months and longer periods",
            f"{sum(size == 1 for size in sizes)} of {len(sizes)} steps are a month",
            "give it one spacing",
        )
    for step in steps:
        if step.months != months:
            first = period_name(step.before.number + months, spelling)
            last = period_name(step.after.number - months, spelling)
            raise refused(
                Code.SERIES_INVALID,
                step.where,
                "periods are missing before it",
                first if first == last else f"{first} to {last}",
                "write them, with an empty value where it isn't known: nothing is filled in",
            )
    return months


def _steps(lines: Sequence[_Line]) -> list[_LineStep]:
    """The steps from line to line. Raises `RefusedError` if periods are written in two ways, or aren't in order."""
    first, *rest = lines
    spelling = first.spelling
    for line in rest:
        if line.spelling != spelling:
            both = f"{period_name(line.point.number, line.spelling)} beside {period_name(first.point.number, spelling)}"
            raise refused(
                Code.SERIES_INVALID, line.where, "periods are written in two ways", both, "write all of them in one way"
            )
    steps = []
    before = first.point
    for line in rest:
        months = line.point.number - before.number
        name = period_name(line.point.number, spelling)
        if months == 0:
            raise refused(Code.SERIES_INVALID, line.where, "a period stands twice", name, "keep the line that is right")
        if months < 0:
            raise refused(
                Code.SERIES_INVALID,
                line.where,
                "periods aren't in order",
                f"{name} after {period_name(before.number, spelling)}",
                "sort the lines, the oldest first: an order by chance may be a mistake of rows",
            )
        steps.append(_LineStep(months, line.where, before, line.point))
        before = line.point
    return steps


def _with_breaks(lines: Sequence[_Line], spelling: Spelling) -> list[Point]:
    """The lines' points; where `definition` is another than before, the step to the point says nothing of growth."""
    points = list[Point]()
    before = ""
    for line in lines:
        definition = line.definition or before  # Left empty, the definition is as before.
        changed = bool(points) and definition != before
        why = f"{period_name(line.point.number, spelling)}: another definition" if changed else ""
        points.append(replace(line.point, break_=why))
        before = definition
    return points
