"""The published months that alerts look back at: their figures, their products, and what the products called active."""

from collections import defaultdict
from datetime import date

import sqlalchemy as sa

from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end
from pipelines.records import PERIOD_COLUMNS, PublishedMonth, summed_bounds
from pipelines.store import schema
from pipelines.store.engine import Store


def read(store: Store, reading: Reading, since: date, subject: str | None = None) -> list[PublishedMonth]:
    """The figures in force of the months from `since` (a first day) on, in order; where the reading sums products, the sum.

    `subject`: an affiliate or a product (affiliate/product) in the place of the whole group; months without it are left out.
    """
    published = schema.publications.c
    figure = schema.figures.c
    latest = schema.current(schema.publications, "month", "reading").where(
        published.reading == reading.name, published.month >= since
    )
    scope = "group" if subject is None else "product" if "/" in subject else "affiliate"
    whole = (
        sa.select(
            published.month, figure.estimate, figure.lower, figure.upper, published.method, figure.summed_products, published.id
        )
        .join_from(schema.publications, schema.figures, figure.publication == published.id)
        .where(published.id.in_(latest), figure.scope == scope, *([] if subject is None else [figure.subject == subject]))
        .order_by(published.month)
    )
    of_products = (
        sa.select(figure.publication, figure.lower, figure.upper)
        .where(figure.publication.in_(latest), figure.scope == "product")
        # Names may hold an underscore, which `like` takes for any letter.
        .where(*([figure.subject.startswith(f"{subject}/", autoescape=True)] if scope == "affiliate" else []))
    )
    with store.reading() as connection:
        rows = connection.execute(whole).all()
        if reading.counts == "unique_people" or scope == "product":
            return [PublishedMonth(r.month, r.estimate, r.lower, r.upper, r.method) for r in rows]
        # Added here and not by SQL, whose sum would leave out a product without an upper bound.
        bounds = defaultdict[int, list[tuple[int, int | None]]](list)
        for publication, lower, upper in connection.execute(of_products):
            bounds[publication].append((lower, upper))
    return [PublishedMonth(r.month, r.summed_products, *summed_bounds(bounds[r.id]), r.method) for r in rows]


def products(store: Store, reading: Reading, month: date) -> list[tuple[ProductRef, int | None]]:
    """The products of a published month with their users (null without an estimate), the largest first."""
    publication = schema.publications.c
    figure = schema.figures.c
    latest = schema.current(schema.publications, "month", "reading").where(
        publication.reading == reading.name, publication.month == month
    )
    wanted = sa.select(figure.subject, figure.estimate).where(figure.publication.in_(latest), figure.scope == "product")
    with store.reading() as connection:
        rows = [(ProductRef.parse(row.subject), row.estimate) for row in connection.execute(wanted)]
    return sorted(rows, key=lambda row: (-(row[1] or 0), str(row[0])))


def definitions(store: Store, month: date) -> dict[str, frozenset[tuple[str, str | None]]]:
    """By affiliate/product, how the current contributions of a month define active users.

    Each definition is its label, and the digest of the settings that decide who counts; null where that isn't known.
    """
    contribution = schema.contributions.c
    within = contribution.activity_date.between(month, month_end(month))
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(within, contribution.ahead.is_(False))
    wanted = (
        sa.select(contribution.affiliate, contribution.product, contribution.definition, contribution.definition_digest)
        .where(contribution.id.in_(latest))
        .distinct()
    )
    by_product = defaultdict[str, set[tuple[str, str | None]]](set)
    with store.reading() as connection:
        for row in connection.execute(wanted):
            by_product[str(ProductRef(row.affiliate, row.product))].add((row.definition, row.definition_digest))
    return {product: frozenset(labels) for product, labels in by_product.items()}
