"""What lies among a source's files and is none of them: left there by jobs, by copying, by editors, by operating systems.

Such a file counts nobody, at any depth. It is named with its number and reason, since a file that is left out for no good
reason is people left out. Pure: names alone decide.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

HIDDEN = "with a name that begins with _ or ."
IN_HIDDEN = "in a folder whose name begins with _ or ."
UNFINISHED = "that a writer hasn't finished, by their names"
OF_THE_SYSTEM = "of an operating system, a file server or an editor"
UNCOMMITTED = "of a job that hasn't committed"
NO_SUCH_DAY = "named by a day that there isn't"
OTHER_DAY = "whose day doesn't fit {day}, which is YYYY-MM-DD"

# Beside an ending, since Flink puts a number behind it: part-0-0.inprogress.8f2c.
_UNFINISHED = re.compile(
    r"\.(tmp|temp|part|partial|filepart|in-?progress|pending|crdownload|crswap|download|uploading|writing|!sync|aria2)$"
    r"|\.in-?progress\.|\._copying_$|\.sync-conflict-\d{8}-\d{6}-"
)
# .metadata: Athena's description of a result, a file beside the result.
_OF_THE_SYSTEM = re.compile(
    r"^~|^#.*#$|~$|\.(crc|bak|swp|swo|lock|lck)$|\.(csv|txt)\.metadata$|_\$folder\$$|_\$azuretmpfolder\$$|___jb_(tmp|old)___$"
    r"|^(thumbs\.db|ehthumbs\.db|desktop\.ini|icon\r)$"
)
_SYSTEM_FOLDERS = {
    "lost+found", "$recycle.bin", "system volume information", "@eadir", "@recycle", "@recently-snapshot", "@tmp", "#recycle",
    "#snapshot", "~snapshot", "+tmp",
}  # fmt: skip
_TRANSACTION = re.compile(r"-tid-(\d+)-")
"""The number of the job that wrote a part, as Databricks puts it into the part's name."""
_LONG_NUMBER_OR_ADDRESS = re.compile(r"\d{5,}|\S*@\S*")


@dataclass(frozen=True)
class LeftOut:
    """Files that lie where the manifest points and aren't read, for one reason."""

    number: int
    reason: str
    """Words that follow the number and "files"."""
    example: str
    """A part of a file's path that shows the reason."""

    def __str__(self) -> str:
        example = _LONG_NUMBER_OR_ADDRESS.sub("…", self.example)
        return f"{number_of_files(self.number)} {self.reason}, such as {example}"


def number_of_files(number: int) -> str:
    """A number of files in words: 1 file, 2 files."""
    return f"{number:,} {'file' if number == 1 else 'files'}"


class Tally:
    """Counts files that are left out, by reason."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._examples: dict[str, str] = {}

    def add(self, reason: str, example: str) -> None:
        """Note one file."""
        self._numbers[reason] = self._numbers.get(reason, 0) + 1
        self._examples.setdefault(reason, example)

    @property
    def all(self) -> tuple[LeftOut, ...]:
        """What was noted, in order of reasons."""
        return tuple(LeftOut(number, reason, self._examples[reason]) for reason, number in sorted(self._numbers.items()))


def why_left_out(path: str, pattern: str | None = None) -> tuple[str, str] | None:
    """The reason and the part of a path that shows it; None for a file of the source.

    `path`: below a folder that the manifest names, or, with `pattern`, a whole path that matches the pattern. What the manifest
    writes itself is wanted: `_exports/part-*.csv` takes `_exports/part-1.csv`, and `_part-*.csv` takes `_part-1.csv`.
    """
    parts = path.split("/")
    written = pattern.split("/") if pattern is not None else ["*"] * len(parts)
    for place, (part, wanted) in enumerate(zip(parts, written, strict=True)):
        is_folder = place < len(parts) - 1
        reason = _reason(part, is_folder)
        if reason is not None and _reason(wanted, is_folder) is None:
            return reason, part
    return None


def _reason(name: str, is_folder: bool) -> str | None:
    """Why a part of a path is none of a source's; None for any other."""
    # Spark's and Hadoop's rule. A partition of a column whose name begins with _, such as _day=2025-03-01, is data.
    if name.startswith(".") or (name.startswith("_") and "=" not in name):
        return IN_HIDDEN if is_folder else HIDDEN
    lower = name.lower()
    if is_folder:
        return OF_THE_SYSTEM if lower in _SYSTEM_FOLDERS else None
    if _UNFINISHED.search(lower):
        return UNFINISHED
    return OF_THE_SYSTEM if _OF_THE_SYSTEM.search(lower) else None


def uncommitted(paths: Iterable[str], markers: Iterable[str]) -> set[str]:
    """The paths of parts whose job has begun and not committed.

    Databricks writes parts under their last names, between _started_NUMBER and _committed_NUMBER in the same folder.
    `markers`: paths of such files.
    """
    begun = set[tuple[str, str]]()
    committed = set[tuple[str, str]]()
    for marker in map(PurePosixPath, markers):
        kind, _, number = marker.name.removeprefix("_").partition("_")
        if kind in ("started", "committed"):
            (begun if kind == "started" else committed).add((str(marker.parent), number))
    pending = begun - committed
    return {path for path in paths if pending and (job_of(path) in pending)}


def job_of(path: str) -> tuple[str, str] | None:
    """The folder of a part and the number of the job that wrote the part; None where the part's name has no number."""
    match = _TRANSACTION.search(PurePosixPath(path).name)
    return (str(PurePosixPath(path).parent), match[1]) if match else None


def note(left_out: Sequence[LeftOut]) -> str:
    """The end of a sentence about a source's files: what is left out, and why; "" for nothing."""
    return f"; left out: {'; '.join(map(str, left_out))}" if left_out else ""
