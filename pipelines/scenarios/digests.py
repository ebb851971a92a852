"""The digests of all that a scenario rests on, and of nothing else. Pure.

Of the manifests that is who owns and controls whom among those who count, and how long their products live. A source's place, a
contact or a company that has nothing to do with the scenario moves no digest.
"""

import hashlib
import json
from collections.abc import Collection
from typing import Any

from affiliates.manifests.group import Entity, Group
from affiliates.manifests.product import ProductRef
from pipelines.counting.inputs import Inputs, limited_to
from pipelines.forecasting.series import Series
from pipelines.licences.registry import Registry
from pipelines.scenarios import needs
from pipelines.scenarios.changes import OtherClause, OtherReading, OtherThreshold, Ownership
from pipelines.scenarios.clauses import other_threshold, releases_to_come, threshold_of
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.membership import everybody


def digests(
    group: Group, registry: Registry, definition: Definition, inputs: Inputs, of_everybody: Inputs, series: Series | None
) -> dict[str, str]:
    """SHA-256 in hex by the names of `ScenarioInputs`; `of_everybody`: as if each entity of the manifests were an affiliate."""
    products = needs.products_of(group, inputs.reading, definition, inputs.month)
    points = [[p.number, p.value, p.lower, p.upper, p.break_] for p in series.points] if series else []
    licences = _licences(registry, definition, inputs)
    joining = {str(ref) for ref in products} - {str(ref) for ref, _ in inputs.due}
    return {
        "figure": inputs.digest,
        "joining": limited_to(of_everybody, everybody(group), joining).digest if joining else "",
        "manifests": _sha256(_of_manifests(group, inputs, definition, products)),
        "series": _sha256(points),
        "registry": _sha256([entry.digest for entry in registry.entries if entry.id in licences]),
    }


def _of_manifests(group: Group, inputs: Inputs, definition: Definition, products: Collection[ProductRef]) -> dict[str, Any]:
    """What decides who counts: readings, ownership of those who count and of their owners, and the lives of their products."""
    names = {inputs.reading.name, *(c.reading for c in definition.changes if isinstance(c, OtherReading))}
    sold = (c.ownership for c in definition.changes if isinstance(c, Ownership))
    asked = {ref.affiliate for ref in products} | {name for share in sold for name in (share.entity, share.owner)}
    return {
        "ultimate_parent": group.settings.ultimate_parent,
        "readings": [reading.model_dump(mode="json") for reading in group.readings.readings if reading.name in names],
        "entities": {name: _held(group.entities[name]) for name in sorted(_with_owners(group, asked))},
        "products": {
            str(ref): group.products[ref].model_dump(mode="json", include={"from_", "to", "grain", "audiences"})
            for ref in sorted(products)
        },
    }


def _held(entity: Entity) -> dict[str, Any]:
    """Who holds and controls an entity, and since when."""
    return {
        "owned_by": [holding.model_dump(mode="json") for holding in entity.owned_by],
        "controlled_by": [control.model_dump(mode="json", include={"from_", "to", "by"}) for control in entity.controlled_by],
    }


def _with_owners(group: Group, names: Collection[str]) -> set[str]:
    """Entities with whoever holds or controls them, and those who hold these."""
    known = set[str]()
    left = {name for name in names if name in group.entities}
    while left:
        known |= left
        entities = [group.entities[name] for name in left]
        owners = {h.owner for e in entities for h in e.owned_by} | {c.by for e in entities for c in e.controlled_by if c.by}
        left = {name for name in owners if name in group.entities} - known
    return known


def _licences(registry: Registry, definition: Definition, inputs: Inputs) -> set[str]:
    """The ids of the licences whose clauses are tested, and of targets' models."""
    changes = [change for change in definition.changes if isinstance(change, OtherThreshold | OtherClause)]
    own = [threshold_of(registry, definition), *(other_threshold(registry, change) for change in changes)]
    tested = [release.threshold for release in releases_to_come(registry, definition, inputs.month, own)]
    return {threshold.id.partition("#")[0] for threshold in tested} | needs.licences_of(definition)


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
