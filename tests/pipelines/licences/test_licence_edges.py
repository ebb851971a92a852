"""Edges of the licence tests, one row each: at every one of them a slip would say `under` of what isn't, or `over` of what is.

Each row is a group directory that is run and tested for real; counts reach the threshold to the person.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from affiliates.manifests.loader import read_group
from pipelines.figures.months import Months
from pipelines.licences.clause_tests import ClauseTest, run_clauses
from pipelines.licences.outcome import ReadingResult
from pipelines.licences.registry import from_directory
from pipelines.licences.release_tests import LicenceTest, describe_untested, if_released, releases, run_tests, untested_months
from pipelines.store import contributions
from pipelines.workflows.run import run
from tests.support.groups import Manifests, entity, events, product, source

LINE = 700_000_000
NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
TODAY = date(2025, 6, 1)
LLAMA_4 = date(2025, 4, 5)
TWO = "readings: [{name: people, counts: unique_people}, {name: sum, counts: summed_products}]\n"

Make = Callable[..., Path]


def counted(name: str, **months: int) -> Manifests:
    """A product by counts alone; `_2025_03=5` is five people in that month."""
    counts = [
        {"month": m[1:].replace("_", "-"), "users": n, "unit": "people", "document": "report", "attested_by": "CFO"}
        for m, n in months.items()
    ]
    return product(name, sources=[], counts=counts, **{"from": "2023-01-01"})


def held(*shares: tuple[str, float], **of: Any) -> Manifests:
    return {"owned_by": [{"owner": owner, "share": share, **of} for owner, share in shares]}


@dataclass(frozen=True)
class Edge:
    """A group, a day on which a version is released, and what its test has to find by reading."""

    entities: list[Manifests]
    expected: Mapping[str, tuple[str, int | None, int | None]]
    """By reading: result, lower and upper bound."""
    released: date = LLAMA_4
    readings: str = TWO
    grants: Manifests = field(default_factory=dict)
    said: str = ""
    """In what would settle it, or in why."""
    files: Mapping[str, Any] = field(default_factory=dict)


def both(result: str, lower: int | None, upper: int | None) -> dict[str, tuple[str, int | None, int | None]]:
    return {"people": (result, lower, upper), "sum": (result, lower, upper)}


OVER = [entity("a", [counted("x", _2025_03=LINE + 1)])]
GRANT = {
    "id": "meta-1", "licences": ["llama-4"], "licensee": "parent", "from": "2025-04-20",
    "document": {"name": "side letter 1", "digest": "sha256:" + "0" * 64},
}  # fmt: skip
CAPPED = GRANT | {"cap": {"users": 900_000_000, "reading": "people"}}


def months_of_grant(april: int, may: int) -> list[Manifests]:
    return [entity("a", [counted("x", _2025_03=LINE + 1, _2025_04=april, _2025_05=may)])]


def used(exempt: bool = True, model: str = "llama-4", **changes: Any) -> list[Manifests]:
    use: Manifests = {"model": model, "from": "2025-04-10", "hosted_by": "self", **changes}
    if exempt:
        use["integrated_end_user_product"] = {"basis": "Acme's phone, section 1.b.ii", "document": "contract 3"}
    return [entity("a", [counted("x", _2025_03=LINE + 1) | {"models": [use]}])]


def ownership(**entities: Manifests) -> list[Manifests]:
    """Entities without products, and one, `z`, with a person more than a has."""
    affiliates = [entity("a", [counted("x", _2025_03=LINE)])]
    for name, stakes in entities.items():
        affiliates.append({"entity": name, "products": [counted("y", _2025_03=1)] if name == "z" else [], **stakes})
    return affiliates


IN, OUT = (
    both("under", 0, 0) | {"sum": ("over", LINE + 1, LINE + 1), "people": ("undetermined", LINE, LINE + 1)},
    both("under", LINE, LINE),
)
WITH_A_MONTH_BEHIND = entity("b", [counted("y", _2025_03=7)], **held(("parent", 1), **{"from": "2025-04-02"}))
SOLD = entity("b", [counted("y", _2025_03=7)], **held(("parent", 1), to="2025-04-05"))
BOTH_DAYS = "readings: [{name: people, counts: summed_products}, {name: sum, counts: summed_products, membership: month_end}]\n"
EDGES = {
    "700,000,000 exactly": Edge([entity("a", [counted("x", _2025_03=LINE)])], both("under", LINE, LINE)),
    "one more": Edge(OVER, both("over", LINE + 1, LINE + 1)),
    "an interval across the line": Edge(
        [entity("a", [counted("x", _2025_03=400_000_000), counted("y", _2025_03=400_000_000)])],
        {"people": ("undetermined", 400_000_000, 800_000_000), "sum": ("over", 800_000_000, 800_000_000)},
        said="sketches of a/x in the place of its count",
    ),
    "an interval that ends at the line": Edge(
        [entity("a", [counted("x", _2025_03=400_000_000), counted("y", _2025_03=300_000_000)])],
        {"people": ("under", 400_000_000, LINE), "sum": ("under", LINE, LINE)},
    ),
    "incomplete": Edge(
        [entity("a", [counted("x", _2025_03=5), counted("y")])], both("undetermined", 5, None),
        said="a/y: 31 of 31 days (2025-03-01 to 2025-03-31) missing",
    ),
    "incomplete, and over all the same": Edge(
        [entity("a", [counted("x", _2025_03=LINE + 1), counted("y")])], both("over", LINE + 1, None)
    ),
    "settling": Edge(
        [entity("a", [product("app", settles_after=3, sources=[source(complete_through="2025-05-31")],
                              **{"from": "2025-05-01"})])],
        both("undetermined", 1, None), released=date(2025, 6, 1), said="were computed before they settled",
        files={"events.parquet": events([("2025-05-31T10:00:00", "u@example.com")])},
    ),
    "settled": Edge(
        [entity("a", [product("app", settles_after=0, sources=[source(complete_through="2025-05-31")],
                              **{"from": "2025-05-01"})])],
        both("under", 1, 2), released=date(2025, 6, 1),
        files={"events.parquet": events([("2025-05-31T10:00:00", "u@example.com")])},
    ),
    "no upper bound": Edge([entity("a", [counted("x", _2025_03=LINE), counted("y")])], both("undetermined", LINE, None)),
    "no data": Edge([entity("a", [counted("x", _2025_05=5)])], both("not_measured", None, None),
                    said="contributions or counts for 2025-03"),
    "granted": Edge(OVER, both("granted", LINE + 1, LINE + 1), grants={"grants": [GRANT]}, said="grant meta-1 of 2025-04-20"),
    "granted until yesterday": Edge(
        OVER, both("over", LINE + 1, LINE + 1), grants={"grants": [GRANT | {"to": "2025-06-01"}]}
    ),
    "granted from tomorrow": Edge(
        OVER, both("over", LINE + 1, LINE + 1), grants={"grants": [GRANT | {"from": "2025-06-02"}]}
    ),
    "granted for another version": Edge(
        OVER, both("over", LINE + 1, LINE + 1), grants={"grants": [GRANT | {"licences": ["llama-3"]}]}
    ),
    "granted for one product of it": Edge(
        OVER, both("over", LINE + 1, LINE + 1), grants={"grants": [GRANT | {"covers": {"products": ["a/x"]}}]}
    ),
    "granted, at its cap": Edge(
        months_of_grant(900_000_000, 5), both("granted", LINE + 1, LINE + 1), grants={"grants": [CAPPED]},
        said="at or below it to 2025-05",
    ),
    "granted, one over its cap in one month": Edge(
        months_of_grant(900_000_001, 5), both("over", LINE + 1, LINE + 1), grants={"grants": [CAPPED]},
        said="above it, 900,000,001 to 900,000,001 people in 2025-04",
    ),
    "granted, and a month of its cap isn't known": Edge(
        [entity("a", [counted("x", _2025_03=LINE + 1, _2025_04=5)])], both("undetermined", LINE + 1, LINE + 1),
        grants={"grants": [CAPPED]}, said="nothing was contributed for 2025-05",
    ),
    "granted to an affiliate": Edge(
        OVER, both("over", LINE + 1, LINE + 1), grants={"grants": [GRANT | {"licensee": "a"}]}
    ),
    "exempt": Edge(used(), both("exempt", LINE + 1, LINE + 1), said="section 1.b.ii leaves out"),
    "used, and not exempt": Edge(used(exempt=False), both("over", LINE + 1, LINE + 1)),
    "exempt, but accepted": Edge(
        used(), both("over", LINE + 1, LINE + 1),
        grants={"accepted": [{"licence": "llama-4", "entity": "parent", "by": "Counsel", "on": "2025-04-11"}]},
    ),
    "a release on the first of a month": Edge(
        [entity("a", [counted("x", _2025_03=LINE + 1, _2025_04=5)])], both("over", LINE + 1, LINE + 1),
        released=date(2025, 4, 1),
    ),
    "a release on the last of a month": Edge(
        [entity("a", [counted("x", _2025_03=LINE + 1, _2025_04=5)])], both("over", LINE + 1, LINE + 1),
        released=date(2025, 4, 30),
    ),
    "a release in January": Edge(
        [entity("a", [counted("x", _2024_12=LINE + 1, _2025_01=5)])], both("over", LINE + 1, LINE + 1),
        released=date(2025, 1, 31),
    ),
    "bought between the month and the release": Edge(
        [entity("a", [counted("x", _2025_03=5)]), WITH_A_MONTH_BEHIND],
        {"people": ("under", 12, 12), "sum": ("under", 5, 5)}, readings=BOTH_DAYS,
    ),
    "bought after the release": Edge(
        [entity("a", [counted("x", _2025_03=5)]), WITH_A_MONTH_BEHIND], both("under", 5, 5), readings=BOTH_DAYS,
        released=date(2025, 4, 1),
    ),
    "sold on the day of the release": Edge(
        [entity("a", [counted("x", _2025_03=5)]), SOLD], {"people": ("under", 5, 5), "sum": ("under", 12, 12)},
        readings=BOTH_DAYS,
    ),
    "50 % exactly": Edge(ownership(z=held(("parent", 0.5))), OUT),
    "a bit more than 50 %": Edge(ownership(z=held(("parent", 0.5001))), IN),
    "a chain of 60 % x 60 %": Edge(ownership(b=held(("parent", 0.6)), z=held(("b", 0.6))), IN),
    "30 % + 30 % by two members": Edge(
        ownership(b=held(("parent", 0.6)), c=held(("parent", 0.6)), z=held(("b", 0.3), ("c", 0.3))), IN
    ),
    "30 % + 30 % by a member and a stranger": Edge(
        ownership(b=held(("parent", 0.6)), c=held(("parent", 0.4)), z=held(("b", 0.3), ("c", 0.3))), OUT
    ),
    "cross-holdings that nobody holds": Edge(ownership(b=held(("z", 0.9)), z=held(("b", 0.9), ("parent", 0.1))), OUT),
    "cross-holdings with a member": Edge(
        ownership(b=held(("z", 0.4), ("parent", 0.6)), z=held(("b", 0.4), ("parent", 0.2))), IN
    ),
}  # fmt: skip


def prepared(make: Make, edge: Edge, now: datetime = NOW) -> Path:
    directory = make(edge.entities, edge.files, lg_k=14)
    (directory / "readings.yaml").write_text(edge.readings)
    if edge.grants:
        (directory / "grants.yaml").write_text(yaml.safe_dump(edge.grants))
    run(directory, read_group(directory), now)
    return directory


def released_on(directory: Path, day: date) -> Mapping[str, ReadingResult]:
    """What a version released on a day finds: Llama 4 itself, or one that is supposed."""
    group = read_group(directory)
    (version,) = [v for v in releases() if v.id == "llama-4"]
    if day != version.released:
        version = if_released(day)
    with contributions.open_store(group.settings.store, directory) as store:
        first, *_ = run_tests(store, group, [version], today=TODAY)
    return first.readings


@pytest.mark.parametrize("name", EDGES)
def test_edges(make: Make, name: str) -> None:
    edge = EDGES[name]
    readings = released_on(prepared(make, edge), edge.released)
    assert {n: (o.result, o.lower, o.upper) for n, o in readings.items()} == dict(edge.expected)
    explanations = [why for o in readings.values() for why in (*o.settled_by, *o.why)]
    assert any(edge.said in why for why in explanations) or not edge.said
    assert all(
        o.settled_by
        for o in readings.values()
        if o.result == "not_measured" or (o.without_grants is None and o.result == "undetermined")
    )
    for o in readings.values():  # The margin is of the estimate, and what was found stays beside what covers it.
        assert o.headroom == (None if o.estimate is None else LINE - o.estimate)
        assert (o.without_grants is not None) == (o.result in ("granted", "exempt") or "cap" in str(edge.grants))


def test_each_row_can_fail() -> None:
    """Rows that all expect one result would prove little."""
    results = {result for edge in EDGES.values() for result, _, _ in edge.expected.values()}
    assert results == {"under", "over", "undetermined", "not_measured", "granted", "exempt"}


# Clauses that no release tests, or not all of a group's products.


def clause_tests(directory: Path, licence: str, month: date | None = None, today: date = TODAY) -> list[ClauseTest]:
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        entry = from_directory(directory).get(licence)
        assert entry is not None
        return [t for t in run_clauses(Months(store, group), [entry], today, month) if t.clause.tested]


def found(tests: list[ClauseTest], reading: str = "people") -> list[tuple[str, str]]:
    return [(str(t.subject.product or t.subject.licensee), t.readings[reading].result) for t in tests]


def with_model(product: Manifests, model: str, **changes: Any) -> Manifests:
    return product | {"models": [{"model": model, "from": "2025-01-01", "hosted_by": "self", **changes}]}


M100 = 100_000_000


def test_a_clause_of_products_tests_each_that_uses_the_model(make: Make) -> None:
    """By all products of the group every one of them would be over; and a product that stopped is none of them."""
    x = with_model(counted("x", _2025_04=M100 + 1, _2025_05=M100), "kimi-k2")
    y = with_model(counted("y", _2025_04=5, _2025_05=M100 + 1), "kimi-k2")
    z = with_model(counted("z", _2025_04=5, _2025_05=M100 + 1), "kimi-k2", to="2025-05-01")
    directory = prepared(make, Edge([entity("a", [x, y, z])], {}))
    tests = clause_tests(directory, "kimi-k2")
    assert found(tests) == [("a/x", "under"), ("a/y", "over")]
    assert [t.first_over for t in tests] == [{n: date(2025, m, 1) for n in ("people", "sum")} for m in (4, 5)]
    assert found(clause_tests(directory, "kimi-k2", date(2025, 4, 1))) == [("a/x", "over"), ("a/y", "under")]
    # The month that is over is asked for, not the newest that happens to be there.
    late = clause_tests(directory, "kimi-k2", today=date(2025, 7, 1))
    assert found(late) == [("a/x", "not_measured"), ("a/y", "not_measured")]
    assert late[0].readings["people"].settled_by == ("contributions or counts for 2025-06",)


def test_a_part_has_no_more_than_the_whole(make: Make) -> None:
    """Which products use the model isn't said: the group's upper bound still holds for them, and its lower bound doesn't."""
    at = prepared(make, Edge([entity("a", [counted("x", _2025_05=M100)])], {}))
    (test,) = clause_tests(at, "kimi-k2")
    assert [(o.result, o.lower, o.upper) for o in test.readings.values()] == [("under", 0, M100)] * 2
    assert "no part of it has more" in test.readings["people"].why[0]
    over = prepared(make, Edge([entity("a", [counted("x", _2025_05=M100 + 1)])], {}))
    (test,) = clause_tests(over, "kimi-k2")
    assert test.readings["people"].result == "not_measured"
    assert "`models` with `model: kimi-k2`" in test.readings["people"].settled_by[0]
    assert test.first_over == {}


def test_a_licensee_alone_is_tested_by_its_own_products(make: Make) -> None:
    """Hunyuan's clause names no affiliates: the licensee's aren't added, and who isn't a licensee isn't tested."""
    a = entity("a", [with_model(counted("x", _2024_04=60_000_000, _2025_05=1), "hunyuan-dit"), counted("y", _2024_04=60_000_000)])
    b = entity("b", [counted("z", _2024_04=M100 + 1)])
    (test,) = clause_tests(prepared(make, Edge([a, b], {})), "hunyuan-dit")
    assert (test.subject.licensee, test.month) == ("a", date(2024, 4, 1))
    assert {n: (o.result, o.lower, o.upper) for n, o in test.readings.items()} == {
        "people": ("undetermined", 60_000_000, 120_000_000), "sum": ("over", 120_000_000, 120_000_000)
    }  # fmt: skip
    remedies = test.readings["people"].settled_by
    (together,) = remedies[1:]  # A count beside another count can't be united with it: both have to give way.
    assert together.startswith(
        "sketches of a/x in the place of its count of 60,000,000; and sketches of a/y in the place of its count of 60,000,000"
    )


def test_a_product_of_the_licensee_each_by_itself(make: Make) -> None:
    """Qwen's clause speaks of a product or service: one over it is enough, and two under it don't add up."""
    x, y = with_model(counted("x", _2025_05=M100), "qwen-2024"), counted("y", _2025_05=M100)
    directory = prepared(make, Edge([entity("a", [x, y]), entity("b", [counted("z", _2025_05=M100 + 1)])], {}))
    assert found(clause_tests(directory, "qwen-2024"), "sum") == [("a/x", "under"), ("a/y", "under")]


def test_who_accepted_and_offers_nothing_is_said(make: Make) -> None:
    """A licensee without products has nothing to test; a clause that dropped out of the table would look like no clause."""
    taken = {"accepted": [{"licence": "qwen-2024", "entity": "parent", "by": "Counsel", "on": "2025-04-11"}]}
    directory = prepared(make, Edge([entity("a", [counted("x", _2025_05=M100 + 1)])], {}, grants=taken))
    (test,) = clause_tests(directory, "qwen-2024")
    assert test.readings["people"].settled_by == ("products of parent: none is named in its manifest",)


def test_the_month_before_each_use_with_affiliates(make: Make) -> None:
    directory = prepared(make, Edge([entity("a", [counted("x", _2025_04=M100, _2025_05=M100 + 1)])], {}))
    assert found(clause_tests(directory, "bilibili-indextts2")) == [("parent", "over")]
    assert found(clause_tests(directory, "bilibili-indextts2", date(2025, 4, 1))) == [("parent", "under")]


@pytest.mark.parametrize(
    ("users", "result"),
    [(999_999, "under"), (1_000_000, "undetermined"), (30_999_969, "undetermined"), (30_999_970, "over"), (31_000_000, "over")],
)
def test_users_of_a_day_by_those_of_the_month(make: Make, users: int, result: str) -> None:
    """On the busiest of 31 days there are at least 1/31 of the month's people and at most all; "at least" includes the line."""
    directory = prepared(make, Edge([entity("a", [counted("x", _2025_05=users)])], {}))
    (test,) = clause_tests(directory, "baichuan2")
    assert test.readings["people"].result == result
    assert test.readings["people"].estimate is None


OURS: dict[str, Any] = {
    "id": "ours", "name": "Ours", "licensor": "Us", "kind": "model_licence", "evidence": "primary_text", "sources": ["contract"],
    "reviewed": date(2025, 1, 1), "review_by": date(2026, 1, 1), "version_date": {"date": None},
}  # fmt: skip


def ours(directory: Path, **clause: Any) -> None:
    keys = {"id": "mau", "metric": "monthly_active_users", "comparator": "gte", "unit": "users", **clause}
    (directory / "licences").mkdir(exist_ok=True)
    (directory / "licences" / "ours.yaml").write_text(yaml.safe_dump({"licences": [OURS | {"clauses": [keys]}]}))


SIX = {"_2024_12": 10, "_2025_01": 20, "_2025_02": 30, "_2025_03": 40, "_2025_04": 50, "_2025_05": 61}  # 35.17 on average


@pytest.mark.parametrize(
    ("threshold", "result", "left_out"),
    [(37, "under", ""), (36, "undetermined", ""), (35, "over", ""), (34, "over", ""), (1000, "not_measured", "_2025_02")],
)
def test_an_average_of_six_months(make: Make, threshold: int, result: str, left_out: str) -> None:
    """A month without figures would lower the average; and the last month alone is another number."""
    months = {m: n for m, n in SIX.items() if m != left_out}
    directory = prepared(make, Edge([entity("a", [counted("x", **months)])], {}))
    ours(directory, threshold=threshold, measured="average_of_six_months", whose=["licensee", "licensee_affiliates"])
    (test,) = clause_tests(directory, "ours")
    assert test.readings["people"].result == result
    if left_out:
        assert test.readings["people"].settled_by == ("contributions or counts for 2025-02",)
    else:
        assert (test.readings["people"].lower, test.readings["people"].upper) == (35, 36)


@pytest.mark.parametrize(("threshold", "result"), [(101, "under"), (100, "not_measured")])
def test_a_region_is_at_most_the_whole(make: Make, threshold: int, result: str) -> None:
    """Users by region aren't measured: that the whole is over says nothing of a region."""
    directory = prepared(make, Edge([entity("a", [counted("x", _2025_05=100)])], {}))
    ours(directory, threshold=threshold, measured="any_month", region="EU", whose=["licensee", "licensee_affiliates"])
    (test,) = clause_tests(directory, "ours")
    assert test.readings["people"].result == result


def test_months_that_no_release_tests_are_no_result(make: Make) -> None:
    """A month above the threshold between two releases: over nothing, and yet to be said."""
    edge = Edge([entity("a", [counted("x", _2025_02=LINE + 1, _2025_03=LINE + 1, _2025_04=LINE, _2025_05=LINE + 1)])], {})
    directory = prepared(make, edge)
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        months = untested_months(Months(store, group), group.readings.readings[0], releases(), LINE)
        tests: list[LicenceTest] = list(run_tests(store, group))
    assert months == [date(2025, 2, 1), date(2025, 5, 1)]
    assert describe_untested(months[:1]) == "above the threshold in month 2025-02; no release tests it"
    assert {t.licence.id for t in tests if t.readings["people"].result == "over"} == {"llama-4", "hyperclova-x-seed"}


def test_an_affiliate_that_accepted_is_tested_as_licensee(make: Make) -> None:
    """Its affiliates are the same group; one that was outside at the release had others, whom nobody knows here."""
    a, b = (
        entity("a", [counted("x", _2025_03=5)]),
        entity("b", [counted("y", _2025_03=7)], **held(("parent", 1), **{"from": "2025-05-01"})),
    )
    taken = [{"licence": "llama-4", "entity": name, "by": "Counsel", "on": "2025-04-11"} for name in ("a", "b")]
    directory = prepared(make, Edge([a, b], {}, grants={"accepted": taken}))
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        tests = {t.licensee: t.readings["people"] for t in run_tests(store, group) if t.licence.id == "llama-4"}
    assert {name: (o.result, o.upper) for name, o in tests.items()} == {
        "parent": ("under", 5), "a": ("under", 5), "b": ("not_measured", None)
    }  # fmt: skip
    assert tests["a"].why == ("the affiliates of a are those of this group: its figures are the group's",)
    assert tests["b"].settled_by == ("who the affiliates of b were on 2025-04-05: it was outside this group",)
