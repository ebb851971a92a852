"""What taking contributions does to the store, row by row. Pure: what is there goes in, what is added comes out."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

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
from pipelines.store import schema
from pipelines.store.sketches import PackedSketch


@dataclass
class Rows:
    """Rows to be added, and what they make of each contribution, in their order."""

    contributions: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    confirmations: list[dict[str, Any]] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def sketches(self) -> list[str]:
        """Digests of the sketches that the parts name."""
        return list(dict.fromkeys(part["sketch"] for part in self.parts))

    @property
    def received(self) -> OutcomeCounts:
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
    """The rows of contributions, numbered from `next_id`; `seen` as in `Warehouse.append_contributions`.

    `erased`: the periods that may not be contributed again.
    """
    made = Rows()
    for accepted in received:
        contribution = accepted.contribution
        before = current.get(accepted.period)
        found = Outcome("erased") if accepted.period in erased else outcome(accepted, before)
        made.outcomes.append(found)
        if found.kind in ("older", "erased"):
            continue
        if contribution.activity_date in seen and not accepted.next_epoch:
            about = dict(zip(SUBJECT_COLUMNS, accepted.period, strict=False))
            made.seen.append(about | {"files": seen[contribution.activity_date], "seen_at": known_at})
        if found.kind == "confirmed":
            assert before is not None
            made.confirmations.append(
                {"contribution_id": before.id, "computed_at": contribution.computed_at, "known_at": known_at}
            )
        elif found.kind != "unchanged":
            told = _told(accepted, sender, restated) | {"id": next_id, "known_at": known_at}
            made.contributions.append(
                told | {"key_fingerprint": accepted.key_fingerprint, "supersedes": before.id if before else None}
            )
            made.parts += [part | {"contribution_id": next_id} for part in _parts(contribution, packed)]
            next_id += 1
    return made


def _told(accepted: AcceptedContribution, sender: str | None, restated: Restatement | None) -> dict[str, Any]:
    """What a row of contributions says of the contribution, and of how it came here. A second one restates no month."""
    contribution = accepted.contribution
    own = {c.name: getattr(contribution, c.name) for c in schema.contributions.c if hasattr(contribution, c.name)}
    changes = restated and not accepted.next_epoch and month_of(contribution.activity_date) in restated.months
    why = restated if changes else None
    return own | {
        "ahead": accepted.next_epoch,
        "sender": sender,
        "reason": why.reason if why else None,
        "approved_by": why.by if why else None,
    }


def _parts(contribution: Contribution, packed: Mapping[str, PackedSketch]) -> list[dict[str, Any]]:
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
