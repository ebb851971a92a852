"""What a snapshot's file says of itself, and whether a snapshot may be what it is taken for: its month, its key, its people.

A snapshot that another program has made goes through here as one of `mauwatch crosswalk` does. A join on an empty person id makes
thousands of people one, and a snapshot of another month or key joins the wrong people or nobody.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from affiliates.concurrency import read_small
from affiliates.errors import Code, RefusedError, printable, refused
from affiliates.identity.keyring import Keyring
from affiliates.manifests.settings import Settings
from affiliates.periods import month_from_text

MONTH = "mauwatch.month"
"""The key of a Parquet file's metadata, or of the JSON file beside the file, that says the snapshot's month (YYYY-MM)."""
KEY_FINGERPRINT = "mauwatch.key_fingerprint"
"""The same for the fingerprint of the group key under which the keys were made."""
_MOST_BYTES = 1 << 16
"""Bytes of the JSON file beside a snapshot at most."""
BESIDE = ".json"
"""Ending of the JSON file beside a snapshot, for programs that can't write a Parquet file's metadata."""
MANY_KEYS = 5
"""Keys that people have on average at most, or a twentieth of `largest_person` where that is more."""


@dataclass(frozen=True)
class Statement:
    """What a snapshot's file, or the file beside, says of the snapshot."""

    month: str | None = None
    """YYYY-MM."""
    key_fingerprint: str | None = None

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> "Statement":
        """What a Parquet file's metadata says."""
        return cls(metadata.get(MONTH), metadata.get(KEY_FINGERPRINT))

    def unsaid(self, is_monthly: bool) -> list[str]:
        """What isn't said, in words; `is_monthly`: the snapshot is of one month. One of all months has none that it could say."""
        said = {**({"its month": self.month} if is_monthly else {}), "its key's fingerprint": self.key_fingerprint}
        return [what for what, value in said.items() if value is None]

    def metadata(self) -> dict[str, str]:
        """The statement as a Parquet file's metadata."""
        return {name: value for name, value in ((MONTH, self.month), (KEY_FINGERPRINT, self.key_fingerprint)) if value}


NOTHING_SAID = Statement()
"""The statement of a snapshot of which nothing is said."""


@dataclass(frozen=True)
class Expected:
    """What a snapshot is read for."""

    largest_person: int
    """Keys of one person at most, by group.yaml."""
    month: date | None = None
    """The month's first day; null for the one snapshot of all months."""
    fingerprints: Callable[[], Collection[str]] = tuple
    """The fingerprints of the keys that may have made it; empty where none is known here."""

    @classmethod
    def of(cls, settings: Settings, keys: Keyring, month: date) -> "Expected":
        """What a group's snapshot of a month is read for; one snapshot of all months may be of any epoch's key."""
        monthly = "{month}" in (settings.crosswalk or "")
        months = [month] if monthly else [epoch.from_ or date.min for epoch in settings.epochs]
        return cls(settings.largest_person, month if monthly else None, lambda: _fingerprints(keys, months))


def _fingerprints(keys: Keyring, months: Sequence[date]) -> list[str]:
    """The fingerprints of months' keys, as far as they are known on this machine."""
    known = list[str | None]()
    for month in months:
        try:
            known.append(keys.fingerprint(month))
        except RefusedError:  # An engine that hashes elsewhere leaves no key here.
            known.append(keys.source(month).fingerprint)
    return [fingerprint for fingerprint in known if fingerprint]


def is_said(key: str, value: str) -> bool:
    """Whether a pair of a file's metadata is a part of a statement, and a word of a kind that can be nobody's."""
    return key in (MONTH, KEY_FINGERPRINT) and re.fullmatch("[0-9A-Za-z-]{1,64}", value) is not None


def read(path: Path) -> Statement:
    """What is said of a snapshot's file. Raises `RefusedError` for a file beside that is no statement, or says otherwise."""
    within = inside(path)
    beside = _beside(path.with_name(path.name + BESIDE))
    for name in (MONTH, KEY_FINGERPRINT):
        if name in within and within[name] != beside.get(name, within[name]):
            values = f"{name}: {printable(within[name])} in the file, {printable(beside[name])} beside"
            raise refused(Code.CROSSWALK_INVALID, path.name, "says two things of itself", values, f"correct {path.name}{BESIDE}")
    return Statement.from_metadata(beside | within)


def inside(file: Path | bytes) -> dict[str, str]:
    """The metadata of a Parquet file, or of its bytes; empty where they can't be read: whoever reads the table says so."""
    try:
        return pl.read_parquet_metadata(file)
    except (pl.exceptions.PolarsError, OSError):
        return {}


def _beside(path: Path) -> dict[str, str]:
    try:
        content = json.loads(read_small(path, _MOST_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise refused(
            Code.CROSSWALK_INVALID,
            path.name,
            "is no statement about a snapshot",
            "",
            f'write it as {{"{MONTH}": "YYYY-MM", "{KEY_FINGERPRINT}": "..."}}',
        )
    return content


def check_people(people: pl.Series, largest_person: int, subject: str) -> None:
    """Refuse a snapshot in which one person, or people on average, have more keys than people have. Raises `RefusedError`.

    `people`: the person's key beside each key.
    """
    sizes = people.value_counts(name="keys")["keys"].to_numpy()
    next_step = (
        "see to the join, where an empty or a shared person id makes many people one; where people really have so many "
        "identifiers, raise `largest_person` in group.yaml"
    )
    if above := int((sizes > largest_person).sum()):
        values = f"{above:,} with more than {largest_person}, the largest with {int(sizes.max()):,}"
        raise refused(Code.CROSSWALK_INVALID, subject, "one person has more keys than a person has", values, next_step)
    if len(people) > max(MANY_KEYS, largest_person / 20) * len(sizes):
        values = f"{len(people):,} keys of {len(sizes):,} people, {len(people) / len(sizes):.1f} each"
        raise refused(Code.CROSSWALK_INVALID, subject, "people have more keys than people have", values, next_step)


def check(statement: Statement, last_named: date | None, expected: Expected, subject: str) -> None:
    """Refuse a snapshot of another month or another key than it is read for. Raises `RefusedError`.

    `last_named`: the latest month in which a name of the snapshot was given, where the file says so.
    """
    month = expected.month
    if statement.month is not None:
        _check_month(statement.month, month, subject)
    if month is not None and last_named is not None and last_named > month:
        values = f"it names people since {last_named:%Y-%m}, and is read for {month:%Y-%m}"
        raise refused(Code.CROSSWALK_INVALID, subject, "is of a later month", values, "put the month's own snapshot there")
    if statement.key_fingerprint is not None:
        fingerprints = expected.fingerprints()
        if fingerprints and statement.key_fingerprint not in fingerprints:
            values = f"fingerprint {_shown(statement.key_fingerprint)}, the month's is {' or '.join(fingerprints)}"
            next_step = "make it again with the month's key: keys of another one are nobody's here"
            raise refused(Code.CROSSWALK_INVALID, subject, "was made under another key", values, next_step)


def _check_month(stated: str, month: date | None, subject: str) -> None:
    try:
        is_of = month_from_text(stated)
    except ValueError:
        values = printable(stated)
        raise refused(Code.CROSSWALK_INVALID, subject, "its month is none", values, "write it as YYYY-MM") from None
    if month is not None and is_of != month:
        values = f"it says {is_of:%Y-%m}, and is read for {month:%Y-%m}"
        raise refused(Code.CROSSWALK_INVALID, subject, "is of another month", values, "put the month's own snapshot there")


def _shown(text: str) -> str:
    """A stated fingerprint as it may be shown: twelve hex characters, else `…`."""
    return text if len(text) == 12 and set(text) <= set("0123456789abcdef") else "…"
