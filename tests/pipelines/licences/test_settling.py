"""What would settle a test: what is named and, once brought, leaves the test open sends people to work for nothing."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import DEFAULT_READINGS, Reading
from pipelines.figures.months import Months
from pipelines.licences import release_tests
from pipelines.licences.entry import Clause
from pipelines.licences.settling import Cause, Settling, Spread, settle
from pipelines.records import StatedCount
from pipelines.store.contributions import ContributionStore, open_store
from tests.support.brought import Limits, result_with
from tests.support.groups import entity, product
from tests.support.sketches import LATE, contributed, give, sketch

MONTH = date(2025, 1, 1)
BY_NAME = {reading.name: reading for reading in DEFAULT_READINGS.readings}


class Kind(NamedTuple):
    """A made-up group: by product, the range of people in each namespace, or a count, a ceiling or nothing at all."""

    sketches: dict[str, dict[str, tuple[int, int]]]
    counts: Mapping[str, int] = MappingProxyType({})
    ceilings: Mapping[str, int] = MappingProxyType({})
    missing: tuple[str, ...] = ()
    lg_k: int = 21


# As the demo's: identity is most of the range, and the stand-ins are a small part of it.
DEMO = Kind(
    {
        "a/feed": {"email": (0, 3100), "device": (0, 900)},
        "a/chat": {"phone": (0, 2600)},
        "b/maps": {"device": (500, 1400), "email": (3000, 3300)},
    },
    counts={"b/calls": 150},
    ceilings={"b/kiosk": 90},
)
KINDS = {
    "demo": DEMO,
    "one namespace": Kind({"a/feed": {"email": (0, 2000)}}, counts={"b/calls": 900}, ceilings={"b/kiosk": 400}),
    "counts alone": Kind({}, counts={"a/x": 6500, "a/y": 3000}),
    "a count above all sketches": Kind({"a/feed": {"email": (0, 900), "phone": (0, 800)}}, counts={"b/calls": 4000}),
    "a gap": Kind({"a/feed": {"email": (0, 900), "phone": (0, 800)}}, missing=("b/calls",)),
    "two gaps and a ceiling": Kind({"a/feed": {"email": (0, 2000)}}, ceilings={"b/kiosk": 500}, missing=("b/calls", "b/maps")),
    "coarse sketches": Kind({"a/feed": {"email": (0, 30000)}, "a/chat": {"email": (20000, 60000)}}, lg_k=12),
}
PRODUCTS = ("a/feed", "a/chat", "a/x", "a/y", "b/maps", "b/calls", "b/kiosk")


def stated(users: int, **more: object) -> dict[str, object]:
    return {"users": users, "unit": "people", "document": "report", "attested_by": "CFO", **more}


def group_of(make: Callable[..., Path], kind: Kind) -> Group:
    """The kind's group, with the products that it names."""
    named = {*kind.sketches, *kind.counts, *kind.ceilings, *kind.missing}
    products: dict[str, list[dict[str, object]]] = {"a": [], "b": []}
    for name in (name for name in PRODUCTS if name in named):
        affiliate, _, short = name.partition("/")
        counts = [stated(kind.counts[name], month="2025-01")] if name in kind.counts else []
        ceilings = [stated(kind.ceilings[name], **{"from": "2025-01-01"})] if name in kind.ceilings else []
        products[affiliate].append(product(short, sources=[], grain="month", settles_after=0, counts=counts, ceilings=ceilings))
    return read_group(make([entity(affiliate, of_affiliate) for affiliate, of_affiliate in products.items()], lg_k=kind.lg_k))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ContributionStore]:
    with open_store("sqlite:///store.sqlite", tmp_path, create=True) as warehouse:
        yield warehouse


def filled(store: ContributionStore, group: Group, kind: Kind) -> Months:
    for name, of_product in kind.sketches.items():
        # Each namespace has numbers of its own: nobody is the same in two of them.
        parts = {
            namespace: sketch(first + offset, last + offset, kind.lg_k)
            for namespace, (first, last) in of_product.items()
            for offset in [{"email": 0, "phone": 10**6, "device": 2 * 10**6}[namespace]]
        }
        give(store, group, contributed(name, MONTH, parts, grain="month"))
    given = [
        StatedCount(*ProductRef.parse(name), MONTH, what, users, "people", "report", "CFO")
        for what, numbers in (("count", kind.counts), ("ceiling", kind.ceilings))
        for name, users in numbers.items()
    ]
    store.replace_counts(MONTH, MONTH, given, LATE)
    return Months(store, group)


class Explained(NamedTuple):
    """An undetermined test, and how it can be tried."""

    settling: Settling
    tried: Callable[[tuple[Cause, ...], bool], str]
    """The result once causes are brought, at their best or at their worst."""
    causes: tuple[Cause, ...]
    """All causes of the range."""


def undetermined(months: Months, reading: Reading, names: tuple[str, ...] | None = None) -> Iterator[Explained]:
    """What is said of a subject's tests at thresholds all over its range, and just beside its ends."""
    measured = months.figures_of(MONTH, reading)
    assert measured is not None
    people = months.count_people(measured, reading, names)
    assert people is not None
    top = people.upper or 3 * (people.estimate or people.lower) + 100
    for threshold in sorted({people.lower + (top - 1 - people.lower) * i // 3 for i in range(4)}):
        clause = Clause(
            id="mau",
            metric="monthly_active_users",
            threshold=max(threshold, 1),
            comparator="gt",
            unit="users",
            measured="any_month",
        )
        result = release_tests.result_of_count(clause, people, record=False)
        settling = release_tests.explained(months, result, clause, [people], names).settling
        if settling is None:
            continue
        limits = Limits(max(threshold, 1), "gt")

        def tried(causes: tuple[Cause, ...], best: bool, limits: Limits = limits) -> str:
            return result_with(months.store, months.group, measured.inputs, names, causes, best, limits)

        spreads = release_tests.spreads_of(months, [people], names)
        yield Explained(settling, tried, tuple(cause for part in spreads for cause in part.causes))


@pytest.mark.parametrize("reading", BY_NAME)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_named_settles_once_it_is_brought(
    make: Callable[..., Path], store: ContributionStore, kind: str, reading: str
) -> None:
    """Each way is tried by counting's own code, with made-up people: it gives what is said; no other cause does alone."""
    months = filled(store, group_of(make, KINDS[kind]), KINDS[kind])
    seen = 0
    for settling, tried, causes in undetermined(months, BY_NAME[reading]):
        for way in settling.ways:
            for result in way.results:
                seen += 1
                assert tried(way.causes, result == "under") == result, (settling, way)
            # None could be left out: a set that is larger than it must be hides what is enough.
            if len(way.causes) > 1 and all(cause.kind != "sketches" for cause in way.causes):
                fewer = [tuple(other for other in way.causes if other != cause) for cause in way.causes]
                assert not any(tried(some, best) in way.results for some in fewer for best in (True, False))
        alone = {way.causes[0]: way.results for way in settling.ways if len(way.causes) == 1}
        for cause in causes:
            if cause.kind != "gap" and not settling.ways:
                assert tried((cause,), True) == tried((cause,), False) == "undetermined", cause
            if cause.kind not in ("gap", "sketches") and alone and cause not in alone:
                assert tried((cause,), True) != "under", (settling, cause)
                assert tried((cause,), False) != "over", (settling, cause)
    assert seen or kind == "counts alone", "nothing was tried"


@pytest.mark.parametrize("name", ["a/feed", "b/maps", "b/kiosk"])
def test_what_is_named_of_one_product(make: Callable[..., Path], store: ContributionStore, name: str) -> None:
    """A clause about one product has that product's causes alone."""
    months = filled(store, group_of(make, DEMO), DEMO)
    tests = list(undetermined(months, BY_NAME["unique_people"], (name,)))
    for settling, tried, causes in tests:
        assert {cause.subject for cause in causes} <= {name, ""}
        assert settling.ways
        assert all(tried(way.causes, result == "under") == result for way in settling.ways for result in way.results)
    assert tests


def test_the_widest_cause_is_named_and_the_small_ones_are_not(make: Callable[..., Path], store: ContributionStore) -> None:
    """In the demo a count and a ceiling were named, without which the test stays as open as it was: identity is 94 % of it."""
    months = filled(store, group_of(make, DEMO), DEMO)
    *_, (settling, _, causes) = list(undetermined(months, BY_NAME["unique_people"]))[:3]
    assert {cause.kind for cause in causes} == {"identity", "stand_in"}
    (way,) = settling.ways
    assert [cause.kind for cause in way.causes] == ["identity"]
    assert way.results == ("under", "over")
    assert settling.upper_must_fall
    assert settling.sentences[0].startswith(f"for `under` the upper bound must come down by {settling.upper_must_fall:,}, to ")
    assert "identifiers of device, email and phone" in settling.sentences[1]
    assert " % of the range): alone enough for `under` at best" in settling.sentences[1]


def test_identity_is_a_cause_behind_a_larger_count(make: Callable[..., Path], store: ContributionStore) -> None:
    """The count was taken for the fewest people that the identifiers need, so joining them was said to settle nothing."""
    kind = Kind({"a/feed": {"email": (0, 900)}, "a/chat": {"phone": (0, 800)}}, counts={"b/calls": 4000})
    months = filled(store, group_of(make, kind), kind)
    *_, (settling, tried, causes) = undetermined(months, BY_NAME["unique_people"])
    assert [cause.kind for cause in causes if cause.kind == "identity"] == ["identity"]
    (way,) = [way for way in settling.ways if [cause.kind for cause in way.causes] == ["identity"]]
    assert "under" in way.results
    assert tried(way.causes, True) == "under"
    assert 4900 <= way.upper_at_best <= 4910, "4,000 of the count, the 900 of the larger namespace, and the sketches' error"


def test_numbers_that_contradict_settle_nothing_until_one_is_known_to_be_wrong(
    make: Callable[..., Path], store: ContributionStore
) -> None:
    """A count of 4,000 beside sketches of 900: no threshold is `under` by the sketches, and the count stands in for nothing."""
    kind = Kind({"a/feed": {"email": (0, 1500)}, "b/calls": {"email": (1000, 1900)}}, counts={"b/calls": 4000})
    months = filled(store, group_of(make, kind), kind)
    for reading in BY_NAME.values():
        measured = months.figures_of(MONTH, reading)
        assert measured is not None
        people = months.count_people(measured, reading)
        assert people is not None
        assert people.upper is None
        for threshold in (100, 2_600, 3_000, 700_000_000):
            clause = Clause(
                id="mau", metric="monthly_active_users", threshold=threshold, comparator="gt", unit="users", measured="any_month"
            )  # fmt: skip
            result = release_tests.result_of_count(clause, people, record=False)
            # What was counted can be over; nothing is under.
            assert result.result == ("over" if threshold == 100 else "undetermined")
            assert result.least_headroom is None
            settling = release_tests.explained(months, result, clause, [people]).settling
            if settling is None:
                continue
            causes = [cause for part in release_tests.spreads_of(months, [people]) for cause in part.causes]
            assert {(cause.kind, cause.subject) for cause in causes if cause.kind != "identity"} == {("gap", "b/calls")}
            assert settling.upper_must_fall is None
            assert "there must be an upper bound" in settling.sentences[0]
            assert "a count of 4,000 people (report)" in settling.sentences[1]
            assert "one of the two is wrong" in settling.sentences[1]


def test_what_only_together_settles() -> None:
    """Two stand-ins of which neither is enough are named as a pair, and a third that adds nothing isn't."""
    counts = {
        n: StatedCount("a", n, MONTH, "ceiling", users, "people", "r", "x") for n, users in (("x", 40), ("y", 30), ("z", 2))
    }
    causes = {Cause("stand_in", f"a/{n}", f"sketches of a/{n}"): stated for n, stated in counts.items()}
    part = Spread(least=100, most=100, error=0, finest_error=0, lower=100, lg_k=21, causes=causes)
    settling = settle([part], 100, 172, 105)
    assert [([cause.subject for cause in way.causes], way.results) for way in settling.ways] == [
        (["a/x"], ("over",)),
        (["a/y"], ("over",)),
        (["a/x", "a/y"], ("under",)),
    ]
    assert (settling.upper_must_fall, settling.lower_must_rise) == (67, 6)


def test_nothing_that_could_be_brought() -> None:
    """A threshold within the finest sketches' error: no data settles it, and none is asked for."""
    settling = settle([Spread(1000, 1000, 10, 10, 990, 21, {})], 990, 1010, 1000)
    assert settling.ways == ()
    assert settling.sentences == (
        "for `under` the upper bound must come down by 10, to 1,000; for `over` the lower bound must rise by 11: nothing that "
        "could be brought does either, alone or together",
    )


def test_a_mean_of_months_and_a_days_users() -> None:
    """A month's cause moves a mean by its part alone; and more people in a month need not be more on its busiest day."""
    crosswalk = Cause("identity", "", "2025-01, a crosswalk")
    wide = Spread(least=100, most=180, error=0, finest_error=0, lower=100, lg_k=21, causes={crosswalk: None})
    narrow = Spread(least=100, most=100, error=0, finest_error=0, lower=100, lg_k=21, causes={})
    (way,) = settle([wide, narrow], 100, 140, 120, months=2).ways
    assert (way.causes, way.results, way.upper_at_best, way.lower_at_worst) == ((crosswalk,), ("under", "over"), 100, 140)
    assert settle([wide, narrow], 100, 140, 140 - 1, months=2).upper_must_fall == 1
    (way,) = settle([wide], 4, 180, 120, can_be_over=False).ways
    assert way.results == ("under",)
