"""How long a what-if takes on a group of 40 products at lgK 21: `python -m tests.tools.bench_whatif` prints JSON.

Processor time of this process alone, once the sketches are loaded: the whole answer 12 months ahead, and the months again with
one assumption changed, as a slider asks for them.
"""

import json
import resource
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from affiliates.sketches.kernels import hashing
from affiliates.sketches.registers import Registers
from pipelines.scenarios.baseline import Baseline
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.draws import PATHS
from pipelines.scenarios.months import evaluate
from pipelines.scenarios.run import run
from tests.support.deals import deal_group

PRODUCTS, AFFILIATES, LG_K = 40, 8, 21
TURNS = 7
HEAD = "scenario: a\nhorizon: 12\nreleases: [2027-04-15]\nchanges:\n"
CHANGES = """- acquire: Example Social
  on: 2027-01-15
  users: {low: 30_000_000, likely: 40_000_000, high: 50_000_000, unit: accounts, month: 2026-09}
  people_per_unit: {low: 60 %, high: 90 %}
  growth: {low: 0 %, high: 2 %}
  overlap: {of: target, low: 20 %, high: HIGH}
- divest: a3
  on: {from: 2027-02-01, to: 2027-05-31}
- grow: a5
  on: 2026-12-01
  by: {low: 0 %, high: 3 %}
""".replace("60 %, high: 90 %", "0.6, high: 0.9")


def sketches(people: int = 20_000_000) -> dict[str, dict[str, Registers]]:
    """Dense sketches of products that share people with their neighbours."""
    named = {}
    for number in range(PRODUCTS):
        values = np.zeros(1 << LG_K, np.uint8)
        hashing.raise_simulated(values, np.uint64(number * people // 2), people, np.uint64(1))
        named[f"a{number % AFFILIATES}/p{number}"] = {"email": Registers(LG_K, None, values)}
    return named


def seconds(task: Callable[[], object]) -> float:
    """The processor's time of a task, user and system."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    task()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(baselines: list[Baseline], definition: Definition, other: Definition) -> dict[str, float]:
    """Medians: of the answer on a baseline that nothing has been asked of, and of the slider on one that has."""
    run(baselines[0], definition)  # Compiled loops are loaded once a process.
    answers = [seconds(lambda baseline=baseline: run(baseline, definition)) for baseline in baselines[1:]]  # type: ignore[misc]
    sliders = [seconds(lambda: evaluate(baselines[-1], other)) for _ in range(TURNS)]
    return {"answer": median(answers), "slider": median(sliders), "paths": PATHS, "products": PRODUCTS, "months": 12}


def main() -> None:
    """Make the group, and print the figures."""
    with (
        TemporaryDirectory(prefix="mauwatch-bench-") as folder,
        deal_group(Path(folder) / "group", sketches(), months=2, lg_k=LG_K) as deal,
    ):
        definition, other = (deal.definition(HEAD + CHANGES.replace("HIGH", high)) for high in ("60 %", "50 %"))
        baselines = [deal.baseline(definition) for _ in range(4)]
        print(json.dumps(measure(baselines, definition, other)))


if __name__ == "__main__":
    main()
