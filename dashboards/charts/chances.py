"""Chances of being over a threshold, month by month, and in which month it is passed first. Pure.

By the range: with the doubt of who is one person; by the estimate: with growth's doubt alone. The two are never added up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from dashboards import formats
from dashboards.charts import axes


@dataclass(frozen=True)
class MonthChance:
    """Of a month to come, the chances from 0 to 1."""

    month: date
    over: float
    """Of being over in this month, by the range."""
    over_by_estimate: float
    first: float
    """Of being the first month over, by the range."""
    first_by_estimate: float


def over(months: Sequence[MonthChance]) -> dict[str, Any]:
    """The chance of being over by month: a line by the range, and one by the estimate."""
    days = [f"{month.month}" for month in months]
    # Colour and dashes tell the lines apart, for whoever sees no colours.
    lines = (
        ("by the range: growth and identity in doubt", [m.over for m in months], "@threshold", "solid"),
        ("by the estimate: growth alone in doubt", [m.over_by_estimate for m in months], "@line", "dash"),
    )
    data = [
        {
            "type": "scatter", "mode": "lines+markers", "x": days, "y": values, "name": name,
            "line": {"color": colour, "dash": dash, "width": 2}, "marker": {"size": 5},
            "text": [f"{formats.percent(value)} {name}" for value in values], "hovertemplate": "%{text}<extra></extra>",
        }
        for name, values, colour, dash in lines
    ]  # fmt: skip
    return {"data": data, "layout": axes.layout(xaxis=_months(months), yaxis=_percent_axis(1))}


def first_passage(months: Sequence[MonthChance]) -> dict[str, Any]:
    """In which month to come the threshold is passed first: bars beside each other."""
    days = [f"{month.month}" for month in months]
    bars = (
        ("by the range", [m.first for m in months], "@threshold"),
        ("by the estimate", [m.first_by_estimate for m in months], "@line"),
    )
    data = [
        {
            "type": "bar", "x": days, "y": values, "name": name, "marker": {"color": colour},
            "text": [f"{formats.percent(value)} {name}" for value in values], "textposition": "none",
            "hovertemplate": "%{text}<extra></extra>",
        }
        for name, values, colour in bars
    ]  # fmt: skip
    # Bars of no height at all would need an axis without a top.
    top = max([0.01, *(m.first for m in months), *(m.first_by_estimate for m in months)])
    return {"data": data, "layout": axes.layout(xaxis=_months(months), yaxis=_percent_axis(top), barmode="group")}


def _months(months: Sequence[MonthChance]) -> dict[str, Any]:
    # Without a range: bars of the first and the last month would be cut in half.
    return {**axes.month_axis([month.month for month in months]), "range": None}


def _percent_axis(top: float) -> dict[str, Any]:
    """An axis of chances from 0; to the whole where lines are compared between charts."""
    # Chances of one chart are often small: the axis goes as far as they do, and begins at 0.
    step = 0.25 if top > 0.5 else 0.1 if top > 0.2 else 0.05 if top > 0.1 else 0.02 if top > 0.04 else 0.01
    count = -int(-top // step)
    values = [number * step for number in range(count + 1)]
    return {
        "range": [0, values[-1] * 1.03],
        "tickvals": values,
        "ticktext": [f"{round(100 * value)}{formats.SPACE}%" for value in values],
        "gridcolor": "@grid",
        "zeroline": True,
        "zerolinecolor": "@soft",
        "fixedrange": True,
        "color": "@soft",
    }
