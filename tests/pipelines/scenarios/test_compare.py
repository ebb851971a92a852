"""Scenarios side by side: what differs between them beside their changes is said."""

import json
from dataclasses import replace

import pytest

from pipelines.scenarios import compare
from pipelines.scenarios.answer import ScenarioAnswer
from tests.support.scenarios import ANSWER

INPUTS = ANSWER.inputs


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(ANSWER, base_month="2026-09"), "start from different months"),
        (replace(ANSWER, reading="narrow"), "count by different readings"),
        (replace(ANSWER, threshold=650_000_000), "test different thresholds before their changes"),
        (replace(ANSWER, comparator="gte"), "test different thresholds before their changes"),
        (replace(ANSWER, inputs=replace(INPUTS, figure="0" * 64)), "start from different figures"),
        (replace(ANSWER, inputs=replace(INPUTS, manifests="0" * 64)), "were run on different manifests"),
        (replace(ANSWER, inputs=replace(INPUTS, series="0" * 64)), "rest on different published months"),
        (replace(ANSWER, inputs=replace(INPUTS, registry="0" * 64)), "rest on different texts of licences"),
        (replace(ANSWER, inputs=replace(INPUTS, method=5)), "were computed in different ways"),
    ],
)
def test_what_differs_beside_the_changes_is_said(other: ScenarioAnswer, words: str) -> None:
    """Two deals that start from two figures look as if the one deal were the larger."""
    assert compare.side_by_side({"a@1": ANSWER, "b@1": other}).notes == (
        f"These scenarios {words}: not their changes alone make the difference.",
    )


def test_what_the_changes_alone_make_needs_no_note() -> None:
    other = replace(ANSWER, threshold_after=650_000_000, inputs=replace(INPUTS, definition="0" * 64, contributions={}))
    assert compare.side_by_side({"a@1": ANSWER, "b@1": other}).notes == ()


def test_the_json_has_each_scenario_in_the_order_asked_for() -> None:
    data = json.loads(json.dumps(compare.side_by_side({"b@1": replace(ANSWER, tornado=()), "a@1": ANSWER}).to_dict()))
    assert [one["scenario"] for one in data["scenarios"]] == ["b@1", "a@1"]
    first, second = data["scenarios"]
    assert first["widest_assumption"] is None
    assert second["widest_assumption"]["assumption"] == "overlap of Example Social"
    assert second["months"][5] == {"month": "2027-03", **ANSWER.to_dict()["months"][5]["after"]}
    assert second["licences"][0]["after"] == 0.12
