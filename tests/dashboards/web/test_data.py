"""Data: each list is what the store has, in the receipt's words, and an affiliate sees its own rows alone."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from dashboards.web.pages.data import DAGSTER
from dashboards.web.viewer import Role
from pipelines.serving.processes import DAGSTER_URL
from tests.support.pages_group import as_viewer, edit, write_pages_group
from tests.support.pages_requests import client_of, words

RECEIPT = "insert into receipts (file, sha256, sender, bound_by, received_at, outcome, reasons) values "
RECEIPTS = [
    ("music.tar", "media", "refused", "media/music: key of another group; make it with the group''s key\nmedia/music: lg_k 9"),
    ("market.tar", "commerce", "refused", "commerce/market: a day twice <script>"),
    ("nobody.tar", None, "refused", "no manifest names the sender"),
    ("tv.tar", "media", "accepted", ""),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        f"('{file}', '{'ab' * 32}', {f'{chr(39)}{sender}{chr(39)}' if sender else 'null'}, 'signature', "
        f"'2026-11-30 12:00:00.000000', '{outcome}', '{reasons}')"
        for file, sender, outcome, reasons in RECEIPTS
    ]
    return write_pages_group(tmp_path_factory.mktemp("data") / "group", *(RECEIPT + row for row in rows))


@pytest.fixture(scope="module")
def client(directory: Path) -> FlaskClient:
    return client_of(directory)


def test_the_lists_say_what_was_refused_and_why(client: FlaskClient) -> None:
    """A refusal that nobody reads is a product that is missing, and a figure that is too low."""
    response = client.get("/data")
    page = words(response)
    for part in (
        "music.tar media/music: key of another group; make it with the group's key media/music: lg_k 9 media",
        "nobody.tar no manifest names the sender not known",
        "tv.tar ✓ accepted media",
        "media/music by day",
        "2026-10-31, 31 days ago",
        "Nothing of a signed month has changed.",
        "No month is signed. What to do: sign one on the page Licences.",
        "! findings",
    ):
        assert part in page, part
    assert "<script>" not in response.text.partition("market.tar")[2].partition("</td>")[0]


def test_an_affiliate_sees_its_own_rows_alone(client: FlaskClient) -> None:
    """Another affiliate's refusals show what it runs, and whom it counts."""
    page = words(client.get("/data", headers=as_viewer(Role.affiliate, affiliates="media")))
    assert "music.tar" in page
    assert "media/tv" in page
    for other in ("market.tar", "nobody.tar", "commerce", "social/", "Signatures", "Runs", "findings"):
        assert other not in page, other
    nothing = words(client.get("/data", headers=as_viewer(Role.affiliate)))
    assert "media" not in nothing
    assert "Nothing was contributed yet." in nothing


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://dagster.example.com/", 'href="https://dagster.example.com/runs"'),
        ("javascript:alert(1)", "set MAUWATCH_DAGSTER_URL"),
    ],
)
def test_runs_lead_into_dagster(url: str, shown: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands in the environment, a link leads to a web page."""
    # The variable that `serve` sets for the pages that it runs.
    monkeypatch.setenv(DAGSTER_URL, url)
    assert DAGSTER == DAGSTER_URL
    page = client_of(directory).get("/data").text
    assert shown in page
    assert "javascript:" not in page


def test_without_a_store_the_page_says_what_to_do(tmp_path: Path) -> None:
    directory = write_pages_group(tmp_path / "group")
    edit(directory, *(f"delete from {name}" for name in ("runs", "receipts")))
    text = words(client_of(directory).get("/data"))
    assert "No file was handed in" in text
    assert "No run is noted yet" in text
    (directory / ".mauwatch" / "store.sqlite").unlink()
    for file in (directory / ".mauwatch").iterdir():
        file.unlink()
    for path in ("/data", "/licences"):
        assert "There is no store yet: nothing was counted." in words(client_of(directory).get(path))
