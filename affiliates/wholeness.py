"""Whether a contribution holds what it ought to: its canaries prove how keys were made, and nothing of which events went in.

A wrong column's name in a view, a part of an export, or a number that no product has: each makes a small figure that would
pass for a whole one.
"""

from collections.abc import Iterator

from affiliates.contribution import Contribution
from affiliates.errors import Code, Refusal
from affiliates.group import AUDIENCES, Product

MOST_EVENTS = 10**15
"""Of a period: a hundred thousand for each human being. More is no number of events, and their sum no number of a database's."""
TOO_FEW_TO_JUDGE = 100
"""Events below which the share without a user says nothing about their source."""


def check(c: Contribution, product: Product) -> Iterator[Refusal]:
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
    yield from _rows(c, product)
    yield from _audiences(c, product)
    yield from _shares(c, product)


def _rows(c: Contribution, product: Product) -> Iterator[Refusal]:
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


def _audiences(c: Contribution, product: Product) -> Iterator[Refusal]:
    stated = c.audiences.split() if c.audiences is not None else AUDIENCES
    if more := [audience for audience in stated if audience not in product.audiences]:
        yield Refusal(
            Code.CONTRIBUTION_AUDIENCES_WRONG,
            c.subject,
            "is of more audiences than its manifest's",
            f"of {', '.join(more)} too, and of {product.limited_to} alone",
            "say in its column `audiences` whom it is of, and leave the others out; or correct `audiences` in the manifest",
        )


def _shares(c: Contribution, product: Product) -> Iterator[Refusal]:
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
