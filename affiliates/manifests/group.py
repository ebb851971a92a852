"""Entities, products and the group; who is an affiliate on a date, and by which path. Pure.

Control is the least fixpoint from the ultimate parent: an entity is an affiliate when the shares
held by members sum to over the control share, or when a dated `controlled_by` names a member.
Every validity is half-open: `from` belongs to it, `to` does not.

Over 300 lines: the models of all manifests, and the one rule over them, are read together.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from affiliates.manifests.alert_settings import Alerting
from affiliates.manifests.base import Dated, Model, Name, PublicKey, Share, Text
from affiliates.manifests.grants import Grants
from affiliates.manifests.product import Product, ProductRef
from affiliates.manifests.readings import CONTROL_SHARE, DEFAULT_READINGS, Readings
from affiliates.manifests.settings import Settings
from affiliates.periods import DAY, end_of


def affiliate_of(subject: str) -> str:
    """The affiliate of a subject that is written as an affiliate or as affiliate/product."""
    return subject.partition("/")[0]


class Holding(Dated):
    """A share of an entity held by another entity."""

    owner: Name
    """The entity that holds the share."""
    share: Share
    """Of the entity: 60 % or 0.6."""


class Control(Dated):
    """Control without a majority of shares, with what it rests on."""

    by: Name | None = None
    """The entity that controls; the ultimate parent where it is left out."""
    basis: Literal["vie", "board", "voting", "consolidation", "contract"]
    """`vie` is a variable interest entity."""
    document: Text
    """The document in which the control stands."""


class Entity(Model):
    """A company in the ownership graph."""

    entity: Name
    """Its short name."""
    name: str = ""
    """Its full name."""
    owned_by: tuple[Holding, ...] = ()
    """Who holds shares of it."""
    controlled_by: tuple[Control, ...] = ()
    """Who controls it without a majority of shares."""
    products: tuple[Product, ...] = ()
    """What it offers."""
    public_keys: tuple[PublicKey, ...] = ()
    """If there are any, each file that it hands in must be signed by one of them."""


class Step(Model):
    """Why one entity is an affiliate: the members that hold it, or the control agreement."""

    entity: str
    holders: tuple[tuple[str, Decimal], ...] = ()
    control: Control | None = None

    def __str__(self) -> str:
        if self.control is not None:
            return f"{self.control.by} ({self.control.basis}: {self.control.document}) → {self.entity}"
        held = " + ".join(f"{owner} {float(share * 100):g} %" for owner, share in self.holders)
        return f"{held} → {self.entity}"


class Group(Model):
    """A corporate group as its manifests describe it."""

    settings: Settings
    entities: Mapping[str, Entity]
    readings: Readings = DEFAULT_READINGS
    grants: Grants = Grants()
    alerting: Alerting = Alerting()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.settings.time_zone)

    @property
    def products(self) -> dict[ProductRef, Product]:
        """All products, affiliate by affiliate, in the order of the manifests."""
        return {ProductRef(e.entity, p.product): p for e in self.entities.values() for p in e.products}

    def product(self, ref: ProductRef) -> Product | None:
        """The product that a reference names; nothing where no manifest has the product."""
        entity = self.entities.get(ref.affiliate)
        return next((p for p in entity.products if p.product == ref.product), None) if entity else None

    def why_outside(self, entity: str, members: Collection[str], day: date) -> str:
        """Why an entity isn't among the members on a day."""
        found = self.entities[entity]
        held = _sum(_holders(found, members, day))
        said = [f"members hold {float(held * 100):g} %"]
        said += [
            f"{c.by} that controls it is outside too"
            for c in found.controlled_by
            if c.by not in members and c.holds_on(day) and c.by
        ]
        return f"not under control: {', '.join(said)}"

    def affiliates(self, day: date, control_share: Decimal = CONTROL_SHARE) -> dict[str, tuple[Step, ...]]:
        """The entities under common control on `day`, each with the path from the ultimate parent.

        A path is the steps that make the entity's holders members first and then the entity
        itself; the ultimate parent's is empty. Members are found in rounds outward from the
        parent, so a path is one of the shortest and entities that only hold each other stay out.
        """
        parent = self.settings.ultimate_parent
        paths: dict[str, tuple[Step, ...]] = {parent: ()}
        while True:
            found = {
                name: _path_to(step, paths)
                for name, entity in self.entities.items()
                if name not in paths and (step := _step(entity, paths, day, control_share, parent))
            }
            if not found:
                return paths
            paths.update(found)


def _holders(entity: Entity, members: Collection[str], day: date) -> tuple[tuple[str, Decimal], ...]:
    return tuple((h.owner, h.share) for h in entity.owned_by if h.owner in members and h.holds_on(day))


def _sum(held: tuple[tuple[str, Decimal], ...]) -> Decimal:
    return sum((share for _, share in held), Decimal(0))


def _step(entity: Entity, members: Collection[str], day: date, control_share: Decimal, parent: str) -> Step | None:
    held = _holders(entity, members, day)
    if _sum(held) > control_share:
        return Step(entity=entity.entity, holders=held)
    for control in entity.controlled_by:
        by = control.by or parent
        if by in members and control.holds_on(day):
            return Step(entity=entity.entity, control=control.model_copy(update={"by": by}))
    return None


def _path_to(step: Step, paths: Mapping[str, tuple[Step, ...]]) -> tuple[Step, ...]:
    before = [owner for owner, _ in step.holders]
    if step.control is not None and step.control.by is not None:
        before.append(step.control.by)
    steps: dict[str, Step] = {s.entity: s for owner in before for s in paths[owner]}
    return (*steps.values(), step)


def settles_at(group: Group, ref: ProductRef, grain: str, activity_date: date, zone: str) -> datetime:
    """When a period's late events have arrived, by its product's `settles_after`."""
    product = group.product(ref)
    return end_of(grain, activity_date, zone) + DAY * (product.settles_after if product else 0)
