"""Keys straight from Parquet: a key lost between a column and its registers is a person lost."""

import random
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from datasketches import hll_sketch

from affiliates import keys as keys_module
from affiliates.errors import RefusedError
from affiliates.kernels import Keys
from affiliates.keys import registers_of
from affiliates.registers import Registers
from affiliates.sources.one_file import READ_ERRORS


def some(number: int, seed: int = 0) -> Keys:
    return np.random.default_rng((number, seed)).integers(0, 2**64, number, dtype=np.uint64)


def as_text(keys: Keys) -> pl.Series:
    return pl.Series("key", [f"{key:016x}" for key in keys.tolist()], pl.String)


def written(path: Path, series: pl.Series, **options: object) -> Path:
    series.rename("key").to_frame().write_parquet(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("lg_k", [4, 12, 21])
@pytest.mark.parametrize("number", [0, 1, 255, 256, 257, 5_000, 300_001])
def test_both_types_give_the_registers_of_the_keys(tmp_path: Path, number: int, lg_k: int) -> None:
    """Blocks of 256 have a rest; few keys keep their coupons, many don't."""
    keys = some(number)
    expected = Registers.from_keys(lg_k, keys)
    for series in (pl.Series(keys, dtype=pl.UInt64), as_text(keys)):
        found = registers_of([written(tmp_path / "keys.parquet", series, row_group_size=1000)], "key", lg_k, "keys")
        assert found.digest() == expected.digest()
        assert (found.coupons is None) == (expected.coupons is None)


def test_they_are_the_librarys_registers(tmp_path: Path) -> None:
    keys = np.append(some(40_000), np.uint64(0))
    sketch = hll_sketch(12)
    for key in keys.tolist():
        sketch.update(f"{key:016x}")
    theirs = Registers.from_image(bytes(sketch.serialize_compact()))
    assert registers_of([written(tmp_path / "a.parquet", as_text(keys))], "key", 12, "keys").digest() == theirs.digest()


def test_several_files_batches_and_repeated_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "BATCH_ROWS", 777)
    keys = np.concatenate([some(20_000), some(20_000), some(500, 1)])
    paths = [
        written(tmp_path / f"{i}[1].parquet", as_text(part), row_group_size=301) for i, part in enumerate(np.array_split(keys, 3))
    ]
    assert registers_of(paths, "key", 14, "keys").digest() == Registers.from_keys(14, keys).digest()


@pytest.mark.parametrize(
    ("series", "rule"),
    [
        (pl.Series([1, 2], dtype=pl.Int64), "UInt64 or text"),
        (pl.Series([1, None], dtype=pl.UInt64), "missing"),
        (pl.Series(["0123456789abcdef", None]), "missing"),
        (pl.Series(["0123456789abcdef", "0123456789ABCDEF"]), "no key"),
        (pl.Series(["0123456789abcdef", "0123456789abcde"]), "no key"),
        (pl.Series(["0123456789abcdef0"]), "no key"),
        (pl.Series(["0123456789abcdeg"]), "no key"),
        (pl.Series(["0123456789abcd/f"]), "no key"),
        (pl.Series(["0123456789abcd:f"]), "no key"),
        (pl.Series(["0123456789abcd`f"]), "no key"),
        (pl.Series(["0123456789abcdé"]), "no key"),
        (pl.Series(["short"]), "no key"),
        (pl.Series([""]), "no key"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, series: pl.Series, rule: str) -> None:
    """An engine that writes capitals, or hashes to another length, would make other people of all."""
    path = written(tmp_path / "keys.parquet", series)
    with pytest.raises(RefusedError, match=rule) as refused:
        registers_of([path], "key", 12, "keys")
    assert "0123" not in str(refused.value)


def test_a_bad_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "keys.parquet", as_text(some(5_000)))
    with pytest.raises(RefusedError, match="read"):
        registers_of([path], "person", 12, "keys")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(RefusedError, match="read"):
        registers_of([path], "key", 12, "keys")


def forbidden(*_: object) -> object:
    raise AssertionError("not this way")


@pytest.mark.parametrize("compression", ["uncompressed", "zstd", "snappy"])
@pytest.mark.parametrize("lg_k", [8, 12])
def test_plain_pages_are_hashed_where_they_lie(
    tmp_path: Path, compression: str, lg_k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without polars, in several row groups and pages: else the speed of `make bench` is lost and nobody sees it."""
    keys = some(30_000)
    monkeypatch.setattr(keys_module, "_of_batches", forbidden)
    for series in (pl.Series(keys, dtype=pl.UInt64), as_text(keys)):
        options = {"compression": compression, "row_group_size": 7_001, "data_page_size": 1 << 14}
        path = written(tmp_path / "keys.parquet", series, **options)
        assert registers_of([path], "key", lg_k, "keys").digest() == Registers.from_keys(lg_k, keys).digest()


@pytest.mark.parametrize(
    "options",
    ["codec gzip", "codec brotli", "codec lz4_raw", "codec zstd, parquet_version v2", "codec snappy", "codec uncompressed"],
)
def test_what_another_engine_writes_counts_the_same(tmp_path: Path, options: str) -> None:
    """DuckDB: dictionaries, pages of the second version, other codecs; among other columns, with keys that come again."""
    keys = np.concatenate([some(20_000), some(200, 1).repeat(50)])
    frame = pl.DataFrame({"n": range(len(keys)), "text": as_text(keys), "number": keys, "nested": [[1]] * len(keys)})
    frame.write_parquet(tmp_path / "ours.parquet")
    for columns in ("n, text, number", "n, text, number, nested"):
        path = tmp_path / "keys.parquet"
        ours = f"(select {columns} from '{tmp_path}/ours.parquet')"
        duckdb.connect().execute(f"copy {ours} to '{path}' (format parquet, {options}, row_group_size 4096)")
        for column in ("text", "number"):
            assert registers_of([path], column, 12, "keys").digest() == Registers.from_keys(12, keys).digest()


def test_files_of_two_kinds_are_refused_whichever_comes_first(tmp_path: Path) -> None:
    """Signed integers have the same bytes: a file of them must not slip in behind one of keys."""
    keys = some(5_000)
    good = written(tmp_path / "a.parquet", pl.Series(keys, dtype=pl.UInt64))
    for number, series in enumerate((pl.Series(keys.view(np.int64)), as_text(keys), pl.Series(keys.view(np.float64)))):
        other = written(tmp_path / f"{number}.parquet", series)
        for paths in ([good, other], [other, good]):
            with pytest.raises(RefusedError):
                registers_of(paths, "key", 12, "keys")


@pytest.mark.parametrize("compression", ["uncompressed", "zstd", "snappy"])
def test_damaged_files_count_as_polars_reads_them_or_are_refused(tmp_path: Path, compression: Any) -> None:
    """Foreign bytes in footer, heads and pages: no crash, no hang, and never registers that polars' reading doesn't give."""
    rng = random.Random(compression)
    for series in (pl.Series(some(3_000), dtype=pl.UInt64), as_text(some(3_000))):
        whole = written(tmp_path / "whole.parquet", series, compression=compression, row_group_size=1_000).read_bytes()
        path = tmp_path / "damaged.parquet"
        for turn in range(150):
            damaged = bytearray(whole)
            near_end = turn % 2 == 0
            for _ in range(rng.choice([1, 1, 3, 30])):
                at = rng.randrange(max(0, len(whole) - 700), len(whole)) if near_end else rng.randrange(len(whole))
                damaged[at] = rng.randrange(256)
            path.write_bytes(damaged[: rng.choice([len(damaged), len(damaged), rng.randrange(len(damaged))])])
            try:
                found = registers_of([path], "key", 10, "keys")
            except RefusedError:
                continue
            try:
                read = pl.read_parquet(path)["key"]
            except READ_ERRORS:
                continue
            theirs = read.to_numpy() if read.dtype == pl.UInt64 else np.array([int(t, 16) for t in read], np.uint64)
            assert found.digest() == Registers.from_keys(10, theirs).digest()
