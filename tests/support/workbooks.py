"""A workbook as its bytes have it, read with nothing of what wrote it."""

import re
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

Value = str | float | None
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_parsed = ElementTree.fromstring
_REFERENCE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def read(path: Path) -> dict[str, list[list[Value]]]:
    """By sheet, the rows of cells: a number as a number, a text as a text. A formula fails."""
    with ZipFile(path) as book:
        assert book.testzip() is None
        shared = [
            "".join(text.text or "" for text in item.iter(f"{_MAIN}t")) for item in _parsed(book.read("xl/sharedStrings.xml"))
        ]
        targets = {
            relation.attrib["Id"]: relation.attrib["Target"] for relation in _parsed(book.read("xl/_rels/workbook.xml.rels"))
        }
        sheets = _parsed(book.read("xl/workbook.xml")).iter(f"{_MAIN}sheet")
        return {
            sheet.attrib["name"]: _rows(_parsed(book.read(f"xl/{targets[sheet.attrib[_REFERENCE]]}")), shared) for sheet in sheets
        }


def _rows(sheet: ElementTree.Element, shared: list[str]) -> list[list[Value]]:
    assert not list(sheet.iter(f"{_MAIN}f")), "a formula"
    assert not list(sheet.iter(f"{_MAIN}hyperlink")), "a link"
    rows: list[list[Value]] = []
    for row in sheet.iter(f"{_MAIN}row"):
        rows += [[] for _ in range(int(row.attrib["r"]) - len(rows))]
        for cell in row:
            column = _column(cell.attrib["r"])
            value = cell.find(f"{_MAIN}v")
            rows[-1] += [None] * (column + 1 - len(rows[-1]))
            if value is not None and value.text is not None:
                rows[-1][column] = shared[int(value.text)] if cell.attrib.get("t") == "s" else float(value.text)
    return rows


def _column(reference: str) -> int:
    letters = re.sub("[0-9]", "", reference)
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def table(rows: list[list[Value]], first_column: str, title: str | None = None) -> list[dict[str, Value]]:
    """The rows below a head whose first column has this name, after a row of the title; to the next row without a first cell."""
    start = 0 if title is None else next(number for number, row in enumerate(rows) if row and row[0] == title) + 1
    head = next(number for number, row in enumerate(rows) if number >= start and row and row[0] == first_column)
    names = [str(name) for name in rows[head]]
    below: list[dict[str, Value]] = []
    for row in rows[head + 1 :]:
        if not row or row[0] is None:
            break
        below.append(dict(zip(names, [*row, *[None] * (len(names) - len(row))], strict=True)))
    return below
