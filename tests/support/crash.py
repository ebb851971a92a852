"""A run of the centre that is killed (`kill -9`) at a named point of its code; the code knows nothing of it.

Reads a JSON object a line: the group directory, the point or null, and how to run. Each run is a process of its own, forked from
this one, which has imported everything and done nothing. Answers with the signal that ended it, or 0.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.support.groups import NOW

Point = tuple[str, str, str, int]
"""Module, function, `call` or `return`, and how many times it has to come there."""

_EVALUATED = ("pipelines.alerts.evaluate", "evaluate", "return", 1)
"""From here on the transaction that publishes has nothing left to do but commit."""


def point(name: str, event: str = "return", number: int = 1) -> Point:
    """A point by `module:function`, when that is called or returns for so many times."""
    module, _, function = name.rpartition(":")
    return module, function, event, number


COMMIT = "sqlalchemy.engine.default:DefaultDialect.do_commit"
POINTS: dict[str, tuple[Point, Point | None]] = {
    name: (at, after)
    for name, at, after in [
        ("before it is measured", point("pipelines.counting.measure:measure", "call"), None),
        ("measured", point("pipelines.counting.measure:measure"), None),
        ("its rows are made", point("pipelines.figures.rows:new_publication", "return", 2), None),
        ("before the tests of licences", point("pipelines.licences.release_tests:run_tests", "call"), None),
        ("before it is published", point("pipelines.store.publications:append", "call"), None),
        ("its figures are written", point("pipelines.store.publications:_append_tests", "call"), None),
        ("its tests are written", point("pipelines.store.publications:_append_tests"), None),
        ("before it is looked at", point("pipelines.alerts.evaluate:evaluate", "call"), None),
        ("the past is read", point("pipelines.store.published_figures:read"), None),
        ("the look is decided", point("pipelines.alerts.state:advance"), None),
        ("before the incident is written", point("pipelines.store.alert_log:append", "call"), None),
        ("the incident is written", point("pipelines.store.alert_log:append"), None),
        ("the first text is made", point("pipelines.alerts.messages:payload"), None),
        ("the second text is made", point("pipelines.alerts.messages:payload", "return", 2), None),
        ("before the messages are written", point("pipelines.store.outbox:append", "call"), None),
        ("the messages are written", point("pipelines.store.outbox:append"), None),
        ("looked", _EVALUATED, None),
        ("before the commit", point(COMMIT, "call"), _EVALUATED),
        ("committed", point(COMMIT), _EVALUATED),
        ("published", point("pipelines.store.publications:append"), None),
        ("before the tests are noted", point("pipelines.workflows.publish:note_tests", "call"), None),
        ("before the second look", point("pipelines.alerts.evaluate:evaluate", "call", 2), None),
        ("after the second look", point("pipelines.alerts.evaluate:evaluate", "return", 2), None),
        ("before the delivery", point("pipelines.alerts.delivery:deliver", "call"), None),
        ("before the first is taken", point("pipelines.store.outbox:take", "call"), None),
        ("the first is taken", point("pipelines.store.outbox:take"), None),
        ("before the first is sent", point("pipelines.alerts.sending:Senders.begin", "call"), None),
        ("the first is on its way", point("pipelines.alerts.sending:Senders.begin"), None),
        ("before an answer", point("pipelines.alerts.sending:Senders.wait", "call"), None),
        ("one is taken", point("pipelines.alerts.sending:Senders.wait"), None),
        ("before the first is noted", point("pipelines.store.outbox:note", "call"), None),
        ("the first is noted", point("pipelines.store.outbox:note"), None),
        ("the second is on its way", point("pipelines.alerts.sending:Senders.begin", "return", 2), None),
        ("both are taken", point("pipelines.alerts.sending:Senders.wait"), point("pipelines.store.outbox:note")),
        ("the second is noted", point("pipelines.store.outbox:note", "return", 2), None),
        ("delivered", point("pipelines.alerts.delivery:deliver"), None),
        ("before the heartbeat", point("pipelines.alerts.heartbeat:ping", "call"), None),
    ]
}

QUICK = (
    "the incident is written", "the messages are written", "before the commit", "committed",
    "the first is taken", "the first is on its way", "one is taken",
)  # fmt: skip
"""Around each transaction, and both deliveries."""


def killing(at: Point, after: Point | None) -> Callable[[FrameType, str, Any], None]:
    """A profiler that ends the process when it comes there."""
    met = {at: 0, after: 0}
    functions = {at[1], after[1] if after else at[1]}

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if frame.f_code.co_qualname not in functions:  # Of a million calls all but a few.
            return
        here = frame.f_globals.get("__name__"), frame.f_code.co_qualname, event
        for wanted in (at, after):
            if wanted is not None and here == wanted[:3] and (wanted == after or after is None or met[after] >= after[3]):
                met[wanted] += 1
        if met[at] >= at[3]:
            os.kill(os.getpid(), signal.SIGKILL)

    return watch


def go(directory: Path, at: str | None, through_dagster: bool) -> None:
    """Run a group directory, and be killed at a point."""
    from affiliates.manifests.loader import read_group
    from pipelines.defs.in_process import run as through
    from pipelines.workflows.run import run

    if at is not None:
        watch = killing(*POINTS[at])
        threading.setprofile(watch)
        sys.setprofile(watch)
    (through if through_dagster else run)(directory, read_group(directory), NOW)


def main() -> None:
    """Import everything, then fork a run for each line of the standard input."""
    for name in ("pipelines.defs.in_process", "pipelines.workflows.run"):
        importlib.import_module(name)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            with contextlib.suppress(Exception):
                with open(os.devnull, "w") as nowhere:
                    os.dup2(nowhere.fileno(), 1)
                go(Path(asked["directory"]), asked["at"], asked["through_dagster"])
                code = 0
            os._exit(code)
        _, status = os.waitpid(child, 0)
        print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)


if __name__ == "__main__":
    main()
