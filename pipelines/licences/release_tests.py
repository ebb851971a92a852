"""Licences that test a whole group at a version's release, and what each finds under each reading.

The texts leave "affiliate", "active" and "unique" undefined, so how they are read is configuration:
each test is shown under every reading. This module states facts and results; it gives no legal
advice.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from affiliates.errors import RefusedError
from affiliates.manifests.base import Model
from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import month_before, month_end
from affiliates.sketches.image import MAX_LG_K
from pipelines.counting import measure
from pipelines.figures.months import ClauseCount, Months
from pipelines.licences import grants
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.outcome import ReadingResult, covered, decide, not_measured
from pipelines.licences.registry import Registry, builtin
from pipelines.store.contributions import ContributionStore

FIRST_OF_ALL = "Llama"
"""The family that this is for first of all."""


class Licence(Model):
    """A version's clause that tests a whole group at its release."""

    entry: LicenceEntry
    clause: Clause
    id: str
    name: str
    released: date
    supposed: bool = False
    """No such version is out: the clause is the newest one's."""

    @property
    def measured_month(self) -> date:
        """First day of the month that the clause tests."""
        return month_before(self.released)


@dataclass(frozen=True)
class LicenceTest:
    """A licence tested for a licensee under each reading."""

    licence: Licence
    licensee: str
    readings: dict[str, ReadingResult]

    def to_dict(self) -> dict[str, Any]:
        return {
            "licence": self.licence.id,
            "licensee": self.licensee,
            "released": self.licence.released.isoformat(),
            **({"supposed": True} if self.licence.supposed else {}),
            "measured_month": f"{self.licence.measured_month:%Y-%m}",
            "threshold": self.licence.clause.threshold,
            "readings": {name: outcome.to_dict() for name, outcome in self.readings.items()},
        }


def releases(of: Registry | None = None) -> tuple[Licence, ...]:
    """The licences that test a whole group at their release, by release date: ours, or a group's."""
    found = [
        Licence(entry=entry, clause=clause, id=entry.id, name=entry.name, released=clause.test_date)
        for entry in (of or builtin()).entries
        for clause in entry.clauses
        if clause.group_snapshot and clause.test_date
    ]
    return tuple(sorted(found, key=lambda licence: licence.released))


def first_of_all(of: Registry | None = None) -> tuple[Licence, ...]:
    """The Llama family's, by release date."""
    return tuple(licence for licence in releases(of) if licence.entry.family == FIRST_OF_ALL)


def if_released(day: date, of: Registry | None = None) -> Licence:
    """A version that doesn't exist, released on a day under the clause of Llama's newest."""
    newest = first_of_all(of)[-1]
    name = f"a version released on {day}, with the clause of {newest.name}"
    return newest.model_copy(update={"id": f"as {newest.id}", "name": name, "released": day, "supposed": True})


def run_tests(
    warehouse: ContributionStore,
    group: Group,
    found: Sequence[Licence] | None = None,
    measured: Mapping[str, measure.Measured] | None = None,
    anew: bool = False,
    today: date | None = None,
) -> Iterator[LicenceTest]:
    """Each licence's test (by default the registry's) for the whole group; the licensees are the ultimate parent, and each
    entity that accepted the licence: its affiliates are the same group.

    A month that was signed is tested by its signed figures, and by what they could rest on alone.
    `measured`: what is known already, by the digest of its inputs; `anew`: as if no month were signed.
    `today`: grants and exemptions in force on this day cover; without it none does.
    """
    months = Months(warehouse, group, measured, anew)
    for licence in releases() if found is None else found:
        taken = [accepted.entity for accepted in grants.accepted_versions(group, licence.id)]
        yield from run_tests_in(months, licence, dict.fromkeys([group.settings.ultimate_parent, *taken]), today)


def run_tests_in(months: Months, licence: Licence, licensees: Iterable[str], today: date | None = None) -> Iterator[LicenceTest]:
    """One licence's test for each licensee."""
    for licensee in licensees:
        yield LicenceTest(licence, licensee, dict(_readings(months, licence, licensee, today)))


def _readings(months: Months, licence: Licence, licensee: str, today: date | None) -> Iterator[tuple[str, ReadingResult]]:
    covers = list(grants.covers(months, licence.id, licensee, None, today))
    used = grants.uses(months.group, today, licence.id) if today else []
    exempt = grants.exempt(licence.entry, licence.clause, used, grants.accepted_versions(months.group, licence.id))
    for reading in months.group.readings.readings:
        yield reading.name, covered(_tested(months, licence, licensee, reading), covers, exempt)


def _tested(months: Months, licence: Licence, licensee: str, reading: Reading) -> ReadingResult:
    group = months.group
    month = licence.measured_month
    record = of_record(group, reading, licence.released)
    on = licence.released if reading.membership == "release_date" else None
    if licensee not in group.affiliates(on or month_end(month), reading.control_share):
        return not_measured(record, f"who the affiliates of {licensee} were on {on or month}: it was outside this group")
    try:
        measured = months.of(month, reading, on)
    except RefusedError as error:
        return not_measured(record, str(error))
    if measured is None:
        return not_measured(record, f"contributions or counts for {month:%Y-%m}")
    found = months.people(measured, reading)
    if found is None:
        return not_measured(record, f"a product that lived in {month:%Y-%m}")
    made = outcome(licence.clause, found, reading, record)
    if licensee == group.settings.ultimate_parent:
        return made
    return replace(made, why=(f"the affiliates of {licensee} are those of this group: its figures are the group's",))


def of_record(group: Group, reading: Reading, day: date) -> bool:
    return any(r.reading == reading.name and r.holds_on(day) for r in group.readings.of_record)


def outcome(clause: Clause, found: ClauseCount, reading: Reading, record: bool) -> ReadingResult:
    """What a clause's threshold and comparator make of a number of people."""
    assert clause.threshold is not None
    assert clause.comparator is not None
    result = decide(clause.threshold, found.lower, found.upper, clause.comparator)
    return ReadingResult(
        result,
        found.estimate,
        found.lower,
        found.upper,
        record,
        settled_by(found, reading, clause.threshold) if result == "undetermined" else (),
        headroom=None if found.estimate is None else clause.threshold - found.estimate,
        coverage=found.coverage,
        complete=found.complete,
    )


def rows(tests: Sequence[LicenceTest], now: datetime) -> list[dict[str, Any]]:
    """The rows of the table `licence_tests`."""
    return [
        {
            "licence": test.licence.id,
            "licensee": test.licensee,
            "reading": name,
            "released": test.licence.released,
            "measured_month": test.licence.measured_month,
            "threshold": test.licence.clause.threshold,
            "result": o.result,
            "estimate": o.estimate,
            "lower": o.lower,
            "upper": o.upper,
            "of_record": o.of_record,
            "known_at": now,
        }
        for test in tests
        for name, o in test.readings.items()
    ]


def untested_months(months: Months, reading: Reading, tested: Sequence[Licence], threshold: int) -> list[date]:
    """Months whose published figures lie above a threshold, and that no version's release tests."""
    at_releases = {licence.measured_month for licence in tested}
    found = []
    for month, measured in months.published(reading).items():
        people = months.people(measured, reading)
        if month not in at_releases and people and decide(threshold, people.lower, people.upper) == "over":
            found.append(month)
    return found


def describe_untested(months: Sequence[date]) -> str:
    """In words: a month that is over and that no release tests is no result."""
    listed = ", ".join(f"{month:%Y-%m}" for month in months[-6:])
    more = f"{len(months) - 6} months before and " if len(months) > 6 else ""
    several = len(months) > 1
    return f"above the threshold in month{'s' * several} {more}{listed}; no release tests {'them' if several else 'it'}"


def settled_by(found: ClauseCount, reading: Reading, threshold: int) -> tuple[str, ...]:
    """What would settle an undetermined test: what is missing, the identity interval, the sketches' error."""
    figure = found.figure
    named = {reason.partition(": ")[0] for reason in figure.reasons}
    given = [g for g in found.measured.inputs.stated_counts.values() if str(g.ref) in named]
    said = [r for r in figure.reasons if not any(r.startswith(f"{g.ref}: ") for g in given)]
    said += [f"sketches of {g.ref} in the place of its {g.kind}" for g in given]
    low = figure.identity_low or 0
    high = figure.identity_high or 0
    if reading.counts == "unique_people" and not given and low <= threshold < high:
        said.append(f"a crosswalk between namespaces: people are from {low:,} to {high:,} by who shares them")
    if figure.lg_k is not None and figure.lg_k < MAX_LG_K and not said:
        said.append(f"sketches of a higher lg_k: the standard error is {figure.standard_error:,.0f} people")
    error = f"{figure.standard_error:,.0f} people"
    return tuple(said) or (f"nothing finer can be measured: the threshold lies within the sketches' error of {error}",)
