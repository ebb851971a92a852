"""Events in files: Parquet, CSV and JSON lines, plain or compressed, read lazily and checked.

polars quotes values in its errors, so none of its messages gets out: what went wrong is found out
again here and said without a value (`raise ... from None`).
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
from affiliates.sources.file_formats import READ_ERRORS, check_file, scan_file, together
from affiliates.sources.file_names import NamedFiles, day_of, format_of, is_hidden, left_out, matching, refuse_unknown
from affiliates.sources.protocol import PORTION_BYTES, complete_through, digest


@dataclass(frozen=True)
class Files(NamedFiles):
    """A source's files, found and typed; `of_day` names them by day where the pattern has {day}."""

    subject: str
    source: Source
    kind: str
    paths: tuple[Path, ...]
    of_day: dict[date, tuple[Path, ...]]
    complete_through: date | None
    of_no_day: tuple[str, ...] = ()
    """What stands for the day in the names of files that are left out, such as 2023-02-29."""

    def bytes_of(self, days: Sequence[date]) -> int:
        """Bytes on disk that reading these days goes through."""
        return sum(path.stat().st_size for path in self.paths_of(days))

    def paths_of(self, days: Sequence[date]) -> list[Path]:
        """The files that reading these days goes through."""
        if not self.source.by_day:
            return list(self.paths)
        return [path for day in days for path in self.of_day.get(day, ())]

    def fingerprints(self, periods: Mapping[date, Sequence[date]]) -> dict[date, str]:
        """They change when a file that holds a period's days comes, goes, or is written again: by name, size and time of
        change."""
        if not self.day_by_day:
            return dict.fromkeys(periods, _stats(self.paths))
        return {period: _stats(self.paths_of(days)) for period, days in periods.items()}

    def check(self, days: Sequence[date]) -> None:
        """Check each file of these days as a whole, before anything of it counts.

        Raises `RefusedError` for an empty or unreadable file, a missing column, a bad line, a wrong type.
        """
        for path in self.paths_of(days):
            check_file(path, self.kind, self.source, self.subject)

    def frames(self, days: Sequence[date], columns: Sequence[str], now: datetime | None = None) -> Iterator[pl.LazyFrame]:
        """All events of the files, whatever their time; a check reads each day's once, so all of them at once."""
        for some in [days] if now else self.portions(days, PORTION_BYTES):
            yield self.scan(some)

    def newest(self, rows: int) -> pl.LazyFrame:
        """The newest day's files, of which the last is checked; or all of them."""
        days = [max(self.of_day)] if self.of_day else []
        check_file(self.paths_of(days)[-1], self.kind, self.source, self.subject)
        return self.scan(days)

    def described(self) -> str:
        size = sum(path.stat().st_size for path in self.paths)
        return f"{len(self.paths)} files, {size:,} bytes{left_out(self.of_no_day)}"

    def portions(self, days: Sequence[date], size: int) -> Iterator[list[date]]:
        """The days in stretches whose files have so many bytes, or one day; all at once where files aren't by day."""
        some: list[date] = []
        for day in days:
            if some and self.source.by_day and self.bytes_of([*some, day]) > size:
                yield some
                some = []
            some.append(day)
        if some:
            yield some

    def scan(self, days: Sequence[date]) -> pl.LazyFrame:
        """All columns of the files that hold these days; `__day__` is the day in a file's name, or null."""
        parts: list[tuple[date | None, Path]] = [(None, path) for path in self.paths]
        if self.source.by_day:
            parts = [(day, path) for day in days for path in self.of_day.get(day, ())]
        with self.reading():
            frames = [(path.name, day, scan_file(path, self.kind, self.source)) for day, path in parts]
            return together(frames, self.source, self.subject)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turns what goes wrong while reading into a refusal that quotes no value."""
        try:
            yield
        except READ_ERRORS:
            raise self._diagnosed() from None

    def _diagnosed(self) -> RefusedError:
        for path in self.paths:
            try:
                check_file(path, self.kind, self.source, self.subject)
                scan_file(path, self.kind, self.source).null_count().collect()
            except RefusedError as error:
                return error
            except READ_ERRORS:
                return refused(
                    Code.SOURCE_UNREADABLE,
                    f"{self.subject}, {path.name}",
                    "can't be read to its end",
                    f"read as {self.kind}",
                    "write the file again; it may be cut off",
                )
        return refused(
            Code.SOURCE_COLUMNS_MISSING,
            self.subject,
            "the files don't fit together",
            f"{len(self.paths)} files",
            "give them the same columns and types",
        )


def _stats(paths: Sequence[Path]) -> str:
    return digest([(path.name, found.st_size, found.st_mtime_ns) for path in paths for found in [path.stat()]])


def find(source: Source, directory: Path, subject: str) -> Files:
    """Find a source's files; raises `RefusedError` when there is none, or of no known format."""
    assert source.files is not None
    of_day: dict[date, tuple[Path, ...]] = {}
    of_no_day: list[str] = []
    if source.by_day:
        for said, path in _by_day(directory, source.files):
            if (day := day_of(said)) is None:
                of_no_day.append(said["day"])
                continue
            of_day[day] = (*of_day.get(day, ()), path)
        paths = [path for found in of_day.values() for path in found]
    else:
        place = directory / source.files
        paths = _in_folder(place, source, subject) if place.is_dir() else [place] if place.is_file() else []
        if not paths and "*" in source.files:
            paths = sorted(Path(p) for p in glob.glob(_whole_pattern(directory, source.files)))
    if not paths:
        raise refused(Code.SOURCE_MISSING, subject, "no file is there", source.files, "correct `files`, or bring the files")
    known = complete_through(source.complete_through, directory, subject)
    return Files(subject, source, format_of(source, paths, subject), tuple(paths), of_day, known, tuple(of_no_day))


def _in_folder(folder: Path, source: Source, subject: str) -> list[Path]:
    """Every file in a folder and its subfolders; one of an unknown format is refused, not left out."""
    found = [Path(where) / name for where, _, names in os.walk(folder, followlinks=True) for name in names]
    found = sorted(p for p in found if not is_hidden(p.name))
    lost = [p for p in found if not p.is_file()]
    if lost:
        raise refused(
            Code.SOURCE_MISSING,
            subject,
            "a folder holds links that lead nowhere",
            f"{len(lost)} of {len(found)}",
            "take them away, or mend them",
        )
    refuse_unknown(source, found, subject)
    return found


def _whole_pattern(directory: Path, pattern: str) -> str:
    return pattern if Path(pattern).is_absolute() else f"{glob.escape(str(directory))}/{pattern}"


def _by_day(directory: Path, pattern: str) -> Iterator[tuple[re.Match[str], Path]]:
    whole = _whole_pattern(directory, pattern)
    named = matching(pattern if Path(pattern).is_absolute() else f"{directory}/{pattern}")
    for path in sorted(glob.glob(whole.replace("{day}", "[0-9]" * 4 + "-[0-9][0-9]-[0-9][0-9]"))):
        if said := named.fullmatch(path):
            yield said, Path(path)
