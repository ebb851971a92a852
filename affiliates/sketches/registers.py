"""HLL registers: absorb keys, unite, fold, estimate. The only module with datasketches.

A sketch is either few coupons (of a key's hash, 26 bits of address and a value) or 2^lg_k registers. It turns from the one to
the other where Apache DataSketches does, so images of both are DataSketches' images. A union is the element-wise maximum, and
folding takes the maximum over slots with the same low bits: both are exact, idempotent, and independent of order. The library's
own union is never used, since sketches of different lgK lose users in it (datasketches 5.2.0 says 20,133 for three disjoint sets
of 20,000 at lgK 12, 10 and 12).

Over 300 lines: both forms of a sketch, and every operation on both.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from datasketches import hll_sketch

from affiliates.sketches.arrays import Coupons, Keys, Values
from affiliates.sketches.image import (
    ADDRESS_BITS,
    ADDRESS_MASK,
    MANY,
    MAX_LG_K,
    decode,
    encode_coupons,
    encode_hll4,
    encode_sums,
    most_coupons,
    sorted_distinct,
)
from affiliates.sketches.kernels import hashing
from affiliates.sketches.kernels.packing import histogram
from affiliates.sketches.kernels.pairs import by_address

RSE_FACTOR = 1.03896
"""Relative standard error of merged registers times sqrt(2^lg_k), as Apache DataSketches has it: sqrt(3 ln 2 - 1)."""

_VALUE_BITS = np.uint32(6)

STRETCH = 1.04
"""How much further out our bounds lie than the library's for two standard errors. Those hold the truth in 95.2 % of cases once
sketches are full (measured), too near to 95 % to be called that at any one size; 4 % further out, the bounds hold 96 %
(`make calibration` shows these)."""


def coupons_of(keys: Keys) -> Coupons:
    """The coupons of keys, one a key in the keys' order."""
    coupons = np.empty(len(keys), np.uint32)
    hashing.coupons(keys, coupons)
    return coupons


class Bounds(NamedTuple):
    """How many people there are, not yet rounded."""

    estimate: float
    """The most likely number."""
    lower: float
    upper: float
    """The limits between which the true number lies in 95 % of cases."""


@dataclass(frozen=True, eq=False)
class Registers:
    """A sketch of people; exactly one of `coupons` and `values` is set."""

    lg_k: int
    """The precision: 2^lg_k registers, from 2^4 to 2^21."""
    coupons: Coupons | None
    """Coupons, sorted and distinct, as long as there are at most `most_coupons(lg_k)`."""
    values: Values | None
    """2^lg_k registers by slot, each 0 to 63."""

    @classmethod
    def from_coupons(cls, lg_k: int, coupons: Coupons) -> Self:
        """The sketch of coupons, which may repeat, in any order; nobody writes to these any more."""
        most = most_coupons(lg_k)
        values = None
        if len(coupons) > most:  # Sorting many is slow, and with that many slots occupied needless.
            values = np.zeros(1 << lg_k, np.uint8)
            hashing.raise_coupons(values, coupons)
            if np.count_nonzero(values) > most:
                return cls(lg_k, None, values)
        distinct = sorted_distinct(coupons)
        return cls(lg_k, distinct, None) if len(distinct) <= most else cls(lg_k, None, values)

    @classmethod
    def from_keys(cls, lg_k: int, keys: Keys) -> Self:
        """The sketch of keys, which may repeat, in any order."""
        most = most_coupons(lg_k)
        # As many occupied slots have at least as many coupons, so these needn't be made.
        if len(keys) > most:
            values = np.zeros(1 << lg_k, np.uint8)
            hashing.raise_keys(values, keys)
            if np.count_nonzero(values) > most:
                return cls(lg_k, None, values)
        return cls.from_coupons(lg_k, coupons_of(keys))

    @classmethod
    def from_image(cls, image: bytes) -> Self:
        """The sketch in a DataSketches HLL image of any writer. Raises `BadImage` for any other bytes."""
        decoded = decode(image)
        if decoded.coupons is not None:
            return cls.from_coupons(decoded.lg_k, decoded.coupons)
        return cls(decoded.lg_k, None, decoded.values)

    @classmethod
    def union(cls, sketches: Iterable["Registers"], lg_k: int | None = None) -> Self:
        """The sketch of everybody in any of the sketches, at the lowest lg_k among them, and at most at `lg_k`.

        Folding to a lower lg_k is exact, and a sketch can't be raised to a higher one: so the lowest decides.
        """
        sketches = list(sketches)
        lowest = min([sketch.lg_k for sketch in sketches] + ([MAX_LG_K] if lg_k is None else [lg_k]))
        few = [sketch.coupons for sketch in sketches if sketch.coupons is not None]
        many = [sketch.fold(lowest).dense() for sketch in sketches if sketch.values is not None]
        # Coupons have their whole addresses, so they fit each lg_k as they are.
        coupons = np.concatenate(few) if few else np.empty(0, np.uint32)
        if not many:
            return cls.from_coupons(lowest, coupons)
        values = many[0].copy()
        for other in many[1:]:
            np.maximum(values, other, out=values)
        hashing.raise_coupons(values, coupons)
        return cls(lowest, None, values)

    def fold(self, lg_k: int) -> "Registers":
        """The sketch of the same people at a lower lg_k, or the same. Raises `ValueError` for a higher one."""
        if lg_k == self.lg_k:
            return self
        if lg_k > self.lg_k:
            raise ValueError(f"registers of lg_k {self.lg_k} can't be unfolded to {lg_k}")
        if self.coupons is not None:
            return Registers.from_coupons(lg_k, self.coupons)
        # A slot at the lower lg_k is the lowest bits of a slot: those with the same low bits lie in one column.
        return Registers(lg_k, None, self.dense().reshape(-1, 1 << lg_k).max(axis=0))

    def dense(self) -> Values:
        """All 2^lg_k registers by slot, whatever form the sketch has; not to be written to."""
        if self.values is not None:
            return self.values
        assert self.coupons is not None
        values = np.zeros(1 << self.lg_k, np.uint8)
        hashing.raise_coupons(values, self.coupons)
        return values

    @cached_property
    def occupied(self) -> Coupons:
        """The occupied slots in order, each with its register's value: value << 26 | slot."""
        if self.coupons is None:
            slots = np.flatnonzero(self.dense()).astype(np.uint32)
            return self.dense()[slots].astype(np.uint32) << np.uint32(ADDRESS_BITS) | slots
        slots = self.coupons & np.uint32((1 << self.lg_k) - 1)
        if len(slots) > MANY:
            greatest: Coupons = np.empty_like(slots)
            return greatest[: by_address(self.coupons & ~ADDRESS_MASK | slots, greatest)].copy()
        # Slot and value in one number: those of a slot then lie together, its greatest value last.
        ordered = np.sort(slots << _VALUE_BITS | self.coupons >> ADDRESS_BITS)
        slots = ordered >> _VALUE_BITS
        last = np.append(slots[1:] != slots[:-1], True) if len(slots) else np.empty(0, bool)
        occupied: Coupons = (ordered[last] & np.uint32(63)) << ADDRESS_BITS | slots[last]
        return occupied

    @cached_property
    def at_least(self) -> int:
        """How many people there are at least: the number of distinct coupons, or of occupied registers."""
        if self.coupons is not None:
            return len(self.coupons)
        return int(np.count_nonzero(self.dense()))

    @property
    def is_empty(self) -> bool:
        """Whether the sketch is of nobody."""
        return not self.at_least

    def digest(self) -> str:
        """SHA-256 (hex) of the registers. Sketches with the same registers have the same digest, in whatever form or image."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        # By how many slots are occupied, and not by the form: few coupons of one writer may be registers of another's.
        hasher = hashlib.sha256(b"mauwatch registers 1" + bytes([self.lg_k]))
        if self.values is not None and self.at_least > most_coupons(self.lg_k):
            hasher.update(self.values.data)
        else:
            hasher.update(self.occupied.astype("<u4").tobytes())
        return hasher.hexdigest()

    def to_image(self) -> bytes:
        """The sketch as a DataSketches image that any engine reads: LIST, SET or HLL_4, compact."""
        if self.coupons is not None:
            return encode_coupons(self.lg_k, self.coupons)
        return encode_hll4(self.lg_k, self.dense(), self.counts)

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many registers hold each value from 0 to 63."""
        counts = np.zeros(64, np.int64)
        if self.values is not None:
            histogram(self.values.view(np.uint16), counts)
        else:
            counts += np.bincount(self.occupied >> ADDRESS_BITS, minlength=64)
            counts[0] = (1 << self.lg_k) - len(self.occupied)
        return counts

    def bounds(self) -> Bounds:
        """How many people the sketch is of, by Apache DataSketches from the sums that an image of the registers begins with.

        The limits are the library's for two standard errors, stretched by `STRETCH`. There are at least as many people as
        occupied registers, whatever the library's rounding says.
        """
        return Bounds(0.0, 0.0, 0.0) if self.is_empty else _bounds(self.lg_k, self.counts.tobytes())


@lru_cache(maxsize=1 << 13)
def _bounds(lg_k: int, histogram: bytes) -> Bounds:
    """The bounds of all sketches with so many registers of each value; `histogram`: the bytes of `Registers.counts`.

    Kept, since a sketch that is read again, or that has as many people as another day's, is estimated again and again.
    """
    counts = np.frombuffer(histogram, np.int64)
    sketch = hll_sketch.deserialize(encode_sums(lg_k, counts))
    occupied = float((1 << lg_k) - counts[0])
    estimate = max(sketch.get_estimate(), occupied)
    lower = estimate - STRETCH * (estimate - sketch.get_lower_bound(2))
    upper = estimate + STRETCH * (sketch.get_upper_bound(2) - estimate)
    return Bounds(estimate, min(max(lower, occupied), estimate), max(upper, estimate))


def standard_error(lg_k: int, estimate: float) -> float:
    """One standard error of an estimate from merged registers, in people as the estimate is."""
    return RSE_FACTOR / math.sqrt(1 << lg_k) * estimate


class Absorber:
    """Takes keys batch by batch, and gives the sketch of all of them.

    While the keys are few, they are kept themselves, each once, so that they are counted exactly; then registers are. Memory is
    bounded by 8 x 2^lg_k bytes while the one changes to the other, and by 2^lg_k bytes after.
    """

    def __init__(self, lg_k: int) -> None:
        self.lg_k = lg_k
        self._most = most_coupons(lg_k) * 9 // 8  # A few keys share a coupon.
        # The set of keys as `hashing.insert_keys` has it; nothing once there are registers.
        self._table: Keys | None = np.zeros(65, np.uint64)
        self._n_keys = 0
        self._values: Values | None = None
        self._sketch: Registers | None = None

    def absorb(self, keys: Keys) -> None:
        """Add keys, which may repeat, and may have come before."""
        self._sketch = None
        while self._table is not None and len(keys):
            # In portions: the table grows by what a portion may bring, and a large batch turns to registers early.
            portion = keys[: self._most]
            keys = keys[self._most :]
            self._table = _with_room(self._table, self._n_keys, len(portion))
            self._n_keys += hashing.insert_keys(self._table, portion)
            if self._n_keys > self._most:
                sketch = Registers.from_keys(self.lg_k, self._keys(self._table))
                if sketch.values is not None:
                    self._values = sketch.values
                    self._table = None
                else:  # So many keys of so few coupons: hardly ever, but no reason to go wrong.
                    self._most *= 2
        if self._values is not None:
            hashing.raise_keys(self._values, keys)

    def absorb_simulated(self, first: int, count: int, salt: int) -> None:
        """Add the keys of `count` simulated people, numbered from `first`; see `hashing.simulated_keys`."""
        while self._table is not None and count:
            portion = np.empty(min(count, self._most), np.uint64)
            hashing.simulated_keys(np.uint64(first), np.uint64(salt), portion)
            self.absorb(portion)
            first = first + len(portion)
            count = count - len(portion)
        if self._values is not None:
            hashing.raise_simulated(self._values, np.uint64(first), count, np.uint64(salt))

    @property
    def distinct(self) -> int | None:
        """How many different keys there were; nothing once only registers are kept."""
        return self._n_keys if self._table is not None else None

    def registers(self) -> Registers:
        """The sketch of all keys so far. The next keys change its registers, so don't keep the sketch."""
        if self._table is None:
            return Registers(self.lg_k, None, self._values)
        self._sketch = self._sketch or Registers.from_keys(self.lg_k, self._keys(self._table))
        return self._sketch

    @staticmethod
    def _keys(table: Keys) -> Keys:
        """The keys in a table, in no order; the last place says whether the key 0 is among them."""
        keys = table[:-1][table[:-1] != 0]
        return np.append(keys, np.uint64(0)) if table[-1] else keys


def _with_room(table: Keys, n_keys: int, more: int) -> Keys:
    """The set of `n_keys` keys, in a larger table where `more` of them would fill over half of the places."""
    size = len(table) - 1
    # Over half full, open addressing gets slow.
    while n_keys + more > size // 2:
        size *= 2
    if size == len(table) - 1:
        return table
    larger = np.zeros(size + 1, np.uint64)
    hashing.insert_keys(larger, table[:-1][table[:-1] != 0])
    larger[-1] = table[-1]
    return larger


def agrees_with_datasketches(people: int = 5000) -> bool:
    """Whether our registers of so many keys are those that the library makes of them, one by one; `mauwatch doctor` asks it."""
    keys = np.arange(people, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    sketch = hll_sketch(12)
    for key in keys.tolist():
        sketch.update(f"{key:016x}")
    return Registers.from_image(bytes(sketch.serialize_compact())).digest() == Registers.from_keys(12, keys).digest()
