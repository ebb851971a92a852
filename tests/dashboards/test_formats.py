"""How figures are written, in few digits and never on the wrong side of a line."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import formats
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


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (formats.people(744_115_981, LINE), "744.1 M"), (formats.people(699_960_000, LINE), "699.96 M"),
        (formats.people(None), "not measured"), (formats.people(-1_200), "−1,200"), (formats.people(0), "0"),
        (formats.at_least(311_540_127, LINE), "311 M"), (formats.at_most(768_637_304, LINE), "769 M"),
        (formats.at_least(700_300_000, LINE), "700.3 M"), (formats.at_most(699_600_000, LINE), "699.6 M"),
        (formats.at_most(700_000_000, LINE), "700 M"), (formats.between(583_400_000, 690_600_000, LINE), "583 to 691 M"),
        (formats.between(583_400_000, None, LINE), "at least 583 M"), (formats.between(0, 8_824_500), "0 to 8,824,500"),
        (formats.between(9_848_246, 753_586_101), "9,848,246 to 754 M"),
        (formats.headroom(-68_637_304, 388_459_873), "−69 M to +389 M"), (formats.headroom(None, 388_459_873), "at most +389 M"),
        (formats.headroom(-100, 0), "−100 to 0"), (formats.exact(700_000_000), "700 M"), (formats.exact(2_500_000), "2.5 M"),
        (formats.exact(10_000), "10,000"), (formats.exact(700_000_001), "700,000,001"),
        (formats.percent(0.5789), "58 %"), (formats.percent(0), "0 %"), (formats.percent(0.0004), "< 1 %"),
        (formats.percent(0.9999), "> 99 %"), (formats.percent(1), "100 %"), (formats.percent_change(-0.044), "−4.4 %"),
        (formats.percent_change(0.00001), "0.0 %"), (formats.month_name(date(2026, 10, 1)), "October 2026"),
        (formats.days_from(date(2026, 8, 3), date(2026, 11, 30)), "passed 119 days ago"),
        (formats.days_from(date(2026, 12, 1), date(2026, 11, 30)), "in 1 day"),
    ],
)  # fmt: skip
def test_a_page_writes_a_number_in_one_way(text: str, written: str) -> None:
    assert text == written.replace(" M", "\u00a0M").replace(" %", "\u00a0%").replace("< 1", "<\u00a01").replace(
        "> 99", ">\u00a099"
    ).replace("October ", "October\u00a0").replace(" days", "\u00a0days").replace(" day", "\u00a0day")


@given(st.integers(-(10**11), 10**11), st.integers(0, 10**11))
def test_a_bound_that_is_written_holds_and_stays_on_its_side(people: int, line: int) -> None:
    """A lower bound that is rounded up says more than is known."""

    def value(text: str) -> int:
        plain = text.replace("\u2212", "-").replace(",", "")
        return round(float(plain.removesuffix("\u00a0M")) * (1_000_000 if plain.endswith("M") else 1))

    least = value(formats.at_least(people, line))
    most = value(formats.at_most(people, line))
    assert least <= people <= most
    for shown in (least, most, value(formats.people(people, line))):
        assert (shown > line, shown < line) == (people > line, people < line)
