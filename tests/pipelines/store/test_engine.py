"""The store itself: its schema on both databases, its transactions, and what is no store of ours."""

import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from affiliates.errors import RefusedError
from pipelines.records import StatedCount
from pipelines.store import contributions, engine, schema, upgrade
from pipelines.store.contributions import ContributionStore
from pipelines.store.engine import Store
from tests.support.databases import SQLITE, both_databases
from tests.support.groups import NOW


def migrated(url: str, directory: Path) -> None:
    """A store that went through every migration, as those that users have."""
    with engine._reached(url, directory) as reached, Store(reached).writing() as connection:
        settings = upgrade.config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0001")
    with contributions.open_store(url, directory, create=True):
        pass


@both_databases
@pytest.mark.parametrize("through_migrations", [True, False])
def test_schema_of_a_store_is_the_schema_of_the_tables(store_url: str, tmp_path: Path, through_migrations: bool) -> None:
    """Else a new store and an upgraded one would differ, and one of them would fail later."""
    if through_migrations:
        migrated(store_url, tmp_path)
    with contributions.open_store(store_url, tmp_path, create=True) as store, store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), schema.metadata) == []
        comments = connection.execute(sa.select(schema.column_comments)).fetchall()
    of_tables = [c for c in comments if c.table_name in schema.metadata.tables]
    assert len(of_tables) == sum(1 + len(t.columns) for t in schema.metadata.tables.values())
    assert all(comment for *_, comment in comments)


@both_databases
def test_a_new_store_is_the_one_that_all_migrations_make(
    store_url: str, another_store: Callable[..., str], tmp_path: Path
) -> None:
    """A new store is made in one step: without an index, a default or a view it would be slow or wrong for new users alone."""
    url = another_store()
    migrated(url, tmp_path / "migrated")
    with contributions.open_store(store_url, tmp_path / "new", create=True):
        pass
    assert everything(store_url, tmp_path / "new") == everything(url, tmp_path / "migrated")


def everything(url: str, directory: Path) -> dict[str, Any]:
    """All that a database says of a store's schema, alembic's own table and comments among it; but for the columns' order."""
    with engine.connected(url, directory) as reached, reached.connect() as connection:
        inspected = sa.inspect(connection)
        names = inspected.get_table_names()
        comments = connection.execute(sa.select(schema.column_comments)).all()
        indices = {name: sorted(inspected.get_indexes(name), key=str) for name in names}
        return {
            "columns": {
                name: {c["name"]: repr(c) for c in inspected.get_columns(name)} for name in [*names, *inspected.get_view_names()]
            },
            "views": {name: inspected.get_view_definition(name) for name in inspected.get_view_names()},
            "keys": {name: inspected.get_pk_constraint(name) for name in names},
            # SQLAlchemy reads no name of a column that was added with its foreign key.
            "references": {name: sorted(repr(k | {"name": ""}) for k in inspected.get_foreign_keys(name)) for name in names},
            "indices": indices,
            "unique": {name: inspected.get_unique_constraints(name) for name in names},
            "conditions": {name: inspected.get_check_constraints(name) for name in names},
            "comments": sorted(map(tuple, comments)),
            "of tables": {name: inspected.get_table_comment(name) for name in names} if reached.name == "postgresql" else {},
            "revision": upgrade.revision(connection),
        }  # fmt: skip


@both_databases
def test_there_is_a_store_once_it_was_made(store_url: str, tmp_path: Path) -> None:
    """A database server is there without a store in it."""
    assert not engine.exists(store_url, tmp_path)
    with pytest.raises(RefusedError, match="isn't there yet"), contributions.open_store(store_url, tmp_path):
        pass
    with contributions.open_store(store_url, tmp_path, create=True) as store:
        assert store.read_months() == []
    assert engine.exists(store_url, tmp_path)


def test_a_store_that_is_none(tmp_path: Path) -> None:
    """A file of somebody else's, a URL that is none, a newer schema: refused, never written to."""
    (tmp_path / "text.sqlite").write_text("no database at all, but a text that is long enough to be taken for one" * 20)
    with pytest.raises(RefusedError, match="the store"), contributions.open_store("sqlite:///text.sqlite", tmp_path):
        pass
    with pytest.raises(RefusedError, match="URL"), contributions.open_store("nodb://secret:hidden@host/x", tmp_path, create=True):
        pass
    with contributions.open_store("sqlite:///newer.sqlite", tmp_path, create=True) as store, store.writing() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    with (
        pytest.raises(RefusedError, match="newer mauwatch"),
        contributions.open_store("sqlite:///newer.sqlite", tmp_path, create=True),
    ):
        pass


def test_a_server_that_is_not_there_is_refused_without_its_password(tmp_path: Path) -> None:
    """A log would keep the password for ever."""
    with (
        pytest.raises(RefusedError, match="can't be used") as refused,
        contributions.open_store("postgresql://u:hidden@localhost:9/x", tmp_path),
    ):
        pass
    assert "hidden" not in str(refused.value)


def test_moments_are_text_that_sorts_in_sqlite(tmp_path: Path) -> None:
    """Texts of other lengths or zones would sort otherwise than the moments: what was known when would be wrong."""
    with contributions.open_store(SQLITE, tmp_path, create=True) as store:
        store.replace_counts(NOW.date(), NOW.date(), [count(1)], NOW)
        with store.reading() as connection:
            assert connection.scalar(sa.text("select known_at from counts")) == "2025-06-01T12:00:00.000000Z"


def count(users: int) -> StatedCount:
    """A count of one product, of so many people."""
    return StatedCount("a", "x", NOW.date(), "count", users, "people", "a document", "somebody")


@both_databases
def test_a_snapshot_sees_one_moment(store_url: str, tmp_path: Path) -> None:
    """A figure computed from two moments is nobody's."""
    day = NOW.date()
    with contributions.open_store(store_url, tmp_path, create=True) as store:
        store.replace_counts(day, day, [count(1)], NOW)
        with store.snapshot() as fixed:
            assert [c.users for c in fixed.read_counts(day, day)] == [1]
            store.replace_counts(day, day, [count(2)], NOW)
            assert [c.users for c in fixed.read_counts(day, day)] == [1]
            assert fixed.position(NOW).counts == 1
            assert [c.users for c in store.read_counts(day, day)] == [2]
        with store.snapshot() as fixed:
            assert [c.users for c in fixed.read_counts(day, day)] == [2]


@both_databases
def test_writers_take_turns(store_url: str, tmp_path: Path) -> None:
    """Rows' numbers grow in the order in which rows become visible: what was the last one stays it."""
    with contributions.open_store(store_url, tmp_path, create=True) as store:
        inside, order = threading.Event(), []

        def first() -> None:
            with store.writing() as connection:
                inside.set()
                time.sleep(0.3)
                connection.execute(schema.counts.insert(), [vars(count(1)) | {"known_at": NOW}])
                order.append("first")

        def second(other: ContributionStore) -> None:
            inside.wait()
            with other.writing() as connection:
                order.append("second")
                assert connection.scalar(sa.select(sa.func.count()).select_from(schema.counts)) == 1

        with contributions.open_store(store_url, tmp_path) as other:
            threads = [threading.Thread(target=first), threading.Thread(target=second, args=[other])]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert order == ["first", "second"]


@both_databases
def test_the_current_row_of_a_key_is_the_newest(store_url: str, tmp_path: Path) -> None:
    """Also among the rows that a condition leaves: what was current when the store had fewer rows."""
    about = {"affiliate": "a", "product": "x", "kind": "count", "unit": "people", "document": "d", "attested_by": "b"}
    months = [date(2025, 1, 1), date(2025, 2, 1), date(2025, 1, 1)]
    rows = [about | {"id": number, "month": month, "users": number, "known_at": NOW} for number, month in enumerate(months, 1)]
    n = schema.counts
    current = schema.current(n, "affiliate", "product", "month", "kind")
    with contributions.open_store(store_url, tmp_path, create=True) as store, store.writing() as connection:
        connection.execute(n.insert(), rows)
        assert sorted(connection.scalars(current)) == [2, 3]
        assert sorted(connection.scalars(current.where(n.c.id < 3))) == [1, 2]


def test_chunks_are_all_items_in_their_order() -> None:
    """A last item that is left out would be a sketch that isn't read, and a lower figure."""
    for number in (0, 1, 499, 500, 501, 1000, 1001):
        chunks = [list(chunk) for chunk in schema.chunks(range(number))]
        assert [item for chunk in chunks for item in chunk] == list(range(number))
        assert all(1 <= len(chunk) <= schema.PARAMETERS for chunk in chunks)


def test_the_newest_schema_is_the_migrations_last() -> None:
    """By the files' names, for alembic is asked only where a schema has to be made."""
    assert upgrade.newest_revision() == ScriptDirectory.from_config(upgrade.config()).get_current_head()


def test_a_process_that_changes_its_folder_opens_the_store_of_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines are kept for the next one who opens the same store: by `.` that was another group's."""
    for number, name in enumerate(("one", "other")):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        with contributions.open_store(SQLITE, Path(), create=True) as opened:
            assert opened.read_months() == []
            month = date(2025, 1 + number, 1)
            opened.replace_counts(month, month, [StatedCount("a", "app", month, "count", 1, "people", "x", "y")], NOW)
            assert opened.read_months() == [month]


@both_databases
def test_another_store_has_what_is_compiled_and_its_own_rows(
    store_url: str, another_store: Callable[..., str], tmp_path: Path
) -> None:
    """A kept statement of one store, or of the other kind of database, would ask the wrong one without a word."""
    places = [(store_url, tmp_path / "a"), (another_store(), tmp_path / "b")]
    compiled = []
    for number, (url, directory) in enumerate(places):
        with contributions.open_store(url, directory, create=True) as store:
            with store.writing() as connection:
                connection.execute(
                    schema.column_comments.insert(), [{"table_name": "t", "column_name": "c", "comment": f"{number}"}]
                )
            with store.reading() as connection:
                asked = sa.select(schema.column_comments.c.comment).where(schema.column_comments.c.table_name == "t")
                assert connection.scalars(asked).all() == [f"{number}"]
                assert {key[0] for key in engine._compiled} >= {store.engine.dialect.name}
        compiled.append(len(engine._compiled))
    assert compiled[0] == compiled[1]
