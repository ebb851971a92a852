"""A series of figures at an even spacing. Missing figures stay missing: nothing is filled in. Pure.

A period is numbered by a month, as `month_number` counts months: a quarter by its last month, but by its first month where
the series names it by its first day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from affiliates.errors import Code, refused
from affiliates.periods import month_end, month_from_number

Spelling = Literal["month", "quarter", "last day", "first day"]
"""How a series writes its periods: 2026-10, 2026-Q3, 2026-10-31 or 2026-10-01."""


@dataclass(frozen=True)
class Point:
    """One period's figure."""

    number: int
    """The period."""
    value: float | None
    """Null where the figure is missing."""
    lower: float | None = None
    upper: float | None = None
    break_: str = ""
    """Why the step from the figure before says nothing of growth, such as another definition; empty where the step does."""


@dataclass(frozen=True)
class Series:
    """Figures of periods that follow one another, the oldest first; the first and the last are known."""

    name: str
    points: tuple[Point, ...]
    months: Literal[1, 3] = 1
    """The months of a period: a month or a quarter."""
    spelling: Spelling = "month"
    notes: tuple[str, ...] = ()
    """What a reader of a forecast has to know of the figures."""
    left_out: tuple[str, ...] = ()
    """Periods that are no evidence, and why."""

    @property
    def newest(self) -> Point:
        """The last point, which is known."""
        return self.points[-1]

    @property
    def unit(self) -> str:
        """What a period is called: month or quarter."""
        return "month" if self.months == 1 else "quarter"

    def label(self, number: int) -> str:
        """A period's name as the series writes it."""
        return period_name(number, self.spelling)

    def begins(self, number: int) -> date:
        """The first day that a period may begin on."""
        first = number if self.spelling == "first day" else number - (self.months - 1)
        return month_from_number(first)


def period_name(number: int, spelling: Spelling) -> str:
    """The name of a period."""
    first = month_from_number(number)
    if spelling == "quarter":
        return f"{first.year}-Q{(first.month + 2) // 3}"
    if spelling == "last day":
        return f"{month_end(first)}"
    return f"{first}" if spelling == "first day" else f"{first:%Y-%m}"


def even_series(
    name: str, points: Sequence[Point], months: Literal[1, 3], spelling: Spelling, **remarks: tuple[str, ...]
) -> Series:
    """A series from the first known value to the last, with a missing point for each period between the points.

    `points`: in order; `remarks`: the series' `notes` and `left_out`. Raises `RefusedError` where fewer than two are known.
    """
    known = [p.number for p in points if p.value is not None]
    if len(known) < 2:
        raise refused(
            Code.SERIES_INVALID,
            name,
            "a forecast needs at least two figures",
            f"{len(known)} known",
            "give it more periods; six are the least to trust",
        )
    by_number = {p.number: p for p in points}
    return Series(
        name, tuple(by_number.get(n, Point(n, None)) for n in range(known[0], known[-1] + 1, months)), months, spelling, **remarks
    )
