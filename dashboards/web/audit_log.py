"""Who opened, downloaded and changed what: one JSON object a line, without figures and without what somebody typed.

Parameters stand in the log where they name what the manifests name, a day, or a number of a scenario or an alert. All else, such
as the text of a form or a mistyped address, is `…`: the name of a deal could be among it.
"""

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from affiliates.concurrency import private_folder
from affiliates.errors import json_in_plain_sight

RUN = 30.0
"""Seconds within which the same input's next change belongs to the entry that is there: a slider sends one every 50 ms."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?")
_NUMBER = re.compile(r"[0-9]{1,9}")
PARAMETERS = frozenset(
    {"affiliate", "chart", "clause", "day", "licence", "month", "product", "reading", "scenario", "third", "version"}
)
"""The parameters that pages have in their addresses; other names were typed by somebody."""
_NUMBERED = frozenset({"id", "scenario", "third", "version"})
"""Parameters whose numbers name something; another parameter's number may be a figure."""
_LONGEST_NAME = 200


class AuditLog:
    """The log of one dashboard, written by several processes."""

    def __init__(self, folder: Path, known_names: Collection[str]) -> None:
        self._path = folder / "audit.jsonl"
        self._changes = folder / "changes"
        self._known = frozenset(known_names)

    def note(self, viewer: str, action: str, page: str, parameters: Iterable[tuple[str, str]] = ()) -> None:
        """Write one entry. Raises `OSError` where the log can't be written: then nothing is shown either."""
        entry: dict[str, object] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "viewer": viewer[:_LONGEST_NAME],
            "action": action,
            "page": page,
        }
        if shown := {name if name in PARAMETERS else "…": self.shown(name, value) for name, value in parameters}:
            entry["parameters"] = shown
        self._append(json_in_plain_sight(json.dumps(entry, ensure_ascii=False)) + "\n")

    def note_change(self, viewer: str, inputs: Collection[str]) -> None:
        """Write that somebody changed inputs, known by their ids; a run of changes of the same inputs is one entry."""
        marker = self._changes / hashlib.sha256("\n".join([viewer, *sorted(inputs)]).encode()).hexdigest()
        private_folder(self._changes)
        # Two workers may see two changes of one slider at the same moment.
        descriptor = os.open(marker, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            status = os.fstat(descriptor)
            goes_on = status.st_size > 0 and time.time() - status.st_mtime < RUN
            os.pwrite(descriptor, b"1", 0)
        finally:
            os.close(descriptor)
        if not goes_on:
            self.note(viewer, "changed", ", ".join(sorted(inputs)))

    def remove_markers(self) -> None:
        """Forget which inputs were changed just now, as at a start."""
        with suppress(FileNotFoundError):
            for path in self._changes.iterdir():
                path.unlink(missing_ok=True)

    def shown(self, name: str, value: str) -> str:
        """A parameter's value as the log has it."""
        is_shown = value in self._known or _DAY.fullmatch(value) or (name in _NUMBERED and _NUMBER.fullmatch(value))
        return value if is_shown else "…"

    def _append(self, line: str) -> None:
        # Opened anew each time: whoever moves the file away gets a new one, and no line goes into the moved file later. One write
        # of a short line is never mixed with another process's.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
