"""The door to what was contributed: read_..., append_..., replace_..., one transaction each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import sqlalchemy as sa

from affiliates.contribution import Contribution
from affiliates.group import Grain
from affiliates.threads import ordered
from pipelines import images, schema, store
from pipelines.images import StoredPart
from pipelines.store import Store

_ROWS = 2000
"""Rows sent or fetched at a time: a day's sketch can have a megabyte."""
_PERIOD = "affiliate", "product", "grain", "activity_date"


@dataclass(frozen=True)
class Version:
    """The current contribution of a product and period, without its sketches."""

    id: int
    affiliate: str
    product: str
    grain: Grain
    activity_date: date
    digest: str
    key_epoch: str
    key_fingerprint: str
    crosswalk_digest: str
    definition_digest: str | None
    day_zone: str
    unidentified_events: int | None
    undecided_events: int | None
    computed_at: datetime
    """When it was last computed with this result."""

    @property
    def content(self) -> list[str]:
        """What of it moves a figure, or what is said beside it: all but its number in this store and when it was computed,
        so that any store that was given the same says the same."""
        return [str(getattr(self, f.name)) for f in fields(self) if f.name not in ("id", "computed_at")]


class Accepted(NamedTuple):
    """A contribution that may be stored."""

    contribution: Contribution
    settles_at: datetime
    """When its period's late events have arrived."""
    key_fingerprint: str
    """Of the key that its canaries have proved."""


@dataclass(frozen=True)
class GivenCount:
    """A count or a ceiling of a product in a month."""

    affiliate: str
    product: str
    month: date
    kind: str
    users: int
    unit: str
    document: str
    attested_by: str


@dataclass
class Received:
    """What receiving did: contributions by outcome."""

    new: int = 0
    replaced: int = 0
    confirmed: int = 0
    unchanged: int = 0
    older: int = 0
    """Computed before what the store has."""


@dataclass(frozen=True)
class Position:
    """How far a store was filled: the last contribution and count, and when that was."""

    contributions: int
    counts: int
    at: datetime


class Warehouse(Store):
    """An open store, and what was contributed to it."""

    def append_contributions(
        self,
        received: Sequence[Accepted],
        known_at: datetime,
        seen: Mapping[date, str] = MappingProxyType({}),
    ) -> Received:
        """Take contributions.

        The same registers again change nothing, but that the first computation after settling is
        noted; other registers become the current version and the earlier ones stay. What was computed
        before the current version was (a slower run, an older file) changes nothing either.

        `seen`: by first day, the digest of the files that contributions of one product were computed from. It is
        noted together with them and not for what wasn't taken: else a change of a file would pass for stored.
        """
        outcome, c = Received(), schema.contributions
        with self.reading() as connection:
            current = _current(connection, received)
        # Packed before it is this writer's turn, so that the others needn't wait for it.
        packed = images.packed([r.contribution for r in received if _differs(r, current)])
        with self.writing() as connection:
            current = _current(connection, received)
            packed |= images.packed([r.contribution for r in received if _differs(r, current)], packed)
            next_id = last_id(connection, c) + 1
            rows, part_rows, confirmed, stored, seen_rows = [], [], [], dict[str, None](), []
            for contribution, settles_at, key_fingerprint in received:
                before = current.get(_period(contribution))
                same = before and (before.digest, before.key_fingerprint) == (contribution.digest, key_fingerprint)
                if before and not same and before.computed_at > contribution.computed_at:
                    outcome.older += 1
                    continue
                if contribution.activity_date in seen:
                    period = dict(zip(_PERIOD, _period(contribution), strict=True))
                    seen_rows.append(period | {"files": seen[contribution.activity_date], "seen_at": known_at})
                if before and same:
                    if before.computed_at < settles_at <= contribution.computed_at:
                        confirmed.append(
                            {"contribution_id": before.id, "computed_at": contribution.computed_at, "known_at": known_at}
                        )
                        outcome.confirmed += 1
                    else:
                        outcome.unchanged += 1
                    continue
                outcome.new += before is None
                outcome.replaced += before is not None
                rows.append({
                    column.name: getattr(contribution, column.name) for column in c.c if hasattr(contribution, column.name)
                } | {"id": next_id, "known_at": known_at, "key_fingerprint": key_fingerprint,
                     "supersedes": before.id if before else None})  # fmt: skip
                for part in contribution.parts:
                    digest = part.registers.digest()
                    stored[digest] = None
                    part_rows.append({
                        "contribution_id": next_id, "audience": part.audience, "namespace": part.namespace,
                        "sketch": digest, "events": part.events, "distinct_users": part.distinct_users,
                        "estimate": packed[digest].estimate,
                    })  # fmt: skip
                next_id += 1
            images.append(connection, {digest: packed[digest] for digest in stored})
            for table, new in ((c, rows), (schema.parts, part_rows), (schema.confirmations, confirmed)):
                for start in range(0, len(new), _ROWS):
                    connection.execute(table.insert(), new[start : start + _ROWS])
            _replace_seen(connection, seen_rows)
        return outcome

    def read_versions(self, affiliate: str, product: str) -> list[Version]:
        """Current contributions of a product."""
        c = schema.contributions.c
        with self.reading() as connection:
            return _versions(connection, c.affiliate == affiliate, c.product == product)

    def read_around(self, first: date, last: date, up_to: Position | None = None) -> list[Version]:
        """Contributions of the days from `first` to `last`, and of the periods right beside them.

        The current ones, or those that were when the store was filled so far.
        """
        c, day = schema.contributions.c, timedelta(1)
        month_before = sa.and_(c.grain == "month", c.activity_date == (first - day).replace(day=1))
        with self.reading() as connection:
            return _versions(connection, sa.or_(c.activity_date.between(first - day, last + day), month_before), up_to=up_to)

    def read_parts(self, ids: Sequence[int]) -> Iterator[tuple[int, StoredPart]]:
        """The sketches of contributions, in the order of `ids`."""
        p, s = schema.parts, schema.sketches
        with self.reading() as connection:
            for start in range(0, len(ids), 500):
                some = ids[start : start + 500]
                wanted = (
                    sa.select(p.c.contribution_id, p.c.audience, p.c.namespace, s.c.digest, s.c.image)
                    .join_from(p, s, p.c.sketch == s.c.digest)
                    .where(p.c.contribution_id.in_(some))
                    .order_by(p.c.contribution_id, p.c.audience, p.c.namespace)
                )
                with connection.execute(wanted, execution_options={"yield_per": 50}) as rows:
                    yield from ordered(images.stored_part, (tuple(row) for row in rows))

    def read_counts(self, first: date, last: date, up_to: Position | None = None) -> list[GivenCount]:
        """Counts and ceilings in force for the months from `first` to `last`, now or when the store was filled so far."""
        c = schema.counts
        key = [c.c.affiliate, c.c.product, c.c.month, c.c.kind]
        latest = sa.select(sa.func.max(c.c.id)).where(c.c.month.between(first, last)).group_by(*key)
        if up_to:
            latest = latest.where(c.c.id <= up_to.counts)
        columns = [c.c.affiliate, c.c.product, c.c.month, c.c.kind, c.c.users, c.c.unit, c.c.document, c.c.attested_by]
        with self.reading() as connection:
            rows = connection.execute(sa.select(*columns).where(c.c.id.in_(latest), c.c.users.is_not(None)).order_by(*key))
            return [GivenCount(*row) for row in rows]

    def replace_counts(self, first: date, last: date, given: Iterable[GivenCount], known_at: datetime) -> int:
        """Make these the counts and ceilings in force for these months; says how many changed."""
        after = {_count_key(c): c for c in given}
        if {_count_key(c): c for c in self.read_counts(first, last)} == after:
            return 0
        with self.writing() as connection:
            before = {_count_key(c): c for c in Warehouse(self.engine, connection).read_counts(first, last)}
            changed = [vars(c) | {"known_at": known_at} for k, c in after.items() if before.get(k) != c]
            changed += [vars(c) | {"users": None, "known_at": known_at} for k, c in before.items() if k not in after]
            if changed:
                connection.execute(schema.counts.insert(), changed)
        return len(changed)

    def read_seen(self, affiliate: str, product: str, grain: Grain) -> dict[date, str]:
        """By period, the digest of the files it was computed from."""
        s = schema.sources_seen.c
        wanted = sa.select(s.activity_date, s.files).where(s.affiliate == affiliate, s.product == product, s.grain == grain)
        with self.reading() as connection:
            return {row.activity_date: row.files for row in connection.execute(wanted)}

    def position(self, at: datetime) -> Position:
        """How far the store is filled."""
        with self.reading() as connection:
            return Position(last_id(connection, schema.contributions), last_id(connection, schema.counts), at)

    def read_months(self) -> list[date]:
        """First days of the months that any contribution or count is about."""
        c, n = schema.contributions.c, schema.counts.c
        with self.reading() as connection:
            days = list(connection.scalars(sa.select(c.activity_date).distinct()))
            days += list(connection.scalars(sa.select(n.month).distinct()))
        return sorted({day.replace(day=1) for day in days})


def last_id(connection: sa.Connection, table: sa.Table) -> int:
    """The greatest number of a row."""
    return connection.scalar(sa.select(sa.func.max(table.c.id))) or 0


def exists(url: str, directory: Path) -> bool:
    """Whether there is a store to open: a database server is taken to have one."""
    return store.exists(url, directory)


@contextmanager
def opened(url: str, directory: Path, create: bool = False) -> Iterator[Warehouse]:
    """Open the store; `create` makes it where there is none and migrates an older one.

    Raises `Refusal` when there is none, it can't be reached, or its schema isn't this program's.
    """
    with store.connected(url, directory, create) as engine:
        yield Warehouse(engine)


def _versions(connection: sa.Connection, *wanted: Any, up_to: Position | None = None) -> list[Version]:
    c, again = schema.contributions.c, schema.confirmations.c
    latest = sa.select(sa.func.max(c.id)).where(*wanted).group_by(c.affiliate, c.product, c.grain, c.activity_date)
    repeated = sa.select(again.contribution_id, sa.func.max(again.computed_at).label("at")).group_by(again.contribution_id)
    if up_to:
        latest, repeated = latest.where(c.id <= up_to.contributions), repeated.where(again.known_at <= up_to.at)
    confirmed = repeated.subquery()
    columns = [c[field.name] for field in fields(Version) if field.name != "computed_at"]
    rows = connection.execute(
        sa.select(*columns, sa.func.coalesce(confirmed.c.at, c.computed_at, type_=schema.Utc()).label("computed_at"))
        .outerjoin(confirmed, confirmed.c.contribution_id == c.id)
        .where(c.id.in_(latest))
        .order_by(c.affiliate, c.product, c.activity_date)
    )
    return [Version(**row) for row in rows.mappings()]


def _period(v: Version | Contribution) -> tuple[str, str, str, date]:
    return v.affiliate, v.product, v.grain, v.activity_date


def _current(connection: sa.Connection, received: Sequence[Accepted]) -> dict[tuple[str, str, str, date], Version]:
    c, pairs = schema.contributions.c, sorted({(r.affiliate, r.product) for r, *_ in received})
    found = (v for a, p in pairs for v in _versions(connection, c.affiliate == a, c.product == p))
    return {_period(v): v for v in found}


def _replace_seen(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    s = schema.sources_seen
    if rows:
        same = [s.c[name] == sa.bindparam(f"its_{name}") for name in _PERIOD]
        connection.execute(s.delete().where(*same), [{f"its_{name}": row[name] for name in _PERIOD} for row in rows])
        connection.execute(s.insert(), rows)


def _differs(accepted: Accepted, current: Mapping[tuple[str, str, str, date], Version]) -> bool:
    before = current.get(_period(accepted.contribution))
    return before is None or (before.digest, before.key_fingerprint) != (accepted.contribution.digest, accepted.key_fingerprint)


def _count_key(count: GivenCount) -> tuple[str, str, date, str]:
    return count.affiliate, count.product, count.month, count.kind
