"""Licence tests: a result that says `under` without a bound would mean using a model without a licence."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from affiliates.manifests.loader import read_group
from pipelines.licences.outcome import decide
from pipelines.licences.release_tests import LicenceTest, if_released, llama_releases, run_tests
from pipelines.store import contributions
from pipelines.workflows.run import run
from tests.support.groups import NOW, entity, product

LINE = 700_000_000


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (0, LINE, "under"),  # Strictly more than the threshold is over it.
        (0, LINE + 1, "undetermined"),
        (LINE, LINE + 5, "undetermined"),
        (LINE + 1, LINE + 5, "over"),
        (LINE + 1, None, "over"),
        (0, None, "undetermined"),
        (LINE, None, "undetermined"),
        (None, None, "undetermined"),
    ],
)
def test_decide(lower: int | None, upper: int | None, expected: str) -> None:
    """The threshold itself is still under, and without the bound that a result needs nothing is decided."""
    assert decide(LINE, lower, upper) == expected


def test_each_version_tests_the_month_before_its_release() -> None:
    """A test of the month of the release, or of the next, would be another test than the text's."""
    assert {x.id: f"{x.measured_month:%Y-%m}" for x in llama_releases()} == {
        "llama-2": "2023-06", "llama-3": "2024-03", "llama-3.1": "2024-06",
        "llama-3.2": "2024-08", "llama-3.3": "2024-11", "llama-4": "2025-03",
    }  # fmt: skip
    assert {x.clause.threshold for x in llama_releases()} == {LINE}


def results(directory: Path) -> dict[str, LicenceTest]:
    group = read_group(directory)
    run(directory, group, NOW)
    with contributions.open_store(group.settings.store, directory) as store:
        return {t.licence.id: t for t in run_tests(store, group, llama_releases())}


def counted(**months: int) -> dict[str, Any]:
    counts = [
        {"month": m[1:].replace("_", "-"), "users": n, "unit": "people", "document": "report", "attested_by": "CFO"}
        for m, n in months.items()
    ]
    return {"sources": [], "from": "2023-01-01", "counts": counts}


def test_results_by_reading(make: Callable[..., Path]) -> None:
    """Two products by count alone: each at 400 M, so at most 800 M people, and 800 M summed."""
    months = {"_2024_03": 400_000_000, "_2024_06": 350_000_000, "_2024_08": 350_000_001}
    directory = make([entity("a", [product("x", **counted(**months)), product("y", **counted(**months, _2025_03=1))])])
    (directory / "readings.yaml").write_text(
        "readings: [{name: people, counts: unique_people}, {name: sum, counts: summed_products}]\n"
        "of_record: [{reading: people, adopted_by: Counsel, from: 2024-07-01}]\n"
    )
    tests = results(directory)
    assert {i: {n: o.result for n, o in t.readings.items()} for i, t in tests.items()} == {
        "llama-2": {"people": "not_measured", "sum": "not_measured"},
        "llama-3": {"people": "undetermined", "sum": "over"},
        "llama-3.1": {"people": "under", "sum": "under"},
        "llama-3.2": {"people": "undetermined", "sum": "over"},
        "llama-3.3": {"people": "not_measured", "sum": "not_measured"},
        "llama-4": {"people": "undetermined", "sum": "undetermined"},  # Product x has nothing for that month.
    }
    assert {i: t.readings["people"].of_record for i, t in tests.items()} == {
        "llama-2": False, "llama-3": False, "llama-3.1": True, "llama-3.2": True, "llama-3.3": True, "llama-4": True,
    }  # fmt: skip
    assert not any(t.readings["sum"].of_record for t in tests.values())
    assert tests["llama-4"].readings["people"].settled_by == (
        "for `under` there must be an upper bound, of 700,000,000 or less; for `over` the lower bound must rise by 700,000,000",
        "a/x: 31 of 31 days (2025-03-01 to 2025-03-31) missing: alone enough for `under` at best (at most 1 people)",
    )
    assert tests["llama-2"].readings["people"].settled_by == ("contributions or counts for 2023-06",)


def test_nothing_due_is_not_measured(make: Callable[..., Path]) -> None:
    """No product is due: then there is no sum of products either, and nothing is under anything."""
    half = {"owned_by": [{"owner": "parent", "share": 0.5}]}
    directory = make([entity("a", [product("x", **counted(_2023_06=800_000_000))], **half)])
    assert {o.result for o in results(directory)["llama-2"].readings.values()} == {"not_measured"}


def test_membership_is_drawn_on_the_release_date(make: Callable[..., Path]) -> None:
    """Acquired after the measured month and before the release: the affiliate's users are the group's."""
    bought = {"owned_by": [{"owner": "parent", "share": 1, "from": "2024-04-10"}]}
    directory = make(
        [entity("a", [product("x", **counted(_2024_03=5))]), entity("b", [product("y", **counted(_2024_03=7))], **bought)]
    )
    (directory / "readings.yaml").write_text(
        "readings: [{name: release, counts: summed_products}, {name: month, counts: summed_products, membership: month_end}]\n"
    )
    readings = results(directory)["llama-3"].readings
    assert {n: o.estimate for n, o in readings.items()} == {"release": 12, "month": 5}


def test_shape_of_the_answer(make: Callable[..., Path]) -> None:
    answer = results(make([entity("a", [product("x", **counted(_2023_06=5))])]))["llama-2"].to_dict()
    assert list(answer) == ["licence", "licensee", "released", "measured_month", "threshold", "readings"]
    assert (answer["released"], answer["measured_month"], answer["licensee"]) == ("2023-07-18", "2023-06", "parent")
    assert list(answer["readings"]["unique_people"]) == [
        "result", "estimate", "lower", "upper", "of_record", "settled_by", "headroom", "headroom_lower",
        "headroom_upper", "coverage", "complete", "found", "why", "settling",
    ]  # fmt: skip
    assert date.fromisoformat(answer["released"])


@pytest.mark.parametrize(
    ("released", "tests"),
    [
        ("2024-04-01", "2024-03"),
        ("2024-04-30", "2024-03"),
        ("2024-01-01", "2023-12"),
        ("2025-01-31", "2024-12"),
        ("2024-03-01", "2024-02"),
    ],
)
def test_a_version_to_come_tests_the_month_before(released: str, tests: str) -> None:
    supposed = if_released(date.fromisoformat(released))
    assert f"{supposed.measured_month:%Y-%m}" == tests
    assert supposed.clause == llama_releases()[-1].clause
    assert supposed.id not in {known.id for known in llama_releases()}


def test_a_version_to_come_takes_the_group_of_its_release(make: Callable[..., Path]) -> None:
    """An acquisition after the month's end carries its users into the test, and one day earlier doesn't."""
    bought = {"owned_by": [{"owner": "parent", "share": 1, "from": "2024-04-10"}]}
    directory = make(
        [entity("a", [product("x", **counted(_2024_03=LINE))]), entity("b", [product("y", **counted(_2024_03=1))], **bought)]
    )
    group = read_group(directory)
    run(directory, group, NOW)
    with contributions.open_store(group.settings.store, directory) as store:
        days = [date(2024, 4, 9), date(2024, 4, 10), date(2024, 5, 1)]
        tests = list(run_tests(store, group, [if_released(day) for day in days]))
    assert [t.readings["summed_products"].result for t in tests] == ["under", "over", "not_measured"]
    assert tests[2].readings["summed_products"].settled_by == ("contributions or counts for 2024-04",)
