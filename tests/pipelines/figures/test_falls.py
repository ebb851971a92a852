"""Falls: a product that stands still is told, and told for as long as it lasts; chance, weekends and growth aren't."""

import random
from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from affiliates.manifests.product import ProductRef
from affiliates.periods import Grain, add_months
from pipelines.figures import falls
from pipelines.figures.quality_checks import check_product
from pipelines.store.product_days import ProductDay

FIRST = date(2025, 1, 6)
WEEK = [1000, 1010, 990, 1005, 995, 60, 50]
"""Work software: next to nobody at weekends."""


def periods(users: Sequence[int | None], grain: Grain = "day") -> list[ProductDay]:
    days = [FIRST + timedelta(i) if grain == "day" else add_months(date(2025, 1, 1), i) for i in range(len(users))]
    return [ProductDay(ProductRef("a", "app"), grain, day, n, 10**9, 0, 21) for day, n in zip(days, users, strict=True)]


def found(users: Sequence[int | None], grain: Grain = "day") -> list[tuple[int, int, bool]]:
    """Each fall by the places of its first and last period, and whether nobody was there."""
    given = periods(users, grain)
    places = {period.day: place for place, period in enumerate(given)}
    return [(places[fall.first], places[fall.last], fall.is_empty) for fall in falls.find(given)]


@pytest.mark.parametrize(
    ("users", "fallen"),
    [
        ([30] * 20 + [0] * 11, [(20, 30, True)]),
        ([1000] * 28 + [0] * 28, [(28, 55, True)]),
        ([1000] * 28 + [100] * 28, [(28, 55, False)]),
        ([1000] * 14 + [100] * 14, [(14, 27, False)]),
        ([1000] * 56 + [100] * 120, [(56, 175, False)]),
        ([1000] * 56 + [0] * 120 + [1000] * 5, [(56, 175, True)]),
        ([1000] * 56 + [0], [(56, 56, True)]),
        ([0] * 31, [(0, 30, True)]),
        ([0] * 6, []),
        ([5] + [0] * 30, [(1, 30, True)]),
        ([5, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0], []),
        (WEEK * 12, []),
        ([*WEEK, *WEEK], []),
        ([round(100 * 1.01**i) for i in range(200)], []),
        ([1000] * 56 + [300] * 14, []),
        ([6, 0, 1, 0, 0, 3, 2] * 10, []),
        ([1000] * 28 + [None] * 10 + [1000] * 5, []),
        ([], []),
    ],
    ids=["an export stands still", "four weeks of nobody", "a tenth", "a tenth after a fortnight", "a tenth is never learned",
         "nor is nobody", "one day of nobody", "never anybody", "announced", "a handful once", "few by chance", "weekends",
         "weekends of a new product", "growth", "less, and no fall", "few at all times", "not known", "nothing"],
)  # fmt: skip
def test_days(users: list[int | None], fallen: list[tuple[int, int, bool]]) -> None:
    """Learned as usual, a product that has stood still for five weeks would be silent from then on, and its month too low."""
    assert found(users) == fallen


@pytest.mark.parametrize(
    ("users", "fallen"),
    [
        ([1000, 0], [(1, 1, True)]),
        ([1000, 100], [(1, 1, False)]),
        ([1000, 1010, 100, 100, 100, 100, 100, 100, 100, 990], [(2, 8, False)]),
        ([0], [(0, 0, True)]),
        ([20, 4, 9, 30], []),
        ([1000, 600, 500], []),
    ],
    ids=["nobody", "a tenth", "for half a year", "never anybody", "few by chance", "a decline"],
)
def test_months(users: list[int | None], fallen: list[tuple[int, int, bool]]) -> None:
    """A product that counts by month has no weekday, and its tenth was told nowhere."""
    assert found(users, "month") == fallen


def test_chance_alone_is_no_fall() -> None:
    """A finding a week that means nothing is one that nobody reads: Poisson numbers of many sizes, 40 products for a year."""
    chance = random.Random(5)
    for product in range(40):
        mean = 0.5 * 1.3**product
        users = [max(0, round(chance.gauss(mean, mean**0.5))) if mean > 50 else _poisson(chance, mean) for _ in range(365)]
        assert found(users) == [], f"a mean of {mean:.1f}"


def _poisson(chance: random.Random, mean: float) -> int:
    """By the waiting times between events."""
    number = 0
    at = chance.expovariate(mean)
    while at < 1:
        number += 1
        at += chance.expovariate(mean)
    return number


def test_days_after_a_fall_arent_called_unusual() -> None:
    """Beside a past of nobody, the first day on which all are back would be red as `usually 0`."""
    users = [1000] * 56 + [0] * 35 + [1000] * 3
    given = periods(users)
    checks = {check.name: check for check in check_product(given, since=given[-1].day)}
    assert checks["usual_change"].passed
    assert checks["no_fall"].passed
    in_fall = {check.name: check for check in check_product(given, since=given[90].day)}
    assert not in_fall["no_fall"].passed
    assert "no users from 2025-03-03 to 2025-04-06" in in_fall["no_fall"].explanation
