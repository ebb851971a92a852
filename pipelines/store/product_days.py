"""A product's periods in numbers: users, events, and the space that their sketches take up in the store."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa

from affiliates.manifests.product import ProductRef
from affiliates.periods import Grain
from pipelines.records import PERIOD_COLUMNS
from pipelines.store import erasure_guard, schema
from pipelines.store.engine import Store

COUNTED = ("external", "internal")
"""Audiences whose users and events are added up; automated users are nobody."""


class Version(NamedTuple):
    """One version of a period's contribution, in numbers."""

    id: int
    """The contribution's number in this store."""
    definition: str
    """ID/VERSION of what the product calls active."""
    settings: tuple[str | None, str]
    """Digests of the settings that decide who counts (null if not known), and of the crosswalk (empty for none)."""
    key: str
    """Fingerprint of the key that hashed the users."""
    sender: str | None
    """The affiliate that handed the contribution in; null for what was computed here."""
    users: int | None
    """As `ProductDay.users`."""
    events: int | None
    """As `ProductDay.events`."""


@dataclass(frozen=True)
class ProductDay:
    """The current contribution of a product and a period, in numbers."""

    ref: ProductRef
    grain: Grain
    day: date
    """The day, or the month's first day."""
    users: int | None
    """External and internal users, added over namespaces; null where a sketch is older than the column of estimates."""
    events: int | None
    """Events of these users; null if not known."""
    stored_bytes: int
    """Of all sketches, as the store keeps them; erased ones take none."""
    lg_k: int
    """The lowest among the sketches."""
    versions: tuple[Version, ...] = ()
    """All versions of the period in their order, the current one last; empty where there is but one. Left out is what came
    before an order to erase the period: who gave the order has decided about these people by name."""


def read(store: Store, ref: ProductRef, grain: Grain, first: date, last: date) -> list[ProductDay]:
    """A product's periods of one grain whose first days lie from `first` to `last` (both included), in order.

    The current contributions alone, without days' second ones.
    """
    return _read(store, first, last, ref, grain).get((ref, grain), [])


def read_all(store: Store, first: date, last: date) -> dict[tuple[ProductRef, Grain], list[ProductDay]]:
    """By product and grain, the periods as `read` gives them; in one query."""
    return _read(store, first, last)


def _read(
    store: Store, first: date, last: date, ref: ProductRef | None = None, grain: Grain | None = None
) -> dict[tuple[ProductRef, Grain], list[ProductDay]]:
    """By product and grain, periods in order: all products', or one's of one grain."""
    contribution = schema.contributions.c
    part = schema.parts.c
    sketch = schema.sketches.c
    wanted: list[sa.ColumnElement[bool]] = [contribution.activity_date.between(first, last), contribution.ahead.is_(False)]
    if ref is not None:
        wanted += [contribution.affiliate == ref.affiliate, contribution.product == ref.product, contribution.grain == grain]
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(*wanted)
    rows = (
        sa.select(
            contribution.affiliate,
            contribution.product,
            contribution.grain,
            contribution.activity_date,
            part.audience,
            part.estimate,
            part.events,
            sa.func.coalesce(sa.func.length(sketch.image), 0),
            sketch.lg_k,
        )
        .select_from(schema.contributions)
        .join(schema.parts, part.contribution_id == contribution.id)
        .join(schema.sketches, sketch.digest == part.sketch)
        .where(contribution.id.in_(latest))
        .order_by(contribution.activity_date)
    )
    parts = defaultdict[tuple[ProductRef, Grain], defaultdict[date, list[_PartNumbers]]](lambda: defaultdict(list))
    with store.reading() as connection:
        for affiliate, product, its_grain, day, *numbers in connection.execute(rows):
            parts[ProductRef(affiliate, product), its_grain][day].append(_PartNumbers(*numbers))
        several = _with_versions(connection, first, last) if ref is None or grain is None else [(ref, grain)]
        versions = {key: _versions(connection, *key, first, last) for key in several}
    nothing = defaultdict[date, list[Version]](list)
    return {
        key: [_product_day(*key, day, of_day, versions.get(key, nothing)[day]) for day, of_day in by_day.items()]
        for key, by_day in parts.items()
    }


def read_either(store: Store, ref: ProductRef, grain: Grain, first: date, last: date) -> list[ProductDay]:
    """A product's periods of its own grain, or else of the other: whole months may have been handed in. As `read`."""
    return read(store, ref, grain, first, last) or read(store, ref, other_grain(grain), first, last)


def other_grain(grain: Grain) -> Grain:
    """Months for days, and days for months."""
    return "month" if grain == "day" else "day"


class _PartNumbers(NamedTuple):
    """One part of a contribution, without its sketch."""

    audience: str
    users: int | None
    events: int | None
    stored_bytes: int
    lg_k: int


def _product_day(
    ref: ProductRef, grain: Grain, day: date, parts: Sequence[_PartNumbers], versions: Sequence[Version]
) -> ProductDay:
    counted = [part for part in parts if part.audience in COUNTED]
    return ProductDay(
        ref,
        grain,
        day,
        users=_sum([part.users for part in counted]),
        events=_sum([part.events for part in counted]),
        stored_bytes=sum(part.stored_bytes for part in parts),
        lg_k=min(part.lg_k for part in parts),
        versions=tuple(versions),
    )


def _with_versions(connection: sa.Connection, first: date, last: date) -> list[tuple[ProductRef, Grain]]:
    """The products and grains of which any period from `first` to `last` has several versions."""
    contribution = schema.contributions.c
    period = contribution.affiliate, contribution.product, contribution.grain, contribution.activity_date
    wanted = contribution.activity_date.between(first, last), contribution.ahead.is_(False)
    replaced = sa.select(*period).where(*wanted).group_by(*period).having(sa.func.count() > 1).subquery()
    products = sa.select(replaced.c.affiliate, replaced.c.product, replaced.c.grain).distinct()
    return [(ProductRef(affiliate, product), grain) for affiliate, product, grain in connection.execute(products)]


def _versions(
    connection: sa.Connection, ref: ProductRef, grain: Grain, first: date, last: date
) -> defaultdict[date, list[Version]]:
    """By first day, the versions of the periods that have several, in their order, but for those before an order to erase."""
    contribution = schema.contributions.c
    part = schema.parts.c
    counted = part.audience.in_(COUNTED)
    wanted = (
        contribution.affiliate == ref.affiliate,
        contribution.product == ref.product,
        contribution.grain == grain,
        contribution.activity_date.between(first, last),
        contribution.ahead.is_(False),
    )
    several = sa.select(contribution.activity_date).where(*wanted).group_by(contribution.activity_date)
    replaced = list(connection.scalars(several.having(sa.func.count() > 1)))
    versions = defaultdict[date, list[Version]](list)
    if not replaced:  # As with most products: then no part is read.
        return versions
    rows = (
        sa.select(
            contribution.id,
            contribution.activity_date,
            contribution.known_at,
            contribution.key_epoch,
            contribution.key_fingerprint,
            contribution.definition,
            contribution.definition_digest,
            contribution.crosswalk_digest,
            contribution.sender,
            _sum_or_null(part.estimate, counted),
            _sum_or_null(part.events, counted),
        )
        .join_from(schema.contributions, schema.parts, part.contribution_id == contribution.id)
        .where(*wanted, contribution.activity_date.in_(replaced))
        .group_by(contribution.id)
        .order_by(contribution.id)
    )
    orders = erasure_guard.orders_of_periods(connection)
    known = defaultdict[date, list[tuple[datetime, str]]](list)
    for number, day, known_at, key_epoch, key, definition, digest, crosswalk, sender, users, events in connection.execute(rows):
        # PostgreSQL sums whole numbers as decimals.
        numbers = [None if sum_ is None else int(sum_) for sum_ in (users, events)]
        versions[day].append(Version(number, definition, (digest, crosswalk), key, sender, *numbers))
        known[day].append((known_at, key_epoch))
    for day in versions if orders else ():
        erased = [
            number
            for number, (known_at, key_epoch) in enumerate(known[day][:-1])
            if any(order.known_at >= known_at and erasure_guard.is_about(order, ref, grain, day, key_epoch) for order in orders)
        ]
        versions[day] = [version for number, version in enumerate(versions[day]) if number not in erased]
    return versions


def _sum_or_null(column: sa.ColumnElement[int], counted: sa.ColumnElement[bool]) -> sa.ColumnElement[int | None]:
    """The sum over the rows that count, null where any of these has no number: SQL's own sum leaves nulls out."""
    unknown = sa.func.sum(sa.case((counted & column.is_(None), 1), else_=0))
    return sa.case((unknown > 0, sa.null()), else_=sa.func.coalesce(sa.func.sum(sa.case((counted, column), else_=0)), 0))


def read_events(store: Store, ref: ProductRef, grain: Grain, next_epoch: bool = False) -> dict[date, int]:
    """By first day, the number of events of a period's contribution: of every audience, identified or not.

    Periods without a number of events are left out. `next_epoch`: days' second contributions, under the next epoch's key.
    """
    contribution = schema.contributions.c
    part = schema.parts.c
    ours = (
        contribution.affiliate == ref.affiliate,
        contribution.product == ref.product,
        contribution.grain == grain,
        contribution.ahead.is_(next_epoch),
    )
    events = (
        sa.select(
            contribution.activity_date,
            sa.func.sum(part.events),
            contribution.unidentified_events,
            sa.func.count() - sa.func.count(part.events),
        )
        .join_from(schema.contributions, schema.parts, part.contribution_id == contribution.id)
        .where(contribution.id.in_(schema.current(schema.contributions, *PERIOD_COLUMNS).where(*ours)))
        .group_by(contribution.id, contribution.activity_date, contribution.unidentified_events)
    )
    with store.reading() as connection:
        return {
            # PostgreSQL sums whole numbers as decimals.
            day: int(identified) + unidentified
            for day, identified, unidentified, parts_without_number in connection.execute(events)
            if unidentified is not None and not parts_without_number
        }


def _sum(numbers: Sequence[int | None]) -> int | None:
    """The sum; null where a number isn't known."""
    # SQL's own sum leaves nulls out: a part without a number would pass for one of nobody.
    known = [n for n in numbers if n is not None]
    return sum(known) if len(known) == len(numbers) else None
