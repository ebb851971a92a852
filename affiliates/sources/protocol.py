"""What counting asks of a source that was found, wherever its events lie."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

import polars as pl

from affiliates.errors import Code, refused
from affiliates.manifests.source import Source

PORTION_BYTES = 32 << 20
"""Of files that are read together: polars reads ahead in all that it is given."""
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
"""A time before it is taken for a missing time that was written as 0."""


class EventSource(Protocol):
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

    def fingerprints(self, periods: Mapping[date, Sequence[date]]) -> dict[date, str]:
        """By period (its first day, with its days), what changes with its events, as far as it can be told cheaply."""

    def check(self, days: Sequence[date]) -> None:
        """Refuse what is damaged or lacks a column, before anything of these days counts. Raises `RefusedError`."""

    def frames(self, days: Sequence[date], columns: Sequence[str], now: datetime | None = None) -> Iterator[pl.LazyFrame]:
        """The events of these days (and perhaps others), one frame after the other, each good until the next.

        They have these columns (and perhaps others) and `__day__`, the day in a file's name, or null. With `now`, for
        checks, also the events whose time can't be: none at all, before 1971, after `now`.
        """

    def newest(self, rows: int) -> pl.LazyFrame:
        """At least so many events, for a first look; of the newest file where there are many. Raises `RefusedError`."""

    def reading(self) -> AbstractContextManager[None]:
        """Turns what goes wrong while reading into a refusal that quotes no value."""

    def described(self) -> str:
        """How much there is, for people."""


def digest(said: object) -> str:
    """What is said, as one short text that is equal only for equal things."""
    return hashlib.sha256(repr(said).encode()).hexdigest()


def complete_through(said: object, directory: Path, subject: str) -> date | None:
    """The last day whose events are all there, as a manifest or the file it names says; raises `RefusedError`."""
    if not isinstance(said, str):
        return said if isinstance(said, date) else None
    try:
        return date.fromisoformat((directory / said).read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        raise refused(
            Code.SOURCE_SETTING_WRONG,
            subject,
            "`complete_through` names a file that doesn't hold a day",
            said,
            "write one day (YYYY-MM-DD) and nothing else into it",
        ) from None
