"""The server of the dashboard: gunicorn, two workers that serve nothing before their first page is made, and one address.

What gunicorn is told beside that: believe nobody's X-Forwarded-For, open no control socket, log no request. A log line would
quote what somebody typed.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from werkzeug.test import EnvironBuilder, run_wsgi_app

from affiliates.concurrency import atomic_write, owner_alone
from affiliates.errors import Code, place_of, refused
from dashboards.web import access, one_time_link
from dashboards.web.audit_log import AuditLog
from dashboards.web.proxy_header import mark_repeated
from dashboards.web.sessions import Sessions
from dashboards.web.settings import DashboardSettings, is_loopback, private_folders

WORKERS = 2
THREADS = 8
"""Requests at once in each worker."""
_PATIENCE = 10
"""Seconds that requests under way have at the end."""
_FIRST_PAGE = 60
"""Seconds that a worker may take until it answers."""
_ADDRESS = "address.json"


def serve(settings: DashboardSettings, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP; requests under way are answered first. `ready` is called once the address listens.

    Raises `RefusedError` where the port is taken, or where the address is open to others without a login.
    """
    if not settings.access.is_of_a_team and not is_loopback(settings.host):
        raise refused(
            Code.DASHBOARD_UNUSABLE,
            "the dashboard",
            "would be open to other machines without a login",
            f"--host {settings.host}",
            "leave --host out, or name `proxy` or `oidc` in dashboard.yaml",
        )
    _refuse_taken_port(settings)
    with owner_alone():
        _forget_earlier_starts(settings)
        with atomic_write(settings.folder / _ADDRESS, 0o600) as unfinished:
            unfinished.write_text(json.dumps({"origin": settings.origin, "by_link": not settings.access.is_of_a_team}))
        _Server(settings, ready).run()


@contextmanager
def only_server(settings: DashboardSettings) -> Iterator[bool]:
    """Whether this process may serve the group directory; false while another one does. Makes the folders. Raises `OSError`."""
    private_folders(settings.folder)
    lock = FileLock(settings.folder / "server.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def running_address(folder: Path) -> tuple[str, bool]:
    """Scheme, host and port of the dashboard that serves a folder, and whether it is opened by a one-time link.

    Raises `RefusedError` where that one hasn't said it yet.
    """
    try:
        address = json.loads((folder / _ADDRESS).read_text())
        return str(address["origin"]), bool(address["by_link"])
    except (OSError, ValueError, KeyError):
        raise refused(
            Code.DASHBOARD_UNUSABLE, "the dashboard", "is starting", "it hasn't said its address yet", "ask again in a second"
        ) from None


def _forget_earlier_starts(settings: DashboardSettings) -> None:
    """Links, sessions and runs of changes of an earlier start are worth nothing."""
    one_time_link.remove_all(settings.folder)
    Sessions(settings.folder, settings.secret).remove_all()
    AuditLog(settings.folder, ()).remove_markers()


def _refuse_taken_port(settings: DashboardSettings) -> None:
    """Raises `RefusedError` where the port can't be listened on: gunicorn would try for five seconds, and show a traceback."""
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise refused(
                Code.PORT_TAKEN, f"port {settings.port} of {settings.host}", "is taken", reason, "choose another: --port"
            ) from None


class _QuietLogger(Logger):  # type: ignore[misc] # gunicorn has no types.
    """Gunicorn's log of errors: of an exception its kind and place, since its text may quote anybody."""

    error_fmt = "dashboard - %(levelname)s - %(message)s"

    def exception(self, msg: str, *args: object, **kwargs: object) -> None:
        """An exception, without its text, the request and the traceback."""
        error = sys.exc_info()[1]
        self.error("a request or a worker failed: %s", place_of(error) if error else "unknown")


class _Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types.
    """Gunicorn with our settings alone: it reads no file, no arguments and no environment."""

    def __init__(self, settings: DashboardSettings, ready: Callable[[], None]) -> None:
        self._settings = settings
        self._ready = ready
        super().__init__()

    def load_config(self) -> None:
        """Called by gunicorn."""
        proxy = self._settings.access.proxy
        named = [header for header in (proxy.user_header, proxy.groups_header) if header] if proxy else []
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host

        def pre_request(_: Any, request: Any) -> None:
            mark_repeated(request.headers, named)

        def when_ready(_: Any) -> None:
            # A terminal that is closed ends the dashboard; gunicorn would start it anew, for nobody.
            signal.signal(signal.SIGHUP, _end)
            signal.signal(signal.SIGUSR2, signal.SIG_IGN)
            self._ready()

        options: dict[str, Any] = {
            "bind": f"{host}:{self._settings.port}",
            "workers": WORKERS,
            "worker_class": "gthread",
            "threads": THREADS,
            # Workers share the secret of this start, and a mistake in the app ends the start.
            "preload_app": True,
            # Else it opens one in the user's home, by which other programs command it.
            "control_socket_disable": True,
            "timeout": _FIRST_PAGE,
            "graceful_timeout": _PATIENCE,
            "keepalive": 15,
            # Gunicorn's own umask is 0, by which all that a worker makes would be open to every user.
            "umask": 0o077,
            # By itself it believes a neighbour on this machine, who could then name another path by a header.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "loglevel": "error",
            "logger_class": _QuietLogger,
            "pre_request": pre_request,
            "when_ready": when_ready,
            "post_worker_init": lambda worker: warm_up(worker.wsgi),
            "on_exit": lambda _: _forget_earlier_starts(self._settings),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called by gunicorn, before it starts the workers."""
        # Dash and the pages take a second: who only asks for another link doesn't wait for them.
        from dashboards.web.build import build

        return build(self._settings)


def warm_up(app: Any) -> None:
    """Ask a WSGI application for its first page. Raises `RuntimeError` where that fails, so that the worker doesn't serve.

    Dash sets itself up in the first request, and answers others meanwhile with 500.
    """
    environ: dict[str, Any] = {**EnvironBuilder(path="/").get_environ()}
    environ["mauwatch.warm_up"] = access.WARM_UP
    parts, status, _ = run_wsgi_app(app, environ)
    size = sum(map(len, parts))
    if not status.startswith("200") or not size:
        raise RuntimeError(f"the first page answers {status.split()[0]}")


def _end(_: int, __: FrameType | None) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
