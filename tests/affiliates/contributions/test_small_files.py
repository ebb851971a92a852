"""Small files read together: each is either as it is read by itself, or left to be read by itself."""

import random
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from affiliates.contributions import contract, small_files
from affiliates.errors import RefusedError
from affiliates.identity.keys import GroupKey
from tests.support.contract import made
from tests.support.foreign_files import damaged
from tests.support.groups import KEY


def write_many(folder: Path, number: int = 6) -> list[Path]:
    """Files of one small contribution each, of different products and days."""
    paths = [folder / f"{n}.parquet" for n in range(number)]
    for n, path in enumerate(paths):
        contract.write(path, [made(GroupKey(KEY, "1"), product=f"p{n}", activity_date=date(2025, 1, 1 + n))])
    return paths


def changed(path: Path, *columns: pl.Expr, without: str = "") -> None:
    frame = pl.read_parquet(path).with_columns(columns)
    frame.drop(without if without else []).write_parquet(path)


def by_itself(path: Path) -> pl.DataFrame | None:
    try:
        return contract.read_rows(path)
    except RefusedError:
        return None


def check_all(paths: list[Path]) -> dict[Path, pl.DataFrame]:
    """Read files together, and compare each of those that were read with what is read of it alone."""
    together = contract.read_small_files(paths)
    for path, rows in together.items():
        alone = by_itself(path)
        assert alone is not None
        assert rows.equals(alone)
        assert rows.schema == alone.schema == contract.SCHEMA
    return together


def test_files_in_order_are_all_read_as_each_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_files, "_AT_ONCE", 4)
    paths = write_many(tmp_path, 9)
    changed(paths[3], without="excluded_events")  # As an older version writes it.
    assert set(check_all(paths)) == set(paths)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: changed(path, pl.lit("x").alias("beside")),
        lambda path: changed(path, without="events"),
        lambda path: changed(path, pl.col("events").cast(pl.Int32)),
        lambda path: changed(path, pl.col("computed_at").cast(pl.Datetime("ms", "UTC"))),
        lambda path: changed(path, pl.col("computed_at").dt.convert_time_zone("Asia/Tokyo")),
        lambda path: changed(path, pl.lit(None, pl.Date).alias("activity_date")),
        lambda path: changed(path, pl.lit("planted person").str.replace(" ", "@").alias("namespace")),
        lambda path: changed(path, pl.lit(None).alias("distinct_users")),
        lambda path: changed(path, pl.struct("events").alias("events")),
        lambda path: changed(path, pl.col("sketch").bin.encode("hex")),
        lambda path: pl.read_parquet(path).write_parquet(path, metadata={"note": "alice"}),
        lambda path: path.rename(path.with_suffix(".csv")),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)  # fmt: skip
def test_one_file_that_is_otherwise_changes_no_other(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    paths = write_many(tmp_path)
    before = check_all(paths)
    spoil(paths[2])
    paths = [path if path.exists() else path.with_suffix(".csv") for path in paths]
    together = check_all(paths)
    # What isn't read here is read by itself, so nothing may be read of the wrong one alone.
    assert all(rows.equals(before[path]) for path, rows in together.items() if path != paths[2])


def test_no_damaged_file_is_taken_that_is_refused_by_itself(tmp_path: Path) -> None:
    paths = write_many(tmp_path, 30)
    whole = paths[0].read_bytes()
    rng = random.Random(11)
    for path in paths[::3]:
        path.write_bytes(damaged(whole, rng))
    check_all(paths)


def test_a_file_that_unpacks_to_much_is_not_read_beside_others(tmp_path: Path) -> None:
    """A dictionary makes a hundred thousand rows of one image."""
    paths = write_many(tmp_path, 2)
    rows = pl.read_parquet(paths[0])
    pl.concat([rows] * 1000).write_parquet(paths[0])
    assert paths[0].stat().st_size < 16 << 10
    assert set(check_all(paths)) == {paths[1]}
