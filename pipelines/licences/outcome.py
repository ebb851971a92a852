"""From bounds to a result, and what a grant or an exemption makes of it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Literal

from pipelines.counting.figure import Coverage
from pipelines.licences.settling import Settling

Result = Literal["under", "over", "undetermined", "not_measured", "granted", "exempt"]
STANDS: tuple[Result, ...] = ("under", "granted", "exempt")
"""Results on which a product's use of a model stands; with any other result the use is over, or nobody knows."""


@dataclass(frozen=True)
class ReadingResult:
    """A test's result under one reading."""

    result: Result
    """What counts, after grants and exemptions."""
    estimate: int | None
    lower: int | None
    upper: int | None
    of_record: bool
    """Whether the reading is the group's reading of record."""
    settled_by: tuple[str, ...] = ()
    """What would settle an undetermined or not measured test."""
    headroom: int | None = None
    """Threshold less estimate, in users: below zero where the estimate is over the threshold."""
    threshold: int | None = None
    coverage: Coverage | None = None
    complete: bool = False
    without_grants: Result | None = None
    """The test's own result, where a grant or an exemption stands in its place; in JSON `found`."""
    why: tuple[str, ...] = ()
    """Why the result is this one: grants, exemptions, and what bounds stand for."""
    settling: Settling | None = None
    """How far an undetermined test is from a result, and what could bring it there; `settled_by` says the same in words."""

    @property
    def least_headroom(self) -> int | None:
        """Threshold less upper bound; null where there is none."""
        return None if self.threshold is None or self.upper is None else self.threshold - self.upper

    @property
    def most_headroom(self) -> int | None:
        """Threshold less lower bound."""
        return None if self.threshold is None or self.lower is None else self.threshold - self.lower

    def to_dict(self) -> dict[str, Any]:
        """The result as `licences --json` and evidence write it."""
        return {
            "result": self.result,
            "estimate": self.estimate,
            "lower": self.lower,
            "upper": self.upper,
            "of_record": self.of_record,
            "settled_by": list(self.settled_by),
            "headroom": self.headroom,
            "headroom_lower": self.least_headroom,
            "headroom_upper": self.most_headroom,
            "coverage": asdict(self.coverage) if self.coverage else None,
            "complete": self.complete,
            "found": self.without_grants,
            "why": list(self.why),
            "settling": self.settling.to_dict() if self.settling else None,
        }


@dataclass(frozen=True)
class ClauseFinding:
    """The results of one clause for a product."""

    clause: str
    """The clause's id, or the host's clause and its document."""
    licensee: str
    month: date | None
    """First day of the tested month; null for a clause that isn't tested by a month."""
    threshold: int | None
    effect_over: str | None
    """What holds over the threshold, by the text."""
    readings: Mapping[str, ReadingResult]
    """By the reading's name."""
    licensor: str = ""
    """Who has to be asked over the threshold: who grants the licence, or whose terms have the clause."""
    comparator: str = "gt"
    """`gt`: only more than the threshold is over; `gte`: the threshold itself is."""
    needs: str | None = None
    """Why the clause isn't tested, and what a test would need; null for a clause that is tested."""

    is_of_host: bool = False
    """Whether the clause is one of the host's own, which comes with the model."""

    @property
    def most_under(self) -> int | None:
        """The most people that are still under the threshold; null for a clause without one."""
        return self.threshold if self.threshold is None or self.comparator == "gt" else self.threshold - 1

    def to_dict(self) -> dict[str, Any]:
        """The finding as `licences --json` writes it."""
        return {
            "clause": self.clause,
            "licensee": self.licensee,
            "month": f"{self.month:%Y-%m}" if self.month else None,
            "threshold": self.threshold,
            "effect_over": self.effect_over,
            "readings": {name: outcome.to_dict() for name, outcome in self.readings.items()},
            "licensor": self.licensor,
            "comparator": self.comparator,
            "needs": self.needs,
        }


@dataclass(frozen=True)
class Cover:
    """A grant that covers what is tested: the result that the grant leads to, and why."""

    result: Result
    reason: str


def decide(threshold: int, lower: int | None, upper: int | None, comparator: str = "gt") -> Result:
    """The result of "more than `threshold`" (gte: "that or more") for people between two bounds.

    `under` needs an upper bound, `over` a lower one; where the threshold lies between them the result is `undetermined`. So a
    gap, which leaves no upper bound, can never lead to `under` (decision 3).
    """
    # The most people that are still under: people are whole numbers, so "that or more" is "more than one less".
    most = threshold if comparator == "gt" else threshold - 1
    if upper is not None and upper <= most:
        return "under"
    if lower is not None and lower > most:
        return "over"
    return "undetermined"


def not_measured(of_record: bool, *settled_by: str) -> ReadingResult:
    """The result of a test without numbers; `settled_by`: what would have to be known for the test."""
    return ReadingResult("not_measured", None, None, None, of_record, settled_by)


def covered(outcome: ReadingResult, grants: Iterable[Cover], exempt: str | None) -> ReadingResult:
    """The outcome under the grants that cover the test, or the exemption's text if there is one (decision 53).

    Each grant is enough by itself, so the best one's result counts; where there are any, the test's own result doesn't.
    """
    if exempt is not None:
        return replace(outcome, result="exempt", without_grants=outcome.result, why=(*outcome.why, exempt))
    best_first: list[Result] = ["granted", "undetermined", "over"]
    covers = sorted(grants, key=lambda cover: best_first.index(cover.result))
    if not covers:
        return outcome
    why = (*outcome.why, *(cover.reason for cover in covers))
    return replace(outcome, result=covers[0].result, without_grants=outcome.result, why=why)
