"""Login by OpenID Connect, against a provider that runs on this machine: who isn't believed, and what counts at once."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest

from tests.support.dashboards import Answer, Browser, ServedDashboard, served, write_access
from tests.support.services import free_port


class Provider:
    """An OpenID Connect provider in a process of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.begin(3600)

    def begin(self, age: int) -> None:
        """Start the process; `age`: seconds for which its tokens hold."""
        command = [str(Path(sys.executable).parent / "oidc-provider-mock"), "-p", str(self.port), "-e", str(age)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while True:
            try:
                self.send("GET", "/.well-known/openid-configuration")
                return
            except OSError:
                assert time.monotonic() < end, "never came"
                time.sleep(0.1)

    @property
    def issuer(self) -> str:
        """Its address."""
        return f"http://localhost:{self.port}"

    def send(self, method: str, path: str, body: str = "", kind: str = "application/json") -> tuple[int, str]:
        """Status, and where the answer leads."""
        connection = HTTPConnection("localhost", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers.get("Location", "")
        finally:
            connection.close()

    def person(self, name: str, **claims: Any) -> None:
        """Set what the provider says of a person."""
        assert self.send("PUT", f"/users/{name}", json.dumps({"email": f"{name}@example.com", **claims}))[0] == 204

    def end(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    running = Provider()
    try:
        yield running
    finally:
        running.end()


@pytest.fixture(scope="module")
def dashboard(group: Path, provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedDashboard]:
    port = free_port()
    write_access(
        group,
        url=f"http://127.0.0.1:{port}",
        oidc={"issuer": provider.issuer, "client_id": "mauwatch", "client_secret_env": "LOGIN_SECRET"},
        groups={"reach-viewers": {"roles": ["viewer"]}},
    )
    with served(group, tmp_path_factory.mktemp("log") / "log", port=port, LOGIN_SECRET="s3cret") as running:  # noqa: S106
        yield running


def _to_provider(browser: Browser, **changes: str) -> str:
    """Where the login sends a browser, with parameters changed."""
    answer = browser.get("/login")
    assert answer.status == 302, answer.text
    parts = urlsplit(answer.headers["Location"])
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changes
    return urlunsplit(("", "", parts.path, urlencode(query), ""))


def _log_in(browser: Browser, provider: Provider, name: str, **changes: str) -> Answer:
    """The whole way: to the provider, a name in its form, and back."""
    return browser.get(_back(browser, provider, name, **changes))


def _back(browser: Browser, provider: Provider, name: str, **changes: str) -> str:
    """The path by which the provider sends the browser back."""
    form = urlencode({"sub": name})
    status, back = provider.send("POST", _to_provider(browser, **changes), form, "application/x-www-form-urlencoded")
    assert status in (302, 303)
    parts = urlsplit(back)
    return f"{parts.path}?{parts.query}"


def test_a_login_and_a_role_that_is_taken_away(dashboard: ServedDashboard, provider: Provider) -> None:
    """A role that counts for the session's twelve hours would be one that nobody can take away."""
    provider.person("carol", groups=["reach-viewers"])
    browser = dashboard.browser()
    sent = browser.get("/?month=2025-01")
    assert (sent.status, sent.headers["Location"]) == (303, "/login")
    back = _log_in(browser, provider, "carol")
    assert (back.status, back.headers["Location"]) == (303, "/?month=2025-01"), back.text
    assert browser.get("/").status == 200
    provider.person("carol", groups=["others"])
    assert browser.get("/").status == 403
    assert browser.change("renewed.children").status == 403
    provider.person("carol", groups=["reach-viewers"])
    assert browser.get("/").status == 200
    assert provider.send("POST", "/users/carol/revoke-tokens")[0] == 204
    assert browser.get("/").status == 303, "to the login again"


def test_a_login_that_isnt_ours_is_refused(dashboard: ServedDashboard, provider: Provider) -> None:
    """A state of another browser would log a victim in as the attacker; a nonce of another login replays a token."""
    provider.person("dan", groups=["reach-viewers"])
    other = _back(dashboard.browser(), provider, "dan")
    browser = dashboard.browser()
    assert browser.get(other).status == 403, "another browser's state"
    assert browser.get("/").status == 303
    assert _log_in(dashboard.browser(), provider, "dan", nonce="of-another-login").status == 403
    browser = dashboard.browser()
    back = _back(browser, provider, "dan")
    assert browser.get(f"{back}x").status == 403, "a state that nobody gave"
    browser = dashboard.browser()
    back = _back(browser, provider, "dan")
    assert browser.get(back).status == 303
    assert browser.get(back).status == 403, "replayed"


@pytest.mark.parametrize("claims", [{}, {"groups": []}, {"groups": None}, {"groups": {"reach-viewers": 1}}, {"groups": "none"}])
def test_without_the_claim_of_roles_nobody_comes_in(dashboard: ServedDashboard, provider: Provider, claims: Any) -> None:
    provider.person("erin", **claims)
    browser = dashboard.browser()
    answer = _log_in(browser, provider, "erin")
    assert answer.status == 403
    assert "has no role here" in answer.text
    assert browser.get("/").status == 303


def test_an_address_that_isnt_verified_is_nobodys(dashboard: ServedDashboard, provider: Provider) -> None:
    provider.person("frank", groups=["reach-viewers"], email_verified=False)
    assert _log_in(dashboard.browser(), provider, "frank").status == 403


def test_an_expired_token_and_a_provider_that_is_gone(dashboard: ServedDashboard, provider: Provider) -> None:
    """What the provider last said isn't taken for what the provider says: without it nobody is let in, nor shown anything."""
    provider.person("grace", groups=["reach-viewers"])
    browser = dashboard.browser()
    assert _log_in(browser, provider, "grace").status == 303
    provider.end()
    assert browser.get("/").status == 503
    provider.begin(-300)
    provider.person("grace", groups=["reach-viewers"])
    assert browser.get("/").status == 303, "the token of before is unknown"
    assert _log_in(dashboard.browser(), provider, "grace").status == 403
