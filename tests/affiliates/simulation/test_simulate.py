"""The simulator's truth is what the demo is judged by: here it is judged by sets of people."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.aggregation import availability, contribute
from affiliates.aggregation.contribute import EdgeContext
from affiliates.identity.keyring import Keyring
from affiliates.identity.keys import GroupKey
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from affiliates.simulation.population import WAVES, Cohort, History, Pattern, Population
from affiliates.simulation.simulate import Simulation
from affiliates.sketches.kernels import hashing
from affiliates.sketches.registers import Registers
from affiliates.sources import resolve
from dashboards.demo import conglomerate
from tests.support.command import installed, mauwatch
from tests.support.groups import entity, product, write_group

NOW = datetime(2025, 4, 2, 12, tzinfo=UTC)
MONTHS = [date(2024, 11, 1), date(2024, 12, 1), date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1)]
POPULATION = Population.model_validate(
    {
        "seed": 5,
        "cohorts": [{"share": 0.5, "days": 1.0}, {"share": 0.3, "days": "weekdays"}, {"share": 0.2, "days": "weekends"}],
        "patterns": [
            {"people": 4_001, "joined": 0.4, "left": 703, "uses": {"a/feed": ["email"], "a/maps": ["device"]}},
            {"people": 907, "left": 50, "uses": {"a/feed": ["email", "device"]}},
            {"people": 333, "joined": 1.0, "uses": {"b/shop": ["phone"], "b/calls": []}},
            {"people": 120, "named": True, "linked": True, "uses": {"b/points": ["email", "phone"], "a/feed": ["email"]}},
            {"people": 60, "joined": 0.5, "named": True, "uses": {"b/points": ["email", "phone"], "a/maps": ["device"]}},
        ],
    }
)
PRODUCTS = ["a/feed", "a/maps", "b/shop", "b/calls", "b/points"]
"""Above, everybody is active on some day: each of the three cohorts is, in every month."""


@pytest.fixture
def group(tmp_path: Path) -> Group:
    def bare(name: str) -> dict[str, object]:
        return product(name, sources=None, **{"from": "2024-11-01"})

    points = product(
        "points",
        **{"from": "2024-11-01"},
        settles_after=0,
        sources=[
            {
                "files": "points-{day}.parquet",
                "identifiers": [{"column": "email", "namespace": "email"}, {"column": "phone", "namespace": "phone"}],
                "counts_when": "kind <> 'push'",
            }
        ],
    )
    entities = [
        entity("a", [bare("feed"), bare("maps")]),
        entity("b", [bare("shop"), bare("calls"), points]),
    ]
    return read_group(write_group(tmp_path / "group", entities, lg_k=14, crosswalk="crosswalk.parquet"))


def people_of(month: int) -> dict[int, set[int]]:
    """Who of each pattern is there, person by person, from the description alone."""
    people = {}
    first = 0
    for number, pattern in enumerate(POPULATION.patterns):
        came = round(pattern.people * pattern.joined)
        there = {p for p in range(pattern.people) if p < pattern.people - came + came * month // (len(MONTHS) - 1)}
        for wave in range(WAVES):
            if month in range(wave * 4 // (WAVES + 1), (wave + 2) * 4 // (WAVES + 1)):
                there |= set(
                    range(pattern.people + pattern.left * wave // WAVES, pattern.people + pattern.left * (wave + 1) // WAVES)
                )
        people[number] = {first + p for p in there}
        first += pattern.people + pattern.left
    return people


def test_truths_are_sets_of_people() -> None:
    history = History(POPULATION, MONTHS)
    for month in range(len(MONTHS)):
        there = people_of(month)
        for wanted in (["a/feed"], ["a/maps"], ["b/calls"], ["b/points", "b/shop"], PRODUCTS):
            using = {n: there[n] for n, p in enumerate(POPULATION.patterns) if set(wanted) & set(p.uses)}
            apart = {
                (n, ns, person)
                for n, some in using.items()
                for ns in POPULATION.patterns[n].namespaces(wanted)
                for person in some
            }
            truth = history.truth(month, wanted)
            assert truth.people == sum(map(len, using.values()))
            assert truth.apart == len(apart)


def keys_of(simulation: Simulation, name: str, namespace: str, month: int) -> set[int]:
    keys: set[int] = set()
    for number, people in people_of(month).items():
        pattern = POPULATION.patterns[number]
        if namespace in pattern.namespaces([name]):
            for person in people:
                if pattern.named:
                    keys.add(int(simulation._keys(number, namespace, np.array([person], np.uint64))[0]))
                else:
                    out = np.empty(1, np.uint64)
                    salt = {"email": 1, "phone": 2, "device": 3}[namespace] << 60
                    hashing.simulated_keys(np.uint64(person), np.uint64(POPULATION.seed + salt), out)
                    keys.add(int(out[0]))
    return keys


def test_contributions_hold_everybody_and_nobody_else(group: Group, key: GroupKey) -> None:
    """Month by month; the last month's days together are its whole month."""
    simulation = Simulation(POPULATION, group, key, MONTHS)
    for month in range(len(MONTHS)):
        simulation.advance()
        monthly = {str(c.ref): c for c in simulation.monthly(NOW)}
        assert set(monthly) == {"a/feed", "a/maps", "b/shop", "b/points"}
        for name, contribution in monthly.items():
            for part in contribution.parts:
                expected = keys_of(simulation, name, part.namespace, month)
                assert part.registers.digest() == Registers.from_keys(14, np.array(sorted(expected), np.uint64)).digest()
    for ref, one_product in simulation.products(MONTHS[-1]):
        days = list(simulation.daily(ref, one_product, NOW))
        assert len(days) == 31
        for part in monthly[str(ref)].parts:
            of_days = [p.registers for c in days for p in c.parts if p.namespace == part.namespace]
            assert Registers.union(of_days).digest() == part.registers.digest()


def test_raw_events_count_to_the_same_contributions(group: Group, key: GroupKey, tmp_path: Path) -> None:
    """Through files, conditions, normalisation, HMAC and the crosswalk: the whole way of real events."""
    simulation = Simulation(POPULATION, group, key, MONTHS)
    for _ in MONTHS:
        simulation.advance()
    directory = tmp_path / "group"
    ref = ProductRef("b", "points")
    points = group.product(ref)
    assert points is not None
    assert simulation.crosswalk is not None
    days = simulation.days()
    for day in days:
        simulation.events(str(ref), day).write_parquet(directory / f"points-{day}.parquet")
    keyring = Keyring.from_key(group.settings, key)
    context = EdgeContext(directory, group.settings, keyring, lambda month: simulation.crosswalk, NOW)
    sources = resolve.find(str(ref), points, directory, "UTC")
    periods = availability.periods_present(sources, points, days, "UTC", NOW)
    counted = [c for one_pass in contribute.contribute(ref, points, sources, periods, context) for c in one_pass]
    for ours, theirs in zip(counted, simulation.daily(ref, points, NOW), strict=True):
        expected = {p.namespace: p.registers.digest() for p in theirs.parts}
        assert {p.namespace: p.registers.digest() for p in ours.parts if p.namespace in expected} == expected
        assert all(p.registers.is_empty for p in ours.parts if p.namespace not in expected)


@given(
    st.integers(0, 5000),
    st.floats(0, 1),
    st.integers(0, 900),
    st.lists(st.floats(0.01, 1), min_size=1, max_size=5),
    st.integers(1, 40),
)
def test_joining_adds_up(people: int, joined: float, left: int, shares: list[float], months: int) -> None:
    """Each person joins once, in one cohort; in the last month all who stay are there and nobody who left."""
    cohorts = tuple(Cohort(share=share, days=1.0) for share in shares)
    patterns = (Pattern(people=people, joined=joined, left=left, uses={"a/feed": ("email",)}),)
    history = History(Population(seed=1, cohorts=cohorts, patterns=patterns), [date(2020, 1, 1)] * months)
    ranges = [r for month in range(months) for _, r in history.newcomers(0, month)]
    assert sorted(p for r in ranges for p in range(r.first, r.first + r.number)) == list(range(people))
    assert history.there(0, months - 1) == people


@pytest.mark.long
def test_the_demo_holds_its_truth(tmp_path: Path) -> None:
    """The whole demo with a two-thousandth of its people, and the directory that it leaves."""
    directory = tmp_path / "demo"
    done = installed("demo", directory, "--scale", "0.0005", "--today", "2025-04-10", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert all(row["holds"] for row in answer["truth"])
    errors = [row["estimate"] / row["by_definition"] - 1 for row in answer["truth"] if row["by_definition"]]
    assert max(map(abs, errors)) < 0.003
    truth = json.loads((directory / "truth.json").read_text())
    assert list(truth) == [f"{m:%Y-%m}" for m in conglomerate.months_until(datetime(2025, 4, 10, tzinfo=UTC))]
    for month in ("2023-06", "2025-01", "2025-02", "2025-03"):
        measured = json.loads(mauwatch("measure", "--group", directory, "--month", month, "--json").stdout)
        assert set(measured["affiliates"]) == set(truth[month]["affiliates"])
        assert set(measured["products"]) == set(truth[month]["products"])
        assert ("mobility" in truth[month]["affiliates"]) == (month >= "2025-02")
        assert "games" not in truth[month]["affiliates"]
        for figure, people in [(measured["group"], truth[month]["group"])] + [
            (measured[level][name], people)
            for level in ("affiliates", "products")
            for name, people in truth[month][level].items()
        ]:
            assert figure["lower"] <= people <= figure["upper"]
    assert mauwatch("validate", "--group", directory).returncode == 0
    released = mauwatch("licences", "--group", directory, "--released", "2025-04-30", "--json")
    (test,) = json.loads(released.stdout)
    assert (test["measured_month"], test["released"]) == ("2025-03", "2025-04-30")
    # A month later, in the same folder: the month that was counted by its days is now one of those before.
    later = mauwatch("demo", directory, "--scale", "0.0002", "--today", "2025-05-10", "--json")
    assert all(row["holds"] for row in json.loads(later.stdout)["truth"])
    early = mauwatch("demo", tmp_path / "early", "--today", "2023-06-30")
    assert early.returncode == 2
    assert "begins with a month that isn't over" in early.stderr
