"""Digests of the rows that only grow in number, for the ledger: which rows there were when an entry was written.

Contributions, counts, receipts and alerts have no entries of their own. So the last entry of each transaction holds how far each
table was filled, and a digest of the rows since the entry before: whoever changes, removes or inserts such a row later is found.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from pipelines import hash_chain
from pipelines.hash_chain import LedgerEntry
from pipelines.store import schema
from pipelines.store.versions import last_id

KEY = "rows"
"""The key of an entry's body."""
TABLES = tuple(
    (table, table.c.contribution_id if table is schema.parts else table.c.id)
    for table in (
        schema.contributions,
        schema.parts,
        schema.counts,
        schema.receipts,
        schema.incidents,
        schema.outbox,
        schema.deliveries,
    )
)
"""The tables, each with the number by which its rows grow."""


class NotedRows(NamedTuple):
    """Rows of a table that one entry has noted."""

    table: str
    after: int
    """The greatest number that the entries before had noted."""
    to: int
    content: str
    """Digest of the rows."""
    entry: int
    """Number of the entry that noted them."""


def note(connection: sa.Connection, last: LedgerEntry | None) -> dict[str, Any]:
    """What an entry says of the rows that came since the last entry: an empty body where there is none."""
    before, _ = _noted(last) if last else ({}, {})
    to = {table.name: number for table, _ in TABLES if (number := _filled(connection, table))}
    new = [(table, key) for table, key in TABLES if to.get(table.name, 0) > before.get(table.name, 0)]
    content = {table.name: _digest(connection, table, key, before.get(table.name, 0), to[table.name]) for table, key in new}
    return {KEY: {"to": to, "content": content}} if to else {}


def faults(connection: sa.Connection, entries: Sequence[LedgerEntry]) -> Iterator[str]:
    """The stretches of rows that aren't as an entry noted them, a sentence each."""
    keys = {table.name: (table, key) for table, key in TABLES}
    for stretch in _stretches(entries):
        if stretch.table in keys:
            table, key = keys[stretch.table]
            if _digest(connection, table, key, stretch.after, stretch.to) != stretch.content:
                rows = f"{stretch.after + 1} to {stretch.to}" if stretch.to > stretch.after + 1 else f"{stretch.to}"
                yield f"{stretch.table}: the rows of number {rows} aren't as entry {stretch.entry} noted them"


def unnoted(connection: sa.Connection, entries: Sequence[LedgerEntry]) -> Iterator[str]:
    """How many rows came after the newest entry that noted any, a sentence for each table."""
    noted = {stretch.table: stretch.to for stretch in _stretches(entries)}
    for table, key in TABLES:
        since = noted.get(table.name, 0)
        if number := connection.scalar(sa.select(sa.func.count()).select_from(table).where(key > since)):
            yield f"{table.name}: {number:,} row{'s' * (number > 1)}, which no entry has noted yet"


def _stretches(entries: Sequence[LedgerEntry]) -> Iterator[NotedRows]:
    filled = dict[str, int]()
    for entry in entries:
        to, contents = _noted(entry)
        for name, content in contents.items():
            if name in to:
                yield NotedRows(name, filled.get(name, 0), to[name], content, entry.number)
                filled[name] = to[name]


def _noted(entry: LedgerEntry) -> tuple[dict[str, int], dict[str, str]]:
    """How far an entry says that tables were filled, and the digests of what was new; nothing where it says none of it.

    An entry that somebody has changed may hold anything, and is found by its own digest.
    """
    rows = entry.body.get(KEY)
    to, contents = (rows.get("to"), rows.get("content")) if isinstance(rows, dict) else (None, None)
    if not isinstance(to, dict) or not isinstance(contents, dict) or not all(isinstance(number, int) for number in to.values()):
        return {}, {}
    return to, contents


def _filled(connection: sa.Connection, table: sa.Table) -> int:
    """How far a table is filled; parts as far as their contributions, each of which has some."""
    return last_id(connection, schema.contributions if table is schema.parts else table)


def _digest(connection: sa.Connection, table: sa.Table, key: sa.ColumnElement[int], after: int, to: int) -> str:
    """SHA-256 in hex of the rows of a stretch, in the order of their primary keys; nulls don't matter (`row_content`)."""
    hasher = hashlib.sha256()
    wanted = sa.select(table).where(key > after, key <= to).order_by(*table.primary_key.columns)
    for row in connection.execute(wanted, execution_options={"yield_per": 1000}).mappings():
        hasher.update(f"{hash_chain.canonical(hash_chain.row_content(dict(row), ()))}\n".encode())
    return hasher.hexdigest()
