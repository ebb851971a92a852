"""Each input of a scenario that has a range, with its ends in words and its source. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from pipelines.scenarios.answer_parts import RestsOn
from pipelines.scenarios.changes import GROUP, Acquire, AnyChange, Grow, Launch
from pipelines.scenarios.paths import SERIES, ScenarioPaths
from pipelines.scenarios.ranges import PartRange, RateRange
from pipelines.scenarios.wording import people

_ENDS = 0.025, 0.975
"""The places in what has no ends, such as growth by the series: 95 % lie between them."""


@dataclass(frozen=True)
class Doubt:
    """An input with a range."""

    change: str
    key: str
    title: str
    ends: tuple[str, str]
    basis: RestsOn
    source: str | None = None
    as_of: str | None = None
    places: tuple[float, float] = (0.0, 1.0)
    """The places in the range at which the answer is shown: its ends."""


def doubts(paths: ScenarioPaths, offset: int) -> Iterator[Doubt]:
    """Each input with a range that isn't a point, for a month so many months after the base month."""
    if offset and paths.baseline.series is not None:
        growth = np.quantile(paths.baseline.ratios(paths.definition.horizon)[:, offset], _ENDS) - 1
        ends = f"{growth[0] * 100:+.1f} %", f"{growth[1] * 100:+.1f} %"
        yield Doubt(SERIES, "growth", "growth of the group by its series", ends, RestsOn.ASSUMED, places=_ENDS)
    for name, change in zip(paths.names, paths.changes, strict=True):
        yield from _of_change(name, change)


def _of_change(name: str, change: AnyChange) -> Iterator[Doubt]:
    of = partial(_doubt, name, change)
    if change.on is not None and change.on.from_ < change.on.to:
        yield of("on", f"day of {name}", (f"{change.on.from_}", f"{change.on.to}"))
    if isinstance(change, Grow):
        if change.by.low < change.by.high:
            yield of("by", f"rate of {name}", _percents(change.by))
        if change.grow != GROUP and (change.new_people is None or change.new_people.low < change.new_people.high):
            ends = ("what only it has", "all") if change.new_people is None else _percents(change.new_people)
            yield of("new_people", f"new people of {name}", ends)
    if isinstance(change, Acquire | Launch) and change.users is not None:
        yield from _of_stated(name, change)


def _of_stated(name: str, change: Acquire | Launch) -> Iterator[Doubt]:
    of = partial(_doubt, name, change)
    assert change.users is not None
    low, _, high = change.users.span
    if low < high:
        yield of("users", f"users of {change.subject}", (people(low), f"{people(high)} {change.users.unit}"))
    per_unit = change.people_per_unit
    if per_unit is not None and per_unit.low < per_unit.high:
        ends = f"{per_unit.low:g}", f"{per_unit.high:g}"
        as_of = per_unit.as_of or change.as_of
        yield of("people_per_unit", f"people per unit of {change.subject}", ends, per_unit.source or change.source, as_of)
    if change.growth is not None and change.growth.low < change.growth.high:
        yield of("growth", f"growth of {change.subject}", _percents(change.growth))
    if (overlaps := _overlap_ends(change)) is not None:
        yield of("overlap", f"overlap of {change.subject}", overlaps)


def _doubt(
    name: str, change: AnyChange, key: str, title: str, ends: tuple[str, str], source: str | None = None, as_of: object = None
) -> Doubt:
    source = source or change.source
    day = as_of or change.as_of
    return Doubt(name, key, title, ends, RestsOn.STATED if source else RestsOn.ASSUMED, source, str(day) if day else None)


def _overlap_ends(change: Acquire | Launch) -> tuple[str, str] | None:
    """The ends of an overlap's range in words; nothing where the overlap is one number."""
    overlap = change.overlap
    if overlap is None:
        return None
    if overlap.unknown:
        return "nobody", "everybody that can be"
    if overlap.independent_in is not None:
        few, many = people(overlap.independent_in.low), people(overlap.independent_in.high)
        return None if few == many else (f"chance in {few}", f"chance in {many}")
    sides = [(side, _percents(s)) for side, s in (("target", overlap.of_target), ("group", overlap.of_group)) if s is not None]
    low, high = (" and ".join(f"{ends[end]} of the {side}" for side, ends in sides) for end in (0, 1))
    return None if low == high else (low, high)


def _percents(limits: PartRange | RateRange) -> tuple[str, str]:
    return f"{float(limits.low) * 100:g} %", f"{float(limits.high) * 100:g} %"
