"""Signs that a contribution holds only a part of the users that it should hold.

A canary proves how keys were made, and nothing of which events went in. A wrong column's name in a view, one part of an export,
or a number that no product has: each makes a small figure that would pass for a whole one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, Refusal
from affiliates.manifests.product import AUDIENCES, Product

MOST_EVENTS = 10**15
"""The most events, or users, of a period: a hundred thousand for each human being. More is no such number, and a sum of several
wouldn't fit into a database's 64 bits: a sum of two of 2^63 events stopped every later run."""
TOO_FEW_TO_JUDGE = 100
"""Events below which the share without a user tells nothing about their source."""
NOBODY_COUNTS = "no event counts: conditions leave out all of them"
LOOK_AT_CONDITIONS = (
    "see to `counts_when`, `automated_when` and `internal_when`; where it is right that nobody counts, write "
    "`unidentified_limit: 1` into the manifest"
)
"""The rule of a refusal, and its next step."""


def refusals(contribution: Contribution, product: Product) -> Iterator[Refusal]:
    """Every reason to take a contribution for a part of what it claims to be. `product`: its product in the manifest."""
    parts = contribution.parts
    of_events = [contribution.unidentified_events, contribution.undecided_events, contribution.excluded_events]
    of_events += [part.events for part in parts]
    of_users = [part.distinct_users for part in parts]
    if any(number is not None and not 0 <= number <= MOST_EVENTS for number in of_events + of_users):
        yield Refusal(
            Code.CONTRIBUTION_VALUES_INVALID,
            contribution.subject,
            "a number that can't be",
            f"below 0 or over {MOST_EVENTS:,}",
            "correct the query",
        )
        return  # Shares of such numbers mean nothing.
    yield from _missing_rows(contribution, product)
    yield from _surplus_audiences(contribution, product)
    yield from _events_without_user(contribution, product)


def share_over_limit(number: int, counted: int, product: Product) -> str | None:
    """The values of a refusal where too many events have no user or are undecided, beside the `counted` ones; else nothing.

    Most of a period's events without a user are a fault of their source, and not zero users. The limit itself is allowed.
    """
    events = counted + number
    if events < TOO_FEW_TO_JUDGE or number <= product.unidentified_limit * events:
        return None
    return f"{number:,} of {events:,}; the limit is {product.unidentified_limit:.0%}"


@dataclass(frozen=True)
class EventNumbers:
    """The events of a period by what becomes of them."""

    counted: int = 0
    """Of users who count: external and internal ones."""
    automated: int = 0
    """Of automated users."""
    excluded: int = 0
    """Left out by `counts_when`, or of users of an audience that isn't contributed."""
    unusable: int = 0
    """Without a usable identifier, or left undecided by `counts_when`."""

    def __add__(self, other: "EventNumbers") -> "EventNumbers":
        return EventNumbers(
            self.counted + other.counted,
            self.automated + other.automated,
            self.excluded + other.excluded,
            self.unusable + other.unusable,
        )

    def nobody_counts(self, product: Product) -> str | None:
        """The values of a refusal where conditions leave nobody of a period's many events; else nothing.

        The share alone tells nothing: a product may rightly count one kind of event of a hundred. That none counts is a condition
        that never holds, or one that always does. Where it is right, an `unidentified_limit` of 1 says so.
        """
        events = self.counted + self.automated + self.excluded + self.unusable
        by_conditions = self.automated + self.excluded
        if self.counted or not by_conditions or events < TOO_FEW_TO_JUDGE or product.unidentified_limit >= 1:
            return None
        return f"{self.excluded:,} of {events:,} events are left out, {self.automated:,} are automated users'"


def _missing_rows(contribution: Contribution, product: Product) -> Iterator[Refusal]:
    external = {part.namespace for part in contribution.parts if part.audience == "external"}
    due = product.namespaces or tuple(namespace for source in product.sources for namespace in source.namespaces)
    if not external:
        yield Refusal(
            Code.CONTRIBUTION_INCOMPLETE,
            contribution.subject,
            "no row of external users",
            f"{len(contribution.parts)} rows",
            "write one for each namespace, with an empty sketch where nobody was there; hand in all parts in one folder",
        )
    elif missing := [namespace for namespace in dict.fromkeys(due) if namespace not in external]:
        yield Refusal(
            Code.CONTRIBUTION_INCOMPLETE,
            contribution.subject,
            "namespaces are missing",
            f"{', '.join(missing)}, which the manifest names",
            "write a row of external users for each, with an empty sketch where nobody was there; all parts go into one folder",
        )


def _surplus_audiences(contribution: Contribution, product: Product) -> Iterator[Refusal]:
    """A file of fewer audiences bounds nobody from above, which the figure tells; more than the manifest's are a mistake."""
    audiences = contribution.audiences.split() if contribution.audiences is not None else AUDIENCES
    if surplus := [audience for audience in audiences if audience not in product.audiences]:
        yield Refusal(
            Code.CONTRIBUTION_AUDIENCES_WRONG,
            contribution.subject,
            "is of more audiences than its manifest's",
            f"of {', '.join(surplus)} too, and of {product.limited_to} alone",
            "say in its column `audiences` whom it is of, and leave the others out; or correct `audiences` in the manifest",
        )


def _events_without_user(contribution: Contribution, product: Product) -> Iterator[Refusal]:
    """The limits that `aggregation` holds events of sources to: a contribution from elsewhere must keep them, too."""
    counted = sum(part.events or 0 for part in contribution.parts)
    for number, code, rule in (
        (
            contribution.unidentified_events or 0,
            Code.EVENTS_UNIDENTIFIED,
            "too many events without a usable identifier",
        ),
        (
            contribution.undecided_events or 0,
            Code.EVENTS_UNDECIDED,
            "too many events that a condition leaves undecided, or without a time",
        ),
    ):
        if share := share_over_limit(number, counted, product):
            next_step = "correct the query or the export, or raise `unidentified_limit` in the manifest"
            yield Refusal(code, contribution.subject, rule, share, next_step)
            return  # The next rule would say the same once more.
    # Without a row of external users it is refused for that already.
    is_whole = any(part.audience == "external" for part in contribution.parts)
    if is_whole and (values := event_numbers(contribution).nobody_counts(product)):
        yield Refusal(Code.EVENTS_ALL_EXCLUDED, contribution.subject, NOBODY_COUNTS, values, LOOK_AT_CONDITIONS)


def event_numbers(contribution: Contribution) -> EventNumbers:
    """A contribution's events by what becomes of them, as far as its numbers tell."""
    automated = sum(part.events or 0 for part in contribution.parts if part.audience == "automated")
    counted = sum(part.events or 0 for part in contribution.parts) - automated
    # An event without an identifier may be undecided, too: the larger number is of different events for certain.
    unusable = max(contribution.unidentified_events or 0, contribution.undecided_events or 0)
    return EventNumbers(counted, automated, contribution.excluded_events or 0, unusable)
