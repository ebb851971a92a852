"""The Dash application of a group directory: pages by our own router, painted before a script runs, and their data by routes."""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import flask
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update, set_props
from flask import Flask, Response
from markupsafe import escape
from werkzeug.exceptions import HTTPException

from dashboards.charts import trend
from dashboards.charts.trend import MonthTrend
from dashboards.web import components, compression, data_routes, page_scripts
from dashboards.web.answers import Answers
from dashboards.web.page_list import PAGES
from dashboards.web.page_scripts import PageScripts
from dashboards.web.router import EVERYBODY, Router
from dashboards.web.row_source import RowSource
from dashboards.web.viewer import Role, current_viewer

ASSETS = Path(__file__).parent / "assets"
PLOTLY = "plotly-basic-4.1.1.min.js"
"""Plotly's bundle of lines and bars, of the version that plotly.py names."""
PLOTLY_CELLS = "plotly-cartesian-4.1.1.min.js"
"""The same with heat maps, for pages that have one: a quarter larger."""
ROUTER = Router(PAGES)
"""Pages and charts by their paths, with the roles that may ask for them: `roles_of`."""
OWN_CALLBACKS: dict[str, frozenset[Role]] = {
    "page-by-address.children": EVERYBODY,
    "renewed.children": EVERYBODY,
    "choice-month.error": EVERYBODY,
}
"""The frame's own callbacks by their output, as Dash posts it."""
CALLBACKS: dict[str, frozenset[Role]] = {
    **OWN_CALLBACKS,
    **{output: roles for page in PAGES for output, roles in page.callbacks.items()},
}
"""All callbacks by their output, with the roles that may call them. `create_app` fails where a callback isn't here."""
_FIRST_PAINT = "<!--first-paint-->"
_TITLE = "%%title%%"
_START = (ASSETS / "start.js").read_text(encoding="utf-8")
"""Stands in the page itself: nothing is painted before it has run."""
_INDEX = f"""<!DOCTYPE html>
<html lang="en" data-plotly="/assets/{PLOTLY}" data-plotly-cells="/assets/{PLOTLY_CELLS}">
<head>
{{%metas%}}
<title>{_TITLE}</title>
<link rel="icon" type="image/svg+xml" href="{page_scripts.address(ASSETS / "favicon.svg")}">
<script>{_START}</script>
{{%css%}}
<script src="{page_scripts.address(ASSETS / "charts.js")}" defer></script>
</head>
<body>
{{%app_entry%}}
{{%config%}}
{{%scripts%}}
{{%renderer%}}
</body>
</html>"""


def create_app(
    directory: Path,
    *,
    protect: Callable[[Flask], None],
    csrf_cookie: str = "_csrf_token",
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> "DashboardApp":
    """The application of a group directory; `app.server` is what a WSGI server serves.

    `protect` installs the access check on the Flask application before any page can be asked for. `csrf_cookie` is the cookie
    that a page repeats in a header with each change. `clock` gives the moment that ages are counted to.
    """
    server = Flask("mauwatch")
    # First of all: what is registered before any route is asked before any route.
    protect(server)
    source = RowSource(directory)
    app = DashboardApp(server, Answers(source, ROUTER, clock), csrf_cookie)
    data_routes.register(server, source, ROUTER, clock)
    _register_own(app)
    for page in PAGES:
        if page.register is not None:
            page.register(app, source)
    # A callback that nobody listed would be one that nobody checks.
    unlisted = set(app.callback_map) ^ set(CALLBACKS)
    if unlisted:
        raise ValueError(f"callbacks that the table of roles doesn't have, or has too many: {', '.join(sorted(unlisted))}")
    # Last: what is registered later changes an answer earlier.
    compression.install(server)
    # The first picture loads a library and its fonts for a second: before anybody waits for it.
    trend.svg(MonthTrend([], [], [], None))
    return app


class DashboardApp(Dash):
    """Dash with an index of our own: each page answers with its status, and with what is read of it."""

    def __init__(self, server: Flask, answers: Answers, csrf_cookie: str) -> None:
        super().__init__(
            "mauwatch",
            server=server,  # type: ignore[arg-type]  # Dash states bool, and takes a Flask application
            assets_folder=str(ASSETS),
            assets_ignore=r"plotly-.*|(start|charts)\.js",
            index_string=_INDEX,
            title=_TITLE,
            csrf_token_name=csrf_cookie,
            update_title="",
            suppress_callback_exceptions=True,
            add_log_handler=False,
            on_error=_failed,
            meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        )
        self.answers = answers
        self.scripts_of_page = PageScripts(server)
        self._template: str | None = None
        self.layout = html.Div([dcc.Location(id="address"), html.Div(id="page-by-address")])

    def index(self, *_args: Any, **_kwargs: Any) -> Response:
        """A page of the router, or what is wrong with its address."""
        request = flask.request
        answer = self.answers.answer(request.path, request.query_string.decode("utf-8", "replace"), current_viewer())
        # The same for all pages but for two places: Dash stats every script to make it.
        if self._template is None:
            self._template = self.scripts_of_page.rewritten(str(super().index()))  # type: ignore[no-untyped-call]
        painted = f'<div class="first-paint">{answer.painted}</div>'
        text = self._template.replace(_TITLE, str(escape(answer.title)))
        return Response(text.replace(_FIRST_PAINT, painted), status=answer.status, mimetype="text/html")

    def interpolate_index(self, *args: Any, **kwargs: Any) -> str:
        """The index with a place for what is painted first."""
        kwargs["app_entry"] = f'<div id="react-entry-point">{_FIRST_PAINT}</div>'
        return str(super().interpolate_index(*args, **kwargs))  # type: ignore[no-untyped-call]

    def csp_hashes(self, hash_algorithm: str = "sha256") -> list[str]:
        """The hash of the one script that stands in the page itself."""
        digest = hashlib.new(hash_algorithm, _START.encode()).digest()
        return [f"'{hash_algorithm}-{base64.b64encode(digest).decode()}'"]

    def serve_layout(self) -> Any:
        """The page of the address that the browser shows; without one, the page follows by a callback."""
        request = flask.request
        shown = urlsplit(request.referrer or "")
        # Some browsers send no address, and another site's is none of ours.
        if shown.netloc != request.host:
            return super().serve_layout()  # type: ignore[no-untyped-call]
        answer = self.answers.answer(shown.path or "/", shown.query, current_viewer())
        return Response(answer.layout, mimetype="application/json")


def _register_own(app: DashboardApp) -> None:
    """The frame's own callbacks."""

    @app.callback(Output("page-by-address", "children"), Input("address", "pathname"), Input("address", "search"))
    def page_by_address(path: str, query: str) -> Any:
        answer = app.answers.answer(path or "/", (query or "").removeprefix("?"), current_viewer())
        # As by the address itself: a page that is forbidden is no page with status 200.
        if answer.status == 403:
            flask.abort(403)
        return json.loads(answer.layout)

    @app.callback(
        Output("renewed", "children"), Input("look-again", "n_intervals"), State("state", "data"), prevent_initial_call=True
    )
    def renewed(_: int, state: str) -> Any:
        if app.answers.state(current_viewer()) == state:
            return None
        return html.P(
            ["Newer figures were published since you opened this page. ", html.A("Show the new figures", href="")],
            className="notice warning",
        )

    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("mauwatch", "choose"),
        Output("choice-month", "error"),
        Input("choice-month", "value"),
        Input("choice-reading", "value"),
        prevent_initial_call=True,
    )


def _failed(error: Exception) -> Any:
    """A callback's failure: a refusal by status stays one, any other is shown, since old figures would stay without a word."""
    if isinstance(error, HTTPException):
        raise error
    flask.current_app.logger.error("a callback failed: %s", type(error).__name__)
    # An error's text may hold figures or names: the page says that, and not why.
    told = components.notice("This part of the page failed.", "Figures beside it may be old.", "load the page again", "problem")
    set_props("failure", {"children": told})
    return no_update
