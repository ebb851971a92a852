"""`mauwatch history`: what was published, month beside month, and nothing that was measured since."""

import csv
import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.command import answer, mauwatch
from tests.support.groups import entity, events, product, source, write_group


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine people in January and four in February, published; a third product is drafted since."""
    rows = [("2025-01-05T00:00:00Z", f"u{i}@example.com") for i in range(9)]
    rows += [("2025-02-05T00:00:00Z", f"u{i}@example.com") for i in range(4)]
    made = product(sources=[source(complete_through="2025-02-28")], to="2025-03-01")
    folder = tmp_path_factory.mktemp("history") / "group"
    directory = write_group(folder, [entity("a", [made]), entity("b", [made])], {"events.parquet": events(rows)}, name="=1+1")
    # The run finds that these events are few and far between.
    assert "Months published: 2, 2025-01 to 2025-02." in mauwatch("run", "--group", directory).stdout
    return write_group(folder, [entity("a", [made, made | {"product": "draft"}]), entity("b", [made])], {}, name="=1+1")


@pytest.fixture
def changed(directory: Path, tmp_path: Path) -> Path:
    """A copy of the same, for a test that changes it."""
    return shutil.copytree(directory, tmp_path / "changed")


def estimates(said: dict[str, list[dict[str, object]]], subject: str) -> list[object]:
    figures = [month["figures"] for month in said["months"]]
    return [row["estimate"] for rows in figures if isinstance(rows, list) for row in rows if row["subject"] == subject]


def test_months_stand_side_by_side(directory: Path) -> None:
    said = answer("history", "--group", directory)
    assert [month["month"] for month in said["months"]] == ["2025-01", "2025-02"]
    assert {month["state"] for month in said["months"]} == {"preliminary"}
    assert estimates(said, "a/app") == [9, 4]
    assert {row["subject"] for month in said["months"] for row in month["figures"]} == {"test", "a", "a/app", "b", "b/app"}
    assert all({"lower", "upper", "complete"} <= set(row) for month in said["months"] for row in month["figures"])
    shown = mauwatch("history", "--group", directory).stdout
    assert shown.index("2025-01") < shown.index("2025-02")
    february = mauwatch("history", "b/app", "--group", directory, "--from", "2025-02").stdout
    assert "2025-01" not in february
    assert "b/app: people in the months that were published" in february


def test_a_signed_month_says_who_signed(changed: Path) -> None:
    done = mauwatch("close", "2025-01", "--by", "Counsel", "--despite", "a draft", "--group", changed)
    assert done.returncode == 0, done.stderr
    first, second = answer("history", "--group", changed)["months"]
    assert [(m["state"], m["signed_by"]) for m in (first, second)] == [("closed", "Counsel"), ("preliminary", None)]
    assert "Counsel" in mauwatch("history", "--group", changed).stdout


def test_csv_has_a_row_for_each_month_and_subject(directory: Path, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    assert mauwatch("history", "--group", directory, "--out", path).returncode == 0
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    said = answer("history", "--group", directory)
    assert len(rows) == 10
    for month in said["months"]:
        for figure in month["figures"]:
            (row,) = [
                r for r in rows if (r["month"], r["scope"], r["subject"]) == (month["month"], figure["scope"], figure["subject"])
            ]
            assert [int(row[name]) for name in ("estimate", "lower", "upper")] == [
                figure[n] for n in ("estimate", "lower", "upper")
            ]


def test_a_workbook_has_the_months_side_by_side(directory: Path, tmp_path: Path) -> None:
    """Numbers are numbers there, and no text is a formula."""
    path = tmp_path / "history.xlsx"
    assert mauwatch("history", "--group", directory, "--out", path).returncode == 0
    with ZipFile(path) as book:
        assert book.read("xl/workbook.xml").count(b"<sheet ") == 2
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet + book.read("xl/worksheets/sheet2.xml").decode()
    cells = {cell.split('"')[0]: cell.partition("<v>")[2].partition("<")[0] for cell in sheet.split('<c r="')[1:]}
    # The first row below the head is the group's estimate: 9 in January, 4 in February.
    assert (cells["D2"], cells["E2"]) == ("9", "4")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "2025-02", "--to", "2025-01"], "lies after"),
        (["--out", "history.pdf"], "ends in .csv or .xlsx"),
        (["a/ap"], "did you mean a/app?"),
        (["--reading", "mine"], "no reading mine"),
        (["--from", "2026-01"], "no month was published"),
    ],
)
def test_what_cannot_be_shown(directory: Path, arguments: list[str], said: str) -> None:
    done = mauwatch("history", *arguments, "--group", directory)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_months_of_another_reading_are_named(changed: Path) -> None:
    """A month that goes missing without a word would look like one that nobody counted."""
    (changed / "readings.yaml").write_text(
        "readings: [{name: unique_people, counts: unique_people}, {name: other, counts: unique_people}]\n"
        "of_record:\n"
        "  - {reading: unique_people, adopted_by: x, from: 2020-01-01, to: 2025-02-01}\n"
        "  - {reading: other, adopted_by: x, from: 2025-02-01}\n"
    )
    said = answer("history", "--group", changed)
    assert ([month["month"] for month in said["months"]], said["published_otherwise"]) == (["2025-01"], ["2025-02"])
    assert "so not shown: 2025-02" in mauwatch("history", "--group", changed).stdout
