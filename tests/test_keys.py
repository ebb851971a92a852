"""Keys straight from Parquet: a key lost between a column and its registers is a person lost."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from datasketches import hll_sketch

from affiliates import keys as keys_module
from affiliates.kernels import Keys
from affiliates.keys import registers_of
from affiliates.refusal import Refusal
from affiliates.registers import Registers


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
    expected = Registers.of_keys(lg_k, keys)
    for series in (pl.Series(keys, dtype=pl.UInt64), as_text(keys)):
        found = registers_of([written(tmp_path / "keys.parquet", series, row_group_size=1000)], "key", lg_k, "keys")
        assert found.digest() == expected.digest()
        assert (found.coupons is None) == (expected.coupons is None)


def test_they_are_the_librarys_registers(tmp_path: Path) -> None:
    keys = np.append(some(40_000), np.uint64(0))
    sketch = hll_sketch(12)
    for key in keys.tolist():
        sketch.update(f"{key:016x}")
    theirs = Registers.of_image(bytes(sketch.serialize_compact()))
    assert registers_of([written(tmp_path / "a.parquet", as_text(keys))], "key", 12, "keys").digest() == theirs.digest()


def test_several_files_batches_and_repeated_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "BATCH_ROWS", 777)
    keys = np.concatenate([some(20_000), some(20_000), some(500, 1)])
    paths = [
        written(tmp_path / f"{i}[1].parquet", as_text(part), row_group_size=301) for i, part in enumerate(np.array_split(keys, 3))
    ]
    assert registers_of(paths, "key", 14, "keys").digest() == Registers.of_keys(14, keys).digest()


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
    with pytest.raises(Refusal, match=rule) as refused:
        registers_of([path], "key", 12, "keys")
    assert "0123" not in str(refused.value)


def test_a_bad_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "keys.parquet", as_text(some(5_000)))
    with pytest.raises(Refusal, match="read"):
        registers_of([path], "person", 12, "keys")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(Refusal, match="read"):
        registers_of([path], "key", 12, "keys")
