"""The page that a lawyer reads: two to four sheets (PDF) of what was counted, how, and what it found. No forecast.

Made of what the bundle `outside` holds, and of nothing else: whoever has the bundle can hold each line against it. A few
lines over 300: one function for each part of one page, in their order.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace, TTFFont

from affiliates.errors import Code, refused
from affiliates.manifests.group import affiliate_of
from pipelines.evidence.write import METHOD

Told = Mapping[str, Any]
_GREY = (105, 110, 118)
_INK = (24, 28, 36)
_RULE = (200, 204, 210)
_FONT = "DejaVu"
_SIZE = 8.5
MOST_ROWS = 25
MOST_LINES = 10
"""Of a table, and of a list; what is beyond stands in the bundle, and is said."""


def pdf(files: Told, at: datetime, font: Path | None = None) -> bytes:
    """The sheets, of the bundle's files by name (without .json); the same for the same, at the same moment.

    `font`: for what the sheets' own font has no glyph. Raises `RefusedError` where that can't be read, or there still is no
    glyph: a box in the place of a name is no evidence.
    """
    sheets = _Sheets(files["group"]["name"] or files["group"]["group"], files["about"], at)
    try:
        if font is not None:
            sheets.fall_back_to(font)
        _write(sheets, files)
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


def _write(sheets: "_Sheets", files: Told) -> None:
    figures = files["figures"]["published"]
    sheets.add_page()
    _result(sheets, files)
    _clause(sheets, files["licence"])
    _figures(sheets, figures)
    _membership(sheets, files["group"])
    _coverage(sheets, figures[0], files["inputs"]["grades"])
    _vouched(sheets, files["closing"]["collected"])
    _method(sheets)
    _digests(sheets, files)


class _Sheets(FPDF):
    """A4 with a foot on each page."""

    def __init__(self, group: str, about: Told, at: datetime) -> None:
        super().__init__(format="A4")
        self._written = set[str]()
        import matplotlib

        # matplotlib carries DejaVu, which covers Latin, Greek and Cyrillic; no font has to be installed.
        fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        for style, file in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            self.add_font(_FONT, style, fonts / file)
        self.add_font("DejaVuMono", "", fonts / "DejaVuSansMono.ttf")
        self._foot = f"{group} · {about['month']} · {about['licence']} · made {at:%Y-%m-%d %H:%M} UTC by {about['made_by']}"
        self._legend = about.get("legend") or "Facts and results under stated readings; no legal advice."
        # The moment is given, so the same evidence is the same bytes, and its digest can be compared.
        self.set_creation_date(at)
        self.set_title(f"{group}: evidence for {about['licence']}, {about['month']}")
        self.set_margins(18, 16, 18)
        self.set_auto_page_break(True, 20)
        self.set_text_color(*_INK)

    def normalize_text(self, text: str) -> str:
        """Each text that is written comes by here."""
        self._written |= set(text)
        return super().normalize_text(text)

    def fall_back_to(self, font: Path) -> None:
        """Take from a font's file what the others have no glyph for."""
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
        """Their files stay open until then."""
        for font in self.fonts.values():
            if isinstance(font, TTFFont):
                font.close()

    def lacking(self) -> str:
        """The characters written that no font has a glyph for."""
        known = {code for font in self.fonts.values() if isinstance(font, TTFFont) for code in font.cmap}
        return "".join(sorted(c for c in self._written if ord(c) not in known and not c.isspace()))

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font(_FONT, size=6.5)
        self.set_text_color(*_GREY)
        self.cell(0, 3.5, self._foot, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.cell(120, 3.5, self._legend)
        self.cell(0, 3.5, f"page {self.page_no()} of {{nb}}", align="R")
        self.set_text_color(*_INK)

    def title_line(self, text: str) -> None:
        self.set_font(_FONT, "B", 15)
        self.multi_cell(0, 7, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def heading(self, text: str) -> None:
        # A heading alone at a page's foot would look like a part that is missing.
        if self.will_page_break(22):
            self.add_page()
        self.ln(3.5)
        self.set_font(_FONT, "B", 10)
        self.cell(0, 5.5, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_draw_color(*_RULE)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())
        self.ln(1.5)

    def text_line(self, text: str, grey: bool = False, mono: bool = False) -> None:
        self.set_font("DejaVuMono" if mono else _FONT, size=6.6 if mono else _SIZE)
        self.set_text_color(*(_GREY if grey else _INK))
        self.multi_cell(0, 4.3, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.set_text_color(*_INK)

    def lines(self, texts: Sequence[str], grey: bool = False) -> None:
        """A list, a line each."""
        for line in texts[:MOST_LINES]:
            self.text_line(line, grey)
        if len(texts) > MOST_LINES:
            self.text_line(f"and {len(texts) - MOST_LINES} more, in the bundle", grey=True)

    def rows(self, heads: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[int], right: Sequence[int] = ()) -> None:
        every = list(rows)
        self.set_font(_FONT, size=7.6)
        aligned = tuple("RIGHT" if i in right else "LEFT" for i in range(len(heads)))
        with self.table(
            col_widths=tuple(widths),
            text_align=aligned,
            line_height=4.1,
            padding=(0.5, 1, 0.5, 1),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD", color=_GREY),
        ) as table:
            for row in [heads, *every[:MOST_ROWS]]:
                table.row(row)
        if len(every) > MOST_ROWS:
            self.text_line(f"and {len(every) - MOST_ROWS} more, in the bundle", grey=True)


def _result(sheets: _Sheets, files: Told) -> None:
    licence = files["licence"]
    about = files["about"]
    sheets.title_line(f"{files['group']['name'] or files['group']['group']}: users in {about['month']}")
    sheets.text_line(
        f"Evidence for the test of {licence['name']}, released {licence['released']}: {_more(licence)} monthly active users "
        f"in the calendar month before. Licensee: {licence['licensee']}, "
        "with its affiliates."
    )
    sheets.ln(1.5)
    outcomes = [(r["name"], licence["readings"][r["name"]]) for r in licence["read"]]
    rows = [
        (
            f"{name}{' (of record)' if o['of_record'] else ''}",
            o["result"].replace("_", " "),
            _people(o["estimate"]),
            _interval(o["lower"], o["upper"]),
            "–" if o["estimate"] is None else f"{licence['threshold'] - o['estimate']:+,}",
        )
        for name, o in outcomes
    ]
    sheets.rows(("reading", "result", "estimate", "95 % interval", "headroom"), rows, (38, 22, 26, 44, 26), (2, 3, 4))
    lines = [f"{name}: {why}" for name, o in outcomes for why in o["why"]]
    sheets.lines(
        lines + [f"{name} would be settled by: {reason}" for name, o in outcomes for reason in o["settled_by"]], grey=True
    )


def _clause(sheets: _Sheets, licence: Told) -> None:
    clause = licence["clause"]
    entry = licence["entry"]
    sheets.heading("The clause, and how it was read")
    sheets.text_line(
        f"{licence['name']} ({licence['licensor']}), section {clause['section']}. Over it: {_more(licence)} "
        f"monthly active users in the calendar month before the release. Whose users: "
        f"{', '.join(clause['whose']).replace('_', ' ')}. Products: {clause['products_in_scope'] or 'all'}. "
        f"Effect: {clause['effect_over'] or 'see the text'}. How the text was read: {entry['evidence'].replace('_', ' ')}."
    )
    for reading in licence["read"]:
        counts = "each person once" if reading["counts"] == "unique_people" else "each person once in each product, added up"
        member = "on the release date" if reading["membership"] == "release_date" else "on the month's last day"
        sheets.text_line(
            f"· {reading['name']}: {counts}; {', '.join(reading['audiences'])} users; control by more than "
            f"{float(reading['control_share']) * 100:g} % of the shares or by contract; the group as it is {member}."
        )
    record = licence["of_record"]
    sheets.text_line(
        f"Reading of record: {record['reading']}, adopted by {record['adopted_by']} from {record['from']}."
        if record
        else "No reading of record was adopted."
    )


def _figures(sheets: _Sheets, figures: Sequence[Told]) -> None:
    sheets.heading("The figures")
    for at, held in enumerate(figures):
        p = held["publication"]
        # Two readings over the same inputs have the same figures; printed twice, they would look like two counts.
        if any(other["publication"]["inputs"] == p["inputs"] for other in figures[:at]):
            sheets.text_line(f"By {p['reading']}: the same figures; its test takes their sum over products.")
            continue
        signed = f", signed by {p['signed_by']}" if p["signed_by"] else ", not signed"
        sheets.text_line(
            f"By {p['reading']}: {p['state']}{signed}; known at {p['known_at'][:16].replace('T', ' ')} UTC, method {p['method']}."
        )
        if p["despite"]:
            sheets.text_line(f"Signed although something was open: {p['despite']}")
        if p["reason"]:
            sheets.text_line(f"Restated because: {p['reason']}")
        order = {"group": 0, "affiliate": 1, "product": 2}
        size = {f["subject"]: -(f["estimate"] or 0) for f in held["figures"] if f["scope"] == "affiliate"}

        def place(f: Told, size: Mapping[str, int] = size) -> tuple[int, str]:
            """An affiliate's, the largest first."""
            affiliate = affiliate_of(f["subject"])
            return size.get(affiliate, 0), affiliate

        rows = [
            (
                {"group": "", "affiliate": "  ", "product": "    "}[f["scope"]] + f["subject"],
                _people(f["estimate"]),
                _interval(f["lower"], f["upper"]),
                f"{_people(f['identity_low'])} to {_people(f['identity_high'])}",
                f"{f['standard_error']:,.0f}",
                _covered(f),
            )
            for f in sorted(held["figures"], key=lambda f: (f["scope"] != "group", place(f), order[f["scope"]], f["subject"]))
        ]
        heads = ("", "estimate", "95 % interval", "same or different people", "sketch error", "covered")
        sheets.rows(heads, rows, (37, 23, 42, 42, 16, 30), (1, 2, 3, 4, 5))
        sheets.ln(1)


def _membership(sheets: _Sheets, group: Told) -> None:
    for at, drawn in enumerate(group["drawn"]):
        share = float(drawn["control_share"]) * 100
        # Only a difference between two dates is news; the same list twice hides one.
        same = [d["on"] for d in group["drawn"][:at] if d["members"] == drawn["members"]]
        if same:
            sheets.text_line(f"The same on {drawn['on']} as on {same[0]}.")
            continue
        sheets.heading(f"Who is in the group on {drawn['on']}, by control of more than {share:g} %")
        rows = [(m["entity"], "; ".join(m["path"]) or "the ultimate parent") for m in drawn["members"]]
        sheets.rows(("affiliate", "path from the ultimate parent"), rows, (30, 124))
        sheets.lines([f"Not in it: {outside['entity']}, {outside['why']}" for outside in drawn["outside"]], grey=True)


def _coverage(sheets: _Sheets, held: Told, grades: Told) -> None:
    sheets.heading("Coverage, and what is left out")
    reasons = [line for f in held["figures"] if f["scope"] == "group" for line in f["reasons"].splitlines()]
    left = held["publication"]["not_counted"].splitlines()
    sheets.text_line("All that was due is there, and was computed after it settled." if not reasons else "Not complete:")
    sheets.lines([f"· {line}" for line in [*reasons, *(f"not counted: {line}" for line in left)]])
    sheets.text_line("Rests on: " + "; ".join(f"{n} product{'s' * (n > 1)} by {grade}" for grade, n in grades.items() if n) + ".")


def _vouched(sheets: _Sheets, closing: Told | None) -> None:
    sheets.heading("Attestations and reconciliation")
    if closing is None:
        sheets.text_line("The month isn't signed: nothing was collected yet.")
        return
    # Incomplete lists come first: those are what counsel has to see.
    sheets.lines([f"· {_attested(a)}" for a in sorted(closing["attestations"], key=lambda a: a["products_complete"])])
    if closing["not_attested"]:
        sheets.text_line(f"Nobody has attested for: {', '.join(closing['not_attested'])}.")
    rows = [
        (
            r["product"],
            f"{r['published']:,} {r['unit']}",
            _people(r["ours"]["estimate"]) if r["ours"] else "–",
            f"{r['difference']:+,}" if r["ours"] else "–",
            f"{r['source']}, {r['on']}",
            r["reason"],
        )
        for r in closing["reconciliation"]
    ]
    if rows:
        sheets.rows(
            ("product", "published", "ours", "difference", "where", "why they differ"), rows, (26, 30, 24, 22, 36, 46), (1, 2, 3)
        )
    else:
        sheets.text_line("No figure published elsewhere was compared.")


def _attested(a: Told) -> str:
    whole = "all products are listed" if a["products_complete"] else "products are missing from the list"
    document = f" ({a['document']}{', SHA-256 ' + a['sha256'][:16] + '…' if a['sha256'] else ''})" if a["document"] else ""
    return f"{a['affiliate']}, by {a['by']} on {a['on']}: {whole}. Active: {a['active']}. Left out: {a['exclusions']}.{document}"


def _method(sheets: _Sheets) -> None:
    sheets.heading("Method, in words")
    for paragraph in METHOD.strip().split("\n\n"):
        sheets.text_line(" ".join(paragraph.split()))
        sheets.ln(0.8)


def _digests(sheets: _Sheets, files: Told) -> None:
    sheets.heading("Digests")
    about = files["about"]
    head = about["ledger_head"]
    sheets.text_line("Whoever has a bundle checks it by `mauwatch verify FILE`: it needs no key and no store.", grey=True)
    lines = [f"licence entry  {files['licence']['digest']}"]
    lines += [f"inputs of {h['publication']['reading']}  {h['publication']['inputs']}" for h in files["figures"]["published"]]
    lines += [f"figures of {h['publication']['reading']}  {h['content']}" for h in files["figures"]["published"]]
    if head:
        lines.append(f"ledger, entry {head['number']}  {head['digest']}")
    lines.append(f"signing key  {about['public_key'] or 'none: the bundle is not signed'}")
    for line in lines:
        sheets.text_line(line, mono=True)


def _more(licence: Told) -> str:
    return f"{'more than' if licence['clause']['comparator'] == 'gt' else 'at least'} {licence['threshold']:,}"


def _people(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _interval(lower: int | None, upper: int | None) -> str:
    if lower is None:
        return "–"
    return f"{lower:,} to {upper:,}" if upper is not None else f"from {lower:,}, no upper bound"


def _covered(f: Told) -> str:
    parts = [f"{f['days_present']}/{f['days_expected']} days"] if f["days_expected"] else []
    parts += [f"{f['months_present']}/{f['months_expected']} months"] if f["months_expected"] else []
    return ", ".join(parts) or "by count"
