"""A Parquet file's footer and page heads, read byte by byte: what a file claims, before any library takes its word.

Format: https://github.com/apache/parquet-format (README.md, src/main/thrift/parquet.thrift).
"""

import os
from pathlib import Path
from typing import Any

_MOST_FOOTER = 4 << 20


class NotParquet(Exception):
    """Not a footer as the specification has it."""


def footer(path: Path) -> dict[int, Any]:
    """A file's footer, by Thrift's field numbers. Raises `NotParquet` and `OSError`."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        length = int.from_bytes(file.read(4), "little")
        magic = file.read(4)
        if magic != b"PAR1" or length > min(size - 12, _MOST_FOOTER):
            raise NotParquet
        file.seek(size - 8 - length)
        said = file.read(length)
    try:
        return Compact(said).struct()
    except (LookupError, ValueError):
        raise NotParquet from None


class Compact:
    """Reads Thrift's compact protocol; a struct is a dict by field number.

    Raises `IndexError` or `ValueError` for what isn't that protocol.
    Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

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
