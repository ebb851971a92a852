"""The charts of scenarios on a page: titles, legends, words for whoever doesn't see them, and a draft's own numbers. Pure."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.charts import scenario_figures
from dashboards.web import components
from pipelines.scenarios.answer import ScenarioAnswer

FRONTIER_TITLE = "Chance of being over, by people and overlap"
TORNADO_TITLE = "One at a time: the middle of the paths"
FRONTIER_KEYS = (
    ("estimate-line", "stays under from here up on half of the paths"),
    ("solid-line", "on 97.5 % of the paths"),
    ("point", "this scenario"),
)
"""The frontier's legend, by the styles' names."""
TORNADO_SUMMARY = "The table beneath has the same numbers."
_FRONTIER_HEIGHT = 400


def frontier_summary(answer: ScenarioAnswer) -> str:
    """What the frontier shows, for whoever doesn't see it."""
    point = scenario_figures.point_of(answer)
    if point is None:
        return "All numbers are in the downloads."
    return f"This scenario: {formats.people(point[0])} people. The break-even stands beneath in words."


def of_draft(answer: ScenarioAnswer, words: Sequence[str]) -> tuple[Component | None, Component | None]:
    """A draft's frontier and tornado; null where there is nothing to draw."""
    frontier = _inline(
        "whatif-frontier", FRONTIER_TITLE, scenario_figures.frontier(answer), frontier_summary(answer), _FRONTIER_HEIGHT, words
    )
    height = scenario_figures.height_of_tornado(answer)
    bars = _inline("whatif-tornado", TORNADO_TITLE, scenario_figures.tornado(answer), TORNADO_SUMMARY, height, words)
    return frontier, bars


def _inline(
    name: str, title: str, figure: dict[str, Any] | None, summary: str, height: int, words: Sequence[str]
) -> Component | None:
    """A chart whose numbers stand in the page, since no address may hold what a draft says."""
    if figure is None:
        return None
    content = json.dumps({"title": title, "words": list(words), **figure}, separators=(",", ":"))
    # Equal numbers are an equal name: the chart is drawn anew only where something differs.
    digest = sha256(content.encode()).hexdigest()[:16]
    data: dict[str, Any] = {"data-chart": f"#{digest}", "data-figure": content, "data-name": name}
    is_frontier = name == "whatif-frontier"
    data |= {"data-cells": "true"} if is_frontier else {}
    keys = FRONTIER_KEYS if is_frontier else ()
    return html.Figure(
        [
            html.Figcaption(title),
            html.P([html.Span([html.Span(className=f"key {style}"), text]) for style, text in keys], className="keys"),
            html.Div(
                className="chart",
                role="img",
                style={"height": f"{height}px"},
                **components.aria(label=f"{title}. {summary}"),
                **data,
            ),
            # Buttons of pictures, which the browser makes of what it has.
            html.P([html.Span("Download: "), html.Span(className="pictures")], className="downloads"),
        ],
        className="figure",
    )
