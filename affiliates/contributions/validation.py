"""Whether a contribution may enter the group's store: `refusals` gives every reason against it.

Three questions: is it of a known product and period, by the month's key, crosswalk and normalisation; does each row hold what it
claims to hold; is anything missing (`completeness`)? What a file may hold at all is checked before, when it is read
(`contract.read`).
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache

from affiliates.contributions import completeness
from affiliates.contributions.contract import DEAL_EPOCH, Contribution, Part, printable_ref
from affiliates.contributions.lg_k import canary_lg_k_fault
from affiliates.errors import Code, Refusal, printable, short_digest
from affiliates.identity import epochs
from affiliates.identity.canaries import ASCII, UNICODE, Canaries
from affiliates.manifests.group import Group
from affiliates.manifests.product import AUDIENCES, Product
from affiliates.manifests.settings import KeySource
from affiliates.periods import end_of, first_day, is_zone, last_day, month_of
from affiliates.sketches import plausibility
from affiliates.sketches.image import BadImage
from affiliates.sketches.registers import Registers


def refusals(
    contribution: Contribution,
    group: Group,
    canaries: Callable[[date], Canaries],
    crosswalk_digest: Callable[[date], str],
    now: datetime,
) -> Iterator[Refusal]:
    """Every reason not to accept a contribution into this group's store, in the order in which a sender would mend them.

    `canaries` and `crosswalk_digest`: of a month, named by its first day; the digest is empty where the month has no crosswalk.
    Nothing is raised for what is wrong with the contribution itself.
    """
    epochs_of_group = {source.epoch for source in group.settings.epochs}
    # Before the product: a deal's names none, and whoever added it would have made the first step to uniting two keys.
    if contribution.key_epoch.startswith(DEAL_EPOCH) and contribution.key_epoch not in epochs_of_group:
        yield Refusal(
            Code.CONTRIBUTION_EPOCH_WRONG,
            f"a contribution of {contribution.activity_date}",  # Receipts and logs mustn't tell whose deal it is.
            "is under the key of a deal, and never united with the group's",
            "",
            "hand it to the deal's other side alone; for the group compute it with the group's key",
        )
        return
    product = group.product(contribution.ref)
    if product is None:
        yield Refusal(
            Code.CONTRIBUTION_PRODUCT_UNKNOWN,
            f"{printable_ref(contribution.ref)}, {contribution.activity_date}",
            "product of nobody",
            "no manifest names it",
            "add it to its affiliate's file, or correct the name",
        )
        return  # Everything else depends on the product.
    yield from _contract_refusals(contribution, product, group, canaries, crosswalk_digest, now)
    yield from completeness.refusals(contribution, product)


def _contract_refusals(
    c: Contribution,
    product: Product,
    group: Group,
    canaries: Callable[[date], Canaries],
    crosswalk_digest: Callable[[date], str],
    now: datetime,
) -> Iterator[Refusal]:
    """What breaks the contract, until something that the next checks rest on."""
    if refusal := _period_refusal(c, now):
        yield refusal
        return
    yield from _time_refusals(c, product, now)
    epoch, month = _epoch_of(c, group)
    if epoch.destroyed:
        yield Refusal(
            Code.CONTRIBUTION_EPOCH_WRONG,
            c.subject,
            "the key of its epoch was destroyed",
            f"epoch {epoch.epoch}, on {epoch.destroyed}",
            "nothing of such a month can be added or replaced",
        )
        return  # Without the key there are no canaries to compare with.
    yield from _key_refusals(c, epoch, crosswalk_digest(month))
    if refusal := _normalisation_refusal(c) or _audiences_refusal(c):
        yield refusal
        return
    known_canaries = canaries(month)
    for part in c.parts:
        yield from _name_refusals(part, c)
        yield from _proof_refusals(part, known_canaries, c)
        yield from _number_refusals(part, c.subject)


def _period_refusal(c: Contribution, now: datetime) -> Refusal | None:
    """Why no moment follows from the contribution's grain, date and zone; nothing where one does."""
    if c.grain not in ("day", "month") or c.activity_date != first_day(c.grain, c.activity_date):
        return Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            c.subject,
            "the period is neither a day nor a month",
            f"{printable(c.grain)} {c.activity_date}",
            "write day, or month with its first day",
        )
    if not is_zone(c.day_zone):
        return Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            c.subject,
            "its zone is no time zone",
            printable(c.day_zone),
            "write a name of the IANA database, such as UTC",
        )
    # Before the end of the period is computed: there is no day after the last of year 9999.
    if not 1971 <= c.activity_date.year <= now.year:
        return Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            c.subject,
            "the period lies before 1971 or in the future",
            f"now {now:%Y-%m-%d %H:%M} UTC",
            "correct activity_date",
        )
    return None


def _time_refusals(c: Contribution, product: Product, now: datetime) -> Iterator[Refusal]:
    if not end_of(c.grain, c.activity_date, c.day_zone) <= c.computed_at <= now:
        yield Refusal(
            Code.CONTRIBUTION_COMPUTED_EARLY,
            c.subject,
            "was computed before the period was over, or in the future",
            f"computed {c.computed_at:%Y-%m-%d %H:%M} UTC",
            "compute it again",
        )
    if not product.due_between(c.activity_date, last_day(c.grain, c.activity_date)):
        yield Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            c.subject,
            "outside the product's life",
            f"from {product.from_} to {product.to}",
            "correct the manifest or the dates",
        )


def _epoch_of(c: Contribution, group: Group) -> tuple[KeySource, date]:
    """The epoch by whose key a contribution must be made, and the month whose canaries and crosswalk are that key's.

    They are the month's own; for a day's second contribution, shortly before a change of the key, the next epoch's.
    """
    month = month_of(c.activity_date)
    epoch = group.settings.epoch_of(month)
    following = epochs.next_epoch(group.settings, c.activity_date)
    # A month whose key was destroyed takes nothing more, a second contribution neither.
    if epochs.is_next_epoch(group.settings, c.grain, c.activity_date, c.key_epoch) and following and not epoch.destroyed:
        return following, epochs.key_month(group.settings, c.grain, c.activity_date, c.key_epoch)
    return epoch, month


def _key_refusals(c: Contribution, epoch: KeySource, crosswalk_digest: str) -> Iterator[Refusal]:
    if c.key_epoch != epoch.epoch:
        yield Refusal(
            Code.CONTRIBUTION_EPOCH_WRONG,
            c.subject,
            "another key epoch",
            f"{printable(c.key_epoch)}, the month's is {epoch.epoch}",
            "compute it with the month's key",
        )
    if c.crosswalk_digest != crosswalk_digest:
        yield Refusal(
            Code.CONTRIBUTION_CROSSWALK_WRONG,
            c.subject,
            "another crosswalk than the month's",
            f"{short_digest(c.crosswalk_digest)} against {short_digest(crosswalk_digest)}",
            "compute it again with the month's snapshot",
        )


def _normalisation_refusal(c: Contribution) -> Refusal | None:
    if c.normalisation in (UNICODE, ASCII):
        return None
    return Refusal(
        Code.CONTRIBUTION_VERSION_UNKNOWN,
        c.subject,
        "unknown normalisation",
        printable(c.normalisation),
        f"use {UNICODE}, or {ASCII} where there is no NFC",
    )


def _audiences_of(c: Contribution) -> list[str]:
    """The audiences that a contribution is of, in the protocol's order."""
    return [audience for audience in AUDIENCES if c.audiences is None or audience in c.audiences.split()]


def _audiences_refusal(c: Contribution) -> Refusal | None:
    """Why the column `audiences` isn't a list of audiences in the one spelling that the digest takes."""
    audiences = _audiences_of(c)
    if c.audiences is None or (c.audiences == " ".join(audiences) and "external" in audiences):
        return None
    return Refusal(
        Code.CONTRIBUTION_AUDIENCES_WRONG,
        c.subject,
        "its audiences are none",
        printable(c.audiences),
        "write external, or external internal; null for all three",
    )


def _name_refusals(part: Part, c: Contribution) -> Iterator[Refusal]:
    if part.audience not in AUDIENCES:
        yield Refusal(Code.CONTRIBUTION_AUDIENCES_WRONG, c.subject, "unknown audience", "", "use external, internal or automated")
    elif part.audience not in _audiences_of(c):
        yield Refusal(
            Code.CONTRIBUTION_AUDIENCES_WRONG,
            c.subject,
            "users of an audience that it isn't of",
            f"{part.audience}, and it says that it is of {c.audiences} alone",
            "correct `audiences`, or leave these rows out",
        )
    # A namespace that looks like a number or a digest could be somebody's identifier, and every later message would show it.
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,31}", part.namespace) or printable(part.namespace) != part.namespace:
        yield Refusal(
            Code.CONTRIBUTION_VALUES_INVALID,
            c.subject,
            "the namespace is no name",
            "",
            "write a-z, 0-9, dot and dash, at most 32 characters",
        )


def _proof_refusals(part: Part, canaries: Canaries, c: Contribution) -> Iterator[Refusal]:
    """Keys of another secret, hash or normalisation match nobody else's: their people would all count twice."""
    fault = _canary_fault(part.canary, part.namespace, c.normalisation, part.registers.lg_k, canaries)
    if fault is not None:
        yield Refusal(
            Code.CONTRIBUTION_CANARY_WRONG,
            c.subject,
            "the canary differs, so its keys aren't the group's",
            f"namespace {printable(part.namespace)}: {fault}",
            "correct that step and compute it again; `mauwatch contribute --print-sql ENGINE --self-test` tests an engine",
        )


# A file of 31 days holds the same canary 31 times in each namespace; telling what is wrong with one is slow (`MOST_NAMESPACES`).
@lru_cache(maxsize=4096)
def _canary_fault(image: bytes, namespace: str, normalisation: str, lg_k: int, canaries: Canaries) -> str | None:
    """What is wrong with a canary beside a sketch of this lgK; nothing where the canary proves the sketch's keys."""
    try:
        canary = Registers.from_image(image)
    except BadImage as bad:
        return f"it is no HLL image: {bad}"
    return canary_lg_k_fault(canary, lg_k) or canaries.fault(canary, namespace, normalisation)


def _number_refusals(part: Part, subject: str) -> Iterator[Refusal]:
    """Numbers of events and users that the sketch rules out, six standard errors off: no honest file is refused by chance."""
    if part.events is not None and part.events < 0:
        yield Refusal(
            Code.CONTRIBUTION_VALUES_INVALID, subject, "a negative number of events", f"{part.events}", "correct the query"
        )
    elif part.events is not None and plausibility.are_over(part.registers, part.events):
        yield Refusal(
            Code.CONTRIBUTION_IMPLAUSIBLE,
            subject,
            "more users than events",
            f"at least {plausibility.fewest(part.registers):,} against {part.events:,}",
            "correct the query: each user has an event",
        )
    elif part.events and not part.registers.at_least:
        yield Refusal(
            Code.CONTRIBUTION_IMPLAUSIBLE,
            subject,
            "events, and nobody in the sketch",
            f"{part.events:,} events of {printable(part.audience)} users",
            "see to the keys: are they null, or lost by a join? Events without an identifier go into `unidentified_events`",
        )
    if part.distinct_users is not None and plausibility.are_over(part.registers, part.distinct_users):
        yield Refusal(
            Code.CONTRIBUTION_IMPLAUSIBLE,
            subject,
            "fewer distinct users than the sketch holds",
            f"{part.distinct_users:,} against {plausibility.fewest(part.registers):,}",
            "count the keys that the sketch is made of",
        )
    # An engine's own union of sketches of several lgK loses users, so that its sketch holds fewer than it counted.
    elif part.distinct_users is not None and part.distinct_users > plausibility.most(part.registers):
        yield Refusal(
            Code.CONTRIBUTION_IMPLAUSIBLE,
            subject,
            "more distinct users than the sketch can hold",
            f"{part.distinct_users:,} against at most {plausibility.most(part.registers):,}",
            "sketch all of them, and unite sketches of one lgK only",
        )
