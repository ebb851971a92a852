"""The sheets of the page of evidence and of the monthly report: fonts, foot, headings, tables that nothing is cut from."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace, TTFFont

from affiliates.errors import Code, lines_in_plain_sight, refused

_GREY = (105, 110, 118)
_INK = (24, 28, 36)
_RULE = (200, 204, 210)
_FONT = "DejaVu"
_SIZE = 8.5


class Sheets(FPDF):
    """A4 with a foot on each page."""

    def __init__(self, title: str, foot: str, legend: str, at: datetime) -> None:
        """Sheets without a page yet; `foot` and `legend`: what stands at the foot of each."""
        super().__init__(format="A4")
        self.texts = set[str]()
        """All texts that were written, before they were broken into lines."""
        import matplotlib

        # matplotlib carries DejaVu, which covers Latin, Greek and Cyrillic; no font has to be installed.
        fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        for style, file in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            self.add_font(_FONT, style, fonts / file)
        self.add_font("DejaVuMono", "", fonts / "DejaVuSansMono.ttf")
        self._foot = foot
        self._legend = legend
        # The moment is given, so the same content is the same bytes, and its digest can be compared.
        self.set_creation_date(at)
        self.set_title(title)
        self.set_margins(18, 16, 18)
        self.set_auto_page_break(True, 22)
        self.set_text_color(*_INK)

    def normalize_text(self, text: str) -> str:
        """Each text that is written comes by here."""
        text = lines_in_plain_sight(text)
        self.texts.add(text)
        return super().normalize_text(text)

    def fall_back_to(self, font: Path) -> None:
        """Take from a font's file what the others have no glyph for. Raises `RefusedError` where the file is no font."""
        try:
            for style in ("", "B"):
                self.add_font("More", style, font)
        except Exception as error:  # noqa: BLE001 whatever fontTools says of a file that is no font
            cause = f"{font.name}: {type(error).__name__}"
            raise refused(
                Code.EVIDENCE_UNWRITABLE, "group.yaml: evidence_font", "isn't a font that can be read", cause, "see to the file"
            ) from None
        self.set_fallback_fonts(["More"], exact_match=False)

    def close_fonts(self) -> None:
        """Close the fonts' files, which stay open until then."""
        for font in self.fonts.values():
            if isinstance(font, TTFFont):
                font.close()

    def lacking(self) -> str:
        """The characters written that no font has a glyph for."""
        known = {code for font in self.fonts.values() if isinstance(font, TTFFont) for code in font.cmap}
        written = {character for text in self.texts for character in text}
        return "".join(sorted(c for c in written if ord(c) not in known and not c.isspace()))

    def footer(self) -> None:
        """What the page is of, the legend and the page's number; wrapped, since a group's name or a legend may be long."""
        self.set_y(-18)
        self.set_font(_FONT, size=6.5)
        self.set_text_color(*_GREY)
        self.multi_cell(0, 3.3, f"{self._foot}\n{self._legend}", align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_y(-8)
        self.cell(0, 3.3, f"page {self.page_no()} of {{nb}}", align="R")
        self.set_text_color(*_INK)

    def title_line(self, text: str) -> None:
        """The document's title."""
        self.set_font(_FONT, "B", 15)
        self.multi_cell(0, 7, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def banner(self, text: str) -> None:
        """A line that nobody may miss, in a frame."""
        self.ln(1)
        self.set_font(_FONT, "B", _SIZE)
        self.set_draw_color(*_INK)
        self.multi_cell(0, 5, text, border=1, align="L", padding=2, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1.5)

    def heading(self, text: str, room: float = 26) -> None:
        """A heading, on a new page where nothing would fit beneath it; `room`: millimetres that heading and what follows need."""
        # A heading alone at a page's foot would look like a part that is missing.
        if self.will_page_break(room):
            self.add_page()
        self.ln(3.5)
        self.set_font(_FONT, "B", 10)
        self.multi_cell(0, 5.5, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_draw_color(*_RULE)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())
        self.ln(1.5)

    def text_line(self, text: str, grey: bool = False, mono: bool = False, bold: bool = False) -> None:
        """A paragraph."""
        self.set_font("DejaVuMono" if mono else _FONT, "B" if bold else "", 6.6 if mono else _SIZE)
        self.set_text_color(*(_GREY if grey else _INK))
        self.multi_cell(0, 4.3, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_text_color(*_INK)

    def beside(self, facts: Sequence[tuple[str, str, str]]) -> None:
        """Facts in two columns: name, value in larger letters, and what it rests on; two beside each other share a sheet."""
        width = self.epw / 2 - 3
        for place in range(0, len(facts), 2):
            if self.will_page_break(18):
                self.add_page()
            top = bottom = self.get_y()
            for column, (name, value, detail) in enumerate(facts[place : place + 2]):
                self.set_xy(self.l_margin + column * (width + 6), top)
                for text, bold, size, height in ((name, False, 7.6, 4), (value, True, 11, 5.5), (detail, False, 7.6, 3.8)):
                    self.set_font(_FONT, "B" if bold else "", size)
                    self.set_text_color(*(_INK if bold else _GREY))
                    if text:
                        self.multi_cell(width, height, text, align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)
                bottom = max(bottom, self.get_y())
            self.set_xy(self.l_margin, bottom + 2)
        self.set_text_color(*_INK)

    def key_line(self, text: str, width: float) -> None:
        """The words of a picture's legend, beside their sample."""
        self.set_font(_FONT, size=7.6)
        self.cell(width, 4.3, text)

    def quotation(self, text: str) -> None:
        """Somebody else's words, set in."""
        self.ln(0.8)
        self.set_font(_FONT, size=_SIZE)
        self.set_x(self.l_margin + 6)
        self.multi_cell(self.epw - 12, 4.3, f"“{text}”", align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(0.8)

    def lines(self, texts: Iterable[str], grey: bool = False) -> None:
        """A list, a paragraph each; all of it, for what is left out is what somebody will ask about."""
        for line in texts:
            # No break after the point: a long address would leave it alone on its line.
            self.text_line(f"·\u00a0{line}", grey)

    def pairs(self, rows: Iterable[tuple[str, str]], width: int = 34) -> None:
        """Words with what they mean, or fields with their values."""
        self.rows(("", ""), rows, (width, 174 - width), headed=False)

    def height_of(self, cells: Sequence[str], widths: Sequence[int], gap: float = 1) -> float:
        """Millimetres that a row of a table takes."""
        self.set_font(_FONT, size=7.6)
        whole = sum(widths)
        most = 1
        for text, width in zip(cells, widths, strict=True):
            # fpdf2 says of this one method what it may give by all its options; by this one it's a list.
            lines: Any = self.multi_cell(self.epw * width / whole - 2 * gap, 4.1, text, dry_run=True, output="LINES")
            most = max(most, len(lines))
        return 4.1 * most + 1

    def rows(
        self,
        heads: Sequence[str],
        rows: Iterable[Sequence[str]],
        widths: Sequence[int],
        right: Sequence[int] = (),
        headed: bool = True,
        gap: float = 1,
    ) -> None:
        """A table of all rows, over as many pages as it takes, with its head on each; long texts wrap.

        `gap`: millimetres on either side of a cell's text.
        """
        self.set_font(_FONT, size=7.6)
        self.set_draw_color(*_RULE)
        aligned = tuple("RIGHT" if i in right else "LEFT" for i in range(len(heads)))
        with self.table(
            col_widths=tuple(widths),
            text_align=aligned,
            v_align="TOP",
            line_height=4.1,
            padding=(0.5, gap, 0.5, gap),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD", color=_GREY),
            first_row_as_headings=headed,
            num_heading_rows=1 if headed else 0,
        ) as table:
            for row in [heads, *rows] if headed else rows:
                table.row(row)

    def signature_block(self, names: Sequence[str]) -> None:
        """Lines to sign on, one block for each of these; never broken over two pages."""
        if self.will_page_break(26 * ((len(names) + 1) // 2)):
            self.add_page()
        width = self.epw / 2 - 4
        for start in range(0, len(names), 2):
            top = self.get_y() + 12
            for i, name in enumerate(names[start : start + 2]):
                x = self.l_margin + i * (width + 8)
                self.set_draw_color(*_INK)
                self.line(x, top, x + width, top)
                self.set_xy(x, top + 0.8)
                self.set_font(_FONT, size=7)
                self.multi_cell(width, 3.6, f"{name}\nName, office, place and date:", align="L")
            self.set_xy(self.l_margin, top + 14)
