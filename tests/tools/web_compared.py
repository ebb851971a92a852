"""How long it takes from an address to the group's number on the screen: our overview, Dagster's page of the figures, Superset.

All in one run, on one group, each server alone on the machine. Cold: a new browser context that has logged in, and has kept
nothing else. Warm: the same context once more. The page's own clock counts, from the navigation's start until a frame in which
the number stands. Superset is taken from an environment of its own where one is named; without, the table says so.
"""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from playwright.sync_api import APIRequestContext, Browser

from dashboards import formats
from dashboards.web import one_time_link
from tests.support.browser import running_browser
from tests.support.dashboards import served
from tests.support.services import free_port

TURNS = 5
_PATIENCE = 180
"""Seconds until a server answers, or a number is there."""
_SUPERSET = """
SECRET_KEY = "of-a-bench-alone-0123456789abcdef0123456789abcdef"
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/superset.db"
PREVENT_UNSAFE_DB_CONNECTIONS = False
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
_FILES = {{"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": "{folder}/cache", "CACHE_DEFAULT_TIMEOUT": 86400}}
CACHE_CONFIG = DATA_CACHE_CONFIG = FILTER_STATE_CACHE_CONFIG = EXPLORE_FORM_DATA_CACHE_CONFIG = _FILES
"""
_LAUNCH = """mutation($given: ExecutionParams!) { launchPipelineExecution(executionParams: $given) {
    __typename ... on LaunchRunSuccess { run { runId } } } }"""
_STATUS = "query($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
_LOOK = """(() => {
  const number = new RegExp(%r);
  const look = () => {
    if (document.body && number.test(document.body.textContent)) window.shown = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""
Result = dict[str, Any]


def compared(group: Path, folder: Path, superset: Path | None) -> list[Result]:
    """Each page with the medians of its visits, ours first; with why not where one isn't here."""
    month, reading, estimate = _number(group)
    grouped = r"[,.\s]?".join(re.findall(r"\d{1,3}", f"{estimate:,}"))
    answers = [_ours(group, folder, re.escape(formats.people(estimate)).replace("\\\u00a0", r"\s"))]
    answers.append(_dagster(group, folder, month, grouped))
    if superset is None:
        answers.append({"page": "Superset, a number in a dashboard", "why": "no environment with apache-superset was named"})
    else:
        answers.append(_superset(group, folder, superset.absolute(), f"{month}-01", reading, grouped))
    return answers


def _number(group: Path) -> tuple[str, str, int]:
    """The newest month that has an estimate, as YYYY-MM, with its reading and the group's people."""
    with closing(sqlite3.connect(group / ".mauwatch" / "store.sqlite")) as store:
        query = "select month, reading, estimate from group_mau where estimate is not null order by month desc, reading desc"
        month, reading, estimate = store.execute(query).fetchone()
    return month[:7], reading, estimate


def _visits(browser: Browser, address: str, number: str, log_in: Callable[[APIRequestContext], object]) -> Result:
    """Medians of a cold visit and a warm one."""
    times: dict[str, list[float]] = {"cold": [], "warm": []}
    for turn in range(TURNS + 1):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        log_in(context.request)
        page = context.new_page()
        page.add_init_script(_LOOK % number)
        for kind in times:
            page.goto(address, wait_until="commit")
            page.wait_for_function("() => window.shown", timeout=1000 * _PATIENCE)
            # The first turn is the server's own, which reads its programs.
            if turn:
                times[kind].append(page.evaluate("() => window.shown"))
        context.close()
    return {kind: median(values) for kind, values in times.items()}


def _ours(group: Path, folder: Path, number: str) -> Result:
    with served(group, folder / "ours.log") as dashboard, running_browser() as browser:
        address = f"http://127.0.0.1:{dashboard.port}/"
        links = dashboard.directory / ".mauwatch" / "dashboard"

        def log_in(request: APIRequestContext) -> None:
            request.get(f"{address}login?token={one_time_link.make(links)}")

        return {"page": "our overview", **_visits(browser, address, number, log_in)}


def _dagster(group: Path, folder: Path, month: str, number: str) -> Result:
    port, health = free_port(), free_port()
    command = [Path(sys.executable).parent / "mauwatch", "serve", "--group", group, "--port", port, "--health-port", health]
    address = f"http://127.0.0.1:{port}"
    with _server(command, f"http://127.0.0.1:{health}/health", folder / "dagster.log"):
        with httpx.Client(base_url=address, timeout=60) as client:
            _materialise(client, month)
        with running_browser() as browser:
            place = f"{address}/assets/group/figures?view=partitions&partition={month}"
            return {"page": "Dagster, the figures' asset", **_visits(browser, place, number, lambda request: None)}


def _materialise(client: httpx.Client, month: str) -> None:
    """Let Dagster note the month's figure, which it shows of its own runs alone."""
    tags = {"dagster/asset_partition_range_start": month, "dagster/asset_partition_range_end": month}
    given = {
        "selector": {
            "repositoryLocationName": "mauwatch", "repositoryName": "__repository__", "pipelineName": "mauwatch_figures",
            "assetSelection": [{"path": ["group", "figures"]}],
        },
        "mode": "default",
        "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
    }  # fmt: skip
    # What serve does by itself at its start comes first.
    launched = _asked(client, _LAUNCH, given=given)["launchPipelineExecution"]["run"]["runId"]
    _until(lambda: _asked(client, _STATUS, run=launched)["runOrError"]["status"] in ("SUCCESS", "FAILURE", "CANCELED"))


def _asked(client: httpx.Client, query: str, **variables: object) -> Any:
    return client.post("/graphql", json={"query": query, "variables": variables}).json()["data"]


def _superset(group: Path, folder: Path, environment: Path, month: str, reading: str, number: str) -> Result:
    name = "Superset, a number in a dashboard"
    (folder / "superset.py").write_text(_SUPERSET.format(folder=folder))
    changes = {"SUPERSET_CONFIG_PATH": f"{folder}/superset.py", "FLASK_APP": "superset"}
    programs = environment / "bin"
    account = ["--username", "bench", "--password", "bench", "--firstname", "a", "--lastname", "b", "--email", "a@example.com"]
    steps: list[list[Any]] = [
        [programs / "superset", "db", "upgrade"],
        [programs / "superset", "fab", "create-admin", *account],
        [programs / "superset", "init"],
        [programs / "python", Path(__file__).with_name("web_superset.py"), group / ".mauwatch" / "store.sqlite", month, reading],
    ]
    for step in steps:
        done = subprocess.run(step, env=os.environ | changes, capture_output=True, text=True, check=False)
        if done.returncode:
            return {"page": name, "why": f"{Path(step[0]).name} {step[1]} fails: {done.stderr.strip().splitlines()[-1][:200]}"}
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [programs / "gunicorn", "--workers", 2, "--threads", 8, "--bind", f"127.0.0.1:{port}", "superset.app:create_app()"]

    def log_in(request: APIRequestContext) -> None:
        request.post(f"{address}/login/", form={"username": "bench", "password": "bench"})

    with _server(command, f"{address}/health", folder / "superset.log", changes), running_browser() as browser:
        return {"page": name, **_visits(browser, f"{address}/superset/dashboard/mauwatch/", number, log_in)}


@contextmanager
def _server(command: list[Any], health: str, log: Path, changes: Mapping[str, str] | None = None) -> Iterator[None]:
    """A server that answers at an address, and ends with the block."""
    with log.open("wb") as file:
        process = subprocess.Popen([*map(str, command)], stdout=file, stderr=file, env=os.environ | dict(changes or {}))
    try:
        _until(lambda: process.poll() is not None or _answers(health))
        if process.poll() is not None:
            raise SystemExit(f"{command[0]}: {log.read_text()[-2000:]}")
        yield
    finally:
        process.terminate()
        process.wait(60)


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit("a server took too long")
        time.sleep(0.3)
