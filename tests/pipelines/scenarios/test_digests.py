"""The digests of what a scenario rests on: another one where the answer may be another, and the same where it can't be."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from affiliates.manifests.base import Model
from affiliates.manifests.group import Control, Entity, Group, Holding
from pipelines.scenarios.baseline import read_baseline
from pipelines.scenarios.definition import Definition
from pipelines.workspace import Workspace
from tests.support.deals import NOW, Deal, deal_group

TWO = {"chat/app": range(4_000), "joint/app": range(3_000, 6_000)}
SOLD = {"ownership": {"entity": "joint", "owner": "parent", "share": "60 %"}, "on": "2026-11-01"}
GROWS = {"grow": "chat", "on": "2026-11-01", "by": "1 %"}
Change = Callable[[Group], Group]


@pytest.fixture(scope="module")
def deal(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with deal_group(tmp_path_factory.mktemp("deal") / "group", TWO, months=2) as made:
        yield made


def digests(deal: Deal, change: dict[str, Any], group: Group | None = None) -> dict[str, str]:
    """The digests of a scenario with one change, on the deal's group or on another one in its place."""
    definition = Definition.from_dict({"scenario": "a", "horizon": 3, "changes": [change]})
    with Workspace(deal.workspace.directory, group or deal.group, NOW) as workspace:
        return dict(read_baseline(workspace, deal.store, definition, deal.folder).digests)


def of_entity(entity_: str, /, **changes: Any) -> Change:
    """The group with another manifest of an entity."""

    def changed(group: Group) -> Group:
        entity = group.entities.get(entity_, Entity(entity=entity_)).model_copy(update=changes)
        return group.model_copy(update={"entities": {**group.entities, entity_: entity}})

    return changed


def of_product(entity_: str, /, **changes: Any) -> Change:
    def changed(group: Group) -> Group:
        products = tuple(product.model_copy(update=changes) for product in group.entities[entity_].products)
        return of_entity(entity_, products=products)(group)

    return changed


def of_settings(**changes: Any) -> Change:
    return lambda group: group.model_copy(update={"settings": group.settings.model_copy(update=changes)})


def held(share: float, **days: Any) -> tuple[Model, ...]:
    return (Holding.model_validate({"owner": "parent", "share": share, **days}),)


@pytest.mark.parametrize(
    "change",
    [
        of_entity("chat", name="Chat Incorporated"),
        of_entity("new", owned_by=held(0.2)),
        of_entity("new"),
        of_entity("joint", owned_by=held(0.4)),
        of_product("chat", sources=(), unidentified_limit=0.9),
        of_product("joint", name="Joint"),
        of_settings(keep_sketches=5, name="Another"),
    ],
    ids=["a name", "a stranger", "nobody's", "a stranger's share", "sources", "a stranger's product", "settings"],
)
def test_what_decides_nothing_moves_no_digest(deal: Deal, change: Change) -> None:
    """A refusal for each changed line of a manifest would be overruled by habit."""
    assert digests(deal, GROWS, change(deal.group)) == digests(deal, GROWS)


@pytest.mark.parametrize(
    "change",
    [
        of_entity("chat", owned_by=held(0.9)),
        of_entity("chat", owned_by=held(1, **{"from": "2026-12-01"}), controlled_by=(Control(basis="board", document="x"),)),
        of_entity("joint", owned_by=held(0.6)),
        of_entity("joint", owned_by=held(0.6, **{"from": "2026-12-15"})),
        of_product("chat", to=date(2026, 12, 1)),
        of_product("chat", audiences=("external",)),
    ],
    ids=["a share", "control", "a member more", "a member from a later day", "a product ends", "audiences"],
)
def test_what_decides_who_counts_moves_the_manifests_digest(deal: Deal, change: Change) -> None:
    """An answer of another group that passes for the same one."""
    assert digests(deal, GROWS, change(deal.group))["manifests"] != digests(deal, GROWS)["manifests"]


def test_contributions_that_join_by_a_change_are_among_them(deal: Deal, tmp_path: Path) -> None:
    """They aren't in the figure of the base month, and decide what the group has after the change."""
    sold, grown = digests(deal, SOLD), digests(deal, GROWS)
    assert (len(sold["joining"]), grown["joining"]) == (64, "")
    with deal_group(tmp_path / "group", {**TWO, "joint/app": range(3_000, 6_001)}, months=2) as other:
        assert digests(other, SOLD) == sold | {"joining": digests(other, SOLD)["joining"]}
        assert digests(other, SOLD)["joining"] != sold["joining"]
        assert digests(other, GROWS) == grown
