"""The table from an identifier's fingerprint to the identifier's key: look up, fill in, and move to a larger table.

A table has 2^b rows of two words. The first word is 58 bits of a fingerprint and six bits of a code, the second is the key; a
first word of 0 is a free row. A fingerprint stands at the row that its own lowest bits name, or at the next free one (open
addressing). The code says in which namespace the key is, or that the identifier is nobody's; `cells.FIRST_CODE` is the first
namespace's.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from affiliates.sketches.arrays import Keys, Values
from affiliates.sketches.kernels.compiler import compiled

BLOCK = 256
"""Rows looked up at a time."""
CODES = np.uint64(63)
"""The bits of a code in the first word."""
PENDING = np.uint64(1)
"""The code of a fingerprint that is in the table already, and whose key isn't known yet."""

_U = np.uint64
_SIX = _U(6)


@compiled
def recognise(table: npt.NDArray[np.uint64], prints: Keys, keys: Keys, codes: Values, late: npt.NDArray[np.int64]) -> Any:
    """Look fingerprints up, and fill in `keys` and `codes` of those that the table has with a key.

    A fingerprint that the table lacks is inserted as `PENDING`; there must be a free row for each. Rows without a key yet are
    written to `late`: as row where another row or thread has inserted the fingerprint, as ~row where this row has.

    Returns how many rows were written to `late`, and how many of them were inserted.
    """
    mask = _U(len(table) - 1)
    first = np.empty(BLOCK, np.uint64)
    n_late = 0
    n_new = 0
    for start in range(0, len(prints), BLOCK):
        n = min(BLOCK, len(prints) - start)
        block = prints[start : start + n]
        for i in range(n):  # Without a branch in between, the loads from memory overlap.
            first[i] = table[(block[i] >> _SIX) & mask, 0]
        for i in range(n):
            # The lowest six bits of a fingerprint give way to the code: the other 58 tell fingerprints apart.
            wanted = block[i] & ~CODES
            at = (block[i] >> _SIX) & mask
            entry = first[i]
            # A row that was free when the block was loaded may be taken since: then it is read again.
            while entry & ~CODES != wanted or entry == _U(0):
                entry = table[at, 0]
                if entry == _U(0):
                    break
                if entry & ~CODES != wanted:
                    at = (at + _U(1)) & mask
            if entry & CODES > PENDING:
                keys[start + i] = table[at, 1]
                codes[start + i] = np.uint8(entry & CODES)
                continue
            late[n_late] = start + i
            if entry == _U(0):
                table[at, 0] = wanted | PENDING
                late[n_late] = ~(start + i)
                n_new += 1
            n_late += 1
    return n_late, n_new


@compiled
def set_known(table: npt.NDArray[np.uint64], prints: Keys, keys: Keys, codes: Keys) -> None:
    """Set key and code of fingerprints that are in the table; one that isn't any more is left out."""
    mask = _U(len(table) - 1)
    for i in range(len(prints)):
        at = (prints[i] >> _SIX) & mask
        # The table may have been emptied by another thread since the fingerprint was inserted.
        while table[at, 0] != _U(0):
            if table[at, 0] & ~CODES == prints[i] & ~CODES:
                table[at, 0] = (prints[i] & ~CODES) | codes[i]
                table[at, 1] = keys[i]
                break
            at = (at + _U(1)) & mask


@compiled
def insert_known(table: npt.NDArray[np.uint64], entries: npt.NDArray[np.uint64]) -> None:
    """Move the taken rows of a smaller table into an empty larger one."""
    mask = _U(len(table) - 1)
    for i in range(len(entries)):
        # No fingerprint is compared: those of one table all differ.
        at = (entries[i, 0] >> _SIX) & mask
        while table[at, 0] != _U(0):
            at = (at + _U(1)) & mask
        table[at, 0] = entries[i, 0]
        table[at, 1] = entries[i, 1]
