"""One alert, where a mail's link leads: what it is about, what has happened to it, who was told; acknowledge, or close it."""

from datetime import UTC, datetime
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, dcc, html
from dash.development.base_component import Component
from flask import abort

from affiliates.errors import RefusedError
from dashboards import formats
from dashboards.web import components
from dashboards.web.callback_refusals import refuse, refuse_by
from dashboards.web.pages import alert_table, attention
from dashboards.web.pages.figures_in_words import nothing_published
from dashboards.web.queries import PageRows
from dashboards.web.router import OF_GROUP, Parameters, WebPage, not_found
from dashboards.web.row_source import RowSource, answer_alert
from dashboards.web.viewer import Role, Viewer, current_viewer
from pipelines.alerts.responses import Closing, reasons_of
from pipelines.store.alert_log import Transition

PATH = "/alerts"
TITLE = "Alerts"
ROLES = OF_GROUP
MAY_ANSWER = frozenset({Role.legal, Role.admin})
"""Who may acknowledge and close alerts."""
_ANSWER = "alert-answer.children"


def layout(viewer: Viewer, parameters: Parameters, rows: PageRows) -> Component:
    """All alerts, or the one with the number."""
    if parameters.id is None:
        # "No alert is open" would say that somebody has looked.
        if not rows.has_store:
            return nothing_published(TITLE, rows)
        return html.Div([html.H1(TITLE), alert_table.table(rows)])
    # By the number that a message names: an alert that was raised anew has another one.
    history = rows.alert_history(parameters.id)
    if not history:
        raise not_found(f"There is no alert {parameters.id}.", "", "look at the list of alerts: Forecast and alerts")
    now = history[-1]
    return html.Div(
        [
            html.H1(f"Alert {parameters.id}: {attention.title(now)}"),
            html.P(
                " · ".join(
                    [
                        attention.KIND_WORDS.get(now.kind, now.kind),
                        alert_table.state(now),
                        f"changed {formats.moment(now.known_at)}",
                    ]
                ),
                className="about",
            ),
            _about(rows, now),
            _answers(viewer, now),
            components.section("What has happened", _history(history), "history"),
            components.section("Who was told", _messages(rows, parameters.id), "told"),
        ]
    )


def _about(rows: PageRows, alert: Transition) -> Component:
    """What the alert is about: figures of a threshold, or what it names."""
    if alert.kind != "threshold":
        subjects = alert.subjects.splitlines()
        next_step = attention.NEXT_STEPS.get(alert.kind, "look at the data")
        return html.Div([html.P(f"Next step: {next_step}."), html.Ul([html.Li(subject) for subject in subjects])])
    facts = [
        components.fact("Threshold", formats.exact(alert.threshold or 0), f"watched for {_watched(alert.rule)}"),
        components.fact(
            "Best estimate",
            formats.people(alert.estimate, alert.threshold),
            f"range {formats.between(alert.lower or 0, alert.upper, alert.threshold)}",
        ),
        components.fact(
            "Month", formats.month_name(alert.as_of) if alert.as_of else "–", f"reading {alert.reading.replace('_', ' ')}"
        ),
        components.fact(
            "Chance within a year",
            formats.percent(alert.within_year) if alert.within_year is not None else "no forecast",
            f"{formats.percent(alert.within_quarter)} within three months" if alert.within_quarter is not None else None,
        ),
    ]
    step = attention.next_step(rows.group.alerting, alert)
    links: list[Any] = [
        html.A("when, and with what chance", href="/forecast"),
        ", ",
        html.A("what the clauses say, and whether a product may use a version", href="/licences"),
        ".",
    ]
    to_do = [html.P(f"Next step: {step}. Owner: {attention.owner(rows.group.alerting, alert)}."), html.P(["Read ", *links])]
    return html.Div([html.Dl(facts, className="facts"), *(to_do if alert.is_open else [])])


def _watched(rule: str) -> str:
    """What a threshold's rule is about: the family of versions, and whose people where not the whole group's."""
    name, _, subject = rule.partition(" ")
    family = name.partition("/")[0] or name
    return f"{family}, {subject}" if subject else f"{family}, the whole group"


def _answers(viewer: Viewer, alert: Transition) -> Component | None:
    """The forms, for who may use them."""
    if not alert.is_open:
        return html.P("The alert isn't open: there is nothing to answer.")
    if not MAY_ANSWER & viewer.roles:
        return html.P("Counsel and administrators acknowledge and close alerts.")
    # Only reasons that fit the kind: any other one is refused by the centre as well.
    reasons = [{"value": name, "label": words} for name, words in reasons_of(alert.kind).items()]
    acknowledge = dmc.Button("Acknowledge: I have seen it", id="alert-acknowledge", disabled=alert.acknowledged_by is not None)
    close = [
        dmc.Select(id="alert-reason", label="Reason", data=reasons, w=420, placeholder="Choose a reason"),
        dmc.TextInput(id="alert-matter", label="Number of the matter", w=240),
        dmc.TextInput(id="alert-note", label="Note (may be empty)", w=420),
        dmc.Button("Close the alert", id="alert-close", variant="default"),
    ]
    parts: list[Any] = [
        html.Div(acknowledge, className="form"),
        html.Div(close, className="form"),
        dcc.Store(id="alert-opened", data=alert.opened),
        html.Div(id="alert-answer", role="status"),
    ]
    return components.section("Answer", parts, "answer")


def _history(history: list[Transition]) -> Component:
    lines = [
        (
            formats.moment(step.known_at),
            step.action.replace("_", " "),
            step.level,
            formats.month_name(step.as_of) if step.as_of else "–",
            formats.people(step.estimate, step.threshold) if step.estimate is not None else "–",
            "; ".join(
                filter(
                    None,
                    [step.acknowledged_by, step.closed_by, step.reason_code, step.matter and f"matter {step.matter}", step.note],
                )
            )
            or "–",
        )
        for step in reversed(history)
    ]
    return components.table(
        "The newest first", ("When", "What", "Level", "Month", "Estimate", "By whom and why"), lines, (1,), (4,)
    )


def _messages(rows: PageRows, number: int) -> Component:
    messages = rows.messages(number)
    if not messages:
        return html.P("Nobody: no channel of alerts.yaml is for this kind and level.")
    lines = [
        (
            message.channel,
            message.action,
            formats.moment(message.created_at),
            {"sent": "sent", "superseded": "not sent: a worse level came first"}.get(message.outcome or "", "not sent yet"),
            f"{message.attempt}",
        )
        for message in messages
    ]
    return components.table("Messages by channel", ("Channel", "About", "Written", "Delivery", "Attempts"), lines, (4,), (4,))


def _register(app: Dash, source: RowSource) -> None:
    @app.callback(
        Output("alert-answer", "children"),
        Input("alert-acknowledge", "n_clicks"),
        Input("alert-close", "n_clicks"),
        State("alert-opened", "data"),
        State("alert-reason", "value"),
        State("alert-matter", "value"),
        State("alert-note", "value"),
        prevent_initial_call=True,
    )
    def answer(_: Any, __: Any, number: Any, reason: Any, matter: Any, note: Any) -> Component:
        if not MAY_ANSWER & current_viewer().roles:
            abort(403)
        # All of it is the caller's word: types first, then what the store says.
        # By its type itself: true is a whole number, too, and would be alert 1.
        if type(number) is not int or not all(text is None or isinstance(text, str) for text in (reason, matter, note)):
            refuse(400, "This can't be read.", "load the page again")
        by = current_viewer().name
        # The name is the login's, whatever was posted.
        closing = Closing(by, reason or "", matter or "", note or None) if ctx.triggered_id == "alert-close" else None
        try:
            told = answer_alert(source, number, by, closing, datetime.now(UTC))
        except RefusedError as error:
            # The store names the command's options; a page has fields.
            refuse_by(error, lambda subject: subject.replace("closing or acknowledging: --", "the "))
        return html.Div([components.notice(told), html.A("Show the alert as it is now", href=f"{PATH}/{number}")])


PAGE = WebPage(
    PATH,
    TITLE,
    ROLES,
    layout,
    takes_id=True,
    callbacks={_ANSWER: MAY_ANSWER},
    register=_register,
    in_navigation=False,
    has_choices=False,
)
