"""How long a login holds, and what isn't one: under the access check that is served, in this process, where time can be moved."""

import json
import os
import time
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from affiliates.manifests.dashboard_settings import Dashboard
from dashboards.web import one_time_link
from dashboards.web.build import build
from dashboards.web.sessions import LIFETIME, Sessions
from dashboards.web.settings import DashboardSettings, private_folders

HOST = "http://127.0.0.1:8050"
PERSON = {"X-Forwarded-User": "viewer@example.com"}


def made(group: Path, access: Dashboard) -> tuple[Flask, DashboardSettings]:
    """The application as it is served."""
    settings = DashboardSettings(group, access, "operator")
    private_folders(settings.folder)
    return build(settings), settings


@pytest.fixture(scope="module")
def alone(group: Path) -> tuple[Flask, DashboardSettings]:
    """For one person, who comes in by a link."""
    return made(group, Dashboard())


def logged_in(flask_app: Flask, settings: DashboardSettings) -> tuple[FlaskClient, Path]:
    """A browser with a new session, and the session's file."""
    folder = settings.folder / "sessions"
    before = set(folder.iterdir())
    client = flask_app.test_client()
    assert client.get(f"/login?token={one_time_link.make(settings.folder)}", base_url=HOST).status_code == 303
    (session,) = set(folder.iterdir()) - before
    return client, session


def aged(session: Path, settings: DashboardSettings, seconds: int) -> None:
    """The same session, begun so many seconds ago; its file is as new as can be."""
    cipher = Sessions(settings.folder, settings.secret)._cipher
    session.write_bytes(cipher.encrypt_at_time(json.dumps({"kind": "link"}).encode(), int(time.time()) - seconds))


def test_a_session_ends_after_twelve_hours_used_or_not(alone: tuple[Flask, DashboardSettings]) -> None:
    """A cookie in a browser that nobody closes would be a key for good."""
    client, session = logged_in(*alone)
    assert LIFETIME == 12 * 3600
    aged(session, alone[1], LIFETIME - 60)
    assert client.get("/", base_url=HOST).status_code == 200
    aged(session, alone[1], LIFETIME + 1)
    answer = client.get("/", base_url=HOST)
    assert answer.status_code == 401
    assert "mauwatch dashboard" in answer.text, "what to do"
    # The age is in what is encrypted: a file that is touched gets no younger.
    os.utime(session)
    assert client.get("/", base_url=HOST).status_code == 401
    # A moment that lies ahead, as of a clock that was put back, is none.
    aged(session, alone[1], -3600)
    assert client.get("/", base_url=HOST).status_code == 401


def test_an_old_sessions_file_goes_with_the_next_login(alone: tuple[Flask, DashboardSettings]) -> None:
    _, session = logged_in(*alone)
    os.utime(session, (0, 0))
    logged_in(*alone)
    assert not session.exists()


def test_a_copied_cookie_ends_with_the_session(alone: tuple[Flask, DashboardSettings]) -> None:
    """Who logs out means it for every copy of the cookie."""
    flask_app, _ = alone
    client, session = logged_in(*alone)
    copy = flask_app.test_client()
    cookie = client.get_cookie("mauwatch_8050", domain="127.0.0.1")
    assert cookie is not None
    copy.set_cookie(cookie.key, cookie.value, domain="127.0.0.1")
    assert copy.get("/", base_url=HOST).status_code == 200
    token = client.get("/logout", base_url=HOST).text.partition('name="token" value="')[2].partition('"')[0]
    left = client.post("/logout", data={"token": token}, headers={"Origin": HOST}, base_url=HOST)
    assert left.status_code == 200
    assert not session.exists()
    assert copy.get("/", base_url=HOST).status_code == 401


def test_a_links_token_is_used_once_and_in_time(alone: tuple[Flask, DashboardSettings]) -> None:
    """What lies in a terminal's history opens nothing."""
    flask_app, settings = alone

    def status(token: str) -> int:
        return flask_app.test_client().get(f"/login?token={token}", base_url=HOST).status_code

    token = one_time_link.make(settings.folder)
    assert [status(token), status(token), status(token[:-1] + "x"), status("x" * 43)] == [303, 403, 403, 403]
    for seconds, expected in ((one_time_link.LIFETIME - 30, 303), (one_time_link.LIFETIME + 1, 403), (-30, 403)):
        token = one_time_link.make(settings.folder)
        (place,) = (settings.folder / "links").iterdir()
        place.write_text(str(time.time() + one_time_link.LIFETIME - seconds))
        assert status(token) == expected, seconds


def test_a_header_names_nobody_where_no_proxy_is_named(alone: tuple[Flask, DashboardSettings]) -> None:
    assert alone[0].test_client().get("/", headers=PERSON, base_url=HOST).status_code == 401


def test_a_header_from_another_address_is_refused_everywhere(group: Path) -> None:
    """Whoever reaches the server past the proxy would be whom he likes; what a request says of its way is no address."""
    access = Dashboard.model_validate(
        {
            "url": "https://mauwatch.example.com",
            "proxy": {"addresses": ["10.0.0.5"]},
            "viewers": {"viewer@example.com": {"roles": ["viewer"]}},
        }
    )
    flask_app, _ = made(group, access)
    client = flask_app.test_client()
    for peer, expected in (("10.0.0.5", 200), ("10.0.0.6", 403), ("127.0.0.1", 403)):
        for path in ("/", "/chart/trend.csv", "/_dash-layout"):
            headers = PERSON | {"X-Forwarded-For": "10.0.0.5", "X-Real-IP": "10.0.0.5", "Forwarded": "for=10.0.0.5"}
            answer = client.get(path, headers=headers, base_url=HOST, environ_base={"REMOTE_ADDR": peer})
            assert (path, peer, answer.status_code) == (path, peer, expected)
