"""Which products the store knows anything of, for which days, and in which months they were counted."""

from collections.abc import Collection
from datetime import date
from typing import NamedTuple

import sqlalchemy as sa

from affiliates.manifests.product import ProductRef
from affiliates.periods import month_end
from pipelines.records import PERIOD_COLUMNS
from pipelines.store import schema
from pipelines.store.engine import Store


class Span(NamedTuple):
    """From which to which period contributions of a product and a grain are stored."""

    ref: ProductRef
    grain: str
    first: date
    last: date
    """First days of the first and of the last period."""


def read_spans(store: Store) -> list[Span]:
    """The spans of all products, without days' second contributions, which no month's figure rests on."""
    contribution = schema.contributions.c
    by = contribution.affiliate, contribution.product, contribution.grain
    day = contribution.activity_date
    spans = sa.select(*by, sa.func.min(day), sa.func.max(day)).where(contribution.ahead.is_(False)).group_by(*by).order_by(*by)
    with store.reading() as connection:
        return [Span(ProductRef(row[0], row[1]), *row[2:]) for row in connection.execute(spans)]


def read_stated(store: Store) -> set[tuple[ProductRef, date]]:
    """The products and months that a count or a ceiling was ever given for, withdrawn or not."""
    count = schema.counts.c
    wanted = sa.select(count.affiliate, count.product, count.month).where(count.users.is_not(None)).distinct()
    with store.reading() as connection:
        return {(ProductRef(row.affiliate, row.product), row.month) for row in connection.execute(wanted)}


def read_counted(store: Store, month: date, in_force: bool = False) -> set[ProductRef]:
    """The products that any publication of a month has a figure of; `in_force`: any publication that is in force."""
    published = schema.publications.c
    figure = schema.figures.c
    wanted = sa.select(published.id).where(published.month == month)
    if in_force:
        wanted = schema.current(schema.publications, "month", "reading").where(published.month == month)
    products = sa.select(figure.subject).where(figure.scope == "product", figure.publication.in_(wanted)).distinct()
    with store.reading() as connection:
        return {ProductRef.parse(subject) for subject in connection.scalars(products)}


def read_users(store: Store, months: Collection[date], audience: str) -> dict[ProductRef, tuple[date, date]]:
    """The products with a user of an audience in these months (first days): from which to which month."""
    contribution = schema.contributions.c
    part = schema.parts.c
    spans = dict[ProductRef, tuple[date, date]]()
    for month in sorted(months):
        within = contribution.activity_date.between(month, month_end(month))
        latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(within, contribution.ahead.is_(False))
        wanted = (
            sa.select(contribution.affiliate, contribution.product)
            .join_from(schema.contributions, schema.parts, part.contribution_id == contribution.id)
            .where(contribution.id.in_(latest), part.audience == audience, sa.func.coalesce(part.estimate, 1) > 0)
            .distinct()
        )
        with store.reading() as connection:
            for row in connection.execute(wanted):
                ref = ProductRef(row.affiliate, row.product)
                spans[ref] = (spans.get(ref, (month, month))[0], month)
    return spans
