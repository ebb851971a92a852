"""The what-if form: what a form holds of a scenario is the scenario, and what the form can't hold is said."""

from datetime import date
from typing import Any

import pytest

from affiliates.errors import RefusedError
from dashboards.web.scenario_form import Card, cards_of, definition_of, is_whole, new_card, where
from pipelines.scenarios.changes import KINDS
from pipelines.scenarios.definition import Definition

MONTH, READING = date(2026, 10, 1), "broad"
USERS = {"users": {"likely": 12_000_000, "unit": "people", "month": "2026-10"}, "on": "2027-03-01"}
CHANGES: dict[str, dict[str, Any]] = {
    "a share of the target": {"acquire": "App", **USERS, "overlap": {"of": "target", "low": "12.5 %", "high": "30 %"}},
    "a share of the group": {
        "acquire": "App",
        **USERS,
        "overlap": {"of": "group", "low": "1 %", "high": "1 %"},
        "source": "them",
    },
    "nobody knows": {"launch": "App", **USERS, "overlap": "unknown", "as_of": "2026-11-01"},
    "as chance has it": {"launch": "App", **USERS, "overlap": {"independent_in": {"low": 60_000_000, "high": 70_000_000}}},
    "accounts that grow": {
        "acquire": "App",
        "on": {"from": "2027-01-01", "to": "2027-06-30"},
        "users": {"low": 10_000_001, "likely": 12_000_000, "high": 13_000_000, "unit": "accounts", "month": "2026-09"},
        "people_per_unit": {"low": 0.6, "high": 0.9},
        "growth": {"low": "-1 %", "high": "2.5 %"},
        "overlap": "unknown",
        "models": [{"licence": "llama-4"}],
    },
    "divest": {"divest": "chat", "on": "2027-03-01"},
    "retire": {"retire": "chat/app", "on": "2027-03-01"},
    "grow": {"grow": "group", "on": "2027-03-01", "by": {"low": "-1 %", "high": "2 %"}},
    "grow by new people": {"grow": "chat", "on": "2027-03-01", "by": "1 %", "new_people": {"low": "20 %", "high": "60 %"}},
    "ownership": {"ownership": {"entity": "chat", "owner": "parent", "share": "33.4 %"}, "on": "2027-03-01"},
    "exclude a product": {"exclude": "chat/app"},
    "exclude an audience": {"exclude": {"audience": "internal"}},
    "reading": {"reading": "narrow", "on": "2027-03-01"},
    "threshold": {"threshold": 123_456_789},
    "clause": {"clause": "llama-4"},
}
HELD: dict[str, dict[str, Any]] = {
    "a contribution": {"acquire": "App", "on": "2027-03-01", "contribution": "app.parquet"},
    "a note": {"divest": "chat", "on": "2027-03-01", "note": "as the board said"},
    "both shares": {"acquire": "App", **USERS, "overlap": {"target": "30 %", "group": "1 %"}},
}
"""What a scenario's file can say, and the form can't."""


def _definition(*changes: dict[str, Any], **head: Any) -> Definition:
    return Definition.from_dict({"scenario": "one", "month": "2026-10", "reading": READING, **head, "changes": list(changes)})


@pytest.mark.parametrize("name", CHANGES)
def test_a_forms_scenario_is_the_scenario(name: str) -> None:
    """A number that the form rounds or forgets would be another scenario under the same name."""
    definition = _definition(CHANGES[name], horizon=18, releases=["2027-05-01"], title="One")
    base, cards = cards_of(definition)
    assert definition_of(base, cards, MONTH, READING, "one", "One") == definition
    assert is_whole(definition, MONTH, READING)


@pytest.mark.parametrize("name", HELD)
def test_what_the_form_cant_hold_is_noticed(name: str) -> None:
    assert not is_whole(_definition(HELD[name]), MONTH, READING)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_card_of_each_kind_names_its_mistakes_or_none(kind: str) -> None:
    """A card that was just added runs, or says which field is empty; it never fails as the page would."""
    card = new_card("added-1", kind, MONTH, 744_115_981)
    if kind in ("acquire", "launch", "grow"):
        assert definition_of({}, [card], MONTH, READING).changes[0].kind == kind
        return
    with pytest.raises(RefusedError) as error:
        definition_of({}, [card], MONTH, READING)
    assert all(refusal.rule for refusal in error.value.refusals)


@pytest.mark.parametrize("value", ["plenty", float("nan"), float("inf"), True, [1], {"a": 1}, "1e999", -3, ""])
@pytest.mark.parametrize("field", ["likely", "overlap", "on", "month", "unit", "name"])
def test_whatever_is_posted_is_refused_in_words(field: str, value: Any) -> None:
    values = {"name": "App", "likely": 12, "unit": "people", "month": "2026-10", "on": "2027-03-01", "overlap_of": "target"}
    card = Card("one", "acquire", {**values, "overlap": [20, 40], field: value})
    if field == "name" and value in ("plenty", "1e999"):
        return
    with pytest.raises(RefusedError):
        definition_of({}, [card], MONTH, READING)


def test_a_mistake_names_its_place_in_the_form() -> None:
    """Of several changes, the one that is wrong."""
    cards = [new_card("a", "acquire", MONTH, 700), new_card("b", "divest", MONTH, 700)]
    with pytest.raises(RefusedError) as error:
        definition_of({"horizon": 99}, cards, MONTH, READING)
    assert [where(refusal.subject).partition(":")[0] for refusal in error.value.refusals] == ["The form", "Change 2"]
