"""Whether contributions may be stored: files accepted whole, or refused with every reason."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from pathlib import Path

from affiliates.contributions import contract, stated_texts, validation
from affiliates.contributions.contract import Contribution
from affiliates.errors import Refusal, RefusedError
from affiliates.identity import epochs
from affiliates.identity.canaries import Canaries
from affiliates.manifests.group import Group, settles_at
from pipelines.records import AcceptedContribution


def accept(
    paths: Sequence[Path],
    group: Group,
    canaries: Callable[[date], Canaries],
    crosswalk_digest: Callable[[date], str],
    now: datetime,
) -> list[AcceptedContribution]:
    """The contributions in files, each with the moment that its period settles and the key that its canary proved.

    `canaries` and `crosswalk_digest` give those of a month. Raises `RefusedError` with every reason in all of the files: they
    are accepted together or not at all.
    """
    contributions = [contribution for path in paths for contribution in contract.read(path)]
    accepted, refusals = check(contributions, group, canaries, crosswalk_digest, now)
    if refusals:
        raise RefusedError(*refusals)
    return accepted


def check(
    contributions: Iterable[Contribution],
    group: Group,
    canaries: Callable[[date], Canaries],
    crosswalk_digest: Callable[[date], str],
    now: datetime,
) -> tuple[list[AcceptedContribution], list[Refusal]]:
    """The contributions that may be stored, and every reason against the others."""
    accepted: list[AcceptedContribution] = []
    refusals: list[Refusal] = []
    for contribution in contributions:
        texts = stated_texts.refusal(contribution)
        reasons = [*([texts] if texts else []), *validation.refusals(contribution, group, canaries, crosswalk_digest, now)]
        refusals.extend(reasons)
        if not reasons:
            accepted.append(_accepted(contribution, group, canaries))
    return accepted, refusals


def _accepted(contribution: Contribution, group: Group, canaries: Callable[[date], Canaries]) -> AcceptedContribution:
    settles = settles_at(group, contribution.ref, contribution.grain, contribution.activity_date, contribution.day_zone)
    # A day before a change of the key may come under its own epoch's key or the next one's: the epoch that the contribution
    # names, and that its canary has proved, tells which of the two it is.
    period = group.settings, contribution.grain, contribution.activity_date, contribution.key_epoch
    fingerprint = canaries(epochs.key_month(*period)).fingerprint
    return AcceptedContribution(contribution, settles, fingerprint, epochs.is_next_epoch(*period))
