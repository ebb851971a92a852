"""Keys of one person -> one person key: the table, its digest, and applying it before sketching.

A snapshot is a Parquet file of text columns `key` and `person_key` (16 hex characters each; any other
column is left alone), made once for a month by who holds the links (`mauwatch crosswalk`); it names no
identifier. A key in it becomes its person key in the namespace `person`, any other key stays in its
own. A sketch can't be re-keyed later, so one month uses one snapshot, and its digest is part of every
contribution.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.errors import Code, refused
from affiliates.identity.keys import PERSON, GroupKey, as_key, person_key
from affiliates.identity.normalisation import normalise
from affiliates.sketches.arrays import Keys

NO_CROSSWALK = ""
"""The digest of a contribution that was made without a crosswalk."""


@dataclass(frozen=True)
class Crosswalk:
    """One snapshot: `table` has UInt64 columns `key` (distinct, sorted) and `person_key`."""

    table: pl.DataFrame
    digest: str

    def text(self) -> pl.DataFrame:
        """The snapshot as its file has it."""
        return self.table.select(as_text(column) for column in self.table)

    def persons(self, keys: Keys) -> tuple[npt.NDArray[np.bool_], Keys]:
        """Which of the keys the crosswalk has; and the keys, those replaced by their person's."""
        known = self.table["key"].to_numpy()
        persons = self.table["person_key"].to_numpy()
        if not len(known):
            return np.zeros(len(keys), bool), keys
        order = np.argsort(keys)  # In order, a binary search finds most of its way in the cache.
        at = np.empty(len(keys), np.int64)
        at[order] = np.minimum(np.searchsorted(known, keys[order]), len(known) - 1)
        joined = known[at] == keys
        return joined, np.where(joined, persons[at], keys)


def from_table(table: pl.DataFrame, subject: str = "the crosswalk") -> Crosswalk:
    """Check a snapshot and digest it; the digest depends on its rows alone, not on their order."""
    missing = {"key", "person_key"} - set(table.columns)
    if missing:
        raise refused(
            Code.CROSSWALK_INVALID,
            subject,
            "columns are missing",
            ", ".join(sorted(missing)),
            "make it with the columns key and person_key",
        )
    table = table.select("key", "person_key")
    if set(table.dtypes) != {pl.String}:
        raise refused(Code.CROSSWALK_INVALID, subject, "keys must be text", "", "write each as 16 hex characters")
    keys = table.select(as_key(pl.col("key")), as_key(pl.col("person_key"))).sort("key")
    bad = sum(keys.null_count().row(0)) + table.select((pl.all().str.len_bytes() != 16).sum()).sum_horizontal()[0]
    if bad:
        raise refused(
            Code.CROSSWALK_INVALID,
            subject,
            "keys must be 16 hex characters",
            f"{bad} values aren't",
            "give keys, never identifiers",
        )
    if keys["key"].n_unique() != keys.height:
        twice = keys.height - keys["key"].n_unique()
        raise refused(
            Code.CROSSWALK_INVALID,
            subject,
            "a key stands for one person",
            f"{twice} keys stand there more than once",
            "keep one row for a key",
        )
    return _digested(keys)


def from_keys(keys: Keys, persons: Keys) -> Crosswalk:
    """A snapshot of keys, each there once, and the key of each one's person."""
    return _digested(pl.DataFrame({"key": keys, "person_key": persons}).sort("key"))


def _digested(keys: pl.DataFrame) -> Crosswalk:
    said = b"mauwatch crosswalk 1" + keys["key"].to_numpy().tobytes() + keys["person_key"].to_numpy().tobytes()
    return Crosswalk(keys, hashlib.sha256(said).hexdigest())


def file_of(pattern: str, month: date) -> str:
    """The file of a month's snapshot, by the setting `crosswalk` of group.yaml."""
    return pattern.replace("{month}", f"{month:%Y-%m}")


def snapshots_by_month(pattern: str | None, directory: Path) -> Callable[[date], "Crosswalk | None"]:
    """The snapshot of a month by the setting `crosswalk`, each file read once; None where there is none."""
    read_once = lru_cache(maxsize=4)(lambda name: read(name, directory))
    return lambda month: read_once(file_of(pattern, month)) if pattern else None


def read(name: str, directory: Path) -> Crosswalk:
    """Read and check a snapshot; raises `RefusedError` where it isn't there or isn't one."""
    if not (directory / name).is_file():
        raise refused(
            Code.CROSSWALK_MISSING,
            "the crosswalk",
            "its file isn't there",
            name,
            "put the snapshot there, or take `crosswalk` out of group.yaml",
        )
    return from_table(read_table(directory / name, name), name)


def read_table(path: Path, name: str) -> pl.DataFrame:
    """A snapshot's file as it is, not yet checked; raises `RefusedError` where it can't be read."""
    try:
        return pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError):
        raise refused(
            Code.CROSSWALK_INVALID, "the crosswalk", "isn't a readable Parquet file", name, "write it again; it may be cut off"
        ) from None


def from_people(links: pl.DataFrame, namespace: str, key: GroupKey) -> pl.DataFrame:
    """A snapshot from a table of `identifier` and `person`, by who may see identifiers.

    Identifiers that normalise to the same one must belong to one person; a person's key is that of
    its name in the namespace `person`.
    """
    keyed = links.select(
        key=person_key(normalise(pl.col("identifier"), namespace), namespace, key),
        person_key=person_key(pl.col("person"), PERSON, key),
    )
    known = keyed.drop_nulls().unique()
    return from_keys(known["key"].to_numpy(), known["person_key"].to_numpy()).text()


def as_text(keys: pl.Series) -> pl.Series:
    """Keys (UInt64) as they are written: 16 hex characters each."""
    big_endian = keys.to_numpy().byteswap().view(np.uint8).reshape(-1, 8)
    return pl.Series(keys.name, big_endian).cast(pl.List(pl.UInt8)).cast(pl.Binary).bin.encode("hex")
