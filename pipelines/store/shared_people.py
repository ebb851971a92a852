"""Whom a month's products have in common, and whom one brings alone: the tables `unique_additions` and `product_overlaps`.

Both rest on a publication's inputs, and on nothing else: they are stored once for a digest of inputs, whatever readings share it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from pipelines.store.engine import Store
from pipelines.store.shown_schema import product_overlaps, unique_additions

Row = Mapping[str, Any]
"""Values by column name, without `inputs`."""


def is_there(store: Store, inputs: str) -> bool:
    """Whether the numbers of inputs, by their digest, are stored."""
    wanted = sa.select(unique_additions.c.product).where(unique_additions.c.inputs == inputs).limit(1)
    with store.reading() as connection:
        return connection.execute(wanted).first() is not None


def append(store: Store, inputs: str, alone: Sequence[Row], pairs: Sequence[Row]) -> None:
    """Store the numbers of inputs that have none yet; with a store that writes, in its transaction."""
    with store.writing() as connection:
        # Another run may have published the same meanwhile.
        if is_there(Store(store.engine, connection), inputs):
            return
        for table, rows in ((unique_additions, alone), (product_overlaps, pairs)):
            if rows:
                connection.execute(table.insert(), [{**row, "inputs": inputs} for row in rows])
