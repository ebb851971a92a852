"""Which file is which day's, by a pattern with `*` and {day}: what an expression that tries everything says, in linear time."""

import re
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from affiliates.sources.file_names import day_of, loosely_matching, matching

DAY = r"\d{4}-\d\d-\d\d"
FOLDERS = r"(?:[A-Za-z_]+=)?\d{4}/(?:[A-Za-z_]+=)?\d\d?/(?:[A-Za-z_]+=)?\d\d?|[^/]*"


def trying_all(pattern: str, day: str, same: bool) -> re.Pattern[str]:
    """Each `*` at every length, the first one the longest."""
    before, *rest = (re.escape(text).replace(r"\*", "[^/]*") for text in pattern.split("{day}"))
    return re.compile(before + (f"(?P<day>{day})" + ("(?P=day)" if same else f"(?:{day})").join(rest) if rest else ""))


PIECES = st.sampled_from(["*", "**", "{day}", "/", "-", "a", "b.", "2025-01-01", "2", "x=2025/1/2", "."])
PARTS = st.lists(PIECES, min_size=1, max_size=9).map("".join)
PATHS = st.lists(PIECES.map(lambda t: t.replace("*", "a-").replace("{day}", "2025-01-02")), max_size=9).map("".join)


@given(PARTS, PATHS)
@example("*{day}*", "2025-01-01-2025-01-02.csv")
@example("*-*-{day}", "a-b-c-2025-01-02")
@example("{day}/*{day}*", "2025-01-01/2025-01-012025-01-01")
@example("*a*.a", "a.a.a")
def test_the_same_files_and_days(pattern: str, path: str) -> None:
    for ours, day, same in ((matching, DAY, True), (loosely_matching, FOLDERS, False)):
        if "{day}" not in pattern and not same:
            continue
        found, wanted = ours(pattern).fullmatch(path), trying_all(pattern, day, same).fullmatch(path)
        assert (found and found.groupdict()) == (wanted and wanted.groupdict())


@pytest.mark.parametrize("stars", ["*" * 60, "*a" * 40])
@pytest.mark.parametrize("end", ["b", "-{day}", "-{day}" + "*a" * 40 + "b"])
def test_many_stars_end(stars: str, end: str) -> None:
    """A name that nearly fits: at every length of forty `*`, this test would run for longer than anybody waits."""
    pattern = stars + end
    name = "a" * 120 + "-2025-01-01" + "a" * 120
    assert matching(pattern).fullmatch(name) is None
    assert matching(pattern).fullmatch("a" * 120 + pattern.replace("*", "").replace("{day}", "2025-01-01")) is not None
    if "{day}" in end:
        assert loosely_matching(pattern).fullmatch(name[:-120] + "/") is None


def test_the_last_day_that_fits_is_the_files() -> None:
    assert day_of(matching("*{day}*.csv").fullmatch("2025-01-01-to-2025-01-02.csv")) == date(2025, 1, 2)
