"""The dashboard as people meet it: `mauwatch dashboard` in a process of its own, and a browser that keeps cookies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.support.groups import entity, events, product, source, write_group
from tests.support.runs import go
from tests.support.services import free_port

SECRETS = ("chatter", "lanterns", "north", "south")
"""Names of the small group that nobody without a role may read anywhere."""
PEOPLE = (4217, 3319)
"""People of its two products: figures that nobody without a role may read anywhere."""
RIGHTS: Mapping[str, Any] = {
    "viewer@example.com": {"roles": ["viewer"]},
    "affiliate@example.com": {"roles": ["affiliate"], "affiliates": ["north"]},
    "legal@example.com": {"roles": ["legal"]},
    "deals@example.com": {"roles": ["deals"]},
    "admin@example.com": {"roles": ["admin"]},
}
"""One person a role."""


def published_group(directory: Path) -> Path:
    """A group of two affiliates with a product each, with one month published."""
    products = {"north": product("chatter", sources=[source(files="n.parquet")], to="2025-02-01"),
                "south": product("lanterns", sources=[source(files="s.parquet")], to="2025-02-01")}  # fmt: skip
    days = [f"2025-01-{day:02}T08:00:00Z" for day in range(1, 32)]
    files = {
        f"{name[0]}.parquet": events([(days[i % 31], f"{name}{i}@example.com") for i in range(people)])
        for name, people in zip(products, PEOPLE, strict=True)
    }
    entities = [entity(name, [manifest]) for name, manifest in products.items()]
    write_group(directory, entities, files, lg_k=14)
    go(directory)
    return directory


@dataclass
class Answer:
    """What the server answers."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: list[str]
    """Each Set-Cookie line."""


@dataclass
class Browser:
    """One browser: it keeps cookies, follows nothing by itself, and sends what a page of the dashboard sends."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with each request, such as a proxy's."""
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: str | None = None, headers: Mapping[str, str | None] | None = None) -> Answer:
        """One request; a header of None is left out."""
        sent = {
            "Host": f"127.0.0.1:{self.port}", "Accept": "text/html", **self.headers,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **(headers or {}),
        }  # fmt: skip
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                if value:
                    connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body.encode())))
            connection.endheaders(body.encode() if body is not None else None)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            lines = answer.headers.get_all("Set-Cookie") or []
            for line in lines:
                for name, morsel in SimpleCookie(line).items():
                    self.cookies[name] = morsel.value
            return Answer(answer.status, dict(answer.headers), text, lines)
        finally:
            connection.close()

    def get(self, path: str, **headers: str | None) -> Answer:
        """A page."""
        return self.ask("GET", path, headers=headers)

    def change(self, output: str, headers: Mapping[str, str | None] | None = None, **more: Any) -> Answer:
        """A callback, as Dash posts it."""
        body = {"output": output, "outputs": [], "inputs": [], "state": [], "changedPropIds": [], **more}
        return self.ask("POST", "/_dash-update-component", json.dumps(body), {**self.own_page(), **(headers or {})})

    def own_page(self) -> dict[str, str | None]:
        """The headers of a change that comes from a page of the dashboard."""
        return {
            "Content-Type": "application/json", "Origin": f"http://127.0.0.1:{self.port}", "Sec-Fetch-Site": "same-origin",
            "X-CSRFToken": self.cookies.get(f"_csrf_token_{self.port}", ""),
        }  # fmt: skip


class ServedDashboard:
    """A dashboard that serves a group directory."""

    def __init__(self, directory: Path, log: Path, *arguments: object, port: int | None = None, **environment: str) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.log = log
        self._arguments = ["--group", directory, "--port", self.port, "--no-open", *arguments]
        self._environment = os.environ | environment
        self.begin()

    def begin(self) -> None:
        """Start the process, and wait until the address answers."""
        command = Path(sys.executable).parent / "mauwatch"
        self.log.unlink(missing_ok=True)
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                [command, "dashboard", *map(str, self._arguments)], stdout=file, stderr=file, env=self._environment
            )
        end = time.monotonic() + 120
        while not self.answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)

    def answers(self) -> bool:
        """Whether the health endpoint says that all is fine."""
        try:
            return self.browser().get("/healthz").status == 200
        except (OSError, HTTPException):
            return False

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """End the process and give its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        return self.process.wait(60)

    def browser(self, **headers: str) -> Browser:
        """A browser that nobody has logged in."""
        return Browser(self.port, headers)

    def named(self, user: str) -> Browser:
        """A browser behind a proxy that logs this person in; it has opened a page, and so has a token."""
        browser = self.browser(**{"X-Forwarded-User": user})
        browser.get("/")
        return browser

    def link(self) -> str:
        """The path of the one-time link that was printed."""
        line = next(line for line in self.log.read_text().splitlines() if "/login?token=" in line)
        return line.partition(f":{self.port}")[2]

    def audit(self) -> list[dict[str, Any]]:
        """The audit log's entries."""
        path = self.directory / ".mauwatch" / "dashboard" / "audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        return psutil.Process(self.process.pid).children()


@contextmanager
def served(
    directory: Path, log: Path, *arguments: object, port: int | None = None, **environment: str
) -> Iterator[ServedDashboard]:
    """A dashboard that ends with the block."""
    dashboard = ServedDashboard(directory, log, *arguments, port=port, **environment)
    try:
        yield dashboard
    finally:
        if dashboard.process.poll() is None:
            dashboard.process.terminate()
        dashboard.process.wait(60)


def write_access(directory: Path, **settings: Any) -> None:
    """Write dashboard.yaml."""
    (directory / "dashboard.yaml").write_text(yaml.safe_dump(settings))
