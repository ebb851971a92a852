"""The rows that accepting contributions adds to the store. `rows` is pure: the current versions go in, the new rows come out."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from affiliates.contributions.contract import Contribution
from affiliates.periods import month_of
from pipelines.records import (
    SUBJECT_COLUMNS,
    AcceptedContribution,
    Outcome,
    OutcomeCounts,
    Period,
    Restatement,
    StoredContribution,
    outcome,
)
from pipelines.store import schema, sketches
from pipelines.store.sketches import PackedSketch

_ROWS = 2000
"""Rows sent at a time: a day's sketch can have a megabyte."""

_HANDED_OVER = ("digest", *(field.name for field in fields(Contribution) if field.name in schema.contributions.c))
"""The columns of `contributions` that follow from what an affiliate hands over: a contribution has them by these names."""


@dataclass
class Rows:
    """Rows to be added, by table and column; and the outcome of each contribution, in the order in which they came."""

    contributions: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    confirmations: list[dict[str, Any]] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def add(self, other: "Rows") -> None:
        """Take in the rows and outcomes of other contributions."""
        for name, new in vars(other).items():
            getattr(self, name).extend(new)

    @property
    def sketches(self) -> list[str]:
        """Digests of the sketches that the new parts name, each once."""
        return list(dict.fromkeys(part["sketch"] for part in self.parts))

    @property
    def received(self) -> OutcomeCounts:
        """How many contributions had each outcome."""
        return OutcomeCounts(**Counter[str](outcome.kind for outcome in self.outcomes))


def rows(
    received: Sequence[AcceptedContribution],
    current: Mapping[Period, StoredContribution],
    packed: Mapping[str, PackedSketch],
    next_id: int,
    known_at: datetime,
    seen: Mapping[date, str],
    sender: str | None = None,
    restated: Restatement | None = None,
    erased: Collection[Period] = (),
) -> Rows:
    """The rows of contributions, numbered from `next_id`.

    `current`: the current version of each period. `packed`: the sketches by digest. `seen`: as in
    `ContributionStore.append_contributions`. `sender`: the affiliate that handed the file in; null for what was computed here.
    `erased`: the periods that may not be contributed again.
    """
    new = Rows()
    for accepted in received:
        contribution = accepted.contribution
        before = current.get(accepted.period)
        result = Outcome("erased") if accepted.period in erased else outcome(accepted, before)
        new.outcomes.append(result)
        if result.kind in ("older", "erased"):
            continue
        # A day's second contribution is of the same files as its own, for which they are noted.
        if contribution.activity_date in seen and not accepted.next_epoch:
            subject = dict(zip(SUBJECT_COLUMNS, accepted.period, strict=False))
            new.seen.append(subject | {"files": seen[contribution.activity_date], "seen_at": known_at})
        if result.kind == "confirmed":
            assert before is not None
            new.confirmations.append(
                {"contribution_id": before.id, "computed_at": contribution.computed_at, "known_at": known_at}
            )
        elif result.kind != "unchanged":
            row = _contribution_row(accepted, sender, restated) | {"id": next_id, "known_at": known_at}
            new.contributions.append(row | {"supersedes": before.id if before else None})
            new.parts += [part | {"contribution_id": next_id} for part in _part_rows(contribution, packed)]
            next_id += 1
    return new


def write(connection: sa.Connection, rows: Rows, packed: Mapping[str, PackedSketch]) -> None:
    """Store contributions, parts, confirmations and the sketches that the parts name."""
    sketches.append(connection, {digest: packed[digest] for digest in rows.sketches})
    for table, new in (
        (schema.contributions, rows.contributions),
        (schema.parts, rows.parts),
        (schema.confirmations, rows.confirmations),
    ):
        for chunk in schema.chunks(new, _ROWS):
            connection.execute(table.insert(), chunk)


def copy_of(connection: sa.Connection, number: int, new_number: int, computed_at: datetime, known_at: datetime) -> None:
    """Store the contribution `number` once more under a new number, with the same sketches, as computed at another moment."""
    contributions = schema.contributions
    parts = schema.parts
    (row,) = connection.execute(sa.select(contributions).where(contributions.c.id == number)).mappings()
    changed = {"id": new_number, "supersedes": number, "computed_at": computed_at, "known_at": known_at}
    connection.execute(contributions.insert(), [{**row, **changed}])
    of_row = connection.execute(sa.select(parts).where(parts.c.contribution_id == number)).mappings()
    connection.execute(parts.insert(), [{**part, "contribution_id": new_number} for part in of_row])


def _contribution_row(accepted: AcceptedContribution, sender: str | None, restated: Restatement | None) -> dict[str, Any]:
    """A row of `contributions`, without the values that the store gives. A day's second contribution restates no month."""
    contribution = accepted.contribution
    own = {name: getattr(contribution, name) for name in _HANDED_OVER}
    changes = restated and not accepted.next_epoch and month_of(contribution.activity_date) in restated.months
    why = restated if changes else None
    return own | {
        "ahead": accepted.next_epoch,
        "key_fingerprint": accepted.key_fingerprint,
        "sender": sender,
        "reason": why.reason if why else None,
        "approved_by": why.by if why else None,
    }


def _part_rows(contribution: Contribution, packed: Mapping[str, PackedSketch]) -> list[dict[str, Any]]:
    return [
        {
            "audience": part.audience,
            "namespace": part.namespace,
            "sketch": part.registers.digest(),
            "events": part.events,
            "distinct_users": part.distinct_users,
            "estimate": packed[part.registers.digest()].estimate,
        }
        for part in contribution.parts
    ]
