"""A Parquet file's footer and page heads, byte by byte: what a file claims, before any library believes the claims.

Format: https://github.com/apache/parquet-format (README.md, src/main/thrift/parquet.thrift).
"""

from collections.abc import Callable
from typing import Any

_MOST_FOOTER = 4 << 20
"""Bytes of a footer."""
_DEEPEST = 16
"""Structs and lists inside one another: more than twice as deep as Parquet's own. Lists in lists went as deep as the file said,
past Python's limit of recursion."""

# The types of Thrift's compact protocol, by their numbers.
_TRUE = 1
_FALSE = 2
_BYTE = 3
_INTEGERS = (4, 5, 6)
_DOUBLE = 7
_BINARY = 8
_LISTS = (9, 10)
_STRUCT = 12
_SIZES = {_BYTE: 1, _DOUBLE: 8, _BINARY: None}
"""Bytes of a value; null where they are written before it."""


class NotParquet(Exception):
    """The file doesn't end with a footer as the specification has it."""


def read_footer(size: int, read_at: Callable[[int, int], bytes]) -> tuple[dict[int, Any], int]:
    """The footer (`FileMetaData`) of a file of so many bytes, by Thrift's field numbers, and where the footer begins.

    `read_at`: gives the file's bytes from a place on, and so many at most. Raises `NotParquet` and `OSError`.
    """
    end = read_at(max(0, size - 8), 8)
    length = int.from_bytes(end[:4], "little")
    # 12 bytes stand around a footer: the magic number at both ends of the file, and the footer's length.
    if end[4:] != b"PAR1" or length > min(size - 12, _MOST_FOOTER):
        raise NotParquet
    content = read_at(size - 8 - length, length)
    try:
        reader = CompactReader(content)
        footer = reader.read_struct()
    except (LookupError, ValueError):
        raise NotParquet from None
    # What stands behind the footer's end would be nobody's, and read by nobody.
    if reader.position != length:
        raise NotParquet
    return footer, size - 8 - length


class CompactReader:
    """Reads Thrift's compact protocol from bytes; a struct becomes a dict by field number.

    Raises `IndexError` or `ValueError` for bytes that aren't that protocol.
    Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0
        """How many bytes are read."""

    def read_struct(self, depth: int = 0) -> dict[int, Any]:
        """The struct at the present position, `depth` structs and lists deep, by field number."""
        if depth > _DEEPEST:
            raise ValueError
        data = self._data
        position = self.position
        fields: dict[int, Any] = {}
        number = 0
        while head := data[position]:
            self.position = position + 1
            # A field's number is written as the difference from the number before; as a whole where that exceeds 4 bits.
            number = number + (head >> 4) if head >> 4 else self._read_integer()
            kind = head & 15
            # Most values are integers of one byte: calls for each of them would take half of a small file's time.
            if kind in _INTEGERS and (byte := data[self.position]) < 0x80:
                fields[number] = (byte >> 1) ^ -(byte & 1)
                position = self.position + 1
            else:
                fields[number] = self._read_value(kind, depth)
                position = self.position
        self.position = position + 1
        return fields

    def _read_byte(self) -> int:
        self.position += 1
        return self._data[self.position - 1]

    def _read_varint(self) -> int:
        """7 bits of each byte, the lowest first; a byte's highest bit tells that another one follows."""
        byte = self._data[self.position]
        if byte < 0x80:  # Nearly every one.
            self.position += 1
            return byte
        value = 0
        shift = 0
        while (byte := self._read_byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise ValueError
        return value | byte << shift

    def _read_integer(self) -> int:
        """Zigzag: 0, -1, 1, -2, ... are written as 0, 1, 2, 3, ..."""
        value = self._read_varint()
        return (value >> 1) ^ -(value & 1)

    def _read_value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE):  # In a struct the type itself is the value.
            return kind == _TRUE
        if kind in _INTEGERS:
            return self._read_integer()
        if kind == _STRUCT:
            return self.read_struct(depth + 1)
        if depth > _DEEPEST:
            raise ValueError
        if kind in _LISTS:
            return self._read_list(depth)
        if kind not in _SIZES:
            raise ValueError
        size = _SIZES[kind] or self._read_varint()
        self.position += size
        if self.position > len(self._data):
            raise ValueError
        return self._data[self.position - size : self.position]

    def _read_list(self, depth: int) -> list[Any]:
        head = self._read_byte()
        kind = head & 15
        size = head >> 4 if head >> 4 != 15 else self._read_varint()
        # An element takes at least a byte: a list that claims more than the bytes left would fill the memory.
        if size > len(self._data) - self.position:
            raise ValueError
        if kind in (_TRUE, _FALSE):  # In a list each truth value has a byte of its own.
            return [self._read_byte() for _ in range(size)]
        return [self._read_value(kind, depth + 1) for _ in range(size)]
