"""What the names of files and objects say: their format, and their day."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import PurePath

from affiliates.errors import Code, refused
from affiliates.manifests.source import Source

_SUFFIXES = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_COMPRESSED = {".gz", ".zst"}


class NamedFiles:
    """A source whose parts are known by their names, which may say their day."""

    source: Source
    of_day: Mapping[date, Sequence[object]]
    complete_through: date | None

    @property
    def day_by_day(self) -> bool:
        """Whether each part is for one day."""
        return self.source.by_day

    def has(self, day: date) -> bool:
        """Whether the day's events are all there; with none of them, the day has zero users."""
        if self.source.by_day:
            return day in self.of_day
        return self.complete_through is not None and day <= self.complete_through


def is_hidden(name: str) -> bool:
    """Whether a file is no export but a mark of what wrote it, such as _SUCCESS."""
    return name.startswith((".", "_")) or name.endswith(".crc")


def format_of(source: Source, paths: Sequence[PurePath], subject: str) -> str:
    """The one format of all these files; raises `RefusedError` where they have none or several."""
    kinds = {source.format or _kind(path) for path in paths}
    if len(kinds) != 1 or None in kinds:
        endings = ", ".join(sorted({p.suffix or "none" for p in paths}))
        raise refused(
            Code.SOURCE_FORMAT_UNCLEAR,
            subject,
            "the files' format isn't clear",
            f"endings: {endings}",
            "add `format: parquet`, csv or jsonl",
        )
    return str(kinds.pop())


def refuse_unknown(source: Source, paths: Sequence[PurePath], subject: str) -> None:
    """Refuse a folder with files of an unknown format: left out, they would silently not count."""
    unknown = [p for p in paths if not source.format and _kind(p) is None]
    if unknown:
        raise refused(
            Code.SOURCE_FORMAT_UNCLEAR,
            subject,
            "a folder holds files of an unknown format",
            f"{len(unknown)} of {len(paths)}, such as *{unknown[0].suffix}",
            "take them away, or say which `format` all of them have",
        )


def matching(pattern: str) -> re.Pattern[str]:
    """What a path with `*` and `{day}` stands for; the day is its group `day`."""
    named = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\{day\}", r"(?P<day>\d{4}-\d\d-\d\d)", 1)
    return re.compile(named.replace(r"\{day\}", "(?P=day)"))


def day_of(found: re.Match[str] | None) -> date | None:
    """The day in a path; None where there is none, such as in 2023-02-30."""
    with suppress(ValueError):
        return date.fromisoformat(found["day"]) if found else None
    return None


def left_out(names: Sequence[str]) -> str:
    """What is said of files or objects that are left out, since what their names have for a day is none."""
    return f"; left out, being named by a day that there isn't: {len(names)}, such as {names[0]}" if names else ""


def _kind(path: PurePath) -> str | None:
    suffix = PurePath(path.stem).suffix if path.suffix.lower() in _COMPRESSED else path.suffix
    return _SUFFIXES.get(suffix.lower())
