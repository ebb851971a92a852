"""Versions of contributions: what the store has of a product and period, and what may be put beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from affiliates.contribution import Contribution
from affiliates.group import Grain
from pipelines import schema

Period = tuple[str, str, str, date, bool]
"""Affiliate, product, grain and first day: what a contribution is about; and whether it is a day's second one, under the coming
epoch's key."""
ABOUT = "affiliate", "product", "grain", "activity_date"
PERIOD = (*ABOUT, "ahead")


@dataclass(frozen=True)
class Version:
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
    ahead: bool
    """Whether it is a day's second one, under the coming epoch's key."""
    computed_at: datetime
    """When it was last computed with this result."""
    audiences: str | None = None
    """Those that it is of; null for all."""
    erased_at: datetime | None = None
    """When a sketch of it was last erased; null while all are there."""

    @property
    def content(self) -> list[str]:
        """What of it moves a figure, or what is said beside it: all but its number in this store and when it was computed,
        so that any store that was given the same says the same."""
        left_out = {"id", "computed_at", "definition", "erased_at", "ahead"}  # Its epoch says the last.
        left_out |= {"audiences"} if self.audiences is None else set()
        return [str(getattr(self, f.name)) for f in fields(self) if f.name not in left_out]

    def lacks(self, audiences: Sequence[str]) -> bool:
        """Whether it isn't of all of these audiences."""
        return self.audiences is not None and not set(audiences) <= set(self.audiences.split())


class Accepted(NamedTuple):
    """A contribution that may be stored."""

    contribution: Contribution
    settles_at: datetime
    """When its period's late events have arrived."""
    key_fingerprint: str
    """Of the key that its canaries have proved."""
    ahead: bool = False
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


def period(of: Version | Accepted) -> Period:
    about = of if isinstance(of, Version) else of.contribution
    return about.affiliate, about.product, about.grain, about.activity_date, of.ahead


def last_id(connection: sa.Connection, table: sa.Table) -> int:
    """The greatest number of a row."""
    return connection.scalar(sa.select(sa.func.max(table.c.id))) or 0


def read(connection: sa.Connection, *wanted: Any, up_to: Position | None = None) -> list[Version]:
    """The current versions that are wanted, or those that were current when the store was filled so far; days' own and second
    ones alike."""
    c, again = schema.contributions.c, schema.confirmations.c
    latest = sa.select(sa.func.max(c.id)).where(*wanted).group_by(*(c[name] for name in PERIOD))
    repeated = sa.select(again.contribution_id, sa.func.max(again.computed_at).label("at")).group_by(again.contribution_id)
    if up_to:
        latest, repeated = latest.where(c.id <= up_to.contributions), repeated.where(again.known_at <= up_to.at)
    confirmed = repeated.subquery()
    columns: list[sa.ColumnElement[Any]] = [
        c[field.name] for field in fields(Version) if field.name not in ("computed_at", "erased_at")
    ]
    p, s = schema.parts.c, schema.sketches.c
    # One row after the other: SQLite finds a null without reading the image before it.
    erased = sa.select(sa.func.max(s.erased_at, type_=schema.Utc())).where(s.digest == p.sketch, p.contribution_id == c.id)
    erased = erased.where(schema.GONE)
    columns.append(erased.correlate(schema.contributions).scalar_subquery().label("erased_at"))
    rows = connection.execute(
        sa.select(*columns, sa.func.coalesce(confirmed.c.at, c.computed_at, type_=schema.Utc()).label("computed_at"))
        .outerjoin(confirmed, confirmed.c.contribution_id == c.id)
        .where(c.id.in_(latest))
        .order_by(c.affiliate, c.product, c.activity_date)
    )
    return [Version(**row) for row in rows.mappings()]


def current(connection: sa.Connection, received: Sequence[Accepted]) -> dict[Period, Version]:
    """The current versions of the products that something was received of."""
    c, pairs = schema.contributions.c, sorted({(r.affiliate, r.product) for r, *_ in received})
    found = (v for a, p in pairs for v in read(connection, c.affiliate == a, c.product == p))
    return {period(v): v for v in found}
