"""From links between keys of one person to clusters, and from clusters to persons with lasting names. Pure.

A cluster is all keys that are linked with each other, directly or by others (a connected component); it is known by its
smallest key. A person's name is the person key of the crosswalk, and is kept from month to month. Keys stay in arrays
throughout: 10 million links are clustered in 3 s.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.crosswalks.snapshot import as_text
from affiliates.identity.keys import plain_key
from affiliates.sketches.arrays import Keys
from affiliates.sketches.kernels.links import lowest_linked

MOST_WAITING = 1 << 24
"""Links (of 16 bytes) that `Links` gathers before it makes them clusters, which take 16 bytes a key however many the links."""

NAMES = pl.Schema({"key": pl.UInt64(), "person_key": pl.UInt64(), "named": pl.Date()})
"""The columns of a table of names: a key, its person's name, and the month (its first day) in which the name was given."""

NO_NAMES = pl.DataFrame(schema=NAMES)
"""The names before the first snapshot: none."""

_TEXTS_AT_A_TIME = 1 << 20


@dataclass(frozen=True)
class Clusters:
    """Keys, each linked with another, and the cluster of each."""

    keys: Keys
    """Distinct, in order."""
    first: npt.NDArray[np.uint32]
    """Beside each key, the place in `keys` of the smallest key of its cluster."""

    @property
    def smallest(self) -> Keys:
        """Beside each key, the smallest key of its cluster."""
        return self.keys[self.first]

    def links(self) -> pl.DataFrame:
        """The fewest links that give these clusters: each key but the smallest (`key`) with the smallest (`linked`).

        They depend on the clusters alone, not on the links that the clusters were made of.
        """
        pairs = pl.DataFrame({"key": self.keys, "linked": self.smallest})
        return pairs.filter(pl.col("key") != pl.col("linked"))


NO_CLUSTERS = Clusters(np.empty(0, np.uint64), np.empty(0, np.uint32))
"""The clusters of no links."""


def clusters_of(one: Keys, other: Keys) -> Clusters:
    """The clusters of links between the keys `one` and `other`, row by row. A key that is linked with itself alone is in none."""
    linked = one != other
    both = pl.Series(np.concatenate([one[linked], other[linked]]), dtype=pl.UInt64)
    keys = both.unique().sort().to_numpy()
    # Keys by their number in order, so that the compiled loop works on a plain array in place of a map of keys.
    numbers = both.rank("dense").to_numpy().astype(np.uint32) - np.uint32(1)
    first = np.arange(len(keys), dtype=np.uint32)
    lowest_linked(first, *np.split(numbers, 2))
    return Clusters(keys, first)


class Links:
    """Gathers links in memory that is bounded by the number of different keys that are linked, however many the links."""

    def __init__(self) -> None:
        self._clusters = NO_CLUSTERS
        self._waiting: list[tuple[Keys, Keys]] = []
        self._number = 0

    def add(self, one: Keys, other: Keys) -> None:
        """Add links between the keys `one` and `other`, row by row."""
        self._waiting.append((one, other))
        self._number += len(one)
        # Not before as many links wait as there are keys: else every few links would sort all keys again.
        if self._number > max(MOST_WAITING, len(self._clusters.keys)):
            self.clusters()

    def clusters(self) -> Clusters:
        """The clusters of all links so far."""
        if self._waiting:
            # The clusters so far, as links of each key with the smallest, carry all links that made them.
            self._waiting.append((self._clusters.keys, self._clusters.smallest))
            waiting = self._waiting
            self._waiting = []
            self._number = 0
            self._clusters = clusters_of(*(np.concatenate(keys) for keys in zip(*waiting, strict=True)))
        return self._clusters


@dataclass(frozen=True)
class CutOut:
    """What was cut out: clusters with more keys than a person has, since many people share one of the keys."""

    clusters: int
    keys: int
    largest: int
    """The number of keys in the largest of them; 0 for none."""


def cut_out(clusters: Clusters, most: int) -> tuple[Clusters, CutOut]:
    """The clusters of at most `most` keys, and what was cut out.

    Thousands of a till's customers joined as one person would be missing; cut out, they count by their keys, as without a
    crosswalk.
    """
    sizes = np.bincount(clusters.first, minlength=len(clusters.keys))
    over = sizes[sizes > most]
    kept = sizes[clusters.first] <= most
    places = np.cumsum(kept, dtype=np.uint32) - np.uint32(1)
    return (
        Clusters(clusters.keys[kept], places[clusters.first[kept]]),
        CutOut(len(over), int(over.sum()), int(over.max(initial=0))),
    )


@dataclass(frozen=True)
class Changes:
    """What became of people from one snapshot to the next.

    The persons of the later one are kept + new + split, those of the earlier one kept + merged + gone.
    """

    kept: int
    """Persons with the name that they had."""
    new: int
    """Persons none of whose keys was in the snapshot before."""
    split: int
    """Persons with a new name, some of whose keys had a name that stayed with another person."""
    merged: int
    """Names that have ended, since their person is now one with a person of an older name."""
    gone: int
    """Names that have ended, since none of their keys is in the snapshot any more."""


def name_clusters(clusters: Clusters, month: date, before: pl.DataFrame) -> tuple[pl.DataFrame, Changes]:
    """A name for each cluster, as a table with the columns `NAMES` in order of keys; `before` is that of the snapshot before.

    A name stays with the cluster that has most of its keys (of several such clusters, with that of the smallest of those
    keys). Of the names that stay with a cluster the cluster has the oldest (of several, the smallest); a name without a month
    is older than any. All other clusters get new names.
    """
    # Below, a cluster is known by `first`, the place of its smallest key.
    shared, places = places_in(before["key"].to_numpy(), clusters.keys)
    named_before = before[places[shared]].with_columns(first=pl.Series(clusters.first[shared]))
    # One row for each name and each cluster that has some of the name's keys.
    parts = named_before.group_by("person_key", "first").agg(pl.len().alias("size"), pl.col("key", "named").min())
    stay = parts.sort("person_key", "size", "key", descending=[False, True, False])
    stay = stay.unique("person_key", keep="first", maintain_order=True)
    # Nulls sort first: a name without a month is the oldest.
    kept = stay.sort("first", "named", "person_key").unique("first", keep="first", maintain_order=True)
    unnamed = np.zeros(len(clusters.keys), bool)  # True at the smallest key of a cluster that has no name so far.
    unnamed[clusters.first] = True
    unnamed[kept["first"].to_numpy()] = False
    others = np.flatnonzero(unnamed)
    names = np.zeros(len(clusters.keys), np.uint64)
    names[kept["first"].to_numpy()] = kept["person_key"].to_numpy()
    names[others] = new_names(pl.Series(clusters.keys[others]), month, before["person_key"]).to_numpy()
    months = np.full(len(clusters.keys), np.datetime64(month, "D"))
    months[kept["first"].to_numpy()] = kept["named"].to_numpy()
    table = pl.DataFrame(
        {"key": clusters.keys, "person_key": names[clusters.first], "named": months[clusters.first]}, schema=NAMES
    )
    # Of the clusters with a new name, those that have keys of an older one were split off.
    unnamed[parts["first"].to_numpy()] = False
    new = int(np.count_nonzero(unnamed))
    return table, Changes(
        kept=kept.height,
        new=new,
        split=len(others) - new,
        merged=stay.height - kept.height,
        gone=before["person_key"].n_unique() - stay.height,
    )


def places_in(keys: Keys, wanted: Keys) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """For each wanted key whether it is among `keys` (distinct, in order), and its place there; else some other place."""
    if not len(keys):
        return np.zeros(len(wanted), bool), np.zeros(len(wanted), np.int64)
    # Beyond the greatest key `searchsorted` gives the length, which is no place.
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return keys[places] == wanted, places


def new_names(smallest: pl.Series, month: date, taken: pl.Series) -> pl.Series:
    """A new name for each cluster, by its smallest key (distinct, in order) and the month; none twice, and none of `taken`.

    No secret is in a name: whoever has the same links, with or without the group key, gives the same names.
    """
    names = _hashed(smallest, month, 0)
    attempt = 0
    while (clash := names.is_in(taken.implode()) | ~names.is_first_distinct()).any():
        attempt += 1
        names = names.scatter(clash.arg_true(), _hashed(smallest.filter(clash), month, attempt))
    return names


def _hashed(smallest: pl.Series, month: date, attempt: int) -> pl.Series:
    """Names (UInt64) by SHA-256 over `mauwatch person`, the month, the key as text and the number of the attempt.

    They are in every snapshot: another text here would give all people new names.
    """
    text = pl.format("mauwatch person {} {} {}", pl.lit(f"{month:%Y-%m}"), pl.col("key"), pl.lit(attempt))
    # By slices: texts take several times the memory of keys. The empty series is for no key at all, which has no slice.
    names = [pl.Series(dtype=pl.UInt64)]
    for part in smallest.rename("key").to_frame().iter_slices(_TEXTS_AT_A_TIME):
        names.append(pl.DataFrame([as_text(part["key"])]).select(plain_key(text)).to_series().rename(""))
    return pl.concat(names)
