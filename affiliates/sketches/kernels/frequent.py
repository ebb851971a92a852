"""Events whose key may be a notable part of its day's events, found without counting each key."""

import numpy as np
import numpy.typing as npt

from affiliates.sketches.arrays import Keys, Values
from affiliates.sketches.kernels.compiler import compiled

_BUCKETS = 1 << 16
_AUTOMATED = 2
_LEAST = 8
_SHARE = 1000
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: it spreads the days over the buckets (Knuth, The Art of Computer Programming 3, 6.4)."""


@compiled
def frequent_rows(
    days: npt.NDArray[np.int32],
    flags: Values,
    codes: Values,
    keys: Keys,
    n_days: int,
    first_code: int,
    rows: npt.NDArray[np.int64],
) -> int:
    """Write to `rows` the numbers of the events whose key may have over 8 events and over a thousandth of its day's.

    `first_code`: codes from it on are namespaces' (`cells.FIRST_CODE`). Returns how many rows there are. Events count as in
    `cells.cells_of`; those of automated users don't. A bucket holds many keys of many days, so a key is found for certain where
    it has three times the average bucket more.
    """
    counts = np.zeros(_BUCKETS, np.int64)
    by_day = np.zeros(n_days, np.int64)
    judged = 0
    for i in range(len(keys)):
        day = np.int64(days[i])
        if 0 <= day < n_days and flags[i] & np.uint8(1) and codes[i] >= first_code and flags[i] >> np.uint8(3) != _AUTOMATED:
            counts[(keys[i] ^ (np.uint64(day) * _SPREAD)) >> np.uint64(48)] += 1
            by_day[day] += 1
            judged += 1
    usual = 3 * judged // _BUCKETS
    n_rows = 0
    # Most batches have no such key: then the second pass is saved.
    if not judged or counts.max() <= _LEAST + usual + by_day.min() // _SHARE:
        return n_rows
    for i in range(len(keys)):
        day = np.int64(days[i])
        if 0 <= day < n_days and flags[i] & np.uint8(1) and codes[i] >= first_code and flags[i] >> np.uint8(3) != _AUTOMATED:
            bucket = (keys[i] ^ (np.uint64(day) * _SPREAD)) >> np.uint64(48)
            if counts[bucket] > _LEAST + usual + by_day[day] // _SHARE:
                rows[n_rows] = i
                n_rows += 1
    return n_rows
