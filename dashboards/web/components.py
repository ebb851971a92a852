"""Parts that pages have in common, of `html` components alone: they are read before any script runs, and printed. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.web.router import Chart, Parameters, Problem
from pipelines.counting.figure import Figure
from pipelines.store.publications import Publication

RESULTS: Mapping[str, tuple[str, str]] = {
    "under": ("▽", "Under"),
    "over": ("▲", "Over"),
    "undetermined": ("◇", "Can't tell yet"),
    "not_measured": ("○", "Not measured"),
    "granted": ("■", "Granted"),
    "exempt": ("□", "Exempt"),
}
"""By result, its glyph and its words: never told by colour alone."""
HIDDEN: Mapping[str, Any] = {"aria-hidden": "true"}
"""For a glyph beside its word: a screen reader reads the word alone."""
Cells = Sequence[Any]


def aria(**values: str) -> dict[str, Any]:
    """Attributes for screen readers: `aria(label="Pages")` is aria-label."""
    return {f"aria-{name}": value for name, value in values.items()}


def plain(text: str) -> str:
    """A text of the terminal as a page writes it: quotes around a result's name, and none of Markdown's."""
    return text.replace("`", '"')


def glyph(name: str) -> Component:
    """A result's glyph, which stands beside its words."""
    return html.Span(RESULTS[name][0], **HIDDEN)


def result(name: str) -> Component:
    """A result of a test as a glyph and a word."""
    return html.Span([glyph(name), f" {RESULTS[name][1]}"], className=f"result result-{name}")


def fact(label: str, value: Any, detail: Any = None) -> Component:
    """One fact with its name above and what it rests on beneath."""
    return html.Div(
        [html.Dt(label), html.Dd(value, className="value"), html.Dd(detail, className="detail") if detail else None],
        className="fact",
    )


def section(title: str, children: Any, identity: str, **properties: Any) -> Component:
    """A part of a page under its title."""
    heading = f"{identity}-title"
    return html.Section([html.H2(title, id=heading), *_as_list(children)], **aria(labelledby=heading), **properties)


def table(
    caption: str, head: Sequence[Any], rows: Sequence[Cells], narrow: Sequence[int] = (), numbers: Sequence[int] = ()
) -> Component:
    """A table with a caption; `narrow`: columns that a phone drops, `numbers`: columns that are aligned to the right."""

    def classes(place: int) -> str | None:
        given = [name for name, places in (("wide-only", narrow), ("number", numbers)) if place in places]
        return " ".join(given) or None

    def cell(place: int, content: Any) -> Component:
        if place == 0:
            return html.Th(content, scope="row", className=classes(place))
        return html.Td(content, className=classes(place))

    heads = [html.Th(name, scope="col", className=classes(place)) for place, name in enumerate(head)]
    body = [html.Tr([cell(place, content) for place, content in enumerate(cells)]) for cells in rows]
    return html.Div(
        html.Table([html.Caption(caption), html.Thead(html.Tr(heads)), html.Tbody(body)]),
        className="table",
        # A table that is wider than a phone scrolls by itself, by keyboard, too.
        tabIndex="0",
        role="region",
        **aria(label=caption),
    )


def notice(headline: str, detail: str = "", next_step: str = "", kind: str = "note") -> Component:
    """What is going on, and what to do; `kind`: note, warning or problem."""
    return html.Div(
        [
            html.Strong(headline),
            html.P(detail) if detail else None,
            html.P(["What to do: ", next_step, "."]) if next_step else None,
        ],
        className=f"notice {kind}",
        role="status" if kind == "note" else "alert",
    )


def problem(what: Problem) -> Component:
    """A page that can't be shown."""
    return html.Div([html.H1(what.headline), notice(f"Status {what.status}", what.detail, what.next_step, "problem")])


def chart(
    of: Chart,
    parameters: Parameters,
    summary: str,
    keys: Sequence[tuple[str, str]] = (),
    has_svg: bool = False,
    height: int | None = None,
) -> Component:
    """A chart: a plain picture at first, drawn by scripts once they are there, with downloads.

    `summary`: in a sentence, what the chart shows, for whoever doesn't see it; `keys`: the legend, by the styles' names.
    `height`: in pixels, of a chart with many rows.
    """
    query = parameters.query()
    address = f"/chart/{quote(of.name)}"
    picture = html.Img(src=f"{address}.svg{query}", alt="", width="960", height="360") if has_svg else None
    return html.Figure(
        [
            html.Figcaption(of.title),
            html.P([html.Span([html.Span(className=f"key {name}"), text]) for name, text in keys], className="keys")
            if keys
            else None,
            html.Div(
                picture,
                className="chart",
                style={"height": f"{height}px"} if height else None,
                role="img",
                **aria(label=f"{of.title}. {summary}"),
                **_data(chart=f"{address}.json{query}", name=of.name, **({"cells": "true"} if of.has_cells else {})),
            ),
            downloads(of.name, query),
        ],
        className="figure",
    )


def downloads(name: str, query: str) -> Component:
    """Links to a chart's numbers, and places for the buttons of its pictures, which scripts make."""
    address = f"/chart/{quote(name)}"
    return html.P(
        [
            html.Span("Download: "),
            html.A("CSV", href=f"{address}.csv{query}", download=f"{name}.csv"),
            " ",
            html.A("Excel", href=f"{address}.xlsx{query}", download=f"{name}.xlsx"),
            " ",
            html.Span(className="pictures"),
        ],
        className="downloads",
    )


def number_line(
    lower: int, upper: int | None, estimate: int | None, threshold: int, summed: int | None, sentence: str
) -> Component:
    """A line of people from 0 on with range, estimate, threshold and sum of products; `sentence` says the same in words."""
    # From 0, so that lengths can be compared; to a little beyond the largest number.
    values = [value for value in (upper, estimate, threshold, summed, lower) if value is not None]
    end = max(values) * 1.08 or 1

    def at(value: float) -> str:
        return f"{100 * value / end:.3f}%"

    # Without an upper bound the range runs to the end of the line, and fades there.
    high = end if upper is None else upper
    marks = [
        html.Span(className="range" + (" open" if upper is None else ""), style={"left": at(lower), "width": at(high - lower)}),
        html.Span(className="mark threshold", style={"left": at(threshold)}),
        html.Span(className="mark sum", style={"left": at(summed)}) if summed is not None else None,
        html.Span(className="mark estimate", style={"left": at(estimate)}) if estimate is not None else None,
    ]
    legend = [
        ("range", f"range: {formats.between(lower, upper, threshold)}"),
        ("estimate", f"best estimate: {formats.people(estimate, threshold)}"),
        ("threshold", f"threshold: {formats.exact(threshold)}"),
        ("sum", f"sum of products: {formats.people(summed, threshold)}"),
    ]
    shown = [(name, text) for name, text in legend if name != "sum" or summed is not None]
    return html.Div(
        [
            html.Div(
                [html.Div(marks, className="axis"), _ends(end)], className="number-line", role="img", **aria(label=sentence)
            ),
            html.Ul([html.Li([html.Span(className=f"key {name}"), text]) for name, text in shown], className="line-legend"),
        ]
    )


def _ends(end: float) -> Component:
    return html.Div([html.Span("0"), html.Span(formats.people(round(end)))], className="ends", **HIDDEN)


def how_made(
    figure: Figure, parts: Sequence[Mapping[str, Any]], publication: Publication, threshold: int | None, left_out: Sequence[str]
) -> Component:
    """How a figure is made: bounds by cause, coverage, publication and digest; `parts`: rows of `range_parts`."""
    rows = [
        html.Div([html.Dt(name), html.Dd(html.Ul(list(map(html.Li, text))) if isinstance(text, list) else text)])
        for name, text in made_lines(figure, parts, publication, threshold, left_out)
    ]
    digest = html.Div([html.Dt(DIGEST), html.Dd(html.Code(publication.inputs))])
    reasons = [html.P("What is missing or stands in:"), html.Ul([html.Li(reason) for reason in figure.reasons])]
    return html.Details(
        [html.Summary("How is this made?"), html.Dl([*rows, digest], className="made"), *(reasons if figure.reasons else [])],
        className="how",
    )


DIGEST = "Digest of all that it rests on"


def made_lines(
    figure: Figure, parts: Sequence[Mapping[str, Any]], publication: Publication, threshold: int | None, left_out: Sequence[str]
) -> list[tuple[str, str | list[str]]]:
    """What `how_made` says but for the digest, name by name: a text, or a list of texts that isn't empty."""
    coverage = figure.coverage
    present = [
        f"{there:,} of {due:,} {what}"
        for there, due, what in (
            (coverage.days_present, coverage.days_expected, "product-days"),
            (coverage.months_present, coverage.months_expected, "product-months"),
        )
        if due
    ]
    lines: list[tuple[str, str | list[str]]] = [
        ("Range", formats.between(figure.lower, figure.upper, threshold)),
        *((f"of which {part['what']}", formats.people(part["people"])) for part in parts if part["people"] is not None),
        ("Not known at all", [str(part["what"]) for part in parts if part["people"] is None]),
        ("Standard error of the sketches alone", f"±{formats.SPACE}{formats.people(round(figure.standard_error))}"),
        ("Sum of products, a person of two counted twice", formats.people(figure.summed_products, threshold)),
        ("Coverage", ", ".join(present) or "nothing was due"),
        ("Closed although something was open", [publication.despite] if publication.despite else []),
        ("Restated because", [publication.reason] if publication.reason else []),
        ("Not counted", list(left_out)),
        ("Published", f"{formats.moment(publication.known_at)}, publication {publication.id}"),
    ]
    # A heading without anything beneath would read as if something were missing.
    return [(name, text) for name, text in lines if text]


def _data(**values: str) -> dict[str, Any]:
    return {f"data-{name}": value for name, value in values.items()}


def _as_list(children: Any) -> list[Any]:
    return list(children) if isinstance(children, (list, tuple)) else [children]
