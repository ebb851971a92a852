"""Whether events agree with what group.yaml says of identifiers per person: a sample of what stands beside what.

An event's identifiers are one person's, and so are all identifiers beside one identifier of another namespace, or beside one
person of the crosswalk. So a namespace that is said to be at most one a person, and of which two stand beside one device, is
not; or two people share the device, which wasn't said either. Nothing but numbers leaves here.
"""

import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.errors import Code, refused
from affiliates.identity.keys import PERSON
from affiliates.identity.normalisation import normalise, rules_of
from affiliates.manifests.namespaces import UNSAID, ranges_of
from affiliates.manifests.settings import Settings
from affiliates.manifests.source import Identifier
from affiliates.periods import DAY, month_number, month_of
from affiliates.sketches.arrays import Keys

TOLERATED = 0.01
"""The share of people that may have more than is said: a borrowed telephone is no reason to doubt all statements."""
_ANCHORS = 20_000
"""People, or identifiers that stand for one, that are looked at in each pass: as many as tell 1 % from 2 % for certain."""
_ROWS = 200_000
"""Events of a batch whose identifiers are compared before the sample is full."""
_MOST_MEMBERS = 64
"""Identifiers beside one that are counted; a device in a shop has thousands."""
_ALL = (1 << 64) - 1
_SCHEMA = {"anchor": pl.UInt64(), "month": pl.Int32(), "member": pl.UInt64()}


class _Pair(NamedTuple):
    """What is looked at: identifiers of one column (members) beside one of another column, or beside one person (anchors)."""

    anchor: int | None
    """The anchors' column, by its place among the identifiers; null for people of the crosswalk."""
    member: int
    """The members' column."""
    limit: int
    """Members that stand beside one anchor at most, by what is said."""


@dataclass
class _Seen:
    """What was seen of a pair."""

    beside: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_SCHEMA))
    """Each anchor (a hash) in each month, with each of its members (a hash) once."""
    highest: int | None = None
    """Anchors with a higher hash aren't looked at; null before the first batch."""


class PerPersonSample:
    """What the events of one source show of identifiers per person; for several threads at once."""

    def __init__(self, identifiers: Sequence[Identifier], settings: Settings, person_code: int | None, first: date) -> None:
        """`person_code`: the code of rows whose key is a person of the crosswalk; null without one. `first`: day 0 of `add`."""
        self._identifiers = identifiers
        self._settings = settings
        self._said = ranges_of(settings.namespaces)
        self._person_code = person_code
        self._first = first
        self._seed = secrets.randbits(64)
        self._lock = threading.Lock()
        self._seen = {pair: _Seen() for pair in self._pairs()}

    def _pairs(self) -> Iterator[_Pair]:
        anchors: list[int | None] = [*range(len(self._identifiers)), *([] if self._person_code is None else [None])]
        for member, identifier in enumerate(self._identifiers):
            most = self._said.get(identifier.namespace, UNSAID).most
            for anchor in anchors if most is not None else ():
                if anchor != member:
                    shared_by = self._said.get(self._namespace(anchor), UNSAID).shared_by
                    yield _Pair(anchor, member, int((most or 0) * shared_by + 1e-9))

    def _namespace(self, column: int | None) -> str:
        return PERSON if column is None else self._identifiers[column].namespace

    @property
    def is_needed(self) -> bool:
        """Whether anything is said that these identifiers can contradict."""
        return bool(self._seen)

    def add(self, columns: Sequence[pl.Series], keys: Keys, codes: npt.NDArray[np.uint8], days: npt.NDArray[np.int32]) -> None:
        """Take a batch of events that count. `columns`: texts by identifier; `days`: since the first, negative for no day."""
        if not (self.is_needed and len(keys)):
            return
        hashes = [column.hash(self._seed).to_numpy() for column in columns]
        for pair, seen in self._seen.items():
            anchors = keys if pair.anchor is None else hashes[pair.anchor]
            with self._lock:
                if seen.highest is None:
                    seen.highest = _ALL if len(keys) <= _ROWS else int(_ALL / len(keys) * _ROWS)
                highest = seen.highest
            wanted = (anchors <= np.uint64(highest)) & (days >= 0) & columns[pair.member].is_not_null().to_numpy()
            if pair.anchor is None:
                wanted &= codes == self._person_code
            else:
                wanted &= columns[pair.anchor].is_not_null().to_numpy()
            rows = np.flatnonzero(wanted)
            if len(rows):
                beside = self._beside(pair, columns, anchors[rows], days[rows], rows)
                with self._lock:
                    _take(seen, beside)

    def _beside(
        self, pair: _Pair, columns: Sequence[pl.Series], anchors: Keys, days: npt.NDArray[np.int32], rows: npt.NDArray[np.int64]
    ) -> pl.DataFrame:
        """Anchors with their members, of some rows, as `_Seen` has them."""
        numbers = [month_number(month_of(self._first + DAY * day)) for day in range(int(days.max()) + 1)]
        frame = pl.DataFrame({"anchor": anchors, "month": np.array(numbers, np.int32)[days]})
        frame = frame.with_columns(member=self._normalised(pair.member, columns, rows))
        if pair.anchor is not None:
            own = self._normalised(pair.anchor, columns, rows)
            frame = frame.filter(own.is_not_null())  # A placeholder stands for nobody, so for no one person.
            if self._namespace(pair.anchor) == self._namespace(pair.member):
                # Of one namespace: the anchor is one of the person's identifiers itself.
                frame = pl.concat([frame, frame.with_columns(member=own.drop_nulls())])
        return frame.drop_nulls().unique()

    def _normalised(self, column: int, columns: Sequence[pl.Series], rows: npt.NDArray[np.int64]) -> pl.Series:
        """Hashes of a column's normalised identifiers; null for placeholders."""
        identifier = self._identifiers[column]
        texts = columns[column].gather(rows).alias("text").to_frame()
        rules = rules_of(self._settings, identifier.namespace)
        normalised = texts.select(normalise(pl.col("text"), identifier.namespace, identifier.region, rules)).to_series()
        # By the namespace, and not the column: one address in two columns is one identifier.
        return pl.select(pl.when(normalised.is_not_null()).then(normalised.hash(self._seed))).to_series()

    def check(self, subject: str) -> None:
        """Refuse what contradicts group.yaml. Raises `RefusedError` (NAMESPACE_CONTRADICTED)."""
        for pair, seen in self._seen.items():
            counted = seen.beside.group_by("anchor", "month").agg(pl.col("member").n_unique())
            most = counted.group_by("anchor").agg(pl.col("member").max())["member"]
            above = int((most > pair.limit).sum())
            if above > TOLERATED * len(most):
                raise self._contradicted(subject, pair, above, len(most), int(most.max()))  # type: ignore[arg-type]

    def _contradicted(self, subject: str, pair: _Pair, above: int, looked_at: int, most: int) -> Exception:
        namespace = self._namespace(pair.member)
        beside = self._namespace(pair.anchor)
        said = self._said[namespace]
        anchors = "people of the crosswalk" if pair.anchor is None else f"identifiers of {beside}"
        values = f"{namespace}: {said} is said, and {above:,} of {looked_at:,} {anchors} stand beside more than {pair.limit}"
        several = "more" if most >= _MOST_MEMBERS else most
        shared = "" if pair.anchor is None or beside == namespace else (
            f"; or, where people share one, of {beside}: `identifiers_per_person: [0.5, …]`"
        )  # fmt: skip
        nobody = "" if pair.anchor is None or above != 1 else (
            f"; or, where that value of {beside} names nobody, write it under `names_nobody`"
        )  # fmt: skip
        return refused(
            Code.NAMESPACE_CONTRADICTED,
            subject,
            "one person has more identifiers in a month than group.yaml says",
            f"{values}, at most {several}",
            f"say what holds in group.yaml: `namespaces: {{{namespace}: {{identifiers_per_person: [1, {max(most, 2)}]}}}}`, or "
            f"`several` where nobody knows{shared}{nobody}",
        )


def _is_wanted(seen: _Seen) -> pl.Expr:
    return pl.col("anchor") <= pl.lit(seen.highest, pl.UInt64)


def _take(seen: _Seen, beside: pl.DataFrame) -> None:
    """Add what a batch has, and keep so few anchors that memory is bounded: those with the lowest hashes."""
    assert seen.highest is not None
    table = pl.concat([seen.beside, beside.cast(_SCHEMA)]).filter(_is_wanted(seen)).unique()  # type: ignore[arg-type]
    while table["anchor"].n_unique() > _ANCHORS:
        seen.highest //= 2
        table = table.filter(_is_wanted(seen))
    seen.beside = table.group_by("anchor", "month").head(_MOST_MEMBERS)
