"""Removing erased bytes from the store's files: a database keeps for a while what it no longer shows."""

import sqlite3

import sqlalchemy as sa

from affiliates.errors import RefusedError
from pipelines.store import schema
from pipelines.store.engine import Store

WAIT = 30
"""Seconds that PostgreSQL waits for readers to end."""

# Reasons that `sweep` gives, as a person reads them.
OTHERS_READ = "others are reading the store"
NOT_OURS = "this user doesn't own the table"


def sweep(store: Store) -> str | None:
    """Write the sketches anew without what was erased; gives the reason where that couldn't be done, else null.

    In SQLite the whole file is written, which needs as much room again as the store has; then the journal is emptied. In
    PostgreSQL the table `sketches` is written, and nobody can read that table meanwhile. Neither reaches backups, replicas, a
    server's own journal (pg_wal), or what a disk keeps of deleted files. Calling it again is safe.
    """
    return _sweep_sqlite(store) if store.engine.dialect.name == "sqlite" else _sweep_postgres(store)


def _sweep_sqlite(store: Store) -> str | None:
    """`secure_delete` has put zeros where the images were; older stores, and pages that were split, still hold copies."""
    connection = store.engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("vacuum")
        # Erased pages stay in the journal's file until the file is cut off, which an open reader prevents.
        (busy, *_), *_ = cursor.execute("pragma wal_checkpoint(truncate)").fetchall()
    except sqlite3.Error as error:
        return f"{OTHERS_READ}, or there is no room for a copy ({type(error).__name__})"
    finally:
        connection.close()
    return OTHERS_READ if busy else None


def _sweep_postgres(store: Store) -> str | None:
    """A plain VACUUM would leave the bytes in the pages until these are used again.

    VACUUM FULL copies what an open transaction may still see, the erased bytes among it: hence the count of readers.
    """
    name = schema.sketches.name
    # A new file number shows that the table was written anew: for a user who doesn't own it, VACUUM only warns.
    file = sa.text("select pg_relation_filenode(cast(:name as regclass))").bindparams(name=name)
    readers = sa.text(
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        " and (backend_xmin is not null or backend_xid is not null)"
    )
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            # VACUUM runs outside a transaction, so the setting holds for the connection until it is reset.
            connection.execute(sa.text(f"set lock_timeout = '{WAIT}s'"))
            others = connection.scalar(readers)
            before = connection.scalar(file)
            connection.execute(sa.text(f"vacuum (full) {name}"))
            after = connection.scalar(file)
        except RefusedError as error:
            connection.invalidate()
            return f"{OTHERS_READ}, or there is no room for a copy ({type(error.__cause__).__name__})"
        connection.execute(sa.text("reset lock_timeout"))
    if before == after:
        return NOT_OURS
    return OTHERS_READ if others else None
