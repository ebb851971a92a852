"""What a warehouse computes must be what the edge computes: else its people match nobody's, and each counts twice."""

import hashlib
import hmac
import json
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import datasketches
import numpy as np
import polars as pl
import psycopg
import pytest
import sqlalchemy as sa
import sqlglot
from polars.testing import assert_frame_equal
from sqlglot import exp
from typer.testing import CliRunner

from affiliates.aggregation import availability, contribute
from affiliates.contributions import contract, validation
from affiliates.contributions.contract import SCHEMA, Contribution
from affiliates.crosswalks.snapshot import Crosswalk, from_keys
from affiliates.engines.sql import ENGINES, QueryRequest, query, self_test
from affiliates.errors import RefusedError
from affiliates.identity import canaries
from affiliates.identity.keyring import Keyring
from affiliates.identity.keys import TEST_KEY, GroupKey, person_key
from affiliates.identity.normalisation import normalise
from affiliates.manifests.group import Group
from affiliates.manifests.product import AUDIENCES, Audience, Product, ProductRef
from affiliates.manifests.settings import Settings
from affiliates.sources import resolve
from dashboards.cli.main import app as commands
from pipelines.store import contributions
from tests.support.databases import new_database
from tests.support.groups import KEY, NOW, entity, write_group
from tests.support.paths import ROOT, TESTS
from tests.support.services import Put

UTF8 = "template template0 encoding 'UTF8' locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'"
FIRST = date(2025, 1, 1)
LAST = date(2025, 1, 3)
ZONE = "Asia/Tokyo"
SPARK = ROOT / ".venv-spark" / "bin" / "python"
CONDITIONS = {
    "counts_when": "kind = 'open' and country <> 'nowhere'",
    "internal_when": "lower(coalesce(email, '')) like '%@staff.example.com'",
    "automated_when": "agent like '%bot%'",
}
IDENTIFIERS = [
    {"column": "email", "namespace": "email"},
    {"column": "tel", "namespace": "phone"},
    {"column": "device", "namespace": "device"},
]


UUIDS = (
    "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "b54adc00-67f9-11d9-9669-0800200c9a66", "a8098c1a-f86e-11da-bd1a-00112444be1e",
    "2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d",
)  # fmt: skip
KEY_SCHEMA = {
    "activity_date": pl.Date, "audience": pl.String, "namespace": pl.String, "person_key": pl.String, "events": pl.Int64,
    "unidentified_events": pl.Int64, "undecided_events": pl.Int64, "excluded_events": pl.Int64, "crosswalk_digest": pl.String,
}  # fmt: skip


def events() -> pl.DataFrame:
    """Four days around midnight in Tokyo: three namespaces, staff, bots, nobody, undecided, identifiers outside ASCII."""
    n = 6000
    begin = datetime(2024, 12, 31, 9, tzinfo=UTC)
    rng = np.random.default_rng(5)
    mails: list[str | None] = []
    for i in range(150):
        mails += [f" User.{i}+t@Gmail.com", f"user{i}@googlemail.com\t", f"KIM{i}@Staff.example.com", f"a.b+c{i}@Example.org"]
        mails += ["n/a", None, None, f"caf\u00e9{i}@example.org", f"CAFE\u0301{i}@example.org"]
    tels = [None, "030 123456", *(f"+4930{100000 + i}" for i in range(90))]
    devices = ["0", "", None, *(f"Device-{i}" for i in range(80)), *(f" device-{i} " for i in range(40)), "ger\u00e4t"]
    return pl.DataFrame(
        {
            "at": [begin + timedelta(seconds=60 * i) for i in range(n)],
            "kind": rng.choice(["open", "open", "open", "push"], n).tolist(),
            "country": [("de", "jp", None, "nowhere")[i] for i in rng.choice(4, n, p=[0.6, 0.3, 0.05, 0.05])],
            "agent": [("x", "a bot", None)[i] for i in rng.choice(3, n, p=[0.9, 0.05, 0.05])],
            "email": [mails[i] for i in rng.integers(0, len(mails), n)],
            "tel": [tels[i] for i in rng.integers(0, len(tels), n)],
            "device": [devices[i] for i in rng.integers(0, len(devices), n)],
        }
    )


def mixed_case(frame: pl.DataFrame) -> pl.DataFrame:
    """The same events, of which every third is written in capitals, and every fourth has no capital at all."""
    position = pl.int_range(pl.len())
    texts = pl.col("kind", "country", "agent", "device")
    upper = pl.when(position % 3 == 0).then(texts.str.to_uppercase())
    return frame.with_columns(upper.when(position % 4 == 0).then(texts.str.to_lowercase()).otherwise(texts))


def app(**changes: Any) -> Product:
    source = {"table": "events", "complete_through": "2025-01-31", "time": "at", "identifiers": IDENTIFIERS, **CONDITIONS}
    manifest = {
        "product": "app",
        "from": "2025-01-01",
        "active": {"id": "seen", "meaning": "was seen"},
        "sources": [source | changes],
    }
    return Product.model_validate(manifest)


SETTINGS = Settings.model_validate(
    {"group": "test", "ultimate_parent": "parent", "key": {"file": "group.key"}, "time_zone": ZONE}
)
GROUP = Group.model_validate({
    "settings": SETTINGS, "entities": {"parent": {"entity": "parent"}, "shop": {**entity("shop", []), "products": [app()]}},
})  # fmt: skip


def asked(product: Product | None = None, **changes: Any) -> QueryRequest:
    return replace(QueryRequest(ProductRef("shop", "app"), product or app(), SETTINGS, "1", FIRST, LAST), **changes)


def snapshot() -> Crosswalk:
    """Some users' mails and devices belong together."""
    key = GroupKey(KEY, "1")

    def keys(texts: list[str], namespace: str) -> pl.Series:
        frame = pl.DataFrame({"x": texts})
        return frame.select(person_key(normalise(pl.col("x"), namespace), namespace, key)).to_series()

    mails = keys([f"user{i}@gmail.com" for i in range(40)], "email")
    devices = keys([f"Device-{i}" for i in range(40)], "device")
    people = keys([f"person-{i}" for i in range(40)], "person")
    return from_keys(np.concatenate([mails, devices]), np.concatenate([people, people]))


def by_edge(frame: pl.DataFrame, directory: Path, product: Product, joined: Crosswalk | None = None) -> list[Contribution]:
    """The same events through the edge."""
    directory.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(directory / "events.parquet")
    source = product.sources[0].model_copy(update={"table": None, "files": "events.parquet", "types": {}})
    ours = product.model_copy(update={"sources": (source,)})
    keyring = Keyring.from_key(SETTINGS, GroupKey(KEY, "1"))
    context = contribute.EdgeContext(directory, SETTINGS, keyring, lambda month: joined, NOW)
    sources = resolve.find("shop/app", ours, directory, ZONE)
    last = LAST if product.grain == "day" else date(2025, 1, 31)
    days = pl.date_range(FIRST, last, eager=True).to_list()
    periods = availability.periods_present(sources, ours, days, ZONE, NOW)
    passes = contribute.contribute(ProductRef("shop", "app"), ours, sources, periods, context)
    return [c for one_pass in passes for c in one_pass]


def ascii_only(frame: pl.DataFrame) -> pl.DataFrame:
    """As an engine without NFC sees them: whose first identifier lies outside ASCII is nobody, and not the next column's."""
    columns = [i["column"] for i in IDENTIFIERS]
    outside = {c: pl.col(c).str.contains(r"[^\x00-\x7F]").fill_null(False) for c in columns}
    nobody = outside["email"]  # Of devices, those come last, so that nothing follows.
    frame = frame.with_columns(pl.when(nobody).then(None).otherwise(pl.col(c)).alias(c) for c in columns)
    return frame.with_columns(pl.when(outside["device"]).then(None).otherwise(pl.col("device")).alias("device"))


def what_counts(c: Contribution) -> dict[str, Any]:
    """What of a contribution counts: registers by cell, and every number."""
    cells = {(p.audience, p.namespace): (p.registers.digest(), p.events) for p in c.parts}
    return {
        "subject": c.subject, "cells": cells, "unidentified": c.unidentified_events, "undecided": c.undecided_events,
        "excluded": c.excluded_events,
        "crosswalk": c.crosswalk_digest, "zone": c.day_zone, "epoch": c.key_epoch,
    }  # fmt: skip


@pytest.mark.parametrize("grain", ["day", "month"])
@pytest.mark.parametrize("joins", ["nobody", "the query", "the edge"])
def test_keys_that_postgresql_makes_give_the_edges_contributions(
    postgres: sa.Engine, tmp_path: Path, grain: str, joins: str
) -> None:
    """A real PostgreSQL, from events to keys, and a source of the kind `person_keys` that sketches them, without the key."""
    joined = None if joins == "nobody" else snapshot()
    product = app().model_copy(update={"grain": grain})
    wanted = asked(app(table="analytics.events").model_copy(update={"grain": grain}), keys_only=True)
    if joined and joins == "the query":
        wanted = replace(wanted, crosswalk_table="snapshot", crosswalk=joined)
    with new_database(postgres, UTF8) as url, psycopg.connect(url) as connection:
        connection.execute("create schema analytics")
        columns = ", ".join(f"{name} text" for name in events().columns[1:])
        connection.execute(f"create table analytics.events (at timestamptz, {columns})")
        connection.execute("create table snapshot (key text, person_key text)")
        with connection.cursor() as cursor:
            cursor.executemany("insert into analytics.events values (%s, %s, %s, %s, %s, %s, %s)", events().rows())
            cursor.executemany("insert into snapshot values (%s, %s)", snapshot().text().rows())
        with psycopg.RawCursor(connection) as cursor:
            rows = cursor.execute(query(ENGINES["postgres"], wanted), (KEY,)).fetchall()
        shown = connection.execute("select query from pg_stat_activity").fetchall()
        connection.rollback()
    assert KEY not in str(shown)
    frame = pl.DataFrame(rows, orient="row", schema=KEY_SCHEMA)
    contributions_of_keys = by_keys(frame, tmp_path / "keys", grain, joined)
    expected = by_edge(events(), tmp_path / "events", product, joined)
    assert [what_counts(c) for c in contributions_of_keys] == [what_counts(c) for c in expected]
    known = canaries.from_key(GroupKey(KEY, "1"))
    digest = joined.digest if joined else ""
    for c in contributions_of_keys:
        assert [str(r) for r in validation.refusals(c, GROUP, lambda month: known, lambda month: digest, NOW)] == []


def keys_of(
    postgres: sa.Engine,
    kind: str,
    rows: list[tuple[Any, ...]],
    audiences: tuple[Audience, ...] = AUDIENCES,
    texts: str = "text",
    **changes: Any,
) -> pl.DataFrame:
    """What PostgreSQL makes of events whose time column has a type, and whose other columns have the type `texts`."""
    wanted = asked(app(**changes).model_copy(update={"audiences": audiences}), keys_only=True)
    columns = ", ".join(f"{name} {texts}" for name in events().columns[1:])
    with new_database(postgres, UTF8) as url, psycopg.connect(url) as connection:
        connection.execute(f"create table events (at {kind}, {columns})")
        with connection.cursor() as cursor:
            cursor.executemany("insert into events values (%s, %s, %s, %s, %s, %s, %s)", rows)
        try:
            with psycopg.RawCursor(connection) as cursor:
                text = query(ENGINES["postgres"], wanted)
                return pl.DataFrame(cursor.execute(text, (KEY,)).fetchall(), orient="row", schema=KEY_SCHEMA)
        finally:
            connection.rollback()


@pytest.mark.parametrize("change", ["empty", "twice", "one person", "another"])
def test_a_table_that_is_not_the_months_snapshot_proves_nothing(postgres: sa.Engine, change: str, tmp_path: Path) -> None:
    """Joined by it, people would be lost or doubled under the name of the right one; so no canary comes out."""
    joined = snapshot()
    rows = joined.text().rows()
    wrong = {"empty": [], "twice": rows * 2, "one person": [(k, rows[0][1]) for k, _ in rows], "another": rows[1:]}[change]
    with new_database(postgres, UTF8) as url, psycopg.connect(url) as connection:
        columns = ", ".join(f"{name} text" for name in events().columns[1:])
        connection.execute(f"create table events (at timestamptz, {columns})")
        connection.execute("create table snapshot (key text, person_key text)")
        with connection.cursor() as cursor:
            cursor.executemany("insert into snapshot values (%s, %s)", wrong)
        text = query(ENGINES["postgres"], asked(crosswalk_table="snapshot", crosswalk=joined, keys_only=True))
        with psycopg.RawCursor(connection) as cursor:
            assert cursor.execute(text, (KEY,)).fetchall() == []
        connection.execute("truncate snapshot")
        with connection.cursor() as cursor:
            cursor.executemany("insert into snapshot values (%s, %s)", rows)
        with psycopg.RawCursor(connection) as cursor:
            assert cursor.execute(text, (KEY,)).fetchall()
        connection.rollback()


def test_events_without_a_time_are_told(postgres: sa.Engine) -> None:
    """They are on no day; left out without a word, nobody would look for them."""
    rows: list[tuple[Any, ...]] = [
        (None, kind, "de", "x", f"u{i}@example.com", None, None) for i, kind in enumerate(["open", "open", "push"])
    ]
    rows += [("2025-01-02T01:00:00Z", "open", "de", "x", "v@example.com", None, None)]
    keys = keys_of(postgres, "timestamptz", rows).filter(pl.col("audience") != "canary")
    undecided = keys.group_by("activity_date").agg(pl.col("undecided_events", "events").sum()).sort("activity_date").rows()
    assert undecided == [(FIRST, 2, 0), (date(2025, 1, 2), 0, 1)]


@pytest.mark.parametrize("texts", ['text collate "C"', "varchar(40)"])
def test_a_columns_collation_decides_nobody(postgres: sa.Engine, texts: str, tmp_path: Path) -> None:
    """`agent = 'bot'` would take `Bot`, and one user stand for two; the canaries go past any column and see neither."""
    conditions: dict[str, Any] = {
        "counts_when": "kind in ('open', 'OPEN') and coalesce(country, 'de') between 'a' and 'z'",
        "internal_when": "lower(agent) = 'é' or agent is not distinct from 'A BOT'",
        "automated_when": "starts_with(agent, 'a b')",
    }
    frame = mixed_case(events().with_columns(pl.col("agent").replace("x", "É")))
    collated = keys_of(postgres, "timestamptz", frame.rows(), texts=texts, **conditions)
    expected = by_edge(frame, tmp_path / "events", app(**conditions))
    assert [what_counts(c) for c in by_keys(collated, tmp_path / "keys", "day", None)] == [what_counts(c) for c in expected]
    assert {"external", "internal", "automated"} <= set(collated["audience"])


@pytest.mark.parametrize(
    ("kind", "time", "rule"),
    [
        ("timestamp", "at", "has no zone; name it"),
        ("timestamptz", {"column": "at", "zone": "Europe/Berlin"}, "has a zone; name none"),
        ("date", "at", "has no zone; name it"),
    ],
)
def test_postgresql_stops_rather_than_shift_days(postgres: sa.Engine, kind: str, time: Any, rule: str) -> None:
    with pytest.raises(psycopg.Error, match=rule):
        keys_of(postgres, kind, events().rows(), time=time)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Tokyo"])
def test_local_times_are_on_their_day(postgres: sa.Engine, zone: str) -> None:
    """Of the same moments, told in another zone's local time."""
    local = events().with_columns(pl.col("at").dt.convert_time_zone(zone).dt.replace_time_zone(None))
    keys = keys_of(postgres, "timestamp", local.rows(), time={"column": "at", "zone": zone})
    expected = keys_of(postgres, "timestamptz", events().rows())
    assert_frame_equal(keys.sort(keys.columns), expected.sort(keys.columns))


def by_keys(
    frame: pl.DataFrame, directory: Path, grain: str, joined: Crosswalk | None, audiences: tuple[Audience, ...] = AUDIENCES
) -> list[Contribution]:
    """Keys as a table has them, through the edge of somebody who has no key."""
    directory.mkdir()
    frame.sample(fraction=1, shuffle=True, seed=1).write_csv(directory / "keys.csv")
    source = {"files": "keys.csv", "person_keys": ["email", "phone", "device"], "complete_through": "2025-01-31"}
    product = Product.model_validate(app().model_dump(by_alias=True, exclude={"sources"}) | {"sources": [source], "grain": grain})
    product = product.model_copy(update={"audiences": audiences})
    context = contribute.EdgeContext(directory, SETTINGS, Keyring(SETTINGS, directory), lambda month: joined, NOW)
    sources = resolve.find("shop/app", product, directory, ZONE)
    last = LAST if grain == "day" else date(2025, 1, 31)
    periods = availability.periods_present(sources, product, pl.date_range(FIRST, last, eager=True).to_list(), ZONE, NOW)
    counted = availability.events_now(sources, product.grain, periods, ZONE)
    passes = contribute.contribute(ProductRef("shop", "app"), product, sources, periods, context)
    of_keys = [c for one_pass in passes for c in one_pass]
    assert counted == {c.activity_date: sum(p.events or 0 for p in c.parts) + (c.unidentified_events or 0) for c in of_keys}
    return of_keys


def test_of_external_users_alone(postgres: sa.Engine, tmp_path: Path) -> None:
    """No key of staff leaves the warehouse, and what is made of the others says that staff isn't in it."""
    frame = keys_of(postgres, "timestamptz", events().rows(), ("external",))
    whole = keys_of(postgres, "timestamptz", events().rows())
    assert "internal" in whole["audience"].to_list()
    assert set(frame.filter(pl.col("person_key").is_not_null())["audience"]) == {"external", "canary"}
    of_keys = by_keys(frame, tmp_path / "keys", "day", None, ("external",))
    expected = by_edge(events(), tmp_path / "events", app().model_copy(update={"audiences": ("external",)}))
    # A condition that can't be decided for somebody of the staff is told with the key, which stays.
    assert [what_counts(c) | {"undecided": 0} for c in of_keys] == [what_counts(c) | {"undecided": 0} for c in expected]
    assert {c.audiences for c in [*of_keys, *expected]} == {"external"}


KEYS = pl.DataFrame(
    {
        "activity_date": [FIRST, FIRST, None], "audience": ["external", "external", "canary"], "namespace": ["email"] * 3,
        "person_key": ["00000000000000ff", None, "0000000000000001"], "events": [3, 0, 1], "unidentified_events": [0, 2, 0],
        "undecided_events": [0, 0, 0], "excluded_events": [0, 0, 0], "crosswalk_digest": [""] * 3,
    },
    schema=KEY_SCHEMA,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (pl.col("person_key").str.to_uppercase(), "texts that are no key"),
        (pl.lit("user@example.com").alias("person_key"), "texts that are no key"),
        (pl.col("audience").replace("external", "everybody"), "unknown audiences"),
        (pl.col("audience").replace("external", None), "unknown audiences"),
        (pl.lit(None, pl.Date).alias("activity_date"), "rows without a day"),
        (pl.lit("imei").alias("namespace"), "that the manifest doesn't name"),
        (pl.lit(-1).alias("events"), "missing or negative"),
        (pl.lit(None, pl.Int64).alias("events"), "missing or negative"),
        (pl.lit("c" * 64).alias("crosswalk_digest"), "another crosswalk"),
    ],
)
def test_keys_that_would_count_wrongly(change: pl.Expr, rule: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=rule) as refused:
        by_keys(KEYS.with_columns(change), tmp_path / "keys", "day", None)
    assert "example.com" not in str(refused.value)


def test_the_functions_that_snowflake_gets_are_the_edges() -> None:
    """Their Python is run here; the SQL around them is only parsed."""
    text = query(ENGINES["snowflake"], asked())
    bodies = re.findall(r"AS\n\$\$\n(.*?)\$\$", text, re.DOTALL)
    assert len(bodies) == 2
    snowflake = types.ModuleType("_snowflake")
    snowflake.get_generic_secret_string = lambda name: f"{KEY}\n"  # type: ignore[attr-defined]
    handlers: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "_snowflake", snowflake)
        for body in bodies:
            exec(body, handlers)  # noqa: S102 (our own file's)
    frame = events()
    key = GroupKey(KEY, "1")
    vectors = json.loads((Path(canaries.__file__).parent / "normalisation_v1.json").read_text())["vectors"]
    for namespace, column in (("email", "email"), ("phone", "tel"), ("device", "device")):
        texts = [*frame[column].unique(), *(v["input"] for v in vectors if v["namespace"] == namespace)]
        if namespace == "phone":  # In SQL only what is in E.164 already counts.
            texts = [t for t in texts if t is None or re.fullmatch("[+][1-9][0-9]{6,14}", t)]
        kind = namespace if namespace != "device" else "other"
        mine = [handlers["normalised"](kind, "[]", t) for t in texts]
        by_polars = pl.DataFrame({"x": texts}).select(
            normalised=normalise(pl.col("x"), namespace), key=person_key(normalise(pl.col("x"), namespace), namespace, key)
        )
        assert mine == by_polars["normalised"].to_list()
        keys = [None if t is None else handlers["person_key"](namespace, t) for t in mine]
        assert keys == [None if k is None else f"{k:016x}" for k in by_polars["key"]]


def variants() -> Iterator[tuple[str, QueryRequest]]:
    yield "days", asked()
    yield "keys", asked(keys_only=True)
    yield "crosswalk", asked(crosswalk_table="mart.crosswalk", crosswalk=snapshot())
    yield "one identifier", asked(app(identifiers=IDENTIFIERS[:1], counts_when=None, internal_when=None, automated_when=None))
    yield "month", asked(app().model_copy(update={"grain": "month"}))
    for time in (
        {"column": "at", "zone": "Europe/Berlin"},
        *({"column": "at", "unit": unit} for unit in ("s", "ms", "us", "ns")),
    ):
        yield f"time {time}", asked(app(time=time))
    yield "external", asked(app().model_copy(update={"audiences": ("external",)}))
    yield "date", asked(app(types={"at": "date"}))
    yield "names", asked(app(table='"My Schema".events', identifiers=[{"column": "User Id", "namespace": "o.k"}]))


def test_one_files_canaries_do_not_prove_anothers_keys(tmp_path: Path) -> None:
    """A day whose keys were made by another key would double its people, under the canaries of the day before."""
    source = {"files": "keys-{day}.parquet", "person_keys": ["email"]}
    product = Product.model_validate(app().model_dump(by_alias=True, exclude={"sources"}) | {"sources": [source]})
    later = KEYS.with_columns(pl.col("activity_date").replace(FIRST, date(2025, 1, 2)))
    context = contribute.EdgeContext(tmp_path, SETTINGS, Keyring(SETTINGS, tmp_path), lambda month: None, NOW)
    for rows, refused in ((later, False), (later.filter(pl.col("audience") != "canary"), True)):
        KEYS.write_parquet(tmp_path / "keys-2025-01-01.parquet")
        rows.write_parquet(tmp_path / "keys-2025-01-02.parquet")
        sources = resolve.find("shop/app", product, tmp_path, ZONE)
        periods = availability.periods_present(sources, product, [FIRST, date(2025, 1, 2)], ZONE, NOW)
        if refused:
            with pytest.raises(RefusedError, match="files of keys without canaries"):
                list(contribute.contribute(ProductRef("shop", "app"), product, sources, periods, context))
        else:
            passes = contribute.contribute(ProductRef("shop", "app"), product, sources, periods, context)
            assert [len(one_pass) for one_pass in passes] == [2]


def test_keys_without_canaries_prove_nothing(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="keys without canaries"):
        by_keys(KEYS.filter(pl.col("audience") != "canary"), tmp_path / "keys", "day", None)


def test_days_in_a_table_of_months_are_refused(tmp_path: Path) -> None:
    """Only those of the first day would count, and nobody would miss the others."""
    with pytest.raises(RefusedError, match="days in a table of months"):
        by_keys(KEYS.with_columns(activity_date=pl.Series([FIRST, LAST, None])), tmp_path / "keys", "month", None)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize(("name", "wanted"), list(variants()), ids=[name for name, _ in variants()])
def test_each_query_is_one_statement_of_its_dialect(engine: Any, name: str, wanted: QueryRequest) -> None:
    """Those that no test can run are at least that, with the contract's columns in its order."""
    text = query(engine, wanted)
    statements = [s for s in sqlglot.parse(text, dialect=engine.dialect) if s is not None]
    *setup, select = statements
    assert isinstance(select, exp.Query)
    assert not list(select.find_all(exp.Command))
    assert all(isinstance(s, exp.Create) for s in setup)
    assert len(setup) == (2 if engine.name == "snowflake" else 0)
    optional = set() if wanted.product.limited_to else {"audiences"}
    columns = list(KEY_SCHEMA) if wanted.keys_only else [column for column in SCHEMA if column not in optional]
    assert select.named_selects == columns
    assert KEY not in text


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_what_a_self_test_expects_is_the_protocols(engine: Any) -> None:
    """Keys by Python's hmac, coupons by Apache DataSketches: a wrong expectation would pass a wrong engine."""
    text = self_test(engine)
    assert isinstance(sqlglot.parse(text, dialect=engine.dialect)[-1], exp.Query)
    pairs = set(re.findall(r"'([0-9a-f]{16})'[^']*'([0-9a-f]{8})'", text))
    vectors = json.loads((Path(canaries.__file__).parent / "normalisation_v1.json").read_text())["vectors"]
    users = [(v["namespace"], v["normalised"]) for v in vectors if v["normalised"]]
    users += [
        ("email", "canary.one@example.com"), ("email", "canarytwo@gmail.com"), ("email", "canarythree@gmail.com"),
        ("email", "canary-four@example.org"), ("email", "caf\u00e9@example.org"),
        ("email", "\u03bd\u03b9\u03ba\u03bf\u03c3@example.org"),
        ("phone", "+12345678901"),
        ("phone", "+4930901820"), ("device", "Canary-One"), ("device", "canary-two"), ("device", "CANARY-THREE"),
        ("device", "caf\u00e9"),
        *(("uuid", text) for text in UUIDS),
        *(("integer", text) for text in ("1234", "56", "789", "-12", "90071992547409931234")),
        *(("hex", text) for text in ("ab12", "cd34ef", "ab567890cdef", "ab567890cdee")),
        *(("recognised", text) for text in ("Canary-One", "canary-two", "CANARY-THREE", "caf\u00e9", "1001", "0012", "ab" * 20)),
        *(("recognised", text) for text in UUIDS[:3]),
    ]  # fmt: skip
    known = {hmac.new(TEST_KEY.encode(), f"{n}\x1f{t}".encode(), hashlib.sha256).hexdigest()[:16] for n, t in users}
    assert {key for key, _ in pairs} <= known
    assert len(pairs) > {canaries.ASCII: 40, canaries.UNICODE: 90}[engine.normalisation]
    for key, coupon in pairs:
        sketch = datasketches.hll_sketch(21)
        sketch.update(key)
        assert bytes(sketch.serialize_compact())[8:12].hex() == coupon


def test_postgresql_passes_its_self_test_as_far_as_keys_go(postgres: sa.Engine) -> None:
    """Normalisation and HMAC of every published vector, on a real PostgreSQL; the sketch takes the extension."""
    text = self_test(ENGINES["postgres"])
    keys = (
        text[: text.index("sketched AS (")].rstrip().removesuffix(",")
        + " SELECT namespace, number, expected_key, person_key FROM keyed"
    )
    with new_database(postgres, UTF8) as url, psycopg.connect(url) as connection, psycopg.RawCursor(connection) as cursor:
        rows = cursor.execute(keys).fetchall()
        cursor.close()
        connection.rollback()
    assert len(rows) > 120
    assert [row for row in rows if row[2] != row[3]] == []


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        (asked(app().model_copy(update={"sources": ()})), "needs the product's one table"),
        (asked(app().model_copy(update={"sources": app().sources * 2})), "needs the product's one table"),
        (asked(first=date(2024, 1, 1), last=date(2024, 12, 31)), "isn't alive in the range"),
        (asked(crosswalk=snapshot()), "the query no table of it"),
    ],
)
def test_what_no_query_can_be_made_of(wanted: QueryRequest, rule: str) -> None:
    with pytest.raises(RefusedError, match=rule):
        query(ENGINES["spark"], wanted)


def ran_on_spark(folder: Path) -> dict[str, Any]:
    """One run of a real Spark for all queries, with its answers."""
    folder.mkdir()
    frame = events()
    joined = snapshot()
    frame.write_parquet(folder / "events.parquet")
    frame.with_columns(pl.col("at").dt.epoch("s").cast(pl.Int32)).write_parquet(folder / "epoch.parquet")
    frame.with_columns(pl.col("at").dt.replace_time_zone(None)).write_parquet(folder / "local.parquet")
    joined.text().write_parquet(folder / "snapshot.parquet")
    mixed_case(frame).write_parquet(folder / "mixed.parquet")
    names = {
        "events": ["events.parquet"],
        "epoch": ["epoch.parquet"],
        "local": ["local.parquet"],
        "snapshot": ["snapshot.parquet"],
    }
    views = {name: [str(folder / file) for file in files] for name, files in names.items()}
    engine = ENGINES["spark"]
    by_month = app(table="epoch", time={"column": "at", "unit": "s"}).model_copy(update={"grain": "month"})
    wanted = asked(crosswalk_table="snapshot", crosswalk=joined)
    jobs = {
        "self-test": {"query": self_test(engine)},
        "days": {"query": query(engine, wanted), "save": f"{folder}/days", "key": KEY, "views": views},
        "month": {"query": query(engine, asked(by_month)), "save": f"{folder}/month"},
        "plain": {"query": query(engine, asked()), "save": f"{folder}/plain"},
        "collated": {
            "query": query(engine, replace(wanted, product=app(table="mixed"))),
            "save": f"{folder}/collated",
            "views": {name: [str(folder / f"{name}.parquet")] for name in ("mixed", "snapshot")},
            "collation": "UTF8_LCASE",
        },
        "another zone": {"query": query(engine, asked()), "zone": ZONE},
        "no zone": {"query": query(engine, asked(app(table="local")))},
    }
    ran = subprocess.run(
        [SPARK, TESTS / "support" / "spark_queries.py", folder / "warehouse"],
        input=json.dumps(list(jobs.values())), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    return {"folder": folder, **dict(zip(jobs, json.loads(ran.stdout), strict=True))}


def self_test_agrees(spark: dict[str, Any]) -> None:
    verdicts = [row[-1] for row in spark["self-test"]["rows"]]
    assert len(verdicts) > 120
    assert all(v.startswith("agrees") for v in verdicts)


def registers_are_the_edges(spark: dict[str, Any], grain: str, tmp_path: Path, frame: pl.DataFrame) -> None:
    """Every cell's registers and events, and what isn't counted, of each period; and the centre takes the file."""
    assert "error" not in spark[grain], spark[grain]
    by_day = grain != "month"
    product = app() if by_day else app().model_copy(update={"grain": "month"})
    joined = snapshot() if by_day else None
    (file,) = (spark["folder"] / grain).glob("*.parquet")
    received = contract.read(file)
    expected = by_edge(ascii_only(frame), tmp_path, product, joined)
    assert [what_counts(c) for c in received] == [what_counts(c) for c in expected]
    assert {c.normalisation for c in received} == {canaries.ASCII}
    known = canaries.from_key(GroupKey(KEY, "1"))
    digest = joined.digest if joined else ""
    group = GROUP.model_copy(deep=True)
    now = datetime.now(UTC)
    for c in received:
        assert [str(r) for r in validation.refusals(c, group, lambda month: known, lambda month: digest, now)] == []


def no_plan_shows_the_key(spark: dict[str, Any]) -> None:
    """Nor the pads that HMAC makes of it: who reads the history server would hash like the group."""
    for secret in (KEY, *(bytes(b ^ pad for b in KEY.encode()).hex() for pad in (0x36, 0x5C))):
        assert secret not in spark["days"]["plans"].lower()
    assert "mauwatch_group_key" in spark["days"]["plans"]


def call(*arguments: object) -> str:
    result = CliRunner().invoke(commands, [str(a) for a in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def received(workspace: Path) -> dict[tuple[date, str, str], str]:
    """Registers of every cell that the centre has now."""
    with contributions.open_store("sqlite:///.mauwatch/store.sqlite", workspace) as store:
        days = {v.id: v.activity_date for v in store.read_versions(ProductRef("shop", "app"))}
        parts = list(store.read_parts(list(days)))
    return {(days[i], part.audience, part.namespace): part.registers.digest() for i, part in parts if part.registers}


def five_ways_in(spark: dict[str, Any], postgres: sa.Engine, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet, PostgreSQL, S3, Spark's own SQL and PostgreSQL's own keys: each by `contribute` and `receive`."""
    frame = ascii_only(events())
    times = {"time": "at", "complete_through": "2025-01-31", "identifiers": IDENTIFIERS, **CONDITIONS}
    product = {"product": "app", "from": "2025-01-01", "active": {"id": "seen", "meaning": "was seen"}}
    # Made-up events: each identifier stands beside any of another column.
    several = {name: {"identifiers_per_person": "several"} for name in sorted({i["namespace"] for i in IDENTIFIERS})}
    workspace = write_group(tmp_path / "centre", [entity("shop", [product])], time_zone=ZONE, namespaces=several)
    buffer = tmp_path / "events.parquet"
    frame.write_parquet(buffer)
    with new_database(postgres, UTF8) as url, psycopg.connect(url) as connection:
        connection.execute("create schema analytics")
        connection.execute(f"create table analytics.events (at timestamptz, {', '.join(f'{c} text' for c in frame.columns[1:])})")
        with connection.cursor() as cursor:
            cursor.executemany("insert into analytics.events values (%s, %s, %s, %s, %s, %s, %s)", frame.rows())
        with psycopg.RawCursor(connection) as cursor:
            rows = cursor.execute(
                query(ENGINES["postgres"], asked(app(table="analytics.events"), keys_only=True)), (KEY,)
            ).fetchall()
        pl.DataFrame(rows, orient="row", schema=KEY_SCHEMA).write_parquet(tmp_path / "keys.parquet")
        connection.commit()
        connection.close()
        monkeypatch.setenv("SHOP_DB_URL", url)
        sources = {
            "Parquet": times | {"files": str(buffer)},
            "PostgreSQL": times | {"table": "analytics.events", "database": {"env": "SHOP_DB_URL"}},
            "S3": times | {"files": put({"events/e.parquet": buffer.read_bytes()}) + "/events/"},
            "keys": {
                "files": str(tmp_path / "keys.parquet"),
                "person_keys": ["email", "phone", "device"],
                "complete_through": "2025-01-31",
            },
        }
        by_way = {}
        for name, source in sources.items():
            shop = entity("shop", [product | {"sources": [source]}])
            edge_of = write_group(tmp_path / name, [shop], time_zone=ZONE, namespaces=several)
            call("contribute", "--group", edge_of, "--from", FIRST, "--to", LAST, "-o", tmp_path / f"by-{name}.parquet")
            call("receive", "--group", workspace, tmp_path / f"by-{name}.parquet")
            by_way[name] = received(workspace)
    call("receive", "--group", workspace, spark["folder"] / "plain")
    by_way["Spark"] = received(workspace)
    assert len(by_way["Parquet"]) >= 15
    for name in by_way:
        assert by_way[name] == by_way["Parquet"], name


@pytest.mark.long
@pytest.mark.skipif(not SPARK.exists() or shutil.which("java") is None, reason="needs Java, and pyspark: make .venv-spark/ready")
def test_sparks_own_sql_is_one_of_five_ways_to_the_same_registers(
    postgres: sa.Engine, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real Spark, and all that is asked of it in one test, since it takes ten seconds to start."""
    spark = ran_on_spark(tmp_path / "spark")
    self_test_agrees(spark)
    for grain, frame in (("days", events()), ("month", events()), ("collated", mixed_case(events()))):
        registers_are_the_edges(spark, grain, tmp_path / grain, frame)
    no_plan_shows_the_key(spark)
    for job, rule in (("another zone", "SET TIME ZONE 'UTC'"), ("no zone", "the time column has no zone")):
        assert rule in spark[job]["error"]
    five_ways_in(spark, postgres, put, tmp_path / "ways", monkeypatch)


@pytest.mark.parametrize(
    ("mails", "settings", "rule"),
    [
        (["1.2E+18", "1000"], {}, "lost digits"),
        (["12x", "1000"], {"namespaces": {"account": {"form": "integer"}}}, "another form"),
        (["till"] * 150 + [f"{i}" for i in range(1, 61)], {}, "one value has too many"),
        (["till"] * 150 + [f"{i}" for i in range(1, 61)], {"names_nobody": ["Till"]}, None),
        (["1.2E+18", "1000"], {"names_nobody": ["1.2E+18"]}, "lost digits"),
    ],
)
def test_postgresql_stops_for_identifiers_of_nobody(
    postgres: sa.Engine, mails: list[str], settings: dict[str, Any], rule: str | None
) -> None:
    """As the edge refuses them: else a sketch of the query's would hide people whom the edge counts."""
    plain = app(identifiers=[{"column": "email", "namespace": "account"}], automated_when=None, internal_when=None)
    said = Settings.model_validate(SETTINGS.model_dump(by_alias=True, exclude_none=True) | settings)
    rows = [("2025-01-02T01:00:00Z", "open", "de", "x", mail, None, None) for mail in mails]
    columns = ", ".join(f"{name} text" for name in events().columns[1:])
    text = query(ENGINES["postgres"], replace(asked(plain, keys_only=True), settings=said))
    with new_database(postgres, UTF8) as url, psycopg.connect(url) as connection:
        connection.execute(f"create table events (at timestamptz, {columns})")
        with connection.cursor() as cursor:
            cursor.executemany("insert into events values (%s, %s, %s, %s, %s, %s, %s)", rows)
        with psycopg.RawCursor(connection) as cursor:
            if rule is None:
                assert len([row for row in cursor.execute(text, (KEY,)).fetchall() if row[1] == "external" and row[3]]) == 60
            else:
                with pytest.raises(psycopg.Error, match=rule):
                    cursor.execute(text, (KEY,))
        connection.rollback()
