"""From bounds to a result, and what a grant or an exemption makes of it. Pure."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from pipelines.counting.figure import Coverage

Result = Literal["under", "over", "undetermined", "not_measured", "granted", "exempt"]
STANDS: tuple[Result, ...] = ("under", "granted", "exempt")
"""Results on which a product's use of a model stands; on any other nobody knows, or it is over."""


@dataclass(frozen=True)
class ReadingResult:
    """A test's result under one reading."""

    result: Result
    estimate: int | None
    lower: int | None
    upper: int | None
    of_record: bool
    settled_by: tuple[str, ...] = ()
    """What would settle an undetermined or not measured test."""
    headroom: int | None = None
    """Threshold less estimate, users: below zero where it is exceeded."""
    coverage: Coverage | None = None
    complete: bool = False
    found: Result | None = None
    """What the test itself found, where a grant or an exemption stands in its place."""
    why: tuple[str, ...] = ()
    """Why the result is this one: grants, exemptions, and what bounds stand for."""

    def to_dict(self) -> dict[str, Any]:
        coverage = asdict(self.coverage) if self.coverage else None
        return vars(self) | {"settled_by": list(self.settled_by), "why": list(self.why), "coverage": coverage}


@dataclass(frozen=True)
class Cover:
    """A grant that covers what is tested: what it comes to, and why."""

    result: Result
    said: str


def decide(threshold: int, lower: int | None, upper: int | None, comparator: str = "gt") -> Result:
    """The result of "more than `threshold`" (gte: "that or more"): without an upper bound nothing is `under`."""
    most = threshold if comparator == "gt" else threshold - 1
    if upper is not None and upper <= most:
        return "under"
    if lower is not None and lower > most:
        return "over"
    return "undetermined"


def not_measured(of_record: bool, *settled_by: str) -> ReadingResult:
    return ReadingResult("not_measured", None, None, None, of_record, settled_by)


def covered(outcome: ReadingResult, grants: Iterable[Cover], exempt: str | None) -> ReadingResult:
    """The outcome under the grants that cover it; each is enough by itself, and where there are any, they decide."""
    if exempt is not None:
        return replace(outcome, result="exempt", found=outcome.result, why=(*outcome.why, exempt))
    order: list[Result] = ["granted", "undetermined", "over"]
    found = sorted(grants, key=lambda cover: order.index(cover.result))
    if not found:
        return outcome
    why = (*outcome.why, *(cover.said for cover in found))
    return replace(outcome, result=found[0].result, found=outcome.result, why=why)
