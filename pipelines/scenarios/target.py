"""The target's side: its models, what their licences found for it as its own licensee, and what the next version tests. Pure."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from affiliates.periods import month_number
from pipelines.licences.outcome import decide
from pipelines.licences.release_tests import Licence, releases
from pipelines.scenarios.answer_parts import ClauseChance, TargetModelTest, TargetSide
from pipelines.scenarios.baseline import Baseline
from pipelines.scenarios.changes import Acquire
from pipelines.scenarios.paths import ScenarioPaths
from pipelines.scenarios.wording import chance, people, span


def targets(paths: ScenarioPaths, chances: tuple[ClauseChance, ...]) -> tuple[TargetSide, ...]:
    """Each target's side, in the order of the changes."""
    return tuple(
        TargetSide(change.acquire, tuple(_tests(paths.baseline, change)), _next_version(change, chances))
        for change in paths.changes
        if isinstance(change, Acquire)
    )


def _next_version(change: Acquire, chances: tuple[ClauseChance, ...]) -> str:
    """What the next version's release tests, of the family that the target uses where that is known."""
    if not chances:
        return "no release to come is tested in the scenario's months"
    used = {model.licence.partition("-")[0] for model in change.models}
    first = next((c for c in chances if c.clause.partition("-")[0] in used), chances[0])
    day = f"on {first.release}{' (assumed)' if first.assumed else ''}"
    return (
        f"a next version by the terms of {first.name}, {day}, tests {first.month} for the group with {change.acquire} in it: "
        f"chance of over {people(first.threshold)} {chance(first.after)}, without the changes {chance(first.before)}"
    )


def _tests(baseline: Baseline, change: Acquire) -> Iterator[TargetModelTest]:
    by_id = {licence.id: licence for licence in releases(baseline.registry)}
    for model in change.models:
        entry = baseline.registry.get(model.licence)
        assert entry is not None  # `check` has refused a licence that isn't there.
        licence = by_id.get(model.licence)
        if licence is None:
            why = "no clause of its licence tests a whole group at its release"
            yield TargetModelTest(model.licence, "not_measured", why, "see: mauwatch licences --adopt")
            continue
        result, why = _own_test(baseline, change, licence)
        group = baseline.group_tests.get(model.licence, "not_measured")
        passes_on = {
            None: "its text doesn't say whether it passes on",
            True: "its text lets it pass on",
            False: "it can't pass on",
        }
        after = (
            f"the group's own test of {entry.name} found: {group}; the target's use rests on the target's own test, and "
            f"{passes_on[entry.transferable]} to a buyer"
        )
        yield TargetModelTest(model.licence, result, why, after)


def _own_test(baseline: Baseline, change: Acquire, licence: Licence) -> tuple[str, str]:
    """The result of a licence's test of the target alone, and why."""
    threshold = licence.clause.threshold
    assert threshold is not None  # A clause that is tested has one.
    month = licence.measured_month
    if change.users is None:
        if month != baseline.month:
            return "not_measured", f"its contribution is of {baseline.month:%Y-%m}, and the release tests {month:%Y-%m}"
        shares = baseline.sizes.target_shares(change.acquire, tuple(baseline.reading.audiences))
        size = baseline.sizes.of_shares(shares, baseline.reading)
        most = "no upper bound" if size.upper is None else people(size.upper)
        result = decide(threshold, size.lower, size.upper, licence.clause.comparator or "gt")
        return result, f"{people(size.lower)} to {most} in {month:%Y-%m}"
    return _by_statement(change, month, threshold, licence.clause.comparator or "gt")


def _by_statement(change: Acquire, month: date, threshold: int, comparator: str) -> tuple[str, str]:
    """The same by a stated number, carried to the tested month by the stated growth."""
    users = change.users
    assert users is not None
    apart = month_number(month) - month_number(users.month)
    if apart and change.growth is None:
        return "not_measured", f"the number is of {users.month:%Y-%m}, the release tests {month:%Y-%m}, and no growth is stated"
    low, _, high = users.span
    per_unit = change.people_per_unit
    factors = (Decimal(1), Decimal(1)) if per_unit is None else (per_unit.low, per_unit.high)
    rates = (Decimal(0), Decimal(0)) if change.growth is None else (change.growth.low, change.growth.high)
    grown = sorted(float((1 + rate) ** apart) for rate in rates)
    least, most = int(low * float(factors[0]) * grown[0]), -int(-high * float(factors[1]) * grown[1] // 1)
    result = decide(threshold, least, most, comparator)
    return result, f"{span(least, most)} in {month:%Y-%m} by the stated number"
