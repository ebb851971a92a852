"""The contribution: what an affiliate hands over for one product and one period, a day or a month.

One Parquet file holds any number of rows, one for each product, period, audience and namespace. The rows of one product and
period are one contribution, and replace the contribution before as a whole. `COLUMNS` is the contract; any engine can write them.

Over 300 lines: the columns, and writing and reading them, change together.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import polars as pl

from affiliates.concurrency import ordered
from affiliates.contributions import small_files, untrusted_files
from affiliates.contributions.lg_k import stated_lg_k_refusal
from affiliates.errors import Code, Refusal, RefusedError, printable, refused
from affiliates.identity.keys import PERSON
from affiliates.manifests.product import ProductRef
from affiliates.periods import Grain
from affiliates.sketches.image import BadImage
from affiliates.sketches.registers import Registers

PROTOCOL = "mauwatch-contribution-1"
"""The contract's version, in the first column of each row."""
DEAL_EPOCH = "deal-"
"""How the key epoch of a deal's contribution begins; the fingerprint of the deal's key follows (`aggregation.clean_room`)."""
MOST_NAMESPACES = 64
"""Namespaces of a file: telling what is wrong with a canary takes 50 ms for each."""

_INT = pl.Int64()
_TEXT = pl.String()
COLUMNS: dict[str, tuple[pl.DataType, str]] = {
    "protocol": (_TEXT, f"always {PROTOCOL}"),
    "affiliate": (_TEXT, "the entity that offers the product"),
    "product": (_TEXT, "the product"),
    "grain": (_TEXT, "day or month"),
    "activity_date": (pl.Date(), "the day, or a month's first day"),
    "audience": (_TEXT, "external, internal or automated"),
    "audiences": (_TEXT, "the audiences that the contribution is of, such as `external`; null, or no such column, for all three"),
    "namespace": (_TEXT, "kind of identifiers, such as email; `person` for keys that the crosswalk joined"),
    "key_epoch": (_TEXT, "epoch of the group key"),
    "crosswalk_digest": (_TEXT, "digest of the month's crosswalk; empty for none"),
    "normalisation": (_TEXT, "v1 unicode, or v1 ascii where an engine has no NFC"),
    "lg_k": (_INT, "lgK of the sketch, 4 to 21"),
    "sketch": (pl.Binary(), "any DataSketches HLL image"),
    "events": (_INT, "events of these users; null if not known"),
    "distinct_users": (_INT, "exact number of distinct keys, if known"),
    "unidentified_events": (_INT, "events of the period without a usable identifier; null if not known"),
    "undecided_events": (_INT, "events of the period that a condition left undecided; null if not known"),
    "excluded_events": (
        _INT,
        "events of the period that `counts_when` leaves out, or of users of other audiences than `audiences`; "
        "null, or no such column, if not known",
    ),
    "definition": (_TEXT, "id/version of what the product calls active"),
    "definition_digest": (_TEXT, "digest of the settings that decide who counts; null if not known"),
    "day_zone": (_TEXT, "IANA zone of the period's days"),
    "computed_at": (pl.Datetime("us", "UTC"), "when the query ran"),
    "producer": (_TEXT, "engine and version"),
    "canary": (pl.Binary(), "sketch of the protocol's fixed identifiers in the row's namespace"),
}
"""By name, each column's type and what it holds, in the order of a file."""
SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in COLUMNS.items()})
"""The columns' types, in the order of a file."""

_NULLABLE = {"events", "distinct_users", "definition_digest", "audiences"}
_NULLABLE |= {"unidentified_events", "undecided_events", "excluded_events"}
OPTIONAL = {"audiences", "excluded_events"}
"""Columns that a file may lack, and that are then null: a file from before there was such a column, or from an engine that writes
none."""
_ROW_COLUMNS = {"audience", "namespace", "lg_k", "sketch", "events", "distinct_users", "canary", "protocol"}
_CONTRIBUTION_COLUMNS = [name for name in SCHEMA if name not in _ROW_COLUMNS]
"""Columns in which all rows of one contribution agree; they are `Contribution`'s fields."""


@dataclass(frozen=True)
class Part:
    """One row of a contribution: the users of one audience and namespace."""

    audience: str
    namespace: str
    registers: Registers
    events: int | None
    """Events of these users; null if not known."""
    distinct_users: int | None
    """The exact number of distinct keys; null if not known."""
    canary: bytes
    """The image of a sketch of the protocol's fixed identifiers, as received."""


@dataclass(frozen=True)
class Contribution:
    """One product's users in one period. Fields are the columns of the same name (`COLUMNS`)."""

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
    """The audiences that the contribution is of, among external, internal and automated in this order; null for all three. Users
    of other audiences were left out, which doesn't mean that there were none."""
    excluded_events: int | None = None

    @property
    def ref(self) -> ProductRef:
        """The product whose users these are."""
        return ProductRef(self.affiliate, self.product)

    @property
    def subject(self) -> str:
        """Product and period, for messages; safe to print once a manifest has the product."""
        month = self.grain == "month"
        return f"{self.ref}, {self.activity_date:{'%Y-%m' if month else '%Y-%m-%d'}}"

    @cached_property
    def digest(self) -> str:
        """The contribution's identity (SHA-256, hex): registers and key columns, never the file's bytes.

        The same users in another order are the same contribution, and so is a later computation of the same users.
        """
        parts = [PartIdentity(p.audience, p.namespace, p.registers.digest(), p.events) for p in self.parts]
        return digest_of(self, self.normalisation, parts)


class PartIdentity(NamedTuple):
    """What of a part goes into a contribution's digest."""

    audience: str
    namespace: str
    registers_digest: str
    events: int | None


class KeyColumns(Protocol):
    """The key columns of a contribution, without its normalisation: what a contribution of the store has, too."""

    @property
    def affiliate(self) -> str:
        """The entity that offers the product."""

    @property
    def product(self) -> str:
        """The product's short name."""

    @property
    def grain(self) -> str:
        """day or month."""

    @property
    def activity_date(self) -> date:
        """The first day of the period."""

    @property
    def key_epoch(self) -> str:
        """The epoch of the group key."""

    @property
    def crosswalk_digest(self) -> str:
        """The digest of the crosswalk's snapshot; empty for none."""

    @property
    def definition(self) -> str:
        """id/version of what the product calls active."""

    @property
    def definition_digest(self) -> str | None:
        """The digest of the settings that decide who counts; null if not known."""

    @property
    def day_zone(self) -> str:
        """The IANA zone of the period's days."""

    @property
    def audiences(self) -> str | None:
        """The audiences that the contribution is of; null for all three."""


def digest_of(columns: KeyColumns, normalisation: str, parts: Iterable[PartIdentity]) -> str:
    """The identity (SHA-256, hex) of a contribution with these parts, in any order."""
    lines = [columns.affiliate, columns.product, columns.grain, columns.activity_date.isoformat(), columns.key_epoch]
    lines += [columns.crosswalk_digest, normalisation, columns.definition, columns.definition_digest or "", columns.day_zone]
    # Only where there is something to say: contributions from before there was such a column keep their digests.
    lines += [f"of {columns.audiences}"] if columns.audiences is not None else []
    ordered_parts = sorted(parts, key=_place)
    lines += [f"{part.audience} {part.namespace} {part.registers_digest} {part.events}" for part in ordered_parts]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _place(part: Part | PartIdentity) -> tuple[str, str]:
    """Audience and namespace: a contribution has one part of each."""
    return part.audience, part.namespace


def write(path: Path, contributions: Iterable[Contribution]) -> None:
    """Write contributions to one Parquet file. Raises `OSError`.

    `contributions` is read once and in order; only the images of the registers are kept in memory, not the registers.
    """

    def row(contribution_and_part: tuple[Contribution, Part]) -> tuple[Any, ...]:
        contribution, part = contribution_and_part
        shared = (getattr(contribution, name) for name in _CONTRIBUTION_COLUMNS)
        lg_k = part.registers.lg_k
        image = part.registers.to_image()
        own = (part.audience, part.namespace, lg_k, image, part.events, part.distinct_users, part.canary)
        return PROTOCOL, *shared, *own

    pairs = ((contribution, part) for contribution in contributions for part in contribution.parts)
    rows = list(ordered(row, pairs))
    own_columns = ["audience", "namespace", "lg_k", "sketch", "events", "distinct_users", "canary"]
    names = ["protocol", *_CONTRIBUTION_COLUMNS, *own_columns]
    frame = pl.DataFrame(rows, schema={name: SCHEMA[name] for name in names}, orient="row")
    # At lgK 21 an image of 1 M users shrinks to 52 %, one of 10 M users to 72 %, and a few coupons not at all.
    frame.select(SCHEMA.names()).write_parquet(path, compression="zstd")


def read_rows(path: Path) -> pl.DataFrame:
    """The rows of a file of contributions, or of a folder of part-files, for `read`. Raises `RefusedError` as `read` does."""
    return untrusted_files.read(path, SCHEMA, _NULLABLE, OPTIONAL)


def read_small_files(paths: Sequence[Path]) -> dict[Path, pl.DataFrame]:
    """The rows of those of the files that are small and in order, for `read`; any other file is read by itself."""
    return small_files.read(paths, SCHEMA, _NULLABLE, OPTIONAL)


def read(path: Path, rows: pl.DataFrame | None = None, named: Collection[str] | None = None) -> list[Contribution]:
    """Read a file of contributions, or a folder of part-files; in the order of their products, periods and epochs.

    `rows`: what `read_rows` or `read_small_files` has given of the file. `named`: the affiliates that refusals may name, by
    default all: an affiliate that no manifest has may be a company whose purchase is a secret. Images are decoded here
    (`sketches.image`), and never by the C++ library, which a stranger's bytes could crash. Raises `RefusedError` for a file that
    can't be read, or with every contribution in it that breaks the contract.
    """
    frame = read_rows(path) if rows is None else rows
    n_other_version = (frame["protocol"] != PROTOCOL).sum()
    if n_other_version:
        raise refused(
            Code.CONTRIBUTION_VERSION_UNKNOWN,
            path.name,
            "another protocol version",
            f"{n_other_version} rows aren't {PROTOCOL}",
            "write this version, or upgrade the centre",
        )
    if (n_namespaces := frame["namespace"].n_unique()) > MOST_NAMESPACES:
        raise refused(
            Code.CONTRIBUTION_VALUES_INVALID,
            path.name,
            "too many namespaces",
            f"{n_namespaces:,}, at most {MOST_NAMESPACES}",
            "write kinds of identifiers, not identifiers",
        )
    refusals: list[Refusal] = []
    contributions: list[Contribution] = []
    for outcome in _contributions(frame, path.name, named):
        if isinstance(outcome, Refusal):
            refusals.append(outcome)
        else:
            contributions.append(outcome)
    refusals += _halves(contributions, path.name, named)
    if refusals:
        raise RefusedError(*refusals)
    return contributions


def _contributions(frame: pl.DataFrame, file_name: str, named: Collection[str] | None) -> Iterator[Contribution | Refusal]:
    """A contribution, or what speaks against one, for each product, period and epoch that the rows name."""
    # The epoch belongs to it: before a change of the key a day has a second contribution, under the coming key.
    identity = itemgetter("affiliate", "product", "grain", "activity_date", "key_epoch")
    rows = sorted(frame.iter_rows(named=True), key=identity)
    by_identity = (list(same) for _, same in groupby(rows, key=identity))
    return ordered(lambda same: _contribution(same, file_name, named), by_identity)


def _halves(contributions: Sequence[Contribution], file_name: str, named: Collection[str] | None) -> Iterator[Refusal]:
    """Refusals of periods under two keys where one has namespaces that the other lacks: those are halves of one contribution.

    Around a change of the key a day rightly has two contributions, each of all namespaces. `person` doesn't count: each key has a
    crosswalk of its own.
    """
    namespaces_of: dict[tuple[ProductRef, str, date], set[frozenset[str]]] = {}
    for c in contributions:
        namespaces = frozenset(p.namespace for p in c.parts if p.audience == "external" and p.namespace != PERSON)
        namespaces_of.setdefault((c.ref, c.grain, c.activity_date), set()).add(namespaces)
    for (ref, grain, day), different in namespaces_of.items():
        if len(different) > 1:
            yield Refusal(
                Code.CONTRIBUTION_ROWS_DIFFER,
                f"{file_name}, {_shown_ref(ref, named)} {printable(grain)} {day}",
                "rows of one contribution differ",
                "key_epoch",
                "compute all of it in one query",
            )


def printable_ref(ref: ProductRef) -> ProductRef:
    """A product as somebody else's file names it, safe to print."""
    return ProductRef(printable(ref.affiliate), printable(ref.product))


def _shown_ref(ref: ProductRef, named: Collection[str] | None) -> str:
    """A product as a refusal names it; nothing of an affiliate that it may not name."""
    return str(printable_ref(ref)) if named is None or ref.affiliate in named else "of an affiliate that no manifest has,"


def _contribution(rows: Sequence[Mapping[str, Any]], file_name: str, named: Collection[str] | None) -> Contribution | Refusal:
    """The contribution of all rows of one product, period and epoch, or what is wrong with the rows."""
    first, *others = rows
    ref = ProductRef(first["affiliate"], first["product"])
    subject = f"{file_name}, {_shown_ref(ref, named)} {printable(first['grain'])} {first['activity_date']}"
    uneven = [name for name in _CONTRIBUTION_COLUMNS if any(row[name] != first[name] for row in others)]
    if uneven:
        return Refusal(
            Code.CONTRIBUTION_ROWS_DIFFER,
            subject,
            "rows of one contribution differ",
            ", ".join(uneven),
            "compute all of it in one query",
        )
    try:
        parts = tuple(_part(row, subject) for row in rows)
    except RefusedError as error:
        return error.refusals[0]
    if len({_place(part) for part in parts}) < len(parts):
        return Refusal(
            Code.CONTRIBUTION_ROWS_DIFFER, subject, "two rows for one audience and namespace", f"{len(parts)} rows", "unite them"
        )
    contribution = Contribution(**{name: first[name] for name in _CONTRIBUTION_COLUMNS}, parts=parts)
    assert contribution.digest  # Computed here, on one of several threads; later readers get the cached digest.
    return contribution


def _part(row: Mapping[str, Any], subject: str) -> Part:
    """Raises `RefusedError` for an image that can't be decoded, or whose lgK isn't the row's."""
    try:
        registers = Registers.from_image(row["sketch"])
    except BadImage as bad:
        raise refused(Code.CONTRIBUTION_SKETCH_INVALID, subject, "the sketch is no HLL image", str(bad), bad.instead) from None
    if refusal := stated_lg_k_refusal(row["lg_k"], registers, subject):
        raise RefusedError(refusal)
    return Part(row["audience"], row["namespace"], registers, row["events"], row["distinct_users"], row["canary"])
