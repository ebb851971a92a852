"""A chain of entries, each of which holds the digest of the one before: none can be changed, left out or put between without
all that come after it. Pure, and without the store: whoever has the entries can check them.

A chain can be written anew as a whole by whoever keeps it. So the last digest of each month goes to somebody else, on paper.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

FIRST = "0" * 64
"""What stands for the digest before the first entry."""


@dataclass(frozen=True)
class LedgerEntry:
    """Something that was noted for good."""

    number: int
    """From 1 on, without a gap."""
    at: str
    """When, in UTC (ISO 8601)."""
    kind: str
    body: Mapping[str, Any]
    previous: str
    digest: str

    def to_line(self) -> str:
        """As one line of a ledger's file."""
        return canonical(asdict(self))


def canonical(said: Any) -> str:
    """JSON that is the same for the same content: keys in order, no space, moments in UTC."""
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain, allow_nan=False)


def digest_of(said: Any) -> str:
    """SHA-256 of what is said, in canonical JSON (hex)."""
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def content(publication: Mapping[str, Any], figures: Iterable[Mapping[str, Any]]) -> str:
    """The digest of all that a publication says: its row and its figures', without the numbers that a store gave them."""
    told = [said(figure, ("id", "publication")) for figure in figures]
    own = said(publication, ("id", "supersedes"))
    return digest_of([own, sorted(told, key=lambda figure: (figure["scope"], figure["subject"]))])


def said(row: Mapping[str, Any], without: Collection[str] = ("id",)) -> dict[str, Any]:
    """What a row says, without the numbers that a store gave it, and without nulls: a column that is added later is null in
    older rows, and their digests stay."""
    return {name: value for name, value in row.items() if name not in without and value is not None}


def follow(last: LedgerEntry | None, kind: str, body: Mapping[str, Any], at: datetime) -> LedgerEntry:
    """The entry after the last one."""
    number, previous = (last.number + 1, last.digest) if last else (1, FIRST)
    said = {"number": number, "at": _plain(at), "kind": kind, "body": json.loads(canonical(body)), "previous": previous}
    return LedgerEntry(**said, digest=digest_of(said))


def from_lines(text: str) -> list[LedgerEntry]:
    """The entries of a ledger's file; raises `ValueError` for what is none."""
    entries = []
    for line in text.splitlines():
        said = json.loads(line)
        if not isinstance(said, dict) or set(said) != set(LedgerEntry.__dataclass_fields__) or canonical(said) != line:
            raise ValueError("a line is no entry")
        entries.append(LedgerEntry(**said))
    return entries


def wrong(entries: Iterable[LedgerEntry]) -> list[str]:
    """What doesn't fit in a chain; empty for a whole one."""
    found: list[str] = []
    last: LedgerEntry | None = None
    for entry in entries:
        said = {name: value for name, value in asdict(entry).items() if name != "digest"}
        if entry.number != (last.number + 1 if last else 1):
            found.append(f"entry {entry.number} comes after {last.number if last else 'nothing'}")
        elif entry.previous != (last.digest if last else FIRST):
            found.append(f"entry {entry.number} doesn't hold the digest of the one before")
        if digest_of(said) != entry.digest:
            found.append(f"entry {entry.number} isn't what its digest says")
        last = entry
    return found


def head_of(entries: Sequence[LedgerEntry], month: date) -> LedgerEntry | None:
    """The last entry that signs a month: what is printed and sent."""
    signed = (
        e
        for e in entries
        if e.kind == "published" and e.body.get("month") == f"{month:%Y-%m}" and e.body.get("state") != "preliminary"
    )
    return max(signed, key=lambda entry: entry.number, default=None)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)
