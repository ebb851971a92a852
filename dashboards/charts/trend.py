"""The figure month by month with its range, the threshold, and what is expected: for pages by plotly, before them by matplotlib.

Two fans: without the measuring error the fan says where the estimate goes, with it the fan goes on as the past's range.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from dashboards import formats
from dashboards.charts import axes, paper
from dashboards.charts.scenario import GRID, INK, LINE, OVER, SOFT

BOUNDS = "#d2d8de"
RANGE_FAN = "#d3e3f4"
FAN = "#9dc3e6"


@dataclass(frozen=True)
class PastMonth:
    """A published month; numbers are people."""

    month: date
    estimate: int | None
    lower: int
    upper: int | None
    """Null where there is no upper bound: the range is then open."""


@dataclass(frozen=True)
class ExpectedMonth:
    """A month to come, or the newest one, from where the fans begin."""

    month: date
    low: float
    """2.5 % of the paths lie below, by the range."""
    high: float
    """2.5 % of the paths lie above, by the range."""
    median: float
    """By the estimate, as the two following."""
    low_by_estimate: float
    high_by_estimate: float


@dataclass(frozen=True)
class Mark:
    """A month in which something other than growth has moved the figure."""

    month: date
    words: str


@dataclass(frozen=True)
class MonthTrend:
    """What is drawn."""

    past: Sequence[PastMonth]
    ahead: Sequence[ExpectedMonth]
    """Empty where no outlook is published."""
    marks: Sequence[Mark]
    threshold: int | None

    @property
    def top(self) -> float:
        """The largest number that is drawn; a threshold that is far away isn't drawn to scale."""
        highest = max(
            [0, *(month.upper or month.estimate or 0 for month in self.past), *(month.high for month in self.ahead)], default=0
        )
        # Drawn to scale, a far threshold would press the figures to a flat line at the bottom.
        near = self.threshold is not None and self.threshold < 2.5 * highest
        return max(highest, (self.threshold or 0) * 1.05 if near else 0)

    @property
    def shows_threshold(self) -> bool:
        """Whether the threshold is near enough to be drawn."""
        return self.threshold is not None and self.threshold <= self.top


def figure(trend: MonthTrend) -> dict[str, Any]:
    """Plotly's figure as JSON; colours are names of the page's palette."""
    # Days as texts: JSON has no dates.
    days = [f"{month.month}" for month in trend.past]
    # Of a month without an upper bound only the line is drawn: its range has no upper edge.
    known = [month for month in trend.past if month.upper is not None]
    data: list[dict[str, Any]] = []
    data += _band([f"{m.month}" for m in known], [m.lower for m in known], [m.upper or 0 for m in known], "range", "@bounds")
    ahead = [f"{month.month}" for month in trend.ahead]
    if ahead:
        name = "expected, with the measuring error"
        data += _band(ahead, [m.low for m in trend.ahead], [m.high for m in trend.ahead], name, "@wide")
        name = "expected of the estimate"
        data += _band(ahead, [m.low_by_estimate for m in trend.ahead], [m.high_by_estimate for m in trend.ahead], name, "@narrow")
        data.append(
            {
                "type": "scatter", "mode": "lines", "x": ahead, "y": [m.median for m in trend.ahead], "name": "middle path",
                "line": {"color": "@line", "dash": "dash", "width": 2},
                "text": [_expected(m, trend.threshold) for m in trend.ahead], "hovertemplate": "%{text}<extra></extra>",
            }
        )  # fmt: skip
    data.append(
        {
            "type": "scatter", "mode": "lines+markers", "x": days, "y": [month.estimate for month in trend.past],
            "name": "best estimate", "line": {"color": "@ink", "width": 2}, "marker": {"size": 5, "color": "@ink"},
            "text": [_measured(month, trend.threshold) for month in trend.past], "hovertemplate": "%{text}<extra></extra>",
        }
    )  # fmt: skip
    shapes = [_mark(mark) for mark in trend.marks]
    annotations: list[dict[str, Any]] = []
    if trend.shows_threshold and trend.threshold is not None:
        shapes.append(_line(trend.threshold))
        annotations.append(_line_end(trend.threshold))
    months = [*(month.month for month in trend.past), *(month.month for month in trend.ahead)]
    layout = axes.layout(xaxis=axes.month_axis(months), yaxis=axes.people_axis(trend.top), shapes=shapes, annotations=annotations)
    return {"data": data, "layout": layout}


def _band(days: list[str], lower: Sequence[float], upper: Sequence[float], name: str, colour: str) -> list[dict[str, Any]]:
    """The area between two edges, which have no line of their own."""
    edge = {"type": "scatter", "mode": "lines", "x": days, "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": name}
    return [
        {**edge, "y": list(lower), "showlegend": False},
        {**edge, "y": list(upper), "fill": "tonexty", "fillcolor": colour, "name": name},
    ]


def _measured(month: PastMonth, threshold: int | None) -> str:
    span = formats.between(month.lower, month.upper, threshold)
    return f"best estimate {formats.people(month.estimate, threshold)}, range {span}"


def _expected(month: ExpectedMonth, threshold: int | None) -> str:
    span = formats.between(round(month.low), round(month.high), threshold)
    return f"expected {formats.people(month.median, threshold)}, {span} with the measuring error"


def _mark(mark: Mark) -> dict[str, Any]:
    return {
        "type": "line", "x0": f"{mark.month}", "x1": f"{mark.month}", "yref": "paper", "y0": 0, "y1": 1,
        "line": {"color": "@soft", "width": 1, "dash": "dot"},
    }  # fmt: skip


def _line(threshold: int) -> dict[str, Any]:
    return {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": threshold, "y1": threshold,
        "line": {"color": "@threshold", "width": 2},
    }  # fmt: skip


def _line_end(threshold: int) -> dict[str, Any]:
    """The threshold's name at the line's end, where nothing else is drawn."""
    return {
        "text": f"threshold<br>{formats.exact(threshold)}", "xref": "paper", "x": 1.01, "xanchor": "left", "y": threshold,
        "yanchor": "middle", "showarrow": False, "align": "left", "font": {"color": "@threshold", "size": 12},
    }  # fmt: skip


def svg(trend: MonthTrend, is_labelled: bool = False) -> str:
    """The same picture without scripts, on no background.

    `is_labelled`: the newest estimate stands beside its point, for paper, where no pointer shows the value.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(9.6, 3.8))
    FigureCanvasSVG(drawing)
    plot = drawing.subplots()
    drawing.subplots_adjust(left=0.07, right=0.9, top=0.97, bottom=0.11)
    known = [month for month in trend.past if month.upper is not None]
    # The widest first, so that each lies on the ones that hold it.
    plot.fill_between(_days(known), [m.lower for m in known], [m.upper or 0 for m in known], color=BOUNDS, lw=0)
    if trend.ahead:
        days = _days(trend.ahead)
        plot.fill_between(days, [m.low for m in trend.ahead], [m.high for m in trend.ahead], color=RANGE_FAN, lw=0)
        low = [m.low_by_estimate for m in trend.ahead]
        plot.fill_between(days, low, [m.high_by_estimate for m in trend.ahead], color=FAN, lw=0)
        plot.plot(days, [m.median for m in trend.ahead], color=LINE, lw=1.6, ls=(0, (4, 2)))
    counted = [month for month in trend.past if month.estimate is not None]
    plot.plot(_days(counted), [month.estimate or 0 for month in counted], color=INK, lw=1.6, marker="o", ms=3)
    for mark in trend.marks:
        plot.axvline(float(date2num(mark.month)), color=SOFT, lw=0.8, ls=":")
    if trend.shows_threshold and trend.threshold is not None:
        plot.axhline(trend.threshold, color=OVER, lw=1.6)
        plot.annotate(
            f"threshold\n{formats.exact(trend.threshold)}", (1.005, trend.threshold), xycoords=("axes fraction", "data"),
            va="center", color=OVER, fontsize=9, annotation_clip=False,
        )  # fmt: skip
    if is_labelled and counted:
        _label_newest(plot, counted[-1], trend)
    values = axes.ticks(trend.top)
    plot.set_ylim(0, values[-1])
    plot.set_yticks(values, [formats.exact(value) for value in values])
    locator = AutoDateLocator(minticks=4, maxticks=8)
    plot.xaxis.set_major_locator(locator)
    plot.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    plot.grid(axis="y", color=GRID, lw=0.8)
    plot.set_axisbelow(True)
    plot.tick_params(colors=SOFT, length=0, labelsize=9)
    plot.spines[["top", "right", "left"]].set_visible(False)
    return paper.svg(drawing)


def _label_newest(plot: Any, newest: PastMonth, trend: MonthTrend) -> None:
    """The newest estimate in words, on the side of its point that the threshold isn't on."""
    is_above = trend.threshold is not None and (newest.estimate or 0) > trend.threshold
    plot.annotate(
        formats.people(newest.estimate, trend.threshold), (_days([newest])[0], newest.estimate),
        xytext=(0, 9 if is_above else -9), textcoords="offset points", ha="center", va="bottom" if is_above else "top",
        color=INK, fontsize=9, weight="bold", bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0},
    )  # fmt: skip


def _days(months: Sequence[PastMonth] | Sequence[ExpectedMonth]) -> Any:
    from matplotlib.dates import date2num

    return date2num([month.month for month in months])
