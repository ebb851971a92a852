"""The group on a day: who belongs to it and by which path, its products, whom they share, and which days are there."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from dash import html
from dash.development.base_component import Component

from affiliates.periods import month_end
from dashboards import formats
from dashboards.charts import heat_map, ownership
from dashboards.charts.table import Table, TableColumn
from dashboards.web import components
from dashboards.web.pages import coverage_calendar, overlaps, product_table
from dashboards.web.pages.figures_in_words import about, nothing_published, unpublished_reading
from dashboards.web.pages.members import Member, members_of, outsiders
from dashboards.web.queries import PageRows, VisibleGroup
from dashboards.web.router import EVERYBODY, Chart, Parameters, WebPage, bad_request, not_found
from dashboards.web.viewer import Role, Viewer

PATH = "/group"
TITLE = "Group"
ROLES = EVERYBODY


def layout(viewer: Viewer, parameters: Parameters, rows: PageRows) -> Component:
    """The group as it is on a day, with a month's figures."""
    day = day_of(parameters, rows)
    owned = components.section(f"Who belongs to the group on {day}", _ownership(rows, parameters, day), "ownership")
    if not rows.months:
        return html.Div([nothing_published(TITLE, rows), owned])
    month = rows.month_of(parameters)
    reading = rows.reading(parameters.reading, month)
    figures = rows.figures(month, reading)
    visible = rows.products_page(month, reading)
    if figures is None or visible is None:
        return html.Div([unpublished_reading(TITLE, rows, month), owned])
    parts = [
        html.H1(TITLE),
        about(rows, figures),
        owned,
        components.section(
            "Products", product_table.table(rows.group, visible.products, overlaps.why_not(rows, month)), "products"
        ),
        components.section("Whom two products have in common", _overlap(rows, parameters, visible), "overlap"),
        components.section(
            f"Which days of {formats.month_name(month)} are there",
            coverage_calendar.calendar(rows.group, visible.calendar),
            "days",
        ),
    ]
    return html.Div(parts)


def day_of(parameters: Parameters, rows: PageRows) -> date:
    """The day that the page is about: the address's, else the month's last. Raises `ProblemError`."""
    text = parameters.more.get("on")
    if text is None:
        month = rows.month_of(parameters) if rows.months else rows.today
        return min(month_end(month), rows.today)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise bad_request("The day can't be read.", f"on={text[:20]}", "write it as YYYY-MM-DD, such as 2026-10-31") from None
    # Before its first product nothing of the group was counted, and no manifest need be right.
    born = [product.from_ for product in rows.group.products.values()]
    if day > rows.today or (born and day < min(born)):
        first = min(born) if born else rows.today
        raise not_found(
            f"{day} lies outside what is known.", f"the data begin on {first}, and today is {rows.today}", "choose a day between"
        )
    return day


def _ownership(rows: PageRows, parameters: Parameters, day: date) -> list[Any]:
    members = members_of(rows.group, day)
    # An affiliate sees itself, and by which path it belongs: nothing of its sisters.
    shown = [member for member in members if rows.sees_group or member.entity in rows.viewer.affiliates]
    lines = [
        (
            html.Span([html.Span(className="indent", style={"width": f"{1.4 * member.depth}rem"}), member.name]),
            member.how,
            ", ".join(member.products) or "–",
        )
        for member in shown
    ]
    table = components.table(
        f"{len(shown)} entities, by steps from the ultimate parent", ("Entity", "Held or controlled by", "Products"), lines, (2,)
    )
    if not rows.sees_group:
        return [table]
    parts: list[Any] = [
        html.Div(components.chart(OWNERSHIP, parameters, "The same as in the table."), className="wide-only"),
        table,
    ]
    # Who doesn't count, and why, is as much a fact as who does.
    outside = outsiders(rows.group, day)
    if outside:
        parts.append(
            html.Details(
                [
                    html.Summary(f"Entities that don't belong to it: {len(outside)}"),
                    html.Ul([html.Li(f"{name}: {why}") for name, why in outside]),
                ],
                className="how",
            )
        )
    return parts


def _overlap(rows: PageRows, parameters: Parameters, visible: VisibleGroup) -> list[Any]:
    measured = overlaps.measured_of(rows, visible)
    if measured is None:
        month = rows.month_of(parameters)
        why = overlaps.why_not(rows, month)
        told: list[Any] = [html.P(f"Whom two products have in common isn't known. {why}")]
        # Who plans deals has the sketches at hand: a what-if unites the month again.
        if Role.deals in rows.viewer.roles:
            told.append(html.P(html.A(f"A what-if from {formats.month_name(month)}", href=f"/whatif{parameters.query(on=None)}")))
        return told
    sentence = overlaps.summary(measured)
    return [
        html.Div(
            components.chart(OVERLAP, parameters, sentence, height=110 + 26 * len(measured.products)),
            # Wider than a phone: a cell of few pixels can't be read.
            className="scrolls",
            tabIndex="0",
            role="region",
            **components.aria(label="Overlaps of products"),
        ),
        html.P("? means not measurable: the reason stands on the cell, and in the downloads."),
    ]


def _ownership_figure(rows: PageRows, parameters: Parameters) -> Mapping[str, Any] | None:
    members = members_of(rows.group, day_of(parameters, rows))
    if not rows.sees_group:
        return None
    return ownership.figure([ownership.Held(m.entity, m.name, m.depth, m.owners, m.how) for m in members])


def _ownership_table(rows: PageRows, parameters: Parameters) -> Table:
    day = day_of(parameters, rows)
    columns = [
        TableColumn("entity", "short name"),
        TableColumn("name", "full name"),
        TableColumn("depth", "steps from the ultimate parent"),
        TableColumn("held_by", "shares held by members, or the control agreement"),
        TableColumn("products", "what it offers, divided by commas"),
    ]
    shown: list[Member] = [m for m in members_of(rows.group, day) if rows.sees_group or m.entity in rows.viewer.affiliates]
    lines = [(m.entity, m.name, m.depth, m.how, ", ".join(m.products)) for m in shown]
    return Table("Who belongs to the group", columns, lines, [f"{rows.group_name} on {day}"])


def _overlap_figure(rows: PageRows, parameters: Parameters) -> Mapping[str, Any] | None:
    measured = overlaps.of_page(rows, parameters)
    return None if measured is None else heat_map.figure(measured.products, measured.shares, measured.words)


OWNERSHIP = Chart("ownership", "Who holds whom", _ownership_figure, _ownership_table)
OVERLAP = Chart("overlaps", "Share of a row's people who are in the column, too", _overlap_figure, overlaps.table, has_cells=True)
PAGE = WebPage(PATH, TITLE, ROLES, layout, takes=frozenset({"on"}), charts=(OWNERSHIP, OVERLAP))
