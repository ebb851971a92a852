"""The dashboard of one person: the one-time link, the session, what a change has to prove, and the server's own life.

Everything over HTTP, against `mauwatch dashboard` with its two workers.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
import pytest

from dashboards.web import one_time_link
from dashboards.web.sessions import Sessions
from tests.support.command import mauwatch
from tests.support.dashboards import PEOPLE, SECRETS, Browser, ServedDashboard, served

RENEWED = "renewed.children"
"""A callback that every page has."""


@pytest.fixture(scope="module")
def dashboard(group: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedDashboard]:
    with served(group, tmp_path_factory.mktemp("log") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def inside(dashboard: ServedDashboard) -> Browser:
    """A browser that has come in by a link, and has opened a page."""
    browser = dashboard.browser()
    token = one_time_link.make(dashboard.directory / ".mauwatch" / "dashboard")
    assert browser.get(f"/login?token={token}").status == 303
    assert browser.get("/").status == 200
    return browser


def _folder(dashboard: ServedDashboard) -> Path:
    return dashboard.directory / ".mauwatch" / "dashboard"


def test_the_printed_link_opens_the_dashboard_once(dashboard: ServedDashboard) -> None:
    """A link in a terminal's history, or in a log, would open the dashboard for whoever finds it."""
    link = dashboard.link()
    first = dashboard.browser().get(link)
    assert (first.status, first.headers["Location"]) == (303, "/")
    again = dashboard.browser().get(link)
    assert again.status == 403
    assert not again.cookies


def test_of_many_at_once_one_uses_a_link(dashboard: ServedDashboard) -> None:
    """Two workers that look at one list would both let somebody in."""
    for _ in range(3):
        token = one_time_link.make(_folder(dashboard))
        with ThreadPoolExecutor(12) as pool:
            statuses = list(pool.map(lambda _: dashboard.browser().get(f"/login?token={token}").status, range(12)))  # noqa: B023
        assert sorted(statuses) == [303] + [403] * 11


@pytest.mark.parametrize("token", ["", "x" * 43, "../sessions/x", "%00", "a" * 3000])
def test_a_forged_link_is_refused(dashboard: ServedDashboard, token: str) -> None:
    assert dashboard.browser().get(f"/login?token={token}").status in (403, 400)


def test_a_link_of_five_minutes_ago_is_refused(dashboard: ServedDashboard) -> None:
    token = one_time_link.make(_folder(dashboard))
    (place,) = (_folder(dashboard) / "links").iterdir()
    expires = float(place.read_text())
    assert expires - time.time() <= 300
    place.write_text(str(expires - 301))
    assert dashboard.browser().get(f"/login?token={token}").status == 403


def test_a_look_ahead_doesnt_use_a_link_up(dashboard: ServedDashboard) -> None:
    """A mail program or a browser that looks at an address before its owner does would lock the owner out."""
    link = f"/login?token={one_time_link.make(_folder(dashboard))}"
    assert dashboard.browser().ask("HEAD", link).status == 403
    assert dashboard.browser().get(link, **{"Sec-Purpose": "prefetch"}).status == 403
    assert dashboard.browser().get(link).status == 303


def test_another_call_gives_another_link(dashboard: ServedDashboard) -> None:
    """Five minutes after the start nobody could come in any more; and a second server would answer for the first one's group."""
    done = mauwatch("dashboard", "--group", dashboard.directory, "--no-open")
    assert done.returncode == 0, done.stderr
    assert "runs already" in done.stdout
    assert dashboard.browser().get(done.stdout.splitlines()[-1].partition(f":{dashboard.port}")[2]).status == 303


def test_without_a_session_nothing_is_shown(dashboard: ServedDashboard) -> None:
    stranger = dashboard.browser()
    for path in ("/", "/_dash-layout", "/_dash-dependencies", "/no-such-page", "/logout"):
        answer = stranger.get(path)
        assert answer.status == 401, path
        assert not any(name in answer.text for name in SECRETS)
        assert "mauwatch dashboard" in answer.text, "what to do"
    assert stranger.change(RENEWED).status == 401
    assert stranger.get("/assets/../.mauwatch/store.sqlite").status in (401, 404)


def test_cookies_that_nobody_signed_are_refused(dashboard: ServedDashboard, inside: Browser) -> None:
    name = f"mauwatch_{dashboard.port}"
    genuine = inside.cookies[name]
    content, moment, signature = genuine.split(".")
    other = Sessions(_folder(dashboard), b"0" * 32).begin({"kind": "link"})
    forged = [f"{content}.{moment}.{signature[:-2]}AA", f"{content}.{moment}.", content, "", other, f"{content}.{signature}"]
    for cookie in forged:
        assert Browser(dashboard.port, cookies={name: cookie}).get("/").status == 401, cookie
    assert Browser(dashboard.port, cookies={name: genuine}).get("/").status == 200


def test_a_sessions_file_that_somebody_changed_is_refused(dashboard: ServedDashboard) -> None:
    """Its moment stands in it: moved in time without the key, it isn't believed. Of its age: test_sessions."""
    folder = _folder(dashboard) / "sessions"
    before = set(folder.iterdir())
    browser = dashboard.browser()
    browser.get(f"/login?token={one_time_link.make(_folder(dashboard))}")
    (session,) = set(folder.iterdir()) - before
    assert browser.get("/").status == 200
    content = session.read_bytes()
    session.write_bytes(content[:12] + b"A" + content[13:])
    assert browser.get("/").status == 401


def test_logging_out_ends_the_session_on_the_server(dashboard: ServedDashboard) -> None:
    """A cookie that somebody has copied would go on."""
    browser = dashboard.browser()
    browser.get(f"/login?token={one_time_link.make(_folder(dashboard))}")
    page = browser.get("/logout")
    token = page.text.partition('name="token" value="')[2].partition('"')[0]
    copy = Browser(dashboard.port, cookies=dict(browser.cookies))
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{dashboard.port}"}
    assert browser.ask("POST", "/logout", "token=wrong", form).status == 403
    assert browser.ask("POST", "/logout", f"token={token}", {**form, "Origin": "http://evil.example.com"}).status == 403
    assert copy.get("/").status == 200
    assert browser.ask("POST", "/logout", f"token={token}", form).status == 200
    assert browser.get("/").status == 401
    assert copy.get("/").status == 401
    assert copy.change(RENEWED).status == 401


def test_the_cookies_attributes(dashboard: ServedDashboard) -> None:
    """Named by port, since cookies know none: the dashboard of another port would else log this one out."""
    browser = dashboard.browser()
    (session,) = browser.get(f"/login?token={one_time_link.make(_folder(dashboard))}").cookies
    assert session.startswith(f"mauwatch_{dashboard.port}=")
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session
    assert "Secure" not in session, "loopback has no https"
    assert "Expires" not in session
    (csrf,) = browser.get("/").cookies
    assert csrf.startswith(f"_csrf_token_{dashboard.port}=")
    assert "SameSite=Strict" in csrf
    assert f'"csrf_token_name":"_csrf_token_{dashboard.port}"' in browser.get("/").text.replace(" ", "")


OTHER_PAGES: list[tuple[dict[str, str | None], int]] = [
    ({"X-CSRFToken": None}, 403), ({"X-CSRFToken": "0" * 64}, 403), ({"X-CSRFToken": "ä"}, 403),
    ({"Origin": "http://evil.example.com"}, 403), ({"Origin": "null"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403), ({"Sec-Fetch-Site": "none"}, 403), ({"Origin": None, "Sec-Fetch-Site": None}, 403),
    ({"Content-Type": "text/plain"}, 415), ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ({"Host": "evil.example.com"}, 403), ({"Host": "127.0.0.1:1"}, 403),
    ({}, 200), ({"Origin": None}, 200), ({"Sec-Fetch-Site": None}, 200),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "status"), OTHER_PAGES)
def test_a_change_comes_from_our_own_page(inside: Browser, headers: dict[str, str | None], status: int) -> None:
    """Another site's page in the same browser would change what its visitor may change."""
    answer = inside.change(RENEWED, headers, **_renewed())
    assert answer.status == status, answer.text


def _renewed() -> dict[str, Any]:
    """What Dash posts for the callback."""
    return {
        "outputs": {"id": "renewed", "property": "children"},
        "inputs": [{"id": "look-again", "property": "n_intervals", "value": 1}],
        "state": [{"id": "state", "property": "data", "value": "x"}],
        "changedPropIds": ["look-again.n_intervals"],
    }


@pytest.mark.parametrize("output", ["nothing.children", "", None, ["renewed.children"], {"a": 1}, "..renewed.children.."])
def test_a_callback_that_isnt_listed_is_refused(inside: Browser, output: object) -> None:
    answer = inside.ask("POST", "/_dash-update-component", json.dumps({"output": output}), inside.own_page())
    assert answer.status == 403


@pytest.mark.parametrize("body", ["", "{", "[]", "7", '"renewed.children"', "null"])
def test_a_body_that_is_no_callback_is_refused(inside: Browser, body: str) -> None:
    assert inside.ask("POST", "/_dash-update-component", body, inside.own_page()).status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_pages_are_read_only(inside: Browser, method: str) -> None:
    assert inside.ask(method, "/", "{}", inside.own_page()).status in (405, 501)


def test_a_body_without_an_end_is_refused(inside: Browser) -> None:
    """A viewer could fill the memory."""
    try:
        assert inside.ask("POST", "/_dash-update-component", '{"output": "' + "x" * (5 << 20), inside.own_page()).status in (
            403,
            413,
        )
    except (BrokenPipeError, ConnectionResetError):  # The server has closed without reading all of it.
        return


def test_headers_of_a_page_and_of_a_script(inside: Browser) -> None:
    """The page's own scripts run under the policy: each that stands in the page has its hash there, and no other does."""
    page = inside.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    for part in ("default-src 'self'", "frame-ancestors 'none'", "object-src 'none'", "base-uri 'none'"):
        assert part in policy
    scripts = policy.partition("script-src ")[2].partition(";")[0]
    assert "unsafe" not in scripts
    inline = [text for kind, text in re.findall(r"<script([^>]*)>([^<]+)</script>", page.text) if "json" not in kind]
    hashes = ["'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'" for text in inline]
    assert inline
    assert sorted(scripts.split()) == sorted({"'self'", *hashes})
    script = re.findall(r'href="(/assets/page\.js[^"]+)"', page.text)[0]
    assert "no-store" not in inside.get(script).headers.get("Cache-Control", "")


def test_health_names_nobody(dashboard: ServedDashboard) -> None:
    answer = dashboard.browser().get("/healthz", Host="10.0.0.1")
    assert answer.status == 200
    said = json.loads(answer.text)
    assert said["store"] == "answers"
    # Published on a day of 2025, by the clock of the test's run.
    assert said["newest_publication_age_seconds"] > 86_400
    assert set(said) == {"healthy", "store", "newest_publication_age_seconds"}


def test_the_audit_log_says_who_did_what_and_no_more(dashboard: ServedDashboard, inside: Browser) -> None:
    """A log of accesses is read by others than those who may see a deal: what somebody typed could be its name."""
    # A change of an earlier test would be of the same run.
    shutil.rmtree(_folder(dashboard) / "changes", ignore_errors=True)
    before = len(dashboard.audit())
    inside.get("/?month=2025-01&reading=unique_people")
    inside.get("/?month=falcon&scenario=12&falcon=1&size=120000000")
    inside.get("/what/falcon")
    for _ in range(20):
        inside.change(RENEWED, **_renewed())
    entries = dashboard.audit()[before:]
    viewer = {entry["viewer"] for entry in entries}
    assert len(viewer) == 1
    shown = [(entry["action"], entry["page"], entry.get("parameters")) for entry in entries]
    assert shown[0] == ("opened", "/", {"month": "2025-01", "reading": "unique_people"})
    assert shown[1][2] == {"month": "…", "scenario": "12", "…": "…"}
    assert shown[2][:2] == ("refused: no such page", "…")
    assert sum(action == "changed" for action, _, _ in shown) == 1, "a slider's run of changes is one entry"
    text = (_folder(dashboard) / "audit.jsonl").read_text()
    assert "falcon" not in text
    assert "120000000" not in text
    assert not any(str(people) in text for people in PEOPLE)
    assert "token=" not in text


def test_the_audit_log_may_be_moved_away(dashboard: ServedDashboard, inside: Browser) -> None:
    """Who rotates logs moves the file: an entry that goes into the moved one is lost to whoever looks at the new one."""
    path = _folder(dashboard) / "audit.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.rename(moved := path.with_suffix(".1"))
    lines = moved.read_text()
    inside.get("/")
    assert moved.read_text() == lines
    assert len(path.read_text().splitlines()) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_whatever_lies_in_the_folder_is_its_owners_alone(dashboard: ServedDashboard) -> None:
    for path in [_folder(dashboard), *_folder(dashboard).rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_no_socket_in_the_users_home(dashboard: ServedDashboard) -> None:
    """Gunicorn opens one by itself, by which any process of the user commands the server."""
    assert [socket.laddr for socket in psutil.Process(dashboard.process.pid).net_connections("unix") if socket.laddr] == []


def test_a_worker_that_ends_is_replaced(dashboard: ServedDashboard, inside: Browser) -> None:
    before = {worker.pid for worker in dashboard.workers()}
    assert len(before) == 2
    for worker in dashboard.workers():
        worker.kill()
    end = time.monotonic() + 60
    while len({worker.pid for worker in dashboard.workers()} - before) < 2:
        assert time.monotonic() < end, "never came"
        time.sleep(0.1)
    # The first answer of a new worker is a whole page: it has made one for itself before.
    assert [inside.get("/").status for _ in range(6)] == [200] * 6


def test_a_restart_ends_sessions_and_links(dashboard: ServedDashboard, inside: Browser) -> None:
    """SIGTERM answers what is under way; a cookie and a link of the earlier start are worth nothing."""
    assert inside.get("/").status == 200
    link = f"/login?token={one_time_link.make(_folder(dashboard))}"
    assert dashboard.end(signal.SIGTERM) == 0
    with pytest.raises((OSError, HTTPException)):
        inside.get("/")
    left = [path for path in _folder(dashboard).rglob("*") if path.parent.name in ("links", "sessions")]
    assert left == []
    dashboard.begin()
    assert inside.get("/").status == 401
    assert inside.get(link).status == 403
    assert dashboard.browser().get(dashboard.link()).status == 303


def test_a_start_that_is_refused(dashboard: ServedDashboard, group: Path, tmp_path: Path) -> None:
    """Other machines aren't let in without a login, and a port of another program is said, with what to do."""
    other = shutil.copytree(group, tmp_path / "other", ignore=shutil.ignore_patterns("dashboard"))
    open_to_all = mauwatch("dashboard", "--group", other, "--host", "198.51.100.7", "--port", "8", "--no-open")
    assert open_to_all.returncode == 2
    assert "would be open to other machines without a login" in open_to_all.stderr
    taken = mauwatch("dashboard", "--group", other, "--port", dashboard.port, "--no-open")
    assert taken.returncode == 2
    assert f"port {dashboard.port} of 127.0.0.1: is taken" in taken.stderr
    assert os.listdir(other / ".mauwatch" / "dashboard" / "links") == []
