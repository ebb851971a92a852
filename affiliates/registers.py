"""HLL registers: absorb, union, fold, estimate. The only file with datasketches and numba.

A sketch is either few coupons (hash, 26 bits of address and a value) or 2^lg_k registers; it turns
from the one to the other where Apache DataSketches does, so images of both are its images. Union is
the element-wise maximum and fold takes the maximum over slots with the same low bits: exact,
order-free and idempotent. The library's own union is never used (sketches of different lgK lose
users in it: datasketches 5.2.0 says 20,133 for three disjoint sets of 20,000 at lgK 12, 10 and 12).
"""

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from datasketches import hll_sketch

from affiliates import sketch_image
from affiliates.sketch_image import ADDRESS_BITS, ADDRESS_MASK, Coupons, Values

Keys = npt.NDArray[np.uint64]
F = TypeVar("F", bound=Callable[..., Any])

RSE_FACTOR = 1.03896
"""Relative standard error of merged registers times sqrt(2^lg_k), as Apache DataSketches has it."""

STRETCH = 1.04
"""The library's bounds lie two standard errors from the estimate. Measured, they hold the truth in
95.2 % of cases once sketches are full, too near to 95 % to be called that at any one size; drawn
4 % further out they hold 96 % (`make calibration` shows these)."""


def _compiled(function: F) -> F:
    return cast(F, numba.njit(nogil=True, cache=True)(function))


@_compiled
def _rotl(x: np.uint64, r: int) -> np.uint64:
    return (x << np.uint64(r)) | (x >> np.uint64(64 - r))


@_compiled
def _fmix(x: np.uint64) -> np.uint64:
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xFF51AFD7ED558CCD)
    x ^= x >> np.uint64(33)
    x *= np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))


@_compiled
def _hex8(x: np.uint64) -> np.uint64:
    """The 8 lower-case hex characters of 32 bits, first character in the lowest byte."""
    x = ((x & np.uint64(0xFFFF)) << np.uint64(32)) | (x >> np.uint64(16))
    x = ((x & np.uint64(0x000000FF000000FF)) << np.uint64(16)) | ((x >> np.uint64(8)) & np.uint64(0x000000FF000000FF))
    x = ((x & np.uint64(0x000F000F000F000F)) << np.uint64(8)) | ((x >> np.uint64(4)) & np.uint64(0x000F000F000F000F))
    letters = ((x + np.uint64(0x0606060606060606)) >> np.uint64(4)) & np.uint64(0x0101010101010101)
    return x + np.uint64(0x3030303030303030) + letters * np.uint64(39)


@_compiled
def _coupons(keys: Keys, out: Coupons) -> None:
    """Coupons of keys, each hashed as its 16 hex characters: MurmurHash3_x64_128, seed 9001."""
    c1, c2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
    for i in range(len(keys)):
        k1 = _rotl(_hex8(keys[i] >> np.uint64(32)) * c1, 31) * c2
        k2 = _rotl(_hex8(keys[i] & np.uint64(0xFFFFFFFF)) * c2, 33) * c1
        h1 = _rotl(np.uint64(9001) ^ k1, 27) + np.uint64(9001)
        h1 = h1 * np.uint64(5) + np.uint64(0x52DCE729)
        h2 = _rotl(np.uint64(9001) ^ k2, 31) + h1
        h2 = h2 * np.uint64(5) + np.uint64(0x38495AB5)
        h1 ^= np.uint64(16)
        h2 ^= np.uint64(16)
        h1 += h2
        h2 += h1
        h1, h2 = _fmix(h1), _fmix(h2)
        h1 += h2
        h2 += h1
        value = np.uint64(1)
        top = np.uint64(0x8000000000000000)
        while value < np.uint64(63) and not h2 & top:
            h2 <<= np.uint64(1)
            value += np.uint64(1)
        out[i] = np.uint32(value << np.uint64(26) | h1 & np.uint64(0x3FFFFFF))


@_compiled
def _raise(values: Values, coupons: Coupons) -> None:
    mask = np.uint32(len(values) - 1)
    for i in range(len(coupons)):
        slot = coupons[i] & mask
        value = np.uint8(coupons[i] >> np.uint32(26))
        if value > values[slot]:
            values[slot] = value


@_compiled
def _histogram(values: Values, out: npt.NDArray[np.int64]) -> None:
    for i in range(len(values)):
        out[values[i]] += 1


def coupons_of(keys: Keys) -> Coupons:
    """Coupons of UInt64 keys, in their order."""
    out = np.empty(len(keys), np.uint32)
    _coupons(keys, out)
    return out


class Bounds(NamedTuple):
    """Users: the estimate, and the limits that hold it in 95 % of cases, not yet rounded."""

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Registers:
    """A sketch; exactly one of `coupons` (sorted, distinct) and `values` (2^lg_k) is set."""

    lg_k: int
    coupons: Coupons | None
    values: Values | None

    @classmethod
    def of_coupons(cls, lg_k: int, coupons: Coupons) -> Self:
        """From coupons in any order, repeated or not."""
        most = sketch_image.most_coupons(lg_k)
        values = None
        if len(coupons) > most:  # Sorting many is slow, and with that many slots occupied needless.
            values = np.zeros(1 << lg_k, np.uint8)
            _raise(values, coupons)
            if np.count_nonzero(values) > most:
                return cls(lg_k, None, values)
        distinct = np.unique(coupons)
        return cls(lg_k, distinct, None) if len(distinct) <= most else cls(lg_k, None, values)

    @classmethod
    def of_keys(cls, lg_k: int, keys: Keys) -> Self:
        return cls.of_coupons(lg_k, coupons_of(keys))

    @classmethod
    def of_image(cls, image: bytes) -> Self:
        """From any DataSketches HLL image; raises `BadImage`."""
        decoded = sketch_image.decode(image)
        if decoded.coupons is not None:
            return cls.of_coupons(decoded.lg_k, decoded.coupons)
        return cls(decoded.lg_k, None, decoded.values)

    @classmethod
    def union(cls, sketches: Iterable["Registers"], lg_k: int | None = None) -> Self:
        """The sketch of everybody in any of the sketches, at the lowest lg_k among them, or at `lg_k`.

        Folding a lower-lg_k image is exact; raising one isn't possible, so `lg_k` is an upper limit.
        """
        sketches = list(sketches)
        lowest = min([s.lg_k for s in sketches] + ([sketch_image.MAX_LG_K] if lg_k is None else [lg_k]))
        few = [s.coupons for s in sketches if s.coupons is not None]
        many = [s.fold(lowest).dense() for s in sketches if s.values is not None]
        coupons = np.concatenate(few) if few else np.empty(0, np.uint32)
        if not many:
            return cls.of_coupons(lowest, coupons)
        values = many[0].copy()
        for other in many[1:]:
            np.maximum(values, other, out=values)
        _raise(values, coupons)
        return cls(lowest, None, values)

    def fold(self, lg_k: int) -> "Registers":
        """The same people at a lower (or the same) lg_k."""
        if lg_k > self.lg_k:
            raise ValueError(f"registers of lg_k {self.lg_k} can't be unfolded to {lg_k}")
        if self.coupons is not None:
            return Registers.of_coupons(lg_k, self.coupons)
        return Registers(lg_k, None, self.dense().reshape(-1, 1 << lg_k).max(axis=0))

    def dense(self) -> Values:
        """All 2^lg_k registers."""
        if self.values is not None:
            return self.values
        assert self.coupons is not None
        values = np.zeros(1 << self.lg_k, np.uint8)
        _raise(values, self.coupons)
        return values

    @cached_property
    def occupied(self) -> Coupons:
        """The occupied slots with their values, as value << 26 | slot, by slot."""
        if self.coupons is None:
            slots = np.flatnonzero(self.dense()).astype(np.uint32)
            return self.dense()[slots].astype(np.uint32) << np.uint32(ADDRESS_BITS) | slots
        slots = self.coupons & np.uint32((1 << self.lg_k) - 1)
        order = np.lexsort((self.coupons >> ADDRESS_BITS, slots))
        last = np.append(np.diff(slots[order]) != 0, True) if len(order) else np.empty(0, bool)
        kept = order[last]
        occupied: Coupons = self.coupons[kept] & ~ADDRESS_MASK | slots[kept]
        return occupied

    @property
    def is_empty(self) -> bool:
        return not len(self.occupied) if self.coupons is None else not len(self.coupons)

    def digest(self) -> str:
        """SHA-256 of the registers, whatever image or form they are in (hex)."""
        hasher = hashlib.sha256(b"mauwatch registers 1" + bytes([self.lg_k]))
        if self.coupons is None and len(self.occupied) > sketch_image.most_coupons(self.lg_k):
            hasher.update(self.dense().tobytes())
        else:
            hasher.update(self.occupied.astype("<u4").tobytes())
        return hasher.hexdigest()

    def to_image(self) -> bytes:
        """A DataSketches image that any engine reads: LIST, SET or HLL_4, compact."""
        if self.coupons is not None:
            return sketch_image.encode_coupons(self.lg_k, self.coupons)
        return sketch_image.encode_hll4(self.lg_k, self.dense(), self._counts())

    def _counts(self) -> npt.NDArray[np.int64]:
        histogram = np.zeros(64, np.int64)
        if self.values is not None:
            _histogram(self.values, histogram)
        else:
            histogram += np.bincount(self.occupied >> ADDRESS_BITS, minlength=64)
            histogram[0] = (1 << self.lg_k) - len(self.occupied)
        return histogram

    def bounds(self) -> Bounds:
        """Estimate and 95 % bounds by Apache DataSketches, from our own HLL_8 image of the registers.

        The bounds are the library's for two standard errors, stretched by `STRETCH`. There are at
        least as many people as occupied registers, whatever the library's rounding says.
        """
        if self.is_empty:
            return Bounds(0.0, 0.0, 0.0)
        histogram = self._counts()
        sketch = hll_sketch.deserialize(sketch_image.encode_hll8(self.lg_k, self.dense(), histogram))
        occupied = float((1 << self.lg_k) - histogram[0])
        estimate = max(sketch.get_estimate(), occupied)
        lower = estimate - STRETCH * (estimate - sketch.get_lower_bound(2))
        upper = estimate + STRETCH * (sketch.get_upper_bound(2) - estimate)
        return Bounds(estimate, min(max(lower, occupied), estimate), max(upper, estimate))


def standard_error(lg_k: int, estimate: float) -> float:
    """One standard error of an estimate from merged registers, in users."""
    return RSE_FACTOR / math.sqrt(1 << lg_k) * estimate


class Absorber:
    """Takes coupons batch by batch and becomes registers; memory is bounded by 2^lg_k bytes."""

    def __init__(self, lg_k: int) -> None:
        self.lg_k = lg_k
        self._few: list[Coupons] = []
        self._waiting = 0
        self._values: Values | None = None

    def absorb(self, coupons: Coupons) -> None:
        if self._values is not None:
            _raise(self._values, coupons)
            return
        self._few.append(coupons.copy())  # A slice would keep its whole batch in memory.
        self._waiting += len(coupons)
        if self._waiting > 2 * sketch_image.most_coupons(self.lg_k):
            merged = Registers.of_coupons(self.lg_k, np.concatenate(self._few))
            self._few, self._values = ([merged.coupons] if merged.coupons is not None else []), merged.values
            self._waiting = sum(map(len, self._few))

    def registers(self) -> Registers:
        if self._values is not None:
            return Registers(self.lg_k, None, self._values)
        coupons = np.concatenate(self._few) if self._few else np.empty(0, np.uint32)
        return Registers.of_coupons(self.lg_k, coupons)


def agrees_with_datasketches(people: int = 5000) -> bool:
    """Whether our registers of some keys are those that the library makes of them, one by one."""
    keys = np.arange(people, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    sketch = hll_sketch(12)
    for key in keys.tolist():
        sketch.update(f"{key:016x}")
    return Registers.of_image(bytes(sketch.serialize_compact())).digest() == Registers.of_keys(12, keys).digest()
