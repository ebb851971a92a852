"""The saved scenarios that a viewer may see, as a table. Pure."""

from typing import Any

from dash import html

from dashboards import formats
from dashboards.charts.scenario import one_line
from dashboards.web import components
from dashboards.web.queries import PageRows
from dashboards.web.scenario_rows import scenarios_of
from dashboards.web.viewer import Viewer
from pipelines.scenarios.access import ReadScenario


def name_of(one: ReadScenario) -> str:
    """A scenario as a reader finds it: its title or name, with its version."""
    title = one.answer.title
    reference = one_line(one.reference)
    return f"{one_line(title)} ({reference})" if title else reference


def saved_scenarios(rows: PageRows, viewer: Viewer) -> list[Any]:
    """A row for each scenario, the newest first."""
    scenarios = scenarios_of(rows)
    if not scenarios:
        return [html.P("None yet that you may see: save one, or ask its owner to share one with you.")]
    lines = [
        (
            html.A(f"{one.kept.id}", href=f"/scenario/{one.kept.id}", **components.aria(label=f"Open scenario {one.kept.id}")),
            name_of(one),
            one_line(one.answer.headline),
            "you" if one.kept.owner == viewer.name else one_line(one.kept.owner),
            formats.moment(one.kept.known_at),
        )
        for one in scenarios
    ]
    head = ("Number", "Scenario", "Answer", "Owner", "Saved")
    return [components.table("The newest first", head, lines, (2, 4))]
