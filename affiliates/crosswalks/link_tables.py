"""Tables of identifiers that belong together -> links between their keys; no identifier leaves this module.

A row is one person, a column a namespace. Whatever names nobody (empty, a placeholder, no telephone
number) links nobody either: else all people with the device "0" would be one.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import polars as pl

from affiliates.concurrency import ordered
from affiliates.crosswalks.clusters import Links
from affiliates.errors import Code, alike, refused
from affiliates.identity.keys import GroupKey, as_key, person_key
from affiliates.identity.normalisation import normalise
from affiliates.manifests.source import Identifier, Source
from affiliates.sources import files
from affiliates.sources.file_checks import check_file
from affiliates.sources.file_formats import READ_ERRORS, literal, scan_file

BATCH_ROWS = 1 << 18
KEYED = "keyed"
"""In the place of a namespace: values that are keys already."""
_SUBJECT = "the links"
_AS_THEY_ARE = (pl.String, pl.Categorical, pl.Enum, pl.Null)

Tell = Callable[[str, int, int], object]
"""What is done, how much of it, and of how much."""


@dataclass(frozen=True)
class Columns:
    """What the columns of tables mean: namespaces by their own name, and those that are `called` otherwise."""

    namespaces: Collection[str]
    called: Mapping[str, str | None] = field(default_factory=dict)
    """A column's namespace, or None for one that isn't read."""
    region: str | None = None
    keyed: bool = False

    def identifiers(self, there: Sequence[str], where: str) -> tuple[Identifier, ...]:
        """A table's columns; raises `RefusedError` for one that is no namespace, since it would link nobody who is counted.

        It says where such a column stands and not what it is called: the first line of a file without a header
        holds people.
        """
        if self.keyed:
            return tuple(Identifier(column=c, namespace=KEYED) for c in there if c not in self.called)
        found = {c: self.called.get(c, c) for c in there}
        wrong = [i for i, c in enumerate(there, 1) if c not in self.called and c not in self.namespaces]
        if wrong:
            names = [c for c in there if re.fullmatch("[A-Za-z_]+", c) and c not in self.namespaces]
            near = {c: n for c in names for n in alike(c, self.namespaces)}
            hint = "".join(f"; {c} looks like {n}" for c, n in near.items())
            raise refused(
                Code.LINKS_UNUSABLE,
                where,
                "columns must be namespaces of the group",
                f"no. {', '.join(map(str, wrong))} of {len(there)}; known are {', '.join(sorted(self.namespaces))}{hint}",
                "name it by --column NAME=NAMESPACE, or leave it out by --column NAME=; files of keys need --keyed",
            )
        return tuple(
            Identifier(column=c, namespace=n, region=self.region if n == "phone" else None) for c, n in found.items() if n
        )


@dataclass(frozen=True)
class LinkTable:
    """One file, whose identifiers are known."""

    path: Path
    kind: str
    source: Source

    def rows(self) -> pl.LazyFrame:
        """The columns that are read."""
        return scan_file(self.path, self.kind, self.source).select(i.column for i in self.source.identifiers)


@dataclass
class Read:
    """What there was in tables."""

    rows: int = 0
    linking: int = 0
    """Rows with two different keys or more."""
    naming_nobody: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By namespace: values that aren't empty and name nobody all the same."""


def find(names: Sequence[Path], columns: Columns) -> list[LinkTable]:
    """The tables in files and folders, each checked as a whole; raises `RefusedError`."""
    found = []
    unused = set(columns.called)
    for name in names:
        place = files.find(Source.model_construct(files=str(name), identifiers=()), Path(), _SUBJECT)
        for path in place.paths:
            there = _columns_of(path, place.format)
            where = _where(path)
            unused -= set(there)
            identifiers = columns.identifiers(there or sorted(columns.namespaces), where)
            source = Source.model_construct(files=path.name, identifiers=identifiers)
            check_file(path, place.format, source, _SUBJECT)
            if not there:
                raise refused(
                    Code.LINKS_UNUSABLE,
                    where,
                    "its columns can't be told",
                    f"read as {place.format}",
                    "write one JSON object a line, or CSV",
                )
            if source.identifiers:
                found.append(LinkTable(path, place.format, source))
    if unused:
        raise refused(Code.LINKS_UNUSABLE, _SUBJECT, "no table has the column", ", ".join(sorted(unused)), "correct --column")
    return found


def _where(path: Path) -> str:
    return f"{_SUBJECT}, {path.name}"


def _columns_of(path: Path, kind: str) -> list[str]:
    """The names of a file's columns; none where it is so broken that checking it for any says more."""
    try:
        if kind == "parquet":
            return list(pl.scan_parquet(literal(path)).collect_schema())
        if kind == "csv":
            return list(pl.scan_csv(literal(path), infer_schema=False).collect_schema())
        return list(pl.scan_ndjson(literal(path), infer_schema_length=None).collect_schema())
    except READ_ERRORS:
        return []


def links_of(tables: Sequence[LinkTable], key: GroupKey | None, tell: Tell = lambda *_: None) -> tuple[Links, Read]:
    """All links of the tables, as keys; `key` is needed where they hold identifiers.

    Raises `RefusedError`, also where there is no link at all.
    """
    links = Links()
    read = Read()
    try:
        of = sum(table.rows().select(pl.len()).collect().item() for table in tables)
        for table in tables:
            for pairs, seen in ordered(partial(_pairs, table, key), _batches(table), at_once=1):
                for one, other in pairs:
                    links.add(one.to_numpy(), other.to_numpy())
                read.rows += seen.rows
                read.linking += seen.linking
                for namespace, number in seen.naming_nobody.items():
                    read.naming_nobody[namespace] += number
                tell("keying the links", read.rows, of)
    except READ_ERRORS:
        raise refused(
            Code.LINKS_UNUSABLE, _SUBJECT, "can't be read to their end", f"{len(tables)} files", "write them again"
        ) from None
    if not read.linking:
        raise refused(
            Code.LINKS_UNUSABLE,
            _SUBJECT,
            "no row names one person twice",
            f"{read.rows:,} rows, {_nobody(read)}",
            "give tables whose rows hold two identifiers or more; phone numbers without a country code need --region",
        )
    return links, read


def _nobody(read: Read) -> str:
    said = [f"{number:,} of {namespace}" for namespace, number in read.naming_nobody.items()]
    return f"values that name nobody: {', '.join(said) or 'none'}"


def _batches(table: LinkTable) -> Iterable[pl.DataFrame]:
    return table.rows().collect_batches(chunk_size=BATCH_ROWS, maintain_order=False)


def _pairs(table: LinkTable, key: GroupKey | None, rows: pl.DataFrame) -> tuple[list[tuple[pl.Series, pl.Series]], Read]:
    """Each row's first key with each other key of it: as many links as make them one cluster."""
    where = _where(table.path)
    keyed = [_keys(rows[i.column], i, key, where).alias(str(n)) for n, i in enumerate(table.source.identifiers)]
    keys = pl.DataFrame(keyed)
    read = Read(rows.height)
    for identifier, found in zip(table.source.identifiers, keyed, strict=True):
        if lost := int((found.is_null() & _says_something(rows[identifier.column])).sum()):
            read.naming_nobody[identifier.namespace] += lost
    first = keys.select(pl.coalesce(pl.all())).to_series()
    others = [(column != first).fill_null(False) for column in keyed]
    read.linking = int(pl.select(pl.any_horizontal(others).sum()).item())
    return [(first.filter(other), column.filter(other)) for column, other in zip(keyed, others, strict=True)], read


def _says_something(values: pl.Series) -> pl.Series:
    return (values != "").fill_null(False) if values.dtype == pl.String else values.is_not_null()


def _keys(values: pl.Series, identifier: Identifier, key: GroupKey | None, where: str) -> pl.Series:
    if identifier.namespace == KEYED:
        return _given_keys(values, where)
    if not (values.dtype in _AS_THEY_ARE or values.dtype.is_integer()):
        raise refused(
            Code.LINKS_UNUSABLE,
            where,
            "identifiers must be text or whole numbers",
            f"those of {identifier.namespace} are {values.dtype}",
            "write them as text: other types lose digits or have no one spelling",
        )
    assert key is not None
    normalised = normalise(pl.col(values.name), identifier.namespace, identifier.region)
    return values.to_frame().select(person_key(normalised, identifier.namespace, key)).to_series()


def _given_keys(values: pl.Series, where: str) -> pl.Series:
    if values.dtype == pl.UInt64:
        return values
    if values.dtype not in _AS_THEY_ARE:
        raise refused(
            Code.LINKS_UNUSABLE, where, "keys must be 16 hex characters", f"a column is {values.dtype}", "write them as text"
        )
    text = values.cast(pl.String).to_frame("text").select(pl.col("text").replace("", None)).to_series()
    keys = text.to_frame().select(as_key(pl.col("text"))).to_series()
    wrong = int((text.is_not_null() & keys.is_null()).sum())
    if wrong:
        raise refused(
            Code.LINKS_UNUSABLE,
            where,
            "keys must be 16 hex characters",
            f"{wrong:,} values or more aren't",
            "give keys, or read identifiers without --keyed",
        )
    return keys
