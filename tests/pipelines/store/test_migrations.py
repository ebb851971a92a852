"""Upgrades from every schema that a released version had: what was published stays as it was.

`data/stores/NNNN.json` is a store as the program of that schema wrote it: made-up people, lg_k 12, counts, a day
restated; from 0002 on a month that was closed, restated, and changed after that; in 0003 by files that were handed in, one of
them refused; in 0004 some of its sketches are erased; in 0005 one is of external users alone; in 0006 there is a
ledger; in 0007 a product has two days under both keys of a change; in 0008 an alert was raised, acknowledged and closed, and
messages about it were sent and wait; 0009 changes a view alone; 0010 is 0008's with a contribution that tells what a condition
left out; 0011 has two versions of a scenario, too, of which one was shared for a day; 0012 changes a comment alone; 0013 is
0011's with an outlook, a clause's results, causes, overlaps and a run. Each new schema of tables adds its own.
"""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from pipelines.store import contributions, ledger, publications, upgrade
from pipelines.store.engine import Store, _reached
from tests.support.databases import both_databases, rows_of
from tests.support.paths import DATA

STORES = sorted((DATA / "stores").glob("*.json"))
Rows = dict[str, list[dict[str, Any]]]


def older(url: str, directory: Path, revision: str, rows: Rows) -> None:
    """A store as it was under an older schema, filled without any of our code."""
    with _reached(url, directory) as engine, Store(engine).writing() as connection:
        config = upgrade.config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for name, of_table in rows.items():
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            text = {c.name: c.type for c in table.columns}
            for row in of_table:
                values = {k: _value(v, text[k], connection.dialect.name) for k, v in row.items()}
                columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
                connection.execute(sa.text(f"insert into {name} ({columns}) values ({marks})"), values)
            if connection.dialect.name == "postgresql" and "id" in text and of_table:
                connection.execute(
                    sa.text(f"select setval(pg_get_serial_sequence('{name}', 'id'), (select max(id) from {name}))")
                )


def _value(value: Any, type_: sa.types.TypeEngine[Any], dialect: str) -> Any:
    if isinstance(type_, sa.LargeBinary) and value is not None:
        return bytes.fromhex(value)
    return bool(value) if dialect == "postgresql" and isinstance(type_, sa.Boolean) else value


@both_databases
@pytest.mark.parametrize("path", STORES, ids=lambda path: path.stem)
def test_an_upgrade_keeps_every_row(store_url: str, path: Path, tmp_path: Path) -> None:
    """A migration that loses a row, or a value, would take evidence away without a word."""
    rows: Rows = json.loads(path.read_text())
    older(store_url, tmp_path, path.stem, rows)
    with contributions.open_store(store_url, tmp_path, create=True):
        pass
    after = rows_of(store_url, tmp_path)
    for name, before in rows.items():
        kept = [{column: _as_text(row[column]) for column in before[0]} for row in after[name]] if before else after[name]
        wanted = [{column: _as_text(value) for column, value in row.items()} for row in before]
        assert sorted(kept, key=repr) == sorted(wanted, key=repr)
    assert {bool(row["ahead"]) for row in after["contributions"]} == ({False, True} if path.stem == "0007" else {False})


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"
    return str(int(value) if isinstance(value, bool) else value)


@both_databases
def test_figures_of_the_first_schema_become_publications(store_url: str, tmp_path: Path) -> None:
    """Else what was known when would begin with the upgrade."""
    rows: Rows = json.loads(STORES[0].read_text())
    older(store_url, tmp_path, "0001", rows)
    with contributions.open_store(store_url, tmp_path, create=True) as opened:
        in_force = publications.in_force(opened)
        whole = [r for r in rows["figures"] if r["scope"] == "group"]
        assert len(after := rows_of(store_url, tmp_path)["publications"]) == len(whole)
        assert {p["state"] for p in after} == {"preliminary"}
        for (month, reading), publication in in_force.items():
            mine = [r for r in whole if (r["month"], r["reading"]) == (f"{month}", reading)]
            last = max(mine, key=lambda r: r["id"])
            figures = publications.figures_of(opened, publication.id)
            assert [f["estimate"] for f in figures if f["scope"] == "group"] == [last["estimate"]]
            together = [r for r in rows["figures"] if (r["known_at"], r["reading"]) == (last["known_at"], reading)]
            assert len(figures) == len([r for r in together if r["month"] == last["month"]])
        assert all(figure["publication"] for figure in rows_of(store_url, tmp_path)["figures"])


@both_databases
@pytest.mark.parametrize("path", STORES[1:], ids=lambda path: path.stem)
def test_what_was_signed_stands_through_an_upgrade(store_url: str, path: Path, tmp_path: Path) -> None:
    """Signed figures, their numbers and their ledger entries are those of before: somebody has them on paper."""
    rows: Rows = json.loads(path.read_text())
    older(store_url, tmp_path, path.stem, rows)
    with contributions.open_store(store_url, tmp_path, create=True) as opened:
        kept = publications.history(opened, date(2025, 3, 1), "unique_people")
        assert [p.state for p in kept[:3]] == ["preliminary", "closed", "restated"]
        assert {p.state for p in kept[3:]} <= {"restated"}
        if "ledger" in rows:  # A column that is added since changes no digest.
            assert ledger.faults(opened) == []
        for publication in kept:
            figures = publications.figures_of(opened, publication.id)
            before = [r for r in rows["figures"] if r["publication"] == publication.id]
            assert [(f["subject"], f["lower"], f["estimate"], f["upper"]) for f in figures] == [
                (f["subject"], f["lower"], f["estimate"], f["upper"]) for f in before
            ]
        assert publications.in_force(opened)[date(2025, 3, 1), "unique_people"].id == kept[-1].id
