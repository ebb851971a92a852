"""What a run did for one product, as values. Nothing heavy is imported: a run that finds nothing new reads no event."""

from dataclasses import dataclass, field
from datetime import date
from typing import Self

from affiliates.errors import Refusal
from affiliates.manifests.product import ProductRef
from pipelines.records import OutcomeCounts
from pipelines.runbook import DataFinding


@dataclass
class ProductRun:
    """What a run did for one product."""

    ref: ProductRef
    received: OutcomeCounts = field(default_factory=OutcomeCounts)
    periods: int = 0
    """How many contributions were computed, days' second ones among them."""
    missing: tuple[date, ...] = ()
    """Days that are missing (`pipelines.counting.missing`) in the store, and that the sources don't have either."""
    refusals: tuple[Refusal, ...] = ()
    unidentified: int = 0
    """Events of the computed periods without a usable identifier."""
    undecided: int = 0
    """Events of the computed periods that a condition left undecided."""
    excluded: int = 0
    """Events of the computed periods that `counts_when` leaves out, or of users of audiences that aren't contributed."""
    automated_users: int = 0
    """Automated users of the computed periods; of several computations the most that one of them has."""
    findings: tuple[DataFinding, ...] = ()
    """What the sources show and the store can't: known to the run alone that has computed the product."""
    left_out: tuple[str, ...] = ()
    """What lies where the sources point and isn't read: numbers of files with reasons."""

    @property
    def name(self) -> str:
        """The product, as affiliate/product."""
        return str(self.ref)

    def refuse(self, refusal: Refusal) -> None:
        """Add one refusal."""
        self.refusals += (refusal,)

    def add(self, other: Self) -> None:
        """Take in what was done for other periods of the same product; `missing` and `left_out` stay as they are."""
        before = vars(self.received)
        more = vars(other.received)
        self.received = OutcomeCounts(**{outcome: number + more[outcome] for outcome, number in before.items()})
        self.periods += other.periods
        self.refusals += tuple(new for new in other.refusals if str(new) not in map(str, self.refusals))
        self.findings += tuple(new for new in other.findings if new not in self.findings)
        self.unidentified += other.unidentified
        self.undecided += other.undecided
        self.excluded += other.excluded
        self.automated_users = max(self.automated_users, other.automated_users)
