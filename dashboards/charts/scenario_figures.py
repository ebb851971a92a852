"""A scenario's charts for the what-if pages: the frontier with the scenario's point, and what matters most. Pure.

Texts of the scenario's writer are escaped: plotly obeys some of HTML's tags in titles and labels.

Over 300 lines: frontier and tornado show the same cells and bars as pictures and as tables, and share how these are cut.
"""

import html
import itertools
import textwrap
from collections.abc import Sequence
from typing import Any

from dashboards import formats
from dashboards.charts import axes, scenario
from dashboards.charts.table import Table, TableColumn
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import Frontier, PairOverlap

_CELLS = 6
"""Rows and columns of the frontier at most: more can't be read on a phone."""
BARS = 6
"""Bars of the tornado at most; the table has all."""
_BAR_HEIGHT = 58
_WRAPPED = 46
"""Characters of a bar's name in one line, so that a phone shows it whole."""


def _text(text: str) -> str:
    """A text of the scenario's writer as plotly shows it unchanged."""
    return html.escape(scenario.one_line(text), quote=False)


def chance_text(probability: float) -> str:
    """A chance by sample paths in whole percent: none or all of them isn't never or always."""
    return scenario.percent(probability).replace(" ", formats.SPACE)


def point_of(answer: ScenarioAnswer) -> tuple[int, PairOverlap] | None:
    """The people of the frontier's target as the scenario states them, and their overlap with the group; null without one."""
    frontier = answer.frontier
    if frontier is None:
        return None
    overlap = next((one for one in answer.overlaps if one.first == frontier.target and one.share_of_first is not None), None)
    people = next((one.estimate for one in answer.unique if one.name == frontier.target and one.kind == "target"), None)
    if overlap is None or people is None:
        return None
    # At the base month, where both are stated; growth carries the target along the frontier's row of its likeliest number.
    at_base = people + (overlap.common or 0)
    grown = frontier.users[3] if len(frontier.users) == 8 else at_base
    return grown, overlap


def frontier(answer: ScenarioAnswer) -> dict[str, Any] | None:
    """The chance of being over by a target's people and overlap, the line of break-even, and the scenario's point.

    Rows and columns are evenly spaced whatever their numbers: each is named.
    """
    if answer.frontier is None:
        return None
    # Every cell of a table of 8 times 11 would be too small to be read.
    shown = scenario.thinned(answer.frontier, _CELLS)
    # By column of the picture: people from left to right, overlap upwards.
    chances = [[row[place] for row in shown.p_over] for place in range(len(shown.overlap))]
    texts = [[chance_text(chance) for chance in row] for row in chances]
    # A clause is over at its threshold, or above it.
    over = scenario.over(answer.comparator)
    hover = [
        [
            f"{formats.people(users)} people, {formats.percent(share)} of them the group's already: "
            f"chance of {over} {chance_text(row[column])}"
            for column, users in enumerate(shown.users)
        ]
        for share, row in zip(shown.overlap, chances, strict=True)
    ]
    data: list[dict[str, Any]] = [
        {
            "type": "heatmap",
            "x": list(range(len(shown.users))),
            "y": [100 * share for share in shown.overlap],
            "z": chances,
            "zmin": 0,
            "zmax": 1,
            "text": texts,
            "texttemplate": "%{text}",
            "customdata": hover,
            "hovertemplate": "%{customdata}<extra></extra>",
            "colorscale": [[0, "@paper"], [1, "@bounds"]],
            "showscale": False,
            "xgap": 1,
            "ygap": 1,
            "textfont": {"color": "@ink", "size": 12},
            "name": "chance of being over",
        }
    ]
    # After the cells, so that lines and point lie above them.
    data += _lines(answer, shown)
    data += _point(answer, shown)
    # Half a cell of room at each edge, so that no cell is cut.
    step = 100 * (shown.overlap[1] - shown.overlap[0]) / 2 if len(shown.overlap) > 1 else 50
    axis = {"fixedrange": True, "color": "@soft", "showgrid": False, "zeroline": False}
    layout = axes.layout(
        xaxis={
            **axis,
            "range": [-0.5, len(shown.users) - 0.5],
            "tickvals": list(range(len(shown.users))),
            "ticktext": [formats.people(users).removesuffix(f"{formats.SPACE}M").removesuffix(".0") for users in shown.users],
            "tickangle": 0,
            "tickfont": {"size": 10},
            "title": {"text": f"people of {_text(textwrap.shorten(shown.target, 40, placeholder='…'))}{_unit(shown)}"},
        },
        yaxis={
            **axis,
            "range": [-step, 100 + step],
            "tickvals": [100 * share for share in shown.overlap],
            "ticktext": [formats.percent(share) for share in shown.overlap],
            "title": {"text": "of them the group's already"},
        },
        margin={"l": 70, "r": 16, "t": 10, "b": 52},
        hovermode="closest",
        meta={"narrow": True},
    )
    return {"data": data, "layout": layout}


def _unit(shown: Frontier) -> str:
    return ", million" if min(shown.users) >= 10_000_000 else ""


def _place(users: Sequence[int], number: float) -> float:
    """Where a number of people lies among columns that are evenly spaced; outside them, at the edge."""
    for place, (low, high) in enumerate(itertools.pairwise(users)):
        # A number below the first column lies left of it, half a column at most.
        if number <= high:
            return max(place + (number - low) / (high - low), -0.5)
    return len(users) - 0.5


def _lines(answer: ScenarioAnswer, shown: Frontier) -> list[dict[str, Any]]:
    """From which overlap on the group stays under: on half of the paths, and on 97.5 % of them."""
    lines = []
    for name, dash, key in (
        ("on half of the paths", "dash", "overlap_needed_p50"),
        ("on 97.5 % of the paths", "solid", "overlap_needed_p95"),
    ):
        places = [
            (_place(shown.users, row.users), 100 * needed, row.users)
            for row in answer.break_even
            if (needed := getattr(row, key)) is not None
        ]
        lines.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"stays under from here up, {name}",
                "x": [x for x, _, _ in places],
                "y": [y for _, y, _ in places],
                "line": {"color": "@line", "dash": dash, "width": 3},
                "marker": {"size": 5},
                "text": [f"{formats.people(users)} people: from {formats.percent(y / 100)} on, {name}" for _, y, users in places],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    return lines


def _point(answer: ScenarioAnswer, shown: Frontier) -> list[dict[str, Any]]:
    point = point_of(answer)
    if point is None:
        return []
    people, overlap = point
    share = 100 * (overlap.share_of_first or 0)
    # An overlap without a range is a point.
    low, high = (share if end is None else 100 * end for end in (overlap.share_of_first_lower, overlap.share_of_first_upper))
    text = f"this scenario: {formats.people(people)} people, {low:.0f} to {high:.0f} % of them the group's already"
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "this scenario",
            "x": [_place(shown.users, people)],
            "y": [share],
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [high - share],
                "arrayminus": [share - low],
                "color": "@threshold",
                "thickness": 3,
                "width": 8,
            },
            "marker": {"size": 15, "symbol": "diamond", "color": "@threshold", "line": {"color": "@paper", "width": 2}},
            "text": [text],
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]


def tornado(answer: ScenarioAnswer) -> dict[str, Any] | None:
    """How far each assumption alone moves the middle of the group's people; null where nothing is assumed.

    The axis doesn't begin at 0, and says so: what differs is the length of the bars, not their ends.
    """
    bars = answer.tornado[:BARS]
    if not bars:
        return None
    line = answer.threshold_after
    names = [
        "<br>".join(html.escape(part, quote=False) for part in textwrap.wrap(scenario.bar_name(bar), _WRAPPED)[:2])
        for bar in bars
    ]
    ends = [(bar.after_at_low, bar.after_at_high) for bar in bars]
    least, most = min(min(pair) for pair in ends), max(max(pair) for pair in ends)
    # A line far away would make dots of the bars.
    shows_line = least - (most - least) / 2 <= line <= most + (most - least) / 2
    if shows_line:
        least, most = min(least, line), max(most, line)
    # So that no bar touches the edge.
    room = max((most - least) / 12, 1)
    hover = [
        f"{formats.people(bar.after_at_low, line)} at {_text(bar.low)}, {formats.people(bar.after_at_high, line)} at "
        f"{_text(bar.high)}; chance of being over {chance_text(bar.p_over_at_low)} and {chance_text(bar.p_over_at_high)}"
        for bar in bars
    ]
    data: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "y": list(range(len(bars))),
            "base": [min(pair) for pair in ends],
            "x": [max(pair) - min(pair) for pair in ends],
            "width": 0.36,
            "marker": {"color": "@narrow"},
            "name": "the middle of the paths, one assumption at a time",
            "customdata": hover,
            "hovertemplate": "%{customdata}<extra></extra>",
        }
    ]
    shapes = []
    if shows_line:
        shapes.append(
            {
                "type": "line",
                "x0": line,
                "x1": line,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": "@threshold", "width": 2},
            }
        )
    annotations = [
        {
            "text": name,
            "x": 0,
            "xref": "paper",
            "y": place - 0.25,
            "yanchor": "bottom",
            "xanchor": "left",
            "align": "left",
            "showarrow": False,
            "font": {"size": 12, "color": "@ink"},
        }
        for place, name in enumerate(names)
    ]
    # Plotly's own texts would write 999.6 M as 1.00G.
    ticks = _between(least, most)
    layout = axes.layout(
        xaxis={
            "range": [least - room, most + room],
            "tickvals": ticks,
            "ticktext": [formats.people(tick) for tick in ticks],
            "fixedrange": True,
            "color": "@soft",
            "gridcolor": "@grid",
            "title": {"text": "people (the axis doesn't begin at 0)"},
        },
        yaxis={"range": [len(bars) - 0.5, -0.95], "visible": False, "fixedrange": True},
        margin={"l": 12, "r": 16, "t": 6, "b": 52},
        hovermode="closest",
        meta={"narrow": True},
        shapes=shapes,
        annotations=annotations,
    )
    return {"data": data, "layout": layout}


def height_of_tornado(answer: ScenarioAnswer) -> int:
    """Pixels that the bars and their names need."""
    return 90 + _BAR_HEIGHT * min(len(answer.tornado), BARS)


def _between(least: int, most: int) -> list[int]:
    """A few round numbers inside a range."""
    steps = axes.ticks(max(most - least, 1), 4)
    step = steps[1] - steps[0]
    # The first multiple of the step inside the range.
    first = -(-least // step) * step
    return list(range(first, most + 1, step))


def frontier_table(answer: ScenarioAnswer) -> Table:
    """The numbers of the frontier: a row for each number of people and overlap."""
    shown = answer.frontier
    columns = [
        TableColumn("people", f"people of the target, in {answer.decision_month}"),
        TableColumn("overlap", "share of them whom the group has already, from 0 to 1"),
        TableColumn("p50", "people of the group, the middle of the paths"),
        TableColumn("p97_5", "people of the group, 97.5 % of the paths have no more"),
        TableColumn("chance_over", "chance of being over the threshold, from 0 to 1, by the estimate"),
    ]
    rows = (
        []
        if shown is None
        else [
            (users, share, shown.p50[row][column], shown.p97_5[row][column], shown.p_over[row][column])
            for row, users in enumerate(shown.users)
            for column, share in enumerate(shown.overlap)
        ]
    )
    return Table("Where the group stays under", columns, rows, _notes(answer))


def tornado_table(answer: ScenarioAnswer) -> Table:
    """The numbers of the tornado: a row for each assumption, the widest first."""
    columns = [
        TableColumn("assumption", "what is moved, all others drawn as they are"),
        TableColumn("low", "its low end"),
        TableColumn("high", "its high end"),
        TableColumn("people_at_low", f"people of the group in {answer.decision_month} at the low end, the middle of the paths"),
        TableColumn("people_at_high", "the same at the high end"),
        TableColumn("chance_over_at_low", "chance of being over the threshold at the low end, from 0 to 1"),
        TableColumn("chance_over_at_high", "the same at the high end"),
        TableColumn("rests_on", "measured, stated or assumed"),
    ]
    rows = [
        (
            bar.assumption,
            bar.low,
            bar.high,
            bar.after_at_low,
            bar.after_at_high,
            bar.p_over_at_low,
            bar.p_over_at_high,
            str(bar.basis),
        )
        for bar in answer.tornado
    ]
    return Table("What matters most, one at a time", columns, rows, _notes(answer))


def _notes(answer: ScenarioAnswer) -> list[str]:
    return [f"{answer.base_month}, reading {answer.reading}. {scenario.threshold_text(answer)}.", formats.SCENARIO_STANDING]
