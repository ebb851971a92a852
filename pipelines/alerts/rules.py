"""What alerts watch: thresholds, and whose people each of them is about."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import DAY, month_end
from pipelines.licences import clause_tests, grants, registry
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.registry import Registry
from pipelines.licences.release_tests import LLAMA

_LONGEST = 140
"""Characters of a rule's name, in the store."""


@dataclass(frozen=True)
class Rule:
    """A threshold and whose people it is about: clauses of one family that ask the same of the same are one."""

    name: str
    """As family/threshold, and for a part of the group the part."""
    threshold: int
    at_least: bool
    """Whether the threshold itself is over it."""
    subject: str | None
    """An affiliate, or affiliate/product; null for the whole group."""
    clauses: tuple[tuple[LicenceEntry, Clause], ...]

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(entry.id for entry, _ in self.clauses)

    def tested_by(self, month: date) -> list[str]:
        """Names of the licences whose test is of a month."""
        found = [(entry, clause) for entry, clause in self.clauses if clause.tested_month in (None, month)]
        return [f"{entry.name}{_WHEN.get(clause.measured or '', '')}" for entry, clause in found]


_WHEN = {"any_month": " (every month)", "month_before_use": " (the month before use)"}


def rules(group: Group, known: Registry, days: Sequence[date], reading: Reading) -> tuple[Rule, ...]:
    """The thresholds of the licences that alerts.yaml names, or else of Llama's and of models in use: what another family asks
    of 10 M is no news to who has none of its models.

    A clause about a product, or about one licensee, is watched for those that use the model on one of these days, or accepted
    its licence: what has ended since was used in the month that is published now.
    """
    named = {name for name in group.alerting.licences if (entry := known.get(name)) and entry.watchable}
    used = {use.model.model for day in days for use in grants.uses(group, day, None, reading.control_share)}
    wanted = named or used | {entry.id for entry in known.entries if entry.family == LLAMA}
    found: dict[tuple[str, int, bool, str | None], list[tuple[LicenceEntry, Clause]]] = {}
    for entry in sorted(known.entries, key=lambda entry: (entry.released or date.min, entry.id)):
        for clause in entry.clauses:
            if entry.id in wanted and clause.by_one_month:
                assert clause.threshold is not None
                for subject in dict.fromkeys(s for day in days for s in _subjects(group, entry, clause, day, reading)):
                    key = _slug(entry.family or entry.licensor), clause.threshold, clause.comparator == "gte", subject
                    found.setdefault(key, []).append((entry, clause))
    return tuple(
        Rule(_name(who, threshold, at_least, subject), threshold, at_least, subject, tuple(clauses))
        for (who, threshold, at_least, subject), clauses in found.items()
    )


def days_of(group: Group, months: Iterable[date], today: date) -> list[date]:
    """The days on which to ask who uses what: today, each month's first and last, and the last ones of products and uses."""
    ends = {ended.to - DAY for product in group.products.values() for ended in (product, *product.models) if ended.to is not None}
    spans = [(month, month_end(month)) for month in months]
    within = {day for day in ends for first, last in spans if first <= day <= last}
    return sorted({today, *within, *(day for span in spans for day in span)})


def _subjects(group: Group, entry: LicenceEntry, clause: Clause, day: date, reading: Reading) -> Iterable[str | None]:
    """Whom a clause asks about, once each; nobody where nobody is said to use the model or to have accepted its licence."""
    if clause.with_affiliates and clause.scope == "all":
        return [None]
    found = clause_tests.subjects(group, entry, clause, day, reading.control_share)
    return dict.fromkeys(str(s.product or s.licensee) for s in found if s.unknown is None and s.names)


def unwatched(group: Group, known: Registry, today: date) -> list[str]:
    """What alerts.yaml names and nothing is watched of, and why: a licence that can't be, or one that nobody is said to use."""
    found = [str(refusal) for refusal in registry.not_watched(group, known)]
    watched = {id_ for rule in rules(group, known, [today], group.readings.reading_on(today)) for id_ in rule.ids}
    for name in group.alerting.licences:
        entry = known.get(name)
        if entry is not None and entry.watchable and name not in watched:
            found.append(
                f"alerts.yaml names {name}, which asks about who uses it, and no product is said to: nothing of it is watched"
            )
    return found


def _name(who: str, threshold: int, at_least: bool, subject: str | None) -> str:
    name = f"{who}/{threshold}{'+' if at_least else ''}{f' {subject}' if subject else ''}"
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
