"""Reading the current versions of contributions, as they are now or as they were at a position of the store."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from typing import Any

import sqlalchemy as sa

from affiliates.manifests.product import ProductRef
from affiliates.periods import month_end, month_of
from pipelines.records import PERIOD_COLUMNS, AcceptedContribution, Period, Position, StoredContribution, column_of
from pipelines.store import schema
from pipelines.store.column_types import Utc


def last_id(connection: sa.Connection, table: sa.Table) -> int:
    """The greatest `id` in a table; 0 for an empty one."""
    return connection.scalar(sa.select(sa.func.max(table.c.id))) or 0


def read(connection: sa.Connection, *wanted: Any, up_to: Position | None = None) -> list[StoredContribution]:
    """The current versions that the conditions `wanted` (on `contributions`) leave, days' second ones included.

    `up_to`: the versions that were current when the store was filled so far. In the order of affiliate, product and day.
    """
    contribution = schema.contributions.c
    again = schema.confirmations.c
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(*wanted)
    # The same result, computed again after the period has settled: what counting sees is the later time. Looked up row by row:
    # a store has many more confirmations than one product's days.
    repeated = sa.select(sa.func.max(again.computed_at, type_=Utc())).where(again.contribution_id == contribution.id)
    if up_to:
        latest = latest.where(contribution.id <= up_to.contributions)
        repeated = repeated.where(again.known_at <= up_to.at)
    confirmed = repeated.correlate(schema.contributions).scalar_subquery()
    columns: list[sa.ColumnElement[Any]] = [
        contribution[column_of(field.name)].label(field.name)
        for field in fields(StoredContribution)
        if field.name not in ("computed_at", "erased_at")
    ]
    part = schema.parts.c
    sketch = schema.sketches.c
    # One row after the other: SQLite finds a null without reading the image before it.
    erased = sa.select(sa.func.max(sketch.erased_at, type_=Utc())).where(
        sketch.digest == part.sketch, part.contribution_id == contribution.id
    )
    erased = erased.where(schema.GONE)
    columns.append(erased.correlate(schema.contributions).scalar_subquery().label("erased_at"))
    rows = connection.execute(
        sa.select(*columns, sa.func.coalesce(confirmed, contribution.computed_at, type_=Utc()).label("computed_at"))
        .where(contribution.id.in_(latest))
        .order_by(contribution.affiliate, contribution.product, contribution.activity_date)
    )
    return [StoredContribution(**row) for row in rows.mappings()]


def current(connection: sa.Connection, received: Sequence[AcceptedContribution]) -> dict[Period, StoredContribution]:
    """By period, the current versions of these contributions' products, in the months of the contributions.

    All that a contribution can have a day in common with is among them: days, and whole months.
    """
    contribution = schema.contributions.c
    days = defaultdict[ProductRef, list[date]](list)
    for accepted in received:
        days[accepted.contribution.ref].append(accepted.contribution.activity_date)
    versions = dict[Period, StoredContribution]()
    for ref, of_product in sorted(days.items()):
        months = contribution.activity_date.between(month_of(min(of_product)), month_end(max(of_product)))
        near = read(connection, contribution.affiliate == ref.affiliate, contribution.product == ref.product, months)
        versions |= {version.period: version for version in near}
    return versions
