"""Before and after, or several scenarios, on one number line from 0; each row says its numbers in words. Pure."""

from collections.abc import Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.charts import scenario_figures
from dashboards.charts.scenario import one_line
from dashboards.web import components
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import MonthAnswer


def decided(answer: ScenarioAnswer) -> MonthAnswer:
    """The month that decides."""
    return next(month for month in answer.months if month.month == answer.decision_month)


def not_by(answer: ScenarioAnswer) -> str:
    """What stands where a line isn't crossed in the scenario's months."""
    return f"not by {answer.months[-1].month}"


def chances(month: MonthAnswer) -> str:
    """The chance of being over, before and after."""
    both = (month.before.probability_over, month.after.probability_over)
    return " → ".join(map(scenario_figures.chance_text, both))


def before_and_after(answer: ScenarioAnswer) -> Component:
    """Before and after on one number line, in the month that decides."""
    month = decided(answer)
    rows = [
        _Bar("before", (month.before.p2_5, month.before.p50, month.before.p97_5), month.bounds.before, answer.threshold),
        _Bar("after", (month.after.p2_5, month.after.p50, month.after.p97_5), month.bounds.after, answer.threshold_after),
    ]
    return components.section(f"Before and after, in {answer.decision_month}", _lines(rows), "before-after")


def side_by_side(answers: Sequence[tuple[str, ScenarioAnswer]]) -> Component:
    """Several scenarios on one number line, each in the month that decides it, after the first one's state before."""
    _, first = answers[0]
    month = decided(first)
    # The first one's: where others start elsewhere, a note says so.
    rows = [_Bar("before", (month.before.p2_5, month.before.p50, month.before.p97_5), month.bounds.before, first.threshold)]
    for name, answer in answers:
        month = decided(answer)
        side = month.after
        rows.append(_Bar(f"{name}, {month.month}", (side.p2_5, side.p50, side.p97_5), month.bounds.after, answer.threshold_after))
    return html.Div(_lines(rows))


class _Bar:
    """One row of the number line."""

    def __init__(self, name: str, middle: tuple[int, int, int], bounds: tuple[int, int | None], threshold: int) -> None:
        self.name = name
        self.low, self.middle, self.high = middle
        self.bounds = bounds
        self.threshold = threshold

    @property
    def words(self) -> str:
        """The row in a sentence."""
        line = self.threshold
        span = f"{formats.people(self.low, line)} to {formats.people(self.high, line)}"
        certain = formats.between(*self.bounds, line)
        return f"{formats.people(self.middle, line)}, on 95 % of the paths {span}; for certain {certain}"


def _lines(rows: Sequence[_Bar]) -> list[Component]:
    thresholds = sorted({row.threshold for row in rows})
    # From 0, so that lengths can be compared; a line far beyond all people would make dots of them.
    most = max(max(row.high, row.bounds[1] or 0, row.bounds[0]) for row in rows)
    # Beyond it the threshold is named in the legend, and not drawn.
    near = [line for line in thresholds if line < 2.5 * most]
    end = max([most, *near]) * 1.06 or 1

    def at(value: float) -> str:
        return f"{100 * value / end:.3f}%"

    drawn = []
    for row in rows:
        least, upper = row.bounds
        # Without an upper bound the bar fades at the end of the line.
        open_end = " open" if upper is None else ""
        marks: list[Any] = [
            html.Span(className=f"certain{open_end}", style={"left": at(least), "width": at((upper or end) - least)}),
            html.Span(className="range", style={"left": at(row.low), "width": at(row.high - row.low)}),
            *(html.Span(className="mark threshold", style={"left": at(row.threshold)}) for _ in near if row.threshold in near),
            html.Span(className="mark estimate", style={"left": at(row.middle)}),
        ]
        drawn += [
            html.P([html.Strong(one_line(row.name)), ": ", row.words], className="row-words"),
            html.Div(html.Div(marks, className="axis"), className="number-line lean", **components.HIDDEN),
        ]
    ends = html.Div([html.Span("0"), html.Span(formats.people(round(end)))], className="ends", **components.HIDDEN)
    lines = ", ".join(formats.exact(line) for line in thresholds)
    far = "" if near else " (further to the right than this line goes)"
    legend = [
        ("estimate", "middle of the paths"),
        ("range", "95 % of the paths"),
        ("certain", "for certain"),
        ("threshold", f"threshold: {lines}{far}"),
    ]
    keys = html.Ul([html.Li([html.Span(className=f"key {name}"), text]) for name, text in legend], className="line-legend")
    return [html.Div([*drawn, ends, keys])]


def _middle(answer: ScenarioAnswer, month: MonthAnswer) -> str:
    return f"{formats.people(month.after.p50, answer.threshold_after)} in {month.month}"


def _span(answer: ScenarioAnswer, month: MonthAnswer) -> str:
    line = answer.threshold_after
    return f"{formats.people(month.after.p2_5, line)} to {formats.people(month.after.p97_5, line)}"


def _certain(answer: ScenarioAnswer, month: MonthAnswer) -> str:
    return formats.between(*month.bounds.after, answer.threshold_after)


def _chance(_: ScenarioAnswer, month: MonthAnswer) -> str:
    return chances(month)


def _crossed(answer: ScenarioAnswer, _: MonthAnswer) -> str:
    none = not_by(answer)
    return f"{answer.crossing.before.p50 or none} → {answer.crossing.after.p50 or none}"


def _widest(answer: ScenarioAnswer, _: MonthAnswer) -> str:
    return one_line(answer.tornado[0].assumption) if answer.tornado else "–"


COMPARED = (
    ("After, middle of the paths", _middle),
    ("After, 95 % of the paths", _span),
    ("After, for certain", _certain),
    ("Chance of being over, before → after", _chance),
    ("Crossed, more likely than not, by", _crossed),
    ("What matters most", _widest),
)
"""What stands side by side of several scenarios."""
