"""One sheet of a workbook, written from the top down: tables under titles, with numbers as numbers and texts as texts."""

from collections.abc import Sequence
from typing import Any

from dashboards.charts import scenario

Cell = str | int | float | None

_LEAST_WIDE, _MOST_WIDE = 16, 70
"""Of a column, in letters."""


class Sheet:
    """One sheet, written from the top down."""

    def __init__(self, workbook: Any, name: str) -> None:
        self.name = name
        self.sheet = workbook.add_worksheet(name)
        self.sheet.hide_gridlines(2)
        self.row = 0
        self._widths = dict[int, int]()
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
        # Not every reader makes a row higher for a heading of two lines.
        self.sheet.set_row(head, 32 if max(map(len, columns), default=0) > _LEAST_WIDE else None)
        for place, column in enumerate(columns):
            self._text(head, place, column, "head")
        for number, cells in enumerate(rows):
            for place, cell in enumerate(cells):
                self.cell(head + 1 + number, place, cell)
                length = len(cell) if isinstance(cell, str) else len(f"{cell:,}") if isinstance(cell, int) else 0
                self._widths[place] = max(self._widths.get(place, 0), length)
        self.row = head + len(rows) + 1
        return head

    def finish(self) -> None:
        """Columns as wide as what they hold, so that no cell is cut by the next one; on paper a sheet is one page wide."""
        for place, longest in self._widths.items():
            self.sheet.set_column(place, place, min(max(longest + 2, 34 if place == 0 else _LEAST_WIDE), _MOST_WIDE))
        self.sheet.set_landscape()
        self.sheet.fit_to_pages(1, 0)

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
