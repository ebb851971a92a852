"""The overview: result and range first, then the number line, four facts, and what they rest on. Understood in ten seconds."""

from typing import Any

from dash import Dash, html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.web import components, report_files
from dashboards.web.pages import attention, overlaps, product_table, trend_chart
from dashboards.web.pages.expectations import BASIS, decide_by
from dashboards.web.pages.figures_in_words import about, headline, nothing_published, unpublished_reading
from dashboards.web.queries import MonthFigures, PageRows, product_name
from dashboards.web.router import EVERYBODY, Parameters, WebPage
from dashboards.web.row_source import RowSource
from dashboards.web.viewer import Role, Viewer
from pipelines.licences.outcome import STANDS

PATH = "/"
TITLE = "Overview"
ROLES = EVERYBODY
_LONG_AGO = 2
"""Days after which a run that hasn't looked is worth a warning."""


def layout(viewer: Viewer, parameters: Parameters, rows: PageRows) -> Component:
    """The overview of a month under a reading."""
    if not rows.months:
        return nothing_published(TITLE, rows)
    month = rows.month_of(parameters)
    figures = rows.figures(month, rows.reading(parameters.reading, month))
    if figures is None:
        return unpublished_reading(TITLE, rows, month)
    visible = rows.products_page(month, figures.reading)
    shown = product_table.table(rows.group, visible.products if visible else (), overlaps.why_not(rows, month))
    products = components.section("Products", shown, "products")
    if not rows.sees_group:
        # An affiliate's own people: nothing of the group's figure, whose size would say the others'.
        return html.Div([html.H1("Your products"), about(rows, figures), products])
    return html.Div(
        [
            html.H1(rows.group_name),
            about(rows, figures),
            *_answer(rows, figures),
            _facts(rows, parameters, figures),
            *_trend(rows, parameters),
            components.section("Needs attention", attention.items(rows), "attention"),
            components.section("Licences", [*_licences(rows, figures), _questions(viewer)], "licences"),
            products,
            components.section("Report of the month", report_files.links(parameters), "report"),
        ]
    )


def _answer(rows: PageRows, figures: MonthFigures) -> list[Any]:
    words = headline(rows, figures)
    answer = html.Div(
        [
            html.P([components.glyph(words.result), " ", words.answer], className="answer"),
            html.P(words.sentence, className="sentence"),
        ],
        className="headline",
    )
    whole = figures.whole
    threshold = rows.threshold
    if whole is None or threshold is None:
        return [answer]
    line = components.number_line(
        whole.lower, whole.upper, whole.estimate, threshold, whole.figure.summed_products, f"{words.answer} {words.sentence}"
    )
    publication = figures.publication
    parts = [part for part in rows.range_parts(publication) if part["scope"] == "group"]
    made = components.how_made(whole.figure, parts, publication, threshold, publication.not_counted)
    return [answer, line, made]


def _facts(rows: PageRows, parameters: Parameters, figures: MonthFigures) -> Component:
    query = parameters.query()
    whole = figures.whole
    threshold = rows.threshold
    outlook = rows.outlook(figures.month, figures.reading)
    facts = []
    if whole is None or threshold is None or whole.estimate is None:
        facts.append(components.fact("Headroom", "not measured"))
    else:
        least = None if whole.upper is None else threshold - whole.upper
        detail = f"{formats.exact(threshold)} less the range; below zero the threshold is passed"
        facts.append(components.fact("Headroom", formats.headroom(least, threshold - whole.lower), detail))
    if outlook is None:
        why = rows.why_no_outlook(figures.month, figures.reading)
        facts.append(components.fact("Chance of being over", "no outlook", why))
        facts.append(components.fact("Decide by", "no outlook", why))
    else:
        chance = f"{formats.percent(outlook.over_now)} now, {formats.percent(outlook.within_year)} within a year"
        facts.append(
            components.fact("Chance of being over", chance, [f"{BASIS}; ", html.A("by month", href=f"/forecast{query}")])
        )
        facts.append(components.fact("Decide by", *decide_by(outlook, rows.today)))
    facts.append(_last_run(rows, figures))
    return html.Dl(facts, className="facts")


def _questions(viewer: Viewer) -> Component:
    """Where the questions are answered that a reader of results has next."""
    links = [html.Li(html.A("May a product use a version, and what is to be done?", href="/licences#adoption-title"))]
    links.append(html.Li(html.A("When is the threshold passed, and what would change that?", href="/forecast#change-title")))
    if Role.deals in viewer.roles:
        links.append(html.Li(html.A("What if we buy, sell or grow something?", href="/whatif")))
    return html.Ul(links)


def _last_run(rows: PageRows, figures: MonthFigures) -> Component:
    runs = rows.last_runs()
    coverage = figures.whole.coverage if figures.whole else None
    due = (coverage.days_expected + coverage.months_expected) if coverage else 0
    there = (coverage.days_present + coverage.months_present) if coverage else 0
    detail = f"{formats.share(there, due)} of what was due is there" if due else None
    if not runs:
        published = figures.publication.known_at
        return components.fact("Last run", f"published {formats.age(published, rows.now)}", detail)
    return components.fact("Last run", formats.age(runs[0].at, rows.now), detail)


def _trend(rows: PageRows, parameters: Parameters) -> list[Any]:
    drawn = trend_chart.trend_of(rows, parameters)
    if len(drawn.past) < 2:
        told = components.notice(
            "One month is published: there is no trend yet.", "", "look again when the next month is over", "note"
        )
        return [told]
    # The ends in words: whoever doesn't see the picture hears where it begins and where it ends.
    first, last = drawn.past[0], drawn.past[-1]
    summary = (
        f"From {formats.people(first.estimate)} in {formats.month_name(first.month)} to {formats.people(last.estimate)} in "
        f"{formats.month_name(last.month)}. All numbers are in the downloads."
    )
    keys = [("line", "best estimate"), ("bounds", "range of the past")]
    if drawn.ahead:
        keys += [("narrow", "expected of the estimate"), ("wide", "expected with the measuring error")]
    if drawn.shows_threshold:
        keys.append(("threshold", "threshold"))
    if drawn.marks:
        keys.append(("joined", "not growth alone, see below"))
    chart = components.chart(trend_chart.CHART, parameters, summary, keys, has_svg=True)
    if not drawn.marks:
        return [chart]
    items = [html.Li(f"{formats.month_name(mark.month)}: {mark.words}") for mark in drawn.marks]
    return [chart, html.Details([html.Summary("What moved the figure besides growth"), html.Ul(items)], className="how")]


def _licences(rows: PageRows, figures: MonthFigures) -> list[Any]:
    """A row for each clause that asks about the whole group; what isn't measured in one line."""
    of_reading = [row for row in rows.clause_results if row["reading"] == figures.reading.name]
    measured = [row for row in of_reading if row["result"] != "not_measured" and row["threshold"] is not None]
    if not of_reading:
        return [components.notice("Results of clauses aren't published yet.", "", "run it: mauwatch run")]
    # The nearest to its threshold first: of the others nobody has to think today.
    measured.sort(key=lambda row: (row["result"] in ("under", "granted", "exempt"), -(row["upper"] or 0) / row["threshold"]))
    lines = [
        (
            _tested(rows, row),
            components.result(row["result"]),
            formats.exact(row["threshold"]),
            formats.month_name(row["month"]) if row["month"] else "–",
            formats.between(row["lower"], row["upper"], row["threshold"]) if row["lower"] is not None else "–",
        )
        for row in measured
    ]
    head = ("Licence", "Result", "Threshold", "Month", "Range")
    # What stands is folded away: it asks nothing of anybody today.
    stands = [row["result"] in STANDS for row in measured]
    nearest = [line for line, does in zip(lines, stands, strict=True) if not does]
    others = [line for line, does in zip(lines, stands, strict=True) if does]
    parts: list[Any] = [components.table("Over, or not known to be under", head, nearest, (3, 4), (2, 4))] if nearest else []
    if others:
        others_table = components.table("Under, granted or exempt", head, others, (3, 4), (2, 4))
        parts.append(
            html.Details(
                [html.Summary(f"{len(others)} under, granted or exempt"), others_table], className="how", open=not nearest
            )
        )
    left = len(of_reading) - len(measured)
    if left:
        parts.append(html.P(f"{left} more clauses aren't measured: most ask what users' numbers don't say, such as revenue."))
    return parts


def _tested(rows: PageRows, row: dict[str, Any]) -> str:
    """Which licence a row tests, and whom, where that isn't the whole group."""
    name = rows.licence_name(row["licence"])
    if row["product"]:
        return f"{name}: {product_name(rows.group, row['product'])}"
    return name if row["licensee"] == rows.group.settings.ultimate_parent else f"{name}: {row['licensee']}"


def _register(app: Dash, source: RowSource) -> None:
    report_files.register(app.server, source, PAGE)


PAGE = WebPage(PATH, TITLE, ROLES, layout, charts=(trend_chart.CHART,), register=_register, files=report_files.PATHS)
