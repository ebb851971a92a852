"""Events in files: Parquet, CSV and JSON lines, plain or compressed, read lazily and checked.

polars quotes values in its errors, so none of its messages gets out. The files are looked at again instead, and the refusal
says without a value what is wrong (`raise ... from None`).
"""

import glob
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl

from affiliates.errors import Code, RefusedError, refused
from affiliates.manifests.source import Source
from affiliates.sources import places
from affiliates.sources.file_checks import check_file
from affiliates.sources.file_contents import unreadable
from affiliates.sources.file_formats import READ_ERRORS, columns_needed, scan_file, together
from affiliates.sources.file_names import Chosen, NamedFiles, choose, format_of, refuse_unknown
from affiliates.sources.leftovers import LeftOut, job_of, note, why_left_out
from affiliates.sources.protocol import PORTION_BYTES, Fingerprint, complete_through, digest
from affiliates.sources.table_formats import refuse_tables

_BRING_FILES = "correct `files`, or bring the files"


class _Place(NamedTuple):
    """A folder or a file, whatever its paths are."""

    device: int
    inode: int
    is_left_out: bool
    """Whether the path's names say that it is none of a source's."""


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
    not_read: tuple[LeftOut, ...] = ()

    def bytes_of(self, days: Sequence[date]) -> int:
        """Bytes on disk that reading these days goes through; compressed ones as they are."""
        return sum(path.stat().st_size for path in self.paths_of(days))

    def paths_of(self, days: Sequence[date]) -> list[Path]:
        """The files that reading these days goes through: all of them, where the pattern has no {day}."""
        if not self.source.by_day:
            return list(self.paths)
        return [path for day in days for path in self.parts_by_day.get(day, ())]

    def fingerprints(self, periods: Mapping[date, Sequence[date]]) -> dict[date, Fingerprint]:
        """By period, digests of each file that holds its days: of name, size and time; of inode and attributes' time, too."""
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
            yield from self.scan(portion, columns)

    def newest(self, rows: int) -> pl.LazyFrame:
        """The files of the newest day, all of them checked; all files, the last of them checked, without {day} in the pattern."""
        days = [max(self.parts_by_day)] if self.parts_by_day else []
        for path in self.paths_of(days) if days else self.paths[-1:]:
            check_file(path, self.format, self.source, self.subject)
        return self.scan(days, columns_needed(self.source))[-1]

    def summary(self) -> str:
        """The number of files and their bytes."""
        size = sum(path.stat().st_size for path in self.paths)
        return f"{len(self.paths)} files, {size:,} bytes{self.left_out_note()}"

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

    def scan(self, days: Sequence[date], columns: Sequence[str]) -> list[pl.LazyFrame]:
        """These columns of the files that hold these days, in frames; `__day__` is the day in a file's name, or null."""
        parts: list[tuple[date | None, Path]] = [(None, path) for path in self.paths]
        if self.source.by_day:
            parts = [(day, path) for day in days for path in self.parts_by_day.get(day, ())]
        with self.reading():
            frames = [(path.name, day, scan_file(path, self.format, self.source)) for day, path in parts]
            return together(frames, columns, self.source, self.subject)

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
            except READ_ERRORS as error:
                return unreadable(path, self.format, f"{self.subject}, {path.name}", error)
        return refused(
            Code.SOURCE_UNREADABLE,
            self.subject,
            "the files can't be read together, though each of them can",
            f"{len(self.paths)} files, read as {self.format}",
            "run again; if it stays so, it is a fault of mauwatch's or of polars': please report it",
        )


def _stats(paths: Sequence[Path]) -> Fingerprint:
    # Nanoseconds: two exports within a second would else look the same.
    stats = [(path.name, path.stat()) for path in paths]
    # `cp -p` and `rsync -t` keep the time of change, so that a file of the same size would pass for the one before.
    exact = [(name, stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_ctime_ns) for name, stat in stats]
    return Fingerprint(digest([of_file[:3] for of_file in exact]), digest(exact))


def find(source: Source, directory: Path, subject: str) -> Files:
    """Find the files that the manifest's `files` names: one file, a folder, or a pattern with `*` and `{day}`.

    A relative path is relative to `directory`. Raises `RefusedError` where no file is there, the format isn't clear, or the files
    are a table's of Delta and the like.
    """
    assert source.files is not None
    chosen = _choose(source, directory, subject)
    if not chosen.parts:
        where = f"{source.files}{note(chosen.not_read)}"
        next_step = "correct `files` ({day} is YYYY-MM-DD), or bring the files" if source.by_day else _BRING_FILES
        raise refused(Code.SOURCE_MISSING, subject, "no file is there", where, next_step)
    paths = tuple(Path(path) for _, path in chosen.parts)
    refuse_tables({*map(os.path.abspath, paths), *_real_paths(paths)}, _names_in, subject)
    if not source.by_day and (directory / source.files).is_dir():
        refuse_unknown(source, paths, subject)
    parts_by_day: dict[date, tuple[Path, ...]] = {}
    for (day, _), path in zip(chosen.parts, paths, strict=True):
        if day is not None:
            parts_by_day[day] = (*parts_by_day.get(day, ()), path)
    file_format = format_of(source, paths, subject)
    last_day = complete_through(source.complete_through, directory, subject)
    return Files(subject, source, file_format, paths, parts_by_day, last_day, chosen.not_read)


def _choose(source: Source, directory: Path, subject: str) -> Chosen:
    """The source's files among those that lie where `files` points."""
    assert source.files is not None
    place = directory / source.files
    # A name with a `*` of its own is a name first: only where no such file is there is it a pattern.
    if not source.by_day and place.is_file():
        return Chosen([(None, str(place))], ())
    if not source.by_day and place.is_dir():
        paths = _in_folder(place)
        chosen = choose(paths, _markers(paths), str(place), False, source, subject)
        _refuse_broken([path for _, path in chosen.parts], "a folder", subject)
        return chosen
    # `glob` narrows; an expression then sees which text is a day, and that a day named twice is one day.
    whole = str(Path(places.whole_pattern(directory, source.files)))
    paths = glob.glob(whole.replace("{day}", "*"), include_hidden=True)
    if source.by_day and not paths:  # A day may be written as folders of its year, month and day.
        paths = glob.glob(whole.replace("{day}", "*/*/*"), include_hidden=True)
    # A hidden folder isn't a file that is left out; any other folder that a pattern matches is refused.
    paths = [path for path in paths if not (os.path.basename(path).startswith((".", "_")) and os.path.isdir(path))]
    chosen = choose(paths, _markers(paths), str(place), True, source, subject)
    _refuse_broken([path for _, path in chosen.parts], "the pattern", subject)
    return chosen


def _in_folder(folder: Path) -> list[str]:
    """Every file in a folder and its subfolders, linked ones among them. Raises `OSError` for a folder that can't be listed.

    Each folder and file is there once, though links lead to it again: two links of a folder to itself would be 2^40 paths.
    """
    paths: list[str] = []
    seen = set[_Place]()
    folders = deque([str(folder)])
    links = deque[str]()
    # Links come last: what lies in the folder itself has its own path.
    while folders or links:
        where = (folders or links).popleft()
        status = os.stat(where)
        if os.path.isdir(where) and _is_new(where, (status.st_dev, status.st_ino), folder, seen):
            with os.scandir(where) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
            for entry in entries:
                if entry.is_symlink():
                    # What leads nowhere is refused later, by its path.
                    (links if os.path.exists(entry.path) else paths).append(entry.path)
                elif entry.is_dir():
                    folders.append(entry.path)
                elif _is_new(entry.path, (status.st_dev, entry.inode()), folder, seen):
                    paths.append(entry.path)
        elif not os.path.isdir(where) and _is_new(where, (status.st_dev, status.st_ino), folder, seen):
            paths.append(where)
    return paths


def _is_new(path: str, inode: tuple[int, int], folder: Path, seen: set[_Place]) -> bool:
    """Whether a path leads to something that no other path has led to. What a name leaves out stands for nothing else's path."""
    below = path.removeprefix(str(folder)).lstrip("/")
    place = _Place(*inode, why_left_out(f"{below}/x" if os.path.isdir(path) else below) is not None)
    is_new = place not in seen
    seen.add(place)
    return is_new


def _markers(paths: Sequence[str]) -> list[str]:
    """The files by which jobs have said that they have begun or committed, in the folders of parts that have a job's number."""
    folders = sorted({job[0] for path in paths if (job := job_of(path))})
    return [f"{folder}/{name}" for folder in folders for name in _names_in(folder) if name.startswith(("_started", "_committed"))]


def _refuse_broken(paths: Sequence[str], what: str, subject: str) -> None:
    """Raise `RefusedError` for broken links and for folders that a pattern matches: left out, they would silently not count."""
    unread = [path for path in paths if not os.path.isfile(path)]
    if folders := [path for path in unread if os.path.isdir(path)]:
        raise refused(
            Code.SOURCE_MISSING,
            subject,
            f"{what} matches folders, and `*` stays within a folder",
            f"{len(folders)} of {len(paths)}",
            "name the folder alone, or end the pattern with the files' names, such as /*/*.parquet",
        )
    if unread:
        raise refused(
            Code.SOURCE_MISSING,
            subject,
            f"{what} holds links that lead nowhere",
            f"{len(unread)} of {len(paths)}",
            "take them away, or mend them",
        )


def _real_paths(paths: Sequence[Path]) -> Iterator[str]:
    """One path of each folder, with links resolved: a link may lead into a table's folder."""
    for folder in {path.parent for path in paths}:
        yield os.path.realpath(folder / "part")


def _names_in(folder: str) -> list[str]:
    """The names in a folder; none where there is no such folder, or nobody may look into it."""
    try:
        return os.listdir(folder)
    except OSError:
        return []
