"""What a person does with scenarios: run one, keep it, read, list and compare those that the person may see, share, check.

Each function takes the person who asks: the operating system's user on the command line, the session's person on a web page.
The store decides who sees what (`pipelines.store.scenarios`). Nothing is printed or logged here.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from affiliates.errors import Code, refused
from pipelines.scenarios import compare as comparing
from pipelines.scenarios.answer import ScenarioAnswer
from pipelines.scenarios.baseline import Baseline, read_baseline
from pipelines.scenarios.compare import Comparison
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.run import run as answer_of
from pipelines.store import scenarios
from pipelines.store.contributions import ContributionStore
from pipelines.store.engine import Store
from pipelines.store.scenarios import KeptScenario, NewScenario, Reference
from pipelines.workspace import Workspace

Told = Callable[[str, int, int], None]
"""Is told what is begun, how much of it is done, and of how much."""


@dataclass(frozen=True)
class ReadScenario:
    """A kept scenario, for the person who reads it."""

    kept: KeptScenario
    reference: str
    """What names the scenario for that person."""

    @cached_property
    def answer(self) -> ScenarioAnswer:
        """The answer, as it was kept."""
        return ScenarioAnswer.from_dict(json.loads(self.kept.answer))

    @cached_property
    def definition(self) -> Definition:
        """The scenario, as it was run."""
        return Definition.from_dict(json.loads(self.kept.definition))


def run(
    store: ContributionStore, workspace: Workspace, definition: Definition, folder: Path, told: Told = lambda *_: None
) -> ScenarioAnswer:
    """A scenario's answer by what the store has now; nothing is kept.

    `folder`: from which the files that the scenario names are found. Raises `RefusedError` for a scenario that contradicts itself
    or the group.
    """
    told("the group's sketches", 0, 2)
    baseline = load(store, workspace, definition, folder)
    told("sample paths", 1, 2)
    return answer_of(baseline, definition)


def load(store: ContributionStore, workspace: Workspace, definition: Definition, folder: Path) -> Baseline:
    """What a scenario starts from, read once, so that a page answers each change of an assumption without the store.

    With it, `months.evaluate(baseline, definition)` gives the months as a slider asks for them, `run.run(baseline, definition)`
    all of the answer, of this scenario and of any other on the same base. Where another one needs more, such as a target's
    contribution, `baseline.lacks(definition)` says so, and both refuse: load again. Raises `RefusedError` as `run`.
    """
    with store.snapshot() as fixed:
        return read_baseline(workspace, fixed, definition, folder)


def keep(
    store: Store, person: str, definition: Definition, folder: Path, answer: ScenarioAnswer, now: datetime, again: bool = False
) -> ReadScenario:
    """Keep a scenario that the person has run, for that person alone; the same one again is kept once.

    Raises `RefusedError` where the person keeps another one of this name, unless `again` makes a further version.
    """
    new = NewScenario(
        owner=person,
        name=definition.scenario,
        definition=_text(definition.to_dict()),
        folder=str(folder.resolve()),
        inputs=_text(answer.to_dict()["inputs"]),
        answer=_text(answer.to_dict()),
        program=answer.program,
    )
    return _read(person, scenarios.keep(store, new, now, again))


def read(store: Store, person: str, reference: str) -> ReadScenario:
    """A scenario that the person may see, by `name`, `owner/name` or either with `@version`. Raises `RefusedError`."""
    return _read(person, scenarios.read(store, person, Reference.parse(reference)))


def read_number(store: Store, person: str, number: int) -> ReadScenario:
    """A scenario that the person may see, by the number that an address of a page has. Raises `RefusedError`."""
    return _read(person, scenarios.read_number(store, person, number))


def listed(store: Store, person: str) -> list[ReadScenario]:
    """All scenarios that the person may see: the newest first."""
    return [_read(person, kept) for kept in scenarios.listed(store, person)]


def compare(store: Store, person: str, references: Sequence[str]) -> Comparison:
    """Scenarios that the person may see, side by side. Raises `RefusedError`."""
    wanted = [read(store, person, reference) for reference in references]
    return comparing.side_by_side({one.reference: one.answer for one in wanted})


def shared_with(store: Store, person: str, one: ReadScenario) -> list[str]:
    """Who may see a scenario beside its owner, where the person is the owner; nobody else is told."""
    return scenarios.shared_with(store, person, one.kept)


def grant(store: Store, person: str, reference: str, to: str, now: datetime) -> ReadScenario:
    """Let somebody see a version of the person's own scenario: the one that is named, else the newest. Raises `RefusedError`."""
    return _read(person, scenarios.grant(store, person, Reference.parse(reference), to, now))


def revoke(store: Store, person: str, reference: str, of: str, now: datetime) -> list[ReadScenario]:
    """Let somebody no longer see the person's own scenario: the version that is named, else none. Raises `RefusedError`."""
    return [_read(person, kept) for kept in scenarios.revoke(store, person, Reference.parse(reference), of, now)]


def check(
    store: ContributionStore, workspace: Workspace, person: str, reference: str, told: Told = lambda *_: None
) -> ReadScenario:
    """A scenario that gives the same answer once more, from inputs of which none has changed.

    Other changes of the group's manifests don't matter. Raises `RefusedError` with what the scenario rests on that has changed.
    """
    one = read(store, person, reference)
    # The month and the reading of then: a scenario that names none would start from the newest by now.
    pinned = one.definition.model_copy(
        update={"month": date.fromisoformat(f"{one.answer.base_month}-01"), "reading": one.answer.reading}
    )
    again = run(store, workspace, pinned, Path(one.kept.folder), told)
    again = replace(again, inputs=replace(again.inputs, definition=one.answer.inputs.definition))
    if again == one.answer:
        return one
    changed = scenarios.changed_inputs(one.kept, _text(again.to_dict()["inputs"]), again.program)
    is_same = replace(again, inputs=one.answer.inputs, program=one.answer.program) == one.answer
    numbers = "the numbers are the same" if is_same else "the numbers are others"
    raise refused(
        Code.SCENARIO_INPUTS_CHANGED,
        "the scenario",
        "doesn't rest on what it rested on when it was run",
        f"changed since {one.kept.known_at:%Y-%m-%d %H:%M} UTC: {', '.join(changed) or 'nothing that it names'}; {numbers}",
        "run it again, with --again for a further version",
    )


def _read(person: str, kept: KeptScenario) -> ReadScenario:
    return ReadScenario(kept, kept.reference(person))


def _text(value: object) -> str:
    """JSON of one form: equal values are equal texts."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
