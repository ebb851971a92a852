"""The what-if pages on a group whose people are known: in a real browser, and by HTTP as a stranger would call them."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from dashboards.web.app import create_app
from dashboards.web.viewer import Role, Viewer
from pipelines.scenarios import access
from pipelines.scenarios.definition import Definition
from tests.support import workbooks
from tests.support.browser import OpenedPage, is_whole_on_each_screen, served, walk
from tests.support.deals import NOW, Deal, deal_group

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
LIVE = "..whatif-answer.children...whatif-assumptions.children.."
TARGET = {
    "name": "Secret Apple", "likely": 0.012, "unit": "people", "month": "2026-10", "on": "2027-03-01",
    "overlap_of": "target", "overlap": [30, 30],
}  # fmt: skip


@pytest.fixture(scope="module")
def deal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deal]:
    directory = tmp_path_factory.mktemp("whatif") / "group"
    directory.mkdir()
    with deal_group(directory, months=3) as group:
        yield group


@pytest.fixture(scope="module")
def application(deal: Deal) -> Flask:
    def protect(server: Flask) -> None:
        @server.before_request
        def viewer() -> None:
            name = flask.request.headers.get("X-Test-Person", ALICE)
            flask.g.viewer = Viewer(name, frozenset({Role.viewer, Role.deals}), frozenset())

    server = create_app(deal.workspace.directory, protect=protect, clock=lambda: NOW).server
    assert isinstance(server, Flask)
    return server


@pytest.fixture(scope="module")
def whatif_site(application: Flask) -> Iterator[str]:
    with served(application) as address:
        yield address


@pytest.fixture(scope="module")
def kept(deal: Deal) -> list[int]:
    """The numbers of two scenarios that Alice keeps."""
    numbers = []
    for name, overlap in (("apple", 30), ("pear", 90)):
        definition = Definition.from_dict(
            {
                "scenario": name,
                "title": f"Secret {name}",
                "threshold": 105_000,
                "changes": [
                    {
                        "acquire": "Secret Apple",
                        "on": "2027-03-01",
                        "users": {"likely": 12_000, "unit": "people", "month": "2026-10"},
                        "overlap": {"of": "target", "low": f"{overlap} %", "high": f"{overlap} %"},
                        "source": "the data room",
                        "as_of": "2026-10-20",
                    }
                ],
            }
        )
        answer = access.run(deal.store, deal.workspace, definition, deal.folder)
        numbers.append(access.keep(deal.store, ALICE, definition, deal.folder, answer, NOW).kept.id)
    return numbers


def _fields(card: str, kind: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"id": {"form": "whatif", "card": card, "kind": kind, "field": name}, "property": "value", "value": value}
        for name, value in values.items()
    ]


def _base(month: str = "2026-10") -> dict[str, Any]:
    return {"id": "whatif-base", "property": "data", "value": {"month": month, "reading": "unique_people"}}


def _outputs(output: str) -> Any:
    parts = [dict(zip(("id", "property"), one.split("."), strict=True)) for one in output.strip(".").split("...")]
    return parts if output.startswith("..") else parts[0]


def _post(client: FlaskClient, output: str, inputs: list[Any], state: list[Any], changed: str, person: str = ALICE) -> Any:
    body = {"output": output, "outputs": _outputs(output), "inputs": inputs, "state": state, "changedPropIds": [changed]}
    return client.post("/_dash-update-component", json=body, headers={"X-Test-Person": person})


def _live(client: FlaskClient, kind: str, values: dict[str, Any], base: dict[str, Any] | None = None) -> str:
    fields = [*_fields("first", kind, values), *_fields("base", "base", base or {"horizon": 12, "threshold": 0.105})]
    answer = _post(client, LIVE, [fields, _base()], [], "whatif-base.data")
    assert answer.status_code == 200
    return str(json.dumps(answer.get_json(), ensure_ascii=False))


def _all_scenarios(deal: Deal) -> int:
    return sum(len(access.listed(deal.store, person)) for person in (ALICE, BOB, CAROL))


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("acquire", {"likely": "plenty"}, "is no whole number"),
        ("acquire", {"overlap": [30, 130]}, "is over 100 %"),
        ("acquire", {"on": "2019-03-01"}, "its day lies before the base month"),
        ("acquire", {"on": "in March"}, "Change 1"),
        ("acquire", {"unit": "accounts"}, "aren't people: say how many people one is"),
        ("acquire", {"name": ""}, "Change 1"),
        ("acquire", {"overlap_of": "group", "overlap": [90, 95]}, "there would be more shared people than one side has"),
        ("divest", {"part": "chta/app", "on": "2027-03-01"}, "no such affiliate or product"),
        ("reading", {"reading": "by_moonlight", "on": "2027-03-01"}, "no such reading"),
        ("contribution", {"contribution": "/etc/passwd"}, "is one change with one of these keys"),
    ],
)
def test_a_form_error_is_shown_in_the_refusals_words(
    application: Flask, deal: Deal, kind: str, change: dict[str, Any], words: str
) -> None:
    """Shown, and nothing is stored; old figures beside a form that says something else would be a wrong answer."""
    before = _all_scenarios(deal)
    values = {**TARGET, **change} if kind == "acquire" else change
    text = _live(application.test_client(), kind, values)
    assert words in text
    assert "number-line" not in text
    fields = [*_fields("first", kind, values), *_fields("base", "base", {"horizon": 12})]
    texts = ("name", "title", "note")
    state = [fields, _base(), *({"id": f"whatif-{name}", "property": "value", "value": "wrong"} for name in texts)]
    state.append({"id": "whatif-again", "property": "checked", "value": False})
    inputs = [{"id": "whatif-save", "property": "n_clicks", "value": 1}]
    saved = _post(application.test_client(), "whatif-saved.children", inputs, state, "whatif-save.n_clicks")
    # Nothing on the page would change by it: a status of its own, unlike the figures beside the form.
    assert saved.status_code == 400
    assert words in saved.get_data(as_text=True)
    assert _all_scenarios(deal) == before


def test_sharing_with_nobody_is_refused(application: Flask, kept: list[int]) -> None:
    client = application.test_client()
    inputs = [{"id": "scenario-share", "property": "n_clicks", "value": 1}, []]
    for person, status in (("  ", 400), (7, 400), ("x" * 201, 400)):
        state = [
            {"id": "scenario-person", "property": "value", "value": person},
            {"id": "scenario-number", "property": "data", "value": kept[0]},
            {"id": "scenario-shown", "property": "data", "value": []},
        ]
        refused = _post(client, "scenario-people.children", inputs, state, "scenario-share.n_clicks")
        assert (refused.status_code, refused.mimetype) == (status, "text/plain"), person
        assert "What to do: " in refused.get_data(as_text=True)


def test_a_form_that_is_none_is_refused(application: Flask) -> None:
    client = application.test_client()
    for base in (None, {"month": 5}, {"month": "2026-13", "reading": "unique_people"}):
        wrong = [[], {"id": "whatif-base", "property": "data", "value": base}]
        assert _post(client, LIVE, wrong, [], "whatif-base.data").status_code == 400
    for field in (
        {"id": "first", "property": "value", "value": 1},
        {"id": {"form": "whatif", "card": 1, "kind": [], "field": None}, "property": "value", "value": 1},
    ):
        assert _post(client, LIVE, [[field], _base()], [], "whatif-base.data").status_code == 400


def test_a_drafts_numbers_are_the_scenarios(application: Flask, deal: Deal) -> None:
    """The page draws what the command draws: the same months from the same form."""
    definition = Definition.from_dict(
        {
            "scenario": "draft",
            "threshold": 105_000,
            "changes": [
                {
                    "acquire": "Secret Apple",
                    "on": "2027-03-01",
                    "users": {"likely": 12_000, "unit": "people", "month": "2026-10"},
                    "overlap": {"of": "target", "low": "30 %", "high": "30 %"},
                }
            ],
        }
    )
    whole = access.run(deal.store, deal.workspace, definition, deal.folder)
    text = _live(application.test_client(), "acquire", TARGET)
    assert whole.headline in text
    assert f"{whole.months[-1].after.p50:,}" in text
    assert "Draft, not saved" in text


def _file_of_a_draft(client: FlaskClient, chart: str, ending: str, values: dict[str, Any]) -> Any:
    fields = [*_fields("first", "acquire", values), *_fields("base", "base", {"horizon": 12, "threshold": 0.105})]
    button = {"id": {"whatif": "file", "chart": chart, "ending": ending}, "property": "n_clicks", "value": 1}
    changed = json.dumps(button["id"], separators=(",", ":"), sort_keys=True) + ".n_clicks"
    return _post(client, "..whatif-file.data...whatif-file-told.children..", [[button]], [fields, _base()], changed)


def test_the_numbers_of_a_drafts_charts_are_files(application: Flask, tmp_path: Path) -> None:
    """By a post alone: an address with the draft's numbers would lie in histories and in proxies' logs."""
    client = application.test_client()
    files = {}
    for chart in ("frontier", "tornado"):
        for ending in ("csv", "xlsx"):
            answer = _file_of_a_draft(client, chart, ending, TARGET).get_json()["response"]["whatif-file"]["data"]
            assert answer["filename"] == f"whatif-{chart}.{ending}", "of no name that somebody typed"
            files[chart, ending] = base64.b64decode(answer["content"])
    assert len(files["frontier", "csv"].decode().splitlines()) == 1 + 8 * 11
    (tmp_path / "book.xlsx").write_bytes(files["frontier", "xlsx"])
    book = workbooks.read(tmp_path / "book.xlsx")
    assert len(book["figures"]) == 1 + 8 * 11
    assert "Draft, not saved" in json.dumps(book["text"], default=str)
    assert b"who is one person" in files["tornado", "csv"]
    refused = _file_of_a_draft(client, "frontier", "csv", {**TARGET, "overlap": [30, 130]}).get_data(as_text=True)
    assert "is over 100 %" in refused
    assert "base64" not in refused
    assert _file_of_a_draft(client, "passwords", "csv", TARGET).status_code == 400


def test_nobody_sees_anothers_scenario(application: Flask, kept: list[int]) -> None:
    """Word by word what is said of a number that isn't there, on every address; and a share by another changes nothing."""
    client = application.test_client()
    number = kept[0]
    carol = {"X-Test-Person": CAROL}
    for address in (
        "/scenario/{}", "/whatif?scenario={}", f"/scenario/{number}?scenario={{}}", "/chart/scenario.xlsx?scenario={}",
        "/chart/scenario-frontier.json?scenario={}", "/chart/scenario-tornado.csv?scenario={}",
    ):  # fmt: skip
        other = client.get(address.format(number), headers=carol)
        absent = client.get(address.format(999_999), headers=carol)
        assert (other.status_code, absent.status_code) == (404, 404), address
        assert other.get_data() == absent.get_data(), address
        assert b"pple" not in other.get_data()
    for page in ("/whatif", "/scenario"):
        assert b"pple" not in client.get(page, headers=carol).get_data()
    state = [
        {"id": "scenario-person", "property": "value", "value": CAROL},
        {"id": "scenario-number", "property": "data", "value": number},
        {"id": "scenario-shown", "property": "data", "value": []},
    ]
    inputs = [{"id": "scenario-share", "property": "n_clicks", "value": 1}, []]
    refused = _post(client, "scenario-people.children", inputs, state, "scenario-share.n_clicks", CAROL)
    assert refused.status_code == 404
    assert client.get(f"/scenario/{number}", headers=carol).status_code == 404
    assert client.get(f"/scenario/{number}").status_code == 200


def test_ids_and_titles_say_nothing_of_a_deal(application: Flask, kept: list[int]) -> None:
    client = application.test_client()
    assert "pple" not in client.get("/_dash-dependencies").get_data(as_text=True)
    page = client.get(f"/scenario/{kept[0]}").get_data(as_text=True)
    assert "pple" not in page.partition("<title>")[2].partition("</title>")[0]
    assert "Secret apple" in page
    file = client.get(f"/chart/scenario.csv?scenario={kept[0]}")
    assert file.headers["Content-Disposition"] == f'attachment; filename="scenario-{kept[0]}.csv"'


def test_each_file_of_a_scenario_opens(application: Flask, kept: list[int], tmp_path: Path) -> None:
    client = application.test_client()
    files = {kind: client.get(f"/chart/scenario.{kind}?scenario={kept[0]}") for kind in ("xlsx", "png", "svg", "html", "csv")}
    assert {kind: answer.status_code for kind, answer in files.items()} == dict.fromkeys(files, 200)
    (tmp_path / "book.xlsx").write_bytes(files["xlsx"].get_data())
    assert "tornado" in workbooks.read(tmp_path / "book.xlsx")
    picture = Image.open(io.BytesIO(files["png"].get_data())).convert("RGB")
    assert picture.size == (1920, 1080)
    assert len(picture.getcolors(maxcolors=1_000_000) or []) > 50
    assert "<svg" in files["svg"].get_data(as_text=True)
    assert "Secret apple" in files["html"].get_data(as_text=True)
    lines = files["csv"].get_data(as_text=True).splitlines()
    assert lines[0] == "month,changes,quantity,value,unit,rests_on"
    assert len(lines) > 100
    frontier = client.get(f"/chart/scenario-frontier.csv?scenario={kept[0]}").get_data(as_text=True).splitlines()
    assert len(frontier) == 1 + 8 * 11
    assert client.get(f"/chart/scenario.png?scenario={kept[0]}x").status_code == 400


def _person(browser: Browser, name: str) -> OpenedPage:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, extra_http_headers={"X-Test-Person": name})
    return OpenedPage(context.new_page())


def _answered(page: Page) -> None:
    page.locator("#whatif-answer .draft").wait_for()


def test_a_slider_changes_the_figure(opened: OpenedPage, whatif_site: str) -> None:
    page = opened.page
    opened.open(f"{whatif_site}/whatif")
    _answered(page)
    after = page.locator(".row-words").nth(1)
    before = after.inner_text()
    slider = page.get_by_role("slider", name="Overlap, at most, in percent")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(after).not_to_have_text(before)
    expect(page.locator("#whatif-assumptions")).to_contain_text("20 to 45 % of the target")
    for button, name in (("PNG of Chance of being over", "frontier.png"), ("CSV of Chance of being over", "frontier.csv")):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        assert download.value.suggested_filename == f"whatif-{name}"
        assert download.value.path().stat().st_size > 500
    assert page.url == f"{whatif_site}/whatif"
    # A change more is a card more, and its absence one less.
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#whatif-answer")).to_contain_text("Change 2")
    page.get_by_role("button", name="Remove this change").nth(1).click()
    _answered(page)
    assert opened.errors == []


def test_saved_reloaded_shared_and_compared(browser: Browser, opened: OpenedPage, whatif_site: str, kept: list[int]) -> None:
    page = opened.page
    opened.open(f"{whatif_site}/whatif?scenario={kept[0]}")
    _answered(page)
    page.get_by_label("Short name").fill("from-the-page")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/scenario/*")
    address = page.url
    page.reload()
    expect(page.locator("h1")).to_have_text("Secret apple")
    expect(page.locator(".about")).to_contain_text("from-the-page@1")
    headline = page.locator(".headline").inner_text()
    bob, carol = _person(browser, BOB), _person(browser, CAROL)
    assert bob.page.goto(address).status == 404  # type: ignore[union-attr]
    # The same name once more, from a second tab that says something else: nothing is overwritten.
    second = _person(browser, ALICE)
    second.page.goto(f"{whatif_site}/whatif?scenario={kept[1]}")
    _answered(second.page)
    second.page.get_by_label("Short name").fill("from-the-page")
    second.page.get_by_role("button", name="Save", exact=True).click()
    expect(second.page.locator("body")).to_contain_text("give it another short name, or tick")
    expect(second.page.locator("body")).not_to_contain_text("--again")
    page.get_by_label("Person, as the login names them").fill(BOB)
    page.get_by_role("button", name="Share").click()
    expect(page.locator("#scenario-people")).to_contain_text(BOB)
    assert bob.page.goto(address).status == 200  # type: ignore[union-attr]
    expect(bob.page.locator(".headline")).to_have_text(headline)
    assert bob.page.locator("#scenario-share").count() == 0, "only the owner shares"
    assert carol.page.goto(address).status == 404  # type: ignore[union-attr]
    # Side by side, by a form that needs no script.
    page.get_by_label("Beside it").select_option(f"{kept[1]}")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**?scenario=*")
    expect(page.locator(".row-words")).to_have_count(3)
    expect(page.get_by_role("region", name="Side by side")).to_contain_text("After, 95 % of the paths")
    page.goto(address)
    # The second tab shows Bob and then Carol; here Bob is taken back first, and Carol is first in the list then.
    page.get_by_label("Person, as the login names them").fill(CAROL)
    page.get_by_role("button", name="Share").click()
    expect(page.locator("#scenario-people")).to_contain_text(CAROL)
    second.page.goto(address)
    page.get_by_role("button", name=f"Take back from {BOB}").click()
    expect(page.locator("#scenario-people")).not_to_contain_text(BOB)
    second.page.get_by_role("button", name=f"Take back from {BOB}").click()
    expect(second.page.locator("body")).to_contain_text("The list has changed since this page showed it")
    assert carol.page.goto(address).status == 200, "whoever stands in the place of another keeps what was shared"  # type: ignore[union-attr]
    page.get_by_role("button", name=f"Take back from {CAROL}").click()
    expect(page.locator("#scenario-people")).to_contain_text("Nobody but you")
    assert bob.page.goto(address).status == 404  # type: ignore[union-attr]
    assert opened.errors == []
    second.page.context.close()
    bob.page.context.close()
    carol.page.context.close()


@pytest.mark.parametrize("path", ["/whatif", "/scenario/{}", "/scenario/{}?scenario={}"])
def test_a_whatif_page_is_whole_on_each_screen_and_by_keyboard(
    path: str, opened: OpenedPage, whatif_site: str, kept: list[int], tmp_path: Path
) -> None:
    page = opened.page
    assert opened.open(whatif_site + path.format(*kept)) == 200
    if path == "/whatif":
        _answered(page)
        # A draft's charts get their buttons once they are drawn.
        page.get_by_role("button", name="PNG of Chance of being over").wait_for()
    opened.wait()
    walked = walk(page)
    assert walked["reached"] == walked["expected"]
    assert walked["unseen"] == []
    assert is_whole_on_each_screen(opened, tmp_path, "page") == []
    assert opened.errors == []
    if path == "/whatif":
        form, answer = page.locator(".whatif-form").bounding_box(), page.locator("#whatif-answer").bounding_box()
        assert form is not None
        assert answer is not None
        assert form["y"] + form["height"] <= answer["y"], "on a phone the form stands above the answer"
