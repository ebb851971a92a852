"""Months that are signed by readings which readings.yaml doesn't have any more: no other reading takes their figures' place."""

from collections.abc import Collection, Mapping
from datetime import date

from affiliates.errors import Code, Refusal, RefusedError
from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from pipelines.runbook import Finding, Page
from pipelines.store import publications
from pipelines.store.engine import Store
from pipelines.store.publications import Publication

InForce = Mapping[tuple[date, str], Publication]
"""By month and reading, the publication in force."""


def gone(in_force: InForce, group: Group) -> dict[date, list[Publication]]:
    """By month, the signed publications of readings that the group doesn't have; months that were signed since are left out."""
    known = {reading.name for reading in group.readings.readings}
    by_month: dict[date, list[Publication]] = {}
    for (month, name), publication in sorted(in_force.items(), key=lambda item: item[0]):
        if publication.signed and name not in known and not any(_is_since(o, publication, known) for o in in_force.values()):
            by_month.setdefault(month, []).append(publication)
    return by_month


def _is_since(other: Publication, publication: Publication, known: Collection[str]) -> bool:
    """Whether somebody has signed the publication's month since, by a reading of these names. One act signs all readings."""
    is_later = other.id > publication.id and other.known_at != publication.known_at
    return is_later and other.month == publication.month and other.signed and other.reading in known


def standing(in_force: InForce, group: Group, month: date, reading: Reading) -> tuple[Reading, Publication] | None:
    """What of a signed month stands in the place of a reading that nobody has signed the month by; None where nothing does.

    A signed reading that the group has comes before one that it doesn't have. The latter is known by its name alone: it is given
    with the settings of `reading`, and the figures are as they were signed.
    """
    signed = {name: publication for (of_month, name), publication in in_force.items() if of_month == month and publication.signed}
    if not signed or reading.name in signed:
        return None
    for known in group.readings.readings:
        if known.name in signed:
            return known, signed[known.name]
    last = max(signed.values(), key=lambda publication: publication.id)
    return reading.model_copy(update={"name": last.reading}), last


def describe(publication: Publication, reading: Reading, known: Collection[str]) -> str:
    """One sentence: that a month is shown as it was signed, by another reading than the one in question."""
    lacking = "" if publication.reading in known else ", which readings.yaml doesn't have any more"
    return (
        f"{publication.month:%Y-%m} is {publication.state} by the reading {publication.reading}{lacking}, and not by "
        f"{reading.name}: the signed figure is shown"
    )


def findings(store: Store, group: Group) -> list[Finding]:
    """A finding for each reading that is gone, with the months that are signed by it."""
    return [Finding(f"{refusal.subject}: {refusal.rule} ({refusal.values})", Page.READING) for refusal in mistakes(store, group)]


def mistakes(store: Store, group: Group) -> list[Refusal]:
    """The same as mistakes of readings.yaml."""
    months: dict[str, list[date]] = {}
    for month, publications_gone in gone(publications.in_force(store), group).items():
        for publication in publications_gone:
            months.setdefault(publication.reading, []).append(month)
    return [_refusal(name, of_reading) for name, of_reading in months.items()]


def refuse(publications_gone: Collection[Publication]) -> RefusedError:
    """The refusal of a figure by another reading than the gone ones that its month is signed by."""
    return RefusedError(*(_refusal(publication.reading, [publication.month]) for publication in publications_gone))


def _refusal(name: str, months: Collection[date]) -> Refusal:
    listed = ", ".join(f"{month:%Y-%m}" for month in sorted(months)[:3])
    return Refusal(
        Code.READING_GONE,
        "readings.yaml",
        f"has no reading {name}, by which months are signed: their signed figures stand",
        f"{len(months)} {'months' if len(months) > 1 else 'month'}: {listed}{' …' if len(months) > 3 else ''}",
        f"name {name} again, or have the months signed by another reading: mauwatch close MONTH --by NAME --restates REASON",
    )
