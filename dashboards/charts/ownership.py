"""Who holds whom on a day, drawn from left to right. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.charts import axes


@dataclass(frozen=True)
class Held:
    """One entity of the group, in the order of the drawing from above."""

    entity: str
    name: str
    depth: int
    """Steps from the ultimate parent."""
    owners: Sequence[str]
    """The members that hold or control it; empty for the ultimate parent."""
    how: str
    """Shares or control in words."""


def figure(entities: Sequence[Held]) -> dict[str, Any]:
    """Plotly's figure as JSON: a dot for each entity, a line from each owner."""
    place = {held.entity: (held.depth, -number) for number, held in enumerate(entities)}
    x: list[float | None] = []
    y: list[float | None] = []
    for held in entities:
        for owner in held.owners:
            if owner in place:
                # Right-angled, as ownership charts are: along the owner's column, then across.
                (from_x, from_y), (to_x, to_y) = place[owner], place[held.entity]
                x += [from_x, from_x, to_x, None]
                y += [from_y, to_y, to_y, None]
    # Beneath the dots, and nothing to point at.
    lines = {"type": "scatter", "mode": "lines", "x": x, "y": y, "line": {"color": "@soft", "width": 1}, "hoverinfo": "skip"}
    dots = {
        "type": "scatter", "mode": "markers+text", "x": [place[held.entity][0] for held in entities],
        "y": [place[held.entity][1] for held in entities], "text": [f" {held.name}" for held in entities],
        "textposition": "middle right", "textfont": {"color": "@ink"}, "marker": {"color": "@line", "size": 9},
        "customdata": [held.how for held in entities], "hovertemplate": "%{text}: %{customdata}<extra></extra>",
    }  # fmt: skip
    deepest = max((held.depth for held in entities), default=0)
    hidden = {"visible": False, "fixedrange": True}
    layout = axes.layout(
        # Room for the names to the right of the last column.
        xaxis={**hidden, "range": [-0.15, deepest + 1.1]},
        yaxis={**hidden, "range": [-len(entities) + 0.3, 0.7]},
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        hovermode="closest",
    )
    return {"data": [{**lines, "showlegend": False}, {**dots, "showlegend": False}], "layout": layout}
