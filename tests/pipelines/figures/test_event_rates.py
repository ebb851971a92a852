"""Another column of identifiers looks like growth, or like a loss; the events of each user tell it from both."""

import random
from datetime import date

import pytest

from affiliates.manifests.product import ProductRef
from affiliates.periods import DAY
from pipelines.figures import event_rates
from pipelines.store.product_days import ProductDay

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
