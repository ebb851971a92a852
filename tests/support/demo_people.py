"""The people of the demo at real size, fewer of each kind: whose keys are in which product, and how many they truly are."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from affiliates.errors import Refusal
from affiliates.manifests.loader import parse
from affiliates.manifests.yaml_lines import load
from affiliates.simulation.population import Population
from tests.support.paths import ROOT
from tests.support.sketches import keys

_KINDS = ("email", "phone", "device", "person")
_WITHOUT_SKETCH = ("mobile/prepaid", "retail/kiosk")


@dataclass(frozen=True)
class DemoPeople:
    """The people of the demo's last month. A person is a number; a key is a person in a namespace."""

    population: Population

    @cached_property
    def first(self) -> list[int]:
        """The number of each pattern's first person."""
        return list(np.cumsum([0, *(pattern.people for pattern in self.population.patterns)]))

    @property
    def products(self) -> list[str]:
        """The products that give sketches, as affiliate/product."""
        names = {name for pattern in self.population.patterns for name in pattern.uses}
        return sorted(names.difference(_WITHOUT_SKETCH))

    def keys(self, product: str) -> dict[str, np.ndarray]:
        """By namespace, the keys of a product's people."""
        parts: dict[str, list[np.ndarray]] = {}
        for number, pattern in enumerate(self.population.patterns):
            for namespace in pattern.namespaces([product]):
                span = np.arange(self.first[number], self.first[number] + pattern.people)
                parts.setdefault(namespace, []).append(_keys(span, namespace))
        return {namespace: np.concatenate(some) for namespace, some in sorted(parts.items())}

    def persons(self, products: Collection[str]) -> np.ndarray:
        """The numbers of everybody in any of the products."""
        spans = [
            np.arange(self.first[number], self.first[number] + pattern.people)
            for number, pattern in enumerate(self.population.patterns)
            if any(pattern.uses.get(product) for product in products)
        ]
        return np.concatenate(spans)

    def apart(self, products: Iterable[str]) -> int:
        """How many keys of any namespace are in the products: what the estimate takes for the people."""
        by_kind: dict[str, list[np.ndarray]] = {}
        for product in products:
            for namespace, some in self.keys(product).items():
                by_kind.setdefault(namespace, []).append(some)
        return sum(len(np.unique(np.concatenate(some))) for some in by_kind.values())


def demo_people(scale: float) -> DemoPeople:
    """The demo's people, `scale` times as many."""
    mistakes: list[Refusal] = []
    path = ROOT / "demo" / "conglomerate" / "population.yaml"
    population = parse(Population, load(path.parent, path, mistakes), mistakes)
    assert population is not None
    return DemoPeople(population.scaled(scale))


def _keys(persons: np.ndarray, namespace: str) -> np.ndarray:
    """The keys of persons in a namespace."""
    if not len(persons):
        return keys(0, 0)
    offset = _KINDS.index(namespace) << 40
    return keys(offset + int(persons[0]), offset + int(persons[-1]) + 1)
