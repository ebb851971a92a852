"""What affiliates hand in: files that wait in the inbox, and the receipts beside them.

`.mauwatch/inbox/AFFILIATE/` holds files, and folders of part-files as Spark, BigQuery and Snowflake write them. What a sender
calls a file is shown only where the name can be no person's.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from affiliates import signing
from affiliates.concurrency import atomic_write
from affiliates.sources import leftovers

STATE = Path(".mauwatch")
INBOX = STATE / "inbox"
RECEIPT_ENDING = ".receipt.json"
"""Ending of the name of a file's receipt, which lies beside the file."""

SETTLED = 5.0
"""Seconds since the last change after which a file counts as whole."""
SETTLED_FOLDER = 60.0
"""The same for a folder without _SUCCESS, and for a file whose signature isn't there yet."""
# A sender can put a file of any size under a receipt's name: no larger one is read into memory.
_MOST_RECEIPT_BYTES = 64 << 20
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.= -]{0,127}")


@dataclass(frozen=True)
class Offer:
    """A file, or a folder of part-files, that somebody hands in."""

    path: Path
    folder: str | None = None
    """The affiliate whose folder of the inbox the file lies in; None for a file that a person names."""

    @property
    def name(self) -> str:
        """The file's name as it may be shown: a digest stands for a name with unusual characters."""
        return shown_name(self.path.name, "file")

    @property
    def signature(self) -> Path:
        """Where the file's signature has to lie."""
        return self.path.with_name(self.path.name + signing.ENDING)

    @property
    def receipt(self) -> Path:
        """Where the file's receipt has to lie."""
        return self.path.with_name(self.name + RECEIPT_ENDING)


class FileState(NamedTuple):
    """What tells a file from another one that takes its place."""

    name: str
    inode: int
    """Another file's is another, though time and size may be the same."""
    changed_at: int
    """Time of the last change, in nanoseconds since 1970."""
    size: int
    """Bytes."""
    status_changed_at: int
    """Time of the last change of the file or its attributes, in nanoseconds: no program can keep this time, as `cp -p` and
    `rsync -t` keep the other."""


State = tuple[FileState, ...]
"""A file, or a folder and each part in it: other bytes have another state."""


class LeftInInbox(NamedTuple):
    """Something in the inbox that isn't taken now, and why."""

    name: str
    why: str


class Waiting(NamedTuple):
    """What lies in the inbox at a moment."""

    offers: list[Offer]
    """The files that can be taken."""
    left: list[LeftInInbox]
    """Those that can't be yet."""
    skipped: list[str]
    """FOLDER/NAME of those that were accepted before, and are as they were."""


AcceptedFiles = Callable[[Collection[str]], Collection[tuple[str, str | None]]]
"""Which of these files (SHA-256) the store has accepted, each with its sender: the receipt beside a file alone proves nothing."""


def offer_of(path: Path, directory: Path) -> Offer:
    """A file that a person names. Where it lies in the inbox of a group directory, its folder says whose it is."""
    folder = path.absolute().parent
    return Offer(path, folder.name if folder.parent == (directory / INBOX).absolute() else None)


def waiting(directory: Path, at: float, accepted: AcceptedFiles, signed: frozenset[str] = frozenset()) -> Waiting:
    """The files in the inbox at a moment (seconds since 1970).

    `accepted`: asks the store, which may be an earlier one, restored from a backup, than the receipts beside the files.
    `signed`: the affiliates whose files need a signature.
    """
    offers = list[Offer]()
    left = list[LeftInInbox]()
    known = dict[Offer, str]()
    for folder in _entries(directory / INBOX):
        if not folder.is_dir():
            left.append(LeftInInbox(shown_name(folder.name, "file"), "lies in no affiliate's folder"))
            continue
        for path in _entries(folder):
            offer = Offer(path, folder.name)
            if path.name.endswith((RECEIPT_ENDING, signing.ENDING)):
                continue
            try:
                why = _why_unsettled(offer, at, folder.name in signed)
                if why is None and (sha256 := _accepted_as(offer)):
                    known[offer] = sha256
                elif why is None:
                    offers.append(offer)
            except OSError as error:  # Taken away in this moment, or not for us to read.
                why = f"can't be read: {error.strerror}"
            if why:
                left.append(LeftInInbox(place_of(offer), why))
    stored = accepted(sorted(set(known.values()))) if known else ()
    skipped = {offer for offer, sha256 in known.items() if (sha256, offer.folder) in stored}
    offers += [offer for offer in known if offer not in skipped]
    # In the order of names: of two versions of one month the one that was computed later counts, whichever is taken first.
    return Waiting(sorted(offers, key=lambda offer: offer.path), left, [place_of(offer) for offer in known if offer in skipped])


def place_of(offer: Offer) -> str:
    """Where a file of the inbox lies, as FOLDER/NAME, safe to show."""
    return f"{shown_name(offer.folder or '', 'folder')}/{offer.name}"


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _parts(path: Path) -> list[Path]:
    """What a folder holds. Nothing of a link's target, which may be any folder of this machine."""
    return [] if path.is_symlink() else _entries(path)


def _why_unsettled(offer: Offer, at: float, needs_signature: bool) -> str | None:
    """Why a file may not be whole yet; None where nothing speaks against it. Half a file would count half its users."""
    path = offer.path
    parts = _parts(path)
    names = [path.name, *(part.name for part in parts if part.name != "_temporary" and not part.name.startswith("."))]
    # `atomic_write` here gives .part, Chrome .crswap, WinSCP .filepart.
    if path.name.startswith(".") or any(_left_by_others(name) == leftovers.UNFINISHED for name in names):
        return "is still being written, by its name"
    if _left_by_others(path.name) == leftovers.OF_THE_SYSTEM:
        return "is a file of an operating system or an editor, by its name"
    # Spark and Hadoop write into _temporary and remove the folder once all parts are in their places.
    if any(part.name == "_temporary" for part in parts):
        return "is still being written: Spark's _temporary is there"
    age = at - max(entry.lstat().st_mtime for entry in (path, *parts))
    # A clock that runs ahead would else keep the file from ever settling, and nobody would know why.
    if age < -SETTLED:
        return "was written in the future: see to the clocks"
    if age < SETTLED:
        return f"changed within the last {SETTLED:.0f} seconds"
    if parts and age < SETTLED_FOLDER and not any(part.name == "_SUCCESS" for part in parts):
        return f"has no _SUCCESS and changed within the last {SETTLED_FOLDER:.0f} seconds"
    if needs_signature and age < SETTLED_FOLDER and not offer.signature.exists():
        return "waits for its signature"
    return None


def _left_by_others(name: str) -> str | None:
    """Why a file of this name is nobody's contribution, by the rule for a source's files; None for any other."""
    why = leftovers.why_left_out(name)
    return why[0] if why else None


def state_of(path: Path) -> State:
    """The state of a file, or of a folder and its parts, as they lie there now. Raises `OSError`."""
    entries = [(entry.name, entry.lstat()) for entry in (path, *_parts(path))]
    return tuple(
        FileState(name, status.st_ino, status.st_mtime_ns, status.st_size, status.st_ctime_ns) for name, status in entries
    )


def changed_at(path: Path) -> int:
    """When a file, or anything in a folder, was last written: nanoseconds since 1970. Raises `OSError`."""
    return max(entry.changed_at for entry in state_of(path))


def state_digest(state: State) -> str:
    """A file's state as its receipt keeps it: SHA-256 in hex."""
    return hashlib.sha256(json.dumps(state).encode(errors="surrogateescape")).hexdigest()


def _accepted_as(offer: Offer) -> str:
    """The SHA-256 of a file that its receipt says was accepted, and that is the same still by inode, size and times; else empty.

    Where any of these differs, or an older receipt doesn't say them, the bytes decide: `receive.was_accepted`.
    """
    receipt = receipt_of(offer)
    is_same = receipt.get("outcome") == "accepted" and receipt.get("state") == state_digest(state_of(offer.path))
    return str(receipt.get("sha256")) if is_same else ""


def receipt_of(offer: Offer) -> dict[str, Any]:
    """The content of the receipt beside a file; empty where there is none that can be read."""
    return read_receipt(offer.receipt)


def read_receipt(path: Path) -> dict[str, Any]:
    """The content of a receipt's file; empty where there is none that can be read.

    The sender may write into the inbox, too: whatever isn't a plain file with a JSON object in it is no receipt.
    """
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_RECEIPT_BYTES:
            return {}
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def put_receipt(path: Path, content: dict[str, Any]) -> None:
    """Write a receipt in one step: who waits for it must never read half of it. Raises `OSError`.

    Nobody waits for the disk: of a receipt that a power cut takes, the store has its own, and the file is judged again.
    """
    with atomic_write(path, mode=0o600, durable=False) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def files_holding(directory: Path, digests: set[str]) -> list[str]:
    """Files of the inbox, as FOLDER/NAME, that hold contributions with these digests, by their receipts.

    An erasure of the store doesn't reach them: who erases has to delete them.
    """
    holding = []
    for folder in sorted((directory / INBOX).glob("*/")):
        for path in sorted(folder.iterdir()):
            if path.name.endswith(RECEIPT_ENDING):
                continue
            contributions = receipt_of(Offer(path, folder.name)).get("contributions", [])
            if any(isinstance(entry, dict) and entry.get("digest") in digests for entry in contributions):
                holding.append(f"{folder.name}/{Offer(path).name}")
    return holding


def is_plain_name(name: str) -> bool:
    """Whether a name is made of the usual characters alone: no address, no path, nothing that a terminal would obey."""
    return _PLAIN_NAME.fullmatch(name) is not None


def shown_name(name: str, kind: str) -> str:
    """A stranger's name of a file or folder as it may be shown and used in paths; else its kind, and a digest of the name."""
    return name if is_plain_name(name) else f"{kind}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"
