"""Pictures for paper, by matplotlib: the number line, and the chances by month. The same numbers are the same bytes."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dashboards import formats
from dashboards.charts import axes
from dashboards.charts.chances import MonthChance
from dashboards.charts.scenario import GRID, INK, LINE, OVER, SOFT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RANGE = "#9dc3e6"
"""The range on the number line."""
_SALT = "mauwatch"
"""Names inside a drawing are made by it: else each drawing would have other ones."""


def svg(drawing: "Figure") -> str:
    """A drawing as SVG on no background."""
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.hashsalt": _SALT}):
        drawing.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


def number_line(lower: int, upper: int | None, estimate: int | None, threshold: int, summed: int | None) -> str:
    """People from 0 on: the range as a bar, the estimate as a diamond, the sum of products as a circle, the threshold as a line.

    Without an upper bound the bar runs to the end of the axis, and has an arrow there.
    """
    values = [value for value in (upper, estimate, threshold, summed, lower) if value is not None]
    ticks = axes.ticks(max(values) * 1.04)
    drawing, plot = _drawing(1.05, left=0.02, right=0.98, top=0.95, bottom=0.3)
    high = ticks[-1] if upper is None else upper
    plot.barh(0, high - lower, left=lower, height=0.5, color=RANGE, lw=0)
    if upper is None:
        plot.annotate("→", (ticks[-1], 0), ha="right", va="center", fontsize=13, color=INK)
    plot.axvline(threshold, color=OVER, lw=2)
    if summed is not None:
        plot.plot([summed], [0], marker="o", ms=8, mfc="white", mec=INK, mew=1.6, ls="none")
    if estimate is not None:
        plot.plot([estimate], [0], marker="D", ms=8, color=INK, ls="none")
    plot.set_xlim(0, ticks[-1])
    plot.set_ylim(-0.6, 0.6)
    plot.set_xticks(ticks, [formats.exact(value) for value in ticks])
    # The ends' texts stay inside the picture.
    for label, side in ((plot.get_xticklabels()[0], "left"), (plot.get_xticklabels()[-1], "right")):
        label.set_ha(side)
    plot.set_yticks([])
    plot.tick_params(colors=SOFT, length=3, labelsize=9)
    plot.spines[["top", "right", "left"]].set_visible(False)
    return svg(drawing)


def chances(months: Sequence[MonthChance]) -> str:
    """The chance of being over by month, by the range and by the estimate; the axis goes from none to certain."""
    drawing, plot = _drawing(2.6, left=0.07, right=0.98, top=0.96, bottom=0.13)
    places = range(len(months))
    plot.plot(places, [month.over for month in months], color=OVER, lw=1.8, marker="o", ms=3.5)
    plot.plot(places, [month.over_by_estimate for month in months], color=LINE, lw=1.8, ls=(0, (4, 2)), marker="o", ms=3.5)
    plot.set_ylim(0, 1.03)
    plot.set_yticks([0, 0.25, 0.5, 0.75, 1], [f"{percent}{formats.SPACE}%" for percent in (0, 25, 50, 75, 100)])
    # Every second or third month's name, since more would run into each other.
    step = max(1, -(-len(months) // 8))
    shown = list(places)[::step]
    plot.set_xticks(shown, [f"{months[place].month:%b %Y}" for place in shown])
    plot.grid(axis="y", color=GRID, lw=0.8)
    plot.set_axisbelow(True)
    plot.tick_params(colors=SOFT, length=0, labelsize=9)
    plot.spines[["top", "right", "left"]].set_visible(False)
    return svg(drawing)


def _drawing(height: float, **margins: float) -> tuple["Figure", Any]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(9.6, height))
    FigureCanvasSVG(drawing)
    plot = drawing.subplots()
    drawing.subplots_adjust(**margins)
    return drawing, plot
