"""Alerts as they are, and the one way to note what happens to them: with the messages that follow, in the same transaction."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from affiliates.manifests.alert_settings import Alerting, Channel
from affiliates.manifests.group import Group
from pipelines.alerts import messages as alerts_messages
from pipelines.alerts.messages import About
from pipelines.alerts.state import Action, Event, Situation, State, escalate, from_text, to_text
from pipelines.store import alert_log, outbox
from pipelines.store.alert_log import AlertKey, Transition
from pipelines.store.engine import Store


@dataclass
class AlertRecorder:
    """Alerts as they are, and the way to note what happens to them with the messages that follow."""

    store: Store
    group: Group
    now: datetime
    current: dict[AlertKey, Transition] = field(init=False)
    _told: dict[int, dict[str, datetime]] = field(init=False)
    """By number of an open alert, the channels that got a message of it, and when the first one."""

    def __post_init__(self) -> None:
        self.current = alert_log.current(self.store)
        self._told = outbox.channels_reached(self.store, [of.opened for of in self.current.values() if of.is_open])

    def state(self, key: AlertKey) -> State:
        return from_text(self.current[key].memory) if key in self.current else State()

    def note(
        self,
        key: AlertKey,
        after: State,
        events: Sequence[Event],
        situation: Situation | None = None,
        about: Callable[[], About] | None = None,
        **signed: Any,
    ) -> None:
        """Note how an alert is now, if it isn't as it was; `signed`: closed_by, reason_code, matter, note."""
        before = self.current.get(key)
        was = self.state(key)
        if after == was and not events:
            return
        level = after.level.word if key.kind == "threshold" else "open" if after.subjects else "none"
        numbers = {n: getattr(situation, n) for n in _NUMBERS} if situation else {n: getattr(before, n, None) for n in _NUMBERS}
        made = Transition(
            kind=key.kind,
            rule=key.rule,
            reading=key.reading,
            action="looked",
            level=level,
            subjects="\n".join(after.subjects),
            memory=to_text(after),
            known_at=self.now,
            acknowledged_by=after.acknowledged_by,
            **numbers,
            **signed,
        )
        rows = [replace(made, action=event.action) for event in events]
        noted = alert_log.append(self.store, rows or [made], before)
        self.current[key] = noted[-1]
        if events and self.group.alerting.channels:
            said = about() if about else About(self.group.settings.group, of_record=False)
            self._send(
                [m for of, event in zip(noted, events, strict=True) for m in self._messages(of, event, was, said)], noted[-1]
            )

    def tell_late(self, of: Transition, about: Callable[[], About]) -> None:
        """Tell of an open alert that nobody has acknowledged whoever couldn't be told when it happened: a channel that was named
        only later."""
        if not of.is_open or of.acknowledged_by:
            return
        state = self.state(of.key)
        action: Action = "raised" if of.kind == "threshold" else "found"
        events = [Event(action, state.level, state.level, state.subjects)]
        events += [replace(events[0], action="escalated")] if state.escalated else []
        told = self._told.get(of.opened, {})
        rules = self.group.alerting
        if any(c.name not in told for event in events for c in channels_for(rules, of.kind, event, state.escalated)):
            said = about()
            late = {m.key: m for event in events for m in self._messages(of, event, state, said) if m.channel not in told}
            self._send(list(late.values()), of)

    def told(self, of: Transition) -> datetime | None:
        """When somebody was first told of an open alert."""
        return min(self._told.get(of.opened, {}).values(), default=None)

    def waits(self) -> bool:
        """Whether nobody has acknowledged an alert for so long that it goes one step further."""
        return any(escalate(self.state(key), self.now, self.group.alerting, self.told(of))[1] for key, of in self.current.items())

    def _send(self, messages: Sequence[outbox.NewMessage], of: Transition) -> None:
        at = max(of.known_at, self.now)
        outbox.append(self.store, messages, at)
        for message in messages:
            self._told.setdefault(of.opened, {}).setdefault(message.channel, at)

    def _messages(self, of: Transition, event: Event, was: State, about: About) -> Iterator[outbox.NewMessage]:
        for channel in channels_for(self.group.alerting, of.kind, event, was.escalated):
            for address in range(channel.addresses):
                named = f"{self.group.settings.group}\n{of.id}\n{of.known_at.isoformat()}\n{channel.name}\n{address}"
                key = hashlib.sha256(named.encode()).hexdigest()[:32]
                payload = alerts_messages.payload(of, event, about, self.group.alerting, key)
                yield outbox.NewMessage(key, of.id, channel.name, address, payload)


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
    return [c for c in fitting if not c.escalation or (escalated and event.action in ("cleared", "ended", "closed", "set_aside"))]
