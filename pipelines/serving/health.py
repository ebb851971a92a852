"""Whether everything that `mauwatch serve` runs does its work: GET /health, 200 or 503.

The answer shows nobody's data, no path and no key: whoever watches the machine may read it.
"""

import http.client
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from affiliates.errors import RefusedError
from affiliates.manifests.group import Group
from affiliates.periods import DAY
from pipelines import runbook
from pipelines.alerts import unusual_data
from pipelines.counting.missing import day_ranges
from pipelines.defs import instance, ticks
from pipelines.figures import data_findings, signed_readings
from pipelines.ingestion import clock_check
from pipelines.runbook import Page
from pipelines.store import contributions, engine, mark

STALE = 300.0
"""Seconds after which a daemon's heartbeat is too old; Dagster's daemons beat every 30."""

AHEAD = 60.0
"""Seconds that a heartbeat may lie in the future before the clock is taken to be wrong."""


@dataclass(frozen=True)
class HealthCheck:
    """One thing that was checked, whether it is fine, and the section of the runbook about it."""

    name: str
    fine: bool
    detail: str
    """In words, without a path or a value of anybody's."""
    page: Page | None = None

    def to_dict(self) -> dict[str, Any]:
        """The check as /health answers it."""
        return {"fine": self.fine, "found": self.detail} | ({} if self.fine or not self.page else {"runbook": self.page.line})


@dataclass(frozen=True)
class HealthMonitor:
    """What health is judged by: the webserver, the daemon, the store and the manifests."""

    directory: Path
    group: Callable[[], Group]
    dagster: dg.DagsterInstance
    webserver: tuple[str, int]
    """Host and port."""
    daemon_began: Callable[[], float]
    """When the daemon was last started, in seconds since 1970: an older heartbeat is of a process before it."""
    mistakes: Callable[[], str]
    """What is wrong with the manifests as they are now."""
    dashboard: tuple[str, int] | None = None
    """Host and port; null where `serve` runs none."""

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether all is fine, and the answer to /health."""
        checks = list(self._checks())
        healthy = all(check.fine for check in checks)
        name = self.group().settings.group
        about = {"healthy": healthy, "group": name, "checks": {check.name: check.to_dict() for check in checks}}
        data = _guarded("data", Page.STORE, self._data, self.group())
        return healthy, about | {"data": data.to_dict(), "last_successful_run": self._last_success()} | self._looks()

    def _checks(self) -> Iterator[HealthCheck]:
        yield _answers("webserver", self.webserver, "/server_info", Page.WEBSERVER)
        if self.dashboard is not None:
            # Its own health: whether it can read the store.
            yield _answers("dashboard", self.dashboard, "/healthz", Page.CHILD)
        yield _guarded("daemon", Page.HEARTBEAT, self._daemon, self.group())
        yield _guarded("store", Page.STORE, self._store, self.group())
        yield _guarded("clock", Page.CLOCK, self._clock, self.group())
        yield _guarded("schedules", Page.MORNING, self._schedules, self.group())
        mistakes = self.mistakes()
        yield HealthCheck("manifests", not mistakes, mistakes or "read", Page.MANIFESTS)

    def _daemon(self) -> HealthCheck:
        now = datetime.now(UTC).timestamp()
        beats = self.dagster.get_daemon_heartbeats()
        ages = {kind: now - beat.timestamp for kind, beat in beats.items() if beat.timestamp >= self.daemon_began()}
        if any(age < -AHEAD for age in ages.values()):
            return HealthCheck("daemon", False, "a heartbeat lies in the future", Page.CLOCK)
        silent = [kind for kind in self.dagster.get_required_daemon_types() if ages.get(kind, STALE) >= STALE]
        silence = f"no heartbeat of {', '.join(sorted(silent)).lower()} in {STALE:.0f} s, or since its start"
        return HealthCheck("daemon", not silent, silence if silent else f"{len(ages)} heartbeats are fresh", Page.HEARTBEAT)

    def _schedules(self) -> HealthCheck:
        """Whether each schedule and sensor looks when it has to, and whether this morning has had a success."""
        began = datetime.fromtimestamp(self.daemon_began(), UTC)
        missed = list(ticks.missed(self.dagster, self.group(), datetime.now(UTC), began))
        return HealthCheck("schedules", not missed, "; ".join(missed) or "each has looked in its time", Page.MORNING)

    def _looks(self) -> dict[str, Any]:
        """When each schedule and sensor has last looked, and when the schedules were last due, in ISO 8601."""
        looks = dict[str, str | None]()
        with suppress(Exception):  # As in `_last_success`.
            for name, tick in sorted(ticks.last_ticks(self.dagster).items()):
                looks[name] = tick.at.isoformat(timespec="seconds") if tick.at else None
        due = ticks.morning_before(self.group(), datetime.now(UTC))
        return {"last_looks": looks, "successful_run_due": due.astimezone(UTC).isoformat(timespec="seconds")}

    def _store(self) -> HealthCheck:
        url = self.group().settings.store
        if not engine.exists(url, self.directory):
            return HealthCheck("store", True, "none yet: the first run makes it")
        with contributions.open_store(url, self.directory) as store:
            findings = [*mark.findings(store, self.directory), *signed_readings.findings(store, self.group())]
            found = "; ".join(map(str, findings)) or f"{len(store.read_months())} months"
            return HealthCheck("store", not findings, found, findings[0].page if findings else Page.STORE)

    def _clock(self) -> HealthCheck:
        """Whether the clock can be right, by itself and by the moments that the store holds."""
        url = self.group().settings.store
        now = datetime.now(UTC)
        if not engine.exists(url, self.directory):
            verdict = clock_check.look(None, now)
        else:
            with contributions.open_store(url, self.directory) as store, store.snapshot() as fixed:
                verdict = clock_check.look(fixed, now)
        return HealthCheck(
            "clock", verdict.is_fine, "; ".join(map(str, verdict.findings)) or "nothing contradicts it", Page.CLOCK
        )

    def _data(self) -> HealthCheck:
        """Whether anything is missing, or unlike before and accepted by nobody: products and days, no figures.

        It isn't one of `checks`, since starting the service again, which is what a 503 asks for, mends no data.
        """
        group = self.group()
        url = group.settings.store
        if not engine.exists(url, self.directory):
            return HealthCheck("data", True, "none yet")
        with contributions.open_store(url, self.directory) as store, store.snapshot() as fixed:
            # The morning's run has had its turn with what was due yesterday.
            missing = data_findings.read_missing(fixed, group, datetime.now(UTC) - DAY)
            unusual = unusual_data.open_findings(fixed)
        lines = [f"{product}: {len(days)} days missing ({day_ranges(days)})" for product, days in missing.items()]
        lines += [finding.subject for finding in unusual]
        page = Page.DAYS_MISSING if missing else Page.ALERT_UNUSUAL
        return HealthCheck("data", not lines, "; ".join(lines) or "complete, and as usual", page)

    def _last_success(self) -> str | None:
        """When a run last succeeded, in ISO 8601; null where none has, or where that can't be read."""
        with suppress(Exception):  # What is wrong with Dagster's store is in the daemon's check already.
            filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])
            for record in self.dagster.get_run_records(filters, limit=1, order_by="update_timestamp"):
                if record.end_time is not None:
                    return datetime.fromtimestamp(record.end_time, UTC).isoformat(timespec="seconds")
        return None


def _answers(name: str, address: tuple[str, int], path: str, page: Page) -> HealthCheck:
    """Whether a server answers a path with 200."""
    try:
        connection = http.client.HTTPConnection(*address, timeout=5)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        return HealthCheck(name, False, f"doesn't answer: {type(error).__name__}", page)
    return HealthCheck(name, status == 200, f"answers with {status}", page)


def _guarded(name: str, page: Page, look: Callable[[], HealthCheck], group: Group) -> HealthCheck:
    """A check whose error is a check that isn't fine: with the error's kind, or a refusal without its values.

    The values hold the store's place.
    """
    try:
        with instance.usable_database(group):
            return look()
    except RefusedError as error:
        refusal = error.refusals[0]
        return HealthCheck(name, False, f"{refusal.subject}: {refusal.rule}", runbook.of_refusal(refusal) or page)
    except Exception as error:  # noqa: BLE001 whatever it is, the answer is that it isn't fine
        return HealthCheck(name, False, f"can't be looked at: {type(error).__name__}", page)


class Endpoint:
    """The answer over HTTP, in a thread of this process."""

    def __init__(self, monitor: HealthMonitor, listening: socket.socket) -> None:
        def health(_: Request) -> JSONResponse:
            healthy, answer = monitor.report()
            return JSONResponse(answer, 200 if healthy else 503)

        app = Starlette(routes=[Route("/health", health)])
        # The wsproto and websockets of uvicorn's extras aren't needed, and warn of themselves.
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [listening]}, name="health", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop answering; waits up to ten seconds for an answer under way."""
        self._server.should_exit = True
        self._thread.join(10)
