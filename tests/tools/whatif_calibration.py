"""How often a what-if's 95 % interval holds what a deal made, and how wide it is: `python -m tests.tools.whatif_calibration`.

Deals are made up on the demo's people. Each one's target size, overlap and growth are drawn from ranges, the scenario states the
ranges alone, and the truth is counted: the union of the group's people and the target's, one by one. What the ranges force is the
exact 95 % range of the truth over the stated ranges with everything else known, drawn here without the product's code.

A deal closes in the base month, or in a month ahead in which the group itself has grown: by a stated range, or as its published
months let expect. In the last case the months before and after the base month are one random walk, whose drift and scatter nobody
states; what is forced is then the range by the true drift and scatter.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from affiliates.periods import add_months, month_number
from pipelines.forecasting.series import Point, Series, even_series
from pipelines.scenarios.baseline import Baseline
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.paths import ScenarioPaths
from tests.support.deals import BASE, deal_group
from tests.support.demo_people import DemoPeople, demo_people

KINDS = ("target", "group", "both", "independent", "unknown")
GROWN = ("not grown", "by a range", "by its series")
"""How the group itself has grown at the closing."""
MOST_AHEAD = 12
"""Months from the base month to the closing at most, where the group grows."""
PUBLISHED = 24
"""Months of the group's series."""
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
    ahead: int
    """Months from the base month to the closing."""
    changes: list[dict[str, Any]]
    series: tuple[float, ...]
    """The group's people in the published months, as parts of the base month's; empty without any but the base month."""
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


class _Growth:
    """How a group grows from the base month to the closing."""

    def __init__(self, grown: str, rng: np.random.Generator) -> None:
        self.grown = grown
        self.ahead = 0 if grown == "not grown" else int(rng.integers(1, MOST_AHEAD + 1))
        low = rng.uniform(-0.02, 0.01)
        self.rate = low, low + rng.uniform(0.005, 0.02)
        self.drift, self.scatter = rng.uniform(-0.01, 0.015), rng.uniform(0.002, 0.01)

    def factors(self, rng: np.random.Generator, number: int) -> np.ndarray:
        """So many sizes of the group at the closing, as parts of its size in the base month."""
        if self.grown == "by its series":
            logs = rng.normal(self.drift * self.ahead, self.scatter * np.sqrt(self.ahead), number)
            return np.asarray(np.exp(logs))
        return np.asarray((1 + rng.uniform(*self.rate, number)) ** self.ahead)

    def stated(self) -> list[dict[str, Any]]:
        """The change that states the growth; none where the series does."""
        by = dict(zip(("low", "high"), self.rate, strict=True))
        return [{"grow": "group", "on": "2026-11-01", "by": by}] if self.grown == "by a range" else []

    def series(self, rng: np.random.Generator) -> tuple[float, ...]:
        """The published months, the last of which is 1."""
        if self.grown != "by its series":
            return ()
        steps = rng.normal(self.drift, self.scatter, PUBLISHED - 1)
        return tuple(np.exp(np.append(0.0, np.cumsum(steps)) - steps.sum()).tolist())


class _Ranges:
    """The ranges of one deal, and what they make of drawn places within them."""

    def __init__(self, kind: str, group: int, growth: _Growth, rng: np.random.Generator) -> None:
        self.kind = kind
        self.growth_of_group = growth
        self.apart = APART + growth.ahead
        self.group = group
        middle = rng.uniform(0.1, 0.5) * group
        spread = rng.uniform(0.1, 0.4)
        self.users = round(middle * (1 - spread)), round(middle * (1 + spread))
        low = rng.uniform(-0.02, 0.02)
        self.growth = low, low + rng.uniform(0.005, 0.03)
        share = rng.uniform(0.0, 0.6)
        self.of_target = share, share + rng.uniform(0.1, 0.4)
        # Shares of the group that every target of the range can have.
        most = self.users[0] * min((1 + low) ** self.apart, 1) / group
        self.of_group = 0.1 * most, rng.uniform(0.4, 0.9) * most
        self.population = round(rng.uniform(1.6, 3) * group), round(rng.uniform(3, 6) * group)

    def stated(self) -> list[dict[str, Any]]:
        """The changes as a scenario's file says them."""
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
        closing = f"{add_months(BASE, self.growth_of_group.ahead)}"
        bought = {"acquire": "T", "on": closing, "users": users, "growth": growth, "overlap": ways[self.kind]}
        return [bought, *self.growth_of_group.stated()]

    def drawn(self, rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """So many groups and targets of the ranges after closing, and how many of each target the group has."""
        group = self.group * self.growth_of_group.factors(rng, number)
        users = rng.uniform(*self.users, number) * (1 + rng.uniform(*self.growth, number)) ** self.apart
        place = rng.random(number)
        if self.kind == "independent":
            return group, users, users * group / (self.population[0] + (self.population[1] - self.population[0]) * place)
        low, high = np.zeros(number), np.minimum(users, group)
        if self.kind in ("target", "both"):
            low, high = self.of_target[0] * users, self.of_target[1] * users
        if self.kind in ("group", "both"):
            low, high = np.maximum(low, self.of_group[0] * group), np.minimum(high, self.of_group[1] * group)
        # Both sides' ranges must meet: a deal in which they don't isn't one that the scenario allows.
        allowed = low <= high
        return group[allowed], users[allowed], (low + (high - low) * place)[allowed]


def made_up(number: int, crowd: DemoPeople, grown: str = GROWN[0], seed: int = 1) -> Iterator[MadeUpDeal]:
    """So many deals on the demo's people."""
    known = np.unique(np.concatenate([some for name in crowd.products for some in crowd.keys(name).values()]))
    strangers = np.arange(1, 4 * len(known) + 1, dtype=np.uint64)
    rng = np.random.default_rng(seed)
    while number:
        kind = KINDS[number % len(KINDS)]
        growth = _Growth(grown, rng)
        ranges = _Ranges(kind, len(known), growth, rng)
        groups, users, shared = ranges.drawn(rng, EXACT)
        if len(users) < 0.2 * EXACT:
            continue
        forced = np.quantile(groups + users - shared, [0.025, 0.975])
        size, both, new = round(float(groups[0])), round(float(shared[0])), round(float(users[0] - shared[0]))
        # A group that has shrunk has lost somebody, one that has grown has people whom nobody knew.
        group = np.concatenate([rng.choice(known, min(size, len(known)), replace=False), strangers[: max(size - len(known), 0)]])
        target = np.concatenate([rng.choice(group, both, replace=False), strangers[2 * len(known) :][:new]])
        truth = _different(group, target)
        series = growth.series(rng)
        yield MadeUpDeal(kind, growth.ahead, ranges.stated(), series, truth, float(forced[1] - forced[0]))
        number -= 1


def _different(group: np.ndarray, target: np.ndarray) -> int:
    """How many different people are in either."""
    ordered = np.sort(np.concatenate([group, target]))
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def outcomes(baseline: Baseline, deals: Iterator[MadeUpDeal]) -> Iterator[Outcome]:
    """What the scenario gave for each deal, after closing."""
    for deal in deals:
        definition = Definition.from_dict({"scenario": "a", "horizon": max(deal.ahead, 1), "changes": deal.changes})
        with_series = replace(baseline, series=_series(baseline, deal.series), _ratios={})
        low, high = np.quantile(ScenarioPaths(with_series, definition).after(deal.ahead).people, [0.025, 0.975])
        yield Outcome(deal.kind, bool(low <= deal.truth <= high), float(high - low) / deal.forced)


def _series(baseline: Baseline, sizes: Sequence[float]) -> Series | None:
    """The group's published months of these sizes, as parts of the base month's; none without any."""
    last = month_number(BASE)
    points = [Point(last - back, baseline.estimate * size) for back, size in enumerate(reversed(sizes))]
    return even_series("the group", points[::-1], 1, "month") if points else None


@contextmanager
def calibrated(folder: Path, lg_k: int = 21) -> Iterator[Callable[..., list[Outcome]]]:
    """A group of the demo's people, made in a folder; gives what tries so many deals on it: `(number, grown, seed)`."""
    crowd = demo_people(SCALE)
    products = {name: crowd.keys(name) for name in crowd.products}
    with deal_group(folder / "group", products, months=1, lg_k=lg_k) as deal:
        baseline = deal.baseline(deal.definition("scenario: a\nchanges:\n- {divest: social, on: 2026-10-01}\n"))
        yield lambda number, grown=GROWN[0], seed=1: list(outcomes(baseline, made_up(number, crowd, grown, seed)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--deals", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print("| the group | overlap stated as | deals | interval holds the truth | width over what the ranges force: mean, most |")
    print("|---|---|---|---|---|")
    with TemporaryDirectory() as folder, calibrated(Path(folder)) as calibrate:
        for grown in GROWN:
            found = calibrate(asked.deals, grown, asked.seed)
            for kind in (*KINDS, "all"):
                some = [one for one in found if kind in (one.kind, "all")]
                ratios = f"{mean(one.ratio for one in some):.3f}, {max(one.ratio for one in some):.3f}"
                held = mean(one.held for one in some)
                print(f"| {grown} | {kind} | {len(some):,} | {held * 100:.1f} % | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
