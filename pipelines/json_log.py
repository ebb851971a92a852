"""Log lines as one JSON object each, for whatever collects the lines: `time`, `level`, `event`, `process`, and more keys."""

import json
import re
from datetime import UTC, datetime
from threading import Lock
from typing import IO, Any, Literal

from affiliates.errors import json_in_plain_sight

Level = Literal["debug", "info", "warning", "error"]
"""How bad an event is: `error` needs a person."""

# Dagster's lines: colours are terminal sequences, and the level stands between two dashes.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LEVELS = re.compile(r" - (DEBUG|INFO|WARNING|ERROR|CRITICAL) - ")


class Log:
    """The log of one process and of the processes that it started, on one stream; several threads may write."""

    def __init__(self, stream: IO[str], process: str) -> None:
        self._stream = stream
        self._process = process
        self._turn = Lock()

    def say(self, level: Level, event: str, **more: object) -> None:
        """Write an event of this process; `more`: further keys of the line."""
        self._write({"time": _now(), "level": level, "event": event, "process": self._process, **more})

    def pass_on(self, line: str, process: str) -> None:
        """Write a line of another process: a JSON object key by key, any other text as an event."""
        try:
            fields = json.loads(line)
        except ValueError:
            fields = None
        # A line such as `7` or `null` is JSON, too, and no log line.
        if isinstance(fields, dict):
            self._write({**fields, "process": process})
            return
        text = _COLOURS.sub("", line)
        match = _LEVELS.search(text)
        level = match[1].lower().replace("critical", "error") if match else "info"
        self._write({"time": _now(), "level": level, "event": text, "process": process})

    def _write(self, fields: dict[str, Any]) -> None:
        """Write one whole line, though several threads write."""
        line = json_in_plain_sight(json.dumps(fields, ensure_ascii=False, default=str))
        with self._turn:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # The reader has gone away, or the stream is closed: serving goes on.
                return


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
