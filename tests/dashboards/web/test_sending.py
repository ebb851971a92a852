"""What goes over the wire: compressed, kept by browsers where the address says the version, and no script from elsewhere."""

import re

import cramjam
import pytest
from dash import dcc, html
from flask import Flask

from dashboards.web.app import ASSETS, CALLBACKS, PLOTLY
from dashboards.web.components import aria
from dashboards.web.first_paint import to_html

BROTLI = {"Accept-Encoding": "gzip, br"}


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
    assert asked_again == {"/assets/scheme.js", "/assets/favicon.svg"}


def test_what_is_compressed_is_the_same(application: Flask) -> None:
    client = application.test_client()
    for path in ("/", f"/assets/{PLOTLY}", "/chart/trend.json"):
        packed = client.get(path, headers=BROTLI, buffered=True)
        assert packed.headers["Content-Encoding"] == "br"
        assert bytes(cramjam.brotli.decompress(packed.get_data())) == client.get(path, buffered=True).get_data()
    assert "Content-Encoding" not in client.get("/", headers={"Accept-Encoding": "gzip"}).headers


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
