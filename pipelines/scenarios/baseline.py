"""What a scenario starts from: the base month's figure, its products' shares, the series, and the digests of all of it.

The only module of this package that reads the store. Once a baseline is read, any scenario of the same base can be run on it
that needs nothing else of the store (`Baseline.lacks`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np

from affiliates.errors import Code, RefusedError, did_you_mean, refused
from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import month_number, month_of
from pipelines.counting import measure
from pipelines.counting.convention import METHOD, convention_of
from pipelines.counting.figure import Share
from pipelines.counting.inputs import gather
from pipelines.figures import query
from pipelines.figures.months import ClauseCount, clause_count
from pipelines.forecasting import history
from pipelines.forecasting.forecast import walk
from pipelines.forecasting.series import Series, even_series
from pipelines.licences import release_tests
from pipelines.licences.registry import Registry
from pipelines.records import StoredContribution
from pipelines.scenarios import needs
from pipelines.scenarios.changes import Acquire
from pipelines.scenarios.check import check
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.digests import digests
from pipelines.scenarios.draws import PATHS, Floats
from pipelines.scenarios.membership import Composition, composition, everybody
from pipelines.scenarios.sizes import Audiences, Shares, Sizes
from pipelines.scenarios.target_contribution import Checks, TargetContribution, read_target
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.workspace import Workspace


@dataclass(frozen=True)
class Baseline:
    """Everything that a scenario rests on besides its own statements."""

    group: Group
    registry: Registry
    reading: Reading
    month: date
    """The base month's first day."""
    people: ClauseCount
    """The base month's figure, as it is published or measured, by what the reading counts."""
    composition: Composition
    """Whose users count in the base month."""
    sizes: Sizes
    series: Series | None
    """The published months up to the base month; null where fewer than two have an upper bound."""
    group_tests: Mapping[str, str]
    """By licence that a target uses, the result of the group's own test, by the reading."""
    contributions: Mapping[str, TargetContribution]
    """By file name as the scenario writes it."""
    targets: Mapping[str, str]
    """By target, the name of the file of its contribution."""
    licences: frozenset[str]
    """The licences of targets' models for which `group_tests` was asked."""
    versions: tuple[StoredContribution, ...] = field(repr=False)
    """The base month's contributions of every entity of the manifests."""
    digests: Mapping[str, str]
    """Of all that was read, by the names of `ScenarioInputs`."""
    method: int
    notes: tuple[str, ...]
    _ratios: dict[int, Floats] = field(default_factory=dict, repr=False)

    @property
    def estimate(self) -> float:
        """The people of the base month."""
        return float(self.people.estimate or 0)

    def lacks(self, definition: Definition) -> list[str]:
        """What a scenario needs that wasn't read, in words; empty where the scenario can be asked of this baseline."""
        missing = []
        if definition.month not in (None, self.month):
            missing.append(f"the month {definition.month:%Y-%m}")
        if definition.reading not in (None, self.reading.name):
            missing.append(f"the reading {definition.reading}")
        for change in definition.changes:
            if isinstance(change, Acquire) and change.contribution and self.targets.get(change.acquire) != change.contribution:
                missing.append(f"the contribution {change.contribution} of {change.acquire}")
        for reading in needs.readings_of(self.group, self.reading, definition):
            if not self.sizes.knows(tuple(reading.audiences)):
                missing.append(f"users who are {', '.join(reading.audiences) or 'of no audience'}")
        missing += [f"the group's test of {licence}" for licence in sorted(needs.licences_of(definition) - self.licences)]
        return missing

    def check(self, definition: Definition) -> None:
        """Raises `RefusedError` for a scenario that doesn't fit the group, or that needs what wasn't read."""
        check(definition, self.group, self.registry, self.month)
        if missing := self.lacks(definition):
            raise refused(
                Code.SCENARIO_NOT_READ,
                "the scenario",
                "needs what wasn't read with the scenario before it",
                ", ".join(missing),
                "read anew what the scenario starts from: pipelines.scenarios.access.load",
            )
        products = needs.products_of(self.group, self.reading, definition, self.month)
        measure.check_unitable(
            self.month, [v for v in self.versions if v.ref in products and month_of(v.activity_date) == self.month]
        )

    def ratios(self, horizon: int) -> Floats:
        """The group's growth without any measuring error: one path a row, the months from the base month on, which is 1."""
        if horizon not in self._ratios:
            self._ratios[horizon] = _ratios(self.series, month_number(self.month), horizon)
        return self._ratios[horizon]


def read_baseline(workspace: Workspace, store: ContributionStore, definition: Definition, folder: Path) -> Baseline:
    """Read what a scenario starts from.

    `store`: the workspace's, or a snapshot of it; `folder`: where the scenario's file lies, for the contributions that the
    scenario names. Nothing is stored. Raises `RefusedError` where the base month has no figure, or the scenario doesn't fit it.
    """
    group, registry = workspace.group, workspace.registry
    checks = Checks(workspace.edge.keys.canaries, workspace.crosswalk_digest, workspace.now)
    reading = _reading(group, definition, workspace.today)
    month = definition.month or _newest_month(store, reading)
    check(definition, group, registry, month)
    measured, publication = query.figures_of_month(store, group, month, reading)
    people = clause_count(measured, reading)
    if people is None or not people.estimate:
        raise refused(
            Code.FIGURE_MISSING,
            f"the group in {month:%Y-%m}",
            "a scenario needs a base month in which somebody was counted",
            f"under {reading.name}",
            "name another `month`, or complete this one: mauwatch run",
        )
    up_to = publication.position if publication else None
    method = publication.method if publication else METHOD
    inputs = gather(store, group, month, reading, None, up_to, method)
    whole = everybody(group)
    of_everybody = gather(store, whole, month, reading, None, up_to, method)
    readings = needs.readings_of(group, reading, definition)
    shares: dict[Audiences, Shares] = {
        tuple(one.audiences): measure.shares_of(store, whole, gather(store, whole, month, one, None, up_to, method))
        for one in readings
    }
    targets = {
        change: read_target(change, folder, group, month, checks)
        for change in definition.changes
        if isinstance(change, Acquire) and change.contribution is not None
    }
    sizes = Sizes(convention_of(method, group.settings), shares, _target_shares(targets, month, readings))
    series, series_notes = _series(store, group, reading, month)
    base = sizes.limited(composition(group, reading, (), month, inputs.window.last))
    return Baseline(
        group=group,
        registry=registry,
        reading=reading,
        month=month,
        people=people,
        composition=base,
        sizes=sizes,
        series=series,
        group_tests=_group_tests(store, group, registry, definition, reading),
        contributions={str(change.contribution): target for change, target in targets.items()},
        targets={change.acquire: str(change.contribution) for change in targets},
        licences=needs.licences_of(definition),
        versions=of_everybody.versions,
        digests=digests(group, registry, definition, inputs, of_everybody, series),
        method=method,
        notes=(*series_notes, *_changed_since(people, sizes.of(base).estimate, month)),
    )


def _reading(group: Group, definition: Definition, today: date) -> Reading:
    """The reading of the base. Raises `RefusedError` for one that there isn't."""
    if definition.reading is None:
        return group.readings.reading_on(today)
    names = {reading.name: reading for reading in group.readings.readings}
    if definition.reading not in names:
        hint = did_you_mean(definition.reading, names)
        subject = f"scenario {definition.scenario}, `reading`"
        raise refused(Code.SCENARIO_INVALID, subject, "no such reading", hint, "correct the name")
    return names[definition.reading]


def _newest_month(store: ContributionStore, reading: Reading) -> date:
    """The newest month that is published under a reading. Raises `RefusedError` where none is."""
    months = [month for month, name in publications.in_force(store) if name == reading.name]
    if not months:
        raise refused(
            Code.FIGURE_MISSING, "the group", "no month is published", f"under {reading.name}", "publish one: mauwatch run"
        )
    return max(months)


def _target_shares(
    targets: Mapping[Acquire, TargetContribution], month: date, readings: Sequence[Reading]
) -> dict[Audiences, dict[str, Sequence[Share]]]:
    """By audiences and target, the shares of the target's products."""
    return {
        tuple(reading.audiences): {change.acquire: target.shares(month, reading) for change, target in targets.items()}
        for reading in readings
    }


def _series(store: ContributionStore, group: Group, reading: Reading, month: date) -> tuple[Series | None, tuple[str, ...]]:
    """The published months up to the base month, and what is to be said of them."""
    known = history.known_months(store, group, reading)
    points = [point for point in known.points if point.number <= month_number(month)]
    if len(points) < 2:
        known_months = "one published month is" if points else "no published month is"
        note = f"{known_months} known to {month:%Y-%m}, too few to say how the group grows: taken as not growing"
        return None, (note,)
    series = even_series(f"{group.settings.group} by {reading.name}", points, 1, "month", notes=tuple(known.notes))
    return series, ()


def _ratios(series: Series | None, base: int, horizon: int) -> Floats:
    if series is None:
        return np.ones((PATHS, horizon + 1))
    behind = base - series.newest.number
    growth = walk(series, behind + horizon, paths=PATHS).growth
    columns = np.column_stack([np.full(PATHS, series.newest.value or 0.0), growth])[:, behind:]
    return np.asarray(columns / columns[:, :1])


def _changed_since(people: ClauseCount, now: float, month: date) -> tuple[str, ...]:
    """A note where the manifests of today give the base month another figure than the one in force."""
    if people.estimate is None or abs(now - people.estimate) <= max(1.0, 1e-6 * people.estimate):
        return ()
    return (
        f"{month:%Y-%m}: by today's manifests the figure would be {now:,.0f}, and {people.estimate:,} is in force: what changes "
        "do is taken as a part of the figure in force",
    )


def _group_tests(
    store: ContributionStore, group: Group, registry: Registry, definition: Definition, reading: Reading
) -> dict[str, str]:
    """The group's own result of each licence that targets use, where its clause tests a group at its release."""
    used = needs.licences_of(definition)
    licences = [licence for licence in release_tests.releases(registry) if licence.id in used]
    results: dict[str, str] = {}
    for licence in licences:
        try:
            tests = list(release_tests.run_tests(store, group, [licence]))
        except RefusedError:
            continue
        own = [test for test in tests if test.licensee == group.settings.ultimate_parent]
        results[licence.id] = str(own[0].readings[reading.name].result) if own else "not_measured"
    return results
