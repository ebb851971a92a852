"""Whose products count on a day, by the manifests and by the changes that hold. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from affiliates.manifests.group import Control, Entity, Group, Holding
from affiliates.manifests.product import Audience, ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end, month_of
from pipelines.scenarios.changes import Acquire, AnyChange, Divest, Exclude, OtherReading, Ownership, Retire

MEMBERSHIP = (Acquire, Divest, Retire, Ownership, Exclude, OtherReading)
"""The changes that can make other products count, or other users of them. An acquisition does by its contribution."""


@dataclass(frozen=True)
class Composition:
    """Whose users count, and how: what a size is of."""

    products: frozenset[ProductRef]
    reading: Reading
    """With the audiences that are left."""
    targets: frozenset[str] = frozenset()
    """Targets whose contributions count, by their names."""

    def without(self, products: Collection[ProductRef]) -> "Composition":
        """The same without these products."""
        return replace(self, products=self.products.difference(products))

    def only(self, products: Collection[ProductRef]) -> "Composition":
        """Of the same, these products alone."""
        return replace(self, products=self.products.intersection(products), targets=frozenset())


def composition(group: Group, reading: Reading, changes: Sequence[AnyChange], month: date, day: date) -> Composition:
    """Whose products count in a month for the group of a day, after changes in the order of their days.

    A product counts as long as it lives on any day of the month.
    """
    last = month_end(month)
    changed = group
    gone = set[ProductRef]()
    targets = set[str]()
    for change in changes:
        if isinstance(change, OtherReading):
            by_name = next(known for known in group.readings.readings if known.name == change.reading)
            reading = by_name
        elif isinstance(change, Divest) and "/" not in change.divest:
            changed = _with_entity(changed, changed.entities[change.divest].model_copy(update=_ALONE))
        elif isinstance(change, Ownership):
            changed = _with_entity(changed, _owned(changed.entities[change.ownership.entity], change))
        elif isinstance(change, Acquire) and change.contribution is not None:
            targets.add(change.acquire)
        elif isinstance(change, Divest | Retire) or (isinstance(change, Exclude) and change.exclude.product):
            gone.add(ProductRef.parse(change.subject))
    # The audiences last: whoever reads otherwise leaves them out all the same.
    audiences = tuple(name for name in reading.audiences if name not in _left_out(changes))
    members = changed.affiliates(day, reading.control_share)
    products = frozenset(
        ref
        for name in members
        for product in changed.entities[name].products
        if (ref := ProductRef(name, product.product)) not in gone and product.due_between(month_of(month), last)
    )
    return Composition(products, reading.model_copy(update={"audiences": audiences}), frozenset(targets))


def everybody(group: Group) -> Group:
    """The group as if each entity of the manifests were an affiliate: who could ever count without a contribution."""
    controlled = (Control(basis="contract", document="a scenario"),)
    entities = {name: entity.model_copy(update={"controlled_by": controlled}) for name, entity in group.entities.items()}
    return group.model_copy(update={"entities": entities})


def _left_out(changes: Iterable[AnyChange]) -> set[Audience]:
    """The audiences that changes leave out."""
    return {c.exclude.audience for c in changes if isinstance(c, Exclude) and c.exclude.audience}


_ALONE = {"owned_by": (), "controlled_by": ()}
"""Of an entity that nobody holds."""


def _owned(entity: Entity, change: Ownership) -> Entity:
    """An entity after an owner's share has changed, from any day on."""
    others = tuple(holding for holding in entity.owned_by if holding.owner != change.ownership.owner)
    share = change.ownership.share
    new = (Holding(owner=change.ownership.owner, share=share),) if share else ()
    return entity.model_copy(update={"owned_by": (*others, *new)})


def _with_entity(group: Group, entity: Entity) -> Group:
    """A group with another manifest of one entity."""
    return group.model_copy(update={"entities": {**group.entities, entity.entity: entity}})
