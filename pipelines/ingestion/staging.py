"""Copies of files that were handed in, where nobody else writes.

Everything is judged on the copy: the sender may write the file again between the check of its signature and the reading of its
registers.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from filelock import FileLock

from affiliates import signing
from affiliates.concurrency import private_folder
from affiliates.contributions import parquet_limits
from affiliates.contributions.parquet_limits import MOST_FILE
from affiliates.errors import Code, RefusedError, refused
from pipelines.ingestion.inbox import STATE, Offer, is_plain_name

MOST_PARTS = 10_000
"""Part-files in one folder."""
_STAGE = "receiving-"
_CHUNK_BYTES = 1 << 20
_LOOKED_AT_FIRST = 1 << 20
"""Bytes from which a file is looked at before it is copied."""


@dataclass(frozen=True)
class StagedCopy:
    """A file's bytes as they were at one moment."""

    path: Path
    sha256: str
    """What `affiliates.signing.digest_of` gives for the copy (hex)."""
    signature: str | None
    """The text of the signature beside the file; None where there was none."""


@contextmanager
def staging_lock(directory: Path) -> Iterator[Path]:
    """An empty folder for copies, removed at the end; no other process receives in this group directory meanwhile."""
    state = directory / STATE
    private_folder(state)
    with FileLock(state / "receiving.lock"):
        # Only the holder of the lock has such a folder: any other was left by a process that was killed.
        for left_behind in state.glob(f"{_STAGE}*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        with TemporaryDirectory(prefix=_STAGE, dir=state) as folder:
            yield Path(folder)


def stage_copy(offer: Offer, to: Path) -> StagedCopy:
    """Copy a file, or a folder of part-files, into a new folder `to`; the digest is of just the bytes that were copied.

    Raises `RefusedError` for anything that is neither a file nor a folder of files, or too large; `OSError`.
    """
    to.mkdir()
    target = to / offer.name
    path = offer.path
    if not path.is_dir() or path.is_symlink():
        _check_size(offer, path.lstat().st_size)
        return StagedCopy(target, _copy(path, target, offer), signature_of(offer))
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
        part_target = target / (part.name if is_plain_name(part.name) else f"part-{number}")
        digests.append(_copy(part, part_target, offer, size))
        size += part_target.stat().st_size
    return StagedCopy(target, signing.folder_digest(digests), signature_of(offer))


def signature_of(offer: Offer) -> str | None:
    """The text of the signature beside a file; empty where something else is there, None where nothing is."""
    try:
        if not stat.S_ISREG(offer.signature.lstat().st_mode):
            return ""
        with offer.signature.open("rb") as file:
            return file.read(signing.MOST_BYTES).decode("ascii", "replace")
    except FileNotFoundError:
        return None


def _check_size(offer: Offer, size: int) -> None:
    """Refuse a file, or all parts of a folder together, that has too many bytes."""
    if size > MOST_FILE:
        raise refused(
            Code.CONTRIBUTION_TOO_LARGE,
            offer.name,
            "it is too large",
            f"{size:,} bytes, at most {MOST_FILE:,}",
            "write several files",
        )


def _copy(path: Path, target: Path, offer: Offer, size: int = 0) -> str:
    """Copy one file and give the SHA-256 of its bytes (hex); `size`: bytes of the offer that are copied already.

    The size is checked again with each chunk, since the file may grow meanwhile.
    """
    hasher = hashlib.sha256()
    with (
        os.fdopen(_open_plain_file(path, offer), "rb") as file,
        os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out,
    ):
        _check_unread(file, path, offer)
        while chunk := file.read(_CHUNK_BYTES):
            size += len(chunk)
            _check_size(offer, size)
            hasher.update(chunk)
            out.write(chunk)
    return hasher.hexdigest()


def _check_unread(file: BinaryIO, path: Path, offer: Offer) -> None:
    """Refuse a large file that can't be a contribution, before it is copied: a hole of 1 GiB takes no time to make."""
    size = os.fstat(file.fileno()).st_size
    if size <= _LOOKED_AT_FIRST:
        return  # Reading says better what a small file is.
    if path.suffix != ".csv":
        parquet_limits.check_unread(file, offer.name)
    # A hole in a text is NUL characters. Where the file system can't tell, there is none.
    elif os.lseek(file.fileno(), 0, os.SEEK_HOLE) < size or b"\x00" in os.pread(file.fileno(), _CHUNK_BYTES, 0):
        rule = "holds NUL characters, which no text has"
        raise refused(Code.CONTRIBUTION_UNREADABLE, offer.name, rule, f"{size:,} bytes", "write it again")
    file.seek(0)


def _open_plain_file(path: Path, offer: Offer) -> int:
    """A descriptor of a plain file. Raises `RefusedError` for anything else."""
    try:
        # A link could lead to any file of this machine, and to open a pipe waits for a writer, perhaps for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        # Systems answer differently for a link (ELOOP, EMLINK): so the path is asked, not the error.
        if path.is_symlink():
            raise _no_plain_file(offer) from None
        raise
    # The open file is asked, and not its name, which may be another file's by now.
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise _no_plain_file(offer)


def _no_plain_file(offer: Offer) -> RefusedError:
    return refused(
        Code.CONTRIBUTION_UNREADABLE,
        offer.name,
        "is no plain file",
        "or holds a link or a folder",
        "hand in files, or a folder of files",
    )
