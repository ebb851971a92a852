"""A crosswalk's snapshot of one month: from each key of a person to that person's key, and the digest of it.

A snapshot is a Parquet file of text columns `key` and `person_key` (16 hex characters each), perhaps with `named`, the month in
which a person got that name. Any other column is refused: the file goes to affiliates, and identifiers could stand there.
Who holds the links makes it once for a month, by `mauwatch crosswalk`; it names no identifier. A key in it becomes its person
key in the namespace `person`, any other key stays in its own. A sketch can't be re-keyed later, so one month uses one
snapshot, and the snapshot's digest is part of every contribution.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.errors import Code, refused
from affiliates.identity.keys import as_key
from affiliates.sketches.arrays import Keys
from affiliates.sources.parquet_metadata import is_description

_COLUMNS = ("key", "person_key", "named")
NO_CROSSWALK = ""
"""The digest of a contribution that was made without a crosswalk."""


@dataclass(frozen=True)
class Crosswalk:
    """One snapshot: `table` has UInt64 columns `key` (distinct, sorted) and `person_key`."""

    table: pl.DataFrame
    digest: str
    """SHA-256 (hex) of the rows."""

    def text(self) -> pl.DataFrame:
        """The table as the snapshot's file has it: keys as 16 hex characters."""
        return self.table.select(as_text(column) for column in self.table)

    def persons(self, keys: Keys) -> tuple[npt.NDArray[np.bool_], Keys]:
        """For each key whether the crosswalk has it, and the key of its person, or the key itself where it hasn't."""
        known = self.table["key"].to_numpy()
        persons = self.table["person_key"].to_numpy()
        if not len(known):
            return np.zeros(len(keys), bool), keys
        order = np.argsort(keys)  # In order, a binary search finds most of its way in the cache.
        places = np.empty(len(keys), np.int64)
        places[order] = np.minimum(np.searchsorted(known, keys[order]), len(known) - 1)
        joined = known[places] == keys
        return joined, np.where(joined, persons[places], keys)


def from_table(table: pl.DataFrame, subject: str = "the crosswalk") -> Crosswalk:
    """Check a snapshot's table as its file has it. The digest depends on the rows alone, not on their order.

    Raises `RefusedError` where a column is missing, a value isn't 16 hex characters, or a key stands there twice.
    """
    missing = {"key", "person_key"} - set(table.columns)
    if missing:
        raise refused(
            Code.CROSSWALK_INVALID,
            subject,
            "columns are missing",
            ", ".join(sorted(missing)),
            "make it with the columns key and person_key",
        )
    if others := [place for place, name in enumerate(table.columns, 1) if name not in _COLUMNS]:
        # By its place: a column's name may be somebody's, too.
        raise refused(
            Code.CROSSWALK_INVALID,
            subject,
            "holds other columns beside a snapshot's",
            f"no. {', '.join(map(str, others[:10]))} of {table.width}",
            "make it with the columns key and person_key alone",
        )
    # The month of a name is in no digest: it changes no key's person.
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
    # A key of two persons would count for one of them, by the order of the rows.
    if keys["key"].n_unique() != keys.height:
        twice = keys.height - keys["key"].n_unique()
        raise refused(
            Code.CROSSWALK_INVALID,
            subject,
            "a key stands for one person",
            f"{twice} keys stand there more than once",
            "keep one row for a key",
        )
    return _with_digest(keys)


def from_keys(keys: Keys, persons: Keys) -> Crosswalk:
    """A snapshot of distinct keys, in any order, and beside each the key of its person."""
    return _with_digest(pl.DataFrame({"key": keys, "person_key": persons}).sort("key"))


def _with_digest(keys: pl.DataFrame) -> Crosswalk:
    """A snapshot of keys (UInt64, in order of `key`), with its digest."""
    # Every contribution has this digest: other bytes here would refuse all of them.
    content = b"mauwatch crosswalk 1" + keys["key"].to_numpy().tobytes() + keys["person_key"].to_numpy().tobytes()
    return Crosswalk(keys, hashlib.sha256(content).hexdigest())


def file_of(pattern: str, month: date) -> str:
    """The file of a month's snapshot, by the setting `crosswalk` of group.yaml, such as `crosswalk-{month}.parquet`."""
    return pattern.replace("{month}", f"{month:%Y-%m}")


def snapshots_by_month(pattern: str | None, directory: Path) -> Callable[[date], "Crosswalk | None"]:
    """The snapshot of a month by the setting `crosswalk`; None where there is no setting.

    The function that is given reads a file when its month is asked for, and raises `RefusedError` as `read` does.
    """
    # Passes go month by month, so a table of months ago needn't stay in memory.
    read_once = lru_cache(maxsize=4)(lambda name: read(name, directory))
    return lambda month: read_once(file_of(pattern, month)) if pattern else None


def read(name: str, directory: Path) -> Crosswalk:
    """Read and check a snapshot's file; raises `RefusedError` where it isn't there or is no snapshot."""
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
    """The table in a snapshot's file, not yet checked; raises `RefusedError` where it can't be read, calling it `name`."""
    try:
        metadata = pl.read_parquet_metadata(path)
        table = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError):
        raise refused(
            Code.CROSSWALK_INVALID, "the crosswalk", "isn't a readable Parquet file", name, "write it again; it may be cut off"
        ) from None
    if not all(is_description(key, value.encode()) for key, value in metadata.items()):
        next_step = "write it again without metadata: what else is in the file would go to affiliates with it"
        raise refused(Code.CROSSWALK_INVALID, "the crosswalk", "holds metadata beside its columns", name, next_step)
    return table


def table_bytes(crosswalk: Crosswalk) -> bytes:
    """A snapshot as its file's bytes: Parquet."""
    content = io.BytesIO()
    crosswalk.text().write_parquet(content)
    return content.getvalue()


def as_text(keys: pl.Series) -> pl.Series:
    """Keys (UInt64) as they are written: 16 hex characters each."""
    # Bytes by numpy and hex by polars: formatting each number by itself would take a Python call a key.
    big_endian = keys.to_numpy().byteswap().view(np.uint8).reshape(-1, 8)
    return pl.Series(keys.name, big_endian).cast(pl.List(pl.UInt8)).cast(pl.Binary).bin.encode("hex")
