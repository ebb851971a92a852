"""A saved scenario: its answer as it was run, side by side with others, its files, and with whom its owner shares it."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component

from affiliates.errors import RefusedError
from dashboards import formats
from dashboards.charts import scenario_figures
from dashboards.charts.scenario import one_line
from dashboards.charts.table import Table
from dashboards.web import components
from dashboards.web.callback_refusals import refuse, refuse_by
from dashboards.web.pages import scenario_charts, scenario_line, scenario_parts
from dashboards.web.pages.figures_in_words import nothing_published
from dashboards.web.pages.scenario_list import name_of, saved_scenarios
from dashboards.web.queries import PageRows
from dashboards.web.router import Chart, Parameters, WebPage
from dashboards.web.row_source import RowSource
from dashboards.web.scenario_downloads import KINDS, register_files
from dashboards.web.scenario_rows import MOST_COMPARED, no_scenario, numbers_of, scenario_of, scenarios_of, shared_with
from dashboards.web.viewer import Role, Viewer, current_viewer
from pipelines.scenarios import access, compare
from pipelines.scenarios.access import ReadScenario
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.store import contributions

PATH = "/scenario"
TITLE = "Scenario"
ROLES = frozenset({Role.deals})
_OTHERS = ("scenario", "third")
"""The parameters that name scenarios to stand beside the page's own."""
_LONGEST_NAME = 200


def layout(viewer: Viewer, parameters: Parameters, rows: PageRows) -> Component:
    """A saved scenario, or up to three side by side."""
    if parameters.id is None:
        if not rows.has_store:
            return nothing_published("Saved scenarios", rows)
        return html.Div([html.H1("Saved scenarios"), *saved_scenarios(rows, viewer)])
    one = scenario_of(rows, parameters.id)
    # Each is asked for by the viewer's name: one that isn't the viewer's is 404, and shows nothing of the rest.
    others = [scenario_of(rows, number) for number in numbers_of(parameters, _OTHERS) if number != one.kept.id]
    title = one_line(one.answer.title or one.kept.name)
    kept = one.kept
    owner = "you" if kept.owner == viewer.name else one_line(kept.owner)
    state = [
        f"scenario {kept.id}",
        f"{one_line(one.reference)}, saved {formats.moment(kept.known_at)} by {owner}",
        f"from {one.answer.base_month}, reading {one.answer.reading.replace('_', ' ')}",
        "saved: never changed",
    ]
    parts: list[Any] = [html.H1(title), html.P(" · ".join(state), className="about")]
    if others:
        compared = [one, *others][:MOST_COMPARED]
        return html.Div([*parts, *_compared(compared), _chooser(rows, one, others)])
    left = html.Div(scenario_parts.assumptions(one.answer), className="whatif-form")
    right = html.Div(_answer(one.answer, kept.id), className="whatif-answer")
    # From its own month and reading: from others the copy would have other numbers.
    start = urlencode({"month": one.answer.base_month, "reading": one.answer.reading, "scenario": kept.id})
    parts += [
        _files(kept.id),
        html.Div([left, right], className="whatif saved"),
        _chooser(rows, one, []),
        _sharing(viewer, rows, one),
        html.P(html.A("Change a copy of it: a new draft", href=f"/whatif?{start}")),
    ]
    return html.Div(parts)


def _answer(answer: ScenarioAnswer, number: int) -> list[Any]:
    parameters = Parameters(more={"scenario": f"{number}"})
    frontier = tornado = None
    if answer.frontier is not None:
        summary = scenario_charts.frontier_summary(answer)
        frontier = components.chart(FRONTIER, parameters, summary, scenario_charts.FRONTIER_KEYS)
    if answer.tornado:
        tornado = components.chart(TORNADO, parameters, scenario_charts.TORNADO_SUMMARY)
    return scenario_parts.whole_answer(answer, False, frontier, tornado)


def _files(number: int) -> Component:
    links = [
        html.Li(html.A(words, href=f"/chart/scenario.{kind}?scenario={number}", download=f"scenario-{number}.{kind}"))
        for kind, (words, _) in KINDS.items()
    ]
    return html.Div([html.Span("Download: "), html.Ul(links)], className="downloads files")


def _compared(scenarios: list[ReadScenario]) -> list[Component]:
    """Scenarios side by side: on one number line, then a column each."""
    named = [(name_of(one), one.answer) for one in scenarios]
    comparison = compare.side_by_side({one.reference: one.answer for one in scenarios})
    answers = [answer for _, answer in named]
    decided = [scenario_line.decided(answer) for answer in answers]
    rows: list[tuple[Any, ...]] = [
        ("Answer", *(one_line(answer.headline) for answer in answers)),
        ("From", *(f"{answer.base_month}, reading {answer.reading.replace('_', ' ')}" for answer in answers)),
        ("Threshold", *(formats.exact(answer.threshold_after) for answer in answers)),
        *(
            (name, *(value(answer, month) for answer, month in zip(answers, decided, strict=True)))
            for name, value in scenario_line.COMPARED
        ),
    ]
    notes = [components.notice(note, kind="warning") for note in comparison.notes]
    table = components.table("Side by side", ("What", *(name for name, _ in named)), rows)
    links = [html.A(f"Scenario {one.kept.id} alone", href=f"{PATH}/{one.kept.id}") for one in scenarios]
    alone = html.P([part for link in links for part in (link, " ")])
    return [components.section("Before, and after each", scenario_line.side_by_side(named), "compared"), *notes, table, alone]


def _chooser(rows: PageRows, one: ReadScenario, others: list[ReadScenario]) -> Component | None:
    """A form that leads to an address: it works without a script."""
    rest = [other for other in scenarios_of(rows) if other.kept.id != one.kept.id]
    if not rest:
        return None
    fields: list[Any] = []
    for name, label in zip(_OTHERS, ("Beside it", "and, if wanted"), strict=True):
        options = [html.Option(name_of(other), value=f"{other.kept.id}") for other in rest]
        # The second one may be left out.
        empty = [html.Option("none", value="")] if name != _OTHERS[0] else []
        fields.append(html.Label([label, html.Select([*empty, *options], name=name)], htmlFor=None))
    form = html.Form(
        [*fields, html.Button("Compare", type="submit")], action=f"{PATH}/{one.kept.id}", method="get", className="form"
    )
    return components.section("Compare", form, "compare")


def _sharing(viewer: Viewer, rows: PageRows, one: ReadScenario) -> Component | None:
    # Nobody is told with whom an owner shares.
    if one.kept.owner != viewer.name:
        return None
    parts: list[Any] = [
        html.P("Whom you name sees this version, under the name of the login; later versions stay unseen.", className="soft"),
        html.Div(_people(shared_with(rows, one)), id="scenario-people"),
        html.Div(
            [
                dmc.TextInput(id="scenario-person", label="Person, as the login names them", value="", w=320, persistence=False),
                dmc.Button("Share", id="scenario-share"),
            ],
            className="form",
        ),
        dcc.Store(id="scenario-number", data=one.kept.id),
    ]
    return components.section("Shared with", parts, "sharing")


def _people(names: list[str]) -> list[Any]:
    items = [
        html.Li(
            [
                one_line(name),
                " ",
                dmc.Button(
                    "Take back",
                    # The place, and not the name: a callback's ids are nobody's secret.
                    id={"scenario": "revoke", "place": place},
                    variant="subtle",
                    size="compact-sm",
                    **components.aria(label=f"Take back from {one_line(name)}"),
                ),
            ]
        )
        for place, name in enumerate(names)
    ]
    # Whom the buttons are about: another tab may have changed the list since.
    shown = dcc.Store(id="scenario-shown", data=names)
    return [html.Ul(items) if items else html.P("Nobody but you."), shown]


def _register(app: Dash, source: RowSource) -> None:
    register_files(app.server, source)

    @app.callback(
        Output("scenario-people", "children"),
        Input("scenario-share", "n_clicks"),
        Input({"scenario": "revoke", "place": ALL}, "n_clicks"),
        State("scenario-person", "value"),
        State("scenario-number", "data"),
        State("scenario-shown", "data"),
        prevent_initial_call=True,
    )
    def share(_: Any, __: Any, person: Any, number: Any, shown: Any) -> list[Any]:
        if not isinstance(number, int) or not isinstance(person, str) or len(person) > _LONGEST_NAME:
            refuse(400, "This can't be read.", "load the page again")
        manifests = source.manifests.read()
        viewer = current_viewer().name
        with contributions.open_store(manifests.group.settings.store, source.manifests.directory) as store:
            try:
                one = access.read_number(store, viewer, number)
            except RefusedError:
                # As for a number that isn't there.
                refuse(404, no_scenario().problem.headline, no_scenario().problem.next_step)
            try:
                now = datetime.now(UTC)
                if isinstance(ctx.triggered_id, dict):
                    # By the name that the page showed, not by its place in the list as it is now: that may be another person.
                    name = _named(shown, ctx.triggered_id.get("place"))
                    if ctx.triggered[0]["value"] and name not in access.shared_with(store, viewer, one):
                        gone = f"{one_line(name)} doesn't see the scenario any more."
                        refuse(409, f"The list has changed since this page showed it: {gone}", "load the page again")
                    elif ctx.triggered[0]["value"]:
                        access.revoke(store, viewer, one.reference, name, now)
                elif not person.strip():
                    refuse(400, "Nobody is named.", "write the name that the login gives")
                else:
                    access.grant(store, viewer, one.reference, person.strip(), now)
            except RefusedError as error:
                refuse_by(error)
            return _people(access.shared_with(store, viewer, one))


def _named(shown: Any, place: Any) -> str:
    """Whom a button is about, by the list that the page shows. Aborts with 400 where that is none."""
    name = shown[place] if isinstance(shown, list) and type(place) is int and 0 <= place < len(shown) else None
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        refuse(400, "This can't be read.", "load the page again")
    return name


def _answer_of(rows: PageRows, parameters: Parameters) -> ScenarioAnswer:
    numbers = numbers_of(parameters, _OTHERS[:1])
    if not numbers:
        raise no_scenario()
    return scenario_of(rows, numbers[0]).answer


def _frontier(rows: PageRows, parameters: Parameters) -> dict[str, Any] | None:
    return scenario_figures.frontier(_answer_of(rows, parameters))


def _frontier_table(rows: PageRows, parameters: Parameters) -> Table:
    return scenario_figures.frontier_table(_answer_of(rows, parameters))


def _tornado(rows: PageRows, parameters: Parameters) -> dict[str, Any] | None:
    return scenario_figures.tornado(_answer_of(rows, parameters))


def _tornado_table(rows: PageRows, parameters: Parameters) -> Table:
    return scenario_figures.tornado_table(_answer_of(rows, parameters))


FRONTIER = Chart("scenario-frontier", scenario_charts.FRONTIER_TITLE, _frontier, _frontier_table, has_cells=True)
TORNADO = Chart("scenario-tornado", scenario_charts.TORNADO_TITLE, _tornado, _tornado_table)
FILES = Chart("scenario", TITLE, _frontier, _frontier_table)
"""Names the addresses of a scenario's files, which have a route of their own."""
PAGE = WebPage(
    PATH,
    TITLE,
    ROLES,
    layout,
    takes=frozenset(_OTHERS),
    takes_id=True,
    charts=(FRONTIER, TORNADO, FILES),
    callbacks={"scenario-people.children": ROLES},
    register=_register,
    in_navigation=False,
    has_choices=False,
    is_kept=False,
)
