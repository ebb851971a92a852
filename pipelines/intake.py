"""Files of contributions: taken whole, or refused with every reason."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from affiliates import contribution
from affiliates.canary import Canaries
from affiliates.contribution import Contribution, end_of
from affiliates.group import Group
from affiliates.refusal import Refusal, Refused
from pipelines.versions import Accepted


def settles_at(group: Group, affiliate: str, product: str, grain: str, activity_date: date, zone: str) -> datetime:
    """When a period's late events have arrived, by its product's `settles_after`."""
    found = group.product(affiliate, product)
    return end_of(grain, activity_date, zone) + timedelta(days=found.settles_after if found else 0)


def accept(
    paths: Sequence[Path],
    group: Group,
    canaries: Callable[[date], Canaries],
    crosswalk_digest: Callable[[date], str],
    now: datetime,
) -> list[Accepted]:
    """The contributions in the files, each with when its period settles and the key that its canary proved.

    Raises `Refused` with every reason in all of the files: they are accepted together or not at all.
    """
    found = [c for path in paths for c in contribution.read(path)]
    accepted, refusals = checked(found, group, canaries, crosswalk_digest, now)
    if refusals:
        raise Refused(refusals)
    return accepted


def checked(
    contributions: Iterable[Contribution],
    group: Group,
    canaries: Callable[[date], Canaries],
    crosswalk_digest: Callable[[date], str],
    now: datetime,
) -> tuple[list[Accepted], list[Refusal]]:
    """The contributions that may be stored, and every reason against the others."""
    accepted: list[Accepted] = []
    refusals: list[Refusal] = []
    for c in contributions:
        wrong = list(contribution.check(c, group, canaries, crosswalk_digest, now))
        refusals.extend(wrong)
        if not wrong:
            settles = settles_at(group, c.affiliate, c.product, c.grain, c.activity_date, c.day_zone)
            accepted.append(Accepted(c, settles, canaries(c.activity_date.replace(day=1)).fingerprint))
    return accepted, refusals
