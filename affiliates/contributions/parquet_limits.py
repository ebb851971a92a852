"""What a Parquet file from elsewhere may claim before anything of it is unpacked: rows, bytes, and how they are written.

polars takes a file's word: a page of 9 kB that unpacks to 300 MB takes 1.8 GB, one that claims more than there is ends the
process, which nobody can catch. So footer and page heads are read here first; pages aren't.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from affiliates.contributions.parquet_footer import Compact, NotParquet, footer
from affiliates.errors import Code, RefusedError, refused

MOST_FILE = 1 << 30
"""Bytes. A month of a large product by day has 31 to 93 images of 1 MiB; this is ten times as much."""
MOST_ROWS = 100_000
"""Twenty years of days, with twelve audiences and namespaces each, have 87,600."""
MOST_UNPACKED = 1 << 30
"""Bytes that all pages together unpack to. Images hardly shrink, so what unpacks to much more than its file is no sketch."""
MOST_PAGE = 256 << 20
"""Bytes of one page: polars takes six times as much for it. Writers make pages of 1 MiB; DuckDB's may have 100."""

_ENCODINGS = {0, 2, 3, 4, 8}
"""Plain, dictionary, run lengths, packed bits: what unpacks to its page's size and no more. In DELTA_BYTE_ARRAY a
value repeats the one before in three bytes."""
_DATA = 0
_DICTIONARY = 2
_DATA_2 = 3
_MOST_HEAD = 64 << 10


def check(path: Path, columns: Collection[str]) -> None:
    """Refuse a file whose footer or page heads claim more than these limits, or are no Parquet.

    `columns` are those that will be read. Raises `RefusedError` and `OSError`.
    """
    size = path.stat().st_size
    if size > MOST_FILE:
        raise _refusal(path, "the file is too large", f"{size:,} bytes, at most {MOST_FILE:,}")
    try:
        said = footer(path)
        names = [leaf[4].decode() for leaf in said[2][1:] if 5 not in leaf]  # A node with children has no chunk.
        groups = [(group[3], [(name, chunk) for name, chunk in zip(names, group[1], strict=True)]) for group in said[4]]
        rows = sum(number for number, _ in groups)
        if rows != said[3] or any(number < 0 for number, _ in groups):
            raise ValueError
        if rows > MOST_ROWS:
            raise _refusal(path, "too many rows", f"{rows:,}, at most {MOST_ROWS:,}")
        unpacked = 0
        for _, chunks in groups:
            for name, chunk in chunks:
                if name in columns:
                    unpacked += sum(_pages(path, size, chunk))
                if unpacked > MOST_UNPACKED:
                    raise _refusal(path, "it unpacks to too much", f"over {MOST_UNPACKED:,} bytes")
    except (LookupError, TypeError, ValueError, AttributeError, NotParquet):
        raise refused(
            Code.CONTRIBUTION_UNREADABLE,
            path.name,
            "is not a readable Parquet file",
            f"{size:,} bytes",
            "write it again; it may be cut off",
        ) from None


def _refusal(path: Path, rule: str, values: str) -> RefusedError:
    return refused(Code.CONTRIBUTION_TOO_LARGE, path.name, rule, values, "write several files; a product and month each is usual")


def _pages(path: Path, size: int, chunk: dict[int, Any]) -> Iterator[int]:
    """The unpacked bytes of each page of a chunk, as its heads say them."""
    meta = chunk[3]
    if 1 in chunk or 8 in chunk:  # In another file, or encrypted.
        raise ValueError
    at = min(meta[9], meta.get(11, meta[9]))
    left = meta[5]
    if at < 4 or not 0 <= left <= MOST_ROWS:
        raise ValueError
    with path.open("rb", buffering=0) as file:
        while left:
            reader = Compact(os.pread(file.fileno(), _MOST_HEAD, at))
            head = reader.struct()
            kind = head[1]
            unpacked = head[2]
            packed = head[3]
            if unpacked < 0 or packed < 0 or at + reader.at + packed > size:
                raise ValueError
            if unpacked > MOST_PAGE:
                raise _refusal(path, "a page of it is too large", f"over {MOST_PAGE:,} bytes")
            if kind in (_DATA, _DATA_2):
                data = head[5 if kind == _DATA else 8]
                values = data[1]
                encoding = data[2 if kind == _DATA else 4]
                if not 0 <= values <= left:
                    raise ValueError
                if encoding not in _ENCODINGS:
                    raise refused(
                        Code.CONTRIBUTION_UNREADABLE,
                        path.name,
                        "values are written in a form that isn't read",
                        f"Parquet encoding {encoding}",
                        "write version 1 of Parquet: plain or with a dictionary",
                    )
                left -= values
            elif kind != _DICTIONARY or not 0 <= head[7][1] <= MOST_ROWS:
                raise ValueError
            yield unpacked
            at += reader.at + packed
