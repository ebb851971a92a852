"""Tables of Delta, Iceberg, Hudi and their like in folders: refused, since their files still hold rows that were deleted.

Such a table says in a log of its own which of its files are of now. Read as plain files, the table counts people whom somebody
has deleted, and rows that were written again once more.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from affiliates.errors import Code, refused

NamesIn = Callable[[str], Iterable[str]]
"""The names directly in a folder, by the folder's path; none where there is no such folder."""


class _Kind(NamedTuple):
    """How a kind of table is known: by what lies in a folder of its own beside the data."""

    name: str
    folder: str
    sign: re.Pattern[str]
    """A name that the folder has."""


_KINDS = (
    _Kind("Delta", "_delta_log", re.compile(r".+")),
    _Kind("Hudi", ".hoodie", re.compile(r".+")),
    _Kind(
        "Iceberg", "metadata", re.compile(r".*\.metadata\.json(\.gz)?|.*\.gz\.metadata\.json|version-hint\.text|snap-.*\.avro")
    ),
    _Kind("Paimon", "snapshot", re.compile(r"snapshot-\d+|LATEST|EARLIEST")),
)
FOLDERS = tuple(kind.folder for kind in _KINDS)
"""The folders by which tables are known."""
_HIVE_TRANSACTION = re.compile(r"(base|delta|delete_delta)_\d{7,}(_\d{7,})?(_\d{4})?(_v\d+)?")
_DUCKLAKE = re.compile(r"ducklake-[0-9a-f-]{36}(-delete)?\.parquet")


def log_folders(paths: Iterable[str]) -> set[str]:
    """The folders whose names show whether these paths lie in a table, whether they are there or not."""
    folders = {folder for path in map(PurePosixPath, paths) for folder in path.parents}
    return {str(folder / kind.folder) for folder in folders for kind in _KINDS}


def refuse_tables(paths: Iterable[str], names_in: NamesIn, subject: str) -> None:
    """Raise `RefusedError` where a path lies in a table's folder, at any depth below the table's own log."""
    folders = set[PurePosixPath]()
    for path in map(PurePosixPath, paths):
        if _DUCKLAKE.fullmatch(path.name):
            raise _refusal("DuckLake", path.parent, subject)
        if path.parent not in folders:
            folders |= {path.parent, *path.parent.parents}
    for folder in sorted(folders):
        if _HIVE_TRANSACTION.fullmatch(folder.name):
            raise _refusal("Hive with transactions", folder.parent, subject)
        for kind in _KINDS:
            if any(kind.sign.fullmatch(name) for name in names_in(str(folder / kind.folder))):
                raise _refusal(kind.name, folder, subject)


def _refusal(kind: str, folder: PurePosixPath, subject: str) -> Exception:
    return refused(
        Code.SOURCE_TABLE_FORMAT,
        subject,
        f"the files belong to a table of {kind}, and still hold deleted rows",
        f"the table in {folder.name or folder}/",
        "have the table's engine write its rows into a folder of their own, or count the table where it is: `table`",
    )
