"""Empty and odd states, and bad addresses: each page says what is going on and what to do, and shows no figure that isn't so."""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from dashboards.web.app import ROUTER, create_app
from tests.support.groups import SECRET
from tests.support.pages_group import NOW, as_viewer, edit, protect_by_header, store_of, write_pages_group
from tests.support.pages_requests import call, client_of, words

NEWEST = "(select max(id) from publications where reading = 'unique_people' and month = '2026-10-01')"
OF_GROUP = f"where publication = {NEWEST} and scope = 'group'"
NOTHING = ("delete from figures", "delete from range_parts", "delete from month_changes", "delete from publications")


ONE_MONTH = tuple(
    f"{statement} where {'id' if 'publications' in statement else 'publication'} not in (select max(id) from "
    "publications where month = '2026-10-01' group by reading)"
    for statement in NOTHING
)
WITHOUT_FIGURES = {"/alerts": "Open alerts first", "/scenario": "None yet that you may see", "/data": "Contributions"}
"""Pages that need no figures, and what these say where there is a store."""


def without_store(directory: Path) -> None:
    shutil.rmtree(directory / ".mauwatch")


def with_lost_store(directory: Path) -> None:
    store_of(directory).unlink()


def with_another_file(directory: Path) -> None:
    store_of(directory).write_bytes(b"no database at all" * 100)


def with_unreachable_store(directory: Path) -> None:
    settings = directory / "group.yaml"
    url = f"postgresql://mauwatch:{SECRET}@localhost:9/mauwatch"
    settings.write_text(settings.read_text().replace("sqlite:///.mauwatch/store.sqlite", url))


def with_broken_manifest(directory: Path) -> None:
    (directory / "readings.yaml").write_text("readings: []\n")


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        (without_store, 200, "There is no store yet: nothing was counted."),
        (with_lost_store, 503, "What to do: "),
        (with_another_file, 503, "What to do: "),
        (with_unreachable_store, 503, "What to do: see that it runs"),
        (with_broken_manifest, 503, "readings.yaml"),
    ],
)
def test_a_page_says_what_is_wrong_with_the_store(change: Callable[[Path], None], status: int, said: str, tmp_path: Path) -> None:
    """A traceback, or a page of zeros, would say something else: on each page that there is, also on one alert's."""
    directory = write_pages_group(tmp_path / "group")
    change(directory)
    client = client_of(directory)
    for path in [*ROUTER.pages, "/alerts/3"]:
        response = client.get(path)
        # Without a store there is no alert of that number.
        is_absent = status == 200 and path == "/alerts/3"
        assert (path, response.status_code) == (path, 404 if is_absent else status)
        assert ("There is no alert 3." if is_absent else said) in words(response), (path, words(response))
        assert SECRET not in response.text
        assert "Traceback" not in response.text


NO_MONTH = dict.fromkeys(ROUTER.pages, "There are no figures yet.") | WITHOUT_FIGURES


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        (NOTHING, NO_MONTH),
        (ONE_MONTH, {"/": "One month is published: there is no trend yet."}),
        (("delete from outlook_months", "delete from outlooks"), {"/forecast": "There is no forecast for this month."}),
    ],
)
def test_each_page_answers_in_each_state(edits: tuple[str, ...], said: dict[str, str], tmp_path: Path) -> None:
    """No figures, one month, no forecast: no page may fail by what isn't there, and whoever needs it says so."""
    client = client_of(write_pages_group(tmp_path / "group", *edits))
    for path in ROUTER.pages:
        response = client.get(path)
        assert (path, response.status_code) == (path, 200), words(response)
        assert said.get(path, "") in words(response), (path, words(response))


@pytest.mark.parametrize(
    ("edits", "path", "said"),
    [
        (NOTHING, "/", "There are no figures yet. There is a store"),
        (
            tuple(f"{statement} where {'id' if 'publications' in statement else 'publication'} not in (select max(id) from "
                  "publications where month = '2026-10-01' group by reading)" for statement in NOTHING),
            "/", "One month is published: there is no trend yet.",
        ),
        (("delete from outlook_months", "delete from outlooks"), "/", "no outlook none is published under this reading yet"),
        (("delete from outlook_months", "delete from outlooks"), "/forecast", "There is no forecast for this month."),
        ((), "/?month=2026-09", "a past month: what is expected stands with the newest one"),
        ((), "/?reading=summed_products", "none is published under this reading yet"),
        ((f"update figures set upper = null, reasons = 'media/tv: 3 days are missing' {OF_GROUP}",), "/",
         "Can't tell yet: there is no upper bound. Best estimate 744.1 M, at least 305 M"),
        ((f"update figures set upper = null {OF_GROUP}",), "/", "Headroom at most +395 M"),
        ((f"update figures set estimate = null {OF_GROUP}",), "/", "Not measured: there is no figure."),
        ((f"update figures set estimate = 690000000, upper = 700000000 {OF_GROUP}",), "/",
         "Under: the whole range lies below 700 M. Best estimate 690.0 M, at least 305 M, at most 700 M"),
        ((f"update figures set estimate = 690000000, upper = 699960000 {OF_GROUP}",), "/", "at most 699.96 M different people"),
        ((f"update figures set lower = 700000001 {OF_GROUP}",), "/", "Over: the whole range lies above 700 M."),
        ((f"update figures set lower = 700000000 {OF_GROUP}",), "/", "Can't tell yet: 700 M lies inside the range."),
        (("delete from runs",), "/", "Last run published 13 hours ago"),
        ((), "/", "October 2026 · preliminary · reading unique people (of record)"),
        ((), "/?reading=summed_products", "reading summed products (not of record)"),
        (("update publications set state = 'closed', signed_by = 'Head of Legal', despite = 'two days were lost'",), "/",
         "closed by Head of Legal"),
        (("update publications set state = 'restated', signed_by = 'Head of Legal', reason = 'a file came late'",), "/",
         "Restated because a file came late"),
        (("update runs set at = '2026-11-20T08:00:00.000000Z'",), "/", "No run has looked for 11 days"),
        (("delete from clause_results",), "/", "Results of clauses aren't published yet."),
        (("delete from month_changes",), "/", "not known"),
        (("delete from product_overlaps",), "/group",
         "isn't known. It is measured when a month is published: no two products of October 2026 could be compared"),
        ((), "/group?month=2025-01", "of the newest months alone: January 2025 was too old by then"),
        (("delete from deliveries", "delete from outbox", "delete from incidents"), "/", "Nothing is open."),
    ],
)  # fmt: skip
def test_a_page_says_what_there_is_and_what_there_is_not(edits: tuple[str, ...], path: str, said: str, tmp_path: Path) -> None:
    """Whatever isn't published is said: an empty place would pass for a zero."""
    response = client_of(write_pages_group(tmp_path / "group", *edits)).get(path)
    assert response.status_code == 200
    assert said in words(response)


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/nope", 404, "There is no such page."),
        ("/overview", 404, "There is no such page."),
        ("/?month=2027-01", 404, "there are 2024-09 to 2026-10"),
        ("/?month=0000-01", 400, "The month can't be read."),
        ("/?month=October", 400, "write it as YYYY-MM"),
        ("/?reading=unique_poeple", 404, "did you mean unique_people"),
        ("/?product=media/music", 400, "a parameter that this page doesn't take"),
        ("/group?on=2020-01-01", 404, "lies outside what is known"),
        ("/group?on=2031-01-01", 404, "lies outside what is known"),
        ("/group?on=31.10.2026", 400, "write it as YYYY-MM-DD"),
        ("/alerts/4711", 404, "There is no alert 4711."),
        ("/alerts/x", 404, "There is no such page."),
        ("/alerts/99999999999999999999", 404, "There is no such page."),
        ("/?month=<script>alert(1)</script>", 400, "<script>alert(1)</script>"),
    ],
)
def test_a_bad_address_is_answered_on_the_page(address: str, status: int, said: str, application: Flask) -> None:
    """Another month's figures under the address that was asked for would be believed."""
    response = application.test_client().get(address)
    assert response.status_code == status
    assert said in words(response)
    assert "744" not in words(response)
    assert "<script>alert" not in response.text


NOT_THERE: Mapping[str, Sequence[tuple[str, int]]] = {
    "month": [("2027-01", 404), ("1999-01", 404), ("2026-13", 400), ("forty", 400), ("2026-10&month=2026-09", 400)],
    "reading": [("by_moonlight", 404), ("x" * 201, 400)],
    "on": [("2019-01-01", 404), ("2031-01-01", 404), ("forty", 400), ("2026-02-30", 400)],
    "licence": [("llama-9", 404)], "clause": [("nope", 404)], "licensee": [("nope", 404)], "product": [("media/nope", 404)],
    "adopt": [("llama-9", 404)], "into": [("media/nope", 404)],
    "scenario": [("4711", 404), ("forty", 400), ("9" * 19, 400)],
    "third": [("4711", 404)],
    "falcon": [("1", 400)],
}  # fmt: skip
"""By parameter, values that lead to nothing, and the status; what no page takes is among them."""


@pytest.mark.parametrize("path", ROUTER.pages)
def test_a_parameter_of_what_is_not_there_is_answered_on_each_page(path: str, application: Flask, pages_group: Path) -> None:
    """A page that takes a wrong parameter for none shows other figures than those that were asked for."""
    client = application.test_client()
    page = ROUTER.pages[path]
    before = hashlib.sha256(store_of(pages_group).read_bytes()).hexdigest()
    assert page.takes <= set(NOT_THERE)
    # The list of scenarios looks at none: its parameters stand beside a scenario's number.
    looked_at = page.takes if path != "/scenario" else set()
    for name in ["month", "reading", "falcon", *sorted(looked_at)]:
        for value, status in NOT_THERE[name]:
            response = client.get(f"{path}?{name}={value}")
            assert response.status_code == status, (name, value)
            assert f"Status {status}" in words(response)
            assert "What to do: " in words(response)
            assert "744" not in words(response)
    assert hashlib.sha256(store_of(pages_group).read_bytes()).hexdigest() == before


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/chart/nope.csv", 404), ("/chart/trend.exe", 404), ("/chart/trend.csv?month=2027-01", 404),
        ("/chart/trend.csv?month=x", 400), ("/chart/trend.csv?reading=x", 404), ("/chart/fans.json?month=2026-09", 404),
        ("/chart/chances.svg", 404),
    ],
)  # fmt: skip
def test_a_bad_download_has_a_status_of_its_own(address: str, status: int, application: Flask) -> None:
    """A file with a page of HTML inside would be opened as numbers."""
    response = application.test_client().get(address)
    assert (response.status_code, response.mimetype) in ((status, "text/plain"), (404, "text/html"))


def test_an_affiliate_sees_itself_alone(application: Flask) -> None:
    """A sister's figure, or the group's, says the others' by subtraction."""
    client = application.test_client()
    media = as_viewer("affiliate", affiliates="media")  # type: ignore[arg-type]
    answers = {
        path: client.get(path, headers={**media, "Referer": f"http://localhost{of}"})
        for path, of in [
            ("/", "/"), ("/group", "/group"), ("/_dash-layout", "/"), ("/chart/trend.csv", "/"), ("/chart/ownership.csv", "/"),
            ("/chart/overlaps.csv", "/"), ("/chart/trend.json", "/"), ("/chart/trend.svg", "/"), ("/chart/overlaps.xlsx", "/"),
        ]
    }  # fmt: skip
    assert {path: answer.status_code for path, answer in answers.items()} == {
        **dict.fromkeys(answers, 200), "/chart/trend.json": 404, "/chart/trend.svg": 404,
    }  # fmt: skip
    for path, answer in answers.items():
        for secret in ("744", "Feed", "social", "Messenger", "retail", "1,432"):
            assert secret not in (words(answer) if path in ("/", "/group") else answer.get_data().decode("latin-1")), (
                path,
                secret,
            )
    assert "Music" in words(answers["/"])
    assert "media/music,media/tv" in answers["/chart/overlaps.csv"].text
    for path in ("/forecast", "/alerts", "/alerts/3", "/chart/chances.csv", "/chart/fans.json"):
        refused = client.get(path, headers=media)
        assert refused.status_code == 403
        assert "744" not in words(refused)
    # A page that is forbidden stays so where the browser asks for its layout.
    layout = client.get("/_dash-layout", headers={**media, "Referer": "http://localhost/forecast"}).text
    assert "isn't for your role" in layout
    assert "744" not in layout
    assert (
        call(
            client, "page-by-address.children", {"address.pathname": "/forecast", "address.search": ""}, {}, headers=media
        ).status_code
        == 403
    )


@pytest.mark.parametrize(
    "change",
    [
        "update publications set id = id + 100000 where month = '2026-10-01'",
        "update incidents set id = id + 100000 where id = (select max(id) from incidents)",
    ],
    ids=["figures", "alert"],
)
def test_newer_figures_are_said_and_not_shown(change: str, tmp_path: Path) -> None:
    """A figure that changes while somebody reads it is quoted as two."""
    directory = write_pages_group(tmp_path / "group")
    client = client_of(directory)
    layout = client.get("/_dash-layout", headers={"Referer": "http://localhost/"}).get_json()
    (state,) = [part["props"]["data"] for part in layout["props"]["children"] if part["props"].get("id") == "state"]

    def said() -> str:
        return call(client, "renewed.children", {"look-again.n_intervals": 1}, {"state.data": state}).text

    assert "Newer figures" not in said()
    edit(directory, change)
    assert "Newer figures were published since you opened this page." in said()


def test_a_kept_page_grows_old_with_what_it_shows(tmp_path: Path) -> None:
    """A page that is kept too long says "12 hours ago" for a day, or shows a group under its old name."""
    directory = write_pages_group(tmp_path / "group")
    moments = [NOW]
    server = create_app(directory, protect=protect_by_header, clock=lambda: moments[-1]).server
    assert isinstance(server, Flask)
    client = server.test_client()
    assert "Last run 12 hours ago" in words(client.get("/"))
    moments.append(NOW + timedelta(hours=2))
    assert "Last run 14 hours ago" in words(client.get("/"))
    settings = directory / "group.yaml"
    settings.write_text(settings.read_text().replace("name: Conglomerate", "name: Another name"))
    assert "Another name" in words(client.get("/"))
    edit(directory, f"update figures set upper = 690000000, estimate = 680000000 {OF_GROUP}")
    edit(directory, "update publications set id = id + 100000 where month = '2026-10-01'")
    edit(directory, "update figures set publication = publication + 100000 where month = '2026-10-01'")
    assert "Under: the whole range lies below 700 M." in words(client.get("/"))
