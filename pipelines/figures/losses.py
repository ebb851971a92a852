"""Periods whose earlier versions had many more users: what replaced them holds a part of them. Pure.

Late events only add users. A version that lacks more than a tenth of an earlier one's users, or all of them, was computed from a
part of the source: a file is gone, or was written again with its header alone.

A loss is none where it is said why: the product calls something else active (`active`, by its id or its version), and has users
still; or an order to erase was about the period. Under other settings, or the first crosswalk, fewer identifiers may be the same
people: then a loss is one of events, too. Not so where a crosswalk takes another one's place: whom the two join are the same
people, and a wrong join leaves all events.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from affiliates.crosswalks.snapshot import NO_CROSSWALK
from affiliates.periods import month_of
from affiliates.sketches.plausibility import SURE
from affiliates.sketches.registers import standard_error
from pipelines.store.product_days import ProductDay, Version

MISSED = 0.1
"""The share of an earlier version's users, or events, whose loss is told."""
ONE = 1
"""So many users may go from a period untold, if others stay: one person may have had their events deleted."""


@dataclass(frozen=True)
class Loss:
    """Periods of one month, each of which lacks many users that an earlier version had."""

    days: tuple[date, ...]
    """First days of the periods, in order."""
    users: int
    """Users of the current versions, added over the periods."""
    before: int
    """The most users that a version of each period had, added over the periods."""
    has_other_crosswalk: bool = False
    """Whether an earlier version of any of the periods was joined by another crosswalk."""

    @property
    def question(self) -> str:
        """What the loss may come from."""
        gone = "is a part of the source gone"
        return f"{gone}, or does the other crosswalk join several people?" if self.has_other_crosswalk else f"{gone}?"

    @property
    def first(self) -> date:
        """First day of the first period."""
        return self.days[0]

    @property
    def last(self) -> date:
        """First day of the last period."""
        return self.days[-1]

    def __str__(self) -> str:
        span = f"on {self.first}" if self.first == self.last else f"from {self.first} to {self.last}"
        has_gaps = len(self.days) < (self.last - self.first).days + 1
        on_days = f"on {len(self.days)} days " if has_gaps else ""
        return f"{self.users:,} users {on_days}{span}, {self.before:,} by an earlier version"


def find(periods: Sequence[ProductDay], label: str | None = None) -> list[Loss]:
    """The losses among a product's periods of one grain, which are in order: one for each month, in order of time.

    `label`: ID/VERSION of what the manifest calls active; null where no manifest says it.
    """
    lossy = [
        (period, before) for period in periods if (before := most_before(period, label)) is not None and _is_lossy(period, before)
    ]
    losses = list[Loss]()
    for _, of_month in groupby(lossy, key=lambda pair: month_of(pair[0].day)):
        pairs = list(of_month)
        users = sum(period.users or 0 for period, _ in pairs)
        has_other = any(_is_joined_otherwise(version, period.versions[-1]) for period, _ in pairs for version in period.versions)
        losses.append(Loss(tuple(period.day for period, _ in pairs), users, sum(before for _, before in pairs), has_other))
    return losses


def days_of(losses: Collection[Loss]) -> set[date]:
    """First days of the periods that have lost users: no past that other days are compared with."""
    return {day for loss in losses for day in loss.days}


def most_before(period: ProductDay, label: str | None) -> int | None:
    """The most users that an earlier version had, of those that can be compared with the current one; null for none."""
    known = [
        version.users
        for version in period.versions[:-1]
        if version.users is not None
        # No definition explains that nobody is left.
        and (
            _is_comparable(version, period.versions[-1], label)
            or (period.users == 0 and _is_defined_otherwise(version, period.versions[-1], label))
        )
    ]
    return max(known, default=None)


def _is_comparable(earlier: Version, current: Version, label: str | None) -> bool:
    """Whether nothing that was said explains fewer users."""
    if _is_defined_otherwise(earlier, current, label):
        return False
    if _is_joined_otherwise(earlier, current):
        return True
    if earlier.settings != current.settings and earlier.events is not None and current.events is not None:
        # Whom a crosswalk joins, or two spellings that are one now, is one user in the place of several, with all events.
        return current.events < (1 - MISSED) * earlier.events
    return True


def _is_defined_otherwise(earlier: Version, current: Version, label: str | None) -> bool:
    """Whether the current version is of what the manifest calls active, and the earlier one of something else."""
    return earlier.definition != current.definition == label


def _is_joined_otherwise(earlier: Version, current: Version) -> bool:
    """Whether the crosswalk of one version took the place of the other's."""
    before, after = earlier.settings[1], current.settings[1]
    return before != after and NO_CROSSWALK not in (before, after)


def _is_lossy(period: ProductDay, before: int) -> bool:
    """Whether a period lacks more of the users before than chance and one deleted person explain; nobody is left: always."""
    if period.users is None or period.users >= before:
        return False
    if period.users == 0:
        return True
    # A difference of two estimates errs by the root of two.
    sure = SURE * math.sqrt(2) * standard_error(period.lg_k, before)
    return before - period.users > max(MISSED * before, sure, ONE)
