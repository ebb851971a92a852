"""How many people two products have in common, as a heat map; what isn't measured stands in the cell as text. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards import formats
from dashboards.charts import axes


def figure(
    products: Sequence[str], shares: Mapping[tuple[str, str], float | None], words: Mapping[tuple[str, str], str]
) -> dict[str, Any]:
    """Plotly's figure as JSON. Of each pair the share of the row's people who are in the column, too; null if not measured.

    `words`: by pair, what a reader sees on the cell.
    """
    # Null leaves a cell without a colour: its text says why.
    values = [[shares.get((row, column)) for column in products] for row in products]
    texts = [[_cell(shares.get((row, column)), row == column) for column in products] for row in products]
    hover = [[words.get((row, column), "") for column in products] for row in products]
    data = [
        {
            "type": "heatmap", "x": list(products), "y": list(products), "z": values, "zmin": 0, "zmax": 1, "text": texts,
            "texttemplate": "%{text}", "customdata": hover, "hovertemplate": "%{customdata}<extra></extra>",
            "colorscale": [[0, "@paper"], [1, "@narrow"]], "showscale": False, "xgap": 1, "ygap": 1,
            "textfont": {"color": "@ink"},
        }
    ]  # fmt: skip
    axis = {"fixedrange": True, "color": "@ink", "showgrid": False, "tickfont": {"size": 11}}
    layout = axes.layout(
        xaxis={**axis, "side": "top", "tickangle": -45},
        yaxis={**axis, "autorange": "reversed"},
        margin={"l": 110, "r": 20, "t": 90, "b": 10},
        hovermode="closest",
    )
    return {"data": data, "layout": layout}


def _cell(share: float | None, is_same: bool) -> str:
    if is_same:
        return ""
    return "?" if share is None else formats.percent(share)
