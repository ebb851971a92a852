"""Whether stored contributions are what their digests say: recomputed from the rows, wherever parts are read.

Rows of `parts` that are lost, added or point at another sketch give other users. The figure would be wrong, and nothing else
would show it. A contribution's digest covers its parts by the sketches' digests, so no image is needed here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from affiliates.contributions import contract
from affiliates.contributions.contract import PartIdentity
from affiliates.errors import Code, RefusedError, refused
from affiliates.manifests.product import ProductRef
from pipelines.store import schema

KEY_COLUMNS = (
    "id", "digest", "normalisation", "affiliate", "product", "grain", "activity_date", "key_epoch", "crosswalk_digest",
    "definition", "definition_digest", "day_zone", "audiences",
)  # fmt: skip
"""Columns of `contributions` that a digest rests on, with the digest itself and the row's number."""
PART_COLUMNS = ("contribution_id", "audience", "namespace", "sketch", "events")
"""Columns of `parts` with which each row begins that `KeyedParts.checked` takes."""


@dataclass
class KeyedParts:
    """Contributions whose parts are about to be read, and what their digests have to be."""

    rows: dict[int, Any]
    """The key columns of the contributions whose parts haven't come yet, by number."""

    @classmethod
    def read(cls, connection: sa.Connection, ids: Sequence[int]) -> "KeyedParts":
        """The contributions with these numbers: no more than one statement takes."""
        contribution = schema.contributions.c
        wanted = sa.select(*(contribution[name] for name in KEY_COLUMNS)).where(contribution.id.in_(ids))
        return cls({row.id: row for row in connection.execute(wanted)})

    def checked(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """The rows as they come (`PART_COLUMNS`, then others), in the order of the contributions' numbers.

        Raises `RefusedError` (STORE_DAMAGED) once all rows of a contribution are there that isn't what its digest says; at the
        end also for a contribution without any row.
        """
        current: int | None = None
        parts = list[PartIdentity]()
        for row in rows:
            if row[0] != current:
                self._check(current, parts)
                current = row[0]
                parts = []
            parts.append(PartIdentity(row[1], row[2], row[3], row[4]))
            yield row
        self._check(current, parts)
        for number in list(self.rows):
            self._check(number, ())

    def _check(self, number: int | None, parts: Sequence[PartIdentity]) -> None:
        if number is not None and not is_whole(row := self.rows.pop(number), parts):
            raise _damaged(row)


def is_whole(row: Any, parts: Sequence[PartIdentity]) -> bool:
    """Whether a contribution (its key columns) has parts, and the digest that follows from them."""
    return bool(parts) and contract.digest_of(row, row.normalisation, parts) == row.digest


def subject(row: Any) -> str:
    """A stored contribution in words: product, period, and its number in the store."""
    ref = ProductRef(row.affiliate, row.product)
    return f"{ref}, {row.activity_date:{'%Y-%m' if row.grain == 'month' else '%Y-%m-%d'}} (contribution {row.id})"


def _damaged(row: Any) -> RefusedError:
    return refused(
        Code.STORE_DAMAGED,
        "the store",
        "a contribution isn't what its digest says",
        subject(row),
        "see what else is wrong: mauwatch verify; then restore the store from its backup",
    )
