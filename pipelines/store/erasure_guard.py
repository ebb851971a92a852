"""What was erased isn't contributed again by itself: only once somebody has allowed it by name."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from affiliates.contributions.contract import Contribution
from affiliates.errors import Code, Refusal
from affiliates.manifests.product import ProductRef
from affiliates.periods import period_days
from pipelines.records import AcceptedContribution, Period, StoredContribution
from pipelines.store import schema

ERASED = "erased"
ALLOWED = "allowed"
"""Kinds of `erasures`."""


class ErasedPeriod(NamedTuple):
    """That a period's sketches were erased, or just these registers."""

    at: datetime
    by: str


class _Sketch(NamedTuple):
    """An erased sketch of a product's, and whose period it was."""

    grain: str
    activity_date: date
    erased_at: datetime


def blocked(
    connection: sa.Connection, received: Sequence[AcceptedContribution], current: Mapping[Period, StoredContribution]
) -> dict[Period, ErasedPeriod]:
    """The contributions that may not be stored: of a period that was erased, in whichever grain, or with the very registers
    of an erased sketch of the product's that this period had or that went by an order about this period, too; and nobody has
    allowed this period since. Small products' other days, and other products, may well have the same registers."""
    orders = connection.execute(sa.select(*schema.erasures.c)).all()
    if not orders:
        return {}
    by = {order.known_at: order.signed_by for order in orders if order.kind == ERASED}
    whole = defaultdict[datetime, list[sa.Row[Any]]](list)
    for order in orders:
        if order.kind == ERASED and not order.superseded:
            whole[order.known_at].append(order)
    gone = _erased_sketches(connection, [part.registers.digest() for a in received for part in a.contribution.parts])
    erased = defaultdict[ProductRef, list[StoredContribution]](list)
    for version in current.values():
        if version.erased_at is not None:
            erased[version.ref].append(version)
    found: dict[Period, ErasedPeriod] = {}
    for accepted in received:
        contribution = accepted.contribution
        first, last = period_days(contribution.grain, contribution.activity_date)
        moments = [
            sketch.erased_at
            for part in contribution.parts
            for sketch in gone.get((contribution.ref, part.registers.digest()), ())
            if _overlap(period_days(sketch.grain, sketch.activity_date), (first, last))
            or any(_is_about(order, contribution) for order in whole[sketch.erased_at])
        ]
        for version in erased[contribution.ref]:
            # What was erased of a day comes back under no key; but a second contribution that was keeps out no day's own.
            if version.erased_at is None or not _overlap(period_days(version.grain, version.activity_date), (first, last)):
                continue
            if not version.next_epoch or accepted.next_epoch or any(_is_about(o, contribution) for o in whole[version.erased_at]):
                moments.append(version.erased_at)
        allowed = [
            o.known_at
            for o in orders
            if o.kind == ALLOWED and (o.affiliate, o.product) == contribution.ref and o.first_day <= first and last <= o.last_day
        ]
        if moments and not any(at > max(moments) for at in allowed):
            found[accepted.period] = ErasedPeriod(max(moments), by.get(max(moments), "somebody"))
    return found


def _overlap(one: tuple[date, date], other: tuple[date, date]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _is_about(order: sa.Row[Any], contribution: Contribution) -> bool:
    """Whether an order to erase would have taken the contribution: as `erasure.Scope.condition`."""
    first, last = period_days(contribution.grain, contribution.activity_date)
    return (
        (order.affiliate is None or (order.affiliate, order.product) == contribution.ref)
        and (order.first_day is None or order.first_day <= last)
        and (order.last_day is None or first <= order.last_day)
        and order.key_epoch in (None, contribution.key_epoch)
        and (order.before is None or first < order.before)
    )


def refusals(found: Mapping[Period, ErasedPeriod]) -> Iterator[Refusal]:
    """Why these aren't stored, product by product."""
    of_product = defaultdict[ProductRef, list[Period]](list)
    for about in found:
        of_product[ProductRef(*about[:2])].append(about)
    for ref, periods in of_product.items():
        told = max(found[about] for about in periods)
        first = min(day for *_, day, _ in periods)
        last = max(period_days(grain, day)[1] for *_, grain, day, _ in periods)
        yield Refusal(
            Code.CONTRIBUTION_ERASED,
            str(ref),
            "was erased, so it isn't stored again",
            f"{len(periods)} period{'s' * (len(periods) > 1)} from {first} to {last}, by {told.by} on {told.at:%Y-%m-%d}",
            f"if it is to be: mauwatch erase {ref} --from {first} --to {last} --allow-again --by NAME --reason TEXT; then "
            "contribute it again",
        )


def _erased_sketches(connection: sa.Connection, digests: Sequence[str]) -> dict[tuple[ProductRef, str], list[_Sketch]]:
    """By product and digest, the periods for which such a sketch was erased, and when."""
    c = schema.contributions
    p = schema.parts
    s = schema.sketches
    erased = [
        digest
        for some in schema.chunks(digests)
        for digest in connection.scalars(sa.select(s.c.digest).where(s.c.digest.in_(some), s.c.erased_at.is_not(None)))
    ]
    found = defaultdict[tuple[ProductRef, str], list[_Sketch]](list)
    columns = c.c.affiliate, c.c.product, c.c.grain, c.c.activity_date, s.c.digest, s.c.erased_at
    joined = c.join(p, p.c.contribution_id == c.c.id).join(s, s.c.digest == p.c.sketch)
    for some in schema.chunks(erased):
        for row in connection.execute(sa.select(*columns).select_from(joined).where(s.c.digest.in_(some), schema.GONE)):
            found[ProductRef(row.affiliate, row.product), row.digest].append(_Sketch(row.grain, row.activity_date, row.erased_at))
    return found
