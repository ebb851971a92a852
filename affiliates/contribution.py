"""The contribution: what an affiliate hands over for one product and one day, or one month.

One Parquet file holds any number of rows, one for each product, period, audience and namespace;
the rows of one product and period are one contribution and replace what was there before as a
whole. `COLUMNS` is the contract; any engine can write it. Over 300 lines: what a contribution is and what
speaks against one change together.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from affiliates import epochs, foreign_frame, ruled_out
from affiliates.canary import ASCII, UNICODE, Canaries
from affiliates.errors import Code, Refusal, RefusedError, begin_of, refused, shown
from affiliates.group import AUDIENCES, Group, ProductRef
from affiliates.identity import PERSON
from affiliates.periods import Grain, end_of, first_day, is_zone, last_day, month_of
from affiliates.registers import Registers
from affiliates.sketch_image import BadImage
from affiliates.threads import ordered

PROTOCOL = "mauwatch-contribution-1"
MOST_NAMESPACES = 64
"""Of a file: telling what is wrong with a canary takes 50 ms for each."""

_INT, _TEXT = pl.Int64(), pl.String()
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
        lg_k, image = p.registers.lg_k, p.registers.to_image()
        return PROTOCOL, *of_all, p.audience, p.namespace, lg_k, image, p.events, p.distinct_users, p.canary

    rows = list(ordered(row, ((c, p) for c in contributions for p in c.parts)))
    names = ["protocol", *_OF_THE_CONTRIBUTION, "audience", "namespace", "lg_k", "sketch", "events", "distinct_users", "canary"]
    frame = pl.DataFrame(rows, schema={name: SCHEMA[name] for name in names}, orient="row")
    frame.select(SCHEMA.names()).write_parquet(path, compression="zstd")


def read(path: Path) -> list[Contribution]:
    """Read a file of contributions, or a folder of part-files; their images are decoded here and never by the C++ library.

    Raises `RefusedError` for a file that isn't one, or with every row that breaks the contract.
    """
    frame = foreign_frame.read(path, SCHEMA, _NULLABLE, OPTIONAL)
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


def check(
    contribution: Contribution,
    group: Group,
    canaries: Callable[[date], Canaries],
    crosswalk_digest: Callable[[date], str],
    now: datetime,
) -> Iterator[Refusal]:
    """Every reason not to accept a contribution into this group's store."""
    c, about = contribution, contribution.subject
    product = group.product(c.ref)
    if product is None:
        about = f"{shown_ref(c.ref)}, {c.activity_date}"
        yield Refusal(
            Code.CONTRIBUTION_PRODUCT_UNKNOWN,
            about,
            "product of nobody",
            "no manifest names it",
            "add it to its affiliate's file, or correct the name",
        )
        return
    if c.grain not in ("day", "month") or c.activity_date != first_day(c.grain, c.activity_date):
        said = f"{shown(c.grain)} {c.activity_date}"
        yield Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            about,
            "the period is neither a day nor a month",
            said,
            "write day, or month with its first day",
        )
        return
    if not is_zone(c.day_zone):
        yield Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            about,
            "its zone is no time zone",
            shown(c.day_zone),
            "write a name of the IANA database, such as UTC",
        )
        return
    if not 1971 <= c.activity_date.year <= now.year:
        yield Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            about,
            "the period lies before 1971 or in the future",
            f"now {now:%Y-%m-%d %H:%M} UTC",
            "correct activity_date",
        )
        return
    if not end_of(c.grain, c.activity_date, c.day_zone) <= c.computed_at <= now:
        said = f"computed {c.computed_at:%Y-%m-%d %H:%M} UTC"
        yield Refusal(
            Code.CONTRIBUTION_COMPUTED_EARLY,
            about,
            "was computed before the period was over, or in the future",
            said,
            "compute it again",
        )
    last = last_day(c.grain, c.activity_date)
    if not product.due_between(c.activity_date, last):
        yield Refusal(
            Code.CONTRIBUTION_PERIOD_INVALID,
            about,
            "outside the product's life",
            f"from {product.from_} to {product.to}",
            "correct the manifest or the dates",
        )
    month = month_of(c.activity_date)
    epoch = group.settings.epoch_of(month)
    coming = epochs.coming(group.settings, c.activity_date)
    if epochs.is_next_epoch(group.settings, c.grain, c.activity_date, c.key_epoch) and coming and not epoch.destroyed:
        epoch, month = coming, epochs.key_month(group.settings, c.grain, c.activity_date, c.key_epoch)
    if epoch.destroyed:
        yield Refusal(
            Code.CONTRIBUTION_EPOCH_WRONG,
            about,
            "the key of its epoch was destroyed",
            f"epoch {epoch.epoch}, on {epoch.destroyed}",
            "nothing of such a month can be added or replaced",
        )
        return
    if c.key_epoch != epoch.epoch:
        yield Refusal(
            Code.CONTRIBUTION_EPOCH_WRONG,
            about,
            "another key epoch",
            f"{shown(c.key_epoch)}, the month's is {epoch.epoch}",
            "compute it with the month's key",
        )
    expected = crosswalk_digest(month)
    if c.crosswalk_digest != expected:
        yield Refusal(
            Code.CONTRIBUTION_CROSSWALK_WRONG,
            about,
            "another crosswalk than the month's",
            f"{begin_of(c.crosswalk_digest)} against {begin_of(expected)}",
            "compute it again with the month's snapshot",
        )
    if c.normalisation not in (UNICODE, ASCII):
        yield Refusal(
            Code.CONTRIBUTION_VERSION_UNKNOWN,
            about,
            "unknown normalisation",
            shown(c.normalisation),
            f"use {UNICODE}, or {ASCII} where there is no NFC",
        )
        return
    stated = [a for a in AUDIENCES if c.audiences is None or a in c.audiences.split()]
    if c.audiences is not None and (c.audiences != " ".join(stated) or "external" not in stated):
        yield Refusal(
            Code.CONTRIBUTION_AUDIENCES_WRONG,
            about,
            "its audiences are none",
            shown(c.audiences),
            "write external, or external internal; null for all three",
        )
        return
    known = canaries(month)
    for part in c.parts:
        if part.audience not in AUDIENCES:
            yield Refusal(Code.CONTRIBUTION_AUDIENCES_WRONG, about, "unknown audience", "", "use external, internal or automated")
        elif part.audience not in stated:
            said = f"{part.audience}, and it says that it is of {c.audiences} alone"
            yield Refusal(
                Code.CONTRIBUTION_AUDIENCES_WRONG,
                about,
                "users of an audience that it isn't of",
                said,
                "correct `audiences`, or leave these rows out",
            )
        if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,31}", part.namespace) or shown(part.namespace) != part.namespace:
            yield Refusal(
                Code.CONTRIBUTION_VALUES_INVALID,
                about,
                "the namespace is no name",
                "",
                "write a-z, 0-9, dot and dash, at most 32 characters",
            )
        yield from _check_part(part, known, c.normalisation, about)


def _check_part(part: Part, canaries: Canaries, normalisation: str, about: str) -> Iterator[Refusal]:
    wrong = _wrong(part.canary, part.namespace, normalisation, part.registers.lg_k, canaries)
    if wrong is not None:
        yield Refusal(
            Code.CONTRIBUTION_CANARY_WRONG,
            about,
            "the canary differs, so its keys aren't the group's",
            f"namespace {shown(part.namespace)}: {wrong}",
            "correct that step and compute it again; `mauwatch contribute --print-sql ENGINE --self-test` tests an engine",
        )
    if part.events is not None and part.events < 0:
        yield Refusal(
            Code.CONTRIBUTION_VALUES_INVALID, about, "a negative number of events", f"{part.events}", "correct the query"
        )
    elif part.events is not None and ruled_out.are_over(part.registers, part.events):
        yield Refusal(
            Code.CONTRIBUTION_IMPLAUSIBLE,
            about,
            "more users than events",
            f"at least {ruled_out.fewest(part.registers):,} against {part.events:,}",
            "correct the query: each user has an event",
        )
    if part.distinct_users is not None and ruled_out.are_over(part.registers, part.distinct_users):
        yield Refusal(
            Code.CONTRIBUTION_IMPLAUSIBLE,
            about,
            "fewer distinct users than the sketch holds",
            f"{part.distinct_users:,} against {ruled_out.fewest(part.registers):,}",
            "count the keys that the sketch is made of",
        )
    elif part.distinct_users is not None and part.distinct_users > ruled_out.most(part.registers):
        yield Refusal(
            Code.CONTRIBUTION_IMPLAUSIBLE,
            about,
            "more distinct users than the sketch can hold",
            f"{part.distinct_users:,} against at most {ruled_out.most(part.registers):,}",
            "sketch all of them, and unite sketches of one lgK only",
        )


@lru_cache(maxsize=4096)
def _wrong(image: bytes, namespace: str, normalisation: str, lg_k: int, canaries: Canaries) -> str | None:
    try:
        found = Registers.from_image(image)
    except BadImage as bad:
        return f"it is no HLL image: {bad}"
    if found.lg_k < lg_k:
        return f"its lgK is {found.lg_k} and its sketch's {lg_k}: make both by one expression"
    return canaries.wrong(found, namespace, normalisation)
