"""The contributions and stated counts in the store: read_..., append_..., replace_..., one transaction each.

Over 300 lines: one class is the only way to contributions in the store.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from affiliates.concurrency import ordered
from affiliates.manifests.product import ProductRef
from affiliates.periods import Grain, month_of
from pipelines import records
from pipelines.records import (
    PERIOD_COLUMNS,
    SUBJECT_COLUMNS,
    AcceptedContribution,
    OutcomeCounts,
    Period,
    Position,
    Restatement,
    StatedCount,
    StoredContribution,
    StoredPart,
    column_of,
)
from pipelines.store import contribution_digests, contribution_rows, erasure_guard, product_days, schema, sketches, versions
from pipelines.store.engine import Store, connected
from pipelines.store.erasure_guard import ErasedPeriod
from pipelines.store.versions import last_id


@dataclass(frozen=True)
class HandedInFile:
    """A file of contributions that was handed in: its row of `receipts`, but for the outcome."""

    file: str
    """The file's name."""
    sha256: str
    """Of the file's bytes; of a folder, of its part-files' digests."""
    sender: str | None
    """The affiliate that handed the file in; null where nobody could tell."""
    bound_by: str
    """What showed that the file is the sender's."""


@dataclass(frozen=True)
class Cell:
    """The users of one audience and namespace in a stored contribution, without their sketch: field by column."""

    affiliate: str
    product: str
    grain: str
    activity_date: date
    audience: str
    namespace: str
    sketch: str
    """Digest of the registers."""
    estimate: int | None
    """Users by the sketch; null where the contribution is older than the column."""
    next_epoch: bool
    """Whether this belongs to a day's second contribution, under the next epoch's key."""

    @property
    def ref(self) -> ProductRef:
        """The product that the cell's contribution is of."""
        return ProductRef(self.affiliate, self.product)

    @property
    def period(self) -> Period:
        """The period that the cell's contribution has."""
        return Period(self.affiliate, self.product, self.grain, self.activity_date, self.next_epoch)


Judge = Callable[["ContributionStore", Mapping[Period, StoredContribution]], Restatement | None]
"""Decides on a file inside the transaction that stores it: takes the store and the current version of each period.

Gives what is restated, or null; raises `RefusedError` for a file that may not be stored.
"""


class ContributionStore(Store):
    """An open store, with what was contributed to it; a `ContributionReader`."""

    def append_contributions(
        self,
        received: Sequence[AcceptedContribution],
        known_at: datetime,
        seen: Mapping[date, str] = MappingProxyType({}),
    ) -> OutcomeCounts:
        """Store contributions, all in one transaction; gives how many had each outcome.

        Other registers than the current version's become the current version, and the earlier one stays. The same registers
        change nothing, but the first computation after the period has settled is noted. A contribution that was computed
        before the current version (by a slower run, in an older file) isn't stored, and neither is what was erased, until
        somebody allows it.

        `seen`: by first day, the digest of the files that contributions of one product were computed from. It is noted for
        stored contributions alone: else a change of a file would pass for stored.
        """
        with self.reading() as connection:
            current = versions.current(connection, received)
        # Packing takes longer than writing: it is done before it is this writer's turn, so that the others needn't wait.
        packed = sketches.pack([r.contribution for r in received if records.differs(r, current.get(r.period))])
        with self.writing() as connection:
            current = versions.current(connection, received)
            gone = erasure_guard.blocked(connection, received, current)
            # Another writer may have changed the current versions since: what now differs is packed, too.
            changed = [r.contribution for r in received if records.differs(r, current.get(r.period))]
            packed |= sketches.pack(changed, packed)
            next_id = last_id(connection, schema.contributions) + 1
            rows = contribution_rows.rows(received, current, packed, next_id, known_at, seen, erased=gone)
            contribution_rows.write(connection, rows, packed)
            _replace_seen(connection, rows.seen)
        return rows.received

    def append_refused(self, handed: HandedInFile, known_at: datetime, reasons: Sequence[str]) -> None:
        """Store the receipt of a file that was refused; `reasons`: a sentence each, at least one."""
        with self.writing() as connection:
            connection.execute(schema.receipts.insert(), [receipt_row(handed, known_at, reasons)])

    def read_accepted(self, digests: Collection[str]) -> set[tuple[str, str | None]]:
        """Which files with these SHA-256 were accepted, each with its sender."""
        receipt = schema.receipts.c
        accepted = set[tuple[str, str | None]]()
        with self.reading() as connection:
            for chunk in schema.chunks(sorted(digests)):
                wanted = sa.select(receipt.sha256, receipt.sender).where(receipt.sha256.in_(chunk), receipt.outcome == "accepted")
                accepted |= {(row.sha256, row.sender) for row in connection.execute(wanted)}
        return accepted

    def read_versions(self, ref: ProductRef, next_epoch: bool | None = False) -> list[StoredContribution]:
        """A product's current contributions: the periods' own, with `next_epoch` days' second ones, with None both."""
        with self.reading() as connection:
            return versions.of_product(connection, ref, next_epoch=next_epoch)

    def read_around(
        self, first: date, last: date, up_to: Position | None = None, next_epoch: bool = False
    ) -> list[StoredContribution]:
        """The contributions of the days from `first` to `last` (both included), and of the periods beside them.

        `up_to`: those that were current when the store was filled so far. `next_epoch`: days' second contributions, too.
        """
        with self.reading() as connection:
            return versions.around(connection, first, last, up_to, next_epoch)

    def read_current(self, received: Sequence[AcceptedContribution]) -> dict[Period, StoredContribution]:
        """By period, the current versions in the months of these contributions, of their products."""
        with self.reading() as connection:
            return versions.current(connection, received)

    def read_parts(self, ids: Sequence[int]) -> Iterator[tuple[int, StoredPart]]:
        """Each part of the contributions with these numbers, after its contribution's number, in the order of the numbers.

        Raises `RefusedError` (STORE_DAMAGED) for a sketch, or a contribution, that isn't what its digest says.
        """
        contributions = schema.contributions
        parts = schema.parts
        sketch_table = schema.sketches
        image = sa.case((schema.GONE, sa.null()), else_=sketch_table.c.image)
        with self.reading() as connection:
            for chunk in schema.chunks(ids):
                keyed_parts = contribution_digests.KeyedParts.read(connection, chunk)
                wanted = (
                    sa.select(*(parts.c[name] for name in contribution_digests.PART_COLUMNS), image, sketch_table.c.erased_at)
                    .join_from(parts, sketch_table, parts.c.sketch == sketch_table.c.digest)
                    .join(contributions, parts.c.contribution_id == contributions.c.id)
                    .where(parts.c.contribution_id.in_(chunk))
                    .order_by(parts.c.contribution_id, parts.c.audience, parts.c.namespace)
                )
                # Few rows at a time: an image can have a megabyte.
                with connection.execute(wanted, execution_options={"yield_per": 50}) as rows:
                    yield from ordered(sketches.stored_part, keyed_parts.checked(tuple(row) for row in rows))

    def read_namespaces(self, ids: Sequence[int], audiences: Sequence[str]) -> list[str]:
        """The namespaces of the contributions with these numbers in these audiences, in the order of their names."""
        parts = schema.parts
        namespaces = set[str]()
        with self.reading() as connection:
            for chunk in schema.chunks(ids):
                wanted = sa.select(parts.c.namespace).distinct()
                of_these = wanted.where(parts.c.contribution_id.in_(chunk), parts.c.audience.in_(audiences))
                namespaces |= set(connection.execute(of_these).scalars())
        return sorted(namespaces)

    def read_blocked(
        self, received: Sequence[AcceptedContribution], current: Mapping[Period, StoredContribution]
    ) -> dict[Period, ErasedPeriod]:
        """By period, the contributions that may not be stored: erased, and nobody has allowed them again.

        `current`: the current versions of the contributions' products.
        """
        with self.reading() as connection:
            return erasure_guard.blocked(connection, received, current)

    def read_cells(self, days: Sequence[date]) -> list[Cell]:
        """The cells of the current contributions whose first days are these, of all products."""
        contributions = schema.contributions
        parts = schema.parts
        cells = list[Cell]()
        with self.reading() as connection:
            for chunk in schema.chunks(days):
                latest = schema.current(contributions, *PERIOD_COLUMNS).where(contributions.c.activity_date.in_(chunk))
                columns = [(parts if field.name in parts.c else contributions).c[column_of(field.name)] for field in fields(Cell)]
                joined = (
                    sa.select(*columns)
                    .join_from(contributions, parts, parts.c.contribution_id == contributions.c.id)
                    .where(contributions.c.id.in_(latest))
                )
                cells += [Cell(*row) for row in connection.execute(joined)]
        return cells

    def read_events(self, ref: ProductRef, next_epoch: bool = False) -> dict[date, int]:
        """By day, the number of events of a product's contributions, or of their second ones; days without a number are left
        out."""
        return product_days.read_events(self, ref, "day", next_epoch)

    def read_details(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """What contributions' digests cover beside key columns and sketches, as a bundle of evidence keeps it.

        Keys: `contribution` (the number), `normalisation`, and `events` by "audience namespace".
        """
        contribution = schema.contributions.c
        part = schema.parts.c
        details = dict[int, dict[str, Any]]()
        with self.reading() as connection:
            for chunk in schema.chunks(ids):
                wanted = sa.select(
                    contribution.id, contribution.normalisation, part.audience, part.namespace, part.events
                ).join_from(schema.contributions, schema.parts)
                for row in connection.execute(wanted.where(contribution.id.in_(chunk)).order_by(contribution.id)):
                    new = {"contribution": row.id, "normalisation": row.normalisation, "events": {}}
                    events = details.setdefault(row.id, new)["events"]
                    events[f"{row.audience} {row.namespace}"] = row.events
        return list(details.values())

    def read_counts(self, first: date, last: date, up_to: Position | None = None) -> list[StatedCount]:
        """The counts and ceilings in force for the months from `first` to `last` (first days, both included).

        `up_to`: those that were in force when the store was filled so far.
        """
        counts = schema.counts
        key = "affiliate", "product", "month", "kind"
        latest = schema.current(counts, *key).where(counts.c.month.between(first, last))
        if up_to:
            latest = latest.where(counts.c.id <= up_to.counts)
        about = [counts.c[name] for name in key]
        columns = [*about, counts.c.users, counts.c.unit, counts.c.document, counts.c.attested_by]
        with self.reading() as connection:
            # A row without a number withdraws the one before.
            rows = connection.execute(
                sa.select(*columns).where(counts.c.id.in_(latest), counts.c.users.is_not(None)).order_by(*about)
            )
            return [StatedCount(*row) for row in rows]

    def replace_counts(self, first: date, last: date, given: Iterable[StatedCount], known_at: datetime) -> int:
        """Make these the only counts and ceilings in force for these months; gives how many rows that took.

        A number that isn't among them any more is withdrawn; the earlier rows stay.
        """
        after = {_count_key(c): c for c in given}
        # Without waiting for a turn where nothing changes.
        if {_count_key(c): c for c in self.read_counts(first, last)} == after:
            return 0
        with self.writing() as connection:
            # Read again within the turn: another run may have replaced them meanwhile.
            before = {_count_key(c): c for c in ContributionStore(self.engine, connection).read_counts(first, last)}
            changed = [vars(c) | {"known_at": known_at} for k, c in after.items() if before.get(k) != c]
            changed += [vars(c) | {"users": None, "known_at": known_at} for k, c in before.items() if k not in after]
            if changed:
                connection.execute(schema.counts.insert(), changed)
        return len(changed)

    def read_seen(self, ref: ProductRef, grain: Grain) -> dict[date, str]:
        """By first day, the note (`pipelines.ingestion.seen`) of the files that a product's period was computed from."""
        seen = schema.sources_seen.c
        ours = seen.affiliate == ref.affiliate, seen.product == ref.product, seen.grain == grain
        wanted = sa.select(seen.activity_date, seen.files).where(*ours)
        with self.reading() as connection:
            return {row.activity_date: row.files for row in connection.execute(wanted)}

    def note_seen(self, ref: ProductRef, grain: Grain, notes: Mapping[date, str], at: datetime) -> None:
        """Put notes of a product's files, by first day, in the place of the periods' earlier ones."""
        subjects = {day: dict(zip(SUBJECT_COLUMNS, (ref.affiliate, ref.product, grain, day), strict=True)) for day in notes}
        with self.writing() as connection:
            _replace_seen(connection, [subjects[day] | {"files": note, "seen_at": at} for day, note in notes.items()])

    def position(self, at: datetime) -> Position:
        """How far the store is filled; `at`: the time that this is noted with."""
        with self.reading() as connection:
            return Position(last_id(connection, schema.contributions), last_id(connection, schema.counts), at)

    def read_months(self) -> list[date]:
        """First days of the months that a contribution or a stated count is about, in order."""
        contribution = schema.contributions.c
        count = schema.counts.c
        with self.reading() as connection:
            # A day's second contribution makes no month: no month's figures rest on it.
            days = list(connection.scalars(sa.select(contribution.activity_date).where(contribution.ahead.is_(False)).distinct()))
            days += list(connection.scalars(sa.select(count.month).distinct()))
        return sorted({month_of(day) for day in days})


@contextmanager
def open_store(url: str, directory: Path, create: bool = False) -> Iterator[ContributionStore]:
    """The store, open; `create` makes the store where there is none, and upgrades an older schema.

    Raises `RefusedError` where there is no store, where the database can't be reached, or where the schema isn't this program's.
    """
    with connected(url, directory, create) as engine:
        yield ContributionStore(engine)


def _replace_seen(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows of `sources_seen` in the place of the same periods' rows."""
    seen = schema.sources_seen
    *subject, period = (seen.c[name] for name in SUBJECT_COLUMNS)
    by_subject = defaultdict[tuple[Any, ...], list[date]](list)
    for row in rows:
        by_subject[tuple(row[column.name] for column in subject)].append(row[period.name])
    for values, periods in by_subject.items():
        same = [column == value for column, value in zip(subject, values, strict=True)]
        for chunk in schema.chunks(periods):
            connection.execute(seen.delete().where(*same, period.in_(chunk)))
    if rows:
        connection.execute(seen.insert(), rows)


def receipt_row(handed: HandedInFile, known_at: datetime, reasons: Sequence[str]) -> dict[str, Any]:
    """A row of `receipts`: of an accepted file, or with `reasons` of a refused one."""
    result = {"outcome": "refused" if reasons else "accepted", "reasons": "\n".join(reasons), "received_at": known_at}
    return vars(handed) | result


def _count_key(count: StatedCount) -> tuple[str, str, date, str]:
    return count.affiliate, count.product, count.month, count.kind
