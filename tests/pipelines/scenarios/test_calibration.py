"""The 95 % interval of a deal, against deals whose truth is counted. `python -m tests.tools.whatif_calibration`: more."""

from collections.abc import Callable, Iterator
from statistics import mean

import pytest

from tests.tools.whatif_calibration import KINDS, Outcome, calibrated

Calibrate = Callable[..., list[Outcome]]


@pytest.fixture(scope="module")
def calibrate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calibrate]:
    with calibrated(tmp_path_factory.mktemp("calibration")) as made:
        yield made


@pytest.mark.parametrize("grown", ["not grown", "by a range"])
def test_the_interval_holds_the_truth_and_isnt_wider_than_the_ranges_force(calibrate: Calibrate, grown: str) -> None:
    """Too narrow, and a deal carries the group over the threshold unseen; too wide, and nobody can decide by it.

    Deals close in the base month, or up to a year ahead in a group that has grown by then.
    """
    outcomes = calibrate(200, grown)
    assert {outcome.kind for outcome in outcomes} == set(KINDS)
    assert 0.93 <= mean(outcome.held for outcome in outcomes) <= 0.99
    assert max(outcome.ratio for outcome in outcomes) <= 1.5
    assert min(outcome.ratio for outcome in outcomes) >= 0.95


def test_the_interval_holds_the_truth_where_the_group_grows_by_its_series(calibrate: Calibrate) -> None:
    """Nobody states this growth: it is learnt from 24 months, and costs more width than a walk whose drift is known."""
    outcomes = calibrate(60, "by its series")
    assert 0.93 <= mean(outcome.held for outcome in outcomes) <= 0.99
    assert mean(outcome.ratio for outcome in outcomes) <= 1.5
