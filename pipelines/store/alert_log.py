"""The log of alerts (table `incidents`): each transition is kept, and an alert's last transition is its state."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from affiliates.periods import LONGEST_RUN
from pipelines.store import schema
from pipelines.store.engine import Store
from pipelines.store.versions import last_id


class AlertKey(NamedTuple):
    """What an alert is about. The key has no place for a scenario: a scenario pages nobody."""

    kind: str
    """`threshold`, `missing_data`, `unusual_data`, `failed_run`, `definition_change` or `jump`."""
    rule: str = ""
    """Whose threshold, as family/threshold; empty for alerts about data."""
    reading: str = ""
    """The reading of record; empty where figures don't matter."""


@dataclass(frozen=True)
class Transition:
    """What happened to an alert, and its state from then on: a row of `incidents`, field by column. Figures are people."""

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
    """Given by `append`."""
    opened: int = 0
    """The alert's number: that of its first transition since it was last over. Given by `append`."""

    @property
    def key(self) -> AlertKey:
        """What the alert is about."""
        return AlertKey(self.kind, self.rule, self.reading)

    @property
    def is_open(self) -> bool:
        """Whether the alert is on: at any level but `none`."""
        return self.level != "none"


def current(store: Store) -> dict[AlertKey, Transition]:
    """Each alert's last transition, whether the alert is open or not, in the order of the alerts' numbers."""
    incidents = schema.incidents
    latest = schema.current(incidents, *AlertKey._fields)
    with store.reading() as connection:
        rows = connection.execute(sa.select(incidents).where(incidents.c.id.in_(latest)).order_by(incidents.c.opened)).mappings()
        transitions = [Transition(**row) for row in rows]
    return {transition.key: transition for transition in transitions}


def newest(store: Store) -> int:
    """The number of the newest transition of all alerts; 0 where there is none."""
    with store.reading() as connection:
        return last_id(connection, schema.incidents)


def history(store: Store, opened: int) -> list[Transition]:
    """All transitions of the alert with the number `opened`, in order."""
    incidents = schema.incidents
    with store.reading() as connection:
        rows = connection.execute(sa.select(incidents).where(incidents.c.opened == opened).order_by(incidents.c.id)).mappings()
        return [Transition(**row) for row in rows]


def append(store: Store, new: Sequence[Transition], before: Transition | None) -> list[Transition]:
    """Store transitions of one alert in their order; gives them with their numbers.

    `before`: the alert's last transition; null for a new alert.
    """
    noted = list[Transition]()
    with store.writing() as connection:
        number = last_id(connection, schema.incidents)
        for transition in new:
            number += 1
            # An alert that is raised again after it was over is a new one, with a number of its own.
            opened = before.opened if before is not None and before.is_open else number
            at = transition.known_at
            # A run that began earlier may look later. What a clock that was ahead has stored moves nothing.
            if before is not None and before.known_at - LONGEST_RUN <= at <= before.known_at:
                at = before.known_at + timedelta(microseconds=1)
            before = replace(transition, id=number, opened=opened, known_at=at)
            noted.append(before)
        if noted:
            connection.execute(schema.incidents.insert(), [asdict(transition) for transition in noted])
    return noted
