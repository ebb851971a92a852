"""From sketches to a figure: each way in which a month could silently be too low, or a bound no bound."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.errors import RefusedError
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from affiliates.manifests.namespaces import ONE
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from affiliates.sketches.registers import Registers
from pipelines.counting import measure
from pipelines.counting.bounds import IdentifierRanges, Pool, estimate_people, namespace_bounds
from pipelines.counting.inputs import gather
from pipelines.counting.measure import Measured
from pipelines.figures import rows
from pipelines.figures.months import clause_count
from pipelines.records import StatedCount, summed_bounds
from pipelines.store import publications, published_figures
from pipelines.store.contributions import ContributionStore, open_store
from tests.support.databases import both_databases
from tests.support.groups import entity, product
from tests.support.sketches import LATE, READING, contributed, give, sketch

MONTH = date(2025, 1, 1)
EACH_ONE = IdentifierRanges(unsaid=ONE)
DAYS = [MONTH + timedelta(i) for i in range(31)]


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[ContributionStore]:
    with open_store(store_url, tmp_path, create=True) as warehouse:
        yield warehouse


@pytest.fixture
def group(make: Callable[..., Path]) -> Group:
    life = {"sources": [], "settles_after": 3}
    return read_group(make([entity("a", [product("x", **life), product("y", **life)]), entity("b", [product("z", **life)])]))


def fill(
    store: ContributionStore,
    group: Group,
    names: Sequence[str] = ("a/x", "a/y", "b/z"),
    days: Sequence[date] = DAYS,
    **changes: Any,
) -> None:
    """Every day of each product, with 150 people of whom it shares 50 with the next one."""
    starts = {name: i * 100 for i, name in enumerate(("a/x", "a/y", "b/z"))}
    sketches = {n: sketch(starts.get(n, 0), starts.get(n, 0) + 150) for n in names}
    give(store, group, *(contributed(n, d, {"email": sketches[n]}, **changes) for n in names for d in days))


def measured(store: ContributionStore, group: Group, month: date = MONTH, **changes: Any) -> Measured:
    return measure.measure(store, group, gather(store, group, month, READING.model_copy(update=changes)))


def test_people_count_once_across_days_products_and_affiliates(store: ContributionStore, group: Group) -> None:
    """A person of several days, products or affiliates counted twice would make the group too large."""
    fill(store, group)
    month = measured(store, group)
    assert {n: f.estimate for n, f in month.products.items()} == {"a/x": 150, "a/y": 150, "b/z": 150}
    assert {n: f.estimate for n, f in month.affiliates.items()} == {"a": 250, "b": 150}
    assert (month.group.estimate, month.group.summed_products) == (350, 450)
    assert (month.affiliates["a"].summed_products, month.products["a/x"].summed_products) == (300, 150)
    assert month.group.complete
    assert month.group.reasons == ()
    assert month.group.upper is not None
    assert month.group.lower <= 350 <= month.group.upper <= 352
    assert vars(month.group.coverage) == {"days_expected": 93, "days_present": 93, "months_expected": 0, "months_present": 0}
    assert month.summed == (
        450,
        sum(f.lower for f in month.products.values()),
        sum(f.upper or 0 for f in month.products.values()),
    )
    assert month.contradictions == []


def test_namespaces_bound_identity_from_all_the_same_to_all_different(store: ContributionStore, group: Group) -> None:
    """Nobody can tell who is who in two namespaces: a narrower interval would claim more than is known."""
    give(store, group, *(contributed("a/x", d, {"email": sketch(0, 300), "device": sketch(1000, 1200)}) for d in DAYS))
    fill(store, group, ("a/y", "b/z"))
    figure = measured(store, group).products["a/x"]
    assert (figure.identity_low, figure.identity_high, figure.estimate) == (300, 500, 500)
    assert figure.upper is not None
    assert 298 <= figure.lower <= 300
    assert 500 <= figure.upper <= 502


def test_a_missing_day_leaves_no_upper_bound(store: ContributionStore, group: Group) -> None:
    """The missing days may have any number of people, so any upper bound would be wrong."""
    fill(store, group, ("a/x", "a/y"))
    fill(store, group, ("b/z",), [d for d in DAYS if d.day not in (3, 4, 9)])
    month = measured(store, group)
    assert (month.group.upper, month.group.complete) == (None, False)
    assert month.group.reasons == ("b/z: 3 of 31 days (2025-01-03 to 2025-01-04, 2025-01-09) missing",)
    assert (month.group.coverage.days_expected, month.group.coverage.days_present) == (93, 90)
    assert month.affiliates["a"].upper is not None
    assert month.summed[2] is None


@pytest.mark.parametrize("missing", [(), (3, 4)], ids=["whole", "days are missing"])
@both_databases
def test_the_sum_over_products_is_the_same_wherever_it_is_read(
    store: ContributionStore, group: Group, missing: Sequence[int]
) -> None:
    """As measured, as licence tests read a month, and as alerts read the published past."""
    reading = READING.model_copy(update={"name": "sum", "counts": "summed_products"})
    fill(store, group, ("a/x", "a/y"))
    fill(store, group, ("b/z",), [d for d in DAYS if d.day not in missing])
    month = measured(store, group, name="sum", counts="summed_products")
    new = rows.new_publication(month, reading, group.settings.group, store.position(LATE), LATE, publications.PRELIMINARY)
    assert publications.append(store, MONTH, [new], [])
    assert (month.summed[2] is None) == bool(missing)
    assert sums_of(store, month, reading, None) == [month.summed, month.summed]
    for affiliate in ("a", "b"):
        in_month, in_past = sums_of(store, month, reading, affiliate)
        assert in_month == in_past
        assert (in_past[2] is None) == (affiliate == "b" and bool(missing))


def sums_of(
    store: ContributionStore, month: Measured, reading: Reading, affiliate: str | None
) -> list[tuple[int | None, int, int | None]]:
    """Estimate, lower and upper bound of a month's products, of the group or an affiliate: as measured, and as published."""
    names = None if affiliate is None else [name for name in month.products if ProductRef.parse(name).affiliate == affiliate]
    in_month = clause_count(month, reading, names)
    (in_past,) = published_figures.read(store, reading, MONTH, affiliate)
    assert in_month is not None
    return [(people.estimate, people.lower, people.upper) for people in (in_month, in_past)]


@pytest.mark.parametrize(
    ("products", "bounds"),
    [([(1, 2), (3, 5)], (4, 7)), ([(1, None), (3, 5)], (4, None)), ([(1, None)], (1, None)), ([], (0, None)), ([(0, 0)], (0, 0))],
)
def test_a_sum_has_an_upper_bound_if_all_products_have_one(
    products: list[tuple[int, int | None]], bounds: tuple[int, int | None]
) -> None:
    """A product without a bound, left out of the sum, would make the bound too low."""
    assert summed_bounds(products) == bounds


def test_a_product_that_never_contributed(store: ContributionStore, group: Group) -> None:
    """The product is named as missing, and its people aren't taken for none."""
    fill(store, group, ("a/x", "a/y"))
    figure = measured(store, group).products["b/z"]
    assert (figure.estimate, figure.lower, figure.upper, figure.lg_k) == (None, 0, None, None)
    assert figure.reasons == ("b/z: 31 of 31 days (2025-01-01 to 2025-01-31) missing",)
    assert measured(store, group).group.estimate == 250


def test_zero_users_is_a_number(store: ContributionStore, group: Group) -> None:
    """A day without users is there: zero isn't missing."""
    give(store, group, *(contributed("a/x", d, {"email": sketch(0, 0)}) for d in DAYS))
    figure = measured(store, group).products["a/x"]
    assert (figure.estimate, figure.lower, figure.upper, figure.complete) == (0, 0, 0, True)


def test_computed_before_it_settled(store: ContributionStore, group: Group) -> None:
    """Late events may still come: what was computed early is there, and bounds nothing."""
    fill(store, group, ("a/y", "b/z"))
    early = datetime(2025, 2, 3, 23, 59, tzinfo=UTC)
    fill(store, group, ("a/x",), computed_at=early)
    figure = measured(store, group).products["a/x"]
    assert (figure.complete, figure.upper, figure.estimate) == (False, None, 150)
    assert figure.reasons == ("a/x: 1 of 31 periods were computed before they settled; all have on 2025-02-04",)
    fill(store, group, ("a/x",), computed_at=early + timedelta(minutes=1))
    assert measured(store, group).products["a/x"].complete


@pytest.mark.parametrize(("kind", "estimate", "lower"), [("count", 5000, 5000), ("ceiling", None, 0)])
def test_counts_and_ceilings_bound_but_do_not_complete(
    store: ContributionStore, group: Group, kind: str, estimate: int | None, lower: int
) -> None:
    """A count is a floor and a bound, a ceiling a bound alone; neither makes a month complete."""
    fill(store, group, ("a/x", "a/y"))
    store.replace_counts(MONTH, MONTH, [StatedCount("b", "z", MONTH, kind, 5000, "people", "report", "CFO")], LATE)
    month = measured(store, group)
    figure = month.products["b/z"]
    assert (figure.estimate, figure.lower, figure.upper, figure.complete) == (estimate, lower, 5000, False)
    # A count can't be united with anybody, so it is other people; and the group has at least as many people as it says.
    assert (month.group.estimate, month.group.lower) == ((5250, 5000) if kind == "count" else (250, 250))
    assert month.group.identity_high == (5250 if kind == "count" else 250)
    assert month.group.upper is not None
    assert 5250 <= month.group.upper <= 5252
    assert not month.group.complete
    assert month.group.summed_products == 300 + (estimate or 0)


def test_a_count_does_not_stand_in_for_what_is_there(store: ContributionStore, group: Group) -> None:
    """Added to sketches that are there, a count would count the product's people twice."""
    fill(store, group)
    store.replace_counts(MONTH, MONTH, [StatedCount("b", "z", MONTH, "count", 150, "people", "report", "CFO")], LATE)
    assert measured(store, group).group.upper == 351


def test_other_audiences_are_other_readings(store: ContributionStore, group: Group) -> None:
    """Staff counted under a reading of external users would make the figure too large."""
    fill(store, group)
    give(store, group, contributed("a/x", DAYS[0], {"email": sketch(5000, 5100)}, audience="internal"))
    # The contribution of that day was replaced as a whole: 30 days remain of the external audience.
    assert measured(store, group).products["a/x"].estimate == 250
    assert measured(store, group, audiences=("external",)).products["a/x"].estimate == 150
    assert measured(store, group, audiences=("internal",)).group.estimate == 100


def test_only_what_is_in_the_group_on_the_day_counts(store: ContributionStore, make: Callable[..., Path]) -> None:
    """A company that was sold before the day, or is owned by half, would make the group too large."""
    sold = {"owned_by": [{"owner": "parent", "share": 1, "to": "2025-01-31"}]}
    bought = {"owned_by": [{"owner": "parent", "share": 1, "from": "2025-01-31"}]}
    half = {"owned_by": [{"owner": "parent", "share": 0.5}]}
    group = read_group(make([entity(n, [product("x", sources=[])], **o) for n, o in (("s", sold), ("b", bought), ("h", half))]))
    fill(store, group, ("s/x", "b/x", "h/x"))
    assert list(measured(store, group).affiliates) == ["b"]  # Owned on the last day, with the whole month's users.
    inputs = gather(store, group, MONTH, READING, on=date(2025, 1, 15))
    assert list(measure.measure(store, group, inputs).affiliates) == ["s"]


def test_a_product_is_due_in_its_life_alone(store: ContributionStore, make: Callable[..., Path]) -> None:
    """Days before and after a product's life would be missing for ever, and the month never complete."""
    life = {"sources": [], "from": "2025-01-10", "to": "2025-01-20"}
    group = read_group(make([entity("a", [product("x", **life), product("y", sources=[], **{"from": "2025-02-01"})])]))
    fill(store, group, ("a/x",), DAYS[9:19])
    month = measured(store, group)
    assert list(month.products) == ["a/x"]
    assert (month.group.coverage.days_expected, month.group.complete) == (10, True)


def test_the_newest_contribution_of_a_period_counts_and_the_older_stays(store: ContributionStore, group: Group) -> None:
    """United with the older version, people who were removed would stay in the figure."""
    fill(store, group)
    before = gather(store, group, MONTH, READING).digest
    give(store, group, *(contributed("a/x", d, {"email": sketch(0, 10)}) for d in DAYS))
    assert measured(store, group).products["a/x"].estimate == 10
    assert gather(store, group, MONTH, READING).digest != before
    give(store, group, *(contributed("a/x", d, {"email": sketch(0, 150)}) for d in DAYS))
    assert measured(store, group).products["a/x"].estimate == 150


@pytest.mark.parametrize(
    ("change", "what"), [({"key_epoch": "2"}, "keys"), ({"crosswalk_digest": "f" * 64}, "crosswalk snapshots")]
)
def test_keys_of_two_epochs_or_crosswalks_are_never_united(
    store: ContributionStore, group: Group, change: dict[str, Any], what: str
) -> None:
    """United they would count everybody twice, or somebody not at all."""
    fill(store, group, ("a/x", "a/y"))
    fill(store, group, ("b/z",), **change)
    with pytest.raises(RefusedError, match=what):
        measured(store, group)


def test_monthly_contributions(store: ContributionStore, group: Group) -> None:
    """A month contributed whole has no missing days, and is united with others' days."""
    fill(store, group, ("a/x", "a/y"))
    fill(store, group, ("b/z",), [MONTH], grain="month")
    month = measured(store, group)
    assert (month.group.estimate, month.group.complete) == (350, True)
    assert vars(month.group.coverage) == {"days_expected": 62, "days_present": 62, "months_expected": 1, "months_present": 1}


@pytest.mark.parametrize(
    ("zone", "near", "inner"),
    [("Asia/Tokyo", date(2025, 2, 1), 30), ("America/New_York", date(2024, 12, 31), 30), ("UTC", None, 31)],
)
def test_days_of_another_zone_widen_the_interval_at_the_edges(
    store: ContributionStore, make: Callable[..., Path], zone: str, near: date | None, inner: int
) -> None:
    """Person number i is there on day i alone; the day beside the month has one of its own."""
    group = read_group(make([entity("a", [product("x", sources=[], **{"from": "2024-01-01"})])]))
    give(store, group, *(contributed("a/x", d, {"email": sketch(i, i + 1)}, day_zone=zone) for i, d in enumerate(DAYS)))
    if near:
        assert measured(store, group).group.upper is None
        give(store, group, contributed("a/x", near, {"email": sketch(99, 100)}, day_zone=zone))
    figure = measured(store, group).group
    assert (figure.estimate, figure.lower, figure.upper) == (31, inner, 31 + 1 + bool(near))


def test_months_of_another_zone_are_bounded_by_their_neighbours(store: ContributionStore, make: Callable[..., Path]) -> None:
    """A whole month of another zone has hours of two months here: its people are no lower bound of either."""
    group = read_group(make([entity("a", [product("x", sources=[], **{"from": "2024-01-01"})])]))
    months = {date(2024, 12, 1): (0, 100), MONTH: (50, 150), date(2025, 2, 1): (140, 200)}
    each = [contributed("a/x", m, {"email": sketch(*r)}, grain="month", day_zone="Asia/Tokyo") for m, r in months.items()]
    give(store, group, each[1])
    assert measured(store, group).group.upper is None
    give(store, group, each[2])
    figure = measured(store, group).group
    assert (figure.estimate, figure.lower) == (100, 0)
    assert figure.upper is not None
    assert 150 <= figure.upper <= 151


@given(st.integers(0, 4000), st.integers(0, 4000), st.integers(0, 4000), st.sampled_from([8, 12]))
def test_mixed_lg_k_is_no_wider_than_its_coarse_part(shared: int, fine: int, coarse: int, lg_k: int) -> None:
    """A small affiliate with a small sketch must not cost the whole group its precision."""
    by_lg_k = {21: sketch(0, shared + fine), lg_k: sketch(shared + fine - shared, shared + fine + coarse, lg_k)}
    bounds = namespace_bounds(by_lg_k)
    rest, part = by_lg_k[21].bounds(), by_lg_k[lg_k].bounds()
    assert bounds.lower <= bounds.estimate <= bounds.upper
    folded = Registers.union(by_lg_k.values()).bounds()
    if bounds != folded:
        assert rest.lower <= bounds.lower
        assert bounds.upper <= rest.upper + part.upper


def test_mixed_lg_k_of_a_large_group() -> None:
    """Folded to the small affiliate's lg_k alone, the interval would be several times as wide."""
    by_lg_k = {21: sketch(0, 3_000_000), 12: sketch(2_999_000, 3_001_000, 12)}
    bounds = namespace_bounds(by_lg_k)
    assert bounds.lower <= 3_001_000 <= bounds.upper
    assert bounds.upper - bounds.lower < 15_000 < 3_000_000 * 0.032


def test_errors_of_namespaces_add_in_squares() -> None:
    """Namespaces are hashed apart: their errors are independent, and a plain sum would be too wide."""
    pool = Pool.from_sketches({"a": {12: sketch(0, 100_000, 12)}, "b": {12: sketch(10**6, 10**6 + 100_000, 12)}})
    people = estimate_people(pool, EACH_ONE)
    each = [estimate_people(Pool.from_sketches({n: by}), EACH_ONE) for n, by in pool.stated.items()]
    assert people.standard_error == pytest.approx(math.hypot(*(p.standard_error for p in each)))
    assert people.upper - people.estimate == pytest.approx(math.hypot(*(p.upper - p.estimate for p in each)))
    assert people.lg_k == 12


def test_nobody_at_all() -> None:
    """No sketch at all is no error, and nobody."""
    assert estimate_people(Pool(), EACH_ONE) == (0, 0, 0, 0, 0, 0, None)


def test_what_cannot_be_is_found(store: ContributionStore, group: Group) -> None:
    """A group smaller than a product, or larger than all of them, is told and never repaired."""
    fill(store, group)
    month = measured(store, group)
    assert replace(month, group=replace(month.group, upper=100)).contradictions
    assert replace(month, group=replace(month.group, lower=10_000)).contradictions
