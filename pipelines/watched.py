"""What alerts watch: thresholds, and whose people each of them is about."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from affiliates.group import Group
from pipelines import clause_tests, granted, registry
from pipelines.entries import Clause, Entry
from pipelines.licences import FIRST_OF_ALL
from pipelines.registry import Registry

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
    clauses: tuple[tuple[Entry, Clause], ...]

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(entry.id for entry, _ in self.clauses)

    def tested_by(self, month: date) -> list[str]:
        """Names of the licences whose test is of a month."""
        return [
            entry.name if clause.tested_month else f"{entry.name} (every month)"
            for entry, clause in self.clauses
            if clause.tested_month in (None, month)
        ]


def rules(group: Group, known: Registry, today: date) -> tuple[Rule, ...]:
    """The thresholds of the licences that alerts.yaml names, or else of Llama's and of models in use: what another family asks
    of 10 M is no news to who has none of its models.

    A clause about a product, or about one licensee, is watched for those that use the model, or accepted its licence. Raises
    `Refused` for a licence that alerts.yaml names and that can't be watched.
    """
    registry.check_watched(group, known)
    named = set(group.alerting.licences)
    used = {use.model for _, _, use in granted.uses(group, today)}
    wanted = named or used | {entry.id for entry in known.entries if entry.family == FIRST_OF_ALL}
    found: dict[tuple[str, int, bool, str | None], list[tuple[Entry, Clause]]] = {}
    for entry in sorted(known.entries, key=lambda entry: (entry.released or date.min, entry.id)):
        for clause in entry.clauses:
            if entry.id in wanted and clause.by_one_month:
                assert clause.threshold is not None
                for subject in _subjects(group, entry, clause, today):
                    key = _slug(entry.family or entry.licensor), clause.threshold, clause.comparator == "gte", subject
                    found.setdefault(key, []).append((entry, clause))
    return tuple(
        Rule(_name(who, threshold, at_least, subject), threshold, at_least, subject, tuple(clauses))
        for (who, threshold, at_least, subject), clauses in found.items()
    )


def _subjects(group: Group, entry: Entry, clause: Clause, today: date) -> Iterable[str | None]:
    """Whom a clause asks about, once each; nobody where nobody is said to use the model or to have accepted its licence."""
    if clause.with_affiliates and clause.scope == "all":
        return [None]
    asked = (s for s in clause_tests.subjects(group, entry, clause, today) if s.unknown is None and s.names)
    return dict.fromkeys(s.product or s.licensee for s in asked)


def unwatched(group: Group, known: Registry, today: date) -> Iterator[str]:
    """Ids of licences in alerts.yaml that ask about products or a licensee, while nobody is said to use the model."""
    watched = {id_ for rule in rules(group, known, today) for id_ in rule.ids}
    yield from (name for name in group.alerting.licences if name not in watched)


def _name(who: str, threshold: int, at_least: bool, subject: str | None) -> str:
    name = f"{who}/{threshold}{'+' if at_least else ''}{f' {subject}' if subject else ''}"
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 9]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
