"""Who may see and do what: one check before every request but those for scripts and health.

Everything that is posted is the caller's word. A page, a download or a callback that no table names is refused. A refusal says
why, and shows nothing that the page would have shown.
"""

import hashlib
import hmac
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

from flask import Flask, Response, g, redirect, request, session
from flask.sessions import SecureCookieSessionInterface
from werkzeug.exceptions import Forbidden, HTTPException
from werkzeug.wrappers import Response as AnyResponse

from affiliates.errors import RefusedError, place_of
from dashboards.web import headers, health, login
from dashboards.web.audit_log import AuditLog
from dashboards.web.login import AccessRefusedError, Identity
from dashboards.web.settings import DashboardSettings
from dashboards.web.short_pages import message, short_page
from dashboards.web.viewer import Role, Viewer, current_viewer
from pipelines.json_log import Log

PageRoles = Callable[[str], frozenset[Role] | None]
"""The roles that may open a path; null where there is no such page."""

CALLBACK = "/_dash-update-component"
DASH = frozenset({"/_dash-layout", "/_dash-dependencies", "/_reload-hash"})
"""What Dash asks for before any page: ids and the empty shell, for whoever is logged in."""
SCRIPTS = ("/_dash-component-suites/", "/assets/")
FILES = ("/chart/", "/evidence/", "/report/")
KINDS = ("csv", "html", "json", "pdf", "png", "svg", "xlsx")
OURS = DASH | {CALLBACK, login.LOGOUT}
PARTS = frozenset({"json", "svg"})
"""Endings of what a page loads by itself: the audit log names the page."""
ICONS = frozenset({"/favicon.ico", "/_favicon.ico"})
WARM_UP = object()
"""In a request's environment under `mauwatch.warm_up`: the worker's own first request. No client can put an object there."""
_LARGEST_BODY = 4 << 20
"""Bytes of what somebody posts at most."""


def protect(
    flask_app: Flask,
    settings: DashboardSettings,
    callback_roles: Mapping[str, frozenset[Role]],
    page_roles: PageRoles,
    *,
    script_hashes: Callable[[], Sequence[str]] = tuple,
    callback_inputs: Callable[[], Mapping[str, Collection[str]]] = dict,
) -> None:
    """Put the check before every request of an app, and the headers on every answer.

    `callback_roles`: by a callback's output, as Dash posts it, the roles that may call it. `script_hashes` gives the
    hashes of scripts that stand in pages, `callback_inputs` by output the inputs (id.property) whose changes the audit log names;
    both are called once the app is whole. Raises `RefusedError` where the login's secret is missing.
    """
    flask_app.secret_key = settings.secret
    flask_app.session_interface = _Sha256Sessions()
    flask_app.config.update(
        SESSION_COOKIE_NAME=settings.session_cookie,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=settings.is_secure,
        # Not Strict: a mail's link to an alert has to open in the session that is there.
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=_LARGEST_BODY,
    )
    audit = AuditLog(settings.folder, settings.known_names)
    doors = login.Login(flask_app, settings, audit)
    check = _Check(settings, doors, audit, callback_roles, page_roles, script_hashes, callback_inputs)
    # Before Dash's own function, which sets the app up on the first request.
    flask_app.before_request_funcs.setdefault(None, []).insert(0, check.before)
    flask_app.after_request(check.after)
    flask_app.register_error_handler(Exception, _failed)
    flask_app.extensions["mauwatch_audit"] = audit


def require(roles: Collection[Role]) -> Viewer:
    """The viewer, where the viewer has one of the roles; for pages that a callback makes. Raises `Forbidden` (403) else."""
    viewer = current_viewer()
    if not viewer.roles.intersection(roles):
        raise Forbidden
    return viewer


def _sha256(string: bytes = b"") -> Any:
    return hashlib.sha256(string)


class _Sha256Sessions(SecureCookieSessionInterface):
    """Flask's signed cookie, signed by HMAC with SHA-256."""

    digest_method = staticmethod(_sha256)


_TEXTS = {
    400: "The address or what was sent can't be read.",
    403: "Your roles don't allow this.",
    404: "There is no such page.",
    405: "This can't be done here.",
    413: "More was sent than is taken.",
    500: "This failed, and what failed is in the log of the server: tell whoever runs it.",
}
"""What a refused or failed request is told, by status."""


class _Check:
    """The check of one app."""

    def __init__(
        self,
        settings: DashboardSettings,
        doors: login.Login,
        audit: AuditLog,
        callback_roles: Mapping[str, frozenset[Role]],
        page_roles: PageRoles,
        script_hashes: Callable[[], Sequence[str]],
        callback_inputs: Callable[[], Mapping[str, Collection[str]]],
    ) -> None:
        self._settings = settings
        self._doors = doors
        self._audit = audit
        self._callback_roles = callback_roles
        self._page_roles = page_roles
        self._script_hashes = script_hashes
        self._callback_inputs = callback_inputs

    @cached_property
    def _policy(self) -> str:
        return headers.policy(self._script_hashes())

    def before(self) -> AnyResponse | None:
        """Nothing for a request that may go on, else the answer in its place."""
        path = request.path
        if path == health.HEALTH:
            return None
        if request.environ.get("mauwatch.warm_up") is WARM_UP:
            g.viewer = Viewer("warm-up", frozenset(Role) - {Role.affiliate}, frozenset())
            return None
        # A stranger's page whose name suddenly leads to this machine would else be our own page to a browser.
        if request.host not in self._settings.hosts:
            return message(403, "This address isn't the dashboard's: open the address that `mauwatch dashboard` shows.")
        if _is_script(path):
            return None
        if path in (login.LOGIN, login.LOGIN_BACK):
            return None
        try:
            identity = self._doors.identity()
            g.viewer = identity.viewer
            g.csrf_token = identity.csrf_token
            if path == login.LOGOUT:
                return self._log_out(identity)
            if request.method in ("GET", "HEAD"):
                self._may_read(identity.viewer, path)
            else:
                self._may_change(identity)
        except AccessRefusedError as error:
            return self._refusal(error, path)
        return None

    def after(self, response: Response) -> Response:
        """The answer with its headers, and with the cookie that a change has to repeat."""
        is_script = _is_script(request.path) and response.status_code < 400
        headers.apply(response, self._policy, self._settings.is_secure, is_script)
        token = g.get("csrf_token")
        if token and request.cookies.get(self._settings.csrf_cookie) != token:
            # The page's script reads the cookie, so it can't be HttpOnly.
            response.set_cookie(self._settings.csrf_cookie, token, secure=self._settings.is_secure, samesite="Strict")
        return response

    def _may_read(self, viewer: Viewer, path: str) -> None:
        """Raises `AccessRefusedError` where a viewer may not open a path."""
        if path in DASH:
            return
        roles = self._page_roles(path)
        if roles is None:
            raise AccessRefusedError(404, "There is no such page.", "no such page")
        if not viewer.roles & roles:
            raise AccessRefusedError(403, _needs(roles), "role")
        kind = path.rpartition("/")[2].rpartition(".")[2]
        if kind not in PARTS:
            action = "downloaded" if path.startswith(FILES) else "opened"
            self._audit.note(viewer.name, action, self._shown(path), request.args.items(multi=True))

    def _may_change(self, identity: Identity) -> None:
        """Raises `AccessRefusedError` where a request isn't our page's own, or its callback isn't the viewer's."""
        if request.path != CALLBACK or request.method != "POST":
            raise AccessRefusedError(405, "This can't be done here.", "method")
        if request.mimetype != "application/json":
            raise AccessRefusedError(415, "Only JSON is taken.", "content type")
        self._is_our_page(request.headers.get("X-CSRFToken", ""), identity)
        body = request.get_json(silent=True)
        posted = body if isinstance(body, dict) else {}
        output = posted.get("output")
        roles = self._callback_roles.get(output) if isinstance(output, str) else None
        if roles is None or not identity.viewer.roles & roles:
            # One answer for both: who may not call a callback doesn't learn that there is one.
            raise AccessRefusedError(403, "Your roles don't allow this.", "role" if roles else "no such callback")
        known = self._callback_inputs().get(str(output), ())
        changed = posted.get("changedPropIds")
        if inputs := {text for text in changed if text in known} if isinstance(changed, list) else set():
            self._audit.note_change(identity.viewer.name, inputs)

    def _is_our_page(self, token: str, identity: Identity) -> None:
        """Raises `AccessRefusedError` where a change comes from elsewhere than a page of this dashboard in this session."""
        site = request.headers.get("Sec-Fetch-Site")
        origin = request.headers.get("Origin")
        is_ours = origin in self._origins if origin else site == "same-origin"
        if not is_ours or site not in (None, "same-origin"):
            raise AccessRefusedError(403, "This comes from another page than the dashboard's.", "origin")
        if not hmac.compare_digest(token.encode(), identity.csrf_token.encode()):
            raise AccessRefusedError(403, "This page is from an earlier session: load it again.", "CSRF token")

    @property
    def _origins(self) -> frozenset[str]:
        if self._settings.access.url:
            return frozenset({self._settings.access.url})
        return frozenset(f"http://{host}" for host in self._settings.hosts)

    def _log_out(self, identity: Identity) -> AnyResponse:
        """A page with a button, and what the button does: works without a script."""
        if request.method in ("GET", "HEAD"):
            button = ("Log out", identity.csrf_token)
            return short_page(200, "Log out", f"Logged in as {identity.viewer.name}.", button)
        if request.method != "POST":
            raise AccessRefusedError(405, "This can't be done here.", "method")
        self._is_our_page(request.form.get("token", ""), identity)
        self._audit.note(identity.viewer.name, "logged out", login.LOGOUT)
        text = self._doors.log_out()
        g.csrf_token = None
        return message(200, text)

    def _refusal(self, error: AccessRefusedError, path: str) -> AnyResponse:
        """The answer to a refused request, noted in the audit log."""
        viewer: Viewer | None = g.get("viewer")
        is_page = request.method in ("GET", "HEAD") and path not in DASH
        if error.status == 401 and is_page and self._doors.has_provider:
            session["next"] = request.full_path.rstrip("?")
            return redirect(login.LOGIN, 303)
        is_ours = path in OURS or self._page_roles(path) is not None
        self._audit.note(viewer.name if viewer else "nobody", f"refused: {error.kind}", self._shown(path) if is_ours else "…")
        return message(error.status, error.text)

    def _shown(self, path: str) -> str:
        """A known page's path as the audit log has it. The table knows all of it but a file's ending."""
        place, dot, kind = path.rpartition(".")
        return path if not dot or kind in KINDS else f"{place}.…"


def _failed(error: Exception) -> AnyResponse:
    """The answer to a request that failed, and a line in the log: neither shows the error's text, which may quote anybody."""
    if isinstance(error, HTTPException):
        return message(error.code or 500, _TEXTS.get(error.code or 500, "This can't be answered."))
    # Dash's own for a script that isn't there, known by its name, since Dash isn't loaded yet: else whoever isn't logged in could
    # fill the log with failures.
    if type(error).__name__ == "DependencyException":
        return message(404, _TEXTS[404])
    if isinstance(error, RefusedError):
        return message(503, f"{error.refusals[0].subject}: {error.refusals[0].rule}.")
    Log(sys.stderr, "dashboard").say("error", f"a page failed: {place_of(error)}")
    return message(500, _TEXTS[500])


def _is_script(path: str) -> bool:
    """Whether a path leads to scripts, styles and icons, which are the same for everybody."""
    return path.startswith(SCRIPTS) or path in ICONS


def _needs(roles: frozenset[Role]) -> str:
    names = ", ".join(sorted(roles))
    return f"Your roles don't allow this page. It needs one of these: {names}. Ask whoever keeps dashboard.yaml."
