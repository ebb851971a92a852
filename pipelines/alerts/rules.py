"""What alerts watch: the thresholds of licences, and whose people every threshold is about."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import DAY, month_end
from pipelines.licences import clause_tests, grants, registry
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.registry import Registry
from pipelines.licences.release_tests import LLAMA

_LONGEST_NAME = 140
"""Characters of a rule's name, in the store."""
_DIGEST = 8
"""Hexadecimal characters of a digest that stand for the end of a name that is too long."""


@dataclass(frozen=True)
class Rule:
    """A threshold and whose people it is about: clauses of one family that ask the same of the same subject are one rule."""

    name: str
    """As family/threshold, with `+` where the threshold itself is over, and after a blank the subject. A key of the store."""
    threshold: int
    at_least: bool
    """Whether the threshold itself is over it."""
    subject: str | None
    """An affiliate, or affiliate/product; null for the whole group."""
    clauses: tuple[tuple[LicenceEntry, Clause], ...]

    @property
    def licence_ids(self) -> frozenset[str]:
        """Ids of the licences whose clauses these are."""
        return frozenset(entry.id for entry, _ in self.clauses)

    def tested_by(self, month: date) -> list[str]:
        """Names of the licences whose test is of a month."""
        asking = [(entry, clause) for entry, clause in self.clauses if clause.tested_month in (None, month)]
        return [f"{entry.name}{_WHEN.get(clause.measured or '', '')}" for entry, clause in asking]


_WHEN = {"any_month": " (every month)", "month_before_use": " (the month before use)"}
"""After a licence's name in a message: when its clause measures, if not at a release."""


class _RuleKey(NamedTuple):
    """What clauses have in common that are one rule."""

    family: str
    threshold: int
    at_least: bool
    subject: str | None


def rules(group: Group, known: Registry, days: Sequence[date], reading: Reading) -> tuple[Rule, ...]:
    """The thresholds of the licences that alerts.yaml names, or else of Llama's and of models in use: what another family asks
    of 10 M is no news to who has none of its models.

    A clause about a product, or about one licensee, is watched for those that use the model on one of these days, or accepted
    its licence: what has ended since was used in the month that is published now.
    """
    # A name that can't be watched is a finding of `unwatched`; were nothing else named, Llama's would be watched all the same.
    named = {name for name in group.alerting.licences if (entry := known.get(name)) and entry.watchable}
    used = {use.model.model for day in days for use in grants.uses(group, day, None, reading.control_share)}
    wanted = named or used | {entry.id for entry in known.entries if entry.family == LLAMA}
    by_key: dict[_RuleKey, list[tuple[LicenceEntry, Clause]]] = {}
    # In the order of release, so that a rule's clauses, and with them a message, are the same in every run.
    for entry in sorted(known.entries, key=lambda entry: (entry.released or date.min, entry.id)):
        for clause in entry.clauses:
            if entry.id in wanted and clause.by_one_month:
                assert clause.threshold is not None  # For the type: `by_one_month` is true only where there is one.
                for subject in dict.fromkeys(s for day in days for s in _subjects(group, entry, clause, day, reading)):
                    family = _slug(entry.family or entry.licensor)
                    key = _RuleKey(family, clause.threshold, clause.comparator == "gte", subject)
                    by_key.setdefault(key, []).append((entry, clause))
    return tuple(Rule(_name(key), key.threshold, key.at_least, key.subject, tuple(clauses)) for key, clauses in by_key.items())


def days_of(group: Group, months: Iterable[date], today: date) -> list[date]:
    """The days on which to ask who uses what: today, each month's first and last, and the last days of products and of uses."""
    lives = [life for product in group.products.values() for life in (product, *product.models)]
    last_days = {life.to - DAY for life in lives if life.to is not None}
    spans = [(month, month_end(month)) for month in months]
    within = {day for day in last_days for first, last in spans if first <= day <= last}
    return sorted({today, *within, *(day for span in spans for day in span)})


def _subjects(group: Group, entry: LicenceEntry, clause: Clause, day: date, reading: Reading) -> Iterable[str | None]:
    """Whom a clause asks about, once each; nobody where no manifest names a user of the model or an acceptance."""
    if clause.with_affiliates and clause.scope == "all":
        return [None]
    subjects = clause_tests.subjects(group, entry, clause, day, reading.control_share)
    return dict.fromkeys(str(s.product or s.licensee) for s in subjects if s.unknown is None and s.names)


def unwatched(group: Group, known: Registry, today: date) -> Iterator[str]:
    """A finding for every licence that alerts.yaml names and alerts can't watch, or that no manifest names a user of."""
    for refusal in registry.not_watched(group, known):
        yield str(refusal)
    watched = {licence for rule in rules(group, known, [today], group.readings.reading_on(today)) for licence in rule.licence_ids}
    for name in group.alerting.licences:
        entry = known.get(name)
        if entry is not None and entry.watchable and name not in watched:
            yield f"alerts.yaml names {name}, which asks about who uses it, and no product is said to: nothing of it is watched"


def _name(key: _RuleKey) -> str:
    """A rule's name, shortened to what the store holds; the digest keeps two long names apart."""
    plus = "+" if key.at_least else ""
    subject = f" {key.subject}" if key.subject else ""
    name = f"{key.family}/{key.threshold}{plus}{subject}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 1 - _DIGEST]}~{hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]}"


def _slug(name: str) -> str:
    """A name in lower case, with one dash for whatever isn't a letter or digit."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
