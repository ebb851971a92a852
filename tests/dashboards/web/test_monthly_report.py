"""The monthly report: the pages' own numbers on paper, whole and the same each time, and nothing that isn't published."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from html import unescape
from pathlib import Path
from shutil import which

import pytest
from axe_playwright_python.sync_playwright import Axe
from typer.testing import CliRunner

from affiliates.errors import Code, RefusedError
from dashboards.cli.main import app
from dashboards.report.document import PaperDocument
from dashboards.web import monthly_report
from dashboards.web.monthly_report import MonthlyReport
from dashboards.web.viewer import Role
from tests.support.browser import OpenedPage
from tests.support.pages_group import LEGEND, NOW, as_viewer, edit, store_of, write_pages_group
from tests.support.pages_requests import client_of

MONTH = date(2026, 10, 1)
NEWEST = "(select max(id) from publications where reading = 'unique_people' and month = '2026-10-01')"
OF_GROUP = f"where publication = {NEWEST} and scope = 'group'"
OTHER_MONTHS = "(select max(id) from publications where month = '2026-10-01' group by reading)"


@pytest.fixture(scope="module")
def report(pages_group: Path) -> MonthlyReport:
    return monthly_report.make(pages_group, NOW)


def words(made: MonthlyReport) -> str:
    """What is read of the HTML file."""
    body = made.html.decode().partition("<body>")[2]
    without_pictures = re.sub(r"<svg.*?</svg>", " ", body, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", without_pictures))).replace("\u00a0", " ")


def paper(made: MonthlyReport) -> str:
    """What is read of the PDF."""
    program = which("pdftotext")
    assert program is not None, "install poppler-utils: the PDF is read by another program than ours"
    text = subprocess.run([program, "-layout", "-", "-"], input=made.pdf, capture_output=True, check=True).stdout.decode()
    return re.sub(r"\s+", " ", text.replace("\u00a0", " "))


def test_the_report_says_what_finance_and_counsel_ask(report: MonthlyReport) -> None:
    """A part that isn't there is a question that nobody answers; a number of another page's would be a second truth."""
    text = words(report)
    in_order = [
        LEGEND, "Conglomerate: monthly users in October 2026", "reading unique people (of record)", "as of 2026-11-30 23:25 UTC",
        "Can't tell yet: 700 M lies inside the range.",
        "Best estimate 744.1 M, at least 305 M, at most 754 M different people in October 2026.",
        "Preliminary: nobody has signed October 2026.", "sum of products: 1,432.2 M", "Headroom −54 M to +395 M",
        "Chance of being over 55 % now, 57 % within a year", "Decide by 2026-05-05 (passed)", "89.5 % is there",
        "What moved the figure from the month before", "can't be compared",
        "Licences: results by clause and reading", "Llama 4 Community License", "◇ Can't tell yet", "▲ Over",
        "What would settle what is open", "a crosswalk that joins the same people's identifiers",
        "24 months, and what is expected", "November 2024 669.0 M 296 to 679 M", "mobility joined the group",
        "Months to come", "November 2026 748.7 M", "The last day to begin", "A forecast: no evidence",
        "Products", "Nobody else has", "Feed 293.6 M 276 to 294 M 39.5 %",
        "Models in use, and what there is to do to adopt one", "ask for a licence for the product",
        "Alerts that are open", "Threshold 700 M of llama: act", "State of the data of October 2026",
        "mobile/prepaid: 31 of 31 days",
        "What the figures rest on", "Under the other readings summed_products: 1,432.2 M", "way of counting number",
        "Digest of all that it rests on:", LEGEND,
    ]  # fmt: skip
    place = 0
    for part in in_order:
        assert part in text[place:], part
        place = text.index(part, place)


def test_both_files_say_the_same(report: MonthlyReport) -> None:
    """Two papers of one month with two numbers, and nobody knows which one was sent."""
    numbers = re.compile(r"\d[\d,.]*\s?(?:M\b|%)")
    in_html, in_pdf = (sorted(numbers.findall(text)) for text in (words(report), paper(report)))
    # The PDF's pictures hold their axes' texts as outlines, and each table's head and foot stand on each sheet.
    assert set(in_html) == set(in_pdf)
    assert report.has_upper_bound


def test_the_same_figures_are_the_same_bytes(pages_group: Path, report: MonthlyReport) -> None:
    """A file that differs by its hour alone would be sent again as if it were restated."""
    again = monthly_report.make(pages_group, NOW + timedelta(hours=5))
    assert again.html == report.html
    assert again.pdf == report.pdf
    assert monthly_report.make(pages_group, NOW, date(2026, 9, 1)).html != report.html


def test_the_file_needs_nothing_else(report: MonthlyReport, opened: OpenedPage, tmp_path: Path) -> None:
    """An address inside would tell its owner who reads the figures; a picture that is elsewhere is missing in a mail."""
    source = report.html.decode()
    assert "<script" not in source
    assert not re.search(r'(?:src|href)="(?!#)', source)
    assert not re.search(r"url\((?!#)|@import", source)
    names = re.findall(r'\bid="([^"]+)"', source)
    assert len(names) == len(set(names))
    file = tmp_path / "report.html"
    file.write_bytes(report.html)
    page = opened.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    found = []
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0
        found += [(width, v["id"], v["nodes"][0]["html"]) for v in Axe().run(page).response["violations"]]
    assert found == []
    assert opened.errors == []


def test_the_file_prints_whole(report: MonthlyReport, opened: OpenedPage, tmp_path: Path) -> None:
    """On paper nobody scrolls: what is wider than the sheet is gone."""
    file = tmp_path / "report.html"
    file.write_bytes(report.html)
    page = opened.page
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    # The width of the text on a sheet of A4 with margins of 15 mm.
    page.set_viewport_size({"width": round(180 / 25.4 * 96), "height": 900})
    wide = "(one) => one.scrollWidth > one.clientWidth + 1"
    cut = page.evaluate(
        f"() => [...document.querySelectorAll('.table, figure, dl, p, li')].filter({wide}).map((one) => one.innerText)"
    )
    assert cut == []
    sheets = page.pdf(prefer_css_page_size=True)
    assert 5 <= len(re.findall(rb"/Type /Page\b", sheets)) <= 12


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ((f"delete from publications where id not in {OTHER_MONTHS}",),
         ["One month is published: there is no trend yet.", "The month before isn't published"]),
        (("delete from outlook_months", "delete from outlooks", "delete from clause_results", "delete from month_changes",
          "delete from deliveries", "delete from outbox", "delete from incidents", "delete from range_parts",
          "update publications set state = 'closed', signed_by = 'Head of Legal', despite = 'two days were lost'"),
         ["There is no forecast for this month: none is published", "Decide by no outlook", "closed by Head of Legal",
          "No result of a clause is published yet.", "The causes are not published yet: the next run does.", "No alert is open.",
          "Closed although something was open two days were lost"]),
        ((f"update figures set upper = null, reasons = 'media/tv: 3 days are missing' {OF_GROUP}",),
         ["Can't tell yet: there is no upper bound.", "media/tv: 3 days are missing", "Headroom at most +395 M"]),
        ((f"update figures set estimate = null {OF_GROUP}",), ["Not measured: there is no figure.", "Headroom not measured"]),
        ((f"update figures set lower = 700000001 {OF_GROUP}",), ["Over: the whole range lies above 700 M."]),
        ((f"update figures set estimate = 690000000, upper = 699960000 {OF_GROUP}",
          "update publications set state = 'restated', signed_by = 'Head of Legal', reason = 'a file came late'"),
         ["at most 699.96 M different people", "Restated by Head of Legal, because: a file came late."]),
    ],
)  # fmt: skip
def test_the_report_says_what_there_is_and_what_there_is_not(edits: tuple[str, ...], said: list[str], tmp_path: Path) -> None:
    """An empty place on paper would pass for a zero, or for nothing to worry about."""
    made = monthly_report.make(write_pages_group(tmp_path / "group", *edits), NOW)
    text = words(made)
    for part in said:
        assert part in text


def test_a_past_month_has_no_outlook_of_another(pages_group: Path) -> None:
    """What is expected now, on the paper of September, would be read as what was expected then."""
    text = words(monthly_report.make(pages_group, NOW, date(2026, 9, 1)))
    assert "There is no forecast for this month: a past month: what is expected stands with the newest one." in text
    assert "Best estimate 779.0 M" in text


def without_figures(directory: Path) -> None:
    edit(directory, *(f"delete from {table}" for table in ("figures", "range_parts", "month_changes", "publications")))


@pytest.mark.parametrize(
    ("arguments", "change", "code", "said"),
    [
        (["2027-05"], None, Code.FIGURE_MISSING, "lies in the future"),
        (["2019-01"], None, Code.FIGURE_MISSING, "there are 2024-09 to 2026-10"),
        (["2026-10", "--reading", "nobody"], None, Code.USAGE_INVALID, "unique_people"),
        (["2026-10", "--pdf", "DIRECTORY/group.yaml/report.pdf"], None, Code.REPORT_UNWRITABLE, "can't be written"),
        (["2026-10", "--html", "DIRECTORY"], None, Code.REPORT_UNWRITABLE, "can't be written"),
        ([], without_figures, Code.FIGURE_MISSING, "no month is published"),
    ],
)
def test_what_cant_be_reported_is_refused(
    arguments: list[str], change: Callable[[Path], None] | None, code: Code, said: str, tmp_path: Path
) -> None:
    """Another month's report, or an empty one, would be filed under the name that was asked for."""
    directory = write_pages_group(tmp_path / "group")
    if change is not None:
        change(directory)
    before = {path for path in directory.rglob("*") if path.is_file()}
    command = ["report", *(part.replace("DIRECTORY", str(directory)) for part in arguments), "--group", str(directory)]
    with pytest.raises(RefusedError) as refusal:
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert refusal.value.refusals[0].code is code
    assert said in str(refusal.value)
    assert {path for path in directory.rglob("*") if path.is_file()} - before == set()


def test_without_a_store_nothing_is_reported(tmp_path: Path) -> None:
    directory = write_pages_group(tmp_path / "group")
    store_of(directory).unlink()
    with pytest.raises(RefusedError):
        monthly_report.make(directory, NOW)


def test_the_command_writes_both_files(pages_group: Path, report: MonthlyReport, tmp_path: Path) -> None:
    """By default into the group's folder, under the month's name; the same bytes as the download's."""
    own = write_pages_group(tmp_path / "group")
    (own / "group.yaml").write_text((own / "group.yaml").read_text() + "report: {folder: filed/reports}\n")
    answer = CliRunner().invoke(app, ["report", "--group", str(own)])
    assert answer.exit_code == 0, answer.output
    folder = own / "filed" / "reports"
    assert sorted(path.name for path in folder.iterdir()) == ["mauwatch-2026-10.html", "mauwatch-2026-10.pdf"]
    assert (folder / "mauwatch-2026-10.html").read_bytes() == report.html
    assert (folder / "mauwatch-2026-10.pdf").read_bytes() == report.pdf


@pytest.mark.parametrize("kind", ["html", "pdf"])
def test_a_page_offers_the_report(kind: str, pages_group: Path, report: MonthlyReport) -> None:
    client = client_of(pages_group)
    assert f"/report/monthly.{kind}?month=2026-10" in client.get("/?month=2026-10").text
    answer = client.get(f"/report/monthly.{kind}?month=2026-10")
    assert answer.status_code == 200
    assert answer.data == getattr(report, kind)
    assert f'filename="mauwatch-2026-10.{kind}"' in answer.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("monthly.pdf?month=2027-01", 404),
        ("monthly.pdf?month=October", 400),
        ("monthly.pdf?reading=nobody", 404),
        ("monthly.pdf?licence=llama-4", 400),
        ("monthly.docx", 404),
    ],
)
def test_a_bad_address_of_a_report_is_said(address: str, status: int, pages_group: Path) -> None:
    assert client_of(pages_group).get(f"/report/{address}").status_code == status


def test_who_sees_an_affiliate_alone_gets_no_report(pages_group: Path) -> None:
    """The report names all affiliates' figures: a link that is merely hidden is no secret."""
    client = client_of(pages_group)
    only = as_viewer(Role.affiliate, affiliates="media")
    for kind in ("html", "pdf"):
        answer = client.get(f"/report/monthly.{kind}", headers=only)
        assert answer.status_code == 403
        assert b"744" not in answer.data
    assert "/report/monthly" not in client.get("/", headers=only).text


def test_a_name_is_text_in_both_files() -> None:
    """A product's name with a tag in it would be a part of the page, or of whatever reads the page in a mail."""
    from dashboards.report import document_html, document_pdf
    from dashboards.report.document import Bullets, Fact, FactList, Grid, Heading, Key, Paragraph, Part, Picture

    evil = "<img src=x onerror=alert(1)>&\u202e"
    svg = '<svg width="10pt" height="5pt" viewBox="0 0 10 5" xmlns="http://www.w3.org/2000/svg"></svg>'
    parts: list[Part] = [
        Heading(evil), Paragraph(evil), Bullets([evil]), FactList([Fact(evil, evil, evil)]),
        FactList([Fact(evil, evil)], are_lines=True),
        Grid(evil, [evil, evil], [[evil, evil]], [1, 1]), Picture(evil, evil, svg, [Key(evil, "#000000", "line")]),
    ]  # fmt: skip
    document = PaperDocument(evil, evil, parts, evil, evil, datetime(2026, 11, 30, tzinfo=NOW.tzinfo))
    text = document_html.html(document)
    assert "<img" not in text
    assert "\u202e" not in text
    assert document_pdf.pdf(document).startswith(b"%PDF")
    assert document_pdf.pdf(document) == document_pdf.pdf(replace(document))


def test_what_no_font_has_a_glyph_for_is_refused() -> None:
    """A box in the place of a name."""
    from dashboards.report import document_pdf
    from dashboards.report.document import Paragraph

    document = PaperDocument("a", "b", [Paragraph("株式会社")], "c", "d", NOW)
    with pytest.raises(RefusedError) as refusal:
        document_pdf.pdf(document)
    assert refusal.value.refusals[0].code is Code.REPORT_UNWRITABLE
