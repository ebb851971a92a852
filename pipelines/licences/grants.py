"""What grants, side letters and exemptions cover on a day (decision 53).

A grant with a cap covers only while the people are at or below the cap, counted as the grant itself says.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import count, pairwise
from typing import NamedTuple

from affiliates.errors import RefusedError
from affiliates.manifests.grants import AcceptedVersion, Grant
from affiliates.manifests.group import Group
from affiliates.manifests.model_use import ModelUse
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import CONTROL_SHARE, Reading
from affiliates.periods import DAY, add_months, month_before, months_between
from pipelines.figures.months import Months
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.outcome import Cover, Result, decide


class Use(NamedTuple):
    """A model that a product uses."""

    ref: ProductRef
    """The product."""
    model: ModelUse


def uses(group: Group, today: date, licence: str | None = None, control_share: Decimal = CONTROL_SHARE) -> list[Use]:
    """The models that products of the group use on a day; `licence`: only those under it."""
    members = group.affiliates(today, control_share)
    return [
        Use(ref, use)
        for ref, product in group.products.items()
        if ref.affiliate in members and product.holds_on(today)
        for use in product.models
        if use.holds_on(today) and licence in (None, use.model)
    ]


def accepted_versions(group: Group, licence: str) -> list[AcceptedVersion]:
    """Who has accepted a licence for which entity, by grants.yaml."""
    return [accepted for accepted in group.grants.accepted if accepted.licence == licence]


def grants_in_force(group: Group, licence: str, entity: str, product: str | None, today: date) -> list[Grant]:
    """The grants in force on a day that cover a licensee, or a product of an affiliate.

    `product`: null for the licensee's test as a whole, which a grant for a product doesn't cover.
    """
    members = group.affiliates(today)
    return [
        grant
        for grant in group.grants.grants
        if licence in grant.licences
        and grant.holds_on(today)
        and grant.is_for(entity, product)
        # A licensee that has left the group takes its grant along: nothing of it covers those who stayed.
        and (grant.licensee == entity or (grant.licensee in members and entity in members))
    ]


class UngrantedDays(NamedTuple):
    """Days that follow one another, both ends included."""

    first: date
    last: date


def days_without_grant(group: Group, licence: str, ref: ProductRef, today: date) -> list[UngrantedDays]:
    """The days up to today on which a product of the group used a model and no grant for the product was in force.

    A grant's cap isn't looked at. Empty also for a product that never used the model.
    """
    tomorrow = today + DAY
    uses = [use for use in group.products[ref].models if use.model == licence and use.from_ <= today]
    # Who is in the group and what is granted changes on these days alone, so one look a stretch is enough.
    ties = [tie for entity in group.entities.values() for tie in (*entity.owned_by, *entity.controlled_by)]
    changes = {day for dated in (*ties, *group.grants.grants, *uses) for day in (dated.from_, dated.to) if day and day < tomorrow}
    stretches: list[UngrantedDays] = []
    for first, end in pairwise([*sorted(changes), tomorrow]):
        used = any(use.holds_on(first) for use in uses) and ref.affiliate in group.affiliates(first)
        if not used or grants_in_force(group, licence, *ref, first):
            continue
        begin = stretches.pop().first if stretches and stretches[-1].last + DAY == first else first
        stretches.append(UngrantedDays(begin, end - DAY))
    return stretches


def covers(months: Months, licence: str, entity: str, product: str | None, today: date | None) -> Iterator[Cover]:
    """The result of each grant that covers a licensee or product on a day; without a day, none does."""
    if today is not None:
        for grant in grants_in_force(months.group, licence, entity, product, today):
            yield result_of_grant(months, grant, today)


def result_of_grant(months: Months, grant: Grant, today: date) -> Cover:
    """`granted` without a cap, or while each month of the grant is at or below the cap for certain.

    With a cap, one month above gives `over`, and otherwise one month that isn't known `undetermined`.
    """
    name = f"{grant.kind.replace('_', ' ')} {grant.id} of {grant.from_} ({grant.document.name})"
    if grant.cap is None:
        return Cover("granted", f"{name}, without a cap")
    # `manifests` has refused a cap by a reading that isn't there.
    reading = next(r for r in months.group.readings.readings if r.name == grant.cap.reading)
    names = _products_of(months.group, grant) if grant.cap.of == "covered" else None
    name = f"{name}, capped at {grant.cap.users:,} by the reading {reading.name}"
    tested = [_test_cap(months, reading, names, grant.cap.users, month) for month in _months_of(grant, today)]
    if above := [month.numbers for month in tested if month.result == "over"]:
        return Cover("over", f"{name}: above it, {_newest(above)}")
    if unknown := [month.numbers for month in tested if month.result == "undetermined"]:
        return Cover("undetermined", f"{name}: not at or below it for certain, {_newest(unknown)}")
    return Cover("granted", f"{name}: at or below it to {_months_of(grant, today)[-1]:%Y-%m}")


class _CapMonth(NamedTuple):
    """What a grant's cap finds in one month."""

    result: Result
    numbers: str
    """The month's people in words, or why they aren't known."""


def _test_cap(months: Months, reading: Reading, names: set[str] | None, cap: int, month: date) -> _CapMonth:
    """The result of a cap in a month, for the group or for the products of `names` (affiliate/product) together."""
    try:
        measured = months.figures_of(month, reading)
        people = months.count_people(measured, reading, names) if measured else None
    except RefusedError as error:
        return _CapMonth("undetermined", str(error))
    if people is None:
        return _CapMonth("undetermined", f"nothing was contributed for {month:%Y-%m}")
    upper = "no upper bound" if people.upper is None else f"{people.upper:,}"
    return _CapMonth(decide(cap, people.lower, people.upper), f"{people.lower:,} to {upper} people in {month:%Y-%m}")


def _newest(months: Sequence[str]) -> str:
    """The newest month's numbers, and how many months more there are."""
    more = f" and in {len(months) - 1} months more" if len(months) > 1 else ""
    return f"{months[-1]}{more}"


def _months_of(grant: Grant, today: date) -> list[date]:
    """The months that a cap is about: from the month in which the grant begins to the last one that is over."""
    last = month_before(today)
    # A grant that begins this month is judged by the last one, or it would cover without any look at its cap.
    return months_between(min(grant.from_, last), last)


def _products_of(group: Group, grant: Grant) -> set[str]:
    """The products that a grant covers, as affiliate/product."""
    return {str(ref) for ref in group.products if grant.is_for(*ref)}


def exemption(entry: LicenceEntry, clause: Clause, used: Sequence[Use], accepted: Sequence[AcceptedVersion]) -> str | None:
    """Why the text leaves all these uses out, in words.

    Null where the text exempts nobody from this clause, where there is no use, or one without a basis for the exemption, and
    where somebody has accepted the licence.
    """
    exemptions = [other for other in (*clause.exemptions, *entry.exemptions) if other.integrated_end_user_product]
    bases = [use.model.integrated_end_user_product for use in used]
    if not exemptions or not used or accepted or not all(bases):
        return None
    documents = "; ".join(dict.fromkeys(f"{basis.basis} ({basis.document})" for basis in bases if basis))
    return f"section {exemptions[0].section} leaves out who has it inside an integrated end-user product: {documents}"


def due_reports(grant: Grant, today: date) -> Iterator[tuple[str, date]]:
    """Each reporting duty of a grant, and the day on which the duty is due next, or was due where it comes once."""
    for duty in grant.reporting:
        # From the first day on, and not from the one before: after 31 January and 28 February comes 31 March.
        later = (add_months(duty.due, n * (duty.every_months or 0)) for n in count())
        yield duty.duty, duty.due if not duty.every_months else next(day for day in later if day >= today)
