"""The outbox: messages wait here from the moment their figure is published until somebody has them.

A message is put here in the transaction of what it tells of, so no crash comes between the two. Whoever sends one first notes
that it is being sent, and until when nobody else may; then that it was sent. A sender that is killed in between leaves a
message that is sent again, by the same key.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pipelines.store import schema
from pipelines.store.engine import Store

SENDING = "sending"
SENT = "sent"
FAILED = "failed"
SUPERSEDED = "superseded"
_DONE = SENT, SUPERSEDED
LEASE = timedelta(minutes=5)
"""How long a message is one sender's; apprise gives up after one minute."""
_LONGEST = timedelta(hours=6)
_ORDER = {"none": 0, "watch": 1, "prepare": 2, "act": 3, "over": 4}


@dataclass(frozen=True)
class Message:
    """What one address of a channel is to be told, and how far that has come."""

    id: int
    key: str
    channel: str
    address: int
    payload: Mapping[str, Any]
    created_at: datetime
    opened: int
    """Number of the alert."""
    action: str
    level: str
    attempt: int = 0
    outcome: str | None = None
    sender: str | None = None
    until: datetime | None = None

    @property
    def done(self) -> bool:
        return self.outcome in _DONE


@dataclass(frozen=True)
class NewMessage:
    """A message to be."""

    key: str
    transition: int
    channel: str
    address: int
    payload: Mapping[str, Any]


def append(store: Store, new: Sequence[NewMessage], now: datetime) -> None:
    """Put messages into the outbox, in the transaction of what they tell of."""
    rows = [vars(n) | {"payload": json.dumps(n.payload, ensure_ascii=False), "created_at": now} for n in new]
    with store.writing() as connection:
        if rows:
            connection.execute(schema.outbox.insert(), rows)


def read(store: Store) -> list[Message]:
    """All messages about alerts of which some message isn't delivered, in their order."""
    o = schema.outbox.c
    i = schema.incidents.c
    d = schema.deliveries.c
    done = sa.select(d.message).where(d.outcome.in_(_DONE))
    about = sa.select(i.opened).join_from(schema.outbox, schema.incidents, o.transition == i.id).where(o.id.not_in(done))
    latest = schema.current(schema.deliveries, "message")
    wanted = (
        sa.select(o.id, o.key, o.channel, o.address, o.payload, o.created_at, i.opened, i.action, i.level)
        .add_columns(d.attempt, d.outcome, d.sender, d.until)
        .join_from(schema.outbox, schema.incidents, o.transition == i.id)
        .outerjoin(schema.deliveries, sa.and_(d.message == o.id, d.id.in_(latest)))
        .where(i.opened.in_(about))
        .order_by(o.id)
    )
    with store.reading() as connection:
        return [_message(row) for row in connection.execute(wanted).mappings()]


def _message(row: sa.RowMapping) -> Message:
    said = json.loads(row["payload"])  # A late message tells what its alert had come to before: not the row's own action.
    told = {"payload": said, "action": said["action"], "level": said["level"], "attempt": row["attempt"] or 0}
    return Message(**{**row, **told})


def channels_reached(store: Store, opened: Sequence[int]) -> dict[int, dict[str, datetime]]:
    """By an alert's number, the channels that a message of it was put here for, and when the first one was."""
    o = schema.outbox.c
    i = schema.incidents.c
    wanted = (
        sa.select(i.opened, o.channel, sa.func.min(o.created_at).label("at"))
        .join_from(schema.outbox, schema.incidents, o.transition == i.id)
        .where(i.opened.in_(opened))
        .group_by(i.opened, o.channel)
    )
    found: dict[int, dict[str, datetime]] = {}
    with store.reading() as connection:
        for row in connection.execute(wanted):
            found.setdefault(row.opened, {})[row.channel] = row.at
    return found


def superseded(messages: Sequence[Message]) -> Iterator[Message]:
    """Those that nobody has to be told any more, since the same address is told of a worse level of the same alert."""
    for m in messages:
        worse = (
            n.id > m.id and n.action == "raised" and _ORDER.get(n.level, 0) > _ORDER.get(m.level, 0) and _place(n) == _place(m)
            for n in messages
        )
        if m.action == "raised" and not m.done and m.outcome != SENDING and any(worse):
            yield m


def due(messages: Sequence[Message], now: datetime, gone: Callable[[str], bool]) -> Iterator[Message]:
    """Those that may be sent now: of one alert and address in their order, no two at once, a failed one when its time has
    come. `gone`: whether a sender has ended."""
    held = set[tuple[int, str, int]]()
    for m in messages:
        if m.done or _place(m) in held:
            continue
        held.add(_place(m))
        over = m.until is None or m.until <= now
        if m.outcome is None or over or (m.outcome == SENDING and m.sender is not None and gone(m.sender)):
            yield m


def _place(message: Message) -> tuple[int, str, int]:
    return message.opened, message.channel, message.address


def take(store: Store, now: datetime, sender: str, gone: Callable[[str], bool]) -> Message | None:
    """The next message that may be sent, and that from now on nobody else sends."""
    with store.writing() as connection:
        within = Store(store.engine, connection, writes=True)
        messages = read(within)
        passed = list(superseded(messages))
        for message in passed:
            _note(connection, message, SUPERSEDED, sender, now)
        left = [m for m in messages if m not in passed]
        taken = next(due(left, now, gone), None)
        if taken is not None:
            taken = Message(**{**vars(taken), "attempt": taken.attempt + 1, "outcome": SENDING, "sender": sender})
            _note(connection, taken, SENDING, sender, now, until=now + LEASE)
    return taken


def note(store: Store, message: Message, sender: str, now: datetime, failure: str | None) -> None:
    """What became of an attempt: without a failure it was sent, else it is tried again after a while."""
    until = None if failure is None else now + min(timedelta(minutes=2 ** min(message.attempt - 1, 10)), _LONGEST)
    with store.writing() as connection:
        _note(connection, message, SENT if failure is None else FAILED, sender, now, failure, until)


def _note(
    connection: sa.Connection,
    message: Message,
    outcome: str,
    sender: str,
    now: datetime,
    said: str | None = None,
    until: datetime | None = None,
) -> None:
    row = {"message": message.id, "attempt": message.attempt, "outcome": outcome, "sender": sender}
    connection.execute(schema.deliveries.insert(), [row | {"said": said, "at": now, "until": until}])
