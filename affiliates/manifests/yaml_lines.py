"""YAML with the line on which each value stands, so that a message can name a mistake's line.

Each value is the text that stands in the file, and the key's model says whether the text is a number, a day or a word, as
YAML 1.2 writes these (`base`). YAML 1.1 would decide by the text alone: a region NO is false there, a column 12:30 is 750, 0123
is 83, and `on` as a key is true.
"""

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from affiliates.errors import Code, Refusal, unseen_sign

MOST_BYTES = 8 << 20
"""Bytes of a file: several times what 2,000 products take. A larger one would be read for minutes."""
_TAG = "tag:yaml.org,2002:"
_MOST_REPEATED = 10_000
"""Values that aliases (`*name`) may repeat in one file: a few lines of aliases of aliases would stand for billions."""


def _as_written(loader: Any) -> Any:
    """PyYAML's loader with plain values as texts; an empty value, `~` and `null` are nothing, and `<<` merges mappings."""
    reader: Any = type("AsWritten", (loader,), {"yaml_implicit_resolvers": {}})
    reader.add_implicit_resolver(f"{_TAG}null", re.compile("^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
    reader.add_implicit_resolver(f"{_TAG}merge", re.compile("^<<$"), ["<"])
    return reader


AS_WRITTEN: Any = _as_written(yaml.SafeLoader)
"""The reader of what people write."""
COMPILED: Any = _as_written(getattr(yaml, "CSafeLoader", yaml.SafeLoader))
"""PyYAML's compiled reader, where there is one: ten times as fast."""
_MOST_NESTED = 1000
"""Values within values that the compiled reader may meet; it held 5,000."""
_KNOWN_TAGS = {f"{_TAG}{name}" for name in ("str", "null", "merge", "map", "seq")}

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


def load(directory: Path, path: Path, mistakes: list[Refusal], required: bool = True) -> Document | None:
    """Read a file of a group directory; nothing where it can't be read, and each mistake is added to `mistakes`.

    A key that stands twice is a mistake, and the file is read all the same. `required`: whether a missing file is a mistake. An
    empty file is an empty mapping.
    """
    file = path.relative_to(directory).as_posix()
    if not required and not path.exists():
        return None

    def unreadable(line: int, rule: str, values: str, next_step: str) -> None:
        mistakes.append(Refusal(Code.MANIFEST_UNREADABLE, f"{file}:{line}", rule, values, next_step))

    text = ""
    try:
        status = path.stat()
        # A pipe would be waited for, and a device has no end.
        if not stat.S_ISREG(status.st_mode):
            unreadable(1, "is no file", "", "put a file there")
            return None
        if status.st_size > MOST_BYTES:
            values = f"{status.st_size:,} bytes, at most {MOST_BYTES:,}"
            unreadable(1, "is too large", values, "write several files, such as one an entity")
            return None
        text = path.read_text(encoding="utf-8")
        _check_signs(text)
        # Composed, not loaded: the nodes have the lines, and keys that stand twice; the loader would drop both.
        node = _composed(text)
        places = list(_Places().of(node, ())) if node else []
        data = AS_WRITTEN("").construct_document(node) if node else {}
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        unreadable(line, "is not UTF-8 text", "", "save it as UTF-8")
        return None
    except OSError as error:
        unreadable(1, "can't be read", str(error.strerror), "see to its permissions")
        return None
    except _UnseenSign as error:
        unreadable(error.line, "holds a character that nobody sees", error.sign, "take it away, or write it in words")
        return None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        has_tab = "'\\t'" in (error.problem or "")
        next_step = "write blanks in the place of the tab" if has_tab else "mend the line or the one before it"
        unreadable(line, "is not YAML", error.problem or "", next_step)
        return None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        unreadable(line, "holds a character that YAML doesn't allow", f"U+{error.character:04X}", "take it away")
        return None
    except RecursionError:
        unreadable(1, "is nested too deeply", "", "write values within values less deeply")
        return None
    lines: dict[Location, int] = {}
    doc = Document(path, file, {}, lines)
    if node is None:
        return doc
    for location, line, key in places:
        if location in lines and key:
            unreadable(
                line,
                f"key `{location[-1]}` stands twice",
                f"first in line {lines[location]}",
                "keep one of them: YAML would silently take the last",
            )
        lines.setdefault(location, line)
    return Document(path, file, data, lines)


class _UnseenSign(Exception):
    """A character stands in a file, or comes out of an escape in it, that a terminal obeys and nobody sees."""

    def __init__(self, sign: str, line: int) -> None:
        super().__init__(sign)
        self.sign = sign
        self.line = line


def _check_signs(text: str) -> None:
    """Raise `_UnseenSign` for a sign in a file's own text: a line that is no line to an editor would be one to YAML."""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if sign := unseen_sign(line.replace("\t", " ")):
            raise _UnseenSign(sign, number)


def _composed(text: str) -> yaml.Node | None:
    """The nodes of a text. Raises PyYAML's errors, and `RecursionError`."""
    # The compiled reader has no limit of recursion: a hundred thousand brackets end the process. So it gets no text that could
    # be nested so deeply: by the brackets that open, and by what a line begins with.
    flow = text.count("[") + text.count("{")
    block = max(len(lead) for lead in re.findall("^[ ?-]*", text, re.MULTILINE))
    # Nor a text with a tab, which it lets pass where the other one doesn't.
    if max(flow, block) <= _MOST_NESTED and "\t" not in text:
        try:
            return yaml.compose(text, Loader=COMPILED)
        except yaml.YAMLError:  # Its messages say less: the other reader says what is wrong.
            pass
    return yaml.compose(text, Loader=AS_WRITTEN)


class _Places:
    """A walk through a file's nodes. Raises `MarkedYAMLError` for what is no plain YAML: tags, and aliases without end."""

    def __init__(self) -> None:
        self._seen = set[int]()
        self._above = set[int]()
        """Of the nodes that hold the one at hand."""
        self._repeated = 0

    def of(self, node: yaml.Node, location: Location) -> Iterator[tuple[Location, int, bool]]:
        """Each value's location and line; true where it is the value of a key. Keys that say nothing become the text."""
        self._check(node)
        self._above.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._check(key)
                if key.tag == f"{_TAG}null":  # As a key, `null` can only be a name, such as a column's.
                    key.tag = f"{_TAG}str"
                inner = (*location, str(key.value))
                yield inner, key.start_mark.line + 1, True
                yield from self.of(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                inner = (*location, index)
                yield inner, item.start_mark.line + 1, False
                yield from self.of(item, inner)
        self._above.discard(id(node))

    def _check(self, node: yaml.Node) -> None:
        if node.tag not in _KNOWN_TAGS:
            tag = node.tag.replace(_TAG, "!!")
            raise yaml.MarkedYAMLError(problem=f"the tag {tag}: its key says what a value is", problem_mark=node.start_mark)
        if id(node) in self._above:
            raise yaml.MarkedYAMLError(problem="an alias holds itself", problem_mark=node.start_mark)
        self._repeated += id(node) in self._seen
        self._seen.add(id(node))
        if self._repeated > _MOST_REPEATED:
            problem = f"aliases repeat more than {_MOST_REPEATED:,} values: write them out"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            self._check_scalar(node, node.start_mark.line + 1)

    def _check_scalar(self, node: yaml.ScalarNode, line: int) -> None:
        """Refuse what an escape such as `"\\e"` brings into a value or a key: no editor shows it where it stands."""
        value: str = node.value
        # A block's own lines are seen: a condition, or a quotation, may have several.
        if "\n" in value and node.style not in ("|", ">"):
            problem = "a line's end in a value: begin it with > for one line, or with | where lines matter"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        if sign := unseen_sign(value.replace("\n", " ").replace("\t", " ")):
            raise _UnseenSign(sign, line)
