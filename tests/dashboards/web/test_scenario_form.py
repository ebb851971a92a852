"""The what-if form: what a form holds of a scenario is the scenario, and what the form can't hold is said."""

from collections.abc import Iterator
from datetime import date
from typing import Any, get_args

import pytest
from dash.development.base_component import Component
from pydantic import BaseModel

from affiliates.errors import RefusedError
from affiliates.manifests.group import Group
from affiliates.manifests.settings import KeySource, Settings
from dashboards.web.pages import whatif_form
from dashboards.web.scenario_form import FILE_ALONE, Card, cards_of, definition_of, is_whole, new_card, where
from pipelines.licences.registry import builtin
from pipelines.scenarios.changes import KINDS
from pipelines.scenarios.definition import Definition

MONTH, READING = date(2026, 10, 1), "broad"
USERS = {"users": {"likely": 12_000_000, "unit": "people", "month": "2026-10"}, "on": "2027-03-01"}
STATED: dict[str, dict[str, Any]] = {
    "a share of the target": {**USERS, "overlap": {"of": "target", "low": "12.5 %", "high": "30 %"}},
    "a share of the group": {**USERS, "overlap": {"of": "group", "low": "1 %", "high": "1 %"}},
    "shares of both": {**USERS, "overlap": {"target": {"low": "28.5 %", "high": "30 %"}, "group": "1.25 %"}},
    "nobody knows": {**USERS, "overlap": "unknown"},
    "as chance has it": {**USERS, "overlap": {"independent_in": {"low": 60_000_000, "high": 70_000_000}}},
    "faster than a slider has it": {**USERS, "overlap": "unknown", "growth": {"low": "-7 %", "high": "12.55 %"}},
    "accounts that grow": {
        "on": {"from": "2027-01-01", "to": "2027-06-30"},
        "users": {"low": 10_000_001, "likely": 12_000_000, "high": 13_000_000, "unit": "accounts", "month": "2026-09"},
        "people_per_unit": {"low": 0.66667, "high": 0.9, "source": "a panel", "as_of": "2026-01-31"},
        "growth": {"low": "-1 %", "high": "2.5 %"},
        "overlap": "unknown",
    },
}
"""What is stated of people who come, by a target or by something new."""
CHANGES: dict[str, dict[str, Any]] = {
    **{f"{kind} {name}": {kind: "App", **stated} for kind in ("acquire", "launch") for name, stated in STATED.items()},
    "a target's models": {"acquire": "App", **STATED["nobody knows"], "models": [{"licence": "llama-4"}]},
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
    "acquire.contribution": {"acquire": "App", "on": "2027-03-01", "contribution": "app.parquet"},
    "acquire.models.from": {
        "acquire": "App", **USERS, "overlap": "unknown", "models": [{"licence": "llama-4", "from": "2026-01-01"}],
    },
}  # fmt: skip
"""By field, a change that a scenario's file can say and the form can't."""
GROUP = Group(settings=Settings(group="test", ultimate_parent="p", key=KeySource(file="k")), entities={})
HEAD: dict[str, Any] = {
    "horizon": 18, "releases": ["2027-05-01", "2027-08-01", "2028-01-31"], "title": "One", "note": "two\nlines",
}  # fmt: skip
COMMON: dict[str, Any] = {
    "on": {"from": "2027-03-01", "to": "2027-04-30"}, "source": "them", "as_of": "2026-11-01", "note": "as the board\nsaid",
}  # fmt: skip
"""What each change can say."""


def _definition(*changes: dict[str, Any], **head: Any) -> Definition:
    return Definition.from_dict({"scenario": "one", "month": "2026-10", "reading": READING, **head, "changes": list(changes)})


def _posted(component: Component) -> dict[str, Any]:
    """What a browser would post of a part of the form: the values of its inputs by their fields, and nothing that isn't shown."""
    parts: Any = component
    inputs = [one for one in parts._traverse() if isinstance(getattr(one, "id", None), dict) and "field" in one.id]
    return {one.id["field"]: getattr(one, "value", None) for one in inputs}


def _through_the_form(definition: Definition) -> Definition:
    base, cards = cards_of(definition)
    choices = whatif_form.FormChoices(GROUP, builtin())
    shown = [Card(card.number, card.kind, _posted(whatif_form.card_of(card, choices))) for card in cards]
    posted = _posted(whatif_form.base_fields(base, choices))
    return definition_of(posted, shown, MONTH, READING, definition.scenario, definition.title, definition.note)


def _fields_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The paths of all that a model can hold, as a file writes them."""
    for name, about in model.model_fields.items():
        path = f"{prefix}{about.alias or name}"
        inner = [part for part in _parts(about.annotation) if isinstance(part, type) and issubclass(part, BaseModel)]
        if not inner:
            yield path
        for part in inner:
            yield from _fields_of(part, f"{path}.")


def _parts(annotation: Any) -> list[Any]:
    return [annotation, *(inner for part in get_args(annotation) for inner in _parts(part))]


def _said(value: Any, path: str) -> Iterator[str]:
    """The paths of all that a dump holds."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _said(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _said(inner, path)
    else:
        yield path


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("common", [{}, COMMON])
def test_a_forms_scenario_is_the_scenario(name: str, common: dict[str, Any]) -> None:
    """A number that the form rounds, or a day that no input shows, would be another scenario under the same name."""
    definition = _definition({**CHANGES[name], **common}, **HEAD)
    assert is_whole(definition, MONTH, READING)
    assert _through_the_form(definition) == definition


def test_every_field_of_a_scenario_is_in_the_form_or_is_said_to_be_a_files() -> None:
    """A field that is in neither would be what only who reads the program's text knows."""
    possible = {path for path in _fields_of(Definition) if not path.startswith("changes")}
    for kind, model in KINDS.items():
        possible |= {f"{kind}.{path}" for path in _fields_of(model)}
    # Base month and reading are the page's own, in its address; a threshold and a clause exclude each other.
    said = {"threshold", "clause", *_said(_definition(CHANGES["clause"], **HEAD).to_dict() | {"changes": 0}, "")} - {"changes"}
    for change in CHANGES.values():
        dumped = _definition({**change, **COMMON}).to_dict()["changes"][0]
        said |= {f"{next(kind for kind in KINDS if kind in dumped)}.{path}" for path in _said(dumped, "")}
    assert possible - said == set(FILE_ALONE)
    assert said - possible == set()
    page = f"{whatif_form.by_file()}"
    assert all(words in page for words in FILE_ALONE.values())


@pytest.mark.parametrize("field", FILE_ALONE)
def test_what_the_form_cant_hold_is_noticed(field: str) -> None:
    assert not is_whole(_definition(HELD[field]), MONTH, READING)


@pytest.mark.parametrize("head", [{"threshold": 105_000}, {"clause": "llama-4"}, {"releases": ["2027-05-01"]}])
def test_what_is_tested_goes_through_the_form(head: dict[str, Any]) -> None:
    definition = _definition(CHANGES["divest"], **head)
    assert _through_the_form(definition) == definition


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
