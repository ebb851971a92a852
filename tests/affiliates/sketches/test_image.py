"""The decoder reads every image that DataSketches writes, and no bytes at all can hurt it."""

import re
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasketches import hll_sketch
from hypothesis import given
from hypothesis import strategies as st

from affiliates.identity.keys import GroupKey
from affiliates.sketches import registers
from affiliates.sketches.image import BadImage, Decoded, decode, encode_coupons, encode_sums
from affiliates.sketches.registers import Registers
from tests.support.paths import DATA, ROOT
from tests.tools import fuzz

VECTORS = sorted((DATA / "datasketches-vectors").glob("*/*.sk"))
UNIONS = sorted((DATA / "java-unions").glob("*.sk"))
FOLDERS = [ROOT / name for name in ("affiliates", "pipelines", "dashboards")]


@pytest.mark.parametrize("path", VECTORS, ids=lambda p: p.stem)
def test_published_vectors_decode_to_the_registers_of_their_integers(path: Path) -> None:
    """Not the count alone: the library, fed the same integers one by one, must give the same registers."""
    name = re.fullmatch(r"hll(\d)_n(\d+)_\w+", path.stem)
    assert name
    n = int(name[2])
    sketch = hll_sketch(12)
    for i in range(n):
        sketch.update(i)
    registers = Registers.from_image(path.read_bytes())
    assert registers.digest() == Registers.from_image(bytes(sketch.serialize_compact())).digest()
    bounds = registers.bounds()
    assert np.floor(bounds.lower) <= n <= np.ceil(bounds.upper)


def test_all_vectors_are_there() -> None:
    assert len(VECTORS) == 48


@pytest.mark.parametrize("path", UNIONS, ids=lambda p: p.stem)
def test_full_unions_of_javas_are_read(path: Path) -> None:
    """They note their least register, as C++ doesn't: refused for that, no large sketch of Spark's would ever count."""
    sketch = hll_sketch(8)
    for i in range(30_000):
        sketch.update(i)
    image = path.read_bytes()
    assert ("as_hll8" in path.stem) <= (image[6] > 0)
    assert Registers.from_image(image).digest() == Registers.from_image(bytes(sketch.serialize_compact())).digest()
    assert fuzz.outcome(image) == "read registers"


def test_all_unions_are_there() -> None:
    assert len(UNIONS) == 36


def test_both_readers_take_every_valid_image() -> None:
    """Of each mode, type and lgK, compact and updatable: two readers that refuse everything would agree as well."""
    valid = [*fuzz.small_images(), *fuzz.large_images(), *(path.read_bytes() for path in VECTORS)]
    assert {image[3] for image in valid} == set(range(4, 22))
    assert {image[7] for image in valid} == {mode | kind << 2 for mode in range(3) for kind in range(3)}
    assert all(fuzz.outcome(image).startswith("read") for image in valid)


@pytest.mark.parametrize("seed", range(8))
def test_200_000_mutated_images_give_right_registers_or_a_refusal(seed: int) -> None:
    """In the C++ library 23 of 60 processes died within 300 of these each; and registers that only one of two readers
    finds would be other people's. `make fuzz` takes as many as one likes."""
    outcomes = Counter(fuzz.outcome(fuzz.image_of(seed, number, large=0.0002)) for number in range(25_000))
    assert outcomes["refused"] > 12_000
    assert outcomes["read coupons"] > 3_000
    assert outcomes["read registers"] > 1_500


@pytest.mark.parametrize("wrong", [{0: 1}, {}])
def test_the_fuzz_tells_a_decoder_that_goes_wrong(wrong: dict[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison that can't fail would find nothing in any number of images."""

    def decoded(image: bytes) -> Decoded:
        if not wrong:
            raise BadImage("no image at all")
        right = decode(image)
        assert right.values is not None
        values = right.values.copy()
        values[0] += wrong[0]
        return Decoded(right.lg_k, values=values)

    monkeypatch.setattr(fuzz, "decode", decoded)
    with pytest.raises(fuzz.Fault):
        fuzz.outcome(HLL_8)


def test_the_fuzz_by_itself_says_what_it_did(tmp_path: Path) -> None:
    """A failing image has to be there to be read again."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.tools.fuzz", "--seconds", "0", "--seed", "3"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"seed 3: 1,000 images: [\d,]+ read coupons, [\d,]+ read registers, [\d,]+ refused", done.stdout)
    (tmp_path / "failure.txt").write_text(f"said\nseed 3 number 0\n{HLL_8.hex()}\n")
    again = subprocess.run(
        [sys.executable, "-m", "tests.tools.fuzz", "--replay", tmp_path / "failure.txt"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert again.stdout == "read registers\n"


HOSTILE = r"""
import resource, struct, sys
from affiliates.sketches.registers import Registers
from affiliates.sketches.image import BadImage

def taken(image):
    try:
        Registers.from_image(image)
    except BadImage:
        return 0
    return 1

claims = [bytes((2 + m, 1, 7, 21, lg, flags, 255, m)) + count
          for m in (0, 1) for lg in (0, 21, 26, 31, 32, 255) for flags in (0, 4, 8)
          for count in (bytes(4), b"\xff" * 4, struct.pack("<I", 1 << 26))]
head = lambda kind, flags, lg: bytes((10, 1, 7, 21, lg, flags, 0, 2 | kind << 2)) + bytes(28)
claims += [head(kind, flags, lg) + count for kind in range(3) for flags in (0, 8) for lg in (0, 21, 31, 255)
           for count in (bytes(4), b"\xff" * 4)]
# The most that 4 MiB can say: 786,422 exceptions at once, an array of coupons, and zeros of other lengths.
slots = range(786_422)
marked = bytearray(b"\xff" * 393_211 + bytes((1 << 20) - 393_211))
most = head(0, 8, 20) + struct.pack("<I", len(slots)) + marked + struct.pack(f"<{len(slots)}I", *(40 << 26 | s for s in slots))
full = [most, head(0, 0, 19) + bytes(4) + bytes(5 << 19), head(2, 8, 0) + bytes(4) + bytes(1 << 21),
        head(1, 8, 0) + bytes(4) + bytes((3 << 19) + 1), bytes(1 << 22), most[:40] + bytes(40 << 20), b"\x07" * (1 << 22)]
taken(most)
with open("/proc/self/statm") as pages:
    size = int(pages.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (64 << 20),) * 2)
print(sum(map(taken, claims)), [taken(image) for image in full])
"""


def test_no_image_takes_over_64_mib() -> None:
    """A preamble can claim 2^32 coupons in a few bytes, and a process that the system ends for its memory tells nothing.

    Held by the system, numba's and NumPy's memory with it: with 64 MiB more than before, every image is read or refused.
    """
    done = subprocess.run([sys.executable, "-c", HOSTILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "6 [1, 1, 1, 1, 0, 0, 0]\n"  # Six of the claims are empty SETs, as they say.


def test_the_library_never_gets_a_strangers_bytes(tmp_path: Path, key: GroupKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """It corrupts memory on malformed ones. A spy in its place: a file is read, checked and counted, and all that the
    library is given are images that we wrote of registers."""
    given: list[bytes] = []
    ours: list[bytes] = []

    class Spy:
        @staticmethod
        def deserialize(image: bytes) -> hll_sketch:
            given.append(image)
            return hll_sketch.deserialize(image)

    def encode(*args: Any) -> bytes:
        ours.append(encode_sums(*args))
        return ours[-1]

    monkeypatch.setattr(registers, "hll_sketch", Spy)
    monkeypatch.setattr(registers, "encode_sums", encode)
    monkeypatch.setattr(registers, "_bounds", registers._bounds.__wrapped__)  # Also what would be known by now.
    for image in [*fuzz.small_images(), *(fuzz.image_of(1, number, 0) for number in range(4000))]:
        if image[3:4] > b"\x0b":  # Seldom more than slow.
            continue
        with suppress(BadImage):
            sketch = Registers.from_image(image)
            Registers.union([sketch, sketch.fold(4)]).bounds()
            sketch.to_image()
    assert given == ours
    assert len(given) > 500


def test_one_place_in_the_code_calls_the_library_to_read() -> None:
    """What the spy can't see: another call somewhere."""
    code = {path: path.read_text(encoding="utf-8") for folder in FOLDERS for path in folder.rglob("*.py")}
    assert [path.name for path, text in code.items() if re.search(r"hll_sketch|hll_union", text)] == ["registers.py"]
    assert sum(text.count("deserialize") for text in code.values()) == 1


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read(data: bytes) -> None:
    """Any other error than `BadImage` would end a run for one stranger's file."""
    for head in (b"", b"\x02\x01\x07\x0c", b"\x03\x01\x07\x15", b"\x0a\x01\x07\x04"):
        with suppress(BadImage):
            decode(head + data)


HLL_8 = bytes((10, 1, 7, 4, 0, 8, 0, 2 | 2 << 2)) + bytes(32) + bytes(range(16))
HLL_4 = bytes((10, 1, 7, 4, 0, 8, 0, 2)) + bytes(28) + (1).to_bytes(4, "little") + bytes((0x0F, *[0] * 7))


@pytest.mark.parametrize(
    ("image", "rule"),
    [
        (b"", "fewer than a preamble"),
        (bytes((2, 1, 76, 12, 3, 8, 0, 0)), "neither an HLL image nor another"),
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
        (HLL_8[:6] + b"\x01" + HLL_8[7:], "minimum 1 is over a register"),
        (HLL_8[:36] + b"\x01" + HLL_8[37:], "only an HLL_4"),
        (HLL_8[:5] + b"\x0c" + HLL_8[6:], "says that it is empty"),
        (bytes((2, 1, 7, 12, 3, 12, 1, 0)) + b"\xff\xff\xff\xff", "says that it is empty"),
        (bytes((2, 1, 7, 12, 8, 0, 9, 0)) + bytes(1024), "9 coupons don't fit"),
        (bytes((2, 1, 7, 14, 255, 4, 0, 8)) + bytes(1024), "has 1032 bytes where"),
        (HLL_8 + bytes(1 << 22), "more than any image"),
        (HLL_4, "has 48 bytes where"),
        (HLL_4 + (3 << 26 | 0).to_bytes(4, "little"), "out of range"),
        (HLL_4 + (20 << 26 | 1).to_bytes(4, "little"), "don't match"),
        (HLL_4[:6] + b"\x3f" + HLL_4[7:] + (63 << 26).to_bytes(4, "little"), "out of range"),
    ],
)
def test_each_broken_rule_is_named(image: bytes, rule: str) -> None:
    """An image that breaks a rule and is read gives other registers than its writer meant."""
    with pytest.raises(BadImage, match=rule):
        decode(image)


def test_an_exception_of_hll_4_is_read() -> None:
    values = decode(HLL_4 + (20 << 26 | 0).to_bytes(4, "little")).values
    assert values is not None
    assert values.tolist() == [20] + [0] * 15


def test_coupons_of_one_address_count_their_greatest_value() -> None:
    """Two addresses of one slot are one register: its lesser value would be a smaller estimate."""
    coupons = np.array([3 << 26 | 77, 9 << 26 | 77, 5 << 26 | (77 + (1 << 12))], np.uint32)
    registers = Registers.from_image(encode_coupons(12, np.sort(coupons)))
    assert registers.occupied.tolist() == [9 << 26 | 77]
