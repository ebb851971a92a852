"""How somebody comes in, and who somebody is in this request: by a one-time link, a proxy's header, or OpenID Connect."""

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Flask, redirect, request, session
from werkzeug.wrappers import Response

from affiliates.manifests.dashboard_settings import Proxy
from dashboards.web import one_time_link, proxy_header
from dashboards.web.audit_log import AuditLog
from dashboards.web.oidc import LoginRefusedError, OidcLogin, ProviderUnreachableError
from dashboards.web.proxy_header import HeaderRefusedError
from dashboards.web.sessions import Sessions
from dashboards.web.settings import DashboardSettings
from dashboards.web.short_pages import message
from dashboards.web.viewer import Role, Viewer

LOGIN = "/login"
LOGIN_BACK = "/login/callback"
"""Where the provider sends the browser back; to be registered there."""
LOGOUT = "/logout"
_ALONE = frozenset(Role) - {Role.affiliate}
"""The roles of whoever opens the dashboard by a one-time link: that person can read the store anyway."""


class AccessRefusedError(Exception):
    """A request that is refused."""

    def __init__(self, status: int, text: str, kind: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        """What the person reads: why, and what to do."""
        self.kind = kind
        """What the audit log says."""


@dataclass(frozen=True)
class Identity:
    """Who somebody is, and the token that the person's own pages send with a change."""

    viewer: Viewer
    csrf_token: str


class Login:
    """The way in that dashboard.yaml names; without one, the one-time link. Raises `RefusedError` where a secret is missing."""

    def __init__(self, flask_app: Flask, settings: DashboardSettings, audit: AuditLog) -> None:
        self._settings = settings
        self._audit = audit
        self._sessions = Sessions(settings.folder, settings.secret)
        oidc = settings.access.oidc
        self._provider = OidcLogin(flask_app, oidc, f"{settings.origin}{LOGIN_BACK}") if oidc else None
        flask_app.add_url_rule(LOGIN, "mauwatch_login", self._log_in, methods=["GET"])
        flask_app.add_url_rule(LOGIN_BACK, "mauwatch_login_back", self._come_back, methods=["GET"])

    @property
    def has_provider(self) -> bool:
        """Whether a browser without a session is sent to a login provider."""
        return self._provider is not None

    def identity(self) -> Identity:
        """Who somebody is now. Raises `AccessRefusedError` (401, 403, 503) where nobody can tell, or the person has no role."""
        if self._settings.access.proxy:
            return self._by_header(self._settings.access.proxy)
        number = session.get("number")
        content = self._sessions.read(number)
        if content is None:
            raise AccessRefusedError(401, self._way_in, "no session")
        token = self._sessions.csrf_token(str(number))
        if self._provider is None:
            return Identity(Viewer(self._settings.person, _ALONE, frozenset()), token)
        try:
            name, groups = self._provider.person(content)
        except LoginRefusedError as error:
            self._sessions.end(number)
            raise AccessRefusedError(401, f"Log in again: {error}.", "login has ended") from None
        except ProviderUnreachableError:
            raise AccessRefusedError(503, "The login provider can't be reached: try again in a minute.", "provider") from None
        return Identity(self._viewer(name, groups), token)

    def log_out(self) -> str:
        """End the session for everybody who has its cookie; gives the sentence that the person reads."""
        if self._settings.access.proxy:
            return "The proxy before the dashboard keeps the login: log out there."
        self._sessions.end(session.get("number"))
        session.clear()
        return "The session has ended." if self._provider else f"The session has ended. {self._way_in}"

    @property
    def _way_in(self) -> str:
        """The sentence for whoever has no session."""
        if self._settings.access.is_of_a_team:
            return "Log in first."
        return "Open the dashboard by a one-time link: `mauwatch dashboard` prints one on the machine where it runs."

    def _by_header(self, proxy: Proxy) -> Identity:
        try:
            person = proxy_header.person(request.environ, proxy)
        except HeaderRefusedError as error:
            raise AccessRefusedError(403, f"Refused: {error}.", "proxy header") from None
        if person is None:
            raise AccessRefusedError(401, f"Open the dashboard at {self._settings.origin}, and log in there.", "no header")
        return Identity(self._viewer(*person), self._sessions.csrf_token(f"header {person[0]}"))

    def _viewer(self, name: str, groups: Iterable[str]) -> Viewer:
        """A person with the rights that dashboard.yaml gives. Raises `AccessRefusedError` for one without any."""
        roles, affiliates = self._settings.access.rights(name, groups)
        if not roles:
            text = f"{name} has no role here: dashboard.yaml gives none to the name, and none to a group that the login names."
            raise AccessRefusedError(403, text, "no role")
        return Viewer(name, frozenset(Role(role) for role in roles), affiliates)

    def _log_in(self) -> Response:
        """The way in: a one-time link's token, or on to the provider."""
        if self._settings.access.proxy:
            return redirect("/", 303)
        if self._provider is not None:
            try:
                return self._provider.begin()
            except ProviderUnreachableError:
                return message(503, "The login provider can't be reached: try again in a minute.")
        # A look at the address alone, such as a mail program's, doesn't use the link up.
        is_look = request.method != "GET" or "Sec-Purpose" in request.headers
        if is_look or not one_time_link.use(self._settings.folder, request.args.get("token", "")):
            self._audit.note("nobody", "refused: link", LOGIN)
            return message(403, f"This link was used, is older than five minutes, or is none. {self._way_in}")
        return self._begin(self._settings.person, {"kind": "link"})

    def _come_back(self) -> Response:
        """The provider's answer to a login."""
        if self._provider is None:
            return message(404, "There is no such page.")
        try:
            content = self._provider.finish()
            name, groups = self._provider.person(content)
            self._viewer(name, groups)
        except LoginRefusedError as error:
            self._audit.note("nobody", "refused: login", LOGIN_BACK)
            return message(403, f"The login is refused: {error}.")
        except ProviderUnreachableError:
            return message(503, "The login provider can't be reached: try again in a minute.")
        except AccessRefusedError as error:
            self._audit.note(name, f"refused: {error.kind}", LOGIN_BACK)
            return message(error.status, error.text)
        return self._begin(name, content)

    def _begin(self, name: str, content: dict[str, str]) -> Response:
        """Begin a session with a number of its own: a number that somebody has planted in the browser is worth nothing."""
        self._sessions.remove_old()
        wanted = str(session.get("next", "/"))
        session.clear()
        session["number"] = self._sessions.begin(content)
        self._audit.note(name, "logged in", LOGIN)
        # A path of this dashboard, and no other site's address.
        return redirect(wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) else "/", 303)
