"""A scenario's file with the line of each change, so that what the group or the store shows to be wrong has a line, too."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from affiliates.errors import Refusal, RefusedError, in_plain_sight
from affiliates.manifests.yaml_lines import Document
from pipelines.scenarios.definition import Definition, parse, read_document

_PLACE = re.compile(r"change ([0-9]+) \(")
_KEY = re.compile(r"scenario [^,]+, `(\w+)`")


@dataclass(frozen=True)
class ScenarioFile:
    """A scenario as its file has it."""

    definition: Definition
    document: Document

    @contextmanager
    def with_lines(self) -> Iterator[None]:
        """Each refusal inside that is about a change, or a key, of this scenario names its file and line."""
        try:
            yield
        except RefusedError as error:
            raise RefusedError(*map(self._located, error.refusals)) from None

    def _located(self, refusal: Refusal) -> Refusal:
        location = self._location(refusal.subject)
        return replace(refusal, subject=f"{self.document.at(location)}: {refusal.subject}") if location else refusal

    def _location(self, subject: str) -> tuple[str | int, ...]:
        """Where in the file a refusal's subject stands; nothing where it is of no part of the file."""
        if match := _PLACE.match(subject):
            return "changes", int(match[1]) - 1
        if match := _KEY.fullmatch(subject):
            return (match[1],)
        labels = [in_plain_sight(change.label) for change in self.definition.changes]
        # The longest first: one target's name may begin as another's.
        for place in sorted(range(len(labels)), key=lambda place: -len(labels[place])):
            if subject == labels[place] or subject.startswith(f"{labels[place]}, "):
                return "changes", place
        return ()


def read_file(path: Path) -> ScenarioFile:
    """Read a scenario's file. Raises `RefusedError` with every mistake, by file and line."""
    document = read_document(path)
    return ScenarioFile(parse(document), document)
