"""How often each pair of values stands in two sketches' registers, and coupons as registers of their whole addresses."""

import numpy as np
import numpy.typing as npt

from affiliates.sketches.arrays import Coupons, Values
from affiliates.sketches.kernels.compiler import compiled

Counts = npt.NDArray[np.int64]
_ADDRESS = np.uint32(0x3FFFFFF)


@compiled
def pair_counts(first: Values, second: Values, out: Counts) -> None:
    """Add to `out[k * 64 + l]` how many registers hold k in the first sketch and l in the second; both of an even number."""
    # By turns in two tables: most registers have one of few pairs, and a count can't go up before it has gone up the last time.
    counts = np.zeros((2, 1 << 12), np.int32)
    for i in range(0, len(first), 2):
        counts[0, (np.int64(first[i]) & 63) << 6 | np.int64(second[i]) & 63] += 1
        counts[1, (np.int64(first[i + 1]) & 63) << 6 | np.int64(second[i + 1]) & 63] += 1
    for both in range(1 << 12):
        out[both] += counts[0, both] + counts[1, both]


@compiled
def by_address(coupons: Coupons, out: Coupons) -> int:
    """Write coupons (value << 26 | address) to `out` by address, each address once, with its greatest value; returns how many.

    `coupons` are in the order of their values, and changed; `out` is as long.
    """
    half = np.uint32(0x1FFF)
    one = coupons
    other = out
    # In two passes by half an address: each keeps the order before, so that an address's greatest value comes last.
    for shift in (np.uint32(0), np.uint32(13)):
        free = np.zeros(8193, np.int64)
        for i in range(len(one)):
            free[((one[i] >> shift) & half) + 1] += 1
        for digit in range(8192):
            free[digit + 1] += free[digit]
        for i in range(len(one)):
            digit = (one[i] >> shift) & half
            other[free[digit]] = one[i]
            free[digit] += 1
        one, other = other, one
    n = 0
    for i in range(len(one)):
        if i + 1 == len(one) or (one[i] ^ one[i + 1]) & _ADDRESS:
            out[n] = one[i]
            n += 1
    return n


@compiled
def pair_counts_of_few(first: Coupons, second: Coupons, out: Counts) -> None:
    """As `pair_counts`, of 2^26 registers that few people raised, as `by_address` gives them.

    `out[0]`, registers that neither raised, isn't counted.
    """
    i = 0
    j = 0
    while i < len(first) or j < len(second):
        address = first[i] & _ADDRESS if i < len(first) else np.uint32(1 << 26)
        other = second[j] & _ADDRESS if j < len(second) else np.uint32(1 << 26)
        one_value = np.int64(0)
        other_value = np.int64(0)
        if address <= other:
            one_value = np.int64(first[i] >> np.uint32(26))
            i += 1
        if other <= address:
            other_value = np.int64(second[j] >> np.uint32(26))
            j += 1
        out[one_value << 6 | other_value] += 1
