"""Registers: how often each value stands in them, and two of them a byte, as HLL_4 images have them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from affiliates.sketches.arrays import Values
from affiliates.sketches.kernels.compiler import compiled


@compiled
def histogram(pairs: npt.NDArray[np.uint16], out: npt.NDArray[np.int64]) -> None:
    """Add to `out[v]`, for v from 0 to 63, how many registers hold v; `pairs` are registers two at a time, of an even number."""
    # By pairs and by turns: most registers hold one of five values, and a count can't go up before it has gone up the last time.
    counts = np.zeros((2, 1 << 14), np.int32)
    for i in range(0, len(pairs), 2):
        counts[0, pairs[i] & np.uint16(63) | (pairs[i] >> np.uint16(8)) << np.uint16(6)] += 1
        counts[1, pairs[i + 1] & np.uint16(63) | (pairs[i + 1] >> np.uint16(8)) << np.uint16(6)] += 1
    for both in range(1 << 12):
        out[both & 63] += counts[0, both] + counts[1, both]
        out[both >> 6] += counts[0, both] + counts[1, both]


@compiled
def pack_nibbles(registers: Values, minimum: Any, out: Values) -> None:
    """Write two registers a byte, the first in the lower half: what each has above the minimum, or 15 where that is more."""
    for i in range(len(out)):
        low = registers[2 * i] - minimum
        high = registers[2 * i + 1] - minimum
        out[i] = min(low, np.uint8(15)) | min(high, np.uint8(15)) << np.uint8(4)


@compiled
def unpack_nibbles(packed: Values, minimum: Any, out: Values) -> int:
    """Write the registers of bytes of `pack_nibbles`, and return how many halves are 15: their values lie elsewhere."""
    marked = 0
    for i in range(len(packed)):
        low = packed[i] & np.uint8(15)
        high = packed[i] >> np.uint8(4)
        marked += (low == 15) + (high == 15)
        out[2 * i] = low + minimum
        out[2 * i + 1] = high + minimum
    return marked
