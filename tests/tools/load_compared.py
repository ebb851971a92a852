"""What holds in two stores, whatever way they came to it: for `tests.tools.load`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.databases import rows_of


def stands(url: str, directory: Path) -> dict[str, list[Any]]:
    """What holds now, without the numbers of rows, times and what rests on them: of each thing its newest version."""
    rows = rows_of(url, directory)
    period = "affiliate", "product", "grain", "activity_date"
    current = _newest(rows["contributions"], period)
    in_force = _newest(rows["publications"], ("month", "reading"))
    periods, keys = ({row["id"]: key for key, row in found.items()} for found in (current, in_force))
    return {
        "contributions": [_without(row) for row in current.values()],
        "parts": [(periods[p["contribution_id"]], _without(p)) for p in rows["parts"] if p["contribution_id"] in periods],
        "publications": [_without(row) for row in in_force.values()],
        "figures": [_without(f) for f in rows["figures"] if f["publication"] in keys],
        "licence_tests": [_without(r) for r in _newest(rows["licence_tests"], ("licence", "licensee", "reading")).values()],
        **{name: [_without(row) for row in rows[name]] for name in ("sources_seen", "counts", "column_comments")},
    }


def _newest(rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    return {tuple(row[name] for name in key): row for row in sorted(rows, key=lambda row: row["id"])}


_NUMBERS_AND_TIMES = {
    "id", "contribution_id", "publication", "supersedes", "known_at", "computed_at", "seen_at", "inputs", "contributions_to",
}  # fmt: skip


def _without(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _NUMBERS_AND_TIMES}


def compared(there: Mapping[str, Sequence[Any]], clean: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """Rows that only one of two stores has."""
    for name in clean:
        here, other = Counter(map(repr, there[name])), Counter(map(repr, clean[name]))
        for what, rows in (("too many", here - other), ("missing", other - here)):
            yield from (f"{name}, {what}: {row}" for row in rows)
