"""The thresholds that a scenario is tested by: its own, and those of clauses at releases still to come. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from affiliates.errors import Code, did_you_mean, refused
from affiliates.manifests.readings import Reading
from affiliates.periods import month_after, month_before, month_end, month_number
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.registry import Registry
from pipelines.licences.release_tests import LLAMA, Licence, releases
from pipelines.scenarios.changes import OtherClause, OtherThreshold
from pipelines.scenarios.definition import Definition

OWN = "threshold"
"""The id of a threshold that the scenario states itself."""


@dataclass(frozen=True)
class Threshold:
    """A number of people, and whether the number itself is over."""

    id: str
    name: str
    users: int
    comparator: str = "gt"

    @property
    def most_under(self) -> float:
        """The most people that are still under: an estimate of more is over."""
        return float(self.users) if self.comparator == "gt" else float(np.nextafter(self.users, 0))


@dataclass(frozen=True)
class Release:
    """A release still to come, and what it tests."""

    threshold: Threshold
    day: date
    assumed: bool
    """Whether nobody has named the day."""

    @property
    def month(self) -> date:
        """The month that the release tests."""
        return month_before(self.day)

    def membership_day(self, reading: Reading) -> date:
        """The day whose affiliates count, by a reading."""
        return self.day if reading.membership == "release_date" else month_end(self.month)


def stated(users: int, id_: str = OWN, name: str = "the scenario's threshold") -> Threshold:
    """A threshold that a scenario states."""
    return Threshold(id_, name, users)


def from_clause(registry: Registry, text: str, subject: str) -> Threshold:
    """The threshold of a clause, named licence or licence#clause. Raises `RefusedError` where there is no such threshold."""
    licence, _, wanted = text.partition("#")
    entry = registry.get(licence)
    if entry is None:
        known = [known.id for known in registry.entries]
        raise refused(Code.LICENCE_UNKNOWN, subject, "no such licence", did_you_mean(licence, known), "see: mauwatch licences")
    clauses = {c.id: c for c in entry.clauses if c.tested and c.by_one_month}
    if wanted and wanted not in clauses:
        hint = did_you_mean(wanted, clauses)
        raise refused(Code.LICENCE_UNTESTABLE, subject, "no such clause that one month decides", hint, "name another clause")
    if not clauses:
        raise refused(
            Code.LICENCE_UNTESTABLE, subject, "no clause of it is decided by one month's users", licence, "state a number"
        )
    chosen = clauses[wanted] if wanted else next((c for c in clauses.values() if c.group_snapshot), next(iter(clauses.values())))
    return _of_clause(entry, chosen)


def default_threshold(registry: Registry) -> Threshold:
    """The threshold of a scenario that names none: of the newest Llama version."""
    newest = [licence for licence in releases(registry) if licence.entry.family == LLAMA][-1]
    return _of_clause(newest.entry, newest.clause)


def threshold_of(registry: Registry, definition: Definition) -> Threshold:
    """The threshold of a scenario before its changes. Raises `RefusedError` for a clause that there isn't."""
    if definition.threshold is not None:
        return stated(definition.threshold)
    if definition.clause is not None:
        return from_clause(registry, definition.clause, f"scenario {definition.scenario}, `clause`")
    return default_threshold(registry)


def other_threshold(registry: Registry, change: OtherThreshold | OtherClause) -> Threshold:
    """The threshold that a change puts in the place of the scenario's. Raises `RefusedError` as `threshold_of`."""
    if isinstance(change, OtherThreshold):
        return stated(change.threshold, f"{OWN} after", "the threshold after the changes")
    return from_clause(registry, change.clause, change.label)


def releases_to_come(registry: Registry, definition: Definition, base: date, own: Sequence[Threshold]) -> list[Release]:
    """The tests still to come: of the scenario's own thresholds, and of each family's newest version whose clause tests a group.

    Without a day in the scenario each is tested on the day after the horizon's last month, which is assumed.
    """
    last = month_of_horizon(base, definition.horizon)
    days = sorted(set(definition.releases)) or [month_after(last)]
    thresholds = {t.id: t for t in own} | {t.id: t for t in map(_of_licence, _newest(releases(registry)))}
    return [Release(threshold, day, not definition.releases) for day in days for threshold in thresholds.values()]


def month_of_horizon(base: date, months: int) -> date:
    """The month so many months after the base month."""
    number = month_number(base) + months
    return date(number // 12, number % 12 + 1, 1)


def _newest(licences: Sequence[Licence]) -> list[Licence]:
    """The newest version of each family."""
    by_family = {licence.entry.family or licence.id: licence for licence in licences}
    return list(by_family.values())


def _of_licence(licence: Licence) -> Threshold:
    return _of_clause(licence.entry, licence.clause)


def _of_clause(entry: LicenceEntry, clause: Clause) -> Threshold:
    assert clause.threshold is not None  # A clause that is tested has both.
    assert clause.comparator in ("gt", "gte")
    return Threshold(f"{entry.id}#{clause.id}", entry.name, clause.threshold, clause.comparator)
