"""The interval holds the people, whatever is truthfully said of identifiers per person; nothing said is the safe thing."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.errors import RefusedError
from affiliates.identity.keys import PERSON
from affiliates.manifests.loader import read_group
from affiliates.manifests.namespaces import ONE, UNSAID, IdentifierRange, Namespace, ranges_of
from affiliates.sketches.registers import Registers
from pipelines.counting import measure
from pipelines.counting.bounds import IdentifierRanges, Pool, estimate_people
from pipelines.counting.figure import Figure
from pipelines.counting.inputs import gather
from pipelines.licences.outcome import decide
from pipelines.records import StatedCount
from pipelines.store.contributions import ContributionStore, open_store
from tests.support.groups import entity, product
from tests.support.sketches import LATE, READING, contributed, give

PEOPLE = 4_000
MONTHS = [date(2025, 1, 1), date(2025, 2, 1), date(2025, 3, 1)]
PRODUCTS = ("a/x", "a/y", "b/z")
Seen = Mapping[tuple[date, str], Mapping[str, set[int]]]
"""By month and product, the numbers of the identifiers that were seen, by namespace."""


@dataclass(frozen=True)
class World:
    """Made-up people whose number is known."""

    seen: Seen
    people: Mapping[tuple[date, str], set[int]]
    """By month and product, who was there."""


def world(joined: str, shared: bool) -> World:
    """4,000 people of 1 to 3 devices and 1 to 2 e-mail addresses, some of them there in each month and product.

    `joined`: whom the crosswalk knows: `nobody`, half of the people with all of their identifiers (`whole`), or the same half
    as two people each (`twice`), as a crosswalk does whose links are incomplete. `shared`: whether two people have one second
    device together.
    """
    rng = np.random.default_rng(65)
    devices = rng.integers(1, 4, PEOPLE)
    emails = rng.integers(1, 3, PEOPLE)
    seen: dict[tuple[date, str], dict[str, set[int]]] = {}
    there: dict[tuple[date, str], set[int]] = {}
    for month in MONTHS:
        for name in PRODUCTS:
            people = np.flatnonzero(rng.random(PEOPLE) < 0.6).tolist()
            there[month, name] = set(people)
            by_namespace: dict[str, set[int]] = {"email": set(), "device": set(), PERSON: set()}
            for person in people:
                used = [("device", d) for d in range(devices[person]) if rng.random() < 0.7]
                used += [("email", e) for e in range(emails[person]) if rng.random() < 0.5]
                for namespace, number in used or [("device", 0)]:
                    owner = person // 2 * 2 if shared and (namespace, number) == ("device", 1) else person
                    known = joined != "nobody" and owner % 2 == 0
                    # The crosswalk's two clusters of one person: one with the addresses, and one with the devices.
                    cluster = 2 * owner + (joined == "twice" and namespace == "device")
                    by_namespace[PERSON if known else namespace].add(cluster if known else 8 * owner + number)
            seen[month, name] = by_namespace
    return World(seen, there)


WORLDS = {
    "nobody is joined": ("nobody", False),
    "half are joined": ("whole", False),
    "half are joined, as two people each": ("twice", False),
    "devices are shared": ("nobody", True),
    "devices are shared, half are joined": ("whole", True),
}
SAID: dict[str, dict[str, Any]] = {
    "nothing": {},
    "all": {"email": [1, 2], "device": [1, 3], "person": [1, 2]},
    "addresses": {"email": [1, 2]},
    "devices": {"device": [1, 3]},
    "too much": {"email": [1, 9], "device": "several"},
    "whoever is joined": {"email": [1, 2], "device": [1, 3], "person": 1},
}


def truthful(said: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What is said, as truthfully as the world of this name asks."""
    joined, shared = WORLDS[name]
    truth = dict(said)
    if shared:  # A shared device that the crosswalk knows is one of its people, too, and stands for two.
        truth["device"] = [0.5, 3 if truth.get("device") == [1, 3] else "several"]
        most = truth.get("person", "several")
        truth["person"] = [0.5, most[1] if isinstance(most, list) else most]
    if joined == "twice" and truth.get("person") == 1:
        truth["person"] = [1, 2]
    return truth


def namespaces(said: Mapping[str, Any]) -> dict[str, Any]:
    """`namespaces` of group.yaml."""
    return {name: {"identifiers_per_person": per_person} for name, per_person in said.items()}


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[ContributionStore]:
    with open_store(store_url, tmp_path, create=True) as warehouse:
        yield warehouse


def manifests() -> list[dict[str, Any]]:
    life = {"sources": [], "settles_after": 3, "grain": "month"}
    return [entity("a", [product("x", **life), product("y", **life)]), entity("b", [product("z", **life)])]


def registers(numbers: set[int]) -> Registers:
    return Registers.from_keys(21, np.array(sorted(numbers), np.uint64) * np.uint64(0x9E3779B97F4A7C15))


@pytest.mark.parametrize("name", WORLDS)
def test_the_interval_holds_the_people_whatever_is_truthfully_said(
    store: ContributionStore, make: Callable[..., Path], name: str
) -> None:
    """A lower bound above the people could say `over` of a group that is under: the worst of errors after a silent `under`."""
    made = world(*WORLDS[name])
    group = read_group(make(manifests()))
    give(
        store,
        group,
        *(
            contributed(product_, month, {n: registers(ids) for n, ids in parts.items()}, grain="month")
            for (month, product_), parts in made.seen.items()
        ),
    )
    for said in SAID.values():
        group = read_group(make(manifests(), namespaces=namespaces(truthful(said, name))))
        for month in MONTHS:
            measured = measure.measure(store, group, gather(store, group, month, READING))
            figures: dict[str, Figure] = {"": measured.group, **measured.affiliates, **measured.products}
            for subject, figure in figures.items():
                people = set[int]().union(*(made.people[month, p] for p in PRODUCTS if f"{p}/".startswith(subject)))
                assert figure.upper is not None
                assert figure.lower <= len(people) <= figure.upper, (name, said, month, subject)
                assert figure.estimate is not None
                assert figure.lower <= figure.estimate <= figure.upper
                assert figure.identity_low is not None
                assert figure.lower <= figure.identity_low <= (figure.identity_high or 0) <= figure.upper
            lower, upper = measured.summed[1:]
            assert upper is not None
            assert lower <= sum(len(made.people[month, p]) for p in PRODUCTS) <= upper


def test_devices_alone_never_say_over() -> None:
    """The case as it was filed: 3,973 people with 1 to 3 devices had the interval 4,097 to 7,924."""
    rng = np.random.default_rng(3973)
    devices = rng.integers(1, 4, 3973)
    seen = {8 * person + number for person, owned in enumerate(devices.tolist()) for number in range(owned)}
    pool = Pool.from_sketches({"device": {21: registers(seen)}})
    for per_person in (UNSAID, IdentifierRange(1, 3)):
        people = estimate_people(pool, IdentifierRanges({"device": per_person}))
        assert people.lower <= 3973 <= people.upper
        assert decide(3973, int(people.lower), int(people.upper) + 1) == "undetermined"
    assert estimate_people(pool, IdentifierRanges({"device": ONE})).lower > 3973  # What was said of them before.


@pytest.mark.parametrize(
    ("per_person", "lower", "upper"),
    [(1, 900, 900), ([1, 3], 300, 900), ([2, 3], 300, 900), ("several", 1, 900), ([0.5, 1], 900, 1800), ([0.25, 2], 450, 3600),
     (None, 1, 900), ([3, 3], 300, 900), ([1, "several"], 1, 900)],
)  # fmt: skip
def test_each_range_gives_its_bounds(per_person: Any, lower: int, upper: int) -> None:
    """A range that begins above 1 lowers no upper bound: of two devices only one may have been used in the month."""
    said = ranges_of({"d": Namespace.model_validate({"identifiers_per_person": per_person})})
    people = estimate_people(Pool.from_sketches({"d": {21: registers(set(range(900)))}}), IdentifierRanges(said))
    assert people.lower == pytest.approx(lower, rel=0.005)
    assert people.upper == pytest.approx(upper, rel=0.005)
    assert people.estimate == pytest.approx(900, rel=0.005)


@given(st.integers(1, 3000), st.integers(0, 3000), st.integers(1, 5), st.sampled_from([1, 0.5, 0.2, 3]))
def test_saying_less_is_never_narrower(one: int, other: int, most: int, fewest: float) -> None:
    """What isn't said must not bound the people more closely than what is."""
    pool = Pool.from_sketches({n: {21: registers(set(range(s)))} for n, s in (("a", one), ("b", other))})
    per_person = IdentifierRange(fewest, max(most, int(fewest)))
    said = estimate_people(pool, IdentifierRanges({"a": per_person, "b": ONE}))
    less = estimate_people(pool, IdentifierRanges({"a": per_person}))
    assert less.lower <= said.lower
    assert less.upper == said.upper
    assert less.estimate == said.estimate


@pytest.mark.parametrize(
    "wrong", [0, -1, 0.5, "many", [1], [3, 1], [0, 1], [1, 0.5], [1, 2.5], ["several", 2], True, [1, True], {}]
)
def test_what_is_no_range_is_refused(make: Callable[..., Path], wrong: Any) -> None:
    """A range that is read as another one would move a bound."""
    with pytest.raises(RefusedError, match="identifiers_per_person"):
        read_group(make(manifests(), namespaces={"email": {"identifiers_per_person": wrong}}))


@pytest.mark.parametrize("sketched", [(), ("a/x",), ("a/x", "b/z")], ids=["counts alone", "one sketch", "part of a counted one"])
def test_counts_are_other_people_as_unjoined_identifiers_are(
    store: ContributionStore, make: Callable[..., Path], sketched: tuple[str, ...]
) -> None:
    """Two conventions in one number: 650 and 300 million gave 650, with a range to 950."""
    group = read_group(make(manifests()))
    give(store, group, *(contributed(n, MONTHS[0], {"email": registers(set(range(100)))}, grain="month") for n in sketched[:1]))
    # A month's part: its other half is missing, so the count stands in for it.
    early = LATE.replace(year=2025, month=1, day=20)
    give(store, group, *(contributed(n, MONTHS[0], {"email": registers(set(range(60)))}, grain="month", computed_at=early)
                         for n in sketched[1:]))  # fmt: skip
    counts = [StatedCount("a", "y", MONTHS[0], "count", 650, "people", "report", "CFO"),
              StatedCount("b", "z", MONTHS[0], "count", 300, "people", "report", "CFO")]  # fmt: skip
    counts += [] if sketched else [StatedCount("a", "x", MONTHS[0], "ceiling", 7, "accounts", "register", "CTO")]
    store.replace_counts(MONTHS[0], MONTHS[0], counts, LATE)
    measured = measure.measure(store, group, gather(store, group, MONTHS[0], READING))
    people = 950 + 100 * bool(sketched)
    assert measured.group.estimate == people == measured.group.summed_products
    assert (measured.group.lower, measured.products["b/z"].estimate) == (650, 300)
    assert measured.group.upper is not None
    assert people <= measured.group.upper
    # Figures of the method before stay what they were.
    before = measure.measure(store, group, gather(store, group, MONTHS[0], READING, method=2))
    assert (before.group.estimate, before.group.lower, before.group.upper) == (650, 650, measured.group.upper)
