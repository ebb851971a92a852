"""When a threshold may be passed: the chance with its two doubts told apart, the days to decide by, and the alerts about it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.charts import chances
from dashboards.charts.chances import MonthChance
from dashboards.charts.table import Table, TableColumn
from dashboards.web import components
from dashboards.web.pages import alert_table, trend_chart
from dashboards.web.pages.expectations import BASIS, LEAD_TIMES, chances_of, months_in_words
from dashboards.web.pages.figures_in_words import about, headline, nothing_published, unpublished_reading
from dashboards.web.queries import MonthFigures, PageRows
from dashboards.web.router import OF_GROUP, Chart, Parameters, WebPage
from dashboards.web.viewer import Role, Viewer
from pipelines.store.outlooks import PublishedOutlook

PATH = "/forecast"
TITLE = "Forecast and alerts"
ROLES = OF_GROUP
_MOST_PARTS = 4


def layout(viewer: Viewer, parameters: Parameters, rows: PageRows) -> Component:
    """The forecast from a month on, and all alerts."""
    if not rows.months:
        return nothing_published(TITLE, rows)
    month = rows.month_of(parameters)
    reading = rows.reading(parameters.reading, month)
    figures = rows.figures(month, reading)
    if figures is None:
        return unpublished_reading(TITLE, rows, month)
    outlook = rows.outlook(month, reading)
    words = headline(rows, figures)
    first = html.P([components.glyph(words.result), " ", words.answer], className="answer")
    parts = _outlook(rows, parameters, outlook) if outlook else [_without(rows, parameters)]
    return html.Div(
        [
            html.H1(TITLE),
            about(rows, figures),
            html.Div([first, html.P(words.sentence, className="sentence")], className="headline"),
            *parts,
            components.section("What would change that", _change(viewer, rows, parameters, figures), "change"),
            components.section("Alerts", alert_table.table(rows), "alerts"),
        ]
    )


def _change(viewer: Viewer, rows: PageRows, parameters: Parameters, figures: MonthFigures) -> list[Any]:
    """What the range's width comes from, what would settle the newest version's test, and where to try a change."""
    parts = [part for part in rows.range_parts(figures.publication) if part["scope"] == "group"]
    known = sorted((part for part in parts if part["people"]), key=lambda part: -part["people"])[:_MOST_PARTS]
    wide = [html.Li(f"{part['what']}: {formats.people(part['people'])} of the range") for part in known]
    unknown = [html.Li(f"{part['what']}: not known, so there is no upper bound") for part in parts if part["people"] is None]
    results = [row for row in rows.clause_results if rows.licence and row["licence"] == rows.licence.id]
    settling = next((row["settled_by"] for row in results if row["reading"] == figures.reading.name), "")
    settled = [html.Li(components.plain(line)) for line in settling.splitlines()]
    told: list[Any] = [html.P("How wide the range is by what:"), html.Ul([*wide, *unknown])] if wide or unknown else []
    if settled and rows.licence:
        name = rows.licence_name(rows.licence.id)
        told += [html.P(f"What would settle whether {name}'s own test finds the group under or over:"), html.Ul(settled)]
    if Role.deals in viewer.roles:
        address = f"/whatif{parameters.query()}"
        told.append(html.P(["Buying, selling, growth: ", html.A("try it as a what-if", href=address), "."]))
    else:
        told.append(html.P("Buying, selling, growth: whoever has the role deals tries it on the page What-if."))
    return told


def _without(rows: PageRows, parameters: Parameters) -> Component:
    month = rows.month_of(parameters)
    why = rows.why_no_outlook(month, rows.reading(parameters.reading, month))
    step = "look at the newest month" if month < rows.months[-1] else "publish more months: mauwatch run"
    return components.notice("There is no forecast for this month.", f"{why[0].upper()}{why[1:]}.", step)


def _outlook(rows: PageRows, parameters: Parameters, outlook: PublishedOutlook) -> list[Any]:
    line = formats.exact(outlook.threshold)
    facts = [
        components.fact("Over now", formats.percent(outlook.over_now), f"in {formats.month_name(outlook.month)}, {BASIS}"),
        components.fact("Over within three months", formats.percent(outlook.within_quarter), "in any of them"),
        components.fact("Over within a year", formats.percent(outlook.within_year), "in any month of it"),
        components.fact(
            "Not within the horizon",
            formats.percent(outlook.not_within),
            f"{formats.percent(outlook.not_within_by_estimate)} as if the estimate were the truth",
        ),
    ]
    keys = [("over-line", "by the range"), ("estimate-line", "by the estimate alone")]
    bars = [("over-bar", "by the range"), ("estimate-bar", "by the estimate alone")]
    # The same months in both charts and in the downloads.
    months = chances_of(outlook)
    notes = [html.Li(note) for note in (*outlook.notes, *(f"left out: {text}" for text in outlook.left_out))]
    return [
        html.Dl(facts, className="facts"),
        html.P(
            f"By the range: neither identity nor growth is known. By the estimate: as if {line} were compared with the "
            "best estimate, so that growth alone is in doubt. The difference is the doubt about identity."
        ),
        components.chart(OVER, parameters, months_in_words(months), keys),
        components.chart(FIRST, parameters, "The same numbers month by month are in the downloads.", bars),
        components.chart(
            trend_chart.FANS, parameters, "The same numbers month by month are in the downloads.", trend_chart.FAN_KEYS
        ),
        components.section("Decide by", _decisions(rows, outlook), "decide"),
        html.Details([html.Summary("What the forecast rests on"), html.Ul(notes)], className="how") if notes else None,
    ]


def _decisions(rows: PageRows, outlook: PublishedOutlook) -> list[Any]:
    """The days to decide by: by doubt and probability, for each thing that takes its time."""
    # Only what alerts.yaml says takes time has a column.
    names = list(dict.fromkeys(name for decision in outlook.decisions for name in decision.days))
    if not names:
        return [html.P("No day: the threshold isn't crossed with any of the stated chances within the horizon.")]
    lines = []
    for decision in outlook.decisions:
        days = [
            html.Span(
                [html.Span(f"{decision.days[name]}", className="day"), f" {formats.days_from(decision.days[name], rows.today)}"]
            )
            if name in decision.days
            else "–"
            for name in names
        ]
        crossing = formats.month_name(decision.crossing) if decision.crossing else "not within the horizon"
        doubt = "by the range" if decision.doubt == "range" else "by the estimate"
        lines.append((f"{formats.percent(decision.probability)} {doubt}", crossing, *days))
    head = ("With a chance of", "passed by", *(LEAD_TIMES.get(name, name.replace("_", " ")) for name in names))
    return [components.table("The last day to begin, if the threshold is passed with the stated chance", head, lines, (1,))]


def _months(rows: PageRows, parameters: Parameters) -> list[MonthChance]:
    month = rows.month_of(parameters)
    outlook = rows.outlook(month, rows.reading(parameters.reading, month))
    return chances_of(outlook) if outlook else []


def _drawn(draw: Callable[[Sequence[MonthChance]], dict[str, Any]]) -> Callable[[PageRows, Parameters], Mapping[str, Any] | None]:
    def figure(rows: PageRows, parameters: Parameters) -> Mapping[str, Any] | None:
        months = _months(rows, parameters)
        return draw(months) if months else None

    return figure


def _table(rows: PageRows, parameters: Parameters) -> Table:
    columns = [
        TableColumn("month", "first day of a month to come"),
        TableColumn("over", "chance of being over in the month, 0 to 1, by the range: growth and identity in doubt"),
        TableColumn("over_by_estimate", "the same by the estimate: growth alone in doubt"),
        TableColumn("first", "chance that it is the first month over, by the range"),
        TableColumn("first_by_estimate", "the same by the estimate"),
    ]
    months = _months(rows, parameters)
    lines = [(m.month, m.over, m.over_by_estimate, m.first, m.first_by_estimate) for m in months]
    month = rows.month_of(parameters)
    reading = rows.reading(parameters.reading, month)
    outlook = rows.outlook(month, reading)
    notes = [f"{rows.group_name}, after {formats.month_name(month)}, reading {reading.name}", f"by the range: {BASIS}"]
    if outlook:
        notes += [f"threshold {outlook.threshold:,}", f"as of {formats.moment(outlook.known_at)}", formats.STANDING]
    return Table("Chances of being over", columns, lines, notes)


OVER = Chart("chances", "Chance of being over, by month", _drawn(chances.over), _table)
FIRST = Chart("first-passage", "In which month the threshold is passed first", _drawn(chances.first_passage), _table)
PAGE = WebPage(PATH, TITLE, ROLES, layout, charts=(OVER, FIRST, trend_chart.FANS))
