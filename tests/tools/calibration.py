"""How often the 95 % interval holds the truth, and how wide it is: `make calibration`.

Distinct keys are hashed and absorbed for real at lg_k 21 and folded to 16 and 12; each figure is
rounded as it is published (lower bound down, upper bound up). One row a size and lg_k.
"""

import argparse
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from affiliates.sketches.registers import Absorber, Registers, standard_error

SIZES = tuple(10**e for e in range(3, 9))
LG_KS = (21, 16, 12)
BLOCK = 1 << 20


@dataclass(frozen=True)
class Row:
    """One line of the table: how the interval did over all seeds of one size and lg_k."""

    size: int
    lg_k: int
    seeds: int
    covered: int
    mean_error: float
    """Of the estimate, in standard errors."""
    most_width: float
    """Of the interval less 2 people, in standard errors of the estimate."""

    @property
    def coverage(self) -> float:
        return self.covered / self.seeds


def sketch(size: int, seed: int) -> Registers:
    """Registers of `size` distinct keys that no other seed has."""
    absorber = Absorber(max(LG_KS))
    first = seed << 32
    for start in range(first, first + size, BLOCK):
        absorber.absorb(np.arange(start, min(start + BLOCK, first + size), dtype=np.uint64))
    return absorber.registers()


def outcomes(size: int, seed: int) -> Iterator[tuple[int, bool, float, float]]:
    registers = sketch(size, seed)
    for lg_k in LG_KS:
        registers = registers.fold(lg_k)
        estimate, lower, upper = registers.bounds()
        low, high, error = math.floor(lower), math.ceil(upper), standard_error(lg_k, size)
        width = (high - low - 2) / standard_error(lg_k, estimate)
        yield lg_k, low <= size <= high, (estimate - size) / error, width


def calibrate(sizes: tuple[int, ...] = SIZES, small: int = 2000, large: int = 200) -> list[Row]:
    """`small` seeds for each size up to 10^7 and `large` above."""
    rows = []
    for size in sizes:
        seeds = small if size <= 10**7 else large
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda seed, size=size: list(outcomes(size, seed)), range(1, seeds + 1)))
        for i, lg_k in enumerate(LG_KS):
            each = [f[i] for f in found]
            rows.append(Row(
                size, lg_k, seeds, sum(o[1] for o in each), float(np.mean([o[2] for o in each])), max(o[3] for o in each)
            ))  # fmt: skip
    return rows


def table(rows: list[Row]) -> str:
    columns = "people", "lg_k", "seeds", "inside the 95 % interval", "mean error (s.e.)", "widest, less 2 people (s.e.)"
    head = f"| {' | '.join(columns)} |\n"
    lines = [f"| {r.size:,} | {r.lg_k} | {r.seeds} | {r.coverage:.1%} | {r.mean_error:+.2f} | {r.most_width:.2f} |" for r in rows]
    return head + "|---:|---:|---:|---:|---:|---:|\n" + "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=2000, help="seeds for each size up to 10^7")
    parser.add_argument("--large", type=int, default=200, help="seeds for each size above")
    chosen = parser.parse_args()
    print(table(calibrate(small=chosen.small, large=chosen.large)))
