"""Events by cell, and the keys of each cell side by side. A cell is a day, an audience and a namespace, as one number."""

import numpy as np
import numpy.typing as npt

from affiliates.sketches.arrays import Keys, Values
from affiliates.sketches.kernels.compiler import compiled

FIRST_CODE = np.uint8(3)
"""The code of a user in the first namespace, which the codes of the others follow; a lower code is nobody's."""

_AUDIENCES = 3


@compiled
def sort_by_cell(cells: npt.NDArray[np.int64], keys: Keys, starts: npt.NDArray[np.int64], out: Keys) -> None:
    """Write keys to `out` cell by cell, each cell's in `out[starts[cell] : starts[cell + 1]]`; the cell -1 is left out.

    `starts` is zeros to begin with, one more than there are cells. `out` is as long as `keys`.
    """
    # By counting, in two passes: cells are few, and a sort would compare.
    for i in range(len(cells)):
        if cells[i] >= 0:
            starts[cells[i] + 1] += 1
    for cell in range(1, len(starts)):
        starts[cell] += starts[cell - 1]
    free = starts[:-1].copy()
    for i in range(len(cells)):
        if cells[i] >= 0:
            out[free[cells[i]]] = keys[i]
            free[cells[i]] += 1


@compiled
def cells_of(
    days: npt.NDArray[np.int32],
    flags: Values,
    codes: Values,
    shape: tuple[int, int],
    cells: npt.NDArray[np.int64],
    left_out: npt.NDArray[np.int64],
) -> None:
    """Write the cell of each event to `cells`; -1 where the event is no user's of these days. One row an event.

    `days`: days since the first day. `flags`: 1 for an event that counts, 2 left out, 4 undecided, and 8 times the number of
    the audience. `codes`: `FIRST_CODE` and more by namespace, less for nobody. `shape`: number of days and of namespaces.
    To `left_out` (days, 3) the numbers of events that are unidentified, undecided and left out are added.
    """
    for i in range(len(cells)):
        cells[i] = -1
        day = np.int64(days[i])
        # -1 is an event without a day; a day of a file may also lie outside the days that are asked for.
        if day < 0 or day >= shape[0]:
            continue
        flag = flags[i]
        left_out[day, 1] += (flag >> np.uint8(2)) & np.uint8(1)
        left_out[day, 2] += (flag >> np.uint8(1)) & np.uint8(1)
        if flag & np.uint8(1):
            if codes[i] >= FIRST_CODE:
                cells[i] = (day * _AUDIENCES + np.int64(flag >> np.uint8(3))) * shape[1] + np.int64(codes[i] - FIRST_CODE)
            else:
                left_out[day, 0] += 1
