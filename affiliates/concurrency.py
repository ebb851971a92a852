"""What several threads or processes share: work on several cores, and files that nobody reads half-written.

Threads suffice for work: what takes long here, compiled or in a library, releases the GIL.
"""

import errno
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

WORKERS = min(8, os.cpu_count() or 1)
"""Threads at most; each holds a batch of its own in memory."""

_NO_SYNC = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)
"""What a folder answers that may be written but not read, or whose file system keeps no order of names."""


def ordered(function: Callable[[T], R], items: Iterable[T], at_once: int = 8) -> Iterator[R]:
    """The results of a function over items, in their order, computed on all cores; for a function that releases the GIL.

    `at_once` items go to a thread together: handing work over takes 30 µs, as long as a small sketch. At most
    (`WORKERS` + 1) x `at_once` results wait in memory. An error of the function is raised when its result's turn comes.
    """
    if WORKERS == 1:
        yield from map(function, items)
        return
    source = iter(items)
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
def atomic_write(path: Path, mode: int = 0o666) -> Iterator[Path]:
    """Give an empty file beside `path` to write into, and put it in the place of `path` in one step at the end.

    Who opens `path` reads the old file or the whole new one, also after a crash of the machine. After an error inside, the
    old file stays and the new one is removed; after a kill it is left, and its name begins with a dot and ends with `.part`.

    `mode`: permissions of the new file, less the umask's bits; 0o600 is for its owner alone. Raises `OSError`.
    """
    # Beside `path`, since a file can only be renamed in one step within its own file system.
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    except OSError as error:  # Whoever reads the message knows `path`, and not this file.
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        yield unfinished
        _sync(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(path.parent)


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
