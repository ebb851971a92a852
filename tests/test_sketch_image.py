"""The decoder reads every image that DataSketches writes, and no bytes at all can hurt it."""

import random
import re
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from datasketches import hll_sketch, tgt_hll_type
from hypothesis import given
from hypothesis import strategies as st

from affiliates.registers import Registers
from affiliates.sketch_image import BadImage, decode, encode_coupons

VECTORS = sorted((Path(__file__).parent / "data" / "datasketches-vectors").glob("*/*.sk"))


@pytest.mark.parametrize("path", VECTORS, ids=lambda p: p.stem)
def test_published_vectors_decode_to_the_registers_of_their_integers(path: Path) -> None:
    """Not the count alone: the library, fed the same integers one by one, must give the same registers."""
    found = re.fullmatch(r"hll(\d)_n(\d+)_\w+", path.stem)
    assert found
    n = int(found[2])
    sketch = hll_sketch(12)
    for i in range(n):
        sketch.update(i)
    registers = Registers.of_image(path.read_bytes())
    assert registers.digest() == Registers.of_image(bytes(sketch.serialize_compact())).digest()
    bounds = registers.bounds()
    assert np.floor(bounds.lower) <= n <= np.ceil(bounds.upper)


def test_all_vectors_are_there() -> None:
    assert len(VECTORS) == 48


def images() -> list[bytes]:
    made = [path.read_bytes() for path in VECTORS]
    for kind in (tgt_hll_type.HLL_4, tgt_hll_type.HLL_6, tgt_hll_type.HLL_8):
        for lg_k in (4, 8, 11):
            for n in (0, 3, 40, 20_000):
                sketch = hll_sketch(lg_k, kind)
                for i in range(n):
                    sketch.update(i)
                made += [bytes(sketch.serialize_compact()), bytes(sketch.serialize_updatable())]
    return made


def mutated(image: bytes, rng: random.Random) -> bytes:
    changed = bytearray(image)
    for _ in range(rng.choice((1, 1, 2, 8))):
        way = rng.randrange(5)
        at = rng.randrange(min(len(changed), 48)) if way < 2 and changed else rng.randrange(len(changed) + 1)
        if way == 0 and changed:
            changed[at] = rng.randrange(256)
        elif way == 1 and changed:
            changed[at] ^= 1 << rng.randrange(8)
        elif way == 2:
            del changed[at:]
        elif way == 3:
            changed[at:at] = rng.randbytes(rng.choice((1, 4, 64)))
        elif changed:
            changed[at : at + 4] = rng.randbytes(4)
    return bytes(changed)


def test_fifty_thousand_mutated_images_give_registers_or_a_refusal() -> None:
    """In the C++ library 23 of 60 processes died within 300 of these each."""
    rng, originals = random.Random(9001), images()
    read = refused = 0
    for _ in range(50_000):
        try:
            registers = Registers.of_image(mutated(rng.choice(originals), rng))
        except BadImage:
            refused += 1
            continue
        read += 1
        values = registers.dense()
        assert len(values) == 1 << registers.lg_k
        assert values.max(initial=0) <= 63
    assert read > 5_000
    assert refused > 20_000


def test_no_image_makes_the_decoder_take_much_memory() -> None:
    """A preamble can claim 2^26 coupons or exceptions in a few bytes: nothing is allocated on its word."""
    rng, originals = random.Random(7), images()
    claims = [
        bytes((2 + i % 2, 1, 7, 21, lg, flags, 255, i % 2)) + b"\xff" * 4
        for i in range(2)
        for lg in (26, 255)
        for flags in (0, 8)
    ]
    claims += [bytes((10, 1, 7, 21, 255, flags, 63, 2 | kind << 2)) + b"\xff" * 32 for kind in range(3) for flags in (0, 8)]
    tracemalloc.start()
    try:
        for image in [*claims, *(mutated(rng.choice(originals), rng) for _ in range(2000))]:
            with suppress(BadImage):
                decode(image)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read(data: bytes) -> None:
    for head in (b"", b"\x02\x01\x07\x0c", b"\x03\x01\x07\x15", b"\x0a\x01\x07\x04"):
        with suppress(BadImage):
            decode(head + data)


HLL_8 = bytes((10, 1, 7, 4, 0, 8, 0, 2 | 2 << 2)) + bytes(32) + bytes(range(16))
HLL_4 = bytes((10, 1, 7, 4, 0, 8, 0, 2)) + bytes(28) + (1).to_bytes(4, "little") + bytes((0x0F, *[0] * 7))


@pytest.mark.parametrize(
    ("image", "rule"),
    [
        (b"", "fewer than a preamble"),
        (bytes((2, 1, 8, 12, 3, 8, 0, 0)), "family is 8"),
        (bytes((2, 2, 7, 12, 3, 8, 0, 0)), "version is 2"),
        (bytes((2, 1, 7, 3, 3, 8, 0, 0)), "lgK is 3"),
        (bytes((2, 1, 7, 22, 3, 8, 0, 0)), "lgK is 22"),
        (bytes((2, 1, 7, 12, 3, 8, 0, 3)), "no known form"),
        (bytes((10, 1, 7, 12, 3, 8, 0, 0)), "doesn't fit its mode"),
        (bytes((2, 1, 7, 12, 3, 8, 1, 0)), "has 8 bytes where"),
        (bytes((2, 1, 7, 12, 3, 8, 1, 0, 5, 0, 0, 0)), "without a value"),
        (bytes((3, 1, 7, 12, 5, 8, 0, 1)) + b"\xff\xff\xff\xff", "don't fit its form"),
        (bytes((3, 1, 7, 12, 200, 0, 0, 1)) + b"\x01\x00\x00\x00", "can't be"),
        (bytes((3, 1, 7, 5, 5, 8, 0, 1)) + b"\x01\x00\x00\x00", "doesn't exist"),
        (HLL_8[:-1], "has 55 bytes where"),
        (HLL_8 + b"\x00", "has 57 bytes where"),
        (HLL_8[:-1] + b"\x40", "register over 63"),
        (HLL_8[:6] + b"\x01" + HLL_8[7:], "only an HLL_4"),
        (HLL_4, "has 48 bytes where"),
        (HLL_4 + (3 << 26 | 0).to_bytes(4, "little"), "out of range"),
        (HLL_4 + (20 << 26 | 1).to_bytes(4, "little"), "don't match"),
        (HLL_4[:6] + b"\x3f" + HLL_4[7:] + (63 << 26).to_bytes(4, "little"), "out of range"),
    ],
)
def test_each_broken_rule_is_named(image: bytes, rule: str) -> None:
    with pytest.raises(BadImage, match=rule):
        decode(image)


def test_an_exception_of_hll_4_is_read() -> None:
    values = decode(HLL_4 + (20 << 26 | 0).to_bytes(4, "little")).values
    assert values is not None
    assert values.tolist() == [20] + [0] * 15


def test_coupons_of_one_address_count_their_greatest_value() -> None:
    coupons = np.array([3 << 26 | 77, 9 << 26 | 77, 5 << 26 | (77 + (1 << 12))], np.uint32)
    registers = Registers.of_image(encode_coupons(12, np.sort(coupons)))
    assert registers.occupied.tolist() == [9 << 26 | 77]
