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
    p = schema.publications.c
    f = schema.figures.c
    latest = schema.current(schema.publications, "month", "reading").where(p.reading == reading.name, p.month >= since)
    scope = "group" if subject is None else "product" if "/" in subject else "affiliate"
    whole = (
        sa.select(p.month, f.estimate, f.lower, f.upper, p.method, f.summed_products, p.id)
        .join_from(schema.publications, schema.figures, f.publication == p.id)
        .where(p.id.in_(latest), f.scope == scope, *([] if subject is None else [f.subject == subject]))
        .order_by(p.month)
    )
    of_products = (
        sa.select(f.publication, f.lower, f.upper)
        .where(f.publication.in_(latest), f.scope == "product")
        # Names may hold an underscore, which `like` takes for any letter.
        .where(*([f.subject.startswith(f"{subject}/", autoescape=True)] if scope == "affiliate" else []))
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
    p = schema.publications.c
    f = schema.figures.c
    latest = schema.current(schema.publications, "month", "reading").where(p.reading == reading.name, p.month == month)
    wanted = sa.select(f.subject, f.estimate).where(f.publication.in_(latest), f.scope == "product")
    with store.reading() as connection:
        rows = [(ProductRef.parse(row.subject), row.estimate) for row in connection.execute(wanted)]
    return sorted(rows, key=lambda row: (-(row[1] or 0), str(row[0])))


def definitions(store: Store, month: date) -> dict[str, frozenset[tuple[str, str | None]]]:
    """By affiliate/product, how the current contributions of a month define active users.

    Each definition is its label, and the digest of the settings that decide who counts; null where that isn't known.
    """
    c = schema.contributions.c
    within = c.activity_date.between(month, month_end(month))
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(within, c.ahead.is_(False))
    wanted = sa.select(c.affiliate, c.product, c.definition, c.definition_digest).where(c.id.in_(latest)).distinct()
    by_product = defaultdict[str, set[tuple[str, str | None]]](set)
    with store.reading() as connection:
        for row in connection.execute(wanted):
            by_product[str(ProductRef(row.affiliate, row.product))].add((row.definition, row.definition_digest))
    return {product: frozenset(labels) for product, labels in by_product.items()}
