"""A process that is started again when it ends, and what it prints passed on, line by line."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import psutil

from pipelines.json_log import Log
from pipelines.runbook import Page

MARK = "MAUWATCH_SERVE"
"""The environment variable that all processes of a `serve` inherit, runs included; its value, the mark, is the group
directory."""

DAGSTER_URL = "MAUWATCH_DAGSTER_URL"
"""The environment variable with the address of Dagster's pages, which the dashboard's page Data links to."""

SHORTEST = 1.0
LONGEST = 60.0
"""Seconds before a process that has ended starts again: doubled each time, unless the process lasted longer than `LONGEST`."""

PATIENCE = 20.0
"""Seconds that a process has to end by itself before it is killed."""


@dataclass
class Child:
    """One process by name: `tend` starts it, and starts it again."""

    name: str
    arguments: Sequence[str]
    folder: Path
    """The working directory: `python -m` looks for modules there, so a folder without files of the user's."""
    environment: Mapping[str, str]
    log: Log
    ready: Callable[[], bool] = lambda: True
    """Whether what the process needs is there; until then the process isn't started."""
    delay: float = SHORTEST
    """Seconds until the next start, were the process to end now."""
    due: float = 0.0
    """When to start the process, by the monotonic clock."""
    began: float = 0.0
    """When the process was last started, in seconds since 1970: heartbeats are compared with that."""
    _process: subprocess.Popen[str] | None = None
    _readers: list[Thread] = field(default_factory=list)

    @property
    def pid(self) -> int | None:
        """The process's number; null while it isn't running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def tend(self) -> None:
        """Start the process where it isn't running and its time has come; to be called again and again."""
        if self._process is not None and (code := self._process.poll()) is not None:
            self._process = None
            if time.time() - self.began > LONGEST:
                self.delay = SHORTEST
            self.due = time.monotonic() + self.delay
            fields = {"child": self.name, "code": code, "runbook": Page.CHILD.line}
            self.log.say("error", f"{self.name} has ended and starts again in {self.delay:.0f} s", **fields)
            self.delay = min(2 * self.delay, LONGEST)
        if self._process is None and time.monotonic() >= self.due and self.ready():
            self._start()

    def wait_for_output(self) -> None:
        """Wait until the last line of the processes that have ended is in the log."""
        for reader in self._readers:
            reader.join(PATIENCE)

    def _start(self) -> None:
        self.began = time.time()
        # In a session of its own: Ctrl-C in a terminal is for `serve`, which ends its processes in order.
        self._process = subprocess.Popen(  # noqa: S603 arguments of our own
            [sys.executable, *self.arguments],
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self.log.say("info", f"{self.name} started", child=self.name, pid=self._process.pid)
        reader = Thread(target=self._pass_on, args=(self._process,), name=f"output of {self.name}", daemon=True)
        reader.start()
        self._readers = [*(r for r in self._readers if r.is_alive()), reader]

    def _pass_on(self, process: subprocess.Popen[str]) -> None:
        """Write each line that a process prints into our log, until the process ends."""
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                if line.strip():
                    self.log.pass_on(line.rstrip("\n"), self.name)


def of_group(mark: str) -> list[psutil.Process]:
    """All processes with a mark but this one: children of a `serve`, their children, and those whose parent died."""
    marked = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                marked.append(process)
        except (psutil.Error, OSError):  # Somebody else's, or it has just ended.
            continue
    return marked


def end(mark: str) -> int:
    """End all processes with a mark but this one, first by SIGTERM, then by SIGKILL; gives how many there were."""
    ending = of_group(mark)
    for process in ending:
        _signal(process.terminate)
    _, stubborn = psutil.wait_procs(ending, timeout=PATIENCE)
    for process in [*stubborn, *of_group(mark)]:  # Some may have been started in the meantime.
        _signal(process.kill)
    psutil.wait_procs(stubborn, timeout=PATIENCE)
    return len(ending)


def _signal(send: Callable[[], None]) -> None:
    """Send a signal to a process that may have ended meanwhile."""
    try:
        send()
    except psutil.Error:
        return
