"""Each address and each callback of the application, asked for by each role over HTTP, under the access check that is served.

The test lists what there is from the application itself. The tables below say who may: what they don't name fails, so nobody adds
a route without saying whom it is for.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule

from affiliates.manifests.dashboard_settings import Dashboard
from affiliates.manifests.loader import read_group
from dashboards.web import app, data_routes, scenario_downloads
from dashboards.web.build import build
from dashboards.web.settings import DashboardSettings, private_folders
from dashboards.web.viewer import Role
from tests.support.browser import served
from tests.support.dashboards import Answer, Browser
from tests.support.services import free_port

URL = "https://mauwatch.example.com"
NOBODY, STRANGER, OWN, OTHER = "nobody", "stranger", "affiliate of media", "affiliate of commerce"
PEOPLE: list[str] = [NOBODY, STRANGER, OWN, OTHER, *sorted(role.value for role in set(Role) - {Role.affiliate})]
"""Without a login; with a login that dashboard.yaml gives no role; and one person a role, of the affiliates two."""
ALL = frozenset(PEOPLE) - {NOBODY, STRANGER}
GROUP = ALL - {OWN, OTHER}
DEALS, LEGAL = frozenset({Role.deals.value}), frozenset({Role.legal.value})
ANSWERS = LEGAL | {Role.admin.value}
OPEN = frozenset(PEOPLE)

RULES: Mapping[str, frozenset[str]] = {
    # Scripts, styles and icons are the same for everybody, as is the way in; health names nobody.
    "/healthz": OPEN, "/login": OPEN, "/login/callback": OPEN, "/assets/<path:filename>": OPEN, "/_favicon.ico": OPEN,
    "/_dash-component-suites/<string:package_name>/<path:fingerprinted_path>": OPEN,
    "/_dash-layout": ALL, "/_dash-dependencies": ALL, "/_reload-hash": ALL, "/_dash-update-component": ALL,
    # Flask's own folder of files, which isn't there.
    "/static/<path:filename>": ALL,
}  # fmt: skip
"""Routes without figures, by their rule."""
ADDRESSES: Mapping[str, frozenset[str]] = {
    "/": ALL, "/group": ALL, "/data": ALL,
    "/licences": GROUP, "/forecast": GROUP, "/alerts": GROUP, "/alerts/3": GROUP,
    "/whatif": DEALS, "/scenario": DEALS, "/scenario/3": DEALS,
    "/chart/trend": ALL, "/chart/ownership": ALL, "/chart/overlaps": ALL,
    "/chart/clause-results": GROUP, "/chart/chances": GROUP, "/chart/first-passage": GROUP, "/chart/fans": GROUP,
    "/chart/scenario": DEALS, "/chart/scenario-frontier": DEALS, "/chart/scenario-tornado": DEALS,
    "/evidence/evidence.pdf": LEGAL, "/evidence/outside.zip": LEGAL, "/evidence/expert.zip": LEGAL,
    "/report/monthly.html": GROUP, "/report/monthly.pdf": GROUP,
    "/evidence/privileged.pdf": LEGAL, "/evidence/privileged.zip": LEGAL,
}  # fmt: skip
"""Pages, pages of one number, charts without their ending, and files."""
CALLBACKS: Mapping[str, frozenset[str]] = {
    "page-by-address.children": ALL, "renewed.children": ALL, "choice-month.error": ALL,
    "month-signed.children": LEGAL, "alert-answer.children": ANSWERS,
    "..whatif-answer.children...whatif-assumptions.children..": DEALS, "whatif-cards.children": DEALS,
    "whatif-saved.children": DEALS, "scenario-people.children": DEALS, "..whatif-file.data...whatif-file-told.children..": DEALS,
}  # fmt: skip
OF_ADDRESSES = {"/", "/<path:path>", "/chart/<name>.<kind>", "/evidence/<name>", "/report/monthly.<kind>"}
"""Rules whose addresses stand in `ADDRESSES`; `scenario_downloads` has one more."""


@pytest.fixture(scope="module")
def flask_app(pages_group: Path) -> Flask:
    """The application as it is served, behind a proxy on this machine."""
    viewers: dict[str, Any] = {name(role): {"roles": [role.value]} for role in set(Role) - {Role.affiliate}}
    viewers |= {name(who): {"roles": ["affiliate"], "affiliates": [who.split()[-1]]} for who in (OWN, OTHER)}
    access = Dashboard.model_validate({"url": URL, "proxy": {"addresses": ["127.0.0.1"]}, "viewers": viewers})
    settings = DashboardSettings(pages_group, access, "operator", port=free_port())
    private_folders(settings.folder)
    made = build(settings)
    made.config["PORT"] = settings.port
    return made


@pytest.fixture(scope="module")
def browsers(flask_app: Flask) -> Iterator[dict[str, Browser]]:
    """A browser for each person; it has opened a page, and so has what a change has to prove."""
    with served(flask_app, flask_app.config["PORT"]):
        made = {}
        for who in PEOPLE:
            headers = {"Host": "mauwatch.example.com", "Origin": URL}
            made[who] = Browser(flask_app.config["PORT"], headers | ({} if who == NOBODY else {"X-Forwarded-User": name(who)}))
            made[who].get("/")
        yield made


@pytest.fixture(scope="module")
def names(pages_group: Path) -> dict[str, list[str]]:
    """By affiliate, what only those may read who see the affiliate; under the empty name the group's own."""
    group = read_group(pages_group)
    by_affiliate: dict[str, list[str]] = {"": ["744\u00a0M", "744,115", "744115"]}
    for ref, product in group.products.items():
        by_affiliate.setdefault(ref.affiliate, []).extend(filter(None, [str(ref), product.name]))
    return by_affiliate


def name(who: str) -> str:
    """The name that the proxy says."""
    return f"{who.replace(' ', '-')}@example.com"


def addresses() -> dict[str, list[str]]:
    """By their key in the table, all addresses of pages, charts and files that the application has."""
    listed = {path: [path] for path in app.ROUTER.pages}
    listed |= {f"{path}/3": [f"{path}/3"] for path, page in app.ROUTER.pages.items() if page.takes_id}
    kinds = {*data_routes._WRITERS, *scenario_downloads.KINDS}
    listed |= {f"/chart/{chart}": [f"/chart/{chart}.{kind}" for kind in sorted(kinds)] for chart in app.ROUTER.charts}
    # A report takes a second: a month that isn't published is refused only after the roles were looked at.
    return listed | {path: [path + "?month=1999-01" * path.startswith("/report/")] for path in app.ROUTER.files}


def of_rule(rule: Rule) -> str:
    """An address of a route."""
    return "".join("x" if is_variable else text for is_variable, text in rule._trace if text != "|")


def test_each_route_says_whom_it_is_for(flask_app: Flask) -> None:
    """A route that no row names is one that somebody has added without thinking of who may ask."""
    rules = {rule.rule for rule in flask_app.url_map.iter_rules()}
    of_scenario = {rule for rule in rules if rule.startswith("/chart/scenario.<any(")}
    assert rules - OF_ADDRESSES - of_scenario == set(RULES)
    assert set(addresses()) == set(ADDRESSES)
    assert set(app.CALLBACKS) == set(CALLBACKS)


def refused(answer: Answer, who: str, names: Mapping[str, list[str]]) -> None:
    """The answer is a refusal, which says nothing of the group."""
    assert answer.status == (401 if who == NOBODY else 403), (who, answer.text[:200])
    leaks_nothing(answer, [text for texts in names.values() for text in texts])


def leaks_nothing(answer: Answer, texts: list[str]) -> None:
    """None of the texts stands in the answer."""
    # Dash's own scripts name all elements of HTML, such as Video.
    read = re.sub(r"<script.*?</script>", "", answer.text, flags=re.DOTALL)
    assert re.findall("|".join(rf"\b{re.escape(text)}\b" for text in texts), read) == []


@pytest.mark.parametrize("who", PEOPLE)
def test_each_route_is_for_its_people_alone(
    who: str, flask_app: Flask, browsers: dict[str, Browser], names: dict[str, list[str]]
) -> None:
    """What isn't shown as a link can be typed: nothing but the answer's status keeps it from whoever may not see it."""
    browser = browsers[who]
    for rule in flask_app.url_map.iter_rules():
        allowed = RULES.get(rule.rule)
        if allowed is None or rule.rule == "/_dash-update-component":
            continue
        answer = browser.get(of_rule(rule))
        if who in allowed:
            if rule.rule.startswith("/_dash-component"):
                assert answer.status == 404, "a script that is none is no failure of ours"
            assert answer.status not in (401, 403), (rule.rule, answer.text[:200])
        else:
            refused(answer, who, names)
        leaks_nothing(answer, [text for texts in names.values() for text in texts])
    strangers = [text for affiliate, texts in names.items() if affiliate != who.split()[-1] for text in texts]
    for key, listed in addresses().items():
        for address in listed:
            answer = browser.get(address)
            if who not in ADDRESSES[key]:
                refused(answer, who, names)
                continue
            # A picture that isn't drawn, and a file or a number that the address doesn't name.
            may_be_missing = key.startswith(("/chart", "/scenario/", "/evidence", "/report"))
            assert answer.status in ((200, 400, 404) if may_be_missing else (200,)), address
            if who in (OWN, OTHER):
                leaks_nothing(answer, strangers)
        # Dash asks for a page by the address that the browser says it shows: that is the caller's word, too.
        if key in app.ROUTER.pages:
            layout = browser.get("/_dash-layout", Referer=f"{URL}{key}")
            if who in (NOBODY, STRANGER):
                refused(layout, who, names)
            elif who not in ADDRESSES[key]:
                assert "isn't for your role" in layout.text
                leaks_nothing(layout, [text for texts in names.values() for text in texts])
            elif who in (OWN, OTHER):
                leaks_nothing(layout, strangers)


@pytest.mark.parametrize("who", PEOPLE)
def test_each_callback_is_for_its_people_alone(who: str, browsers: dict[str, Browser], names: dict[str, list[str]]) -> None:
    """Ids of callbacks are in every browser: whoever reads them there can post to them."""
    browser = browsers[who]
    for output, allowed in CALLBACKS.items():
        answer = browser.change(output, {"Origin": URL})
        if who in allowed:
            assert answer.status not in (401, 403), (output, answer.text[:200])
        else:
            refused(answer, who, names)
    # A page whose address is posted is the same page.
    for path in app.ROUTER.pages:
        inputs = [{"id": "address", "property": name, "value": value} for name, value in (("pathname", path), ("search", ""))]
        shown = {"id": "page-by-address", "property": "children"}
        answer = browser.change("page-by-address.children", {"Origin": URL}, inputs=inputs, outputs=shown)
        if who in ADDRESSES[path]:
            assert answer.status == 200, path
        else:
            refused(answer, who, names)


@pytest.mark.parametrize("who", [NOBODY, Role.legal])
def test_each_route_is_read_only(who: str, flask_app: Flask, browsers: dict[str, Browser]) -> None:
    """A method that nobody thought of goes past a check that is made for reading."""
    browser = browsers[who]
    paths = [of_rule(rule) for rule in flask_app.url_map.iter_rules() if rule.rule in RULES]
    paths += [address for listed in addresses().values() for address in listed]
    for path in paths:
        for method in ("POST", "DELETE"):
            answer = browser.ask(method, path, "{}", browser.own_page() | {"Origin": URL})
            assert 400 <= answer.status < 500, (method, path)


@pytest.mark.parametrize("who", PEOPLE)
def test_the_way_out_is_for_whoever_is_in(who: str, browsers: dict[str, Browser]) -> None:
    assert browsers[who].get("/logout").status == {NOBODY: 401, STRANGER: 403}.get(who, 200)
