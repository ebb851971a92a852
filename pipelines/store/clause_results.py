"""The results of every clause, with what would settle them: the table `clause_results`.

A test is a clause for a licensee, or a product of it, under a reading. Its last row is in force; the same result again adds none.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from affiliates.periods import LONGEST_RUN
from pipelines.store import publications, schema
from pipelines.store.engine import Store
from pipelines.store.publications import Publication
from pipelines.store.shown_schema import clause_results

Row = Mapping[str, Any]
"""Values by column name."""
KEY = ("licence", "clause", "licensee", "product", "reading")
"""The columns that name a test."""


def append(
    store: Store, rows: Sequence[Row], whole: bool = False, stood: Mapping[tuple[date, str], Publication] | None = None
) -> int:
    """Store the results that differ from those in force; gives how many.

    `whole`: the rows are all tests that there are, so any other test is noted as not being tested any more. `stood`: what was in
    force when the clauses were tested; results of months that were published since stay as these publications brought them.
    """
    with store.writing() as connection:
        within = Store(store.engine, connection, writes=True)
        since = set() if stood is None else publications.changed_months(within, stood)
        before = {_key(row): row for row in current(within)}
        new = [row for row in rows if row["month"] not in since and _is_news(row, before.get(_key(row)))]
        if whole and rows:
            # A product that uses a model no more has no test: its last result would else stand for good.
            there = {_key(row) for row in rows}
            at = max(row["known_at"] for row in rows)
            new += [_withdrawn(row, at) for key, row in before.items() if key not in there]
        if new:
            connection.execute(clause_results.insert(), [_later(row, before.get(_key(row))) for row in new])
    return len(new)


def current(store: Store) -> list[dict[str, Any]]:
    """The results in force: a row of `clause_results` each, in the order of licences, clauses, licensees and readings."""
    latest = schema.current(clause_results, *KEY)
    wanted = (
        sa.select(clause_results)
        .where(clause_results.c.id.in_(latest), clause_results.c.result.is_not(None))
        .order_by(*(clause_results.c[name] for name in KEY))
    )
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]


def history(store: Store, key: Sequence[str]) -> list[dict[str, Any]]:
    """All results of a test, the newest first; `key`: the values of `KEY`."""
    same = [clause_results.c[name] == value for name, value in zip(KEY, key, strict=True)]
    wanted = sa.select(clause_results).where(*same).order_by(clause_results.c.id.desc())
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]


def _key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in KEY)


def _is_news(row: Row, before: Row | None, without: Collection[str] = ("id", "known_at")) -> bool:
    """Whether a result isn't the one in force; one of a moment that is still to come says a wrong moment, and comes again."""
    if before is None or before["known_at"] > row["known_at"] + LONGEST_RUN:
        return True
    return any(row[name] != before[name] for name in row if name not in without)


def _later(row: Row, before: Row | None) -> dict[str, Any]:
    """The row, known after the one before: a run that began earlier may store later."""
    if before is None or not before["known_at"] - LONGEST_RUN <= row["known_at"] <= before["known_at"]:
        return dict(row)
    return {**row, "known_at": before["known_at"] + timedelta(microseconds=1)}


def _withdrawn(row: Row, at: Any) -> dict[str, Any]:
    """The row by which a test isn't made any more."""
    # The key and the month stay, so that the row says what isn't tested any more.
    emptied = dict.fromkeys(("result", "without_grants", "estimate", "lower", "upper", "settling"))
    return {
        **{name: value for name, value in row.items() if name != "id"},
        **emptied,
        "settled_by": "",
        "why": "",
        "known_at": at,
    }
