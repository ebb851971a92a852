"""A stranger's file ends in a table or a refusal; a process that it ends tells nobody which file it was."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affiliates.contributions import contract, parquet_limits, untrusted_files
from affiliates.contributions.parquet_footer import CompactReader, NotParquet, read_footer
from affiliates.errors import RefusedError
from affiliates.identity.keys import GroupKey
from tests.support.contract import made, part
from tests.support.foreign_files import PLANTED
from tests.support.groups import KEY
from tests.support.paths import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of five days, with two namespaces each."""
    key = GroupKey(KEY, "1")
    path = tmp_path / "c.parquet"
    parts = (part(key), part(key, 3000, "device", lg_k=12))
    contract.write(path, [made(key, activity_date=date(2025, 1, d), parts=parts) for d in range(1, 6)])
    return path


def changed(path: Path, *columns: pl.Expr, **options: Any) -> str:
    """What the file is refused for with some columns changed."""
    pl.read_parquet(path).with_columns(*columns).write_parquet(path, **options)
    return refused(path)


def refused(path: Path) -> str:
    """The text of the refusal when a file is read; it quotes nothing of the file, and isn't endless."""
    with pytest.raises(RefusedError) as error:
        contract.read(path)
    assert "planted" not in str(error.value)
    assert len(str(error.value)) < 2000
    return str(error.value)


def in_a_process(path: Path, number: int, memory: int) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.foreign_files", path, str(number), str(memory)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("written", ["hex", "\\\\x hex", "base64"])
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_images_as_text_are_the_images(path: Path, tmp_path: Path, written: str, ending: str) -> None:
    """Engines that write no Parquet, or bytes as text, hand in the same contributions, in the times of any offset."""
    expected = contract.read(path)
    encoded = [pl.col(c).bin.encode("base64" if written == "base64" else "hex") for c in ("sketch", "canary")]
    frame = pl.read_parquet(path).with_columns(encoded)
    if written.startswith("\\"):
        frame = frame.with_columns(pl.format("\\x{}", pl.col(c)).alias(c) for c in ("sketch", "canary"))
    other = tmp_path / f"other.{ending}"
    if ending == "csv":
        offset = pl.col("computed_at").dt.convert_time_zone("Asia/Kolkata").dt.to_string("%Y-%m-%d %H:%M:%S%.6f%:z")
        frame.with_columns(computed_at=offset).write_csv(other)
    else:
        frame.write_parquet(other)
    contributions = contract.read(other)
    assert [c.digest for c in contributions] == [c.digest for c in expected]
    assert [c.computed_at for c in contributions] == [c.computed_at for c in expected]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"", "zero bytes"),
        (b"protocol,affiliate\nplanted,planted\n", "columns are missing"),
        (b"\xff\xfe\x00planted\n", "columns are missing"),
        (b'"planted', "columns are missing"),
    ],
)
def test_a_csv_that_is_none(tmp_path: Path, text: bytes, rule: str) -> None:
    (tmp_path / "c.csv").write_bytes(text)
    assert rule in refused(tmp_path / "c.csv") or "is not a readable CSV file" in refused(tmp_path / "c.csv")


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("sketch", "planted", "the sketch is no HLL image"),
        ("sketch", '{"logm":15,"sparse":{"indices":[4878],"values":[1]}}', "it is an HLLSKETCH of Redshift"),
        ("sketch", None, "values are missing"),
        ("lg_k", "planted", "columns have the wrong type"),
        ("activity_date", "planted", "is not a readable CSV file"),
        ("computed_at", "planted", "is not a readable CSV file"),
        ("computed_at", "2025-01-01 00:00:00", "is not a readable CSV file"),
    ],
)
def test_csv_values_that_are_none(path: Path, tmp_path: Path, column: str, value: str | None, rule: str) -> None:
    frame = pl.read_parquet(path).with_columns(pl.col("sketch", "canary").bin.encode("hex"))
    frame.with_columns(pl.lit(value, pl.String).alias(column)).write_csv(tmp_path / "c.csv")
    assert rule in refused(tmp_path / "c.csv")


def test_a_damaged_file_ends_no_process(path: Path) -> None:
    """polars panics on some, and would take what others claim: 1,500 of them, within 1 GiB, each in under ten seconds."""
    outcomes = in_a_process(path, 1500, 1 << 30)
    assert "'read': " in outcomes
    assert "'refused': " in outcomes


def test_ten_million_rows_are_refused_unread(tmp_path: Path) -> None:
    """A file of 40 kB: as Python's rows they would be 20 GB."""
    pl.select(protocol=pl.repeat(1, 10_000_000, dtype=pl.Int8)).write_parquet(tmp_path / "rows.parquet")
    assert (tmp_path / "rows.parquet").stat().st_size < 1 << 20
    assert "too many rows (10,000,000, at most 100,000)" in refused(tmp_path / "rows.parquet")
    assert in_a_process(tmp_path / "rows.parquet", 1, 64 << 20) == "{'refused': 1}\n"


def test_a_page_that_claims_2_gib_is_refused_unread(path: Path) -> None:
    """polars would take that memory before it finds that there is less; where there is none, the process ends."""
    whole = path.read_bytes()
    assert whole[4:7] == b"\x15\x04\x15"  # The first page's head: its kind, a dictionary, and its unpacked bytes.
    path.write_bytes(whole[:7] + b"\xfe\xff\xff\xff\x0f" + whole[8:])
    assert "a page of it is too large" in refused(path)
    assert in_a_process(path, 1, 64 << 20) == "{'refused': 1}\n"


@pytest.mark.parametrize(
    ("limit", "value", "rule"),
    [
        ("MOST_FILE", 5000, "the file is too large"),
        ("MOST_UNPACKED", 1000, "it unpacks to too much"),
        ("MOST_PAGE", 300, "a page of it is too large"),
        ("MOST_ROWS", 9, "too many rows (10, at most 9)"),
    ],
)
def test_each_limit_is_one(path: Path, limit: str, value: int, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(contract.read(path)) == 5
    monkeypatch.setattr(parquet_limits, limit, value)
    assert rule in refused(path)


def test_limits_of_images_and_texts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One value in a dictionary can stand for 100,000 rows: what is small in the file isn't, once it is rows."""
    whole = path.read_bytes()
    assert "an image is too large (in sketch" in changed(path, pl.lit(bytes((4 << 20) + 1)).alias("sketch"))
    path.write_bytes(whole)
    assert "a text is too long (in producer" in changed(path, pl.lit("x" * 257).alias("producer"))
    path.write_bytes(whole)
    monkeypatch.setattr(untrusted_files, "MOST_IMAGES", 20_000)
    assert "the images are too large (40," in changed(path, pl.lit(bytes(4000)).alias("sketch"))


def test_sizes_are_added_up_without_overflow(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """polars adds sizes in 32 bits: 100,000 times 2 MB came out as 2.4 GB."""
    sizes = pl.Series("sketch", [2_000_000], pl.UInt32).new_from_index(0, 100_000)
    assert sizes.cast(pl.UInt64).sum() == 200_000_000_000
    frame = pl.DataFrame({"sketch": [b""]})
    monkeypatch.setattr(untrusted_files, "MOST_IMAGES", -1)
    with pytest.raises(Exception, match="too large"):
        untrusted_files.check_values(frame, "c.parquet")


@pytest.mark.parametrize(
    ("column", "rule"),
    [
        (pl.lit([b"x"], pl.List(pl.Binary)).alias("sketch"), "sketch is List, not Binary"),
        (pl.struct(pl.lit(PLANTED).alias(PLANTED)).alias("events"), "events is Struct, not Int64"),
        (pl.lit(PLANTED).cast(pl.Enum([PLANTED])).alias("lg_k"), "lg_k is Enum, not Int64"),
        (pl.lit(PLANTED).alias("computed_at"), "computed_at is String, not Datetime"),
        (pl.lit(PLANTED).alias("affiliate"), "values that are no name (10 rows of affiliate)"),
        (pl.lit(PLANTED).alias("day_zone"), "values that are no name (10 rows of day_zone)"),
        (pl.lit(PLANTED).alias("key_epoch"), "values that are no name (10 rows of key_epoch)"),
        (pl.lit("planted 2").alias("protocol"), "another protocol version (10 rows"),
        (pl.lit(f"a\n{PLANTED}").alias("product"), "values that are no name"),
        (pl.lit(PLANTED.encode()).alias("sketch"), "the sketch is no HLL image"),
        (pl.lit(None, pl.String).alias("affiliate"), "values are missing (in affiliate)"),
        (pl.lit(None, pl.Null).alias("computed_at"), "values are missing (in computed_at)"),
        (pl.lit(-(2**31), pl.Int32).cast(pl.Date).alias("activity_date"), "a date outside the years 1 to 9999"),
        (pl.lit(2**62).cast(pl.Datetime("us", "UTC")).alias("computed_at"), "a date outside the years 1 to 9999"),
    ],
)
def test_strange_columns_are_refused_without_a_word_of_theirs(path: Path, column: pl.Expr, rule: str) -> None:
    """Names of a struct's fields, values of an enumeration and texts are the sender's: an address may be among them."""
    assert rule in changed(path, column)


def test_an_expanding_encoding_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In DELTA_BYTE_ARRAY each value repeats the one before in three bytes: 100,000 of 4 MiB fit into a small page."""
    monkeypatch.setattr(parquet_limits, "_ENCODINGS", {0})
    assert "a form that isn't read (Parquet encoding 8)" in refused(path)


def test_a_footer_nested_without_end_is_no_footer(tmp_path: Path) -> None:
    """Lists in lists went as deep as the file said, past Python's own limit."""
    footed = b"PAR1" + b"\x19" * 100_000
    (tmp_path / "c.parquet").write_bytes(footed + (100_000).to_bytes(4, "little") + b"PAR1")
    content = (tmp_path / "c.parquet").read_bytes()
    with pytest.raises(NotParquet):
        read_footer(len(content), lambda place, length: content[place : place + length])
    with pytest.raises(ValueError, match=r"^$"):
        CompactReader(b"\x19" * 1000).read_struct()
    assert "is not a readable Parquet file" in refused(tmp_path / "c.parquet")


EXTRA_METADATA = {"note": "alice", "pandas": PLANTED}


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        (pl.lit(PLANTED).alias("user"), "(user)"),
        (pl.lit("+49 170 1234567").alias("note"), "(note)"),
        (pl.lit(1).alias(PLANTED), "(…)"),
        (pl.lit(1).alias("0123456789"), "(…)"),
        (pl.struct(pl.lit(PLANTED).alias("mail")).alias("more"), "(more)"),
    ],
)
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_column_beside_the_contracts_is_refused(path: Path, tmp_path: Path, ending: str, column: pl.Expr, shown: str) -> None:
    """`inspect` says that a file holds no identifier: a column of addresses would leave on that word."""
    frame = pl.read_parquet(path).with_columns(column)
    if ending == "csv":
        frame = frame.with_columns(pl.col("sketch", "canary").bin.encode("hex"))
        structs = [name for name, dtype in frame.schema.items() if dtype == pl.Struct]
        frame.with_columns(pl.col(name).struct.json_encode() for name in structs).write_csv(tmp_path / "c.csv")
    else:
        frame.write_parquet(path)
    text = refused(tmp_path / f"c.{ending}")
    assert f"holds columns that the contract doesn't have {shown}" in text


@pytest.mark.parametrize("key", sorted(EXTRA_METADATA))
def test_metadata_beside_the_contracts_is_refused(path: Path, key: str) -> None:
    pl.read_parquet(path).write_parquet(path, metadata={key: EXTRA_METADATA[key]})
    assert "holds metadata beside the contract's columns" in refused(path)


def test_metadata_of_writers_is_taken(path: Path) -> None:
    """Spark, pandas and others describe the columns there: their files are contributions as well."""
    described = {"pandas": '{"columns": []}', "org.apache.spark.version": "3.5.1", "writer.model.name": "avro"}
    pl.read_parquet(path).write_parquet(path, metadata=described)
    assert len(contract.read(path)) == 5


def test_bytes_between_the_columns_are_refused(path: Path) -> None:
    """A reader of columns never comes by there, and whoever looks for an address finds it."""
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    path.write_bytes(whole[:footer] + bytes(100) + whole[footer:])
    assert len(contract.read(path)) == 5, "zeros fill up the blocks of some file systems"
    path.write_bytes(whole[:footer] + PLANTED.encode() + whole[footer:])
    assert f"holds bytes that belong to none of its columns ({len(PLANTED)} bytes)" in refused(path)
    size = int.from_bytes(whole[-8:-4], "little") + len(PLANTED)
    path.write_bytes(whole[:-8] + PLANTED.encode() + size.to_bytes(4, "little") + b"PAR1")
    assert "is not a readable Parquet file" in refused(path), "behind the footer's own end"


def test_a_text_in_the_footer_is_looked_at(path: Path) -> None:
    """What a writer calls itself is a text of any length, and so are the least and the greatest value of a column."""
    whole = path.read_bytes()
    name = b"Polars"
    at = whole.rindex(name)
    path.write_bytes(whole[:at] + b"@".join([b"a", b"b.cd"]) + whole[at + len(name) :])
    assert "holds texts in its footer that are no description of columns" in refused(path)


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_byte_of_a_file_goes_unlooked_at(path: Path, tmp_path: Path, data: st.DataObject) -> None:
    """An address put in anywhere is refused, or changes what is read, or breaks the file; else somebody's name would leave."""
    whole = path.read_bytes()
    at = data.draw(st.integers(4, len(whole) - 8))
    changed_file = tmp_path / "changed.parquet"
    changed_file.write_bytes(whole[:at] + PLANTED.encode() + whole[at:])
    with pytest.raises(RefusedError):
        contract.read(changed_file)


@pytest.mark.parametrize("packed", [gzip.compress, zstandard.compress])
def test_a_packed_csv_is_not_unpacked(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    """A few kilobytes that unpack to gigabytes: polars unpacks all of it before it counts a row."""
    bomb = tmp_path / "c.csv"
    bomb.write_bytes(packed(b"protocol\n" + b"0" * (1 << 20)))
    with patch.object(pl, "read_csv", side_effect=AssertionError("it is unpacked")):
        assert "a packed file isn't unpacked" in refused(bomb)
