"""`mauwatch serve` with real processes: the number comes by itself, what ends comes back, and nothing is left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from pipelines.serving import processes
from tests.support.command import mauwatch
from tests.support.databases import SQLITE, rows_of
from tests.support.groups import KEY, entity, events, product, source, write_group

pytestmark = pytest.mark.long
PLANTED = "planted@example.com"
LAUNCH = """mutation($given: ExecutionParams!) { launchPipelineExecution(executionParams: $given) {
    __typename ... on LaunchRunSuccess { run { runId } } } }"""
STATUS = "query($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
SCHEDULED = """{ repositoriesOrError { ... on RepositoryConnection { nodes {
    schedules { name scheduleState { status } } sensors { name sensorState { status } } } } } }"""


def until(what: Callable[[], Any], seconds: float = 90) -> Any:
    """The first answer that says yes; a machine that is busy with other things may take its time."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "never came"
        time.sleep(0.3)
    return found


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        bound = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in bound:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in bound]


class Served:
    """A `serve` in a process of its own, and what it says."""

    def __init__(self, directory: Path, logs: Path, dashboard: bool = True) -> None:
        self.directory, self.logs = directory, logs
        self.port, self.health_port, self.dashboard_port = free_ports(3)
        command = Path(sys.executable).parent / "mauwatch"
        arguments = ["--group", directory, "--port", self.port, "--health-port", self.health_port]
        arguments += ["--dashboard-port", self.dashboard_port] if dashboard else []
        with logs.open("ab") as file:
            self.process = subprocess.Popen([command, "serve", *map(str, arguments)], stdout=file, stderr=file)

    def get(self, port: int, path: str, body: object = None) -> tuple[int, Any]:
        """Status and answer; 0 where nobody answers."""
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("POST" if body else "GET", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, HTTPException):
            return 0, None
        finally:
            connection.close()

    def health(self) -> tuple[int, Any]:
        assert self.process.poll() is None, self.logs.read_text()
        return self.get(self.health_port, "/health")

    def ask(self, query: str, **variables: object) -> Any:
        return self.get(self.port, "/graphql", {"query": query, "variables": variables})[1]["data"]

    def run(self, job: str, first: str, last: str, *keys: str) -> str:
        """Launch a run and wait for its end."""
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        given = {
            "selector": {
                "repositoryLocationName": "mauwatch", "repositoryName": "__repository__", "pipelineName": job,
                "assetSelection": [{"path": key.split("/")} for key in keys],
            },
            "mode": "default",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }  # fmt: skip
        launched = self.ask(LAUNCH, given=given)["launchPipelineExecution"]["run"]["runId"]
        ended = {"SUCCESS", "FAILURE", "CANCELED"}
        status = until(lambda: (s := self.ask(STATUS, run=launched)["runOrError"]["status"]) in ended and s)
        return str(status)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.logs.read_text(encoding="utf-8").splitlines()]

    def pid(self, child: str) -> int:
        return int([line["pid"] for line in self.lines() if line.get("child") == child and "pid" in line][-1])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A group with a product that counts and one that is refused."""
    folder = tmp_path_factory.mktemp("serve")
    rows = [(f"2025-01-{day:02}T08:00:00Z", f"u{i}@example.com") for day in range(1, 32) for i in range(20)]
    bad = f"at,user\n2025-01-05T00:00:00Z,{PLANTED}\n{PLANTED}\n"
    good, refused = product(to="2025-02-01"), product("bad", sources=[source(files="e.csv")], to="2025-02-01")
    files: dict[str, bytes | pl.DataFrame] = {"events.parquet": events(rows), "e.csv": bad.encode()}
    directory = write_group(folder / "group", [entity("a", [good, refused])], files, store=SQLITE)
    found = Served(directory, folder / "log")
    try:
        until(lambda: found.health()[0] == 200)
        yield found
    finally:
        found.process.kill()
        found.process.wait()
        processes.end(str(directory))


def test_the_number_comes_through_the_daemon(served: Served) -> None:
    """A run worker without the group directory or Dagster's home would fail, or count into another store."""
    assert served.run("mauwatch_days", "2025-01-01", "2025-01-31", "a/app", "a/bad") == "FAILURE", "of the bad one alone"
    assert served.run("mauwatch_figures", "2025-01", "2025-01", "group/figures") == "SUCCESS"
    figures = rows_of(SQLITE, served.directory)["figures"]
    assert {row["estimate"] for row in figures if row["scope"] == "group"} == {20}
    _, said = served.health()
    assert said["group"] == "test"
    assert said["last_successful_run"] is not None
    assert said["checks"]["store"] == {"fine": True, "found": "1 months"}


def test_schedules_and_sensors_are_on(served: Served) -> None:
    """Were they off, everything would look healthy and no number would ever come."""
    (repository,) = served.ask(SCHEDULED)["repositoriesOrError"]["nodes"]
    states = [s["scheduleState"]["status"] for s in repository["schedules"]]
    states += [s["sensorState"]["status"] for s in repository["sensors"]]
    assert states == ["RUNNING"] * 6


def test_the_dashboard_runs_beside_dagster(served: Served) -> None:
    """Its log is kept, so no link stands there: the command gives one to whoever is on the machine."""
    until(lambda: served.get(served.dashboard_port, "/healthz")[0] == 200)
    assert "/login?token=" not in served.logs.read_text()
    link = mauwatch("dashboard", "--group", served.directory, "--no-open").stdout.splitlines()[-1]
    assert link.startswith(f"http://127.0.0.1:{served.dashboard_port}/login?token=")


def test_a_second_serve_is_refused(served: Served) -> None:
    """Two daemons would start every run twice."""
    done = mauwatch("serve", "--group", served.directory)
    assert (done.returncode, done.stdout) == (2, "")
    assert "test: is served already" in done.stderr
    assert done.stderr.splitlines()[-1] == "Runbook: docs/runbook.md#second-serve"


def test_a_taken_port_is_refused(served: Served, make: Callable[..., Path]) -> None:
    done = mauwatch("serve", "--group", make([entity("a", [product()])]), "--health-port", served.health_port)
    assert done.returncode == 2
    assert "is taken" in done.stderr
    assert done.stderr.splitlines()[-1] == "Runbook: docs/runbook.md#port-taken"


def test_nobody_is_shown_by_a_refused_source(served: Served) -> None:
    """Logs are collected and health is watched by others than those who may see the events."""
    assert served.run("mauwatch_days", "2025-01-05", "2025-01-05", "a/bad") == "FAILURE"
    until(lambda: any("docs/runbook.md#source-refused" in line["event"] for line in served.lines()))
    texts = [served.logs.read_bytes(), json.dumps(served.health()[1]).encode()]
    texts += [path.read_bytes() for path in (served.directory / ".mauwatch").rglob("*") if path.is_file()]
    assert any(b"a bad line" in text for text in texts), "the refusal itself"
    assert not [text for text in texts if b"planted" in text or KEY.encode() in text]
    assert str(served.directory) not in json.dumps(served.health()[1])


def test_a_changed_manifest_is_taken_without_a_restart(served: Served) -> None:
    """A product that is added, or a share that is corrected, would count only after the next restart."""
    path = served.directory / "affiliates" / "a.yaml"
    before = path.read_text()
    path.write_text(before + "colour: red\n")
    until(lambda: not served.health()[1]["checks"]["manifests"]["fine"])
    assert served.health()[0] == 503
    path.write_text(before.replace("product: bad", "product: late"))
    until(lambda: served.health()[0] == 200)
    until(lambda: any(line["event"].startswith("the manifests have changed, and are read again") for line in served.lines()))
    keys = served.ask("{ assetNodes { assetKey { path } } }")["assetNodes"]
    assert ["a", "late"] in [node["assetKey"]["path"] for node in keys]


def test_a_daemon_that_is_killed_comes_back(served: Served) -> None:
    first = served.pid("daemon")
    os.kill(first, signal.SIGKILL)
    until(lambda: served.pid("daemon") != first)
    until(lambda: served.health()[0] == 200)
    ended = next(line for line in served.lines() if line.get("child") == "daemon" and "code" in line)
    assert (ended["level"], ended["code"], ended["runbook"]) == ("error", -9, "Runbook: docs/runbook.md#child-ends")


def test_a_serve_that_is_killed_leaves_nothing_to_the_next(served: Served) -> None:
    """What a killed one leaves goes on with the old settings, and holds the port."""
    served.process.kill()
    served.process.wait()
    left = {process.pid for process in processes.of_group(str(served.directory))}
    assert left, "its children go on"
    again = Served(served.directory, served.logs.with_name("log2"), dashboard=False)
    try:
        until(lambda: again.health()[0] == 200)
        assert not [pid for pid in left if psutil.pid_exists(pid)]
        again.process.send_signal(signal.SIGTERM)
        assert again.process.wait(60) == 0
        assert processes.of_group(str(served.directory)) == []
        said = again.lines()
        assert "of an earlier serve, which was killed, are ended" in said[0]["event"]
        assert all({"level", "event", "process"} <= set(line) for line in said)
    finally:
        again.process.kill()
        again.process.wait()
