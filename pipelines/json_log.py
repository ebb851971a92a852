"""Logs as one JSON object a line, for whoever collects them."""

import json
import re
from datetime import UTC, datetime
from threading import Lock
from typing import IO, Any, Literal

Level = Literal["debug", "info", "warning", "error"]

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LEVELS = re.compile(r" - (DEBUG|INFO|WARNING|ERROR|CRITICAL) - ")


class Log:
    """Lines of one process, and of others that it started."""

    def __init__(self, stream: IO[str], process: str) -> None:
        self._stream, self._process, self._turn = stream, process, Lock()

    def say(self, level: Level, event: str, **more: object) -> None:
        self._write({"time": _now(), "level": level, "event": event, "process": self._process, **more})

    def pass_on(self, line: str, process: str) -> None:
        """A line of another process: as it is where it is a JSON object, else as an event."""
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if isinstance(said, dict):
            self._write({**said, "process": process})
            return
        text = _COLOURS.sub("", line)
        found = _LEVELS.search(text)
        level = found[1].lower().replace("critical", "error") if found else "info"
        self._write({"time": _now(), "level": level, "event": text, "process": process})

    def _write(self, said: dict[str, Any]) -> None:
        """Whole, though several threads write; a reader that has gone away must not end the one who writes."""
        line = json.dumps(said, ensure_ascii=False, default=str)
        with self._turn:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                return


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
