"""The door to what was published: publications with their figures, and results of licence tests.

A month's publications, all its readings and tests, appear in one transaction, so nobody sees half of
them. A closed month takes no further preliminary ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pipelines.records import Position
from pipelines.store import ledger, schema
from pipelines.store.engine import Store
from pipelines.store.versions import last_id

PRELIMINARY = "preliminary"
CLOSED = "closed"
RESTATED = "restated"

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Publication:
    """One publishing of a month's figures under a reading, without the figures."""

    id: int
    month: date
    reading: str
    state: str
    inputs: str
    method: int
    not_counted: tuple[str, ...]
    contributions_to: int | None
    counts_to: int | None
    signed_by: str | None
    despite: str | None
    reason: str | None
    supersedes: int | None
    collected: str | None
    """JSON: what affiliates attested when it was signed, and what was reconciled."""
    known_at: datetime

    @property
    def signed(self) -> bool:
        return self.state != PRELIMINARY

    @property
    def position(self) -> Position | None:
        """How far the store was filled for it."""
        if self.contributions_to is None or self.counts_to is None:
            return None
        return Position(self.contributions_to, self.counts_to, self.known_at)


@dataclass(frozen=True)
class NewPublication:
    """A publication to be, with its figures' rows."""

    row: Row
    figures: Sequence[Row]


def append(
    store: Store,
    month: date,
    new: Sequence[NewPublication],
    tests: Sequence[Row],
    also: Callable[[Store], None] = lambda within: None,
) -> bool:
    """Publish a month under each reading, with the licence tests that differ from what was found before; `also` is done in the
    same transaction.

    Says whether it did: a month that has been signed in the meantime stays as it is, unless what is
    new is signed too and supersedes just that; and so does one that another run has published knowing
    as much, or more. Its tests then stay as they are as well: they are of the figures in force.
    """
    p = schema.publications
    with store.writing() as connection, ledger.noting(connection):
        before = in_force(Store(store.engine, connection), month)
        new = [n for n in new if (_adds if n.row["state"] == PRELIMINARY else _follows)(n.row, before)]
        latest = max((p.known_at for p in before.values()), default=None)
        number = last_id(connection, p)
        for publication in new:
            number += 1
            connection.execute(p.insert(), [{**_later(publication.row, latest), "id": number}])
            rows = [{**_later(row, latest), "publication": number} for row in publication.figures]
            connection.execute(schema.figures.insert(), rows)
        if new:
            _append_tests(connection, tests)
            also(Store(store.engine, connection, writes=True))
    return bool(new)


def _later(row: Row, latest: datetime | None) -> Row:
    """Known after what was known before it: a run that began earlier may publish later."""
    return row if latest is None or row["known_at"] > latest else {**row, "known_at": latest + timedelta(microseconds=1)}


def _follows(row: Row, before: Mapping[tuple[date, str], Publication]) -> bool:
    """Whether signed figures supersede what is signed now: two may be closing a month at the same moment."""
    last = before.get((row["month"], row["reading"]))
    return bool(row["supersedes"] == (last.id if last and last.signed else None))


def _adds(row: Row, before: Mapping[tuple[date, str], Publication]) -> bool:
    """Whether preliminary figures are news beside what is in force."""
    if any(p.signed for p in before.values()):
        return False
    last = before.get((row["month"], row["reading"]))
    if last is None or last.contributions_to is None or last.counts_to is None:
        return True
    if (last.contributions_to, last.counts_to) == (row["contributions_to"], row["counts_to"]):
        return bool((last.inputs, last.method) != (row["inputs"], row["method"]))
    return bool(last.contributions_to <= row["contributions_to"] and last.counts_to <= row["counts_to"])


def append_tests(store: Store, rows: Sequence[Row], stood: Mapping[tuple[date, str], Publication]) -> int:
    """Note the results of licence tests that differ from what was found before; says how many.

    `stood`: what was in force when they were tested. What has been published since brought its own.
    """
    with store.writing() as connection, ledger.noting(connection):
        stands = in_force(Store(store.engine, connection))
        published = {month for month, _ in stands.keys() | stood.keys() if _of(month, stands) != _of(month, stood)}
        return _append_tests(connection, [row for row in rows if row["measured_month"] not in published])


def _of(month: date, found: Mapping[tuple[date, str], Publication]) -> set[int]:
    return {p.id for (about, _), p in found.items() if about == month}


def _append_tests(connection: sa.Connection, rows: Sequence[Row]) -> int:
    t = schema.licence_tests.c
    compared = [c.name for c in schema.licence_tests.c if c.name not in ("id", "known_at")]
    latest = schema.current(schema.licence_tests, "licence", "licensee", "reading")
    known = connection.execute(sa.select(t.known_at, *(t[name] for name in compared)).where(t.id.in_(latest))).all()
    before = {tuple(row[1:]) for row in known}
    since = {(row.licence, row.licensee, row.reading): row.known_at for row in known}
    new = [
        dict(_later(row, since.get((row["licence"], row["licensee"], row["reading"]))))
        for row in rows
        if tuple(row[name] for name in compared) not in before
    ]
    if new:
        connection.execute(schema.licence_tests.insert(), new)
    return len(new)


def tests_of(store: Store, licence: str, licensee: str) -> list[dict[str, Any]]:
    """The newest row of `licence_tests` for each reading."""
    t = schema.licence_tests
    latest = schema.current(t, "licence", "licensee", "reading").where(t.c.licence == licence, t.c.licensee == licensee)
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(sa.select(t).where(t.c.id.in_(latest)).order_by(t.c.reading)).mappings()]


def in_force(store: Store, month: date | None = None, before: datetime | None = None) -> dict[tuple[date, str], Publication]:
    """By month and reading, the publication in force, now or as it was known before a moment."""
    p = schema.publications
    latest = schema.current(p, "month", "reading")
    if month is not None:
        latest = latest.where(p.c.month == month)
    if before is not None:
        latest = latest.where(p.c.known_at < before)
    with store.reading() as connection:
        rows = connection.execute(sa.select(p).where(p.c.id.in_(latest)).order_by(p.c.month, p.c.id)).mappings()
        return {(row["month"], row["reading"]): _publication(row) for row in rows}


def history(store: Store, month: date, reading: str) -> list[Publication]:
    """All publications of a month under a reading, the oldest first."""
    p = schema.publications
    with store.reading() as connection:
        wanted = sa.select(p).where(p.c.month == month, p.c.reading == reading).order_by(p.c.id)
        return [_publication(row) for row in connection.execute(wanted).mappings()]


def figures_of(store: Store, publication: int) -> list[dict[str, Any]]:
    """The rows of `figures` that were published together, in the order in which they were."""
    f = schema.figures
    with store.reading() as connection:
        rows = connection.execute(sa.select(f).where(f.c.publication == publication).order_by(f.c.id))
        return [dict(row) for row in rows.mappings()]


def _publication(row: sa.RowMapping) -> Publication:
    said = tuple(row["not_counted"].splitlines())
    return Publication(**{**row, "not_counted": said})
