"""What events and ready keys become on their way to contributions: batches of keys by cell, and the first look at a source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from affiliates.aggregation.frequent import FrequentValue
from affiliates.sketches.arrays import Keys


class CellKeys(NamedTuple):
    """The users of one audience and namespace on one day, as far as a batch has them."""

    day: date
    audience: str
    namespace: str
    keys: Keys
    """The keys of the events' users; a key can come again, here and in later batches."""
    events: int
    """How many events the keys stand for."""


class NotCounted(NamedTuple):
    """Numbers of a day's events that are nobody's, or that a condition leaves out or undecided."""

    day: date
    unidentified: int
    """Events that count and have no usable identifier."""
    undecided: int
    """Events for which a condition was null; null counts as false."""
    left_out: int
    """Events among the undecided that don't count because `counts_when` was null."""
    excluded: int = 0
    """Events that don't count because `counts_when` was false."""


@dataclass(frozen=True)
class Batch:
    """Some events of a source. Batches of one source add up; their keys must be united by something idempotent."""

    cells: Sequence[CellKeys]
    not_counted: Sequence[NotCounted]
    canaries: Mapping[str, Keys] = field(default_factory=dict)
    """By namespace, keys of the protocol's fixed identifiers, where somebody else has made the keys."""
    frequent: Sequence[FrequentValue] = ()
    """Values that may stand for too many people on a day."""
    frequent_in_month: Sequence[FrequentValue] = ()
    """Values that may stand for too many people in a month, each with the month's first day."""
    tells_excluded: bool = True
    """Whether the source tells how many events `counts_when` left out; a table of ready keys may not."""


@dataclass(frozen=True)
class SourceSample:
    """A first look at the newest part of a source, which `doctor` shows."""

    empty: bool
    """Whether the part has no event at all."""
    counting: int
    """How many of its first events count."""
    unidentified: int
    """How many of those have no usable identifier."""
    left_out: int = 0
    """Beside those, how many of its first events don't count because `counts_when` was null."""
    automated: int = 0
    """How many of those that count are automated users'."""
