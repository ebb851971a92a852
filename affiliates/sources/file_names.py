"""What the names of files and objects say: their format, and the day that they hold."""

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
    """The half of an `EventSource` that files and objects share: each part has a name, and the name may say its day."""

    source: Source
    parts_by_day: Mapping[date, Sequence[object]]
    """The parts of each day, where the manifest's pattern has {day}; else empty."""
    complete_through: date | None
    """The last day whose events are all there, where the pattern has no {day}."""

    @property
    def day_by_day(self) -> bool:
        """Whether each part is for one day."""
        return self.source.by_day

    def has(self, day: date) -> bool:
        """Whether all events of the day are there. A day that is there and has no event has zero users."""
        # With {day}, a file without rows is a day of zero users, and no file is a gap: the two must not look the same.
        if self.source.by_day:
            return day in self.parts_by_day
        return self.complete_through is not None and day <= self.complete_through


def is_hidden(name: str) -> bool:
    """Whether a file's name marks it as no export, but as what a writer leaves beside one, such as _SUCCESS."""
    # Spark and Hadoop write _SUCCESS, and a checksum .part-00000.crc for each part.
    return name.startswith((".", "_")) or name.endswith(".crc")


def format_of(source: Source, paths: Sequence[PurePath], subject: str) -> str:
    """The one format of all these files: parquet, csv or jsonl.

    Raises `RefusedError` where no ending tells the format, or the files' endings tell several.
    """
    formats = {source.format or _format_by_suffix(path) for path in paths}
    if len(formats) != 1 or None in formats:
        endings = ", ".join(sorted({path.suffix or "none" for path in paths}))
        raise refused(
            Code.SOURCE_FORMAT_UNCLEAR,
            subject,
            "the files' format isn't clear",
            f"endings: {endings}",
            "add `format: parquet`, csv or jsonl",
        )
    return str(formats.pop())


def refuse_unknown(source: Source, paths: Sequence[PurePath], subject: str) -> None:
    """Raise `RefusedError` for a folder that has files of an unknown format: left out, they would silently not count."""
    unknown = [path for path in paths if not source.format and _format_by_suffix(path) is None]
    if unknown:
        raise refused(
            Code.SOURCE_FORMAT_UNCLEAR,
            subject,
            "a folder holds files of an unknown format",
            f"{len(unknown)} of {len(paths)}, such as *{unknown[0].suffix}",
            "take them away, or say which `format` all of them have",
        )


def matching(pattern: str) -> re.Pattern[str]:
    """The expression that a whole path must match, for a pattern with `*` (within a folder) and `{day}` (its group `day`)."""
    expression = re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\{day\}", r"(?P<day>\d{4}-\d\d-\d\d)", 1)
    # A pattern may name the day twice, as a folder and as a file; both must then be the same day.
    return re.compile(expression.replace(r"\{day\}", "(?P=day)"))


def day_of(match: re.Match[str] | None) -> date | None:
    """The day in a path that `matching` has matched; None where there is no such day, as for 2023-02-30."""
    with suppress(ValueError):
        return date.fromisoformat(match["day"]) if match else None
    return None


def left_out_note(impossible_days: Sequence[str]) -> str:
    """The end of a summary: how many parts are left out, since the day in their names doesn't exist; "" for none."""
    if not impossible_days:
        return ""
    return f"; left out, being named by a day that there isn't: {len(impossible_days)}, such as {impossible_days[0]}"


def _format_by_suffix(path: PurePath) -> str | None:
    """The format by the file's ending, before an ending of compression such as `.gz`; None for an unknown one."""
    suffix = PurePath(path.stem).suffix if path.suffix.lower() in _COMPRESSED else path.suffix
    return _SUFFIXES.get(suffix.lower())
