"""From keys to sketches: hashes, coupons, registers, and a set of the keys while they are few.

The hash is the one of Apache DataSketches, so that its readers take our sketches for their own: MurmurHash3_x64_128 with seed
9001, here of a key's 16 lower-case hex characters. Of the hash's two words the first gives the slot, and the leading zeros of
the second give the value.
"""

from typing import Any

import numpy as np

from affiliates.sketches.arrays import Coupons, Keys, Values
from affiliates.sketches.kernels.compiler import compiled, machine_instruction

BLOCK = 256
"""Keys hashed at a time before any of them is applied. So the compiler hashes eight at once (660 million a second against 150
on the machine of `make bench`), and the loads of their registers overlap."""

_U = np.uint64
_SEED = _U(9001)
_ADDRESS = _U(0x3FFFFFF)
_EACH_BYTE = 0x0101010101010101
_SOME_HEX = _U(0x30 * _EACH_BYTE)


@machine_instruction
def _leading_zeros(context: Any, x: Any) -> Any:
    """LLVM's count of leading zeros, which it computes for eight numbers at once."""
    from llvmlite import ir
    from numba import types

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


# A helper's arguments have no types: numba takes those of the loop that calls the helper.
@compiled
def _rotl(x: Any, bits: int) -> Any:
    """64 bits, turned to the left."""
    return (x << _U(bits)) | (x >> _U(64 - bits))


@compiled
def _fmix(x: Any) -> Any:
    """MurmurHash3's last step: each bit of 64 comes to depend on every other."""
    x ^= x >> _U(33)
    x *= _U(0xFF51AFD7ED558CCD)
    x ^= x >> _U(33)
    x *= _U(0xC4CEB9FE1A85EC53)
    return x ^ (x >> _U(33))


@compiled
def _hex8(x: Any) -> Any:
    """The 8 lower-case hex characters of 32 bits, first character in the lowest byte."""
    x = ((x & _U(0xFFFF)) << _U(32)) | (x >> _U(16))
    x = ((x & _U(0x000000FF000000FF)) << _U(16)) | ((x >> _U(8)) & _U(0x000000FF000000FF))
    x = ((x & _U(0x000F000F000F000F)) << _U(8)) | ((x >> _U(4)) & _U(0x000F000F000F000F))
    # A half byte of 10 or more carries into the high half of its byte when 6 is added: it is a letter, 39 places further on.
    letters = ((x + _U(0x0606060606060606)) >> _U(4)) & _U(_EACH_BYTE)
    return x + _SOME_HEX + letters * _U(39)


@compiled
def _murmur(first: Any, second: Any) -> Any:
    """MurmurHash3_x64_128 of 16 bytes, given as two words: the hash's two words (Austin Appleby, public domain)."""
    c1 = _U(0x87C37B91114253D5)
    c2 = _U(0x4CF5AD432745937F)
    h1 = _rotl(_SEED ^ (_rotl(first * c1, 31) * c2), 27) + _SEED
    h1 = h1 * _U(5) + _U(0x52DCE729)
    h2 = _rotl(_SEED ^ (_rotl(second * c2, 33) * c1), 31) + h1
    h2 = h2 * _U(5) + _U(0x38495AB5)
    # The length in bytes; no byte is left over after whole blocks of 16, so the tail's step falls away.
    h1 ^= _U(16)
    h2 ^= _U(16)
    h1 += h2
    h2 += h1
    h1 = _fmix(h1)
    h2 = _fmix(h2)
    h1 += h2
    return h1, h2 + h1


@compiled
def _value(h2: Any) -> Any:
    """A register's value: leading zeros and 1, at most 63, so that six bits hold the value."""
    return np.uint8(min(_leading_zeros(h2), _U(62)) + _U(1))


@compiled
def _hash_block(keys: Any, slots: Any, values: Any, mask: Any) -> None:
    """Write slot and value of `BLOCK` keys; `mask` says which of a hash's bits are the slot."""
    # Always a whole block: with a number known beforehand the compiler needs no rest of fewer than eight.
    for i in range(BLOCK):
        h1, h2 = _murmur(_hex8(keys[i] >> _U(32)), _hex8(keys[i] & _U(0xFFFFFFFF)))
        slots[i] = np.uint32(h1 & mask)
        values[i] = _value(h2)


@compiled
def _apply(registers: Any, slots: Any, values: Any, n: int) -> None:
    """Raise registers by the first `n` slots and values of a block."""
    # Without a branch: a test would be mispredicted each time a register grows (1.5 ns a key by `max`, 3.7 mispredicted).
    for i in range(n):
        registers[slots[i]] = max(registers[slots[i]], values[i])


@compiled
def raise_keys(registers: Values, keys: Keys) -> None:
    """Raise 2^lg_k registers by keys, each hashed as its 16 hex characters; keys may repeat, in any order."""
    mask = _U(len(registers) - 1)
    slots = np.empty(BLOCK, np.uint32)
    values = np.empty(BLOCK, np.uint8)
    rest = np.zeros(BLOCK, np.uint64)
    whole = len(keys) // BLOCK * BLOCK
    for start in range(0, whole, BLOCK):
        _hash_block(keys[start : start + BLOCK], slots, values, mask)
        _apply(registers, slots, values, BLOCK)
    # What fills the last block up is hashed, too, and never applied.
    n = len(keys) - whole
    rest[:n] = keys[whole:]
    _hash_block(rest, slots, values, mask)
    _apply(registers, slots, values, n)


@compiled
def _mixed(x: Any) -> Any:
    """splitmix64's last step (Sebastiano Vigna, public domain): a bijection of 64 bits that leaves no order to be seen."""
    x = (x ^ (x >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> _U(27))) * _U(0x94D049BB133111EB)
    return x ^ (x >> _U(31))


@compiled
def simulated_keys(first: Any, salt: Any, out: Keys) -> None:
    """Fill `out` with keys of simulated people, numbered from `first`; under one salt, different people have different keys.

    The keys are those of the generator splitmix64, started at `salt`.
    """
    for i in range(len(out)):
        out[i] = _mixed(salt + (_U(first) + _U(i)) * _U(0x9E3779B97F4A7C15))


@compiled
def raise_simulated(registers: Values, first: Any, count: int, salt: Any) -> None:
    """Raise registers by `count` keys of `simulated_keys`, block by block: no array holds all of them."""
    mask = _U(len(registers) - 1)
    slots = np.empty(BLOCK, np.uint32)
    values = np.empty(BLOCK, np.uint8)
    keys = np.empty(BLOCK, np.uint64)
    for start in range(0, count, BLOCK):
        simulated_keys(_U(first) + _U(start), salt, keys)
        _hash_block(keys, slots, values, mask)
        _apply(registers, slots, values, min(BLOCK, count - start))


@compiled
def coupons(keys: Keys, out: Coupons) -> None:
    """Fill `out` with the coupons (value << 26 | address) of keys, each hashed as its 16 hex characters; as long as `keys`."""
    slots = np.empty(BLOCK, np.uint32)
    values = np.empty(BLOCK, np.uint8)
    block = np.zeros(BLOCK, np.uint64)
    for start in range(0, len(keys), BLOCK):
        n = min(BLOCK, len(keys) - start)
        block[:n] = keys[start : start + n]
        _hash_block(block, slots, values, _ADDRESS)
        for i in range(n):
            out[start + i] = np.uint32(values[i]) << np.uint32(26) | slots[i]


@compiled
def raise_coupons(registers: Values, coupons: Coupons) -> None:
    """Raise 2^lg_k registers by coupons: a slot is the lowest lg_k bits of an address, in sketches of each lg_k."""
    mask = np.uint32(len(registers) - 1)
    for i in range(len(coupons)):
        slot = coupons[i] & mask
        value = np.uint8(coupons[i] >> np.uint32(26))
        registers[slot] = max(registers[slot], value)


@compiled
def insert_keys(table: Keys, keys: Keys) -> int:
    """Insert keys into a set with open addressing, and return how many were new.

    `table` has 2^b places and one more. A place with 0 is free, so the one more says whether the key 0 is in the set. There
    must be a free place for each key: else the loop would never end.
    """
    mask = _U(len(table) - 2)
    new = 0
    for i in range(len(keys)):
        key = keys[i]
        if key == _U(0):
            new += table[len(table) - 1] == _U(0)
            table[len(table) - 1] = _U(1)
            continue
        # Mixed: nobody promises that the lowest bits of ready keys differ, and alike ones would pile up.
        at = _mixed(key) & mask
        while table[at] != key:
            if table[at] == _U(0):
                table[at] = key
                new += 1
                break
            at = (at + _U(1)) & mask
    return new
