"""What the page of licences reads: each clause's result by licensee, product and reading, and what would settle it.

The words of a clause, its grade of evidence and its sources are the registry's (`pipelines.licences.registry`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from affiliates.periods import month_from_text
from pipelines.store import clause_results
from pipelines.store.engine import Store


@dataclass(frozen=True)
class ClauseResult:
    """The result of one clause for one licensee (or product of it) under one reading. Numbers are people."""

    reading: str
    result: str
    """under, over, undetermined, not_measured, granted or exempt."""
    without_grants: str | None
    """The test's own result, where a grant or an exemption stands in its place."""
    of_record: bool
    complete: bool
    estimate: int | None
    lower: int | None
    upper: int | None
    """What the reading counts: each person once, or the sum of products with its bounds."""
    headroom: int | None
    """Threshold less estimate."""
    headroom_lower: int | None
    """Threshold less upper bound: the least that is left; null without an upper bound."""
    headroom_upper: int | None
    """Threshold less lower bound: the most that is left."""
    settled_by: tuple[str, ...]
    """What would settle it, a sentence each; empty where it is settled."""
    settling: Mapping[str, Any] | None
    """The same in numbers, as `licences --json` has it: how far from a result, and the causes that would turn it."""
    why: tuple[str, ...]
    by_month: Mapping[date, str]
    """The result of each published month, of a clause that is tested month by month."""
    known_at: datetime
    """Since when it stands."""


@dataclass(frozen=True)
class ClauseRow:
    """A row of the matrix: one test, with a result under each reading."""

    licence: str
    """The licence's id in the registry."""
    clause: str
    """The clause's id in the licence."""
    licensee: str
    product: str
    """As affiliate/product; empty where the clause asks about no single one."""
    month: date | None
    """First day of the month that was tested; null where none is."""
    threshold: int | None
    comparator: str | None
    results: Mapping[str, ClauseResult]
    """By the reading's name."""

    @property
    def of_record(self) -> ClauseResult | None:
        """The result under the reading of record; null where none is of record."""
        return next((result for result in self.results.values() if result.of_record), None)


def matrix(store: Store) -> tuple[ClauseRow, ...]:
    """All tests in force, in the order of licences, clauses, licensees and products; empty where none is published yet."""
    tests: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in clause_results.current(store):
        tests.setdefault((row["licence"], row["clause"], row["licensee"], row["product"]), []).append(row)
    return tuple(_row(of_test) for of_test in tests.values())


def earlier(store: Store, licence: str, clause: str, licensee: str, product: str, reading: str) -> tuple[ClauseResult, ...]:
    """The results that one test has had, the newest first; while it wasn't tested there is none."""
    rows = clause_results.history(store, (licence, clause, licensee, product, reading))
    return tuple(_result(row) for row in rows if row["result"] is not None)


def _row(of_test: Sequence[Mapping[str, Any]]) -> ClauseRow:
    first = of_test[0]
    names = ("licence", "clause", "licensee", "product", "month", "threshold", "comparator")
    results = {row["reading"]: _result(row) for row in of_test}
    return ClauseRow(**{name: first[name] for name in names}, results=results)


def _result(row: Mapping[str, Any]) -> ClauseResult:
    threshold = row["threshold"]

    def left(people: int | None) -> int | None:
        return None if threshold is None or people is None else threshold - people

    return ClauseResult(
        reading=row["reading"],
        result=row["result"],
        without_grants=row["without_grants"],
        of_record=row["of_record"],
        complete=row["complete"],
        estimate=row["estimate"],
        lower=row["lower"],
        upper=row["upper"],
        headroom=left(row["estimate"]),
        headroom_lower=left(row["upper"]),
        headroom_upper=left(row["lower"]),
        settled_by=tuple(row["settled_by"].splitlines()),
        settling=json.loads(row["settling"]) if row["settling"] else None,
        why=tuple(row["why"].splitlines()),
        by_month={month_from_text(month): result for month, result in json.loads(row["by_month"]).items()},
        known_at=row["known_at"],
    )
