"""Scenarios side by side, and what else differs between them than their changes. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.answer_parts import TornadoBar

_SAME: Mapping[str, Callable[[ScenarioAnswer], object]] = {
    "start from different months": lambda answer: answer.base_month,
    "count by different readings": lambda answer: answer.reading,
    "test different thresholds before their changes": lambda answer: (answer.threshold, answer.comparator),
    "start from different figures": lambda answer: answer.inputs.figure,
    "were run on different manifests": lambda answer: answer.inputs.manifests,
    "rest on different published months": lambda answer: answer.inputs.series,
    "rest on different texts of licences": lambda answer: answer.inputs.registry,
    "were computed in different ways": lambda answer: answer.inputs.method,
}
"""What two scenarios need in common for their changes alone to explain their difference."""


@dataclass(frozen=True)
class Comparison:
    """Answers of scenarios side by side, by what names each scenario for the one who asks."""

    answers: Mapping[str, ScenarioAnswer]
    notes: tuple[str, ...]
    """Why the answers differ by more than the scenarios' changes; empty where they don't."""

    def to_dict(self) -> dict[str, Any]:
        """The comparison as `whatif compare --json` writes it."""
        return {"scenarios": [_compared(name, answer) for name, answer in self.answers.items()], "notes": list(self.notes)}


def side_by_side(answers: Mapping[str, ScenarioAnswer]) -> Comparison:
    """The comparison of answers."""
    notes = [f"These scenarios {text}: not their changes alone make the difference." for text in _differences(answers)]
    return Comparison(answers, tuple(notes))


def widest(answer: ScenarioAnswer) -> TornadoBar | None:
    """The assumption that moves an answer most; null where nothing is assumed."""
    return answer.tornado[0] if answer.tornado else None


def _differences(answers: Mapping[str, ScenarioAnswer]) -> list[str]:
    return [text for text, value in _SAME.items() if len({value(answer) for answer in answers.values()}) > 1]


def _compared(name: str, answer: ScenarioAnswer) -> dict[str, Any]:
    whole = answer.to_dict()
    bar = widest(answer)
    keys = ("title", "headline", "reading", "reading_after", "base_month", "threshold", "threshold_after", "threshold_name")
    return {
        "scenario": name,
        **{key: whole[key] for key in (*keys, "comparator", "before", "after", "decision_month", "bounds")},
        "months": [{"month": month["month"], **month["after"]} for month in whole["months"]],
        **{key: whole[key] for key in ("licences", "crossing")},
        "widest_assumption": asdict(bar) if bar else None,
    }
