"""Runs and readers at once: no error, and nobody sees half a month."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa

from affiliates.manifests import read_group
from pipelines import warehouse
from pipelines.run import run
from tests.conftest import NOW, both_databases, entity, events, product, rows_of

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
            with warehouse.opened(store_url, directory) as store, store.reading() as connection:
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
