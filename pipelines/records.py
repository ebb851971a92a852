"""Stored contributions and counts as values, and the questions that counting asks of whoever keeps them.

A store keeps them, or a bundle of evidence. This module reaches no database: whoever checks a bundle has none.

Over 300 lines: all stored values are read together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from affiliates.manifests.product import ProductRef
from affiliates.periods import LONGEST_RUN, Grain, midnight

if TYPE_CHECKING:
    from affiliates.contributions.contract import Contribution
    from affiliates.sketches.registers import Registers

SUBJECT_COLUMNS = ("affiliate", "product", "grain", "activity_date")
"""Columns that say what a contribution is about: a product, and a day or a month. A day's second contribution has the same."""
PERIOD_COLUMNS = (*SUBJECT_COLUMNS, "ahead")
"""Columns of a `Period`, in its order: rows of `contributions` that agree in all of them are versions of each other."""

# The columns and the bundles' keys are older than the field's name, and other people's queries and bundles rest on them.
_COLUMNS = {"next_epoch": "ahead"}


def column_of(field: str) -> str:
    """The column of `contributions`, and the key in a bundle, that holds a field of a `StoredContribution` or a `Cell`."""
    return _COLUMNS.get(field, field)


def field_of(column: str) -> str:
    """The field that a column, or a key in a bundle, holds: `column_of` the other way round."""
    return next((field for field, other in _COLUMNS.items() if other == column), column)


class Period(NamedTuple):
    """A product's day or month: the place that one contribution takes. Equals the row of its `PERIOD_COLUMNS`."""

    affiliate: str
    product: str
    grain: str
    """`day` or `month`."""
    activity_date: date
    """The day, or the month's first day."""
    next_epoch: bool
    """Whether this is the place of a day's second contribution, under the next epoch's key."""

    @property
    def ref(self) -> ProductRef:
        """The product that the period belongs to."""
        return ProductRef(self.affiliate, self.product)


@dataclass(frozen=True)
class StoredContribution:
    """The current contribution of a period, without its sketches: a row of `contributions`, field by column."""

    id: int
    """The row's number in this store."""
    affiliate: str
    product: str
    grain: Grain
    activity_date: date
    digest: str
    key_epoch: str
    key_fingerprint: str
    crosswalk_digest: str
    definition: str
    definition_digest: str | None
    day_zone: str
    unidentified_events: int | None
    undecided_events: int | None
    next_epoch: bool
    """Whether this is a day's second contribution, under the next epoch's key."""
    computed_at: datetime
    """When the affiliate last computed this result."""
    audiences: str | None = None
    """The audiences that the contribution has users of, divided by spaces; null for all three."""
    erased_at: datetime | None = None
    """When a sketch of the contribution was last erased; null while all are there."""
    excluded_events: int | None = None

    @property
    def ref(self) -> ProductRef:
        """The contribution's product."""
        return ProductRef(self.affiliate, self.product)

    @property
    def period(self) -> Period:
        """The place that the contribution takes."""
        return Period(self.affiliate, self.product, self.grain, self.activity_date, self.next_epoch)

    def to_dict(self) -> dict[str, Any]:
        """The values by column name, as a bundle keeps them."""
        return {column_of(name): value for name, value in asdict(self).items()}

    @property
    def content(self) -> list[str]:
        """The values that move a figure or its reasons, as text: what the digest of a month's inputs is made of.

        Two stores that were given the same contributions have the same content: this store's number and the time of
        computation are left out.
        """
        return [str(value) for name in _content_fields() if (value := getattr(self, name)) or name not in _YOUNGER]

    def lacks(self, audiences: Sequence[str]) -> bool:
        """Whether the contribution says nothing about at least one of these audiences."""
        return self.audiences is not None and not set(audiences) <= set(self.audiences.split())


_YOUNGER = ("audiences", "excluded_events")
"""Fields that are younger than the first digests: a contribution that has nothing in them keeps the digest that it had."""


@cache
def _content_fields() -> tuple[str, ...]:
    """The fields of a contribution's content."""
    # `key_epoch` tells a second contribution already; `definition` is a label, and its digest says who counts.
    left_out = {"id", "computed_at", "definition", "erased_at", "next_epoch"}
    return tuple(field.name for field in fields(StoredContribution) if field.name not in left_out)


class AcceptedContribution(NamedTuple):
    """A contribution that has passed all checks of its own, and may be stored."""

    contribution: "Contribution"
    settles_at: datetime
    """When the period's late events have arrived."""
    key_fingerprint: str
    """Fingerprint of the key that the contribution's canaries have proved."""
    next_epoch: bool = False
    """Whether this is a day's second contribution, under the next epoch's key."""

    @property
    def period(self) -> Period:
        """The place that the contribution would take."""
        about = self.contribution
        return Period(about.affiliate, about.product, about.grain, about.activity_date, self.next_epoch)


@dataclass
class OutcomeCounts:
    """How many contributions had each outcome."""

    new: int = 0
    replaced: int = 0
    confirmed: int = 0
    unchanged: int = 0
    older: int = 0
    """Not stored: computed before the version that the store has."""
    erased: int = 0
    """Not stored: erased before, and nobody has allowed them to be contributed again."""


@dataclass(frozen=True)
class Position:
    """How far a store was filled at a moment, by the greatest numbers of its rows."""

    contributions: int
    """The greatest `contributions.id`; 0 for none."""
    counts: int
    """The greatest `counts.id`; 0 for none."""
    at: datetime


@dataclass(frozen=True)
class StatedCount:
    """A number that somebody vouches for in the place of sketches: a count or a ceiling of a product in a month."""

    affiliate: str
    product: str
    month: date
    """The month's first day."""
    kind: str
    """`count`, or `ceiling`: a number that the users can't exceed."""
    users: int
    unit: str
    """What the number counts; `people` for a count."""
    document: str
    """Where the number stands."""
    attested_by: str

    @property
    def ref(self) -> ProductRef:
        """The product that the number is about."""
        return ProductRef(self.affiliate, self.product)


@dataclass(frozen=True)
class StoredPart:
    """The sketch of one audience and namespace in a contribution."""

    audience: str
    namespace: str
    registers: "Registers | None"
    """Null once erased."""
    erased_at: datetime | None = None
    events: int | None = None
    """Events of these users; null if not known."""


def summed_bounds(products: Iterable[tuple[int, int | None]]) -> tuple[int, int | None]:
    """Lower and upper bound of a sum over products, in people, from each product's bounds.

    There is no upper bound where a product has none, or where there is no product. Products share people, so their
    sketches share errors, and these don't cancel out: the bounds themselves add up.
    """
    bounds = list(products)
    uppers = [upper for _, upper in bounds if upper is not None]
    return sum(lower for lower, _ in bounds), sum(uppers) if uppers and len(uppers) == len(bounds) else None


class ContributionReader(Protocol):
    """What counting reads: from a store (`ContributionStore`), or from a bundle of evidence (`BundleReader`)."""

    def read_around(
        self, first: date, last: date, up_to: Position | None = None, next_epoch: bool = False
    ) -> list[StoredContribution]:
        """The contributions of the days from `first` to `last` (both included), and of the periods beside them.

        `up_to`: those that were current when the store was filled so far. `next_epoch`: days' second contributions, too.
        """

    def read_parts(self, ids: Sequence[int]) -> Iterator[tuple[int, StoredPart]]:
        """Each part of the contributions with these numbers, after its contribution's number."""

    def read_events(self, ref: ProductRef, next_epoch: bool = False) -> Mapping[date, int]:
        """By day, the number of events of a product's contributions, or of their second ones."""

    def read_counts(self, first: date, last: date, up_to: Position | None = None) -> list[StatedCount]:
        """The counts and ceilings of the months whose first days lie from `first` to `last` (both included)."""


@dataclass(frozen=True)
class PublishedMonth:
    """The published figure of a month under one reading, in people."""

    month: date
    """The month's first day."""
    estimate: int | None
    lower: int
    upper: int | None
    method: int
    """Version of the way of counting: figures by different methods aren't compared."""


OutcomeKind = Literal["new", "replaced", "confirmed", "unchanged", "older", "erased"]
"""What can become of a contribution; `OutcomeCounts` has a field for each."""


class Outcome(NamedTuple):
    """What became of one contribution."""

    kind: OutcomeKind
    replaced: str | None = None
    """Digest of the version that the contribution has replaced."""


@dataclass(frozen=True)
class Restatement:
    """Why contributions of closed months are accepted, and who approved that."""

    reason: str
    by: str
    months: frozenset[date] = frozenset()
    """First days of the closed months that the contributions change."""


def believed(version: StoredContribution, now: datetime) -> StoredContribution:
    """A contribution as a clock that shows `now` has to take it.

    Nothing is computed in the future: the clock that computed it was ahead, by how much nobody knows. So it counts as computed
    at the first moment of its period, or now where that is still to come: before it settled, and before anything else.
    """
    if version.computed_at <= now + LONGEST_RUN:
        return version
    return replace(version, computed_at=min(midnight(version.activity_date, version.day_zone), now))


def outcome(accepted: AcceptedContribution, before: StoredContribution | None) -> Outcome:
    """What becomes of a contribution; `before`: the current version of its period, if there is one.

    `confirmed`: the same users, and the first computation after the period has settled.
    """
    contribution = accepted.contribution
    if before is None:
        return Outcome("new")
    if differs(accepted, before):
        # A slower run that began earlier, or an older file, ends later: what was computed last stays current.
        return Outcome("older") if before.computed_at > contribution.computed_at else Outcome("replaced", before.digest)
    confirms = before.computed_at < accepted.settles_at <= contribution.computed_at
    return Outcome("confirmed" if confirms else "unchanged")


def differs(accepted: AcceptedContribution, before: StoredContribution | None) -> bool:
    """Whether a contribution isn't the current version already; a version that lost a sketch differs from any."""
    return (
        before is None
        or before.erased_at is not None
        or (before.digest, before.key_fingerprint) != (accepted.contribution.digest, accepted.key_fingerprint)
    )
