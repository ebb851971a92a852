"""Keeping erased data out: what was erased isn't stored again until somebody has allowed that by name."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, Refusal
from affiliates.manifests.product import ProductRef
from affiliates.periods import Grain, period_days
from pipelines.records import AcceptedContribution, Period, StoredContribution
from pipelines.store import schema

# Values of `erasures.kind`.
ERASED = "erased"
ALLOWED = "allowed"


class ErasedPeriod(NamedTuple):
    """The newest order that erased a period's sketches, or the registers that are contributed."""

    at: datetime
    by: str
    """Who gave the order."""


class _ErasedSketch(NamedTuple):
    """An erased sketch of a product, by the period that had it."""

    grain: str
    activity_date: date
    erased_at: datetime


def blocked(
    connection: sa.Connection, received: Sequence[AcceptedContribution], current: Mapping[Period, StoredContribution]
) -> dict[Period, ErasedPeriod]:
    """The contributions that may not be stored, by period. `current`: the current versions of their products.

    A contribution is blocked when its period was erased, in whichever grain. It is blocked as well when it has the registers of
    an erased sketch of its product, if this period had that sketch or the order was about this period, too. Other days of a
    small product, and other products, may well have the same registers. An order that allows the period ends the block.
    """
    orders = connection.execute(sa.select(*schema.erasures.c)).all()
    if not orders:
        return {}
    signers = {order.known_at: order.signed_by for order in orders if order.kind == ERASED}
    # By moment, as `sketches.erased_at` names an order. Orders for replaced versions block no period as a whole.
    whole = defaultdict[datetime, list[sa.Row[Any]]](list)
    for order in orders:
        if order.kind == ERASED and not order.superseded:
            whole[order.known_at].append(order)
    sketches = _erased_sketches(connection, [part.registers.digest() for a in received for part in a.contribution.parts])
    versions = defaultdict[ProductRef, list[StoredContribution]](list)
    for version in current.values():
        if version.erased_at is not None:
            versions[version.ref].append(version)
    blocked_periods: dict[Period, ErasedPeriod] = {}
    for accepted in received:
        contribution = accepted.contribution
        moments = [
            *_moments_of_registers(contribution, sketches, whole),
            *_moments_of_period(accepted, versions[contribution.ref], whole),
        ]
        allowed = [order.id for order in orders if order.kind == ALLOWED and _covers(order, contribution)]
        if not moments:
            continue
        newest = max(moments, key=lambda at: (_number_of(at, orders), at))
        if not any(number > _number_of(newest, orders) for number in allowed):
            blocked_periods[accepted.period] = ErasedPeriod(newest, signers.get(newest, "somebody"))
    return blocked_periods


def _moments_of_registers(
    contribution: Contribution,
    sketches: Mapping[tuple[ProductRef, str], Sequence[_ErasedSketch]],
    whole: Mapping[datetime, Sequence[sa.Row[Any]]],
) -> Iterator[datetime]:
    """When sketches with the contribution's registers were erased for its period, or by an order about its period."""
    days = period_days(contribution.grain, contribution.activity_date)
    for part in contribution.parts:
        for sketch in sketches.get((contribution.ref, part.registers.digest()), ()):
            of_period = _overlap(period_days(sketch.grain, sketch.activity_date), days)
            if of_period or any(_is_about(order, contribution) for order in whole.get(sketch.erased_at, ())):
                yield sketch.erased_at


def _moments_of_period(
    accepted: AcceptedContribution,
    versions: Sequence[StoredContribution],
    whole: Mapping[datetime, Sequence[sa.Row[Any]]],
) -> Iterator[datetime]:
    """When the current versions whose days overlap with the contribution's were erased."""
    contribution = accepted.contribution
    days = period_days(contribution.grain, contribution.activity_date)
    for version in versions:
        if version.erased_at is None or not _overlap(period_days(version.grain, version.activity_date), days):
            continue
        # What was erased of a day comes back under no key; but an erased second contribution keeps out no day's own.
        same_slot = not version.next_epoch or accepted.next_epoch
        if same_slot or any(_is_about(order, contribution) for order in whole.get(version.erased_at, ())):
            yield version.erased_at


def _number_of(at: datetime, orders: Sequence[sa.Row[Any]]) -> int:
    """The number of the order that erased at a moment; 0 for none. By number, since a clock may have been ahead, or behind."""
    return max((order.id for order in orders if order.kind == ERASED and order.known_at == at), default=0)


def _covers(order: sa.Row[Any], contribution: Contribution) -> bool:
    """Whether an order that allows days of a product allows all days of the contribution."""
    first, last = period_days(contribution.grain, contribution.activity_date)
    return bool((order.affiliate, order.product) == contribution.ref and order.first_day <= first and last <= order.last_day)


def _overlap(one: tuple[date, date], other: tuple[date, date]) -> bool:
    """Whether two ranges of days (first and last, both included) have a day in common."""
    return one[0] <= other[1] and other[0] <= one[1]


def _is_about(order: sa.Row[Any], contribution: Contribution) -> bool:
    """Whether an order to erase would have erased the contribution: `erasure.Scope.condition`, for what isn't stored."""
    return is_about(order, contribution.ref, contribution.grain, contribution.activity_date, contribution.key_epoch)


def is_about(order: sa.Row[Any], ref: ProductRef, grain: Grain, activity_date: date, key_epoch: str) -> bool:
    """Whether an order to erase is about a product's period under a key; `activity_date` is the period's first day."""
    first, last = period_days(grain, activity_date)
    return (
        (order.affiliate is None or (order.affiliate, order.product) == ref)
        and (order.first_day is None or order.first_day <= last)
        and (order.last_day is None or first <= order.last_day)
        and order.key_epoch in (None, key_epoch)
        and (order.before is None or first < order.before)
    )


def orders_of_periods(connection: sa.Connection) -> list[sa.Row[Any]]:
    """The orders to erase periods as a whole: rows of `erasures`, without those for replaced versions alone."""
    erasure = schema.erasures.c
    wanted = erasure.kind == ERASED, erasure.superseded.is_(False)
    return list(connection.execute(sa.select(*erasure).where(*wanted)).all())


def refusals(blocked_periods: Mapping[Period, ErasedPeriod]) -> Iterator[Refusal]:
    """A refusal for each product that has blocked contributions."""
    by_product = defaultdict[ProductRef, list[Period]](list)
    for period in blocked_periods:
        by_product[period.ref].append(period)
    for ref, periods in by_product.items():
        newest = max(blocked_periods[period] for period in periods)
        first = min(period.activity_date for period in periods)
        last = max(period_days(period.grain, period.activity_date)[1] for period in periods)
        yield Refusal(
            Code.CONTRIBUTION_ERASED,
            str(ref),
            "was erased, so it isn't stored again",
            f"{len(periods)} period{'s' * (len(periods) > 1)} from {first} to {last}, by {newest.by} on {newest.at:%Y-%m-%d}",
            f"if it is to be: mauwatch erase {ref} --from {first} --to {last} --allow-again --by NAME --reason TEXT; then "
            "contribute it again",
        )


def _erased_sketches(connection: sa.Connection, digests: Sequence[str]) -> dict[tuple[ProductRef, str], list[_ErasedSketch]]:
    """By product and digest, the periods for which a sketch of these digests was erased, and when."""
    contributions = schema.contributions
    parts = schema.parts
    sketches = schema.sketches
    erased = [
        digest
        for chunk in schema.chunks(digests)
        for digest in connection.scalars(
            sa.select(sketches.c.digest).where(sketches.c.digest.in_(chunk), sketches.c.erased_at.is_not(None))
        )
    ]
    by_digest = defaultdict[tuple[ProductRef, str], list[_ErasedSketch]](list)
    columns = (
        contributions.c.affiliate,
        contributions.c.product,
        contributions.c.grain,
        contributions.c.activity_date,
        sketches.c.digest,
        sketches.c.erased_at,
    )
    joined = contributions.join(parts, parts.c.contribution_id == contributions.c.id).join(
        sketches, sketches.c.digest == parts.c.sketch
    )
    for chunk in schema.chunks(erased):
        for row in connection.execute(sa.select(*columns).select_from(joined).where(sketches.c.digest.in_(chunk), schema.GONE)):
            sketch = _ErasedSketch(row.grain, row.activity_date, row.erased_at)
            by_digest[ProductRef(row.affiliate, row.product), row.digest].append(sketch)
    return by_digest
