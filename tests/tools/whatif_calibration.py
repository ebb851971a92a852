"""How often a what-if's 95 % interval holds what a deal made, and how wide it is: `python -m tests.tools.whatif_calibration`.

Deals are made up on the demo's people. Each one's target size, overlap and growth are drawn from ranges, the scenario states the
ranges alone, and the truth is counted: the union of the group's people and the target's, one by one. What the ranges force is the
exact 95 % range of the truth over the stated ranges with everything else known, drawn here without the product's code.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pipelines.scenarios.baseline import Baseline
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.paths import ScenarioPaths
from tests.support.deals import deal_group
from tests.support.demo_people import DemoPeople, demo_people

KINDS = ("target", "group", "both", "independent", "unknown")
APART = 6
"""Months from the month of the stated number to the closing."""
EXACT = 40_000
"""Draws of the exact range."""
SCALE = 0.00005
"""Of the demo's people."""


@dataclass(frozen=True)
class MadeUpDeal:
    """What a scenario states, and what was."""

    kind: str
    change: dict[str, Any]
    truth: int
    """People of the group and the target together after closing, counted one by one."""
    forced: float
    """Width of the exact 95 % range of the truth over the stated ranges."""


@dataclass(frozen=True)
class Outcome:
    """A deal and the interval that the scenario gave."""

    kind: str
    held: bool
    ratio: float
    """The interval's width over what the ranges force."""


class _Ranges:
    """The ranges of one deal, and what they make of drawn places within them."""

    def __init__(self, kind: str, group: int, rng: np.random.Generator) -> None:
        self.kind = kind
        self.group = group
        middle = rng.uniform(0.1, 0.5) * group
        spread = rng.uniform(0.1, 0.4)
        self.users = round(middle * (1 - spread)), round(middle * (1 + spread))
        low = rng.uniform(-0.02, 0.02)
        self.growth = low, low + rng.uniform(0.005, 0.03)
        share = rng.uniform(0.0, 0.6)
        self.of_target = share, share + rng.uniform(0.1, 0.4)
        # Shares of the group that every target of the range can have.
        most = self.users[0] * min((1 + low) ** APART, 1) / group
        self.of_group = 0.1 * most, rng.uniform(0.4, 0.9) * most
        self.population = round(rng.uniform(1.6, 3) * group), round(rng.uniform(3, 6) * group)

    def stated(self) -> dict[str, Any]:
        """The change as a scenario's file says it."""
        names = ("low", "high")
        spans = {side: dict(zip(names, getattr(self, f"of_{side}"), strict=True)) for side in ("target", "group")}
        ways: dict[str, Any] = {
            "target": {"of": "target", **spans["target"]},
            "group": {"of": "group", **spans["group"]},
            "both": spans,
            "independent": {"independent_in": dict(zip(names, self.population, strict=True))},
            "unknown": "unknown",
        }
        users = {"low": self.users[0], "high": self.users[1], "unit": "people", "month": "2026-04"}
        growth = dict(zip(names, self.growth, strict=True))
        return {"acquire": "T", "on": "2026-10-01", "users": users, "growth": growth, "overlap": ways[self.kind]}

    def drawn(self, rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
        """So many targets of the ranges after closing, and how many of each the group has."""
        users = rng.uniform(*self.users, number) * (1 + rng.uniform(*self.growth, number)) ** APART
        place = rng.random(number)
        if self.kind == "independent":
            return users, users * self.group / (self.population[0] + (self.population[1] - self.population[0]) * place)
        low, high = np.zeros(number), np.minimum(users, self.group)
        if self.kind in ("target", "both"):
            low, high = self.of_target[0] * users, self.of_target[1] * users
        if self.kind in ("group", "both"):
            low, high = np.maximum(low, self.of_group[0] * self.group), np.minimum(high, self.of_group[1] * self.group)
        # Both sides' ranges must meet: a deal in which they don't isn't one that the scenario allows.
        allowed = low <= high
        return users[allowed], (low + (high - low) * place)[allowed]


def made_up(number: int, crowd: DemoPeople, seed: int = 1) -> Iterator[MadeUpDeal]:
    """So many deals on the demo's people."""
    group = np.unique(np.concatenate([some for name in crowd.products for some in crowd.keys(name).values()]))
    strangers = np.arange(1, len(group) + 1, dtype=np.uint64)
    rng = np.random.default_rng(seed)
    while number:
        kind = KINDS[number % len(KINDS)]
        ranges = _Ranges(kind, len(group), rng)
        users, shared = ranges.drawn(rng, EXACT)
        if len(users) < 0.2 * EXACT:
            continue
        forced = np.quantile(users - shared, [0.025, 0.975])
        known, new = round(float(shared[0])), round(float(users[0] - shared[0]))
        target = np.concatenate([rng.choice(group, known, replace=False), strangers[:new]])
        yield MadeUpDeal(kind, ranges.stated(), _different(group, target), float(forced[1] - forced[0]))
        number -= 1


def _different(group: np.ndarray, target: np.ndarray) -> int:
    """How many different people are in either."""
    ordered = np.sort(np.concatenate([group, target]))
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def outcomes(baseline: Baseline, deals: Iterator[MadeUpDeal]) -> Iterator[Outcome]:
    """What the scenario gave for each deal, after closing."""
    for deal in deals:
        definition = Definition.from_dict({"scenario": "a", "horizon": 1, "changes": [deal.change]})
        low, high = np.quantile(ScenarioPaths(baseline, definition).after(0).people, [0.025, 0.975])
        yield Outcome(deal.kind, bool(low <= deal.truth <= high), float(high - low) / deal.forced)


def calibrate(number: int, folder: Path, seed: int = 1, lg_k: int = 21) -> list[Outcome]:
    """The outcomes of so many deals on a group of the demo's people, made in a folder."""
    crowd = demo_people(SCALE)
    products = {name: crowd.keys(name) for name in crowd.products}
    with deal_group(folder / "group", products, months=1, lg_k=lg_k) as deal:
        baseline = deal.baseline(deal.definition("scenario: a\nchanges:\n- {divest: social, on: 2026-10-01}\n"))
        return list(outcomes(baseline, made_up(number, crowd, seed)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--deals", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = calibrate(asked.deals, Path(folder), asked.seed)
    print("| overlap stated as | deals | interval holds the truth | width over what the ranges force: mean, most |")
    print("|---|---|---|---|")
    for kind in (*KINDS, "all"):
        some = [one for one in found if kind in (one.kind, "all")]
        ratios = [one.ratio for one in some]
        held = mean(one.held for one in some)
        print(f"| {kind} | {len(some):,} | {held * 100:.1f} % | {mean(ratios):.3f}, {max(ratios):.3f} |")


if __name__ == "__main__":
    main()
