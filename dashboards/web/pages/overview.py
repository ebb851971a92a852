"""The overview: result and range first, then the number line, four facts, and what they rest on. Understood in ten seconds."""

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.web import components
from dashboards.web.pages.figures_in_words import about, headline, nothing_published
from dashboards.web.queries import PageRows
from dashboards.web.router import OF_GROUP, Parameters, WebPage
from dashboards.web.viewer import Viewer

PATH = "/"
TITLE = "Overview"
ROLES = OF_GROUP


def layout(viewer: Viewer, parameters: Parameters, rows: PageRows) -> Component:
    """The overview of a month under a reading."""
    if not rows.months:
        return nothing_published(TITLE, rows)
    month = parameters.month or rows.months[-1]
    reading = rows.reading(parameters.reading, month)
    figures = rows.figures(month, reading)
    if figures is None or figures.whole is None:
        return components.notice(f"{formats.month_name(month)} isn't published under this reading.", "", "choose another reading")
    words = headline(rows, figures)
    return html.Div(
        [
            html.H1(rows.group_name),
            about(rows, figures),
            html.Div(
                [html.P(words.answer, className="answer"), html.P(words.sentence, className="sentence")], className="headline"
            ),
        ]
    )


PAGE = WebPage(PATH, TITLE, ROLES, layout)
