"""Whatever people do to a group directory, in whatever order: no complete figure lies below the truth without a word.

Each part of mauwatch believes what another has checked. What would silently go wrong lies between them: a clock that was ahead
makes a day settle before its late events, a restored database forgets a correction whose file is in the inbox still. 2,000
sequences of ten steps are `python -m tests.tools.sequences`; here are a few, and each that once ended silently low.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.sequences import play, play_steps

SEEDS = range(14)
FOUND = {
    "another crosswalk joins three people into one": (3, ["run", "hand in", "crosswalk collapsed", "run", "hand in"]),
    "a month lacks days that were counted": (10062, ["run", "hand in", "life begins later", "by month"]),
    "a month lacks people of its days": (1, ["run", "hand in", "by month", "a day of the app lost", "run"]),
    "another definition, and nobody left": (5300, ["run", "another definition", "a day of the app lost", "hand in"]),
}
"""Seeds and steps of sequences that once ended silently low, without the steps that didn't matter."""


@pytest.mark.parametrize("seed", SEEDS)
def test_no_complete_figure_is_silently_low(seed: int, tmp_path: Path) -> None:
    outcome = play(seed, tmp_path)
    assert not outcome.silently_low, outcome


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_mended(name: str, tmp_path: Path) -> None:
    seed, steps = FOUND[name]
    outcome = play_steps(steps, tmp_path, seed)
    assert not outcome.silently_low, outcome


def test_the_truth_is_counted_where_nothing_goes_wrong(tmp_path: Path) -> None:
    """A harness that calls every figure right, or says something of each, would find nothing."""
    outcome = play_steps(["run", "hand in", "late events", "days pass", "run", "late events at the edge", "hand in"], tmp_path)
    assert outcome.kind == "complete, right, silent"


def test_the_harness_sees_a_low_figure(tmp_path: Path) -> None:
    """Events that are lost after they were counted stay in the truth: without a word, the low estimate would fail the test."""
    outcome = play_steps(["run", "hand in", "a day of the app lost", "run"], tmp_path)
    assert outcome.kind == "complete, low, told"
    assert not outcome.silently_low
    assert replace(outcome, words=()).silently_low
