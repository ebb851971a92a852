"""What a Parquet file holds beside its columns: metadata, texts in its footer, stray bytes. Nothing may hide there.

Whoever hands a file in is told that it holds no identifier, so nothing in it goes unlooked at. The messages quote a name only
where it can be no person's.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from affiliates.contributions.parquet_footer import CompactReader
from affiliates.contributions.parquet_limits import (
    Chunk,
    ChunkField,
    ChunkMetadata,
    FileField,
    GroupField,
    Layout,
    Pieces,
    pieces_of,
    unreadable,
)
from affiliates.errors import Code, RefusedError, printable, refused
from affiliates.sources.parquet_metadata import MOST_BYTES, are_personal, is_description, is_personal

_KNOWN_FIELDS = {"file": 9, "group": 7, "chunk": 9, "metadata": 17}
"""By kind of struct, the greatest field number that the specification has."""
_INDEXES = ((4, 5), (6, 7))
"""Fields of a chunk: where its offset index and its column index lie, and how long they are."""
_CONTAINERS = (dict, list)
_BLOOM = (14, 15)
"""The same of its Bloom filter, in the chunk's metadata."""


class _Region(NamedTuple):
    """Bytes of a file, from `begin` to before `end`."""

    begin: int
    end: int


def check(path: Path, layout: Layout, images: Collection[str]) -> None:
    """Refuse a file that holds more than its columns. `images`: the columns that are bytes, and no texts.

    Raises `RefusedError` (contribution-columns-wrong, contribution-unreadable) and `OSError`.
    """
    try:
        if others := [key for key, value in _key_values(layout) if not is_description(key, value)]:
            raise _more(path, "metadata beside the contract's columns", others)
        if _has_unknown_fields(layout) or are_personal(list(_footer_texts(layout, images))):
            raise _more(path, "texts in its footer that are no description of columns")
        with pieces_of(path) as file:
            taken, searched = _regions(file, layout, images)
            if stray := _stray_bytes(file, taken):
                raise _more(path, "bytes that belong to none of its columns", values=f"{stray:,} bytes")
            if any(is_personal(file.read_at(begin, min(end - begin, MOST_BYTES + 1))) for begin, end in searched):
                raise _more(path, "texts in its indexes that could be somebody's")
    except (LookupError, TypeError, ValueError, AttributeError):
        raise unreadable(path.name, layout.size) from None


def check_columns(subject: str, columns: Collection[str], known: Collection[str]) -> None:
    """Raise `RefusedError` (contribution-columns-wrong) for columns that the contract doesn't have, or has once."""
    others = [name for name in columns if name not in known]
    if others or len(set(columns)) < len(columns):
        raise refused(
            Code.CONTRIBUTION_COLUMNS_WRONG,
            subject,
            "holds columns that the contract doesn't have" if others else "has a column twice",
            _shown(others),
            "write the contract's columns alone: what else is in the file would leave with it",
        )


def _more(path: Path, what: str, names: Collection[str] = (), values: str = "") -> RefusedError:
    next_step = "write the contract's columns alone: what else is in the file would leave with it"
    return refused(Code.CONTRIBUTION_COLUMNS_WRONG, path.name, f"holds {what}", values or _shown(names), next_step)


def _shown(names: Collection[str]) -> str:
    return ", ".join(dict.fromkeys(printable(name) for name in list(names)[:10]))


def _key_values(layout: Layout) -> Iterator[tuple[str, bytes]]:
    """The pairs of metadata of the whole file and of each chunk."""
    lists = [layout.metadata.get(FileField.KEY_VALUES, [])]
    lists += [chunk.fields[ChunkField.METADATA].get(ChunkMetadata.KEY_VALUES, []) for chunk in layout.chunks]
    for pairs in lists:
        for pair in pairs:
            yield pair[1].decode("utf-8", "replace"), pair.get(2, b"")


def _has_unknown_fields(layout: Layout) -> bool:
    """Whether a struct of the footer has a field that the specification hasn't: nobody would look at its value."""
    structs = [("file", layout.metadata)]
    structs += [("group", group) for group in layout.metadata[FileField.GROUPS]]
    structs += [("chunk", chunk.fields) for chunk in layout.chunks]
    structs += [("metadata", chunk.fields[ChunkField.METADATA]) for chunk in layout.chunks]
    return any(struct and not (min(struct) > 0 and max(struct) <= _KNOWN_FIELDS[kind]) for kind, struct in structs)


def _footer_texts(layout: Layout, images: Collection[str]) -> Iterator[bytes]:
    """All texts of the footer and of the pages' heads but metadata; an image's statistics are bytes of an image."""
    apart = (FileField.GROUPS, FileField.KEY_VALUES)
    yield from _texts({number: value for number, value in layout.metadata.items() if number not in apart})
    for group in layout.metadata[FileField.GROUPS]:
        yield from _texts({number: value for number, value in group.items() if number != GroupField.CHUNKS})
    for chunk in layout.chunks:
        if chunk.column not in images:
            yield from _texts(chunk.fields)
            yield from _texts([page.head for page in chunk.pages])


def _texts(value: Any) -> Iterator[bytes]:
    """All byte strings within a struct or a list of the footer."""
    waiting = [value]
    while waiting:
        container = waiting.pop()
        for inner in container.values() if isinstance(container, dict) else container:
            if isinstance(inner, bytes):
                yield inner
            elif isinstance(inner, _CONTAINERS):
                waiting.append(inner)


def _regions(file: Pieces, layout: Layout, images: Collection[str]) -> tuple[list[_Region], list[_Region]]:
    """The bytes that the footer gives to pages, indexes and filters; and those of them that no reader of columns looks at."""
    taken = [_Region(0, 4), _Region(layout.footer_at, layout.size)]
    searched = []
    # What begins here is taken already, and is read as what it is.
    known = {layout.footer_at, *(chunk.pages[0].begin for chunk in layout.chunks if chunk.pages)}
    for chunk in layout.chunks:
        taken += [_Region(page.begin, page.end) for page in chunk.pages]
        unread = list(_indexes(chunk))
        end = chunk.pages[-1].end if chunk.pages else chunk.begin
        if end not in known:
            taken.append(_repeated_description(file, chunk, end))
        # Behind the last value a chunk may have an empty page, and no more than that.
        rest = _Region(end, chunk.begin + chunk.fields[ChunkField.METADATA][ChunkMetadata.PACKED])
        unread += [rest] if rest.end > rest.begin else []
        taken += unread
        searched += [] if chunk.column in images else unread
    return taken, searched


def _repeated_description(file: Pieces, chunk: Chunk, at: int) -> _Region:
    """Where a chunk's description stands behind its pages once more, as some writers put it there; else no byte."""
    reader = CompactReader(file.read_at(at, MOST_BYTES))
    try:
        repeated = reader.read_struct()
    except (LookupError, ValueError):
        repeated = {}
    return _Region(at, at + (reader.position if repeated == chunk.fields[ChunkField.METADATA] else 0))


def _indexes(chunk: Chunk) -> Iterator[_Region]:
    metadata = chunk.fields[ChunkField.METADATA]
    places = [(chunk.fields.get(at), chunk.fields.get(length)) for at, length in _INDEXES]
    for at, length in [*places, (metadata.get(_BLOOM[0]), metadata.get(_BLOOM[1]))]:
        if at is not None and length is not None and length > 0:
            yield _Region(at, at + length)


def _stray_bytes(file: Pieces, taken: list[_Region]) -> int:
    """How many bytes that aren't 0 lie in none of the regions. Zeros fill up the blocks of some file systems."""
    stray = 0
    position = 0
    for begin, end in sorted(taken):
        while position < begin and (block := file.read_at(position, min(1 << 20, begin - position))):
            stray += len(block) - block.count(0)
            position += len(block)
        position = max(position, end)
    return stray
