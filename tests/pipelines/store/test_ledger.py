"""The store's ledger: what was published, tested, signed or erased can't be changed there without its saying so."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from affiliates import signing
from affiliates.errors import RefusedError
from affiliates.manifests.loader import mistakes_in_attested, read_attested, read_group
from pipelines import hash_chain
from pipelines.hash_chain import LedgerEntry
from pipelines.store import contributions, erasure, ledger, schema
from pipelines.store.column_types import Utc
from pipelines.store.engine import Store, connected
from pipelines.store.erasure import Order, Scope
from pipelines.store.mark import MARK
from pipelines.workflows import close
from pipelines.workflows.close import Signature
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.databases import both_databases, rows_of
from tests.support.groups import ATTESTED, NOW, entity, events, product

Make = Callable[..., Path]
MARCH = date(2025, 3, 1)


@pytest.fixture
def directory(make: Make) -> Path:
    """March 2025, closed and attested; and what came before it."""
    days = {"files": "seen.parquet", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}]}
    others = days | {"files": "chat.parquet", "complete_through": "2025-03-31"}
    life = {"from": "2025-02-01", "to": "2025-04-01", "sources": [days | {"complete_through": "2025-03-31"}]}
    group_directory = make(
        [entity("a", [product("app", **life)]), entity("b", [product("chat", **life | {"sources": [others]})])]
    )
    rows = [(f"{date(2025, 2, 1) + timedelta(n)}T12:00:00Z", f"u{n}@example.com") for n in range(59)]
    events(rows).write_parquet(group_directory / "seen.parquet")
    events([(at, f"v{user}") for at, user in rows]).write_parquet(group_directory / "chat.parquet")
    (group_directory / "attested").mkdir()
    (group_directory / "attested" / "2025-03.yaml").write_text(yaml.safe_dump(ATTESTED))
    signing.new_pair(group_directory / "evidence.pem")
    settings = yaml.safe_load((group_directory / "group.yaml").read_text())
    (group_directory / "group.yaml").write_text(yaml.safe_dump(settings | {"evidence_key": "evidence.pem"}))
    run(group_directory, read_group(group_directory), NOW)
    with Workspace(group_directory, read_group(group_directory), NOW) as workspace:
        close.close_month(workspace, MARCH, Signature("Head of Finance"))
        scope = Scope(affiliate="a", product="app", first_day=date(2025, 2, 1), last_day=date(2025, 2, 1))
        erasure.erase(workspace.store(), scope, Order("Privacy Officer", "a request"), NOW)
    return group_directory


def wrong(directory: Path) -> list[str]:
    """The faults of the group's ledger."""
    with contributions.open_store(read_group(directory).settings.store, directory) as opened:
        return ledger.faults(opened)


def entries(directory: Path) -> list[LedgerEntry]:
    """The group's ledger."""
    with contributions.open_store(read_group(directory).settings.store, directory) as opened:
        return ledger.read(opened)


def newest(store_: Store, table: sa.Table, **values: Any) -> dict[str, Any]:
    """A table's newest row, as it was before values of it are changed, past all of our code."""
    with store_.engine.begin() as connection:
        key = next(iter(table.primary_key.columns))
        last = key == connection.scalar(sa.select(sa.func.max(key)))
        row = dict(connection.execute(sa.select(table).where(last)).mappings().one())
        if values:
            connection.execute(table.update().where(last).values(**values))
        return row


def another(value: Any, column: sa.Column[Any]) -> Any:
    """A value of the column's type that isn't its own."""
    if isinstance(column.type, Utc):
        return NOW + timedelta(1)
    if column.name in ("publication", "supersedes"):
        return 1
    kind = column.type.python_type
    if kind is str:
        return ("x" if not value or value[0] != "x" else "y") + (value or "x")[1:]
    return {bool: not value, int: (value or 0) + 1 if kind is int else 0, float: 0.125, date: date(2000, 1, 1)}[kind]


@both_databases
def test_what_was_noted_can_be_followed(directory: Path) -> None:
    """An entry that is missing would leave a publication, a test or an erasure that nobody can prove."""
    noted = entries(directory)
    assert wrong(directory) == []
    assert noted[-1].kind == "erased"
    signed = [e for e in noted if e.kind == "published" and e.body["state"] == "closed"]
    assert {(e.body["month"], e.body["reading"]) for e in signed} == {
        ("2025-03", reading) for reading in ("unique_people", "summed_products")
    }
    assert "Head of Finance" not in "".join(e.to_line() for e in noted), "every month's evidence has the whole ledger"
    assert hash_chain.head_of(noted, MARCH) == max(signed, key=lambda e: e.number)
    assert hash_chain.head_of(noted, date(2025, 2, 1)) is None
    rows = rows_of(read_group(directory).settings.store, directory)
    assert sum(e.kind == "published" for e in noted) == len(rows["publications"])
    assert sum(e.kind == "tested" for e in noted) == len(rows["licence_tests"])


def test_each_changed_column_is_found(directory: Path) -> None:
    """By hand, in the database, where no program of ours stands in the way."""
    with contributions.open_store(read_group(directory).settings.store, directory) as opened:
        for name in ("publications", "figures", "licence_tests", "erasures", "ledger"):
            table = schema.metadata.tables[name]
            for column in table.columns:
                if column.name in ("id", "number") or (name, column.name) == ("publications", "supersedes"):
                    continue
                before = newest(opened, table, **{column.name: another(newest(opened, table)[column.name], column)})
                assert ledger.faults(opened), f"{name}.{column.name}"
                newest(opened, table, **{column.name: before[column.name]})
            assert ledger.faults(opened) == [], name


def test_what_is_added_past_the_ledger_is_found(directory: Path) -> None:
    """A result that nobody found would be the newest in every view."""
    with contributions.open_store(read_group(directory).settings.store, directory) as opened:
        row = newest(opened, schema.licence_tests)
        with opened.engine.begin() as connection:
            connection.execute(schema.licence_tests.insert(), [row | {"id": row["id"] + 1, "result": "under"}])
        assert ledger.faults(opened) == ["1 rows of what was tested are in no entry"]


def test_a_store_older_than_its_ledger_begins_it(directory: Path) -> None:
    """What had been published before isn't in an entry; that nobody changes it, the first one says."""
    url = read_group(directory).settings.store
    with connected(url, directory) as engine, engine.begin() as connection:
        connection.execute(schema.ledger.delete())
    (directory / MARK).unlink()  # It is younger than the ledger.
    assert f"{len(rows_of(url, directory)['publications'])} publications are in no entry" in wrong(directory)
    (directory / "attested" / "2025-03.yaml").unlink()
    with Workspace(directory, read_group(directory), NOW + timedelta(1)) as workspace:
        close.close_month(workspace, MARCH, Signature("Head of Finance", restates="the letter was withdrawn"))
    assert entries(directory)[0].kind == "began"
    assert wrong(directory) == []
    with contributions.open_store(url, directory) as opened:
        newest(opened, schema.figures, estimate=5)
    assert wrong(directory)


def test_what_a_signed_month_collects(directory: Path) -> None:
    """Who vouched for what is kept as it was on the day of signing, whatever becomes of the file."""
    rows = [r for r in rows_of(read_group(directory).settings.store, directory)["publications"] if r["signed_by"]]
    for row in rows:
        collected = json.loads(row["collected"])
        assert collected["attestations"] == ATTESTED["attestations"]
        assert collected["not_attested"] == ["b"]
        assert collected["public_key"] == signing.public_of(directory / "evidence.pem")
        (compared,) = collected["reconciliation"]
        assert (compared["ours"]["estimate"], compared["difference"]) == (31, 59)
        assert {k: compared[k] for k in ATTESTED["reconciliation"][0]} == ATTESTED["reconciliation"][0]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            {"attestations": [ATTESTED["attestations"][0] | {"affiliate": "c"}]},
            "attested/2025-03.yaml:3: `affiliate` of nobody (c)",
        ),
        ({"attestations": ATTESTED["attestations"] * 2}, "must name each affiliate once: a"),
        ({"reconciliation": [ATTESTED["reconciliation"][0] | {"product": "a/other"}]}, "`product` of nobody (a/other)"),
        ({"reconciliation": [ATTESTED["reconciliation"][0] | {"published": "many"}]}, "`published`"),
        ({"attestation": []}, "did you mean `attestations`?"),
    ],
)
def test_mistakes_in_what_is_attested(make: Make, change: dict[str, Any], fault: str) -> None:
    """An attestation of nobody, or of the same affiliate twice, would stand in the evidence unseen."""
    directory = make([entity("a", [product("app")])])
    (directory / "attested").mkdir()
    (directory / "attested" / "2025-03.yaml").write_text(yaml.safe_dump(change))
    with pytest.raises(RefusedError) as refused:
        read_attested(directory, read_group(directory), MARCH)
    assert fault in str(refused.value)


def test_a_file_that_no_month_reads_is_refused(make: Make) -> None:
    """attested/march.yaml would be taken for nobody's attestation."""
    directory = make([entity("a", [product("app")])])
    (directory / "attested").mkdir()
    (directory / "attested" / "march.yaml").touch()
    with pytest.raises(RefusedError, match="is not read"):
        read_attested(directory, read_group(directory), MARCH)
    (mistake,) = mistakes_in_attested(directory, read_group(directory))
    assert mistake.subject == "attested/march.yaml:1"
