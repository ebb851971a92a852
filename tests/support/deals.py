"""A small group whose people are known by number, with published months: what a what-if's answer is compared with."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np

from affiliates.contributions import contract
from affiliates.contributions.contract import Contribution
from affiliates.identity import canaries
from affiliates.identity.keys import GroupKey
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from affiliates.periods import add_months
from affiliates.sketches.registers import Registers
from pipelines.ingestion.stated_counts import take_counts
from pipelines.scenarios.baseline import Baseline, read_baseline
from pipelines.scenarios.definition import Definition, read_definition
from pipelines.store.contributions import ContributionStore
from pipelines.workflows.publish import publish_month
from pipelines.workspace import Workspace
from tests.support.groups import KEY, entity, product, write_group
from tests.support.sketches import contributed, give, keys

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
BASE = date(2026, 10, 1)
LG_K = 14
ByNamespace = Mapping[str, np.ndarray | Registers]
"""By namespace, the keys of a product's people, or a sketch of them that each month has."""
PEOPLE: Mapping[str, range] = {
    "chat/app": range(40_000),
    "games/quiz": range(30_000, 60_000),
    "games/cards": range(50_000, 70_000),
    "shop/app": range(65_000, 100_000),
    "joint/app": range(95_000, 120_000),
}
"""By product, the numbers of its people in the base month. `joint` is no affiliate: the parent holds 30 % of it."""


@dataclass(frozen=True)
class Deal:
    """A group with its store open, and the folder of its scenarios."""

    group: Group
    store: ContributionStore
    workspace: Workspace
    folder: Path

    def definition(self, text: str) -> Definition:
        """The scenario of a file, whose name and changes are `text`."""
        path = self.folder / "scenario.yaml"
        path.write_text(dedent(text), encoding="utf-8")
        return read_definition(path)

    def baseline(self, definition: Definition) -> Baseline:
        """What the scenario starts from."""
        return read_baseline(self.workspace, self.store, definition, self.folder)

    def write_target(self, people: np.ndarray | dict[str, np.ndarray], name: str = "target.parquet", **changes: Any) -> Path:
        """A target's contribution of these people's keys for the base month, under the group's key or another one."""
        key = GroupKey(changes.pop("key", KEY), "1")
        lg_k = changes.pop("lg_k", LG_K)
        namespace = changes.pop("namespace", "email")
        by_namespace = people if isinstance(people, dict) else {namespace: people}
        about = changes.pop("product", "example/social")
        day = changes.pop("month", BASE)
        sketches = {kind: Registers.from_keys(lg_k, some) for kind, some in by_namespace.items()}
        one = contributed(about, day, sketches, grain="month", computed_at=NOW, **changes)
        parts = tuple(
            contract.Part(p.audience, p.namespace, p.registers, None, None, canaries.image(p.namespace, key, lg_k))
            for p in one.parts
        )
        path = self.folder / name
        contract.write(path, [contract.Contribution(**{**vars(one), "parts": parts})])
        return path


def people(*spans: range) -> np.ndarray:
    """The keys of people by their numbers."""
    return np.concatenate([keys(span.start, span.stop) for span in spans])


def size(*spans: range) -> int:
    """How many different people are in any of the ranges."""
    return len(set().union(*spans))


def _sketch(some: np.ndarray | Registers, share: float, lg_k: int) -> Registers:
    """The sketch of the first people of these keys, `share` of them."""
    return some if isinstance(some, Registers) else Registers.from_keys(lg_k, some[: round(len(some) * share)])


def _by_key(received: list[Contribution], fingerprints: Mapping[str, str]) -> dict[str, list[Contribution]]:
    """Contributions by the key that they are of."""
    by_key: dict[str, list[Contribution]] = {}
    for one in received:
        by_key.setdefault(fingerprints.get(str(one.ref), "fingerprint"), []).append(one)
    return by_key


def _manifest(name: str, namespaces: list[str], extra: Mapping[str, Any]) -> dict[str, Any]:
    """A product's manifest, whose months are handed in."""
    return product(name.partition("/")[2], **{"sources": None, "grain": "month", "namespaces": namespaces, **extra})


@contextmanager
def deal_group(
    directory: Path,
    products: Mapping[str, range | ByNamespace] = PEOPLE,
    months: int = 8,
    growth: float = 0.01,
    namespaces: Mapping[str, str] | None = None,
    extra: Mapping[str, Mapping[str, Any]] | None = None,
    missing: Collection[str] = (),
    fingerprints: Mapping[str, str] | None = None,
    **settings: Any,
) -> Iterator[Deal]:
    """A group with so many published months, growing by `growth` a month, whose last month is the base month.

    A product of a month before has the first of its people. `namespaces`: by product, the kind of its identifiers; `email` by
    default. `extra`: by product, more keys of its manifest. `missing`: products without a contribution in the base month.
    `fingerprints`: by product, the key that its contributions are of.
    """
    lg_k = settings.pop("lg_k", LG_K)
    kinds = namespaces or {}
    sketched: dict[str, ByNamespace] = {
        name: {kinds.get(name, "email"): people(who)} if isinstance(who, range) else who for name, who in products.items()
    }
    readings = settings.pop("readings", None)
    affiliates = sorted({name.partition("/")[0] for name in products})
    manifests = [
        entity(
            affiliate,
            [
                _manifest(name, sorted(sketched[name]), (extra or {}).get(name, {}))
                for name in products
                if name.startswith(f"{affiliate}/")
            ],
            **({"owned_by": [{"owner": "parent", "share": 0.3}]} if affiliate == "joint" else {}),
        )
        for affiliate in affiliates
    ]
    write_group(directory, manifests, lg_k=lg_k, **settings)
    if readings is not None:
        (directory / "readings.yaml").write_text(readings)
    group = read_group(directory)
    folder = directory.parent / "deals"
    folder.mkdir(exist_ok=True)
    with Workspace(directory, group, NOW) as workspace:
        store = workspace.store()
        take_counts(workspace)
        for back in range(months - 1, -1, -1):
            month = add_months(BASE, -back)
            received = []
            for name, by_namespace in sketched.items():
                if name in missing and not back:
                    continue
                share = 1 / (1 + growth) ** back
                parts = {namespace: _sketch(some, share, lg_k) for namespace, some in by_namespace.items()}
                received.append(contributed(name, month, parts, grain="month", computed_at=NOW))
            for fingerprint, some in _by_key(received, fingerprints or {}).items():
                give(store, group, *some, fingerprint=fingerprint)
            assert not publish_month(workspace, store, month).findings
        yield Deal(group, store, workspace, folder)
