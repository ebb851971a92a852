"""A team behind a reverse proxy: who is believed, over HTTP. What each role may ask for is in test_roles."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from affiliates.manifests.dashboard_settings import Proxy
from dashboards.web import app, proxy_header
from dashboards.web.proxy_header import HeaderRefusedError
from dashboards.web.viewer import Role
from tests.support.dashboards import PEOPLE, RIGHTS, Browser, ServedDashboard, served, write_access

URL = "https://mauwatch.example.com"
GROUPS = {"reach-legal": {"roles": ["legal"]}, "reach-north": {"roles": ["affiliate"], "affiliates": ["north"]}}
PROXY = {"addresses": ["127.0.0.1"], "user_header": "X-Forwarded-User", "groups_header": "X-Forwarded-Groups"}


@pytest.fixture(scope="module")
def dashboard(group: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedDashboard]:
    """A dashboard for which this machine is the proxy."""
    write_access(group, url=URL, proxy=PROXY, viewers=RIGHTS, groups=GROUPS)
    with served(group, tmp_path_factory.mktemp("log") / "log") as running:
        yield running


def _environ(peer: str = "10.0.0.5", **headers: str) -> dict[str, Any]:
    return {"REMOTE_ADDR": peer, **{f"HTTP_{name}": value for name, value in headers.items()}}


@pytest.mark.parametrize("peer", ["10.0.0.5", "10.1.2.3", "::ffff:10.0.0.5", "fd00::7"])
def test_a_listed_address_is_believed(peer: str) -> None:
    proxy = Proxy(addresses=("10.0.0.5", "10.1.0.0/16", "fd00::/64"), groups_header="X-Groups")
    environ = _environ(peer, X_FORWARDED_USER="alice@example.com", X_GROUPS="a, b,,")
    assert proxy_header.person(environ, proxy) == ("alice@example.com", ("a", "b"))
    assert proxy_header.person(_environ(peer), proxy) is None


@pytest.mark.parametrize("peer", ["10.0.0.6", "127.0.0.1", "::1", "", "10.0.0.5.example.com", "fd01::7"])
def test_another_addresss_header_is_refused(peer: str) -> None:
    """Whoever reaches the server past the proxy would be whom he likes."""
    proxy = Proxy(addresses=("10.0.0.5", "fd00::/64"), groups_header="X-Groups")
    for headers in ({"X_FORWARDED_USER": "alice@example.com"}, {"X_GROUPS": "reach-legal"}):
        with pytest.raises(HeaderRefusedError):
            proxy_header.person(_environ(peer, **headers), proxy)
    # What a proxy says of the way that a request has come is no address.
    with pytest.raises(HeaderRefusedError):
        proxy_header.person(_environ(peer, X_FORWARDED_USER="alice@example.com", X_FORWARDED_FOR="10.0.0.5"), proxy)


@pytest.mark.parametrize("name", ["alice,bob", "alice, bob", "a" * 201, "al\u202eice".encode().decode("latin-1"), "\xff"])
def test_a_name_that_isnt_one_persons_is_refused(name: str) -> None:
    with pytest.raises(HeaderRefusedError):
        proxy_header.person(_environ(X_FORWARDED_USER=name), Proxy(addresses=("10.0.0.5",)))


def test_a_name_in_utf_8_is_read() -> None:
    environ = _environ(X_FORWARDED_USER="zoë@example.com".encode().decode("latin-1"))
    assert proxy_header.person(environ, Proxy(addresses=("10.0.0.5",))) == ("zoë@example.com", ())


def test_a_header_that_is_sent_twice_is_refused(dashboard: ServedDashboard) -> None:
    """A browser that sends the header itself would be somebody else, or of more groups, than the proxy says."""
    for name, first, second in [
        ("X-Forwarded-User", "viewer@example.com", "legal@example.com"),
        ("X-Forwarded-Groups", "reach-legal", "reach-north"),
        ("x-forwarded-groups", "reach-legal", "reach-legal"),
    ]:
        browser = TwiceBrowser(dashboard.port, {"X-Forwarded-User": "viewer@example.com"} if "roups" in name else {})
        answer = browser.twice(name, first, second)
        assert answer == 403, name
    # A name with an underscore is another header to a proxy, and the same one to WSGI.
    sneaked = dashboard.browser(**{"X-Forwarded-User": "viewer@example.com", "X_Forwarded_Groups": "reach-legal"})
    assert sneaked.get("/").status == 200
    assert dashboard.audit()[-1]["viewer"] == "viewer@example.com"


class TwiceBrowser(Browser):
    """A browser that sends a header twice."""

    def twice(self, name: str, first: str, second: str) -> int:
        """The status of a page."""
        # Another spelling is another key here, and the same header to the server.
        return self.ask("GET", "/", headers={name: first, name.swapcase(): second}).status


def test_without_a_header_nobody_comes_in(dashboard: ServedDashboard) -> None:
    stranger = dashboard.browser()
    assert stranger.get("/").status == 401
    assert stranger.get("/login?token=x").status == 303, "to where the proxy asks for the login"
    assert dashboard.browser(**{"X-Forwarded-User": "mallory@example.com"}).get("/").status == 403


def test_a_role_that_changes_counts_at_once(dashboard: ServedDashboard) -> None:
    """The proxy says the groups of this moment: what an earlier request was allowed is no longer known."""
    browser = dashboard.browser(
        **{"X-Forwarded-User": "judy@example.com", "X-Forwarded-Groups": "reach-legal"},
    )
    assert browser.get("/").status == 200
    assert browser.change("renewed.children", {"Origin": URL}).status != 403
    browser.headers["X-Forwarded-Groups"] = "reach-none"
    assert browser.get("/").status == 403
    refused = browser.change("renewed.children", {"Origin": URL})
    assert refused.status == 403
    assert "has no role here" in refused.text


def test_cookies_of_https_never_go_by_http(dashboard: ServedDashboard) -> None:
    answer = dashboard.browser(**{"X-Forwarded-User": "viewer@example.com"}).get("/")
    (csrf,) = answer.cookies
    assert "Secure" in csrf
    assert answer.headers["Strict-Transport-Security"]


def _member(dashboard: ServedDashboard, role: Role) -> Browser:
    """A browser of the person with one role, whose pages come from the team's address."""
    browser = dashboard.named(f"{role}@example.com")
    browser.headers |= {"Host": "mauwatch.example.com", "Origin": URL}
    return browser


def test_an_affiliate_sees_its_own_alone(dashboard: ServedDashboard) -> None:
    browser = _member(dashboard, Role.affiliate)
    texts = [browser.get(path).text for path in app.ROUTER.pages]
    texts += [browser.get("/_dash-layout", Referer=f"{URL}{path}").text for path in app.ROUTER.pages]
    texts += [browser.get(f"/chart/{name}.csv").text for name in app.ROUTER.charts]
    everything = "\n".join(texts)
    assert "south" not in everything
    assert "lanterns" not in everything
    assert not any(spelling in everything for spelling in _spellings(PEOPLE[1]))


def _spellings(number: int) -> list[str]:
    return [str(number), f"{number:,}", f"{number:,}".replace(",", "\u00a0"), f"{number:,}".replace(",", "\u202f")]
