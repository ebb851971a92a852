"""Two numbers of one product that can't both be right: the figure that rests on one of them would be silently too low."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from affiliates.manifests.namespaces import ONE
from affiliates.manifests.product import ProductRef
from affiliates.sketches.registers import Registers
from pipelines.counting import contradictions, measure
from pipelines.counting.bounds import IdentifierRanges, Pool, estimate_people
from pipelines.counting.convention import Convention
from pipelines.counting.figure import Coverage, Share, figure_of
from pipelines.counting.inputs import gather
from pipelines.counting.measure import Measured
from pipelines.counting.stand_ins import StatedBounds
from pipelines.figures import quality_checks
from pipelines.licences.outcome import decide
from pipelines.records import StatedCount
from pipelines.store.contributions import ContributionStore, open_store
from tests.support.groups import entity, product
from tests.support.sketches import LATE, READING, contributed, give, sketch

MONTH = date(2025, 1, 1)
DAYS = [MONTH + timedelta(i) for i in range(31)]
ONE_EACH = Convention(IdentifierRanges(unsaid=ONE), adds_counts=True)


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[ContributionStore]:
    with open_store(store_url, tmp_path, create=True) as warehouse:
        yield warehouse


@pytest.fixture
def group(make: Callable[..., Path]) -> Group:
    life = {"sources": [], "settles_after": 3}
    monthly = product("z", **life, grain="month")
    return read_group(make([entity("a", [product("x", **life), product("y", **life)]), entity("b", [monthly])]))


def fill(store: ContributionStore, group: Group, days: list[date] = DAYS, **changes: Any) -> None:
    """Product x has 310 people, ten others each day; y has always the same 50; b's z has 200 in the month."""
    for number, day in enumerate(days):
        own = sketch(10 * number, 10 * number + 10)
        give(store, group, contributed("a/x", day, {"email": own}, **changes), contributed("a/y", day, {"email": sketch(0, 50)}))
    give(store, group, contributed("b/z", MONTH, {"email": sketch(0, 200)}, grain="month"))


def state(store: ContributionStore, *numbers: tuple[str, str, int]) -> None:
    """Stated numbers of the month: product, kind, users."""
    units = {"count": "people", "ceiling": "accounts"}
    stated = [
        StatedCount(*ProductRef.parse(name), MONTH, kind, users, units[kind], "annual report", "CFO")
        for name, kind, users in numbers
    ]
    store.replace_counts(MONTH, MONTH, stated, LATE)


def measured(store: ContributionStore, group: Group, **changes: Any) -> Measured:
    return measure.measure(store, group, gather(store, group, MONTH, READING, **changes))


@pytest.mark.parametrize(
    ("stated", "text"),
    [
        ([("a/x", "count", 1000)], "a/x: a count of 1,000 people (annual report), and its sketches give at most 311"),
        ([("a/x", "count", 312)], "a/x: a count of 312 people (annual report), and its sketches give at most 311"),
        ([("a/x", "count", 308)], "a/x: a count of 308 people (annual report), and its sketches give at least 310"),
        ([("a/x", "ceiling", 300)], "a/x: a ceiling of 300 accounts (annual report), and its sketches give at least 310"),
        ([("b/z", "ceiling", 0)], "b/z: a ceiling of 0 accounts (annual report), and its sketches give at least 200"),
        (
            [("a/x", "count", 310), ("a/x", "ceiling", 309)],
            "a/x: a count of 310 people (annual report), and a ceiling of 309 accounts (annual report)",
        ),
    ],
)
def test_a_stated_number_that_the_sketches_rule_out(
    store: ContributionStore, group: Group, stated: list[tuple[str, str, int]], text: str
) -> None:
    """Believed without a word, either number gives a bound that is none; a licence would be `under` by it."""
    fill(store, group)
    state(store, *stated)
    month = measured(store, group)
    whole, own = month.group, month.products[stated[0][0]]
    assert contradictions.among(own.reasons) == [f"{text}: one of the two is wrong"]
    for figure in (own, whole, month.affiliates[stated[0][0][0]]):
        assert (figure.upper, figure.complete) == (None, False)
        assert f"{text}: one of the two is wrong" in figure.reasons
    assert month.summed.upper is None
    assert decide(100_000, whole.lower, whole.upper) == "undetermined"
    red = {check.name: check.explanation for check in quality_checks.check_figures(month) if not check.passed}
    assert red["numbers_agree"] == f"{text}: one of the two is wrong"
    # What was counted stays: nothing that somebody states lowers it, and no other product loses its bounds.
    assert (own.estimate, own.lower) == ((310, 310) if stated[0][0] == "a/x" else (200, 200))
    assert month.products["a/y"].upper == 51


@pytest.mark.parametrize(
    "stated", [[("a/x", "count", 310)], [("a/x", "ceiling", 10_000)], [("a/x", "count", 310), ("a/x", "ceiling", 310)]]
)
def test_numbers_that_agree_change_nothing(store: ContributionStore, group: Group, stated: list[tuple[str, str, int]]) -> None:
    """A false alarm every month, and nobody looks at the true one."""
    fill(store, group)
    before = measured(store, group)
    state(store, *stated)
    after = measured(store, group)
    assert (after.group, after.products) == (before.group, before.products)
    assert all(check.passed for check in quality_checks.check_figures(after))


def test_a_number_that_is_ruled_out_stands_in_for_nothing(store: ContributionStore, group: Group) -> None:
    """Of 20 days there are 200 people. A count of 150 of the whole month is wrong, and so is a bound that rests on it."""
    fill(store, group, DAYS[:20])
    state(store, ("a/x", "count", 150), ("a/y", "count", 60))
    month = measured(store, group)
    assert month.products["a/x"].upper is None
    assert month.products["a/x"].lower >= 199
    assert month.products["a/y"].upper is not None
    assert [reason.partition(":")[0] for reason in month.group.reasons if "stands in" in reason] == ["a/y"]


def test_a_count_and_a_ceiling_without_sketches(store: ContributionStore, group: Group) -> None:
    """No sketch tells which of the two is right: there are at least as many people as the smaller one says."""
    state(store, ("a/x", "count", 1000), ("a/x", "ceiling", 500))
    own = measured(store, group).products["a/x"]
    assert (own.lower, own.upper, own.complete) == (500, None, False)


@pytest.mark.parametrize(("people", "contradicts"), [(310, False), (300, True), (1, True), (500, False)])
def test_a_month_below_the_union_of_its_days(store: ContributionStore, group: Group, people: int, contradicts: bool) -> None:
    """A month's sketch holds everybody of its days. One that holds fewer lost some, and so would the figure."""
    for number, day in enumerate(DAYS[:31]):
        give(store, group, contributed("b/z", day, {"email": sketch(10 * number, 10 * number + 10)}))
    give(store, group, contributed("b/z", MONTH, {"email": sketch(0, people)}, grain="month"))
    figure = measured(store, group).products["b/z"]
    text = f"b/z: at most {people + 1:,} people by its month, and at least 310 by its days: one of the two is wrong"
    assert contradictions.among(figure.reasons) == ([text] if contradicts else [])
    assert (figure.upper is None) == contradicts


@pytest.mark.parametrize(("first", "contradicts"), [(0, False), (100, True)])
@pytest.mark.parametrize("crosswalk", ["", "ab" * 32])
def test_identifiers_of_a_month_that_lack_those_of_its_days(
    make: Callable[..., Path], store: ContributionStore, first: int, contradicts: bool, crosswalk: str
) -> None:
    """Nobody knows how many identifiers a person has, so the people's bounds are wide; and as many others hide who is gone."""
    several = {"email": {"identifiers_per_person": "several"}}
    monthly = product("z", sources=[], settles_after=3, grain="month")
    group = read_group(make([entity("b", [monthly])], namespaces=several))
    for number, day in enumerate(DAYS[:31]):
        give(store, group, contributed("b/z", day, {"email": sketch(10 * number, 10 * number + 10)}))
    month = contributed("b/z", MONTH, {"email": sketch(first, first + 310)}, grain="month", crosswalk_digest=crosswalk)
    give(store, group, month)
    reasons = contradictions.among(measured(store, group).products["b/z"].reasons)
    text = "b/z: at most 311 of email by its month, and at least 410 with its days: one of the two is wrong"
    # Another crosswalk may rightly make other people of the same events.
    assert reasons == ([text] if contradicts and not crosswalk else [])


@pytest.mark.parametrize(("people", "contradicts"), [(290, False), (200, True)])
@pytest.mark.parametrize("before", ["", "cd" * 32])
def test_a_month_that_another_crosswalk_joins(
    make: Callable[..., Path], store: ContributionStore, people: int, contradicts: bool, before: str
) -> None:
    """A wrong join leaves fewer people of the same events; the first crosswalk may rightly do so."""
    several = {"email": {"identifiers_per_person": "several"}}
    monthly = product("z", sources=[], settles_after=3, grain="month")
    group = read_group(make([entity("b", [monthly])], namespaces=several))
    for number, day in enumerate(DAYS[:31]):
        own = sketch(10 * number, 10 * number + 10)
        give(store, group, contributed("b/z", day, {"person": own}, crosswalk_digest=before))
    month = {"person": sketch(5000, 5000 + people)}
    give(store, group, contributed("b/z", MONTH, month, grain="month", crosswalk_digest="ab" * 32))
    reasons = contradictions.among(measured(store, group).products["b/z"].reasons)
    text = "b/z: at most 201 users by its month, and at least 310 by its days, under another crosswalk: one of the two is wrong"
    assert reasons == ([text] if contradicts and before else [])


@pytest.mark.parametrize(("people", "contradicts"), [(310, False), (400, True)])
def test_days_below_their_month(store: ContributionStore, group: Group, people: int, contradicts: bool) -> None:
    """Days that are all there and have fewer people than the month that was handed in lack some: a part of each day's export."""
    fill(store, group)
    give(store, group, contributed("a/x", MONTH, {"email": sketch(0, people)}, grain="month"))
    figure = measured(store, group).products["a/x"]
    assert (figure.upper is None) == contradicts
    assert bool(contradictions.among(figure.reasons)) == contradicts


@pytest.mark.parametrize("changes", [{"definition": "seen/2"}, {"day_zone": "Asia/Tokyo"}])
def test_months_of_other_people_are_not_compared(store: ContributionStore, group: Group, changes: dict[str, Any]) -> None:
    """By another definition, or another zone's days, the people may rightly be fewer."""
    fill(store, group)
    give(store, group, contributed("a/x", MONTH, {"email": sketch(0, 400)}, grain="month", **changes))
    assert measured(store, group).products["a/x"].upper is not None


def test_events_of_nobody(store: ContributionStore, group: Group) -> None:
    """An older store may have such a contribution: zero people with 310 events would be a complete figure."""
    fill(store, group)
    empty = contributed("a/x", DAYS[4], {"email": sketch(0, 0)})
    give(store, group, replace(empty, parts=(replace(empty.parts[0], events=310),)))
    figure = measured(store, group).products["a/x"]
    assert (figure.upper, figure.complete) == (None, False)
    assert contradictions.among(figure.reasons) == ["a/x: 1 period has events, and nobody in the sketch: one of the two is wrong"]


@pytest.mark.parametrize("method", [1, 2, 3])
def test_earlier_methods_count_as_they_did(store: ContributionStore, group: Group, method: int) -> None:
    """Else a signed figure couldn't be made again, and honest evidence would be called forged."""
    fill(store, group)
    state(store, ("a/x", "count", 1000), ("a/x", "ceiling", 500))
    give(store, group, contributed("a/x", MONTH, {"email": sketch(0, 400)}, grain="month"))
    figure = measured(store, group, method=method).products["a/x"]
    assert (figure.upper, figure.complete, figure.reasons) == (311, True, ())


@given(
    people=st.integers(0, 3000),
    count=st.none() | st.integers(0, 6000),
    ceiling=st.none() | st.integers(0, 6000),
    missing=st.booleans(),
    lg_k=st.sampled_from([4, 12, 21]),
)
def test_no_bound_lies_below_a_number_that_is_stated(
    people: int, count: int | None, ceiling: int | None, missing: bool, lg_k: int
) -> None:
    """Whatever is stated: an upper bound is at least the count and the sketches' lower bound, and no ceiling lies below the
    lower bound of a figure that has one. By the definition alone, without the code that finds contradictions."""
    pool = Pool.from_sketches({"email": {lg_k: sketch(0, people, lg_k)}})
    numbers = {
        kind: StatedCount("a", "x", MONTH, kind, n, "people", "d", "c")
        for kind, n in (("count", count), ("ceiling", ceiling))
        if n is not None
    }
    most = numbers.get("count") or numbers.get("ceiling")
    beside = numbers.get("ceiling") if count is not None else None
    stated = StatedBounds(most, count, beside)
    share = Share(pool, most, Coverage(31, 20 if missing else 31), ("a/x: 11 days missing",) if missing else (), 0, 0, count)
    figure = figure_of([contradictions.doubted("a/x", share, stated, ONE_EACH, None)], ONE_EACH)
    bounds = estimate_people(pool, ONE_EACH.ranges)
    slack = math.ceil(4 * bounds.standard_error) + 1
    if figure.upper is not None:
        assert figure.upper >= math.floor(bounds.lower)
        assert count is None or figure.upper >= count - slack
        assert ceiling is None or figure.lower <= ceiling + slack
    else:
        assert figure.complete is False
        assert figure.reasons


def test_a_sketch_s_error_is_no_contradiction() -> None:
    """An exact count beside a sketch of few registers lies outside of 95 % bounds once in twenty months."""
    number = 20_000
    for seed in range(40):
        keys = np.random.default_rng(seed).integers(0, 2**64, number, dtype=np.uint64)
        registers = Registers.from_keys(10, keys)
        pool = Pool.from_sketches({"email": {10: registers}})
        count = StatedCount("a", "x", MONTH, "count", number, "people", "d", "c")
        share = Share(pool, count, Coverage(31, 31), (), 0, 0, number)
        assert contradictions.doubted("a/x", share, StatedBounds(count, number), ONE_EACH, None) is share
