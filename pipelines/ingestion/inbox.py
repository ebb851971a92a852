"""Files of contributions on their way in: what waits in the inbox, copies that nobody changes any more, receipts, quarantine.

`.mauwatch/inbox/AFFILIATE/` holds files, and folders of part-files as Spark, BigQuery and Snowflake write them. What a sender
calls a file is shown only where it can be nobody's name.
"""

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from filelock import FileLock

from affiliates import signing
from affiliates.concurrency import atomic_write
from affiliates.contributions.parquet_limits import MOST_FILE
from affiliates.errors import Code, refused


def still_in_the_inbox(directory: Path, contributions: set[str]) -> list[str]:
    """Files of the inbox that hold contributions with these digests, by their receipts: a store's erasure doesn't reach them."""
    found = []
    folders = sorted((directory / INBOX).glob("*/"))
    for path in (path for folder in folders for path in sorted(folder.iterdir()) if not path.name.endswith(RECEIPT)):
        told = receipt_of(Offer(path, path.parent.name)).get("contributions", [])
        if any(isinstance(one, dict) and one.get("digest") in contributions for one in told):
            found.append(f"{path.parent.name}/{Offer(path).name}")
    return found


STATE = Path(".mauwatch")
INBOX = STATE / "inbox"
QUARANTINE = STATE / "quarantine"
NOBODY = "_unknown"
"""The quarantine's folder for files whose sender couldn't be told; no entity can be called so."""
RECEIPT = ".receipt.json"

SETTLED = 5.0
SETTLED_FOLDER = 60.0
"""Seconds since the last change after which a file is taken for whole; a folder without _SUCCESS, and a file that lacks its
signature, later."""
MOST_PARTS = 10_000
_MOST_RECEIPT = 64 << 20
_HALF = (".part", ".tmp", ".crswap")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.= -]{0,127}")
_STAGE = "receiving-"


@dataclass(frozen=True)
class Offer:
    """A file or a folder of part-files that somebody hands in."""

    path: Path
    folder: str | None = None
    """The affiliate's, in the inbox; None for a file by hand."""

    @property
    def name(self) -> str:
        """Its name, or where that has other characters than names have, what stands for it."""
        return _shown(self.path.name, "file")

    @property
    def signature(self) -> Path:
        return self.path.with_name(self.path.name + signing.ENDING)

    @property
    def receipt(self) -> Path:
        return self.path.with_name(self.name + RECEIPT)


Seen = tuple[tuple[str, int, int, int], ...]
"""Names, inodes, times of the last change (nanoseconds since 1970) and sizes: other bytes have others."""


class LeftInInbox(NamedTuple):
    """Something in the inbox that isn't taken now, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class StagedCopy:
    """An offer's bytes as they were once, where nobody else writes."""

    path: Path
    sha256: str
    signature: str | None


def offer_of(path: Path, directory: Path) -> Offer:
    """A file that somebody names; in the inbox it is its folder's affiliate's."""
    folder = path.absolute().parent
    return Offer(path, folder.name if folder.parent == (directory / INBOX).absolute() else None)


def waiting(directory: Path, at: float, signed: frozenset[str] = frozenset()) -> tuple[list[Offer], list[LeftInInbox]]:
    """What is in the inbox, and what of it isn't taken now, at a time (seconds since 1970).

    `signed`: the affiliates whose files need a signature. What was accepted before and has changed neither size nor time is
    in neither list.
    """
    offers = list[Offer]()
    left = list[LeftInInbox]()
    for folder in _entries(directory / INBOX):
        if not folder.is_dir():
            left.append(LeftInInbox(_shown(folder.name, "file"), "lies in no affiliate's folder"))
            continue
        for path in _entries(folder):
            offer = Offer(path, folder.name)
            if path.name.endswith((RECEIPT, signing.ENDING)):
                continue
            try:
                why = _unsettled(offer, at, folder.name in signed)
                if why is None and not _unchanged(offer):
                    offers.append(offer)
            except OSError as error:  # Taken away in this moment, or not for us to read.
                why = f"can't be read: {error.strerror}"
            left += [LeftInInbox(f"{_shown(folder.name, 'folder')}/{offer.name}", why)] if why else []
    return offers, left


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _inside(path: Path) -> list[Path]:
    """What a folder holds; nothing of a link's, which may lead anywhere."""
    return [] if path.is_symlink() else _entries(path)


def _unsettled(offer: Offer, at: float, signed: bool) -> str | None:
    path = offer.path
    inside = _inside(offer.path)
    names = [path.name, *(part.name for part in inside if part.name != "_temporary" and not part.name.startswith("."))]
    if path.name.startswith(".") or any(name.endswith(_HALF) for name in names):
        return "is still being written, by its name"
    if any(part.name == "_temporary" for part in inside):
        return "is still being written: Spark's _temporary is there"
    age = at - max(each.lstat().st_mtime for each in (path, *inside))
    if age < -SETTLED:
        return "was written in the future: see to the clocks"
    if age < SETTLED:
        return f"changed within the last {SETTLED:.0f} seconds"
    if inside and age < SETTLED_FOLDER and not any(part.name == "_SUCCESS" for part in inside):
        return f"has no _SUCCESS and changed within the last {SETTLED_FOLDER:.0f} seconds"
    if signed and age < SETTLED_FOLDER and not offer.signature.exists():
        return "waits for its signature"
    return None


def seen(path: Path) -> Seen:
    """What lies there now: of a folder, each part of it, too."""
    found = [(each.name, each.lstat()) for each in (path, *_inside(path))]
    return tuple((name, there.st_ino, there.st_mtime_ns, there.st_size) for name, there in found)


def changed_at(path: Path) -> int:
    """When a file, or anything in a folder, was last written: nanoseconds since 1970."""
    return max(mtime for _, _, mtime, _ in seen(path))


def _unchanged(offer: Offer) -> bool:
    said = receipt_of(offer)
    return said.get("outcome") == "accepted" and said.get("changed_at") == changed_at(offer.path)


def receipt_of(offer: Offer) -> dict[str, Any]:
    """What the receipt beside an offer says; nothing where there is none that can be read."""
    try:
        there = offer.receipt.lstat()
        if not stat.S_ISREG(there.st_mode) or there.st_size > _MOST_RECEIPT:
            return {}
        said = json.loads(offer.receipt.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


@contextmanager
def staging_lock(directory: Path) -> Iterator[Path]:
    """While no other process receives here: a folder for copies, gone at the end."""
    state = directory / STATE
    state.mkdir(parents=True, exist_ok=True)
    with FileLock(state / "receiving.lock"):
        for killed in state.glob(f"{_STAGE}*"):
            shutil.rmtree(killed, ignore_errors=True)
        with TemporaryDirectory(prefix=_STAGE, dir=state) as folder:
            yield Path(folder)


def stage_copy(offer: Offer, to: Path) -> StagedCopy:
    """A copy of an offer below a folder, with the digest of just these bytes.

    Raises `RefusedError` for what is neither a file nor a folder of files, or too large; `OSError`.
    """
    to.mkdir()
    target = to / offer.name
    path = offer.path
    if not path.is_dir() or path.is_symlink():
        _check_size(offer, path.lstat().st_size)
        return StagedCopy(target, _copy(path, target, offer), _signature(offer))
    parts = signing.parts_of(path)
    if len(parts) > MOST_PARTS:
        raise refused(
            Code.CONTRIBUTION_TOO_LARGE,
            offer.name,
            "the folder has too many part-files",
            f"{len(parts):,}, at most {MOST_PARTS:,}",
            "write fewer",
        )
    _check_size(offer, sum(part.lstat().st_size for part in parts))
    target.mkdir()
    digests = list[str]()
    size = 0
    for number, part in enumerate(parts):
        to_part = target / (part.name if _PLAIN.fullmatch(part.name) else f"part-{number}")
        digests.append(_copy(part, to_part, offer, size))
        size += to_part.stat().st_size
    return StagedCopy(target, signing.folder_digest(digests), _signature(offer))


def _check_size(offer: Offer, size: int) -> None:
    if size > MOST_FILE:
        raise refused(
            Code.CONTRIBUTION_TOO_LARGE,
            offer.name,
            "it is too large",
            f"{size:,} bytes, at most {MOST_FILE:,}",
            "write several files",
        )


def _copy(path: Path, target: Path, offer: Offer, size: int = 0) -> str:
    """Neither through a link, which could lead to any file here, nor from a pipe, which would never end; nor of a file that
    grows meanwhile more than may be: `size` bytes of the offer are there already."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        if not path.is_symlink():
            raise
        descriptor = -1
    if descriptor < 0 or not stat.S_ISREG(os.fstat(descriptor).st_mode):
        if descriptor >= 0:
            os.close(descriptor)
        raise refused(
            Code.CONTRIBUTION_UNREADABLE,
            offer.name,
            "is no plain file",
            "or holds a link or a folder",
            "hand in files, or a folder of files",
        )
    hasher = hashlib.sha256()
    with os.fdopen(descriptor, "rb") as file, target.open("wb") as out:
        while some := file.read(1 << 20):
            size += len(some)
            _check_size(offer, size)
            hasher.update(some)
            out.write(some)
    return hasher.hexdigest()


def _signature(offer: Offer) -> str | None:
    try:
        if not stat.S_ISREG(offer.signature.lstat().st_mode):
            return ""
        with offer.signature.open("rb") as file:
            return file.read(signing.MOST_BYTES).decode("ascii", "replace")
    except FileNotFoundError:
        return None


def put_receipt(path: Path, said: dict[str, Any]) -> None:
    """Write a receipt in one step: who waits for it must never read half of it."""
    with atomic_write(path, mode=0o600) as unfinished:
        unfinished.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def quarantine(
    offer: Offer, copy: StagedCopy | None, was: Seen, sender: str | None, directory: Path, at: datetime, said: dict[str, Any]
) -> Path:
    """Put what was refused away, with its receipt beside it: the copy that was judged.

    From the inbox it goes, unless it is no longer what was `seen` before it was copied: then it waits to be judged. What
    couldn't be copied is moved.
    """
    folder = directory / QUARANTINE / _shown(sender or NOBODY, "folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{at:%Y%m%dT%H%M%SZ}-{offer.name}"
    number = 1
    while os.path.lexists(folder / name) or (folder / (name + RECEIPT)).exists():
        number += 1
        name = f"{at:%Y%m%dT%H%M%SZ}-{number}-{offer.name}"
    put_receipt(folder / (name + RECEIPT), said)
    mine = offer.folder is not None
    if copy is not None and (mine or (directory / QUARANTINE).absolute() not in offer.path.absolute().parents):
        shutil.move(copy.path, folder / name)
    if not mine or not _is(offer.path, was):
        return folder / name
    if copy is None:
        shutil.move(offer.path, folder / name)
    elif offer.path.is_dir():
        shutil.rmtree(offer.path)
    else:
        offer.path.unlink()
    # Another signature is of what comes next.
    if offer.signature.exists() and (copy is None or _signature(offer) == copy.signature):
        shutil.move(offer.signature, folder / (name + signing.ENDING))
    return folder / name


def _is(path: Path, was: Seen) -> bool:
    try:
        return seen(path) == was
    except OSError:  # Taken away meanwhile.
        return False


def _shown(name: str, kind: str) -> str:
    return name if _PLAIN.fullmatch(name) else f"{kind}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"
