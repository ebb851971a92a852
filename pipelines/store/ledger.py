"""The store's ledger: an entry for each publication, licence test and erasure, in the transaction that made it.

The last entry of a transaction also notes the rows that have none of their own (`noted_rows`). A newer schema may add columns,
never change a row's digest: see `hash_chain.row_content`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from pipelines import hash_chain
from pipelines.hash_chain import LedgerEntry
from pipelines.store import noted_rows, schema
from pipelines.store.engine import Store
from pipelines.store.versions import last_id

Row = Mapping[str, Any]
"""Values by column name."""
# Who signed, and why, is in the digest alone: the whole ledger goes into every month's evidence.
_PUBLISHED_FIELDS = ("reading", "state", "inputs", "method")
# Tests before publications: so the entry that signs a month, whose digest is printed, comes after those of its tests.
_KINDS = {"tested": schema.licence_tests, "published": schema.publications, "erased": schema.erasures}


@contextmanager
def noting(connection: sa.Connection) -> Iterator[None]:
    """Add entries for what the block publishes, tests or erases, in the same transaction.

    A store that is older than its ledger begins the chain with a digest of what had been published.
    """
    # Rows with greater numbers at the block's end are the block's own: it is this writer's turn.
    before = {kind: last_id(connection, table) for kind, table in _KINDS.items()}
    yield
    rows = [(kind, row) for kind, table in _KINDS.items() for row in _rows(connection, table, before[kind])]
    if not rows:
        return
    newest = sa.select(schema.ledger).order_by(schema.ledger.c.number.desc()).limit(1)
    last = connection.execute(newest).mappings().first()
    head = _entry(last) if last else None
    new: list[LedgerEntry] = []
    if head is None and before["published"]:
        known = [row for row in _rows(connection, schema.publications) if row["id"] <= before["published"]]
        older = [_content(connection, "published", row) for row in known]
        counts = {kind: sum(r["id"] <= before[kind] for r in _rows(connection, table)) for kind, table in _KINDS.items()}
        body = {"publications": len(older), "content": hash_chain.digest_of(older), **counts}
        new.append(head := hash_chain.next_entry(None, "began", body, rows[0][1]["known_at"]))
    noted = noted_rows.note(connection, _entry(last) if last else None)
    for number, (kind, row) in enumerate(rows, 1):
        body = _body(connection, kind, row) | (noted if number == len(rows) else {})
        new.append(head := hash_chain.next_entry(head, kind, body, row["known_at"]))
    entries = [vars(entry) | {"body": hash_chain.canonical(entry.body)} for entry in new]
    connection.execute(schema.ledger.insert(), entries)


def read(store: Store) -> list[LedgerEntry]:
    """All entries, the first one first."""
    wanted = sa.select(schema.ledger).order_by(schema.ledger.c.number)
    with store.reading() as connection:
        return [_entry(row) for row in connection.execute(wanted).mappings()]


def faults(store: Store) -> list[str]:
    """What doesn't fit in the ledger, and what in the store isn't as the ledger noted it, a sentence each; empty for nothing."""
    with store.reading() as connection:
        entries = read(Store(store.engine, connection))
        return [*hash_chain.faults(entries), *_changed(connection, entries), *noted_rows.faults(connection, entries)]


def not_noted(store: Store) -> list[str]:
    """What of the store no entry covers, a sentence each."""
    with store.reading() as connection:
        entries = read(Store(store.engine, connection))
        began = next((entry for entry in entries if entry.kind == "began"), None)
        older = [
            f"rows of what was {kind} before the ledger began"
            for kind in ("tested", "erased")
            if began is not None and _before(began, kind, 1)
        ]
        return [*older, *noted_rows.unnoted(connection, entries)]


def _changed(connection: sa.Connection, entries: Sequence[LedgerEntry]) -> Iterator[str]:
    """What in the store isn't as the entries noted it: rows that were changed, removed or moved, and rows without an entry."""
    began = next((entry for entry in entries if entry.kind == "began"), None)
    for kind, table in _KINDS.items():
        noted = [entry for entry in entries if entry.kind == kind]
        there = [_content(connection, kind, row) for row in _rows(connection, table)]
        # Of what is older than the ledger, the first entry says how much there was, and of publications also what.
        before = _before(began, kind, len(there) - len(noted)) if began else 0
        own = there[before:]
        left = Counter(own)
        for entry in noted:
            if not left[entry.body.get("content", "")]:
                yield f"what entry {entry.number} says was {kind} at {entry.at} isn't there as it was"
            left[entry.body.get("content", "")] -= 1
        if unknown := left - Counter():
            number = unknown.total()
            yield f"{number} {'publications' if kind == 'published' else f'rows of what was {kind}'} are in no entry"
        elif own != [entry.body.get("content") for entry in noted]:
            # The greatest number is in force: in another order, an earlier row would be.
            yield f"what was {kind} stands in another order than the ledger has it"
        if kind == "published" and began is not None and hash_chain.digest_of(there[:before]) != began.body.get("content"):
            yield f"what was published before the ledger isn't what entry {began.number} says"


def _before(began: LedgerEntry, kind: str, otherwise: int) -> int:
    """How many rows of a kind are older than the ledger, by its first entry; `otherwise` where the entry doesn't say."""
    number = began.body.get("publications") if kind == "published" else began.body.get(kind)
    return number if isinstance(number, int) else otherwise


def _body(connection: sa.Connection, kind: str, row: Row) -> dict[str, Any]:
    """The body of a row's entry: names and the row's digest. No user, no figure, and of an erasure no product."""
    digest: dict[str, Any] = {"content": _content(connection, kind, row)}
    if kind == "published":
        return digest | {name: row[name] for name in _PUBLISHED_FIELDS} | {"month": f"{row['month']:%Y-%m}"}
    if kind == "tested":
        names = {name: row[name] for name in ("licence", "licensee", "reading")}
        return digest | names | {"measured_month": f"{row['measured_month']:%Y-%m}"}
    return digest | {"kind": row["kind"]}


def _content(connection: sa.Connection, kind: str, row: Row) -> str:
    """The digest of a row, and of a publication's figures with it."""
    if kind == "published":
        return hash_chain.publication_digest(row, _figures(connection, row))
    return hash_chain.digest_of(hash_chain.row_content(row))


def _figures(connection: sa.Connection, publication: Row) -> list[dict[str, Any]]:
    figures = schema.figures
    rows = connection.execute(sa.select(figures).where(figures.c.publication == publication["id"])).mappings()
    return [dict(row) for row in rows]


def _rows(connection: sa.Connection, table: sa.Table, after: int = 0) -> list[dict[str, Any]]:
    rows = connection.execute(sa.select(table).where(table.c.id > after).order_by(table.c.id)).mappings()
    return [dict(row) for row in rows]


def _entry(row: sa.RowMapping) -> LedgerEntry:
    """The entry of a row. A body that isn't canonical JSON any more becomes one that no digest fits: so it shows as a fault."""
    try:
        body = json.loads(row["body"])
        whole = isinstance(body, dict) and hash_chain.canonical(body) == row["body"]
    except (ValueError, RecursionError):
        whole = False
    return LedgerEntry(**{**row, "body": body if whole else {"unreadable": row["body"]}})
