"""The query that an affiliate runs in its own warehouse: from events to rows of the contract, in that engine's SQL.

`sql/contribute/` holds one query for all engines (Jinja), and a file of macros for each: its own way to strip, fold, hash
and sketch. The group key is in none of them: each engine's file says how it gets in. The protocol's canaries go through the
same expressions as the events, so that what the centre compares proves the way the events went.
"""

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import polars as pl
from sqlglot import exp

from affiliates.contributions.contract import PROTOCOL
from affiliates.crosswalks.snapshot import NO_CROSSWALK, Crosswalk
from affiliates.errors import Code, refused
from affiliates.identity import canaries
from affiliates.identity.keys import PERSON, TEST_KEY, GroupKey, person_key
from affiliates.identity.normalisation import PLACEHOLDERS, normalise
from affiliates.manifests import conditions
from affiliates.manifests.product import Product, ProductRef, definition_digest
from affiliates.manifests.settings import Settings
from affiliates.manifests.source import Source
from affiliates.periods import DAY, days_between, first_day, last_day, moments_of
from affiliates.sketches.registers import Registers, coupons_of


@dataclass(frozen=True)
class Engine:
    """A warehouse whose own functions can normalise, hash and sketch."""

    name: str
    title: str
    template: str
    dialect: str
    """As sqlglot calls it."""
    normalisation: str
    max_lg_k: int = 21
    """The highest that its sketch function takes."""


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("spark", "Apache Spark", "spark", "spark", canaries.ASCII),
        Engine("databricks", "Databricks", "spark", "databricks", canaries.ASCII),
        Engine("snowflake", "Snowflake", "snowflake", "snowflake", canaries.UNICODE),
        Engine("bigquery", "BigQuery", "bigquery", "bigquery", canaries.UNICODE),
        Engine("postgres", "PostgreSQL", "postgres", "postgres", canaries.UNICODE),
    )
}
_ASCII = r"^[\x00-\x7F]*$"
_KINDS = {"email": "email", "phone": "phone", "device": "other"}
"""Namespaces of a self-test, with the kind of normalisation of each; any other namespace is of the last kind."""


@dataclass(frozen=True)
class QueryRequest:
    """What a query is to be made for."""

    ref: ProductRef
    product: Product
    settings: Settings
    epoch: str
    first: date
    last: date
    crosswalk_table: str | None = None
    crosswalk: Crosswalk | None = None
    """The month's snapshot, which that table must hold."""
    keys_only: bool = False
    """Keys in the place of sketches, for an engine that hashes and can't sketch."""

    @property
    def crosswalk_digest(self) -> str:
        return self.crosswalk.digest if self.crosswalk and self.crosswalk_table else NO_CROSSWALK

    @property
    def subject(self) -> str:
        return str(self.ref)


def query(engine: Engine, asked: QueryRequest) -> str:
    """The statement (in Snowflake: its functions before it) that computes a contribution.

    Raises `RefusedError` for a product without a table, a range of no period of its life, or a crosswalk without its table.
    """
    source = _table_of(asked)
    product = asked.product
    settings = asked.settings
    if asked.crosswalk is not None and not asked.crosswalk_table and not asked.keys_only:
        raise refused(
            Code.USAGE_INVALID,
            asked.subject,
            "the month has a crosswalk, and the query no table of it",
            "",
            "load the snapshot's file into the warehouse and name the table: --crosswalk-table NAME",
        )
    periods = _periods(asked)
    zone = product.day_zone or settings.time_zone
    lg_k = min(settings.lg_k, engine.max_lg_k)
    first = max(periods[0], product.from_)
    last = last_day(product.grain, periods[-1])
    last = min(last, product.to - DAY) if product.to else last
    since, until = moments_of(first, last, zone)
    return _render(
        engine,
        "contribution.sql",
        subject=asked.subject,
        affiliate=_text(engine, asked.ref.affiliate),
        product=_text(engine, asked.ref.product),
        grain=product.grain,
        first=first,
        last=last,
        periods=[[_cell(engine, f"{period}")] for period in periods],
        epoch=asked.epoch,
        epoch_text=_text(engine, asked.epoch),
        since=_utc(since),
        until=_utc(until),
        zone=zone,
        lg_k=lg_k,
        time=_time(engine, source),
        table=_table(engine, source.table),
        **{name: _condition(engine, source, name) for name in ("counts", "internal", "automated")},
        **_identifiers(engine, source, bool(asked.crosswalk_table) or asked.keys_only),
        empty=Registers.from_coupons(lg_k, np.empty(0, np.uint32)).to_image().hex(),
        crosswalk=_table(engine, asked.crosswalk_table),
        crosswalk_digest=asked.crosswalk_digest,
        snapshot=_size(asked),
        definition=_text(engine, product.active.label),
        definition_digest=definition_digest(product, settings),
        keys_only=asked.keys_only,
        audiences=product.limited_to,
    )


def self_test(engine: Engine) -> str:
    """A query that goes the protocol's whole way with a public key, beside what must come out."""
    key = GroupKey(TEST_KEY, "test")
    return _render(engine, "self_test.sql", test_key=TEST_KEY, lg_k=21, kinds=[_kind(engine, n, key) for n in _KINDS])


def _render(engine: Engine, template: str, **context: Any) -> str:
    common = {
        "engine": engine.name,
        "title": engine.title,
        "max_lg_k": engine.max_lg_k,
        "version": version("mauwatch"),
        "protocol": PROTOCOL,
        "normalisation": engine.normalisation,
        "placeholders": ", ".join(_text(engine, p) for p in PLACEHOLDERS),
        "placeholder_set": "{" + ", ".join(json.dumps(p) for p in PLACEHOLDERS) + "}",
        "q": lambda name: exp.Identifier(this=name, quoted=True).sql(engine.dialect),
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_folder()),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 (SQL is no HTML; sqlglot quotes the values)
    )
    made = environment.get_template(template).render(common | {"test_key": None, "templates": engine.template} | context)
    return "\n".join(line.rstrip() for line in made.splitlines() if line.strip()) + "\n"


def _folder() -> Path:
    inside = Path(__file__).parents[1] / "sql"
    return (inside if inside.is_dir() else Path(__file__).parents[2] / "sql") / "contribute"


def _table_of(asked: QueryRequest) -> Source:
    """The product's one source, which must be a table."""
    sources = asked.product.sources
    if len(sources) != 1 or not sources[0].table:
        tables = sum(source.table is not None for source in sources)
        raise refused(
            Code.USAGE_INVALID,
            asked.subject,
            "a query needs the product's one table",
            f"{len(sources)} sources, {tables} of them tables",
            "name one table or view as its source: `table: analytics.events`",
        )
    return sources[0]


def _periods(asked: QueryRequest) -> list[date]:
    """First days of the product's periods in the range."""
    days = days_between(asked.first, asked.last)
    periods = dict.fromkeys(first_day(asked.product.grain, day) for day in days if asked.product.holds_on(day))
    if not periods:
        raise refused(
            Code.RANGE_EMPTY,
            asked.subject,
            "isn't alive in the range",
            f"{asked.first} to {asked.last}",
            "ask for days of its life",
        )
    return list(periods)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _time(engine: Engine, source: Source) -> dict[str, str | None]:
    spec = source.time
    assert spec is not None  # A table must have one.
    kind = "date" if source.types.get(spec.column) == "date" else "epoch" if spec.unit else "local" if spec.zone else "instant"
    return {"kind": kind, "column": _column(engine, spec.column), "unit": spec.unit, "zone": spec.zone}


def _condition(engine: Engine, source: Source, name: str) -> str:
    condition = getattr(source, f"{name}_when")
    if condition is None:
        return "TRUE" if name == "counts" else "FALSE"
    return conditions.sql(condition, engine.dialect, lambda column: _column(engine, column))


def _identifiers(engine: Engine, source: Source, people: bool) -> dict[str, list[Any]]:
    """The source's columns of identifiers, the canaries of each, and the namespaces; with a crosswalk also those of people,
    and with keys, which may be joined by one later."""
    each = [(_column(engine, i.column), i.namespace) for i in source.identifiers] + ([("NULL", PERSON)] if people else [])
    return {
        "identifiers": [{"column": c, "namespace": _text(engine, n), "kind": _KINDS.get(n, "other")} for c, n in each],
        "canaries": [
            [_cell(engine, text.encode().hex() if i == at else None) for i in range(len(each))]
            for at, (_, n) in enumerate(each)
            for text in canaries.identifiers(n)
        ],
        "namespaces": [[_cell(engine, n)] for n in dict.fromkeys(n for _, n in each)],
    }


def _kind(engine: Engine, namespace: str, key: GroupKey) -> dict[str, Any]:
    """A namespace's canaries and published vectors, with the key and the coupon that each must give."""
    texts = [*canaries.identifiers(namespace), *_vectors(namespace)]
    frame = pl.DataFrame({"text": list(dict.fromkeys(texts))}).with_columns(normalised=normalise(pl.col("text"), namespace))
    if engine.normalisation == canaries.ASCII:
        frame = frame.with_columns(normalised=pl.when(pl.col("text").str.contains(_ASCII)).then("normalised"))
    keys = frame.select(person_key(pl.col("normalised"), namespace, key)).to_series()
    made = []
    for number, (text, found) in enumerate(zip(frame["text"], keys, strict=True), 1):
        coupon = coupons_of(np.array([found or 0], np.uint64)).astype("<u4").tobytes().hex()
        expected = (None, None) if found is None else (f"{found:016x}", coupon)
        made.append([_cell(engine, said) for said in (f"{number:03}", text.encode().hex(), *expected)])
    return {"name": _KINDS[namespace], "namespace": namespace, "canaries": made}


def _vectors(namespace: str) -> list[str]:
    """What any SQL can normalise of the published vectors: telephone numbers in E.164 alone, and no NUL."""
    path = Path(__file__).parents[1] / "identity" / "normalisation_v1.json"
    vectors = (v for v in json.loads(path.read_text(encoding="utf-8"))["vectors"] if v["namespace"] == namespace)
    as_they_are = (v for v in vectors if namespace != "phone" or (v["region"] is None and v["normalised"] in (None, v["input"])))
    return [v["input"] for v in as_they_are if v["input"] is not None and "\0" not in v["input"]]


def _cell(engine: Engine, text: str | None) -> str:
    return "NULL" if text is None else _text(engine, text)


def _text(engine: Engine, text: str) -> str:
    return exp.Literal.string(text).sql(engine.dialect)


def _size(asked: QueryRequest) -> dict[str, int] | None:
    """How many rows and people the crosswalk's table must have."""
    if asked.crosswalk is None or asked.crosswalk_table is None:
        return None
    return {"rows": asked.crosswalk.table.height, "people": asked.crosswalk.table["person_key"].n_unique()}


def _table(engine: Engine, name: str | None) -> str | None:
    return exp.to_table(name, dialect=engine.dialect).sql(engine.dialect) if name else None


def _column(engine: Engine, name: str) -> str:
    """A column's name, quoted; in Snowflake only where it must be, since quoted names are case-sensitive there."""
    plain = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)
    return exp.Identifier(this=name, quoted=not (plain and engine.dialect == "snowflake")).sql(engine.dialect)
