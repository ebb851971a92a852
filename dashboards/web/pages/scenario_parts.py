"""A scenario's answer as the what-if pages show it: saved ones and drafts alike. Pure."""

from collections.abc import Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from dashboards import formats
from dashboards.charts import scenario, scenario_figures
from dashboards.charts.scenario import one_line
from dashboards.web import components
from dashboards.web.pages import scenario_line
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import BreakEven, RestsOn

WORDS = {"on": "day", "by": "growth a month", "new_people": "new people", "people_per_unit": "people for one unit"}
"""Keys of a scenario's file in words."""
_OWN = "the group's own figures"


def headline(answer: ScenarioAnswer, is_draft: bool) -> Component:
    """The answer in a sentence; a draft says that it is one."""
    mark: list[str | Component] = [html.Span("Draft, not saved", className="draft-mark"), " "] if is_draft else []
    return html.Div([html.P([*mark, one_line(answer.headline)], className="sentence")], className="headline")


def facts(answer: ScenarioAnswer) -> Component:
    """Four facts: the chance of being over, when the line is crossed, what is added, what the next release tests."""
    month = scenario_line.decided(answer)
    over = scenario.over(answer.comparator)
    chance = scenario_line.chances(month)
    by_range = _by_range(month.after.probability_over_by_range)
    before, after = answer.crossing.before, answer.crossing.after
    none = scenario_line.not_by(answer)
    # Of the middles alone: a difference of outer quantiles would be no quantile of the difference.
    added = month.after.p50 - month.before.p50
    sign = "+" if added > 0 else ""
    return html.Dl(
        [
            components.fact(
                f"Chance of being {over}, in {month.month}", chance, f"by the estimate; after, with the range's doubt: {by_range}"
            ),
            components.fact(
                "Crossed, more likely than not, by",
                f"{before.p50 or none} → {after.p50 or none}",
                f"with a chance of 10 %: {before.p10 or none} → {after.p10 or none}",
            ),
            components.fact("The changes bring", f"{sign}{formats.people(added)}", "the difference of the middles of the paths"),
            components.fact(
                "Threshold", formats.exact(answer.threshold_after), f"{over} this is over: {one_line(answer.threshold_name)}"
            ),
        ],
        className="facts",
    )


def _by_range(probability: float | None) -> str:
    return scenario.NO_BOUND if probability is None else scenario_figures.chance_text(probability)


def clauses(answer: ScenarioAnswer) -> Component | None:
    """The chance of being over at each release to come; licences of one text and day in one row."""
    tests: dict[tuple[object, ...], list[str]] = {}
    for clause in answer.licences:
        # Many licences have one text, and then one row.
        key = (clause.threshold, clause.release, clause.assumed, clause.month, clause.before, clause.after, clause.after_by_range)
        tests.setdefault(key, []).append(clause.name)
    if not tests:
        return None
    rows = [
        (
            one_line(names[0]) + (f" and {len(names) - 1} more" if len(names) > 1 else ""),
            formats.exact(int(str(threshold))),
            f"{release}{' (assumed)' if assumed else ''} tests {month}",
            scenario_figures.chance_text(float(str(before))),
            scenario_figures.chance_text(float(str(after))),
            _by_range(None if by_range is None else float(str(by_range))),
        )
        for (threshold, release, assumed, month, before, after, by_range), names in tests.items()
    ]
    head = ("Licence", "Over", "Release", "Chance before", "after", "after, by the range")
    return components.section(
        "Clauses still to come", components.table("Chances by the estimate", head, rows, (2, 5), (1, 3, 4, 5)), "clauses"
    )


def frontier(answer: ScenarioAnswer, chart: Component | None) -> Component:
    """The frontier with the scenario's point, and the break-even in words."""
    if answer.frontier is None:
        return components.section(
            "Where the group stays under", html.P("No change brings people by a stated number: there is no frontier."), "frontier"
        )
    items = [html.Li(_break_even(row, answer)) for row in _few(answer.break_even)]
    return components.section(
        "Where the group stays under",
        [
            html.P(f"The chance of being over in {answer.decision_month}, by the people of {one_line(answer.frontier.target)}."),
            chart,
            html.H3("Break-even"),
            html.Ul(items),
        ],
        "frontier",
    )


def _few(rows: Sequence[BreakEven]) -> list[BreakEven]:
    """The first, the scenario's own and the last of many."""
    return list(dict.fromkeys((rows[0], rows[min(3, len(rows) - 1)], rows[-1])))


def _break_even(row: BreakEven, answer: ScenarioAnswer) -> str:
    people = formats.people(row.users)
    half, nearly = row.overlap_needed_p50, row.overlap_needed_p95
    line = formats.exact(answer.threshold_after)
    # Nobody new at all, and still over: the target isn't the reason.
    if half is None:
        return f"{people} people: no overlap is enough. Without the target, too, the group is over {line} on half of the paths."
    on_half = "whatever the overlap" if half == 0 else f"from an overlap of {formats.percent(half)} on"
    if nearly is None:
        return f"{people} people: under {line} on half of the paths {on_half}; no overlap is enough for 97.5 % of the paths."
    on_nearly = "whatever the overlap" if nearly == 0 else f"from {formats.percent(nearly)} on"
    return f"{people} people: under {line} on half of the paths {on_half}; on 97.5 % of the paths {on_nearly}."


def tornado(answer: ScenarioAnswer, chart: Component | None) -> Component | None:
    """What matters most, and the same as a table."""
    if not answer.tornado:
        return None
    line = answer.threshold_after
    rows = [
        (
            one_line(bar.assumption),
            f"{one_line(bar.low)} → {one_line(bar.high)}",
            f"{formats.people(bar.after_at_low, line)} → {formats.people(bar.after_at_high, line)}",
            f"{scenario_figures.chance_text(bar.p_over_at_low)} → {scenario_figures.chance_text(bar.p_over_at_high)}",
            str(bar.basis),
        )
        for bar in answer.tornado
    ]
    head = ("Assumption", "From → to", "People", "Chance of being over", "Rests on")
    table = components.table(f"One at a time, all others drawn as they are; {answer.decision_month}", head, rows, (4,), (2, 3))
    shown = [
        html.P(
            f"One at a time: each assumption from its low to its high end, all others drawn as they are. {answer.decision_month}."
        ),
        chart,
        html.Details([html.Summary("The same as a table"), table], className="how"),
    ]
    return components.section("What matters most", shown, "tornado")


def months(answer: ScenarioAnswer) -> Component:
    """All months before and after."""
    line = answer.threshold_after
    rows = [
        (
            month.month,
            formats.people(month.before.p50, answer.threshold),
            formats.people(month.after.p50, line),
            f"{formats.people(month.after.p2_5, line)} to {formats.people(month.after.p97_5, line)}",
            formats.between(*month.bounds.after, line),
            scenario_figures.chance_text(month.after.probability_over),
        )
        for month in answer.months
    ]
    head = ("Month", "Before", "After", "95 % of the paths", "For certain", "Chance of being over")
    table = components.table("Middles of the paths", head, rows, (3, 4), (1, 2, 3, 4, 5))
    return html.Details([html.Summary("All months"), table], className="how")


def targets(answer: ScenarioAnswer) -> Component | None:
    """The target's own side."""
    if not answer.target:
        return None
    parts: list[Any] = []
    for side in answer.target:
        tests = [
            html.Li(f"{m.licence}: its own test {m.own_test.replace('_', ' ')}, {one_line(m.why)}; {m.after_closing}")
            for m in side.models
        ]
        parts += [
            html.P([html.Strong(one_line(side.name)), ": ", one_line(side.next_version), "."]),
            html.Ul(tests) if tests else None,
        ]
    return components.section("The target's side", parts, "target")


def notes(answer: ScenarioAnswer) -> Component:
    """What is to be said of the answer, and that it is no evidence."""
    items = [html.Li(one_line(note)) for note in answer.notes]
    return components.section("Notes", [html.Ul(items) if items else None, html.P(formats.SCENARIO_STANDING)], "notes")


def assumptions(answer: ScenarioAnswer) -> Component:
    """Every number that the answer takes for granted, with its source, its day, and what it rests on."""
    rows = []
    for one in answer.assumptions:
        source = one.source or (_OWN if one.change == "group" else scenario.NO_SOURCE)
        # A number on nobody's word stands out.
        gap = "gap" if source == scenario.NO_SOURCE else None
        rows.append(
            html.Li(
                [
                    html.Span(str(one.basis), className=f"basis {one.basis}"),
                    html.Strong(f"{one_line(one.change)}, {WORDS.get(one.key, one.key).replace('_', ' ')}: "),
                    one_line(one.value),
                    html.Span(
                        [" – ", html.Span(one_line(source), className=gap), f", {one.as_of or 'no date'}"], className="soft"
                    ),
                ]
            )
        )
    counted = {basis: sum(one.basis == basis for one in answer.assumptions) for basis in RestsOn}
    summary = ", ".join(f"{count} {basis}" for basis, count in counted.items() if count)
    return components.section(
        "Assumptions", [html.P(summary, className="soft"), html.Ul(rows, className="assumptions")], "assumptions"
    )


def whole_answer(answer: ScenarioAnswer, is_draft: bool, frontier_chart: Component | None, bars: Component | None) -> list[Any]:
    """An answer from its headline to its notes."""
    return [
        headline(answer, is_draft),
        scenario_line.before_and_after(answer),
        facts(answer),
        clauses(answer),
        frontier(answer, frontier_chart),
        tornado(answer, bars),
        targets(answer),
        months(answer),
        notes(answer),
    ]
