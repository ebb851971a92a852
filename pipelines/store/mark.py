"""The mark that there is a store: a small file in the group directory, outside of the store.

A store that is gone (a volume that isn't mounted, a mistyped URL, a link that leads nowhere, a file of zero bytes) looks like one
that was never made. The mark tells the two apart. It names the ledger's last entry, so it also tells a store from another one.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from affiliates.concurrency import atomic_write, private_folder
from affiliates.errors import Code, RefusedError, refused
from pipelines.runbook import Finding, Page
from pipelines.store import schema

if TYPE_CHECKING:
    from pipelines.store.engine import Store

MARK = Path(".mauwatch/ledger.head")
"""In a group directory."""
_MOST_BYTES = 10_000


class Head(NamedTuple):
    """An entry of a ledger; number 0 for a ledger without an entry."""

    number: int
    digest: str


def read(directory: Path) -> Head | None:
    """The head that the mark names; None where there was no store. A mark that can't be read says that there was one."""
    path = directory / MARK
    if not path.exists():
        return None
    with suppress(OSError, ValueError, TypeError, KeyError):
        with path.open("rb") as file:
            content = json.loads(file.read(_MOST_BYTES))
        return Head(int(content["number"]), str(content["digest"]))
    return Head(0, "")


def gone(shown: str) -> RefusedError:
    """The refusal of a store that was there and isn't any more; `shown`: where group.yaml says that it is."""
    return refused(
        Code.STORE_GONE,
        "the store",
        "there was one, and there is none where group.yaml says",
        shown,
        "mount it, correct `store`, or restore the backup; only if a new store is meant: mauwatch run --new-store",
    )


def is_other(connection: sa.Connection, directory: Path) -> bool:
    """Whether the store isn't the one that the mark is of, or an older copy: its ledger lacks the entry that the mark names."""
    marked = read(directory)
    if marked is None or marked.number == 0:
        return False
    entry = schema.ledger.c
    return connection.scalar(sa.select(entry.digest).where(entry.number == marked.number)) != marked.digest


def findings(store: "Store", directory: Path) -> list[Finding]:
    """The finding that the store is another one than the mark's, or an older copy of it; none for the right one."""
    with store.reading() as connection:
        if not is_other(connection, directory):
            return []
    text = (
        "the store isn't the one that was here, or is an older copy: its ledger lacks an entry that was there. Signed figures "
        "may be gone; restore the newest backup, or where this store is meant: mauwatch run --new-store"
    )
    return [Finding(text, Page.GONE)]


def note(connection: sa.Connection, directory: Path) -> None:
    """Make the mark name the ledger's last entry. The mark of another store stays until `forget`."""
    entry = schema.ledger.c
    last: Any = connection.execute(sa.select(entry.number, entry.digest).order_by(entry.number.desc()).limit(1)).first()
    head = Head(last.number, last.digest) if last else Head(0, "")
    if read(directory) == head or is_other(connection, directory):
        return
    # A directory that can't be written has no mark, as before there were any: that keeps nobody from counting.
    with suppress(OSError):
        private_folder((directory / MARK).parent)
        with atomic_write(directory / MARK, mode=0o600) as unfinished:
            unfinished.write_text(json.dumps(head._asdict()) + "\n", encoding="utf-8")


def forget(directory: Path) -> None:
    """Put the mark aside: from now on whatever store there is, or none, is the right one."""
    with suppress(FileNotFoundError):
        (directory / MARK).replace(directory / f"{MARK}.before")
