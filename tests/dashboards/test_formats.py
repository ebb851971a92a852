"""How figures are written, in few digits and never on the wrong side of a line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.formats import short

LINE = 700_000_000


@pytest.mark.parametrize(
    ("people", "text"),
    [
        (0, "0"), (9_999_999, "9,999,999"), (10_000_000, "10.0 M"), (612_340_000, "612.3 M"), (1_234_567_890, "1,234.6 M"),
        (699_960_000, "699.96 M"), (700_000_000, "700.0 M"), (700_000_001, "700.000001 M"), (699_999_999, "699.999999 M"),
        (700_060_000, "700.1 M"), (700_040_000, "700.04 M"),
    ],
)  # fmt: skip
def test_a_number_stays_on_its_side_of_the_line(people: int, text: str) -> None:
    """700.0 M for 699.96 M would say that the threshold is reached."""
    assert short(people, LINE) == text


@given(st.integers(0, 10**11), st.integers(0, 10**11))
def test_no_number_is_rounded_onto_a_line_or_across_it(people: int, line: int) -> None:
    text = short(people, line)
    shown = round(float(text.removesuffix(" M").replace(",", "")) * (1_000_000 if text.endswith(" M") else 1))
    assert (shown > line, shown < line) == (people > line, people < line)
    assert abs(shown - people) <= 50_000
