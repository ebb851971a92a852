"""DataSketches HLL images to registers and back, safe on any bytes. Pure.

The C++ library corrupts memory on malformed bytes (datasketches 5.2.0: 23 of 60 processes died within 300 mutated sketches
each). So bytes from elsewhere are read here, in arrays, and everything in them is checked before it is used. Every image of the
format is read: LIST, SET, HLL_4, HLL_6 and HLL_8, compact and updatable, as C++, Java, Go and Rust write them.

Layout, little-endian: byte 0 preamble size in ints, 1 version (1), 2 family (7), 3 lgK, 4 lg of an array's length, 5 flags,
6 coupon count (LIST) or curMin (HLL), 7 mode | type << 2. LIST: coupons from byte 8. SET: count at 8, coupons from 12. HLL:
three f64 at 8 (HIP accumulator and the two partial sums of 2^-register), u32 count of registers at curMin at 32, u32 auxCount at
36, registers from 40, for HLL_4 followed by the exceptions. A coupon is value << 26 | slot address (26 bits).
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from affiliates.sketches import foreign
from affiliates.sketches.arrays import Coupons, Values
from affiliates.sketches.kernels.order import distinct
from affiliates.sketches.kernels.packing import pack_nibbles, unpack_nibbles

MIN_LG_K = 4
MAX_LG_K = 21
"""The least and the greatest lgK of the format: a sketch has 2^lgK registers."""
ADDRESS_BITS = np.uint32(26)
ADDRESS_MASK = np.uint32((1 << 26) - 1)
"""The bits of a coupon that are the address."""
MANY = 2048
"""More coupons than that are put in order by a compiled loop, in a fifth of NumPy's time; for fewer no loop need be loaded."""
MAX_VALUE = 63
"""The greatest value of a register: six bits hold it."""
MOST_BYTES = 1 << 22
"""Bytes of an image at most. The largest that a writer makes has half as many: HLL_8 of lgK 21, 2,097,192 bytes."""

_FAMILY = 7
# Flags, modes and types by their numbers in the format.
_EMPTY = 4
_COMPACT = 8
_OUT_OF_ORDER = 16
_LIST = 0
_SET = 1
_HLL = 2
_HLL_4 = 0
_HLL_6 = 1
_HLL_8 = 2
_LIST_SIZE = 8
_EXCEPTION = 15
_HLL_START = 40


class BadImage(ValueError):
    """Bytes that are no HLL image; the message says which rule they break, or whose sketch they are."""

    def __init__(self, rule: str, instead: str = "write it with Apache DataSketches") -> None:
        super().__init__(rule)
        self.instead = instead
        """What to send in its place: a next step without a full stop."""


@dataclass(frozen=True)
class Decoded:
    """What an image holds: coupons (sorted, distinct) of a LIST or SET, or 2^lg_k registers of an HLL image; never both."""

    lg_k: int
    """The image's lgK, from `MIN_LG_K` to `MAX_LG_K`."""
    coupons: Coupons | None = None
    """Coupons, at most `most_coupons(lg_k)`."""
    values: Values | None = None
    """Registers by slot, each 0 to 63."""


def most_coupons(lg_k: int) -> int:
    """How many coupons a sketch of this lg_k holds at most; with more it turns to registers, where DataSketches does, too."""
    # 3/32 of the registers: a SET is an array of an eighth of them, and grows at three quarters.
    return _LIST_SIZE if lg_k < 8 else 3 << (lg_k - 5)


def decode(image: bytes) -> Decoded:
    """What an image holds. Raises `BadImage` for any bytes that aren't an image, to the last byte.

    No memory is taken for what a preamble claims: it stays within a few times the image's own length, at most 64 MiB, whatever
    the bytes say.
    """
    if len(image) > MOST_BYTES:
        raise BadImage(f"it has {len(image)} bytes, more than any image")
    if image[2:3] != bytes((_FAMILY,)) and (sketch := foreign.recognise(image)):
        raise BadImage(f"it is {sketch.name}", sketch.instead)
    if len(image) < 8:
        raise BadImage(f"it has {len(image)} bytes, fewer than a preamble")
    preamble, version, family, lg_k, lg_array, flags, count, mode_byte = image[:8]
    if family != _FAMILY:
        raise BadImage("it begins as neither an HLL image nor another sketch that is known here does")
    if version != 1:
        raise BadImage(f"its format version is {version}, not 1")
    if not MIN_LG_K <= lg_k <= MAX_LG_K:
        raise BadImage(f"its lgK is {lg_k}, outside {MIN_LG_K} to {MAX_LG_K}")
    mode = mode_byte & 3
    kind = mode_byte >> 2 & 3
    if mode > _HLL or kind > _HLL_8:
        raise BadImage(f"its mode byte {mode_byte} names no known form")
    if preamble != (2, 3, 10)[mode]:
        raise BadImage(f"its preamble of {preamble} ints doesn't fit its mode")
    compact = bool(flags & _COMPACT)
    decoded = _decoded(image, lg_k, lg_array, mode, kind, count, compact)
    # Readers differ on such bytes: C++ takes a LIST with this flag for empty, and a SET for full.
    if flags & _EMPTY and _holds_any(decoded):
        raise BadImage("it says that it is empty, and isn't")
    return decoded


def _decoded(image: bytes, lg_k: int, lg_array: int, mode: int, kind: int, count: int, compact: bool) -> Decoded:
    """The coupons or registers behind a preamble whose fields can be."""
    if mode == _LIST:
        # An updatable array has all of its places, free ones as zeros; an empty image may leave the array out.
        size = count if compact or len(image) == 8 else 1 << min(lg_array, int(ADDRESS_BITS))
        return Decoded(lg_k, coupons=_coupons(image, 8, size, count, _LIST_SIZE))
    if mode == _SET:
        if lg_k < 8:
            raise BadImage(f"a SET of lgK {lg_k} doesn't exist")
        count = _u32(image, 8)
        if not compact and lg_array > ADDRESS_BITS:
            raise BadImage(f"its array of 2^{lg_array} coupons can't be")
        size = count if compact else 1 << lg_array
        return Decoded(lg_k, coupons=_coupons(image, 12, size, count, most_coupons(lg_k)))
    return Decoded(lg_k, values=_registers(image, lg_k, kind, count, lg_array, compact))


def _holds_any(decoded: Decoded) -> bool:
    content = decoded.values if decoded.coupons is None else decoded.coupons
    return content is not None and bool(content.any())


def _u32(image: bytes, at: int) -> int:
    if len(image) < at + 4:
        raise BadImage(f"it is truncated at {len(image)} bytes")
    return int.from_bytes(image[at : at + 4], "little")


def _check_length(image: bytes, expected: int) -> None:
    if len(image) != expected:
        raise BadImage(f"it has {len(image)} bytes where its preamble makes {expected}")


def _coupons(image: bytes, start: int, size: int, count: int, most: int) -> Coupons:
    """The `count` coupons, sorted and distinct, of an array of `size` places from byte `start` to the end."""
    if count > min(size, most):
        raise BadImage(f"{count} coupons don't fit its form")
    _check_length(image, start + 4 * size)
    coupons = np.frombuffer(image, "<u4", size, start)
    # A coupon twice, or too few of them, would be another count than the one that the writer meant.
    coupons = sorted_distinct(coupons[coupons != 0])
    if len(coupons) != count:
        raise BadImage(f"it says {count} coupons and holds {len(coupons)}")
    if len(coupons) and coupons[0] <= ADDRESS_MASK:
        raise BadImage("it holds a coupon without a value")
    return coupons.astype(np.uint32, copy=False)


def _registers(image: bytes, lg_k: int, kind: int, cur_min: int, lg_array: int, compact: bool) -> Values:
    """The 2^lg_k registers of an HLL image; of HLL_4, those too far above the minimum come from the exceptions."""
    n_slots = 1 << lg_k
    exceptions = _u32(image, 36)
    if kind != _HLL_4:
        if exceptions:
            raise BadImage("only an HLL_4 image has exceptions")
        values = _whole(image, n_slots, kind)
        # Java notes the minimum of a full union, and so does every sketch of Spark's; the registers are as they are.
        if cur_min > values.min():
            raise BadImage(f"its minimum {cur_min} is over a register")
        return values
    if cur_min > MAX_VALUE:
        raise BadImage(f"its minimum {cur_min} is over {MAX_VALUE}")
    pairs_start = _HLL_START + n_slots // 2
    if not compact and lg_array > lg_k:
        raise BadImage(f"its 2^{lg_array} exceptions are more than its registers")
    size = exceptions if compact else 1 << lg_array
    if not exceptions and not compact:  # C++ then writes an empty table and leaves its size at 0.
        size = min(max(0, len(image) - pairs_start) // 4, n_slots)
    _check_length(image, pairs_start + 4 * size)
    # Four bits a register: its value above the minimum, 15 where an exception holds the value.
    nibbles = np.frombuffer(image, np.uint8, n_slots // 2, _HLL_START)
    values = np.empty(n_slots, np.uint8)
    marked = unpack_nibbles(nibbles, np.uint8(cur_min), values)
    pairs = np.frombuffer(image, "<u4", size, pairs_start)
    pairs = np.sort(pairs[pairs != 0])
    slots = np.unique(pairs & ADDRESS_MASK)
    matching = len(slots) == len(pairs) == exceptions == marked and (not marked or slots[-1] < n_slots)
    if not matching or (values[slots] != cur_min + _EXCEPTION).any():
        raise BadImage(f"its {exceptions} exceptions don't match the {marked} registers that need one")
    values[pairs & ADDRESS_MASK] = pairs >> ADDRESS_BITS
    if values.max() > MAX_VALUE or (len(pairs) and (pairs >> ADDRESS_BITS).min() < cur_min + _EXCEPTION):
        raise BadImage("a register or an exception is out of range")
    return values


def _whole(image: bytes, n_slots: int, kind: int) -> Values:
    """Registers that are written whole: a byte each in HLL_8, six bits each in HLL_6."""
    if kind == _HLL_8:
        _check_length(image, _HLL_START + n_slots)
        values = np.frombuffer(image, np.uint8, n_slots, _HLL_START)
        if values.max() > MAX_VALUE:
            raise BadImage(f"it holds a register over {MAX_VALUE}")
        return values
    # The writers allocate one byte more than the registers of an HLL_6 fill.
    _check_length(image, _HLL_START + n_slots * 3 // 4 + 1)
    triples = np.frombuffer(image, np.uint8, n_slots * 3 // 4, _HLL_START).reshape(-1, 3)
    # Three bytes hold four registers, the lowest bits first.
    first, second, third = triples.T
    fours = (first & 63, first >> 6 | (second & 15) << 2, second >> 4 | (third & 3) << 4, third >> 2)
    return np.stack(fours, axis=1).reshape(n_slots)


def sorted_distinct(coupons: Coupons) -> Coupons:
    """The different coupons in order; those that are so already, such as an image's of ours, as they are and not copied."""
    if (coupons[1:] > coupons[:-1]).all():
        return coupons
    if len(coupons) > MANY:
        out: Coupons = np.empty_like(coupons)
        return out[: distinct(coupons.copy(), out)].copy()
    in_order = np.sort(coupons)
    once: Coupons = in_order[np.append(True, in_order[1:] != in_order[:-1])]
    return once


def encode_coupons(lg_k: int, coupons: Coupons) -> bytes:
    """A compact LIST or SET image; the coupons must be distinct and at most `most_coupons`."""
    flags = _COMPACT | _OUT_OF_ORDER | (0 if len(coupons) else _EMPTY)
    # The type that a reader goes on with when the sketch turns to registers.
    mode_type = _HLL_8 << 2
    if len(coupons) <= _LIST_SIZE:
        head = bytes((2, 1, 7, lg_k, 3, flags, len(coupons), _LIST | mode_type))
    else:
        lg_array = max(5, (4 * len(coupons) // 3).bit_length())
        head = bytes((3, 1, 7, lg_k, lg_array, flags, 0, _SET | mode_type)) + struct.pack("<I", len(coupons))
    return head + coupons.astype("<u4", copy=False).tobytes()


def encode_sums(lg_k: int, histogram: npt.NDArray[np.int64]) -> bytes:
    """An image for the library's estimate, which goes by the head alone; `histogram[v]` counts the registers that hold v.

    The registers themselves are 0 and packed by two, so that at lgK 21 a megabyte is copied, and not six. The out-of-order flag
    says that there is no HIP accumulator, which a union can't have: without it the library's estimate and upper bound are 0.
    """
    head = bytes((10, 1, 7, lg_k, 0, _COMPACT | _OUT_OF_ORDER, 0, _HLL | _HLL_4 << 2))
    return b"".join((head, _sums(histogram, int(histogram[0]), 0), bytes((1 << lg_k) // 2)))


def encode_hll4(lg_k: int, values: Values, histogram: npt.NDArray[np.int64]) -> bytes:
    """An HLL_4 image: half the size of HLL_8. Registers of 15 or more above the minimum are written apart, as exceptions."""
    cur_min = int(np.flatnonzero(histogram)[0])
    slots = np.flatnonzero(values >= cur_min + _EXCEPTION).astype(np.uint32)
    pairs = values[slots].astype(np.uint32) << np.uint32(ADDRESS_BITS) | slots
    packed = np.empty(len(values) // 2, np.uint8)
    pack_nibbles(values, np.uint8(cur_min), packed)
    lg_array = max(2, (4 * len(slots) // 3).bit_length())
    head = bytes((10, 1, 7, lg_k, lg_array, _COMPACT | _OUT_OF_ORDER, cur_min, _HLL | _HLL_4 << 2))
    sums = _sums(histogram, int(histogram[cur_min]), len(slots))
    return b"".join((head, sums, packed.tobytes(), pairs.astype("<u4").tobytes()))


def _sums(histogram: npt.NDArray[np.int64], at_minimum: int, exceptions: int) -> bytes:
    """HIP accumulator (none), the sums of 2^-v for v below 32 and from 32, and the two counts."""
    terms = histogram * np.exp2(-np.arange(64.0))
    return struct.pack("<dddII", 0.0, terms[:32].sum(), terms[32:].sum(), at_minimum, exceptions)
