"""Files of contributions: taken whole, or refused with every reason."""

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

_TEXTS = {
    "definition": r"[a-z0-9][a-z0-9_.-]{0,63}/[0-9]{1,6}",
    "definition_digest": r"[0-9a-f]{64}",
    "producer": r"[A-Za-z0-9][A-Za-z0-9 ,._+()/:-]{0,199}",
}
"""What the store keeps of a stranger's words: no address, and nothing that a column can't hold."""


def accept(
    paths: Sequence[Path],
    group: Group,
    canaries: Callable[[date], Canaries],
    crosswalk_digest: Callable[[date], str],
    now: datetime,
) -> list[AcceptedContribution]:
    """The contributions in the files, each with when its period settles and the key that its canary proved.

    Raises `RefusedError` with every reason in all of the files: they are accepted together or not at all.
    """
    found = [c for path in paths for c in contract.read(path)]
    accepted, refusals = checked(found, group, canaries, crosswalk_digest, now)
    if refusals:
        raise RefusedError(*refusals)
    return accepted


def checked(
    contributions: Iterable[Contribution],
    group: Group,
    canaries: Callable[[date], Canaries],
    crosswalk_digest: Callable[[date], str],
    now: datetime,
) -> tuple[list[AcceptedContribution], list[Refusal]]:
    """The contributions that may be stored, and every reason against the others."""
    accepted: list[AcceptedContribution] = []
    refusals: list[Refusal] = []
    for c in contributions:
        wrong = [*_unstorable(c), *validation.refusals(c, group, canaries, crosswalk_digest, now)]
        refusals.extend(wrong)
        if not wrong:
            settles = settles_at(group, c.ref, c.grain, c.activity_date, c.day_zone)
            about = group.settings, c.grain, c.activity_date, c.key_epoch
            fingerprint = canaries(epochs.key_month(*about)).fingerprint
            accepted.append(AcceptedContribution(c, settles, fingerprint, epochs.is_next_epoch(*about)))
    return accepted, refusals


def _unstorable(c: Contribution) -> Iterator[Refusal]:
    said = {name: getattr(c, name) for name in _TEXTS}
    texts = [name for name, text in said.items() if text is not None and not re.fullmatch(_TEXTS[name], text)]
    about = f"{contract.printable_ref(c.ref)}, {c.activity_date}"
    if texts:
        next_step = "write the definition as id/version, its digest in hex, and engine and version as the producer"
        yield Refusal(Code.CONTRIBUTION_VALUES_INVALID, about, "a text isn't what it ought to be", ", ".join(texts), next_step)
