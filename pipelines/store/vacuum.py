"""That erased bytes are really gone from the store's files: a database keeps what it no longer shows."""

import sqlite3

import sqlalchemy as sa

from pipelines.store import schema
from pipelines.store.engine import Store

WAIT = 30
"""Seconds in which readers may come to their end."""

OTHERS_READ = "others are reading the store"
NOT_OURS = "this user doesn't own the table"


def sweep(store: Store) -> str | None:
    """Write the tables of sketches anew, without what was erased; says why that couldn't be done, or nothing.

    SQLite: the whole file, then an empty journal, which takes as much room again as the store has. PostgreSQL: the table
    `sketches`, which nobody can read meanwhile. Neither reaches backups, replicas, a server's own journal (pg_wal) or what
    a disk keeps of files that are gone.
    """
    return _sweep_sqlite(store) if store.engine.dialect.name == "sqlite" else _sweep_postgres(store)


def _sweep_sqlite(store: Store) -> str | None:
    """`secure_delete` has put zeros where the images were; older stores, and pages that were split, hold copies of them."""
    connection = store.engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("vacuum")
        # What the journal had of the erased pages stays in its file until that is cut off; a reader keeps it from that.
        (busy, *_), *_ = cursor.execute("pragma wal_checkpoint(truncate)").fetchall()
    except sqlite3.Error as error:
        return f"{OTHERS_READ}, or there is no room for a copy ({type(error).__name__})"
    finally:
        connection.close()
    return OTHERS_READ if busy else None


def _sweep_postgres(store: Store) -> str | None:
    """A plain VACUUM would leave the bytes in the pages until they are used again. What an open transaction may still see is
    taken along even by FULL."""
    name = schema.sketches.name
    file = sa.text("select pg_relation_filenode(cast(:name as regclass))").bindparams(name=name)
    readers = sa.text(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        " and (backend_xmin is not null or backend_xid is not null)"
    )
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            connection.execute(sa.text(f"set lock_timeout = '{WAIT}s'"))
            others = connection.scalar(readers)
            before = connection.scalar(file)
            connection.execute(sa.text(f"vacuum (full) {name}"))
            after = connection.scalar(file)
        except sa.exc.DBAPIError as error:
            connection.invalidate()
            return f"{OTHERS_READ}, or there is no room for a copy ({type(error.orig).__name__})"
        connection.execute(sa.text("reset lock_timeout"))
    if before == after:
        return NOT_OURS
    return OTHERS_READ if others else None
