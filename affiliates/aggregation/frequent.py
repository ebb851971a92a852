"""Values that stand for too many people: in a notable share of a period's events, or beside very many other identifiers.

A list of placeholders can't be whole. One value of nobody that counts as a person hides everybody behind it, and the figure is
low without a sign. So the most frequent values are judged by what they do. What is shown of one is its first character and its
length.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from affiliates.contributions.completeness import TOO_FEW_TO_JUDGE
from affiliates.errors import Code, RefusedError, refused
from affiliates.manifests.product import Product
from affiliates.manifests.source import Identifier
from affiliates.periods import DAY, month_of
from affiliates.sketches.arrays import Keys, Values
from affiliates.sketches.kernels.cells import FIRST_CODE
from affiliates.sketches.kernels.frequent import frequent_rows

SHARES = ((100, 0.2), (50, 0.5))
"""From how many people on, which share of a period's events one value may have where the manifest says nothing.

Of 35 people one may well make 60 % of the events (of 1,611 months of commits to a project, one person made over half in 52 of
those with 20 to 49 people, and in none with more), so of fewer than 50 nothing can be told.
"""
SHARES_OF_MONTHS = ((1000, 0.2), (50, 0.5))
"""As `SHARES`, of several days: of 152 months of a project with 50 to 99 people, one person made over a fifth in 41 and at most
37 %."""
LEAST_BESIDE = 10
"""Other identifiers beside one value below which nothing is told, however few people there are."""
SHARE_BESIDE = 0.01
"""The share of a period's people that may stand as other identifiers beside one value."""
_KEPT = 1000


_MOST_ROWS = 500_000
"""Events of a batch up to which its months are judged as well: with more, their days aren't too small to be judged."""


class FrequentValue(NamedTuple):
    """A value of a batch that may stand for too many people, by its person key."""

    day: date
    key: int
    events: int
    beside: int
    """Different values of the next identifiers on the same events; 0 where there is no next one."""
    column: str
    shown: str
    """What may be shown of the value."""


def frequent_values(
    rows: pl.DataFrame, keys: Keys, codes: Values, places: Values, identifiers: Sequence[Identifier], days: Sequence[date]
) -> list[FrequentValue]:
    """The values of a batch of events with over 8 events and over a thousandth of a day's.

    `rows` has `since` (days since the first day), `flags` and a column of texts for each of the identifiers; `keys`, `codes` and
    `places` have an element for each row: its key, the key's code, and the place of the identifier that gave the key.
    """
    since = rows["since"].to_numpy()
    n_days = (days[-1] - days[0]).days + 1
    return _values(rows, keys, codes, places, identifiers, days[0], since, n_days)


def frequent_values_of_months(
    rows: pl.DataFrame, keys: Keys, codes: Values, places: Values, identifiers: Sequence[Identifier], days: Sequence[date]
) -> list[FrequentValue]:
    """As `frequent_values`, of whole months, each named by its first day; none where the batch has one day, or very many events.

    A value of nobody with nine events a day is in no day's notable share, and hides everybody behind it all the same.
    """
    if days[0] == days[-1] or len(rows) > _MOST_ROWS:
        return []
    first = month_of(days[0])
    n_days = (days[-1] - days[0]).days + 1
    month_starts = [(month_of(days[0] + DAY * day) - first).days for day in range(n_days)]
    since = rows["since"].to_numpy()
    is_wanted = (since >= 0) & (since < n_days)
    starts = np.full(len(since), -1, np.int32)
    starts[is_wanted] = np.array(month_starts, np.int32)[since[is_wanted]]
    return _values(rows, keys, codes, places, identifiers, first, starts, month_starts[-1] + 1)


def _values(
    rows: pl.DataFrame,
    keys: Keys,
    codes: Values,
    places: Values,
    identifiers: Sequence[Identifier],
    first: date,
    since: npt.NDArray[np.int32],
    n_days: int,
) -> list[FrequentValue]:
    """As `frequent_values`, of periods that begin `since` days after the first."""
    rows_chosen: npt.NDArray[np.int64] = np.empty(len(keys), np.int64)
    chosen = rows_chosen[: frequent_rows(since, rows["flags"].to_numpy(), codes, keys, n_days, int(FIRST_CODE), rows_chosen)]
    if not len(chosen):
        return []
    names = [f"identifier_{number}" for number in range(len(identifiers))]
    place = pl.col("place")
    texts = pl.coalesce(pl.when(place == number).then(pl.col(name)) for number, name in enumerate(names))
    nexts = [pl.when(place < number).then(pl.col(name)) for number, name in enumerate(names) if number]
    frequent = rows.select(names)[chosen].with_columns(key=keys[chosen], place=places[chosen], since=since[chosen])
    values = (
        frequent.with_columns(text=texts, beside=pl.coalesce(nexts) if nexts else pl.lit(None, pl.String))
        .group_by("since", "key")
        .agg(
            pl.len().alias("events"),
            pl.col("beside").drop_nulls().n_unique(),
            pl.col("place", "text").first(),
        )
        .filter(pl.col("events") >= LEAST_BESIDE)
    )
    return [
        FrequentValue(first + DAY * since, key, events, beside, identifiers[place].column, masked(text or ""))
        for since, key, events, beside, place, text in values.iter_rows()
    ]


def masked(text: str) -> str:
    """What may be shown of an identifier: its first character and its length."""
    return f"`{text[:1]}…` of {len(text):,} characters"


class FrequentValues:
    """The most frequent values of one period, gathered batch by batch in bounded memory."""

    def __init__(self) -> None:
        self._by_key: dict[int, FrequentValue] = {}

    def add(self, values: Iterable[FrequentValue]) -> None:
        """Take values of a batch. Events add up; of `beside` the largest batch's counts."""
        for value in values:
            known = self._by_key.get(value.key)
            if known:
                value = known._replace(events=known.events + value.events, beside=max(known.beside, value.beside))
            self._by_key[value.key] = value
        if len(self._by_key) > 2 * _KEPT:
            most = sorted(self._by_key.values(), key=lambda value: (value.events, value.beside))[-_KEPT:]
            self._by_key = {value.key: value for value in most}

    def check(self, subject: str, product: Product, events: int, people: int, largest_person: int, n_days: int = 1) -> None:
        """Refuse a period in which one value stands for too many people. Raises `RefusedError`.

        `events` and `people`: of the period's users that aren't automated. `largest_person`: as in group.yaml. `n_days`: how
        many days the period has events of; of several, an honest person may have another device on each.
        """
        if not self._by_key:
            return
        limits = product.largest_identifier
        most = max(self._by_key.values(), key=lambda value: value.events)
        usual_share = next((share for least, share in (SHARES if n_days == 1 else SHARES_OF_MONTHS) if people >= least), 1.0)
        share = float(limits.share) if limits and limits.share else usual_share
        if events >= TOO_FEW_TO_JUDGE and most.events > share * events:
            raise _refused(subject, most, f"in {most.events:,} of {events:,} events; the limit is {share:.0%}", "share")
        widest = max(self._by_key.values(), key=lambda value: value.beside)
        # Of few people: more other identifiers than the whole period has people.
        usual = min(largest_person, max(people if n_days == 1 else people // 2, LEAST_BESIDE - 1, n_days))
        limit = limits.beside if limits and limits.beside else max(usual, int(SHARE_BESIDE * people))
        if widest.beside > limit:
            raise _refused(
                subject, widest, f"beside {widest.beside:,} different next identifiers; the limit is {limit:,}", "beside"
            )


def _refused(subject: str, value: FrequentValue, values: str, key: str) -> RefusedError:
    return refused(
        Code.EVENTS_OF_ONE_VALUE,
        subject,
        "one value stands for too many people",
        f"column {value.column}, {value.shown}: {values}",
        "where it names nobody, write it under `names_nobody` in group.yaml; where it is one person's, or a shared account, say "
        f"`largest_identifier: {{{key}: …, reason: …}}` in the manifest",
    )
