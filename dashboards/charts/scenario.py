"""What is drawn of a scenario's answer, in a picture or on a page: the words, and what every number rests on. Pure.

A text of the scenario's writer is never obeyed: signs that nobody sees are shown as escapes, and each drawing takes its texts for
texts. No number is rounded onto a threshold or over it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from affiliates.errors import in_plain_sight
from dashboards.formats import short
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import Assumption, Frontier, RestsOn, TornadoBar

INK = "#1f2933"
SOFT = "#6b7785"
LINE = "#1d5fa8"
OVER = "#c0392b"
GRID = "#e4e8ec"
BAND = "#d3e3f4"
BAR = "#9dc3e6"
_WEAKEST = (RestsOn.ASSUMED, RestsOn.STATED, RestsOn.MEASURED)
NO_SOURCE = "no source stated"


def one_line(text: str) -> str:
    """A text of the scenario's writer on one line, with what isn't shown but obeyed as an escape."""
    return in_plain_sight(" ".join(text.split()))


def rests_on(answer: ScenarioAnswer, number: int, is_after: bool) -> RestsOn:
    """What a month's numbers rest on; `number` counts the months from the base month on.

    Ahead of the base month all rest on growth, which is assumed. At the base month they are as good as the figure; after the
    changes that hold then, as the weakest of both.
    """
    if number:
        return RestsOn.ASSUMED
    bases = {answer.before.basis}
    if is_after and answer.months and answer.months[0].in_force:
        bases.add(answer.after.basis)
    return next(basis for basis in _WEAKEST if basis in bases)


def what_it_rests_on(answer: ScenarioAnswer) -> str:
    """What the months and the chances rest on, in a sentence or two."""
    bases = f"Before: {answer.before.basis} in {answer.base_month}, growth assumed. After: {answer.after.basis}"
    named = [
        f"{basis}: {_listed([assumption for assumption in answer.assumptions if assumption.basis == basis])}"
        for basis in (RestsOn.STATED, RestsOn.ASSUMED)
        if any(assumption.basis == basis for assumption in answer.assumptions)
    ]
    return f"{bases} ({'; '.join(named)})." if named else f"{bases}."


_WORDS = {"on": "day", "by": "rate"}
"""Keys of a scenario's file that mean nothing by themselves."""


def _listed(assumptions: Sequence[Assumption]) -> str:
    names = list(
        dict.fromkeys(
            one_line(f"{_WORDS.get(assumption.key, assumption.key)} of {assumption.change}") for assumption in assumptions
        )
    )
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def threshold_text(answer: ScenarioAnswer) -> str:
    """The threshold after the changes, with what it is of."""
    # The name is of the line before: another line after the changes is no licence's of that name.
    name = answer.threshold_name if answer.threshold_after == answer.threshold else "after the changes"
    return f"{over(answer.comparator)} {exact(answer.threshold_after)} ({one_line(name)})"


def exact(line: int) -> str:
    """A threshold as it is: in millions only where these say all of it."""
    return f"{line:,}" if line % 100_000 else short(line)


def over(comparator: str) -> str:
    """What a comparator means by over."""
    return "over" if comparator == "gt" else "at or over"


def certain(answer: ScenarioAnswer) -> str:
    """What holds for certain at the decision month."""
    low, high = answer.bounds
    line = answer.threshold_after
    most = "no upper bound" if high is None else f"at most {short(high, line)}"
    return f"For certain in {answer.decision_month}: at least {short(low, line)}, {most}"


def month_lines(answer: ScenarioAnswer) -> dict[str, list[int]]:
    """The lines of the months' chart by name, in people."""
    return {
        "low": [month.after.p2_5 for month in answer.months],
        "after": [month.after.p50 for month in answer.months],
        "high": [month.after.p97_5 for month in answer.months],
        "before": [month.before.p50 for month in answer.months],
    }


_NAME_TALL, _NAME_WIDE = 0.06, 50
"""Which part of the axis the threshold's name is high, and which part of the months it is wide (per cent)."""
_UNITS = {1_000_000: ", million", 1_000: ", thousand", 1: ""}


@dataclass(frozen=True)
class Axis:
    """From where to where an axis of people goes."""

    low: int
    high: int
    shows_threshold: bool
    """Whether the threshold is near enough to be drawn with the months."""

    @property
    def unit(self) -> int:
        """How many people one is on the axis."""
        return next(unit for unit in _UNITS if self.high >= 2 * unit or unit == 1)

    @property
    def title(self) -> str:
        """The axis' title; an axis that doesn't begin at 0 says so."""
        people = f"people{_UNITS[self.unit]}"
        return people if self.low == 0 else f"{people} (the axis begins at {self.low / self.unit:,.6g})"


def axis_of(answer: ScenarioAnswer) -> Axis:
    """The axis of the months' chart: near a threshold at the numbers themselves, which from 0 on would be a flat line."""
    lines = month_lines(answer)
    numbers = [number for line in lines.values() for number in line]
    low, high = min(numbers), max(numbers)
    shows = answer.threshold_after < 2.5 * high and answer.threshold_after > low / 2.5
    if shows:
        low, high = min(low, answer.threshold_after), max(high, answer.threshold_after)
    room = max((high - low) // 8, high // 100, 1)
    step = 10 ** max(len(str(room)) - 1, 0)
    begin = max((low - room) // step * step, 0)
    # A group of few people, or one that grows manyfold, is seen from 0 on.
    return Axis(0 if low < high / 3 else begin, high + room, shows)


def quiet_corner(answer: ScenarioAnswer) -> tuple[bool, bool]:
    """Where the threshold's name crosses the middles least: whether above the threshold, and whether at the left end."""
    axis = axis_of(answer)
    line = answer.threshold_after
    tall = (axis.high - axis.low) * _NAME_TALL
    lines = month_lines(answer)
    wide = -(-len(answer.months) * _NAME_WIDE // 100)

    def crossings(corner: tuple[bool, bool]) -> int:
        above, left = corner
        low, high = (line, line + tall) if above else (line - tall, line)
        passed = [pair for name in ("after", "before") for pair in pairwise(lines[name][:wide] if left else lines[name][-wide:])]
        return sum(min(pair) <= high and max(pair) >= low for pair in passed)

    return min([(True, True), (False, True), (True, False), (False, False)], key=crossings)


def bar_name(bar: TornadoBar) -> str:
    """An assumption with both of its ends."""
    return one_line(f"{bar.assumption}: {bar.low} … {bar.high} ({bar.basis})")


def thinned(frontier: Frontier, most: int) -> Frontier:
    """A frontier of `most` rows and columns at the most, the first and the last among them."""
    rows = spread(len(frontier.users), most)
    columns = spread(len(frontier.overlap), most)

    def table(values: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(values[row][column] for column in columns) for row in rows)

    def whole(values: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(values[row][column] for column in columns) for row in rows)

    return Frontier(
        frontier.target,
        tuple(frontier.users[row] for row in rows),
        tuple(frontier.overlap[column] for column in columns),
        whole(frontier.p50),
        whole(frontier.p97_5),
        table(frontier.p_over),
    )


def spread(count: int, most: int) -> list[int]:
    """At most so many places of `count`, evenly spread from the first to the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(step * (count - 1) / (most - 1)) for step in range(most)})


def percent(probability: float) -> str:
    """A probability in whole percent: none or all of ten thousand paths isn't never or always."""
    if probability < 0.005:
        return "< 1 %"
    return "> 99 %" if probability >= 0.995 else f"{100 * probability:.0f} %"


NO_BOUND = "no upper bound"


def by_range(probability: float | None) -> str:
    """The chance of being over with the doubt of the figure's bounds; in words where nothing bounds the group from above."""
    return NO_BOUND if probability is None else percent(probability)
