"""A document as a PDF on A4, on the sheets of the page of evidence."""

import io
import re
from itertools import zip_longest
from pathlib import Path

from affiliates.errors import Code, refused
from dashboards.report.document import Bullets, FactList, Grid, Heading, PaperDocument, Paragraph, Part, Picture
from dashboards.report.sheets import Sheets
from dashboards.report.swatch import HEIGHT, WIDTH, swatch

_SAMPLE = 5.0
"""Millimetres of a legend's sample, across."""
_GAP = 1.6
"""Millimetres on either side of a table's text."""
_KEY = 4.4
"""Millimetres of a legend's line, down."""


def pdf(document: PaperDocument, font: Path | None = None) -> bytes:
    """The PDF, the same for the same document.

    `font`: for what the sheets' own font has no glyph. Raises `RefusedError` where that can't be read, or a glyph is still
    lacking.
    """
    sheets = Sheets(document.title, document.foot, document.legend, document.at)
    try:
        if font is not None:
            sheets.fall_back_to(font)
        sheets.add_page()
        sheets.text_line(document.legend, bold=True)
        sheets.title_line(document.title)
        sheets.text_line(document.about, grey=True)
        for part, following in zip_longest(document.parts, document.parts[1:]):
            _write(sheets, part, following)
        if lacking := sheets.lacking():
            raise refused(
                Code.REPORT_UNWRITABLE,
                "the report's PDF",
                "its font has no glyph for some characters",
                lacking[:40],
                "name the file of a font that has them in group.yaml: evidence_font",
            )
        return bytes(sheets.output())
    finally:
        sheets.close_fonts()


def _write(sheets: Sheets, part: Part, following: Part | None) -> None:
    match part:
        case Heading(text):
            # With the beginning of what stands beneath, so that neither is alone on a sheet.
            sheets.heading(text, 12 + _beginning(sheets, following))
        case Paragraph(text, "answer"):
            sheets.ln(2)
            sheets.title_line(text)
        case Paragraph(text, "notice"):
            sheets.banner(text)
        case Paragraph(text, kind):
            # The line above a list isn't alone at a sheet's foot.
            if isinstance(following, Bullets) and sheets.will_page_break(14):
                sheets.add_page()
            sheets.text_line(text, grey=kind == "soft", mono=kind == "code", bold=kind == "lead")
            sheets.ln(0.6)
        case Bullets(items):
            sheets.lines(items)
        case FactList(items, True):
            sheets.pairs([(fact.label, "\n".join(filter(None, (fact.value, fact.detail)))) for fact in items], 48)
        case FactList(items, False):
            sheets.ln(1)
            sheets.beside([(fact.label, fact.value, fact.detail) for fact in items])
        case Grid():
            _table(sheets, part)
        case Picture():
            _picture(sheets, part)


def _beginning(sheets: Sheets, part: Part | None) -> float:
    """Millimetres of what mustn't be apart from the line above: a picture, or a table's caption, head and first row."""
    match part:
        case Grid():
            return 6 + sum(sheets.height_of(row, part.widths, _GAP) for row in (part.head, *part.rows[:1]))
        case Picture():
            return _down(sheets, part) + 14 + _KEY * (len(part.keys) // 2 + 1)
        case _:
            return 14


def _down(sheets: Sheets, picture: Picture) -> float:
    """Millimetres of a drawing that is as wide as the sheet's text."""
    width, height = (float(number) for number in re.findall(r'(?:width|height)="([0-9.]+)pt"', picture.svg)[:2])
    return sheets.epw * height / width


def _table(sheets: Sheets, grid: Grid) -> None:
    # A caption alone at a page's foot would belong to nothing.
    if sheets.will_page_break(_beginning(sheets, grid)):
        sheets.add_page()
    sheets.ln(1)
    sheets.text_line(grid.caption, grey=True)
    sheets.rows(grid.head, grid.rows, grid.widths, grid.numbers, gap=_GAP)
    sheets.ln(1.5)


def _picture(sheets: Sheets, picture: Picture) -> None:
    down = _down(sheets, picture)
    # All of a picture on one sheet, with its title and its legend.
    if sheets.will_page_break(_beginning(sheets, picture)):
        sheets.add_page()
    sheets.ln(1.5)
    sheets.text_line(picture.title, bold=True)
    top = sheets.get_y()
    # What fpdf2 doesn't draw it says on the log: the metadata aren't drawn.
    svg = re.sub(r"<metadata>.*?</metadata>", "", picture.svg, flags=re.DOTALL)
    sheets.image(io.BytesIO(svg.encode()), x=sheets.l_margin, y=top, w=sheets.epw, h=down, alt_text=picture.summary)
    sheets.set_y(top + down + 1)
    column = sheets.epw / 2
    for place, key in enumerate(picture.keys):
        left = sheets.l_margin + column * (place % 2)
        line = sheets.get_y()
        sample = io.BytesIO(swatch(key).encode())
        sheets.image(sample, x=left, y=line + 1.2, w=_SAMPLE, h=_SAMPLE * HEIGHT / WIDTH)
        sheets.set_xy(left + _SAMPLE + 1.5, line)
        is_last = place % 2 == 1 or place == len(picture.keys) - 1
        sheets.key_line(key.words, column - _SAMPLE - 3)
        sheets.set_xy(sheets.l_margin, line + _KEY if is_last else line)
    sheets.ln(0.5)
    sheets.text_line(picture.summary, grey=True)
    sheets.set_xy(sheets.l_margin, sheets.get_y() + 1)
