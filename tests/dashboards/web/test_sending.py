"""What goes over the wire: compressed, kept by browsers where the address says the version, and no script from elsewhere."""

import json
import re
from html import escape
from pathlib import Path

import cramjam
import flask
import pytest
from dash import dcc, html
from flask import Flask

from dashboards.web.app import ASSETS, CALLBACKS, PLOTLY, PLOTLY_CELLS, create_app
from dashboards.web.components import aria
from dashboards.web.first_paint import to_html
from dashboards.web.viewer import Role, Viewer
from tests.support.pages_group import NOW, protect_by_header

BROTLI = {"Accept-Encoding": "gzip, br"}
SENT = ("Content-Type", "Cache-Control", "Content-Encoding", "Vary")
"""Headers of a script."""


def scripts(text: str) -> list[str]:
    return re.findall(r'<(?:script|link)[^>]+(?:src|href)="([^"]+)"', text)


def test_a_first_visit_and_a_second_one_stay_small(application: Flask) -> None:
    """All that a browser asks for until the chart is there: 7 MB as it comes."""
    client = application.test_client()
    page = client.get("/", headers=BROTLI)
    of_page = [page, client.get("/_dash-layout", headers={**BROTLI, "Referer": "http://localhost/"})]
    of_page += [
        client.get(path, headers=BROTLI, buffered=True)
        for path in ("/_dash-dependencies", "/chart/trend.svg", "/chart/trend.json")
    ]
    paths = [*scripts(client.get("/").text), f"/assets/{PLOTLY}"]
    kept = {path: client.get(path, headers=BROTLI, buffered=True) for path in paths}
    assert all(answer.status_code == 200 for answer in [*of_page, *kept.values()])
    sizes = {path: len(answer.get_data()) for path, answer in kept.items()}
    second = sum(len(answer.get_data()) for answer in of_page)
    assert second < 30_000
    assert second + sum(sizes.values()) < 950_000, sorted(sizes.items(), key=lambda item: -item[1])[:5]
    # Whatever isn't kept is asked for again at each page.
    asked_again = {path for path, answer in kept.items() if "immutable" not in answer.headers.get("Cache-Control", "")}
    assert asked_again == set()


def test_what_is_compressed_is_the_same(application: Flask) -> None:
    client = application.test_client()
    for path in ("/", f"/assets/{PLOTLY}", "/chart/trend.json"):
        packed = client.get(path, headers=BROTLI, buffered=True)
        assert packed.headers["Content-Encoding"] == "br"
        assert bytes(cramjam.brotli.decompress(packed.get_data())) == client.get(path, buffered=True).get_data()
    assert "Content-Encoding" not in client.get("/", headers={"Accept-Encoding": "gzip"}).headers


def test_what_the_server_keeps_is_what_it_would_make(pages_group: Path) -> None:
    """A script of another version under the same address would stay in browsers for a year."""
    applications = [create_app(pages_group, protect=protect_by_header, clock=lambda: NOW) for _ in range(2)]
    applications[0].scripts_of_page.keep({})
    kept, made = (application.server.test_client() for application in applications)
    paths = scripts(kept.get("/").text)
    assert paths == scripts(made.get("/").text)
    for path in [*paths, f"/assets/{PLOTLY}", f"/assets/{PLOTLY_CELLS}"]:
        for encoding in ("br", "gzip"):
            answers = [client.get(path, headers={"Accept-Encoding": encoding}, buffered=True) for client in (kept, made)]
            assert answers[0].data == answers[1].data
            sent = [{name: answer.headers.get(name) for name in SENT} for answer in answers]
            assert sent[0] == sent[1]
    # Without the query it is another address: whoever has kept nothing gets what lies there.
    assert kept.get("/assets/page.js").status_code == 404
    assert kept.get("/assets/page.js?m=0").status_code == 404


def test_the_pages_script_is_all_that_dash_names(application: Flask) -> None:
    """A component library that is left out draws nothing."""
    client = application.test_client()
    (path,) = [path for path in scripts(client.get("/").text) if "/page.js" in path]
    script = client.get(path).text
    assert all(name in script for name in ("DashRenderer", "dash_mantine_components", "dash_core_components", "dash_clientside"))
    assert script.count("use strict")
    # At the start it would hold for all parts, and some of them aren't written for it.
    assert not script.startswith(("'use strict", '"use strict'))


def test_a_kept_page_names_who_looks_and_nobody_else(pages_group: Path) -> None:
    """One answer serves all who may see the same."""

    def protect(server: Flask) -> None:
        @server.before_request
        def viewer() -> None:
            role = flask.request.headers["X-Role"]
            of_role = frozenset({"media"}) if role == Role.affiliate else frozenset[str]()
            flask.g.viewer = Viewer(flask.request.headers["X-Name"], frozenset({Role(role)}), of_role)

    client = create_app(pages_group, protect=protect, clock=lambda: NOW).server.test_client()
    names = ("zoe@example.com", "yuri <b>@example.com", 'xenia "\\ {viewer}@example.com')
    for path in ("/", "/group", "/licences", "/forecast", "/nope"):
        pages = {}
        for name in names:
            sent = {"X-Name": name, "X-Role": "viewer", "Referer": f"http://localhost{path}"}
            layout = client.get("/_dash-layout", headers=sent).text
            pages[name] = client.get(path, headers=sent).text.replace(escape(name, quote=False), "…"), json.loads(layout)
            assert json.dumps(name) in json.dumps(pages[name][1])
            assert not any(other[:4] in text for other in names if other != name for text in (pages[name][0], layout))
        assert len({text for text, _ in pages.values()}) == 1
    seen = [client.get("/", headers={"X-Name": names[0], "X-Role": role}).text for role in ("viewer", "affiliate", "viewer")]
    assert ["Headroom" in text for text in seen] == [True, False, True]
    assert seen[0] == seen[2]


def test_nothing_comes_from_elsewhere(application: Flask) -> None:
    """A page of figures tells nobody outside that somebody looks at it."""
    page = application.test_client().get("/")
    assert [path for path in scripts(page.text) if not path.startswith("/")] == []
    for asset in ASSETS.glob("*.css"):
        assert "http" not in asset.read_text()
    # One script stands in the page itself, by whose hash a policy can let it run.
    assert len(re.findall(r"<script(?![^>]*src=)(?![^>]*application/json)", page.text)) == 1
    assert page.text.startswith('<!DOCTYPE html>\n<html lang="en"')


def test_the_table_of_callbacks_is_what_the_application_has(application: Flask) -> None:
    """A callback that the table of roles doesn't have would be one that nobody checks."""
    posted = {item["output"] for item in application.test_client().get("/_dash-dependencies").get_json()}
    assert posted == set(CALLBACKS)
    assert all(CALLBACKS.values())


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (html.P("a < b & <script>"), "<p>a &lt; b &amp; &lt;script&gt;</p>"),
        (html.A("x", href='/?q="><script>'), '<a href="/?q=&quot;&gt;&lt;script&gt;">x</a>'),
        (html.Img(src="/a.svg", alt=""), '<img src="/a.svg" alt="">'),
        (
            html.Div(className="a b", style={"marginTop": "1px", "--x": "2"}),
            '<div class="a b" style="margin-top:1px;--x:2"></div>',
        ),
        (
            html.Td("1", colSpan="2", **aria(hidden="true", label="y")),
            '<td colspan="2" aria-hidden="true" aria-label="y">1</td>',
        ),
        (html.Details([None, "x", 1], open=True), "<details open>x1</details>"),
        (html.Div([dcc.Store(id="s", data="secret"), html.B("b")]), "<div><b>b</b></div>"),
        (html.Div("x", id={"type": "a"}), "<div>x</div>"),
    ],
)
def test_a_tree_is_written_as_html(tree: object, text: str) -> None:
    """A name with a tag in it stays a name."""
    written = to_html(tree)
    assert sorted(re.split(r"[ >]", written)) == sorted(re.split(r"[ >]", text))
