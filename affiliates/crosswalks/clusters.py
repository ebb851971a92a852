"""Links between keys of one person -> clusters -> persons, each with a name that is kept from month to month. Pure.

A cluster is all keys that are linked with each other, directly or by others; it is known by its
smallest key. Keys stay in arrays throughout: 10 million links are clustered in 3 s.
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
"""Links (of 16 bytes) that wait before they are made clusters, which need 16 bytes a key whatever the links."""

NAMES = pl.Schema({"key": pl.UInt64(), "person_key": pl.UInt64(), "named": pl.Date()})
"""The columns of `named`: a key, its person's name, and the month (its first day) in which that was given."""

NO_NAMES = pl.DataFrame(schema=NAMES)
"""Before the first snapshot."""

_AT_A_TIME = 1 << 20


@dataclass(frozen=True)
class Clusters:
    """`keys` (distinct, in order), each linked with another; `first`: where each one's cluster has its smallest key."""

    keys: Keys
    first: npt.NDArray[np.uint32]

    @property
    def smallest(self) -> Keys:
        """The smallest key of each one's cluster."""
        return self.keys[self.first]

    def links(self) -> pl.DataFrame:
        """As few links as give these clusters: the same ones, whatever the links were that made them."""
        found = pl.DataFrame({"key": self.keys, "linked": self.smallest})
        return found.filter(pl.col("key") != pl.col("linked"))


NO_CLUSTERS = Clusters(np.empty(0, np.uint64), np.empty(0, np.uint32))


def clusters_of(one: Keys, other: Keys) -> Clusters:
    """Clusters of links between the keys `one` and `other`, row by row; a key linked with itself alone is in none."""
    linked = one != other
    both = pl.Series(np.concatenate([one[linked], other[linked]]), dtype=pl.UInt64)
    keys = both.unique().sort().to_numpy()
    numbers = both.rank("dense").to_numpy().astype(np.uint32) - np.uint32(1)
    first = np.arange(len(keys), dtype=np.uint32)
    lowest_linked(first, *np.split(numbers, 2))
    return Clusters(keys, first)


class Links:
    """Gathers links; memory is bounded by the number of different keys that are linked."""

    def __init__(self) -> None:
        self._clusters = NO_CLUSTERS
        self._waiting: list[tuple[Keys, Keys]] = []
        self._number = 0

    def add(self, one: Keys, other: Keys) -> None:
        self._waiting.append((one, other))
        self._number += len(one)
        if self._number > max(MOST_WAITING, len(self._clusters.keys)):
            self.clusters()

    def clusters(self) -> Clusters:
        """Of all links so far."""
        if self._waiting:
            self._waiting.append((self._clusters.keys, self._clusters.smallest))
            waiting = self._waiting
            self._waiting = []
            self._number = 0
            self._clusters = clusters_of(*(np.concatenate(keys) for keys in zip(*waiting, strict=True)))
        return self._clusters


@dataclass(frozen=True)
class CutOut:
    """Clusters with more keys than a person has: they hold something that many people share."""

    clusters: int
    keys: int
    largest: int


def cut_out(clusters: Clusters, most: int) -> tuple[Clusters, CutOut]:
    """The clusters of at most so many keys, and what was cut out."""
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
    """What became of people: those of a snapshot are kept, new and split off; those of the one before kept, merged and gone."""

    kept: int
    """With the name that they had."""
    new: int
    """None of whose keys was in the snapshot before."""
    split: int
    """With a new name: some of their keys had one, which stayed with somebody else."""
    merged: int
    """Names that have ended, since their person is now one with a person of an older name."""
    gone: int
    """Names that have ended, since none of their keys is in the snapshot any more."""


def named(clusters: Clusters, month: date, before: pl.DataFrame) -> tuple[pl.DataFrame, Changes]:
    """Each key's person, with the columns `NAMES`, in order of keys; `before` has the same of the snapshot before.

    A name stays with the cluster that has most of its keys (of several, that with the smallest of
    them), and of the names that stay with it a cluster has the oldest (of several, the smallest);
    null is older than any month. All other clusters get new names.
    """
    shared, at = places_in(before["key"].to_numpy(), clusters.keys)
    known = before[at[shared]].with_columns(first=pl.Series(clusters.first[shared]))
    parts = known.group_by("person_key", "first").agg(pl.len().alias("size"), pl.col("key", "named").min())
    stay = parts.sort("person_key", "size", "key", descending=[False, True, False])
    stay = stay.unique("person_key", keep="first", maintain_order=True)
    kept = stay.sort("first", "named", "person_key").unique("first", keep="first", maintain_order=True)
    heads = np.zeros(len(clusters.keys), bool)  # Where a cluster's smallest key is, and so far has no name.
    heads[clusters.first] = True
    heads[kept["first"].to_numpy()] = False
    others = np.flatnonzero(heads)
    names = np.zeros(len(clusters.keys), np.uint64)
    names[kept["first"].to_numpy()] = kept["person_key"].to_numpy()
    names[others] = new_names(pl.Series(clusters.keys[others]), month, before["person_key"]).to_numpy()
    months = np.full(len(clusters.keys), np.datetime64(month, "D"))
    months[kept["first"].to_numpy()] = kept["named"].to_numpy()
    made = {"key": clusters.keys, "person_key": names[clusters.first], "named": months[clusters.first]}
    heads[parts["first"].to_numpy()] = False
    new = int(np.count_nonzero(heads))
    ended = before["person_key"].n_unique() - stay.height
    return pl.DataFrame(made, NAMES), Changes(kept.height, new, len(others) - new, stay.height - kept.height, ended)


def places_in(keys: Keys, wanted: Keys) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Which of the wanted keys are among the keys (in order), and where."""
    if not len(keys):
        return np.zeros(len(wanted), bool), np.zeros(len(wanted), np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return keys[at] == wanted, at


def new_names(smallest: pl.Series, month: date, taken: pl.Series) -> pl.Series:
    """A name for each cluster by its smallest key (all different, in order) and the month; none of them is `taken`."""
    names = _hashed(smallest, month, 0)
    attempt = 0
    while (clash := names.is_in(taken.implode()) | ~names.is_first_distinct()).any():
        attempt += 1
        names = names.scatter(clash.arg_true(), _hashed(smallest.filter(clash), month, attempt))
    return names


def _hashed(smallest: pl.Series, month: date, attempt: int) -> pl.Series:
    """By SHA-256 over `mauwatch person`, the month, the key and the number of the attempt."""
    text = pl.format("mauwatch person {} {} {}", pl.lit(f"{month:%Y-%m}"), pl.col("key"), pl.lit(attempt))
    slices = smallest.rename("key").to_frame().iter_slices(_AT_A_TIME)  # Their texts wouldn't fit all at once.
    return pl.concat(
        [
            pl.Series(dtype=pl.UInt64),
            *(pl.DataFrame([as_text(some["key"])]).select(plain_key(text)).to_series().rename("") for some in slices),
        ]
    )
