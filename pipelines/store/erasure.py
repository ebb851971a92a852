"""Erasing sketches: which go, which stay, what can't be computed afterwards, and who ordered the erasure.

A sketch's row stays with its digest, so that what rests on the sketch still verifies; the image is gone. A contribution's
row stays, too: its numbers are nobody's personal data.
"""

from collections.abc import Collection, Sequence
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
    """Which contributions an order is about: those for which all that is given holds."""

    affiliate: str | None = None
    product: str | None = None
    first_day: date | None = None
    last_day: date | None = None
    """Included in the range, as is `first_day`."""
    key_epoch: str | None = None
    before: date | None = None
    """A month's first day: all periods that begin earlier."""
    superseded: bool = False
    """Only versions that newer ones have replaced: no figure loses anything."""

    def __str__(self) -> str:
        of_product = f"{self.affiliate}/{self.product} from {self.first_day} to {self.last_day}"
        text = f"all before {self.before:%Y-%m}" if self.before else f"epoch {self.key_epoch}" if self.key_epoch else of_product
        return f"replaced versions of {text}" if self.superseded else text

    @property
    def condition(self) -> sa.ColumnElement[bool]:
        """The condition on `contributions`.

        A month's contribution is in the range when one of its days is: that day's people are in its sketches.
        """
        contribution = schema.contributions.c
        holds = list[sa.ColumnElement[bool]]()
        if self.affiliate:
            holds += [contribution.affiliate == self.affiliate, contribution.product == self.product]
        if self.first_day:
            of_month = sa.and_(contribution.grain == "month", contribution.activity_date >= month_of(self.first_day))
            holds.append(sa.or_(contribution.activity_date >= self.first_day, of_month))
        if self.last_day:
            holds.append(contribution.activity_date <= self.last_day)
        if self.key_epoch:
            # With an epoch's days go their second contributions: else the same people would stay, under the next epoch's key.
            own = schema.contributions.alias()
            same = [own.c[name] == contribution[name] for name in SUBJECT_COLUMNS]
            its_days = sa.exists().where(*same, own.c.ahead.is_(False), own.c.key_epoch == self.key_epoch)
            second = sa.and_(contribution.ahead.is_(True), its_days.correlate(schema.contributions))
            holds.append(sa.or_(contribution.key_epoch == self.key_epoch, second))
        if self.before:
            holds.append(contribution.activity_date < self.before)
        if self.superseded:
            holds.append(contribution.id.not_in(schema.current(schema.contributions, *PERIOD_COLUMNS)))
        return sa.and_(*holds)


@dataclass(frozen=True)
class Order:
    """Who ordered an erasure, or allowed contributions again, and why."""

    by: str
    reason: str


@dataclass
class ErasedProduct:
    """The sketches of a product that go, in one grain."""

    name: str
    """affiliate/product"""
    grain: str
    days: set[date] = field(default_factory=set)
    """First days of the periods that lose a sketch."""
    own_days: set[date] = field(default_factory=set)
    """Those that lose a sketch of their own contribution; on days' second ones no month's figures rest."""
    digests: dict[str, int] = field(default_factory=dict)
    """Bytes by sketch's digest."""

    def to_dict(self) -> dict[str, Any]:
        """The product as `mauwatch erase --json` shows it: numbers of periods and sketches, bytes, first and last period."""
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

    products: list[ErasedProduct]
    """In the order of names and grains."""
    digests: dict[str, int]
    """Bytes by digest, of all sketches that go."""
    shared: set[str]
    """Digests of sketches that stay: contributions outside the range have the same ones."""
    months: dict[date, str]
    """State of the months (first days) whose figures can't be computed again."""
    contributions: set[str]
    """Digests of the contributions that lose a sketch."""
    erased_before: int
    """Sketches of the range that earlier orders have erased."""

    @property
    def periods(self) -> int:
        """Periods of products that lose a sketch."""
        return sum(len(product.days) for product in self.products)

    @property
    def bytes(self) -> int:
        """What the sketches that go take up."""
        return sum(self.digests.values())


def retention(group: Group, today: date) -> Scope:
    """The range of what is older than the `keep_sketches` months before the month of `today`."""
    return Scope(before=add_months(month_of(today), -group.settings.keep_sketches))


def plan(store: Store, scope: Scope) -> ErasurePlan:
    """What erasing a range would do; nothing is changed.

    Raises `RefusedError` (RANGE_EMPTY) where nothing was contributed for a range that somebody named.
    """
    contributions = schema.contributions
    parts = schema.parts
    sketches = schema.sketches
    columns = [
        *(contributions.c[name] for name in PERIOD_COLUMNS),
        contributions.c.digest,
        sketches.c.digest.label("sketch"),
        sketches.c.lg_k,
        schema.GONE.label("gone"),
    ]
    joined = contributions.join(parts, parts.c.contribution_id == contributions.c.id).join(
        sketches, sketches.c.digest == parts.c.sketch
    )
    inside = sa.select(*columns, sa.func.length(sketches.c.image).label("bytes")).select_from(joined).where(scope.condition)
    # A sketch is stored once for all contributions that have the same registers: one that others still need stays.
    mine = (
        sa.select(parts.c.sketch)
        .select_from(parts.join(contributions, parts.c.contribution_id == contributions.c.id))
        .where(scope.condition)
    )
    others = sa.select(parts.c.sketch).distinct().select_from(joined).where(sa.not_(schema.GONE))
    with store.reading() as connection:
        rows = connection.execute(inside).all()
        beyond = set(connection.scalars(others.where(sa.not_(scope.condition), parts.c.sketch.in_(mine))))
    if not rows and scope.before is None and not scope.superseded:
        raise refused(
            Code.RANGE_EMPTY,
            str(scope),
            "nothing was contributed that this could erase",
            "",
            "see what there is: mauwatch measure",
        )
    # Sketches of nobody are the same for every product, and nobody's data.
    empty = {Registers.from_coupons(k, np.array([], np.uint32)).digest() for k in {row.lg_k for row in rows}}
    order_plan = _plan_of_rows([row for row in rows if row.sketch not in empty], beyond)
    order_plan.erased_before = len({row.sketch for row in rows if row.gone})
    states = {month: publication.state for (month, _), publication in publications.in_force(store).items()}
    losing = [] if scope.superseded else order_plan.products
    months = sorted({month_of(day) for product in losing for day in product.own_days})
    order_plan.months = {month: states.get(month, publications.PRELIMINARY) for month in months}
    return order_plan


def _plan_of_rows(rows: Sequence[Any], beyond: Collection[str]) -> ErasurePlan:
    """The plan for rows of parts, without months. `beyond`: digests of sketches that contributions outside the range have."""
    order_plan = ErasurePlan([], {}, set(), {}, set(), 0)
    by_product: dict[tuple[str, str], ErasedProduct] = {}
    for row in rows:
        if row.gone:
            continue
        if row.sketch in beyond:
            order_plan.shared.add(row.sketch)
            continue
        name = str(ProductRef(row.affiliate, row.product))
        product = by_product.setdefault((name, row.grain), ErasedProduct(name, row.grain))
        product.days.add(row.activity_date)
        product.own_days |= set() if row.ahead else {row.activity_date}
        product.digests[row.sketch] = row.bytes
        order_plan.digests[row.sketch] = row.bytes
        order_plan.contributions.add(row.digest)
    order_plan.products = [by_product[key] for key in sorted(by_product)]
    return order_plan


def erase(store: Store, scope: Scope, order: Order, now: datetime) -> ErasurePlan:
    """Erase the images of a range in one transaction, with a row of `erasures` and its ledger entry; gives what went.

    The bytes are gone from the store's files only after `vacuum.sweep`. Raises `RefusedError` as `plan` does.
    """
    sketches = schema.sketches
    with store.writing() as connection, ledger.noting(connection):
        # Planned again inside the transaction: a contribution that came since may have a sketch in common.
        erased = plan(Store(store.engine, connection), scope)
        digests = list(erased.digests)
        for chunk in schema.chunks(digests):
            connection.execute(sketches.update().where(sketches.c.digest.in_(chunk)).values(image=None, erased_at=now))
        if digests:
            numbers = {"periods": erased.periods, "sketches": len(digests), "bytes": erased.bytes, "shared": len(erased.shared)}
            _note(connection, ERASED, scope, order, now, numbers)
    return erased


def allow_again(store: Store, scope: Scope, order: Order, now: datetime) -> int:
    """Allow that days of a product are contributed again; gives how many of their sketches are erased.

    That may be none: days are blocked, too, whose registers were erased with another day's. Raises `RefusedError`
    (RANGE_EMPTY) where nothing was ever erased.
    """
    with store.writing() as connection, ledger.noting(connection):
        if not connection.scalar(sa.select(sa.func.count()).select_from(schema.erasures)):
            raise refused(Code.RANGE_EMPTY, str(scope), "nothing was ever erased", "", "there is nothing to allow")
        joined = schema.contributions.join(schema.parts).join(schema.sketches)
        sketch = schema.sketches.c
        wanted = sa.select(sa.func.count(sketch.digest.distinct())).select_from(joined).where(scope.condition, schema.GONE)
        _note(connection, ALLOWED, scope, order, now, {"periods": 0, "sketches": 0, "bytes": 0, "shared": 0})
        return connection.scalar(wanted) or 0


def _note(connection: sa.Connection, kind: str, scope: Scope, order: Order, now: datetime, numbers: dict[str, int]) -> None:
    who = {"kind": kind, "signed_by": order.by, "reason": order.reason, "known_at": now}
    connection.execute(schema.erasures.insert(), [asdict(scope) | numbers | who])
