"""The numbers behind a chart, with what each column is: for a download, and for whoever doesn't see the picture. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

Cell = str | int | float | date | None


@dataclass(frozen=True)
class TableColumn:
    """A column of numbers or texts."""

    name: str
    """As the head of CSV and Excel has it."""
    meaning: str
    """What the column holds, with its unit."""


@dataclass(frozen=True)
class Table:
    """PageRows under columns, with the words that belong to them."""

    title: str
    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    """Reading, as-of moment, method, legend: what has to travel with the numbers."""
