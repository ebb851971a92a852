"""The 95 % interval of a deal, against deals whose truth is counted. `python -m tests.tools.whatif_calibration`: more."""

from pathlib import Path
from statistics import mean

from tests.tools.whatif_calibration import KINDS, calibrate


def test_the_interval_holds_the_truth_and_isnt_wider_than_the_ranges_force(tmp_path: Path) -> None:
    """Too narrow, and a deal carries the group over the threshold unseen; too wide, and nobody can decide by it."""
    outcomes = calibrate(200, tmp_path)
    assert {outcome.kind for outcome in outcomes} == set(KINDS)
    assert 0.93 <= mean(outcome.held for outcome in outcomes) <= 0.99
    assert max(outcome.ratio for outcome in outcomes) <= 1.5
    assert min(outcome.ratio for outcome in outcomes) >= 0.95
