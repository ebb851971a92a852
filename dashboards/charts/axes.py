"""Axes of people and of months, as all pictures have them: from 0, with ticks whose texts are ours. Pure."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

from dashboards import formats

_STEPS = (1, 2, 2.5, 5, 10)
HEIGHT = 380


def ticks(top: float, most: int = 6) -> list[int]:
    """Round numbers from 0 to at least `top`, at most so many steps apart."""
    # A figure of nobody has an axis, too.
    least = max(top / most, 1)
    size = 10.0 ** math.floor(math.log10(least))
    step = next(size * factor for factor in _STEPS if size * factor >= least and (size * factor).is_integer())
    return [round(number * step) for number in range(math.ceil(max(top, 1) / step) + 1)]


def people_axis(top: float) -> dict[str, Any]:
    """A vertical axis of people from 0. Plotly's own texts would write 999.6 M as 1.00G."""
    values = ticks(top)
    return {
        "range": [0, values[-1]],
        "tickvals": values,
        "ticktext": [formats.exact(value) for value in values],
        "gridcolor": "@grid",
        "zeroline": True,
        "zerolinecolor": "@soft",
        # No zoom: on a phone a drag belongs to the page.
        "fixedrange": True,
        "color": "@soft",
    }


def month_axis(months: Sequence[date]) -> dict[str, Any]:
    """A horizontal axis of months."""
    return {
        "type": "date",
        "tickformat": "%b<br>%Y",
        "nticks": 8,
        "range": [f"{min(months):%Y-%m-%d}", f"{max(months):%Y-%m-%d}"] if months else None,
        "showgrid": False,
        "linecolor": "@soft",
        "fixedrange": True,
        "color": "@soft",
    }


def layout(**parts: Any) -> dict[str, Any]:
    """What all figures have in common: a small template, since Plotly's own is 7 kB in each answer."""
    return {
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "@ink"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 64, "r": 96, "t": 16, "b": 40},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "@paper", "font": {"color": "@ink"}},
        **parts,
    }
