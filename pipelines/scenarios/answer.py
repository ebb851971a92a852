"""What a scenario answers, as `whatif --json` writes it and the store keeps it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import TypeAdapter

from pipelines.scenarios.answer_parts import (
    Assumption,
    Bounds,
    BreakEven,
    ClauseChance,
    Crossing,
    Frontier,
    MonthAnswer,
    PairOverlap,
    ScenarioInputs,
    Size,
    TargetSide,
    TornadoBar,
    UniqueAddition,
)


@dataclass(frozen=True)
class ScenarioAnswer:
    """The whole answer of a scenario."""

    scenario: str
    title: str | None
    reading: str
    reading_after: str
    """Another one where a change reads the clause otherwise."""
    base_month: str
    horizon: int
    threshold: int
    threshold_after: int
    """Another one where a change tests another threshold or clause."""
    threshold_name: str
    comparator: str
    program: str
    inputs: ScenarioInputs
    headline: str
    notes: tuple[str, ...]
    before: Size
    after: Size
    """As if every change had come at the base month."""
    months: tuple[MonthAnswer, ...]
    """From the base month to the horizon's end."""
    decision_month: str
    """The month that the first release to come tests; the horizon's last without one."""
    bounds: Bounds
    """What holds for certain after the changes, at the decision month."""
    licences: tuple[ClauseChance, ...]
    crossing: Crossing
    unique: tuple[UniqueAddition, ...]
    overlaps: tuple[PairOverlap, ...]
    tornado: tuple[TornadoBar, ...]
    """The widest bar first."""
    frontier: Frontier | None
    """Of the largest target by a stated number; null without one."""
    break_even: tuple[BreakEven, ...]
    target: tuple[TargetSide, ...]
    assumptions: tuple[Assumption, ...]

    def to_dict(self) -> dict[str, Any]:
        """The answer as `whatif --json` writes it: the fields by their names."""
        return cast(dict[str, Any], _ANSWER.dump_python(self, mode="json"))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ScenarioAnswer":
        """An answer from what `to_dict` wrote."""
        return _ANSWER.validate_python(data)


_ANSWER = TypeAdapter(ScenarioAnswer)
