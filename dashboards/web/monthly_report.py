"""The monthly report: one HTML file and one PDF of one month, of what is published, for finance and counsel.

No scenario is ever in it, and nothing that not everybody who sees the group's figures may see.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from affiliates.errors import Code, refused
from dashboards import formats
from dashboards.report import document_html, document_pdf
from dashboards.report.document import PaperDocument, Part
from dashboards.web.counsel_legend import legend
from dashboards.web.monthly import figures as figure_parts
from dashboards.web.monthly import licences, state
from dashboards.web.pages.figures_in_words import about_parts
from dashboards.web.queries import MonthFigures, PageRows
from dashboards.web.router import Parameters
from dashboards.web.row_source import RowSource
from dashboards.web.viewer import Role, Viewer
from pipelines.figures import published_licences

READER = Viewer("the monthly report", frozenset({Role.viewer}), frozenset())
"""For whom the report's rows are chosen: whoever may see the group's figures, and no more."""


@dataclass(frozen=True)
class MonthlyReport:
    """The report of a month."""

    month: date
    """The month's first day."""
    reading: str
    has_upper_bound: bool
    """Whether all that was due in the month is there and has settled, or something stands in for it."""
    document: PaperDocument
    font: Path | None
    """For what the PDF's own font has no glyph."""

    @cached_property
    def html(self) -> bytes:
        """The HTML file: the same for the same figures."""
        return document_html.html(self.document).encode()

    @cached_property
    def pdf(self) -> bytes:
        """The PDF: the same for the same figures. Raises `RefusedError` (REPORT_UNWRITABLE) where a glyph is lacking."""
        return document_pdf.pdf(self.document, self.font)


def make(directory: Path, now: datetime, month: date | None = None, reading: str | None = None) -> MonthlyReport:
    """The report of a month of a group directory, by default of the newest that is over, under the reading of record.

    Raises `RefusedError`: FIGURE_MISSING for a month that isn't published, or lies in the future; USAGE_INVALID for a reading
    that isn't there.
    """
    with RowSource(directory).rows(READER, now) as rows:
        return of_rows(rows, month, reading)


def of_rows(rows: PageRows, month: date | None = None, reading: str | None = None) -> MonthlyReport:
    """The same of rows that are read already; their viewer sees the group."""
    figures = _figures(rows, month, reading)
    own = rows.group.settings.evidence_font
    font = rows.directory / own if own else None
    has_upper_bound = figures.whole is not None and figures.whole.upper is not None
    return MonthlyReport(figures.month, figures.reading.name, has_upper_bound, of_month(rows, figures), font)


def _figures(rows: PageRows, month: date | None, name: str | None) -> MonthFigures:
    """The month's figures under the reading asked for. Raises `RefusedError` as `make`."""
    if name is not None and name not in rows.readings:
        raise refused(Code.USAGE_INVALID, name, "no such reading", ", ".join(rows.readings), "choose one of these")
    if not rows.months:
        raise refused(Code.FIGURE_MISSING, "the report", "no month is published", "", "run it: mauwatch run")
    shown = month or rows.month_of(Parameters())
    there = f"there are {rows.months[0]:%Y-%m} to {rows.months[-1]:%Y-%m}"
    if shown > rows.today:
        raise refused(Code.FIGURE_MISSING, f"{shown:%Y-%m}", "lies in the future", there, "choose a published month")
    figures = rows.figures(shown, rows.reading(name, shown))
    if figures is None:
        of_reading = rows.reading(name, shown).name
        subject = f"{shown:%Y-%m} by {of_reading}"
        raise refused(Code.FIGURE_MISSING, subject, "nothing is published", there, "choose another month, or run: mauwatch run")
    return figures


def of_month(rows: PageRows, figures: MonthFigures) -> PaperDocument:
    """What the report of a month says."""
    month = formats.month_name(figures.month)
    at = as_of(rows, figures)
    about = about_parts(rows, figures)[1:-1]
    return PaperDocument(
        f"{rows.group_name}: monthly users in {month}",
        " · ".join([*about, f"as of {formats.moment(at)}"]),
        list(_parts(rows, figures)),
        f"{rows.group_name} · monthly report of {month} · as of {formats.moment(at)}",
        legend(rows),
        at,
    )


def _parts(rows: PageRows, figures: MonthFigures) -> Iterator[Part]:
    parameters = Parameters(figures.month, figures.reading.name)
    visible = rows.products_page(figures.month, figures.reading)
    yield from figure_parts.answer(rows, figures)
    yield from figure_parts.step(rows, figures)
    yield from licences.results(rows)
    yield from licences.settling(rows)
    yield from figure_parts.trend_of_months(rows, parameters, figures)
    yield from figure_parts.products(rows, visible)
    yield from licences.adopting(rows, figures)
    yield from state.alerts(rows)
    yield from state.data(rows, figures, visible)
    yield from state.basis(rows, figures)


def as_of(rows: PageRows, figures: MonthFigures) -> datetime:
    """The moment of the newest of what the report shows: no clock's, so that the same figures make the same bytes."""
    moments = [figures.publication.known_at]
    moments += [alert.known_at for alert in rows.alerts]
    outlook = rows.outlook(figures.month, figures.reading)
    if outlook is not None:
        moments.append(outlook.known_at)
    tests = rows.read_group(published_licences.matrix) or ()
    moments += [result.known_at for test in tests for result in test.results.values()]
    return max(moments)
