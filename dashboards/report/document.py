"""A document as parts in order: what is said once, and written as HTML and as PDF. Pure.

All texts are plain: neither of the two writers takes markup from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Heading:
    """The title of a part."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `answer` is the sentence that comes first, `notice` stands in a frame, `code` is a digest."""

    text: str
    kind: Literal["text", "answer", "lead", "notice", "soft", "code"] = "text"


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Fact:
    """A fact with its name, and what it rests on."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class FactList:
    """FactList beside each other; with `are_lines` names and values as lines of a list."""

    items: Sequence[Fact]
    are_lines: bool = False


@dataclass(frozen=True)
class Grid:
    """A table; every row has a cell for each head."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[int]
    """Of the columns, in parts of the whole."""
    numbers: Sequence[int] = ()
    """The places of columns that are aligned to the right."""


@dataclass(frozen=True)
class Key:
    """A line of a picture's legend."""

    words: str
    colour: str
    """As #rrggbb."""
    shape: Literal["area", "line", "dashes", "dots", "mark", "circle"]


@dataclass(frozen=True)
class Picture:
    """A picture with its legend beneath."""

    title: str
    summary: str
    """What the picture shows in a sentence, for whoever doesn't see it; part of the text on paper, too."""
    svg: str
    keys: Sequence[Key]


Part = Heading | Paragraph | Bullets | FactList | Grid | Picture


@dataclass(frozen=True)
class PaperDocument:
    """A document."""

    title: str
    about: str
    """The line under the title."""
    parts: Sequence[Part]
    foot: str
    """What each sheet says of where it belongs."""
    legend: str
    """Counsel's words, at the head of the page and on the foot of each sheet."""
    at: datetime
    """The moment of the newest of what it says: the same document is the same bytes."""
