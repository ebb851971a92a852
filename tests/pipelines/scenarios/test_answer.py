"""An answer's JSON: what the store keeps and other programs read."""

import json
from dataclasses import replace

import pytest
from pydantic import ValidationError

from pipelines.scenarios.answer import ScenarioAnswer
from tests.support.scenarios import ANSWER


def test_an_answer_comes_back_from_its_json_as_it_was() -> None:
    """The store keeps the JSON alone: what it loses, a shown answer hasn't got."""
    text = json.dumps(ANSWER.to_dict())
    assert ScenarioAnswer.from_dict(json.loads(text)) == ANSWER
    assert json.dumps(ScenarioAnswer.from_dict(json.loads(text)).to_dict()) == text


def test_the_json_has_the_fields_by_their_names() -> None:
    """Other programs read these names."""
    data = ANSWER.to_dict()
    assert data["months"][0]["bounds"]["after"] == [450_000_000, None]
    assert data["before"]["basis"] == "measured"
    assert data["licences"][0]["clause"] == "llama-4#mau"
    assert data["crossing"]["after"] == {"p10": "2027-02", "p50": None}
    assert list(data["inputs"]) == [
        "figure",
        "manifests",
        "series",
        "registry",
        "contributions",
        "definition",
        "method",
        "joining",
    ]


def test_an_answer_that_lacks_something_is_refused() -> None:
    """A stored answer without bounds would be shown as one that has them."""
    data = replace(ANSWER, title=None).to_dict()
    del data["bounds"]
    with pytest.raises(ValidationError):
        ScenarioAnswer.from_dict(data)
