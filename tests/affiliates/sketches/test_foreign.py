"""A sketch of another maker is refused by its name, and never read as ours: its registers are of another hash function."""

import struct

import datasketches as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.sketches.foreign import recognise
from affiliates.sketches.image import BadImage, decode, encode_coupons
from affiliates.sketches.registers import Registers
from tests.support.sketches import keys


def library_sketches() -> list[tuple[str, bytes]]:
    """Sketches of each family that the library makes, empty ones, small ones and full ones, with the family's name."""
    sketches = list[tuple[str, bytes]]()
    for n_items in (0, 1, 3, 20_000):
        theta = ds.update_theta_sketch(12)
        values = ds.update_tuple_sketch(ds.AccumulatorPolicy(), 12)
        cpc, kll, req, quantiles = (
            ds.cpc_sketch(12),
            ds.kll_ints_sketch(200),
            ds.req_ints_sketch(12),
            ds.quantiles_ints_sketch(128),
        )
        frequent, weighted = ds.frequent_strings_sketch(5), ds.var_opt_sketch(50)
        count_min, digest = ds.count_min_sketch(3, 64), ds.tdigest_double(100)
        for item in range(n_items):
            theta.update(item)
            values.update(item, 1)
            cpc.update(item)
            kll.update(item)
            req.update(item)
            quantiles.update(item)
            frequent.update(str(item % 30))
            weighted.update(str(item), 1.0)
            count_min.update(item)
            digest.update(float(item))
        sketches += [
            ("a theta sketch", theta.compact().serialize()),
            ("a theta sketch", theta.compact(False).serialize()),
            ("a tuple sketch", values.compact().serialize(ds.PyIntsSerDe())),
            ("a CPC sketch", cpc.serialize()),
            ("a KLL sketch", kll.serialize()),
            ("a REQ sketch", req.serialize()),
            ("a quantiles sketch", quantiles.serialize()),
            ("a frequent items sketch", frequent.serialize()),
            ("a VarOpt sketch", weighted.serialize(ds.PyStringsSerDe())),
            ("a count-min sketch", count_min.serialize()),
            ("a t-digest sketch", digest.serialize()),
        ]
    return sketches


def test_every_other_family_of_datasketches_is_named() -> None:
    """Theta is what most engines of DataSketches offer first; "its family is 3" would tell nobody."""
    for name, sketch in library_sketches():
        with pytest.raises(BadImage, match=f"^it is {name} of Apache DataSketches, not an HLL sketch") as refused:
            decode(bytes(sketch))
        assert "--print-sql" in refused.value.instead


# Each by the documentation that `affiliates/sketches/foreign.py` names; the hll of PostgreSQL from the specification's example.
REDIS_DENSE = b"HYLL\x00" + bytes(3) + bytes(8) + bytes(12_288)
REDIS_SPARSE = b"HYLL\x01" + bytes(3) + struct.pack("<Q", 1) + b"\x7f\xff"
ZETASKETCH = bytes.fromhex("087010031802200b82070b1003180f20143203010203")
POSTGRES_SPARSE = bytes.fromhex("13ab7f016344b4c0")
POSTGRES_FULL = bytes.fromhex("148b7f") + bytes(1280)
AIRLIFT_DENSE = b"\x03\x0c\x00" + bytes(2048) + struct.pack("<HHHBB", 2, 7, 9, 1, 2)
STREAM_LIB_PLUS = b"\xff\xff\xff\xfe\x0e\x19\x01\x00"
ONE_THETA = bytes.fromhex("01030300001acc93") + bytes(8)
CLICKHOUSE = bytes((len(ONE_THETA),)) + ONE_THETA
LONGER_CLICKHOUSE = b"\x90\x01" + ONE_THETA + bytes(128)
PINOT = struct.pack(">II", 8, 172) + bytes(172)
OTHERS = [
    (REDIS_DENSE, "a HyperLogLog of Redis"),
    (REDIS_SPARSE, "a HyperLogLog of Redis"),
    (ZETASKETCH, "a sketch of BigQuery's HLL_COUNT (ZetaSketch)"),
    (b"\x11\x8b\x7f", "a sketch of PostgreSQL's extension hll"),
    (b"\x12\x8b\x7f" + bytes(16), "a sketch of PostgreSQL's extension hll"),
    (POSTGRES_SPARSE, "a sketch of PostgreSQL's extension hll"),
    (POSTGRES_FULL, "a sketch of PostgreSQL's extension hll"),
    (b"\x02\x0c\x00\x00", "a HyperLogLog of Presto, Trino or Athena"),
    (b"\x02\x0c\x02\x00" + bytes(8), "a HyperLogLog of Presto, Trino or Athena"),
    (AIRLIFT_DENSE, "a HyperLogLog of Presto, Trino or Athena"),
    (STREAM_LIB_PLUS, "a HyperLogLog of stream-lib"),
    (PINOT, "a HyperLogLog of stream-lib"),
    (b"\x01" + bytes(1030), "a hyperUnique of Druid"),
    (CLICKHOUSE, "a state of ClickHouse's uniqTheta"),
    (LONGER_CLICKHOUSE, "a state of ClickHouse's uniqTheta"),
    (b'{"precision":12,"sparse":{"indices":[1],"maxLzCounts":[2]},"version":4}', "a sketch of Snowflake's HLL_EXPORT"),
    (b'{"version":1,"logm":15,"sparse":{"indices":[4878],"values":[1]}}', "an HLLSKETCH of Redshift"),
    (b"0201070C030D0100", "an HLL image as text in a column of bytes"),
    (b"\\x0a01070c", "an HLL image as text in a column of bytes"),
    (b"AgEHDAMNAQA=", "an HLL image as text in a column of bytes"),
]


@pytest.mark.parametrize(("image", "name"), OTHERS)
def test_sketches_of_other_makers_are_named(image: bytes, name: str) -> None:
    """The refusal of a Redis key was "its family is 76": an affiliate can't tell from that what to send."""
    with pytest.raises(BadImage) as refused:
        decode(image)
    assert str(refused.value).startswith(f"it is {name}")
    assert refused.value.instead != BadImage("any").instead


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"HYL",
        b"\x08\x70",
        POSTGRES_FULL[:-1],
        b"\x12\x8b\x7f" + bytes(17),
        b"\x11\x8b\xff",
        AIRLIFT_DENSE + b"\x00",
        b"\x02\x11\x00\x00",
        PINOT[:-1],
        b"\x02" + bytes(1030),
        b'{"name": "somebody"}',
        CLICKHOUSE[:-1],
        b"\x0b\x01\x03\x03\x00\x1a\xcc\x93",
        b"\x01\x05\x03\x03\x00\x1a\xcc\x93",
        b"\x01\x01\x16\x03\x00\x1a\xcc\x93",
        b"somebody",
    ],
)
def test_what_no_documented_byte_tells_gets_no_name(image: bytes) -> None:
    """A wrong name sends an affiliate to change the wrong engine."""
    assert recognise(image) is None
    with pytest.raises(BadImage, match=r"fewer than a preamble|neither an HLL image nor another sketch") as refused:
        decode(image)
    assert "somebody" not in str(refused.value)


@given(st.integers(4, 21), st.integers(0, 300))
def test_our_own_images_are_nobody_elses(lg_k: int, n_keys: int) -> None:
    """An image that is taken for another maker's would be refused, with its people."""
    image = Registers.from_keys(lg_k, keys(0, n_keys)).to_image()
    assert decode(image).lg_k == lg_k


def test_an_empty_image_is_one() -> None:
    assert decode(encode_coupons(12, Registers.from_keys(12, keys(0, 0)).occupied)).lg_k == 12
