"""Who belongs to a group on a day, in the order of an indented table. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from affiliates.manifests.group import Group, Step
from dashboards.formats import SPACE


@dataclass(frozen=True)
class Member:
    """An entity under common control."""

    entity: str
    name: str
    depth: int
    """Steps from the ultimate parent, by the shortest path."""
    owners: Sequence[str]
    """Members that hold or control it."""
    how: str
    """Shares or control in words."""
    products: Sequence[str]
    """What it offers, by full names."""


def members_of(group: Group, day: date) -> list[Member]:
    """The entities of a day: each after the one that holds most of it, and before that one's next."""
    paths = group.affiliates(day)
    parents: dict[str, str] = {}
    depths: dict[str, int] = {}
    # The paths come in rounds outward from the parent, so an owner's depth is known before it is needed.
    for name, path in paths.items():
        # The last step is the entity's own; the ones before are its holders'.
        owners = _owners(path[-1]) if path else ()
        main = max(owners, key=lambda owner: owner[1])[0] if owners else ""
        parents[name] = main
        depths[name] = depths[main] + 1 if main else 0
    children: dict[str, list[str]] = {}
    for name, parent in parents.items():
        children.setdefault(parent, []).append(name)
    return [_member(group, paths[name], name, depths[name]) for name in _in_order(children, "")]


def outsiders(group: Group, day: date) -> list[tuple[str, str]]:
    """The entities that manifests name and that don't belong to the group on a day, each with why."""
    members = group.affiliates(day)
    return [
        (entity.name or name, group.why_outside(name, members, day))
        for name, entity in group.entities.items()
        if name not in members
    ]


def _in_order(children: dict[str, list[str]], parent: str) -> list[str]:
    order = []
    for name in children.get(parent, ()):
        order += [name, *_in_order(children, name)]
    return order


def _owners(step: Step) -> list[tuple[str, float]]:
    """The members by which an entity belongs, each with its share; a controller without shares has none."""
    if step.control is not None:
        return [(step.control.by or "", 0.0)]
    return [(owner, float(share)) for owner, share in step.holders]


def _how(group: Group, step: Step) -> str:
    """Who holds or controls an entity, by full names."""

    def name_of(owner: str | None) -> str:
        entity = group.entities.get(owner or "")
        return (entity.name if entity else "") or str(owner)

    if step.control is not None:
        return f"{name_of(step.control.by)} ({step.control.basis}: {step.control.document})"
    return " + ".join(f"{name_of(owner)} {float(share * 100):g}{SPACE}%" for owner, share in step.holders)


def _member(group: Group, path: Sequence[Step], name: str, depth: int) -> Member:
    entity = group.entities[name]
    step = path[-1] if path else None
    owners = [owner for owner, _ in _owners(step)] if step else []
    how = _how(group, step) if step else "the ultimate parent"
    products = [product.name or product.product for product in entity.products]
    return Member(name, entity.name or name, depth, owners, how, products)
