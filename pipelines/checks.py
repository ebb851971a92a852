"""Checks of a month's figures. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from affiliates.group import Group
from pipelines.counting import Measured
from pipelines.warehouse import Warehouse


@dataclass(frozen=True)
class Check:
    """What a check found about a subject."""

    name: str
    subject: str
    passed: bool
    said: str


def of_month(store: Warehouse, group: Group, measured: Measured) -> list[Check]:
    """All checks of a month's figures."""
    return list(_of_month(group, measured))


def _of_month(group: Group, measured: Measured) -> Iterator[Check]:
    name = f"{measured.inputs.month:%Y-%m}"
    yield Check("coverage", name, measured.group.upper is not None, "; ".join(measured.group.reasons))
    yield Check("largest_product_to_sum", name, not measured.contradictions, "; ".join(measured.contradictions))
