"""What several threads or processes share: work on several cores, files that nobody reads half-written, and small ones.

Threads suffice for work: what takes long here, compiled or in a library, releases the GIL.
"""

import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")
R = TypeVar("R")

WORKERS = min(8, os.cpu_count() or 1)
"""Threads at most; each holds a batch of its own in memory."""

_WORK = "mauwatch-work-"
"""How the names of folders for work begin."""
_UNFINISHED = re.compile(r"\..+\.mauwatch-[0-9a-f]{8}\.part")
"""The names of files that `atomic_write` hasn't put in their places."""
_looked_through = set[Path]()
"""The folders in which this process has looked for unfinished files of others."""
_NO_SYNC = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)
"""What a folder answers that may be written but not read, or whose file system keeps no order of names."""


class UnfitFileError(OSError):
    """A file that `read_small` doesn't read: a device, a pipe, or one that is too large."""


def ordered(function: Callable[[T], R], items: Iterable[T], at_once: int = 8) -> Iterator[R]:
    """The results of a function over items, in their order, computed on all cores; for a function that releases the GIL.

    `at_once` items go to a thread together: handing work over takes 30 µs, as long as a small sketch. At most
    (`WORKERS` + 1) x `at_once` results wait in memory. An error of the function is raised when its result's turn comes.
    """
    source = iter(items)
    first = list(islice(source, at_once + 1))
    # What one thread would take alone needs none: to begin and to end threads takes longer than a small sketch.
    if WORKERS == 1 or len(first) <= at_once:
        yield from map(function, chain(first, source))
        return
    source = chain(first, source)
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[list[R]]] = deque()
        while batch := list(islice(source, at_once)):
            # The batch is passed: a name that the lambda took from here would be another batch when the thread begins.
            waiting.append(pool.submit(lambda items: [function(item) for item in items], batch))
            # The oldest result is awaited before the next item is read: so a slow reader of results slows the source down.
            if len(waiting) > WORKERS:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


@contextmanager
def atomic_write(path: Path, mode: int = 0o666, durable: bool = True) -> Iterator[Path]:
    """Give an empty file beside `path` to write into, and put it in the place of `path` in one step at the end.

    Who opens `path` reads the old file or the whole new one, also after a crash of the machine where `durable`: else a crash may
    leave an empty file. After an error inside, the old file stays and the new one is removed; after a kill it is left, and its
    name begins with a dot and ends with `.part`: the next process that writes into the folder removes it.

    `mode`: permissions of the new file, less the umask's bits; 0o600 is for its owner alone. Raises `OSError`.
    """
    _remove_unfinished(path.parent)
    unfinished, lock = _new_unfinished(path, mode)
    try:
        yield unfinished
        if durable:
            _sync(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
        os.close(lock)
    if durable:
        _sync_folder(path.parent)


def _new_unfinished(path: Path, mode: int) -> tuple[Path, int]:
    """A new file beside `path`, and the descriptor that locks it while it is written."""
    while True:
        # Beside `path`, since a file can only be renamed in one step within its own file system.
        unfinished = path.with_name(f".{path.name}.mauwatch-{secrets.token_hex(4)}.part")
        try:
            lock = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except OSError as error:  # Whoever reads the message knows `path`, and not this file.
            raise OSError(error.errno, error.strerror, str(path)) from None
        if _locks(lock, unfinished, waits=True):
            return unfinished, lock
        os.close(lock)


def _remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files that killed processes have left in a folder; looked for once by each process."""
    if folder in _looked_through:
        return
    _looked_through.add(folder)
    try:
        names = [name for name in os.listdir(folder) if _UNFINISHED.fullmatch(name)]
    except OSError:  # It isn't there, or may be written and not read.
        return
    for name in names:
        _remove_abandoned(folder / name)


def remove_left(folder: Path) -> None:
    """Remove the folders for work and the unfinished files that killed processes have left in a folder, if that is there."""
    for left in folder.glob(f"{_WORK}*"):
        _remove_abandoned(left)
    _looked_through.discard(folder)
    _remove_unfinished(folder)


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder for its owner alone, removed at the end with all that is in it; in `parent`, else among temporary files.

    After a kill it is left, and the next process that asks for such a folder there removes it: sketches, or events that were
    fetched, would else lie there for good. A folder in use is locked, and so never taken for one that was left. Raises `OSError`.
    """
    where = parent or Path(tempfile.gettempdir())
    # Names alone: a folder for temporary files may hold thousands of others, and each product asks.
    with suppress(OSError):  # It may be written and not read.
        for name in os.listdir(where):
            if name.startswith(_WORK):
                _remove_abandoned(where / name)
    folder, lock = _new_folder(where)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _new_folder(where: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_WORK, dir=where))
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # Taken for one that a killed process left, before it had its lock.
            continue
        if _locks(lock, folder, waits=True):
            return folder, lock
        os.close(lock)


def _remove_abandoned(path: Path) -> None:
    """Remove a file or a folder of this user's that no process has locked."""
    try:
        if path.lstat().st_uid != os.geteuid():
            return
        lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # Gone meanwhile, or a link.
        return
    try:
        if not _locks(lock, path, waits=False):
            return
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _locks(descriptor: int, path: Path, waits: bool) -> bool:
    """Lock an open file or folder until its descriptor is closed; false where `path` is another one's by now, or another's lock.

    The system takes the lock away with the process, however that ends. Where a file system has no locks, who `waits` goes on
    without one, and nobody removes anything.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except OSError:
        return waits
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:  # Whoever looks for what was left was here between its making and its lock.
        return False


def private_folder(path: Path) -> Path:
    """Make a folder for its owner alone where there is none, whatever the umask; one that is there stays as it is.

    Folders above it that aren't there are made as usual. Raises `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
        return path
    path.chmod(0o700)
    return path


@contextmanager
def owner_alone() -> Iterator[None]:
    """Whatever this process, or one that it starts, makes inside is for its owner alone: Dagster's files, too."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def read_small(path: Path, most_bytes: int) -> bytes:
    """The content of a file that has `most_bytes` at most. Raises `OSError`, and `UnfitFileError` for all others.

    A link in the place of a key may lead to a device, which has no end, or to a file that fills the memory.
    """
    # Looked at once before opening: opening a pipe waits for whoever writes into it.
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnfitFileError(errno.EINVAL, "is no plain file")
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise UnfitFileError(errno.EFBIG, f"has over {most_bytes:,} bytes")
    return content


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that isn't there yet, for its owner alone. After an error inside, no half of a key is left.

    Raises `FileExistsError` where there is a file, which stays as it is, and `OSError`.
    """
    # With its permissions from the start: a file that is closed to others afterwards was open to them for a moment.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk, where its file system can say so."""
    try:
        _sync(folder)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
