"""A forecast drawn: the fan of what is to be expected with the threshold, and the probabilities beneath.

PNG by matplotlib, which needs no browser; HTML by plotly, with all of its script inside the file.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from dashboards.formats import STANDING, chance, number

if TYPE_CHECKING:
    from pipelines.forecasting.forecast import Forecast


_INK = "#1f2933"
_SOFT = "#6b7785"
_LINE = "#1d5fa8"
_OVER = "#c0392b"
_GRID = "#e4e8ec"
_WIDE = "#d3e3f4"
_NARROW = "#9dc3e6"
_CROSSED = "#e07b39"


@dataclass(frozen=True)
class _Drawn:
    """A forecast as what is drawn of it; periods lie at the day they begin on."""

    title: str
    subtitle: str
    past: list[date]
    figures: list[float]
    ahead: list[date]
    names: list[str]
    """Of the periods ahead, as the series spells them."""
    fan: dict[str, list[float]]
    """Quantiles, each beginning with the newest figure, where the fan does."""
    over: list[float]
    crossed: list[float]
    threshold: float
    shows_threshold: bool
    """Whether the threshold is near enough to the figures to be drawn with them."""
    breaks: list[date]
    crossing: tuple[date, str] | None


def write(forecast: "Forecast", path: Path) -> None:
    """Draw a forecast to a file that ends in .png or .html."""
    drawn = _drawn(forecast)
    if path.suffix == ".png":
        _png(drawn, path)
    else:
        _html(drawn, path)


def _drawn(forecast: "Forecast") -> _Drawn:
    series = forecast.series
    newest = forecast.series.newest.value or 0
    day = {n: series.begins(n) for n in [p.number for p in series.points] + [a.number for a in forecast.ahead]}
    known = [p for p in series.points if p.value is not None]
    fan = {name: [newest, *(a.quantiles[name] for a in forecast.ahead)] for name in forecast.ahead[0].quantiles}
    # The axis has to hold the widest interval and every known figure.
    top = max(*fan["p97_5"], *(p.value or 0 for p in known))
    number_of = forecast.crossing(0.5)
    crossing = None if number_of is None else (day[number_of], f"50 % crossed by {series.label(number_of)}")
    return _Drawn(
        title=f"{series.name}: what is to be expected of the next {len(forecast.ahead)} {series.unit}s",
        subtitle=f"as of {series.label(series.newest.number)}, {number(newest)}; threshold {number(forecast.threshold)}; "
        f"not within the horizon: {chance(forecast.not_within)}",
        past=[day[p.number] for p in known],
        figures=[p.value or 0 for p in known],
        ahead=[day[a.number] for a in forecast.ahead],
        names=[series.label(a.number) for a in forecast.ahead],
        fan=fan,
        over=[a.over for a in forecast.ahead],
        crossed=[a.crossed for a in forecast.ahead],
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


def _png(drawn: _Drawn, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    figure = Figure(figsize=(11, 7.2), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1.25], "hspace": 0.1})
    figure.subplots_adjust(left=0.085, right=0.97, top=0.86, bottom=0.13)
    figure.text(0.03, 0.955, drawn.title, fontsize=14, fontweight="bold", color=_INK)
    figure.text(0.03, 0.92, drawn.subtitle, fontsize=10, color=_SOFT)
    # In the picture itself: a picture is copied into slides without the words around it.
    figure.text(0.03, 0.025, STANDING, fontsize=8.5, color=_SOFT)
    days = date2num([drawn.past[-1], *drawn.ahead])
    past = date2num(drawn.past)
    ahead = days[1:]
    upper.fill_between(days, drawn.fan["p2_5"], drawn.fan["p97_5"], color=_WIDE, lw=0, label="95 % interval")
    upper.fill_between(days, drawn.fan["p10"], drawn.fan["p90"], color=_NARROW, lw=0, label="80 % interval")
    upper.plot(days, drawn.fan["p50"], color=_LINE, lw=1.8, ls=(0, (4, 2)), label="median")
    upper.plot(past, drawn.figures, color=_INK, lw=1.6, marker="o", ms=3.2, label="figures")
    if drawn.shows_threshold:
        upper.axhline(drawn.threshold, color=_OVER, lw=1.5)
        upper.annotate(
            f"threshold {number(drawn.threshold)}",
            (0.008, drawn.threshold),
            xycoords=("axes fraction", "data"),
            xytext=(0, 4),
            textcoords="offset points",
            color=_OVER,
            fontsize=9,
        )
    for i, day in enumerate(date2num(drawn.breaks)):
        upper.axvline(day, color=_SOFT, lw=0.9, ls=":", label="another definition or level" if i == 0 else None)
    lower.plot(ahead, drawn.crossed, color=_CROSSED, lw=2, label="has been over in any period so far")
    lower.plot(ahead, drawn.over, color=_OVER, lw=2, ls=(0, (4, 2)), label="is over in this period")
    # A probability has the whole scale, so that two charts can be compared; a little above 1 shows the line at 1.
    lower.set_ylim(0, 1.02)
    lower.set_yticks([0, 0.25, 0.5, 0.75, 1])
    lower.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    if drawn.crossing is not None:
        at = date2num([drawn.crossing[0]])[0]
        for axes in (upper, lower):
            axes.axvline(at, color=_CROSSED, lw=1, ls=(0, (1, 2)))
        lower.annotate(
            drawn.crossing[1], (at, 0.5), xytext=(-6, 4), textcoords="offset points", ha="right", fontsize=9, color=_CROSSED
        )
    size, name = _scale(max(drawn.fan["p97_5"]))
    upper.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / size:,.6g}"))
    upper.set_ylabel(f"figure{',' if name else ''}{name}", color=_SOFT)
    lower.set_ylabel("probability", color=_SOFT)
    locator = AutoDateLocator(minticks=5, maxticks=12)
    lower.xaxis.set_major_locator(locator)
    lower.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    for axes, place in ((upper, "upper left"), (lower, "upper left")):
        axes.grid(color=_GRID, lw=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(colors=_SOFT, length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color(_GRID)
        axes.legend(loc=place, frameon=False, fontsize=9, labelcolor=_INK)
    figure.savefig(path, format="png")


def _html(drawn: _Drawn, path: Path) -> None:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.06)
    days = [drawn.past[-1], *drawn.ahead]
    names = ["", *drawn.names]
    for low, high, colour, name in (("p2_5", "p97_5", _WIDE, "95 % interval"), ("p10", "p90", _NARROW, "80 % interval")):
        for quantile, fill in ((low, None), (high, "tonexty")):
            bands = f"%{{text}} {quantile[1:].replace('_', '.')} %: %{{y:,.6g}}<extra></extra>"
            band = {"x": days, "y": drawn.fan[quantile], "text": names, "hovertemplate": bands, "name": name, "mode": "lines"}
            filled = {"line": {"width": 0}, "fill": fill, "fillcolor": colour, "showlegend": fill is not None}
            figure.add_trace(go.Scatter(**band, **filled), row=1, col=1)
    for x, y, name, line, mode, row in (
        (days, drawn.fan["p50"], "median", {"color": _LINE, "dash": "dash"}, "lines", 1),
        (drawn.past, drawn.figures, "figures", {"color": _INK}, "lines+markers", 1),
        (drawn.ahead, drawn.crossed, "P(has been over in any period so far)", {"color": _CROSSED}, "lines+markers", 2),
        (drawn.ahead, drawn.over, "P(is over in this period)", {"color": _OVER, "dash": "dash"}, "lines+markers", 2),
    ):
        form = "%{y:,.6g}" if row == 1 else "%{y:.1%}"
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
            annotation_position="top left",
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
