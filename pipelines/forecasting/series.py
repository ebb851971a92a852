"""A series of figures at an even spacing, and its reading from CSV. Nothing is filled in: what is missing stays missing."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

from affiliates.errors import Code, printable, refused
from affiliates.periods import month_after, month_end, month_from_number, month_from_text, month_number, month_of

Spelling = Literal["month", "quarter", "last day", "first day"]
"""How a series writes its periods: 2026-10, 2026-Q3, 2026-10-31 or 2026-10-01."""
COLUMNS = "period", "value", "lower", "upper", "definition"
_LARGEST = 1e15
_FORMS = "2026-10, 2026-10-31 or 2026-Q3"


@dataclass(frozen=True)
class Point:
    """One period's figure."""

    number: int
    value: float | None
    """None where it is missing."""
    lower: float | None = None
    upper: float | None = None
    break_: str = ""
    """Why the step from the figure before says nothing of growth, such as another definition; empty where it does."""


@dataclass(frozen=True)
class Series:
    """Figures of periods that follow one another, the oldest first; the first and the last are known."""

    name: str
    points: tuple[Point, ...]
    months: Literal[1, 3] = 1
    """Of a period."""
    spelling: Spelling = "month"
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """Periods that are no evidence, and why."""

    @property
    def newest(self) -> Point:
        return self.points[-1]

    @property
    def unit(self) -> str:
        return "month" if self.months == 1 else "quarter"

    def label(self, number: int) -> str:
        """A period as the series spells it."""
        return spelled(number, self.spelling)

    def begins(self, number: int) -> date:
        """The first day that a period may begin on."""
        first = number if self.spelling == "first day" else number - (self.months - 1)
        return month_from_number(first)


def spelled(number: int, spelling: Spelling) -> str:
    """A period's name, by the number of its month (of a quarter its last, but where its first day names it)."""
    first = month_from_number(number)
    if spelling == "quarter":
        return f"{first.year}-Q{(first.month + 2) // 3}"
    if spelling == "last day":
        return f"{month_end(first)}"
    return f"{first}" if spelling == "first day" else f"{first:%Y-%m}"


def even(name: str, points: Sequence[Point], months: Literal[1, 3], spelling: Spelling, **said: tuple[str, ...]) -> Series:
    """A series of points in order; periods between them are missing, and so no point is before the first known value or after
    the last one. Raises `RefusedError` where fewer than two are known."""
    known = [p.number for p in points if p.value is not None]
    if len(known) < 2:
        held = f"{len(known)} known"
        raise refused(
            Code.SERIES_INVALID,
            name,
            "a forecast needs at least two figures",
            held,
            "give it more periods; six are the least to trust",
        )
    by_number = {p.number: p for p in points}
    return Series(
        name, tuple(by_number.get(n, Point(n, None)) for n in range(known[0], known[-1] + 1, months)), months, spelling, **said
    )


def read_csv(path: Path, today: date) -> Series:
    """A series from a CSV with the columns `period` and `value`, and if they are there `lower`, `upper` and `definition`.

    Raises `RefusedError` for whatever isn't a figure of a period that is over, each a line, in order and without gaps. A period
    whose value is left empty is carried as missing.
    """
    file = path.name
    try:
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
    header = [cell.strip().lower() for cell in rows[0][1]]
    for name in COLUMNS[:2]:
        if name not in header:
            there = ", ".join(printable(cell) for cell in header)
            raise refused(
                Code.SERIES_INVALID,
                f"{file}:1",
                f"has no column `{name}`",
                f"there are {there}",
                "name the columns in the first line: period,value",
            )
    for name in header:
        if name in COLUMNS and header.count(name) > 1:
            raise refused(Code.SERIES_INVALID, f"{file}:1", f"has two columns `{name}`", "", "keep one of them")
    found: list[tuple[str, Spelling, Point, str]] = []
    for line, row in rows[1:]:
        where = f"{file}:{line}"
        if len(row) != len(header):
            raise refused(
                Code.SERIES_INVALID,
                where,
                "has another number of cells than the first line",
                f"{len(row)} for {len(header)}",
                "quote texts that hold commas",
            )
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=True) if name in COLUMNS}
        found.append((where, *_point(where, cells), cells.get("definition", "")))
    if not found:
        raise refused(Code.SERIES_INVALID, file, "holds no figure", "only its first line", "write one line a period beneath it")
    months, spelling = _in_order(file, found)
    for where, _, point, _ in found:
        if _is_over(point.number, months, spelling) > today:
            raise refused(
                Code.SERIES_INVALID,
                where,
                "lies in the future, or isn't over",
                spelled(point.number, spelling),
                "leave the line out: a period to date is no figure of the period",
            )
    missing = tuple(f"{spelled(p.number, spelling)}: its value is left empty" for _, _, p, _ in found if p.value is None)
    return even(file, _with_breaks(found, spelling), months, spelling, left_out=missing)


def _point(where: str, cells: Mapping[str, str]) -> tuple[Spelling, Point]:
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
            f"{lower:g}, {value:g}, {upper:g}",
            "correct them",
        )
    return spelling, Point(number, value, lower, upper)


def _period(where: str, text: str) -> tuple[Spelling, int]:
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
        pass
    raise refused(Code.SERIES_INVALID, where, "`period` is no period", _safe(text), f"write {_FORMS}")


def _number(where: str, name: str, text: str) -> float | None:
    if text == "":
        return None
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        step = "write digits alone, with a dot for decimals; leave a missing value empty"
        raise refused(Code.SERIES_INVALID, where, f"`{name}` is no number", _safe(text), step)
    number = float(text)
    if number <= 0 and name != "lower":
        step = "leave a missing value empty; from nobody at all there is no growth to forecast"
        raise refused(Code.SERIES_INVALID, where, f"`{name}` must be over zero", f"{number:g}", step)
    if not (abs(number) < _LARGEST and (number <= 0 or number > 1 / _LARGEST)):
        raise refused(Code.SERIES_INVALID, where, f"`{name}` is no number of people, in whatever unit", text, "correct it")
    return number


def _safe(text: str) -> str:
    return printable(text) if text else "empty"


def _is_over(number: int, months: int, spelling: Spelling) -> date:
    """The day after a period's last."""
    last = number + (months - 1 if spelling == "first day" else 0)
    return month_after(month_from_number(last))


def _in_order(file: str, found: Sequence[tuple[str, Spelling, Point, str]]) -> tuple[Literal[1, 3], Spelling]:
    """Spacing and spelling of a file's periods."""
    (_, spelling, before, _), *rest = found
    for where, other, point, _ in rest:
        if other != spelling:
            said = f"{spelled(point.number, other)} beside {spelled(before.number, spelling)}"
            raise refused(Code.SERIES_INVALID, where, "periods are written in two ways", said, "write all of them in one way")
    steps = []
    for where, _, point, _ in rest:
        step = point.number - before.number
        name = spelled(point.number, spelling)
        if step == 0:
            raise refused(Code.SERIES_INVALID, where, "a period stands twice", name, "keep the line that is right")
        if step < 0:
            said = f"{name} after {spelled(before.number, spelling)}"
            raise refused(
                Code.SERIES_INVALID,
                where,
                "periods aren't in order",
                said,
                "sort the lines, the oldest first: an order by chance may be a mistake of rows",
            )
        steps.append((step, where, before, point))
        before = point
    sizes = [step for step, *_ in steps]
    quarterly = spelling == "quarter" or (bool(sizes) and all(s % 3 == 0 for s in sizes) and 3 in sizes)
    months: Literal[1, 3] = 3 if quarterly else 1
    if not quarterly and 1 not in sizes and sizes:
        raise refused(
            Code.SERIES_INVALID,
            file,
            "periods are neither months nor quarters",
            f"the nearest are {min(sizes)} months apart",
            f"give a figure for each month or quarter, as {_FORMS}",
        )
    if not quarterly and 2 * sum(s == 1 for s in sizes) < len(sizes):
        raise refused(
            Code.SERIES_INVALID,
            file,
            "mixes months and longer periods",
            f"{sum(s == 1 for s in sizes)} of {len(sizes)} steps are a month",
            "give it one spacing",
        )
    for step, where, point, after in steps:
        if step != months:
            gap = spelled(point.number + months, spelling)
            until = spelled(after.number - months, spelling)
            said = gap if gap == until else f"{gap} to {until}"
            raise refused(
                Code.SERIES_INVALID,
                where,
                "periods are missing before it",
                said,
                "write them, with an empty value where it isn't known: nothing is filled in",
            )
    return months, spelling


def _with_breaks(found: Sequence[tuple[str, Spelling, Point, str]], spelling: Spelling) -> list[Point]:
    """The points; where the text of `definition` is another than before, the step says nothing of growth."""
    points = list[Point]()
    before = ""
    for _, _, point, said in found:
        definition = said or before  # Left empty, it is as before.
        changed = bool(points) and definition != before
        why = f"{spelled(point.number, spelling)}: another definition" if changed else ""
        points.append(replace(point, break_=why))
        before = definition
    return points
