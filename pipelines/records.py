"""What is held of contributions and counts, as values, and how counting asks for it: of a store, or of a bundle of evidence.

Without a database: who makes a figure again from a bundle has none.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, Protocol

from affiliates.contributions.contract import Contribution
from affiliates.manifests.product import ProductRef
from affiliates.periods import Grain
from affiliates.sketches.registers import Registers

Period = tuple[str, str, str, date, bool]
"""Affiliate, product, grain and first day: what a contribution is about; and whether it is a day's second one, under the coming
epoch's key."""
ABOUT = "affiliate", "product", "grain", "activity_date"
PERIOD = (*ABOUT, "ahead")
_COLUMNS = {"next_epoch": "ahead"}


def column_of(field: str) -> str:
    """The column, or the key in a bundle, that holds a field of a version or a cell."""
    return _COLUMNS.get(field, field)


def field_of(column: str) -> str:
    """The field that a column, or a key in a bundle, holds: the other way round."""
    return next((field for field, other in _COLUMNS.items() if other == column), column)


@dataclass(frozen=True)
class StoredContribution:
    """The current contribution of a product and period, without its sketches."""

    id: int
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
    """Whether it is a day's second one, under the coming epoch's key."""
    computed_at: datetime
    """When it was last computed with this result."""
    audiences: str | None = None
    """Those that it is of; null for all."""
    erased_at: datetime | None = None
    """When a sketch of it was last erased; null while all are there."""

    @property
    def ref(self) -> ProductRef:
        """The product that the version is of."""
        return ProductRef(self.affiliate, self.product)

    def to_dict(self) -> dict[str, Any]:
        """By column, as a bundle keeps the version."""
        return {column_of(name): value for name, value in asdict(self).items()}

    @property
    def content(self) -> list[str]:
        """What of it moves a figure, or what is said beside it: all but its number in this store and when it was computed,
        so that any store that was given the same says the same."""
        left_out = {"id", "computed_at", "definition", "erased_at", "next_epoch"}  # Its epoch says the last.
        left_out |= {"audiences"} if self.audiences is None else set()
        return [str(getattr(self, f.name)) for f in fields(self) if f.name not in left_out]

    def lacks(self, audiences: Sequence[str]) -> bool:
        """Whether it isn't of all of these audiences."""
        return self.audiences is not None and not set(audiences) <= set(self.audiences.split())


class AcceptedContribution(NamedTuple):
    """A contribution that may be stored."""

    contribution: Contribution
    settles_at: datetime
    """When its period's late events have arrived."""
    key_fingerprint: str
    """Of the key that its canaries have proved."""
    next_epoch: bool = False
    """Whether it is a day's second one, under the coming epoch's key."""


@dataclass
class Received:
    """What receiving did: contributions by outcome."""

    new: int = 0
    replaced: int = 0
    confirmed: int = 0
    unchanged: int = 0
    older: int = 0
    """Computed before what the store has."""
    erased: int = 0
    """Left out: erased, and nobody has allowed them to be contributed again."""


@dataclass(frozen=True)
class Position:
    """How far a store was filled: the last contribution and count, and when that was."""

    contributions: int
    counts: int
    at: datetime


def period(of: StoredContribution | AcceptedContribution) -> Period:
    about = of if isinstance(of, StoredContribution) else of.contribution
    return about.affiliate, about.product, about.grain, about.activity_date, of.next_epoch


@dataclass(frozen=True)
class StatedCount:
    """A count or a ceiling of a product in a month."""

    affiliate: str
    product: str
    month: date
    kind: str
    users: int
    unit: str
    document: str
    attested_by: str

    @property
    def ref(self) -> ProductRef:
        """The product that the count or the ceiling is of."""
        return ProductRef(self.affiliate, self.product)


@dataclass(frozen=True)
class StoredPart:
    """The users of one audience and namespace; `registers` is null once erased."""

    audience: str
    namespace: str
    registers: Registers | None
    erased_at: datetime | None = None


def summed_bounds(products: Iterable[tuple[int, int | None]]) -> tuple[int, int | None]:
    """Lower and upper bound of a sum over products, in people; no upper one where a product has none, or none is there.

    Products share people and so their sketches share errors: the bounds add up.
    """
    bounds = list(products)
    uppers = [upper for _, upper in bounds if upper is not None]
    return sum(lower for lower, _ in bounds), sum(uppers) if uppers and len(uppers) == len(bounds) else None


class ContributionReader(Protocol):
    """What counting asks for."""

    def read_around(
        self, first: date, last: date, up_to: Position | None = None, next_epoch: bool = False
    ) -> list[StoredContribution]: ...

    def read_parts(self, ids: Sequence[int]) -> Iterator[tuple[int, StoredPart]]: ...

    def read_events(self, ref: ProductRef, next_epoch: bool = False) -> Mapping[date, int]: ...

    def read_counts(self, first: date, last: date, up_to: Position | None = None) -> list[StatedCount]: ...


@dataclass(frozen=True)
class PublishedMonth:
    """The published figure of a month under one reading; numbers are people."""

    month: date
    estimate: int | None
    lower: int
    upper: int | None
    method: int


What = Literal["new", "replaced", "confirmed", "unchanged", "older", "erased"]


class Outcome(NamedTuple):
    """What became of one contribution."""

    what: What
    replaced: str | None = None
    """The digest of the version that it replaced."""


@dataclass(frozen=True)
class Restated:
    """Why contributions of closed months are taken, and who says so."""

    reason: str
    by: str
    months: frozenset[date] = frozenset()
    """First days of those that are closed."""


def outcome(accepted: AcceptedContribution, before: StoredContribution | None) -> Outcome:
    """What becomes of a contribution beside the current version of its period."""
    contribution = accepted.contribution
    settles_at = accepted.settles_at
    if before is None:
        return Outcome("new")
    if differs(accepted, before):
        return Outcome("older") if before.computed_at > contribution.computed_at else Outcome("replaced", before.digest)
    return Outcome("confirmed" if before.computed_at < settles_at <= contribution.computed_at else "unchanged")


def differs(accepted: AcceptedContribution, before: StoredContribution | None) -> bool:
    """Whether it isn't the current version already; one that was erased isn't there."""
    return (
        before is None
        or before.erased_at is not None
        or (before.digest, before.key_fingerprint) != (accepted.contribution.digest, accepted.key_fingerprint)
    )
