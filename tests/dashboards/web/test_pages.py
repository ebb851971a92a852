"""The pages in a real browser: whole, without an error, readable in light and dark, on a phone, and by keyboard alone."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from dashboards.web.app import ROUTER
from tests.support import workbooks
from tests.support.browser import OpenedPage, is_whole_on_each_screen, walk

CELL = "/licences?licence=llama-4&clause=mau&licensee=holding&reading=unique_people"
PAGES = {
    "/": ["/"],
    "/group": ["/group"],
    "/licences": ["/licences", CELL],
    "/forecast": ["/forecast"],
    # With people and saved scenarios: test_whatif.
    "/whatif": ["/whatif"],
    "/scenario": ["/scenario"],
    "/data": ["/data"],
    "/alerts": ["/alerts", "/alerts/3"],
}
"""By page, the addresses under which it is looked at."""


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("screenshots")


def test_each_page_is_looked_at() -> None:
    """A page that nobody has listed is one that is never opened by a browser here."""
    assert set(PAGES) == set(ROUTER.pages)


@pytest.mark.parametrize("path", [path for paths in PAGES.values() for path in paths])
def test_a_page_is_whole_on_each_screen_and_by_keyboard(path: str, opened: OpenedPage, site: str, screenshots: Path) -> None:
    """An error in the console is a part of the page that isn't there; what no key reaches, or nobody sees, some can't use."""
    page = opened.page
    bundles = set[str]()
    page.on("request", lambda request: bundles.update(re.findall(r"plotly-([a-z]+)", request.url)))
    assert opened.open(site + path) == 200
    walked = walk(page)
    assert walked["reached"] == walked["expected"], "each control, in the order of the page, and no trap"
    assert walked["unseen"] == []
    # The first key leads past the navigation.
    assert page.locator("a.skip").get_attribute("href") == "#page"
    assert 'class="skip"' in walked["reached"][0]
    name = path.strip("/").partition("&")[0].replace("/", "-").replace("?", "-") or "overview"
    assert is_whole_on_each_screen(opened, screenshots, name) == []
    assert page.locator("[data-state='failed']").count() == 0
    # The larger one, or both, would be a tenth of a first visit more.
    kind = "cartesian" if page.locator("[data-cells]").count() else "basic"
    assert bundles == ({kind} if page.locator("[data-state='drawn']").count() else set())
    assert opened.errors == []
    assert page.locator("h1").count() == 1


def test_another_month_is_another_address(opened: OpenedPage, site: str) -> None:
    """The address restores the page: who sends it to a colleague sends the same figures."""
    page = opened.page
    opened.open(f"{site}/?reading=summed_products")
    page.get_by_role("textbox", name="Month").click()
    page.get_by_role("option", name="September 2026").click()
    page.wait_for_url("**/?*month=2026-09*")
    opened.wait()
    assert "reading=summed_products" in page.url
    assert page.locator(".about").first.inner_text().startswith("September\u00a02026")
    assert opened.errors == []


def test_each_download_opens(opened: OpenedPage, site: str, tmp_path: Path) -> None:
    page = opened.page
    opened.open(f"{site}/?month=2026-10")
    figure = page.locator("figure", has_text="People by month")
    for kind in ("CSV", "Excel", "PNG", "SVG"):
        with page.expect_download() as download:
            figure.get_by_text(kind, exact=True).click()
        download.value.save_as(tmp_path / kind)
    lines = (tmp_path / "CSV").read_text().splitlines()
    assert lines[0].startswith("month,kind,estimate,lower,upper")
    assert [line for line in lines if line.startswith("2026-10-01,published,744115")]
    (tmp_path / "Excel").rename(tmp_path / "trend.xlsx")
    book = workbooks.read(tmp_path / "trend.xlsx")
    assert list(book) == ["figures", "text", "fields"]
    assert len(book["figures"]) == len(lines)
    assert "Privileged and confidential. Prepared at the direction of counsel." in [row[0] for row in book["text"] if row]
    picture = Image.open(io.BytesIO((tmp_path / "PNG").read_bytes()))
    assert picture.size == (1200, 675)
    colours = picture.convert("RGB").getcolors(maxcolors=1_000_000)
    assert colours is not None
    assert len(colours) > 50
    assert max(colours)[1] == (255, 255, 255), "pictures are on white"
    drawn = (tmp_path / "SVG").read_text()
    assert "threshold" in drawn
    assert "Privileged and confidential" in drawn


def test_what_is_painted_first_is_what_react_shows(opened: OpenedPage, site: str) -> None:
    """Painted before scripts run, the page must not say anything else than afterwards."""
    page = opened.page
    response = page.request.get(site)
    painted = response.text().partition('<div class="first-paint">')[2].partition("<script")[0]
    opened.open(site)
    shown = page.locator("#content").inner_text()
    for words in (".answer", ".sentence", ".fact .value"):
        for text in page.locator(words).all_inner_texts():
            assert text.strip() in re.sub(r"<[^>]+>", "", painted).replace("&nbsp;", "\u00a0"), text
    assert "Can't tell yet: 700\u00a0M lies inside the range." in shown


def test_a_refused_signature_is_said_on_the_page(opened: OpenedPage, site: str) -> None:
    """A callback that is refused changes nothing on the page: without these words a month would be taken for signed."""
    page = opened.page
    opened.open(f"{site}/licences")
    page.get_by_role("button", name="Sign the month").click()
    refusal = page.locator("#refusal")
    refusal.wait_for()
    assert refusal.inner_text() == "Nobody is named who signs. What to do: write name and office."
    assert refusal.get_attribute("role") == "alert"
    page.get_by_label("Who signs").fill("4711")
    page.get_by_role("button", name="Sign the month").click()
    page.wait_for_load_state("networkidle")
    assert refusal.count() == 1


def test_the_adoption_check_is_asked_without_a_script(opened: OpenedPage, site: str) -> None:
    """The answer has an address: counsel sends the address to whoever asked."""
    page = opened.page
    opened.open(f"{site}/licences?reading=summed_products")
    page.get_by_label("May the product").select_option("media/music")
    page.locator("#choice-adopt").select_option("llama-4")
    page.get_by_role("button", name="Look it up").click()
    page.wait_for_url("**/licences?reading=summed_products&into=media%2Fmusic&adopt=llama-4#adoption-title")
    opened.wait()
    assert "Not cleared under the reading of record" in page.locator("#content").inner_text()
    assert opened.errors == []
