"""Scenarios on groups that lack something: an upper bound, months, a kind of identifier, or another way to read."""

from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import Code, RefusedError
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.run import run
from tests.support.deals import Deal, deal_group, people, size

TWO = {"chat/app": range(40_000), "shop/app": range(30_000, 60_000)}
STATED = """- acquire: T
  on: 2026-11-10
  users: {likely: 20_000, unit: people, month: 2026-10}
  overlap: {of: target, low: 20%, high: 50%}"""
READINGS = """readings:
- {name: people, counts: unique_people}
- {name: sums, counts: summed_products}
- {name: external, counts: unique_people, audiences: [external]}
of_record:
- {reading: people, adopted_by: the board, from: 2025-01-01}
"""


def asked(deal: Deal, changes: str, head: str = "horizon: 3") -> ScenarioAnswer:
    definition = deal.definition(f"scenario: a\n{head}\nchanges:\n{changes}\n")
    return run(deal.baseline(definition), definition)


def test_a_gap_leaves_no_upper_bound_and_says_which_product_has_it(tmp_path: Path) -> None:
    """Whatever is missing may hold any number of people: a bound, or a chance by the range, would be made up."""
    with deal_group(tmp_path / "group", TWO, months=3, missing=["shop/app"]) as deal:
        answer = asked(deal, STATED)
        assert (answer.before.upper, answer.after.upper, answer.bounds[1]) == (None, None, None)
        assert all(month.bounds.before[1] is None and month.bounds.after[1] is None for month in answer.months)
        assert {month.after.probability_over_by_range for month in answer.months} == {None}
        assert any(note.startswith("no upper bound: shop/app") for note in answer.notes)
        assert "nothing bounds the group from above" in answer.headline
        without = asked(deal, "- divest: shop\n  on: 2026-10-01")
        assert without.before.upper is None
        assert without.after.upper is not None
        assert without.months[0].after.probability_over_by_range is not None


def test_a_count_that_stands_in_is_counted_and_its_overlap_isnt_measured(tmp_path: Path) -> None:
    """A count can't be united with anybody: a divestment takes all of the count away, and no unique addition is shown."""
    count: dict[str, Any] = {
        "counts": [{"month": "2026-10", "users": 30_000, "unit": "people", "document": "a letter", "attested_by": "its office"}]
    }
    with deal_group(tmp_path / "group", TWO, months=2, missing=["shop/app"], extra={"shop/app": count}) as deal:
        answer = asked(deal, "- divest: shop\n  on: 2026-10-01", "month: 2026-10\nhorizon: 1")
        assert answer.before.estimate == pytest.approx(70_000, rel=0.02)
        assert answer.after.estimate == pytest.approx(40_000, rel=0.02)
        shop = next(u for u in answer.unique if u.name == "shop")
        assert (shop.estimate, shop.measurable) == (None, False)


def test_one_published_month_says_nothing_of_growth(tmp_path: Path) -> None:
    """A group without a history is taken as it is, and the answer says so instead of a trend."""
    with deal_group(tmp_path / "group", TWO, months=1) as deal:
        answer = asked(deal, STATED)
        assert answer.months[0].before == answer.months[-1].before
        assert any("too few to say how the group grows" in note for note in answer.notes)
        assert answer.months[-1].after.p50 > answer.months[0].after.p50


def test_other_readings(tmp_path: Path) -> None:
    """Summed products count a person of two products twice: an overlap must not be taken off there."""
    with deal_group(tmp_path / "group", TWO, months=2, readings=READINGS) as deal:
        unique, sums = asked(deal, STATED), asked(deal, STATED, "horizon: 3\nreading: sums")
        assert (unique.reading, sums.reading) == ("people", "sums")
        assert sums.before.estimate == pytest.approx(70_000, rel=0.02)
        assert sums.after.estimate == pytest.approx(90_000, rel=0.02)
        assert sums.before.estimate is not None
        assert sums.months[2].after.p50 - sums.months[2].before.p50 == 20_000
        assert unique.after.estimate == pytest.approx(73_000, rel=0.02)
        other = asked(deal, f"{STATED}\n- reading: sums\n  on: 2026-12-01")
        assert other.reading_after == "sums"
        assert other.months[1].after.p50 == pytest.approx(73_000, rel=0.02)
        assert other.months[2].after.p50 == pytest.approx(90_000, rel=0.02)
        external = asked(deal, "- exclude: {audience: internal}\n- exclude: {audience: automated}", "horizon: 1")
        assert external.after.estimate == external.before.estimate
        assert any("automated" in note and "doesn't count them" in note for note in external.notes)
        nobody = asked(deal, "- exclude: {audience: external}\n  on: 2026-11-01", "horizon: 1")
        assert nobody.months[-1].after.p50 == 0
        assert nobody.months[0].after.p50 == nobody.months[0].before.p50


def test_parts_without_a_kind_of_identifier_in_common_arent_compared(tmp_path: Path) -> None:
    """Two namespaces share nobody that can be seen: a low overlap would be shown where nobody knows any."""
    kinds = {"chat/app": "email", "shop/app": "phone"}
    with deal_group(tmp_path / "group", TWO, months=2, namespaces=kinds) as deal:
        deal.write_target(people(range(20_000, 50_000)), namespace="device")
        answer = asked(deal, "- acquire: T\n  on: 2026-10-01\n  contribution: target.parquet")
        assert [(u.name, u.estimate, u.measurable) for u in answer.unique] == [
            ("chat", None, False), ("shop", None, False), ("T", None, False)
        ]  # fmt: skip
        assert {u.why_not for u in answer.unique} == {"no kind of identifier is in both, so nobody in common can be seen"}
        assert [(pair.common, pair.measurable) for pair in answer.overlaps] == [(None, False)]
        # By the estimate all are different people; the bounds say what holds whoever is who.
        assert answer.after.estimate == pytest.approx(100_000, rel=0.02)
        assert answer.after.lower <= size(range(60_000)) <= (answer.after.upper or 0)


def test_a_base_month_of_its_own_and_one_without_a_figure(tmp_path: Path) -> None:
    """An older base month knows nothing of later months; a month without a figure is refused and not taken from another."""
    with deal_group(tmp_path / "group", TWO, months=4, growth=0.1) as deal:
        older = asked(deal, STATED.replace("2026-11-10", "2026-09-10"), "month: 2026-08\nhorizon: 2")
        assert older.base_month == "2026-08"
        assert [month.month for month in older.months] == ["2026-08", "2026-09", "2026-10"]
        assert older.before.estimate == pytest.approx(30_000 + 30_000 / 1.21, rel=0.02)
        for month in ("2026-12", "2020-01"):
            with pytest.raises(RefusedError) as error:
                asked(deal, "- divest: shop\n  on: 2027-01-01", f"month: {month}")
            assert {refusal.code for refusal in error.value.refusals} & {Code.FIGURE_MISSING, Code.SCENARIO_INVALID}


def test_a_target_that_the_manifests_have_and_the_group_hasnt(tmp_path: Path) -> None:
    """An entity of which the group holds too little is no member: its contribution may be asked about."""
    three = {**TWO, "joint/app": range(50_000, 80_000)}
    with deal_group(tmp_path / "group", three, months=2) as deal:
        deal.write_target(people(range(50_000, 80_000)), product="joint/app")
        answer = asked(deal, "- acquire: Joint\n  on: 2026-10-01\n  contribution: target.parquet")
        assert answer.after.estimate == pytest.approx(80_000, rel=0.02)
        assert answer.before.estimate == pytest.approx(60_000, rel=0.02)


def test_what_the_manifests_say_of_later_months_is_in_both_sides(tmp_path: Path) -> None:
    """A sale that the manifests know already isn't the scenario's doing, and mustn't be forgotten in its months."""
    ends: dict[str, Any] = {"shop/app": {"to": "2026-12-01"}}
    with deal_group(tmp_path / "group", TWO, months=2, extra=ends) as deal:
        answer = asked(deal, "- grow: chat\n  on: 2026-11-01\n  by: 0%", "horizon: 2")
        assert answer.months[1].before.p50 == pytest.approx(60_000, rel=0.05)
        assert answer.months[2].before.p50 == pytest.approx(40_000, rel=0.05)
        assert answer.months[2].after.p50 == pytest.approx(40_000, rel=0.05)
        assert any("2026-12: shop/app" in note for note in answer.notes)


def test_contributions_of_two_keys_arent_united_by_a_change(tmp_path: Path) -> None:
    """An entity whose sketches are of another key would add all its people, whoever of them the group has."""
    three = {**TWO, "joint/app": range(20_000, 50_000)}
    with deal_group(tmp_path / "group", three, months=2, fingerprints={"joint/app": "another"}) as deal:
        with pytest.raises(RefusedError) as error:
            asked(deal, "- ownership: {entity: joint, owner: parent, share: 60%}\n  on: 2026-11-01")
        assert error.value.refusals[0].code == Code.CONTRIBUTIONS_NOT_UNITED
        assert asked(deal, "- divest: shop\n  on: 2026-11-01").after.estimate == pytest.approx(40_000, rel=0.02)


def test_a_coarse_contribution_widens_the_interval(tmp_path: Path) -> None:
    """A target's sketch of a low lgK is known less well: the answer mustn't look as sure as the group's own figure."""
    with deal_group(tmp_path / "group", TWO, months=2) as deal:
        widths = []
        for lg_k, said in (
            (14, ""),
            (12, "12, the group's 14; both are united and compared at 12"),
            (16, "compared at 14, as precise"),
        ):
            deal.write_target(people(range(20_000, 200_000)), lg_k=lg_k)
            answer = asked(deal, "- acquire: T\n  on: 2026-10-01\n  contribution: target.parquet")
            month = answer.months[0].after
            assert [said in note for note in answer.notes if "lgK" in note] == [True] * bool(said)
            assert month.p2_5 <= 200_000 <= month.p97_5
            widths.append(month.p97_5 - month.p2_5)
            (pair,) = answer.overlaps
            assert pair.lower is not None
            assert pair.upper is not None
            assert pair.lower <= 40_000 <= pair.upper
        assert widths[1] > 1.5 * widths[0]
        assert widths[2] == pytest.approx(widths[0], rel=0.05)
