"""Identifiers seen lately and their keys: each is normalised, hashed and joined once, not at each event.

HMAC and normalisation cost 0.4 µs an identifier, a look-up 0.02. The table is bounded: a full table is emptied, and whoever comes
again is hashed again. So the order of events costs time, never memory, and changes no result.
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.crosswalks.snapshot import Crosswalk
from affiliates.errors import Code, refused
from affiliates.identity.keys import PERSON, GroupKey, person_key
from affiliates.identity.normalisation import NO_RULES, Rules, check_usable, normalised
from affiliates.identity.spellings import ColumnRef, Spellings
from affiliates.manifests.source import Identifier
from affiliates.sketches.arrays import Keys, Values
from affiliates.sketches.kernels import key_table
from affiliates.sketches.kernels.cells import FIRST_CODE

FIRST_PLACES = 1 << 16
"""Places of a new table, of 16 bytes each; always a power of two."""
MOST_PLACES = 1 << 25
"""Places at most: 0.5 GiB, room for 17 million identifiers; far more than all threads' batches hold."""

MOST_NAMESPACES = int(key_table.CODES) - int(FIRST_CODE) + 1
"""Namespaces of one source, as many as its table has codes for; a code that ran over would make a person nobody."""
_GROWTH = 4
"""How many times as large the next table is: each identifier is then moved a third of a time on average."""
_SLICE = 1 << 18
"""Rows looked up at a time: as many could be new, and the table has to have room for them."""
_NOBODY = 2
"""The code of an identifier that is empty or a placeholder once it is normalised."""
_CODE_BITS = np.uint64(6)
"""The lowest bits of a fingerprint, in whose place a table's entry has the code."""

Rows = npt.NDArray[np.int64]
"""Numbers of rows."""


class KeyCache:
    """Keys of the identifiers of one source, under one group key and crosswalk; for several threads at once.

    An identifier is recognised by a fingerprint of 58 bits under a random seed: among the 17 million that the table holds at
    most, 0.0005 pairs are expected to be taken for one.
    """

    def __init__(
        self,
        identifiers: Sequence[Identifier],
        key: GroupKey,
        crosswalk: Crosswalk | None,
        rules: Callable[[str], Rules] = lambda namespace: NO_RULES,
        subject: str = "a source's identifiers",
        spellings: Spellings | None = None,
    ) -> None:
        """`rules`: of a namespace, by group.yaml. `subject`: the product, for refusals. `spellings` looks at new identifiers.

        Raises `RefusedError` for more than `MOST_NAMESPACES`.
        """
        self.namespaces = tuple(dict.fromkeys([*(i.namespace for i in identifiers), *([PERSON] if crosswalk else [])]))
        if len(self.namespaces) > MOST_NAMESPACES:
            raise refused(
                Code.SOURCE_IDENTIFIERS_UNUSABLE,
                subject,
                "too many namespaces",
                f"{len(self.namespaces)}, with `person` at most {MOST_NAMESPACES}",
                "give some identifiers the same namespace",
            )
        self._identifiers = identifiers
        self._key = key
        self._crosswalk = crosswalk
        self._rules = {identifier.namespace: rules(identifier.namespace) for identifier in identifiers}
        self._subject = subject
        self._spellings = spellings or Spellings()
        # Secret, so that nobody can write events whose identifiers are taken for one another; a seed for each column, since
        # the same text is somebody else in another namespace.
        self._seeds = [secrets.randbits(64) for _ in identifiers]
        self._lock = threading.Lock()
        self._times_emptied = 0
        self._table = np.zeros((FIRST_PLACES, 2), np.uint64)
        self._n_known = 0

    def keys_of(self, columns: Sequence[pl.Series]) -> tuple[Keys, Values]:
        """Key and code of each row's first usable identifier, as `keys_and_places_of` gives them."""
        keys, codes, _ = self.keys_and_places_of(columns)
        return keys, codes

    def keys_and_places_of(self, columns: Sequence[pl.Series]) -> tuple[Keys, Values, Values]:
        """Key and code of each row's first usable identifier, and its place among the columns.

        `columns`: texts, a column for each of the identifiers. A code is less than `FIRST_CODE` for nobody (key and place then
        mean nothing), else that and the place in `namespaces`.
        """
        places = np.zeros(len(columns[0]), np.uint8)
        keys = np.zeros(len(columns[0]), np.uint64)
        codes = np.zeros(len(columns[0]), np.uint8)
        for number, column in enumerate(columns):
            is_open = codes < FIRST_CODE  # The next identifier may name somebody where the one before didn't.
            if column.null_count():
                is_open &= column.is_not_null().to_numpy()
            prints = column.hash(self._seeds[number]).to_numpy()
            if is_open.all():
                keys, codes = self._keys_of_column(column, prints, self._identifiers[number])
                places[:] = number
            elif is_open.any():
                rows = np.flatnonzero(is_open)
                keys[rows], codes[rows] = self._keys_of_column(column.gather(rows), prints[rows], self._identifiers[number])
                places[rows] = number
        return keys, codes, places

    def _keys_of_column(self, texts: pl.Series, prints: Keys, identifier: Identifier) -> tuple[Keys, Values]:
        """Key and code of each text. `prints`: the texts' fingerprints.

        Each turn looks all open rows up. A fingerprint that the table lacks is hashed by the first caller that met it; other
        rows and threads with the same fingerprint wait for that caller, and look the fingerprint up again.
        """
        keys = np.zeros(len(prints), np.uint64)
        codes = np.zeros(len(prints), np.uint8)
        open_rows = np.arange(len(prints))
        while len(open_rows):
            open_keys = np.zeros(len(open_rows), np.uint64)
            open_codes = np.zeros(len(open_rows), np.uint8)
            times_emptied = self._times_emptied
            late = self._recognise(prints[open_rows], open_keys, open_codes)
            keys[open_rows] = open_keys
            codes[open_rows] = open_codes
            is_mine = late < 0
            my_rows = open_rows[~late[is_mine]]
            open_rows = open_rows[late[~is_mine]]
            if len(my_rows):
                keys[my_rows], codes[my_rows] = self._hash_and_note(texts.gather(my_rows), prints[my_rows], identifier)
                if self._times_emptied != times_emptied:
                    # The table no longer has what was just noted: rows of the same fingerprints would hash it again.
                    open_rows = _take_over(prints, my_rows, open_rows, keys, codes)
            elif len(open_rows):  # All of these another thread has just met: soon it knows their keys.
                time.sleep(0.001)
        return keys, codes

    def _recognise(self, prints: Keys, keys: Keys, codes: Values) -> Rows:
        """Fill in `keys` and `codes` of known fingerprints; returns the rows of the others, as ~row where this caller hashes."""
        late = np.empty(len(prints), np.int64)
        n_late = 0
        with self._lock:
            for start in range(0, len(prints), _SLICE):
                part = slice(start, start + _SLICE)
                self._make_room(len(prints[part]))
                n_rows, n_new = key_table.recognise(self._table, prints[part], keys[part], codes[part], late[n_late:])
                rows = late[n_late : n_late + n_rows]  # A view: rows of the slice become rows of all.
                rows[rows >= 0] += start
                rows[rows < 0] -= start
                self._n_known = self._n_known + n_new
                n_late = n_late + n_rows
        return late[:n_late]

    def _make_room(self, more: int) -> None:
        """Grow the table, or empty the largest one, so that it is at most half full with so many more: beyond, look-ups slow."""
        places = len(self._table)
        while self._n_known + more > places // 2 and places < MOST_PLACES:
            places = min(places * _GROWTH, MOST_PLACES)
        if self._n_known + more > places // 2:
            self._empty(max(places, 1 << (2 * more - 1).bit_length()))
        elif places > len(self._table):
            known = self._table[self._table[:, 0] != 0]
            self._table = np.zeros((places, 2), np.uint64)
            self._n_known = len(known)
            key_table.insert_known(self._table, known)

    def _empty(self, places: int) -> None:
        self._table = np.zeros((places, 2), np.uint64)
        self._n_known = 0
        self._times_emptied += 1

    def _hash_and_note(self, texts: pl.Series, prints: Keys, identifier: Identifier) -> tuple[Keys, Keys]:
        """Keys and codes of texts that the table waits for; outside the lock, so that other threads look up meanwhile."""
        try:
            keys, codes = self._hash(texts, identifier)
        except BaseException:
            with self._lock:  # Else other threads would wait for these for ever.
                self._empty(FIRST_PLACES)
            raise
        with self._lock:
            key_table.set_known(self._table, prints, keys, codes)
        return keys, codes

    def _hash(self, texts: pl.Series, identifier: Identifier) -> tuple[Keys, Keys]:
        """Keys and codes of texts: normalised, hashed, and joined by the crosswalk.

        Raises `RefusedError` for texts that are no usable identifiers.
        """
        rules = self._rules[identifier.namespace]
        subject = f"{self._subject}, column {identifier.column}"
        check_usable(texts, identifier.namespace, rules, Code.SOURCE_IDENTIFIERS_UNUSABLE, subject)
        usable = normalised(texts, identifier.namespace, identifier.region, rules)
        self._spellings.note(ColumnRef(self._subject, identifier.column, identifier.namespace), texts, usable)
        hashed = person_key(pl.col("text"), identifier.namespace, self._key).alias("key")
        hashed_keys = pl.LazyFrame({"text": usable}).select(hashed).collect()["key"]
        codes = np.where(hashed_keys.is_null().to_numpy(), _NOBODY, self._code(identifier.namespace)).astype(np.uint64)
        keys = hashed_keys.fill_null(0).to_numpy()
        if self._crosswalk is not None:
            is_joined, keys = self._crosswalk.persons(keys)
            codes[is_joined & (codes != _NOBODY)] = self._code(PERSON)
        return keys, codes

    @property
    def person_code(self) -> int | None:
        """The code of rows whose key is a person of the crosswalk; null without one."""
        return None if self._crosswalk is None else self._code(PERSON)

    def _code(self, namespace: str) -> int:
        return int(FIRST_CODE) + self.namespaces.index(namespace)


def _take_over(prints: Keys, known_rows: Rows, open_rows: Rows, keys: Keys, codes: Values) -> Rows:
    """Give keys and codes of the known rows to the open rows of the same fingerprints; returns the rows that stay open."""
    known = prints[known_rows] >> _CODE_BITS
    wanted = prints[open_rows] >> _CODE_BITS
    order = np.argsort(known)
    nearest = order[np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)]
    is_same = known[nearest] == wanted
    taking = open_rows[is_same]
    giving = known_rows[nearest[is_same]]
    keys[taking] = keys[giving]
    codes[taking] = codes[giving]
    still_open: Rows = open_rows[~is_same]
    return still_open
