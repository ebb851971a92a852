"""The crosswalk's files, one snapshot a month: finding the one before, reading its names, writing a new one."""

import glob
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from affiliates.concurrency import atomic_write
from affiliates.crosswalks import snapshot
from affiliates.crosswalks.clusters import NAMES, Changes, Clusters, CutOut, cut_out, named, places_in
from affiliates.crosswalks.snapshot import Crosswalk, as_text
from affiliates.errors import Code, RefusedError, refused
from affiliates.identity.keys import as_key
from affiliates.periods import month_from_text

_ROWS_TOGETHER = 1 << 20


@dataclass(frozen=True)
class SnapshotFile:
    """A month's snapshot, whether it is `written`, `replaced` or `the same`, and what it did to persons."""

    crosswalk: Crosswalk
    state: str
    changes: Changes
    cut_out: CutOut


def make(path: Path, month: date, clusters: Clusters, before: pl.DataFrame, most: int, replace: bool) -> SnapshotFile:
    """Write the month's snapshot of all clusters with at most so many keys; `before`: the names of the one before it.

    Raises `RefusedError` where no name can have been kept, or another snapshot is there.
    """
    if before.height and not places_in(before["key"].to_numpy(), clusters.keys)[0].any():
        raise refused(
            Code.CROSSWALK_INVALID,
            "the snapshot before",
            "has no key in common with the links",
            f"{before.height:,} and {len(clusters.keys):,} keys",
            "take the group key and epoch it was made with; if the key has changed, say --no-previous and all names are new",
        )
    small, cut = cut_out(clusters, most)
    names, changes = named(small, month, before)
    return SnapshotFile(*write(path, names, replace), changes, cut)


def by_month(pattern: str, directory: Path) -> dict[date, Path]:
    """The snapshots that are there, by month, the earliest first."""
    whole = pattern if Path(pattern).is_absolute() else f"{directory}/{pattern}"
    named = re.escape(whole).replace(r"\{month\}", r"(?P<month>\d{4}-\d\d)", 1).replace(r"\{month\}", "(?P=month)")
    found = {}
    for path in sorted(glob.glob(glob.escape(whole).replace("{month}", "[0-9]" * 4 + "-[0-9][0-9]"))):
        if is_one := re.fullmatch(named, path):
            with suppress(ValueError):  # 2025-13 names no month.
                found[month_from_text(is_one["month"])] = Path(path)
    return found


def names_of(path: Path, month: date) -> pl.DataFrame:
    """The names of an earlier snapshot, with the columns of `links.named`.

    A snapshot made by something else has no column `named`: its names are older than all others.
    Raises `RefusedError` for a file that is no snapshot, or none from before the month.
    """
    table = snapshot.read_table(path, path.name)
    snapshot.from_table(table, "the snapshot before")
    when = pl.col("named") if "named" in table.columns else pl.lit(None, pl.Date)
    if table.select(when).dtypes != [pl.Date]:
        raise refused(
            Code.CROSSWALK_INVALID,
            "the snapshot before",
            "its column `named` must hold months",
            path.name,
            "write each as the date of its first day",
        )
    made = table.select(as_key(pl.col("key")), as_key(pl.col("person_key")), named=when).sort("key").cast(NAMES)
    if later := made["named"].filter(made["named"] >= month).to_list()[:1]:
        raise refused(
            Code.CROSSWALK_INVALID,
            "the snapshot before",
            "isn't from before the month",
            f"{path.name} has names of {later[0]:%Y-%m}",
            "give an earlier month's snapshot by --previous",
        )
    return made


def write(path: Path, names: pl.DataFrame, replace: bool) -> tuple[Crosswalk, str]:
    """Write a month's snapshot in one step, for its owner's eyes alone; says how (as `Made`).

    Raises `RefusedError` where another snapshot is there that may not be replaced.
    """
    made = snapshot.from_keys(names["key"].to_numpy(), names["person_key"].to_numpy())
    state = "written"
    if path.exists():
        if _digest(path) == made.digest:
            return made, "the same"
        if not replace:
            raise refused(
                Code.FILE_EXISTS,
                "the crosswalk",
                "another snapshot of the month is there",
                f"{path.name}; a month uses one snapshot",
                "keep it, or say --replace: contributions made with the one that is there are then refused until made again",
            )
        state = "replaced"
    write_table(path, names.select(as_text(names["key"]), as_text(names["person_key"]), "named"))
    return made, state


def write_links(path: Path, links: pl.DataFrame, replace: bool) -> str:
    """Write keyed links in one step; says how (as `Made`). Raises `RefusedError` where another file is there."""
    text = links.select(as_text(column) for column in links)
    if path.exists():
        with suppress(RefusedError):
            if snapshot.read_table(path, path.name).equals(text):
                return "the same"
        if not replace:
            raise refused(
                Code.FILE_EXISTS, "the keyed links", "another file is there", path.name, "name a new one, or say --replace"
            )
    state = "replaced" if path.exists() else "written"
    write_table(path, text)
    return state


def _digest(path: Path) -> str | None:
    with suppress(RefusedError):
        return snapshot.from_table(snapshot.read_table(path, path.name)).digest
    return None


def write_table(path: Path, table: pl.DataFrame) -> None:
    """Write a table of keys in one step, readable by its owner alone: they stand for people."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, mode=0o600) as unfinished:
        table.write_parquet(unfinished, row_group_size=_ROWS_TOGETHER)
