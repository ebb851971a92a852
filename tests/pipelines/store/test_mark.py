"""A store that is gone isn't made anew in silence. What would silently go wrong: signed figures vanish, and the next run makes
preliminary ones in their place, as if nobody had ever signed."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from affiliates.errors import Code, RefusedError
from affiliates.manifests.loader import read_group
from pipelines.runbook import Page
from pipelines.store import engine, mark
from pipelines.workflows.close import Signature, close_month
from pipelines.workspace import Workspace
from tests.support.command import mauwatch
from tests.support.databases import new_database
from tests.support.groups import NOW, entity, events, product, source
from tests.support.runs import go

Make = Callable[..., Path]
JANUARY = date(2025, 1, 1)
STORE = ".mauwatch/store.sqlite"


@pytest.fixture
def directory(make: Make) -> Path:
    """A month of one product, published and signed."""
    rows = [(f"2025-01-{day:02}T10:00:00Z", f"u{day % 9}@example.org") for day in range(1, 32)]
    directory = make([entity("a", [product("app", to="2025-02-01", sources=[source()])])], {"events.parquet": events(rows)})
    go(directory)
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close_month(workspace, JANUARY, Signature("Head of Finance"))
    return directory


def _removed(directory: Path) -> None:
    for path in directory.glob(f"{STORE}*"):
        path.unlink()


def _emptied(directory: Path) -> None:
    _removed(directory)
    (directory / STORE).touch()


def _linked(directory: Path) -> None:
    _removed(directory)
    (directory / STORE).symlink_to(directory / "volume" / "store.sqlite")


def _mistyped(directory: Path) -> None:
    settings = yaml.safe_load((directory / "group.yaml").read_text())
    (directory / "group.yaml").write_text(yaml.safe_dump(settings | {"store": "sqlite:///.mauwatch/stroe.sqlite"}))


def _without_tables(directory: Path) -> None:
    _removed(directory)
    database = sa.create_engine(f"sqlite:///{directory / STORE}")
    with database.begin() as connection:
        connection.execute(sa.text("create table somebody_elses (id integer)"))
    database.dispose()


GONE = [_removed, _emptied, _linked, _mistyped, _without_tables]


@pytest.mark.parametrize("happens", GONE, ids=lambda f: f.__name__.strip("_"))
def test_a_store_that_is_gone_is_refused_and_not_made_anew(directory: Path, happens: Callable[[Path], None]) -> None:
    before = sorted(path.name for path in (directory / ".mauwatch").iterdir())
    happens(directory)
    with pytest.raises(RefusedError) as refused:
        go(directory)
    (refusal,) = refused.value.refusals
    assert refusal.code == Code.STORE_GONE
    assert "--new-store" in refusal.next_step
    assert not {path.name for path in (directory / ".mauwatch").iterdir()} - set(before)
    for command in (["run"], ["measure", "--month", "2025-01"], ["close", "2025-01", "--by", "A"]):
        done = mauwatch(*command, "--group", directory)
        assert done.returncode == 2
        assert f"docs/runbook.md#{Page.GONE}" in done.stderr
    for looking in ("validate", "doctor"):
        done = mauwatch(looking, "--group", directory)
        assert done.returncode == 1
        assert "there was one, and there is none" in " ".join(done.stdout.split())


def test_a_new_store_can_be_meant(directory: Path) -> None:
    """Said once, it holds: the new store has a mark of its own."""
    _removed(directory)
    done = mauwatch("run", "--group", directory, "--new-store")
    assert done.returncode == 0, done.stdout + done.stderr
    assert mauwatch("run", "--group", directory).returncode == 0
    _removed(directory)
    assert mauwatch("run", "--group", directory).returncode == 2


def test_the_backup_that_comes_back_is_right(directory: Path) -> None:
    """The runbook's restore: the same store again, in its place, is no other store."""
    kept = {path.name: path.read_bytes() for path in directory.glob(f"{STORE}*")}
    _removed(directory)
    for name, content in kept.items():
        (directory / ".mauwatch" / name).write_bytes(content)
    assert not [finding for finding in go(directory).findings if finding.page == Page.GONE]


def test_an_older_copy_and_another_groups_store_are_told(directory: Path, make: Make) -> None:
    """A backup from before the month was signed shows the month as nobody's: said until somebody means it so."""
    kept = (directory / STORE).read_bytes()
    events([("2025-01-05T10:00:00Z", "new@example.org")]).write_parquet(directory / "more.parquet")
    manifest = yaml.safe_load((directory / "affiliates/a.yaml").read_text())
    manifest["products"].append(product("more", to="2025-02-01", sources=[source(files="more.parquet")]))
    (directory / "affiliates/a.yaml").write_text(yaml.safe_dump(manifest))
    go(directory)
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close_month(workspace, JANUARY, Signature("Head of Finance", restates="a product was missing", despite="few users"))
    _removed(directory)
    (directory / STORE).write_bytes(kept)
    for _ in range(2):
        assert [finding.page for finding in go(directory).findings if finding.page == Page.GONE] == [Page.GONE]
    with Workspace(directory, read_group(directory), NOW) as workspace, pytest.raises(RefusedError) as refused:
        close_month(workspace, JANUARY, Signature("Head of Finance", restates="a product was missing"))
    assert "isn't the one that was here" in str(refused.value)
    assert "isn't the one that was here" in " ".join(mauwatch("doctor", "--group", directory).stdout.split())
    assert mauwatch("run", "--group", directory, "--new-store").returncode in (0, 1)
    assert not [finding for finding in go(directory).findings if finding.page == Page.GONE]


def test_an_empty_database_of_postgresql_is_no_new_store(make: Make, postgres: sa.Engine) -> None:
    with new_database(postgres) as first, new_database(postgres) as second:
        rows = [("2025-01-05T10:00:00Z", "u@example.org")]
        entities = [entity("a", [product("app", to="2025-02-01", sources=[source()])])]
        directory = make(entities, {"events.parquet": events(rows)}, store=first)
        go(directory)
        make(entities, {}, store=second)
        with pytest.raises(RefusedError) as refused:
            go(directory)
        assert refused.value.refusals[0].code == Code.STORE_GONE
        assert not engine.exists(second, directory / "elsewhere")


def test_the_mark_cannot_be_read_or_written(directory: Path) -> None:
    """A damaged mark still says that there was a store; a store whose mark went gets another by the next run."""
    (directory / mark.MARK).write_text("nonsense")
    assert mark.read(directory) == mark.Head(0, "")
    _removed(directory)
    with pytest.raises(RefusedError):
        engine.exists(f"sqlite:///{STORE}", directory)
    os.remove(directory / mark.MARK)
    go(directory)
    head = mark.read(directory)
    assert head is not None
    assert head.number > 0
