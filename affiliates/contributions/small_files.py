"""Many small files of contributions read at once: polars takes hardly longer for a hundred of them than for one.

What passes every check together passes each by itself. Where anything speaks against one file, nothing is said here: that file,
or all that were read with it, are read one by one by `untrusted_files`, which says what is wrong.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from affiliates.contributions import parquet_extras, parquet_limits, untrusted_files
from affiliates.contributions.parquet_limits import FileField, Layout
from affiliates.errors import RefusedError
from affiliates.sources import file_contents

_AT_ONCE = 100
"""Files that are read together: what speaks against one of them costs the others a second reading."""
_MOST_FILE = 16 << 10
"""Bytes of a file that is read here."""
_MOST_UNPACKED = 32 << 10
"""Bytes to which its pages unpack."""
_MOST_ROWS = 100


def read(
    paths: Sequence[Path], schema: pl.Schema, nullable: Collection[str], optional: Collection[str]
) -> dict[Path, pl.DataFrame]:
    """The rows of each file that is small and in order, as `untrusted_files.read` gives them of one. Raises `OSError`."""
    by_columns = defaultdict[frozenset[str], dict[Path, Layout]](dict)
    for path in paths:
        layout = _small_layout(path, schema)
        columns = frozenset(layout.columns) if layout else frozenset()
        if layout and len(columns) == len(layout.columns) and set(schema) - columns <= set(optional) and columns <= set(schema):
            by_columns[columns][path] = layout
    frames = dict[Path, pl.DataFrame]()
    for columns, layouts in by_columns.items():
        present = pl.Schema({name: dtype for name, dtype in schema.items() if name in columns})
        absent = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in columns]
        in_order = list(layouts.items())
        for begin in range(0, len(in_order), _AT_ONCE):
            for path, rows in _read_together(dict(in_order[begin : begin + _AT_ONCE]), present, nullable):
                frames[path] = rows.with_columns(absent).select(schema.names()) if absent else rows
    return frames


def _small_layout(path: Path, schema: pl.Schema) -> Layout | None:
    """What lies where in a Parquet file that is small; null for any other file, and for one that is refused."""
    if path.is_dir() or path.suffix == ".csv" or not 0 < path.stat().st_size <= _MOST_FILE:
        return None
    if file_contents.other_kind(file_contents.head_of(path), "parquet"):
        return None
    try:
        layout = parquet_limits.check(path, schema.names())
    except RefusedError:
        return None
    # A dictionary holds a value once that stands in many rows.
    unpacked = sum(page.unpacked for chunk in layout.chunks for page in chunk.pages)
    return layout if unpacked <= _MOST_UNPACKED and layout.metadata[FileField.ROWS] <= _MOST_ROWS else None


def _read_together(
    layouts: Mapping[Path, Layout], schema: pl.Schema, nullable: Collection[str]
) -> Iterator[tuple[Path, pl.DataFrame]]:
    """The rows of each file that is in order; of none where they can't be read together."""
    try:
        # Files of other types than the first one's make polars refuse them all.
        frame = pl.read_parquet([path.read_bytes() for path in layouts], columns=schema.names()).select(schema.names())
        number = sum(layout.metadata[FileField.ROWS] for layout in layouts.values())
        if frame.schema != schema or frame.height != number or any(frame[n].null_count() for n in schema if n not in nullable):
            return
        untrusted_files.check_values(frame, "files read together")
    except (RefusedError, *untrusted_files.READ_ERRORS):
        return
    images = [name for name, dtype in schema.items() if dtype == pl.Binary]
    begin = 0
    for path, layout in layouts.items():
        rows = frame.slice(begin, layout.metadata[FileField.ROWS])
        begin += rows.height
        with suppress(RefusedError):
            parquet_extras.check(path, layout, images)
            yield path, rows
