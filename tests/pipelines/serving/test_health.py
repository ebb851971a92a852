"""/health: what it says of the data, beside what it says of the service."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import pytest

from affiliates.manifests.loader import read_group
from pipelines.json_log import Log
from pipelines.serving import supervisor
from pipelines.serving.health import HealthMonitor
from pipelines.serving.processes import DAGSTER_URL
from pipelines.workflows.run import run
from tests.support.groups import NOW, entity, events, product
from tests.support.services import free_port

Make = Callable[..., Path]
STILL = events([(f"2025-01-{day:02}T12:00:00Z", f"u{n}@example.com") for day in range(1, 15) for n in range(50)])


def health(directory: Path) -> dict[str, Any]:
    """The answer of a service whose webserver doesn't run."""
    group = read_group(directory)
    with dg.DagsterInstance.ephemeral() as dagster:
        return HealthMonitor(directory, lambda: group, dagster, ("127.0.0.1", 9), lambda: 0.0, lambda: "").report()[1]


def test_what_a_run_has_found_is_known(make: Make) -> None:
    """`healthy` was all that was said of a group of which a product stood still, and another one never came."""
    products = [product(to="2025-02-01"), product("prepaid", to="2025-02-01", sources=[])]
    directory = make([entity("a", products)], {"events.parquet": STILL})
    assert health(directory)["data"] == {"fine": True, "found": "none yet"}
    run(directory, read_group(directory), NOW)
    answer = health(directory)
    assert answer["data"] == {
        "fine": False,
        "found": "a/prepaid: 31 days missing (2025-01-01 to 2025-01-31); a/app: no users from 2025-01-15",
        "runbook": "Runbook: docs/runbook.md#days-missing",
    }
    assert "data" not in answer["checks"], "a service that is started again mends no data"


def test_data_that_are_mended_are_fine(make: Make) -> None:
    whole = events([(f"2025-01-{day:02}T12:00:00Z", f"u{n}@example.com") for day in range(1, 32) for n in range(50)])
    directory = make([entity("a", [product(to="2025-02-01")])], {"events.parquet": STILL})
    run(directory, read_group(directory), NOW)
    assert health(directory)["data"]["runbook"] == "Runbook: docs/runbook.md#alert-unusual-data"
    whole.write_parquet(directory / "events.parquet")
    run(directory, read_group(directory), NOW + timedelta(days=1))
    assert health(directory)["data"] == {"fine": True, "found": "complete, and as usual"}


@pytest.mark.parametrize(("status", "fine"), [(200, True), (503, False), (None, False)])
def test_whether_the_dashboard_answers_is_said(status: int | None, fine: bool, make: Make) -> None:
    """Whoever watches /health alone would take pages that nobody can open for pages that are there."""
    directory = make([entity("a", [product(to="2025-02-01")])], {"events.parquet": STILL})
    group = read_group(directory)
    with answering(status) as port, dg.DagsterInstance.ephemeral() as dagster:
        monitor = HealthMonitor(directory, lambda: group, dagster, ("127.0.0.1", 9), lambda: 0.0, lambda: "", ("127.0.0.1", port))
        healthy, answer = monitor.report()
    assert answer["checks"]["dashboard"]["fine"] is fine
    assert not healthy, "the webserver doesn't run"
    assert "dashboard" not in health(directory)["checks"], "where serve runs none, nobody misses one"


@contextmanager
def answering(status: int | None) -> Iterator[int]:
    """The port of a server whose own health is a status; null for a port on which nobody listens."""
    if status is None:
        yield free_port()
        return
    answered: int = status

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answered if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        Thread(target=server.handle_request, daemon=True).start()
        yield server.server_port


@pytest.mark.parametrize(
    ("host", "link"),
    [
        ("127.0.0.1", "http://127.0.0.1:3000"),
        ("::1", "http://[::1]:3000"),
        ("10.0.0.7", "http://10.0.0.7:3000"),
        ("0.0.0.0", None),  # noqa: S104
    ],
)
def test_the_pages_link_into_dagster(host: str, link: str | None, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operator has set goes first; an address at which everybody is listened to is none to link to."""
    directory = make([entity("a", [product(to="2025-02-01")])], {"events.parquet": STILL})
    address = supervisor.Address(host, 3000, 3001, 8050)

    def url() -> str | None:
        child = supervisor._dashboard(directory, read_group(directory), address, Log(io.StringIO(), "serve"))
        return child.environment.get(DAGSTER_URL)

    monkeypatch.delenv(DAGSTER_URL, raising=False)
    assert url() == link
    monkeypatch.setenv(DAGSTER_URL, "https://dagster.example.com")
    assert url() == "https://dagster.example.com"
