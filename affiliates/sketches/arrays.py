"""The types of the arrays that hold keys and sketches. No numba is imported here, and no datasketches."""

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
"""Person keys or fingerprints, one a row."""
Coupons = npt.NDArray[np.uint32]
"""Coupons of keys, one a row: value << 26 | address, with an address of 26 bits and a value from 1 to 63."""
Values = npt.NDArray[np.uint8]
"""Registers by slot, each 0 to 63, or other small numbers, one a row."""
