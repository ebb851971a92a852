"""The months of a scenario, from its paths: quantiles, probabilities, crossings, clauses; what a slider asks for. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affiliates.periods import month_end, months_apart
from pipelines.scenarios.answer_parts import BothBounds, Bounds, ClauseChance, Crossing, CrossingMonths, MonthAnswer, Side
from pipelines.scenarios.baseline import Baseline
from pipelines.scenarios.clauses import Release, month_of_horizon, releases_to_come
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.draws import Flags
from pipelines.scenarios.paths import GroupPaths, ScenarioPaths
from pipelines.scenarios.sensitivity import Decision

_QUANTILES = 0.025, 0.5, 0.975
STATED = 0.1, 0.5
"""The probabilities of having crossed for which a month is named."""


@dataclass(frozen=True)
class ScenarioMonths:
    """What becomes of the group by month, and what of the clauses."""

    months: tuple[MonthAnswer, ...]
    licences: tuple[ClauseChance, ...]
    crossing: Crossing
    decision: Decision
    decided: GroupPaths
    """The group after the changes, at the decision."""
    impossible: float
    """The largest share of paths that were drawn again, since what is said of an overlap couldn't hold on them."""
    reasons: tuple[str, ...]
    """Why there is no upper bound after the changes, or before them."""


def evaluate(baseline: Baseline, definition: Definition) -> ScenarioMonths:
    """A scenario's months on a baseline, which may have been read for another scenario: what a page's slider asks for.

    Nothing but what the months need is computed. Raises `RefusedError` for a scenario that doesn't fit the group or needs what
    wasn't read, and where statements contradict each other; the arithmetic is shown.
    """
    baseline.check(definition)
    return months_of(ScenarioPaths(baseline, definition))


def months_of(paths: ScenarioPaths) -> ScenarioMonths:
    """The months of a scenario's paths."""
    check_overlaps(paths)
    baseline, definition = paths.baseline, paths.definition
    crossed = [np.zeros(paths.draws.paths, bool) for _ in range(2)]
    months: list[MonthAnswer] = []
    reasons: dict[str, None] = {}
    for offset in range(definition.horizon + 1):
        before, after = paths.before(offset), paths.after(offset)
        crossed = [so_far | (side.people > side.limit) for so_far, side in zip(crossed, (before, after), strict=True)]
        bounds = BothBounds(bounds_of(before), bounds_of(after))
        month = f"{paths.month(offset):%Y-%m}"
        sides = _side(before, crossed[0]), _side(after, crossed[1])
        months.append(MonthAnswer(month, sides[0], sides[1], bounds, _in_force(paths, offset)))
        reasons |= dict.fromkeys((*before.reasons, *after.reasons))
    releases = releases_to_come(baseline.registry, definition, baseline.month, (paths.threshold, paths.threshold_after))
    decision = _decision(paths, releases)
    return ScenarioMonths(
        months=tuple(months),
        licences=tuple(_chances(paths, releases)),
        crossing=Crossing(*(CrossingMonths(*(_crossing(months, side, p) for p in STATED)) for side in ("before", "after"))),
        decision=decision,
        decided=paths.after(decision.offset, decision.day),
        impossible=max((addition.impossible for addition in paths.additions(False).values()), default=0.0),
        reasons=tuple(reasons),
    )


def check_overlaps(paths: ScenarioPaths) -> None:
    """Raises `RefusedError` for a target of which no path allows what is said; at the month in which the target joins."""
    for place, addition in paths.additions(False).items():
        change = addition.change
        offset = paths.offset_of(change.on.from_)
        group = paths.without([place], offset, change.on.to)
        addition.check(group_month(paths, offset), group.people)


def group_month(paths: ScenarioPaths, offset: int) -> int:
    """The number of a month, as `month_number` counts."""
    month = paths.month(offset)
    return month.year * 12 + month.month - 1


def bounds_of(group: GroupPaths) -> Bounds:
    """What holds for certain on 95 % of the paths: the lowest of the lower bounds and the highest of the upper ones."""
    lower = int(np.quantile(group.lower, _QUANTILES[0]))
    return lower, None if group.upper is None else int(np.ceil(np.quantile(group.upper, _QUANTILES[2])))


def _side(group: GroupPaths, crossed: Flags) -> Side:
    low, middle, high = (round(float(q)) for q in np.quantile(group.people, _QUANTILES))
    over, by_range = _over(group)
    return Side(low, middle, high, over, by_range, float(crossed.mean()))


def _over(group: GroupPaths) -> tuple[float, float | None]:
    """The probability of being over the threshold, by the estimate and by the range."""
    by_range = None if group.by_range is None else float((group.by_range > group.limit).mean())
    return float((group.people > group.limit).mean()), by_range


def _in_force(paths: ScenarioPaths, offset: int) -> tuple[str, ...]:
    """The changes that hold on every path at a month's end."""
    holds = paths.in_force(month_end(paths.month(offset)))
    return tuple(name for place, name in enumerate(paths.names) if holds[:, place].all())


def _crossing(months: Sequence[MonthAnswer], side: str, probability: float) -> str | None:
    return next((month.month for month in months if getattr(month, side).crossed >= probability), None)


def _decision(paths: ScenarioPaths, releases: Sequence[Release]) -> Decision:
    """The month that the first release to come tests; the horizon's last where nobody has named a release."""
    first = next((release for release in releases if not release.assumed), None)
    if first is None:
        last = month_of_horizon(paths.baseline.month, paths.definition.horizon)
        return Decision(paths.definition.horizon, month_end(last))
    return Decision(months_apart(paths.baseline.month, first.month), first.membership_day(paths.baseline.reading))


def _chances(paths: ScenarioPaths, releases: Sequence[Release]) -> list[ClauseChance]:
    """The probabilities of each clause at each release; a day's group is drawn once for all clauses."""
    chances: list[ClauseChance] = []
    groups: dict[tuple[int, object], tuple[GroupPaths, GroupPaths]] = {}
    for release in releases:
        offset = months_apart(paths.baseline.month, release.month)
        day = release.membership_day(paths.baseline.reading)
        if (offset, day) not in groups:
            groups[offset, day] = paths.before(offset, day), paths.after(offset, day)
        before, after = groups[offset, day]
        limit = release.threshold.most_under
        chances.append(
            ClauseChance(
                clause=release.threshold.id,
                name=release.threshold.name,
                threshold=release.threshold.users,
                comparator=release.threshold.comparator,
                release=release.day.isoformat(),
                month=f"{release.month:%Y-%m}",
                assumed=release.assumed,
                before=float((before.people > limit).mean()),
                after=float((after.people > limit).mean()),
                before_by_range=None if before.by_range is None else float((before.by_range > limit).mean()),
                after_by_range=None if after.by_range is None else float((after.by_range > limit).mean()),
            )
        )
    return chances
