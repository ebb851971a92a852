"""What a Parquet file from elsewhere may claim before anything in the file is unpacked: rows, bytes, and encodings.

polars believes a file: a page of 9 kB that unpacks to 300 MB takes 1.8 GB, and a page that claims more memory than there is
ends the process, which no code can catch. So footer and page heads are read here first; pages aren't.

Over 300 lines: the fields of Parquet's structs that are read, and the limits by them, are read together.
"""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

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
_SMALL_FILE = 1 << 20
"""Bytes of a file that is read as a whole."""


_MOST_BESIDE = 1 << 20
"""Bytes that may stand beside pages in a file that is copied at all."""


# Field numbers of src/main/thrift/parquet.thrift, struct by struct: those that are read here.
class FileField(IntEnum):
    """Fields of a footer."""

    SCHEMA = 2
    ROWS = 3
    GROUPS = 4
    KEY_VALUES = 5
    CREATED_BY = 6


class _Node(IntEnum):
    NAME = 4
    CHILDREN = 5


class GroupField(IntEnum):
    """Fields of a row group."""

    CHUNKS = 1
    ROWS = 3


class ChunkField(IntEnum):
    """Fields of a row group's column."""

    OTHER_FILE = 1
    METADATA = 3
    ENCRYPTION = 8


class ChunkMetadata(IntEnum):
    """Fields of a chunk's description."""

    VALUES = 5
    PACKED = 7
    KEY_VALUES = 8
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


class PageInFile(NamedTuple):
    """A page of a chunk."""

    begin: int
    """Where its head begins, in bytes from the file's beginning."""
    end: int
    unpacked: int
    """Bytes to which it unpacks, as its head states them."""
    head: dict[int, Any]
    """By Thrift's field numbers."""


class Chunk(NamedTuple):
    """One column of one row group."""

    column: str
    """The column's name at the top of the schema."""
    fields: dict[int, Any]
    pages: list[PageInFile]

    @property
    def begin(self) -> int:
        """Where its first page lies."""
        metadata = self.fields[ChunkField.METADATA]
        data_at = int(metadata[ChunkMetadata.DATA_AT])
        return min(data_at, int(metadata.get(ChunkMetadata.DICTIONARY_AT, data_at)))


class Layout(NamedTuple):
    """What lies where in a file, by its footer and its pages' heads."""

    size: int
    """Bytes of the file."""
    footer_at: int
    """Where the footer begins."""
    metadata: dict[int, Any]
    """The footer, by Thrift's field numbers."""
    columns: list[str]
    """The names at the top of the schema, as often as they stand there."""
    chunks: list[Chunk]


class Limits(NamedTuple):
    """What a file may claim at most."""

    rows: int
    unpacked: int
    """Bytes to which all pages together unpack."""
    page: int
    """Bytes to which one page unpacks."""


class Pieces(NamedTuple):
    """A file, or the bytes of one, read from any place."""

    name: str
    size: int
    read_at: Callable[[int, int], bytes]
    """The bytes from a place on, and so many at most."""


@contextmanager
def pieces_of(path: Path) -> Iterator[Pieces]:
    """A file, open. A small one is read once, as a whole: a call of the system for each piece takes longer. Raises `OSError`."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= _SMALL_FILE:
            yield _pieces_of_bytes(file.read(), path.name)
        else:
            yield Pieces(path.name, size, lambda place, length: os.pread(file.fileno(), length, _checked(place)))


def _pieces_of_bytes(content: bytes, name: str) -> Pieces:
    return Pieces(name, len(content), lambda place, length: content[_checked(place) : place + length])


def _checked(place: int) -> int:
    """The place; raises `ValueError` for one before the file's beginning, which Python would count from the end."""
    if place < 0:
        raise ValueError
    return place


def check(path: Path, columns: Collection[str]) -> Layout:
    """Refuse a file whose footer or page heads claim more than a contribution may, or that is no Parquet; gives what lies where.

    `columns`: the columns that will be read; the pages of others are skipped. Raises `RefusedError` and `OSError`.
    """
    with pieces_of(path) as pieces:
        if pieces.size > MOST_FILE:
            raise _too_large(path.name, "the file is too large", f"{pieces.size:,} bytes, at most {MOST_FILE:,}")
        return _check(pieces, columns, Limits(MOST_ROWS, MOST_UNPACKED, MOST_PAGE))


def check_bytes(content: bytes, name: str, columns: Collection[str], limits: Limits) -> Layout:
    """As `check`, of a file's bytes, which messages call `name`."""
    return _check(_pieces_of_bytes(content, name), columns, limits)


def _check(pieces: Pieces, columns: Collection[str], limits: Limits) -> Layout:
    try:
        metadata, footer_at = read_footer(pieces.size, pieces.read_at)
        names, leaves = _names(metadata[FileField.SCHEMA])
        chunks = [
            Chunk(name, fields, [])
            for group in metadata[FileField.GROUPS]
            for name, fields in zip(leaves, group[GroupField.CHUNKS], strict=True)
        ]
        _check_rows(pieces, metadata, limits)
        unpacked = 0
        for chunk in chunks:
            if chunk.column in columns:
                chunk.pages.extend(_pages(pieces, chunk, limits))
                unpacked += sum(page.unpacked for page in chunk.pages)
            if unpacked > limits.unpacked:
                raise _too_large(pieces.name, "it unpacks to too much", f"over {limits.unpacked:,} bytes")
    # A field that is missing, or of another type than the specification's, shows as one of these.
    except (LookupError, TypeError, ValueError, AttributeError, NotParquet):
        raise unreadable(pieces.name, pieces.size) from None
    return Layout(pieces.size, footer_at, metadata, names, chunks)


def check_unread(file: BinaryIO, name: str) -> None:
    """Refuse a file by its footer alone, before anybody copies it: one that is no Parquet, or mostly bytes of no column.

    `name` is how messages call it. Raises `RefusedError` and `OSError`.
    """
    size = os.fstat(file.fileno()).st_size
    try:
        metadata, footer_at = read_footer(size, lambda place, length: os.pread(file.fileno(), length, place))
        chunks = [chunk[ChunkField.METADATA] for group in metadata[FileField.GROUPS] for chunk in group[GroupField.CHUNKS]]
        packed = sum(chunk[ChunkMetadata.PACKED] for chunk in chunks)
    except (LookupError, TypeError, ValueError, AttributeError, NotParquet):
        raise unreadable(name, size) from None
    # Indexes and descriptions take some bytes beside the pages, and never as many as these.
    if footer_at > 2 * packed + _MOST_BESIDE:
        raise refused(
            Code.CONTRIBUTION_COLUMNS_WRONG,
            name,
            "holds bytes that belong to none of its columns",
            f"{footer_at - packed:,} bytes",
            "write the contract's columns alone",
        )


def unreadable(name: str, size: int) -> RefusedError:
    """The refusal of a file of so many bytes that isn't as Parquet's specification has it."""
    return refused(
        Code.CONTRIBUTION_UNREADABLE,
        name,
        "is not a readable Parquet file",
        f"{size:,} bytes",
        "write it again; it may be cut off",
    )


def _too_large(name: str, rule: str, values: str) -> RefusedError:
    return refused(Code.CONTRIBUTION_TOO_LARGE, name, rule, values, "write several files; a product and month each is usual")


def _names(schema: list[dict[int, Any]]) -> tuple[list[str], list[str]]:
    """The names at the top of a schema; and, for each of its leaves in order, the one that the leaf stands under."""
    names: list[str] = []
    leaves: list[str] = []
    # The first node is the table itself; a node with children is followed by them.
    open_nodes = [len(schema)]
    for node in schema[1:]:
        while not open_nodes[-1]:
            open_nodes.pop()
        if len(open_nodes) == 1:
            names.append(node[_Node.NAME].decode())
        open_nodes[-1] -= 1
        # A node with children has no chunk.
        if children := node.get(_Node.CHILDREN):
            open_nodes.append(children)
        else:
            leaves.append(names[-1])
    return names, leaves


def _check_rows(pieces: Pieces, metadata: dict[int, Any], limits: Limits) -> None:
    numbers = [group[GroupField.ROWS] for group in metadata[FileField.GROUPS]]
    rows = sum(numbers)
    # The same number twice: where the two differ, nobody can tell which of them a reader will go by.
    if rows != metadata[FileField.ROWS] or any(number < 0 for number in numbers):
        raise ValueError
    if rows > limits.rows:
        raise _too_large(pieces.name, "too many rows", f"{rows:,}, at most {limits.rows:,}")


def _pages(pieces: Pieces, chunk: Chunk, limits: Limits) -> Iterator[PageInFile]:
    """Each page of a chunk, as its head states it.

    Raises `RefusedError` for a page beyond the limits, `ValueError` or `LookupError` for what is no page.
    """
    metadata = chunk.fields[ChunkField.METADATA]
    if ChunkField.OTHER_FILE in chunk.fields or ChunkField.ENCRYPTION in chunk.fields:
        raise ValueError
    position = chunk.begin
    values_left = metadata[ChunkMetadata.VALUES]
    if position < 4 or not 0 <= values_left <= limits.rows:  # The file begins with a magic number of 4 bytes.
        raise ValueError
    while values_left:
        reader = CompactReader(pieces.read_at(position, _MOST_HEAD))
        head = reader.read_struct()
        unpacked = head[_Head.UNPACKED]
        packed = head[_Head.PACKED]
        if unpacked < 0 or packed < 0 or position + reader.position + packed > pieces.size:
            raise ValueError
        if unpacked > limits.page:
            raise _too_large(pieces.name, "a page of it is too large", f"over {limits.page:,} bytes")
        values_left -= _page_values(pieces.name, head, values_left, limits)
        yield PageInFile(position, position + reader.position + packed, unpacked, head)
        position += reader.position + packed


def _page_values(name: str, head: dict[int, Any], most: int, limits: Limits) -> int:
    """How many of its chunk's values a page holds, at most `most`; a dictionary holds none of them."""
    kind = head[_Head.KIND]
    if kind not in _ENCODING:
        if kind != _PageKind.DICTIONARY or not 0 <= head[_Head.DICTIONARY][_VALUES] <= limits.rows:
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
            name,
            "values are written in a form that isn't read",
            f"Parquet encoding {encoding}",
            "write version 1 of Parquet: plain or with a dictionary",
        )
    return int(values)
