"""Licences in a browser: all published results with their reasoning, the adoption check, and nothing for whom it isn't."""

import re
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboards.web.app import CALLBACKS, ROUTER
from dashboards.web.components import RESULTS
from dashboards.web.viewer import Role
from pipelines.licences.registry import builtin
from pipelines.store import clause_results
from pipelines.store.contributions import open_store
from tests.support import workbooks
from tests.support.pages_group import LEGEND, as_viewer, write_pages_group
from tests.support.pages_requests import client_of, words


@pytest.fixture(scope="module")
def client(application: Flask) -> FlaskClient:
    return application.test_client()


def test_each_published_result_is_a_cell_that_opens_its_reasoning(client: FlaskClient, pages_group: Path) -> None:
    """A result that is left out, or in another column, is a version that somebody takes for cleared."""
    with open_store("sqlite:///.mauwatch/store.sqlite", pages_group) as store:
        rows = clause_results.current(store)
    tested = {(entry.id, clause.id) for entry in builtin().entries for clause in entry.clauses if clause.tested}
    published = {
        f"{test}, {row['product'] or row['licensee']}, {row['reading']}: {RESULTS[row['result']][1]}. Why?"
        for row in rows
        for test in [f"{row['licence']}, {row['clause']}"]
        if (row["licence"], row["clause"]) in tested
    }
    page = client.get("/licences").text.partition('id="results-title"')[2].partition('id="adoption-title"')[0]
    links = re.findall(r'<a href="(/licences[^"]*)#reasoning" aria-label="([^"]*)"', unescape(page))
    assert {label for _, label in links} == published
    assert len(links) == len(published) > 30
    address = next(address for address, label in links if label.startswith("llama-4, mau, holding, unique_people"))
    why = words(client.get(address)).partition("Why: llama-4")[2].partition("May a product")[0]
    for part in (
        "Can't tell yet : 303 to 750 M people; the line of 700 M lies inside it.",
        "greater than 700 million monthly active users",
        "section 2",
        "Month that is tested March 2025",
        "holding and its affiliates",
        "Left to the line −50 M to +397 M",
        "primary text: the licence's text itself",
        "What would settle it:",
        "a crosswalk that joins the same people's identifiers",
        "This result and earlier ones",
    ):
        assert part in why, part


def test_the_adoption_check_is_a_question_with_an_answer(client: FlaskClient) -> None:
    """Counsel reads the answer, what there is to do, and by when, without a terminal."""
    assert "Not cleared" not in words(client.get("/licences"))
    answer = words(client.get("/licences?into=media/music&adopt=llama-4")).partition("Look it up")[2].partition("What rests")[0]
    assert "Not cleared under the reading of record, unique people: ask Meta Platforms, Inc." in answer
    assert "bring the upper bound down by 49,328,632 to 700,000,000 (mau, 2025-03)" in answer
    assert (
        answer.index("What there is to do") < answer.index("ask for a licence for media/music") < answer.index("What the clauses")
    )
    assert "90 days before the first use" in answer
    assert "`" not in answer


@pytest.mark.parametrize(
    ("address", "status", "headline"),
    [
        ("/licences?licence=llama-9", 404, "There is no such test."),
        ("/licences?licence=llama-4&clause=mau&licensee=media&reading=unique_people", 404, "There is no such test."),
        ("/licences?adopt=llama-9&into=media/music", 404, "There is no version llama-9."),
        ("/licences?adopt=llama-4&into=media/nope", 404, "There is no product media/nope."),
        ("/licences?adopt=llama-4", 404, "There is no product of no name."),
        ("/licences?reading=nope", 404, "There is no reading nope."),
        ("/licences?month=1999-01", 404, "January 1999 isn't published."),
        ("/licences?licences=llama-4", 400, "The address has a parameter that this page doesn't take."),
    ],
)
def test_an_address_of_what_is_not_there_says_so(address: str, status: int, headline: str, client: FlaskClient) -> None:
    """Answered by another result, a wrong address would clear a version that nobody has asked about."""
    response = client.get(address)
    assert (response.status_code, headline in words(response)) == (status, True)


def test_who_signs_and_who_has_evidence_is_counsel_alone(client: FlaskClient) -> None:
    """Evidence has personal data, and a signature stands for good."""
    assert client.get("/licences", headers=as_viewer(Role.affiliate, affiliates="media")).status_code == 403
    page = client.get("/licences", headers=as_viewer(Role.viewer))
    assert "/evidence/" not in page.text
    assert "Counsel signs a month" in words(page)
    assert CALLBACKS["month-signed.children"] == ROUTER.roles_of("/evidence/expert.zip") == frozenset({Role.legal})
    for role in set(Role) - {Role.legal}:
        response = client.get("/evidence/outside.zip?licence=llama-4", headers=as_viewer(role))
        assert (role, response.status_code) == (role, 403)


def test_counsels_legend_stands_on_both_pages(client: FlaskClient) -> None:
    """Without it a printed page may have to be handed over."""
    assert all(LEGEND in words(client.get(path)) for path in ("/licences", "/data"))


def test_what_rests_on_an_open_result_is_listed_with_its_revenue(tmp_path: Path) -> None:
    """A use that isn't listed is one that nobody asks a licence for; revenue by its share alone, each product's once."""
    directory = write_pages_group(tmp_path / "group")
    manifest = directory / "affiliates" / "media.yaml"
    use = (
        "models: [{model: llama-4, from: 2025-05-01, hosted_by: cloud_host, host: Acme Cloud, alternative: qwen-2024, "
        "switching_cost: {amount: 300000, currency: EUR}, revenue: {amount: 1000000, currency: EUR, year: 2024}, "
        "revenue_share: 25 %}, {model: llama-3.3, from: 2024-12-10, hosted_by: self}]"
    )
    before = "meaning: listened for 30 seconds}}"
    assert before in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(before, f"{before.removesuffix('}')}, {use}}}"))
    page = words(client_of(directory).get("/licences"))
    page = page.partition("What rests on an open result")[2].partition("Sign October")[0]
    for part in (
        "On another result than under, granted or exempt: 1 product; ",
        "revenue 250,000 EUR (2024).",
        "media/music llama-4 mau, unique people: undetermined",
        "1,000,000 EUR (2024), 25 % of it qwen-2024; 300,000 EUR",
        "media/music llama-3.3 ▽ Under",
    ):
        assert part in page, page


def test_all_results_are_downloaded_as_csv_and_excel(client: FlaskClient, tmp_path: Path) -> None:
    """A workbook that lacks a result, or has one of a number as text, is sorted and summed wrongly by whoever gets the file."""
    assert 'href="/chart/clause-results.xlsx"' in client.get("/licences").text
    lines = client.get("/chart/clause-results.csv").text.splitlines()
    named = [line for line in lines if line.startswith("llama-4,mau,holding,,unique_people,yes,2025-03-01,700000000,gt,")]
    assert len(named) == 1
    assert named[0].split(",")[9:13] == ["undetermined", "739862356", "303813945", "749328632"]
    (tmp_path / "results.xlsx").write_bytes(client.get("/chart/clause-results.xlsx").data)
    book = workbooks.read(tmp_path / "results.xlsx")
    assert len(book["figures"]) == len(lines)
    assert [row[12] for row in book["figures"] if row[0] == "llama-4" and row[4] == "unique_people"] == [749328632.0]
    assert [LEGEND] in [row[:1] for row in book["text"]]
    assert client.get("/chart/clause-results.csv", headers=as_viewer(Role.affiliate, affiliates="media")).status_code == 403
