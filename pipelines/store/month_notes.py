"""What is noted beside a month's publication: why the figure differs from the month's before, and how wide its range is by what.

Both are noted once for a publication, in the transaction that publishes it. The causes are of two publications: where the month
before is published anew, they are noted again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from pipelines.store.engine import Store
from pipelines.store.shown_schema import month_changes, range_parts

Row = Mapping[str, Any]
"""Values by column name."""


def noted(store: Store) -> set[tuple[int, int | None]]:
    """The publications whose causes of change are noted, each with the publication of the month before."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(month_changes.c.publication, month_changes.c.before).distinct())
        return {(row.publication, row.before) for row in rows}


def append(store: Store, changes: Sequence[Row], parts: Sequence[Row]) -> None:
    """Store rows of `month_changes` and `range_parts`."""
    with store.writing() as connection:
        for table, rows in ((month_changes, changes), (range_parts, parts)):
            if rows:
                connection.execute(table.insert(), [dict(row) for row in rows])


def changes_of(store: Store, publication: int, before: int | None) -> list[dict[str, Any]]:
    """The causes of the step from one publication to another: rows of `month_changes`; empty where none is noted yet."""
    changes = month_changes.c
    # A comparison with null is never true in SQL.
    same = changes.before.is_(None) if before is None else changes.before == before
    wanted = sa.select(month_changes).where(changes.publication == publication, same).order_by(changes.id)
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]


def parts_of(store: Store, publication: int) -> list[dict[str, Any]]:
    """The parts of all ranges of a publication: rows of `range_parts`, each figure's in their order."""
    wanted = sa.select(range_parts).where(range_parts.c.publication == publication).order_by(range_parts.c.id)
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]
