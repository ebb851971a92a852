"""The door to what was contributed: read_..., append_..., replace_..., one transaction each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from affiliates.concurrency import ordered
from affiliates.manifests.product import ProductRef
from affiliates.periods import DAY, Grain, month_of
from pipelines import records
from pipelines.records import (
    PERIOD_COLUMNS,
    SUBJECT_COLUMNS,
    AcceptedContribution,
    Outcome,
    OutcomeCounts,
    Period,
    Position,
    Restatement,
    StatedCount,
    StoredContribution,
    StoredPart,
    column_of,
)
from pipelines.store import contribution_rows, erasure_guard, product_days, schema, sketches, versions
from pipelines.store import engine as store_engine
from pipelines.store.contribution_rows import Rows
from pipelines.store.engine import Store
from pipelines.store.erasure_guard import ErasedPeriod
from pipelines.store.versions import last_id

_ROWS = 2000
"""Rows sent or fetched at a time: a day's sketch can have a megabyte."""


@dataclass(frozen=True)
class HandedInFile:
    """How a file of contributions came here: what its receipt says, but for the outcome."""

    file: str
    sha256: str
    sender: str | None
    bound_by: str


@dataclass(frozen=True)
class Cell:
    """The users of one audience and namespace of a stored contribution, without their sketch."""

    affiliate: str
    product: str
    grain: str
    activity_date: date
    audience: str
    namespace: str
    sketch: str
    """Digest of its registers."""
    estimate: int | None
    """Null if it came before this was noted."""
    next_epoch: bool
    """Of a day's second contribution, under the coming epoch's key."""

    @property
    def ref(self) -> ProductRef:
        """The product that the cell's contribution is of."""
        return ProductRef(self.affiliate, self.product)

    @property
    def period(self) -> Period:
        """The period that the cell's contribution has."""
        return Period(self.affiliate, self.product, self.grain, self.activity_date, self.next_epoch)


Judge = Callable[["ContributionStore", Mapping[Period, StoredContribution]], Restatement | None]
"""Told the store and its current versions at the moment of taking; raises `RefusedError`, or says what is restated."""


class ContributionStore(Store):
    """An open store, and what was contributed to it."""

    def append_contributions(
        self,
        received: Sequence[AcceptedContribution],
        known_at: datetime,
        seen: Mapping[date, str] = MappingProxyType({}),
    ) -> OutcomeCounts:
        """Take contributions.

        The same registers again change nothing, but that the first computation after settling is
        noted; other registers become the current version and the earlier ones stay. What was computed
        before the current version was (a slower run, an older file) changes nothing either, nor does what was erased, until
        somebody allows it again.

        `seen`: by first day, the digest of the files that contributions of one product were computed from. It is
        noted together with them and not for what wasn't taken: else a change of a file would pass for stored.
        """
        return self._append(received, known_at, seen).received

    def append_handed_in(
        self, received: Sequence[AcceptedContribution], known_at: datetime, handed: HandedInFile, judge: Judge
    ) -> list[Outcome]:
        """Take a file's contributions, and note its receipt with them; says what became of each, in their order.

        `judge` decides in the same transaction. What it raises is raised, and then nothing is taken.
        """
        return self._append(received, known_at, {}, handed, judge).outcomes

    def append_refused(self, handed: HandedInFile, known_at: datetime, reasons: Sequence[str]) -> None:
        """Note the receipt of a file that was refused."""
        with self.writing() as connection:
            _append_receipt(connection, handed, known_at, reasons)

    def _append(
        self,
        received: Sequence[AcceptedContribution],
        known_at: datetime,
        seen: Mapping[date, str],
        handed: HandedInFile | None = None,
        judge: Judge | None = None,
    ) -> Rows:
        c = schema.contributions
        with self.reading() as connection:
            current = versions.current(connection, received)
        # Packed before it is this writer's turn, so that the others needn't wait for it.
        packed = sketches.pack([r.contribution for r in received if records.differs(r, current.get(r.period))])
        with self.writing() as connection:
            current = versions.current(connection, received)
            restated = judge(ContributionStore(self.engine, connection), current) if judge else None
            gone = erasure_guard.blocked(connection, received, current)
            changed = [r.contribution for r in received if records.differs(r, current.get(r.period))]
            packed |= sketches.pack(changed, packed)
            sender = handed.sender if handed else None
            rows = contribution_rows.rows(
                received, current, packed, last_id(connection, c) + 1, known_at, seen, sender, restated, gone
            )
            sketches.append(connection, {digest: packed[digest] for digest in rows.sketches})
            for table, new in ((c, rows.contributions), (schema.parts, rows.parts), (schema.confirmations, rows.confirmations)):
                for some in schema.chunks(new, _ROWS):
                    connection.execute(table.insert(), some)
            _replace_seen(connection, rows.seen)
            if handed:
                _append_receipt(connection, handed, known_at, ())
        return rows

    def read_versions(self, ref: ProductRef, next_epoch: bool | None = False) -> list[StoredContribution]:
        """Current contributions of a product: of each period its own, or days' second ones; None for both."""
        c = schema.contributions.c
        wanted = [c.affiliate == ref.affiliate, c.product == ref.product]
        if next_epoch is not None:
            wanted.append(c.ahead.is_(next_epoch))
        with self.reading() as connection:
            return versions.read(connection, *wanted)

    def read_around(
        self, first: date, last: date, up_to: Position | None = None, next_epoch: bool = False
    ) -> list[StoredContribution]:
        """Contributions of the days from `first` to `last`, and of the periods beside them: two days on either side, since
        the days of two zones lie up to 26 hours apart.

        The current ones, or those that were when the store was filled so far; `next_epoch`: days' second ones, too.
        """
        c = schema.contributions.c
        month_beside = sa.and_(c.grain == "month", c.activity_date == month_of(first - DAY))
        around = c.activity_date.between(first - DAY * 2, last + DAY * 2)
        with self.reading() as connection:
            own = [] if next_epoch else [c.ahead.is_(False)]
            return versions.read(connection, sa.or_(around, month_beside), *own, up_to=up_to)

    def read_parts(self, ids: Sequence[int]) -> Iterator[tuple[int, StoredPart]]:
        """The sketches of contributions, in the order of `ids`."""
        c = schema.contributions
        p = schema.parts
        s = schema.sketches
        image = sa.case((schema.GONE, sa.null()), else_=s.c.image)
        with self.reading() as connection:
            for some in schema.chunks(ids):
                wanted = (
                    sa.select(p.c.contribution_id, p.c.audience, p.c.namespace, s.c.digest, image, s.c.erased_at)
                    .join_from(p, s, p.c.sketch == s.c.digest)
                    .join(c, p.c.contribution_id == c.c.id)
                    .where(p.c.contribution_id.in_(some))
                    .order_by(p.c.contribution_id, p.c.audience, p.c.namespace)
                )
                with connection.execute(wanted, execution_options={"yield_per": 50}) as rows:
                    yield from ordered(sketches.stored_part, (tuple(row) for row in rows))

    def read_not_again(
        self, received: Sequence[AcceptedContribution], current: Mapping[Period, StoredContribution]
    ) -> dict[Period, ErasedPeriod]:
        """Those of the periods that were erased and that nobody has allowed to be contributed again."""
        with self.reading() as connection:
            return erasure_guard.blocked(connection, received, current)

    def read_cells(self, days: Sequence[date]) -> list[Cell]:
        """What the current contributions of periods that begin on these days are made of."""
        c = schema.contributions
        p = schema.parts
        found = list[Cell]()
        with self.reading() as connection:
            for some in schema.chunks(days):
                latest = schema.current(c, *PERIOD_COLUMNS).where(c.c.activity_date.in_(some))
                columns = [(p if field.name in p.c else c).c[column_of(field.name)] for field in fields(Cell)]
                joined = sa.select(*columns).join_from(c, p, p.c.contribution_id == c.c.id).where(c.c.id.in_(latest))
                found += [Cell(*row) for row in connection.execute(joined)]
        return found

    def read_events(self, ref: ProductRef, next_epoch: bool = False) -> dict[date, int]:
        """By day, the events of a product's contributions, or of their second ones; without those that don't say."""
        return product_days.read_events(self, ref, "day", next_epoch)

    def read_told(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """What contributions say besides their key columns and sketches: `normalisation`, and `events` by audience and
        namespace."""
        c = schema.contributions.c
        p = schema.parts.c
        found = dict[int, dict[str, Any]]()
        with self.reading() as connection:
            for some in schema.chunks(ids):
                wanted = sa.select(c.id, c.normalisation, p.audience, p.namespace, p.events).join_from(
                    schema.contributions, schema.parts
                )
                for row in connection.execute(wanted.where(c.id.in_(some)).order_by(c.id)):
                    told = found.setdefault(row.id, {"contribution": row.id, "normalisation": row.normalisation, "events": {}})
                    told["events"][f"{row.audience} {row.namespace}"] = row.events
        return list(found.values())

    def read_counts(self, first: date, last: date, up_to: Position | None = None) -> list[StatedCount]:
        """Counts and ceilings in force for the months from `first` to `last`, now or when the store was filled so far."""
        c = schema.counts
        key = "affiliate", "product", "month", "kind"
        latest = schema.current(c, *key).where(c.c.month.between(first, last))
        if up_to:
            latest = latest.where(c.c.id <= up_to.counts)
        about = [c.c[name] for name in key]
        columns = [*about, c.c.users, c.c.unit, c.c.document, c.c.attested_by]
        with self.reading() as connection:
            rows = connection.execute(sa.select(*columns).where(c.c.id.in_(latest), c.c.users.is_not(None)).order_by(*about))
            return [StatedCount(*row) for row in rows]

    def replace_counts(self, first: date, last: date, given: Iterable[StatedCount], known_at: datetime) -> int:
        """Make these the counts and ceilings in force for these months; says how many changed."""
        after = {_count_key(c): c for c in given}
        if {_count_key(c): c for c in self.read_counts(first, last)} == after:
            return 0
        with self.writing() as connection:
            before = {_count_key(c): c for c in ContributionStore(self.engine, connection).read_counts(first, last)}
            changed = [vars(c) | {"known_at": known_at} for k, c in after.items() if before.get(k) != c]
            changed += [vars(c) | {"users": None, "known_at": known_at} for k, c in before.items() if k not in after]
            if changed:
                connection.execute(schema.counts.insert(), changed)
        return len(changed)

    def read_seen(self, ref: ProductRef, grain: Grain) -> dict[date, str]:
        """By period, the digest of the files it was computed from."""
        s = schema.sources_seen.c
        ours = s.affiliate == ref.affiliate, s.product == ref.product, s.grain == grain
        wanted = sa.select(s.activity_date, s.files).where(*ours)
        with self.reading() as connection:
            return {row.activity_date: row.files for row in connection.execute(wanted)}

    def position(self, at: datetime) -> Position:
        """How far the store is filled."""
        with self.reading() as connection:
            return Position(last_id(connection, schema.contributions), last_id(connection, schema.counts), at)

    def read_months(self) -> list[date]:
        """First days of the months that any contribution or count is about."""
        c = schema.contributions.c
        n = schema.counts.c
        with self.reading() as connection:
            days = list(connection.scalars(sa.select(c.activity_date).where(c.ahead.is_(False)).distinct()))
            days += list(connection.scalars(sa.select(n.month).distinct()))
        return sorted({month_of(day) for day in days})


def exists(url: str, directory: Path) -> bool:
    """Whether there is a store to open: a database server is taken to have one."""
    return store_engine.exists(url, directory)


@contextmanager
def open_store(url: str, directory: Path, create: bool = False) -> Iterator[ContributionStore]:
    """Open the store; `create` makes it where there is none and migrates an older one.

    Raises `RefusedError` when there is none, it can't be reached, or its schema isn't this program's.
    """
    with store_engine.connected(url, directory, create) as engine:
        yield ContributionStore(engine)


def _replace_seen(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    s = schema.sources_seen
    if rows:
        same = [s.c[name] == sa.bindparam(f"its_{name}") for name in SUBJECT_COLUMNS]
        connection.execute(s.delete().where(*same), [{f"its_{name}": row[name] for name in SUBJECT_COLUMNS} for row in rows])
        connection.execute(s.insert(), rows)


def _append_receipt(connection: sa.Connection, handed: HandedInFile, known_at: datetime, reasons: Sequence[str]) -> None:
    said = {"outcome": "refused" if reasons else "accepted", "reasons": "\n".join(reasons), "received_at": known_at}
    connection.execute(schema.receipts.insert(), [vars(handed) | said])


def _count_key(count: StatedCount) -> tuple[str, str, date, str]:
    return count.affiliate, count.product, count.month, count.kind
