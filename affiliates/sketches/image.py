"""DataSketches HLL images and registers, both ways, safe on any bytes.

The C++ library corrupts memory on malformed bytes (datasketches 5.2.0: 23 of 60 processes died
within 300 mutated sketches each), so bytes from elsewhere are read here, in arrays, and everything
in them is checked before it is used. Reads every image of the format: LIST, SET, HLL_4, HLL_6 and
HLL_8, compact and updatable, as C++, Java, Go and Rust write them.

Layout, little-endian: byte 0 preamble size in ints, 1 version (1), 2 family (7), 3 lgK, 4 lg of an
array's length, 5 flags, 6 coupon count (LIST) or curMin (HLL), 7 mode | type << 2. LIST: coupons
from byte 8. SET: count at 8, coupons from 12. HLL: three f64 at 8 (HIP accumulator and the two
partial sums of 2^-register), u32 count of registers at curMin at 32, u32 auxCount at 36, registers
from 40, for HLL_4 followed by the exceptions. A coupon is value << 26 | slot address (26 bits).
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from affiliates.sketches.arrays import Coupons, Values
from affiliates.sketches.kernels.packing import pack_nibbles, unpack_nibbles

MIN_LG_K = 4
MAX_LG_K = 21
ADDRESS_BITS = np.uint32(26)
ADDRESS_MASK = np.uint32((1 << 26) - 1)
MAX_VALUE = 63
MOST_BYTES = 1 << 22
"""Of an image. The largest that a writer makes has half of it: HLL_8 of lgK 21, 2,097,192 bytes."""

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
    """Bytes that are no HLL image; the message says which rule they break."""


@dataclass(frozen=True)
class Decoded:
    """Coupons (sorted, distinct) of a LIST or SET, or values[2^lg_k] of an HLL image."""

    lg_k: int
    coupons: Coupons | None = None
    values: Values | None = None


def most_coupons(lg_k: int) -> int:
    """How many coupons a sketch of this lg_k holds before it turns to registers."""
    return _LIST_SIZE if lg_k < 8 else 3 << (lg_k - 5)


def decode(image: bytes) -> Decoded:
    """Registers from an image; raises `BadImage` for anything that isn't one, to the last byte.

    Nothing is allocated on a preamble's word: memory stays within a few times the image's own length,
    at most 64 MiB, and lg_k within 21, whatever the bytes say.
    """
    if len(image) > MOST_BYTES:
        raise BadImage(f"it has {len(image)} bytes, more than any image")
    if len(image) < 8:
        raise BadImage(f"it has {len(image)} bytes, fewer than a preamble")
    preamble, version, family, lg_k, lg_array, flags, count, mode_byte = image[:8]
    if family != 7:
        raise BadImage(f"its family is {family}, not 7 (HLL)")
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
    if flags & _EMPTY and _holds_any(decoded):  # Readers differ: C++ then takes a LIST for empty and a SET for full.
        raise BadImage("it says that it is empty, and isn't")
    return decoded


def _decoded(image: bytes, lg_k: int, lg_array: int, mode: int, kind: int, count: int, compact: bool) -> Decoded:
    if mode == _LIST:
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
    held = decoded.values if decoded.coupons is None else decoded.coupons
    return held is not None and bool(held.any())


def _u32(image: bytes, at: int) -> int:
    if len(image) < at + 4:
        raise BadImage(f"it is truncated at {len(image)} bytes")
    return int.from_bytes(image[at : at + 4], "little")


def _length(image: bytes, expected: int) -> None:
    if len(image) != expected:
        raise BadImage(f"it has {len(image)} bytes where its preamble makes {expected}")


def _coupons(image: bytes, start: int, size: int, count: int, most: int) -> Coupons:
    if count > min(size, most):
        raise BadImage(f"{count} coupons don't fit its form")
    _length(image, start + 4 * size)
    coupons = np.frombuffer(image, "<u4", size, start)
    coupons = sorted_distinct(coupons[coupons != 0])
    if len(coupons) != count:
        raise BadImage(f"it says {count} coupons and holds {len(coupons)}")
    if len(coupons) and coupons[0] <= ADDRESS_MASK:
        raise BadImage("it holds a coupon without a value")
    return coupons.astype(np.uint32, copy=False)


def _registers(image: bytes, lg_k: int, kind: int, cur_min: int, lg_array: int, compact: bool) -> Values:
    k = 1 << lg_k
    exceptions = _u32(image, 36)
    if kind != _HLL_4:
        if exceptions:
            raise BadImage("only an HLL_4 image has exceptions")
        values = _whole(image, k, kind)
        # Java notes the minimum of a full union, and so does every sketch of Spark's; the registers are as they are.
        if cur_min > values.min():
            raise BadImage(f"its minimum {cur_min} is over a register")
        return values
    if cur_min > MAX_VALUE:
        raise BadImage(f"its minimum {cur_min} is over {MAX_VALUE}")
    pairs_start = _HLL_START + k // 2
    if not compact and lg_array > lg_k:
        raise BadImage(f"its 2^{lg_array} exceptions are more than its registers")
    size = exceptions if compact else 1 << lg_array
    if not exceptions and not compact:  # C++ then writes an empty table and leaves its size at 0.
        size = min(max(0, len(image) - pairs_start) // 4, k)
    _length(image, pairs_start + 4 * size)
    nibbles = np.frombuffer(image, np.uint8, k // 2, _HLL_START)
    values = np.empty(k, np.uint8)
    marked = unpack_nibbles(nibbles, np.uint8(cur_min), values)
    pairs = np.frombuffer(image, "<u4", size, pairs_start)
    pairs = np.sort(pairs[pairs != 0])
    slots = np.unique(pairs & ADDRESS_MASK)
    matching = len(slots) == len(pairs) == exceptions == marked and (not marked or slots[-1] < k)
    if not matching or (values[slots] != cur_min + _EXCEPTION).any():
        raise BadImage(f"its {exceptions} exceptions don't match the {marked} registers that need one")
    values[pairs & ADDRESS_MASK] = pairs >> ADDRESS_BITS
    if values.max() > MAX_VALUE or (len(pairs) and (pairs >> ADDRESS_BITS).min() < cur_min + _EXCEPTION):
        raise BadImage("a register or an exception is out of range")
    return values


def _whole(image: bytes, k: int, kind: int) -> Values:
    """Registers that are written whole, HLL_8's or HLL_6's."""
    if kind == _HLL_8:
        _length(image, _HLL_START + k)
        values = np.frombuffer(image, np.uint8, k, _HLL_START)
        if values.max() > MAX_VALUE:
            raise BadImage(f"it holds a register over {MAX_VALUE}")
        return values
    # The writers allocate one byte more than the registers of an HLL_6 fill.
    _length(image, _HLL_START + k * 3 // 4 + 1)
    triples = np.frombuffer(image, np.uint8, k * 3 // 4, _HLL_START).reshape(-1, 3)
    a, b, c = triples.T
    return np.stack((a & 63, a >> 6 | (b & 15) << 2, b >> 4 | (c & 3) << 4, c >> 2), axis=1).reshape(k)


def sorted_distinct(coupons: Coupons) -> Coupons:
    """As np.unique, which is ten times slower (NumPy 2.4)."""
    ordered = np.sort(coupons)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def encode_coupons(lg_k: int, coupons: Coupons) -> bytes:
    """A compact LIST or SET image; the coupons must be distinct and at most `most_coupons`."""
    flags = _COMPACT | _OUT_OF_ORDER | (0 if len(coupons) else _EMPTY)
    mode_type = _HLL_8 << 2
    if len(coupons) <= _LIST_SIZE:
        head = bytes((2, 1, 7, lg_k, 3, flags, len(coupons), _LIST | mode_type))
    else:
        lg_array = max(5, (4 * len(coupons) // 3).bit_length())
        head = bytes((3, 1, 7, lg_k, lg_array, flags, 0, _SET | mode_type)) + struct.pack("<I", len(coupons))
    return head + coupons.astype("<u4", copy=False).tobytes()


def encode_hll8(lg_k: int, values: Values, histogram: npt.NDArray[np.int64]) -> bytes:
    """An HLL_8 image; `histogram[v]` counts the registers that hold v.

    The out-of-order flag is set since a union has no HIP history: without it the library's
    estimate and upper bound are 0.
    """
    head = bytes((10, 1, 7, lg_k, 0, _COMPACT | _OUT_OF_ORDER, 0, _HLL | _HLL_8 << 2))
    return b"".join((head, _sums(histogram, int(histogram[0]), 0), values.data))


def encode_hll4(lg_k: int, values: Values, histogram: npt.NDArray[np.int64]) -> bytes:
    """An HLL_4 image: half the size of HLL_8, with the registers 15 or more above the minimum apart."""
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
