"""The blocks of README.md and docs/ that `tests.tools.documents` doesn't run: of YAML, of shell and of Python.

A YAML block says in a line that isn't shown to which file of a group directory it belongs:

    <!-- into: grants.yaml -->
    <!-- into: affiliates/example.yaml, the first product -->

Its text is put into the group that `mauwatch init` makes, as it stands, in the place of the keys that it has.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from affiliates.manifests.yaml_lines import load
from tests.tools import documents

_FENCE = re.compile(
    r"^(?P<before>.*)\n(?P<indent>[ \t>]*)(?P<fence>```+|~~~+)(?P<kind>.*)\n(?P<text>(?:.*\n)*?)(?P=indent)(?P=fence)[ \t]*$",
    re.MULTILINE,
)
_INTO = re.compile(r"<!-- into: (.+?)(, the first product)? -->")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    where: str
    """Page and line, for messages."""
    kind: str
    """What stands behind the fence, such as yaml."""
    before: str
    """The line above."""
    text: str


def blocks() -> Iterator[Block]:
    """All fenced blocks of all pages."""
    for page in documents.pages():
        text = "\n" + page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            line = text.count("\n", 0, match.start("fence"))
            yield Block(f"{page.name}:{line}", match["kind"].strip(), match["before"], match["text"])


def put(block: Block, group: Path) -> Path:
    """Put a YAML block into the group's file that it names, and give the file. Raises `ValueError` where it names none."""
    match = _INTO.fullmatch(block.before)
    if match is None:
        raise ValueError(f"{block.where}: no line above says into which file it belongs: <!-- into: FILE -->")
    path = group / match[1]
    path.parent.mkdir(exist_ok=True)
    whole: dict[str, Any] = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}
    keys = _keys(block, group)
    if match[2] is None:
        path.write_text(_dumped(_without(whole, keys)) + block.text, encoding="utf-8")
        return path
    first, *others = whole.pop("products")
    product = textwrap.indent(_dumped(_without(first, keys)) + block.text, "    ")
    path.write_text(f"{_dumped(whole)}products:\n  -\n{product}{_dumped(others) if others else ''}", encoding="utf-8")
    return path


def _keys(block: Block, group: Path) -> set[str]:
    """The keys that a block says; `keys` of group.yaml stands in the place of `key`."""
    beside = group / "block.yaml"
    beside.write_text(block.text, encoding="utf-8")
    document = load(group, beside, [])
    beside.unlink()
    assert document is not None, block.where
    return set(document.data) | ({"key"} if "keys" in document.data else set())


def _without(mapping: Mapping[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}


def _dumped(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False) if value else ""
