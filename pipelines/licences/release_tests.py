"""Licences that test a whole group at a version's release, and the result of each test under each reading.

The texts leave "affiliate", "active" and "unique" undefined, so how they are read is configuration: each test is shown under
every reading. This module states facts and results; it gives no legal advice.

Over 300 lines: the shapes of a test's results are a third of them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from affiliates.errors import RefusedError
from affiliates.manifests.base import Model
from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import month_before, month_end
from pipelines.counting import measure
from pipelines.counting.contradictions import standing_in
from pipelines.counting.figure import Figure
from pipelines.figures.figure_cache import FigureCache
from pipelines.figures.months import ClauseCount, Months
from pipelines.licences import grants
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.outcome import ReadingResult, covered, decide, not_measured
from pipelines.licences.registry import Registry, builtin
from pipelines.licences.settling import Spread, settle, spread
from pipelines.records import StatedCount
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore

ERASED = "nothing any more: sketches that it rests on were erased since it was signed"
"""What would settle such an undetermined test."""
LLAMA = "Llama"
"""The family whose clause the product is for first of all."""


class Licence(Model):
    """A version's clause that tests a whole group at its release."""

    entry: LicenceEntry
    clause: Clause
    id: str
    """The entry's id; of a supposed version `as` and the newest one's id."""
    name: str
    released: date
    """The day of the release, by which the tested month is drawn."""
    supposed: bool = False
    """Whether no such version is out: the clause is then the newest version's (decision 22)."""

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
    """By the reading's name."""

    def to_dict(self) -> dict[str, Any]:
        """The test as `licences --json` writes it."""
        return {
            "licence": self.licence.id,
            "licensee": self.licensee,
            "released": self.licence.released.isoformat(),
            **({"supposed": True} if self.licence.supposed else {}),
            "measured_month": f"{self.licence.measured_month:%Y-%m}",
            "threshold": self.licence.clause.threshold,
            "readings": {name: outcome.to_dict() for name, outcome in self.readings.items()},
        }


def releases(registry: Registry | None = None) -> tuple[Licence, ...]:
    """The licences that test a whole group at their release, by release date; of the built-in registry by default."""
    licences = [
        Licence(entry=entry, clause=clause, id=entry.id, name=entry.name, released=clause.test_date)
        for entry in (registry or builtin()).entries
        for clause in entry.clauses
        if clause.group_snapshot and clause.test_date
    ]
    return tuple(sorted(licences, key=lambda licence: licence.released))


def llama_releases(registry: Registry | None = None) -> tuple[Licence, ...]:
    """The licences of the Llama family, by release date."""
    return tuple(licence for licence in releases(registry) if licence.entry.family == LLAMA)


def if_released(day: date, registry: Registry | None = None) -> Licence:
    """A version that doesn't exist, as if released on a day under the clause of Llama's newest version (decision 22)."""
    newest = llama_releases(registry)[-1]
    name = f"a version released on {day}, with the clause of {newest.name}"
    return newest.model_copy(update={"id": f"as {newest.id}", "name": name, "released": day, "supposed": True})


def run_tests(
    store: ContributionStore,
    group: Group,
    licences: Sequence[Licence] | None = None,
    measured: Mapping[str, measure.Measured] | None = None,
    anew: bool = False,
    today: date | None = None,
    as_run: bool = False,
    kept: FigureCache | None = None,
) -> Iterator[LicenceTest]:
    """Each licence's test for the whole group, for each licensee; by default of the built-in registry's licences.

    Licensees are the ultimate parent, and each entity that accepted the licence: its affiliates are the same group. A month that
    was signed is tested by its signed figures, and by what they could rest on alone. `measured`: figures that are known
    already, by the digest of their inputs; `anew`: as if no month were signed. `today`: grants and exemptions in force on this
    day cover; without a day none does.
    """
    months = Months(store, group, measured, anew, as_run, kept)
    yield from run_all_in(months, releases() if licences is None else licences, today)


def run_all_in(months: Months, licences: Iterable[Licence], today: date | None = None) -> Iterator[LicenceTest]:
    """Each licence's test for each licensee, by months that are there already; as `run_tests`."""
    group = months.group
    for licence in licences:
        accepting = [accepted.entity for accepted in grants.accepted_versions(group, licence.id)]
        yield from run_tests_in(months, licence, dict.fromkeys([group.settings.ultimate_parent, *accepting]), today)


def run_tests_in(months: Months, licence: Licence, licensees: Iterable[str], today: date | None = None) -> Iterator[LicenceTest]:
    """One licence's test for each licensee; as `run_tests`."""
    for licensee in licensees:
        yield LicenceTest(licence, licensee, dict(_readings(months, months, licence, licensee, today)))


def run_signed_test(store: ContributionStore, signed: Group, licence: Licence, now: Group, today: date) -> LicenceTest:
    """A licence's test for the ultimate parent, by the group as it was when the month was signed.

    `now`: the group whose grants, and uses of models, cover on the day `today`: these may have come since.
    """
    licensee = signed.settings.ultimate_parent
    current = Months(store, now)
    months = current if now is signed else Months(store, signed)
    return LicenceTest(licence, licensee, dict(_readings(months, current, licence, licensee, today)))


def _readings(
    months: Months, current: Months, licence: Licence, licensee: str, today: date | None
) -> Iterator[tuple[str, ReadingResult]]:
    """By reading, the result under the grants and exemptions of a day; `current`: of the group that has these."""
    covers = list(grants.covers(current, licence.id, licensee, None, today))
    used = grants.uses(current.group, today, licence.id) if today else []
    exempt = grants.exemption(licence.entry, licence.clause, used, grants.accepted_versions(current.group, licence.id))
    for reading in months.group.readings.readings:
        yield reading.name, covered(_tested(months, licence, licensee, reading), covers, exempt)


def _tested(months: Months, licence: Licence, licensee: str, reading: Reading) -> ReadingResult:
    """The result under one reading, before any grant."""
    group = months.group
    month = licence.measured_month
    record = is_of_record(group, reading, licence.released)
    # Which day's group counts is one of the points that the texts leave open, so the reading says.
    on = licence.released if reading.membership == "release_date" else None
    if licensee not in group.affiliates(on or month_end(month), reading.control_share):
        return not_measured(record, f"who the affiliates of {licensee} were on {on or month}: it was outside this group")
    try:
        measured = months.figures_of(month, reading, on)
    except RefusedError as error:
        return not_measured(record, str(error))
    if measured is None:
        return not_measured(record, f"contributions or counts for {month:%Y-%m}")
    people = months.count_people(measured, reading)
    if people is None:
        return not_measured(record, f"a product that lived in {month:%Y-%m}")
    result = result_of_count(licence.clause, people, record)
    noted = _noted(months.store, licence, licensee, reading) if on and months.lacks_sketches(month, reading, on) else None
    if noted is not None:
        # What was signed stands, whatever is erased later (decision 46): its bounds are those that were noted.
        result = _as_noted(licence.clause, result, noted)
    else:
        result = explained(months, result, licence.clause, [people])
    if licensee == group.settings.ultimate_parent:
        return result
    return replace(result, why=(f"the affiliates of {licensee} are those of this group: its figures are the group's",))


def _noted(store: ContributionStore, licence: Licence, licensee: str, reading: Reading) -> dict[str, Any] | None:
    """The row of `licence_tests` that has the test's last result with bounds; null where nothing was noted."""
    rows = publications.tests_of(store, licence.id, licensee)
    return next((row for row in rows if row["reading"] == reading.name and row["lower"] is not None), None)


def _as_noted(clause: Clause, result: ReadingResult, noted: Mapping[str, Any]) -> ReadingResult:
    """The result with the bounds that were noted. What would settle it, nobody can tell without the sketches."""
    assert clause.threshold is not None  # As in `result_of_count`.
    estimate, lower, upper = noted["estimate"], noted["lower"], noted["upper"]
    found = decide(clause.threshold, lower, upper, clause.comparator or "gt")
    return replace(
        result,
        result=found,
        estimate=estimate,
        lower=lower,
        upper=upper,
        headroom=None if estimate is None else clause.threshold - estimate,
        complete=upper is not None,
        settled_by=(ERASED,) if found == "undetermined" else (),
    )


def is_of_record(group: Group, reading: Reading, day: date) -> bool:
    """Whether a reading is the group's reading of record on a day."""
    return any(r.reading == reading.name and r.holds_on(day) for r in group.readings.of_record)


def result_of_count(clause: Clause, people: ClauseCount, record: bool) -> ReadingResult:
    """The result of a clause's threshold and comparator for a number of people; `record`: whether the reading is of record.

    What would settle an undetermined result is for `explained` to say.
    """
    # A clause that is tested has both: `Clause` refuses one that hasn't.
    assert clause.threshold is not None
    assert clause.comparator is not None
    result = decide(clause.threshold, people.lower, people.upper, clause.comparator)
    return ReadingResult(
        result,
        people.estimate,
        people.lower,
        people.upper,
        record,
        headroom=None if people.estimate is None else clause.threshold - people.estimate,
        threshold=clause.threshold,
        coverage=people.coverage,
        complete=people.complete,
    )


def explained(
    months: Months,
    result: ReadingResult,
    clause: Clause,
    counts: Sequence[ClauseCount],
    names: Collection[str] | None = None,
    can_be_over: bool = True,
) -> ReadingResult:
    """The result with what would settle it, where it is undetermined; `names` as in `spreads_of`, `can_be_over` in `settle`."""
    if result.result != "undetermined":
        return result
    assert clause.threshold is not None  # As in `result_of_count`.
    most_under = clause.threshold if clause.comparator == "gt" else clause.threshold - 1
    assert result.lower is not None  # An undetermined result has numbers.
    settling = settle(spreads_of(months, counts, names), result.lower, result.upper, most_under, len(counts), can_be_over)
    return replace(result, settled_by=settling.sentences, settling=settling)


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
            "result": outcome.result,
            "estimate": outcome.estimate,
            "lower": outcome.lower,
            "upper": outcome.upper,
            "of_record": outcome.of_record,
            "known_at": now,
        }
        for test in tests
        for name, outcome in test.readings.items()
    ]


def untested_months(months: Months, reading: Reading, tested: Sequence[Licence], threshold: int) -> list[date]:
    """Months whose published figures lie above a threshold for certain, and that no version's release tests."""
    at_releases = {licence.measured_month for licence in tested}
    untested = []
    for month, measured in months.published(reading).items():
        people = months.count_people(measured, reading)
        # By the lower bound, as `over` of a test is: a month that may be above isn't told of.
        if month not in at_releases and people and decide(threshold, people.lower, people.upper) == "over":
            untested.append(month)
    return untested


def describe_untested(months: Sequence[date]) -> str:
    """The untested months in words, the last six of them: a month above the threshold that no release tests is no result."""
    listed = ", ".join(f"{month:%Y-%m}" for month in months[-6:])
    more = f"{len(months) - 6} months before and " if len(months) > 6 else ""
    several = len(months) > 1
    return f"above the threshold in month{'s' * several} {more}{listed}; no release tests {'them' if several else 'it'}"


def spreads_of(months: Months, counts: Sequence[ClauseCount], names: Collection[str] | None = None) -> list[Spread]:
    """The parts of the range of these months' people, with the causes of each.

    `names`: the products (affiliate/product) that the people are of; null for the group.
    """
    several = len(counts) > 1
    lg_k = months.group.settings.lg_k
    spreads = []
    for people in counts:
        month = f"{people.measured.inputs.month:%Y-%m}, " if several else ""
        stated = list(people.measured.inputs.stated_counts.values())
        if people.added:
            for name, figure in people.added.items():
                crosswalk = f"a crosswalk that joins the same people's identifiers in {name}"
                spreads.append(spread(figure, stated, _lower_by_sketches(figure, stated), lg_k, crosswalk, name, month))
            continue
        namespaces = months.namespaces_of(people, names)
        listed = f"{', '.join(namespaces[:-1])} and {namespaces[-1]}" if len(namespaces) > 1 else "its identifiers"
        crosswalk = f"a crosswalk that joins the same people's identifiers of {listed}"
        by_sketches = {name: f for name, f in people.measured.products.items() if names is None or name in names}
        lower = _lower_by_sketches(people.figure, stated, by_sketches)
        least = _least_by_sketches(months, people, stated, by_sketches)
        spreads.append(spread(people.figure, stated, lower, lg_k, crosswalk, before=month, least=least))
    return spreads


def _least_by_sketches(
    months: Months, people: ClauseCount, stated: Sequence[StatedCount], products: Mapping[str, Figure]
) -> int | None:
    """The people by sketches alone if all unjoined identifiers are the same people; null where the figure itself says so.

    A count of more people is the figure's `identity_low`, and says nothing of the identifiers. `products`: those it is of.
    """
    if (people.figure.identity_low or 0) > _largest_count(people.figure, stated):
        return None
    named = _with_reasons(people.figure)
    others = {name: figure.identity_low or 0 for name, figure in products.items() if name not in named}
    most = sum(others.values())
    # Together they need at least as many as the largest product, and at most all of them.
    if most - max(others.values(), default=0) <= people.figure.standard_error:
        return most
    together = months.count_people(people.measured, people.measured.inputs.reading, others)
    return most if together is None else together.figure.identity_low


def _with_reasons(figure: Figure) -> set[str]:
    """The products that a figure's reasons are about: a reason begins with its product."""
    return {reason.partition(": ")[0] for reason in figure.reasons}


def _largest_count(figure: Figure, stated: Sequence[StatedCount]) -> int:
    """The people of the largest count that stands in for sketches; 0 without any."""
    counts = (count for count in standing_in(figure.reasons, stated) if count.kind == "count")
    return max((count.users for count in counts), default=0)


def _lower_by_sketches(figure: Figure, stated: Sequence[StatedCount], products: Mapping[str, Figure] | None = None) -> int:
    """A lower bound of the people by sketches alone, where the figure's own may be a count's; `products`: those it is of."""
    if figure.lower > _largest_count(figure, stated):
        return figure.lower
    named = _with_reasons(figure)
    return max((of_product.lower for name, of_product in (products or {}).items() if name not in named), default=0)
