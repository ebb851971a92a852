"""A forecast drawn: the fan of what is to be expected with the threshold, and the probabilities beneath.

PNG by matplotlib, which needs no browser; HTML by plotly, with all of its script inside the file.

Over 300 lines: one picture in two formats, side by side so that a change of one is made in the other.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from dashboards.formats import STANDING, chance, number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pipelines.forecasting.forecast import Forecast


_INK = "#1f2933"
_SOFT = "#6b7785"
_LINE = "#1d5fa8"
_OVER = "#c0392b"
_GRID = "#e4e8ec"
_WIDE = "#d3e3f4"
_NARROW = "#9dc3e6"
_CROSSED = "#e07b39"
_BOUNDS = "#ccd3da"


@dataclass(frozen=True)
class Drawing:
    """A forecast as what is drawn of it; periods lie at the day they begin on."""

    title: str
    subtitle: str
    past: list[date]
    figures: list[float]
    bounds: list[tuple[float, float]]
    """Of the past figures, their 95 % bounds; a figure without bounds is its own."""
    ahead: list[date]
    names: list[str]
    """Of the periods ahead, as the series spells them."""
    fan: dict[str, list[float]]
    """Quantiles by the estimate, where only growth is in doubt, each beginning with the newest figure, where the fan does."""
    range_fan: dict[str, list[float]] | None
    """Quantiles by the range of the newest figure as well, each beginning with the figure's; null without bounds."""
    over: list[float]
    """By the estimate, as `crossed`."""
    crossed: list[float]
    range_over: list[float]
    """By the range, as `range_crossed`."""
    range_crossed: list[float]
    threshold: float
    shows_threshold: bool
    """Whether the threshold is near enough to the figures to be drawn with them."""
    breaks: list[date]
    crossing: tuple[date, str] | None


def write(forecast: "Forecast", path: Path) -> None:
    """Draw a forecast to a file that ends in .png or .html."""
    drawn = drawing(forecast)
    if path.suffix == ".png":
        _png(drawn, path)
    else:
        _html(drawn, path)


def drawing(forecast: "Forecast") -> Drawing:
    """What is drawn of a forecast."""
    series = forecast.series
    newest = forecast.series.newest.value or 0
    day = {n: series.begins(n) for n in [p.number for p in series.points] + [a.number for a in forecast.ahead]}
    known = [p for p in series.points if p.value is not None]
    alone = forecast.at_estimate
    fan = {name: [newest, *(a.quantiles[name] for a in alone.ahead)] for name in forecast.now}
    by_range = {name: [now, *(a.quantiles[name] for a in forecast.ahead)] for name, now in forecast.now.items()}
    bounds = [(p.lower or 0 if p.lower is not None else p.value or 0, p.upper or p.value or 0) for p in known]
    # The axis has to hold the widest interval and every known figure.
    top = max(*fan["p97_5"], *by_range["p97_5"], *(upper for _, upper in bounds))
    unit = f"{series.unit}s" if len(forecast.ahead) > 1 else series.unit
    basis = ", by the range" if forecast.has_bounds else ""
    number_of = forecast.crossing(0.5)
    crossing = None if number_of is None else (day[number_of], f"50 % crossed by {series.label(number_of)}{basis}")
    if forecast.has_bounds:
        first, last = forecast.ahead[0], forecast.ahead[-1]
        chances = (
            f"P(over) in {series.label(first.number)}: {chance(first.over)} by the range, {chance(alone.ahead[0].over)} by the "
            f"estimate; not by {series.label(last.number)}: {chance(forecast.not_within)} and {chance(alone.not_within)}"
        )
    else:
        chances = f"not within the horizon: {chance(forecast.not_within)}"
    return Drawing(
        title=f"{series.name}: what is to be expected of the next {len(forecast.ahead)} {unit}",
        subtitle=f"as of {series.label(series.newest.number)}, {number(newest)}; threshold {number(forecast.threshold)}; "
        f"{chances}",
        past=[day[p.number] for p in known],
        figures=[p.value or 0 for p in known],
        bounds=bounds,
        ahead=[day[a.number] for a in forecast.ahead],
        names=[series.label(a.number) for a in forecast.ahead],
        fan=fan,
        range_fan=by_range if forecast.has_bounds else None,
        over=[a.over for a in alone.ahead],
        crossed=[a.crossed for a in alone.ahead],
        range_over=[a.over for a in forecast.ahead],
        range_crossed=[a.crossed for a in forecast.ahead],
        threshold=forecast.threshold,
        # Drawn to scale, a far threshold would press the figures to a flat line at the bottom.
        shows_threshold=forecast.threshold < 2.5 * top,
        breaks=[day[p.number] for p in series.points if p.break_],
        crossing=crossing,
    )


def _scale(top: float) -> tuple[float, str]:
    """Of what an axis is in, and how it says so."""
    for size, name in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if top >= 2 * size:
            return size, name
    return 1, ""


def _png(drawn: Drawing, path: Path) -> None:
    """Write the picture."""
    picture(drawn).savefig(path, format="png")


def picture(drawn: Drawing) -> "Figure":
    """The picture; legends and labels lie beside the axes, where nothing is drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    figure = Figure(figsize=(11, 7.6), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1.25], "hspace": 0.3})
    figure.subplots_adjust(left=0.085, right=0.88, top=0.83, bottom=0.1)
    figure.text(0.03, 0.962, drawn.title, fontsize=14, fontweight="bold", color=_INK)
    figure.text(0.03, 0.928, drawn.subtitle, fontsize=9, color=_SOFT)
    # In the picture itself: a picture is copied into slides without the words around it.
    figure.text(0.03, 0.025, STANDING, fontsize=8.5, color=_SOFT)
    days = date2num([drawn.past[-1], *drawn.ahead])
    past = date2num(drawn.past)
    ahead = days[1:]
    lows, highs = zip(*drawn.bounds, strict=True)
    if any(low < high for low, high in drawn.bounds):
        upper.fill_between(past, lows, highs, color=_BOUNDS, lw=0, label="95 % bounds of the figures")
    if drawn.range_fan is not None:
        upper.fill_between(days, drawn.range_fan["p2_5"], drawn.range_fan["p97_5"], color=_WIDE, lw=0, label="95 % by the range")
        upper.fill_between(days, drawn.fan["p2_5"], drawn.fan["p97_5"], color=_NARROW, lw=0, label="95 % by the estimate")
    else:
        upper.fill_between(days, drawn.fan["p2_5"], drawn.fan["p97_5"], color=_WIDE, lw=0, label="95 % interval")
        upper.fill_between(days, drawn.fan["p10"], drawn.fan["p90"], color=_NARROW, lw=0, label="80 % interval")
    upper.plot(days, drawn.fan["p50"], color=_LINE, lw=1.8, ls=(0, (4, 2)), label="median")
    upper.plot(past, drawn.figures, color=_INK, lw=1.6, marker="o", ms=3.2, label="figures")
    if drawn.shows_threshold:
        upper.axhline(drawn.threshold, color=_OVER, lw=1.5)
        # Beside the axes, at the line's end: nothing that is drawn lies there.
        upper.annotate(
            f"threshold\n{number(drawn.threshold)}",
            (1.0, drawn.threshold),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=_OVER,
            fontsize=9,
            annotation_clip=False,
        )
    for i, day in enumerate(date2num(drawn.breaks)):
        upper.axvline(day, color=_SOFT, lw=0.9, ls=":", label="another definition or level" if i == 0 else None)
    apart = drawn.range_fan is not None
    dot = "o" if len(drawn.ahead) == 1 else None  # A line of one point would not be seen.
    dashed = (0, (4, 2))
    lower.plot(
        ahead,
        drawn.range_crossed,
        color=_CROSSED,
        lw=2,
        marker=dot,
        label=f"has been over so far{', by the range' if apart else ''}",
    )
    lower.plot(
        ahead, drawn.range_over, color=_OVER, lw=2, marker=dot, label=f"is over in this period{', by the range' if apart else ''}"
    )
    if apart:
        lower.plot(
            ahead, drawn.crossed, color=_CROSSED, lw=1.6, ls=dashed, marker=dot, label="has been over so far, by the estimate"
        )
        lower.plot(ahead, drawn.over, color=_OVER, lw=1.6, ls=dashed, marker=dot, label="is over in this period, by the estimate")
    # A probability has the whole scale, so that two charts can be compared; a little above 1 shows the line at 1.
    lower.set_ylim(0, 1.02)
    lower.set_yticks([0, 0.25, 0.5, 0.75, 1])
    lower.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    if drawn.crossing is not None:
        at = date2num([drawn.crossing[0]])[0]
        for axes in (upper, lower):
            axes.axvline(at, color=_CROSSED, lw=1, ls=(0, (1, 2)))
        # Below the upper axes and above the lower one's legend.
        upper.annotate(
            drawn.crossing[1],
            (at, 0.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, -12),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
            color=_CROSSED,
            annotation_clip=False,
        )
    size, name = _scale(max((drawn.range_fan or drawn.fan)["p97_5"]))
    upper.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / size:,.6g}"))
    upper.set_ylabel(f"figure{',' if name else ''}{name}", color=_SOFT)
    lower.set_ylabel("probability", color=_SOFT)
    locator = AutoDateLocator(minticks=5, maxticks=12)
    lower.xaxis.set_major_locator(locator)
    lower.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    for axes in (upper, lower):
        axes.grid(color=_GRID, lw=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=_SOFT, length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(_GRID)
        # Above the axes, where no line, label or figure lies.
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(-0.01, 1.0),
            ncol=3 if axes is upper else 2,
            frameon=False,
            fontsize=8.5,
            labelcolor=_INK,
            borderaxespad=0.1,
            handlelength=1.8,
            columnspacing=1.4,
        )
    return figure


def _html(drawn: Drawing, path: Path) -> None:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.06)
    days = [drawn.past[-1], *drawn.ahead]
    names = ["", *drawn.names]
    if any(low < high for low, high in drawn.bounds):
        for edge, fill in ((0, None), (1, "tonexty")):
            figure.add_trace(
                go.Scatter(
                    x=drawn.past,
                    y=[pair[edge] for pair in drawn.bounds],
                    name="95 % bounds of the figures",
                    mode="lines",
                    line={"width": 0},
                    fill=fill,
                    fillcolor=_BOUNDS,
                    showlegend=fill is not None,
                    hovertemplate=f"%{{x|%Y-%m}} {('at least', 'at most')[edge]} %{{y:,.9~r}}<extra></extra>",
                ),
                row=1,
                col=1,
            )
    bands: list[tuple[dict[str, list[float]], str, str, str, str]]
    if drawn.range_fan is not None:
        bands = [(drawn.range_fan, "p2_5", "p97_5", _WIDE, "95 % by the range")]
        bands.append((drawn.fan, "p2_5", "p97_5", _NARROW, "95 % by the estimate"))
    else:
        bands = [(drawn.fan, "p2_5", "p97_5", _WIDE, "95 % interval"), (drawn.fan, "p10", "p90", _NARROW, "80 % interval")]
    for fan, low, high, colour, name in bands:
        for quantile, fill in ((low, None), (high, "tonexty")):
            text = f"%{{text}} {name}, {quantile[1:].replace('_', '.')} %: %{{y:,.9~r}}<extra></extra>"
            band = {"x": days, "y": fan[quantile], "text": names, "hovertemplate": text, "name": name, "mode": "lines"}
            filled = {"line": {"width": 0}, "fill": fill, "fillcolor": colour, "showlegend": fill is not None}
            figure.add_trace(go.Scatter(**band, **filled), row=1, col=1)
    basis = ", by the range" if drawn.range_fan is not None else ""
    lines: list[tuple[list[date], list[float], str, dict[str, str], str, int]] = [
        (days, drawn.fan["p50"], "median", {"color": _LINE, "dash": "dash"}, "lines", 1),
        (drawn.past, drawn.figures, "figures", {"color": _INK}, "lines+markers", 1),
        (drawn.ahead, drawn.range_crossed, f"P(has been over so far){basis}", {"color": _CROSSED}, "lines+markers", 2),
        (drawn.ahead, drawn.range_over, f"P(is over in this period){basis}", {"color": _OVER}, "lines+markers", 2),
    ]
    if drawn.range_fan is not None:
        by_estimate = (("P(has been over so far)", drawn.crossed, _CROSSED), ("P(is over in this period)", drawn.over, _OVER))
        for name, chances, colour in by_estimate:
            lines.append((drawn.ahead, chances, f"{name}, by the estimate", {"color": colour, "dash": "dash"}, "lines", 2))
    for x, y, name, line, mode, row in lines:
        form = "%{y:,.9~r}" if row == 1 else "%{y:.1%}"
        figure.add_trace(
            go.Scatter(x=x, y=y, name=name, line=line, mode=mode, hovertemplate=f"%{{x|%Y-%m}} {form}<extra>{name}</extra>"),
            row=row,
            col=1,
        )
    if drawn.shows_threshold:
        figure.add_hline(
            drawn.threshold,
            line_color=_OVER,
            row=1,
            col=1,
            annotation_text=f"threshold {number(drawn.threshold)}",
            annotation_position="top right",
            annotation_font_color=_OVER,
        )
    for day in drawn.breaks:
        figure.add_vline(day, line_color=_SOFT, line_dash="dot", line_width=1, row=1, col=1)
    if drawn.crossing is not None:
        figure.add_vline(drawn.crossing[0], line_color=_CROSSED, line_dash="dot", line_width=1)
    figure.update_yaxes(title_text="figure", rangemode="normal", row=1, col=1)
    figure.update_yaxes(title_text="probability", range=[0, 1.02], tickformat=".0%", row=2, col=1)
    figure.update_layout(
        template="plotly_white",
        title={"text": drawn.title, "subtitle": {"text": drawn.subtitle}},
        height=760,
        legend={"orientation": "h", "y": -0.08},
        margin={"t": 100},
    )
    figure.add_annotation(
        text=STANDING, xref="paper", yref="paper", x=0, y=-0.2, showarrow=False, font={"color": _SOFT, "size": 12}
    )
    # plotly's script lies in the page, which opens without a network and years later.
    figure.write_html(path, include_plotlyjs=True, config={"displaylogo": False})
