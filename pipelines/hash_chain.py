"""A hash chain: a list of entries, each of which holds the digest of the entry before.

Nobody can change, remove or insert an entry without changing all entries after it. This module is pure and knows no store:
whoever has the entries can check them. Whoever keeps a chain can write the whole chain anew, so the last digest of each
month goes to somebody else, on paper.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

FIRST = "0" * 64
"""The first entry's `previous`, in the place of a digest."""


@dataclass(frozen=True)
class LedgerEntry:
    """An entry of the chain."""

    number: int
    """From 1 on, without a gap."""
    at: str
    """When the entry was written: UTC in ISO 8601, with microseconds."""
    kind: str
    """`began`, `published`, `tested` or `erased`."""
    body: Mapping[str, Any]
    """What happened, as names and digests; no figure."""
    previous: str
    """Digest of the entry before, or `FIRST`."""
    digest: str
    """`digest_of` all other fields."""

    def to_line(self) -> str:
        """The entry as one line of a ledger's file, without the line's end."""
        return canonical(asdict(self))


def canonical(value: Any) -> str:
    """JSON with one text for one content: keys sorted, no spaces, moments in UTC. Raises `TypeError` for other types."""
    # NaN and infinity are no JSON: another reader couldn't make the digest again.
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain, allow_nan=False)


def digest_of(value: Any) -> str:
    """SHA-256 of a value's canonical JSON, in hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def publication_digest(publication: Mapping[str, Any], figures: Iterable[Mapping[str, Any]]) -> str:
    """The digest of a publication: of its row, and of its figures' rows in the order of scope and subject.

    The rows' values are those of `row_content`, so two stores with the same figures have the same digest.
    """
    rows = [row_content(figure, ("id", "publication")) for figure in figures]
    own = row_content(publication, ("id", "supersedes"))
    return digest_of([own, sorted(rows, key=lambda figure: (figure["scope"], figure["subject"]))])


def row_content(row: Mapping[str, Any], without: Collection[str] = ("id",)) -> dict[str, Any]:
    """A row's values for a digest, but for the columns `without` (numbers that a store gave) and for nulls.

    A column that a later schema adds is null in older rows: their digests stay as they are.
    """
    return {name: value for name, value in row.items() if name not in without and value is not None}


def next_entry(last: LedgerEntry | None, kind: str, body: Mapping[str, Any], at: datetime) -> LedgerEntry:
    """The entry that follows the last one; the first entry where `last` is null."""
    fields = {
        "number": last.number + 1 if last else 1,
        "at": _plain(at),
        "kind": kind,
        # As a reader of the stored text gets the body: dates are texts in it.
        "body": json.loads(canonical(body)),
        "previous": last.digest if last else FIRST,
    }
    return LedgerEntry(**fields, digest=digest_of(fields))


def from_lines(text: str) -> list[LedgerEntry]:
    """The entries of a ledger's file, one a line. Raises `ValueError` for a line that is no entry in canonical JSON."""
    entries = []
    # `splitlines` would cut at U+0085 and U+2028, too, which canonical JSON holds as they are.
    for line in text.removesuffix("\n").split("\n") if text else ():
        try:
            fields = json.loads(line)
        except RecursionError:
            raise ValueError("a line is nested too deep") from None
        # Other spaces or another order would be changed bytes that no digest covers.
        if not isinstance(fields, dict) or set(fields) != set(LedgerEntry.__dataclass_fields__) or canonical(fields) != line:
            raise ValueError("a line is no entry")
        entries.append(LedgerEntry(**fields))
    return entries


def faults(entries: Iterable[LedgerEntry]) -> list[str]:
    """What doesn't fit in a chain, a sentence each; empty for a whole chain."""
    sentences: list[str] = []
    last: LedgerEntry | None = None
    for entry in entries:
        fields = {name: value for name, value in asdict(entry).items() if name != "digest"}
        if entry.number != (last.number + 1 if last else 1):
            sentences.append(f"entry {entry.number} comes after {last.number if last else 'nothing'}")
        elif entry.previous != (last.digest if last else FIRST):
            sentences.append(f"entry {entry.number} doesn't hold the digest of the one before")
        if digest_of(fields) != entry.digest:
            sentences.append(f"entry {entry.number} isn't what its digest says")
        last = entry
    return sentences


def head_of(entries: Sequence[LedgerEntry], month: date) -> LedgerEntry | None:
    """The last entry that signs a month (closed or restated): its digest is printed and sent. Null before the month is closed."""
    signed = (
        entry
        for entry in entries
        if entry.kind == "published" and entry.body.get("month") == f"{month:%Y-%m}" and entry.body.get("state") != "preliminary"
    )
    return max(signed, key=lambda entry: entry.number, default=None)


def _plain(value: Any) -> str:
    # A `datetime` is a `date`, too, so it comes first. By default `isoformat` leaves out microseconds that are 0.
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)
