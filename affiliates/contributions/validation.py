"""What speaks against one contribution: its contract, its canaries, and signs that a part is missing.

A canary proves how keys were made, and nothing of which events went in. A wrong column's name in a view, a part of an
export, or a number that no product has: each makes a small figure that would pass for a whole one.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import lru_cache

from affiliates.contributions.contract import Contribution, Part, shown_ref
from affiliates.errors import Code, Refusal, begin_of, shown
from affiliates.identity import epochs
from affiliates.identity.canaries import ASCII, UNICODE, Canaries
from affiliates.manifests.group import Group
from affiliates.manifests.product import AUDIENCES, Product
from affiliates.periods import end_of, first_day, is_zone, last_day, month_of
from affiliates.sketches import plausibility
from affiliates.sketches.image import BadImage
from affiliates.sketches.registers import Registers


def check(
    contribution: Contribution,
    group: Group,
    canaries: Callable[[date], Canaries],
    crosswalk_digest: Callable[[date], str],
    now: datetime,
) -> Iterator[Refusal]:
    """Every reason not to accept a contribution into this group's store."""
    c = contribution
    about = contribution.subject
    product = group.product(c.ref)
    if product is None:
        about = f"{shown_ref(c.ref)}, {c.activity_date}"
        yield Refusal(
            Code.CONTRIBUTION_PRODUCT_UNKNOWN,
            about,
            "product of nobody",
            "no manifest names it",
            "add it to its affiliate's file, or correct the name",
        )
        return
    if c.grain not in ("day", "month") or c.activity_date != first_day(c.grain, c.activity_date):
        said = f"{shown(c.grain)} {c.activity_date}"
        yield Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            about,
            "the period is neither a day nor a month",
            said,
            "write day, or month with its first day",
        )
        return
    if not is_zone(c.day_zone):
        yield Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            about,
            "its zone is no time zone",
            shown(c.day_zone),
            "write a name of the IANA database, such as UTC",
        )
        return
    if not 1971 <= c.activity_date.year <= now.year:
        yield Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            about,
            "the period lies before 1971 or in the future",
            f"now {now:%Y-%m-%d %H:%M} UTC",
            "correct activity_date",
        )
        return
    if not end_of(c.grain, c.activity_date, c.day_zone) <= c.computed_at <= now:
        said = f"computed {c.computed_at:%Y-%m-%d %H:%M} UTC"
        yield Refusal(
            Code.CONTRIBUTION_COMPUTED_EARLY,
            about,
            "was computed before the period was over, or in the future",
            said,
            "compute it again",
        )
    last = last_day(c.grain, c.activity_date)
    if not product.due_between(c.activity_date, last):
        yield Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            about,
            "outside the product's life",
            f"from {product.from_} to {product.to}",
            "correct the manifest or the dates",
        )
    month = month_of(c.activity_date)
    epoch = group.settings.epoch_of(month)
    coming = epochs.coming(group.settings, c.activity_date)
    if epochs.is_next_epoch(group.settings, c.grain, c.activity_date, c.key_epoch) and coming and not epoch.destroyed:
        epoch = coming
        month = epochs.key_month(group.settings, c.grain, c.activity_date, c.key_epoch)
    if epoch.destroyed:
        yield Refusal(
            Code.CONTRIBUTION_EPOCH_WRONG,
            about,
            "the key of its epoch was destroyed",
            f"epoch {epoch.epoch}, on {epoch.destroyed}",
            "nothing of such a month can be added or replaced",
        )
        return
    if c.key_epoch != epoch.epoch:
        yield Refusal(
            Code.CONTRIBUTION_EPOCH_WRONG,
            about,
            "another key epoch",
            f"{shown(c.key_epoch)}, the month's is {epoch.epoch}",
            "compute it with the month's key",
        )
    expected = crosswalk_digest(month)
    if c.crosswalk_digest != expected:
        yield Refusal(
            Code.CONTRIBUTION_CROSSWALK_WRONG,
            about,
            "another crosswalk than the month's",
            f"{begin_of(c.crosswalk_digest)} against {begin_of(expected)}",
            "compute it again with the month's snapshot",
        )
    if c.normalisation not in (UNICODE, ASCII):
        yield Refusal(
            Code.CONTRIBUTION_VERSION_UNKNOWN,
            about,
            "unknown normalisation",
            shown(c.normalisation),
            f"use {UNICODE}, or {ASCII} where there is no NFC",
        )
        return
    stated = [a for a in AUDIENCES if c.audiences is None or a in c.audiences.split()]
    if c.audiences is not None and (c.audiences != " ".join(stated) or "external" not in stated):
        yield Refusal(
            Code.CONTRIBUTION_AUDIENCES_WRONG,
            about,
            "its audiences are none",
            shown(c.audiences),
            "write external, or external internal; null for all three",
        )
        return
    known = canaries(month)
    for part in c.parts:
        if part.audience not in AUDIENCES:
            yield Refusal(Code.CONTRIBUTION_AUDIENCES_WRONG, about, "unknown audience", "", "use external, internal or automated")
        elif part.audience not in stated:
            said = f"{part.audience}, and it says that it is of {c.audiences} alone"
            yield Refusal(
                Code.CONTRIBUTION_AUDIENCES_WRONG,
                about,
                "users of an audience that it isn't of",
                said,
                "correct `audiences`, or leave these rows out",
            )
        if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,31}", part.namespace) or shown(part.namespace) != part.namespace:
            yield Refusal(
                Code.CONTRIBUTION_VALUES_INVALID,
                about,
                "the namespace is no name",
                "",
                "write a-z, 0-9, dot and dash, at most 32 characters",
            )
        yield from _check_part(part, known, c.normalisation, about)


def _check_part(part: Part, canaries: Canaries, normalisation: str, about: str) -> Iterator[Refusal]:
    wrong = _wrong(part.canary, part.namespace, normalisation, part.registers.lg_k, canaries)
    if wrong is not None:
        yield Refusal(
            Code.CONTRIBUTION_CANARY_WRONG,
            about,
            "the canary differs, so its keys aren't the group's",
            f"namespace {shown(part.namespace)}: {wrong}",
            "correct that step and compute it again; `mauwatch contribute --print-sql ENGINE --self-test` tests an engine",
        )
    if part.events is not None and part.events < 0:
        yield Refusal(
            Code.CONTRIBUTION_VALUES_INVALID, about, "a negative number of events", f"{part.events}", "correct the query"
        )
    elif part.events is not None and plausibility.are_over(part.registers, part.events):
        yield Refusal(
            Code.CONTRIBUTION_IMPLAUSIBLE,
            about,
            "more users than events",
            f"at least {plausibility.fewest(part.registers):,} against {part.events:,}",
            "correct the query: each user has an event",
        )
    if part.distinct_users is not None and plausibility.are_over(part.registers, part.distinct_users):
        yield Refusal(
            Code.CONTRIBUTION_IMPLAUSIBLE,
            about,
            "fewer distinct users than the sketch holds",
            f"{part.distinct_users:,} against {plausibility.fewest(part.registers):,}",
            "count the keys that the sketch is made of",
        )
    elif part.distinct_users is not None and part.distinct_users > plausibility.most(part.registers):
        yield Refusal(
            Code.CONTRIBUTION_IMPLAUSIBLE,
            about,
            "more distinct users than the sketch can hold",
            f"{part.distinct_users:,} against at most {plausibility.most(part.registers):,}",
            "sketch all of them, and unite sketches of one lgK only",
        )


@lru_cache(maxsize=4096)
def _wrong(image: bytes, namespace: str, normalisation: str, lg_k: int, canaries: Canaries) -> str | None:
    try:
        found = Registers.from_image(image)
    except BadImage as bad:
        return f"it is no HLL image: {bad}"
    if found.lg_k < lg_k:
        return f"its lgK is {found.lg_k} and its sketch's {lg_k}: make both by one expression"
    return canaries.wrong(found, namespace, normalisation)


MOST_EVENTS = 10**15
"""Of a period: a hundred thousand for each human being. More is no number of events, and their sum no number of a database's."""
TOO_FEW_TO_JUDGE = 100
"""Events below which the share without a user says nothing about their source."""


def check_wholeness(c: Contribution, product: Product) -> Iterator[Refusal]:
    """Every reason to take a contribution for a part of what it says it is."""
    numbers = [c.unidentified_events, c.undecided_events, *(n for p in c.parts for n in (p.events, p.distinct_users))]
    if any(n is not None and not 0 <= n <= MOST_EVENTS for n in numbers):
        yield Refusal(
            Code.CONTRIBUTION_VALUES_INVALID,
            c.subject,
            "a number that can't be",
            f"below 0 or over {MOST_EVENTS:,}",
            "correct the query",
        )
        return
    yield from _check_rows(c, product)
    yield from _check_audiences(c, product)
    yield from _check_shares(c, product)


def _check_rows(c: Contribution, product: Product) -> Iterator[Refusal]:
    external = {part.namespace for part in c.parts if part.audience == "external"}
    due = product.namespaces or tuple(n for source in product.sources for n in source.namespaces)
    if not external:
        yield Refusal(
            Code.CONTRIBUTION_INCOMPLETE,
            c.subject,
            "no row of external users",
            f"{len(c.parts)} rows",
            "write one for each namespace, with an empty sketch where nobody was there; hand in all parts in one folder",
        )
    elif missing := [n for n in dict.fromkeys(due) if n not in external]:
        yield Refusal(
            Code.CONTRIBUTION_INCOMPLETE,
            c.subject,
            "namespaces are missing",
            f"{', '.join(missing)}, which the manifest names",
            "write a row of external users for each, with an empty sketch where nobody was there; all parts go into one folder",
        )


def _check_audiences(c: Contribution, product: Product) -> Iterator[Refusal]:
    stated = c.audiences.split() if c.audiences is not None else AUDIENCES
    if more := [audience for audience in stated if audience not in product.audiences]:
        yield Refusal(
            Code.CONTRIBUTION_AUDIENCES_WRONG,
            c.subject,
            "is of more audiences than its manifest's",
            f"of {', '.join(more)} too, and of {product.limited_to} alone",
            "say in its column `audiences` whom it is of, and leave the others out; or correct `audiences` in the manifest",
        )


def _check_shares(c: Contribution, product: Product) -> Iterator[Refusal]:
    counted = sum(part.events or 0 for part in c.parts)
    for number, code, rule in (
        (c.unidentified_events or 0, Code.EVENTS_UNIDENTIFIED, "too many events without a usable identifier"),
        (c.undecided_events or 0, Code.EVENTS_UNDECIDED, "too many events that a condition leaves undecided, or without a time"),
    ):
        if share := share_over_limit(number, counted, product):
            next_step = "correct the query or the export, or raise `unidentified_limit` in the manifest"
            yield Refusal(code, c.subject, rule, share, next_step)


def share_over_limit(number: int, counted: int, product: Product) -> str | None:
    """What a refusal says where too many events, beside the `counted` ones, have no user or are undecided; else nothing.

    Most of a period's events without a user are a fault of their source, and not zero users.
    """
    events = counted + number
    if events < TOO_FEW_TO_JUDGE or number <= product.unidentified_limit * events:
        return None
    return f"{number:,} of {events:,}; the limit is {product.unidentified_limit:.0%}"
