"""A store that somebody has edited by SQL, or that was restored in part: `verify` names each edit, and nothing is signed of it.

What would silently go wrong: rows of a day's users are lost or swapped, the figure falls, and the store is "as it was noted".
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from affiliates.errors import Code, RefusedError
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from pipelines.evidence import verify_store
from pipelines.figures import query
from pipelines.store import contributions, erasure
from pipelines.store.contributions import ContributionStore
from pipelines.store.erasure import Order, Scope
from pipelines.workflows import close
from pipelines.workflows.close import Signature
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.command import answer
from tests.support.groups import NOW, entity, events, product, source, write_group
from tests.support.receipts import outcomes, take
from tests.support.wrong_contributions import row, write

MARCH = date(2025, 3, 1)
COUNT = {"month": "2025-03", "users": 40, "unit": "people", "document": "report of March", "attested_by": "Head of Data"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real store of March 2025: own sources, files handed in, a count, an erasure; closed, and closed again."""
    directory = tmp_path_factory.mktemp("whole") / "group"
    life: dict[str, Any] = {"from": "2025-02-01", "to": "2025-04-01"}
    own = source(files="seen.parquet", complete_through="2025-03-31")
    entities = [
        entity("a", [product("app", sources=[], **life), product("tv", sources=[own], **life)]),
        entity("b", [product("old", sources=[], counts=[COUNT], **life)]),
    ]
    write_group(directory, entities)
    rows = [(f"{date(2025, 2, 1) + timedelta(n // 10)}T12:00:00Z", f"u{n}@example.com") for n in range(590)]
    events(rows).write_parquet(directory / "seen.parquet")
    run(directory, read_group(directory), NOW)
    first = write(directory / "march.parquet", *(row(MARCH + timedelta(n), number=100 + n) for n in range(31)))
    assert outcomes(take(directory, first, sender="a")) == ["new"] * 31
    late = row(MARCH, number=250, computed_at=NOW - timedelta(days=1))
    assert outcomes(take(directory, write(directory / "again.parquet", late), sender="a")) == ["replaced"]
    bad = write(directory / "bad.parquet", row(MARCH, crosswalk_digest="f" * 64))
    assert take(directory, bad, sender="a").refused
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close.close_month(workspace, MARCH, Signature("Head of Finance", despite="the first days are late"))
        scope = Scope(affiliate="a", product="tv", first_day=date(2025, 2, 1), last_day=date(2025, 2, 1))
        erasure.erase(workspace.store(), scope, Order("Privacy Officer", "a request"), NOW)
    with Workspace(directory, read_group(directory), NOW + timedelta(hours=1)) as workspace:
        manifest = yaml.safe_load((directory / "affiliates" / "b.yaml").read_text())
        manifest["products"][0]["counts"][0]["users"] = 41
        (directory / "affiliates" / "b.yaml").write_text(yaml.safe_dump(manifest))
    run(directory, read_group(directory), NOW + timedelta(hours=1))
    with Workspace(directory, read_group(directory), NOW + timedelta(hours=2)) as workspace:
        close.close_month(workspace, MARCH, Signature("Head of Finance", "the first days are late", restates="another count"))
    return directory


@pytest.fixture
def directory(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "group"))


def edit(execute: Callable[[str], Any], name: str) -> int:
    """Edit a store past all of our code; gives how many rows changed. `execute` carries out a statement."""
    # Until the transaction ends nobody asks for the other row: whoever edits by SQL can leave it out, too.
    days = "select id from contributions where product = 'app' and activity_date = '2025-03-03'"
    for statement in (
        "pragma defer_foreign_keys = on",
        f"create temp table a_day as {days}",
        "create temp table newest as select max(id) as id from publications",
        "create temp table earlier as select min(id) as id from publications where month = '2025-03-01'",
    ):
        execute(statement)
    return sum(execute(statement).rowcount for statement in EDITS[name][0])


def edited(directory: Path, name: str) -> None:
    """Edit the store for good."""
    connection = sqlite3.connect(directory / ".mauwatch" / "store.sqlite")
    with connection:
        edit(connection.execute, name)
    connection.close()


@pytest.fixture(scope="module")
def opened(whole: Path) -> Iterator[tuple[ContributionStore, Group]]:
    """The store that nobody edits for good, and its group."""
    group = read_group(whole)
    with contributions.open_store(group.settings.store, whole) as store:
        yield store, group


def test_a_store_that_nobody_has_edited_is_right(opened: tuple[ContributionStore, Group]) -> None:
    """A cry about a right store would be looked away from."""
    verification = verify_store.check(*opened)
    assert verification.wrong == []
    assert [line.partition(":")[0] for line in verification.unknown] == [
        "sources_seen",
        "outlooks, outlook_months, clause_results, month_changes, range_parts, unique_additions, product_overlaps, runs",
        "whether the ledger is the one of that time",
    ]


def _edits() -> dict[str, tuple[list[str], str]]:
    """By name, an edit's statements, and what `verify` has to say of it."""
    text = (Path(__file__).parents[2] / "data" / "sql_edits.sql").read_text(encoding="utf-8")
    edits = dict[str, tuple[list[str], str]]()
    for block in text.split("\n\n")[1:]:
        head, *lines = block.strip().splitlines()
        name, _, where = head.removeprefix("-- ").partition(" | ")
        edits[name] = ([statement.strip() for statement in " ".join(lines).split(";") if statement.strip()], where)
    return edits


EDITS = _edits()


@pytest.mark.parametrize("name", EDITS)
def test_each_edit_by_sql_is_found_by_name(opened: tuple[ContributionStore, Group], name: str) -> None:
    """By hand, in the database, where no program of ours stands in the way."""
    where = EDITS[name][1]
    store, group = opened
    with store.engine.connect() as connection, connection.begin() as transaction:
        assert edit(connection.exec_driver_sql, name) > 0, "the edit changes nothing"
        wrong = verify_store.check(ContributionStore(store.engine, connection), group).wrong
        transaction.rollback()
    assert [sentence for sentence in wrong if where in sentence], wrong


def test_an_earlier_head_is_missed(directory: Path) -> None:
    """A ledger that is cut off, with the rows, fits itself: the printed head alone shows it."""
    head = str(answer("verify", "--group", directory)["head"])
    assert answer("verify", "--group", directory, "--head", head)["wrong"] == []
    edited(directory, "the newest entry is deleted")
    assert "the head that was printed" in str(answer("verify", "--group", directory, "--head", head, code=1)["wrong"])


@pytest.mark.parametrize("name", ["a day's parts are deleted", "all days point at one day's sketch", "a part has fewer events"])
def test_nothing_is_measured_or_signed_of_it(directory: Path, name: str) -> None:
    """Each of these was a figure that was low, complete and signed."""
    edited(directory, name)
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store, pytest.raises(RefusedError) as measured:
        query.figures_of_month(store, group, MARCH, group.readings.readings[0], anew=True)
    assert (measured.value.refusals[0].code, "contribution " in str(measured.value)) == (Code.STORE_DAMAGED, True)
    with Workspace(directory, group, NOW + timedelta(days=1)) as workspace, pytest.raises(RefusedError) as closed:
        close.close_month(workspace, MARCH, Signature("Head of Finance", despite="as it is", restates="again"))
    assert closed.value.refusals[0].code == Code.STORE_DAMAGED


def test_what_the_ledger_misses_keeps_a_month_open(directory: Path) -> None:
    """A correction that is gone leaves the lower version in force: no digest of what is there shows it."""
    edited(directory, "the correction is deleted")
    with Workspace(directory, read_group(directory), NOW + timedelta(days=1)) as workspace, pytest.raises(RefusedError) as closed:
        close.close_month(workspace, MARCH, Signature("Head of Finance", restates="again"))
    assert closed.value.refusals[0].code == Code.MONTH_CHECKS_RED
    assert "ledger: contributions: the rows" in str(closed.value)
