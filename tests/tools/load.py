"""Many at once on PostgreSQL: `make load`.

Four processes run again and again, one of them through Dagster, a fifth computes 90 days anew, and 20 readers look at all
that is published, while day files are written again and new ones come. Nobody may meet an error or see half a month, and
afterwards the store holds what one run over the files as they then are would have put there.
"""

import argparse
import multiprocessing
import os
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from queue import Empty
from tempfile import TemporaryDirectory

import psycopg
import sqlalchemy as sa

from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from affiliates.periods import days_between, months_between
from pipelines.defs import in_process
from pipelines.store import contributions
from pipelines.workflows import run as workflows_run
from pipelines.workflows.report import Report
from tests.support.databases import new_database, running_postgres
from tests.support.groups import entity, events, product, write_group
from tests.tools.load_compared import compared, stands
from tests.tools.load_readers import Expected, Reader

FIRST, LAST = date(2025, 3, 1), date(2025, 5, 31)
"""Three whole months, of which Llama 4 tests the first."""
DAYS = days_between(FIRST, LAST)
MONTHS = months_between(FIRST, LAST)
ENTITIES, PRODUCTS = 4, 2
EXPECTED = Expected(readings=2, affiliates=ENTITIES, products=ENTITIES * PRODUCTS, months=len(MONTHS))
READERS, THREADS = 20, 5
"""Readers, and how many of them share a process."""
PAUSE = 0.5
"""Seconds between a reader's looks: without it they would leave no processor to those who write."""
START, END = 180, 240
"""Seconds that processes may take to begin, and to end what they are at when the time is over."""


@dataclass(frozen=True)
class Place:
    """Where the load is: the group directory and its store."""

    directory: Path
    url: str

    def group(self) -> Group:
        return read_group(self.directory)


@dataclass
class Outcome:
    """What one process did: how many times, how long each took, and what went wrong."""

    role: str
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    halves: list[str] = field(default_factory=list)

    def attempt(self, work: Callable[[], object]) -> None:
        began = time.monotonic()
        try:
            work()
        except Exception:  # noqa: BLE001 counted, and shown at the end
            self.errors.append(traceback.format_exc())
        self.seconds.append(time.monotonic() - began)


@dataclass(frozen=True)
class Found:
    """What all of them did, and what the database and the store say afterwards."""

    outcomes: list[Outcome]
    written: int
    """Day files that came or were written again."""
    connections: int
    """The most that were open at once."""
    deadlocks: int
    differences: list[str]
    """Between the store and one clean run over the same files."""

    @property
    def halves(self) -> list[str]:
        return [half for outcome in self.outcomes for half in outcome.halves]

    @property
    def errors(self) -> list[str]:
        return [error for outcome in self.outcomes for error in outcome.errors]

    def done(self, role: str) -> list[float]:
        return [seconds for outcome in self.outcomes if outcome.role == role for seconds in outcome.seconds]


def names() -> Iterator[tuple[str, str]]:
    for number in range(ENTITIES):
        for which in range(PRODUCTS):
            yield f"e{number}", f"p{number}{which}"


def write_day(directory: Path, name: str, day: date, chance: random.Random) -> None:
    """One product's day, put there whole: some of 400 people that all products share."""
    people = chance.sample(range(400), chance.randrange(5, 30))
    rows = [(f"{day}T12:00:00Z", f"u{person}@example.com") for person in people]
    path = directory / name / f"{day}.parquet"
    path.parent.mkdir(exist_ok=True)
    events(rows).write_parquet(path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def small_group(directory: Path, url: str, chance: random.Random) -> Place:
    """Four entities with two products each; of every product one day in eight hasn't come yet."""
    entities = []
    for number in range(ENTITIES):
        own = [name for owner, name in names() if owner == f"e{number}"]
        entities.append(entity(f"e{number}", [
            product(name, **{"from": f"{FIRST}", "to": f"{LAST + timedelta(1)}", "sources": [{
                "files": f"{name}/{{day}}.parquet", "time": "at", "identifiers": [{"column": "user", "namespace": "email"}],
            }]}) for name in own
        ]))  # fmt: skip
    write_group(directory, entities, store=url, lg_k=12)
    for number, (_, name) in enumerate(names()):
        for day in DAYS:
            if (day.toordinal() + number) % 8:
                write_day(directory, name, day, chance)
    return Place(directory, url)


def runs(place: Place, outcome: Outcome, again: Callable[[], bool]) -> None:
    """Run what is due, again and again; what a run refuses or finds is an error here."""
    run = in_process.run if outcome.role == "runs through Dagster" else workflows_run.run
    span = (LAST - timedelta(89), LAST) if outcome.role == "backfills of 90 days" else (None, None)

    def once() -> None:
        report: Report = run(place.directory, place.group(), datetime.now(UTC), *span)
        wrong = [str(refusal) for p in report.products for refusal in p.refusals] + list(map(str, report.findings))
        if wrong:
            raise AssertionError("; ".join(wrong))

    while again():
        outcome.attempt(once)


def reads(place: Place, outcome: Outcome, again: Callable[[], bool], number: int) -> None:
    """Look again and again: half of the readers as a dashboard that keeps the store open, half as a command that opens it."""
    group = place.group()
    reader = Reader(group, EXPECTED, outcome.halves)
    with psycopg.connect(place.url, autocommit=True) as plain, contributions.open_store(place.url, place.directory) as kept:

        def once() -> None:
            turn = number + len(outcome.seconds)
            reader.statement(plain)
            if number % 2:
                reader.look(kept, MONTHS[turn % len(MONTHS)], turn)
                return
            with contributions.open_store(place.url, place.directory) as store:
                reader.look(store, MONTHS[turn % len(MONTHS)], turn)

        while again():
            outcome.attempt(once)
            time.sleep(PAUSE)


def work(roles: Sequence[str], place: Place, seconds: float, ready: Barrier, outcomes: "Queue[Outcome]") -> None:
    """What one process does: its roles in threads, from when all processes have begun until the time is over."""
    ready.wait(START)
    end = time.monotonic() + seconds

    def one(number: int, role: str) -> Outcome:
        outcome = Outcome(role)
        try:
            if role == "reads":
                reads(place, outcome, lambda: time.monotonic() < end, number)
            else:
                runs(place, outcome, lambda: time.monotonic() < end)
        except Exception:  # noqa: BLE001 counted, and shown at the end
            outcome.errors.append(traceback.format_exc())
        return outcome

    with ThreadPoolExecutor(len(roles)) as pool:
        for outcome in pool.map(one, range(len(roles)), roles):
            outcomes.put(outcome)


def load(server: sa.Engine, place: Place, seconds: float, dagster: int = 1, readers: int = READERS) -> Found:
    """Let all of them work for so long, write files meanwhile, and compare at the end."""
    chance = random.Random(1)
    workflows_run.run(place.directory, place.group(), datetime.now(UTC))
    context = multiprocessing.get_context("spawn")  # Threads of polars and locks of the database don't survive a fork.
    single = ["runs through Dagster"] * dagster + ["runs"] * (4 - dagster) + ["backfills of 90 days"]
    roles = [[role] for role in single] + [["reads"] * min(THREADS, readers - i) for i in range(0, readers, THREADS)]
    ready, outcomes = context.Barrier(len(roles) + 1), context.Queue()
    processes: list[BaseProcess] = [context.Process(target=work, args=(r, place, seconds, ready, outcomes)) for r in roles]
    found, written, connections = list[Outcome](), 0, 0
    with ended(processes):
        ready.wait(START)
        end = time.monotonic() + seconds
        with server.connect() as watch:
            while time.monotonic() < end:
                # Some days side by side, then some of another time: as exports come, late or corrected.
                day = DAYS[(written // 12 * 31 + written % 4) % len(DAYS)]
                write_day(place.directory, chance.choice(list(names()))[1], day, chance)
                written += 1
                connections = max(connections, watch.scalar(sa.text("select count(*) from pg_stat_activity")) or 0)
                time.sleep(0.1)
        for _ in range(sum(map(len, roles))):
            try:
                found.append(outcomes.get(timeout=max(1, end + END - time.monotonic())))
            except Empty:
                found.append(Outcome("didn't end", errors=[f"one of {sum(map(len, roles))} hasn't ended after {END} seconds"]))
    workflows_run.run(place.directory, place.group(), datetime.now(UTC))
    with server.connect() as connection:
        deadlocks = connection.scalar(sa.text("select sum(deadlocks) from pg_stat_database")) or 0
    with new_database(server) as url:
        clean = place.group().model_copy(update={"settings": place.group().settings.model_copy(update={"store": url})})
        workflows_run.run(place.directory, clean, datetime.now(UTC))
        differences = list(compared(stands(place.url, place.directory), stands(url, place.directory)))
    return Found(found, written, connections, int(deadlocks), differences)


@contextmanager
def ended(processes: Sequence[BaseProcess]) -> Iterator[None]:
    """Start them, and leave none of them behind, whatever happens."""
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()


def table(found: Found) -> str:
    lines = ["|  | done | p50 (s) | p95 (s) |", "|---|---:|---:|---:|"]
    for role in dict.fromkeys(outcome.role for outcome in found.outcomes):
        done = sorted(found.done(role)) or [0.0]
        lines.append(f"| {role} | {len(done):,} | {done[len(done) // 2]:.2f} | {done[int(len(done) * 0.95)]:.2f} |")
    for name, number in (
        ("day files written", found.written), ("connections at most", found.connections), ("deadlocks", found.deadlocks),
        ("errors", len(found.errors)), ("half months seen", len(found.halves)),
        ("rows that differ from one clean run", len(found.differences)),
    ):  # fmt: skip
        lines.append(f"| {name} | {number:,} |  |  |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="how long")
    parser.add_argument("--dagster", type=int, default=1, help="how many of the four runs go through Dagster")
    chosen = parser.parse_args()
    with running_postgres() as server, new_database(server) as url, TemporaryDirectory(prefix="load-") as folder:
        found = load(server, small_group(Path(folder), url, random.Random(0)), chosen.seconds, chosen.dagster)
    print(table(found))
    wrong = Counter([*found.errors, *found.halves, *found.differences])
    for said, times in wrong.most_common(10):
        print(f"{times} times: {said}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
