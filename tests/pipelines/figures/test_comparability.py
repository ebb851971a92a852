"""Why one month's figure differs from the next one's, each cause with whom it is about; and what makes a range wide."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from pipelines.counting.figure import Coverage, Figure
from pipelines.figures.comparability import Basis, breaks, step_changes
from pipelines.figures.range_parts import range_parts
from pipelines.records import StatedCount

SEEN = frozenset({("seen/1", "d1")})
BEFORE = Basis(
    frozenset({"a"}), {"a/x": SEEN, "a/y": SEEN}, frozenset(), False, False, 4,
    {"a/x": frozenset({"month"}), "a/y": frozenset({"day"})},
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "causes"),
    [
        ({}, []),
        ({"affiliates": frozenset({"a", "b"})}, [("joined", "b")]),
        ({"affiliates": frozenset({"b"})}, [("joined", "b"), ("left", "a")]),
        ({"definitions": {"a/x": frozenset({("seen/2", "d2")}), "a/y": SEEN}}, [("definition", "a/x")]),
        ({"grains": {"a/x": frozenset({"day"}), "a/y": frozenset({"day"})}}, [("grain", "a/x")]),
        ({"grains": {"a/y": frozenset({"day"}), "a/z": frozenset({"day"})}}, []),  # Nobody counted a/x, or a/z, in both.
        ({"counted": frozenset({"a/y"})}, [("stand_in", "a/y")]),
        ({"joined": True}, [("crosswalk", "")]),
        ({"method": 2}, [("method", "")]),
        ({"restated": True}, [("restated", "")]),
    ],
)
def test_each_cause_names_whom_it_is_about(change: dict[str, Any], causes: list[tuple[str, str]]) -> None:
    """All that a forecast takes for no growth is a cause on pages, too; a change of the grain is one on pages alone."""
    after = replace(BEFORE, **change)
    assert [(cause.kind, cause.subject) for cause in step_changes(BEFORE, after)] == causes
    assert bool(list(breaks(BEFORE, after))) == bool([kind for kind, _ in causes if kind != "grain"])
    assert [cause.kind for cause in step_changes(after, BEFORE)] != ["growth"]


def figure(lower: int, upper: int | None, low: int, high: int, error: float = 0.0, *reasons: str) -> Figure:
    return Figure(
        estimate=high, lower=lower, upper=upper, standard_error=error, identity_low=low, identity_high=high, summed_products=high,
        coverage=Coverage(), complete=not reasons, state="preliminary", lg_k=12, reasons=reasons, unidentified_events=0,
        undecided_events=0,
    )  # fmt: skip


def stated(kind: str, users: int) -> StatedCount:
    return StatedCount("a", "calls", date(2025, 1, 1), kind, users, "people", "invoice", "CFO")


STANDS_IN = "a/calls: 31 of 31 days (2025-01-01 to 2025-01-31) missing"


@pytest.mark.parametrize(
    ("shown", "counts", "parts"),
    [
        (figure(100, 100, 100, 100), [], {}),
        (figure(60, 92, 60, 90, 0.5), [], {"identity": 30, "sketches": 2}),
        (figure(58, 125, 60, 120, 1.0, STANDS_IN), [stated("count", 30)], {"identity": 30, "stand_in": 30, "sketches": 7}),
        # A ceiling adds nobody to the estimate's people, and all of it to the upper bound.
        (figure(60, 140, 60, 90, 0.0, STANDS_IN), [stated("ceiling", 50)], {"identity": 30, "stand_in": 50}),
        # A count of more people than all sketches have is the lower bound: only what lies above it is open.
        (figure(100, 151, 100, 150, 0.0, STANDS_IN), [stated("count", 100)], {"stand_in": 50, "sketches": 1}),
        # Days of another zone lie further out than any error of the sketches.
        (figure(60, 190, 60, 90, 1.0), [], {"identity": 30, "sketches": 5, "edges": 95}),
    ],
)
def test_the_parts_of_a_range_are_its_width(shown: Figure, counts: list[StatedCount], parts: dict[str, int]) -> None:
    found = range_parts(shown, counts)
    assert {part.kind: part.people for part in found} == parts
    assert shown.upper is not None
    assert sum(part.people or 0 for part in found) == shown.upper - shown.lower
    assert [part.people for part in found] == sorted((part.people for part in found), key=lambda people: -(people or 0))


def test_a_gap_has_no_number() -> None:
    """Nobody knows how many people a missing day hides: as zero it would make the range look known."""
    found = range_parts(figure(60, None, 60, 90, 1.0, STANDS_IN), [])
    assert [(part.kind, part.people) for part in found] == [("gap", None), ("identity", 30), ("sketches", 4)]
    assert found[0].what == STANDS_IN
