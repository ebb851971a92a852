"""Another column of identifiers looks like growth, or like a loss; the events of each user tell it from both."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from affiliates.manifests.product import ProductRef
from affiliates.periods import DAY
from pipelines.figures import event_rates
from pipelines.store.product_days import ProductDay
from tests.support.groups import entity, events, product, source
from tests.support.runs import go

FIRST = date(2025, 1, 1)


def days(rates: list[float], users: int = 1000) -> list[ProductDay]:
    """A product's days from `FIRST` on with so many events per user."""
    ref = ProductRef("a", "app")
    return [ProductDay(ref, "day", FIRST + DAY * number, users, round(rate * users), 0, 21) for number, rate in enumerate(rates)]


def unusual(rates: list[float], users: int = 1000, left_out: tuple[int, ...] = ()) -> list[int]:
    known = days(rates, users)
    far_off = event_rates.unusual(known, known, {FIRST + DAY * number for number in left_out})
    return [(rate.day - FIRST).days for rate in far_off]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ([5.0, 1.1, 5.0], [31]),  # A session's identifier in the place of the user's.
        ([20.0, 20.0, 20.0], [30, 31, 32]),  # A shop's in the place of its customers'; told for as long as it lasts.
        ([10.0, 3.0, 5.0], []),
    ],
)
def test_a_rate_far_from_the_past_is_told(later: list[float], expected: list[int]) -> None:
    assert unusual([5.0] * 30 + later) == expected


def test_what_always_varies_is_usual() -> None:
    assert unusual([2.0, 8.0, 12.0] * 14) == []


def test_too_little_is_known() -> None:
    """A finding about a new product, or about a dozen users, would be chance."""
    assert unusual([5.0] * 13 + [50.0]) == []
    assert unusual([5.0] * 30 + [50.0], users=99) == []


def test_a_fall_is_no_past() -> None:
    assert unusual([5.0] * 20 + [1.0] * 15 + [5.0] * 3, left_out=tuple(range(20, 35))) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_year_of_chance_is_told_nowhere(seed: int) -> None:
    chance = random.Random(seed)
    assert unusual([5 * chance.lognormvariate(0, 0.2) * (0.6 if number % 7 > 4 else 1) for number in range(365)]) == []


def of_group(young: list[float], *others: float, users: int = 1000) -> list[tuple[str, float]]:
    """What is told of a young product beside others that have three weeks of such rates."""
    named = [*(days([rate] * 21) for rate in others), days(young, users)]
    products = [[replace(day, ref=ProductRef("a", f"p{number}")) for day in each] for number, each in enumerate(named)]
    return [(unlike.ref, unlike.rate) for unlike in event_rates.unlike_group(products)]


@pytest.mark.parametrize(
    ("rate", "expected"), [(1.0, True), (1.1, False), (6.0, False), (59.0, False), (61.0, True)], ids=lambda value: str(value)
)
def test_a_young_product_is_compared_with_the_groups_others(rate: float, expected: bool) -> None:
    """A new product whose identifiers are made anew for each visit has no past that could show it."""
    assert of_group([rate] * 5, 5.4, 7.0, 12.0) == ([("a/p3", rate)] if expected else [])


def test_a_product_with_a_past_and_a_group_of_few_are_not_compared() -> None:
    """A messenger among shops is unlike them for ever: its own past judges it."""
    assert of_group([100.0] * 14, 5.0, 6.0, 7.0) == []
    assert of_group([100.0] * 5, 5.0, 6.0) == []
    assert of_group([100.0] * 5, 5.0, 6.0, 7.0, users=99) == []


def test_the_run_says_so(make: Callable[..., Path]) -> None:
    """What nobody prints is found by nobody: the fourth product of a group makes an identifier for each visit."""
    files = {}
    for name, rate, first in (("app", 6, 1), ("web", 7, 1), ("tv", 8, 1), ("kiosk", 1, 27)):
        rows = [(f"2025-01-{day:02}T12:00:00Z", f"{name}{user}@example.com") for day in range(first, 32) for user in range(110)]
        files[f"{name}.parquet"] = events(rows * rate)
    products = [product(name[:-8], sources=[source(files=name)]) for name in files]
    products[3]["from"] = "2025-01-27"  # Too young for a past of its own.
    report = go(make([entity("a", products)], files, lg_k=12), datetime(2025, 2, 1, 12, tzinfo=UTC))
    assert [str(finding) for finding in report.findings if "group's other" in str(finding)] == [
        "a/kiosk: 1.0 events per user, 5.9 to 8.1 with the group's other products: does the column hold the users' identifiers?"
    ]
