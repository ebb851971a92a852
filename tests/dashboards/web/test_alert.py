"""Acknowledging and closing an alert on its page: by whoever may, under the login's name, and nothing is stored of bad input."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboards.web.viewer import Role
from pipelines.store import alert_log
from pipelines.store.contributions import open_store
from tests.support.pages_group import as_viewer, write_pages_group
from tests.support.pages_requests import call, client_of, words

NUMBER = 3
BUTTONS = {"acknowledge": "alert-acknowledge.n_clicks", "close": "alert-close.n_clicks"}


def answer(client: FlaskClient, button: str, number: Any = NUMBER, role: Role = Role.legal, **texts: Any) -> TestResponse:
    other = next(name for name in BUTTONS if name != button)
    states = {"alert-opened.data": number, **{f"alert-{name}.value": texts.get(name) for name in ("reason", "matter", "note")}}
    values = {BUTTONS[button]: 1, BUTTONS[other]: None}
    return call(client, "alert-answer.children", values, states, headers=as_viewer(role))


def log(directory: Path) -> list[tuple[str, str | None, str | None, str | None]]:
    with open_store("sqlite:///.mauwatch/store.sqlite", directory) as store:
        return [(a.action, a.acknowledged_by, a.closed_by, a.reason_code) for a in alert_log.history(store, NUMBER)]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write_pages_group(tmp_path / "group")


def test_an_alert_is_acknowledged_and_closed_by_name(directory: Path) -> None:
    client = client_of(directory)
    assert "Alert 3 is acknowledged by alice@example.com." in answer(client, "acknowledge").text
    again = answer(client, "acknowledge")
    assert (again.status_code, "has been acknowledged" in again.text) == (409, True)
    assert "acknowledged" in words(client.get("/alerts/3"))
    closed = answer(client, "close", reason="not_applicable", matter="2026-17", note="letter of 30 November")
    assert "Alert 3 is closed by alice@example.com" in closed.text
    page = words(client.get("/alerts/3"))
    assert "matter 2026-17" in page
    assert "there is nothing to answer" in page
    assert [step[0] for step in log(directory)][-2:] == ["acknowledged", "closed"]
    assert log(directory)[-1][2:] == ("alice@example.com", "not_applicable")


@pytest.mark.parametrize(
    ("button", "texts", "status", "why"),
    [
        ("close", {}, 400, "the matter is empty"),
        ("close", {"reason": "not_applicable", "matter": ""}, 400, "the matter is empty"),
        ("close", {"reason": "not_applicable", "matter": "x" * 65}, 400, "the matter is empty, or too long"),
        ("close", {"reason": "accepted", "matter": "2026-17"}, 400, "alert 3 isn't closed by this reason"),
        ("close", {"reason": "not_applicable", "matter": "2026\u202e17"}, 400, "a character that nobody sees"),
        ("close", {"reason": ["granted"], "matter": "2026-17"}, 400, "can't be read"),
        ("close", {"reason": "granted", "matter": {"a": 1}}, 400, "can't be read"),
        ("acknowledge", {"number": "3; drop table incidents"}, 400, "can't be read"),
        ("acknowledge", {"number": None}, 400, "can't be read"),
        ("acknowledge", {"number": 4711}, 409, "alert 4711 isn't open"),
        ("acknowledge", {"number": True}, 400, "can't be read"),
    ],
)
def test_bad_input_is_refused_with_words_and_nothing_is_stored(
    button: str, texts: dict[str, Any], status: int, why: str, directory: Path
) -> None:
    """A closing without a reason or a matter can't be accounted for later."""
    before = log(directory)
    response = answer(client_of(directory), button, **texts)
    assert (response.status_code, response.mimetype) == (status, "text/plain")
    assert why in response.text
    assert "What to do: " in response.text
    assert "mauwatch" not in response.text, "a page has no commands"
    assert log(directory) == before


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.legal, Role.admin}))
def test_others_may_not_answer(role: Role, directory: Path) -> None:
    """A button that isn't shown can be posted all the same."""
    before = log(directory)
    client = client_of(directory)
    assert answer(client, "acknowledge", role=role).status_code == 403
    assert log(directory) == before
    if role != Role.affiliate:
        page = client.get("/alerts/3", headers=as_viewer(role))
        assert (
            "alert-acknowledge"
            not in client.get("/_dash-layout", headers={**as_viewer(role), "Referer": "http://localhost/alerts/3"}).text
        )
        assert "Counsel and administrators acknowledge and close alerts." in words(page)
