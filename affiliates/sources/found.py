"""What counting asks of a source that was found, wherever its events lie."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Protocol

import polars as pl

from affiliates.source import Source

PORTION_BYTES = 32 << 20
"""Of files that are read together: polars reads ahead in all that it is given."""


class Found(Protocol):
    """One source of a product. Nothing of it is read before it is asked for."""

    @property
    def subject(self) -> str:
        """Affiliate and product, for what is refused."""

    @property
    def source(self) -> Source: ...

    @property
    def day_by_day(self) -> bool:
        """Whether days are read each by itself; else every reading goes through all that there is."""

    def has(self, day: date) -> bool:
        """Whether the day's events are all there; with none of them, the day has zero users."""

    def bytes_of(self, days: Sequence[date]) -> int:
        """Bytes that reading these days goes through, or a guess that is no less."""

    def fingerprint(self, days: Sequence[date]) -> str:
        """Changes with the events of these days, as far as it can be told cheaply; of all days where they aren't read apart."""

    def check(self, days: Sequence[date]) -> None:
        """Refuse what is damaged or lacks a column, before anything of these days counts. Raises `Refusal`."""

    def frames(
        self, days: Sequence[date], zone: str, columns: Sequence[str], now: datetime | None = None
    ) -> Iterator[pl.LazyFrame]:
        """The events of these days of `zone` (and perhaps others), one frame after the other, each good until the next.

        They have these columns (and perhaps others) and `__day__`, the day in a file's name, or null. With `now`, for
        checks, also the events whose time can't be: none at all, before 1971, after `now`.
        """

    def newest(self, rows: int) -> pl.LazyFrame:
        """At least so many events, for a first look; of the newest file where there are many. Raises `Refusal`."""

    def reading(self) -> AbstractContextManager[None]:
        """Turns what goes wrong while reading into a refusal that quotes no value."""

    def described(self) -> str:
        """How much there is, for people."""
