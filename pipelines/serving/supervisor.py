"""`mauwatch serve`: Dagster's code server, webserver and daemon kept running for one group, and a health endpoint.

The processes end with this one, but not when it is killed outright: then they go on, and the next `serve` of the
group ends them first.
"""

import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event
from types import FrameType

import yaml
from filelock import FileLock, Timeout

from affiliates.errors import Code, RefusedError, refused
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from pipelines.defs import instance
from pipelines.json_log import Log
from pipelines.runbook import Page
from pipelines.serving import processes
from pipelines.serving.health import Endpoint, Watch
from pipelines.serving.processes import Child

LOCATION = "mauwatch"
"""The code location's name in Dagster: what somebody turned on or off there is kept by it."""

_PULSE = 0.5
_LOOK = 3.0
"""Seconds between looks at the children, and at the manifests."""

_LONGEST_SOCKET = 100
"""A socket's path may have 107 characters, on some systems 103."""


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    port: int
    health_port: int


def serve(directory: Path, group: Group, address: Address, log: Log) -> None:
    """Run until SIGTERM or SIGINT. Raises `RefusedError` where it can't begin."""
    directory = directory.absolute()
    with ExitStack() as stack:
        stack.enter_context(_alone(directory, group))
        if left := processes.end(str(directory)):  # First: one of them may have the port.
            log.say("warning", f"{left} processes of an earlier serve, which was killed, are ended", runbook=Page.KILLED.line)
        health = stack.enter_context(closing(_listening(address.host, address.health_port)))
        _listening(address.host, address.port).close()
        home = instance.home(directory, group)
        dagster = stack.enter_context(instance.of_daemon(directory, group))
        instance.end_orphans(dagster)
        stop = stack.enter_context(_told_to_stop())
        manifests = Manifests(directory, group, log)
        run = _children(directory, home, address, log)
        daemon = run[-1]
        at = _reached_at(address.host), address.port
        watch = Watch(directory, lambda: manifests.group, dagster, at, lambda: daemon.began, lambda: manifests.mistakes)
        endpoint = Endpoint(watch, health)
        log.say("info", f"serving {group.settings.group}", port=address.port, health_port=address.health_port)
        try:
            while not stop.wait(_PULSE):
                for child in run:
                    child.tend()
                if manifests.changed():
                    _reload(at, log)
        finally:
            log.say("info", "ending")
            ended = processes.end(str(directory))
            for child in run:
                child.wait_for_output()
            endpoint.end()
            instance.end_orphans(dagster)
            log.say("info", f"{ended} processes have ended, and so does serve")


class Manifests:
    """The group as its files say it now; while they are wrong, as they last said it."""

    def __init__(self, directory: Path, group: Group, log: Log) -> None:
        self.group = group
        self.mistakes = ""
        self._directory, self._log, self._seen, self._due = directory, log, _state(directory), time.monotonic() + _LOOK

    def changed(self) -> bool:
        """Whether they have changed since they were last asked for, and can be read."""
        if time.monotonic() < self._due:
            return False
        self._due = time.monotonic() + _LOOK
        seen = _state(self._directory)
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            self.group = read_group(self._directory)
        except (RefusedError, OSError) as error:
            mistakes = list(map(str, error.refusals)) if isinstance(error, RefusedError) else [type(error).__name__]
            for mistake in mistakes:
                self._log.say("error", mistake, runbook=Page.MANIFESTS.line)
            self.mistakes = f"{len(mistakes)} mistakes in the manifests; as they were before is what counts"
            return False
        self.mistakes = ""
        return True


def _state(directory: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of what makes a group."""
    paths = [*directory.glob("*.yaml"), *(directory / "affiliates").glob("*.yaml")]
    try:
        return sorted((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in paths)
    except OSError:  # Taken away just now: the next look sees what is there then.
        return []


def _reload(webserver: tuple[str, int], log: Log) -> None:
    """Have the code server read the manifests again; runs under way go on with what they have."""
    asked = f'mutation {{ reloadRepositoryLocation(repositoryLocationName: "{LOCATION}") {{ __typename }} }}'
    try:
        with closing(HTTPConnection(*webserver, timeout=120)) as connection:
            connection.request("POST", "/graphql", json.dumps({"query": asked}), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        fine = answer["data"]["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        fine = False
    if fine:
        log.say("info", "the manifests have changed, and are read again")
    else:
        said = "the manifests have changed, and Dagster hasn't taken them: reload the code location on its page"
        log.say("error", said, runbook=Page.WEBSERVER.line)


def _children(directory: Path, home: Path, address: Address, log: Log) -> list[Child]:
    """The code server, which loads the group once for the other two; the webserver; the daemon."""
    code = _socket(home)
    workspace = home / "workspace.yaml"
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": {"socket": str(code), "location_name": LOCATION}}]}))
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "MAUWATCH_GROUP": str(directory),
        processes.MARK: str(directory),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",  # Of what is in beta at Dagster: nothing that an operator could do anything about.
        # What is due of a large group takes longer to find out than the minute that Dagster gives it.
        "DAGSTER_SCHEDULE_GRPC_TIMEOUT_SECONDS": "900",
        "DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": "900",
    }
    form = ["--log-format", "json"]
    server = ["-m", "dagster", "code-server", "start", "-s", str(code), "-m", "pipelines.definitions"]
    web = ["-m", "dagster_webserver", "-h", address.host, "-p", str(address.port), "-w", str(workspace)]
    daemon = ["-m", "dagster._daemon", "run", "-w", str(workspace)]
    code.unlink(missing_ok=True)
    return [
        Child("code-server", [*server, "--use-python-environment-entry-point", *form], home, environment, log),
        Child("webserver", [*web, *form], home, environment, log, code.exists),
        Child("daemon", [*daemon, *form], home, environment, log, code.exists),
    ]


def _socket(home: Path) -> Path:
    """Where the code server listens: in Dagster's home, or where its path is too long in a folder of this user's."""
    if len(bytes(home)) + 10 <= _LONGEST_SOCKET:
        return home / "code.sock"
    folder = Path(tempfile.gettempdir()) / f"mauwatch-{os.getuid()}-{sha256(bytes(home)).hexdigest()[:12]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise refused(
            Code.FILE_UNUSABLE, "the folder of the code server's socket", "is somebody else's", str(folder), "have it taken away"
        )
    return folder / "code.sock"


@contextmanager
def _alone(directory: Path, group: Group) -> Iterator[None]:
    """One `serve` for a group directory: a second one would start every run twice."""
    folder = directory / ".mauwatch"
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "serve.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise refused(
            Code.SERVE_RUNNING, group.settings.group, "is served already", "by another process", "end that one, or let it be"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _listening(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        said = error.strerror or type(error).__name__
        raise refused(
            Code.PORT_TAKEN, f"port {port} of {host}", "is taken", said, "choose others: --host, --port, --health-port"
        ) from None
    return made


def _reached_at(host: str) -> str:
    """Where this machine reaches what listens everywhere."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 compared, not bound


@contextmanager
def _told_to_stop() -> Iterator[Event]:
    """Set by SIGTERM and SIGINT, which write nothing: the line that they interrupt isn't finished."""
    stop = Event()

    def told(_: int, __: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
