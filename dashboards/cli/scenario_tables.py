"""What a scenario's answer looks like on a terminal of 80 columns and 24 to 40 lines. Pure: values in, renderables out.

Each part says whether its numbers are measured, stated or assumed. What doesn't fit is counted, and `--json` has all of it.
"""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.text import Text

from affiliates.errors import in_plain_sight
from dashboards.cli import tables
from dashboards.formats import SCENARIO_STANDING, about, chance, short
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import Assumption, Bounds, BreakEven, ClauseChance, MonthAnswer, RestsOn, TornadoBar
from pipelines.scenarios.compare import Comparison, widest

WIDTH = 80
HEIGHT = 40
"""Of a screen, in columns and lines."""
_LEAST_HEIGHT = 24
"""Lines that every terminal has."""
_ROOMY = 34
"""Lines from which on a screen has room for all parts."""
_MONTHS, _FEW_MONTHS = 8, 4
"""Rows of the table at most, on a roomy screen and on another."""
_BARS = 3
_CLAUSES = 2
_LEAST_NOTES, _FEWEST_NOTES = 5, 1
"""Lines that notes get in any case, on a roomy screen and on another."""
STANDING = SCENARIO_STANDING


def answer(shown: ScenarioAnswer, kept: Sequence[str] = (), height: int = HEIGHT) -> RenderableType:
    """An answer for a screen: the headline, the months, what matters most, then notes; `kept` are the last lines.

    `height`: lines of the screen. The answer has at most `HEIGHT`, and on a lower screen fewer months and notes.
    """
    height = min(max(height, _LEAST_HEIGHT), HEIGHT)
    is_roomy = height >= _ROOMY
    table = _table(shown, _MONTHS if is_roomy else _FEW_MONTHS)
    lines = [*_wrapped(shown.headline, style="bold"), Text(), *table, *_wrapped(_rests_on(shown), style="dim")]
    last = [line for sentence in (*kept, STANDING) for line in _wrapped(sentence, style="dim")]
    room = height - len(last) - 1  # The prompt has a line of its own.
    least = min(_LEAST_NOTES if is_roomy else _FEWEST_NOTES, sum(len(_wrapped(f"- {note}", "  ")) for note in shown.notes))
    first, *others = _chances(shown)
    sentences = [*_what_matters(shown), first, *_targets(shown), *others]
    for number, sentence in enumerate(sentences):
        wrapped = _wrapped(sentence, "  ")
        left = len(sentences) - number - 1
        # A sentence is shown whole or not at all.
        if len(lines) + len(wrapped) + (left > 0) + least > room:
            lines.append(Text(f"… and {left + 1} more of this (--json has all)", "dim"))
            break
        lines += wrapped
    return Stack(*lines, *_notes(shown.notes, room - len(lines)), *last)


def _wrapped(text: str, indent: str = "", style: str = "") -> list[Text]:
    """A text of ours or of the scenario's writer in lines of the screen's width."""
    plain = in_plain_sight(" ".join(text.split()))
    return [Text(line, style) for line in textwrap.wrap(plain, WIDTH, subsequent_indent=indent)]


def _notes(notes: Sequence[str], room: int) -> list[Text]:
    """As many notes as there is room for, and how many more there are."""
    lines = list[Text]()
    for number, note in enumerate(notes):
        wrapped = _wrapped(f"- {note}", "  ", "yellow")
        left = len(notes) - number
        if len(lines) + len(wrapped) + (left > 1) > room:
            return [*lines, Text(f"- {left} more note{'s' if left > 1 else ''} (--json has all)", "yellow")][:room]
        lines += wrapped
    return lines


def _key_months(shown: ScenarioAnswer) -> list[MonthAnswer]:
    """The first month, the last, the one decided by, those that releases test, and those in which a change begins to hold."""
    months = shown.months
    begins = [month for before, month in pairwise(months) if month.in_force != before.in_force]
    tested = {shown.decision_month, *(clause.month for clause in shown.licences)}
    decided = [month for month in months if month.month == shown.decision_month]
    return list(dict.fromkeys((months[0], months[-1], *decided, *begins, *(m for m in months if m.month in tested))))


def months_shown(shown: ScenarioAnswer, number: int = _MONTHS) -> list[MonthAnswer]:
    """So many months of the table: the key ones, and others between them."""
    months = shown.months
    spread = [months[len(months) * step // number] for step in range(number)]
    chosen = list(dict.fromkeys((*_key_months(shown), *spread, *months)))[:number]
    return [month for month in months if month in chosen]


def _table(shown: ScenarioAnswer, number: int) -> list[Text]:
    """A row for each month: both middles, the interval after the changes, what holds for certain, and both chances."""
    rows = months_shown(shown, number)
    line = shown.threshold_after
    columns = [
        _column(("", "month"), [row.month for row in rows]),
        _column(("", "before"), [short(row.before.p50, shown.threshold) for row in rows]),
        _column(("", "after"), [short(row.after.p50, line) for row in rows]),
        _column(("after, 95 %", "of the paths"), [span(row.after.p2_5, row.after.p97_5, line) for row in rows]),
        _column(("after,", "for certain"), [certain(row.bounds.after, line) for row in rows]),
        _column(("P(over)", "before"), [chance(row.before.probability_over) for row in rows]),
        _column(("P(over)", "after"), [chance(row.after.probability_over) for row in rows]),
    ]
    while sum(map(len, (column[0] for column in columns))) + len(columns) - 1 > WIDTH:
        columns.pop(4 if len(columns) == 7 else -2)
    gap = "  " if sum(map(len, (column[0] for column in columns))) + 2 * (len(columns) - 1) <= WIDTH else " "
    texts = [gap.join(cells) for cells in zip(*columns, strict=True)]
    left_out = len(shown.months) - len(rows)
    more = [Text(f"  … and {left_out} more months (--json has all)", "dim")] if left_out else []
    return [*(Text(text, "bold") for text in texts[:2]), Text("─" * len(texts[0])), *map(Text, texts[2:]), *more]


def _column(heading: tuple[str, str], cells: Sequence[str]) -> list[str]:
    """A column's two lines of heading and its cells, each as wide as the widest."""
    width = max(map(len, (*heading, *cells)))
    return [text.rjust(width) for text in (*heading, *cells)]


def span(low: int, high: int, line: int | None = None) -> str:
    """From a lower to an upper number of people, with the unit once."""
    return _joined(short(low, line), short(high, line))


def _joined(first: str, second: str) -> str:
    return f"{first.removesuffix(' M')}–{second}" if first.endswith(" M") and second.endswith(" M") else f"{first}–{second}"


def certain(bounds: Bounds, line: int | None = None) -> str:
    """What holds for certain: from the fewest people to the most, which nothing may bound."""
    low, high = bounds
    return f"{short(low, line)} at least" if high is None else span(low, high, line)


def _rests_on(shown: ScenarioAnswer) -> str:
    """The line that P(over) is about, and whether the table's numbers are measured, stated or assumed."""
    before = f"Before: {shown.before.basis} in {shown.base_month}, growth assumed."
    on = [(basis, [a for a in shown.assumptions if a.basis == basis]) for basis in (RestsOn.STATED, RestsOn.ASSUMED)]
    rests = [f"{basis}: {_listed(assumptions)}" for basis, assumptions in on if assumptions]
    return f"P(over): {_line(shown)}. {before} After: {'; '.join((shown.after.basis, *rests))}."


def _line(shown: ScenarioAnswer) -> str:
    """The line that is tested: its name is that of the line before the changes."""
    line = f"{_over(shown.comparator)} {short(shown.threshold)} ({shown.threshold_name})"
    return line if shown.threshold_after == shown.threshold else f"{line} before, {short(shown.threshold_after)} after"


def _over(comparator: str) -> str:
    return "over" if comparator == "gt" else "at or over"


def _listed(assumptions: Sequence[Assumption]) -> str:
    """Whose assumptions there are, and which."""
    keys: dict[str, list[str]] = {}
    for assumption in assumptions:
        name = "the group" if assumption.change == "group" else assumption.change.partition(" ")[2] or assumption.change
        keys.setdefault(name, []).append("day" if assumption.key == "on" else assumption.key.replace("_", " "))
    names = [f"{', '.join(dict.fromkeys(of_one))} of {name}" for name, of_one in keys.items()]
    return "; ".join(names[:2]) + (f"; and of {len(names) - 2} more" if len(names) > 2 else "")


def _chances(shown: ScenarioAnswer) -> Iterator[str]:
    """The chance of being over at each release to come, and when the threshold is crossed."""
    tests: dict[tuple[object, ...], list[ClauseChance]] = {}
    for clause in shown.licences:
        # Many licences have one text: the same line, tested on the same day.
        tests.setdefault((clause.threshold, clause.comparator, clause.release, clause.before, clause.after), []).append(clause)
    for clause, *others in list(tests.values())[:_CLAUSES]:
        name = f"{clause.name} and {len(others)} more of the same line" if others else clause.name
        day = f"a release on {clause.release}{' (assumed)' if clause.assumed else ''} tests {clause.month}"
        yield (
            f"{name}, {day}: P({_over(clause.comparator)} {short(clause.threshold)}) {chance(clause.before)} before, "
            f"{chance(clause.after)} after; by the range {_if_any(clause.before_by_range)} and {_if_any(clause.after_by_range)}."
        )
    if len(tests) > _CLAUSES:
        left = len(tests) - _CLAUSES
        yield f"… and {left} more test{'s' if left > 1 else ''} (--json has all)."
    before, after = shown.crossing.before, shown.crossing.after
    yield (
        f"First month by which the threshold was crossed with 10 %: {before.p10 or 'none'} before, {after.p10 or 'none'} after; "
        f"with 50 %: {before.p50 or 'none'} before, {after.p50 or 'none'} after."
    )


def _if_any(probability: float | None) -> str:
    return "unknown (no upper bound)" if probability is None else chance(probability)


def _what_matters(shown: ScenarioAnswer) -> Iterator[str]:
    """What moves the answer most, and from which overlap on the group stays under."""
    if shown.tornado:
        bars = "; ".join(bar_text(bar, shown.threshold_after) for bar in shown.tornado[:_BARS])
        yield f"What matters most, for {shown.decision_month}: {bars}."
    if shown.frontier and shown.break_even:
        needed = "; ".join(f"{_overlap(row.overlap_needed_p95)} if {about(row.users)} people" for row in _few(shown.break_even))
        yield f"Overlap of {shown.frontier.target} from which on 97.5 % of the paths stay under: {needed}."


def _targets(shown: ScenarioAnswer) -> Iterator[str]:
    """What each target alone brings, and its own side of the deal."""
    for addition in [unique for unique in shown.unique if unique.kind == "target"][:2]:
        if addition.estimate is None:
            yield f"{addition.name}: whom it alone brings isn't measured, since {addition.why_not or 'nobody knows'}."
        else:
            low = about(addition.lower or 0)
            rest = f"{low} at least" if addition.upper is None else _joined(low, about(addition.upper))
            yield f"{addition.name} alone brings {about(addition.estimate)} ({rest}), {addition.basis}."
    for side in shown.target[:2]:
        tests = "; ".join(f"{model.licence}: its own test {model.own_test.replace('_', ' ')}" for model in side.models)
        yield f"{side.name}: {f'{tests}; ' if tests else ''}{side.next_version}."


def _few(rows: Sequence[BreakEven]) -> list[BreakEven]:
    """The first, the middle and the last of many."""
    return list(dict.fromkeys((rows[0], rows[len(rows) // 2], rows[-1])))


def _overlap(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.0f} %"


def bar_text(bar: TornadoBar, line: int) -> str:
    """One assumption's ends, and the middle of the answer at each."""
    low, high = short(bar.after_at_low, line), short(bar.after_at_high, line)
    return f"{bar.assumption} ({bar.basis}): {low} at {bar.low}, {high} at {bar.high}"


def listed(scenarios: Sequence[tuple[str, str, str]]) -> RenderableType:
    """The scenarios that a person may see: what names each, when it was kept, and its headline."""
    if not scenarios:
        return Text("No scenario that you may see.")
    return tables.table("Scenarios that you may see", ("scenario", "kept", "answer"), scenarios, (), (0, 1))


def compared(comparison: Comparison) -> RenderableType:
    """Scenarios side by side: a column each, under what names it."""
    answers = list(comparison.answers.values())
    names = sorted({month.month for one in answers for month in _key_months(one)})
    bars = [widest(one) for one in answers]
    rows: list[tuple[str, ...]] = [
        ("answer", *(one.headline for one in answers)),
        ("from", *(f"{one.base_month}, by {one.reading}" for one in answers)),
        ("before", *(f"{_people(one.before.estimate)} ({one.before.basis})" for one in answers)),
        ("threshold", *map(_line, answers)),
        *((f"after, {name}", *(_after(one, name) for one in answers)) for name in names),
        *((f"P(over), {clause}", *(_clause(one, clause) for one in answers)) for clause in _clauses(answers)),
        ("most matters", *(bar_text(bar, one.threshold_after) if bar else "–" for one, bar in zip(answers, bars, strict=True))),
    ]
    notes = [Text(f"! {note}", "yellow") for note in comparison.notes]
    return Stack(tables.table("", ("", *comparison.answers), rows), *notes)


def _people(number: int | None) -> str:
    return "–" if number is None else short(number)


def _after(shown: ScenarioAnswer, month: str) -> str:
    row = next((row for row in shown.months if row.month == month), None)
    if row is None:
        return "–"
    side = row.after
    line = shown.threshold_after
    return f"{short(side.p50, line)} ({span(side.p2_5, side.p97_5, line)}), {chance(side.probability_over)} over"


def _clauses(answers: Sequence[ScenarioAnswer]) -> list[str]:
    return list(dict.fromkeys(clause.name for one in answers for clause in one.licences))


def _clause(shown: ScenarioAnswer, name: str) -> str:
    tests = [clause for clause in shown.licences if clause.name == name]
    return "; ".join(f"{chance(test.after)} in {test.month} (before {chance(test.before)})" for test in tests) or "–"
