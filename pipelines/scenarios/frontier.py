"""Where the group stays under: by a target's people and by the overlap, and the overlap that is needed. Pure."""

import numpy as np

from affiliates.periods import month_number
from pipelines.scenarios.additions import Addition
from pipelines.scenarios.answer_parts import BreakEven, Frontier
from pipelines.scenarios.draws import Floats
from pipelines.scenarios.paths import ScenarioPaths
from pipelines.scenarios.sensitivity import Decision

_USERS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
"""Of the target's likeliest number, the numbers that the frontier shows."""
_OVERLAPS = tuple(step / 10 for step in range(11))


def largest_target(paths: ScenarioPaths) -> int | None:
    """The place of the largest target or launch by a stated number; null without one."""
    of_people = {
        place: float(np.median(a.people(month_number(paths.baseline.month)))) for place, a in paths.additions(False).items()
    }
    return max(of_people, key=lambda place: (of_people[place], -place)) if of_people else None


def frontier(paths: ScenarioPaths, decision: Decision) -> tuple[Frontier, tuple[BreakEven, ...]] | None:
    """The group at the decision by the people and the overlap of its largest stated target; null without one.

    The target is taken as joined by then, whenever it joins; all other doubts are drawn as they are.
    """
    place = largest_target(paths)
    if place is None:
        return None
    target: Addition = paths.additions(False)[place]
    rest = paths.without([place], decision.offset, decision.day)
    number = month_number(paths.month(decision.offset))
    likely = float(np.median(target.people(number)))
    users = sorted({_rounded(likely * factor) for factor in _USERS})
    margin = rest.limit - rest.people
    # Everybody's people less the limit: how the rest lies to the threshold decides for every cell at once.
    middle, highest = (float(np.quantile(rest.people, place)) for place in (0.5, 0.975))
    new = np.array([[n * (1 - overlap) for overlap in _OVERLAPS] for n in users])
    ordered = np.sort(margin)
    over = np.searchsorted(ordered, new, side="left") / len(ordered)
    table = Frontier(
        target.change.subject,
        tuple(users),
        _OVERLAPS,
        _whole(middle + new),
        _whole(highest + new),
        tuple(tuple(float(cell) for cell in row) for row in over),
    )
    return table, tuple(_break_even(n, margin) for n in users)


def _break_even(users: int, margin: Floats) -> BreakEven:
    """The overlap from which on the group stays under, for a target of so many people."""
    needed = []
    for place in (0.5, 0.025):
        overlap = 1 - float(np.quantile(margin, place)) / users
        needed.append(None if overlap > 1 else max(overlap, 0.0))
    return BreakEven(users, *(None if share is None else round(share, 4) for share in needed))


def _whole(table: Floats) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(round(float(cell)) for cell in row) for row in table)


def _rounded(number: float) -> int:
    """A number of people to three digits."""
    return max(round(float(f"{number:.3g}")), 1)
