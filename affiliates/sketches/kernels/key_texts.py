"""Keys that are written as text: 16 lower-case hex characters each, read straight from polars' memory."""

from typing import Any

import numpy as np
import numpy.typing as npt

from affiliates.sketches.arrays import Keys
from affiliates.sketches.kernels.compiler import compiled, machine_instruction

BLOCK = 256
"""Texts at a time: their bytes are gathered first, one by one, and then checked and read eight at once."""
_U = np.uint64
_EACH_BYTE = 0x0101010101010101
# For `_not_hex`: a byte's highest bit is set by adding the first of a pair where the byte is at or above a range's first
# character, and by adding the second where the byte is above the range's last.
_HIGH = _U(0x80 * _EACH_BYTE)
_FROM_0 = _U(0x50 * _EACH_BYTE)
_OVER_9 = _U(0x46 * _EACH_BYTE)
_FROM_A = _U(0x1F * _EACH_BYTE)
_OVER_F = _U(0x19 * _EACH_BYTE)


@machine_instruction
def _word_at(context: Any, address: Any) -> Any:
    """The eight bytes at an address, which needn't be a multiple of eight."""
    from llvmlite import ir
    from numba import types

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        loaded = builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()))
        loaded.align = 1  # Else LLVM may choose an instruction that ends the process where the address is no multiple.
        return loaded

    return types.uint64(types.uint64), generate


@compiled
def _not_hex(x: Any) -> Any:
    """Zero where all eight characters are of 0-9 and a-f; no character below 128 carries into the next."""
    proper = ((x + _FROM_0) & ~(x + _OVER_9)) | ((x + _FROM_A) & ~(x + _OVER_F))
    # A character of 128 and more has the highest bit itself, whatever its neighbour carried into the sums.
    return (~proper | x) & _HIGH


@compiled
def _from_hex8(x: Any) -> Any:
    """The 32 bits that 8 lower-case hex characters write, first character in the lowest byte."""
    # A letter's half byte counts from 1, and bit 6 is set in letters alone.
    x = (x & _U(0x0F * _EACH_BYTE)) + ((x >> _U(6)) & _U(_EACH_BYTE)) * _U(9)
    x = ((x << _U(4)) | (x >> _U(8))) & _U(0x00FF00FF00FF00FF)
    x = ((x << _U(8)) | (x >> _U(16))) & _U(0x0000FFFF0000FFFF)
    return ((x << _U(16)) | (x >> _U(32))) & _U(0xFFFFFFFF)


@compiled
def read_keys(views: npt.NDArray[np.uint64], addresses: npt.NDArray[np.uint64], out: Keys) -> int:
    """Read keys that are written as text into `out`, and return how many of the texts are no key.

    `views` (n, 2) lie as Arrow's string views do: length and prefix in the first word, number and offset of a buffer in the
    second. `addresses` are those of the buffers. A key is 16 characters of 0-9 and a-f; where a text is something else, `out`
    holds any number.
    """
    first = np.empty(BLOCK, np.uint64)
    second = np.empty(BLOCK, np.uint64)
    n_wrong = 0
    for start in range(0, len(views), BLOCK):
        n = min(BLOCK, len(views) - start)
        block = views[start : start + n]
        for i in range(n):
            if block[i, 0] & _U(0xFFFFFFFF) == _U(16):
                at = addresses[block[i, 1] & _U(0xFFFFFFFF)] + (block[i, 1] >> _U(32))
                first[i] = _word_at(at)
                second[i] = _word_at(at + _U(8))
            else:  # A text of up to 12 characters lies within its view, at no address; zeros are no hex characters.
                first[i] = _U(0)
                second[i] = _U(0)
        for i in range(n):
            n_wrong += (_not_hex(first[i]) | _not_hex(second[i])) != _U(0)
            out[start + i] = (_from_hex8(first[i]) << _U(32)) | _from_hex8(second[i])
    return n_wrong
