"""Which assumption matters most: the answer at the ends of each one, all others drawn as they are. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from pipelines.scenarios.answer_parts import RestsOn, TornadoBar
from pipelines.scenarios.doubts import Doubt, doubts
from pipelines.scenarios.paths import SERIES, GroupPaths, ScenarioPaths


@dataclass(frozen=True)
class Decision:
    """The month that decides, and the day whose group counts."""

    offset: int
    day: date


def tornado(paths: ScenarioPaths, decision: Decision) -> tuple[TornadoBar, ...]:
    """How far each assumption moves the group at the decision, all others drawn as they are; the widest first."""
    bars = []
    for assumption in doubts(paths, decision.offset):
        ends = [_held(paths, assumption, place, decision) for place in assumption.places]
        middles = [float(np.median(end.people)) for end in ends]
        over = [float((end.people > end.limit).mean()) for end in ends]
        bars.append(_bar(assumption, middles, over))
    bars += _bounds_bar(paths, decision)
    return tuple(sorted(bars, key=lambda bar: (-abs(bar.after_at_high - bar.after_at_low), bar.assumption)))


def _held(paths: ScenarioPaths, assumption: Doubt, place: float, decision: Decision) -> GroupPaths:
    held = ScenarioPaths(paths.baseline, paths.definition, {(assumption.change, assumption.key): place})
    return held.after(decision.offset, decision.day)


def _bounds_bar(paths: ScenarioPaths, decision: Decision) -> Iterator[TornadoBar]:
    """The bar of who is one person: the figure's bounds, which no growth narrows."""
    after = paths.after(decision.offset, decision.day)
    if after.upper is None:
        return
    ends = after.lower, after.upper
    over = [float((bound > after.limit).mean()) for bound in ends]
    bounds = Doubt(
        SERIES, "bounds", "who is one person, and any overlap", ("the lower bound", "the upper bound"), RestsOn.MEASURED
    )
    yield _bar(bounds, [float(np.median(bound)) for bound in ends], over)


def _bar(assumption: Doubt, middles: Sequence[float], over: Sequence[float]) -> TornadoBar:
    return TornadoBar(
        assumption=assumption.title,
        low=assumption.ends[0],
        high=assumption.ends[1],
        after_at_low=round(middles[0]),
        after_at_high=round(middles[1]),
        p_over_at_low=over[0],
        p_over_at_high=over[1],
        basis=assumption.basis,
        source=assumption.source,
        as_of=assumption.as_of,
    )
