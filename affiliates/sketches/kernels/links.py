"""Which identifiers belong together, by links between two of them."""

import numpy as np
import numpy.typing as npt

from affiliates.sketches.kernels.compiler import compiled


@compiled
def lowest_linked(lowest: npt.NDArray[np.uint32], one: npt.NDArray[np.uint32], other: npt.NDArray[np.uint32]) -> None:
    """Make `lowest[i]`, which is i to begin with, the lowest number that is linked with i, directly or by others.

    `one` and `other` are linked row by row. The way is a union-find with paths halved (Tarjan and van Leeuwen 1984): a number
    points to a lower one, or to itself where the number is its set's root.
    """
    for i in range(len(one)):
        root = one[i]
        other_root = other[i]
        while lowest[root] != root:
            lowest[root] = lowest[lowest[root]]
            root = lowest[root]
        while lowest[other_root] != other_root:
            lowest[other_root] = lowest[lowest[other_root]]
            other_root = lowest[other_root]
        # The lower root stays a root, so a cluster is known by its smallest number whatever the order of links.
        lowest[max(root, other_root)] = min(root, other_root)
    # A number never points to a higher one: those before it are done, so one pass in order finds all roots.
    for i in range(len(lowest)):
        lowest[i] = lowest[lowest[i]]
