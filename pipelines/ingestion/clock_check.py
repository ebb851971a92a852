"""Whether this machine's clock can be right, by what the store holds; and what to make of moments that are still to come."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from affiliates.errors import Code, refused
from affiliates.periods import clock_fault
from pipelines.runbook import Finding, Page
from pipelines.store import moments
from pipelines.store.engine import Store
from pipelines.store.moments import ComingMoments
from pipelines.workspace import Workspace

LONGEST_PAUSE = timedelta(days=5 * 365)
"""Nobody counts with a store that was left alone for longer: then the clock is ahead."""


@dataclass(frozen=True)
class ClockVerdict:
    """What speaks against this machine's clock."""

    findings: tuple[Finding, ...] = ()
    fault: str | None = None
    """Why the clock is wrong for certain; None where it needn't be."""
    is_behind: bool = False
    """Whether the store shows that the clock is behind: it has users of days that haven't begun."""

    @property
    def is_usable(self) -> bool:
        """Whether anything may be computed and stored at this time."""
        return self.fault is None

    @property
    def is_fine(self) -> bool:
        """Whether nothing speaks against the clock."""
        return not self.findings


def look(store: Store | None, now: datetime) -> ClockVerdict:
    """The verdict on a clock that shows `now`, by the store; changes nothing."""
    if fault := clock_fault(now):
        return _unusable(fault)
    if store is None:
        return ClockVerdict()
    written = moments.last_written(store)
    if written is not None and now > written + LONGEST_PAUSE:
        return _unusable(f"{now:%Y-%m-%d %H:%M} UTC lies over five years after the store was last written, on {written:%Y-%m-%d}")
    coming = moments.coming(store, now)
    return ClockVerdict(tuple(_contradictions(coming, now)), is_behind=coming.lived is not None)


def require_usable(workspace: Workspace) -> ClockVerdict:
    """The verdict as `settle` gives it. Raises `RefusedError` where the clock is wrong for certain."""
    verdict = settle(workspace)
    if not verdict.is_usable:
        refuse(verdict)
    return verdict


def refuse(verdict: ClockVerdict) -> NoReturn:
    """Raise the `RefusedError` of a clock that is wrong for certain."""
    raise refused(Code.CLOCK_WRONG, "this machine", "its clock is wrong", verdict.fault or "", "set the clock, and run it again")


def settle(workspace: Workspace) -> ClockVerdict:
    """The verdict on the machine's clock, before anything is computed or received.

    Contributions of moments that are still to come are set back (`moments.set_back`), unless the store shows that the clock is
    behind: people can't have been active on days that haven't begun.
    """
    store = workspace.store_if_any()
    now = workspace.now
    verdict = look(store, now)
    if store is not None and verdict.is_usable and not verdict.is_fine and not verdict.is_behind:
        moments.set_back(store, now)
    return verdict


def _unusable(fault: str) -> ClockVerdict:
    text = f"this machine's clock is wrong: {fault}; nothing is computed, stored or sent until the clock is set"
    return ClockVerdict((Finding(text, Page.CLOCK),), fault)


def _contradictions(coming: ComingMoments, now: datetime) -> list[Finding]:
    """The findings about moments of the store that are still to come."""
    findings = []
    shown = f"{now:%Y-%m-%d %H:%M} UTC"
    if coming.lived is not None:
        text = f"this machine's clock is behind: it shows {shown}, and the store has users of {coming.lived}"
        findings.append(Finding(text, Page.CLOCK))
    if coming.newest is not None:
        parts = [f"{len(coming.computed)} contributions"] if coming.computed else []
        months = sorted({f"{entry.month:%Y-%m}" for entry in coming.published})
        parts += [f"the figures of {', '.join(months[:3])}{' …' if len(months) > 3 else ''}"] if months else []
        text = (
            f"the store has {' and '.join(parts)} of a moment that is still to come, {coming.newest:%Y-%m-%d %H:%M} UTC: this "
            f"machine's clock, which shows {shown}, is behind, or a clock was ahead; they count as not settled"
        )
        findings.append(Finding(text, Page.CLOCK))
    for name in sorted({f"{entry.month:%Y-%m}" for entry in coming.published if entry.signed}):
        restate = f"`mauwatch close {name} --by NAME --restates REASON` signs the month again"
        findings.append(Finding(f"{name} was signed at a moment that is still to come: {restate}", Page.CLOCK))
    return findings
