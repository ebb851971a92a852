"""A scenario's answer on a baseline: the same inputs give the same answer, byte for byte. Pure."""

from collections.abc import Sequence
from importlib import metadata

import numpy as np

from affiliates.periods import month_number
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import PairOverlap, RestsOn, ScenarioInputs, Size, UniqueAddition
from pipelines.scenarios.assumption_list import assumptions
from pipelines.scenarios.baseline import Baseline
from pipelines.scenarios.changes import Acquire, Grow, Launch, OtherReading
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.frontier import frontier
from pipelines.scenarios.headline import headline, notes
from pipelines.scenarios.months import bounds_of, months_of
from pipelines.scenarios.paths import ScenarioPaths
from pipelines.scenarios.sensitivity import tornado
from pipelines.scenarios.target import targets
from pipelines.scenarios.unique import of_targets, unique_of_group


def run(baseline: Baseline, definition: Definition) -> ScenarioAnswer:
    """The whole answer on a baseline, which may have been read for another scenario. Raises `RefusedError` as `evaluate` does."""
    baseline.check(definition)
    return _answer(ScenarioPaths(baseline, definition), *unique_of_group(baseline))


def draft(baseline: Baseline, definition: Definition) -> ScenarioAnswer:
    """The answer without the people whom each part of the group alone brings: what a page's slider asks for.

    Those need a union of sketches for each part, and no change of a scenario moves them. Raises `RefusedError` as `run`.
    """
    baseline.check(definition)
    return _answer(ScenarioPaths(baseline, definition), (), ())


def _answer(paths: ScenarioPaths, unique: Sequence[UniqueAddition], unique_notes: Sequence[str]) -> ScenarioAnswer:
    baseline, definition = paths.baseline, paths.definition
    months = months_of(paths)
    shown_frontier = frontier(paths, months.decision)
    by_contribution = [c.acquire for c in paths.changes if isinstance(c, Acquire) and c.contribution is not None]
    unique_targets, overlaps = of_targets(baseline, by_contribution)
    stated_unique, stated_overlaps = _of_stated(paths)
    return ScenarioAnswer(
        scenario=definition.scenario,
        title=definition.title,
        reading=baseline.reading.name,
        reading_after=next((c.reading for c in reversed(paths.changes) if isinstance(c, OtherReading)), baseline.reading.name),
        base_month=f"{baseline.month:%Y-%m}",
        horizon=definition.horizon,
        threshold=paths.threshold.users,
        threshold_after=paths.threshold_after.users,
        threshold_name=paths.threshold.name,
        comparator=paths.threshold.comparator,
        program=metadata.version("mauwatch"),
        inputs=_inputs(baseline, definition),
        headline=headline(paths, months),
        notes=(*notes(paths, months), *unique_notes),
        before=_before(baseline),
        after=_after(paths),
        months=months.months,
        decision_month=f"{paths.month(months.decision.offset):%Y-%m}",
        bounds=bounds_of(months.decided),
        licences=months.licences,
        crossing=months.crossing,
        unique=(*unique, *unique_targets, *stated_unique),
        overlaps=(*overlaps, *stated_overlaps),
        tornado=tornado(paths, months.decision),
        frontier=shown_frontier[0] if shown_frontier else None,
        break_even=shown_frontier[1] if shown_frontier else (),
        target=targets(paths, months.licences),
        assumptions=tuple(assumptions(paths)),
    )


def _inputs(baseline: Baseline, definition: Definition) -> ScenarioInputs:
    contributions = {name: target.digest for name, target in sorted(baseline.contributions.items())}
    return ScenarioInputs(**baseline.digests, contributions=contributions, definition=definition.digest, method=baseline.method)


def _before(baseline: Baseline) -> Size:
    figure = baseline.people
    return Size(figure.estimate, figure.lower, figure.upper, RestsOn.MEASURED, figure.figure.reasons)


def _after(paths: ScenarioPaths) -> Size:
    """The base month as if every change had come by then; rests on the weakest of its numbers."""
    group = paths.all_at_once()
    lower, upper = bounds_of(group)
    return Size(round(float(np.median(group.people))), lower, upper, _basis(paths), group.reasons)


def _basis(paths: ScenarioPaths) -> RestsOn:
    stated = [c for c in paths.changes if isinstance(c, Acquire | Launch) and c.overlap is not None]
    if any(c.overlap is not None and (c.overlap.unknown or c.overlap.independent_in) for c in stated):
        return RestsOn.ASSUMED
    return RestsOn.STATED if stated or any(isinstance(c, Grow) for c in paths.changes) else RestsOn.MEASURED


def _of_stated(paths: ScenarioPaths) -> tuple[list[UniqueAddition], list[PairOverlap]]:
    """What each stated target brings, and has in common with the group, at the base month without the other changes."""
    number = month_number(paths.baseline.month)
    group = paths.before(0)
    unique: list[UniqueAddition] = []
    overlaps: list[PairOverlap] = []
    for addition in paths.additions(False).values():
        change = addition.change
        people = addition.people(number)
        shared = addition.shared(people, group.people).people
        guessed = addition.overlap.unknown or addition.overlap.independent_in is not None
        basis = RestsOn.ASSUMED if guessed else RestsOn.STATED
        new = np.quantile(people - shared, [0.025, 0.5, 0.975])
        common = np.quantile(shared, [0.5, 0.025, 0.975])
        parts = [np.quantile(shared / side, [0.5, 0.025, 0.975]) for side in (people, group.people)]
        unique.append(UniqueAddition(change.subject, "target", round(new[1]), int(new[0]), int(np.ceil(new[2])), basis, True))
        of_target, of_group = ([round(float(share), 6) for share in side] for side in parts)
        overlaps.append(
            PairOverlap(
                first=change.subject,
                second="group",
                common=round(common[0]),
                lower=int(common[1]),
                upper=int(np.ceil(common[2])),
                share_of_first=of_target[0],
                share_of_first_lower=of_target[1],
                share_of_first_upper=of_target[2],
                share_of_second=of_group[0],
                share_of_second_lower=of_group[1],
                share_of_second_upper=of_group[2],
                basis=basis,
                measurable=True,
            )
        )
    return unique, overlaps
