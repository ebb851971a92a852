"""Scenarios on the demo's people, whose number is known: several kinds of identifiers, few of them joined."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipelines.scenarios.baseline import Baseline
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.months import bounds_of
from pipelines.scenarios.paths import ScenarioPaths
from tests.support.deals import Deal, deal_group
from tests.support.demo_people import DemoPeople, demo_people

AFFILIATES = ("commerce", "games", "media", "mobile", "mobility", "retail", "social")
LEFT_OUT = "games"
"""The affiliate that is left out of the group, and bought."""


@pytest.fixture(scope="module")
def crowd() -> DemoPeople:
    return demo_people(0.0004)


@pytest.fixture(scope="module")
def deal(crowd: DemoPeople, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deal]:
    products = {name: crowd.keys(name) for name in crowd.products if not name.startswith(LEFT_OUT)}
    with deal_group(tmp_path_factory.mktemp("demo") / "group", products, months=1) as made:
        yield made


@pytest.fixture(scope="module")
def baseline(deal: Deal) -> Baseline:
    return deal.baseline(deal.definition("scenario: a\nchanges:\n- {divest: social, on: 2026-10-01}\n"))


def test_whatever_affiliate_is_sold_the_rest_is_the_truth_without(crowd: DemoPeople, baseline: Baseline) -> None:
    """By the estimate each key is a person, and by the bounds whoever is who: the truth of either is held."""
    for affiliate in AFFILIATES:
        if affiliate == LEFT_OUT:
            continue
        rest = [name for name in crowd.products if name.partition("/")[0] not in (affiliate, LEFT_OUT)]
        change = {"divest": affiliate, "on": "2026-10-01"}
        paths = ScenarioPaths(baseline, Definition.from_dict({"scenario": "a", "horizon": 1, "changes": [change]}))
        after = paths.after(0)
        low, high = np.quantile(after.people, [0.025, 0.975])
        assert low <= crowd.apart(rest) <= high, affiliate
        lower, upper = bounds_of(after)
        assert upper is not None
        assert lower <= len(crowd.persons(rest)) <= upper, affiliate


def test_whoever_is_bought_by_its_contribution_makes_the_true_union(crowd: DemoPeople, deal: Deal) -> None:
    """A target whose people are partly the group's, united by its sketches: no statement of an overlap can be wrong."""
    (name,) = (name for name in crowd.products if name.startswith(LEFT_OUT))
    deal.write_target(crowd.keys(name), product="bought/arena")
    definition = deal.definition(
        "scenario: a\nhorizon: 1\nchanges:\n- {acquire: Arena, on: 2026-10-01, contribution: target.parquet}\n"
    )
    after = ScenarioPaths(deal.baseline(definition), definition).after(0)
    low, high = np.quantile(after.people, [0.025, 0.975])
    assert low <= crowd.apart(crowd.products) <= high
    lower, upper = bounds_of(after)
    assert upper is not None
    assert lower <= len(crowd.persons(crowd.products)) <= upper
