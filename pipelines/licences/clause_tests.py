"""Tests of every other clause that counts users: month by month, for a product, a licensee alone, or an average of months.

Whom a clause asks about is its subject. Where the subject isn't known (no product is said to use the model), the whole group
still bounds it: a part can't have more people than the whole, so `under` of the whole is `under` of every part.
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
from pipelines.figures.months import ClauseCount, Months
from pipelines.figures.months import clause_count as people_of
from pipelines.licences import grants, release_tests
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.outcome import ReadingResult, Result, covered, decide, not_measured


@dataclass(frozen=True)
class Subject:
    """Whose people a clause asks about."""

    licensee: str
    product: ProductRef | None = None
    """Where the clause asks about one."""
    names: tuple[str, ...] | None = None
    """The products whose people count together; none for the whole group."""
    unknown: str | None = None
    """What would have to be said for the subject to be known; until then the whole bounds it."""

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
    readings: dict[str, ReadingResult]
    months: dict[str, dict[date, Result]]
    """By reading, what each published month finds up to the tested one; only where it is tested month by month."""

    @property
    def first_over(self) -> dict[str, date]:
        """By reading, the first month over it."""
        each = {name: [m for m, result in found.items() if result == "over"] for name, found in self.months.items()}
        return {name: over[0] for name, over in each.items() if over}

    def to_dict(self) -> dict[str, Any]:
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
            "months": {name: {f"{m:%Y-%m}": r for m, r in found.items()} for name, found in self.months.items()},
            "first_over": {name: f"{month:%Y-%m}" for name, month in self.first_over.items()},
            "needs": self.clause.needs,
        }


def run_clauses(months: Months, entries: Iterable[LicenceEntry], today: date, month: date | None = None) -> Iterator[ClauseTest]:
    """Every clause but those that `licences.run_tests` tests; what can't be tested says what it would need.

    What is tested month by month is tested for `month`, or else the calendar month before `today`.
    """
    group = months.group
    for entry in entries:
        for clause in entry.clauses:
            if clause.group_snapshot:
                continue
            if not clause.tested:
                nobody = {r.name: not_measured(False, clause.needs or "") for r in group.readings.readings}
                yield ClauseTest(entry, clause, Subject(group.settings.ultimate_parent), None, nobody, {})
                continue
            for subject in subjects(group, entry, clause, today):
                yield for_subject(months, entry, clause, subject, today, month)


def subjects(
    group: Group, entry: LicenceEntry, clause: Clause, today: date, control_share: Decimal = CONTROL_SHARE
) -> list[Subject]:
    """Whose people a clause asks about, by who accepted the licence and which products use the model."""
    parent = group.settings.ultimate_parent
    used = grants.uses(group, today, entry.id, control_share)
    taken = [accepted.entity for accepted in grants.accepted_versions(group, entry.id)]
    if clause.scope == "using":
        found = [Subject.from_product(use.ref) for use in used]
        return list(dict.fromkeys(found)) or [
            Subject(parent, unknown=f"which products use it: `models` with `model: {entry.id}` in a product")
        ]
    if clause.with_affiliates and clause.scope == "all":
        return [Subject(licensee) for licensee in dict.fromkeys([parent, *taken])]
    if clause.with_affiliates:
        return [s for affiliate in group.affiliates(today, control_share) for s in _of_licensee(group, clause, affiliate)]
    licensees = dict.fromkeys([*taken, *(use.ref.affiliate for use in used)])
    if not licensees:
        where = f"`accepted` in grants.yaml, or `models` with `model: {entry.id}` in a product"
        return [Subject(parent, unknown=f"who the licensee is: {where}")]
    each = [subject for licensee in licensees for subject in _of_licensee(group, clause, licensee)]
    return each or [Subject(parent, unknown=f"products of {' and '.join(licensees)}: none is named in its manifest")]


def _of_licensee(group: Group, clause: Clause, licensee: str) -> Iterator[Subject]:
    refs = [ProductRef(licensee, product.product) for product in group.entities[licensee].products]
    if clause.scope == "all":
        yield Subject(licensee, None, tuple(map(str, refs)))
    else:
        yield from map(Subject.from_product, refs)


def for_subject(
    months: Months, entry: LicenceEntry, clause: Clause, subject: Subject, today: date, month: date | None = None
) -> ClauseTest:
    """One clause for one subject."""
    about = clause.tested_month or month or month_before(today)
    affiliate, product = subject.product or (subject.licensee, None)
    covers = list(grants.covers(months, entry.id, affiliate, product, today))
    used = [u for u in grants.uses(months.group, today, entry.id) if subject.product in (None, u.ref)]
    exempt = grants.exempt(entry, clause, used, grants.accepted_versions(months.group, entry.id))
    found = {
        reading.name: covered(outcome(months, clause, subject, reading, about), covers, exempt)
        for reading in months.group.readings.readings
    }
    each = {r.name: _by_month(months, clause, subject, r, about) for r in months.group.readings.readings}
    return ClauseTest(entry, clause, subject, about, found, each)


def outcome(months: Months, clause: Clause, subject: Subject, reading: Reading, month: date) -> ReadingResult:
    """One clause for one subject, month and reading, before any grant."""
    release = clause.test_date if clause.measured == "month_before_release" else None
    on = release if reading.membership == "release_date" else None
    day = on or month_end(month)
    record = release_tests.of_record(months.group, reading, release or day)
    if not subject.unknown and subject.licensee not in months.group.affiliates(day, reading.control_share):
        return not_measured(record, f"{subject.licensee} was outside this group on {day}")
    asked = _months(clause, month)
    each = []
    for one in asked:
        try:
            measured = months.of(one, reading, on)
        except RefusedError as error:
            return not_measured(record, str(error))
        if measured is None:
            return not_measured(record, f"contributions or counts for {one:%Y-%m}")
        found = months.people(measured, reading, subject.names)
        if found is None:
            return not_measured(record, f"a product of {subject.product or subject.licensee} that lived in {one:%Y-%m}")
        each.append(found)
    people, why = _as_asked(clause, each)
    made = replace(release_tests.outcome(clause, people, reading, record), why=why)
    if clause.measured == "any_day" and made.result == "undetermined":
        made = replace(made, settled_by=("users of single days, which aren't united here", *made.settled_by))
    return _bounded(made, clause, subject, month)


def _bounded(made: ReadingResult, clause: Clause, subject: Subject, month: date) -> ReadingResult:
    """Of a part that isn't measured, `under` alone can be told, from the whole."""
    part = subject.unknown or (f"figures by region: {clause.region}" if clause.region else None)
    if part is None:
        return made
    if made.result != "under":
        return not_measured(made.of_record, part)
    said = f"the whole group has at most {made.upper:,} people in {month:%Y-%m}, and no part of it has more"
    return replace(made, estimate=None, lower=0, headroom=None, why=(*made.why, said))


def _months(clause: Clause, month: date) -> list[date]:
    """The months that are measured for a month's test."""
    return months_between(add_months(month, -5), month) if clause.measured == "average_of_six_months" else [month]


def _as_asked(clause: Clause, each: Sequence[ClauseCount]) -> tuple[ClauseCount, tuple[str, ...]]:
    """Months' people as what a clause counts, with what its bounds rest on."""
    last = each[-1]
    if clause.measured == "average_of_six_months":
        uppers = [people.upper for people in each if people.upper is not None]
        estimates = [people.estimate for people in each if people.estimate is not None]
        open_ = next((people for people in each if people.upper is None), last)
        return replace(
            open_,
            estimate=round(Fraction(sum(estimates), len(each))) if len(estimates) == len(each) else None,
            lower=sum(people.lower for people in each) // len(each),
            upper=math.ceil(Fraction(sum(uppers), len(each))) if len(uppers) == len(each) else None,
        ), (f"the mean of {len(each)} months' figures, and of their bounds",)
    if clause.measured == "any_day":
        month = last.measured.inputs.month
        days = month_end(month).day
        # Whoever was active in the month was so on one of its days at least: the days' users add up to the month's, or more.
        said = f"users of a day by those of {month:%Y-%m}: on its busiest day at most all of them, at least 1 in {days}"
        return replace(last, estimate=None, lower=-(-last.lower // days)), (said,)
    return last, ()


def _by_month(months: Months, clause: Clause, subject: Subject, reading: Reading, until: date) -> dict[date, Result]:
    """What the figures published of each month find, for the group of its end."""
    if clause.tested_month or clause.measured == "average_of_six_months" or subject.unknown or clause.region:
        return {}
    each: dict[date, Result] = {}
    assert clause.threshold is not None
    assert clause.comparator is not None
    for month, measured in months.published(reading).items():
        found = people_of(measured, reading, subject.names)
        if month <= until and found is not None:
            people, _ = _as_asked(clause, [found])
            each[month] = decide(clause.threshold, people.lower, people.upper, clause.comparator)
    return each
