"""`kill -9` in the middle of `mauwatch run`, and the run again: as if nobody had been killed.

What would silently go wrong: a product's day that is stored but half noted, a month that is published twice or by halves, or
a history of Dagster that the next run stumbles over.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from affiliates.periods import DAY, days_between
from pipelines.defs.in_process import run
from pipelines.store import contributions, ledger, publications
from pipelines.workflows import run as workflows_run
from tests.support.databases import SQLITE, rows_of
from tests.support.groups import NOW, entity, events, product, write_group
from tests.support.paths import ROOT

BEGIN, END = date(2025, 1, 22), date(2025, 2, 11)
DAYS = days_between(BEGIN, END - DAY)
NAMES = ("mail", "chat", "shop")
THOROUGH, QUICK = ((3, 3, 2), (3, 2, 2)), ((3,), (3,))
"""So many kills in a row of each victim: eight of a store's first run and seven of one that finds much changed, or three."""
PASSING = {
    "id", "contribution_id", "supersedes", "publication", "inputs", "contributions_to", "counts_to",
    "known_at", "computed_at", "seen_at", "files",
}  # fmt: skip
"""Numbers of rows and moments, and what tells a file from another: another run's, or another copy's, are others."""


def write(directory: Path, store_url: str, changed: bool) -> None:
    """Three products of two affiliates, 20 days of two months; `changed`: nine days anew, two more, and a number given."""
    there = DAYS[-11:] if changed else DAYS[:-2]
    files = {f"{name}-{day}.parquet": _day(name, day, 30 if changed else 25) for name in NAMES for day in there}
    life: dict[str, Any] = {"from": BEGIN, "to": END}
    products = [product(name, **life, sources=[_source(name)]) for name in NAMES]
    given = [{"month": "2025-02", "users": 50, "unit": "people", "document": "calls", "attested_by": "CFO"}] if changed else []
    phones = product("phones", **life, sources=[], counts=given)
    entities = [entity("a", products[:2]), entity("b", [*products[2:], phones])]
    write_group(directory, entities, files, store=store_url, lg_k=14)


def _source(name: str) -> dict[str, Any]:
    return {"files": f"{name}-{{day}}.parquet", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}]}


def _day(name: str, day: date, number: int) -> Any:
    return events([(f"{day}T12:00:00Z", f"{name[: i % 2]}{(day.day * 7 + i) % 90}@example.com") for i in range(number)])


@dataclass(frozen=True)
class Place:
    """A group directory with its store. Copies of one are run, killed and run again."""

    directory: Path
    store_url: str

    def copy(self, to: Path, another_store: Callable[..., str]) -> "Place":
        shutil.copytree(self.directory, to)
        copied = Place(to, another_store(self.store_url))
        settings = to / "group.yaml"
        settings.write_text(settings.read_text().replace(self.store_url, copied.store_url))
        return copied

    def run(self) -> None:
        """With this machine's clock, as the one that is killed: what an earlier moment finds stored counts as the future's."""
        assert not any(p.refusals for p in run(self.directory, read_group(self.directory), datetime.now(UTC)).products)

    def rows(self) -> dict[str, Counter[str]]:
        """Everything in the store, and how often, but for what another run has otherwise.

        Alerts and the log of runs speak of the moment of their run, which is another one's for each:
        tests/pipelines/alerts/test_delivery.py kills those.
        """
        tables = rows_of(self.store_url, self.directory)
        return {
            table: Counter(map(_as_text, rows)) for table, rows in tables.items() if table not in ("incidents", "ledger", "runs")
        }

    def in_force(self) -> Counter[str]:
        """The figures of the publications in force."""
        with contributions.open_store(self.store_url, self.directory) as store, store.snapshot() as snapshot:
            numbers = [publication.id for publication in publications.in_force(snapshot).values()]
            return Counter(_as_text(row) for number in numbers for row in publications.figures_of(snapshot, number))

    def stored(self) -> str:
        """How far a killed run had come, in words."""
        try:
            rows = rows_of(self.store_url, self.directory)
        except RefusedError:
            return "a store without tables"
        return f"{len(rows['contributions'])} contributions, {len(rows['publications'])} publications" if rows else "no store"


def _as_text(row: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in row.items() if k not in PASSING}, default=str)


class Victims:
    """`mauwatch run` in processes of their own that have imported everything before they begin."""

    def __enter__(self) -> "Victims":
        command = [sys.executable, "-W", "error", "-m", "tests.support.victim"]
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._line() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def run(self, directory: Path, killed_after: float | None = None) -> tuple[float, int]:
        """How long a run took, and its exit code; after so many seconds it is killed."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(["run", "--group", str(directory)]) + "\n")
        self.process.stdin.flush()
        number, started = int(self._line()), time.monotonic()
        if killed_after is not None:
            time.sleep(killed_after)
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        code = int(self._line())
        assert code in (0, 1, -signal.SIGKILL)
        return time.monotonic() - started, code

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


@pytest.mark.long
@pytest.mark.parametrize("store_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True)
def test_killed_and_run_again(
    tmp_path: Path, store_url: str, another_store: Callable[..., str], request: pytest.FixtureRequest
) -> None:
    """Kills spread over a run's duration, some of them of a run that goes on after another kill; `--thorough`: 15 on each
    database.

    Where a run has ended before its moment came, another one is killed a little earlier: all hit one that is under way.
    """
    first_run, later_run = THOROUGH if request.config.getoption("--thorough") else QUICK
    first = Place(tmp_path / "first", store_url)
    write(first.directory, store_url, changed=False)
    later = first.copy(tmp_path / "later", another_store)
    later.run()
    write(later.directory, later.store_url, changed=True)
    chance, hit, missed = random.Random(9), 0, 0
    with Victims() as victims:
        for base, numbers in ((first, first_run), (later, later_run)):
            clean = base.copy(tmp_path / f"{base.directory.name}-clean", another_store)
            whole, _ = victims.run(clean.directory)
            wanted, figures = clean.rows(), clean.in_force()
            moments = [(i + chance.random()) / sum(numbers) for i in range(sum(numbers))]
            chance.shuffle(moments)
            for name, number in enumerate(numbers):
                place = base.copy(tmp_path / f"{base.directory.name}-{name}", another_store)
                turn = sorted(moments.pop() for _ in range(number))
                takes = whole
                while turn:
                    moment = turn.pop(0)
                    took, code = victims.run(place.directory, killed_after=moment * takes)
                    if code == -signal.SIGKILL:
                        hit += 1
                    else:
                        missed += 1
                        takes = min(takes, took)  # The machine is less busy now, or less was left to do.
                        turn.insert(0, 0.8 * moment)
                    print(f"{base.directory.name} {name}: {code} after {moment:.0%}; {place.stored()}")
                place.run()
                assert place.rows() == wanted
                assert place.in_force() == figures
                with contributions.open_store(place.store_url, place.directory) as store:
                    assert ledger.faults(store) == [], "its entries have the moments of their runs, and are whole"
    print(f"{hit} kills hit a run that was under way, {missed} came when it had ended")
    assert hit == sum(first_run + later_run)


def test_a_day_is_stored_with_the_files_it_was_computed_from(make: Callable[..., Path]) -> None:
    """Else a run that ends between the two leaves a day whose file can change without anybody noticing, for ever."""
    directory = make([])
    write(directory, SQLITE, changed=False)
    with contributions.open_store(SQLITE, directory, create=True) as store, store.writing() as connection:
        connection.exec_driver_sql("create trigger full before insert on sources_seen begin select raise(abort, 'full'); end")
    with pytest.raises(RefusedError, match="can't be used"):
        workflows_run.run(directory, read_group(directory), NOW)
    with contributions.open_store(SQLITE, directory) as store, store.writing() as connection:
        connection.exec_driver_sql("drop trigger full")
    workflows_run.run(directory, read_group(directory), NOW)
    _day("mail", DAYS[3], 30).write_parquet(directory / f"mail-{DAYS[3]}.parquet")
    report = workflows_run.run(directory, read_group(directory), NOW + timedelta(1))
    assert report.products[0].received.replaced == 1
