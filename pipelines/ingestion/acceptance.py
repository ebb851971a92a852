"""Whether contributions may be stored: files accepted whole, or refused with every reason."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

from affiliates.contributions import contract, validation
from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, Refusal, RefusedError
from affiliates.identity import epochs
from affiliates.identity.canaries import Canaries
from affiliates.manifests.group import Group, settles_at
from pipelines.records import AcceptedContribution

# Stricter than the store's columns need: PostgreSQL ends the whole transaction for a text that is too long or holds a zero
# byte, and a free text could carry somebody's address into a table that is never cleared of it.
_TEXTS = {
    "definition": r"[a-z0-9][a-z0-9_.-]{0,63}/[0-9]{1,6}",
    "definition_digest": r"[0-9a-f]{64}",
    "producer": r"[A-Za-z0-9][A-Za-z0-9 ,._+()/:-]{0,199}",
}
"""By field, the pattern of the texts of a stranger's file that the store keeps as they are."""


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
        reasons = [*_unstorable(contribution), *validation.refusals(contribution, group, canaries, crosswalk_digest, now)]
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


def _unstorable(contribution: Contribution) -> Iterator[Refusal]:
    """The refusal of texts that the store doesn't keep; the message names the columns, never a text."""
    texts = {name: getattr(contribution, name) for name in _TEXTS}
    wrong = [name for name, text in texts.items() if text is not None and not re.fullmatch(_TEXTS[name], text)]
    if wrong:
        subject = f"{contract.printable_ref(contribution.ref)}, {contribution.activity_date}"
        next_step = "write the definition as id/version, its digest in hex, and engine and version as the producer"
        yield Refusal(Code.CONTRIBUTION_VALUES_INVALID, subject, "a text isn't what it ought to be", ", ".join(wrong), next_step)
