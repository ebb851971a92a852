"""A month is signed on its page by name and reason through `close_month`; nothing is stored of what can't be read."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser
from werkzeug.test import TestResponse

from affiliates.manifests.loader import read_group
from dashboards.web.app import create_app
from dashboards.web.viewer import Role
from pipelines.evidence import verify
from pipelines.store import contributions, ledger, publications
from tests.support.browser import OpenedPage, served
from tests.support.groups import ATTESTED
from tests.support.pages_group import as_viewer, protect_by_header
from tests.support.pages_requests import call, client_of, words
from tests.support.signed_bundles import MARCH, head_of, signed_group


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return signed_group(tmp_path_factory.mktemp("signed"))


@pytest.fixture(scope="module")
def client(signed: Path) -> FlaskClient:
    return client_of(signed)


def sign(client: FlaskClient, **posted: Any) -> TestResponse:
    states = {"sign-of.data": "2025-03", "sign-anew.data": True, "sign-by.value": "Head of Law",
              "sign-despite.value": None, "sign-restates.value": "new letter"}  # fmt: skip
    states |= {f"sign-{name.replace('_', '.')}": value for name, value in posted.items()}
    return call(client, "month-signed.children", {"sign-month.n_clicks": 1}, states, headers=as_viewer(Role.legal))


def entries(directory: Path) -> list[str]:
    with contributions.open_store(read_group(directory).settings.store, directory) as store:
        return [entry.digest for entry in ledger.read(store)]


@pytest.mark.parametrize(
    ("posted", "status", "why"),
    [
        ({"by_value": None}, 400, "Nobody is named who signs."),
        ({"by_value": "   "}, 400, "Nobody is named who signs."),
        ({"by_value": "4711"}, 400, "Nobody is named who signs."),
        ({"by_value": 4711}, 400, "What was sent can't be read."),
        ({"by_value": ["Head of Law"]}, 400, "What was sent can't be read."),
        ({"by_value": "x" * 501}, 400, "The name has more than 500 characters."),
        ({"by_value": "Head\u202eof Law"}, 409, "holds a character that nobody sees"),
        ({"restates_value": ""}, 400, "A signed month is signed anew only with a reason."),
        ({"despite_value": {"a": 1}}, 400, "What was sent can't be read."),
        ({"of_data": "2025-13"}, 400, "The month can't be read."),
        ({"of_data": "March"}, 400, "The month can't be read."),
        ({"of_data": None}, 400, "The month can't be read."),
        ({"of_data": 202503}, 400, "What was sent can't be read."),
        ({"of_data": "2025-02"}, 409, "isn't closed, so there is nothing to restate"),
        ({"of_data": "2999-01"}, 409, "isn't over"),
        ({"anew_data": "yes"}, 400, "What was sent can't be read."),
        ({"anew_data": False, "restates_value": None}, 409, "is closed already"),
        ({}, 409, "nothing has changed since it was signed"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_words_and_nothing_is_stored(
    posted: dict[str, Any], status: int, why: str, client: FlaskClient, signed: Path
) -> None:
    """A signature without a name or a reason can't be accounted for, and can't be taken back."""
    before = entries(signed)
    response = sign(client, **posted)
    assert (response.status_code, response.mimetype) == (status, "text/plain")
    assert why in response.text
    assert "What to do: " in response.text
    assert entries(signed) == before


def test_a_month_is_signed_anew_by_a_name_and_the_login(signed: Path, tmp_path: Path) -> None:
    """The name is what somebody wrote: the login beside it says who it was."""
    directory = tmp_path / "group"
    shutil.copytree(signed, directory)
    client = client_of(directory)
    page = words(client.get("/licences?month=2025-03"))
    for part in ("Done: the month is over", "Open: each affiliate has attested nobody has attested for b",
                 "Done: somebody has signed closed by Head of Finance", "a/app 90 people"):  # fmt: skip
        assert part in page, part
    attested = ATTESTED | {"reconciliation": []}
    (directory / "attested" / "2025-03.yaml").write_text(yaml.safe_dump(attested))
    red = sign(client)
    assert (red.status_code, "no_fall, a/app" in red.text, "mauwatch" in red.text) == (409, True, False)
    response = sign(client, despite_value="seen on the 5th")
    assert response.status_code == 200, response.text
    by = "Head of Law (logged in as alice@example.com)"
    assert f"is signed by {by}." in response.text
    assert head_of(directory) in response.text
    with contributions.open_store(read_group(directory).settings.store, directory) as store:
        now = publications.in_force(store, MARCH)
    assert {(p.state, p.signed_by, p.despite, p.reason) for p in now.values()} == {
        ("restated", by, "seen on the 5th", "new letter")
    }
    page = words(client.get("/licences?month=2025-03"))
    assert f"Done: somebody has signed restated by {by}" in page
    assert "Open: published figures are reconciled" in page
    assert "Restate the month" not in words(client.get("/licences?month=2025-03", headers=as_viewer(Role.viewer)))
    assert by in words(client.get("/data"))


def test_counsel_signs_a_month_for_the_first_time(browser: Browser, tmp_path: Path) -> None:
    """By the page alone, and by counsel alone: a signature is kept for good, and nobody else's may come before counsel's."""
    directory = signed_group(tmp_path / "group", is_signed=False)
    before = entries(directory)
    application = create_app(directory, protect=protect_by_header).server
    assert isinstance(application, Flask)
    posted = {
        "of.data": "2025-03",
        "anew.data": False,
        "by.value": "Head of Law",
        "despite.value": "seen",
        "restates.value": None,
    }
    states = {f"sign-{name}": value for name, value in posted.items()}
    for role in set(Role) - {Role.legal}:
        refused = call(
            application.test_client(), "month-signed.children", {"sign-month.n_clicks": 1}, states, headers=as_viewer(role)
        )
        assert refused.status_code == 403, role
    assert entries(directory) == before
    with served(application) as site:
        context = browser.new_context(extra_http_headers=as_viewer(Role.legal))
        opened = OpenedPage(context.new_page())
        page = opened.page
        assert opened.open(f"{site}/licences?month=2025-03") == 200
        page.get_by_label("Who signs: name and office").fill("Head of Law")
        page.get_by_role("button", name="Sign the month").click()
        # Something is open: without a reason the checks keep the month from being signed.
        page.locator("#refusal").wait_for()
        assert entries(directory) == before
        page.get_by_label("Why, although something is open").fill("calls are counted elsewhere")
        page.get_by_role("button", name="Sign the month").click()
        page.locator("#month-signed .notice").wait_for()
        by = "Head of Law (logged in as alice@example.com)"
        said = page.locator("#month-signed").inner_text()
        assert f"is signed by {by}." in said.replace("\u00a0", " ")
        assert head_of(directory) in said
        page.get_by_role("link", name="Show the month as it is now").click()
        opened.wait()
        page.get_by_role("button", name="Restate the month").wait_for()
        # The browser notes the refusal by its status; nothing else went wrong.
        assert [text for text in opened.errors if "409" not in text and "1 check is red" not in text] == []
        context.close()
    with contributions.open_store(read_group(directory).settings.store, directory) as store:
        now = publications.in_force(store, MARCH)
    assert {(p.state, p.signed_by, p.despite) for p in now.values()} == {("closed", by, "calls are counted elsewhere")}


def test_evidence_is_downloaded_whole(client: FlaskClient, signed: Path, tmp_path: Path) -> None:
    """Who gets a bundle checks it by our own command: what doesn't hold there is worth nothing."""
    counsel = as_viewer(Role.legal)
    page = client.get("/evidence/evidence.pdf?licence=llama-4", headers=counsel)
    assert page.status_code == 200
    assert page.data.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", page.data)) == int(re.findall(rb"/Count (\d+)", page.data)[0]) >= 2
    for name in ("outside.zip", "expert.zip"):
        response = client.get(f"/evidence/{name}?licence=llama-4", headers=counsel)
        assert response.headers["Content-Disposition"] == f"attachment; filename=llama-4-{name}"
        (tmp_path / name).write_bytes(response.data)
        checked = verify.check(tmp_path / name, head=head_of(signed))
        assert (checked.wrong, checked.about["kind"]) == ([], name.removesuffix(".zip"))
    # Nothing of it stays behind in the group directory.
    assert not list((signed / ".mauwatch").rglob("*.zip"))


@pytest.mark.parametrize(
    ("address", "status", "why"),
    [
        ("/evidence/outside.zip?licence=llama-9", 404, "has no test at its release"),
        ("/evidence/outside.zip", 404, "has no test at its release"),
        ("/evidence/outside.zip?licence=llama-2", 409, "nothing was published for the month"),
        ("/evidence/outside.zip?licence=llama-4&kind=expert", 400, "doesn't take"),
        ("/evidence/nope.zip?licence=llama-4", 404, ""),
        ("/evidence/..%2Fgroup.key?licence=llama-4", 404, ""),
    ],
)
def test_evidence_that_is_not_there_is_refused(address: str, status: int, why: str, client: FlaskClient) -> None:
    response = client.get(address, headers=as_viewer(Role.legal))
    assert (response.status_code, why in response.text) == (status, True)


def test_a_page_measures_nothing(signed: Path, tmp_path: Path) -> None:
    """On the release day the group is another one than at the month's end: its figures are kept by a run, or aren't there."""
    directory = tmp_path / "group"
    shutil.copytree(signed, directory)
    address = "/licences?adopt=llama-4&into=a/app"
    assert "isn't published with what it rests on now" not in words(client_of(directory).get(address))
    shutil.rmtree(directory / ".mauwatch" / "figures")
    assert "2025-03: isn't published with what it rests on now" in words(client_of(directory).get(address))
    assert not (directory / ".mauwatch" / "figures").exists()
