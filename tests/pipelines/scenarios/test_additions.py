"""People by a stated number: against what became of real mergers, against the arithmetic, and against what can't hold."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from affiliates.errors import Code, RefusedError
from affiliates.periods import month_number
from pipelines.scenarios.additions import Addition
from pipelines.scenarios.assumptions import PeoplePerUnit, StatedOverlap, Users
from pipelines.scenarios.changes import Acquire
from pipelines.scenarios.draws import Draws
from pipelines.scenarios.ranges import RateRange

DRAWS = Draws()


def target(users: dict[str, Any] | int, overlap: Any, **changes: Any) -> Addition:
    """A target of so many people in 2026-10, joining in 2026-11."""
    number = {"likely": users, "unit": "people", "month": "2026-10"} if isinstance(users, int) else users
    values = {"acquire": "T", "on": "2026-11-01", "users": number, "overlap": overlap, **changes}
    return Addition(Acquire.model_validate(values), DRAWS)


def union(addition: Addition, group: float, month: str = "2026-10") -> np.ndarray:
    """The group with the target, a path each."""
    year, number = month.split("-")
    added, _ = addition.added(int(year) * 12 + int(number) - 1, np.full(DRAWS.paths, group))
    return group + added


def span(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def test_two_streaming_services_by_independence_among_the_households_of_a_country() -> None:
    """Paramount+ 35.8 M and HBO Max 27.1 M, both 7.6 M: the union is 55.3 M, and independence in 130 M households is near.

    Subscriptions, so one subscription is taken for one household.
    """
    users = {"likely": 27_100_000, "unit": "subscriptions", "month": "2026-10"}
    together = union(target(users, {"independent_in": 130_000_000}, people_per_unit=1), 35_800_000)
    assert together == pytest.approx(55_300_000, rel=0.05)
    assert pytest.approx(7.6) == (35.8 + 27.1 - 55.3)


def test_a_messenger_and_a_portal_by_independence_in_a_population() -> None:
    """A messenger of 82 M and a portal of 67 M said 100 M together in 2019: by independence in 112 to 133 M people."""
    low, high = span(union(target(67_000_000, {"independent_in": {"low": 112_000_000, "high": 133_000_000}}), 82_000_000))
    assert 82_000_000 < low < high < 149_000_000
    assert low == pytest.approx(100e6, rel=0.05)
    assert low == pytest.approx(149e6 - 67e6 * 82e6 / 112e6, rel=1e-3)
    assert high == pytest.approx(149e6 - 67e6 * 82e6 / 133e6, rel=1e-3)


def test_a_family_of_apps_lies_inside_the_bounds_of_an_unknown_overlap() -> None:
    """Four apps of 6,034 M accounts in all had 2,500 M people in 2018: an answer that leaves that out rules out what was."""
    apps = [2_230_000_000, 1_500_000_000, 1_300_000_000, 1_004_000_000]
    assert sum(apps) == 6_034_000_000
    group = np.full(DRAWS.paths, float(apps[0]))
    lower = upper = float(apps[0])
    for number, app in enumerate(apps[1:]):
        addition = Addition(target(app, "unknown").change.model_copy(update={"acquire": f"app {number}"}), DRAWS)
        group = group + addition.added(month_number(addition.change.on.from_), group)[0]
        lower, upper = max(lower, app), upper + app
    assert lower <= group.min() <= 2_500_000_000 <= group.max() <= upper == 6_034_000_000


@pytest.mark.parametrize(
    ("overlap", "low", "high"),
    [
        ({"of": "target", "low": "0 %", "high": "0 %"}, 150, 150),
        ({"of": "target", "low": "100 %", "high": "100 %"}, 100, 100),
        ({"of": "target", "low": "30 %", "high": "60 %"}, 120, 135),
        ({"of": "group", "low": "10 %", "high": "20 %"}, 130, 140),
        ({"of": "group", "low": "50 %", "high": "50 %"}, 100, 100),
        ({"target": {"low": "30 %", "high": "60 %"}, "group": {"low": "5 %", "high": "20 %"}}, 130, 135),
        ({"target": "40 %", "group": "20 %"}, 130, 130),
        ({"independent_in": 100}, 100, 100),
        ({"independent_in": {"low": 200, "high": 500}}, 125, 140),
        ("unknown", 100, 150),
    ],
)
def test_each_way_to_state_an_overlap(overlap: Any, low: float, high: float) -> None:
    """A target of 50 M and a group of 100 M, on all paths between these two, and near both of them."""
    if isinstance(overlap, dict) and "independent_in" in overlap:
        wide = overlap["independent_in"]
        overlap = {"independent_in": {k: v * 1_000_000 for k, v in wide.items()} if isinstance(wide, dict) else wide * 1_000_000}
    ends = span(union(target(50_000_000, overlap), 100_000_000))
    assert ends == pytest.approx((low * 1e6, high * 1e6), rel=1e-3)


def test_a_target_larger_than_the_group() -> None:
    """A share of the target then can't be more than the group has: the group with the target is never smaller than the target."""
    unknown = union(target(500_000_000, "unknown"), 100_000_000)
    assert span(unknown) == pytest.approx((500e6, 600e6), rel=1e-3)
    clipped = target(500_000_000, {"of": "target", "low": "10 %", "high": "30 %"})
    shared = clipped.shared(np.full(DRAWS.paths, 5e8), np.full(DRAWS.paths, 1e8))
    assert shared.people.max() == 1e8
    assert shared.impossible.mean() == pytest.approx(0.5, abs=0.01)


def test_units_and_growth_carry_a_number_to_a_month() -> None:
    """Accounts of another month, taken for people of this one, would be wrong twice."""
    users = {"likely": 100_000_000, "unit": "accounts", "month": "2026-04"}
    addition = target(users, {"of": "target", "low": 0, "high": 0}, people_per_unit={"low": 0.6, "high": 0.9}, growth="-1 %")
    low, high = span(addition.people(month_number(addition.change.on.from_) - 1))
    assert (low, high) == pytest.approx((60e6 * 0.99**6, 90e6 * 0.99**6), rel=1e-3)
    assert span(addition.people(2026 * 12 + 3)) == pytest.approx((60e6, 90e6), rel=1e-3)


def test_the_likeliest_number_is_drawn_most_often() -> None:
    """A triangle whose peak is at an end must not break, nor lean to the other end."""
    users = {"low": 50, "likely": 50, "high": 80, "unit": "people", "month": "2026-10"}
    drawn = target({**users}, "unknown").people(2026 * 12 + 9)
    assert drawn.mean() == pytest.approx(60, abs=0.1)
    assert span(drawn) == pytest.approx((50, 80), abs=0.5)
    drawn = target({**users, "likely": 80}, "unknown").people(2026 * 12 + 9)
    assert drawn.mean() == pytest.approx(70, abs=0.1)


def test_a_reading_that_adds_products_up_shares_nobody() -> None:
    """Such a reading counts a person of two products twice: an overlap taken off would make it silently low."""
    change = target(50_000_000, {"of": "target", "low": "60 %", "high": "60 %"}).change
    added, _ = Addition(change, DRAWS, summed=True).added(2026 * 12 + 9, np.full(DRAWS.paths, 1e8))
    assert span(added) == (50e6, 50e6)


@pytest.mark.parametrize(
    ("users", "overlap", "values"),
    [
        (20_000_000, {"of": "group", "low": "30 %", "high": "50 %"}, "30 to 50 % of the group's 100 M are 30.0 M to 50.0 M"),
        (500_000_000, {"of": "target", "low": "30 %", "high": "50 %"}, "30 to 50 % of the target's 500 M are 150 M to 250 M"),
        (
            50_000_000,
            {"target": {"low": "10 %", "high": "20 %"}, "group": {"low": "30 %", "high": "40 %"}},
            "10 to 20 % of the target's 50.0 M are 5.00 M to 10.0 M; 30 to 40 % of the group's 100 M are 30.0 M to 40.0 M",
        ),
        (50_000_000, {"independent_in": 90_000_000}, "at most 90.0 M live there; the target has 50.0 M, the group 100 M"),
        (150_000_000, {"independent_in": {"low": 120_000_000, "high": 140_000_000}}, "at most 140 M live there"),
    ],
)
def test_statements_that_cant_hold_are_refused_with_their_arithmetic(users: int, overlap: Any, values: str) -> None:
    """A number made of a contradiction looks like any other number."""
    addition = target(users, overlap)
    with pytest.raises(RefusedError) as error:
        addition.check(2026 * 12 + 9, np.full(DRAWS.paths, 1e8))
    (refusal,) = error.value.refusals
    assert refusal.code == Code.SCENARIO_CONTRADICTORY
    assert values in refusal.values


def test_statements_that_hold_somewhere_in_their_ranges_say_how_often_they_cant() -> None:
    """A range is what somebody knows; a part of it that can't be is named and not drawn."""
    addition = target(20_000_000, {"of": "group", "low": "10 %", "high": "30 %"})
    assert addition.check(2026 * 12 + 9, np.full(DRAWS.paths, 1e8)) == pytest.approx(0.5, abs=0.01)
    assert union(addition, 1e8).min() == 1e8
    rounded = target(50_000_000, {"target": "10.2 %", "group": "5 %"})
    assert rounded.check(2026 * 12 + 9, np.full(DRAWS.paths, 1e8)) == 0


def test_no_input_moves_what_another_draws() -> None:
    """A slider that moves other draws as well shows chance as an effect."""
    overlap = {"of": "target", "low": "30 %", "high": "60 %"}
    users = {"low": 40, "high": 60, "unit": "people", "month": "2026-10"}
    a, b = target(users, overlap), target(users, {**overlap, "high": "60.001 %"}, growth={"low": "0 %", "high": "1 %"})
    assert (a.people(2026 * 12 + 9) == b.people(2026 * 12 + 9)).all()
    assert a.shared(np.full(DRAWS.paths, 50.0), np.full(DRAWS.paths, 100.0)).people == pytest.approx(
        b.shared(np.full(DRAWS.paths, 50.0), np.full(DRAWS.paths, 100.0)).people, rel=1e-4
    )


def test_a_range_reaches_both_of_its_ends_and_is_even() -> None:
    """A range drawn too narrow is a certainty that nobody has."""
    drawn = DRAWS.within("x", "y", RateRange(low=Decimal("-0.01"), high=Decimal("0.03")))
    assert np.quantile(drawn, [0, 0.025, 0.5, 0.975, 1]) == pytest.approx([-0.01, -0.009, 0.01, 0.029, 0.03], abs=1e-5)
    assert Users.model_validate({"likely": 5, "unit": "people", "month": "2026-10"}).span == (5, 5, 5)
    assert PeoplePerUnit.model_validate("0.5").low == PeoplePerUnit.model_validate("0.5").high
    assert StatedOverlap.model_validate("unknown").of_target is None
    normal = DRAWS.normal("x", "z")
    assert (normal.mean(), normal.std()) == (pytest.approx(0, abs=1e-3), pytest.approx(1, abs=1e-3))
