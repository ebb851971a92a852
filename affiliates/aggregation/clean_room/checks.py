"""Whether a file is one of the deal's: its key, month, precision, way of writing, and the proof of all that, its canary. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from affiliates.aggregation.clean_room.deal import NAMESPACE, Terms
from affiliates.contributions import stated_texts
from affiliates.contributions.completeness import MOST_EVENTS
from affiliates.contributions.contract import DEAL_EPOCH, Contribution, Part
from affiliates.errors import Code, Refusal, RefusedError, printable
from affiliates.identity.canaries import Canaries
from affiliates.periods import end_of, is_zone
from affiliates.sketches import plausibility
from affiliates.sketches.image import BadImage
from affiliates.sketches.registers import Registers

_AGAIN = "compute it with mauwatch contribute --key-for, in the deal's folder"


def refusals(contribution: Contribution, file_name: str, terms: Terms, canaries: Canaries, now: datetime) -> Iterator[Refusal]:
    """Every reason not to compare a contribution: another key, month, precision, way of writing, or no proof of it."""
    subject = f"{file_name}, {printable(contribution.affiliate)}"
    month = f"{terms.month:%Y-%m}"
    if refusal := stated_texts.refusal(contribution):
        yield refusal
        return
    if contribution.key_epoch != terms.epoch:
        of_deal = contribution.key_epoch.startswith(DEAL_EPOCH)
        yield _other(
            subject,
            "is under another deal's key" if of_deal else "isn't under the deal's key",
            f"the deal's key is {terms.fingerprint}",
            _AGAIN,
        )
        return
    if contribution.grain != "month" or contribution.activity_date != terms.month:
        yield _other(
            subject, "is of another month", f"{contribution.activity_date:%Y-%m}, the deal's is {month}", "send the deal's month"
        )
    elif not is_zone(contribution.day_zone):
        yield _other(subject, "its zone is no time zone", "", _AGAIN)
    elif not end_of("month", terms.month, contribution.day_zone) <= contribution.computed_at <= now:
        yield _other(subject, "was computed before the month was over, or in the future", month, "compute it again")
    if contribution.normalisation != terms.normalisation:
        yield _other(
            subject,
            "was normalised in another way",
            f"the deal's is {terms.normalisation}",
            _AGAIN,
        )
        return
    if contribution.crosswalk_digest or contribution.audiences != "external":
        yield _other(
            subject,
            "isn't of external users without a crosswalk",
            "each side's crosswalk is of its own group's key",
            _AGAIN,
        )
    lg_ks = {part.registers.lg_k for part in contribution.parts}
    if lg_ks != {terms.lg_k}:
        yield _other(
            subject, "has another lgK", f"{', '.join(map(str, sorted(lg_ks)))}, the deal's is {terms.lg_k}", "compute it again"
        )
        return
    for part in contribution.parts:
        yield from _part_refusals(part, contribution, subject, terms, canaries)


def _part_refusals(part: Part, contribution: Contribution, subject: str, terms: Terms, canaries: Canaries) -> Iterator[Refusal]:
    # A namespace is shown in the report: a text of another form may be anything, somebody's address too.
    if not re.fullmatch(NAMESPACE, part.namespace) or printable(part.namespace) != part.namespace or part.audience != "external":
        yield _other(subject, "has a row that is of no kind of identifiers, or not of external users", "", _AGAIN)
        return
    numbers = [number for number in (part.events, contribution.unidentified_events) if number is not None]
    if any(not 0 <= number <= MOST_EVENTS for number in numbers) or (
        part.events is not None and plausibility.are_over(part.registers, part.events)
    ):
        yield _other(subject, "has more users than events, or a number that can't be", f"namespace {part.namespace}", _AGAIN)
    if part.namespace not in terms.namespaces:
        return
    try:
        fault = canaries.fault(Registers.from_image(part.canary), part.namespace, contribution.normalisation)
    except BadImage:
        fault = "it is no sketch"
    if fault:
        yield Refusal(
            Code.CONTRIBUTION_CANARY_WRONG,
            subject,
            "its canary differs, so its identifiers were written or hashed in another way",
            f"namespace {part.namespace}: {fault}",
            "compute it again with this version of mauwatch, in the deal's folder",
        )


def checked(files: Mapping[str, Sequence[Contribution]], terms: Terms, canaries: Canaries, now: datetime) -> list[Contribution]:
    """One side's contributions, by the name of the file that each is in. Raises `RefusedError` with all that is wrong."""
    wrong = [_other(name, "holds no contribution", "", _AGAIN) for name, contributions in files.items() if not contributions]
    wrong += [
        refusal
        for file_name, contributions in files.items()
        for contribution in contributions
        for refusal in refusals(contribution, file_name, terms, canaries, now)
    ]
    if wrong:
        raise RefusedError(*wrong)
    return [contribution for contributions in files.values() for contribution in contributions]


def _other(subject: str, rule: str, values: str, next_step: str) -> Refusal:
    return Refusal(Code.DEAL_FILE_OTHER, subject, rule, values, next_step)
