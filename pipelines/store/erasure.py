"""Erasing sketches: which go and which stay, what can't be computed afterwards, and who ordered it.

The row of a sketch stays with its digest, so that what rests on it still verifies; the image is gone. A contribution's own
row stays too: its numbers are nobody's personal data.
"""

from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from affiliates.errors import Code, refused
from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.periods import add_months, month_of
from affiliates.sketches.registers import Registers
from pipelines.records import PERIOD_COLUMNS, SUBJECT_COLUMNS
from pipelines.store import ledger, publications, schema
from pipelines.store.engine import Store
from pipelines.store.erasure_guard import ALLOWED, ERASED


@dataclass(frozen=True)
class Scope:
    """Whose sketches an order is about: everything that is given must hold."""

    affiliate: str | None = None
    product: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    key_epoch: str | None = None
    before: date | None = None
    """First day of a month."""
    superseded: bool = False
    """Only versions that others have replaced: no figure loses anything."""

    def __str__(self) -> str:
        of_product = f"{self.affiliate}/{self.product} from {self.first_day} to {self.last_day}"
        said = f"all before {self.before:%Y-%m}" if self.before else f"epoch {self.key_epoch}" if self.key_epoch else of_product
        return f"replaced versions of {said}" if self.superseded else said

    @property
    def condition(self) -> sa.ColumnElement[bool]:
        """On `contributions`. A month's contribution is in when any of its days is: the day's people are in it. With an epoch's
        days goes what they have under the coming epoch's key: else the same people would stay, only under another."""
        c = schema.contributions.c
        holds = list[sa.ColumnElement[bool]]()
        if self.affiliate:
            holds += [c.affiliate == self.affiliate, c.product == self.product]
        if self.first_day:
            of_month = sa.and_(c.grain == "month", c.activity_date >= month_of(self.first_day))
            holds.append(sa.or_(c.activity_date >= self.first_day, of_month))
        if self.last_day:
            holds.append(c.activity_date <= self.last_day)
        if self.key_epoch:
            own = schema.contributions.alias()
            same = [own.c[name] == c[name] for name in SUBJECT_COLUMNS]
            its_days = sa.exists().where(*same, own.c.ahead.is_(False), own.c.key_epoch == self.key_epoch)
            second = sa.and_(c.ahead.is_(True), its_days.correlate(schema.contributions))
            holds.append(sa.or_(c.key_epoch == self.key_epoch, second))
        if self.before:
            holds.append(c.activity_date < self.before)
        if self.superseded:
            holds.append(c.id.not_in(schema.current(schema.contributions, *PERIOD_COLUMNS)))
        return sa.and_(*holds)


@dataclass(frozen=True)
class Order:
    """Who has something erased, and why."""

    by: str
    reason: str


@dataclass
class ErasedProduct:
    """What goes of a product, in one grain."""

    name: str
    grain: str
    days: set[date] = field(default_factory=set)
    own: set[date] = field(default_factory=set)
    """Those that lose their own contribution, not just a second one, which no month's figures rest on."""
    digests: dict[str, int] = field(default_factory=dict)
    """Of its sketches, with their bytes."""

    def to_dict(self) -> dict[str, Any]:
        """Periods, sketches and bytes."""
        return {
            "product": self.name,
            "grain": self.grain,
            "periods": len(self.days),
            "first": f"{min(self.days)}",
            "last": f"{max(self.days)}",
            "sketches": len(self.digests),
            "bytes": sum(self.digests.values()),
        }


@dataclass
class ErasurePlan:
    """What an order would erase, or has erased."""

    going: list[ErasedProduct]
    digests: dict[str, int]
    """Of all sketches that go, with their bytes."""
    shared: set[str]
    """Of sketches that stay, since contributions beyond have the same."""
    months: dict[date, str]
    """Those whose figures can't be computed again, with their state."""
    contributions: set[str]
    """Digests of contributions that lose a sketch."""
    already: int
    """Sketches of the range that were erased before."""

    @property
    def periods(self) -> int:
        return sum(len(going.days) for going in self.going)

    @property
    def bytes(self) -> int:
        return sum(self.digests.values())


def retention(group: Group, today: date) -> Scope:
    """All that is older than the months that `keep_sketches` keeps, beside the one that is going on."""
    return Scope(before=add_months(month_of(today), -group.settings.keep_sketches))


def plan(store: Store, scope: Scope) -> ErasurePlan:
    """What erasing a range would do; nothing is changed. Raises `RefusedError` where there is nothing of it."""
    c = schema.contributions
    p = schema.parts
    s = schema.sketches
    columns = [
        *(c.c[name] for name in PERIOD_COLUMNS),
        c.c.digest,
        s.c.digest.label("sketch"),
        s.c.lg_k,
        schema.GONE.label("gone"),
    ]
    joined = c.join(p, p.c.contribution_id == c.c.id).join(s, s.c.digest == p.c.sketch)
    inside = sa.select(*columns, sa.func.length(s.c.image).label("bytes")).select_from(joined).where(scope.condition)
    mine = sa.select(p.c.sketch).select_from(p.join(c, p.c.contribution_id == c.c.id)).where(scope.condition)
    others = sa.select(p.c.sketch).distinct().select_from(joined).where(sa.not_(schema.GONE))
    with store.reading() as connection:
        rows = connection.execute(inside).all()
        beyond = set(connection.scalars(others.where(sa.not_(scope.condition), p.c.sketch.in_(mine))))
    if not rows and scope.before is None and not scope.superseded:
        raise refused(
            Code.RANGE_EMPTY,
            str(scope),
            "nothing was contributed that this could erase",
            "",
            "see what there is: mauwatch measure",
        )
    empty = {Registers.from_coupons(k, np.array([], np.uint32)).digest() for k in {row.lg_k for row in rows}}
    found = ErasurePlan([], {}, set(), {}, set(), len({row.sketch for row in rows if row.gone}))
    of_product: dict[tuple[str, str], ErasedProduct] = {}
    for row in rows:
        if row.gone or row.sketch in empty:
            continue
        if row.sketch in beyond:
            found.shared.add(row.sketch)
            continue
        name = str(ProductRef(row.affiliate, row.product))
        going = of_product.setdefault((name, row.grain), ErasedProduct(name, row.grain))
        going.days.add(row.activity_date)
        going.own |= set() if row.ahead else {row.activity_date}
        going.digests[row.sketch] = found.digests[row.sketch] = row.bytes
        found.contributions.add(row.digest)
    found.going = [of_product[key] for key in sorted(of_product)]
    states = {month: p.state for (month, _), p in publications.in_force(store).items()}
    lost = [] if scope.superseded else found.going
    months = sorted({month_of(day) for going in lost for day in going.own})
    found.months = {month: states.get(month, publications.PRELIMINARY) for month in months}
    return found


def erase(store: Store, scope: Scope, order: Order, now: datetime) -> ErasurePlan:
    """Erase the images in one transaction, and note who ordered it; says what went.

    The bytes are gone from the store's files only after `sweeping.sweep`.
    """
    s = schema.sketches
    with store.writing() as connection, ledger.noting(connection):
        found = plan(Store(store.engine, connection), scope)
        digests = list(found.digests)
        for some in schema.chunks(digests):
            connection.execute(s.update().where(s.c.digest.in_(some)).values(image=None, erased_at=now))
        if digests:
            numbers = {"periods": found.periods, "sketches": len(digests), "bytes": found.bytes, "shared": len(found.shared)}
            _note(connection, ERASED, scope, order, now, numbers)
    return found


def allow_again(store: Store, scope: Scope, order: Order, now: datetime) -> int:
    """Allow that days of a product are contributed again, although they or just their registers were erased; says how many
    of their own sketches are."""
    with store.writing() as connection, ledger.noting(connection):
        if not connection.scalar(sa.select(sa.func.count()).select_from(schema.erasures)):
            raise refused(Code.RANGE_EMPTY, str(scope), "nothing was ever erased", "", "there is nothing to allow")
        joined = schema.contributions.join(schema.parts).join(schema.sketches)
        s = schema.sketches.c
        wanted = sa.select(sa.func.count(s.digest.distinct())).select_from(joined).where(scope.condition, schema.GONE)
        _note(connection, ALLOWED, scope, order, now, {"periods": 0, "sketches": 0, "bytes": 0, "shared": 0})
        return connection.scalar(wanted) or 0


def _note(connection: sa.Connection, kind: str, scope: Scope, order: Order, now: datetime, numbers: dict[str, int]) -> None:
    said = {"kind": kind, "signed_by": order.by, "reason": order.reason, "known_at": now}
    connection.execute(schema.erasures.insert(), [asdict(scope) | numbers | said])
