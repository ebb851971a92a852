"""Keys that somebody else has made, straight from Parquet files to registers."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nanoarrow
import numpy as np
import polars as pl

from affiliates import kernels, plain_pages
from affiliates.errors import Code, refused
from affiliates.identity import as_key
from affiliates.kernels import Values
from affiliates.plain_pages import NotPlain, Pages
from affiliates.registers import Registers
from affiliates.sketch_image import most_coupons
from affiliates.sources.one_file import READ_ERRORS, literal
from affiliates.threads import WORKERS

BATCH_ROWS = 1 << 20


def registers_of(paths: Sequence[Path], column: str, lg_k: int, subject: str) -> Registers:
    """The sketch of all keys in a column: UInt64, or text of 16 lower-case hex characters.

    Both give the same registers. Plain pages are hashed as they lie in the file, others once polars
    has read them. Each of two and more threads raises registers of its own; memory is bounded by
    some pages, or polars' row groups, and 2^lg_k bytes a thread.

    Raises `RefusedError` for a file that can't be read, a column of another type, a missing value, and
    a text that is no key.
    """
    try:
        scan = pl.scan_parquet([literal(path) for path in paths]).select(pl.col(column))
        dtype = scan.collect_schema()[column]
        if dtype not in (pl.UInt64, pl.String):
            raise refused(
                Code.SOURCE_KEYS_INVALID,
                subject,
                "keys must be UInt64 or text",
                f"column {column} is {dtype}",
                "write 16 hex characters each",
            )
        try:
            values = _of_pages(paths, column, dtype, lg_k)
        except NotPlain:
            values = _of_batches(scan, column, lg_k, subject)
        if np.count_nonzero(values) > most_coupons(lg_k):
            return Registers(lg_k, None, values)
        # Few different keys: their coupons say more than registers, as in every sketch here.
        key = pl.col(column) if dtype == pl.UInt64 else as_key(pl.col(column))
        return Registers.from_keys(lg_k, scan.unique().select(key).collect(engine="streaming").to_series().to_numpy())
    except READ_ERRORS:
        raise refused(
            Code.SOURCE_UNREADABLE,
            subject,
            "can't be read to its end",
            f"{len(paths)} files",
            "write them again; one may be cut off",
        ) from None


def _of_pages(paths: Sequence[Path], column: str, dtype: pl.DataType, lg_k: int) -> Values:
    """Registers of plain pages; raises `NotPlain` for anything else, wrong keys and another type among it."""
    chunks = []
    for path in paths:
        if pl.scan_parquet(literal(path)).collect_schema().get(column) != dtype:
            raise NotPlain
        chunks += plain_pages.chunks(path, column)

    def work(first: int) -> Values:
        mine, pages = np.zeros(1 << lg_k, np.uint8), Pages()
        for chunk in chunks[first::WORKERS]:
            for page in pages.of(chunk):
                if dtype == pl.UInt64:
                    kernels.raise_keys(mine, page.view(np.uint64))
                elif not kernels.raise_texts(mine, page):
                    raise NotPlain
        return mine

    with ThreadPoolExecutor(WORKERS) as pool:
        raised: Values = np.maximum.reduce(list(pool.map(work, range(WORKERS))))
        return raised


def _of_batches(scan: pl.LazyFrame, column: str, lg_k: int, subject: str) -> Values:
    """Registers of whatever polars reads."""
    batches = iter(scan.collect_batches(chunk_size=BATCH_ROWS, maintain_order=False))
    lock = threading.Lock()

    def work(_: int) -> Values:
        mine = np.zeros(1 << lg_k, np.uint8)
        while True:
            with lock:
                batch = next(batches, None)
            if batch is None:
                return mine
            keys = batch[column]
            if keys.null_count():
                raise refused(
                    Code.SOURCE_KEYS_INVALID,
                    subject,
                    "keys are missing",
                    f"{keys.null_count():,} or more in column {column}",
                    "leave such rows out",
                )
            if keys.dtype == pl.String:
                _raise_views(mine, keys, subject)
            else:
                for chunk in keys.get_chunks():
                    kernels.raise_keys(mine, chunk.to_numpy())

    with ThreadPoolExecutor(WORKERS) as pool:
        raised: Values = np.maximum.reduce(list(pool.map(work, range(WORKERS))))
        return raised


def _raise_views(values: Values, keys: pl.Series, subject: str) -> None:
    for array in nanoarrow.c_array_stream(keys):
        view = array.view()
        # Arrow's string view: validity, views of 16 bytes, the texts' buffers, and how long these are.
        views = np.frombuffer(view.buffer(1), np.uint64).reshape(-1, 2)[array.offset : array.offset + array.length]
        texts = [np.frombuffer(view.buffer(i), np.uint8) for i in range(2, view.n_buffers - 1)]
        addresses = np.array([text.ctypes.data for text in texts], np.uint64)
        if not kernels.raise_views(values, views, addresses):
            raise refused(
                Code.SOURCE_KEYS_INVALID,
                subject,
                "texts that are no key",
                "",
                "write 16 characters of 0-9 and a-f, in lower case",
            )
