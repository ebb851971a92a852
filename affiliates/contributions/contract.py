"""The contribution: what an affiliate hands over for one product and one day, or one month.

One Parquet file holds any number of rows, one for each product, period, audience and namespace;
the rows of one product and period are one contribution and replace what was there before as a
whole. `COLUMNS` is the contract; any engine can write it. Over 300 lines: what a contribution is and what
speaks against one change together.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from affiliates.concurrency import ordered
from affiliates.contributions import untrusted_files
from affiliates.errors import Code, Refusal, RefusedError, refused, shown
from affiliates.identity.keys import PERSON
from affiliates.manifests.product import ProductRef
from affiliates.periods import Grain
from affiliates.sketches.image import BadImage
from affiliates.sketches.registers import Registers

PROTOCOL = "mauwatch-contribution-1"
MOST_NAMESPACES = 64
"""Of a file: telling what is wrong with a canary takes 50 ms for each."""

_INT = pl.Int64()
_TEXT = pl.String()
COLUMNS: dict[str, tuple[pl.DataType, str]] = {
    "protocol": (_TEXT, f"always {PROTOCOL}"),
    "affiliate": (_TEXT, "the entity that offers the product"),
    "product": (_TEXT, "the product"),
    "grain": (_TEXT, "day or month"),
    "activity_date": (pl.Date(), "the day, or a month's first day"),
    "audience": (_TEXT, "external, internal or automated"),
    "audiences": (_TEXT, "all that it is of, such as `external`; null, or no such column, for all three"),
    "namespace": (_TEXT, "of the identifiers; `person` for keys that the crosswalk joined"),
    "key_epoch": (_TEXT, "of the group key"),
    "crosswalk_digest": (_TEXT, "of the month's crosswalk; empty for none"),
    "normalisation": (_TEXT, "v1 unicode, or v1 ascii where an engine has no NFC"),
    "lg_k": (_INT, "of the sketch, 4 to 21"),
    "sketch": (pl.Binary(), "any DataSketches HLL image"),
    "events": (_INT, "events of these users; null if not known"),
    "distinct_users": (_INT, "exact number of distinct keys, if known"),
    "unidentified_events": (_INT, "events of the period without a usable identifier; null if not known"),
    "undecided_events": (_INT, "events of the period that a condition left undecided; null if not known"),
    "definition": (_TEXT, "id/version of what the product calls active"),
    "definition_digest": (_TEXT, "of the settings that decide who counts; null if not known"),
    "day_zone": (_TEXT, "IANA zone of the day"),
    "computed_at": (pl.Datetime("us", "UTC"), "when the query ran"),
    "producer": (_TEXT, "engine and version"),
    "canary": (pl.Binary(), "sketch of the protocol's fixed identifiers in the row's namespace"),
}
SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in COLUMNS.items()})

_NULLABLE = {"events", "distinct_users", "unidentified_events", "undecided_events", "definition_digest", "audiences"}
OPTIONAL = {"audiences"}
"""Columns that a file may lack: it was written before there were any, or has nothing to say in them."""
_OF_THE_ROW = {"audience", "namespace", "lg_k", "sketch", "events", "distinct_users", "canary", "protocol"}
_OF_THE_CONTRIBUTION = [c for c in SCHEMA if c not in _OF_THE_ROW]


@dataclass(frozen=True)
class Part:
    """The users of one audience and namespace."""

    audience: str
    namespace: str
    registers: Registers
    events: int | None
    distinct_users: int | None
    canary: bytes


@dataclass(frozen=True)
class Contribution:
    """One product's users in one period."""

    affiliate: str
    product: str
    grain: Grain
    activity_date: date
    key_epoch: str
    crosswalk_digest: str
    normalisation: str
    unidentified_events: int | None
    undecided_events: int | None
    definition: str
    definition_digest: str | None
    day_zone: str
    computed_at: datetime
    producer: str
    parts: tuple[Part, ...]
    audiences: str | None = None
    """Those that it is of, of external, internal and automated in this order; null for all. Nobody of another one is in it, which
    isn't the same as that there was nobody."""

    @property
    def ref(self) -> ProductRef:
        """The product that the contribution is of."""
        return ProductRef(self.affiliate, self.product)

    @property
    def subject(self) -> str:
        month = self.grain == "month"
        return f"{self.ref}, {self.activity_date:{'%Y-%m' if month else '%Y-%m-%d'}}"

    @cached_property
    def digest(self) -> str:
        """The contribution's identity: registers and key columns, never the file's bytes.

        The same users in another order are the same contribution, and so is a later computation
        of the same.
        """
        parts = [(p.audience, p.namespace, p.registers.digest(), p.events) for p in self.parts]
        return digest_of(self, self.normalisation, parts)


class KeyColumns(Protocol):
    """The key columns of a contribution, its normalisation aside."""

    @property
    def affiliate(self) -> str: ...
    @property
    def product(self) -> str: ...
    @property
    def grain(self) -> str: ...
    @property
    def activity_date(self) -> date: ...
    @property
    def key_epoch(self) -> str: ...
    @property
    def crosswalk_digest(self) -> str: ...
    @property
    def definition(self) -> str: ...
    @property
    def definition_digest(self) -> str | None: ...
    @property
    def day_zone(self) -> str: ...
    @property
    def audiences(self) -> str | None: ...


def digest_of(of: KeyColumns, normalisation: str, parts: Iterable[tuple[str, str, str, int | None]]) -> str:
    """The identity of a contribution with these parts: audience, namespace, digest of the registers, events."""
    key = [of.affiliate, of.product, of.grain, of.activity_date.isoformat(), of.key_epoch]
    key += [of.crosswalk_digest, normalisation, of.definition, of.definition_digest or "", of.day_zone]
    key += [f"of {of.audiences}"] if of.audiences is not None else []
    key += [f"{audience} {namespace} {registers} {events}" for audience, namespace, registers, events in sorted(parts, key=_name)]
    return hashlib.sha256("\n".join(key).encode()).hexdigest()


def _name(part: tuple[str, str, str, int | None]) -> tuple[str, str]:
    return part[:2]


def _order(part: Part) -> tuple[str, str]:
    return part.audience, part.namespace


def write(path: Path, contributions: Iterable[Contribution]) -> None:
    """Write contributions to one Parquet file; their registers need not all be in memory at once."""

    def row(given: tuple[Contribution, Part]) -> tuple[Any, ...]:
        c, p = given
        of_all = (getattr(c, name) for name in _OF_THE_CONTRIBUTION)
        lg_k = p.registers.lg_k
        image = p.registers.to_image()
        return PROTOCOL, *of_all, p.audience, p.namespace, lg_k, image, p.events, p.distinct_users, p.canary

    rows = list(ordered(row, ((c, p) for c in contributions for p in c.parts)))
    names = ["protocol", *_OF_THE_CONTRIBUTION, "audience", "namespace", "lg_k", "sketch", "events", "distinct_users", "canary"]
    frame = pl.DataFrame(rows, schema={name: SCHEMA[name] for name in names}, orient="row")
    frame.select(SCHEMA.names()).write_parquet(path, compression="zstd")


def read(path: Path) -> list[Contribution]:
    """Read a file of contributions, or a folder of part-files; their images are decoded here and never by the C++ library.

    Raises `RefusedError` for a file that isn't one, or with every row that breaks the contract.
    """
    frame = untrusted_files.read(path, SCHEMA, _NULLABLE, OPTIONAL)
    other = frame.filter(pl.col("protocol") != PROTOCOL).height
    if other:
        raise refused(
            Code.CONTRIBUTION_VERSION_UNKNOWN,
            path.name,
            "another protocol version",
            f"{other} rows aren't {PROTOCOL}",
            "write this version, or upgrade the centre",
        )
    refusals: list[Refusal] = []
    if (many := frame["namespace"].n_unique()) > MOST_NAMESPACES:
        said = f"{many:,}, at most {MOST_NAMESPACES}"
        raise refused(
            Code.CONTRIBUTION_VALUES_INVALID,
            path.name,
            "too many namespaces",
            said,
            "write kinds of identifiers, not identifiers",
        )
    found = list(_contributions(frame, path.name, refusals))
    refusals += _torn(found, path.name)
    if refusals:
        raise RefusedError(*refusals)
    return found


def _contributions(frame: pl.DataFrame, subject: str, refusals: list[Refusal]) -> Iterator[Contribution]:
    identity = itemgetter("affiliate", "product", "grain", "activity_date", "key_epoch")
    rows = sorted(frame.iter_rows(named=True), key=identity)
    for found in ordered(lambda same: _contribution(same, subject), (list(same) for _, same in groupby(rows, key=identity))):
        if isinstance(found, Refusal):
            refusals.append(found)
        else:
            yield found


def _torn(found: Sequence[Contribution], subject: str) -> Iterator[Refusal]:
    """Periods under two keys of which one has namespaces that the other hasn't: halves of one contribution."""
    rows: dict[tuple[ProductRef, str, date], set[frozenset[str]]] = {}
    for c in found:
        of_users = frozenset(p.namespace for p in c.parts if p.audience == "external" and p.namespace != PERSON)
        rows.setdefault((c.ref, c.grain, c.activity_date), set()).add(of_users)
    for (ref, grain, day), each in rows.items():
        if len(each) > 1:
            about = f"{subject}, {shown_ref(ref)} {shown(grain)} {day}"
            yield Refusal(
                Code.CONTRIBUTION_ROWS_DIFFER,
                about,
                "rows of one contribution differ",
                "key_epoch",
                "compute all of it in one query",
            )


def shown_ref(ref: ProductRef) -> ProductRef:
    """A product as somebody else's file names it, safe to print."""
    return ProductRef(shown(ref.affiliate), shown(ref.product))


def _contribution(rows: Sequence[Mapping[str, Any]], subject: str) -> Contribution | Refusal:
    first, *others = rows
    ref = ProductRef(first["affiliate"], first["product"])
    about = f"{subject}, {shown_ref(ref)} {shown(first['grain'])} {first['activity_date']}"
    uneven = [c for c in _OF_THE_CONTRIBUTION if any(row[c] != first[c] for row in others)]
    if uneven:
        return Refusal(
            Code.CONTRIBUTION_ROWS_DIFFER,
            about,
            "rows of one contribution differ",
            ", ".join(uneven),
            "compute all of it in one query",
        )
    try:
        parts = tuple(_part(row, about) for row in rows)
    except RefusedError as error:
        return error.refusals[0]
    if len({_order(part) for part in parts}) < len(parts):
        return Refusal(
            Code.CONTRIBUTION_ROWS_DIFFER, about, "two rows for one audience and namespace", f"{len(parts)} rows", "unite them"
        )
    found = Contribution(**{c: first[c] for c in _OF_THE_CONTRIBUTION}, parts=parts)
    assert found.digest  # Made here, on one of several threads; whoever asks later finds it.
    return found


def _part(row: Mapping[str, Any], about: str) -> Part:
    try:
        registers = Registers.from_image(row["sketch"])
    except BadImage as bad:
        raise refused(
            Code.CONTRIBUTION_SKETCH_INVALID, about, "the sketch is no HLL image", str(bad), "write it with Apache DataSketches"
        ) from None
    if registers.lg_k != row["lg_k"]:
        raise refused(
            Code.CONTRIBUTION_SKETCH_INVALID,
            about,
            "lg_k and the sketch disagree",
            f"{row['lg_k']} against {registers.lg_k}",
            "write the sketch's own lg_k",
        )
    return Part(row["audience"], row["namespace"], registers, row["events"], row["distinct_users"], row["canary"])
