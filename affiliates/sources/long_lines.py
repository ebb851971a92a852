"""Whether a file of text, plain or packed, has a line that no event has: a reader holds a whole line in memory.

A file of a few kilobytes can unpack to a line of gigabytes, and a plain file can have one. Such a file is refused in bounded
memory, before any reader opens it.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from affiliates.errors import Code, refused

LONGEST_LINE = 16 << 20
"""Bytes of a line at most, unpacked."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SMALL_GZIP = 1 << 14
"""Bytes of gzip that can't unpack to more than `LONGEST_LINE`: a byte stands for 1,032 at most."""
_CHUNK_BYTES = 1 << 20
_STEP_BYTES = 1 << 16


def check_lines(path: Path, head: bytes, where: str, longest: int = LONGEST_LINE) -> None:
    """Raise `RefusedError` for a line of over `longest` bytes. `head`: the file's first bytes. Raises `OSError`."""
    size = path.stat().st_size
    is_packed = head.startswith((_GZIP, _ZSTD))
    if head.startswith(_GZIP) and size < _SMALL_GZIP and longest >= LONGEST_LINE:
        return
    is_long = False
    with path.open("rb") as file:
        if is_packed:
            with _unpacked(file, head) as unpacked:
                is_long = _has_long(unpacked, longest)
        else:
            is_long = _has_long_window(file, size, longest)
    if is_long:
        rule = "unpacks to a line that is too long" if is_packed else "has a line that is too long"
        next_step = "write a line an event, and end each with LF"
        raise refused(Code.SOURCE_UNREADABLE, where, rule, f"over {longest:,} bytes", next_step)


@contextmanager
def _unpacked(file: BinaryIO, head: bytes) -> Iterator[BinaryIO]:
    """What a packed file holds. Damage inside ends it without a word: the check that reads the file's rows tells it."""
    import zstandard

    try:
        if head.startswith(_GZIP):
            yield gzip.GzipFile(fileobj=file)  # type: ignore[misc]
        else:
            yield zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError):
        return


def _has_long(file: BinaryIO, longest: int) -> bool:
    """Whether a stream has a line of over `longest` bytes; read up to the first one."""
    length = 0
    # No line within a piece is longer than the piece.
    while chunk := file.read(min(_CHUNK_BYTES, longest)):
        first, last = chunk.find(b"\n"), chunk.rfind(b"\n")
        if length + (len(chunk) if first < 0 else first) > longest:
            return True
        length = length + len(chunk) if last < 0 else len(chunk) - last - 1
    return False


def _has_long_window(file: BinaryIO, size: int, longest: int) -> bool:
    """Whether a plain file has a line of over `longest` bytes, by the last end of a line in each stretch of so many bytes."""
    begin = 0
    while size - begin > longest:
        end = _last_line_end(file, begin, begin + longest + 1)
        if end is None:
            return True
        begin = end + 1
    return False


def _last_line_end(file: BinaryIO, begin: int, end: int) -> int | None:
    """The place of the last line end from `begin` to before `end`, looked for from behind; null for none."""
    while end > begin:
        place = max(begin, end - _STEP_BYTES)
        file.seek(place, io.SEEK_SET)
        if (found := file.read(end - place).rfind(b"\n")) >= 0:
            return place + found
        end = place
    return None
