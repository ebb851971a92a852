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

from affiliates.concurrency import private_folder
from affiliates.errors import Code, RefusedError, refused, refused_if_unforeseen
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from pipelines.defs import instance
from pipelines.json_log import Log
from pipelines.runbook import Page
from pipelines.serving import processes
from pipelines.serving.health import Endpoint, HealthMonitor
from pipelines.serving.processes import Child

LOCATION = "mauwatch"
"""The code location's name in Dagster: what somebody turned on or off there is kept by it."""

_CHILDREN_EVERY = 0.5
"""Seconds between looks at the children."""
_MANIFESTS_EVERY = 3.0
"""Seconds between looks at the manifests."""

_LONGEST_SOCKET = 100
"""Bytes of a socket's path: at most 107, on some systems 103."""


@dataclass(frozen=True)
class Address:
    """Where to listen."""

    host: str
    port: int
    """Of Dagster's webserver."""
    health_port: int
    dashboard_port: int = 0
    """0 for no dashboard."""


def serve(directory: Path, group: Group, address: Address, log: Log) -> None:
    """Serve a group until SIGTERM or SIGINT.

    Raises `RefusedError` where the group is served already, a port is taken, or Dagster's database can't be used.
    """
    directory = directory.absolute()
    with ExitStack() as stack:
        stack.enter_context(_only_serve(directory, group))
        if orphans := processes.end(str(directory)):  # First: one of them may have the port.
            log.say("warning", f"{orphans} processes of an earlier serve, which was killed, are ended", runbook=Page.KILLED.line)
        health = stack.enter_context(closing(_listening(address.host, address.health_port)))
        _listening(address.host, address.port).close()
        home = instance.home(directory, group)
        dagster = stack.enter_context(instance.open_daemon_instance(directory, group))
        instance.end_orphans(dagster)
        stop = stack.enter_context(_stop_event())
        manifests = Manifests(directory, group, log)
        children = _children(directory, home, address, log)
        daemon = children[-1]
        dashboard = None
        if address.dashboard_port:
            _listening(address.host, address.dashboard_port).close()
            children.append(_dashboard(directory, group, address, log))
            dashboard = (_reached_at(_dashboard_host(group, address)), address.dashboard_port)
        webserver = (_reached_at(address.host), address.port)
        began, mistakes = (lambda: daemon.began), (lambda: manifests.mistakes)
        monitor = HealthMonitor(directory, lambda: manifests.group, dagster, webserver, began, mistakes, dashboard)
        endpoint = Endpoint(monitor, health)
        log.say("info", f"serving {group.settings.group}", port=address.port, health_port=address.health_port)
        try:
            while not stop.wait(_CHILDREN_EVERY):
                for child in children:
                    child.tend()
                if manifests.changed():
                    _reload(webserver, log)
        finally:
            log.say("info", "ending")
            ended = processes.end(str(directory))
            for child in children:
                child.wait_for_output()
            endpoint.end()
            # Runs that have just ended with their processes.
            instance.end_orphans(dagster)
            log.say("info", f"{ended} processes have ended, and so does serve")


class Manifests:
    """The group as its manifests say now; while they have mistakes, as they last said without."""

    def __init__(self, directory: Path, group: Group, log: Log) -> None:
        self.group = group
        self.mistakes = ""
        """What is wrong with the manifests as they are now; empty where nothing is."""
        self._directory = directory
        self._log = log
        self._seen = _file_states(directory)
        self._due = time.monotonic() + _MANIFESTS_EVERY

    def changed(self) -> bool:
        """Whether the manifests have changed since the last look, and can be read; mistakes go to the log."""
        if time.monotonic() < self._due:
            return False
        self._due = time.monotonic() + _MANIFESTS_EVERY
        seen = _file_states(self._directory)
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            with refused_if_unforeseen("the group directory"):
                self.group = read_group(self._directory)
        except (RefusedError, OSError) as error:
            mistakes = list(map(str, error.refusals)) if isinstance(error, RefusedError) else [type(error).__name__]
            for mistake in mistakes:
                self._log.say("error", mistake, runbook=Page.MANIFESTS.line)
            self.mistakes = f"{len(mistakes)} mistakes in the manifests; as they were before is what counts"
            return False
        self.mistakes = ""
        return True


def _file_states(directory: Path) -> list[tuple[str, int, int, int, int]]:
    """Path, size in bytes, time of change and of attributes' change in nanoseconds, and inode of every manifest."""
    paths = [*directory.glob("*.yaml"), *(directory / "affiliates").glob("*.yaml")]
    try:
        states = [(str(path), path.stat()) for path in paths]
        return sorted((path, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino) for path, s in states)
    except OSError:  # Taken away just now: the next look sees what is there then.
        return []


def _reload(webserver: tuple[str, int], log: Log) -> None:
    """Have the code server read the manifests again; runs under way go on with what they have."""
    mutation = f'mutation {{ reloadRepositoryLocation(repositoryLocationName: "{LOCATION}") {{ __typename }} }}'
    try:
        with closing(HTTPConnection(*webserver, timeout=120)) as connection:
            connection.request("POST", "/graphql", json.dumps({"query": mutation}), {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        fine = answer["data"]["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry"
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        fine = False
    if fine:
        log.say("info", "the manifests have changed, and are read again")
    else:
        message = "the manifests have changed, and Dagster hasn't taken them: reload the code location on its page"
        log.say("error", message, runbook=Page.WEBSERVER.line)


def _children(directory: Path, home: Path, address: Address, log: Log) -> list[Child]:
    """The code server, which loads the group once for the other two; the webserver; the daemon."""
    code = _socket_path(home)
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
    log_format = ["--log-format", "json"]
    server = ["-m", "dagster", "code-server", "start", "-s", str(code), "-m", "pipelines.definitions"]
    web = ["-m", "dagster_webserver", "-h", address.host, "-p", str(address.port), "-w", str(workspace)]
    daemon = ["-m", "dagster._daemon", "run", "-w", str(workspace)]
    code.unlink(missing_ok=True)  # Of a serve that was killed: the other two wait for a new one.
    return [
        Child("code-server", [*server, "--use-python-environment-entry-point", *log_format], home, environment, log),
        Child("webserver", [*web, *log_format], home, environment, log, code.exists),
        Child("daemon", [*daemon, *log_format], home, environment, log, code.exists),
    ]


def _dashboard_host(group: Group, address: Address) -> str:
    """Where the pages listen: for other machines only where people log in."""
    return address.host if group.dashboard.is_of_a_team else "127.0.0.1"


def _dashboard(directory: Path, group: Group, address: Address, log: Log) -> Child:
    """The pages."""
    host = _dashboard_host(group, address)
    command = ["-m", "dashboards.cli.main", "dashboard", "--group", str(directory), "--no-open", "--no-link"]
    environment = os.environ | {processes.MARK: str(directory), "PYTHONUNBUFFERED": "1"}
    if link := _dagster_url(address):
        # What the operator has said goes first: a proxy may stand before Dagster's pages.
        environment.setdefault(processes.DAGSTER_URL, link)
    return Child("dashboard", [*command, "--host", host, "--port", str(address.dashboard_port)], directory, environment, log)


def _dagster_url(address: Address) -> str | None:
    """Where a browser reaches Dagster's pages; null where they listen everywhere, which says no address."""
    if _reached_at(address.host) != address.host:
        return None
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"http://{host}:{address.port}"


def _socket_path(home: Path) -> Path:
    """Where the code server listens: in Dagster's home, or where that path is too long in a temporary folder of this user.

    Raises `RefusedError` where that folder is another user's, or open to others.
    """
    if len(bytes(home)) + 10 <= _LONGEST_SOCKET:
        return home / "code.sock"
    folder = Path(tempfile.gettempdir()) / f"mauwatch-{os.getuid()}-{sha256(bytes(home)).hexdigest()[:12]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise refused(
            Code.FILE_UNUSABLE, "the folder of the code server's socket", "is somebody else's", str(folder), "have it taken away"
        )
    return folder / "code.sock"


@contextmanager
def _only_serve(directory: Path, group: Group) -> Iterator[None]:
    """Holds the lock of a group directory's `serve`: a second one would start every run twice."""
    folder = directory / ".mauwatch"
    private_folder(folder)
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
    """A socket bound to a port. Raises `RefusedError` where the port is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    # Else a port counts as taken while connections of the serve before are still closing.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = error.strerror or type(error).__name__
        raise refused(
            Code.PORT_TAKEN, f"port {port} of {host}", "is taken", reason, "choose others: --host, --port, --health-port"
        ) from None
    return listener


def _reached_at(host: str) -> str:
    """The host by which this machine reaches a server that listens there: one that listens everywhere is reached by loopback."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 compared, not bound


@contextmanager
def _stop_event() -> Iterator[Event]:
    """An event that SIGTERM and SIGINT set. Their handler writes nothing: the log line that they interrupt isn't finished."""
    stop = Event()

    def handle(_: int, __: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
