"""What if: a scenario is built by a form, its answer follows each change of an assumption, and it is saved, or left."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import dash_mantine_components as dmc
import flask
from dash import ALL, Dash, Input, Output, Patch, State, ctx, dcc, html
from dash.development.base_component import Component

from affiliates.errors import Code, RefusedError
from affiliates.periods import month_from_text
from dashboards import formats
from dashboards.web import components
from dashboards.web.baselines import Baselines
from dashboards.web.callback_refusals import refuse, refuse_by
from dashboards.web.counsel_legend import legend_of
from dashboards.web.pages import scenario_charts, whatif_files
from dashboards.web.pages import scenario_parts as parts
from dashboards.web.pages import whatif_form as form
from dashboards.web.pages.figures_in_words import nothing_published
from dashboards.web.pages.scenario_list import saved_scenarios
from dashboards.web.queries import PageRows
from dashboards.web.router import Parameters, WebPage, bad_request, not_found
from dashboards.web.row_source import RowSource
from dashboards.web.scenario_form import BASE, FILE_ALONE, Card, cards_of, definition_of, is_whole, new_card, where
from dashboards.web.scenario_rows import scenario_of
from dashboards.web.viewer import Role, Viewer, current_viewer
from pipelines.scenarios import access, run
from pipelines.scenarios.access import ReadScenario
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.changes import KINDS
from pipelines.scenarios.definition import MOST_CHANGES, Definition
from pipelines.store import contributions

PATH = "/whatif"
TITLE = "What-if"
ROLES = frozenset({Role.deals})
AGAIN = "As a further version of the one that has this name"
"""The box that keeps a scenario beside another one of its name."""
_UNREADABLE = ("This can't be read.", "load the page again")
_LIVE = "..whatif-answer.children...whatif-assumptions.children.."
_CARDS = "whatif-cards.children"
_SAVED = "whatif-saved.children"
_FORM = {"form": "whatif", "card": ALL, "kind": ALL, "field": ALL}


def layout(viewer: Viewer, parameters: Parameters, rows: PageRows) -> Component:
    """The form beside the answer to what it says."""
    if not rows.months:
        return nothing_published(TITLE, rows)
    month = rows.month_of(parameters)
    reading = rows.reading(parameters.reading, month).name
    kept = _kept(parameters, rows, month, reading)
    base, cards = cards_of(kept.definition) if kept else _first_card(rows, month, reading)
    choices = form.FormChoices(rows.group, rows.registry)
    about = f"{formats.month_name(month)} · reading {reading.replace('_', ' ')} · a scenario starts from these"
    kinds = [{"value": kind, "label": words} for kind, words in form.KINDS.items()]
    left = [
        html.H2("Assumptions to change", id="whatif-form-title"),
        html.Div([form.card_of(card, choices) for card in cards], id="whatif-cards"),
        html.Div(
            [
                dmc.Select(
                    id="whatif-kind", label="Another change", data=kinds, value="divest", allowDeselect=False, persistence=False
                ),
                dmc.Button("Add", id="whatif-add", variant="default"),
            ],
            className="form",
        ),
        form.base_fields(base, choices),
        form.by_file(),
        dcc.Store(id="whatif-base", data=form.base_of(month, reading)),
        *_save_fields(kept.definition if kept else None),
        html.Div(id="whatif-assumptions"),
    ]
    wait = "The group's sketches are read for the first answer: this takes some seconds. Each answer after it comes at once."
    right = [html.Div(html.P(wait, role="status"), id="whatif-answer"), whatif_files.buttons()]
    return html.Div(
        [
            html.H1(TITLE),
            html.P(about, className="about"),
            _other_start(kept, month, reading),
            html.Div(
                [
                    html.Section(left, className="whatif-form", **components.aria(labelledby="whatif-form-title")),
                    html.Div(right, className="whatif-answer"),
                ],
                className="whatif",
            ),
            components.section("Saved scenarios", saved_scenarios(rows, viewer), "saved"),
        ]
    )


def _first_card(rows: PageRows, month: date, reading: str) -> tuple[dict[str, Any], list[Card]]:
    """What the form begins with where nothing is copied: one acquisition."""
    figures = rows.figures(month, rows.reading(reading, month))
    whole = figures.whole if figures else None
    return {"horizon": 12}, [new_card("first", "acquire", month, (whole.estimate if whole else 0) or 0)]


def _kept(parameters: Parameters, rows: PageRows, month: date, reading: str) -> ReadScenario | None:
    """The saved scenario that the form begins with a copy of; null where the address names none."""
    number = parameters.more.get("scenario")
    if not number:
        return None
    if not number.isdecimal() or len(number) > 18:
        raise bad_request("The address names no scenario.", "", "choose one from the list of saved scenarios")
    kept = scenario_of(rows, int(number))
    if not is_whole(kept.definition, month, reading):
        raise not_found(
            "The form can't hold all that this scenario says.",
            f"only a file says {', or '.join(FILE_ALONE.values())}",
            "change its file, and run it: mauwatch whatif",
        )
    return kept


def _other_start(kept: ReadScenario | None, month: date, reading: str) -> Component | None:
    """That a copy begins from another month or reading than the scenario did, which changes its numbers."""
    if kept is None or (kept.answer.base_month, kept.answer.reading) == (f"{month:%Y-%m}", reading):
        return None
    then = f"{formats.month_name(month_from_text(kept.answer.base_month))}, reading {kept.answer.reading.replace('_', ' ')}"
    return components.notice(f"The saved scenario starts from {then}.", "This draft starts from another one.", kind="warning")


def _save_fields(copied: Definition | None) -> list[Component]:
    title = (copied.title if copied else None) or ""
    note = (copied.note if copied else None) or ""
    return [
        html.Fieldset(
            [
                html.Legend("Save"),
                html.P("What is saved is never changed, and seen by you alone until you share it.", className="soft"),
                html.Div(
                    [
                        dmc.TextInput(
                            id="whatif-name", label="Short name (a to z, 0 to 9, - and _)", value="", persistence=False
                        ),
                        dmc.TextInput(id="whatif-title", label="Title (may be empty)", value=title, persistence=False),
                    ],
                    className="fields",
                ),
                dmc.Textarea(
                    id="whatif-note", label="Note (may be empty)", value=note, autosize=True, minRows=2, persistence=False
                ),
                dmc.Checkbox(id="whatif-again", label=AGAIN, checked=False, persistence=False, my=10),
                dmc.Button("Save", id="whatif-save"),
                # Filled by what saving says; a screen reader hears it.
                html.Div(id="whatif-saved", role="status"),
            ],
            className="card",
        )
    ]


def _posted(states: Sequence[Any], base: Any) -> tuple[dict[str, Any], list[Card], date, str]:
    """What the form posted, as far as it is a form's. Aborts with 400 where it is none."""
    values: dict[str, tuple[str, dict[str, Any]]] = {}
    for one in states if isinstance(states, list) else ():
        place = one.get("id") if isinstance(one, dict) else None
        if not isinstance(place, dict) or not all(isinstance(place.get(key), str) for key in ("card", "kind", "field")):
            refuse(400, *_UNREADABLE)
        _, of_card = values.setdefault(place["card"], (place["kind"], {}))
        of_card[place["field"]] = one.get("value")
    # The base is posted as well, and anybody's word.
    is_base = isinstance(base, dict) and all(isinstance(base.get(name), str) for name in ("month", "reading"))
    if not is_base or len(values) > MOST_CHANGES + 1:
        refuse(400, *_UNREADABLE)
    try:
        month = month_from_text(base["month"])
    except ValueError:
        refuse(400, *_UNREADABLE)
    _, of_base = values.pop(BASE, (BASE, {}))
    cards = [Card(number, kind, of_card) for number, (kind, of_card) in values.items()]
    return of_base, cards, month, base["reading"]


def refusals(error: RefusedError) -> Component:
    """What is wrong with a form, in the refusals' own words."""
    told = []
    for refusal in error.refusals:
        # The file's example helps nobody who fills in a form.
        next_step = "correct it in the form" if "whatif new" in refusal.next_step else refusal.next_step
        told.append(components.notice(f"{where(refusal.subject)} {refusal.rule}", refusal.values, next_step, "problem"))
    return html.Div(told)


def draft_answer(answer: ScenarioAnswer, counsel: str) -> Component:
    """A draft's answer."""
    words = [whatif_files.DRAFT, formats.SCENARIO_STANDING, counsel]
    shown, bars = scenario_charts.of_draft(answer, words)
    files = html.P("Workbook, page and slide of a scenario come once it is saved.", className="soft")
    return html.Div([*parts.whole_answer(answer, True, shown, bars), files], className="draft")


def _audited(inputs: str) -> None:
    """Note a change of the form in the audit log: ids that Dash matches by a pattern are in no list of names."""
    audit = flask.current_app.extensions.get("mauwatch_audit")
    if audit is not None:
        audit.note_change(current_viewer().name, {inputs})


def _register(app: Dash, source: RowSource) -> None:
    baselines = Baselines(source)

    def answered(definition: Definition, month: date, reading: str, is_draft: bool) -> ScenarioAnswer:
        baseline = baselines.of(definition, month, reading, datetime.now(UTC))
        return run.draft(baseline, definition) if is_draft else run.run(baseline, definition)

    def draft_of(states: Any, base: Any) -> ScenarioAnswer:
        posted, cards, month, reading = _posted(states, base)
        return answered(definition_of(posted, cards, month, reading), month, reading, is_draft=True)

    def counsel() -> str:
        return legend_of(source.manifests.read().group)

    whatif_files.register(app, _FORM, draft_of, refusals, counsel)

    @app.callback(
        Output("whatif-answer", "children"),
        Output("whatif-assumptions", "children"),
        Input(_FORM, "value"),
        Input("whatif-base", "data"),
    )
    def live(_: Any, base: Any) -> tuple[Component, Component]:
        # The first call is the page's own, and no change of anybody's.
        if ctx.triggered:
            _audited("whatif-form.value")
        try:
            answer = draft_of(ctx.inputs_list[0], base)
        except RefusedError as error:
            # No old figures beside a form that says something else.
            return refusals(error), html.Div()
        return draft_answer(answer, counsel()), parts.assumptions(answer)

    @app.callback(
        Output("whatif-cards", "children"),
        Input("whatif-add", "n_clicks"),
        Input({"whatif": "remove", "card": ALL}, "n_clicks"),
        State({"whatif": "card", "card": ALL}, "id"),
        State("whatif-kind", "value"),
        State("whatif-base", "data"),
        prevent_initial_call=True,
    )
    def change_cards(added: Any, _: Any, ids: Any, kind: Any, base: Any) -> Patch:
        cards = Patch()
        # A card that was just added has a button that nobody has pressed.
        if isinstance(ctx.triggered_id, Mapping):
            places = [place for place, one in enumerate(ids) if one == {"whatif": "card", "card": ctx.triggered_id.get("card")}]
            if places and ctx.triggered[0]["value"]:
                del cards[places[0]]
            return cards
        _, __, month, reading = _posted([], base)
        if kind not in KINDS or not isinstance(added, int):
            refuse(400, *_UNREADABLE)
        manifests = source.manifests.read()
        card = new_card(f"added-{added}", kind, month, _estimate(source, month, reading))
        cards.append(form.card_of(card, form.FormChoices(manifests.group, manifests.registry)))
        return cards

    @app.callback(
        Output("whatif-saved", "children"),
        Input("whatif-save", "n_clicks"),
        State(_FORM, "value"),
        State("whatif-base", "data"),
        State("whatif-name", "value"),
        State("whatif-title", "value"),
        State("whatif-note", "value"),
        State("whatif-again", "checked"),
        prevent_initial_call=True,
    )
    def save(_: Any, __: Any, base: Any, name: Any, title: Any, note: Any, again: Any) -> Component:
        posted, cards, month, reading = _posted(ctx.states_list[0], base)
        if not isinstance(name, str) or not all(text is None or isinstance(text, str) for text in (title, note)):
            refuse(400, *_UNREADABLE)
        manifests = source.manifests.read()
        now = datetime.now(UTC)
        try:
            # Drawn once more, with all that is kept: what the browser shows is no source.
            definition = definition_of(posted, cards, month, reading, name, title, note)
            answer = answered(definition, month, reading, is_draft=False)
            folder = source.manifests.directory
            with contributions.open_store(manifests.group.settings.store, folder) as store:
                kept = access.keep(store, current_viewer().name, definition, folder, answer, now, again is True)
        except RefusedError as error:
            refusal = error.refusals[0]
            if refusal.code in (Code.SCENARIO_KEPT, Code.SCENARIO_INPUTS_CHANGED):
                # The command's next step names its options.
                told = f"{refusal.subject} {refusal.rule}: {refusal.values}."
                refuse(409, told, f"give it another short name, or tick: {AGAIN}")
            refuse_by(error, where)
        address = f"/scenario/{kept.kept.id}"
        return html.Div(
            [html.A(f"Saved: open scenario {kept.kept.id}", href=address), dcc.Location(id="whatif-go", href=address)]
        )


def _estimate(source: RowSource, month: date, reading: str) -> int:
    """The group's people in the base month, for the size that a new card begins with."""
    with source.rows(current_viewer(), datetime.now(UTC)) as rows:
        if reading not in rows.readings:
            refuse(400, *_UNREADABLE)
        figures = rows.figures(month, rows.reading(reading, month))
    return (figures.whole.estimate if figures and figures.whole else 0) or 0


PAGE = WebPage(
    PATH,
    TITLE,
    ROLES,
    layout,
    takes=frozenset({"scenario"}),
    callbacks={_LIVE: ROLES, whatif_files.OUTPUT: ROLES, _CARDS: ROLES, _SAVED: ROLES},
    register=_register,
    is_kept=False,
)
