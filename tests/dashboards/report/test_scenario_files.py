"""A scenario as a file: every number comes back as it was, and no name in it is obeyed."""

import csv
import json
import re
import stat
import struct
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from affiliates.errors import RefusedError
from dashboards.charts.scenario import NO_BOUND
from dashboards.report import scenario_files
from dashboards.report.scenario_workbook import SHEETS
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import RestsOn
from pipelines.scenarios.run import run
from tests.support import deals, workbooks
from tests.support.scenarios import ANSWER
from tests.support.workbooks import Value

HOSTILE = (
    "=cmd|' /C calc'!A0 <script>alert(1)</script><a href='https://evil.example.com'>x</a> $\\frac{1} & \x1b[2J\u202e @SUM(1)\n+1"
)
SHOWN = HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e").replace("\n", " ")
"""The same as a text in plain sight."""
_parsed = ElementTree.fromstring
_UNBOUNDED = replace(ANSWER.months[0].after, probability_over_by_range=None)
BARE = replace(
    ANSWER, frontier=None, tornado=(), break_even=(), target=(), unique=(), overlaps=(), licences=(), notes=(), assumptions=(),
    title=None, months=(replace(ANSWER.months[0], after=_UNBOUNDED),), bounds=(0, None),
    before=replace(ANSWER.before, estimate=None, upper=None),
)  # fmt: skip
"""An answer with as little in it as there can be."""
FREE = {
    "headline", "title", "notes", "reasons", "in_force", "threshold_name", "name", "why_not", "first", "second", "assumption",
    "low", "high", "source", "target", "why", "after_closing", "next_version", "change", "key", "value", "as_of",
}  # fmt: skip
"""Keys under which texts of the scenario's writer stand, or of manifests and registries."""


def hostile(value: Any, is_free: bool = False) -> Any:
    """The answer with a hostile text in the place of each free one."""
    if isinstance(value, dict):
        return {key: hostile(item, key in FREE) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item, is_free) for item in value]
    return HOSTILE if is_free and isinstance(value, str) else value


EVIL = ScenarioAnswer.from_dict(hostile(ANSWER.to_dict()))


@pytest.fixture(params=[ANSWER, EVIL, BARE], ids=["usual", "hostile", "bare"])
def answer(request: pytest.FixtureRequest) -> ScenarioAnswer:
    assert isinstance(request.param, ScenarioAnswer)
    return request.param


def book(answer: ScenarioAnswer, tmp_path: Path) -> dict[str, list[list[Value]]]:
    path = tmp_path / "answer.xlsx"
    scenario_files.write(answer, path)
    return workbooks.read(path)


def test_each_file_is_its_owners_alone_and_the_same_again(answer: ScenarioAnswer, tmp_path: Path) -> None:
    """A plan to buy a company isn't for whoever else uses the machine; two files of one answer must not seem to differ."""
    for suffix in scenario_files.SUFFIXES:
        first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix.upper()}"
        for path in (first, second):
            scenario_files.write(answer, path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert first.read_bytes() == second.read_bytes(), suffix
    assert sorted(path.suffix.lower() for path in tmp_path.iterdir()) == sorted(2 * scenario_files.SUFFIXES)
    with pytest.raises(RefusedError, match="no ending that says its format"):
        scenario_files.write(answer, tmp_path / "answer.pdf")


def test_the_workbooks_months_are_the_answers(answer: ScenarioAnswer, tmp_path: Path) -> None:
    rows = workbooks.table(book(answer, tmp_path)["months"], "month")
    assert [row["month"] for row in rows] == [month.month for month in answer.months]
    for number, (row, month) in enumerate(zip(rows, answer.months, strict=True)):
        for when in ("before", "after"):
            side, bounds = getattr(month, when), getattr(month.bounds, when)
            said = [
                row[f"{when}, {name}"]
                for name in ("2.5 %", "middle", "97.5 %", "P(over)", "P(over) by the range", "P(over so far)")
            ]
            by_range = NO_BOUND if side.probability_over_by_range is None else side.probability_over_by_range
            assert said == [side.p2_5, side.p50, side.p97_5, side.probability_over, by_range, side.crossed]
            assert row[f"{when}, at least"] == bounds[0]
            assert row[f"{when}, at most"] == (NO_BOUND if bounds[1] is None else bounds[1])
            assert row[f"{when} rests on"] == ("assumed" if number else "measured")
        assert row["threshold"] == answer.threshold_after
        assert row["in force"] == (", ".join([SHOWN] * len(month.in_force)) if answer is EVIL else ", ".join(month.in_force))


def test_the_workbooks_frontier_and_tornado_are_the_answers(tmp_path: Path) -> None:
    sheets = book(ANSWER, tmp_path)
    frontier = ANSWER.frontier
    assert frontier is not None
    for title, values in (
        ("P(over 700,000,000)", frontier.p_over), ("The middle of the paths", frontier.p50),
        ("97.5 % of the paths are below", frontier.p97_5),
    ):  # fmt: skip
        rows = workbooks.table(sheets["frontier"], "people", title)
        assert [row["people"] for row in rows] == list(frontier.users)
        assert [[value for name, value in row.items() if name != "people"] for row in rows] == [
            list(of_users) for of_users in values
        ]
    overlaps = next(row for row in sheets["frontier"] if row and row[0] == "overlap")
    assert overlaps[1:] == list(frontier.overlap)
    needed = workbooks.table(sheets["frontier"], "people", "Overlap from which on the group stays under")
    assert [tuple(row.values()) for row in needed] == [
        (row.users, row.overlap_needed_p50, "none is enough" if row.overlap_needed_p95 is None else row.overlap_needed_p95)
        for row in ANSWER.break_even
    ]
    bars = workbooks.table(sheets["tornado"], "assumption")
    assert len(bars) == len(ANSWER.tornado)
    for row, bar in zip(bars, ANSWER.tornado, strict=True):
        assert [row[name] for name in ("assumption", "at its low end", "at its high end", "rests on")] == [
            bar.assumption, bar.low, bar.high, bar.basis,
        ]  # fmt: skip
        assert [row["people at the low end"], row["people at the high end"]] == [bar.after_at_low, bar.after_at_high]
        assert [row["P(over) at the low end"], row["P(over) at the high end"]] == [bar.p_over_at_low, bar.p_over_at_high]


def test_the_workbooks_first_sheet_has_every_other_number(tmp_path: Path) -> None:
    sheets = book(ANSWER, tmp_path)
    assert tuple(sheets) == SHEETS
    rows = sheets["answer"]
    assert rows[0][0] == ANSWER.headline
    sizes = workbooks.table(rows, "", "People in 2026-10")
    for row, size in zip(sizes, (ANSWER.before, ANSWER.after), strict=True):
        assert [row[name] for name in ("estimate", "at least", "at most", "rests on")] == [
            size.estimate, size.lower, size.upper, size.basis,
        ]  # fmt: skip
    (certain,) = workbooks.table(rows, "", "For certain in 2027-03")
    assert [certain["at least"], certain["at most"]] == list(ANSWER.bounds)
    for row, clause in zip(workbooks.table(rows, "clause", "Clauses still to come"), ANSWER.licences, strict=True):
        assert [row["threshold"], row["release"], row["month tested"]] == [clause.threshold, clause.release, clause.month]
        assert [row["P(over) before"], row["P(over) after"]] == [clause.before, clause.after]
        assert [row["by the range, before"], row["by the range, after"]] == [clause.before_by_range, clause.after_by_range]
        assert row["the release's day is"] == ("assumed" if clause.assumed else "stated")
    for row, part in zip(workbooks.table(rows, "", "Whom only this part brings, in 2026-10"), ANSWER.unique, strict=True):
        assert [row[name] for name in ("", "estimate", "at least", "at most")] == [
            part.name,
            part.estimate,
            part.lower,
            part.upper,
        ]
        assert row["measured?"] == (part.why_not or "yes")
    pair = ANSWER.overlaps[0]
    shared = next(row for row in rows if row and row[0] == pair.first and row[1] == pair.second)
    assert shared[2:11] == [
        pair.common, pair.lower, pair.upper, pair.share_of_first, pair.share_of_first_lower, pair.share_of_first_upper,
        pair.share_of_second, pair.share_of_second_lower, pair.share_of_second_upper,
    ]  # fmt: skip
    inputs = {str(row["input"]): row["value"] for row in workbooks.table(sheets["inputs"], "input")}
    for name in ("figure", "manifests", "series", "registry", "definition"):
        assert inputs[f"{name}, SHA-256"] == getattr(ANSWER.inputs, name)
    assert inputs["contribution, SHA-256"] == "e" * 64
    assert (inputs["horizon, months"], inputs["method"]) == (ANSWER.horizon, ANSWER.inputs.method)


def test_an_assumption_without_a_source_stands_out(tmp_path: Path) -> None:
    """Whoever reads a workbook of somebody else's must see which number nobody vouches for."""
    path = tmp_path / "answer.xlsx"
    scenario_files.write(ANSWER, path)
    rows = workbooks.table(workbooks.read(path)["assumptions"], "change")
    assert [row["source"] for row in rows] == ["the annual report", "no source stated", "the group's own figures"]
    assert [row["as of"] for row in rows] == ["2026-10-01", "", ""]
    with ZipFile(path) as files:
        styles = _parsed(files.read("xl/styles.xml"))
        sheet = files.read("xl/worksheets/sheet2.xml").decode()
    style = re.search(r'<c r="E3" s="(\d+)"', sheet)
    assert style
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    formats = styles.find(f"{main}cellXfs")
    fonts = styles.find(f"{main}fonts")
    assert formats is not None
    assert fonts is not None
    colour = fonts[int(formats[int(style[1])].attrib["fontId"])].find(f"{main}color")
    assert colour is not None
    assert colour.attrib["rgb"] == "FFC0392B"


def test_numbers_have_formats_and_the_charts_are_excels_own(tmp_path: Path) -> None:
    """A picture in their place couldn't be asked; a text that looks like a number couldn't be added."""
    path = tmp_path / "answer.xlsx"
    scenario_files.write(ANSWER, path)
    with ZipFile(path) as files:
        charts = [files.read(name).decode() for name in files.namelist() if re.fullmatch(r"xl/charts/chart\d+\.xml", name)]
        assert not [name for name in files.namelist() if "media" in name or "vba" in name.lower() or "externalLink" in name]
        styles = files.read("xl/styles.xml").decode()
    assert ["<c:lineChart>" in chart for chart in charts] == [True, True, False]
    assert "<c:barChart>" in charts[2]
    referenced = [set(re.findall(r"<c:f>(\w+)!", chart)) for chart in charts]
    assert referenced == [{"months"}, {"frontier"}, {"tornado"}]
    assert "the axis begins at" in charts[0]
    assert 'formatCode="0.0%"' in styles


def test_no_cell_of_an_assumption_is_cut_by_the_next_one(tmp_path: Path) -> None:
    """A range of which only the first number is seen is another assumption."""
    value = "3,400,000 to 4,200,000 people, likeliest 3,800,000 in 2026-10"
    path = tmp_path / "answer.xlsx"
    scenario_files.write(replace(ANSWER, assumptions=(replace(ANSWER.assumptions[0], value=value),)), path)
    with ZipFile(path) as files:
        sheet = files.read("xl/worksheets/sheet2.xml").decode()
    widths = {int(place): float(width) for place, width in re.findall(r'<col min="(\d+)" max="\1" width="([\d.]+)"', sheet)}
    assert widths[3] >= len(value)
    assert 'fitToWidth="1"' in sheet or 'fitToHeight="0"' in sheet


def test_a_hostile_name_is_a_text_in_the_workbook(tmp_path: Path) -> None:
    """Opened by somebody else, a formula in a target's name would run with that person's rights."""
    sheets = book(EVIL, tmp_path)  # The reader fails on formulas and links.
    texts = [cell for rows in sheets.values() for row in rows for cell in row if isinstance(cell, str)]
    assert sheets["answer"][0][0] == SHOWN
    assert len([text for text in texts if text == SHOWN]) > 10
    assert not [text for text in texts if "\x1b" in text or "\u202e" in text]


def test_the_csv_has_every_number_of_the_months(answer: ScenarioAnswer, tmp_path: Path) -> None:
    """And no name: a spreadsheet takes a text that begins with = for a formula."""
    path = tmp_path / "answer.csv"
    scenario_files.write(answer, path)
    text = path.read_text(encoding="utf-8")
    assert "cmd" not in text
    rows = list(csv.DictReader(text.splitlines()))
    values = {(row["month"], row["changes"], row["quantity"]): row["value"] for row in rows}
    assert len(values) == len(rows) == 17 * len(answer.months)
    for month in answer.months:
        for when in ("before", "after"):
            side, bounds = getattr(month, when), getattr(month.bounds, when)
            for quantity in ("p2_5", "p50", "p97_5", "probability_over", "probability_over_by_range", "crossed"):
                text_of_it, number = values[month.month, when, quantity], getattr(side, quantity)
                assert (text_of_it == "") if number is None else (float(text_of_it) == number)
            assert [values[month.month, when, quantity] for quantity in ("at_least", "at_most")] == [
                "" if bound is None else str(bound) for bound in bounds
            ]
    assert {row["rests_on"] for row in rows if row["month"] == "2026-10" and row["quantity"] != "threshold"} == {"measured"}
    assert {row["rests_on"] for row in rows if row["month"] != "2026-10" and row["quantity"] != "threshold"} <= {"assumed"}


class _Page(HTMLParser):
    """The texts of a page, its scripts and its elements with what they lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        (self.scripts if self.inside == "script" else self.texts).append(data)


def test_the_page_stands_alone_and_obeys_no_name(answer: ScenarioAnswer, tmp_path: Path) -> None:
    """A page that fetches tells somebody that it is read, and a script in a title would read along."""
    path = tmp_path / "answer.html"
    scenario_files.write(answer, path)
    text = path.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert "alert(1)" not in "".join(
        script for script in page.scripts if len(script) < 1_000_000 and "Plotly.newPlot" not in script
    )
    assert {tag for tag, _ in page.elements} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "script", "table", "tr", "th", "td", "ul", "li",
    }  # fmt: skip
    assert not [attributes for _, attributes in page.elements if {"src", "href"} & set(attributes)]
    said = " ".join(page.texts)
    assert (SHOWN if answer is EVIL else ANSWER.headline) in said
    assert "no legal advice" in said
    # What plotly shows of a name is escaped: plotly itself obeys links and bold.
    drawn = "".join(script for script in page.scripts if "Plotly.newPlot(" in script and len(script) < 1_000_000)
    assert drawn
    assert "<a href" not in drawn
    assert "\\u003ca href" not in drawn
    for month in answer.months:
        assert month.month in said


def svg(answer: ScenarioAnswer, tmp_path: Path) -> ElementTree.Element:
    path = tmp_path / "answer.svg"
    scenario_files.write(answer, path)
    return _parsed(path.read_bytes())


def test_the_svg_has_its_headline_as_text(answer: ScenarioAnswer, tmp_path: Path) -> None:
    """A picture of letters can be neither searched nor read out."""
    picture = svg(answer, tmp_path)
    name = "{http://www.w3.org/2000/svg}"
    texts = [element.text or "" for element in picture.iter(f"{name}text")]
    said = " ".join(texts)
    assert (SHOWN if answer is EVIL else ANSWER.headline) in said
    assert "no legal advice" in said
    tags = {element.tag.removeprefix(name) for element in picture.iter() if element.tag.startswith(name)}
    assert tags <= {"svg", "g", "path", "text", "defs", "clipPath", "rect", "use", "style", "image", "metadata"}
    links = [value for element in picture.iter() for key, value in element.attrib.items() if key.endswith("href")]
    assert not [link for link in links if not link.startswith(("#", "data:image/png;base64,"))]
    width, height = (float(picture.attrib[key].removesuffix("pt")) for key in ("width", "height"))
    assert width / height == pytest.approx(16 / 9, rel=1e-3)


def test_the_png_is_made_for_a_slide(tmp_path: Path) -> None:
    path = tmp_path / "answer.png"
    scenario_files.write(ANSWER, path)
    assert struct.unpack(">II", path.read_bytes()[16:24]) == (1920, 1080)


def test_no_file_without_its_number_of_people_near_the_threshold(tmp_path: Path) -> None:
    """699.96 million written as 700 million would be the other result."""
    near = replace(
        ANSWER, months=tuple(replace(m, after=replace(m.after, p50=699_960_000, p97_5=700_000_001)) for m in ANSWER.months)
    )
    path = tmp_path / "answer.html"
    scenario_files.write(near, path)
    text = path.read_text(encoding="utf-8")
    assert "699.96 M" in text
    assert "700,000,001" in text or "700.000001 M" in text
    picture = " ".join(element.text or "" for element in svg(near, tmp_path).iter("{http://www.w3.org/2000/svg}text"))
    assert "699.96 M" in picture
    # Neither is the threshold rounded: 699,999,999 people would be over it.
    odd = replace(ANSWER, threshold=699_999_999, threshold_after=699_999_999)
    scenario_files.write(odd, path)
    assert "over 699,999,999 (Llama 4)" in path.read_text(encoding="utf-8")
    assert "For certain in 2027-03: at least 450.0 M, at most 720.0 M." in path.read_text(encoding="utf-8")
    picture = " ".join(element.text or "" for element in svg(odd, tmp_path).iter("{http://www.w3.org/2000/svg}text"))
    assert "over 699,999,999 (Llama 4)" in picture
    assert "P(over 699,999,999) in 2027-03" in picture


@pytest.mark.parametrize(
    "change",
    [
        lambda a: replace(a, threshold=4_000, threshold_after=4_000),
        lambda a: replace(
            a, months=tuple(replace(m, after=replace(m.after, p2_5=0, p50=0, p97_5=0), before=m.after) for m in a.months)
        ),
        lambda a: replace(a, before=replace(a.before, basis=RestsOn.STATED), decision_month="2031-01"),
        lambda a: replace(a, headline="W" * 400, threshold_name="\u4f1a\u793e " * 20, comparator="gte"),
        lambda a: replace(a, months=a.months[:2], frontier=None),
    ],
    ids=["far threshold", "nobody", "decided later", "long", "two months"],
)
def test_other_answers_are_drawn_too(change: Callable[[ScenarioAnswer], ScenarioAnswer], tmp_path: Path) -> None:
    """Warnings are errors here: a flat axis, a letter that a font lacks, a month that isn't among the months."""
    changed = change(ANSWER)
    for suffix in scenario_files.SUFFIXES:
        scenario_files.write(changed, tmp_path / f"answer{suffix}")
    assert json.loads(json.dumps(changed.to_dict()))


def test_an_answer_of_the_engine_comes_through(tmp_path: Path) -> None:
    """The answers above are made up: a real one has more rows, other texts, and no bound where the group has none."""
    with deals.deal_group(tmp_path) as deal:
        definition = deal.definition(
            """\
            scenario: project-apple
            title: Buying Example Social
            horizon: 24
            threshold: 120_000
            changes:
              - acquire: Example Social
                on: 2027-03-01
                users: {low: 20_000, likely: 25_000, high: 30_000, unit: people, month: 2026-10}
                overlap: {of: target, low: 10 %, high: 60 %}
                source: the annual report
                as_of: 2026-10-01
              - divest: games/cards
                on: 2027-06-30
            """
        )
        answer = run(deal.baseline(definition), definition)
    for suffix in scenario_files.SUFFIXES:
        scenario_files.write(answer, tmp_path / f"answer{suffix}")
    sheets = workbooks.read(tmp_path / "answer.xlsx")
    rows = workbooks.table(sheets["months"], "month")
    assert [row["after, middle"] for row in rows] == [month.after.p50 for month in answer.months]
    assert [row["after, P(over)"] for row in rows] == [month.after.probability_over for month in answer.months]
    assert answer.frontier is not None
    assert len(workbooks.table(sheets["tornado"], "assumption")) == len(answer.tornado) > 1
    picture = ElementTree.parse(tmp_path / "answer.svg")  # noqa: S314 (our own file)
    assert answer.headline in " ".join(text.text or "" for text in picture.iter("{http://www.w3.org/2000/svg}text"))
