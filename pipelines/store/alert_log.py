"""The door to alerts as they happened: transitions, each kept; the last one of an alert says how it is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from pipelines.store import schema
from pipelines.store.engine import Store
from pipelines.store.versions import last_id


class AlertKey(NamedTuple):
    """What an alert is about. There is no place in it for a scenario: those page nobody."""

    kind: str
    rule: str = ""
    reading: str = ""


@dataclass(frozen=True)
class Transition:
    """What happened to an alert, and how it is from then on; numbers are people."""

    kind: str
    rule: str
    reading: str
    action: str
    level: str
    subjects: str
    memory: str
    known_at: datetime
    as_of: date | None = None
    estimate: int | None = None
    lower: int | None = None
    upper: int | None = None
    threshold: int | None = None
    within_year: float | None = None
    within_quarter: float | None = None
    acknowledged_by: str | None = None
    closed_by: str | None = None
    reason_code: str | None = None
    matter: str | None = None
    note: str | None = None
    id: int = 0
    """Given by the store, as is `opened`."""
    opened: int = 0

    @property
    def key(self) -> AlertKey:
        return AlertKey(self.kind, self.rule, self.reading)

    @property
    def is_open(self) -> bool:
        return self.level != "none"


def current(store: Store) -> dict[AlertKey, Transition]:
    """How each alert is, open or not, in the order of their numbers."""
    i = schema.incidents
    latest = schema.current(i, *AlertKey._fields)
    with store.reading() as connection:
        rows = connection.execute(sa.select(i).where(i.c.id.in_(latest)).order_by(i.c.opened)).mappings()
        found = [Transition(**row) for row in rows]
    return {one.key: one for one in found}


def history(store: Store, opened: int) -> list[Transition]:
    """All that happened to an alert since it was opened, in order."""
    i = schema.incidents
    with store.reading() as connection:
        rows = connection.execute(sa.select(i).where(i.c.opened == opened).order_by(i.c.id)).mappings()
        return [Transition(**row) for row in rows]


def append(store: Store, new: Sequence[Transition], before: Transition | None) -> list[Transition]:
    """Note transitions of one alert in their order; `before`: how it was. Gives them their numbers."""
    noted = list[Transition]()
    with store.writing() as connection:
        number = last_id(connection, schema.incidents)
        for transition in new:
            number += 1
            opened = before.opened if before is not None and before.is_open else number
            at = transition.known_at
            if before is not None and at <= before.known_at:  # A run that began earlier may look later.
                at = before.known_at + timedelta(microseconds=1)
            before = replace(transition, id=number, opened=opened, known_at=at)
            noted.append(before)
        if noted:
            connection.execute(schema.incidents.insert(), [asdict(one) for one in noted])
    return noted
