"""The views for BI tools, read with plain SQL by each database's own driver."""

import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from affiliates.manifests.loader import read_group
from pipelines.store import upgrade, views
from pipelines.workflows.run import run
from tests.support.databases import both_databases
from tests.support.groups import NOW, entity, events, product

VIEWS = {v.name: v for v in views.read(upgrade.sql_folder() / "views")}
pytestmark = both_databases


@pytest.fixture
def read(make: Callable[..., Path], store_url: str) -> Callable[[str], list[tuple[Any, ...]]]:
    """Runs plain SQL on the store of two products with the same 60 people, one of them without its last day."""
    seen = [(f"2025-01-{1 + i % 31:02}T12:00:00Z", f"u{i % 60}@example.com") for i in range(200)]
    source = {"sources": [{
        "files": "events.parquet", "time": "at", "complete_through": "2025-01-30",
        "identifiers": [{"column": "user", "namespace": "email"}],
    }]}  # fmt: skip
    files = {"events.parquet": events(seen)}
    directory = make([entity("a", [product("one")]), entity("ab", [product("two", **source)])], files)
    group = read_group(directory)
    run(directory, group, NOW, date(2025, 1, 1), date(2025, 1, 31))

    def query(text: str) -> list[tuple[Any, ...]]:
        if store_url.startswith("sqlite"):
            with sqlite3.connect(directory / ".mauwatch" / "store.sqlite") as connection:
                return connection.execute(text).fetchall()
        with psycopg.connect(store_url) as server:
            return server.execute(text).fetchall()

    return query


def test_every_column_is_described(read: Callable[[str], list[tuple[Any, ...]]], store_url: str) -> None:
    """In the table of comments, and in PostgreSQL where its tools look for them."""
    comments = {(t, c): comment for t, c, comment in read("select table_name, column_name, comment from column_comments")}
    for name, view in VIEWS.items():
        if store_url.startswith("sqlite"):
            columns = [c for _, c, *_ in read(f"pragma table_info({name})")]
        else:
            rows = read(
                "select a.attname, col_description(a.attrelid, a.attnum), obj_description(a.attrelid) "
                f"from pg_attribute a where a.attrelid = '{name}'::regclass and a.attnum > 0 order by a.attnum"
            )
            columns = [c for c, *_ in rows]
            assert [comment for _, comment, _ in rows] == [view.columns[c] for c in columns]
            assert {of_view for *_, of_view in rows} == {view.comment}
        assert sorted(columns) == sorted(view.columns)
        assert [comments[name, c] for c in columns] == [view.columns[c] for c in columns]
        assert comments[name, ""] == view.comment


def test_figures_in_force(read: Callable[[str], list[tuple[Any, ...]]]) -> None:
    """A BI tool reads the same figures as `mauwatch measure` shows, each once."""
    assert read("select group_name, estimate, summed_products, state from group_mau where reading = 'unique_people'") == [
        ("test", 60, 120, "preliminary")
    ]
    products = "select affiliate, product, estimate from product_mau where reading = 'unique_people' order by product"
    assert read(products) == [("a", "a/one", 60), ("ab", "ab/two", 60)]
    assert read("select affiliate, estimate from affiliate_mau where reading = 'unique_people' order by 1") == [
        ("a", 60), ("ab", 60),
    ]  # fmt: skip
    gaps = "select product, days_expected, days_missing, bounded from coverage where reading = 'unique_people' order by 1"
    assert [(p, e, m, bool(b)) for p, e, m, b in read(gaps)] == [("a/one", 31, 0, True), ("ab/two", 31, 1, False)]
    assert read("select count(*), sum(events), max(users) from product_days where product = 'one'") == [(31, 200, 7)]
    assert read("select count(*) from figure_history") == [(2,)]
    results = read("select distinct licence, result from licence_results where measured_month = '2025-03-01'")
    assert sorted(results) == [("hyperclova-x-seed", "not_measured"), ("llama-4", "not_measured")]
