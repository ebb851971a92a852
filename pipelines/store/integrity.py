"""Whether the store's rows agree with each other: contributions with parts, parts with sketches, sketches with erasures.

What the ledger notes is compared by `ledger.faults`. Here is what needs no note: digests that are computed again, and rows that
must have another row beside them.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from affiliates.concurrency import ordered
from affiliates.contributions.contract import PartIdentity
from affiliates.errors import RefusedError
from pipelines.store import contribution_digests, schema, shown_schema, sketches
from pipelines.store.engine import Store
from pipelines.store.publications import PRELIMINARY

SHOWN = tuple(table.name for table in shown_schema.TABLES)
"""The tables of what pages show beside the figures: their rows are no evidence, compared with their owners alone."""
_ROWS = 500
"""Contributions that are compared at a time."""


def faults(store: Store) -> Iterator[str]:
    """What in the store contradicts itself, a sentence each; every version and every sketch is looked at."""
    with store.snapshot() as fixed, fixed.reading() as connection:
        yield from _contributions(connection)
        yield from _sketches(connection)
        yield from _erased(connection)
        yield from _without_owner(connection)
        yield from _confirmations(connection)
        yield from _superseded(connection)


def _contributions(connection: sa.Connection) -> Iterator[str]:
    """Contributions that aren't what their digests say, by the rows of their parts."""
    contributions = schema.contributions.c
    part = schema.parts.c
    columns = [contributions[name] for name in contribution_digests.KEY_COLUMNS]
    last = 0
    ordered_columns = sa.select(*columns).order_by(contributions.id).limit(_ROWS)
    while rows := connection.execute(ordered_columns.where(contributions.id > last)).all():
        parts = defaultdict[int, list[PartIdentity]](list)
        wanted = sa.select(*(part[name] for name in contribution_digests.PART_COLUMNS))
        for row in connection.execute(wanted.where(part.contribution_id > last, part.contribution_id <= rows[-1].id)):
            parts[row.contribution_id].append(PartIdentity(*row[1:5]))
        for row in rows:
            if not contribution_digests.is_whole(row, parts[row.id]):
                yield f"contributions: {contribution_digests.subject(row)} isn't what its digest says, by the rows of its parts"
        last = rows[-1].id


def _sketches(connection: sa.Connection) -> Iterator[str]:
    """Sketches whose registers aren't what their digests say."""
    sketch = schema.sketches.c
    wanted = sa.select(sketch.digest, sketch.lg_k, sketch.image).where(sketch.image.is_not(None)).order_by(sketch.digest)
    # Few at a time: an image can have a megabyte.
    with connection.execute(wanted, execution_options={"yield_per": 50}) as rows:
        yield from (fault for fault in ordered(_sketch_fault, rows) if fault)


def _sketch_fault(row: Any) -> str:
    try:
        registers = sketches.read_image(row.image, row.digest)
    except RefusedError:
        return f"sketches: {row.digest[:12]} isn't what its digest says"
    return "" if registers.lg_k == row.lg_k else f"sketches: {row.digest[:12]} is of another lg_k than its row says"


def _erased(connection: sa.Connection) -> Iterator[str]:
    """Images that are gone without an order to erase them, and images that are back without a contribution."""
    sketch = schema.sketches.c
    orders = set(connection.scalars(sa.select(schema.erasures.c.known_at).where(schema.erasures.c.kind == "erased")))
    gone = sa.select(sketch.digest, sketch.erased_at).where(sketch.image.is_(None) | sketch.erased_at.is_not(None))
    for row in connection.execute(gone.order_by(sketch.digest)).all():
        if row.erased_at not in orders:
            yield f"sketches: {row.digest[:12]} is erased, and no order has erased it"
    later = (
        sa.select(schema.parts.c.sketch)
        .join(schema.contributions, schema.parts.c.contribution_id == schema.contributions.c.id)
        .where(schema.parts.c.sketch == sketch.digest, schema.contributions.c.known_at > sketch.erased_at)
    )
    back = sa.select(sketch.digest).where(sketch.image.is_not(None), sketch.erased_at.is_not(None), ~later.exists())
    for digest in connection.scalars(back).all():
        yield f"sketches: {digest[:12]} was erased, and its image is there again"


def _without_owner(connection: sa.Connection) -> Iterator[str]:
    """Rows whose other row is gone: databases can be told not to look at foreign keys."""
    for column, other in (
        (schema.parts.c.contribution_id, schema.contributions.c.id),
        (schema.parts.c.sketch, schema.sketches.c.digest),
        (schema.confirmations.c.contribution_id, schema.contributions.c.id),
        (schema.figures.c.publication, schema.publications.c.id),
        (schema.outbox.c.transition, schema.incidents.c.id),
        (shown_schema.outlook_months.c.outlook, shown_schema.outlooks.c.id),
        (shown_schema.month_changes.c.publication, schema.publications.c.id),
        (shown_schema.range_parts.c.publication, schema.publications.c.id),
        (schema.deliveries.c.message, schema.outbox.c.id),
    ):
        alone = sa.select(sa.func.count()).select_from(column.table).where(~sa.exists().where(other == column))
        if number := connection.scalar(alone):
            rows = f"{number:,} row{'s' * (number > 1)} without"
            yield f"{column.table.name}: {rows} the row of {other.table.name} that {column.name} names"


def _confirmations(connection: sa.Connection) -> Iterator[str]:
    """Confirmations that can't be: a contribution is computed again later, and not after its row was written."""
    again = schema.confirmations.c
    contribution = schema.contributions.c
    impossible = sa.or_(again.computed_at <= contribution.computed_at, again.computed_at > again.known_at)
    wanted = (
        sa.select(*(contribution[name] for name in ("id", "affiliate", "product", "grain", "activity_date")))
        .join(schema.confirmations, again.contribution_id == contribution.id)
        .where(impossible)
    )
    for row in connection.execute(wanted).all():
        yield f"confirmations: {contribution_digests.subject(row)} can't have been computed again when its row says"


def _superseded(connection: sa.Connection) -> Iterator[str]:
    """Publications that don't name the signed one before them, which they restate: no digest covers that number."""
    publication = schema.publications.c
    columns = (publication.id, publication.month, publication.reading, publication.state, publication.supersedes)
    signed = dict[tuple[Any, str], int]()
    for row in connection.execute(sa.select(*columns).order_by(publication.id)).all():
        key = (row.month, row.reading)
        is_signed = row.state != PRELIMINARY
        if row.supersedes != (signed.get(key) if is_signed else None):
            name = f"{row.month:%Y-%m} by {row.reading} (publication {row.id})"
            yield f"publications: {name} restates another one than the signed one before"
        if is_signed:
            signed[key] = row.id
