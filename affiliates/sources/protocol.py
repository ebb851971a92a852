"""The protocol that every kind of source fulfils: all that counting asks of a source, wherever the events lie."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple, Protocol, Self

import polars as pl

from affiliates.errors import Code, refused
from affiliates.manifests.source import Source

PORTION_BYTES = 32 << 20
"""Bytes of files that are read together. polars reads ahead in all files that one frame has, so more of them is more memory."""
_MOST_OF_A_DAY = 64
"""Characters that are read of a file that holds a day and nothing else."""
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
"""The earliest time of an event. An earlier time is taken for a missing one that was written as 0."""


class Fingerprint(NamedTuple):
    """What changes with the events of a source's period, as far as a cheap look shows: two digests (SHA-256, hex)."""

    stated: str
    """Of what a copy may keep, such as a file's name, size and time of change."""
    exact: str
    """Of the same with what no copy keeps: a file's inode, and the time of its attributes. `stated` where there is none."""

    @classmethod
    def of_all(cls, value: object) -> Self:
        """The fingerprint of a value (as `digest` takes it) of which a copy keeps nothing or all."""
        return cls(digest(value), digest(value))


class EventSource(Protocol):
    """One source of a product's events. `find` of the source's module makes it and reads no event for that.

    `days` are always days of the group's time zone, in ascending order. `files.Files` is the simplest example.
    """

    @property
    def subject(self) -> str:
        """The product as affiliate/product. Each refusal of the source begins with it."""

    @property
    def source(self) -> Source:
        """What the manifest says of the source: columns, conditions, time."""

    @property
    def day_by_day(self) -> bool:
        """Whether a day can be read without the others; else every reading goes through all events."""

    @property
    def complete_through(self) -> date | None:
        """The last day whose events are all there, by the manifest; null where the files' names say which days there are."""

    @property
    def left_out(self) -> Sequence[str]:
        """What lies where the manifest points and isn't read, in words for people: numbers with reasons; mostly nothing."""

    def has(self, day: date) -> bool:
        """Whether all events of the day are there. A day that is there and has no event has zero users."""

    def bytes_of(self, days: Sequence[date]) -> int:
        """Bytes that reading these days goes through, or a guess that is no less. Counting plans its passes by them."""

    def fingerprints(self, periods: Mapping[date, Sequence[date]]) -> dict[date, Fingerprint]:
        """By a period's first day, what changes with the period's events, as far as a cheap look shows.

        `periods`: the days of each period, by its first day. A period whose fingerprint has changed is counted again.
        """

    def check(self, days: Sequence[date]) -> None:
        """Check the parts that hold these days as a whole, before any of their events counts.

        Raises `RefusedError` for a part that is damaged or lacks a column.
        """

    def frames(self, days: Sequence[date], columns: Sequence[str], now: datetime | None = None) -> Iterator[pl.LazyFrame]:
        """The events of these days (and perhaps of others), in frames of which each is good until the next one is asked for.

        A frame has at least `columns`, `__day__` (the day in its file's name, or null) and `__file__` (its file's name, or null).
        Files whose columns differ in type make frames of their own. With `now` the frames are for a check: they also have the
        events that no day can have, whose time is missing, before `EARLIEST` or after `now`.
        """

    def newest(self, rows: int) -> pl.LazyFrame:
        """Events for a first look, of the newest day where the source knows it. More than `rows` of them aren't needed.

        There may be more, and fewer where the part that is looked at has fewer. Raises `RefusedError` for a damaged part.
        """

    def reading(self) -> AbstractContextManager[None]:
        """Turns an error of reading inside into a `RefusedError` that quotes no value. Frames are collected inside it."""

    def summary(self) -> str:
        """How much is there, in words for people: files and bytes, or a table's name."""


def digest(value: object) -> str:
    """SHA-256 (hex) of a value's `repr`: equal for equal values of plain types, such as lists of names and numbers."""
    return hashlib.sha256(repr(value).encode()).hexdigest()


def complete_through(setting: object, directory: Path, subject: str) -> date | None:
    """The last day whose events are all there, by the manifest's `complete_through`; None where the setting isn't given.

    The setting is a day, or the name of a file that holds one. Raises `RefusedError` for a file that doesn't.
    """
    if not isinstance(setting, str):
        return setting if isinstance(setting, date) else None
    rule = "`complete_through` names a file that doesn't hold a day"
    try:
        # Editors on Windows write a byte order mark. No more than a day is read, whatever the file's size.
        with (directory / setting).open(encoding="utf-8-sig") as file:
            text = file.read(_MOST_OF_A_DAY).strip()
        # Python would take 20250131 and 2025-W05-5, too.
        if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return date.fromisoformat(text)
    except FileNotFoundError:
        rule = "`complete_through` names a file that isn't there"
    except OSError:
        rule = "`complete_through` names a file that can't be read"
    except UnicodeDecodeError:  # It is a ValueError, too.
        rule = "`complete_through` names a file that isn't UTF-8 text"
    except ValueError:
        pass
    raise refused(
        Code.SOURCE_SETTING_WRONG, subject, rule, setting, "write one day (YYYY-MM-DD) and nothing else into it"
    ) from None
