"""Checks before a figure is trusted: half a day of events is the fault that nothing else sees."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from pipelines.figures.quality_checks import MonthDue, check_figures, check_product
from pipelines.store.product_days import ProductDay
from pipelines.workflows.run import run
from tests.support.groups import entity, events, product

FIRST = date(2025, 1, 6)


def days(users: Sequence[int | None], events: int | None = 10**9, lg_k: int = 21) -> list[ProductDay]:
    return [ProductDay(ProductRef("a", "app"), "day", FIRST + timedelta(i), n, events, 0, lg_k) for i, n in enumerate(users)]


def steady(last: int | None, users: int = 1000, weekend: int = 300) -> list[ProductDay]:
    """Nine weeks with quiet weekends, and one more day, a Monday."""
    return days([*(users if i % 7 < 5 else weekend for i in range(63)), last])


@pytest.mark.parametrize(
    ("past", "passes"),
    [
        (steady(1000), True),
        (steady(600), True),
        (steady(1500), True),
        (steady(499), False),
        (steady(0), False),
        (steady(1501), False),
        (steady(None), True),
        (steady(12, users=4, weekend=1), True),
        (steady(21, users=4, weekend=1), False),
        (days([1000] * 21 + [10]), True),
        (days([1000] * 28 + [10]), False),
        (days([round(100 * 1.01**i) for i in range(90)]), True),
    ],
    ids=["as ever", "less", "more", "half a file", "nobody", "doubled", "not noted", "a dozen by chance", "too many of few",
         "three weeks are no past", "four are", "growth of a percent a day"],
)  # fmt: skip
def test_a_day_beside_its_own_past(past: list[ProductDay], passes: bool) -> None:
    """Half a file or a doubled one is found, while growth, weekends and a dozen users by chance pass."""
    checks = {c.name: c for c in check_product(past, since=past[-1].day)}
    assert checks["usual_change"].passed == passes
    assert checks["usual_change"].subject == "a/app"
    if not passes:
        assert f"{past[-1].day}: " in checks["usual_change"].explanation


def test_the_past_is_not_judged_again() -> None:
    """A day that was judged before would be red again in every later run."""
    past = [*steady(1000), *(ProductDay(ProductRef("a", "app"), "day", FIRST + timedelta(64), 1000, 10**9, 0, 21),)]
    broken = [*past[:40], ProductDay(ProductRef("a", "app"), "day", past[40].day, 1, 10**9, 0, 21), *past[41:]]
    assert all(c.passed for c in check_product(broken, since=past[-1].day))
    assert not all(c.passed for c in check_product(broken))


@pytest.mark.parametrize(
    ("users", "events", "lg_k", "passes"),
    [(100, 100, 21, True), (100_000, 99_900, 21, True), (100, 99, 21, False), (100, None, 21, True), (1040, 1000, 12, True)],
    ids=["one each", "within the sketch's error", "identifiers invented", "not known", "a coarse sketch"],
)
def test_each_user_has_an_event(users: int, events: int | None, lg_k: int, passes: bool) -> None:
    """More users than events are invented identifiers, unless the sketch's error explains them."""
    (first, *_) = check_product(days([users], events, lg_k))
    assert (first.name, first.passed) == ("events_at_least_users", passes)


def test_nothing_is_said_of_no_days() -> None:
    """Without a day to judge there is no check, and not a green one."""
    assert check_product([]) == []
    assert check_product(days([5]), since=date(2026, 1, 1)) == []


@pytest.mark.parametrize(
    ("missing", "now", "passes", "ending"),
    [
        ([], datetime(2025, 3, 19, tzinfo=UTC), True, "15 of 31 days; the others aren't due yet"),
        ([14, 15], datetime(2025, 3, 17, tzinfo=UTC), True, "13 of 31 days; the others aren't due yet"),
        ([14, 15], datetime(2025, 3, 18, tzinfo=UTC), False, "a/app: 1 day missing, the first 2025-03-14"),
        ([], datetime(2025, 4, 3, tzinfo=UTC), False, "a/app: 15 days missing, the first 2025-03-16"),
        ([], datetime(2025, 4, 4, tzinfo=UTC), False, "a/app: 16 of 31 days (2025-03-16 to 2025-03-31) missing"),
    ],
    ids=["it lasts", "not settled", "settled and not there", "over", "all is due"],
)
def test_coverage_while_a_month_lasts(
    make: Callable[..., Path], missing: list[int], now: datetime, passes: bool, ending: str
) -> None:
    """Red every day until the month's end, it would be looked at by nobody when a day is really missing."""
    by_day = {"files": "{day}.parquet", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}]}
    directory = make([entity("a", [product("app", **{"from": "2025-03-01", "sources": [by_day]})])])
    for day in (d for d in range(1, 16) if d not in missing):
        events([(f"2025-03-{day:02}T12:00:00Z", "u@example.com")]).write_parquet(directory / f"2025-03-{day:02}.parquet")
    group = read_group(directory)
    figures = run(directory, group, now).measured[date(2025, 3, 1), "unique_people"]
    (coverage, *_) = check_figures(figures, MonthDue(figures.inputs, group, now))
    assert (coverage.passed, coverage.explanation.endswith(ending)) == (passes, True), coverage.explanation
    assert not check_figures(figures)[0].passed  # To be signed, all of it must be there.
