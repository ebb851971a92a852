"""One picture of a scenario for a slide, 16:9: a headline, the months with their interval, the frontier beside. By matplotlib."""

import textwrap
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from dashboards.charts import scenario
from dashboards.charts.scenario import BAND, BAR, GRID, INK, LINE, OVER, SOFT
from dashboards.formats import SCENARIO_STANDING, about, short
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import Frontier

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

_INCHES = 12.8, 7.2
_DPI = 150
"""1,920 x 1,080 pixels; at 1,280 x 720 the smallest letters have 14."""
_LEAST = 10.5
"""The least size of letters, in points."""
_CELLS = 6
"""Rows and columns of the frontier at most: more would be too small to read from the back of a room."""
_BARS = 6
_CUT = " …"
_NAME = 40
"""Letters of a target's name at most."""


def write(answer: ScenarioAnswer, path: Path, suffix: str) -> None:
    """Draw an answer to a file; `suffix` is .png or .svg."""
    from matplotlib import rc_context

    # Texts stay texts in an SVG, and its identifiers are the same each time: the same answer is the same picture.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "mauwatch"}), warnings.catch_warnings():
        # A title in a script that the font lacks: its letters are boxes in the PNG, and text in the SVG.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support .* natively", category=UserWarning)
        figure = picture(answer)
        if suffix == ".png":
            figure.savefig(path, format="png", dpi=_DPI, metadata={"Software": None})
        else:
            figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def picture(answer: ScenarioAnswer) -> "Figure":
    """The picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, facecolor="white")
    FigureCanvasAgg(figure)
    lines, size = _headline(scenario.one_line(answer.headline))
    for number, line in enumerate(lines):
        _text(figure, 0.035, 0.935 - 0.0029 * size * number, line, size, INK, weight="bold")
    months = figure.add_axes((0.075, 0.2, 0.49, 0.54))
    _months(months, answer)
    beside = figure.add_axes((0.665, 0.2, 0.31, 0.54))
    if answer.frontier is not None:
        _frontier(beside, scenario.thinned(answer.frontier, _CELLS), answer)
    elif answer.tornado:
        _tornado(beside, answer)
    else:
        beside.axis("off")
        beside.text(0, 0.5, "No target by a stated number: no frontier.", fontsize=11.5, color=SOFT, parse_math=False)
    for number, line in enumerate(_footer(answer)):
        _text(figure, 0.035, 0.094 - 0.03 * number, line, 10.5, SOFT)
    return figure


def _headline(text: str) -> tuple[list[str], float]:
    """The headline in lines, and its letters' size: a long one is smaller, since one that is cut off can say the opposite."""
    for size, width, most in ((18.0, 74, 2), (15.0, 88, 3)):
        lines = _with_units(text, width, most)
        if not lines or not lines[-1].endswith(_CUT):
            return lines, size
    return _with_units(text, 108, 4), 12.0


def _with_units(text: str, width: int, most: int) -> list[str]:
    """As `_wrapped`, with each number in one line with its unit."""
    unbroken = text.replace(" %", "\u00a0%").replace(" M", "\u00a0M")
    return [line.replace("\u00a0", " ") for line in _wrapped(unbroken, width, most)]


def _footer(answer: ScenarioAnswer) -> list[str]:
    line = f"{scenario.certain(answer)}. {SCENARIO_STANDING}"
    return [*_wrapped(scenario.what_it_rests_on(answer), 148, 2), line]


def _wrapped(text: str, width: int, most: int) -> list[str]:
    """A text in at most so many lines; a longer one ends in an ellipsis."""
    return textwrap.wrap(text, width, max_lines=most, placeholder=_CUT)


def _text(figure: "Figure", x: float, y: float, text: str, size: float, colour: str, weight: str = "normal") -> None:
    # A dollar sign in a title would begin a formula.
    written = figure.text(x, y, text, fontsize=size, color=colour, fontweight=weight, parse_math=False)
    _fit(written, (0.985 - x) * figure.bbox.width, size)


def _fit(written: "Text", room: float, size: float) -> None:
    """Make a text smaller, then shorter, until it has room: wide letters, or another script's, take more than the usual ones."""
    while written.get_window_extent().width > room and size > _LEAST:
        size *= 0.96
        written.set_fontsize(size)
    while written.get_window_extent().width > room:
        written.set_text(f"{written.get_text()[:-2]}…")


def _months(axes: "Axes", answer: ScenarioAnswer) -> None:
    """The months: the middle and the interval after the changes, the middle before, and the threshold."""
    limits = scenario.axis_of(answer)
    unit = limits.unit
    lines = {name: [number / unit for number in numbers] for name, numbers in scenario.month_lines(answer).items()}
    places = list(range(len(answer.months)))
    dot = "o" if len(places) == 1 else None
    axes.fill_between(places, lines["low"], lines["high"], color=BAND, lw=0, label="after, 95 % of the paths")
    axes.plot(places, lines["before"], color=SOFT, lw=2, ls=(0, (4, 2)), marker=dot, label="before, middle")
    axes.plot(places, lines["after"], color=LINE, lw=2.6, marker=dot, label="after, middle")
    axes.set_ylim(limits.low / unit, limits.high / unit)
    axes.set_xlim(-0.3, max(places[-1] + 0.3, 0.7))
    if limits.shows_threshold:
        axes.axhline(answer.threshold_after / unit, color=OVER, lw=2)
        above, left = scenario.quiet_corner(answer)
        axes.annotate(
            scenario.threshold_text(answer), (0.01 if left else 0.99, answer.threshold_after / unit), color=OVER, fontsize=11,
            xycoords=axes.get_yaxis_transform(), xytext=(0, 3 if above else -3), textcoords="offset points",
            ha="left" if left else "right", va="bottom" if above else "top", parse_math=False,
        )  # fmt: skip
    names = [month.month for month in answer.months]
    # A change of what holds is marked: the step is no growth.
    for place in places[1:]:
        if answer.months[place].in_force != answer.months[place - 1].in_force:
            axes.axvline(place - 0.5, color=SOFT, lw=1, ls=":")
    if answer.decision_month in names:
        place = names.index(answer.decision_month)
        side = answer.months[place].after
        axes.plot([place], [side.p50 / unit], marker="o", ms=9, color=LINE)
        axes.text(
            0.0,
            1.13,
            f"{answer.decision_month}: {short(side.p50, answer.threshold_after)} after; P({scenario.over(answer.comparator)}) "
            f"{scenario.percent(side.probability_over)}, by the range {scenario.by_range(side.probability_over_by_range)}",
            fontsize=12.5,
            fontweight="bold",
            color=LINE,
            transform=axes.transAxes,
        )
    every = max(1, -(-len(places) // 7))
    axes.set_xticks(places[::every], names[::every])
    axes.set_ylabel(limits.title, color=SOFT, fontsize=11)
    _plain(axes)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncol=3, frameon=False, fontsize=11, labelcolor=INK, handlelength=1.8
    )


def _frontier(axes: "Axes", frontier: Frontier, answer: ScenarioAnswer) -> None:
    """The chance of being over by the target's people and the overlap, written in each cell."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("over", ["#ffffff", "#f2b8a8", OVER])
    axes.imshow(frontier.p_over, cmap=colours, vmin=0, vmax=1, aspect="auto", origin="lower")
    for row, chances in enumerate(frontier.p_over):
        for column, probability in enumerate(chances):
            colour = "white" if probability > 0.7 else INK
            axes.text(column, row, scenario.percent(probability), ha="center", va="center", fontsize=11, color=colour)
    axes.set_xticks(range(len(frontier.overlap)), [f"{100 * share:.0f} %" for share in frontier.overlap])
    axes.set_yticks(range(len(frontier.users)), [about(users) for users in frontier.users])
    axes.set_xlabel("of its people are the group's already", fontsize=11, color=SOFT)
    over = f"P({scenario.over(answer.comparator)} {scenario.exact(answer.threshold_after)})"
    name = scenario.one_line(frontier.target)
    name = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
    title = axes.set_title(
        f"{over} in {answer.decision_month},\nby the people of {name}", fontsize=11.5, color=INK, loc="left", parse_math=False
    )
    _fit(title, axes.bbox.width, 11.5)
    _plain(axes)


def _tornado(axes: "Axes", answer: ScenarioAnswer) -> None:
    """Where no target has a stated number: which assumption moves the answer most."""
    bars = answer.tornado[:_BARS][::-1]
    limits = scenario.axis_of(answer)
    for place, bar in enumerate(bars):
        low, high = sorted((bar.after_at_low / limits.unit, bar.after_at_high / limits.unit))
        axes.barh(place, high - low, left=low, color=BAR, height=0.5)
        name = scenario.bar_name(bar)
        axes.text(
            0.0, place + 0.3, name if len(name) <= 52 else f"{name[:51]}…", fontsize=10.5, color=INK,
            transform=axes.get_yaxis_transform(), parse_math=False,
        )  # fmt: skip
    axes.set_yticks([])
    axes.margins(x=0.1)
    axes.set_ylim(-0.6, len(bars) - 0.1)
    axes.set_xlabel(limits.title.partition(" (")[0], fontsize=11, color=SOFT)
    axes.set_title(f"What matters most, for {answer.decision_month}", fontsize=11.5, color=INK, loc="left")
    _plain(axes)
    axes.grid(axis="x", color=GRID, lw=0.8)


def _plain(axes: "Axes") -> None:
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, length=0, labelsize=11, pad=7)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
