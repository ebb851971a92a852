"""What the page of alerts reads: each alert with what happened to it, who was told and whether it arrived, who has seen it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from pipelines.store import alert_log, page_rows
from pipelines.store.engine import Store
from pipelines.store.page_rows import Row


@dataclass(frozen=True)
class AlertEvent:
    """Something that happened to an alert."""

    at: datetime
    action: str
    """raised, lowered, cleared, found, ended, escalated, acknowledged, closed or set_aside."""
    level: str
    subjects: tuple[str, ...]
    by: str | None
    """Who acknowledged or closed it."""
    reason: str | None
    """Why it was closed."""
    matter: str | None
    note: str | None


@dataclass(frozen=True)
class AlertMessage:
    """A message about an alert, without its text."""

    channel: str
    address: int
    """Which of the channel's addresses, from 0; addresses themselves aren't in the store."""
    created_at: datetime
    attempts: int
    outcome: str
    """waiting, sending, sent, failed or superseded."""
    said: str | None
    """What kind of failure."""
    at: datetime | None
    """When the last attempt was."""

    @property
    def arrived(self) -> bool:
        """Whether the channel has accepted it."""
        return self.outcome == "sent"


@dataclass(frozen=True)
class Alert:
    """An alert from its first transition to its last. Numbers are those of the last transition, in people."""

    number: int
    """As in `mauwatch alerts` and `/alerts/NUMBER`."""
    kind: str
    """threshold, missing_data, unusual_data, failed_run, definition_change or jump."""
    rule: str
    """Whose threshold, as family/threshold; empty for alerts about data."""
    reading: str
    level: str
    is_open: bool
    subjects: tuple[str, ...]
    as_of: date | None
    estimate: int | None
    lower: int | None
    upper: int | None
    threshold: int | None
    within_year: float | None
    """Null without a forecast; the probability of the outlook that was published then."""
    within_quarter: float | None
    acknowledged_by: str | None
    opened_at: datetime
    changed_at: datetime
    events: tuple[AlertEvent, ...]
    """In order."""
    messages: tuple[AlertMessage, ...]
    """In order."""


def history(store: Store) -> tuple[Alert, ...]:
    """All alerts, open ones first, then by their last change, the newest first."""
    return _alerts(store, page_rows.transitions(store), page_rows.messages(store))


def alert(store: Store, number: int) -> Alert | None:
    """The alert of a number; null for a number that no alert has."""
    found = _alerts(store, page_rows.transitions(store, number), page_rows.messages(store, number))
    return found[0] if found else None


def _alerts(store: Store, transitions: Iterable[Row], messages: Iterable[Row]) -> tuple[Alert, ...]:
    by_number: dict[int, list[Row]] = {}
    for row in transitions:
        by_number.setdefault(row["opened"], []).append(row)
    told: dict[int, list[AlertMessage]] = {}
    for row in messages:
        told.setdefault(row["opened"], []).append(_message(row))
    # An alert's last transition is its state; one that is raised again after it was over has another number.
    open_numbers = {transition.opened for transition in alert_log.current(store).values() if transition.is_open}
    alerts = [_alert(number, rows, tuple(told.get(number, ())), number in open_numbers) for number, rows in by_number.items()]
    return tuple(sorted(alerts, key=lambda one: (one.is_open, one.changed_at), reverse=True))


def _alert(number: int, rows: list[Row], messages: tuple[AlertMessage, ...], is_open: bool) -> Alert:
    last = rows[-1]
    same = (
        "kind",
        "rule",
        "reading",
        "level",
        "as_of",
        "estimate",
        "lower",
        "upper",
        "threshold",
        "within_year",
        "within_quarter",
    )
    return Alert(
        number=number,
        **{name: last[name] for name in same},
        is_open=is_open,
        subjects=tuple(last["subjects"].splitlines()),
        acknowledged_by=last["acknowledged_by"],
        opened_at=rows[0]["known_at"],
        changed_at=last["known_at"],
        events=tuple(_event(row) for row in rows),
        messages=messages,
    )


def _event(row: Row) -> AlertEvent:
    who = {"acknowledged": row["acknowledged_by"], "closed": row["closed_by"]}.get(row["action"])
    return AlertEvent(
        row["known_at"],
        row["action"],
        row["level"],
        tuple(row["subjects"].splitlines()),
        who,
        row["reason_code"],
        row["matter"],
        row["note"],
    )


def _message(row: Row) -> AlertMessage:
    return AlertMessage(
        row["channel"],
        row["address"],
        row["created_at"],
        row["attempt"] or 0,
        row["outcome"] or "waiting",
        row["said"],
        row["at"],
    )
