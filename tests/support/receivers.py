"""A real mail server and a real web server on loopback that keep what they are sent, for tests of alerts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from aiosmtpd.controller import Controller

from tests.support.services import free_port


@dataclass
class Mails:
    """What a mail server took; `refusing` says no to everything."""

    port: int
    taken: list[Message] = field(default_factory=list)
    people: list[list[str]] = field(default_factory=list)
    refusing: bool = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refusing:
            return "451 try again later"
        self.taken.append(message_from_bytes(envelope.content, policy=default))
        self.people.append(list(envelope.rcpt_tos))
        return "250 taken"

    @property
    def keys(self) -> list[str]:
        return [str(mail["X-Mauwatch-Key"]) for mail in self.taken]

    def url(self, to: str = "counsel@example.com") -> str:
        """The address to name in alerts.yaml."""
        return f"mailto://127.0.0.1:{self.port}?from=mauwatch@example.com&to={to}&mode=insecure"

    def text(self, number: int = -1) -> str:
        """Subject and body of a mail; of the last one by itself."""
        mail = self.taken[number]
        return f"{mail['Subject']}\n{mail.get_content()}"  # type: ignore[attr-defined]


@contextmanager
def mail_server() -> Iterator[Mails]:
    """A mail server of this machine."""
    mails = Mails(free_port())
    controller = Controller(mails, hostname="127.0.0.1", port=mails.port)
    controller.start()
    try:
        yield mails
    finally:
        controller.stop()


@dataclass
class Hooks:
    """What a web server was sent, by path; it answers with `status`."""

    port: int
    taken: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)
    """Method, path, headers and body."""
    status: int = 200
    turn: Lock = field(default_factory=Lock)

    def bodies(self, path: str = "/hook") -> list[dict[str, Any]]:
        """The bodies that were sent to a path, in their order."""
        return [body for _, at, _, body in self.taken if at == path]

    def url(self, path: str = "/hook") -> str:
        """The address to name in alerts.yaml."""
        return f"json://127.0.0.1:{self.port}{path}"


@contextmanager
def web_server() -> Iterator[Hooks]:
    """A web server of this machine."""
    hooks = Hooks(0)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with hooks.turn:
                body = json.loads(sent) if sent else None
                hooks.taken.append((self.command, self.path, dict(self.headers.items()), body))
            self.send_response(hooks.status)
            self.send_header("Content-Length", "0")
            if hooks.status in (301, 307):
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        do_GET = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hooks.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hooks
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
