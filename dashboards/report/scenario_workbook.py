"""A scenario's answer as an Excel workbook: numbers as numbers, texts as texts, charts that Excel draws itself.

A text of the scenario's writer is never a formula, a link or a number, whatever it begins with.

Over 300 lines: one function a sheet, read side by side.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dashboards.charts import scenario
from dashboards.formats import SCENARIO_STANDING
from dashboards.report.workbook_sheet import Cell, Sheet
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import Bounds, Frontier, Side

_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
"""In memory: parts of a killed command's workbook would else lie among temporary files, with the deal's name."""
_MADE = datetime(2000, 1, 1)
"""What the file says of when it was made: the same answer is the same file."""
SHEETS = ("answer", "assumptions", "months", "frontier", "tornado", "target", "inputs")
"""The sheets, in their order."""
_MOST_LINES = 8
"""Lines of the frontier's chart."""


def write(answer: ScenarioAnswer, path: Path) -> None:
    """Write the workbook. Raises `OSError`."""
    import xlsxwriter

    with xlsxwriter.Workbook(path, _OPTIONS) as workbook:
        workbook.set_properties({"created": _MADE, "comments": SCENARIO_STANDING})
        sheets = {name: Sheet(workbook, name) for name in SHEETS}
        _answer(sheets["answer"], answer)
        _assumptions(sheets["assumptions"], answer)
        _months(workbook, sheets["months"], answer)
        _frontier(workbook, sheets["frontier"], answer)
        _tornado(workbook, sheets["tornado"], answer)
        _target(sheets["target"], answer)
        _inputs(sheets["inputs"], answer)
        for sheet in sheets.values():
            sheet.finish()


def _most(bounds: Bounds) -> Cell:
    return scenario.NO_BOUND if bounds[1] is None else bounds[1]


def _chance(probability: float | None) -> Cell:
    return scenario.NO_BOUND if probability is None else probability


def _answer(sheet: Sheet, answer: ScenarioAnswer) -> None:
    sheet.line(answer.headline, "title")
    sheet.line(scenario.what_it_rests_on(answer), "soft")
    sheet.line(SCENARIO_STANDING, "soft")
    sizes: list[list[Cell]] = [
        [
            name,
            size.estimate,
            size.lower,
            scenario.NO_BOUND if size.upper is None else size.upper,
            size.basis,
            "; ".join(size.reasons),
        ]
        for name, size in (("before", answer.before), ("after, as if all changes had come", answer.after))
    ]
    sheet.table(f"People in {answer.base_month}", ("", "estimate", "at least", "at most", "rests on", "because"), sizes)
    certain: list[list[Cell]] = [["after", answer.bounds[0], _most(answer.bounds), answer.after.basis]]
    sheet.table(f"For certain in {answer.decision_month}", ("", "at least", "at most", "rests on"), certain)
    tests: list[list[Cell]] = [
        [
            clause.name,
            clause.clause,
            clause.threshold,
            clause.comparator,
            clause.release,
            "assumed" if clause.assumed else "stated",
            clause.month,
            clause.before,
            clause.after,
            _chance(clause.before_by_range),
            _chance(clause.after_by_range),
            "assumed",
        ]
        for clause in answer.licences
    ]
    columns: tuple[str, ...] = (
        "clause",
        "id",
        "threshold",
        "comparator",
        "release",
        "the release's day is",
        "month tested",
        "P(over) before",
        "P(over) after",
        "by the range, before",
        "by the range, after",
        "rests on growth, which is",
    )
    sheet.table("Clauses still to come", columns, tests)
    crossing: list[list[Cell]] = [
        [name, side.p10 or "not within the horizon", side.p50 or "not within the horizon", "assumed"]
        for name, side in (("before", answer.crossing.before), ("after", answer.crossing.after))
    ]
    sheet.table("First month by which the threshold was crossed", ("", "with 10 %", "with 50 %", "rests on"), crossing)
    unique: list[list[Cell]] = [
        [part.name, part.kind, part.estimate, part.lower, part.upper, part.basis, part.why_not or _measurable(part.measurable)]
        for part in answer.unique
    ]
    columns = ("", "kind", "estimate", "at least", "at most", "rests on", "measured?")
    sheet.table(f"Whom only this part brings, in {answer.base_month}", columns, unique)
    overlaps: list[list[Cell]] = [
        [
            pair.first,
            pair.second,
            pair.common,
            pair.lower,
            pair.upper,
            pair.share_of_first,
            pair.share_of_first_lower,
            pair.share_of_first_upper,
            pair.share_of_second,
            pair.share_of_second_lower,
            pair.share_of_second_upper,
            pair.basis,
            pair.why_not or _measurable(pair.measurable),
        ]
        for pair in answer.overlaps
    ]
    columns = (
        "first",
        "second",
        "in common",
        "at least",
        "at most",
        "of the first",
        "at least",
        "at most",
        "of the second",
        "at least",
        "at most",
        "rests on",
        "measured?",
    )
    sheet.table(f"In common, in {answer.base_month}", columns, overlaps)
    sheet.table("Notes", (), [])
    for note in answer.notes:
        sheet.line(note)


def _measurable(is_measurable: bool) -> str:
    return "yes" if is_measurable else "not measurable: within three standard errors of none"


def _assumptions(sheet: Sheet, answer: ScenarioAnswer) -> None:
    rows: list[list[Cell]] = [
        [
            assumption.change,
            assumption.key,
            assumption.value,
            assumption.basis,
            # What the figures themselves give needs nobody's word.
            assumption.source or ("the group's own figures" if assumption.change == "group" else scenario.NO_SOURCE),
            assumption.as_of or "",
        ]
        for assumption in answer.assumptions
    ]
    sheet.table("", ("change", "what", "value", "rests on", "source", "as of"), rows)


def _side(side: Side) -> list[Cell]:
    by_range = _chance(side.probability_over_by_range)
    return [side.p2_5, side.p50, side.p97_5, side.probability_over, by_range, side.crossed]


_SIDE = ("2.5 %", "middle", "97.5 %", "P(over)", "P(over) by the range", "P(over so far)")


def _months(workbook: Any, sheet: Sheet, answer: ScenarioAnswer) -> None:
    columns = ["month", *(f"before, {name}" for name in _SIDE), *(f"after, {name}" for name in _SIDE)]
    columns += ["before, at least", "before, at most", "after, at least", "after, at most"]
    columns += ["before rests on", "after rests on", "threshold", "in force"]
    rows: list[list[Cell]] = []
    for number, month in enumerate(answer.months):
        bounds: list[Cell] = [
            month.bounds.before[0],
            _most(month.bounds.before),
            month.bounds.after[0],
            _most(month.bounds.after),
        ]
        bases = [scenario.rests_on(answer, number, is_after=False), scenario.rests_on(answer, number, is_after=True)]
        end: list[Cell] = [*bases, answer.threshold_after, ", ".join(month.in_force)]
        rows.append([month.month, *_side(month.before), *_side(month.after), *bounds, *end])
    head = sheet.table("", columns, rows)
    sheet.sheet.freeze_panes(head + 1, 1)
    last = head + len(rows)
    chart = workbook.add_chart({"type": "line"})
    for name, column, line in (
        ("after, middle", 8, {"color": scenario.LINE, "width": 2.5}),
        ("after, 2.5 % of the paths", 7, {"color": scenario.LINE, "width": 1, "dash_type": "dash"}),
        ("after, 97.5 % of the paths", 9, {"color": scenario.LINE, "width": 1, "dash_type": "dash"}),
        ("before, middle", 2, {"color": scenario.SOFT, "width": 2}),
        ("threshold", 19, {"color": scenario.OVER, "width": 2}),
    ):
        if name == "threshold" and not scenario.axis_of(answer).shows_threshold:
            continue
        cells = {"categories": sheet.range(0, head + 1, last), "values": sheet.range(column, head + 1, last)}
        chart.add_series({"name": name, "line": line, **cells})
    limits = scenario.axis_of(answer)
    title = "people" if limits.low == 0 else f"people (the axis begins at {limits.low:,})"
    chart.set_y_axis({"name": title, "min": limits.low, "max": limits.high, "num_format": "#,##0", "major_gridlines": _GRID})
    chart.set_title({"name": "Months, with the interval after the changes", "overlay": False})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 900, "height": 420})
    sheet.sheet.insert_chart(last + 2, 0, chart)


_GRID = {"visible": True, "line": {"color": scenario.GRID}}


def _frontier(workbook: Any, sheet: Sheet, answer: ScenarioAnswer) -> None:
    frontier = answer.frontier
    if frontier is None:
        sheet.line("No target by a stated number: no frontier.")
        return
    sheet.line(
        f"The group in {answer.decision_month} by the people of {frontier.target} and by the share who are its own already."
    )
    sheet.line("Rests on the other assumptions, which are drawn as they are: assumed.", "soft")
    heads = [
        sheet.table(title, ["people", *(f"{100 * share:.4g} %" for share in frontier.overlap)], _matrix(frontier, values))
        for title, values in (
            (f"P({scenario.over(answer.comparator)} {answer.threshold_after:,})", frontier.p_over),
            ("The middle of the paths", frontier.p50),
            ("97.5 % of the paths are below", frontier.p97_5),
        )
    ]
    overlaps: list[list[Cell]] = [["overlap", *(float(share) for share in frontier.overlap)]]
    sheet.table("Overlaps as numbers", ["", *(f"{number + 1}" for number in range(len(frontier.overlap)))], overlaps)
    needed: list[list[Cell]] = [
        [
            row.users,
            *("none is enough" if share is None else float(share) for share in (row.overlap_needed_p50, row.overlap_needed_p95)),
        ]
        for row in answer.break_even
    ]
    columns = ("people", "for a chance of 50 %", "for a chance of 97.5 %")
    sheet.table("Overlap from which on the group stays under", columns, needed)
    chart = workbook.add_chart({"type": "line"})
    places = scenario.spread(len(frontier.users), _MOST_LINES)
    for place in places:
        row = heads[0] + 1 + place
        last = len(frontier.overlap)
        cells = {"categories": [sheet.name, heads[0], 1, heads[0], last], "values": [sheet.name, row, 1, row, last]}
        chart.add_series({"name": f"{frontier.users[place]:,} people", "marker": {"type": "circle", "size": 4}, **cells})
    chart.set_y_axis({"name": "P(over)", "min": 0, "max": 1, "num_format": "0%", "major_gridlines": _GRID})
    chart.set_x_axis({"name": "of the target's people are the group's already"})
    chart.set_title({"name": "Frontier: the chance of being over, by the target's people", "overlay": False})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 900, "height": 420})
    sheet.sheet.insert_chart(sheet.row + 1, 0, chart)


def _matrix(frontier: Frontier, values: Sequence[Sequence[int | float]]) -> list[list[Cell]]:
    return [[users, *row] for users, row in zip(frontier.users, values, strict=True)]


def _tornado(workbook: Any, sheet: Sheet, answer: ScenarioAnswer) -> None:
    if not answer.tornado:
        sheet.line("Nothing is assumed that could move the answer.")
        return
    sheet.line(
        f"The middle of the group's people in {answer.decision_month}, one assumption at either end, the others as they are."
    )
    columns = (
        "assumption",
        "at its low end",
        "at its high end",
        "people at the low end",
        "people at the high end",
        "P(over) at the low end",
        "P(over) at the high end",
        "rests on",
        "source",
        "as of",
        "the chart's bars: from",
        "width",
    )
    rows: list[list[Cell]] = [
        [
            bar.assumption,
            bar.low,
            bar.high,
            bar.after_at_low,
            bar.after_at_high,
            float(bar.p_over_at_low),
            float(bar.p_over_at_high),
            bar.basis,
            bar.source or ("" if bar.basis == "assumed" else scenario.NO_SOURCE),
            bar.as_of or "",
            min(bar.after_at_low, bar.after_at_high),
            abs(bar.after_at_high - bar.after_at_low),
        ]
        for bar in answer.tornado
    ]
    head = sheet.table("", columns, rows)
    last = head + len(rows)
    chart = workbook.add_chart({"type": "bar", "subtype": "stacked"})
    names = {"categories": sheet.range(0, head + 1, last)}
    chart.add_series({"name": "from", "values": sheet.range(10, head + 1, last), "fill": {"none": True}, **names})
    chart.add_series({"name": "width", "values": sheet.range(11, head + 1, last), "fill": {"color": scenario.LINE}, **names})
    lows = [min(bar.after_at_low, bar.after_at_high) for bar in answer.tornado]
    highs = [max(bar.after_at_low, bar.after_at_high) for bar in answer.tornado]
    room = max((max(highs) - min(lows)) // 10, 1)
    chart.set_y_axis({"reverse": True})
    begin = max(min(lows) - room, 0)
    title = f"people (the axis begins at {begin:,})"
    chart.set_x_axis({"name": title, "min": begin, "max": max(highs) + room, "num_format": "#,##0", "major_gridlines": _GRID})
    chart.set_title({"name": "What matters most", "overlay": False})
    chart.set_legend({"none": True})
    chart.set_size({"width": 900, "height": 160 + 40 * len(rows)})
    sheet.sheet.insert_chart(last + 2, 0, chart)


def _target(sheet: Sheet, answer: ScenarioAnswer) -> None:
    rows: list[list[Cell]] = [
        [side.name, model.licence, model.own_test.replace("_", " "), model.why, model.after_closing, side.next_version]
        for side in answer.target
        for model in side.models
    ]
    rows += [[side.name, "none stated", "", "", "", side.next_version] for side in answer.target if not side.models]
    sheet.table("", ("target", "licence", "its own test", "why", "after closing", "the next version"), rows)


def _inputs(sheet: Sheet, answer: ScenarioAnswer) -> None:
    inputs = answer.inputs
    rows: list[list[Cell]] = [
        ["scenario", answer.scenario],
        ["title", answer.title or ""],
        ["reading", answer.reading],
        ["reading after", answer.reading_after],
        ["base month", answer.base_month],
        ["horizon, months", answer.horizon],
        ["threshold", answer.threshold],
        ["threshold after", answer.threshold_after],
        ["threshold before, of", answer.threshold_name],
        ["comparator", answer.comparator],
        ["decision month", answer.decision_month],
        ["program", answer.program],
        ["method", inputs.method],
        ["figure, SHA-256", inputs.figure],
        ["manifests, SHA-256", inputs.manifests],
        ["series, SHA-256", inputs.series],
        ["registry, SHA-256", inputs.registry],
        ["definition, SHA-256", inputs.definition],
    ]
    if inputs.joining:
        rows.append(["products that join, SHA-256", inputs.joining])
    rows += [["contribution, SHA-256", digest, name] for name, digest in sorted(inputs.contributions.items())]
    sheet.table("", ("input", "value", "file"), rows)
