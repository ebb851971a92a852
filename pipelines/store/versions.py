"""Reading the current versions of contributions, as they are now or as they were at a position of the store."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from pipelines.records import PERIOD_COLUMNS, AcceptedContribution, Period, Position, StoredContribution, column_of
from pipelines.store import schema


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
    # The same result, computed again after the period has settled: what counting sees is the later time.
    repeated = sa.select(again.contribution_id, sa.func.max(again.computed_at).label("at")).group_by(again.contribution_id)
    if up_to:
        latest = latest.where(contribution.id <= up_to.contributions)
        repeated = repeated.where(again.known_at <= up_to.at)
    confirmed = repeated.subquery()
    columns: list[sa.ColumnElement[Any]] = [
        contribution[column_of(field.name)].label(field.name)
        for field in fields(StoredContribution)
        if field.name not in ("computed_at", "erased_at")
    ]
    part = schema.parts.c
    sketch = schema.sketches.c
    # One row after the other: SQLite finds a null without reading the image before it.
    erased = sa.select(sa.func.max(sketch.erased_at, type_=schema.Utc())).where(
        sketch.digest == part.sketch, part.contribution_id == contribution.id
    )
    erased = erased.where(schema.GONE)
    columns.append(erased.correlate(schema.contributions).scalar_subquery().label("erased_at"))
    rows = connection.execute(
        sa.select(*columns, sa.func.coalesce(confirmed.c.at, contribution.computed_at, type_=schema.Utc()).label("computed_at"))
        .outerjoin(confirmed, confirmed.c.contribution_id == contribution.id)
        .where(contribution.id.in_(latest))
        .order_by(contribution.affiliate, contribution.product, contribution.activity_date)
    )
    return [StoredContribution(**row) for row in rows.mappings()]


def current(connection: sa.Connection, received: Sequence[AcceptedContribution]) -> dict[Period, StoredContribution]:
    """By period, all current versions of the products that these contributions are of."""
    contribution = schema.contributions.c
    refs = sorted({accepted.contribution.ref for accepted in received})
    versions = dict[Period, StoredContribution]()
    for ref in refs:
        of_product = read(connection, contribution.affiliate == ref.affiliate, contribution.product == ref.product)
        versions |= {version.period: version for version in of_product}
    return versions
