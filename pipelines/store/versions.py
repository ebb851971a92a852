"""Reading the current versions of contributions, as they are now or as they were at a position of the store."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from affiliates.manifests.product import ProductRef
from affiliates.periods import DAY, month_end, month_of
from pipelines.records import PERIOD_COLUMNS, AcceptedContribution, Period, Position, StoredContribution, column_of
from pipelines.store import schema
from pipelines.store.column_types import Utc


def last_id(connection: sa.Connection, table: sa.Table) -> int:
    """The greatest `id` in a table; 0 for an empty one."""
    return connection.scalar(sa.select(sa.func.max(table.c.id))) or 0


def around(
    connection: sa.Connection, first: date, last: date, up_to: Position | None = None, next_epoch: bool = False
) -> list[StoredContribution]:
    """The current versions of the days from `first` to `last` (both included), and of the periods beside them.

    In the order of affiliate, product and day. `up_to`: the versions that were current when the store was filled so far.
    `next_epoch`: days' second contributions, too.
    """
    # Zones lie up to 26 hours apart (UTC-12 to UTC+14), so a day elsewhere may overlap with one two dates away.
    days = {"first": first - DAY * 2, "last": last + DAY * 2, "month_beside": month_of(first - DAY)}
    return _read(connection, _around(up_to is not None, next_epoch), up_to, days)


def of_product(
    connection: sa.Connection,
    ref: ProductRef,
    first: date | None = None,
    last: date | None = None,
    next_epoch: bool | None = None,
) -> list[StoredContribution]:
    """A product's current versions, all or those of the days from `first` to `last` (both included); in order of days.

    `next_epoch`: the periods' own versions or days' second ones alone; null for both.
    """
    parameters = {**ref._asdict(), **({"first": first, "last": last} if first and last else {})}
    return _read(connection, _of_product(bool(first and last), next_epoch), None, parameters)


@cache
def _of_product(is_range: bool, next_epoch: bool | None) -> sa.Select[Any]:
    """The statement of `of_product`, made once: a first day asks it several times for each product."""
    contribution = schema.contributions.c
    wanted = [contribution[name] == sa.bindparam(name) for name in ProductRef._fields]
    if is_range:
        wanted.append(contribution.activity_date.between(sa.bindparam("first"), sa.bindparam("last")))
    if next_epoch is not None:
        wanted.append(contribution.ahead.is_(next_epoch))
    return _statement(wanted, False)


@cache
def _around(is_limited: bool, next_epoch: bool) -> sa.Select[Any]:
    """The statement of `around`: made once, since each month's figures ask it, and to make it takes longer than to run it."""
    contribution = schema.contributions.c
    month_beside = sa.and_(contribution.grain == "month", contribution.activity_date == sa.bindparam("month_beside"))
    days = contribution.activity_date.between(sa.bindparam("first"), sa.bindparam("last"))
    own = [] if next_epoch else [contribution.ahead.is_(False)]
    return _statement([sa.or_(days, month_beside), *own], is_limited)


def _statement(wanted: Sequence[Any], is_limited: bool) -> sa.Select[Any]:
    """The current versions under these conditions, a field of `StoredContribution` each column; `is_limited`: up to a position,
    the parameters `contributions_to` and `known_to`."""
    contribution = schema.contributions.c
    again = schema.confirmations.c
    latest = schema.current(schema.contributions, *PERIOD_COLUMNS).where(*wanted)
    # The same result, computed again after the period has settled: what counting sees is the later time. Looked up row by row:
    # a store has many more confirmations than one product's days.
    repeated = sa.select(sa.func.max(again.computed_at, type_=Utc())).where(again.contribution_id == contribution.id)
    if is_limited:
        latest = latest.where(contribution.id <= sa.bindparam("contributions_to"))
        repeated = repeated.where(again.known_at <= sa.bindparam("known_to"))
    confirmed = repeated.correlate(schema.contributions).scalar_subquery()
    part = schema.parts.c
    sketch = schema.sketches.c
    # One row after the other: SQLite finds a null without reading the image before it.
    erased = sa.select(sa.func.max(sketch.erased_at, type_=Utc())).where(
        sketch.digest == part.sketch, part.contribution_id == contribution.id
    )
    computed: dict[str, sa.ColumnElement[Any]] = {
        "computed_at": sa.func.coalesce(confirmed, contribution.computed_at, type_=Utc()),
        "erased_at": erased.where(schema.GONE).correlate(schema.contributions).scalar_subquery(),
    }
    columns = [
        (computed[field.name] if field.name in computed else contribution[column_of(field.name)]).label(field.name)
        for field in fields(StoredContribution)
    ]
    return (
        sa.select(*columns)
        .where(contribution.id.in_(latest))
        .order_by(contribution.affiliate, contribution.product, contribution.activity_date)
    )


def _read(
    connection: sa.Connection,
    statement: sa.Select[Any],
    up_to: Position | None,
    parameters: Mapping[str, str | date] = MappingProxyType({}),
) -> list[StoredContribution]:
    limits = {"contributions_to": up_to.contributions, "known_to": up_to.at} if up_to else {}
    return [StoredContribution(*row) for row in connection.execute(statement, {**limits, **parameters})]


def current(connection: sa.Connection, received: Sequence[AcceptedContribution]) -> dict[Period, StoredContribution]:
    """By period, the current versions of these contributions' products, in the months of the contributions.

    All that a contribution can have a day in common with is among them: days, and whole months.
    """
    days = defaultdict[ProductRef, list[date]](list)
    for accepted in received:
        days[accepted.contribution.ref].append(accepted.contribution.activity_date)
    versions = dict[Period, StoredContribution]()
    for ref, of_days in sorted(days.items()):
        near = of_product(connection, ref, month_of(min(of_days)), month_end(max(of_days)))
        versions |= {version.period: version for version in near}
    return versions
