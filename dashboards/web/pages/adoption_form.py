"""The adoption check as a question: may this product use that version, and what is there to do? Pure."""

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.web import components
from dashboards.web.pages.clause_matrix import METRICS
from dashboards.web.router import Parameters
from pipelines.licences.adoption import AdoptionCheck
from pipelines.licences.outcome import ClauseFinding


def question(versions: Sequence[tuple[str, str]], products: Sequence[tuple[str, str]], parameters: Parameters) -> Component:
    """The form; it leads to an address, so that an answer can be linked to, and works without a script."""
    month, reading = parameters.month, parameters.reading
    # A form leaves out what its address has beside it.
    kept = [("month", f"{month:%Y-%m}" if month else ""), ("reading", reading or "")]
    return html.Form(
        [
            *(_hidden(name, value) for name, value in kept if value),
            _choice("into", "May the product", products, parameters.more.get("into", "")),
            _choice("adopt", "use", versions, parameters.more.get("adopt", "")),
            html.Button("Look it up", type="submit"),
        ],
        action="/licences#adoption-title",
        method="get",
        className="form",
    )


def _hidden(name: str, value: str) -> Component:
    return html.Div(html.Select(html.Option(value, value=value), name=name, **components.aria(label=name)), hidden=True)


def _choice(name: str, label: str, options: Sequence[tuple[str, str]], chosen: str) -> Component:
    identity = f"choice-{name}"
    shown = [html.Option(words, value=value, selected=value == chosen or None) for value, words in options]
    return html.Label([f"{label} ", html.Select(shown, id=identity, name=name)], htmlFor=identity)


def conclusion(check: AdoptionCheck) -> Component:
    """The answer in a sentence, what there is to do, and what the clauses find."""
    cleared = check.clearance.cleared
    glyph = {True: "✓", False: "✕", None: "○"}[cleared]
    to_do = [tuple(map(components.plain, item)) for item in check.clearance.to_do]
    findings = [(finding, "") for finding in check.findings]
    if check.if_released:
        findings.append((check.if_released, f"if a next version came out on {check.released}: "))
    # The next version comes last: somebody who reads only the first rows reads what holds today.
    rows = [row for finding, before in findings for row in _rows(finding, before)]
    head = ("Clause", "Licensee", "Month", "Reading", "Result")
    answer = check.clearance.answer
    # Readings as the rest of the page writes them.
    for name in {name for finding, _ in findings for name in finding.readings}:
        answer = answer.replace(name, name.replace("_", " "))
    return html.Div(
        [
            html.P([html.Span(glyph, **components.HIDDEN), f" {answer}"], className="sentence"),
            components.table("What there is to do", ("What", "Whom to write to", "By when"), to_do, (1,))
            if to_do
            else html.P("Nothing is left to do."),
            components.table("What the clauses find", head, rows, (1, 2)) if rows else html.P("No clause of it is tested here."),
            html.Details(
                [html.Summary("What else is known"), html.Ul([html.Li(components.plain(reason)) for reason in check.reasons])]
            )
            if check.reasons
            else None,
            html.P(f"By the manifests and the published figures of {check.on}.", className="about"),
        ]
    )


def _rows(finding: ClauseFinding, before: str) -> list[tuple[object, ...]]:
    month = formats.month_name(finding.month) if finding.month else "–"
    return [
        (
            f"{before}{METRICS.get(finding.clause, finding.clause)}",
            finding.licensee,
            month,
            f"{name}{' (of record)' if outcome.of_record else ''}".replace("_", " "),
            components.result(outcome.result),
        )
        for name, outcome in finding.readings.items()
    ]
