"""A scenario as its file writes it, with the line of every mistake. Pure but for reading the file."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from affiliates.errors import Code, Refusal, RefusedError, did_you_mean, refused
from affiliates.manifests.base import Day, ManyLines, Model, Month, Name, Text
from affiliates.manifests.loader import parse as parse_model
from affiliates.manifests.yaml_lines import Document, load
from pipelines.scenarios.changes import KINDS, Acquire, AnyChange, Launch
from pipelines.scenarios.ranges import MaybePeople

MOST_CHANGES = 50
"""Changes of one scenario at most: nobody reads an answer to more."""
_EXAMPLE = "`mauwatch whatif new` writes an example"


class Definition(Model):
    """A scenario: what it starts from, what it is tested by, and what changes."""

    scenario: Name
    """Its short name, a secret."""
    title: Annotated[Text | None, Field(max_length=100)] = None
    """What the headline calls the scenario, in the place of the targets' names."""
    note: Annotated[Text | None, ManyLines()] = None
    """What else is to be said of it."""
    month: Month | None = None
    """The base month; by default the newest published month."""
    reading: Name | None = None
    """The reading of the base; by default the reading of record."""
    horizon: Annotated[int, Field(ge=1, le=60)] = 12
    """Months ahead of the base month."""
    releases: tuple[Day, ...] = ()
    """Days on which a next version may come out."""
    threshold: MaybePeople = None
    """A threshold beside those of clauses: more than this is over."""
    clause: Text | None = None
    """A clause of the registry, as licence or licence#clause, in the place of a threshold."""
    changes: Annotated[tuple[AnyChange, ...], Field(min_length=1, max_length=MOST_CHANGES)]
    """What changes, in any order: the days decide which change comes first."""

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if self.threshold is not None and self.clause is not None:
            raise ValueError("has both `threshold` and `clause`: keep one")
        return self

    def to_dict(self) -> dict[str, Any]:
        """The scenario as its file would write it, without what isn't said; `from_dict` reads it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Definition":
        """A scenario from what `to_dict` wrote. Raises `RefusedError` with every mistake."""
        return parse(Document(Path(), "the scenario", dict(data), {}))

    @property
    def digest(self) -> str:
        """SHA-256 in hex of all that the scenario says, whatever the order of its keys."""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


class _WithoutChanges(Definition):
    """A scenario without its changes: each change is read by the model of its own kind, for its mistakes' sake."""

    changes: tuple[AnyChange, ...] = ()


def read_definition(path: Path) -> Definition:
    """Read a scenario's file. Raises `RefusedError` with every mistake, by file and line."""
    return parse(read_document(path))


def read_document(path: Path) -> Document:
    """What a scenario's file says, with its lines. Raises `RefusedError` for a file that is no YAML."""
    mistakes: list[Refusal] = []
    document = load(path.parent, path, mistakes)
    if mistakes or document is None:
        raise RefusedError(*_as_scenarios(mistakes))
    return document


def parse(document: Document) -> Definition:
    """A scenario from a document. Raises `RefusedError` with every mistake, by file and line."""
    mistakes: list[Refusal] = []
    data = document.data
    if not isinstance(data, dict):
        raise refused(Code.SCENARIO_INVALID, document.at(()), "must hold keys and values", "", _EXAMPLE)
    items = data.get("changes")
    head = parse_model(
        _WithoutChanges, replace(document, data={key: value for key, value in data.items() if key != "changes"}), mistakes
    )
    changes = list(_changes(document, items, mistakes))
    mistakes += _named_twice(document, changes)
    if mistakes or head is None:
        raise RefusedError(*_as_scenarios(mistakes))
    values = {name: getattr(head, name) for name in head.model_fields_set if name != "changes"}
    return Definition.model_validate({**values, "changes": tuple(change for _, change in changes)})


def _changes(document: Document, items: Any, mistakes: list[Refusal]) -> Iterator[tuple[int, AnyChange]]:
    """The changes of a document with their places; each mistake is added to `mistakes`."""
    if not isinstance(items, list) or not items or len(items) > MOST_CHANGES:
        length = f"{len(items):,} changes" if isinstance(items, list) and items else ""
        rule = f"`changes` is no list of 1 to {MOST_CHANGES} changes"
        mistakes.append(Refusal(Code.SCENARIO_INVALID, document.at(("changes",)), rule, length, _EXAMPLE))
        return
    for place, item in enumerate(items):
        where = document.at(("changes", place))
        kinds = [key for key in item if key in KINDS] if isinstance(item, dict) else []
        if len(kinds) != 1:
            rule = "is one change with one of these keys" if len(kinds) < 2 else "has two kinds of change"
            keys = [str(key) for key in item] if isinstance(item, dict) else []
            hint = ", ".join(kinds) or next((did_you_mean(key, KINDS) for key in keys), "")
            next_step = f"write one of {', '.join(KINDS)}; {_EXAMPLE}"
            mistakes.append(Refusal(Code.SCENARIO_INVALID, where, rule, hint, next_step))
            continue
        parsed = parse_model(KINDS[kinds[0]], _part(document, place, item), mistakes)
        if parsed is not None:
            yield place, parsed


def _part(document: Document, place: int, item: dict[str, Any]) -> Document:
    """One change of a document as a document of its own, with the lines of the file."""
    lines = {location[2:]: line for location, line in document.lines.items() if location[:2] == ("changes", place)}
    return Document(document.path, document.file, item, lines)


def _named_twice(document: Document, changes: list[tuple[int, AnyChange]]) -> Iterator[Refusal]:
    """A refusal for each target or launch whose name another one of the scenario has."""
    names = set[str]()
    for place, change in changes:
        if not isinstance(change, Acquire | Launch):
            continue
        if change.subject.casefold() in names:
            at = document.at(("changes", place, change.kind))
            rule = "is acquired or launched twice: its people would count twice"
            yield Refusal(Code.SCENARIO_INVALID, at, f"{change.subject} {rule}", "", "take one of the two away")
        names.add(change.subject.casefold())


def _as_scenarios(mistakes: list[Refusal]) -> list[Refusal]:
    """Mistakes as a scenario's, each once, in the order of their lines."""
    # A value that stands for both ends of a range is wrong at both.
    unique = {str(mistake): replace(mistake, code=Code.SCENARIO_INVALID) for mistake in mistakes}
    advised = (
        replace(m, next_step=_EXAMPLE) if m.next_step == "see the example in docs/manifests.md" else m for m in unique.values()
    )
    return sorted(advised, key=lambda mistake: _line(mistake.subject))


def _line(subject: str) -> int:
    """The line that a refusal names; 0 where it names none."""
    line = subject.rpartition(":")[2]
    return int(line) if line.isdigit() else 0
