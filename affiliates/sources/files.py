"""Events in files: Parquet, CSV and JSON lines, plain or compressed, read lazily and checked.

polars quotes values in its errors, so none of its messages gets out. The files are looked at again instead, and the refusal
says without a value what is wrong (`raise ... from None`).
"""

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from affiliates.errors import Code, RefusedError, refused
from affiliates.manifests.source import Source
from affiliates.sources.file_checks import check_file
from affiliates.sources.file_formats import READ_ERRORS, scan_file, together
from affiliates.sources.file_names import NamedFiles, day_of, format_of, is_hidden, left_out_note, matching, refuse_unknown
from affiliates.sources.protocol import PORTION_BYTES, complete_through, digest


@dataclass(frozen=True)
class Files(NamedFiles):
    """A source's files: an `EventSource`, as `find` gives it."""

    subject: str
    source: Source
    format: str
    """parquet, csv or jsonl: one for all files."""
    paths: tuple[Path, ...]
    parts_by_day: dict[date, tuple[Path, ...]]
    complete_through: date | None
    impossible_days: tuple[str, ...] = ()
    """What stands for the day in the names of files that are left out, such as 2023-02-29."""

    def bytes_of(self, days: Sequence[date]) -> int:
        """Bytes on disk that reading these days goes through; compressed ones as they are."""
        return sum(path.stat().st_size for path in self.paths_of(days))

    def paths_of(self, days: Sequence[date]) -> list[Path]:
        """The files that reading these days goes through: all of them, where the pattern has no {day}."""
        if not self.source.by_day:
            return list(self.paths)
        return [path for day in days for path in self.parts_by_day.get(day, ())]

    def fingerprints(self, periods: Mapping[date, Sequence[date]]) -> dict[date, str]:
        """By period: a digest of the name, size and time of change of each file that holds the period's days."""
        if not self.day_by_day:
            return dict.fromkeys(periods, _stats(self.paths))
        return {period: _stats(self.paths_of(days)) for period, days in periods.items()}

    def check(self, days: Sequence[date]) -> None:
        """Check each file of these days as a whole, before anything of it counts.

        Raises `RefusedError` for an empty or unreadable file, a missing column, a bad line, a wrong type.
        """
        for path in self.paths_of(days):
            check_file(path, self.format, self.source, self.subject)

    def frames(self, days: Sequence[date], columns: Sequence[str], now: datetime | None = None) -> Iterator[pl.LazyFrame]:
        """All events of the files that hold these days, whatever their time, with all columns of the files."""
        # A check counts rows alone, so all days make one frame. Counting carries identifiers, so it reads in portions.
        for portion in [days] if now else self.portions(days, PORTION_BYTES):
            yield self.scan(portion)

    def newest(self, rows: int) -> pl.LazyFrame:
        """The files of the newest day, all of them checked; all files, the last of them checked, without {day} in the pattern."""
        days = [max(self.parts_by_day)] if self.parts_by_day else []
        for path in self.paths_of(days) if days else self.paths[-1:]:
            check_file(path, self.format, self.source, self.subject)
        return self.scan(days)

    def summary(self) -> str:
        """The number of files and their bytes."""
        size = sum(path.stat().st_size for path in self.paths)
        return f"{len(self.paths)} files, {size:,} bytes{left_out_note(self.impossible_days)}"

    def portions(self, days: Sequence[date], size: int) -> Iterator[list[date]]:
        """The days in runs whose files have at most `size` bytes together, or one day; all days where there is no {day}."""
        portion: list[date] = []
        for day in days:
            if portion and self.source.by_day and self.bytes_of([*portion, day]) > size:
                yield portion
                portion = []
            portion.append(day)
        if portion:
            yield portion

    def scan(self, days: Sequence[date]) -> pl.LazyFrame:
        """All columns of the files that hold these days; `__day__` is the day in a file's name, or null."""
        parts: list[tuple[date | None, Path]] = [(None, path) for path in self.paths]
        if self.source.by_day:
            parts = [(day, path) for day in days for path in self.parts_by_day.get(day, ())]
        with self.reading():
            frames = [(path.name, day, scan_file(path, self.format, self.source)) for day, path in parts]
            return together(frames, self.source, self.subject)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turns an error of reading inside into a `RefusedError` that quotes no value."""
        try:
            yield
        except READ_ERRORS:
            raise self._diagnosed() from None

    def _diagnosed(self) -> RefusedError:
        """The refusal for an error of reading, found by reading each file by itself."""
        for path in self.paths:
            try:
                check_file(path, self.format, self.source, self.subject)
                scan_file(path, self.format, self.source).null_count().collect()
            except RefusedError as error:
                return error
            except READ_ERRORS:
                return refused(
                    Code.SOURCE_UNREADABLE,
                    f"{self.subject}, {path.name}",
                    "can't be read to its end",
                    f"read as {self.format}",
                    "write the file again; it may be cut off",
                )
        # Each file is whole by itself, so the error came from reading them as one table.
        return refused(
            Code.SOURCE_COLUMNS_MISSING,
            self.subject,
            "the files don't fit together",
            f"{len(self.paths)} files",
            "give them the same columns and types",
        )


def _stats(paths: Sequence[Path]) -> str:
    # Nanoseconds: two exports within a second would else look the same.
    stats = [(path.name, path.stat()) for path in paths]
    return digest([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])


def find(source: Source, directory: Path, subject: str) -> Files:
    """Find the files that the manifest's `files` names: one file, a folder, or a pattern with `*` and `{day}`.

    A relative path is relative to `directory`. Raises `RefusedError` where no file is there, or the format isn't clear.
    """
    assert source.files is not None
    parts_by_day: dict[date, tuple[Path, ...]] = {}
    impossible_days: list[str] = []
    if source.by_day:
        for match, path in _matches(directory, source.files):
            if (day := day_of(match)) is None:
                impossible_days.append(match["day"])
                continue
            parts_by_day[day] = (*parts_by_day.get(day, ()), path)
        paths = [path for parts in parts_by_day.values() for path in parts]
    else:
        # A name with a `*` of its own is a name first: only where no such file is there is it a pattern.
        place = directory / source.files
        paths = _in_folder(place, source, subject) if place.is_dir() else [place] if place.is_file() else []
        if not paths and "*" in source.files:
            paths = sorted(Path(name) for name in glob.glob(_whole_pattern(directory, source.files)))
    if not paths:
        raise refused(Code.SOURCE_MISSING, subject, "no file is there", source.files, "correct `files`, or bring the files")
    last_day = complete_through(source.complete_through, directory, subject)
    file_format = format_of(source, paths, subject)
    return Files(subject, source, file_format, tuple(paths), parts_by_day, last_day, tuple(impossible_days))


def _in_folder(folder: Path, source: Source, subject: str) -> list[Path]:
    """Every file in a folder and its subfolders, in order of their paths.

    Raises `RefusedError` for a file of an unknown format and for a broken link: left out, they would silently not count.
    """
    # By default `os.walk` follows no link, and the files of a linked folder would be left out.
    paths = [Path(where) / name for where, _, names in os.walk(folder, followlinks=True) for name in names]
    paths = sorted(path for path in paths if not is_hidden(path.name))
    broken = [path for path in paths if not path.is_file()]
    if broken:
        raise refused(
            Code.SOURCE_MISSING,
            subject,
            "a folder holds links that lead nowhere",
            f"{len(broken)} of {len(paths)}",
            "take them away, or mend them",
        )
    refuse_unknown(source, paths, subject)
    return paths


def _whole_pattern(directory: Path, pattern: str) -> str:
    """The pattern below the group's directory, whose own name may hold signs that `glob` would expand."""
    return pattern if Path(pattern).is_absolute() else f"{glob.escape(str(directory))}/{pattern}"


def _matches(directory: Path, pattern: str) -> Iterator[tuple[re.Match[str], Path]]:
    """The files that match a pattern with {day}, in order, each with the match of its whole path."""
    whole = _whole_pattern(directory, pattern)
    expression = matching(pattern if Path(pattern).is_absolute() else f"{directory}/{pattern}")
    # `glob` narrows by digits in the day's place; the expression then sees that a day named twice is one day.
    for path in sorted(glob.glob(whole.replace("{day}", "[0-9]" * 4 + "-[0-9][0-9]-[0-9][0-9]"))):
        if match := expression.fullmatch(path):
            yield match, Path(path)
