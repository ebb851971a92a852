"""A crosswalk's snapshot of one month: from each key of a person to that person's key, and the digest of it.

A snapshot is a Parquet file of text columns `key` and `person_key` (16 hex characters each), perhaps with `named`, the month in
which a person got that name. Any other column is refused: the file goes to affiliates, and identifiers could stand there.
Who holds the links makes it once for a month, by `mauwatch crosswalk`; it names no identifier. A key in it becomes its person
key in the namespace `person`, any other key stays in its own. A sketch can't be re-keyed later, so one month uses one
snapshot, and the snapshot's digest is part of every contribution.
"""

import hashlib
import io
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.crosswalks import statements
from affiliates.crosswalks.digest_memo import DigestMemo, KnownDigest
from affiliates.crosswalks.statements import NOTHING_SAID, Expected, Statement
from affiliates.errors import Code, refused
from affiliates.identity.keyring import Keyring
from affiliates.identity.keys import as_key
from affiliates.manifests.settings import Settings
from affiliates.sketches.arrays import Keys, Values
from affiliates.sketches.image import ADDRESS_BITS
from affiliates.sketches.registers import Registers
from affiliates.sources.parquet_metadata import is_description

COLUMNS = ("key", "person_key", "named")
"""The columns that a snapshot's file may have."""
NO_CROSSWALK = ""
"""The digest of a contribution that was made without a crosswalk."""


@dataclass(frozen=True)
class Crosswalk:
    """One snapshot: `table` has UInt64 columns `key` (distinct, sorted) and `person_key`."""

    table: pl.DataFrame
    digest: str
    """SHA-256 (hex) of the rows."""
    statement: Statement = NOTHING_SAID
    """What its file says of it; nothing for one that no file was read of."""

    def text(self) -> pl.DataFrame:
        """The table as the snapshot's file has it: keys as 16 hex characters."""
        return self.table.select(as_text(column) for column in self.table)

    @cached_property
    def people(self) -> Keys:
        """The persons' keys, distinct and in order."""
        return self.table["person_key"].unique().sort().to_numpy()

    def has_people(self, persons: Keys) -> npt.NDArray[np.bool_]:
        """For each key whether the key is a person's of the snapshot."""
        if not len(self.people):
            return np.zeros(len(persons), bool)
        places = np.minimum(np.searchsorted(self.people, persons), len(self.people) - 1)
        known: npt.NDArray[np.bool_] = self.people[places] == persons
        return known

    def may_hold(self, sketch: Registers) -> bool:
        """Whether a sketch may be of the snapshot's people alone: none of its registers is above that of all of them."""
        values = self._values(sketch.lg_k)
        slots = sketch.occupied & ((np.uint32(1) << ADDRESS_BITS) - np.uint32(1))
        return bool((values[slots] >= sketch.occupied >> ADDRESS_BITS).all())

    def _values(self, lg_k: int) -> Values:
        if lg_k not in self._dense:
            self._dense[lg_k] = Registers.from_keys(lg_k, self.people).dense()
        return self._dense[lg_k]

    @cached_property
    def _dense(self) -> dict[int, Values]:
        """Registers of all people by lg_k."""
        return {}

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
    if others := [place for place, name in enumerate(table.columns, 1) if name not in COLUMNS]:
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


class Snapshots:
    """The snapshots of a group's months by the setting `crosswalk`, each read and checked when its month is asked for."""

    def __init__(self, settings: Settings, directory: Path, keys: Keyring, memo: DigestMemo | None = None) -> None:
        """`directory` is the group's, to which `crosswalk` is relative; `memo`: where digests are looked up and kept."""
        self._settings = settings
        self._directory = directory
        self._keys = keys
        # Passes go month by month, so a table of months ago needn't stay in memory.
        self._read_once = lru_cache(maxsize=4)(self._read)
        self.unsaid = dict[str, str]()
        """By file, what a snapshot that was read, or whose digest was looked up, doesn't say of itself."""
        self._memo = memo
        self._digests = dict[str, str]()

    def __call__(self, month: date) -> Crosswalk | None:
        """The snapshot of a month; None where there is no setting. Raises `RefusedError` as `read` does."""
        pattern = self._settings.crosswalk
        if pattern is None:
            return None
        return self._read_once(file_of(pattern, month), month if "{month}" in pattern else date.min)

    def digest(self, month: date) -> str:
        """The digest of a month's snapshot, looked up if it was read before as it is; empty without a setting.

        Raises `RefusedError` as `read` does.
        """
        pattern = self._settings.crosswalk
        if pattern is None:
            return NO_CROSSWALK
        name = file_of(pattern, month)
        if name not in self._digests and self._memo is not None:
            of_month = month if "{month}" in pattern else date.min
            known = self._memo.digest(name, Expected.of(self._settings, self._keys, of_month))
            if known is not None:
                self._note(name, known)
        if name not in self._digests:
            self(month)
        return self._digests[name]

    def _read(self, name: str, month: date) -> Crosswalk:
        before = self._memo.look(name) if self._memo is not None else None
        expected = Expected.of(self._settings, self._keys, month)
        crosswalk = read(name, self._directory, expected)
        unsaid = " and ".join(crosswalk.statement.unsaid(expected.month is not None))
        text = f"{name} doesn't say {unsaid}, so that can't be compared with what it is read for" if unsaid else ""
        known = KnownDigest(crosswalk.digest, text)
        self._note(name, known)
        if self._memo is not None and before is not None:
            self._memo.keep(name, before, expected, known)
        return crosswalk

    def _note(self, name: str, known: KnownDigest) -> None:
        self._digests[name] = known.digest
        if known.unsaid:
            self.unsaid[name] = known.unsaid


def read(name: str, directory: Path, expected: Expected | None = None) -> Crosswalk:
    """Read and check a snapshot's file; raises `RefusedError` where it isn't there, is no snapshot, or isn't what is expected."""
    path = directory / name
    if not path.is_file():
        raise refused(
            Code.CROSSWALK_MISSING,
            "the crosswalk",
            "its file isn't there",
            name,
            "put the snapshot there, or take `crosswalk` out of group.yaml",
        )
    table = read_table(path, name)
    crosswalk = from_table(table, name)
    if expected is None:
        return crosswalk
    statement = statements.read(path)
    named = table["named"].max() if table.schema.get("named") == pl.Date else None
    statements.check(statement, named if isinstance(named, date) else None, expected, name)
    statements.check_people(crosswalk.table["person_key"], expected.largest_person, name)
    return replace(crosswalk, statement=statement)


def read_table(path: Path, name: str) -> pl.DataFrame:
    """The table in a snapshot's file, not yet checked; raises `RefusedError` where it can't be read, calling it `name`."""
    try:
        metadata = pl.read_parquet_metadata(path)
        table = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError):
        raise refused(
            Code.CROSSWALK_INVALID, "the crosswalk", "isn't a readable Parquet file", name, "write it again; it may be cut off"
        ) from None
    if not all(statements.is_said(key, value) or is_description(key, value.encode()) for key, value in metadata.items()):
        next_step = "write it again without metadata: what else is in the file would go to affiliates with it"
        raise refused(Code.CROSSWALK_INVALID, "the crosswalk", "holds metadata beside its columns", name, next_step)
    return table


def table_bytes(crosswalk: Crosswalk) -> bytes:
    """A snapshot as its file's bytes: Parquet, with what is said of it."""
    content = io.BytesIO()
    crosswalk.text().write_parquet(content, metadata=crosswalk.statement.metadata())
    return content.getvalue()


def from_bytes(content: bytes, subject: str) -> Crosswalk:
    """The snapshot in bytes of `table_bytes`. Raises `RefusedError` as `from_table` does, and polars' errors for other bytes."""
    crosswalk = from_table(pl.read_parquet(content), subject)
    return replace(crosswalk, statement=Statement.from_metadata(statements.inside(content)))


def as_text(keys: pl.Series) -> pl.Series:
    """Keys (UInt64) as they are written: 16 hex characters each."""
    # Bytes by numpy and hex by polars: formatting each number by itself would take a Python call a key.
    big_endian = keys.to_numpy().byteswap().view(np.uint8).reshape(-1, 8)
    return pl.Series(keys.name, big_endian).cast(pl.List(pl.UInt8)).cast(pl.Binary).bin.encode("hex")
