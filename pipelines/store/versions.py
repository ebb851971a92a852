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
    c = schema.contributions.c
    again = schema.confirmations.c
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(*wanted)
    # The same result, computed again after the period has settled: what counting sees is the later time.
    repeated = sa.select(again.contribution_id, sa.func.max(again.computed_at).label("at")).group_by(again.contribution_id)
    if up_to:
        latest = latest.where(c.id <= up_to.contributions)
        repeated = repeated.where(again.known_at <= up_to.at)
    confirmed = repeated.subquery()
    columns: list[sa.ColumnElement[Any]] = [
        c[column_of(field.name)].label(field.name)
        for field in fields(StoredContribution)
        if field.name not in ("computed_at", "erased_at")
    ]
    p = schema.parts.c
    s = schema.sketches.c
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
    return [StoredContribution(**row) for row in rows.mappings()]


def current(connection: sa.Connection, received: Sequence[AcceptedContribution]) -> dict[Period, StoredContribution]:
    """By period, all current versions of the products that these contributions are of."""
    c = schema.contributions.c
    refs = sorted({accepted.contribution.ref for accepted in received})
    stored = (v for ref in refs for v in read(connection, c.affiliate == ref.affiliate, c.product == ref.product))
    return {version.period: version for version in stored}
