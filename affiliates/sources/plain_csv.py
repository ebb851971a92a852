"""Small CSV files in which nothing can be misread: looked at without polars, whose queries take longer than such a file.

A plain file is short and holds printable ASCII alone, without a quotation mark or a carriage return: its lines end at line feeds,
and its fields at separators, for every reader. Whatever else a file holds, `file_checks` looks at in full.
"""

import re
from collections.abc import Sequence
from pathlib import Path

MOST_BYTES = 1 << 16
"""Bytes of a plain file. In a larger one polars is faster."""
_PLAIN = re.compile(rb"[\t\n !#-~]+")
"""Printable ASCII without the quotation mark, with tabs and line feeds."""


def plain_lines(path: Path) -> list[str] | None:
    """The lines of a plain file, without their ends; null for any other file, and for an empty one. Raises `OSError`."""
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES or not _PLAIN.fullmatch(content):
        return None
    return content.decode("ascii").removesuffix("\n").split("\n")


def are_whole(lines: Sequence[str], separator: str, width: int) -> bool:
    """Whether each line of a plain file has as many fields as the header, `width`, and there are several of both.

    In a file of one column an empty line is a field for one reader, and no line for another: such a file isn't judged here.
    """
    return width > 1 and len(lines) > 1 and all(line.count(separator) == width - 1 for line in lines)
