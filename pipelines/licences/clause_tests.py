"""Tests of every clause but those of `release_tests`: month by month, for a product, a licensee alone, or an average of months.

The subject of a clause is whose people the clause asks about. Where the subject isn't known (no manifest names a product that
uses the model), the whole group still bounds it: a part can't have more people than the whole, so `under` of the whole is
`under` of every part (decision 52).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Self

from affiliates.errors import RefusedError
from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import CONTROL_SHARE, Reading
from affiliates.periods import add_months, month_before, month_end, months_between
from pipelines.figures.months import ClauseCount, Months, clause_count
from pipelines.licences import grants, release_tests
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.outcome import ReadingResult, Result, covered, decide, not_measured


@dataclass(frozen=True)
class Subject:
    """Whose people a clause asks about."""

    licensee: str
    product: ProductRef | None = None
    """The product, where the clause asks about one."""
    names: tuple[str, ...] | None = None
    """The products (affiliate/product) whose people count together; null for the whole group."""
    unknown: str | None = None
    """What a manifest would have to name for the subject to be known; until then the whole group bounds it."""

    @classmethod
    def from_product(cls, ref: ProductRef) -> Self:
        """One product's people alone."""
        return cls(ref.affiliate, ref, (str(ref),))


@dataclass(frozen=True)
class ClauseTest:
    """A clause tested for one subject under each reading."""

    entry: LicenceEntry
    clause: Clause
    subject: Subject
    month: date | None
    """First day of the tested month; null for a clause that isn't tested."""
    readings: dict[str, ReadingResult]
    """By the reading's name."""
    months: dict[str, dict[date, Result]]
    """By reading, the result of each published month up to the tested one; only for a clause that is tested month by month."""

    @property
    def first_over(self) -> dict[str, date]:
        """By reading, the first month over the threshold."""
        months_over = {name: [m for m, result in results.items() if result == "over"] for name, results in self.months.items()}
        return {name: over[0] for name, over in months_over.items() if over}

    def to_dict(self) -> dict[str, Any]:
        """The test as `licences --json` writes it."""
        released = self.clause.test_date or self.entry.released
        return {
            "licence": self.entry.id,
            "clause": self.clause.id,
            "licensee": self.subject.licensee,
            "product": str(self.subject.product) if self.subject.product else None,
            "released": released.isoformat() if released else None,
            "measured_month": f"{self.month:%Y-%m}" if self.month else None,
            "threshold": self.clause.threshold,
            "readings": {name: outcome.to_dict() for name, outcome in self.readings.items()},
            "months": {name: {f"{m:%Y-%m}": r for m, r in results.items()} for name, results in self.months.items()},
            "first_over": {name: f"{month:%Y-%m}" for name, month in self.first_over.items()},
            "needs": self.clause.needs,
        }


def run_clauses(months: Months, entries: Iterable[LicenceEntry], today: date, month: date | None = None) -> Iterator[ClauseTest]:
    """The test of every clause but those of `release_tests`, for each subject; a clause that isn't tested says what it needs.

    Month-by-month clauses are tested for `month`, or else the calendar month before `today`: the last one that is over, and
    not the newest with data, since an old `under` would look like today's (decision 54).
    """
    group = months.group
    for entry in entries:
        for clause in entry.clauses:
            if clause.group_snapshot:
                continue
            if not clause.tested:
                untested = {r.name: not_measured(False, clause.needs or "") for r in group.readings.readings}
                yield ClauseTest(entry, clause, Subject(group.settings.ultimate_parent), None, untested, {})
                continue
            for subject in subjects(group, entry, clause, today):
                yield run_subject(months, entry, clause, subject, today, month)


def subjects(
    group: Group, entry: LicenceEntry, clause: Clause, today: date, control_share: Decimal = CONTROL_SHARE
) -> list[Subject]:
    """Whose people a clause asks about, by who accepted the licence and which products use the model; at least one subject."""
    parent = group.settings.ultimate_parent
    used = grants.uses(group, today, entry.id, control_share)
    accepting = [accepted.entity for accepted in grants.accepted_versions(group, entry.id)]
    if clause.scope == "using":
        using = [Subject.from_product(use.ref) for use in used]
        return list(dict.fromkeys(using)) or [
            Subject(parent, unknown=f"which products use it: `models` with `model: {entry.id}` in a product")
        ]
    if clause.with_affiliates and clause.scope == "all":
        return [Subject(licensee) for licensee in dict.fromkeys([parent, *accepting])]
    if clause.with_affiliates:
        return [s for affiliate in group.affiliates(today, control_share) for s in _subjects_of(group, clause, affiliate)]
    licensees = dict.fromkeys([*accepting, *(use.ref.affiliate for use in used)])
    if not licensees:
        where = f"`accepted` in grants.yaml, or `models` with `model: {entry.id}` in a product"
        return [Subject(parent, unknown=f"who the licensee is: {where}")]
    of_licensees = [subject for licensee in licensees for subject in _subjects_of(group, clause, licensee)]
    return of_licensees or [Subject(parent, unknown=f"products of {' and '.join(licensees)}: none is named in its manifest")]


def _subjects_of(group: Group, clause: Clause, licensee: str) -> Iterator[Subject]:
    """The products of a licensee, together or each by itself as the clause's scope asks."""
    refs = [ProductRef(licensee, product.product) for product in group.entities[licensee].products]
    if clause.scope == "all":
        yield Subject(licensee, None, tuple(map(str, refs)))
    else:
        yield from map(Subject.from_product, refs)


def run_subject(
    months: Months, entry: LicenceEntry, clause: Clause, subject: Subject, today: date, month: date | None = None
) -> ClauseTest:
    """One clause's test for one subject, with the grants and exemptions in force on `today`."""
    tested_month = clause.tested_month or month or month_before(today)
    # A clause about a whole licensee is covered by grants for the licensee alone, not by one for a product (decision 53).
    affiliate, product = subject.product or (subject.licensee, None)
    covers = list(grants.covers(months, entry.id, affiliate, product, today))
    used = [use for use in grants.uses(months.group, today, entry.id) if subject.product in (None, use.ref)]
    exempt = grants.exemption(entry, clause, used, grants.accepted_versions(months.group, entry.id))
    readings = months.group.readings.readings
    results = {
        reading.name: covered(reading_result(months, clause, subject, reading, tested_month), covers, exempt)
        for reading in readings
    }
    by_month = {reading.name: _by_month(months, clause, subject, reading, tested_month) for reading in readings}
    return ClauseTest(entry, clause, subject, tested_month, results, by_month)


def reading_result(months: Months, clause: Clause, subject: Subject, reading: Reading, month: date) -> ReadingResult:
    """The result of one clause for one subject and month under one reading, before any grant."""
    # Without a release there is no release date to draw the group on: then the month's last day counts.
    release = clause.test_date if clause.measured == "month_before_release" else None
    on = release if reading.membership == "release_date" else None
    day = on or month_end(month)
    record = release_tests.is_of_record(months.group, reading, release or day)
    if not subject.unknown and subject.licensee not in months.group.affiliates(day, reading.control_share):
        return not_measured(record, f"{subject.licensee} was outside this group on {day}")
    counts = []
    for counted_month in _months(clause, month):
        try:
            measured = months.figures_of(counted_month, reading, on)
        except RefusedError as error:
            return not_measured(record, str(error))
        if measured is None:
            return not_measured(record, f"contributions or counts for {counted_month:%Y-%m}")
        people = months.count_people(measured, reading, subject.names)
        if people is None:
            return not_measured(record, f"a product of {subject.product or subject.licensee} that lived in {counted_month:%Y-%m}")
        counts.append(people)
    count, why = _as_clause_counts(clause, counts)
    result = replace(release_tests.result_of_count(clause, count, record), why=why)
    any_day = clause.measured == "any_day"
    result = release_tests.explained(months, result, clause, counts, subject.names, can_be_over=not any_day)
    if any_day and result.result == "undetermined":
        result = replace(result, settled_by=("users of single days, which aren't united here", *result.settled_by))
    return _bounded_by_whole(result, clause, subject, month)


def _bounded_by_whole(result: ReadingResult, clause: Clause, subject: Subject, month: date) -> ReadingResult:
    """The result of the whole group as that of its part, where the clause asks about a part that isn't measured.

    Only `under` holds for the part as well; with any other result the part is not measured.
    """
    unmeasured_part = subject.unknown or (f"figures by region: {clause.region}" if clause.region else None)
    if unmeasured_part is None:
        return result
    if result.result != "under":
        return not_measured(result.of_record, unmeasured_part)
    bound = f"the whole group has at most {result.upper:,} people in {month:%Y-%m}, and no part of it has more"
    # The part may have nobody at all, so of its bounds only the upper one is known.
    return replace(result, estimate=None, lower=0, headroom=None, why=(*result.why, bound))


def _months(clause: Clause, month: date) -> list[date]:
    """The months whose figures a month's test counts."""
    return months_between(add_months(month, -5), month) if clause.measured == "average_of_six_months" else [month]


def _as_clause_counts(clause: Clause, counts: Sequence[ClauseCount]) -> tuple[ClauseCount, tuple[str, ...]]:
    """The people of months as what a clause counts, with what the bounds rest on in words."""
    last = counts[-1]
    if clause.measured == "average_of_six_months":
        return _mean(counts), (f"the mean of {len(counts)} months' figures, and of their bounds",)
    if clause.measured == "any_day":
        month = last.measured.inputs.month
        days = month_end(month).day
        # Whoever was active in the month was so on one of its days at least: the days' users add up to the month's, or more.
        bounds = f"users of a day by those of {month:%Y-%m}: on its busiest day at most all of them, at least 1 in {days}"
        return replace(last, estimate=None, lower=-(-last.lower // days)), (bounds,)
    return last, ()


def _mean(counts: Sequence[ClauseCount]) -> ClauseCount:
    """The mean of months' people, its bounds rounded outward; without an upper bound where one of the months has none.

    What is missing, and the coverage, are those of the first month without an upper bound, or else of the last month.
    """
    number = len(counts)
    uppers = [people.upper for people in counts if people.upper is not None]
    estimates = [people.estimate for people in counts if people.estimate is not None]
    basis = next((people for people in counts if people.upper is None), counts[-1])
    # Exact fractions: a mean that a float rounds could fall on the other side of the threshold.
    return replace(
        basis,
        estimate=round(Fraction(sum(estimates), number)) if len(estimates) == number else None,
        lower=sum(people.lower for people in counts) // number,
        upper=math.ceil(Fraction(sum(uppers), number)) if len(uppers) == number else None,
    )


def _by_month(months: Months, clause: Clause, subject: Subject, reading: Reading, until: date) -> dict[date, Result]:
    """The result of each published month up to `until`, for the group of the month's end; empty where months don't decide."""
    # One release has one month, an average no single one, and of an unknown part or a region no month's result is known.
    if clause.tested_month or clause.measured == "average_of_six_months" or subject.unknown or clause.region:
        return {}
    results: dict[date, Result] = {}
    assert clause.threshold is not None  # `Clause` refuses a tested clause without.
    assert clause.comparator is not None
    for month, measured in months.published(reading).items():
        people = clause_count(measured, reading, subject.names)
        if month <= until and people is not None:
            count, _ = _as_clause_counts(clause, [people])
            results[month] = decide(clause.threshold, count.lower, count.upper, clause.comparator)
    return results
