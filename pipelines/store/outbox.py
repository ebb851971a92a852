"""The outbox: messages wait here from the moment when their figure is published until their channel has accepted them.

A message is stored in the transaction of the transition that it is about, so no crash comes between the two. A sender first
notes an attempt, with a time until which nobody else may send the message (a lease), then the attempt's outcome. A sender
that is killed between the two leaves a message that is sent again: delivery is at least once, and the message's key stays
the same, by which a reader knows a repeat.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pipelines.store import schema
from pipelines.store.engine import Store
from pipelines.store.recipient import Recipient

# Values of `deliveries.outcome`.
SENDING = "sending"
SENT = "sent"
FAILED = "failed"
SUPERSEDED = "superseded"
_DONE = (SENT, SUPERSEDED)

LEASE = timedelta(minutes=5)
"""How long a message belongs to one sender, who gives up long before."""
_LONGEST_WAIT = timedelta(hours=6)
"""Between two attempts at most."""
_SEVERITY = {"none": 0, "watch": 1, "prepare": 2, "act": 3, "over": 4}


@dataclass(frozen=True)
class Message:
    """A message to one address of a channel, and the state of its delivery."""

    id: int
    key: str
    """The same at each attempt."""
    channel: str
    """The channel's name in alerts.yaml."""
    address: int
    """Which of the channel's addresses, from 0: addresses themselves never lie in the store."""
    payload: Mapping[str, Any]
    """Title and texts, with figures and without."""
    created_at: datetime
    opened: int
    """Number of the alert."""
    action: str
    """What happened to the alert, as the message says."""
    level: str
    """The alert's level, as the message says."""
    attempt: int = 0
    """The last attempt's number, from 1; 0 before the first."""
    outcome: str | None = None
    """The last attempt's outcome; null before the first."""
    sender: str | None = None
    """The last attempt's process, as `process_identity` names it."""
    until: datetime | None = None
    """While sending: the end of the lease. After a failure: the time of the next attempt."""

    @property
    def recipient(self) -> Recipient:
        """The channel, and which of its addresses."""
        return Recipient(self.channel, self.address)

    @property
    def done(self) -> bool:
        """Whether nothing is left to send: sent, or superseded."""
        return self.outcome in _DONE


@dataclass(frozen=True)
class NewMessage:
    """A message to be stored."""

    key: str
    transition: int
    """Number of the transition that the message is about."""
    channel: str
    address: int
    payload: Mapping[str, Any]


def append(store: Store, new: Sequence[NewMessage], now: datetime) -> None:
    """Store messages; with a store that writes, in the transaction of the transitions that they are about."""
    rows = [vars(n) | {"payload": json.dumps(n.payload, ensure_ascii=False), "created_at": now} for n in new]
    with store.writing() as connection:
        if rows:
            connection.execute(schema.outbox.insert(), rows)


def read(store: Store) -> list[Message]:
    """All messages about the alerts that have an undelivered message, in the order of their numbers.

    Delivered ones, too: `superseded` and `due` compare the messages of one alert with each other.
    """
    message = schema.outbox.c
    transition = schema.incidents.c
    delivery = schema.deliveries.c
    done = sa.select(delivery.message).where(delivery.outcome.in_(_DONE))
    about = (
        sa.select(transition.opened)
        .join_from(schema.outbox, schema.incidents, message.transition == transition.id)
        .where(message.id.not_in(done))
    )
    latest = schema.current(schema.deliveries, "message")
    wanted = (
        sa.select(
            message.id,
            message.key,
            message.channel,
            message.address,
            message.payload,
            message.created_at,
            transition.opened,
            transition.action,
            transition.level,
        )
        .add_columns(delivery.attempt, delivery.outcome, delivery.sender, delivery.until)
        .join_from(schema.outbox, schema.incidents, message.transition == transition.id)
        .outerjoin(schema.deliveries, sa.and_(delivery.message == message.id, delivery.id.in_(latest)))
        .where(transition.opened.in_(about))
        .order_by(message.id)
    )
    with store.reading() as connection:
        return [_message(row) for row in connection.execute(wanted).mappings()]


def _message(row: sa.RowMapping) -> Message:
    payload = json.loads(row["payload"])
    # A channel that was named later gets a message about an open alert: its action and level aren't its transition's.
    about = {"payload": payload, "action": payload["action"], "level": payload["level"], "attempt": row["attempt"] or 0}
    return Message(**{**row, **about})


def channels_reached(store: Store, opened: Sequence[int]) -> dict[int, dict[str, datetime]]:
    """By alert's number, the channels that have a message about the alert, with the time of the first message.

    `opened`: the numbers of the alerts.
    """
    message = schema.outbox.c
    transition = schema.incidents.c
    wanted = (
        sa.select(transition.opened, message.channel, sa.func.min(message.created_at).label("at"))
        .join_from(schema.outbox, schema.incidents, message.transition == transition.id)
        .where(transition.opened.in_(opened))
        .group_by(transition.opened, message.channel)
    )
    channels: dict[int, dict[str, datetime]] = {}
    with store.reading() as connection:
        for row in connection.execute(wanted):
            channels.setdefault(row.opened, {})[row.channel] = row.at
    return channels


def superseded(messages: Sequence[Message]) -> Iterator[Message]:
    """The messages that nobody needs any more: a newer one tells the same address of a worse level of the same alert."""
    for message in messages:
        # One that is being sent may have arrived already: its sender notes the outcome.
        if message.action != "raised" or message.done or message.outcome == SENDING:
            continue
        if any(_is_worse(other, message) for other in messages):
            yield message


def _is_worse(other: Message, message: Message) -> bool:
    """Whether a message raises the same alert for the same address to a higher level, later."""
    higher = _SEVERITY.get(other.level, 0) > _SEVERITY.get(message.level, 0)
    return other.id > message.id and other.action == "raised" and higher and _line(other) == _line(message)


def due(messages: Sequence[Message], now: datetime, gone: Callable[[str], bool]) -> Iterator[Message]:
    """The messages that may be sent now, in the order of their numbers.

    `gone`: whether a process, by its identity, has ended. For one alert and address the oldest message alone is due, so that
    nobody reads "cleared" before "raised". A failed one is due when its time has come; one that is being sent, when its lease
    is over or its sender has ended.
    """
    waiting = set[tuple[int, Recipient]]()
    for message in messages:
        if message.done or _line(message) in waiting:
            continue
        waiting.add(_line(message))
        # No wait is longer: a moment further ahead was noted by a clock that was ahead.
        over = message.until is None or not now < message.until <= now + _LONGEST_WAIT
        abandoned = message.outcome == SENDING and message.sender is not None and gone(message.sender)
        if message.outcome is None or over or abandoned:
            yield message


def _line(message: Message) -> tuple[int, Recipient]:
    """The alert and the address: messages that agree in them are sent one after the other."""
    return message.opened, message.recipient


def take(
    store: Store, now: datetime, sender: str, gone: Callable[[str], bool], without: Collection[Recipient] = ()
) -> Message | None:
    """Take the next message that is due: for the lease nobody else sends it. Null where none is due.

    `sender`: this process's identity. `gone`: as in `due`. `without`: addresses that get none now. Messages that are
    superseded are noted as such on the way.
    """
    with store.writing() as connection:
        within = Store(store.engine, connection, writes=True)
        messages = read(within)
        passed = list(superseded(messages))
        for message in passed:
            _note(connection, message, SUPERSEDED, sender, now)
        left = [m for m in messages if m not in passed]
        taken = next((message for message in due(left, now, gone) if message.recipient not in without), None)
        if taken is not None:
            taken = Message(**{**vars(taken), "attempt": taken.attempt + 1, "outcome": SENDING, "sender": sender})
            _note(connection, taken, SENDING, sender, now, until=now + LEASE)
    return taken


def note(store: Store, message: Message, sender: str, now: datetime, failure: str | None) -> None:
    """Store an attempt's outcome: sent where `failure` is null, else failed, and due again after a while.

    The wait doubles from one minute with each attempt, up to six hours. `failure`: what kind it is, never an address.
    """
    # Two to the tenth minutes are more than six hours; a higher power would end in a number that no timedelta holds.
    until = None if failure is None else now + min(timedelta(minutes=2 ** min(message.attempt - 1, 10)), _LONGEST_WAIT)
    with store.writing() as connection:
        _note(connection, message, SENT if failure is None else FAILED, sender, now, failure, until)


def _note(
    connection: sa.Connection,
    message: Message,
    outcome: str,
    sender: str,
    now: datetime,
    failure: str | None = None,
    until: datetime | None = None,
) -> None:
    row = {"message": message.id, "attempt": message.attempt, "outcome": outcome, "sender": sender}
    connection.execute(schema.deliveries.insert(), [row | {"said": failure, "at": now, "until": until}])
