"""The numbers of a draft's charts as files: the form is posted once more, since no address may hold what a draft says."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import flask
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component

from affiliates.errors import RefusedError
from dashboards.charts import scenario_figures
from dashboards.charts.table import Table
from dashboards.web import components, table_files
from dashboards.web.callback_refusals import refuse
from dashboards.web.viewer import current_viewer
from pipelines.scenarios.answer import ScenarioAnswer

OUTPUT = "..whatif-file.data...whatif-file-told.children.."
"""The callback's outputs, as Dash posts them."""
DRAFT = "Draft, not saved"
_TABLES: dict[str, tuple[str, Callable[[ScenarioAnswer], Table]]] = {
    "frontier": ("Chance of being over, by people and overlap", scenario_figures.frontier_table),
    "tornado": ("One at a time", scenario_figures.tornado_table),
}
"""By chart, its name for a reader and its numbers."""
_ENDINGS = {"csv": "CSV", "xlsx": "Excel"}


def buttons() -> Component:
    """A line of buttons for each chart. Outside of the answer, so that an answer that is drawn anew asks for no file."""
    lines = [
        html.P(
            [html.Span(f"{name}: "), *(part for ending in _ENDINGS for part in (_button(chart, name, ending), " "))],
            className="downloads",
        )
        for chart, (name, _) in _TABLES.items()
    ]
    return html.Div(
        [
            html.P("Numbers of the draft's charts, as the form is now; their pictures stand beneath them.", className="soft"),
            *lines,
            dcc.Download(id="whatif-file"),
            html.Div(id="whatif-file-told", role="status"),
        ],
        className="draft-files",
    )


def _button(chart: str, name: str, ending: str) -> Component:
    label = f"{_ENDINGS[ending]} of {name}"
    identity = {"whatif": "file", "chart": chart, "ending": ending}
    return html.Button(_ENDINGS[ending], id=identity, type="button", **components.aria(label=label))


def register(
    app: Dash,
    form: dict[str, Any],
    answer_of: Callable[[Any, Any], ScenarioAnswer],
    refusals: Callable[[RefusedError], Component],
    legend: Callable[[], str],
) -> None:
    """Add the callback. `answer_of` gives the answer to a posted form and its base; `refusals` says why there is none."""

    @app.callback(
        Output("whatif-file", "data"),
        Output("whatif-file-told", "children"),
        Input({"whatif": "file", "chart": ALL, "ending": ALL}, "n_clicks"),
        State(form, "value"),
        State("whatif-base", "data"),
        prevent_initial_call=True,
    )
    def file(_: Any, __: Any, base: Any) -> tuple[Any, Any]:
        pressed = ctx.triggered_id
        chart, ending = (pressed.get("chart"), pressed.get("ending")) if isinstance(pressed, dict) else (None, None)
        if chart not in _TABLES or ending not in _ENDINGS:
            refuse(400, "This can't be read.", "load the page again")
        try:
            answer = answer_of(ctx.states_list[0], base)
        except RefusedError as error:
            return None, refusals(error)
        table = _TABLES[chart][1](answer)
        if not table.rows:
            return None, html.P("There is nothing to write: the draft's answer has no such chart.")
        table = replace(table, notes=[DRAFT, *table.notes])
        audit = flask.current_app.extensions.get("mauwatch_audit")
        if audit is not None:
            audit.note(current_viewer().name, "downloaded", f"/whatif, a draft's {chart}")
        content = table_files.csv(table) if ending == "csv" else table_files.workbook(table, legend())
        return {"content": b64encode(content).decode(), "filename": f"whatif-{chart}.{ending}", "base64": True}, None
