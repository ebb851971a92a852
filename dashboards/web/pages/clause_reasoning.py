"""Why a clause's result is what it is: the clause's place and words, month, whose count, bounds, what would settle it. Pure."""

from collections.abc import Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.web import components
from dashboards.web.pages.clause_matrix import asks, clause_of
from pipelines.figures.published_licences import ClauseResult, ClauseRow
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.registry import Registry

GRADES = {
    "primary_text": "the licence's text itself, where its licensor keeps it",
    "primary_readme_only": "the licensor's README; the text itself wasn't read",
    "third_party_transcription": "a copy of the text by somebody else",
    "third_party_copy_of_official_text": "a copy of a law's text",
    "secondary": "what somebody else wrote of it; the text itself wasn't read",
}
"""By grade of evidence, what was read."""


def reasoning(test: ClauseRow, result: ClauseResult, earlier: Sequence[ClauseResult], registry: Registry) -> Component:
    """The part of the page about one result, and the earlier ones."""
    entry = registry.get(test.licence)
    clause = clause_of(test, registry)
    words = clause.words if clause else None
    lines = [html.Div([html.Dt(name), html.Dd(text)]) for name, text in _lines(test, result, entry, clause) if text]
    settled = [html.P("What would settle it:"), html.Ul([html.Li(components.plain(text)) for text in result.settled_by])]
    why = [html.P("Why:"), html.Ul([html.Li(components.plain(text)) for text in result.why])]
    return components.section(
        f"Why: {test.licence}, {result.reading.replace('_', ' ')}",
        [
            html.P([components.result(result.result), ": ", _sentence(test, result)], className="sentence"),
            html.Blockquote(words) if words else None,
            html.Dl(lines, className="made"),
            *(settled if result.settled_by else []),
            *(why if result.why else []),
            _by_month(result),
            _earlier(test, earlier),
        ],
        "reasoning",
    )


def _sentence(test: ClauseRow, result: ClauseResult) -> str:
    """Bounds against the line."""
    if result.lower is None or test.threshold is None:
        return "there is no number to compare with the line."
    line = formats.exact(test.threshold)
    bounds = formats.between(result.lower, result.upper, test.threshold)
    own = result.without_grants or result.result
    where = {
        "under": f"all of it lies at or below the line of {line}" if test.comparator == "gt" else f"below the line of {line}",
        "over": f"all of it lies above the line of {line}" if test.comparator == "gt" else f"at or above the line of {line}",
    }.get(own, f"the line of {line} lies inside it")
    if result.upper is None and own == "undetermined":
        where = f"without an upper bound nothing says on which side of {line} the number lies"
    return f"{bounds} people; {where}."


def _lines(test: ClauseRow, result: ClauseResult, entry: LicenceEntry | None, clause: Clause | None) -> list[tuple[str, Any]]:
    whose = test.product or (f"{test.licensee} and its affiliates" if clause and clause.with_affiliates else test.licensee)
    room = (
        formats.headroom(result.headroom_lower, result.headroom_upper)
        if result.headroom_upper is not None
        else "not known without a number"
    )
    lines: list[tuple[str, Any]] = [
        ("Clause", _place(clause) if clause else "the registry no longer has this clause"),
        ("Asks", asks(test)),
        ("Month that is tested", formats.month_name(test.month) if test.month else "none"),
        ("Whose people", whose),
        ("Products", clause.products_in_scope if clause else None),
        ("Best estimate", formats.people(result.estimate, test.threshold)),
        ("Left to the line", room),
        ("The test's own result", components.RESULTS[result.without_grants][1] if result.without_grants else None),
        ("All that was due is there", "yes" if result.complete else "no"),
        ("Reading", f"{result.reading.replace('_', ' ')}{', the reading of record' if result.of_record else ', not of record'}"),
        ("Over the line", clause.effect_over if clause else None),
    ]
    if entry is not None:
        grade = f"{entry.evidence.replace('_', ' ')}: {GRADES[entry.evidence]}"
        lines += [
            ("Grade of evidence", grade),
            ("Where the words stand", html.Ul([html.Li(_link(source)) for source in entry.sources])),
            ("Looked at", f"{entry.reviewed}; to be looked at again by {entry.review_by}"),
        ]
    return [*lines, ("Stands since", formats.moment(result.known_at))]


def _place(clause: Clause) -> str:
    if clause.section:
        return f"{clause.id}, section {clause.section}"
    return f"{clause.id}, article {clause.article}" if clause.article else clause.id


def _link(source: str) -> Any:
    # Others than web addresses, such as a file's name, lead nowhere.
    if source.startswith("https://") and " " not in source:
        return html.A(source, href=source, rel="noopener noreferrer")
    return source


def _by_month(result: ClauseResult) -> Component | None:
    if not result.by_month:
        return None
    rows = [(formats.month_name(month), components.result(name)) for month, name in sorted(result.by_month.items(), reverse=True)]
    return html.Details([html.Summary("Month by month"), components.table("The newest first", ("Month", "Result"), rows)])


def _earlier(test: ClauseRow, results: Sequence[ClauseResult]) -> Component:
    rows = [
        (
            formats.moment(earlier.known_at),
            components.result(earlier.result),
            "–" if earlier.lower is None else formats.between(earlier.lower, earlier.upper, test.threshold),
            formats.people(earlier.estimate, test.threshold),
        )
        for earlier in results
    ]
    if len(rows) < 2:
        return html.P("Earlier results: none. This one is the first that was published.")
    head = ("Known since", "Result", "Range", "Best estimate")
    return components.table("This result and earlier ones, the newest first", head, rows, (3,), (3,))
