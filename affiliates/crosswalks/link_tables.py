"""From tables of identifiers that belong together to links between their keys. No identifier leaves this module.

A row is one person, a column a namespace. What names nobody (an empty value, a placeholder, what is no telephone number)
links nobody either: else all people with the device "0" would be one.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import polars as pl

from affiliates.concurrency import ordered
from affiliates.crosswalks import statements
from affiliates.crosswalks.clusters import Links
from affiliates.errors import Code, alike, refused
from affiliates.identity.keys import GroupKey, as_key, person_key
from affiliates.identity.normalisation import NO_RULES, Rules, check_usable, normalised
from affiliates.manifests.source import Identifier, Source
from affiliates.sources import files
from affiliates.sources.file_checks import check_file
from affiliates.sources.file_contents import head_of
from affiliates.sources.file_formats import READ_ERRORS, literal, scan_file
from affiliates.sources.long_lines import check_lines

BATCH_ROWS = 1 << 18
"""Rows whose identifiers are in memory at once, for each thread."""
KEYED = "keyed"
"""Stands for a namespace where values are keys already."""
_SUBJECT = "the links"
_TEXT_TYPES = (pl.String, pl.Categorical, pl.Enum, pl.Null)

Progress = Callable[[str, int, int], object]
"""Is told what is being done, how much of it is done, and how much there is to do."""


@dataclass(frozen=True)
class Columns:
    """What the columns of tables mean: a column named as a namespace is of that namespace, any other as an option says."""

    namespaces: Collection[str]
    """Those of the group's products: identifiers of another namespace link nobody who is counted."""
    namespace_by_column: Mapping[str, str | None] = field(default_factory=dict)
    """What `--column` says: a column's namespace, or None for one that isn't read."""
    region: str | None = None
    """The country (ISO 3166, such as DE) of telephone numbers without a country code."""
    keyed: bool = False
    """Whether all values are keys already; then columns need no namespace."""
    rules: Callable[[str], Rules] = lambda namespace: NO_RULES
    """The rules of a namespace, by group.yaml."""

    def identifiers(self, columns: Sequence[str], where: str) -> tuple[Identifier, ...]:
        """The columns of one table that are read. Raises `RefusedError` for a column that is no namespace of the group.

        The message says where the column stands, and not its name: the first line of a file without a header holds people.
        """
        if self.keyed:
            return tuple(Identifier(column=name, namespace=KEYED) for name in columns if name not in self.namespace_by_column)
        namespaces = {name: self.namespace_by_column.get(name, name) for name in columns}
        wrong = [
            number
            for number, name in enumerate(columns, 1)
            if name not in self.namespace_by_column and name not in self.namespaces
        ]
        if wrong:
            # Only a name that looks much like a namespace is shown.
            names = [name for name in columns if re.fullmatch("[A-Za-z_]+", name) and name not in self.namespaces]
            similar = {name: namespace for name in names for namespace in alike(name, self.namespaces)}
            hint = "".join(f"; {name} looks like {namespace}" for name, namespace in similar.items())
            raise refused(
                Code.LINKS_UNUSABLE,
                where,
                "columns must be namespaces of the group",
                f"no. {', '.join(map(str, wrong))} of {len(columns)}; known are {', '.join(sorted(self.namespaces))}{hint}",
                "name it by --column NAME=NAMESPACE, or leave it out by --column NAME=; files of keys need --keyed",
            )
        return tuple(
            Identifier(column=name, namespace=namespace, region=self.region if namespace == "phone" else None)
            for name, namespace in namespaces.items()
            if namespace
        )


@dataclass(frozen=True)
class LinkTable:
    """One file of linked identifiers, checked as a whole."""

    path: Path
    format: str
    """parquet, csv or jsonl."""
    source: Source
    """Has the columns that are read as its `identifiers`."""
    rules: Callable[[str], Rules]
    """As of `Columns`."""

    def rows(self) -> pl.LazyFrame:
        """The columns that are read, lazily."""
        return scan_file(self.path, self.format, self.source).select(column.column for column in self.source.identifiers)


@dataclass
class LinkCounts:
    """How much tables held. The fields are keys of `mauwatch crosswalk --json`."""

    rows: int = 0
    linking: int = 0
    """Rows with two different keys or more."""
    naming_nobody: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By namespace: values that aren't empty and name nobody all the same."""

    def add(self, other: "LinkCounts") -> None:
        """Add what another table, or another part of the same one, held."""
        self.rows += other.rows
        self.linking += other.linking
        for namespace, number in other.naming_nobody.items():
            self.naming_nobody[namespace] += number


def find(names: Sequence[Path], columns: Columns) -> list[LinkTable]:
    """The tables in files and folders, each checked as a whole.

    Raises `RefusedError` where no file is there, a file is damaged, a column is no namespace of the group, or an option names
    a column that no table has.
    """
    tables = []
    unused = set(columns.namespace_by_column)
    for name in names:
        # No source of a manifest: a table has neither time nor days, which validation would ask for.
        place = files.find(Source.model_construct(files=str(name), identifiers=()), Path(), _SUBJECT)
        for path in place.paths:
            table_columns = _columns_of(path, place.format)
            where = _where(path)
            unused -= set(table_columns)
            identifiers = columns.identifiers(table_columns or sorted(columns.namespaces), where)
            source = Source.model_construct(files=path.name, identifiers=identifiers)
            check_file(path, place.format, source, _SUBJECT)
            if not table_columns:
                raise refused(
                    Code.LINKS_UNUSABLE,
                    where,
                    "its columns can't be told",
                    f"read as {place.format}",
                    "write one JSON object a line, or CSV",
                )
            if source.identifiers:
                tables.append(LinkTable(path, place.format, source, columns.rules))
    if unused:
        raise refused(Code.LINKS_UNUSABLE, _SUBJECT, "no table has the column", ", ".join(sorted(unused)), "correct --column")
    return tables


def stated_fingerprint(tables: Sequence[LinkTable]) -> str | None:
    """The fingerprint of the key that made tables of keys, where all of them say the same; else None."""
    stated = {statements.read(table.path).key_fingerprint if table.format == "parquet" else None for table in tables}
    return stated.pop() if len(stated) == 1 else None


def _where(path: Path) -> str:
    return f"{_SUBJECT}, {path.name}"


def _columns_of(path: Path, file_format: str) -> list[str]:
    """The names of a file's columns; none for a file so broken that `check_file` says better what is wrong.

    Raises `RefusedError` for a line that is too long to be held.
    """
    try:
        if file_format != "parquet":
            check_lines(path, head_of(path), _where(path))
        if file_format == "parquet":
            return list(pl.scan_parquet(literal(path)).collect_schema())
        if file_format == "csv":
            return list(pl.scan_csv(literal(path), infer_schema=False).collect_schema())
        return list(pl.scan_ndjson(literal(path), infer_schema_length=None).collect_schema())
    except READ_ERRORS:
        return []


def links_of(tables: Sequence[LinkTable], key: GroupKey | None, progress: Progress = lambda *_: None) -> tuple[Links, LinkCounts]:
    """All links of the tables, between keys, and how much the tables held. `key` is needed where they hold identifiers.

    Raises `RefusedError` where a table can't be read, a value is no identifier, or no row links two keys.
    """
    links = Links()
    counts = LinkCounts()
    try:
        all_rows = sum(table.rows().select(pl.len()).collect().item() for table in tables)
        for table in tables:
            # The order of the batches doesn't matter: clusters depend on the set of links alone.
            for pairs, batch_counts in ordered(partial(_pairs, table, key), _batches(table), at_once=1):
                for one, other in pairs:
                    links.add(one.to_numpy(), other.to_numpy())
                counts.add(batch_counts)
                progress("keying the links", counts.rows, all_rows)
    except READ_ERRORS:
        raise refused(
            Code.LINKS_UNUSABLE, _SUBJECT, "can't be read to their end", f"{len(tables)} files", "write them again"
        ) from None
    if not counts.linking:
        raise refused(
            Code.LINKS_UNUSABLE,
            _SUBJECT,
            "no row names one person twice",
            f"{counts.rows:,} rows, {_naming_nobody(counts)}",
            "give tables whose rows hold two identifiers or more; phone numbers without a country code need --region",
        )
    return links, counts


def _naming_nobody(counts: LinkCounts) -> str:
    """The values that name nobody, for a refusal: phone numbers without their region are the usual reason."""
    by_namespace = [f"{number:,} of {namespace}" for namespace, number in counts.naming_nobody.items()]
    return f"values that name nobody: {', '.join(by_namespace) or 'none'}"


def _batches(table: LinkTable) -> Iterable[pl.DataFrame]:
    return table.rows().collect_batches(chunk_size=BATCH_ROWS, maintain_order=False)


def _pairs(table: LinkTable, key: GroupKey | None, rows: pl.DataFrame) -> tuple[list[tuple[pl.Series, pl.Series]], LinkCounts]:
    """The links of some rows, as columns of keys in pairs; and how much the rows held.

    A row's first key is linked with each other key of the row: the fewest links that make them one cluster.
    """
    identifiers = table.source.identifiers
    where = _where(table.path)
    # Named by number: a frame can't have two columns of one name.
    keyed = [
        _keys(rows[identifier.column], identifier, key, table.rules(identifier.namespace), where).alias(str(number))
        for number, identifier in enumerate(identifiers)
    ]
    counts = LinkCounts(rows.height)
    for identifier, keys in zip(identifiers, keyed, strict=True):
        if nobody := int((keys.is_null() & _is_given(rows[identifier.column])).sum()):
            counts.naming_nobody[identifier.namespace] += nobody
    first = pl.DataFrame(keyed).select(pl.coalesce(pl.all())).to_series()
    differs = [(keys != first).fill_null(False) for keys in keyed]
    counts.linking = int(pl.select(pl.any_horizontal(differs).sum()).item())
    pairs = [(first.filter(linked), keys.filter(linked)) for keys, linked in zip(keyed, differs, strict=True)]
    return pairs, counts


def _is_given(values: pl.Series) -> pl.Series:
    """Whether each value is there: neither null nor empty."""
    return (values != "").fill_null(False) if values.dtype == pl.String else values.is_not_null()


def _keys(values: pl.Series, identifier: Identifier, key: GroupKey | None, rules: Rules, where: str) -> pl.Series:
    """The keys (UInt64) of a column's values; null where a value names nobody.

    Raises `RefusedError` for a wrong type, and for values that are no usable identifiers.
    """
    if identifier.namespace == KEYED:
        return _keys_as_given(values, where)
    if not (values.dtype in _TEXT_TYPES or values.dtype.is_integer()):
        raise refused(
            Code.LINKS_UNUSABLE,
            where,
            "identifiers must be text or whole numbers",
            f"those of {identifier.namespace} are {values.dtype}",
            "write them as text: other types lose digits or have no one spelling",
        )
    assert key is not None
    check_usable(values, identifier.namespace, rules, Code.LINKS_UNUSABLE, where)
    usable = normalised(values, identifier.namespace, identifier.region, rules)
    return usable.to_frame().select(person_key(pl.col(usable.name), identifier.namespace, key)).to_series()


def _keys_as_given(values: pl.Series, where: str) -> pl.Series:
    """Values that are keys already, as UInt64; null for none. Raises `RefusedError` for a value that is no key."""
    if values.dtype == pl.UInt64:
        return values
    if values.dtype not in _TEXT_TYPES:
        raise refused(
            Code.LINKS_UNUSABLE, where, "keys must be 16 hex characters", f"a column is {values.dtype}", "write them as text"
        )
    # In a CSV, an empty field is the only way to write none.
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
