"""Looking at what is published: what alerts follow from it, in the transaction that publishes it.

Only the months of the present are looked at, under the reading of record alone; all that they rest on is read from the store,
so a look that comes again changes nothing.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from affiliates.alerting import Alerting, Channel
from affiliates.group import Group, Reading
from affiliates.refusal import Refusal
from pipelines import alerts, incidents, licences, outbox, outlook, past, wording
from pipelines.alerts import Event, Level, Situation, State
from pipelines.counting import month_end
from pipelines.incidents import Key, Transition
from pipelines.licences import Licence
from pipelines.outlook import Outlook, Past
from pipelines.store import Store
from pipelines.wording import About

PRESENT = timedelta(days=100)
"""How long after its end a settled month is still looked at: older ones are a matter of licence tests."""
_BACK = 40
"""Months of the past that are read, for steps and forecasts."""

MISSING, FAILED = Key("missing_data"), Key("failed_run")
RUN = "mauwatch run"
"""The whole of it, beside Dagster's jobs."""
Forecast = Callable[[Sequence[Past], int], Outlook | None]


@dataclass(frozen=True)
class Facts:
    """What a whole run found that isn't in the store."""

    missing: Sequence[str] | None = None
    """Products (affiliate/product) of which days are over, settled and missing; null where only some days were looked at."""
    refused: Sequence[str] = ()
    """Products whose sources were refused."""


@dataclass(frozen=True)
class Rule:
    """A threshold that is watched: licences of one family that ask for the same are one."""

    name: str
    threshold: int
    licences: tuple[Licence, ...]


def rules(group: Group) -> tuple[Rule, ...]:
    """The thresholds of the licences that alerts.yaml names, or else of Llama's and of models in use: what another family asks
    of 10 M is no news to who has none of its models. Raises `Refusal` for one that isn't known."""
    named = group.alerting.licences
    known = {licence.id: licence for licence in licences.releases()}
    for name in named:
        if name not in known:
            raise Refusal("alerts.yaml: licences", "no such licence", f"{name}; there are {', '.join(known)}", "correct the name")
    used = {use.model for entity in group.entities.values() for product in entity.products for use in product.models}
    wanted = set(named) or used | {first.id for first in licences.first_of_all()}
    by_name: dict[tuple[str, int], list[Licence]] = {}
    for licence in known.values():
        if licence.id in wanted:
            assert licence.clause.threshold is not None
            by_name.setdefault((_slug(licence.entry.family or licence.entry.licensor), licence.clause.threshold), []).append(
                licence
            )
    return tuple(Rule(f"{who}/{threshold}", threshold, tuple(found)) for (who, threshold), found in by_name.items())


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def look(
    store: Store, group: Group, now: datetime, whole: bool = False, facts: Facts | None = None,
    forecast: Forecast = outlook.probabilities,
) -> None:  # fmt: skip
    """Take in what is published now; all in one transaction, which is the store's own if it has begun one.

    `whole`: all that can be is published, so a month that isn't is missing.
    """
    with store.writing() as connection:
        _Look(Store(store.engine, connection, writes=True), group, now, forecast).take(whole, facts)


@dataclass
class Roll:
    """Alerts as they are, and the way to note what happens to them with the messages that follow."""

    store: Store
    group: Group
    now: datetime
    current: dict[Key, Transition] = field(init=False)

    def __post_init__(self) -> None:
        self.current = incidents.current(self.store)

    def state(self, key: Key) -> State:
        return alerts.of_text(self.current[key].memory) if key in self.current else State()

    def note(
        self, key: Key, after: State, events: Sequence[Event], situation: Situation | None = None,
        about: Callable[[], About] | None = None, **signed: Any,
    ) -> None:  # fmt: skip
        """Note how an alert is now, if it isn't as it was; `signed`: closed_by, reason_code, matter, note."""
        before, was = self.current.get(key), self.state(key)
        if after == was and not events:
            return
        level = after.level.word if key.kind == "threshold" else "open" if after.subjects else "none"
        numbers = {n: getattr(situation, n) for n in _NUMBERS} if situation else {n: getattr(before, n, None) for n in _NUMBERS}
        made = Transition(
            kind=key.kind, rule=key.rule, reading=key.reading, action="looked", level=level, subjects="\n".join(after.subjects),
            memory=alerts.to_text(after), known_at=self.now, acknowledged_by=after.acknowledged_by, **numbers, **signed,
        )  # fmt: skip
        rows = [replace(made, action=event.action) for event in events]
        noted = incidents.append(self.store, rows or [made], before)
        self.current[key] = noted[-1]
        if events and self.group.alerting.channels:
            said = about() if about else About(self.group.settings.group, of_record=False)
            messages = [m for of, event in zip(noted, events, strict=True) for m in self._messages(of, event, was, said)]
            outbox.append(self.store, messages, noted[-1].known_at)

    def _messages(self, of: Transition, event: Event, was: State, about: About) -> Iterator[outbox.New]:
        for channel in channels_for(self.group.alerting, of.kind, event, was.escalated):
            for address in range(channel.addresses):
                named = f"{self.group.settings.group}\n{of.id}\n{of.known_at.isoformat()}\n{channel.name}\n{address}"
                key = hashlib.sha256(named.encode()).hexdigest()[:32]
                payload = wording.payload(of, event, about, self.group.alerting, key)
                yield outbox.New(key, of.id, channel.name, address, payload)


_NUMBERS = ("as_of", "threshold", "estimate", "lower", "upper", "within_year", "within_quarter")


def channels_for(rules_of: Alerting, kind: str, event: Event, escalated: bool) -> list[Channel]:
    """Who is told: of what nobody has acknowledged those for escalation, or everybody once more where there are none; and
    those then also hear how it ends."""
    fitting = [c for c in rules_of.channels if kind in c.gets and (kind != "threshold" or event.level.word in c.levels)]
    steps = [c for c in fitting if c.escalation]
    if event.action == "acknowledged":
        return []
    if event.action == "escalated":
        return steps or fitting
    return [c for c in fitting if not c.escalation or (escalated and event.action in ("cleared", "ended", "closed"))]


class _Look:
    """One look, within its transaction."""

    def __init__(self, store: Store, group: Group, now: datetime, forecast: Forecast) -> None:
        self.store, self.group, self.now, self.forecast = store, group, now, forecast
        self.today = now.astimezone(group.zone).date()
        self.reading: Reading = group.readings.shown_on(self.today)
        self.ledger = Roll(store, group, now)
        self.past = past.read(store, self.reading, _before(self.today.replace(day=1), _BACK))
        late = max((p.settles_after for e in group.entities.values() for p in e.products), default=0)
        self.since = self.today - PRESENT - timedelta(days=late)
        self.recent = [p for p in self.past if month_end(p.month) >= self.since and p.month <= self.today]

    def take(self, whole: bool, facts: Facts | None) -> None:
        changed = self._data("definition_change", self._changed_definitions())
        jumped = self._data("jump", self._jumps())
        if whole:
            named = facts.missing if facts else None
            self._found(
                MISSING, dict.fromkeys([*self._overdue(), *(named or ())], ""), lambda s: "/" not in s or named is not None
            )
        if facts is not None:
            self._found(FAILED, dict.fromkeys(facts.refused, ""), lambda s: "/" in s or s == RUN)
        doubted = {s[:7] for found in (changed, jumped) for s in found}
        frozen = any(self.ledger.state(Key(kind, "", self.reading.name)).is_open for kind in ("definition_change", "jump"))
        for rule in rules(self.group):
            self._threshold(rule, doubted, frozen)
        for key, of in list(self.ledger.current.items()):
            after, events = alerts.waited(self.ledger.state(key), self.now, self.group.alerting)
            if events:
                self.ledger.note(key, after, events, about=lambda of=of: self._about(of.as_of, None, ()))  # type: ignore[misc]

    def _data(self, kind: str, here: Mapping[str, str]) -> list[str]:
        """Takes in what makes months unlike those before, and says which of it nobody has confirmed."""
        key = Key(kind, "", self.reading.name)
        self._found(key, here, self._is_recent)
        return [subject for subject in here if subject not in self.ledger.state(key).confirmed]

    def _found(self, key: Key, here: Mapping[str, str], judged: Callable[[str], bool]) -> None:
        after, events = alerts.found(self.ledger.state(key), here, judged, self.now)
        lines = [here[s] for e in events for s in e.subjects if here.get(s)]
        self.ledger.note(key, after, events, about=lambda: About(self.group.settings.group, of_record=False, lines=lines))

    def _is_recent(self, subject: str) -> bool:
        return subject[:7] in {f"{p.month:%Y-%m}" for p in self.recent}

    def _jumps(self) -> dict[str, str]:
        """Months too far from the one before, and how far."""
        found = {}
        for number, p in enumerate(self.past):
            if p in self.recent and outlook.is_jump(self.past[: number + 1], self.group.alerting.jump):
                before, now = self.past[number - 1].estimate or 1, p.estimate or 0
                found[f"{p.month:%Y-%m}"] = f"{p.month:%Y-%m}: {now:,} people, {now / before - 1:+.1%} in a month"
        return found

    def _changed_definitions(self) -> dict[str, str]:
        """Months in which a product called something else active than in the month before, or that were counted otherwise."""
        months = {p.month: past.definitions(self.store, p.month) for p in self.recent}
        methods, found = {p.month: p.method for p in self.past}, list[str]()
        for month, here in months.items():
            last = _before(month, 1)
            there = months.get(last) or (past.definitions(self.store, last) if here else {})
            for product, labels in sorted(here.items()):
                found += [f"{month:%Y-%m} {product}: {label}" for label in sorted(labels - there.get(product, labels))]
            if methods.get(last, methods[month]) != methods[month]:
                found.append(f"{month:%Y-%m} all: counted by method {methods[month]}")
        return dict.fromkeys(found, "")

    def _overdue(self) -> Iterator[str]:
        """Months that are over, have settled, and have no upper bound or no figure at all."""
        bounded = {p.month for p in self.past if p.upper is not None}
        month = self.today.replace(day=1)
        while month_end(month := _before(month, 1)) >= self.since:
            last = month_end(month)
            members = self.group.affiliates(last, self.reading.control_share)
            due = [p for m in members for p in self.group.entities[m].products if p.due_between(month, last)]
            late = max((p.settles_after for p in due), default=0)
            if due and month not in bounded and self.today > last + timedelta(days=late + 1):
                yield f"{month:%Y-%m}"

    def _threshold(self, rule: Rule, doubted: set[str], frozen: bool) -> None:
        key, group = Key("threshold", rule.name, self.reading.name), self.group
        situations, crossing = list[Situation](), None
        for p in self.recent:
            seen = self.forecast([q for q in self.past if q.month <= p.month], rule.threshold) if p.upper is not None else None
            crossing = seen.crossing if seen else crossing
            year, quarter = (seen.within_year, seen.within_quarter) if seen else (None, None)
            found = Situation(month_end(p.month), "month", rule.threshold, p.estimate, p.lower, p.upper, year, quarter)
            situations.append(replace(found, doubted=f"{p.month:%Y-%m}" in doubted))
        looks = [alerts.look_of(s, group.alerting) for s in situations]
        after, events = alerts.look(self.ledger.state(key), looks, self.now, group.alerting, frozen)
        shown = _shown(situations, looks, events)
        self.ledger.note(key, after, events, shown, lambda: self._about(shown.as_of if shown else None, crossing, rule.licences))

    def _about(self, as_of: date | None, crossing: date | None, tested: Sequence[Licence]) -> About:
        month = as_of.replace(day=1) if as_of else None
        record = any(r.reading == self.reading.name and r.holds_on(self.today) for r in self.group.readings.of_record)
        products = past.products(self.store, self.reading, month) if month else []
        by = [licence.name for licence in tested if licence.measured_month == month]
        return About(self.group.settings.group, record, products, crossing, by)


def _shown(situations: Sequence[Situation], looks: Sequence[alerts.Look], events: Sequence[Event]) -> Situation | None:
    """The newest situation that speaks for what has happened."""
    reached = events[0].level if events and events[0].action == "raised" else Level.NONE
    for speaks in (lambda k: k.rises >= reached > Level.NONE, lambda k: k.holds is not None, lambda k: True):
        for s, k in zip(reversed(situations), reversed(looks), strict=True):
            if speaks(k) and not s.doubted:
                return s
    return situations[-1] if situations else None


def _before(month: date, number: int) -> date:
    """The first day of the month so many months before."""
    for _ in range(number):
        month = (month - timedelta(1)).replace(day=1)
    return month
