"""What became of files that were handed in, and what their receipts say of it: no identifier, and no key."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, Refusal
from affiliates.periods import month_of
from pipelines.ingestion.inbox import Offer, Seen
from pipelines.records import Outcome
from pipelines.store.contributions import HandedInFile

PROTOCOL = "mauwatch-receipt-1"
MOST_REFUSALS = 200
"""That a receipt lists: a file of 100,000 rows can be wrong in each of them."""
OTHERS = "another affiliate's"
NOT_SIGNED = "it isn't signed"
WRONG_SIGNATURE = "its signature is no key's of the sender"
NO_ENTITY = "its sender is no entity"

_WORDS = {"new": "new", "replaced": "replaced", "confirmed": "the same", "unchanged": "the same", "older": "older"}
"""Of outcomes; a file with what was erased is refused before it has any."""


@dataclass
class ReceivedFile:
    """What became of one file."""

    offer: Offer
    changed_at: int = 0
    """When it was last written, before it was looked at: nanoseconds since 1970."""
    seen: Seen = ()
    """What lay there then."""
    sha256: str = ""
    sender: str | None = None
    bound_by: str = ""
    contributions: list[dict[str, Any]] = field(default_factory=list)
    """What the receipt says of each."""
    months: set[date] = field(default_factory=set)
    """First days of those that its contributions are about."""
    refusals: list[Refusal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        return "refused" if self.refusals else "accepted"

    @property
    def handed(self) -> HandedInFile:
        return HandedInFile(self.offer.name, self.sha256, self.sender, self.bound_by)

    def number(self, word: str) -> int:
        """How many contributions became this: new, replaced, the same or older."""
        return sum(told["outcome"] == word for told in self.contributions)

    def accept(self, found: Sequence[tuple[Contribution, Outcome]]) -> None:
        """Accepted, with what became of each contribution."""
        self.contributions = [_told(*each) for each in found]
        self.months = {month_of(contribution.activity_date) for contribution, _ in found}

    def refuse(self, found: Sequence[Refusal]) -> None:
        """Refused for these; of very many for the first."""
        self.refusals = list(found[:MOST_REFUSALS])
        if len(found) > MOST_REFUSALS:
            more = f"{len(found) - MOST_REFUSALS:,} reasons"
            self.refusals.append(
                Refusal(Code.CONTRIBUTION_MORE_WRONG, self.offer.name, "more of it is wrong", more, "correct these first")
            )

    def receipt(self, received_at: datetime) -> dict[str, Any]:
        """What the receipt says."""
        return {
            "receipt": PROTOCOL,
            "file": self.offer.name,
            "sha256": self.sha256,
            "changed_at": self.changed_at,
            "sender": self.sender,
            "bound_by": self.bound_by,
            "received_at": received_at.isoformat(),
            "outcome": self.outcome,
            "contributions": self.contributions,
            "refusals": [refusal.to_dict() for refusal in self.refusals],
            "warnings": self.warnings,
        }


def _told(found: Contribution, outcome: Outcome) -> dict[str, Any]:
    estimate = sum(part.registers.bounds().estimate for part in found.parts if part.audience == "external")
    return {
        "subject": found.subject,
        "key_epoch": found.key_epoch,
        "digest": found.digest,
        "outcome": _WORDS[outcome.kind],
        "replaced": outcome.replaced,
        "estimate": round(estimate),
    }
