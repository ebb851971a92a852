"""What one start of the dashboard rests on: where it listens, who may come in, and the secret of this start."""

import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from affiliates.concurrency import private_folder
from affiliates.manifests.dashboard_settings import Dashboard


@dataclass(frozen=True)
class DashboardSettings:
    """The settings of one start. Workers share them, since they are forked from the process that made them."""

    directory: Path
    """The group directory."""
    access: Dashboard
    """dashboard.yaml."""
    person: str
    """Who opens the dashboard by a one-time link: the operating system's user, whose scenarios the store knows by this name."""
    known_names: frozenset[str] = frozenset()
    """What the manifests name: products, affiliates, readings, licences. The audit log shows these, and no other text."""
    host: str = "127.0.0.1"
    """Where the server listens."""
    port: int = 8050
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    """Signs cookies and encrypts sessions. New at each start: what an earlier start has signed is worth nothing."""

    @property
    def folder(self) -> Path:
        """Where links, sessions and the audit log lie; `private_folders` makes it."""
        return self.directory / ".mauwatch" / "dashboard"

    @property
    def origin(self) -> str:
        """Scheme, host and port at which browsers reach the dashboard."""
        if self.access.url:
            return self.access.url
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by https, so that cookies never go by http."""
        return urlsplit(self.origin).scheme == "https"

    @property
    def session_cookie(self) -> str:
        """The session cookie's name: cookies know no ports, so two dashboards of one machine need two names."""
        return f"mauwatch_{self.port}"

    @property
    def csrf_cookie(self) -> str:
        """The name of the cookie that Dash copies to the header X-CSRFToken (`csrf_token_name`); by port, as above."""
        return f"_csrf_token_{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """What may stand in a request's `Host`: else a stranger's web page reaches this machine by a name of its own."""
        own = {urlsplit(self.origin).netloc}
        # A proxy may pass its own name for this server on in the place of the browser's.
        names = {"localhost", "127.0.0.1", "[::1]"} if is_loopback(self.host) else {self.host}
        return frozenset(own | {f"{name}:{self.port}" for name in names} | (names if self.port == 80 else set()))


def is_loopback(host: str) -> bool:
    """Whether a host that a server listens on is reached from this machine alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def private_folders(folder: Path) -> None:
    """Make the dashboard's folders, for their owner alone. Raises `OSError`."""
    for path in (folder.parent, folder, folder / "links", folder / "sessions"):
        private_folder(path)
