"""The folders and files that a local source's answer rests on, and what they look like at a moment. No file is opened.

Who finds all of these places as they were knows that the source says what it said: the same files, with the same events. Nothing
heavy is imported here, since a run that finds nothing new asks nothing else of its sources.
"""

import glob
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from affiliates.manifests.source import Source
from affiliates.sources.table_formats import log_folders

_SECOND = 1_000_000_000
"""In nanoseconds."""
_LATELY = 3600 * _SECOND
"""How long ago a change may have been that the clock of a file server calls one of this moment."""


APART = 0.05
"""Seconds that two looks are apart at least."""
_SECONDS_APART = 3.0
"""The same, of a file system that notes whole seconds alone."""


class Places(NamedTuple):
    """Paths that something rests on, each once and in order."""

    files: tuple[str, ...] = ()
    """Files, whether they are there or not."""
    folders: tuple[str, ...] = ()
    """Folders, with the state of each file that lies directly in them."""
    names: tuple[str, ...] = ()
    """Folders, whether they are there or not, by the names in them alone."""


class PlaceState(NamedTuple):
    """What places look like at a moment."""

    digest: str
    """SHA-256 in hex: another one after any change that a file system shows."""
    in_seconds: bool
    """Whether something has changed lately on a file system that notes whole seconds: another change may then look the same."""


def together(several: Iterable[Places]) -> Places:
    """All of these places."""
    listed = list(several)
    return Places(*(tuple(sorted({path for places in listed for path in places[kind]})) for kind in range(len(Places._fields))))


def of_source(source: Source, directory: Path) -> Places | None:
    """The places of a source of local files; null for a database and an object store, which no look at files can tell of.

    `directory`: the group's. They are the folders that `files.find` lists or could list, and the folders of tables' logs beside
    and above. Raises `OSError`.
    """
    if source.files is None or source.in_cloud:
        return None
    place = directory / source.files
    files = [directory / source.complete_through] if isinstance(source.complete_through, str) else []
    if source.by_day:
        folders = list(_listed_for(_pattern(directory, source.files)))
    elif place.is_dir():
        folders = list(_below(place))
    else:
        # What is a file now may be none, and is a pattern then.
        folders = [] if place.is_file() else list(_listed_for(_pattern(directory, source.files)))
        files.append(place)
    holding = {*folders, str(place.parent)} if not source.by_day else set(folders)
    inside = {os.path.join(folder, "part") for folder in holding}
    logs = log_folders({*map(os.path.abspath, inside), *map(os.path.realpath, inside)})
    return together([Places(tuple(map(str, files)), tuple(folders), tuple(logs))])


def state_of(places: Places) -> PlaceState:
    """What the places look like now. A place that isn't there, or can't be looked at, looks so."""
    digest = hashlib.sha256()
    changes = list[int]()
    for path in _each_of(places):
        row, changed_at = _row(path)
        digest.update(f"{path}\0{row}\n".encode(errors="surrogateescape"))
        changes += [] if changed_at is None else [changed_at]
    for folder in (*places.folders, *places.names):
        digest.update(f"{folder}\0{_names_in(folder)}\n".encode(errors="surrogateescape"))
    lately = time.time_ns() - _LATELY
    # A clock that is finer shows a whole second once in a hundred times or less.
    return PlaceState(digest.hexdigest(), any(at % _SECOND == 0 and at > lately for at in changes))


def are_apart(seconds: float, state: PlaceState) -> bool:
    """Whether two looks that show the same state are so far apart that no change after the second one can have the times of one
    before the first."""
    return seconds >= (_SECONDS_APART if state.in_seconds else APART)


def whole_pattern(directory: Path, pattern: str) -> str:
    """The pattern below the group's directory, as `glob` takes it: only the pattern's own `*` stands for other signs."""
    escaped = glob.escape(pattern).replace("[*]", "*")
    return escaped if Path(pattern).is_absolute() else f"{glob.escape(str(directory))}/{escaped}"


def _pattern(directory: Path, pattern: str) -> str:
    """The pattern by which `files.find` lists: where no path fits, a day may be written as folders of year, month and day."""
    whole = str(Path(whole_pattern(directory, pattern)))
    plain = whole.replace("{day}", "*")
    return plain if next(glob.iglob(plain, include_hidden=True), None) else whole.replace("{day}", "*/*/*")


def _listed_for(pattern: str) -> Iterator[str]:
    """The folders that have to be listed to find what fits a pattern: those that its beginnings fit."""
    parts = pattern.split("/")
    for number in range(1, len(parts)):
        # A beginning without any `*` before a part without one is a path, and nothing is listed for it.
        if glob.has_magic("/".join(parts[: number + 1])):
            beginning = "/".join(parts[:number]) or "/"
            yield from (path for path in glob.iglob(beginning, include_hidden=True) if os.path.isdir(path))


def _below(folder: Path) -> Iterator[str]:
    """A folder and all folders below it, each once, those that links lead to among them. Raises `OSError`."""
    seen = set[tuple[int, int]]()
    waiting = [str(folder)]
    while waiting:
        where = waiting.pop()
        status = os.stat(where)
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        yield where
        with os.scandir(where) as listed:
            waiting += [entry.path for entry in listed if entry.is_dir()]


def _each_of(places: Places) -> Iterator[str]:
    """The files, the folders, and what lies directly in the folders."""
    yield from places.files
    for folder in places.folders:
        yield folder
        yield from (os.path.join(folder, name) for name in _names_in(folder))


def _row(path: str) -> tuple[tuple[int, ...], int | None]:
    """What tells a file, or what a link leads to, from another that takes its place; and when its attributes last changed.

    Of a folder not its times: they tell of what lies in it, which is looked at by itself where it is anybody's concern.
    """
    try:
        status = os.lstat(path)
        link: tuple[int, ...] = ()
        if stat.S_ISLNK(status.st_mode):
            link = (status.st_ino, status.st_ctime_ns)
            status = os.stat(path)
    except OSError as error:
        return (error.errno or 0,), None
    about = (*link, status.st_mode, status.st_uid, status.st_gid, status.st_dev, status.st_ino)
    if stat.S_ISDIR(status.st_mode):
        return about, None
    return (*about, status.st_size, status.st_mtime_ns, status.st_ctime_ns), status.st_ctime_ns


def _names_in(folder: str) -> list[str]:
    """The names in a folder; none where there is no such folder, or nobody may look into it."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
