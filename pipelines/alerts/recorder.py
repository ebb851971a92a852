"""Alerts as they stand, and the one way to record what happens to them: with the messages that follow, in one transaction."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from affiliates.manifests.alert_settings import Alerting, Channel
from affiliates.manifests.group import Group
from pipelines.alerts import messages
from pipelines.alerts.escalation import escalate, escalates_at
from pipelines.alerts.messages import About
from pipelines.alerts.state import Action, Event, Situation, State, from_text, to_text
from pipelines.store import alert_log, outbox
from pipelines.store.alert_log import AlertKey, Transition
from pipelines.store.engine import Store

_NO_NEWS = "looked"
"""The stored action of a transition that changes what an alert remembers, and of which nobody is told."""
_NUMBERS = ("as_of", "threshold", "estimate", "lower", "upper", "within_year", "within_quarter")
"""Fields of a situation that a transition keeps, by the same names."""
_KEY_LENGTH = 32
"""Hexadecimal characters of a message's key: 128 bits of its SHA-256."""


@dataclass
class AlertRecorder:
    """Alerts as they stand in a store, kept in step with what is recorded through it."""

    store: Store
    """Open for the transaction that all that is recorded belongs to."""
    group: Group
    now: datetime
    current: dict[AlertKey, Transition] = field(init=False)
    """The last transition of every alert, open or not."""
    _channels_told: dict[int, dict[str, datetime]] = field(init=False)
    """By number of an open alert: the channels that a message was stored for, and when the first one was."""

    def __post_init__(self) -> None:
        self.current = alert_log.current(self.store)
        opened = [alert.opened for alert in self.current.values() if alert.is_open]
        self._channels_told = outbox.channels_reached(self.store, opened)

    def state_of(self, key: AlertKey) -> State:
        """The state of an alert; of one that has never been, an empty state."""
        return from_text(self.current[key].memory) if key in self.current else State()

    def record(
        self,
        key: AlertKey,
        after: State,
        events: Sequence[Event],
        situation: Situation | None = None,
        about: Callable[[], About] | None = None,
        **signed: Any,
    ) -> None:
        """Record an alert's new state and the messages about its events, if the state isn't as it was.

        Without a `situation` the numbers stay those of the transition before. `about` is called only where there is somebody to
        tell: it reads the store. `signed`: closed_by, reason_code, matter, note.
        """
        before = self.current.get(key)
        state_before = self.state_of(key)
        if after == state_before and not events:
            return
        level = after.level.word if key.kind == "threshold" else "open" if after.subjects else "none"
        numbers: dict[str, Any] = {name: getattr(situation or before, name, None) for name in _NUMBERS}
        transition = Transition(
            kind=key.kind,
            rule=key.rule,
            reading=key.reading,
            action=_NO_NEWS,
            level=level,
            subjects="\n".join(after.subjects),
            memory=to_text(after),
            known_at=self.now,
            acknowledged_by=after.acknowledged_by,
            **numbers,
            **signed,
        )
        rows = [replace(transition, action=event.action) for event in events] or [transition]
        noted = alert_log.append(self.store, rows, before)
        self.current[key] = noted[-1]
        if events and self.group.alerting.channels:
            context = about() if about else About(self.group.settings.group, of_record=False)
            new = list[outbox.NewMessage]()
            for alert, event in zip(noted, events, strict=True):
                new += self._messages(alert, event, state_before, context)
            self._store_messages(new, noted[-1])

    def send_late(self, alert: Transition, about: Callable[[], About]) -> None:
        """Store messages of an open alert, which nobody has acknowledged, for channels that were named only after it happened.

        An alert raised before would else reach nobody, since nothing raises it again.
        """
        if not alert.is_open or alert.acknowledged_by:
            return
        state = self.state_of(alert.key)
        action: Action = "raised" if alert.kind == "threshold" else "found"
        events = [Event(action, state.level, state.level, state.subjects)]
        events += [replace(events[0], action="escalated")] if state.escalated else []
        reached = self._channels_told.get(alert.opened, {})
        alerting = self.group.alerting
        channels = {c.name for event in events for c in channels_for(alerting, alert.kind, event, state.escalated)}
        if channels - reached.keys():
            context = about()
            messages_by_key = {
                message.key: message
                for event in events
                for message in self._messages(alert, event, state, context)
                if message.channel not in reached
            }
            self._store_messages(list(messages_by_key.values()), alert)

    def first_sent(self, alert: Transition) -> datetime | None:
        """When the first message of an open alert was stored; null while no channel gets any."""
        return min(self._channels_told.get(alert.opened, {}).values(), default=None)

    def escalation_is_due(self) -> bool:
        """Whether nobody has acknowledged some alert for so long that the channels for escalation have to be told."""
        return any(
            escalate(self.state_of(key), self.now, self.group.alerting, self.first_sent(alert))[1]
            for key, alert in self.current.items()
        )

    def next_escalation(self) -> datetime | None:
        """When the channels for escalation are to be told next, if nothing else happens; null for never."""
        alerting = self.group.alerting
        by_alert = (escalates_at(self.state_of(key), alerting, self.first_sent(alert)) for key, alert in self.current.items())
        return min((at for at in by_alert if at is not None), default=None)

    def _store_messages(self, new: Sequence[outbox.NewMessage], alert: Transition) -> None:
        # The log moves a transition's moment on where a run that began earlier records later: messages keep that order.
        at = max(alert.known_at, self.now)
        outbox.append(self.store, new, at)
        for message in new:
            self._channels_told.setdefault(alert.opened, {}).setdefault(message.channel, at)

    def _messages(self, alert: Transition, event: Event, before: State, about: About) -> Iterator[outbox.NewMessage]:
        """A message for every address of every channel that is told of an event."""
        for channel in channels_for(self.group.alerting, alert.kind, event, before.escalated):
            for address in range(channel.addresses):
                # By what a message is about and to whom, so that the same message made again has the same key.
                identity = f"{self.group.settings.group}\n{alert.id}\n{alert.known_at.isoformat()}\n{channel.name}\n{address}"
                key = hashlib.sha256(identity.encode()).hexdigest()[:_KEY_LENGTH]
                payload = messages.payload(alert, event, about, self.group.alerting, key)
                yield outbox.NewMessage(key, alert.id, channel.name, address, payload)


def channels_for(alerting: Alerting, kind: str, event: Event, escalated: bool) -> list[Channel]:
    """The channels that are told of an event; nobody is told of an acknowledgement.

    Of an escalation: the channels for escalation, or everybody once more where there are none. Once `escalated`, those channels
    hear how the alert ends, too.
    """
    fitting = [c for c in alerting.channels if kind in c.gets and (kind != "threshold" or event.level.word in c.levels)]
    if event.action == "acknowledged":
        return []
    if event.action == "escalated":
        return [channel for channel in fitting if channel.escalation] or fitting
    ends = event.action in ("cleared", "ended", "closed", "set_aside")
    return [channel for channel in fitting if not channel.escalation or (escalated and ends)]
