"""The check list of a month, and its signature by name and reason."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, NoReturn

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component
from flask import abort

from affiliates.errors import RefusedError
from affiliates.periods import month_from_text
from dashboards import formats
from dashboards.web import components
from dashboards.web.callback_refusals import refuse
from dashboards.web.month_closing import MonthToSign, sign
from dashboards.web.row_source import RowSource
from dashboards.web.viewer import Role, Viewer, current_viewer
from pipelines.workflows.close import Signature

MAY_SIGN = frozenset({Role.legal})
ANSWER = "month-signed.children"
"""The callback's output, as Dash posts it."""
_LONGEST = 500
"""Characters of a reason at most."""


def check_list(closing: MonthToSign, viewer: Viewer) -> list[Component | None]:
    """What a month's signature rests on, who has attested what, and the form for who may sign."""
    rows = [
        (
            [
                html.Span("☑ " if item.is_done else "☐ ", **components.HIDDEN),
                f"{'Done' if item.is_done else 'Open'}: {item.what}",
            ],
            item.detail,
            "–" if item.is_done else item.next_step,
        )
        for item in closing.items
    ]
    name = formats.month_name(closing.month)
    return [
        components.table(f"Before {name} is signed", ("What", "By what", "What to do"), rows, (2,)),
        html.P("All checks of a run are made once more by the signature: red ones keep the month from being signed."),
        _attestations(closing),
        _reconciliation(closing),
        _form(closing, viewer),
    ]


def _attestations(closing: MonthToSign) -> Component | None:
    rows = [
        (
            entry.affiliate,
            "all products are listed" if entry.products_complete else "products are missing from the list",
            entry.active,
            entry.exclusions,
            f"{entry.by}, {entry.on}",
        )
        for entry in closing.attestations
    ]
    head = ("Affiliate", "Products", "Active means", "Left out", "By whom")
    return components.table("What affiliates vouch for", head, rows, (2, 3)) if rows else None


def _reconciliation(closing: MonthToSign) -> Component | None:
    rows = []
    for entry, ours in closing.reconciliation:
        estimate = ours.estimate if ours else None
        difference = "–" if estimate is None else f"{entry.published - estimate:+,}".replace("-", formats.MINUS)
        published = f"{formats.exact(entry.published)} {entry.unit}"
        own = "no figure of ours" if estimate is None else formats.exact(estimate)
        rows.append((entry.product, published, own, difference, entry.reason, f"{entry.source}, {entry.on}"))
    head = ("Product", "Published", "Ours", "Difference", "Why", "Where")
    return components.table("Figures that were published elsewhere", head, rows, (4, 5), (1, 2, 3)) if rows else None


def _form(closing: MonthToSign, viewer: Viewer) -> Component:
    if not MAY_SIGN & viewer.roles:
        return html.P("Counsel signs a month: the role is legal.")
    if not closing.is_over:
        return html.P("The month isn't over: it can be signed once it is.")
    is_signed = closing.publication.signed
    restates = dmc.TextInput(id="sign-restates", label="Why it is signed anew (needed)", w=420, required=is_signed)
    return html.Div(
        [
            dmc.TextInput(id="sign-by", label="Who signs: name and office", w=420, required=True),
            dmc.TextInput(id="sign-despite", label="Why, although something is open (empty where nothing is)", w=420),
            # The callback takes all fields: one that isn't asked for is there, and isn't shown.
            html.Div(restates, hidden=not is_signed),
            dmc.Button("Restate the month" if is_signed else "Sign the month", id="sign-month"),
            dcc.Store(id="sign-of", data=f"{closing.month:%Y-%m}"),
            # Which of both was asked for, as the reader saw it: a month that somebody has signed meanwhile isn't restated so.
            dcc.Store(id="sign-anew", data=is_signed),
            html.Div(id="month-signed", role="status"),
        ],
        className="form",
    )


def register(app: Dash, source: RowSource) -> None:
    """The signature's callback."""

    @app.callback(
        Output("month-signed", "children"),
        Input("sign-month", "n_clicks"),
        State("sign-of", "data"),
        State("sign-anew", "data"),
        State("sign-by", "value"),
        State("sign-despite", "value"),
        State("sign-restates", "value"),
        prevent_initial_call=True,
        running=[(Output("sign-month", "disabled"), True, False)],
    )
    def signed(_: Any, name: Any, anew: Any, by: Any, despite: Any, restates: Any) -> Component:
        # A button that isn't shown can be posted all the same.
        if not MAY_SIGN & current_viewer().roles:
            abort(403)
        month, signature = _read(name, anew, by, despite, restates)
        login = current_viewer().name
        # Whoever signs under another's name is named by the login, and for good.
        signature = replace(signature, by=f"{signature.by} (logged in as {login})")
        try:
            line = sign(source, month, signature, datetime.now(UTC))
        except RefusedError as error:
            refusal = error.refusals[0]
            refuse(409, f"{refusal.subject}: {refusal.rule}. {refusal.values}", refusal.next_step.partition(": mauwatch")[0])
        return html.Div(
            [
                components.notice(f"{formats.month_name(month)} is signed by {signature.by}."),
                html.P(html.Code(line)),
                html.P("Print that line and mail it to outside counsel: no other ledger of this month has it."),
                # Without a place in the page: an address that differs by that alone isn't asked for again.
                html.A("Show the month as it is now", href=f"/licences?month={name}"),
            ]
        )


def _read(name: Any, anew: Any, by: Any, despite: Any, restates: Any) -> tuple[date, Signature]:
    """What was posted, checked; a refusal has status 400."""
    texts = {"month": name, "name": by, "reason": despite, "reason for signing anew": restates}
    if not isinstance(anew, bool) or not all(text is None or isinstance(text, str) for text in texts.values()):
        _bad("What was sent can't be read.", "load the page again")
    if too_long := [what for what, text in texts.items() if text and len(text) > _LONGEST]:
        _bad(f"The {too_long[0]} has more than {_LONGEST} characters.", "shorten it")
    try:
        month = month_from_text(name or "")
    except ValueError:
        _bad("The month can't be read.", "write it as YYYY-MM, such as 2026-10")
    # The signature is kept for good: blanks around a name are none of it.
    who = (by or "").strip()
    # A signature is a person's: letters, and no number in the place of a name.
    if not any(letter.isalpha() for letter in who):
        _bad("Nobody is named who signs.", "write name and office")
    # Of a month that nobody has signed there is nothing to sign anew, whatever a field that isn't shown holds.
    again = (restates or "").strip() or None if anew else None
    if anew and again is None:
        _bad("A signed month is signed anew only with a reason.", "write why other figures are signed")
    return month, Signature(who, (despite or "").strip() or None, again)


def _bad(headline: str, next_step: str) -> NoReturn:
    refuse(400, headline, next_step)
