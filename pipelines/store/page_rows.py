"""What pages list of the store beside figures: contributions by day, files handed in, who signed, alerts with their messages."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from affiliates.periods import month_end
from pipelines.records import PERIOD_COLUMNS
from pipelines.store import schema
from pipelines.store.column_types import Utc
from pipelines.store.engine import Store
from pipelines.store.shown_schema import product_overlaps, unique_additions

Row = dict[str, Any]
"""Values by column name."""


def periods(store: Store, first: date, last: date) -> list[Row]:
    """The current contributions whose first days lie from `first` to `last` (both included), in order.

    Columns: affiliate, product, grain, activity_date, computed_at (of the last confirmation), known_at, day_zone, supersedes,
    reason, approved_by.
    """
    # A whole month that begins before the first day isn't asked: pages ask for whole months.
    contribution = schema.contributions.c
    again = schema.confirmations.c
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(
        contribution.activity_date.between(first, last), contribution.ahead.is_(False)
    )
    confirmed = sa.select(sa.func.max(again.computed_at, type_=Utc())).where(again.contribution_id == contribution.id)
    computed = sa.func.coalesce(
        confirmed.correlate(schema.contributions).scalar_subquery(), contribution.computed_at, type_=Utc()
    )
    names = ("affiliate", "product", "grain", "activity_date", "known_at", "day_zone", "supersedes", "reason", "approved_by")
    wanted = (
        sa.select(*(contribution[name] for name in names), computed.label("computed_at"))
        .where(contribution.id.in_(latest))
        .order_by(contribution.affiliate, contribution.product, contribution.activity_date)
    )
    return _read(store, wanted)


def newest_periods(store: Store) -> list[Row]:
    """Of each product and grain: the number of its periods, its first and last day, and when the last one was received.

    Columns: affiliate, product, grain, periods, first, last, received_at.
    """
    contribution = schema.contributions.c
    product = contribution.affiliate, contribution.product, contribution.grain
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(contribution.ahead.is_(False))
    wanted = (
        sa.select(
            *product,
            sa.func.count().label("periods"),
            sa.func.min(contribution.activity_date).label("first"),
            sa.func.max(contribution.activity_date).label("last"),
            sa.func.max(contribution.known_at, type_=Utc()).label("received_at"),
        )
        .where(contribution.id.in_(latest))
        .group_by(*product)
        .order_by(*product)
    )
    return _read(store, wanted)


def restated_periods(store: Store, number: int) -> list[Row]:
    """The last contributions that came, or replaced others, after their month was signed, the newest first.

    Columns as in `contributions`; `reason` is null where a run computed the period, since a reason is asked of files alone.
    """
    contribution = schema.contributions.c
    names = ("id", "affiliate", "product", "grain", "activity_date", "reason", "approved_by", "sender", "known_at")
    after = [
        contribution.activity_date.between(month, month_end(month)) & (contribution.known_at > at)
        for month, at in first_signed(store).items()
    ]
    wanted = sa.select(*(contribution[name] for name in names)).where(sa.or_(contribution.reason.is_not(None), *after))
    return _read(store, wanted.order_by(contribution.id.desc()).limit(number))


def first_signed(store: Store) -> dict[date, datetime]:
    """By month (its first day), when somebody signed it first, under any reading."""
    # The newest first, so the last one that is put down is the earliest.
    return {row["month"]: row["known_at"] for row in signed(store)}


def receipts(store: Store, number: int, outcome: str | None = None) -> list[Row]:
    """The last files that were handed in, the newest first; `outcome`: `accepted` or `refused` alone."""
    receipt = schema.receipts
    wanted = sa.select(receipt) if outcome is None else sa.select(receipt).where(receipt.c.outcome == outcome)
    return _read(store, wanted.order_by(receipt.c.id.desc()).limit(number))


def signed(store: Store) -> list[Row]:
    """Every publication that somebody has signed, the newest first; rows of `publications`."""
    publication = schema.publications
    return _read(store, sa.select(publication).where(publication.c.state != "preliminary").order_by(publication.c.id.desc()))


def transitions(store: Store, opened: int | None = None) -> list[Row]:
    """What happened to all alerts, or to one by its number, in order; rows of `incidents` without those that are no news."""
    # `looked` changes what an alert remembers, and tells nobody anything.
    incidents = schema.incidents
    wanted = sa.select(incidents).where(incidents.c.action != "looked")
    if opened is not None:
        wanted = wanted.where(incidents.c.opened == opened)
    return _read(store, wanted.order_by(incidents.c.id))


def messages(store: Store, opened: int | None = None) -> list[Row]:
    """The messages about all alerts, or about one by its number, with their last attempt, in order.

    Columns: opened, transition, channel, address, created_at, attempt, outcome, said, at. The last four are null before the
    first attempt. A message's text isn't read: it may hold figures.
    """
    message, incident, delivery = schema.outbox.c, schema.incidents.c, schema.deliveries.c
    latest = schema.current(schema.deliveries, "message")
    wanted = (
        sa.select(incident.opened, message.transition, message.channel, message.address, message.created_at)
        .add_columns(delivery.attempt, delivery.outcome, delivery.said, delivery.at)
        .join_from(schema.outbox, schema.incidents, message.transition == incident.id)
        .outerjoin(schema.deliveries, sa.and_(delivery.message == message.id, delivery.id.in_(latest)))
        .order_by(message.id)
    )
    return _read(store, wanted if opened is None else wanted.where(incident.opened == opened))


def additions(store: Store, inputs: str) -> list[Row]:
    """Whom each product alone brings in a month, by the digest of a publication's inputs; empty where that isn't measured yet."""
    wanted = sa.select(unique_additions).where(unique_additions.c.inputs == inputs)
    return _read(store, wanted.order_by(unique_additions.c.product))


def overlaps(store: Store, inputs: str) -> list[Row]:
    """Whom each two products have in common in a month, as `additions`."""
    wanted = sa.select(product_overlaps).where(product_overlaps.c.inputs == inputs)
    return _read(store, wanted.order_by(product_overlaps.c.first, product_overlaps.c.second))


def _read(store: Store, wanted: sa.Select[Any]) -> list[Row]:
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]
