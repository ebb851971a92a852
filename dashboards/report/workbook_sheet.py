"""One sheet of a workbook, written from the top down: tables under titles, with numbers as numbers and texts as texts."""

from collections.abc import Sequence
from typing import Any

from dashboards.charts import scenario

Cell = str | int | float | None


class Sheet:
    """One sheet, written from the top down."""

    def __init__(self, workbook: Any, name: str) -> None:
        self.name = name
        self.sheet = workbook.add_worksheet(name)
        self.sheet.hide_gridlines(2)
        self.row = 0
        self._formats = {
            "people": workbook.add_format({"num_format": "#,##0"}),
            "share": workbook.add_format({"num_format": "0.0%"}),
            "head": workbook.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
            "title": workbook.add_format({"bold": True, "font_size": 14}),
            "part": workbook.add_format({"bold": True, "font_size": 12}),
            "red": workbook.add_format({"bold": True, "font_color": scenario.OVER}),
            "soft": workbook.add_format({"font_color": scenario.SOFT}),
        }

    def line(self, text: str, style: str | None = None) -> None:
        """A row of one text."""
        self._text(self.row, 0, text, style)
        self.row += 1

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> int:
        """A table under its title; gives the row of its head. A float is a share or a probability, an int people."""
        if title:
            self.row += 1 if self.row else 0
            self.line(title, "part")
        head = self.row
        for place, column in enumerate(columns):
            self._text(head, place, column, "head")
        for number, cells in enumerate(rows):
            for place, cell in enumerate(cells):
                self.cell(head + 1 + number, place, cell)
        self.row = head + len(rows) + 1
        return head

    def cell(self, row: int, column: int, value: Cell) -> None:
        """A number as a number, a text as a text, nothing where there is none."""
        if isinstance(value, str):
            self._text(row, column, value, "red" if value == scenario.NO_SOURCE else None)
        elif value is not None:
            self.sheet.write_number(row, column, value, self._formats["share" if isinstance(value, float) else "people"])

    def _text(self, row: int, column: int, text: str, style: str | None) -> None:
        self.sheet.write_string(row, column, scenario.one_line(text), self._formats[style] if style else None)

    def range(self, column: int, first: int, last: int) -> list[Any]:
        """Cells of a column, for a chart."""
        return [self.name, first, column, last, column]
