"""How far overlaps of sketches err, and how often their 95 % intervals hold the truth: the table tests/overlap_calibration.md.

`python -m tests.tools.overlap_calibration` prints the table (5 minutes). Made-up people are hashed for real. Sketches have as
many people a register as 100 million have at lgK 21; those at lgK 21 are coupons, but for one of the last rows' two. There
inclusion and exclusion takes ten times as long, and an eighth of the trials have it.
"""

import argparse
from collections.abc import Iterator, Sequence

from tests.support.overlaps import Case, Outcome
from tests.support.overlaps import outcomes as tried

SHARED = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
"""Shares of the smaller set that are in both."""
SIZES = (
    (16, 3_125_000, 3_125_000),
    (16, 3_125_000, 312_500),
    (16, 3_125_000, 31_250),
    (21, 100_000, 100_000),
    (21, 100_000, 10_000),
    (21, 100_000, 1_000),
    (21, 3_125_000, 31_250),
)
"""lgK and the two sizes."""


def outcomes(trials: int, sizes: Sequence[tuple[int, int, int]] = SIZES) -> Iterator[Outcome]:
    """One outcome for each sizes and share, in their order."""
    for lg_k, first, second in sizes:
        cases = [Case(lg_k, first, second, shared) for shared in SHARED]
        yield from tried(cases, trials, plain_trials=trials // 8 if lg_k == 21 else None)


def row(outcome: Outcome) -> str:
    """A line of the table."""
    case = outcome.case
    inside = [f"{outcome.covered[name]:.1%}" for name in ("common", "share_of_first", "share_of_second", "only_first")]
    error = f"{outcome.error / case.common:.2%} | {outcome.error:,.1f}"
    cells = (f"{case.lg_k} | {case.first:,} | {case.second:,} | {case.shared:.0%} | {outcome.trials}", *inside, error)
    return f"| {' | '.join(cells)} | {outcome.ratio:.2f} | {outcome.measurable:.0%} |"


def head() -> str:
    """The table's first two lines."""
    inside = [f"inside: {name}" for name in ("common", "share of the first", "share of the second", "only the first")]
    columns = ("lg_k", "first", "second", "shared of the smaller", "trials", *inside, "error of common", "error (people)")
    return f"| {' | '.join((*columns, 'beside inclusion-exclusion', 'measurable'))} |\n|{'---:|' * 13}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400, help="trials of each row")
    trials = parser.parse_args().trials
    print(head())
    for result in outcomes(trials):
        print(row(result), flush=True)


if __name__ == "__main__":
    main()
