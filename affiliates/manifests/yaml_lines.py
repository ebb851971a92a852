"""YAML with the line on which each value stands, so that a message can name a mistake's line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from affiliates.errors import Code, Refusal

Location = tuple[str | int, ...]
"""Keys and indices from the top of a file to a value."""


@dataclass(frozen=True)
class Document:
    """One file's data, and the line of each value."""

    path: Path
    """Where the file is."""
    file: str
    """The path as messages name it, relative to the group directory."""
    data: Any
    """What the YAML says, as plain Python values."""
    lines: Mapping[Location, int]
    """The line of each value, from 1; a value of a key has the key's line."""

    def at(self, location: Location) -> str:
        """`file:line` of a value, or of the nearest thing around it that stands in the file."""
        while location and location not in self.lines:
            location = location[:-1]
        return f"{self.file}:{self.lines.get(location, 1)}"


COMPILED: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's compiled reader, where there is one: ten times as fast. What people write is read by the other one, whose messages
say more."""


def load(
    directory: Path, path: Path, mistakes: list[Refusal], required: bool = True, reader: Any = yaml.SafeLoader
) -> Document | None:
    """Read a file of a group directory; nothing where it can't be read, and each mistake is added to `mistakes`.

    A key that stands twice is a mistake, and the file is read all the same. `required`: whether a missing file is a mistake. An
    empty file is an empty mapping. `reader`: PyYAML's loader that reads the text.
    """
    file = path.relative_to(directory).as_posix()
    if not required and not path.exists():
        return None
    try:
        # Composed, not loaded: the nodes have the lines, and keys that stand twice; the loader would drop both.
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=reader)
        places = list(_walk(node, ())) if node else []
        data = yaml.SafeLoader("").construct_document(node) if node else {}
    except UnicodeDecodeError:
        mistakes.append(Refusal(Code.MANIFEST_UNREADABLE, f"{file}:1", "is not UTF-8 text", "", "save it as UTF-8"))
        return None
    except OSError as error:
        mistakes.append(
            Refusal(Code.MANIFEST_UNREADABLE, f"{file}:1", "can't be read", str(error.strerror), "see to its permissions")
        )
        return None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        mistakes.append(
            Refusal(
                Code.MANIFEST_UNREADABLE,
                f"{file}:{line}",
                "is not YAML",
                error.problem or "",
                "mend the line or the one before it",
            )
        )
        return None
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError):
        # Dates that don't exist, control characters, references in a circle: PyYAML raises whatever Python raised.
        mistakes.append(
            Refusal(
                Code.MANIFEST_UNREADABLE,
                f"{file}:1",
                "holds a value that can't be read",
                "such as a date that doesn't exist",
                "correct it",
            )
        )
        return None
    lines: dict[Location, int] = {}
    doc = Document(path, file, {}, lines)
    if node is None:
        return doc
    for location, line, key in places:
        if location in lines and key:
            mistakes.append(
                Refusal(
                    Code.MANIFEST_UNREADABLE,
                    f"{file}:{line}",
                    f"key `{location[-1]}` stands twice",
                    f"first in line {lines[location]}",
                    "keep one of them: YAML would silently take the last",
                )
            )
        lines.setdefault(location, line)
    return Document(path, file, data, lines)


def _walk(node: yaml.Node, location: Location) -> Iterator[tuple[Location, int, bool]]:
    """Each value's location and line; true where it is the value of a key."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*location, str(key.value))
            yield inner, key.start_mark.line + 1, True
            yield from _walk(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            inner = (*location, index)
            yield inner, item.start_mark.line + 1, False
            yield from _walk(item, inner)
