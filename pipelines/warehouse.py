"""The only door to our own store: read_..., append_..., replace_counts, and nothing that changes a row.

One call is one transaction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import zstandard

from affiliates.contribution import Contribution
from affiliates.group import Grain
from affiliates.refusal import Refusal
from affiliates.registers import Registers
from affiliates.sketch_image import BadImage
from affiliates.threads import ordered
from pipelines import schema, store

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ROWS = 2000
"""Rows sent or fetched at a time: a day's sketch can have a megabyte."""


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


@dataclass(frozen=True)
class StoredPart:
    """The users of one audience and namespace; `registers` is null once erased."""

    audience: str
    namespace: str
    registers: Registers | None


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


class Warehouse:
    """An open store."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def close(self) -> None:
        self.engine.dispose()

    def append_contributions(
        self, received: Sequence[tuple[Contribution, datetime]], key_fingerprint: str, known_at: datetime
    ) -> Received:
        """Take contributions, each with when its period settles; their canaries have proved the key.

        The same registers again change nothing, but that the first computation after settling is
        noted; other registers become the current version and the earlier ones stay.
        """
        outcome, c = Received(), schema.contributions
        with self.engine.begin() as connection:
            current = {
                (v.affiliate, v.product, v.grain, v.activity_date): v
                for pair in sorted({(r.affiliate, r.product) for r, _ in received})
                for v in _versions(connection, c.c.affiliate == pair[0], c.c.product == pair[1])
            }
            next_id = (connection.scalar(sa.select(sa.func.max(c.c.id))) or 0) + 1
            rows, part_rows, confirmed = [], [], []
            images: dict[str, Registers] = {}
            for contribution, settles_at in received:
                period = (contribution.affiliate, contribution.product, contribution.grain, contribution.activity_date)
                before = current.get(period)
                if before and (before.digest, before.key_fingerprint) == (contribution.digest, key_fingerprint):
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
                    images[digest] = part.registers
                    part_rows.append({
                        "contribution_id": next_id, "audience": part.audience, "namespace": part.namespace,
                        "sketch": digest, "events": part.events, "distinct_users": part.distinct_users,
                    })  # fmt: skip
                next_id += 1
            _append_sketches(connection, images)
            for table, new in ((c, rows), (schema.parts, part_rows), (schema.confirmations, confirmed)):
                for start in range(0, len(new), _ROWS):
                    connection.execute(table.insert(), new[start : start + _ROWS])
        return outcome

    def read_versions(self, affiliate: str, product: str) -> list[Version]:
        """Current contributions of a product."""
        c = schema.contributions.c
        with self.engine.connect() as connection:
            return _versions(connection, c.affiliate == affiliate, c.product == product)

    def read_around(self, first: date, last: date) -> list[Version]:
        """Current contributions of the days from `first` to `last`, and of the periods right beside them."""
        c, day = schema.contributions.c, timedelta(1)
        month_before = sa.and_(c.grain == "month", c.activity_date == (first - day).replace(day=1))
        with self.engine.connect() as connection:
            return _versions(connection, sa.or_(c.activity_date.between(first - day, last + day), month_before))

    def read_parts(self, ids: Sequence[int]) -> Iterator[tuple[int, StoredPart]]:
        """The sketches of contributions, in the order of `ids`."""
        p, s = schema.parts, schema.sketches
        with self.engine.connect() as connection:
            for start in range(0, len(ids), 500):
                some = ids[start : start + 500]
                rows = connection.execution_options(yield_per=50).execute(
                    sa.select(p.c.contribution_id, p.c.audience, p.c.namespace, s.c.digest, s.c.image)
                    .join_from(p, s, p.c.sketch == s.c.digest)
                    .where(p.c.contribution_id.in_(some))
                    .order_by(p.c.contribution_id, p.c.audience, p.c.namespace)
                )
                yield from ordered(_stored_part, (tuple(row) for row in rows))

    def read_counts(self, first: date, last: date) -> list[GivenCount]:
        """Counts and ceilings in force for the months from `first` to `last`."""
        c = schema.counts
        key = [c.c.affiliate, c.c.product, c.c.month, c.c.kind]
        latest = sa.select(sa.func.max(c.c.id)).where(c.c.month.between(first, last)).group_by(*key)
        columns = [c.c.affiliate, c.c.product, c.c.month, c.c.kind, c.c.users, c.c.unit, c.c.document, c.c.attested_by]
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(*columns).where(c.c.id.in_(latest), c.c.users.is_not(None)).order_by(*key))
            return [GivenCount(*row) for row in rows]

    def replace_counts(self, first: date, last: date, given: Iterable[GivenCount], known_at: datetime) -> int:
        """Make these the counts and ceilings in force for these months; says how many changed."""
        before = {_count_key(c): c for c in self.read_counts(first, last)}
        after = {_count_key(c): c for c in given}
        changed = [vars(c) | {"known_at": known_at} for k, c in after.items() if before.get(k) != c]
        changed += [vars(c) | {"users": None, "known_at": known_at} for k, c in before.items() if k not in after]
        if changed:
            with self.engine.begin() as connection:
                connection.execute(schema.counts.insert(), changed)
        return len(changed)

    def read_published_inputs(self) -> dict[tuple[date, str], str]:
        """By month and reading, the digest of what the published figures rest on."""
        f = schema.figures.c
        latest = sa.select(sa.func.max(f.id)).where(f.scope == "group").group_by(f.month, f.reading)
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(f.month, f.reading, f.inputs).where(f.id.in_(latest)))
            return {(month, reading): inputs for month, reading, inputs in rows}

    def append_figures(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Publish the figures of a month and reading, all at once."""
        with self.engine.begin() as connection:
            connection.execute(schema.figures.insert(), [dict(row) for row in rows])

    def append_tests(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Note the results of licence tests that differ from what was found before; says how many."""
        t = schema.licence_tests.c
        compared = [c.name for c in schema.licence_tests.c if c.name not in ("id", "known_at")]
        latest = sa.select(sa.func.max(t.id)).group_by(t.licence, t.licensee, t.reading)
        with self.engine.begin() as connection:
            known = connection.execute(sa.select(*(t[name] for name in compared)).where(t.id.in_(latest)))
            before = {tuple(row) for row in known}
            new = [dict(row) for row in rows if tuple(row[name] for name in compared) not in before]
            if new:
                connection.execute(schema.licence_tests.insert(), new)
        return len(new)

    def read_months(self) -> list[date]:
        """First days of the months that any contribution or count is about."""
        c, n = schema.contributions.c, schema.counts.c
        with self.engine.connect() as connection:
            days = list(connection.scalars(sa.select(c.activity_date).distinct()))
            days += list(connection.scalars(sa.select(n.month).distinct()))
        return sorted({day.replace(day=1) for day in days})


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


def _versions(connection: sa.Connection, *wanted: Any) -> list[Version]:
    c, again = schema.contributions.c, schema.confirmations.c
    latest = sa.select(sa.func.max(c.id)).where(*wanted).group_by(c.affiliate, c.product, c.grain, c.activity_date)
    confirmed = (
        sa.select(again.contribution_id, sa.func.max(again.computed_at).label("at")).group_by(again.contribution_id).subquery()
    )
    columns = [c[field.name] for field in fields(Version) if field.name != "computed_at"]
    rows = connection.execute(
        sa.select(*columns, sa.func.coalesce(confirmed.c.at, c.computed_at, type_=schema.Utc()).label("computed_at"))
        .outerjoin(confirmed, confirmed.c.contribution_id == c.id)
        .where(c.id.in_(latest))
        .order_by(c.affiliate, c.product, c.activity_date)
    )
    return [Version(**row) for row in rows.mappings()]


def _append_sketches(connection: sa.Connection, images: Mapping[str, Registers]) -> None:
    s, digests = schema.sketches, list(images)
    for start in range(0, len(digests), 500):
        some = digests[start : start + 500]
        known = set(connection.scalars(sa.select(s.c.digest).where(s.c.digest.in_(some))))
        new = [d for d in some if d not in known]
        packed = ordered(lambda d: _packed(images[d].to_image()), new)
        rows = [{"digest": d, "lg_k": images[d].lg_k, "image": image} for d, image in zip(new, packed, strict=True)]
        if rows:
            connection.execute(s.insert(), rows)


def _packed(image: bytes) -> bytes:
    """The image, or its zstd frame where that is shorter; the first byte tells which."""
    shorter = zstandard.ZstdCompressor(level=3).compress(image) if len(image) > 1024 else image
    return min(image, shorter, key=len)


def _unpacked(stored: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(stored) if stored[:4] == _ZSTD_MAGIC else stored


def _stored_part(row: tuple[Any, ...]) -> tuple[int, StoredPart]:
    contribution_id, audience, namespace, digest, image = row
    return contribution_id, StoredPart(audience, namespace, None if image is None else _read(image, digest))


def _read(stored: bytes, digest: str) -> Registers:
    try:
        registers = Registers.of_image(_unpacked(stored))
    except (BadImage, zstandard.ZstdError):
        registers = None
    if registers is None or registers.digest() != digest:
        raise Refusal(
            "the store", "a sketch isn't what its digest says", f"sketch {digest[:12]}", "restore the store from its backup"
        )
    return registers


def _count_key(count: GivenCount) -> tuple[str, str, date, str]:
    return count.affiliate, count.product, count.month, count.kind
