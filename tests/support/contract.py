"""A contribution that keeps the contract, with whatever a test changes in it."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from affiliates.contributions.contract import Contribution, Part
from affiliates.identity import canaries
from affiliates.identity.keys import GroupKey
from affiliates.sketches.registers import Registers
from tests.support.groups import NOW


def registers(n: int, seed: int = 0, lg_k: int = 21) -> Registers:
    """Registers of so many random keys."""
    return Registers.from_keys(lg_k, np.random.default_rng(seed).integers(0, 2**64, n, dtype=np.uint64))


def part(key: GroupKey, n: int = 100, namespace: str = "email", audience: str = "external", **changes: Any) -> Part:
    """A part of so many random people, with its canary; `changes` are fields of `Part`."""
    sketch = registers(n, lg_k=changes.pop("lg_k", 21))
    return replace(Part(audience, namespace, sketch, n, n, canaries.image(namespace, key, sketch.lg_k)), **changes)


def made(key: GroupKey, **changes: Any) -> Contribution:
    """A day's contribution of 100 people that keeps the contract; `changes` are fields of `Contribution`."""
    plain = Contribution(
        affiliate="a", product="app", grain="day", activity_date=date(2025, 1, 5), key_epoch="1", crosswalk_digest="",
        normalisation="v1 unicode", unidentified_events=0, undecided_events=0, definition="seen/1", definition_digest=None,
        day_zone="UTC", computed_at=NOW, producer="test 1", parts=(part(key),),
    )  # fmt: skip
    return replace(plain, **changes)
