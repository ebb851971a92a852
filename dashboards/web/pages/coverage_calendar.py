"""Which product-day of a month is there, as a strip of glyphs with words beside it. Pure."""

from collections.abc import Mapping, Sequence

from dash import html
from dash.development.base_component import Component

from affiliates.manifests.group import Group
from affiliates.periods import stretches
from dashboards.web import components
from dashboards.web.queries import product_name
from pipelines.figures.published_group import DayCell, DayState

SIGNS: Mapping[DayState, tuple[str, str]] = {
    "present": ("●", "there"),
    "unsettled": ("◍", "there, late events may come"),
    "replaced": ("◐", "replaced"),
    "restated": ("◆", "changed after the month was signed"),
    "stand_in": ("△", "a count or a ceiling stands in"),
    "refused": ("⊘", "refused"),
    "missing": ("✕", "missing"),
    "awaited": ("◌", "not there yet"),
    "coming": ("–", "not over"),
    "outside": ("·", "not due"),
}
"""By state, its glyph and its words."""
_THERE: tuple[DayState, ...] = ("present", "unsettled", "replaced", "restated")
_UNSAID: tuple[DayState, ...] = ("present", "coming", "outside")
"""States that the words leave out: nobody has to do anything about them."""


def calendar(group: Group, cells_by_product: Mapping[str, Sequence[DayCell]]) -> list[Component]:
    """The table of a month: a strip and a sentence for each product; a legend of the signs that occur."""
    lines = []
    occurring = {cell.state for cells in cells_by_product.values() for cell in cells}
    for name, cells in cells_by_product.items():
        strip = html.Span("".join(SIGNS[cell.state][0] for cell in cells), className="strip", **components.HIDDEN)
        lines.append((product_name(group, name), strip, html.Span(in_words(cells), className="words")))
    # Each strip has a sign for every day of the month, so one scale fits all.
    days = len(next(iter(cells_by_product.values()), ()))
    scale = "".join(f"{day:<5}" for day in range(1, days, 5))[:days]
    head = ("Product", html.Span(scale, className="strip", **components.aria(label="Days of the month")), "In words")
    legend = [
        html.Span(f"{glyph} {words}", className="legend-item") for state, (glyph, words) in SIGNS.items() if state in occurring
    ]
    return [html.P(legend, className="keys"), components.table("A sign for each day of the month", head, lines)]


def in_words(cells: Sequence[DayCell]) -> str:
    """A strip in words, for whoever doesn't see it."""
    # What nobody owes yet is no gap.
    due = [cell for cell in cells if cell.state not in ("outside", "coming")]
    if not due:
        return "nothing is due yet" if any(cell.state == "coming" for cell in cells) else "nothing is due"
    parts = [f"{sum(cell.state in _THERE for cell in due)} of {len(due)} days"]
    for state, (_, words) in SIGNS.items():
        if state in _UNSAID:
            continue
        spans = stretches("day", [cell.day for cell in due if cell.state == state])
        if spans:
            days = ", ".join(f"{first.day}" if first == last else f"{first.day} to {last.day}" for first, last in spans)
            parts.append(f"{words}: {days}")
    return "; ".join(parts)
