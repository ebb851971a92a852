"""What grants, side letters and exemptions cover on a day; a grant with a cap only while its own counting is at or below it."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import count
from typing import NamedTuple

from affiliates.errors import RefusedError
from affiliates.manifests.grants import AcceptedVersion, Grant
from affiliates.manifests.group import Group
from affiliates.manifests.model_use import ModelUse
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import CONTROL_SHARE
from affiliates.periods import add_months, month_before, months_between
from pipelines.figures.months import Months
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.outcome import Cover, Result, decide


class Use(NamedTuple):
    """A model that a product uses."""

    ref: ProductRef
    model: ModelUse


def uses(group: Group, today: date, licence: str | None = None, control_share: Decimal = CONTROL_SHARE) -> list[Use]:
    """The models that products of the group use on a day."""
    members = group.affiliates(today, control_share)
    return [
        Use(ref, use)
        for ref, product in group.products.items()
        if ref.affiliate in members and product.holds_on(today)
        for use in product.models
        if use.holds_on(today) and licence in (None, use.model)
    ]


def accepted_versions(group: Group, licence: str) -> list[AcceptedVersion]:
    return [said for said in group.grants.accepted if said.licence == licence]


def grants(group: Group, licence: str, entity: str, product: str | None, today: date) -> list[Grant]:
    """The grants in force on a day that cover a licensee, or a product of an affiliate."""
    members = group.affiliates(today)
    return [
        grant
        for grant in group.grants.grants
        if licence in grant.licences
        and grant.holds_on(today)
        and grant.is_for(entity, product)
        # Of a licensee that has left the group, nothing goes over to those who stayed.
        and (grant.licensee == entity or (grant.licensee in members and entity in members))
    ]


def covers(months: Months, licence: str, entity: str, product: str | None, today: date | None) -> Iterator[Cover]:
    """What each grant that covers a licensee or product comes to; without a day, none is looked at."""
    for grant in grants(months.group, licence, entity, product, today) if today else ():
        yield cover(months, grant, today) if today else Cover("undetermined", "")


def cover(months: Months, grant: Grant, today: date) -> Cover:
    """What a grant comes to: without a cap it covers; with one while each month of it is at or below the cap for certain."""
    said = f"{grant.kind.replace('_', ' ')} {grant.id} of {grant.from_} ({grant.document.name})"
    if grant.cap is None:
        return Cover("granted", f"{said}, without a cap")
    reading = next(r for r in months.group.readings.readings if r.name == grant.cap.reading)
    names = _products_of(months.group, grant) if grant.cap.of == "covered" else None
    said = f"{said}, capped at {grant.cap.users:,} by the reading {reading.name}"
    by_month = list[tuple[Result, str]]()
    for month in _months_of(grant, today):
        result: Result = "undetermined"
        about = f"nothing was contributed for {month:%Y-%m}"
        try:
            measured = months.of(month, reading)
            found = months.people(measured, reading, names) if measured else None
        except RefusedError as error:
            found = None
            about = str(error)
        if found is not None:
            result = decide(grant.cap.users, found.lower, found.upper)
            upper = "no upper bound" if found.upper is None else f"{found.upper:,}"
            about = f"{found.lower:,} to {upper} people in {month:%Y-%m}"
        by_month.append((result, about))
    for worst, how in (("over", "above it"), ("undetermined", "not at or below it for certain")):
        if about_it := [about for result, about in by_month if result == worst]:
            more = f" and in {len(about_it) - 1} months more" if len(about_it) > 1 else ""
            return Cover("over" if worst == "over" else "undetermined", f"{said}: {how}, {about_it[-1]}{more}")
    return Cover("granted", f"{said}: at or below it to {_months_of(grant, today)[-1]:%Y-%m}")


def _months_of(grant: Grant, today: date) -> list[date]:
    """The months that a cap is about: from the one in which the grant begins to the last that is over."""
    last = month_before(today)
    return months_between(min(grant.from_, last), last)


def _products_of(group: Group, grant: Grant) -> set[str]:
    return {str(ref) for ref in group.products if grant.is_for(*ref)}


def exempt(entry: LicenceEntry, clause: Clause, found: Sequence[Use], taken: Sequence[AcceptedVersion]) -> str | None:
    """Why the text leaves these uses out; nothing where it doesn't, for one of them or because the licence was accepted."""
    reaching = [exemption for exemption in (*clause.exemptions, *entry.exemptions) if exemption.integrated_end_user_product]
    bases = [use.model.integrated_end_user_product for use in found]
    if not reaching or not found or taken or not all(bases):
        return None
    said = "; ".join(dict.fromkeys(f"{basis.basis} ({basis.document})" for basis in bases if basis))
    return f"section {reaching[0].section} leaves out who has it inside an integrated end-user product: {said}"


def due_reports(grant: Grant, today: date) -> Iterator[tuple[str, date]]:
    """Each reporting duty of a grant, and the day on which it is due next; or was, where it doesn't come again."""
    for duty in grant.reporting:
        # From the first day on, and not from the one before: after 31 January and 28 February comes 31 March.
        later = (add_months(duty.due, n * (duty.every_months or 0)) for n in count())
        yield duty.duty, duty.due if not duty.every_months else next(day for day in later if day >= today)
