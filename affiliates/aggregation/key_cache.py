"""Identifiers seen lately and their keys: each is normalised, hashed and joined once, not at each event.

HMAC and normalisation cost 0.4 µs an identifier, a look-up 0.02. The table is bounded: when it is
full it is emptied, and whoever comes again is hashed again; so the order of events costs time, never
memory, and changes no result.
"""

import secrets
import threading
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.crosswalks.snapshot import Crosswalk
from affiliates.errors import Code, refused
from affiliates.identity.keys import PERSON, GroupKey, person_key
from affiliates.identity.normalisation import normalise
from affiliates.manifests.source import Identifier
from affiliates.sketches.arrays import Keys, Values
from affiliates.sketches.kernels import key_table
from affiliates.sketches.kernels.cells import FIRST_CODE

FIRST_PLACES = 1 << 16
MOST_PLACES = 1 << 25
"""Of 16 bytes each: 0.5 GiB at most, room for 17 million identifiers; far more than all threads' batches hold."""

MOST_NAMESPACES = int(key_table.CODES) - int(FIRST_CODE) + 1
_GROWTH = 4
_SLICE = 1 << 18
"""Rows looked up at a time: as many could be new, and the table has to have room for them."""
_NOBODY = 2


class KnownKeys:
    """Keys of the identifiers of one source, under one group key and crosswalk; for several threads at once.

    An identifier is recognised by a fingerprint of 58 bits under a random seed: among the 17 million
    that the table holds at most, 0.0005 pairs are expected to be taken for one.
    """

    def __init__(self, identifiers: Sequence[Identifier], key: GroupKey, crosswalk: Crosswalk | None) -> None:
        self.namespaces = tuple(dict.fromkeys([*(i.namespace for i in identifiers), *([PERSON] if crosswalk else [])]))
        if len(self.namespaces) > MOST_NAMESPACES:
            raise refused(
                Code.SOURCE_IDENTIFIERS_UNUSABLE,
                "a source's identifiers",
                "too many namespaces",
                f"{len(self.namespaces)}, with `person` at most {MOST_NAMESPACES}",
                "give some identifiers the same namespace",
            )
        self._identifiers = identifiers
        self._key = key
        self._crosswalk = crosswalk
        self._seeds = [secrets.randbits(64) for _ in identifiers]
        self._lock = threading.Lock()
        self._emptied = 0
        self._table = np.zeros((FIRST_PLACES, 2), np.uint64)
        self._held = 0

    def _empty(self, places: int) -> None:
        self._table = np.zeros((places, 2), np.uint64)
        self._held = 0
        self._emptied += 1

    def of(self, columns: Sequence[pl.Series]) -> tuple[Keys, Values]:
        """Key and code of each row's first usable identifier.

        A code is less than `FIRST_CODE` for nobody (the key then means nothing), else that
        and the place in `namespaces`.
        """
        keys = np.zeros(len(columns[0]), np.uint64)
        codes = np.zeros(len(columns[0]), np.uint8)
        for number, column in enumerate(columns):
            open_ = codes < FIRST_CODE  # The next identifier may name somebody where the one before didn't.
            if column.null_count():
                open_ &= column.is_not_null().to_numpy()
            prints = column.hash(self._seeds[number]).to_numpy()
            if open_.all():
                keys, codes = self._of_column(column, prints, self._identifiers[number])
            elif open_.any():
                rows = np.flatnonzero(open_)
                keys[rows], codes[rows] = self._of_column(column.gather(rows), prints[rows], self._identifiers[number])
        return keys, codes

    def _of_column(self, texts: pl.Series, prints: Keys, identifier: Identifier) -> tuple[Keys, Values]:
        keys = np.zeros(len(prints), np.uint64)
        codes = np.zeros(len(prints), np.uint8)
        open_ = np.arange(len(prints))
        while len(open_):
            some_keys = np.zeros(len(open_), np.uint64)
            some_codes = np.zeros(len(open_), np.uint8)
            emptied = self._emptied
            late = self._recognise(prints[open_], some_keys, some_codes)
            keys[open_] = some_keys
            codes[open_] = some_codes
            new = late < 0
            rows = open_[~late[new]]
            open_ = open_[late[~new]]
            if len(rows):
                try:
                    made, found = self._keyed(texts.gather(rows), identifier)
                except BaseException:
                    with self._lock:  # Else other threads would wait for these for ever.
                        self._empty(FIRST_PLACES)
                    raise
                with self._lock:
                    key_table.set_known(self._table, prints[rows], made, found)
                keys[rows] = made
                codes[rows] = found
                if self._emptied != emptied:  # Else the others are found in the table, now that these are set.
                    open_ = _take_over(prints, rows, open_, keys, codes)
            elif len(open_):  # All of these another thread has just met: soon it knows their keys.
                time.sleep(0.001)
        return keys, codes

    def _recognise(self, prints: Keys, keys: Keys, codes: Values) -> npt.NDArray[np.int64]:
        """Rows without a key yet; as ~row where it is this caller's to make."""
        late = np.empty(len(prints), np.int64)
        n_late = 0
        with self._lock:
            for start in range(0, len(prints), _SLICE):
                part = slice(start, start + _SLICE)
                self._make_room(len(prints[part]))
                n, n_new = key_table.recognise(self._table, prints[part], keys[part], codes[part], late[n_late:])
                some = late[n_late : n_late + n]
                some[some >= 0] += start
                some[some < 0] -= start
                self._held = self._held + n_new
                n_late = n_late + n
        return late[:n_late]

    def _make_room(self, more: int) -> None:
        places = len(self._table)
        while self._held + more > places // 2 and places < MOST_PLACES:
            places = min(places * _GROWTH, MOST_PLACES)
        if self._held + more > places // 2:
            self._empty(max(places, 1 << (2 * more - 1).bit_length()))
        elif places > len(self._table):
            known = self._table[self._table[:, 0] != 0]
            self._table, self._held = np.zeros((places, 2), np.uint64), len(known)
            key_table.insert_known(self._table, known)

    def _keyed(self, texts: pl.Series, identifier: Identifier) -> tuple[Keys, Keys]:
        normalised = normalise(pl.col("text"), identifier.namespace, identifier.region)
        hashed = person_key(normalised, identifier.namespace, self._key).alias("key")
        made = pl.LazyFrame({"text": texts}).select(hashed).collect()["key"]
        codes = np.where(made.is_null().to_numpy(), _NOBODY, self._code(identifier.namespace)).astype(np.uint64)
        keys = made.fill_null(0).to_numpy()
        if self._crosswalk is not None:
            joined, keys = self._crosswalk.persons(keys)
            codes[joined & (codes != _NOBODY)] = self._code(PERSON)
        return keys, codes

    def _code(self, namespace: str) -> int:
        return int(FIRST_CODE) + self.namespaces.index(namespace)


def _take_over(
    prints: Keys, rows: npt.NDArray[np.int64], open_: npt.NDArray[np.int64], keys: Keys, codes: Values
) -> npt.NDArray[np.int64]:
    """Give what is known of `rows` to the open rows of the same fingerprints; returns the others."""
    known = prints[rows] >> np.uint64(6)
    wanted = prints[open_] >> np.uint64(6)
    order = np.argsort(known)
    at = order[np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)]
    same = known[at] == wanted
    mine = open_[same]
    theirs = rows[at[same]]
    keys[mine] = keys[theirs]
    codes[mine] = codes[theirs]
    others: npt.NDArray[np.int64] = open_[~same]
    return others
