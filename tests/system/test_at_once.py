"""Runs and readers at once: no error, and nobody sees half a month."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from affiliates.manifests.loader import read_group
from pipelines.ingestion import collect
from pipelines.licences import release_tests
from pipelines.store import contributions, publications
from pipelines.workflows.publish import note_tests
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.databases import both_databases, rows_of
from tests.support.groups import NOW, entity, events, product
from tests.tools.load import load, small_group

JANUARY = date(2025, 1, 1), date(2025, 1, 31)
HALF = """
select count(*) from publications as p
where (select count(*) from figures as f where f.publication = p.id) <> 5
   or (select count(*) from publications as q where q.month = p.month and q.known_at = p.known_at) <> 2
"""


@both_databases
def test_runs_and_readers_at_once(make: Callable[..., Path], store_url: str) -> None:
    """Four runs make the store and recompute a month that changes between them, while others read it."""
    seen = [(f"2025-01-{1 + i % 31:02}T12:00:00Z", f"u{i % 60}@example.com") for i in range(200)]
    directory = make([entity(n, [product(f"{n}-app")]) for n in ("a", "b")], {"events.parquet": events(seen)})
    group = read_group(directory)

    def work(number: int) -> None:
        for turn in range(3):
            run(directory, group, NOW + timedelta(minutes=1 + 10 * turn + number), *JANUARY)

    def look(_: int) -> None:
        for _ in range(30):
            with contributions.open_store(store_url, directory) as store, store.reading() as connection:
                assert connection.scalar(sa.text(HALF)) == 0

    run(directory, group, NOW, *JANUARY)
    events([*seen, ("2025-01-31T23:00:00Z", "late@example.com")]).write_parquet(directory / "events.parquet")
    with ThreadPoolExecutor(7) as pool:
        done = [pool.submit(work, i) for i in range(4)] + [pool.submit(look, i) for i in range(3)]
        for each in done:
            each.result()
    rows = rows_of(store_url, directory)
    assert len(rows["contributions"]) == 62 + 2  # One day of each product was replaced, once.
    assert len(rows["publications"]) == 4
    assert [r["estimate"] for r in rows["figures"] if (r["scope"], r["reading"]) == ("group", "unique_people")] == [60, 61]


@both_databases
def test_the_first_runs_at_once_make_one_store(make: Callable[..., Path], store_url: str) -> None:
    seen = [(f"2025-01-{1 + i % 31:02}T12:00:00Z", f"u{i % 60}@example.com") for i in range(200)]
    directory = make([entity("a", [product()])], {"events.parquet": events(seen)})
    group = read_group(directory)
    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(run, directory, group, NOW, *JANUARY) for _ in range(4)]:
            each.result()
    rows = rows_of(store_url, directory)
    assert (len(rows["contributions"]), len(rows["publications"])) == (31, 2)


@pytest.mark.thorough
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_short_load(postgres: sa.Engine, store_url: str, tmp_path: Path) -> None:
    """As `make load`, with fewer readers and for some seconds."""
    found = load(postgres, small_group(tmp_path, store_url, random.Random(0)), 6, readers=4)
    assert (found.errors, found.halves, found.differences, found.deadlocks) == ([], [], [], 0)
    for role in ("runs", "runs through Dagster", "backfills of 90 days", "reads"):
        assert found.done(role)


MARCH = date(2025, 3, 1)
"""Which Llama 4 tests."""
ONE_MONTH = {"from": "2025-03-01", "to": "2025-04-01", "sources": [{
    "files": "seen-{day}.parquet", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}],
}]}  # fmt: skip


def people_on(directory: Path, day: date, number: int) -> None:
    events([(f"{day}T12:00:00Z", f"u{i}@example.com") for i in range(number)]).write_parquet(directory / f"seen-{day}.parquet")


@pytest.fixture
def march(make: Callable[..., Path]) -> Path:
    """March 2025 of one product, published with 10 people, without its last day."""
    directory = make([entity("a", [product("app", **ONE_MONTH)])])
    for number in range(30):
        people_on(directory, MARCH + timedelta(number), 10)
    run(directory, read_group(directory), NOW)
    return directory


def last_tested(url: str, directory: Path) -> set[int | None]:
    """With how many people Llama 4 was tested last, under all readings."""
    query = "select estimate from licence_results where licence = 'llama-4'"
    with contributions.open_store(url, directory) as store, store.reading() as connection:
        return set(connection.scalars(sa.text(query)))


@both_databases
def test_licences_are_tested_by_what_is_published(march: Path, store_url: str) -> None:
    """While another run has stored days of a month and not published it, its results don't run ahead of the figures."""
    group = read_group(march)
    people_on(march, date(2025, 3, 31), 25)
    with Workspace(march, group, NOW + timedelta(1)) as workspace:
        collect.collect(workspace, *next(iter(group.products.items())))
        assert {o.estimate for t in note_tests(workspace, workspace.store(), {}) for o in t.readings.values()} == {None, 25}
    assert last_tested(store_url, march) == {10}
    run(march, group, NOW + timedelta(2))
    assert last_tested(store_url, march) == {25}


@both_databases
def test_results_of_figures_that_are_no_longer_in_force_are_not_noted(march: Path, store_url: str) -> None:
    """A slow run tests, another publishes, and the slow one notes: the results would be of the figures before."""
    group = read_group(march)
    with contributions.open_store(store_url, march) as store:
        stood, rows = (
            publications.in_force(store),
            release_tests.rows(list(release_tests.run_tests(store, group)), NOW + timedelta(1)),
        )
    people_on(march, date(2025, 3, 31), 25)
    run(march, group, NOW + timedelta(1))
    with contributions.open_store(store_url, march) as store:
        assert publications.append_tests(store, rows, stood) == 0
    assert last_tested(store_url, march) == {25}


def test_a_file_that_is_written_while_it_is_read_is_read_again(make: Callable[..., Path]) -> None:
    """Its first half looks like a broken file, and one of other columns like a contradiction."""
    directory = make([entity("a", [product("app", **ONE_MONTH)])])
    people_on(directory, MARCH, 10)
    group, steps = read_group(directory), [lambda: people_on(directory, MARCH, 25), lambda: cut_off(directory, MARCH)]

    def meanwhile(_: date) -> None:
        """Called when the files are found, and not read yet."""
        if steps:
            steps.pop()()

    with Workspace(directory, group, NOW) as workspace:
        workspace.edge = replace(workspace.edge, crosswalk=meanwhile)
        done = collect.collect(workspace, *next(iter(group.products.items())))
    assert (done.refusals, done.periods, steps) == ((), 1, [])


def cut_off(directory: Path, day: date) -> None:
    path = directory / f"seen-{day}.parquet"
    path.write_bytes(path.read_bytes()[:100])


@both_databases
def test_what_is_published_later_is_known_later(march: Path, store_url: str) -> None:
    """A run that began before another and publishes after it: else what was known when would change afterwards."""
    group = read_group(march)
    people_on(march, date(2025, 3, 31), 25)
    run(march, group, NOW - timedelta(hours=1))
    published = rows_of(store_url, march)["publications"]
    known = [p["known_at"] for p in sorted(published, key=lambda p: int(p["id"])) if p["reading"] == "unique_people"]
    assert (len(known), known == sorted(set(known))) == (2, True)
    assert last_tested(store_url, march) == {25}
