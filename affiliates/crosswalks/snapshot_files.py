"""The files of a crosswalk, one snapshot a month: finding earlier ones, reading the names in one, writing a new one."""

import glob
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from affiliates.concurrency import atomic_write
from affiliates.crosswalks import snapshot, statements
from affiliates.crosswalks.clusters import NAMES, Changes, Clusters, CutOut, cut_out, name_clusters, places_in
from affiliates.crosswalks.snapshot import Crosswalk, as_text
from affiliates.crosswalks.statements import Statement
from affiliates.errors import Code, RefusedError, refused
from affiliates.identity.keys import as_key
from affiliates.periods import month_from_text

_ROW_GROUP_ROWS = 1 << 20


@dataclass(frozen=True)
class SnapshotFile:
    """A month's snapshot as `make` has written it."""

    crosswalk: Crosswalk
    state: str
    """`written`, `replaced`, or `the same` as was there."""
    changes: Changes
    """What became of people since the snapshot before."""
    cut_out: CutOut
    """What was left out for having too many keys."""


def make(
    path: Path, month: date, clusters: Clusters, before: pl.DataFrame, most: int, key_fingerprint: str | None, replace: bool
) -> SnapshotFile:
    """Write the month's snapshot of all clusters of at most `most` keys, which a key of this fingerprint has made.

    `before` has the names of the snapshot before it, as `names_of` reads them. Raises `RefusedError` where `before` shares no
    key with the clusters, and where another snapshot is there and `replace` isn't said.
    """
    # Then the snapshot before was made under another group key: every person would silently get a new name.
    if before.height and not places_in(before["key"].to_numpy(), clusters.keys)[0].any():
        raise refused(
            Code.CROSSWALK_INVALID,
            "the snapshot before",
            "has no key in common with the links",
            f"{before.height:,} and {len(clusters.keys):,} keys",
            "take the group key and epoch it was made with; if the key has changed, say --no-previous and all names are new",
        )
    small, cut = cut_out(clusters, most)
    names, changes = name_clusters(small, month, before)
    statements.check_people(names["person_key"], most, "the snapshot")
    statement = Statement(f"{month:%Y-%m}", key_fingerprint)
    return SnapshotFile(*write(path, names, replace, statement), changes, cut)


def by_month(pattern: str, directory: Path) -> dict[date, Path]:
    """The snapshots that are there, by month, the earliest first; `pattern` is the setting `crosswalk`, with {month}."""
    whole = pattern if Path(pattern).is_absolute() else f"{directory}/{pattern}"
    # A pattern may name the month twice, as a folder and as a file; both must then be the same month.
    expression = re.escape(whole).replace(r"\{month\}", r"(?P<month>\d{4}-\d\d)", 1).replace(r"\{month\}", "(?P=month)")
    paths = {}
    for path in sorted(glob.glob(glob.escape(whole).replace("{month}", "[0-9]" * 4 + "-[0-9][0-9]"))):
        if match := re.fullmatch(expression, path):
            with suppress(ValueError):  # 2025-13 names no month.
                paths[month_from_text(match["month"])] = Path(path)
    return paths


def names_of(path: Path, month: date) -> pl.DataFrame:
    """The names in an earlier snapshot, with the columns `NAMES`, in order of keys.

    A snapshot that another program made has no column `named`: then its names are older than all others. Raises
    `RefusedError` for a file that is no snapshot, or has names of `month` or later.
    """
    table = snapshot.read_table(path, path.name)
    snapshot.from_table(table, "the snapshot before")
    named_in = pl.col("named") if "named" in table.columns else pl.lit(None, pl.Date)
    if table.select(named_in).dtypes != [pl.Date]:
        raise refused(
            Code.CROSSWALK_INVALID,
            "the snapshot before",
            "its column `named` must hold months",
            path.name,
            "write each as the date of its first day",
        )
    names = table.select(as_key(pl.col("key")), as_key(pl.col("person_key")), named=named_in).sort("key").cast(NAMES)
    if later := names["named"].filter(names["named"] >= month).to_list()[:1]:
        raise refused(
            Code.CROSSWALK_INVALID,
            "the snapshot before",
            "isn't from before the month",
            f"{path.name} has names of {later[0]:%Y-%m}",
            "give an earlier month's snapshot by --previous",
        )
    return names


def write(path: Path, names: pl.DataFrame, replace: bool, statement: Statement) -> tuple[Crosswalk, str]:
    """Write a month's snapshot in one step, readable by its owner alone; the snapshot and its `SnapshotFile.state`.

    `names` has the columns `NAMES`. Raises `RefusedError` where another snapshot is there and `replace` isn't said.
    """
    crosswalk = snapshot.from_keys(names["key"].to_numpy(), names["person_key"].to_numpy())
    state = "written"
    if path.exists():
        # By digest: a snapshot whose rows stand in another order, or with other columns beside, is the same.
        if _digest(path) == crosswalk.digest:
            return crosswalk, "the same"
        if not replace:
            raise refused(
                Code.FILE_EXISTS,
                "the crosswalk",
                "another snapshot of the month is there",
                f"{path.name}; a month uses one snapshot",
                "keep it, or say --replace: contributions made with the one that is there are then refused until made again",
            )
        state = "replaced"
    write_table(path, names.select(as_text(names["key"]), as_text(names["person_key"]), "named"), statement)
    return crosswalk, state


def write_links(path: Path, links: pl.DataFrame, key_fingerprint: str | None, replace: bool) -> str:
    """Write keyed links, which a key of this fingerprint has made, in one step; the state as of `SnapshotFile`.

    Raises `RefusedError` where another file is there and `replace` isn't said.
    """
    text = links.select(as_text(column) for column in links)
    if path.exists():
        # A file that can't be read as a table is another file.
        with suppress(RefusedError):
            if snapshot.read_table(path, path.name).equals(text):
                return "the same"
        if not replace:
            raise refused(
                Code.FILE_EXISTS, "the keyed links", "another file is there", path.name, "name a new one, or say --replace"
            )
    state = "replaced" if path.exists() else "written"
    write_table(path, text, Statement(key_fingerprint=key_fingerprint))
    return state


def _digest(path: Path) -> str | None:
    """The digest of the snapshot that is there; None for a file that is no snapshot."""
    with suppress(RefusedError):
        return snapshot.from_table(snapshot.read_table(path, path.name)).digest
    return None


def write_table(path: Path, table: pl.DataFrame, statement: Statement) -> None:
    """Write a table of keys, and what is said of the table, in one step; readable by its owner alone: the keys stand for people.

    Raises `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, mode=0o600) as unfinished:
        table.write_parquet(unfinished, row_group_size=_ROW_GROUP_ROWS, metadata=statement.metadata())
