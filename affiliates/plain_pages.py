"""Keys of one length as a Parquet file holds them: plain pages, side by side, hashed where they lie.

polars makes string views of text before anybody sees it: 166 M keys a second and no more, of a
machine that hashes 400 M. What isn't plain here (a dictionary, missing values, nesting, encryption,
other codecs), or isn't as the specification has it, is `NotPlain`: then polars reads the file.
Format: https://github.com/apache/parquet-format (README.md, src/main/thrift/parquet.thrift).
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cramjam
import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

WIDTHS = {2: 8, 6: 20}
"""Bytes of a key by physical type: INT64, and BYTE_ARRAY of 16 characters behind four bytes of length."""

_MOST_FOOTER, _MOST_HEADER, _MOST_PAGE = 4 << 20, 4 << 10, 256 << 20
_PLAIN, _RLE, _DATA_PAGE = 0, 3, 0
_UNPACK: dict[int, Callable[[Any, Any], int] | None] = {
    0: None, 1: cramjam.snappy.decompress_raw_into, 6: cramjam.zstd.decompress_into,
}  # fmt: skip


class NotPlain(Exception):
    """Not what this module reads: polars has to."""


@dataclass(frozen=True)
class Chunk:
    """A column's values in one row group, from the byte `start` on: how many, and how they are written."""

    path: Path
    start: int
    values: int
    width: int
    codec: int
    has_levels: bool


def footer(path: Path) -> dict[int, Any]:
    """A file's footer, by Thrift's field numbers. Raises `NotPlain` and `OSError`."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        length, magic = int.from_bytes(file.read(4), "little"), file.read(4)
        if magic != b"PAR1" or length > min(size - 12, _MOST_FOOTER):
            raise NotPlain
        file.seek(size - 8 - length)
        said = file.read(length)
    try:
        return Compact(said).struct()
    except (LookupError, ValueError):
        raise NotPlain from None


def chunks(path: Path, column: str) -> list[Chunk]:
    """Where a file's column lies, from its footer. Raises `NotPlain` and `OSError`."""
    said = footer(path)
    try:
        root, *leaves = said[2]
        (place,) = (i for i, leaf in enumerate(leaves) if leaf[4] == column.encode())
        if root[5] != len(leaves) or leaves[place][3] > 1:  # Nested, or repeated.
            raise NotPlain
        found = [_chunk(path, group[1][place], leaves[place][3] == 1) for group in said[4]]
        rows = [group[3] for group in said[4]]
    except (LookupError, TypeError, ValueError):
        raise NotPlain from None
    if [chunk.values for chunk in found] != rows or sum(rows) != said[3]:
        raise NotPlain
    return found


def _chunk(path: Path, said: dict[int, Any], has_levels: bool) -> Chunk:
    elsewhere, encrypted, meta = 1 in said, 8 in said, said[3]
    if elsewhere or encrypted or 11 in meta or set(meta[2]) - {_PLAIN, _RLE} or meta[4] not in _UNPACK:
        raise NotPlain
    return Chunk(path, meta[9], meta[5], WIDTHS[meta[1]], meta[4], has_levels)


class Pages:
    """Reads pages into room that is kept from page to page; one for each thread."""

    def __init__(self) -> None:
        self._packed, self._page = np.empty(0, np.uint8), np.empty(0, np.uint8)

    def of(self, chunk: Chunk) -> Iterator[Bytes]:
        """The values of each page, `chunk.width` bytes each; gone when the next is asked for.

        Raises `NotPlain`, also where values are missing or are of another length in all, and `OSError`.
        """
        left, at = chunk.values, chunk.start
        with chunk.path.open("rb", buffering=0) as file:
            while left:
                reader = Compact(os.pread(file.fileno(), _MOST_HEADER, at))
                try:
                    head = reader.struct()
                    packed, unpacked, values = head[3], head[2], head[5][1]
                    if head[1] != _DATA_PAGE or head[5][2] != _PLAIN:
                        raise NotPlain
                except (LookupError, TypeError, ValueError):
                    raise NotPlain from None
                if not (0 < values <= left and 0 < packed <= _MOST_PAGE and 0 < unpacked <= _MOST_PAGE):
                    raise NotPlain
                self._packed = _room(self._packed, packed)
                if os.preadv(file.fileno(), [self._packed[:packed].data], at + reader.at) != packed:
                    raise NotPlain
                page = self._unpacked(packed, unpacked, chunk.codec)
                first = 4 + int.from_bytes(page[:4].tobytes(), "little") if chunk.has_levels else 0
                # Of levels, only their length: with a value missing, so many bytes would be too many.
                if unpacked - first != values * chunk.width:
                    raise NotPlain
                yield page[first:]
                left, at = left - values, at + reader.at + packed

    def _unpacked(self, packed: int, unpacked: int, codec: int) -> Bytes:
        unpack = _UNPACK[codec]
        if unpack is None:
            if packed != unpacked:
                raise NotPlain
            return self._packed[:packed]
        self._page = _room(self._page, unpacked)
        try:
            written = unpack(self._packed[:packed], self._page[:unpacked])
        except cramjam.DecompressionError:
            raise NotPlain from None
        if written != unpacked:
            raise NotPlain
        return self._page[:unpacked]


def _room(buffer: Bytes, size: int) -> Bytes:
    return buffer if len(buffer) >= size else np.empty(size, np.uint8)


class Compact:
    """Reads Thrift's compact protocol; a struct is a dict by field number.

    Raises `IndexError` or `ValueError` for what isn't that protocol.
    Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
    """

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > 16:
            raise ValueError
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise ValueError
        return value | byte << shift

    def _signed(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 12:
            return self.struct(depth + 1)
        if depth > 16:
            raise ValueError
        if kind in (9, 10):
            head = self._byte()
            size = head >> 4 if head >> 4 != 15 else self._varint()
            if size > len(self._data) - self.at:
                raise ValueError
            each = self._byte if head & 15 in (1, 2) else lambda: self._value(head & 15, depth + 1)
            return [each() for _ in range(size)]
        if kind not in (3, 7, 8):
            raise ValueError
        size = {3: 1, 7: 8}.get(kind) or self._varint()
        self.at += size
        if self.at > len(self._data):
            raise ValueError
        return self._data[self.at - size : self.at]
