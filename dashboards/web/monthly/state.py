"""The report's rest: alerts that are open, the state of the data, and what the figures rest on."""

from collections.abc import Iterator
from importlib import metadata

from affiliates.periods import add_months, month_end
from dashboards import formats
from dashboards.report.document import Bullets, Fact, FactList, Grid, Heading, Paragraph, Part
from dashboards.web import components
from dashboards.web.pages import alert_table, attention, coverage_calendar
from dashboards.web.queries import MonthFigures, PageRows, VisibleGroup, product_name
from pipelines.evidence.method_text import method_text

_MOST = 40
"""Rows of a list on paper: the newest, and how many more there are."""


def alerts(rows: PageRows) -> Iterator[Part]:
    """The alerts that are open, each with its owner and next step."""
    yield Heading("Alerts that are open")
    lines = [
        (
            f"{alert.opened}",
            attention.title(alert),
            alert.level,
            attention.owner(rows.group.alerting, alert),
            attention.next_step(rows.group.alerting, alert),
            alert_table.seen(alert),
        )
        for alert in rows.alerts
        if alert.is_open
    ]
    if not lines:
        yield Paragraph("No alert is open.")
        return
    yield Grid("The newest first", ("Alert", "About", "Level", "Owner", "Next step", "Seen by"), lines, (12, 52, 18, 30, 42, 20))


def data(rows: PageRows, figures: MonthFigures, visible: VisibleGroup | None) -> Iterator[Part]:
    """Which days are there, and what was missing, late, restated or refused."""
    month = formats.month_name(figures.month)
    yield Heading(f"State of the data of {month}")
    whole = figures.whole
    if whole is not None and whole.figure.reasons:
        yield Paragraph("What is missing or stands in:")
        yield Bullets(list(whole.figure.reasons))
    elif whole is not None:
        yield Paragraph("All that was due is there, and was computed after its late events had come.")
    calendar = visible.calendar if visible else {}
    lines = [(product_name(rows.group, name), coverage_calendar.in_words(cells)) for name, cells in calendar.items()]
    if lines:
        yield Grid(
            f"Days of {month} by product", ("Product", "Days that are there, and what is said of others"), lines, (50, 124)
        )
    yield from _handed_in(rows, figures)
    if figures.publication.not_counted:
        yield Paragraph("Not counted:")
        yield Bullets(list(figures.publication.not_counted))


def _handed_in(rows: PageRows, figures: MonthFigures) -> Iterator[Part]:
    """Late, restated and refused data of the month."""
    page = rows.data()
    if page is None:
        return
    first, last = figures.month, month_end(figures.month)
    late = [
        f"{row.product}, {row.first_day}: computed {formats.moment(row.computed_at)}, settles {formats.moment(row.settles_at)}"
        for row in page.late
        if first <= row.first_day <= last
    ]
    replaced = [
        f"{row.product}, {row.first_day}: {row.reason}; approved by {row.approved_by or 'nobody'}"
        for row in page.replaced
        if first <= row.first_day <= last
    ]
    # A file names no days of its own: those that came from the month's first day on may be of the month.
    refused = [
        f"{receipt.file}, {receipt.sender or 'sender not known'}, {formats.moment(receipt.received_at)}: "
        + "; ".join(receipt.reasons)
        for receipt in page.refused
        if first <= receipt.received_at.date() < add_months(first, 2)
    ]
    for title, texts, none in (
        ("Late: computed before its late events had come", late, "Nothing is late."),
        ("Restated after the month was closed", replaced, "Nothing of the month was restated after its closing."),
        ("Files refused since the month began", refused, "No file was refused."),
    ):
        if not texts:
            yield Paragraph(none)
            continue
        yield Paragraph(f"{title}:")
        rest = len(texts) - _MOST
        yield Bullets([*texts[:_MOST], *([f"and {rest} more: mauwatch dashboard, page Data"] if rest > 0 else [])])


def basis(rows: PageRows, figures: MonthFigures) -> Iterator[Part]:
    """Run, method, widths of the range, and the digest of all that the figures rest on."""
    yield Heading("What the figures rest on")
    publication = figures.publication
    whole = figures.whole
    if whole is not None:
        parts = [part for part in rows.range_parts(publication) if part["scope"] == "group"]
        lines = components.made_lines(whole.figure, parts, publication, rows.threshold, ())
        yield FactList([Fact(name, text if isinstance(text, str) else "; ".join(text)) for name, text in lines], are_lines=True)
    others = [
        Fact("Under the other readings", f"{name}: {_under(rows, figures, name)}")
        for name in rows.readings
        if name != figures.reading.name
    ]
    made = f"mauwatch {metadata.version('mauwatch')}, way of counting number {publication.method}"
    yield FactList([*others, Fact("Program and method", made)], are_lines=True)
    for paragraph in method_text(publication.method).strip().split("\n\n"):
        yield Paragraph(" ".join(paragraph.split()), "soft")
    yield Paragraph(f"{components.DIGEST}: {publication.inputs}", "code")


def _under(rows: PageRows, figures: MonthFigures, name: str) -> str:
    other = rows.figures(figures.month, rows.reading(name, figures.month))
    if other is None or other.whole is None:
        return "not published"
    span = formats.between(other.whole.lower, other.whole.upper, rows.threshold)
    return f"{formats.people(other.whole.estimate, rows.threshold)}, range {span}"
