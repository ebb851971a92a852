"""What the names of files and objects say: which are a source's, their format, and the day that they hold."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import lru_cache
from pathlib import PurePath
from typing import NamedTuple

from affiliates.errors import Code, refused
from affiliates.manifests.source import Source
from affiliates.sources.leftovers import (
    NO_SUCH_DAY,
    OTHER_DAY,
    UNCOMMITTED,
    LeftOut,
    Tally,
    note,
    number_of_files,
    uncommitted,
    why_left_out,
)

_SUFFIXES = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_COMPRESSED = {".gz", ".zst"}
_NO_DAY = ("__HIVE_DEFAULT_PARTITION__", "__DEFAULT_PARTITION__", "null", "NULL", "None", "NaT")
"""What engines write for a day that is missing: events are there, and nobody knows whose day they are of."""
_WAYS_OF_DAYS = (
    # Of this form a day fits, unless the pattern names the day twice.
    (r"\d{4}-\d\d-\d\d", "two days in one path"),
    (r"(19|20)\d\d(0[1-9]|1[0-2])\d\d", "YYYYMMDD"),
    (r"\d\d(0[1-9]|1[0-2])(19|20)\d\d", "DDMMYYYY"),
    (r"\d{4}_\d\d?_\d\d?", "YYYY_MM_DD"),
    (r"\d{4}\.\d\d?\.\d\d?", "YYYY.MM.DD"),
    (r"\d{4}/\d\d?/\d\d?", "YYYY/MM/DD"),
    (r"[A-Za-z_]+=\d{4}/[A-Za-z_]+=\d\d?/[A-Za-z_]+=\d\d?", "a folder each for year, month and day"),
    (r"[A-Za-z_]+=\d{4}-\d\d-\d\d", "NAME=YYYY-MM-DD"),
    (r"[A-Za-z_]+=\d{8}", "NAME=YYYYMMDD"),
    (r"\d{4}-\d\d?-\d\d?", "YYYY-M-D"),
    (r"\d\d?\.\d\d?\.\d{4}", "DD.MM.YYYY"),
    (r"\d\d?[-_]\d\d?[-_]\d{4}", "DD-MM-YYYY or MM-DD-YYYY"),
    (r"(19|20)\d{6}[T_-]?\d\d(\d\d){0,2}Z?", "YYYYMMDD with an hour"),
    (r"\d{4}-\d\d-\d\d[T_ -]?\d\d((:|_|-|%3A)?\d\d){0,2}Z?", "YYYY-MM-DD with an hour"),
    # Another part of the day, or a copy: either is events, unless another file holds them.
    (r"\d{4}-\d\d-\d\d.+", "YYYY-MM-DD with more behind it"),
    (r"\d{4}-?W\d\d(-?\d)?", "a week"),
    (r"\d{4}-?\d\d", "YYYY-MM"),
    (r"\d{4}-\d{3}", "a day of the year"),
    (r"\d\d[-._]\d\d[-._]\d\d", "a year of two digits"),
    (r"\d\d?[ _-]?[A-Za-z]{3,9}[ _-]?\d{4}|[A-Za-z]{3,9}[ _-]?\d\d?[ ,_-]+\d{4}", "the month's name"),
    (r"\d{10}(\d{3}){0,3}", "a moment counted from 1970"),
    (r"\d\d{0,3}", "a number"),
)
"""How days are written elsewhere, in order: each whole text, and what it is called."""


class NamedFiles:
    """The half of an `EventSource` that files and objects share: each part has a name, and the name may say its day."""

    source: Source
    parts_by_day: Mapping[date, Sequence[object]]
    """The parts of each day, where the manifest's pattern has {day}; else empty."""
    complete_through: date | None
    """The last day whose events are all there, where the pattern has no {day}."""
    not_read: tuple[LeftOut, ...]
    """What lies among the parts and is none of them."""

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

    @property
    def left_out(self) -> list[str]:
        """What lies among the parts and isn't read, in words: number and reason."""
        return [str(left_out) for left_out in self.not_read]

    def left_out_note(self) -> str:
        """The end of a summary that says what is left out; "" for nothing."""
        return note(self.not_read)


class Chosen(NamedTuple):
    """Which of the files that lie where a manifest points are the source's."""

    parts: list[tuple[date | None, str]]
    """The paths of the source's files, each with the day in its name, or None; in order of the paths."""
    not_read: tuple[LeftOut, ...]


def choose(paths: Iterable[str], markers: Sequence[str], place: str, is_pattern: bool, source: Source, subject: str) -> Chosen:
    """The source's files among paths: those whose day is written as the manifest's {day} is, and that are no leftovers.

    `paths`: whole, of everything below the folder or that fits the pattern; where it has {day}, of more if need be. `markers`:
    of files by which a job says that it has begun or committed. `place`: the whole pattern, or the folder. Raises `RefusedError`
    for files whose day is missing, and where all files write their day otherwise than {day}.
    """
    tally = Tally()
    parts: list[tuple[date | None, str]] = []
    other_days: list[str] = []
    for path in sorted(paths):
        match = matching(place).fullmatch(path) if source.by_day else None
        loose = loosely_matching(place).fullmatch(path) if source.by_day and match is None else match
        if source.by_day and loose is None:
            continue
        why = None
        if not is_pattern:
            why = why_left_out(path.removeprefix(place).lstrip("/"))
        elif path.count("/") == place.count("/"):  # Else its day is three folders: it is judged by the day.
            why = why_left_out(path, place)
        if why is not None:
            tally.add(*why)
        elif loose is not None and match is None:
            other_days += [loose["day"]] if loose["day"] in _NO_DAY or _way_of_day(loose["day"]) else []
        elif match is not None and day_of(match) is None:
            tally.add(NO_SUCH_DAY, match["day"])
        else:
            parts.append((day_of(match), path))
    pending = uncommitted([path for _, path in parts], markers)
    for path in pending:
        tally.add(UNCOMMITTED, PurePath(path).name)
    parts = [(day, path) for day, path in parts if path not in pending]
    _refuse_days(other_days, bool(parts), source, subject)
    for text in other_days:
        tally.add(OTHER_DAY, _way_of_day(text) or "")
    return Chosen(parts, tally.all)


def _way_of_day(text: str) -> str | None:
    """How a day is written, such as YYYYMMDD; what stands there isn't shown, since it may be no day but somebody's number."""
    return next((way for pattern, way in _WAYS_OF_DAYS if re.fullmatch(pattern, text)), None)


def _refuse_days(other_days: Sequence[str], has_parts: bool, source: Source, subject: str) -> None:
    """Raise `RefusedError` for files without a day, and for files whose day is written otherwise where no other file is there."""
    if missing := [text for text in other_days if text in _NO_DAY]:
        raise refused(
            Code.SOURCE_DAYS_UNCLEAR,
            subject,
            "events without a day",
            f"{number_of_files(len(missing))} with {missing[0]} in the place of {{day}} in {source.files}",
            "give these events their day, or take the files away if they count nowhere",
        )
    if other_days and not has_parts:
        ways = sorted({_way_of_day(text) or "" for text in other_days})
        raise refused(
            Code.SOURCE_DAYS_UNCLEAR,
            subject,
            "{day} is YYYY-MM-DD, and no file's day fits",
            f"{number_of_files(len(other_days))} like {source.files} but for the day ({', '.join(ways)})",
            "name the files by YYYY-MM-DD, or give the folder without {day}, with `time` and `complete_through`",
        )


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


def _expression(text: str) -> str:
    """The expression for what stands between two {day}: only its last `*` is tried at every length.

    What follows another `*` is taken where it comes first, once and for all (an atomic group), since the next `*` can then
    stand for all that a later place would leave to it. Tried at every length, twenty `*` would take years.
    """
    first, *rest = map(re.escape, re.sub(r"\*+", "*", text).split("*"))
    *others, last = [f"[^/]*{rest_}" for rest_ in rest] or [""]
    return first + "".join(f"(?>{other.replace('*', '*?', 1)})" for other in others) + last


@lru_cache(maxsize=8)
def matching(pattern: str) -> re.Pattern[str]:
    """The expression that a whole path must match, for a pattern with `*` (within a folder) and `{day}` (its group `day`)."""
    before, *rest = map(_expression, pattern.split("{day}"))
    # A pattern may name the day twice, as a folder and as a file; both must then be the same day.
    day = r"(?P<day>\d{4}-\d\d-\d\d)"
    return re.compile(before + (day + "(?P=day)".join(rest) if rest else ""))


@lru_cache(maxsize=8)
def loosely_matching(pattern: str) -> re.Pattern[str]:
    """As `matching`, with any text in the day's place: for files that fit but for their day. A day may be three folders, too."""
    day = r"(?:[A-Za-z_]+=)?\d{4}/(?:[A-Za-z_]+=)?\d\d?/(?:[A-Za-z_]+=)?\d\d?|[^/]*"
    before, *rest = map(_expression, pattern.split("{day}"))
    return re.compile(before + f"(?P<day>{day})" + f"(?:{day})".join(rest))


def day_of(match: re.Match[str] | None) -> date | None:
    """The day in a path that `matching` has matched; None where there is no such day, as for 2023-02-30."""
    with suppress(ValueError):
        return date.fromisoformat(match["day"]) if match else None
    return None


def _format_by_suffix(path: PurePath) -> str | None:
    """The format by the file's ending, before an ending of compression such as `.gz`; None for an unknown one."""
    suffix = PurePath(path.stem).suffix if path.suffix.lower() in _COMPRESSED else path.suffix
    return _SUFFIXES.get(suffix.lower())
