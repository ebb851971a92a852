"""Who is in the group: one entity wrongly left out, and its users are silently not counted."""

from datetime import date
from decimal import Decimal
from itertools import chain, combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.manifests import group as group_module
from affiliates.manifests.base import Dated
from affiliates.manifests.group import Entity, Group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.settings import KeySource, Settings
from affiliates.manifests.validation import _check_holdings
from affiliates.manifests.yaml_lines import Document

DAY = date(2025, 3, 31)


def group(**entities: dict[str, Any]) -> Group:
    settings = Settings(group="test", ultimate_parent="p", key=KeySource(file="k"))
    by_name = {name: Entity.model_validate({"entity": name, **keys}) for name, keys in {"p": {}, **entities}.items()}
    return Group(settings=settings, entities=by_name)


def owned(*holdings: tuple[str, float | str], **validity: Any) -> dict[str, Any]:
    return {"owned_by": [{"owner": owner, "share": share, **validity} for owner, share in holdings]}


def members(graph: Group, day: date = DAY, share: str = "0.5") -> set[str]:
    return set(graph.affiliates(day, Decimal(share)))


@pytest.mark.parametrize(
    ("entities", "expected"),
    [
        ({"a": owned(("p", 0.6)), "b": owned(("a", 0.6))}, {"a", "b"}),  # 60 % of 60 % is control.
        ({"a": owned(("p", 0.5))}, set()),  # Exactly half isn't.
        ({"a": owned(("p", "50 %"))}, set()),
        ({"a": owned(("p", "50.0001 %"))}, {"a"}),
        ({"a": owned(("p", 1)), "b": owned(("p", 1)), "c": owned(("a", 0.3), ("b", 0.3))}, {"a", "b", "c"}),
        ({"a": owned(("p", 0.4)), "c": owned(("a", 0.9))}, set()),  # Held by who is no member.
        ({"a": owned(("b", 0.6)), "b": owned(("a", 0.6))}, set()),  # They only hold each other.
        ({"a": owned(("p", 0.3), ("b", 0.3)), "b": owned(("p", 0.6), ("a", 0.4))}, {"a", "b"}),  # Cross-holding.
        ({"a": owned(("p", 0.1), ("p2", 0.2), ("p3", 0.2)), "p2": owned(("p", 1)), "p3": owned(("p", 1))}, {"p2", "p3"}),
        ({"a": {"controlled_by": [{"basis": "vie", "document": "x"}]}}, {"a"}),
        ({"a": {"controlled_by": [{"by": "b", "basis": "vie", "document": "x"}]}, "b": {}}, set()),
        ({"a": owned(("p", 1), to=DAY)}, set()),  # `to` is excluded,
        ({"a": owned(("p", 1), **{"from": DAY})}, {"a"}),  # `from` is not.
    ],
)
def test_membership(entities: dict[str, Any], expected: set[str]) -> None:
    """At each edge of control: half and over half, through others, in a circle, by agreement, and on the first and last day."""
    assert members(group(**entities)) == expected | {"p"}


def test_control_share_is_a_reading() -> None:
    """A group that reads its clause at 25 % would otherwise be counted at 50 %."""
    graph = group(a=owned(("p", 0.3)))
    assert members(graph, share="0.25") == {"p", "a"}
    assert members(graph, share="0.3") == {"p"}


def test_path_names_every_step_from_the_parent() -> None:
    """A path that leaves a step out would prove nothing to whoever checks the evidence."""
    graph = group(
        a=owned(("p", 0.6)),
        b=owned(("a", 0.3), ("p", 0.25)),
        c={"controlled_by": [{"by": "b", "basis": "board", "document": "D"}]},
    )
    assert [str(step) for step in graph.affiliates(DAY)["c"]] == ["p 60 % → a", "a 30 % + p 25 % → b", "b (board: D) → c"]
    assert graph.affiliates(DAY)["p"] == ()


NAMES = "abcd"
SHARES = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.sampled_from("p" + NAMES)), st.sampled_from([10, 25, 40, 51]), max_size=8
)


@given(SHARES)
def test_membership_is_the_least_closed_set(shares: dict[tuple[str, str], int]) -> None:
    """Oracle: of all sets that hold the parent and everybody they control, the smallest."""

    def controlled(by: set[str]) -> set[str]:
        return {n for n in NAMES if sum(s for (e, o), s in shares.items() if e == n and o in by) > 50}

    subsets = [{"p", *chosen} for chosen in chain.from_iterable(combinations(NAMES, n) for n in range(len(NAMES) + 1))]
    closed = [subset for subset in subsets if controlled(subset) <= subset]
    least = set.intersection(*closed)
    entities = {n: owned(*((o, s / 100) for (e, o), s in shares.items() if e == n and o != n)) for n in NAMES}
    # A holding in itself controls nothing that isn't controlled already, so leaving it out changes nothing.
    assert members(group(**entities)) >= {"p"}
    if not any(e == o for e, o in shares):
        assert members(group(**entities)) == least


def test_a_product_is_written_as_affiliate_and_product_and_equals_the_pair() -> None:
    """A reference that differs from the pair of a database's row would silently not be in any mapping."""
    ref = ProductRef("shop", "app.v2")
    assert str(ref) == f"{ref}" == "shop/app.v2"
    assert ProductRef.parse(str(ref)) == ref == ("shop", "app.v2")
    assert hash(ref) == hash(("shop", "app.v2"))
    assert sorted([ProductRef("a-b", "x"), ProductRef("a", "y"), ProductRef("a", "x")]) == [("a", "x"), ("a", "y"), ("a-b", "x")]
    assert [ref.belongs_to(subject) for subject in ("shop", "shop/app.v2", "shop/app", "app.v2", "")] == [
        True,
        True,
        *[False] * 3,
    ]


@pytest.mark.parametrize("text", ["", "shop", "shop/", "/app", "/", "shop/app/v2"])
def test_a_text_that_names_no_product_is_no_reference(text: str) -> None:
    with pytest.raises(ValueError, match="affiliate/product"):
        ProductRef.parse(text)


def test_each_ownership_line_is_looked_at_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line compared with each other, on each day on which one begins, took an hour for 5,000 lines of one entity."""
    lines = 3000
    looked = 0
    overlapped = Dated.overlaps

    def counting(self: Dated, other: Dated) -> bool:
        nonlocal looked
        looked += 1
        return overlapped(self, other)

    first = date(2000, 1, 1).toordinal()
    days = [date.fromordinal(first + number) for number in range(lines + 1)]
    holdings = [{"owner": "p", "share": "60 %", "from": a, "to": b} for a, b in pairwise(days)]
    entity = Entity.model_validate({"entity": "a", "owned_by": holdings})
    document = Document(Path(), "a.yaml", {}, {})
    monkeypatch.setattr(Dated, "overlaps", counting)
    assert list(_check_holdings(entity, document)) == []
    assert looked <= 2 * lines


def test_a_chain_of_owners_is_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each round all entities were asked again: of 2,000 in a chain, two million."""
    names = ["p", *(f"e{number}" for number in range(400))]
    graph = group(**{name: owned((owner, 0.6)) for owner, name in pairwise(names)})
    asked = 0
    step = group_module._step

    def counting(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return step(*arguments)

    monkeypatch.setattr(group_module, "_step", counting)
    assert list(graph.affiliates(DAY)) == names
    assert asked == len(names) - 1


HOLDINGS = st.lists(
    st.tuples(st.sampled_from(["p", "q"]), st.integers(1, 10), st.none() | st.integers(0, 5), st.none() | st.integers(6, 9)),
    max_size=7,
)  # fmt: skip


@given(HOLDINGS)
def test_shares_over_100_percent_are_found_on_whatever_day(rows: list[tuple[str, int, int | None, int | None]]) -> None:
    """By the definition: day by day, and pair by pair."""
    day = [date(2025, 1, 1 + number) for number in range(10)]
    holdings = [
        {"owner": owner, "share": f"{tenths * 10} %", "from": None if a is None else day[a], "to": None if b is None else day[b]}
        for owner, tenths, a, b in rows
    ]
    entity = Entity.model_validate({"entity": "a", "owned_by": holdings})
    found = {refusal.rule for refusal in _check_holdings(entity, Document(Path(), "a.yaml", {}, {}))}
    held = [[h for h in entity.owned_by if h.holds_on(on)] for on in (date(2024, 1, 1), *day)]
    assert ("shares sum to over 100 %" in found) == any(sum(h.share for h in holders) > 1 for holders in held)
    twice = any(len({h.owner for h in holders}) < len(holders) for holders in held)
    assert ("two periods of one owner overlap" in found) == twice
