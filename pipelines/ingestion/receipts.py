"""What became of a file that was handed in, and the content of its receipt: no identifier, and no key."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, Refusal
from affiliates.periods import month_of
from pipelines.ingestion.inbox import Offer, State, state_digest
from pipelines.ingestion.replacement import ContributionId
from pipelines.ingestion.staging import StagedCopy
from pipelines.records import Outcome
from pipelines.store.contributions import HandedInFile

PROTOCOL = "mauwatch-receipt-1"
MOST_REFUSALS = 200
"""Refusals that a receipt lists: a file of 100,000 rows can be wrong in each of them."""

# Rules of refusals.
OTHERS = "another affiliate's"
NOT_SIGNED = "it isn't signed"
WRONG_SIGNATURE = "its signature is no key's of the sender"
NO_ENTITY = "its sender is no entity"

_OUTCOME_WORDS = {"new": "new", "replaced": "replaced", "confirmed": "the same", "unchanged": "the same", "older": "older"}
"""A receipt's word for each outcome; `erased` has none, since a file with an erased contribution is refused before."""


@dataclass
class ReceivedFile:
    """One file that was handed in, and what became of the file."""

    offer: Offer
    changed_at: int = 0
    """When the file was last written, before the copy: nanoseconds since 1970."""
    state: State = ()
    """The file's state before the copy."""
    copy: StagedCopy | None = None
    """The copy that is judged; None where there is none."""
    rows: pl.DataFrame | None = None
    """The copy's rows, where they were read already and are few; None else."""
    sha256: str = ""
    """The copy's digest (hex); empty without a copy."""
    sender: str | None = None
    """The affiliate that hands the file in, as far as known."""
    bound_by: str = ""
    """What binds the sender to the file: the inbox's folder, an option or the file itself, and perhaps a signature."""
    ambiguous: list[ContributionId] = field(default_factory=list)
    """Periods that another file of the same call holds with other users."""
    contributions: list[dict[str, Any]] = field(default_factory=list)
    """What the receipt says of each contribution."""
    months: set[date] = field(default_factory=set)
    """First days of the months that the contributions are about."""
    refusals: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """`refused` or `accepted`: a file is accepted whole or not at all."""
        return "refused" if self.refusals else "accepted"

    @property
    def written(self) -> dict[str, Any]:
        """What the receipt says of the file as it lay there: when it was last written, and its state."""
        return {"changed_at": self.changed_at, "state": state_digest(self.state)}

    @property
    def handed(self) -> HandedInFile:
        """What the store's own receipt says of the file."""
        return HandedInFile(self.offer.name, self.sha256, self.sender, self.bound_by)

    def number(self, word: str) -> int:
        """How many contributions had an outcome: `new`, `replaced`, `the same` or `older`."""
        return sum(entry["outcome"] == word for entry in self.contributions)

    def accept(self, outcomes: Sequence[tuple[Contribution, Outcome]]) -> None:
        """Note that the file was accepted, and what became of each contribution."""
        self.contributions = [_entry(contribution, outcome) for contribution, outcome in outcomes]
        self.months = {month_of(contribution.activity_date) for contribution, _ in outcomes}

    def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Note why the file was refused, up to `MOST_REFUSALS` reasons and the number of the others; with none it isn't."""
        self.refusals = list(refusals[:MOST_REFUSALS])
        if len(refusals) > MOST_REFUSALS:
            more = f"{len(refusals) - MOST_REFUSALS:,} reasons"
            self.refusals.append(
                Refusal(Code.CONTRIBUTION_MORE_WRONG, self.offer.name, "more of it is wrong", more, "correct these first")
            )

    def receipt(self, received_at: datetime) -> dict[str, Any]:
        """The receipt's content, ready for JSON. The keys are stable: affiliates' programs read them."""
        return {
            "receipt": PROTOCOL,
            "file": self.offer.name,
            "sha256": self.sha256,
            **self.written,
            "sender": self.sender,
            "bound_by": self.bound_by,
            "received_at": received_at.isoformat(),
            "outcome": self.outcome,
            "contributions": self.contributions,
            "refusals": [refusal.to_dict() for refusal in self.refusals],
            "warnings": self.warnings,
        }


def _entry(contribution: Contribution, outcome: Outcome) -> dict[str, Any]:
    """What a receipt says of one contribution; its estimate adds namespaces up, as people may be in several."""
    estimate = sum(part.registers.bounds().estimate for part in contribution.parts if part.audience == "external")
    return {
        "subject": contribution.subject,
        "key_epoch": contribution.key_epoch,
        "digest": contribution.digest,
        "outcome": _OUTCOME_WORDS[outcome.kind],
        "replaced": outcome.replaced,
        "estimate": round(estimate),
    }
