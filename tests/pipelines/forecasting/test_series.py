"""A series from CSV: what isn't a figure of a period would silently become growth, a fall or a year that never was."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import RefusedError
from pipelines.forecasting.series import Point, Series, even_series, period_name
from pipelines.forecasting.series_csv import read_csv

TODAY = date(2026, 11, 21)


def read(folder: Path, text: str | bytes) -> Series:
    path = folder / "s.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(path, TODAY)


@pytest.mark.parametrize(
    ("periods", "months", "spelling", "following"),
    [
        (("2026-08", "2026-09", "2026-10"), 1, "month", "2026-11"),
        (("2025-11", "2025-12", "2026-01"), 1, "month", "2026-02"),
        (("2026-08-31", "2026-09-30", "2026-10-31"), 1, "last day", "2026-11-30"),
        (("2026-08-01", "2026-09-01", "2026-10-01"), 1, "first day", "2026-11-01"),
        (("2025-Q4", "2026-Q1", "2026-Q2"), 3, "quarter", "2026-Q3"),
        (("2025Q4", "2026Q1", "2026q2"), 3, "quarter", "2026-Q3"),
        (("2025-12-31", "2026-03-31", "2026-06-30"), 3, "last day", "2026-09-30"),
        (("2025-12", "2026-03", "2026-06"), 3, "month", "2026-09"),
        (("2026-01-01", "2026-04-01", "2026-07-01"), 3, "first day", "2026-10-01"),
    ],
)
def test_periods_as_they_are_written(
    tmp_path: Path, periods: tuple[str, ...], months: int, spelling: str, following: str
) -> None:
    """A quarter read as a month would grow three times as fast; a label in another spelling joins to nothing."""
    series = read(tmp_path, "period,value\n" + "".join(f"{p},{100 + i}\n" for i, p in enumerate(periods)))
    assert (series.months, series.spelling) == (months, spelling)
    assert [p.value for p in series.points] == [100, 101, 102]
    assert series.label(series.newest.number + months) == following


@pytest.mark.parametrize(
    ("label", "first"),
    [
        ("2026-Q1", date(2026, 1, 1)),
        ("2025-Q4", date(2025, 10, 1)),
        ("2026-03-31", date(2026, 1, 1)),
        ("2026-03", date(2026, 1, 1)),
    ],
)
def test_a_quarter_begins_with_its_first_month(tmp_path: Path, label: str, first: date) -> None:
    """A day to decide by that is counted from a quarter's end would be three months late."""
    before = {"2026-Q1": "2025-Q4", "2025-Q4": "2025-Q3", "2026-03-31": "2025-12-31", "2026-03": "2025-12"}[label]
    series = read(tmp_path, f"period,value\n{before},1\n{label},1\n")
    assert series.begins(series.newest.number) == first
    assert period_name(series.newest.number, series.spelling) == label


def test_columns_in_any_order_and_others_beside(tmp_path: Path) -> None:
    """A spreadsheet's mark at the beginning, another column, capitals and blanks are no reason to refuse."""
    series = read(tmp_path, "\ufeffsource, Value ,PERIOD,Upper,lower\nx,10,2026-01,11,9\n,12,2026-02,,\n")
    assert series.points == (Point(24312, 10, 9, 11), Point(24313, 12))


def test_what_is_missing_stays_missing(tmp_path: Path) -> None:
    """Filled in, it would be evidence that nobody has measured. Before the first figure and after the last there is nothing."""
    series = read(tmp_path, "period,value\n2026-01,\n2026-02,5\n2026-03,\n2026-04,7\n2026-05,\n")
    assert [p.value for p in series.points] == [5, None, 7]
    assert series.label(series.newest.number) == "2026-04"
    assert len(series.left_out) == 3
    assert "2026-03: its value is left empty" in series.left_out


def test_a_definition_that_changes_is_a_break(tmp_path: Path) -> None:
    """Where it is left empty it is as before: else each figure after a change would be one."""
    rows = [("01", ""), ("02", ""), ("03", "v2"), ("04", ""), ("05", "v2"), ("06", "v3")]
    series = read(tmp_path, "period,value,definition\n" + "".join(f"2026-{m},{5},{d}\n" for m, d in rows))
    assert [bool(p.break_) for p in series.points] == [False, False, True, False, False, True]
    assert series.points[2].break_ == "2026-03: another definition"


GOOD = "2026-01,5\n2026-02,6\n"
WRONG: list[Any] = [
    ("", "s.csv", "is empty", ""),
    ("\n\n", "s.csv", "is empty", ""),
    ("period,value\n", "s.csv", "holds no figure", ""),
    ("period,value\n2026-01,5\n", "s.csv", "at least two figures", "1 known"),
    ("period,value\n2026-01,5\n2026-02,\n", "s.csv", "at least two figures", "1 known"),
    (GOOD, "s.csv:1", "has no column `period`", ""),
    ("month,value\n" + GOOD, "s.csv:1", "has no column `period`", "month, value"),
    ("period,users\n" + GOOD, "s.csv:1", "has no column `value`", "period, users"),
    ("period,value,value\n2026-01,5,5\n", "s.csv:1", "two columns `value`", ""),
    ("period,value\n" + GOOD + "2026-02,7\n", "s.csv:4", "stands twice", "2026-02"),
    ("period,value\n2026-02,5\n2026-01,6\n", "s.csv:3", "aren't in order", "2026-01 after 2026-02"),
    ("period,value\n" + GOOD + "2026-04,7\n", "s.csv:4", "are missing before it", "2026-03"),
    ("period,value\n" + GOOD + "2026-06,7\n", "s.csv:4", "are missing before it", "2026-03 to 2026-05"),
    ("period,value\n2026-Q1,5\n2026-Q3,6\n", "s.csv:3", "are missing before it", "2026-Q2"),
    ("period,value\n2025-Q4,5\n2026-01,6\n", "s.csv:3", "written in two ways", "2026-01"),
    ("period,value\n2026-01-31,5\n2026-02,6\n", "s.csv:3", "written in two ways", "2026-02"),
    ("period,value\n2025-01,1\n2025-04,1\n2025-07,1\n2025-10,1\n2025-11,2\n", "s.csv", "mixes months and longer", "1 of 4"),
    ("period,value\n2024-12,5\n2025-12,6\n", "s.csv", "neither months nor quarters", "12 months"),
    ("period,value\n2026-01-15,5\n", "s.csv:2", "its last or its first", "2026-01-15"),
    ("period,value\n2026-02-30,5\n", "s.csv:2", "is no period", "2026-02-30"),
    ("period,value\n2026-13,5\n", "s.csv:2", "is no period", "2026-13"),
    ("period,value\n2026-Q5,5\n", "s.csv:2", "is no period", "2026-Q5"),
    ("period,value\n9999-12,5\n9999-11,5\n", "s.csv:2", "is no period", ""),
    ("period,value\n,5\n", "s.csv:2", "is no period", "empty"),
    ("period,value\n2026-01,-5\n", "s.csv:2", "must be over zero", "-5"),
    ("period,value\n2026-01,0\n", "s.csv:2", "must be over zero", "0"),
    ("period,value\n2026-01,nan\n", "s.csv:2", "is no number", "nan"),
    ("period,value\n2026-01,inf\n", "s.csv:2", "is no number", "inf"),
    ("period,value\n2026-01,1e300\n", "s.csv:2", "no number of people", "1e300"),
    ("period,value\n2026-01,many\n", "s.csv:2", "is no number", "many"),
    ('period,value\n2026-01,"1,000"\n', "s.csv:2", "is no number", ""),
    ("period,value\n2026-01,1_000\n", "s.csv:2", "is no number", ""),
    ("period,value\n2026-01,5,6\n", "s.csv:2", "another number of cells", "3 for 2"),
    ("period,value\n2026-01\n", "s.csv:2", "another number of cells", "1 for 2"),
    ("period,value,lower,upper\n2026-01,5,4,\n", "s.csv:2", "one bound of two", ""),
    ("period,value,lower,upper\n2026-01,,4,6\n", "s.csv:2", "bounds and no value", ""),
    ("period,value,lower,upper\n2026-01,5,6,7\n", "s.csv:2", "from `lower` to `upper`", "6, 5, 7"),
    ("period,value\n2026-10,5\n2026-11,6\n", "s.csv:3", "isn't over", "2026-11"),
    ("period,value\n2026-Q3,5\n2026-Q4,6\n", "s.csv:3", "isn't over", "2026-Q4"),
    ("period,value\n2026-07-01,5\n2026-10-01,6\n", "s.csv:3", "isn't over", "2026-10-01"),
    ("period,value\n2027-01,5\n2027-02,6\n", "s.csv:2", "lies in the future", "2027-01"),
    (b"period,value\n2026-01,\xff\n", "s.csv", "is not UTF-8", ""),
    pytest.param(b"x" * (9 << 20), "s.csv", "is larger than", "9,437,184 bytes, at most 8,388,608", id="large"),
    ('period,value\n2026-01,"5\n', "s.csv", "is not CSV", ""),
]


@pytest.mark.parametrize(("text", "subject", "rule", "values"), WRONG)
def test_refused_with_line_rule_value_and_next_step(
    tmp_path: Path, text: str | bytes, subject: str, rule: str, values: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        read(tmp_path, text)
    [refusal] = refused.value.refusals
    assert refusal.subject == subject
    assert rule in refusal.rule
    assert values in refusal.values
    assert refusal.next_step


def test_no_address_stands_in_a_refusal(tmp_path: Path) -> None:
    """A file of people by mistake: its cells aren't printed."""
    with pytest.raises(RefusedError) as refused:
        read(tmp_path, "period,value\n2026-01,planted.person@example.com\n")
    assert "planted" not in str(refused.value)
    with pytest.raises(RefusedError) as refused:
        read(tmp_path, "planted.person@example.com,+4915112345678\n2026-01,1\n")
    assert "planted" not in str(refused.value)
    assert "49151" not in str(refused.value)


def test_gaps_are_carried_as_missing() -> None:
    """Periods that were left out lie between as unknown ones: two figures side by side would be one step."""
    series = even_series("x", [Point(10, None), Point(11, 1.0), Point(14, 2.0)], 1, "month")
    assert [(p.number, p.value) for p in series.points] == [(11, 1), (12, None), (13, None), (14, 2)]
