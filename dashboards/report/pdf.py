"""The page that a lawyer reads, as a PDF: what was counted, how, what it found, and for whom. No forecast.

Made of what a bundle of evidence holds, and of nothing else: whoever has the bundle can hold each line against it.
"""

import zlib
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from affiliates.errors import Code, refused
from affiliates.signing import file_digest
from dashboards.report import back, body, front
from dashboards.report.sheets import Sheets


def pdf(files: Mapping[str, Any], at: datetime, font: Path | None = None) -> bytes:
    """The page, of the bundle's files by name (without .json); the same for the same, at the same moment.

    `font`: for what the page's own font has no glyph. Raises `RefusedError` where that can't be read, or there still is no
    glyph: a box in the place of a name is no evidence.
    """
    sheets = sheets_of(files["group"]["name"] or files["group"]["group"], files["about"], at)
    try:
        if font is not None:
            sheets.fall_back_to(font)
        write(sheets, files)
        # Asked at the end, for only what was written needs a glyph.
        if lacking := sheets.lacking():
            raise refused(
                Code.EVIDENCE_UNWRITABLE,
                "evidence.pdf",
                "its font has no glyph for some characters",
                lacking[:40],
                "name the file of a font that has them in group.yaml: evidence_font",
            )
        return bytes(sheets.output())
    finally:
        sheets.close_fonts()


def sheets_of(group: str, about: Mapping[str, Any], at: datetime) -> Sheets:
    """Empty sheets with the foot of evidence; `about`: the bundle's."""
    foot = f"{group} · {about['month']} · {about['licence']} · made {at:%Y-%m-%d %H:%M} UTC by {about['made_by']}"
    legend = about.get("legend") or "Facts and results under stated readings; no legal advice."
    return Sheets(f"{group}: evidence for {about['licence']}, {about['month']}", foot, legend, at)


def made_with(font: Path | None = None) -> str:
    """The libraries, and the group's own font, that decide over the page's bytes: whoever has the same makes the same page."""
    versions = [f"{name} {metadata.version(name)}" for name in ("mauwatch", "fpdf2", "fonttools", "matplotlib")]
    own = f"; {file_digest(font)}" if font else ""
    return f"{', '.join(versions)}, zlib {zlib.ZLIB_RUNTIME_VERSION}{own}"


def write(sheets: Sheets, files: Mapping[str, Any]) -> None:
    """All parts, in the order in which a reader asks for them."""
    sheets.add_page()
    front.cover(sheets, files)
    front.result(sheets, files)
    front.clause(sheets, files["licence"])
    front.grants(sheets, files)
    body.figures(sheets, files)
    body.conventions(sheets, files)
    body.membership(sheets, files["group"])
    body.coverage(sheets, files)
    body.attestations(sheets, files["closing"]["collected"])
    back.method(sheets, files)
    back.glossary(sheets)
    back.digests(sheets, files)
    back.signatures(sheets, files)
