"""A chart's numbers as CSV and as an Excel workbook with the sheets figures, text and fields. Pure."""

import csv as csv_format
import io
from datetime import date, datetime

import xlsxwriter

from affiliates.errors import in_plain_sight
from dashboards.charts.table import Cell, Table

_MADE = datetime(2020, 1, 1)
"""When a workbook says that it was made: always the same, so that equal numbers are equal bytes."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would take for a formula."""


def csv(table: Table) -> bytes:
    """The table in UTF-8 with a head; numbers in full, days as YYYY-MM-DD, nothing for a number that isn't there."""
    text = io.StringIO()
    writer = csv_format.writer(text, lineterminator="\r\n")
    writer.writerow([column.name for column in table.columns])
    writer.writerows([[_text(cell) for cell in row] for row in table.rows])
    return text.getvalue().encode("utf-8")


def _text(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, str):
        shown = in_plain_sight(cell)
        return f"'{shown}" if shown.startswith(_FORMULA) else shown
    return cell.isoformat() if isinstance(cell, date) else cell


def workbook(table: Table, legend: str) -> bytes:
    """A workbook: the numbers as numbers, what belongs to them in words, and what each column is."""
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        book.set_properties({"title": table.title, "created": _MADE})
        bold = book.add_format({"bold": True})
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        whole = book.add_format({"num_format": "#,##0"})
        figures = book.add_worksheet("figures")
        for place, column in enumerate(table.columns):
            figures.write_string(0, place, column.name, bold)
            figures.set_column(place, place, max(12, len(column.name) + 2))
        # The head stays while a reader scrolls through the rows.
        figures.freeze_panes(1, 0)
        for number, row in enumerate(table.rows, 1):
            for place, cell in enumerate(row):
                # As texts, not as what they look like: a name that begins with = is no formula.
                if isinstance(cell, str):
                    figures.write_string(number, place, in_plain_sight(cell))
                elif isinstance(cell, date):
                    figures.write_datetime(number, place, datetime(cell.year, cell.month, cell.day), day)
                elif cell is not None:
                    figures.write_number(number, place, cell, whole if isinstance(cell, int) else None)
        text = book.add_worksheet("text")
        for number, line in enumerate([table.title, *table.notes, legend]):
            text.write_string(number, 0, in_plain_sight(line), bold if number == 0 else None)
        text.set_column(0, 0, 100)
        fields = book.add_worksheet("fields")
        fields.write_string(0, 0, "field", bold)
        fields.write_string(0, 1, "meaning", bold)
        for number, column in enumerate(table.columns, 1):
            fields.write_string(number, 0, column.name)
            fields.write_string(number, 1, column.meaning)
        fields.set_column(0, 0, 24)
        fields.set_column(1, 1, 90)
    return content.getvalue()
