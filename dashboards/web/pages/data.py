"""Data: what was handed in and refused, what may still change, what was restated, who has signed, and when a run has looked."""

import os
from collections.abc import Sequence
from datetime import date
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.web import components
from dashboards.web.pages.figures_in_words import nothing_published
from dashboards.web.queries import PageRows
from dashboards.web.router import EVERYBODY, Parameters, WebPage
from dashboards.web.viewer import Viewer
from pipelines.figures.published_data import MOST, DataPage, Receipt

PATH = "/data"
TITLE = "Data"
ROLES = EVERYBODY
DAGSTER = "MAUWATCH_DAGSTER_URL"
"""In the environment: where Dagster's own page is reached, such as https://dagster.example.com."""
_OUTCOMES = {"accepted": ("✓", "accepted"), "refused": ("✕", "refused")}
_RESULTS = {"clean": ("✓", "clean"), "findings": ("!", "findings"), "failed": ("✕", "failed")}


def layout(viewer: Viewer, parameters: Parameters, rows: PageRows) -> Component:
    """The lists, the newest first."""
    page = rows.data()
    if page is None:
        return nothing_published(TITLE, rows)
    parts: list[tuple[str, str, Any]] = [
        ("Contributions", "contributions", _contributions(page, rows.today)),
        ("Files that were refused", "refused", _refused(page)),
        ("Late: may still change", "late", _late(page)),
        ("Files that were handed in", "receipts", _receipts(page)),
        ("Restatements", "restatements", _replaced(page)),
    ]
    if rows.sees_group:
        parts += [("Signatures", "signatures", _signed(page)), ("Runs", "runs", _runs(page))]
    whose = "" if rows.sees_group else f" · {', '.join(sorted(viewer.affiliates)) or 'no affiliate'} alone"
    links = [html.Li(html.A(title, href=f"#{identity}-title")) for title, identity, _ in parts]
    return html.Div(
        [
            html.H1(TITLE),
            html.P(f"{rows.group_name}{whose} · as of {formats.moment(rows.now)}", className="about"),
            html.Nav(html.Ul(links, className="line-legend"), **components.aria(label="On this page")),
            *(components.section(title, content, identity) for title, identity, content in parts),
        ]
    )


def _marked(kinds: dict[str, tuple[str, str]], name: str) -> Component:
    glyph, word = kinds.get(name, ("·", name))
    return html.Span([html.Span(glyph, **components.HIDDEN), f" {word}"])


def _list(caption: str, head: Sequence[str], rows: Sequence[Sequence[Any]], narrow: Sequence[int], empty: str) -> Component:
    """A table, or what it means that there is no row; a list that was cut says so."""
    if not rows:
        return html.P(empty)
    cut = f", the newest {MOST}" if len(rows) >= MOST else ""
    return components.table(f"{caption}{cut}", head, rows, narrow)


def _contributions(page: DataPage, today: date) -> Component:
    rows = [
        (
            row.product,
            f"by {row.grain}",
            f"{row.periods:,}",
            f"{row.first}",
            f"{row.last}, {_ago(row.last, today)}",
            formats.moment(row.received_at),
        )
        for row in page.products
    ]
    head = ("Product", "Grain", "Periods", "First day", "Last day", "Last received")
    empty = "Nothing was contributed yet. What to do: send the first contribution, and run: mauwatch run."
    return _list("In force, by product", head, rows, (1, 2, 3, 5), empty)


def _ago(day: date, today: date) -> str:
    days = (today - day).days
    return "today" if days == 0 else f"{days:,} day{'' if days == 1 else 's'} ago" if days > 0 else f"in {-days:,} days"


def _refused(page: DataPage) -> Component:
    rows = [
        (
            receipt.file,
            html.Ul([html.Li(reason) for reason in receipt.reasons]),
            receipt.sender or "not known",
            _received(receipt),
        )
        for receipt in page.refused
    ]
    head = ("File", "Why, as its receipt says", "Sender", "Received")
    return _list("Not counted", head, rows, (2, 3), "No file was refused.")


def _received(receipt: Receipt) -> str:
    return formats.moment(receipt.received_at)


def _late(page: DataPage) -> Component:
    rows = [
        (row.product, f"{row.first_day}", formats.moment(row.computed_at), formats.moment(row.settles_at), row.grain)
        for row in page.late
    ]
    head = ("Product", "First day", "Computed", "Settles (settles_after)", "Grain")
    empty = "All contributions of the last three months were computed after their late events had come."
    return _list("Computed before their late events had come: computed again then", head, rows, (2, 4), empty)


def _receipts(page: DataPage) -> Component:
    rows = [
        (
            receipt.file,
            _marked(_OUTCOMES, receipt.outcome),
            receipt.sender or "not known",
            _received(receipt),
            _digest(receipt.sha256),
        )
        for receipt in page.receipts
    ]
    head = ("File", "Outcome", "Sender", "Received", "SHA-256")
    return _list(
        "All, accepted and refused", head, rows, (2, 3, 4), "No file was handed in: the data come by the centre's own runs."
    )


def _digest(sha256: str) -> Component:
    return html.Code(sha256[:12], title=sha256)


def _replaced(page: DataPage) -> Component:
    rows = [
        (row.product, f"{row.first_day}", row.reason, row.approved_by or "nobody", formats.moment(row.received_at), row.grain)
        for row in page.replaced
    ]
    head = ("Product", "First day", "Why", "Approved by", "Received", "Grain")
    return _list(
        "Contributions that came, or replaced others, after their month was signed",
        head,
        rows,
        (3, 4, 5),
        "Nothing of a signed month has changed.",
    )


def _signed(page: DataPage) -> Component:
    rows = [
        (
            formats.month_name(row.month),
            row.reading.replace("_", " "),
            row.state,
            row.signed_by,
            formats.moment(row.at),
            "; ".join(filter(None, [row.despite and f"despite red checks: {row.despite}", row.reason])) or "–",
        )
        for row in page.signed
    ]
    head = ("Month", "Reading", "State", "By", "When", "Why")
    return _list(
        "Who has signed which month", head, rows, (1, 4, 5), "No month is signed. What to do: sign one on the page Licences."
    )


def _runs(page: DataPage) -> list[Component]:
    rows = [
        (formats.moment(run.at), _marked(_RESULTS, run.result), run.kind, f"{run.findings:,}", f"{run.published:,}", run.program)
        for run in page.runs
    ]
    head = ("When", "Result", "Kind", "Findings", "Months published", "Version")
    empty = "No run is noted yet: an older version has run last. What to do: run it: mauwatch run."
    return [_list("Runs, also those that found nothing new", head, rows, (2, 4, 5), empty), _dagster()]


def _dagster() -> Component:
    url = os.environ.get(DAGSTER, "")
    # Whatever else is in the environment, a link leads to a web page.
    if url.startswith(("https://", "http://")):
        return html.P(html.A("Steps and logs of each run: in Dagster", href=f"{url.rstrip('/')}/runs", rel="noopener noreferrer"))
    return html.P(f"Steps and logs of each run are in Dagster; set {DAGSTER} to link to it from here.")


PAGE = WebPage(PATH, TITLE, ROLES, layout)
