"""Files of contributions: taken whole, or refused with every reason."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from affiliates import contribution
from affiliates.contribution import Contribution, end_of
from affiliates.group import Group
from affiliates.identity import GroupKey
from affiliates.refusal import Refusal, Refused


def settles_at(group: Group, affiliate: str, product: str, grain: str, activity_date: date, zone: str) -> datetime:
    """When a period's late events have arrived, by its product's `settles_after`."""
    found = group.product(affiliate, product)
    return end_of(grain, activity_date, zone) + timedelta(days=found.settles_after if found else 0)


def accept(
    paths: Sequence[Path], group: Group, key: GroupKey, crosswalk_digest: Callable[[date], str], now: datetime
) -> list[tuple[Contribution, datetime]]:
    """The contributions in the files, each with when its period settles.

    Raises `Refused` with every reason in all of the files: they are accepted together or not at all.
    """
    accepted: list[tuple[Contribution, datetime]] = []
    refusals: list[Refusal] = []
    for path in paths:
        for c in contribution.read(path):
            refusals.extend(contribution.check(c, group, key, crosswalk_digest, now))
            accepted.append((c, settles_at(group, c.affiliate, c.product, c.grain, c.activity_date, c.day_zone)))
    if refusals:
        raise Refused(refusals)
    return accepted
