"""The store's ledger: what was published, tested and erased, entry by entry, in the transaction that did it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from pipelines import hash_chain
from pipelines.hash_chain import LedgerEntry
from pipelines.store import schema
from pipelines.store.engine import Store
from pipelines.store.versions import last_id

Row = Mapping[str, Any]
_SAID = ("reading", "state", "inputs", "method")
"""Who signed, and why, is in the content's digest alone: the ledger is in every month's evidence."""
_KINDS = {"published": schema.publications, "tested": schema.licence_tests, "erased": schema.erasures}


@contextmanager
def noting(connection: sa.Connection) -> Iterator[None]:
    """What is published, tested or erased within is noted for good, in the same transaction.

    A store that is older than its ledger begins it with a digest of what had been published.
    """
    before = {kind: last_id(connection, table) for kind, table in _KINDS.items()}
    yield
    rows = [(kind, row) for kind, table in _KINDS.items() for row in _rows(connection, table, before[kind])]
    if not rows:
        return
    c = schema.ledger.c
    found = connection.execute(sa.select(schema.ledger).order_by(c.number.desc()).limit(1)).mappings().first()
    head = _entry(found) if found else None
    new: list[LedgerEntry] = []
    if head is None and before["published"]:
        known = [row for row in _rows(connection, schema.publications) if row["id"] <= before["published"]]
        older = [_content(connection, "published", row) for row in known]
        counts = {kind: sum(r["id"] <= before[kind] for r in _rows(connection, table)) for kind, table in _KINDS.items()}
        body = {"publications": len(older), "content": hash_chain.digest_of(older), **counts}
        new.append(head := hash_chain.next_entry(None, "began", body, rows[0][1]["known_at"]))
    for kind, row in rows:
        new.append(head := hash_chain.next_entry(head, kind, _body(connection, kind, row), row["known_at"]))
    connection.execute(schema.ledger.insert(), [vars(e) | {"body": hash_chain.canonical(e.body)} for e in new])


def read(store: Store) -> list[LedgerEntry]:
    """All entries, the first one first."""
    with store.reading() as connection:
        return [_entry(row) for row in connection.execute(sa.select(schema.ledger).order_by(schema.ledger.c.number)).mappings()]


def faults(store: Store) -> list[str]:
    """What in the store isn't what its ledger says, or in the ledger doesn't fit; empty where all is as it was noted."""
    with store.reading() as connection:
        entries = read(Store(store.engine, connection))
        return [*hash_chain.faults(entries), *_changed(connection, entries)]


def _changed(connection: sa.Connection, entries: Sequence[LedgerEntry]) -> Iterator[str]:
    by_kind = {kind: {e.body.get("content"): e for e in entries if e.kind == kind} for kind in _KINDS}
    older: list[str] = []
    for kind, table in _KINDS.items():
        there = {_content(connection, kind, row): row["id"] for row in _rows(connection, table)}
        for digest, entry in by_kind[kind].items():
            if digest not in there:
                yield f"what entry {entry.number} says was {kind} at {entry.at} isn't there as it was"
        unknown = [digest for digest in there if digest not in by_kind[kind]]
        older += unknown if kind == "published" else []
        began = next((e for e in entries if e.kind == "began"), None)
        if kind != "published" and len(unknown) > (began.body.get(kind, len(unknown)) if began else 0):
            yield f"{len(unknown)} rows of what was {kind} are in no entry"
    began = next((e for e in entries if e.kind == "began"), None)
    if began is not None and hash_chain.digest_of(older) != began.body.get("content"):
        yield f"what was published before the ledger isn't what entry {began.number} says"
    elif began is None and older:
        yield f"{len(older)} publications are in no entry"


def _body(connection: sa.Connection, kind: str, row: Row) -> dict[str, Any]:
    said: dict[str, Any] = {"content": _content(connection, kind, row)}
    if kind == "published":
        return said | {name: row[name] for name in _SAID} | {"month": f"{row['month']:%Y-%m}"}
    if kind == "tested":
        about = {name: row[name] for name in ("licence", "licensee", "reading")}
        return said | about | {"measured_month": f"{row['measured_month']:%Y-%m}"}
    return said | {"kind": row["kind"]}


def _content(connection: sa.Connection, kind: str, row: Row) -> str:
    if kind == "published":
        return hash_chain.publication_digest(row, _figures(connection, row))
    return hash_chain.digest_of(hash_chain.row_content(row))


def _figures(connection: sa.Connection, publication: Row) -> list[dict[str, Any]]:
    f = schema.figures
    return [dict(row) for row in connection.execute(sa.select(f).where(f.c.publication == publication["id"])).mappings()]


def _rows(connection: sa.Connection, table: sa.Table, after: int = 0) -> list[dict[str, Any]]:
    found = connection.execute(sa.select(table).where(table.c.id > after).order_by(table.c.id)).mappings()
    return [dict(row) for row in found]


def _entry(row: sa.RowMapping) -> LedgerEntry:
    """What isn't written as it was has a body that no digest is of."""
    try:
        body = json.loads(row["body"])
        whole = isinstance(body, dict) and hash_chain.canonical(body) == row["body"]
    except (ValueError, RecursionError):
        whole = False
    return LedgerEntry(**{**row, "body": body if whole else {"unreadable": row["body"]}})
