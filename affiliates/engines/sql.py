"""The query that an affiliate runs in its own warehouse: from events to rows of the contract, in that engine's SQL.

`sql/contribute/` holds one query for all engines (Jinja), and for each engine a file of macros: how the engine strips, folds,
hashes and sketches. No file holds the group key; each engine's file says how the key gets in. The protocol's canaries go through
the same expressions as the events, so that they prove the way that the events went.

Over 300 lines: the parts of one query, in the order in which they stand in the query.
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

from affiliates.aggregation import frequent
from affiliates.contributions.completeness import TOO_FEW_TO_JUDGE
from affiliates.contributions.contract import PROTOCOL
from affiliates.crosswalks.snapshot import NO_CROSSWALK, Crosswalk
from affiliates.errors import Code, refused
from affiliates.identity import canaries, forms
from affiliates.identity.keys import PERSON, TEST_KEY, GroupKey, person_key
from affiliates.identity.normalisation import NO_NAME_SIGNS, NO_RULES, PLACEHOLDERS, Rules, normalise, rules_of
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
    """As `--print-sql` takes it."""
    title: str
    """As people call it."""
    template: str
    """Its file of macros in `sql/contribute/`, without `.sql`."""
    dialect: str
    """As sqlglot calls it."""
    normalisation: str
    """The profile that its functions can follow: `v1 unicode`, or `v1 ascii` without NFC."""
    plain: str
    """A column as a text that is compared by its bytes, whatever collation the column has; `{}` stands for the column."""
    order: str = "{}"
    """A text whose order is that of its bytes; `{}` stands for the text."""
    max_lg_k: int = 21
    """The highest lgK that its sketch function takes."""


ENGINES = {
    engine.name: engine
    for engine in (
        # A cast gives the session's collation, which the query checks; the word COLLATE is unknown before Spark 4.
        Engine("spark", "Apache Spark", "spark", "spark", canaries.ASCII, "CAST({} AS STRING)"),
        Engine("databricks", "Databricks", "spark", "databricks", canaries.ASCII, "CAST({} AS STRING)"),
        Engine("snowflake", "Snowflake", "snowflake", "snowflake", canaries.UNICODE, "COLLATE(CAST({} AS VARCHAR), 'utf8')"),
        Engine("bigquery", "BigQuery", "bigquery", "bigquery", canaries.UNICODE, "COLLATE(CAST({} AS STRING), '')"),
        # The database's own collation is never one that takes two texts for one, and lower() follows it; citext needs the cast.
        Engine(
            "postgres",
            "PostgreSQL",
            "postgres",
            "postgres",
            canaries.UNICODE,
            'CAST({} AS text) COLLATE "default"',
            '(({}) COLLATE "C")',
        ),
    )
}
"""By name, the engines that a query can be printed for."""
_ASCII = r"^[\x00-\x7F]*$"
_KINDS = {"email": "email", "phone": "phone", "device": "other"}
"""Namespaces of a self-test, with the kind of normalisation of each; any other namespace is of the last kind."""
_FORM_KINDS: tuple[forms.Spelling, ...] = (*forms.STRICT, "recognised")
"""The forms that a self-test tries, each in a namespace of its name; each is a kind of normalisation."""


@dataclass(frozen=True)
class QueryRequest:
    """What a query is for: a product, a range of days, a key epoch, and a crosswalk."""

    ref: ProductRef
    product: Product
    settings: Settings
    epoch: str
    """The epoch of the group key by which the query hashes."""
    first: date
    last: date
    """The range of days, both included; of a product that counts by month, each month that holds any of them."""
    crosswalk_table: str | None = None
    """The table in the warehouse that holds the crosswalk's snapshot, as the warehouse names it."""
    crosswalk: Crosswalk | None = None
    """The month's snapshot, which that table must hold."""
    keys_only: bool = False
    """Keys in the place of sketches, for an engine that hashes and can't sketch."""

    @property
    def crosswalk_digest(self) -> str:
        """The digest of the crosswalk that the query joins by; empty where it joins by none."""
        return self.crosswalk.digest if self.crosswalk and self.crosswalk_table else NO_CROSSWALK

    @property
    def subject(self) -> str:
        """The product as affiliate/product, for messages."""
        return str(self.ref)


def query(engine: Engine, request: QueryRequest) -> str:
    """The statement that computes a contribution; in Snowflake, with the statements that create its two functions before it.

    Raises `RefusedError` for a product without a table, a range of no period of its life, or a crosswalk without its table.
    """
    source = _table_of(request)
    product = request.product
    settings = request.settings
    # Keys alone can be joined later, where they are counted; sketches can't.
    if request.crosswalk is not None and not request.crosswalk_table and not request.keys_only:
        raise refused(
            Code.USAGE_INVALID,
            request.subject,
            "the month has a crosswalk, and the query no table of it",
            "",
            "load the snapshot's file into the warehouse and name the table: --crosswalk-table NAME",
        )
    periods = _periods(request)
    zone = product.day_zone or settings.time_zone
    lg_k = min(settings.lg_k, engine.max_lg_k)
    first = max(periods[0], product.from_)
    last = last_day(product.grain, periods[-1])
    last = min(last, product.to - DAY) if product.to else last  # `to` is the first day after the product's life.
    since, until = moments_of(first, last, zone)
    return _render(
        engine,
        "contribution.sql",
        subject=request.subject,
        affiliate=_text(engine, request.ref.affiliate),
        product=_text(engine, request.ref.product),
        grain=product.grain,
        first=first,
        last=last,
        periods=[[_cell(engine, f"{period}")] for period in periods],
        epoch=request.epoch,
        epoch_text=_text(engine, request.epoch),
        since=_utc(since),
        until=_utc(until),
        zone=zone,
        lg_k=lg_k,
        time=_time(engine, source),
        table=_table(engine, source.table),
        **{name: _condition(engine, source, name) for name in ("counts", "internal", "automated")},
        **_identifiers(engine, source, settings, bool(request.crosswalk_table) or request.keys_only),
        empty=Registers.from_coupons(lg_k, np.empty(0, np.uint32)).to_image().hex(),
        crosswalk=_table(engine, request.crosswalk_table),
        crosswalk_digest=request.crosswalk_digest,
        snapshot=_snapshot_size(request),
        definition=_text(engine, product.active.label),
        definition_digest=definition_digest(product, settings),
        keys_only=request.keys_only,
        audiences=product.limited_to,
        too_few_to_judge=TOO_FEW_TO_JUDGE,
        shares=frequent.SHARES,
        largest_share=product.largest_identifier.share if product.largest_identifier else None,
    )


def self_test(engine: Engine) -> str:
    """A query that takes published identifiers the protocol's whole way, by a public key, beside what must come out."""
    key = GroupKey(TEST_KEY, "test")
    kinds = [_self_test_kind(engine, namespace, key, kind, NO_RULES) for namespace, kind in _KINDS.items()]
    kinds += [_self_test_kind(engine, form, key, form, Rules(form=form)) for form in _FORM_KINDS]
    return _render(engine, "self_test.sql", test_key=TEST_KEY, lg_k=21, kinds=kinds)


def _render(engine: Engine, template: str, **context: Any) -> str:
    """A template's text, with what both templates need of the engine; without empty lines and spaces at the ends of lines."""
    common = {
        "engine": engine.name,
        "title": engine.title,
        "max_lg_k": engine.max_lg_k,
        "version": version("mauwatch"),
        "protocol": PROTOCOL,
        "normalisation": engine.normalisation,
        "placeholders": ", ".join(_text(engine, p) for p in PLACEHOLDERS),
        "placeholder_set": "{" + ", ".join(json.dumps(p) for p in PLACEHOLDERS) + "}",
        "texts": lambda texts: ", ".join(_text(engine, text) for text in texts),
        "no_name_signs": _text(engine, NO_NAME_SIGNS),
        "json": json.dumps,
        "signs": NO_NAME_SIGNS,
        "pattern": lambda pattern: _text(engine, pattern),
        "forms": forms,
        "plain": engine.plain.format,
        "q": lambda name: exp.Identifier(this=name, quoted=True).sql(engine.dialect),
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_folder()),
        undefined=jinja2.StrictUndefined,  # A name that is misspelt in a template would else print as nothing.
        autoescape=False,  # noqa: S701 (SQL is no HTML; sqlglot quotes the values)
    )
    text = environment.get_template(template).render(common | {"test_key": None, "templates": engine.template} | context)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


def _folder() -> Path:
    """Where the templates lie: inside the package in a wheel, at the top of a checkout."""
    inside = Path(__file__).parents[1] / "sql"
    return (inside if inside.is_dir() else Path(__file__).parents[2] / "sql") / "contribute"


def _table_of(request: QueryRequest) -> Source:
    """The product's one source, which must be a table."""
    sources = request.product.sources
    if len(sources) != 1 or not sources[0].table:
        n_tables = sum(source.table is not None for source in sources)
        raise refused(
            Code.USAGE_INVALID,
            request.subject,
            "a query needs the product's one table",
            f"{len(sources)} sources, {n_tables} of them tables",
            "name one table or view as its source: `table: analytics.events`",
        )
    return sources[0]


def _periods(request: QueryRequest) -> list[date]:
    """First days of the product's periods in the range."""
    days = days_between(request.first, request.last)
    periods = dict.fromkeys(first_day(request.product.grain, day) for day in days if request.product.holds_on(day))
    if not periods:
        raise refused(
            Code.RANGE_EMPTY,
            request.subject,
            "isn't alive in the range",
            f"{request.first} to {request.last}",
            "ask for days of its life",
        )
    return list(periods)


def _utc(moment: datetime) -> str:
    """As all dialects read a moment; each template adds its own way to name the zone."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _time(engine: Engine, source: Source) -> dict[str, str | None]:
    """The time column and its kind: a `date`, numbers since the `epoch`, `local` times of a zone, or an `instant`.

    The manifest alone tells which: the table isn't looked at. The query stops, or is no valid query, where its column differs.
    """
    spec = source.time
    assert spec is not None  # A table must have one.
    if source.types.get(spec.column) == "date":
        kind = "date"
    elif spec.unit:
        kind = "epoch"
    else:
        kind = "local" if spec.zone else "instant"
    return {"kind": kind, "column": _column(engine, spec.column), "unit": spec.unit, "zone": spec.zone}


def _condition(engine: Engine, source: Source, name: str) -> str:
    """`counts`, `internal` or `automated` in the engine's SQL. Without a condition every event counts, of external users."""
    condition = getattr(source, f"{name}_when")
    if condition is None:
        return "TRUE" if name == "counts" else "FALSE"
    return conditions.sql(
        condition,
        engine.dialect,
        lambda column: _column(engine, column),
        lambda column: engine.plain.format(_column(engine, column)),
        engine.order.format,
    )


def _identifiers(engine: Engine, source: Source, settings: Settings, people: bool) -> dict[str, list[Any]]:
    """For the template: the source's columns of identifiers, rows of the canaries of each, and the namespaces.

    `people`: also the namespace `person`, whose canaries prove it where a crosswalk joins keys, now or later. A canary's row has
    its identifier in the column of its namespace, and nulls in the others.
    """
    columns = [(_column(engine, identifier.column), identifier.namespace) for identifier in source.identifiers]
    columns += [("NULL", PERSON)] if people else []  # No event has such an identifier; only canaries do.
    return {
        "identifiers": [
            {"column": column, "namespace": _text(engine, namespace), "kind": rules.form or _KINDS.get(namespace, "other")}
            | {"nobody": rules.names_nobody}
            for column, namespace in columns
            for rules in [rules_of(settings, namespace)]
        ],
        "canaries": [
            [_cell(engine, text.encode().hex() if place == at else None) for place in range(len(columns))]
            for at, (_, namespace) in enumerate(columns)
            for text in canaries.identifiers(namespace, rules_of(settings, namespace))
        ],
        "namespaces": [[_cell(engine, namespace)] for namespace in dict.fromkeys(namespace for _, namespace in columns)],
    }


def _self_test_kind(engine: Engine, namespace: str, key: GroupKey, kind: str, rules: Rules) -> dict[str, Any]:
    """A namespace's canaries and published vectors, with the key and the coupon that each must give."""
    texts = [*canaries.identifiers(namespace, rules), *_vectors(namespace)]
    frame = pl.DataFrame({"text": list(dict.fromkeys(texts))})
    frame = frame.with_columns(normalised=normalise(pl.col("text"), namespace, rules=rules))
    if engine.normalisation == canaries.ASCII:  # Whatever lies outside ASCII is nobody's, by this profile.
        frame = frame.with_columns(normalised=pl.when(pl.col("text").str.contains(_ASCII)).then("normalised"))
    keys = frame.select(person_key(pl.col("normalised"), namespace, key)).to_series()
    rows = []
    for number, (text, expected_key) in enumerate(zip(frame["text"], keys, strict=True), 1):
        # The four bytes at which a sketch of one key holds its coupon, little-endian: the query cuts them out of its own sketch.
        coupon = coupons_of(np.array([expected_key or 0], np.uint64)).astype("<u4").tobytes().hex()
        expected = (None, None) if expected_key is None else (f"{expected_key:016x}", coupon)
        rows.append([_cell(engine, cell) for cell in (f"{number:03}", text.encode().hex(), *expected)])
    return {"name": kind, "namespace": namespace, "canaries": rows}


def _vectors(namespace: str) -> list[str]:
    """The published vectors that any engine's SQL can normalise: of telephone numbers those in E.164, and none with a NUL."""
    path = Path(__file__).parents[1] / "identity" / "normalisation_v1.json"
    vectors = [v for v in json.loads(path.read_text(encoding="utf-8"))["vectors"] if v["namespace"] == namespace]
    if namespace == "phone":  # Without a telephone library SQL can only take a number as it is, or leave it out.
        vectors = [v for v in vectors if v["region"] is None and v["normalised"] in (None, v["input"])]
    return [v["input"] for v in vectors if v["input"] is not None and "\0" not in v["input"]]


def _cell(engine: Engine, text: str | None) -> str:
    """A text, or null, in the engine's SQL."""
    return "NULL" if text is None else _text(engine, text)


def _text(engine: Engine, text: str) -> str:
    """A text as a literal of the engine: sqlglot escapes it, so that no name of a manifest becomes SQL."""
    return exp.Literal.string(text).sql(engine.dialect)


def _snapshot_size(request: QueryRequest) -> dict[str, int] | None:
    """How many rows and people the crosswalk's table must have, by which the query tells whether it is the snapshot."""
    if request.crosswalk is None or request.crosswalk_table is None:
        return None
    return {"rows": request.crosswalk.table.height, "people": request.crosswalk.table["person_key"].n_unique()}


def _table(engine: Engine, name: str | None) -> str | None:
    """A table's name, with its schema where it has one, as the engine quotes it."""
    return exp.to_table(name, dialect=engine.dialect).sql(engine.dialect) if name else None


def _column(engine: Engine, name: str) -> str:
    """A column's name, quoted; in Snowflake only where it must be, since quoted names are case-sensitive there."""
    plain = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name)
    return exp.Identifier(this=name, quoted=not (plain and engine.dialect == "snowflake")).sql(engine.dialect)
