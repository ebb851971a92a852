"""The 95 % interval holds the truth as often as it says, and isn't wider than it need be."""

import math

from tests.tools.calibration import calibrate


def test_coverage_and_width_at_every_size_and_lg_k() -> None:
    """`make calibration` has the long version; here 200 seeds up to 10^5, 60 at 10^6 and 6 at 10^7."""
    rows = calibrate((1_000, 10_000, 100_000), small=200) + calibrate((1_000_000,), small=60) + calibrate((10_000_000,), small=6)
    for row in rows:
        # At 96 % true coverage, fewer than this many inside would be an event of one in ten thousand.
        expected, spread = 0.96 * row.seeds, math.sqrt(0.96 * 0.04 * row.seeds)
        assert row.covered >= expected - 3.8 * spread, row
        assert row.most_width <= 4.2, row
        assert abs(row.mean_error) < 4 / math.sqrt(row.seeds) + 0.1, row
    assert sum(r.covered for r in rows) >= 0.95 * sum(r.seeds for r in rows)
