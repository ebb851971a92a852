"""Publications in the store, with their figures and the results of licence tests.

A month's publications under all readings and its licence tests appear in one transaction, so nobody sees half of them. A
signed month takes no more preliminary publications.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from affiliates.periods import LONGEST_RUN
from pipelines.records import Position
from pipelines.store import ledger, schema
from pipelines.store.engine import Store
from pipelines.store.versions import last_id

PRELIMINARY = "preliminary"
CLOSED = "closed"
RESTATED = "restated"

Row = Mapping[str, Any]
"""Values by column name."""


@dataclass(frozen=True)
class Publication:
    """One publication of a month under a reading, without its figures: a row of `publications`, field by column."""

    id: int
    month: date
    """The month's first day."""
    reading: str
    state: str
    """`PRELIMINARY`, `CLOSED` or `RESTATED`."""
    inputs: str
    """SHA-256 of all that the figures rest on."""
    method: int
    """Version of the way of counting; 0 where that is part of `inputs`."""
    not_counted: tuple[str, ...]
    """Who is left out and why, a sentence each."""
    contributions_to: int | None
    """The greatest contribution that could count; null in publications that are older than the column."""
    counts_to: int | None
    """The greatest stated count that could count; null as above."""
    signed_by: str | None
    """Who closed or restated the month; null while preliminary."""
    despite: str | None
    """Why the month was closed although something was open."""
    reason: str | None
    """Why the month was restated."""
    supersedes: int | None
    """The signed publication that this one restates."""
    collected: str | None
    """JSON: what affiliates attested when the month was signed, and what was reconciled."""
    known_at: datetime

    @property
    def signed(self) -> bool:
        """Whether a named person signed it: closed or restated."""
        return self.state != PRELIMINARY

    @property
    def position(self) -> Position | None:
        """How far the store was filled when it was computed; null where that wasn't noted."""
        if self.contributions_to is None or self.counts_to is None:
            return None
        return Position(self.contributions_to, self.counts_to, self.known_at)


@dataclass(frozen=True)
class NewPublication:
    """A publication to be stored."""

    row: Row
    """Of `publications`, without a number."""
    figures: Sequence[Row]
    """Of `figures`, without numbers."""


def append(
    store: Store,
    month: date,
    new: Sequence[NewPublication],
    tests: Sequence[Row],
    also: Callable[[Store], None] = lambda within: None,
) -> bool:
    """Publish a month: its new publications under all readings, and the results of licence tests that have changed.

    `also`: called in the same transaction with the store that writes. Gives whether anything was published. A month that
    somebody has signed meanwhile stays as it is, unless the new publications are signed, too, and supersede just those. A
    month that another run has published, knowing as much or more, stays as well. The tests then stay with the figures in
    force.
    """
    with store.writing() as connection, ledger.noting(connection):
        before = in_force(Store(store.engine, connection), month)
        new = [n for n in new if (_adds if n.row["state"] == PRELIMINARY else _follows)(n.row, before)]
        latest = max((publication.known_at for publication in before.values()), default=None)
        # Safe within the writer's turn: nobody else gives numbers meanwhile.
        number = last_id(connection, schema.publications)
        for publication in new:
            number += 1
            connection.execute(schema.publications.insert(), [{**_later(publication.row, latest), "id": number}])
            rows = [{**_later(row, latest), "publication": number} for row in publication.figures]
            connection.execute(schema.figures.insert(), rows)
        if new:
            _append_tests(connection, tests)
            also(Store(store.engine, connection, writes=True))
    return bool(new)


def _later(row: Row, latest: datetime | None) -> Row:
    """A row that is known after the latest one before it: a run that began earlier may publish later.

    What was known at a moment is asked by `known_at`, so the rows' order in time is the order of their numbers. A row whose
    clock was ahead moves no later one.
    """
    return (
        row
        if latest is None or not latest - LONGEST_RUN <= row["known_at"] <= latest
        else {**row, "known_at": latest + timedelta(microseconds=1)}
    )


def _follows(row: Row, before: Mapping[tuple[date, str], Publication]) -> bool:
    """Whether a signed publication supersedes what is signed now: two people may close a month at the same moment."""
    last = before.get((row["month"], row["reading"]))
    return bool(row["supersedes"] == (last.id if last and last.signed else None))


def _adds(row: Row, before: Mapping[tuple[date, str], Publication]) -> bool:
    """Whether a preliminary publication is news beside what is in force."""
    if any(publication.signed for publication in before.values()):
        return False
    last = before.get((row["month"], row["reading"]))
    if last is None or last.contributions_to is None or last.counts_to is None:
        return True
    if last.known_at > row["known_at"] + LONGEST_RUN:
        return True
    # From the same rows of the store: news only where the digest of the inputs, or the method, is another. From fewer rows:
    # no news, since a run that began later has published meanwhile.
    if (last.contributions_to, last.counts_to) == (row["contributions_to"], row["counts_to"]):
        return bool((last.inputs, last.method) != (row["inputs"], row["method"]))
    return bool(last.contributions_to <= row["contributions_to"] and last.counts_to <= row["counts_to"])


def append_tests(store: Store, rows: Sequence[Row], stood: Mapping[tuple[date, str], Publication]) -> int:
    """Store the results of licence tests (rows of `licence_tests`) that have changed; gives how many.

    `stood`: what was in force when the licences were tested. Months that were published since brought their own tests.
    """
    with store.writing() as connection, ledger.noting(connection):
        published = changed_months(Store(store.engine, connection), stood)
        return _append_tests(connection, [row for row in rows if row["measured_month"] not in published])


def changed_months(store: Store, stood: Mapping[tuple[date, str], Publication]) -> set[date]:
    """The months of which other publications are in force now than `stood` has: they were published since."""
    stands = in_force(store)
    months = {month for month, _ in stands.keys() | stood.keys()}
    return {month for month in months if _numbers(month, stands) != _numbers(month, stood)}


def _numbers(month: date, publications: Mapping[tuple[date, str], Publication]) -> set[int]:
    return {publication.id for (of_month, _), publication in publications.items() if of_month == month}


def _append_tests(connection: sa.Connection, rows: Sequence[Row]) -> int:
    """Add the rows that differ from the current row of the same licence, licensee and reading in any column but `known_at`."""
    test = schema.licence_tests.c
    if not rows:
        return 0
    # The same result again adds no row: a result's `known_at` says since when it stands.
    compared = [c.name for c in schema.licence_tests.c if c.name not in ("id", "known_at")]
    latest = schema.current(schema.licence_tests, "licence", "licensee", "reading")
    known = connection.execute(sa.select(test.known_at, *(test[name] for name in compared)).where(test.id.in_(latest))).all()
    # A result of a moment that is still to come is no news, but it says a wrong moment: the same result comes again.
    latest_moment = max(row["known_at"] for row in rows) + LONGEST_RUN
    before = {tuple(row[1:]) for row in known if row.known_at <= latest_moment}
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
    """The current results of a licence's test: a row of `licence_tests` for each reading, in the order of readings' names."""
    licence_tests = schema.licence_tests
    latest = schema.current(licence_tests, "licence", "licensee", "reading").where(
        licence_tests.c.licence == licence, licence_tests.c.licensee == licensee
    )
    wanted = sa.select(licence_tests).where(licence_tests.c.id.in_(latest)).order_by(licence_tests.c.reading)
    with store.reading() as connection:
        return [dict(row) for row in connection.execute(wanted).mappings()]


def in_force(store: Store, month: date | None = None, before: datetime | None = None) -> dict[tuple[date, str], Publication]:
    """By month and reading, the publication in force: now, or as it was known before a moment.

    `month`: that month alone, by its first day.
    """
    publications = schema.publications
    latest = schema.current(publications, "month", "reading")
    if month is not None:
        latest = latest.where(publications.c.month == month)
    if before is not None:
        latest = latest.where(publications.c.known_at < before)
    wanted = sa.select(publications).where(publications.c.id.in_(latest)).order_by(publications.c.month, publications.c.id)
    with store.reading() as connection:
        rows = connection.execute(wanted).mappings()
        return {(row["month"], row["reading"]): _publication(row) for row in rows}


def newest(store: Store) -> int:
    """The number of the newest publication, which is in force; 0 where there is none."""
    with store.reading() as connection:
        return last_id(connection, schema.publications)


def history(store: Store, month: date, reading: str) -> list[Publication]:
    """All publications of a month under a reading, the oldest first."""
    publications = schema.publications
    wanted = (
        sa.select(publications)
        .where(publications.c.month == month, publications.c.reading == reading)
        .order_by(publications.c.id)
    )
    with store.reading() as connection:
        return [_publication(row) for row in connection.execute(wanted).mappings()]


def figures_of(store: Store, publication: int) -> list[dict[str, Any]]:
    """A publication's rows of `figures`, in the order in which they were published."""
    figures = schema.figures
    with store.reading() as connection:
        rows = connection.execute(sa.select(figures).where(figures.c.publication == publication).order_by(figures.c.id))
        return [dict(row) for row in rows.mappings()]


def with_reason(store: Store, numbers: Sequence[int], ending: str) -> list[int]:
    """Those of the publications with these numbers in which a product's figure has a reason that ends so, in their order."""
    figures = schema.figures.c
    wanted = sa.select(figures.publication).distinct().where(figures.scope == "product")
    # A line of the reasons ends with the text, or the last one does.
    ends = figures.reasons.contains(ending, autoescape=True)
    with store.reading() as connection:
        return [
            number
            for chunk in schema.chunks(numbers)
            for number in connection.scalars(wanted.where(figures.publication.in_(chunk), ends).order_by(figures.publication))
        ]


def _publication(row: sa.RowMapping) -> Publication:
    return Publication(**{**row, "not_counted": tuple(row["not_counted"].splitlines())})
