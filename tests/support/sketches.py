"""Contributions of made-up keys, and how a store is given them."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from affiliates.contributions.contract import Contribution, Part
from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import DEFAULT_READINGS
from affiliates.sketches.image import encode_sums
from affiliates.sketches.registers import Registers
from pipelines.records import AcceptedContribution
from pipelines.store.contributions import ContributionStore

LATE = datetime(2025, 5, 1, tzinfo=UTC)
READING = DEFAULT_READINGS.readings[0]


def keys(first: int, last: int) -> np.ndarray:
    """Distinct keys number `first` to `last` - 1 of one population."""
    return np.arange(first, last, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def sketch(first: int, last: int, lg_k: int = 21) -> Registers:
    """Registers of keys number `first` to `last` - 1."""
    return Registers.from_keys(lg_k, keys(first, last))


def contributed(name: str, day: date, parts: dict[str, Registers], **changes: Any) -> Contribution:
    """A day's contribution of a product (affiliate/product) with these registers by namespace."""
    affiliate, product_ = ProductRef.parse(name)
    parts_ = tuple(Part(changes.get("audience", "external"), n, r, None, None, b"") for n, r in parts.items())
    plain = Contribution(
        affiliate, product_, "day", day, "1", "", "v1 unicode", 0, 0, "seen/1", None, "UTC", LATE, "test", parts_
    )  # fmt: skip
    return replace(plain, **{k: v for k, v in changes.items() if k != "audience"})


def give(store: ContributionStore, group: Group, *contributions: Contribution, fingerprint: str = "fingerprint") -> None:
    """Store contributions as if they had been checked, under the key of this fingerprint."""
    store.append_contributions(
        [
            AcceptedContribution(c, settles_at(group, c.ref, c.grain, c.activity_date, c.day_zone), fingerprint)
            for c in contributions
        ],
        LATE,
    )


def encode_hll8(lg_k: int, values: npt.NDArray[np.uint8]) -> bytes:
    """An HLL_8 image of registers, out of order, a byte each after the sums that `encode_sums` writes."""
    sums = encode_sums(lg_k, np.bincount(values, minlength=64).astype(np.int64))[8:40]
    return bytes((10, 1, 7, lg_k, 0, 8 | 16, 0, 2 | 2 << 2)) + sums + values.tobytes()
