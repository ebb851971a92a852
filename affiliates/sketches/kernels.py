"""The loops that must run at the machine's speed, compiled by numba. The only file with numba.

All of them release the GIL, so that two threads use two cores. What is in here is simple and typed;
what it means is said where it is called: `registers.py`, `sketch_image.py`, `known.py`, `person_keys.py`, `links.py`. Over 300
lines, since numba has one door: hashes and registers first, then images, then tables, links and cells.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

Keys = npt.NDArray[np.uint64]
Coupons = npt.NDArray[np.uint32]
Values = npt.NDArray[np.uint8]

BLOCK = 256
"""Keys hashed at a time before any of them is applied: so the compiler hashes eight at once (660 M/s
against 150 on the machine of `make bench`), and the loads of their registers overlap."""

FIRST_CODE = np.uint8(3)
"""Of a user in the first namespace; what is less stands for nobody."""

CODES = np.uint64(63)
PENDING = np.uint64(1)
"""The bits of a code in a table of fingerprints, and the code of one whose key isn't known yet."""

_U = np.uint64
_SIX = _U(6)
_ADDRESS = _U(0x3FFFFFF)
_EACH_BYTE = 0x0101010101010101
_HIGH = _U(0x80 * _EACH_BYTE)
_FROM_0 = _U(0x50 * _EACH_BYTE)
_OVER_9 = _U(0x46 * _EACH_BYTE)
_FROM_A = _U(0x1F * _EACH_BYTE)
_OVER_F = _U(0x19 * _EACH_BYTE)
_SOME_HEX = _U(0x30 * _EACH_BYTE)


def _as_numba_does(function: Callable[..., Any]) -> Any:
    """An intrinsic, to which numba passes the first argument itself."""
    return intrinsic(function)


def _compiled(function: F) -> F:
    try:
        return cast(F, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # No folder that may be written to for the cache: compiled anew in each process.
        return cast(F, numba.njit(nogil=True)(function))


@_as_numba_does
def _leading_zeros(context: Any, x: Any) -> Any:
    """LLVM's count of leading zeros, which it computes for eight numbers at once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@_as_numba_does
def _word_at(context: Any, address: Any) -> Any:
    """The eight bytes at an address, which needn't be aligned."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()))
        loaded.align = 1
        return loaded

    return types.uint64(types.uint64), generate


@_compiled
def _rotl(x: Any, r: int) -> Any:
    return (x << _U(r)) | (x >> _U(64 - r))


@_compiled
def _fmix(x: Any) -> Any:
    x ^= x >> _U(33)
    x *= _U(0xFF51AFD7ED558CCD)
    x ^= x >> _U(33)
    x *= _U(0xC4CEB9FE1A85EC53)
    return x ^ (x >> _U(33))


@_compiled
def _hex8(x: Any) -> Any:
    """The 8 lower-case hex characters of 32 bits, first character in the lowest byte."""
    x = ((x & _U(0xFFFF)) << _U(32)) | (x >> _U(16))
    x = ((x & _U(0x000000FF000000FF)) << _U(16)) | ((x >> _U(8)) & _U(0x000000FF000000FF))
    x = ((x & _U(0x000F000F000F000F)) << _U(8)) | ((x >> _U(4)) & _U(0x000F000F000F000F))
    letters = ((x + _U(0x0606060606060606)) >> _U(4)) & _U(_EACH_BYTE)
    return x + _SOME_HEX + letters * _U(39)


@_compiled
def _not_hex(x: Any) -> Any:
    """Zero if all eight characters are of 0-9 and a-f."""
    proper = ((x + _FROM_0) & ~(x + _OVER_9)) | ((x + _FROM_A) & ~(x + _OVER_F))
    return (~proper | x) & _HIGH


@_compiled
def _murmur(a: Any, b: Any) -> Any:
    """MurmurHash3_x64_128 of 16 bytes, seed 9001."""
    c1 = _U(0x87C37B91114253D5)
    c2 = _U(0x4CF5AD432745937F)
    h1 = _rotl(_U(9001) ^ (_rotl(a * c1, 31) * c2), 27) + _U(9001)
    h1 = h1 * _U(5) + _U(0x52DCE729)
    h2 = _rotl(_U(9001) ^ (_rotl(b * c2, 33) * c1), 31) + h1
    h2 = h2 * _U(5) + _U(0x38495AB5)
    h1 ^= _U(16)
    h2 ^= _U(16)
    h1 += h2
    h2 += h1
    h1 = _fmix(h1)
    h2 = _fmix(h2)
    h1 += h2
    return h1, h2 + h1


@_compiled
def _value(h2: Any) -> Any:
    return np.uint8(min(_leading_zeros(h2), _U(62)) + _U(1))


@_compiled
def _hash_block(keys: Any, slots: Any, values: Any, mask: Any) -> None:
    for j in range(BLOCK):
        h1, h2 = _murmur(_hex8(keys[j] >> _U(32)), _hex8(keys[j] & _U(0xFFFFFFFF)))
        slots[j], values[j] = np.uint32(h1 & mask), _value(h2)


@_compiled
def _apply(registers: Any, slots: Any, values: Any, n: int) -> None:
    # Without a branch: a register that grows would be mispredicted each time (313 M keys/s against 250).
    for j in range(n):
        registers[slots[j]] = max(registers[slots[j]], values[j])


@_compiled
def raise_keys(registers: Values, keys: Keys) -> None:
    """Raise 2^lg_k registers by keys, each hashed as its 16 hex characters."""
    mask = _U(len(registers) - 1)
    slots = np.empty(BLOCK, np.uint32)
    values = np.empty(BLOCK, np.uint8)
    rest = np.zeros(BLOCK, np.uint64)
    whole = len(keys) // BLOCK * BLOCK
    for start in range(0, whole, BLOCK):
        _hash_block(keys[start : start + BLOCK], slots, values, mask)
        _apply(registers, slots, values, BLOCK)
    n = len(keys) - whole
    rest[:n] = keys[whole:]
    _hash_block(rest, slots, values, mask)
    _apply(registers, slots, values, n)


@_compiled
def _from_hex8(x: Any) -> Any:
    """The 32 bits that 8 lower-case hex characters write, first character in the lowest byte."""
    x = (x & _U(0x0F * _EACH_BYTE)) + ((x >> _SIX) & _U(_EACH_BYTE)) * _U(9)
    x = ((x << _U(4)) | (x >> _U(8))) & _U(0x00FF00FF00FF00FF)
    x = ((x << _U(8)) | (x >> _U(16))) & _U(0x0000FFFF0000FFFF)
    return ((x << _U(16)) | (x >> _U(32))) & _U(0xFFFFFFFF)


@_compiled
def read_keys(views: npt.NDArray[np.uint64], addresses: npt.NDArray[np.uint64], out: Keys) -> int:
    """Read keys written as text straight from Arrow string views; returns how many texts are no key.

    `views` (n, 2) as Arrow lays them out: length and prefix, then number and offset of a buffer; `addresses` of those
    buffers. A key is 16 characters of 0-9 and a-f; nothing is promised of `out` where a text is something else.
    """
    first = np.empty(BLOCK, np.uint64)
    second = np.empty(BLOCK, np.uint64)
    n_wrong = 0
    for start in range(0, len(views), BLOCK):
        n = min(BLOCK, len(views) - start)
        block = views[start : start + n]
        for j in range(n):
            if block[j, 0] & _U(0xFFFFFFFF) == _U(16):
                at = addresses[block[j, 1] & _U(0xFFFFFFFF)] + (block[j, 1] >> _U(32))
                first[j], second[j] = _word_at(at), _word_at(at + _U(8))
            else:  # Its text may be shorter, and one of up to 12 characters lies within its view, at no address.
                first[j], second[j] = _U(0), _U(0)
        for j in range(n):
            n_wrong += (_not_hex(first[j]) | _not_hex(second[j])) != _U(0)
            out[start + j] = (_from_hex8(first[j]) << _U(32)) | _from_hex8(second[j])
    return n_wrong


@_compiled
def _mixed(x: Any) -> Any:
    x = (x ^ (x >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> _U(27))) * _U(0x94D049BB133111EB)
    return x ^ (x >> _U(31))


@_compiled
def made_keys(first: Any, salt: Any, out: Keys) -> None:
    """Keys of people numbered from `first`: splitmix64, a bijection, so different people's differ."""
    for i in range(len(out)):
        out[i] = _mixed(salt + (_U(first) + _U(i)) * _U(0x9E3779B97F4A7C15))


@_compiled
def raise_made(registers: Values, first: Any, count: int, salt: Any) -> None:
    """Raise registers by `count` keys of `made_keys`, without writing them down."""
    mask = _U(len(registers) - 1)
    slots = np.empty(BLOCK, np.uint32)
    values = np.empty(BLOCK, np.uint8)
    keys = np.empty(BLOCK, np.uint64)
    for start in range(0, count, BLOCK):
        made_keys(_U(first) + _U(start), salt, keys)
        _hash_block(keys, slots, values, mask)
        _apply(registers, slots, values, min(BLOCK, count - start))


@_compiled
def coupons(keys: Keys, out: Coupons) -> None:
    """Coupons (value << 26 | address) of keys, each hashed as its 16 hex characters."""
    slots = np.empty(BLOCK, np.uint32)
    values = np.empty(BLOCK, np.uint8)
    block = np.zeros(BLOCK, np.uint64)
    for start in range(0, len(keys), BLOCK):
        n = min(BLOCK, len(keys) - start)
        block[:n] = keys[start : start + n]
        _hash_block(block, slots, values, _ADDRESS)
        for j in range(n):
            out[start + j] = np.uint32(values[j]) << np.uint32(26) | slots[j]


@_compiled
def raise_coupons(registers: Values, coupons: Coupons) -> None:
    """Raise registers by coupons."""
    mask = np.uint32(len(registers) - 1)
    for i in range(len(coupons)):
        slot = coupons[i] & mask
        value = np.uint8(coupons[i] >> np.uint32(26))
        registers[slot] = max(registers[slot], value)


@_compiled
def histogram(pairs: npt.NDArray[np.uint16], out: npt.NDArray[np.int64]) -> None:
    """Add to `out[v]` how many registers, given two at a time, hold v, which is at most 63."""
    # By pairs: most registers hold one of five values, and counting up has to wait for the last time.
    some = np.zeros((2, 1 << 14), np.int32)
    for i in range(0, len(pairs), 2):
        some[0, pairs[i] & np.uint16(63) | (pairs[i] >> np.uint16(8)) << np.uint16(6)] += 1
        some[1, pairs[i + 1] & np.uint16(63) | (pairs[i + 1] >> np.uint16(8)) << np.uint16(6)] += 1
    for both in range(1 << 12):
        out[both & 63] += some[0, both] + some[1, both]
        out[both >> 6] += some[0, both] + some[1, both]


@_compiled
def pack_nibbles(registers: Values, minimum: Any, out: Values) -> None:
    """Two registers a byte: what each has above the minimum, 15 where that is more."""
    for i in range(len(out)):
        low = registers[2 * i] - minimum
        high = registers[2 * i + 1] - minimum
        out[i] = min(low, np.uint8(15)) | min(high, np.uint8(15)) << np.uint8(4)


@_compiled
def unpack_nibbles(packed: Values, minimum: Any, out: Values) -> int:
    """The reverse; returns how many are 15."""
    marked = 0
    for i in range(len(packed)):
        low = packed[i] & np.uint8(15)
        high = packed[i] >> np.uint8(4)
        marked += (low == 15) + (high == 15)
        out[2 * i] = low + minimum
        out[2 * i + 1] = high + minimum
    return marked


@_compiled
def insert_keys(table: Keys, keys: Keys) -> int:
    """Insert keys into a set with open addressing, 2^b places and one more; returns how many were new.

    A place with 0 is free, so whether the key 0 is in the set stands in the place after the last.
    There must be a free place for each key.
    """
    mask = _U(len(table) - 2)
    new = 0
    for i in range(len(keys)):
        key = keys[i]
        if key == _U(0):
            new += table[len(table) - 1] == _U(0)
            table[len(table) - 1] = _U(1)
            continue
        at = _mixed(key) & mask
        while table[at] != key:
            if table[at] == _U(0):
                table[at] = key
                new += 1
                break
            at = (at + _U(1)) & mask
    return new


@_compiled
def recognise(table: npt.NDArray[np.uint64], prints: Keys, keys: Keys, codes: Values, late: npt.NDArray[np.int64]) -> Any:
    """Look fingerprints up in a table with open addressing and fill in key and code of those found.

    `table` (places, 2): 58 bits of a fingerprint and six of a code, and a key; 0 is free. What isn't
    there is inserted as `PENDING`. Returns how many rows have no key yet, which are written to
    `late`, and how many of them were inserted: `late` has these as ~row.
    """
    mask = _U(len(table) - 1)
    first = np.empty(BLOCK, np.uint64)
    n_late = 0
    n_new = 0
    for start in range(0, len(prints), BLOCK):
        n = min(BLOCK, len(prints) - start)
        block = prints[start : start + n]
        for j in range(n):  # Without a branch in between, the loads from memory overlap.
            first[j] = table[(block[j] >> _SIX) & mask, 0]
        for j in range(n):
            seen = block[j] & ~CODES
            at = (block[j] >> _SIX) & mask
            found = first[j]
            while found & ~CODES != seen or found == _U(0):
                found = table[at, 0]
                if found == _U(0):
                    break
                if found & ~CODES != seen:
                    at = (at + _U(1)) & mask
            if found & CODES > PENDING:
                keys[start + j], codes[start + j] = table[at, 1], np.uint8(found & CODES)
                continue
            late[n_late] = start + j
            if found == _U(0):
                table[at, 0] = seen | PENDING
                late[n_late] = ~(start + j)
                n_new += 1
            n_late += 1
    return n_late, n_new


@_compiled
def set_known(table: npt.NDArray[np.uint64], prints: Keys, keys: Keys, codes: Keys) -> None:
    """Set key and code of fingerprints that are in the table; one that isn't any more is left out."""
    mask = _U(len(table) - 1)
    for i in range(len(prints)):
        at = (prints[i] >> _SIX) & mask
        while table[at, 0] != _U(0):
            if table[at, 0] & ~CODES == prints[i] & ~CODES:
                table[at, 0] = (prints[i] & ~CODES) | codes[i]
                table[at, 1] = keys[i]
                break
            at = (at + _U(1)) & mask


@_compiled
def insert_known(table: npt.NDArray[np.uint64], known: npt.NDArray[np.uint64]) -> None:
    """Move rows of a smaller table into an empty larger one."""
    mask = _U(len(table) - 1)
    for i in range(len(known)):
        at = (known[i, 0] >> _SIX) & mask
        while table[at, 0] != _U(0):
            at = (at + _U(1)) & mask
        table[at, 0] = known[i, 0]
        table[at, 1] = known[i, 1]


@_compiled
def lowest_linked(lowest: npt.NDArray[np.uint32], one: npt.NDArray[np.uint32], other: npt.NDArray[np.uint32]) -> None:
    """Makes `lowest[i]`, which begins as i, the lowest number that is linked with i, directly or by others.

    A number's root is never higher than itself, so that at the end one pass in order finds all roots.
    """
    for i in range(len(one)):
        x = one[i]
        y = other[i]
        while lowest[x] != x:
            lowest[x] = lowest[lowest[x]]
            x = lowest[x]
        while lowest[y] != y:
            lowest[y] = lowest[lowest[y]]
            y = lowest[y]
        lowest[max(x, y)] = min(x, y)
    for i in range(len(lowest)):
        lowest[i] = lowest[lowest[i]]


@_compiled
def sort_by_cell(cells: npt.NDArray[np.int64], keys: Keys, starts: npt.NDArray[np.int64], out: Keys) -> None:
    """Keys by cell: those of cell c in `out[starts[c]:starts[c + 1]]`; -1 is no cell."""
    for i in range(len(cells)):
        if cells[i] >= 0:
            starts[cells[i] + 1] += 1
    for c in range(1, len(starts)):
        starts[c] += starts[c - 1]
    at = starts[:-1].copy()
    for i in range(len(cells)):
        if cells[i] >= 0:
            out[at[cells[i]]] = keys[i]
            at[cells[i]] += 1


@_compiled
def cells_of(
    days: npt.NDArray[np.int32],
    flags: Values,
    codes: Values,
    shape: tuple[int, int],
    cells: npt.NDArray[np.int64],
    left_out: npt.NDArray[np.int64],
) -> None:
    """The cell (day x audience x namespace) of each event; -1 where it is no user's of these days.

    `shape`: number of days and of namespaces; `days` count from the first; `flags`: 1 counts, 2 left
    out, 4 undecided, and 8 times the audience; `codes`: `FIRST_CODE` and more by namespace, less for nobody.
    `left_out` (day, 3) is added to: unidentified, undecided, left out.
    """
    for i in range(len(cells)):
        cells[i] = -1
        day = np.int64(days[i])
        if day < 0 or day >= shape[0]:
            continue
        flag = flags[i]
        left_out[day, 1] += (flag >> np.uint8(2)) & np.uint8(1)
        left_out[day, 2] += (flag >> np.uint8(1)) & np.uint8(1)
        if flag & np.uint8(1):
            if codes[i] >= FIRST_CODE:
                cells[i] = (day * 3 + np.int64(flag >> np.uint8(3))) * shape[1] + np.int64(codes[i] - FIRST_CODE)
            else:
                left_out[day, 0] += 1
