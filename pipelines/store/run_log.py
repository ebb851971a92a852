"""When a run has looked last, also where nothing was new: the table `runs`, and a file for runs that leave the store as it is.

A run that finds all as it was must not write into the store: the next one knows by the store's file that nothing has changed
(`pipelines.workflows.unchanged`). So such a run adds a line to a file of the group directory. The next run that writes takes the
lines into the table, and whoever reads takes both.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # A run over what is as it was imports no database.
    from pipelines.store.engine import Store

FILE = Path(".mauwatch") / "runs.jsonl"
"""In a group directory; whoever removes the file loses the moments of runs that found nothing new."""
_TAKEN = Path(".mauwatch") / "runs.taken.jsonl"
MANY = 300
"""Lines from which on a run that needn't write takes them into the table all the same."""


@dataclass(frozen=True)
class LoggedRun:
    """One run: a row of `runs`, field by column."""

    at: datetime
    """The run's moment."""
    kind: str
    """`whole`, `range`, `quiet`, `unchanged` or `watch` (Dagster's daily look)."""
    result: str
    """`clean`, `findings` or `failed`."""
    findings: int
    """How many findings and refusals the run told of."""
    published: int
    """How many months the run published."""
    program: str
    """The version of mauwatch that has run."""


def to_file(directory: Path, run: LoggedRun) -> None:
    """Add a run to the group directory's file. Where nothing can be written, the run isn't noted."""
    line = json.dumps({**asdict(run), "at": run.at.isoformat()}) + "\n"
    with suppress(OSError):
        # One write, at the file's end: two runs at one moment leave two lines.
        descriptor = os.open(directory / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def has_many(directory: Path) -> bool:
    """Whether the file has grown so long that it ought to be taken into the table."""
    return len(_lines(directory / FILE)) >= MANY


def append(store: "Store", directory: Path, *runs: LoggedRun) -> None:
    """Add runs to the table, and those of the group directory's file; a moment that is there already is the same run."""
    from pipelines.store import run_rows

    with suppress(FileNotFoundError):  # Lines that come from now on are the next run's to take.
        if not (directory / _TAKEN).exists():  # Else a run was killed between taking and storing.
            os.rename(directory / FILE, directory / _TAKEN)
    # Stored before the file goes: killed in between, the next run stores the same moments again, which changes nothing.
    run_rows.append(store, [*_runs(_lines(directory / _TAKEN)), *runs])
    with suppress(OSError):
        (directory / _TAKEN).unlink(missing_ok=True)


def latest(store: "Store", directory: Path | None, number: int) -> list[LoggedRun]:
    """The last runs, the newest first; `directory`: the group's, whose file has those that left the store as it was."""
    from pipelines.store import run_rows

    # By moment: a run that was taken into the table may still stand in the file.
    runs = {run.at: run for run in run_rows.latest(store, number)}
    for path in (_TAKEN, FILE) if directory is not None else ():
        runs |= {run.at: run for run in _runs(_lines(directory / path))}  # type: ignore[operator]
    return sorted(runs.values(), key=lambda run: run.at, reverse=True)[:number]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []


def _runs(lines: Sequence[str]) -> Iterator[LoggedRun]:
    """The runs of a file's lines; a line that isn't ours, or was cut off, is left out."""
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):
            fields = json.loads(line)
            yield LoggedRun(**{**fields, "at": datetime.fromisoformat(fields["at"])})
