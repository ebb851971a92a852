"""What a Parquet file from elsewhere may claim before anything in the file is unpacked: rows, bytes, and encodings.

polars believes a file: a page of 9 kB that unpacks to 300 MB takes 1.8 GB, and a page that claims more memory than there is
ends the process, which no code can catch. So footer and page heads are read here first; pages aren't.
"""

import os
from collections.abc import Collection, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from affiliates.contributions.parquet_footer import CompactReader, NotParquet, read_footer
from affiliates.errors import Code, RefusedError, refused

MOST_FILE = 1 << 30
"""Bytes of a file. A month of a large product by day has 31 to 93 images of 1 MiB; this is ten times as much."""
MOST_ROWS = 100_000
"""Rows of a file. Twenty years of days, with twelve audiences and namespaces each, have 87,600."""
MOST_UNPACKED = 1 << 30
"""Bytes to which all pages together unpack. Images hardly shrink, so what unpacks to much more than its file is no sketch."""
MOST_PAGE = 256 << 20
"""Bytes to which one page unpacks: polars takes six times as much. Writers make pages of 1 MiB; DuckDB's may have 100."""

_ENCODINGS = {0, 2, 3, 4, 8}
"""Plain, dictionary, run lengths, packed bits: they unpack to the page's stated size and no more. In DELTA_BYTE_ARRAY a value
repeats the one before in three bytes."""
_MOST_HEAD = 64 << 10
"""Bytes that are read of a page to find its head. A longer head counts as damaged."""


# Field numbers of src/main/thrift/parquet.thrift, struct by struct: those that are read here.
class _File(IntEnum):
    SCHEMA = 2
    ROWS = 3
    GROUPS = 4


class _Node(IntEnum):
    NAME = 4
    CHILDREN = 5


class _Group(IntEnum):
    CHUNKS = 1
    ROWS = 3


class _ChunkField(IntEnum):
    OTHER_FILE = 1
    METADATA = 3
    ENCRYPTION = 8


class _ChunkMetadata(IntEnum):
    VALUES = 5
    DATA_AT = 9
    DICTIONARY_AT = 11


class _Head(IntEnum):
    KIND = 1
    UNPACKED = 2
    PACKED = 3
    DATA = 5
    DICTIONARY = 7
    DATA_V2 = 8


class _PageKind(IntEnum):
    DATA = 0
    DICTIONARY = 2
    DATA_V2 = 3


_VALUES = 1
"""The number of a page's values: field 1 in the heads of all kinds of pages."""
_ENCODING = {_PageKind.DATA: 2, _PageKind.DATA_V2: 4}
"""The field of a data page's encoding, by the kind of the page."""


class _Chunk(NamedTuple):
    """One column of one row group."""

    column: str
    fields: dict[int, Any]


def check(path: Path, columns: Collection[str]) -> None:
    """Refuse a file whose footer or page heads claim more than these limits, or that is no Parquet.

    `columns`: the columns that will be read; the pages of others are skipped. Raises `RefusedError` and `OSError`.
    """
    size = path.stat().st_size
    if size > MOST_FILE:
        raise _too_large(path, "the file is too large", f"{size:,} bytes, at most {MOST_FILE:,}")
    try:
        metadata = read_footer(path)
        chunks = _chunks(metadata)
        _check_rows(path, metadata)
        unpacked = 0
        for chunk in chunks:
            if chunk.column in columns:
                unpacked += sum(_page_sizes(path, size, chunk.fields))
            if unpacked > MOST_UNPACKED:
                raise _too_large(path, "it unpacks to too much", f"over {MOST_UNPACKED:,} bytes")
    # A field that is missing, or of another type than the specification's, shows as one of these.
    except (LookupError, TypeError, ValueError, AttributeError, NotParquet):
        raise refused(
            Code.CONTRIBUTION_UNREADABLE,
            path.name,
            "is not a readable Parquet file",
            f"{size:,} bytes",
            "write it again; it may be cut off",
        ) from None


def _too_large(path: Path, rule: str, values: str) -> RefusedError:
    return refused(Code.CONTRIBUTION_TOO_LARGE, path.name, rule, values, "write several files; a product and month each is usual")


def _chunks(metadata: dict[int, Any]) -> list[_Chunk]:
    """All row groups' chunks, which lie in the order of the schema's leaves."""
    nodes = metadata[_File.SCHEMA][1:]  # The first node is the table itself.
    names = [node[_Node.NAME].decode() for node in nodes if _Node.CHILDREN not in node]  # A node with children has no chunk.
    return [
        _Chunk(name, chunk) for group in metadata[_File.GROUPS] for name, chunk in zip(names, group[_Group.CHUNKS], strict=True)
    ]


def _check_rows(path: Path, metadata: dict[int, Any]) -> None:
    numbers = [group[_Group.ROWS] for group in metadata[_File.GROUPS]]
    rows = sum(numbers)
    # The same number twice: where the two differ, nobody can tell which of them a reader will go by.
    if rows != metadata[_File.ROWS] or any(number < 0 for number in numbers):
        raise ValueError
    if rows > MOST_ROWS:
        raise _too_large(path, "too many rows", f"{rows:,}, at most {MOST_ROWS:,}")


def _page_sizes(path: Path, size: int, chunk: dict[int, Any]) -> Iterator[int]:
    """The bytes to which each page of a chunk unpacks, as its head states them. `size`: the file's bytes.

    Raises `RefusedError` for a page beyond the limits, `ValueError` or `LookupError` for what is no page.
    """
    metadata = chunk[_ChunkField.METADATA]
    if _ChunkField.OTHER_FILE in chunk or _ChunkField.ENCRYPTION in chunk:
        raise ValueError
    data_at = metadata[_ChunkMetadata.DATA_AT]
    position = min(data_at, metadata.get(_ChunkMetadata.DICTIONARY_AT, data_at))
    values_left = metadata[_ChunkMetadata.VALUES]
    if position < 4 or not 0 <= values_left <= MOST_ROWS:  # The file begins with a magic number of 4 bytes.
        raise ValueError
    with path.open("rb", buffering=0) as file:
        while values_left:
            reader = CompactReader(os.pread(file.fileno(), _MOST_HEAD, position))
            head = reader.read_struct()
            unpacked = head[_Head.UNPACKED]
            packed = head[_Head.PACKED]
            if unpacked < 0 or packed < 0 or position + reader.position + packed > size:
                raise ValueError
            if unpacked > MOST_PAGE:
                raise _too_large(path, "a page of it is too large", f"over {MOST_PAGE:,} bytes")
            values_left -= _page_values(path, head, values_left)
            yield unpacked
            position += reader.position + packed


def _page_values(path: Path, head: dict[int, Any], most: int) -> int:
    """How many of its chunk's values a page holds, at most `most`; a dictionary holds none of them."""
    kind = head[_Head.KIND]
    if kind not in _ENCODING:
        if kind != _PageKind.DICTIONARY or not 0 <= head[_Head.DICTIONARY][_VALUES] <= MOST_ROWS:
            raise ValueError
        return 0
    page = head[_Head.DATA if kind == _PageKind.DATA else _Head.DATA_V2]
    values = page[_VALUES]
    encoding = page[_ENCODING[kind]]
    if not 0 <= values <= most:
        raise ValueError
    if encoding not in _ENCODINGS:
        raise refused(
            Code.CONTRIBUTION_UNREADABLE,
            path.name,
            "values are written in a form that isn't read",
            f"Parquet encoding {encoding}",
            "write version 1 of Parquet: plain or with a dictionary",
        )
    return int(values)
