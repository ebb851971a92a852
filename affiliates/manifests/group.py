"""Entities, products and the group; who is an affiliate on a date, and by which path. Pure.

Control is the least fixpoint from the ultimate parent: an entity is an affiliate when the shares that members hold sum to
over the control share, or when a dated `controlled_by` names a member. Every validity is half-open: `from` belongs to it, `to`
doesn't.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from affiliates.errors import alike
from affiliates.manifests.alert_settings import Alerting
from affiliates.manifests.base import Dated, Model, Name, PublicKey, Share, Text
from affiliates.manifests.dashboard_settings import Dashboard
from affiliates.manifests.grants import Grants
from affiliates.manifests.product import Product, ProductRef
from affiliates.manifests.readings import CONTROL_SHARE, DEFAULT_READINGS, Readings
from affiliates.manifests.settings import Settings
from affiliates.periods import DAY, end_of

_ALIKE = 0.8
"""The similarity (`difflib`'s ratio) from which two names of namespaces may be one, misspelt."""


def affiliate_of(subject: str) -> str:
    """The affiliate of a subject that is written as an affiliate or as affiliate/product."""
    return subject.partition("/")[0]


class Holding(Dated):
    """A share of an entity held by another entity."""

    owner: Name
    """The entity that holds the share."""
    share: Share
    """The share that is held, 60 % or 0.6."""


class Control(Dated):
    """Control without a majority of shares, and what the control rests on."""

    by: Name | None = None
    """The entity that controls; the ultimate parent where it is left out."""
    basis: Literal["vie", "board", "voting", "consolidation", "contract"]
    """What the control rests on; `vie` is a variable interest entity."""
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
    """Keys for signatures. Where there are any, each file that the entity hands in must be signed by one of them."""


class Step(Model):
    """Why one entity is an affiliate: the members that hold it, or the control agreement."""

    entity: str
    """The entity that becomes an affiliate by this step."""
    holders: tuple[tuple[str, Decimal], ...] = ()
    """The members that hold shares of the entity, each with the share."""
    control: Control | None = None
    """The control agreement, where shares don't suffice; its `by` is always set."""

    def __str__(self) -> str:
        """The step as evidence shows it: holders or controller, an arrow, and the entity."""
        if self.control is not None:
            return f"{self.control.by} ({self.control.basis}: {self.control.document}) → {self.entity}"
        held = " + ".join(f"{owner} {float(share * 100):g} %" for owner, share in self.holders)
        return f"{held} → {self.entity}"


class Group(Model):
    """A corporate group as its manifests describe it."""

    settings: Settings
    """group.yaml."""
    entities: Mapping[str, Entity]
    """affiliates/*.yaml, by the entity's name."""
    readings: Readings = DEFAULT_READINGS
    """readings.yaml."""
    grants: Grants = Grants()
    """grants.yaml."""
    alerting: Alerting = Alerting()
    """alerts.yaml."""
    dashboard: Dashboard = Dashboard()
    """dashboard.yaml."""

    @property
    def is_an_affiliates(self) -> bool:
        """Whether this is an affiliate's part of the group: the ultimate parent's manifest isn't here, nor who belongs to it."""
        return self.settings.ultimate_parent not in self.entities

    @property
    def legend(self) -> str:
        """Counsel's own text for every page, export and message; empty where there is none.

        The text stands in group.yaml, or in an older group's alerts.yaml; the loader has put the text into `alerting`.
        """
        return self.alerting.legend

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the group's days and months."""
        return ZoneInfo(self.settings.time_zone)

    @cached_property
    def products(self) -> Mapping[ProductRef, Product]:
        """All products, affiliate by affiliate, in the order of the manifests."""
        return MappingProxyType(
            {
                ProductRef(entity.entity, product.product): product
                for entity in self.entities.values()
                for product in entity.products
            }
        )

    def product(self, ref: ProductRef) -> Product | None:
        """The product that a reference names; nothing where no manifest has the product."""
        return self.products.get(ref)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, with the products of the copy's own entities."""
        copied = super().model_copy(update=update, deep=deep)
        vars(copied).pop("products", None)
        return copied

    def why_outside(self, entity: str, members: Collection[str], day: date) -> str:
        """The reason, in words, for which an entity isn't among the members on a day. Raises `KeyError` for an unknown entity."""
        outsider = self.entities[entity]
        held = _sum(_holders(outsider, members, day))
        reasons = [f"members hold {float(held * 100):g} %"]
        reasons += [
            f"{control.by} that controls it is outside too"
            for control in outsider.controlled_by
            if control.by not in members and control.holds_on(day) and control.by
        ]
        return f"not under control: {', '.join(reasons)}"

    def affiliates(self, day: date, control_share: Decimal = CONTROL_SHARE) -> dict[str, tuple[Step, ...]]:
        """The entities under common control on `day`, each with the path from the ultimate parent.

        A path is the steps that make the entity's holders members, and at last the entity itself; the ultimate parent's path is
        empty. Shares must sum to over `control_share`.
        """
        parent = self.settings.ultimate_parent
        paths: dict[str, tuple[Step, ...]] = {parent: ()}
        order = {name: place for place, name in enumerate(self.entities)}
        held_by = _held_by(self.entities.values(), parent)
        joined: Collection[str] = [parent]
        # In rounds outward from the parent: a path is then one of the shortest, and entities that only hold each other stay out.
        while joined:
            # Nothing is new to an entity of whose owners none has joined in the round before.
            candidates = {name for member in joined for name in held_by.get(member, ()) if name not in paths}
            joining = {
                name: _path_to(step, paths)
                for name in sorted(candidates, key=order.__getitem__)
                if (step := _step(self.entities[name], paths, day, control_share, parent))
            }
            paths.update(joining)
            joined = joining
        return paths


def _held_by(entities: Iterable[Entity], parent: str) -> dict[str, set[str]]:
    """By owner, the entities in which the owner holds shares, or which the owner controls, on any day."""
    held: dict[str, set[str]] = {}
    for entity in entities:
        for owner in (
            *(holding.owner for holding in entity.owned_by),
            *(control.by or parent for control in entity.controlled_by),
        ):
            held.setdefault(owner, set()).add(entity.entity)
    return held


def _holders(entity: Entity, members: Collection[str], day: date) -> tuple[tuple[str, Decimal], ...]:
    """The members that hold shares of an entity on a day, each with the share."""
    return tuple(
        (holding.owner, holding.share) for holding in entity.owned_by if holding.owner in members and holding.holds_on(day)
    )


def _sum(holders: tuple[tuple[str, Decimal], ...]) -> Decimal:
    # Decimals add up exactly; as floats, 0.1 and 0.2 would be over 0.3.
    return sum((share for _, share in holders), Decimal(0))


def _step(entity: Entity, members: Collection[str], day: date, control_share: Decimal, parent: str) -> Step | None:
    """The step by which the members of a day make an entity an affiliate; nothing where they don't."""
    holders = _holders(entity, members, day)
    if _sum(holders) > control_share:
        return Step(entity=entity.entity, holders=holders)
    for control in entity.controlled_by:
        by = control.by or parent
        if by in members and control.holds_on(day):
            return Step(entity=entity.entity, control=control.model_copy(update={"by": by}))
    return None


def _path_to(step: Step, paths: Mapping[str, tuple[Step, ...]]) -> tuple[Step, ...]:
    """The steps of all owners' paths, each entity's once, and then the step itself."""
    owners = [owner for owner, _ in step.holders]
    if step.control is not None and step.control.by is not None:
        owners.append(step.control.by)
    steps = {earlier.entity: earlier for owner in owners for earlier in paths[owner]}
    return (*steps.values(), step)


def lonely_namespaces(group: Group) -> list[str]:
    """Namespaces that one product alone has, with a name much like that of another product's, in sentences for people.

    A misspelt namespace adds its users to the group in silence. One that group.yaml names under `namespaces` is meant.
    """
    users: dict[str, list[str]] = {}
    for ref, product in group.products.items():
        for namespace in dict.fromkeys(
            [*(name for source in product.sources for name in source.namespaces), *product.namespaces]
        ):
            users.setdefault(namespace, []).append(str(ref))
    texts = []
    for namespace, products in users.items():
        others = [name for name in users if name != namespace and users[name] != products]
        near = alike(namespace, others, least=_ALIKE)
        if len(products) == 1 and near and namespace not in group.settings.namespaces:
            texts.append(
                f"{products[0]}: the namespace `{namespace}` is its own, and looks like `{near[0]}` of {users[near[0]][0]}: "
                "identifiers of two namespaces are never one person; correct it, or name it under `namespaces` in group.yaml"
            )
    return texts


def settles_at(group: Group, ref: ProductRef, grain: str, activity_date: date, zone: str) -> datetime:
    """The moment by when a period's late events have arrived: `settles_after` days of its product after the period's end.

    `activity_date` names the period by its first day, and `zone` is the zone of the period's days. A product that no manifest
    has settles at once.
    """
    product = group.product(ref)
    return end_of(grain, activity_date, zone) + DAY * (product.settles_after if product else 0)
