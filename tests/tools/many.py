"""How long many files, many products and many runs take: `python -m tests.tools.many OLD`.

OLD is a checkout with its own `.venv`. Both builds get a copy of the same made-up group, one after the other, and the ratios of
their times are printed:

- `inbox`: 5,000 files of 50 products that are handed in, a day each, taken by one `mauwatch receive`;
- `first-day`: 2,000 products of 20 affiliates, a day each, counted and published by the first `mauwatch run`.

`runs` is of this build alone: 200 runs in one process, each with a new day of events, of contributions that were handed in, or
with nothing new; printed are the open descriptors and the resident memory as they go.

The exit code is 1 where a ratio is over `--at-most`, or where descriptors or memory grow after the first runs.
"""

import argparse
import gc
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from affiliates.contributions import contract
from affiliates.contributions.contract import Contribution, Part
from affiliates.identity import canaries
from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from affiliates.sketches.registers import Registers
from pipelines.defs import in_process
from pipelines.ingestion import inbox
from pipelines.ingestion.receive import accepted_files
from pipelines.workflows.quiet_run import quiet_run
from pipelines.workflows.receive import publish_received, receive_files
from pipelines.workspace import Workspace
from tests.support.groups import KEY, entity, product, source, write_group
from tests.tools.nothing_new import ROOT, Took, took_by

BEGIN = date.today() - timedelta(days=120)
NOON = datetime.combine(date.today(), datetime.min.time(), UTC)
"""After all of it."""
LG_K = 21
USERS = 30
WARM = 40
"""Runs after which descriptors and memory have to stay as they are."""
MOST_GROWTH = 0.1
"""Of the memory after these runs."""


def write_inbox(directory: Path, affiliates: int, products: int, days: int) -> Path:
    """A group whose products are all handed in, and its inbox: a file for each product and day, of people of its own."""
    life = {"from": f"{BEGIN}", "sources": None, "namespaces": ["email"]}
    named = [(f"e{i:02}", [f"p{j:02}" for j in range(products)]) for i in range(affiliates)]
    write_group(directory, [entity(name, [product(p, **life) for p in of_entity]) for name, of_entity in named])
    for number, (affiliate, name) in enumerate((a, p) for a, of_entity in named for p in of_entity):
        for day in range(days):
            people = number * days + day
            file = box(directory, affiliate) / f"{name}-{BEGIN + timedelta(day)}.parquet"
            hand_in(file, affiliate, name, BEGIN + timedelta(day), people)
    return directory


def box(directory: Path, affiliate: str) -> Path:
    """The affiliate's folder of the inbox, made where there is none."""
    folder = directory / inbox.INBOX / affiliate
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def hand_in(
    file: Path, affiliate: str, name: str, day: date, first: int, later: timedelta = timedelta(), users: int = USERS
) -> None:
    """Write a day's contribution of so many people, from number `first` times a thousand on, as it lay there an hour ago.

    It was computed on the next day at noon, or so much `later`.
    """
    keys = np.arange(first * 1000, first * 1000 + users, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    canary = canaries.image("email", GroupKey(KEY, "1"), LG_K)
    part = Part("external", "email", Registers.from_keys(LG_K, keys), users, users, canary)
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + timedelta(days=1) + later
    contribution = Contribution(
        affiliate, name, "day", day, "1", "", canaries.UNICODE, 0, 0, "seen/1", None, "UTC", at, "by hand", (part,)
    )
    contract.write(file, [contribution])
    hour_ago = time.time() - 3600
    os.utime(file, (hour_ago, hour_ago))


def write_first_day(directory: Path, affiliates: int, products: int) -> Path:
    """A group of products of one day, each with a file of its own people."""
    files = {}
    entities = []
    for i in range(affiliates):
        of_entity = []
        for j in range(products):
            file = f"data/e{i:02}-p{j:03}.csv"
            sources = [source(files=file, complete_through=f"{BEGIN}")]
            life = {"from": f"{BEGIN}", "to": f"{BEGIN + timedelta(1)}", "sources": sources}
            of_entity.append(product(f"p{j:03}", **life))
            rows = "".join(f"{BEGIN}T10:00:00Z,u{(i * products + j) * USERS + n}@example.com\n" for n in range(USERS))
            files[file] = f"at,user\n{rows}".encode()
        entities.append(entity(f"e{i:02}", of_entity))
    return write_group(directory, entities, files)


def compare(old: Path, original: Path, command: str, folder: Path) -> tuple[float, float]:
    """Let both builds carry out the command on a copy each, and print their times; new over old, elapsed and processor's."""
    took = dict[str, Took]()
    for name, checkout in (("old", old), ("new", ROOT)):
        group = Path(shutil.copytree(original, folder / f"{original.name}-{name}"))
        took[name] = took_by(checkout, command, group)
        print(f"{original.name}, {name}: {took[name].elapsed:.1f} s, processor {took[name].processor:.1f} s", flush=True)
    ratios = took["new"].elapsed / took["old"].elapsed, took["new"].processor / took["old"].processor
    print(f"{original.name}: ratio {ratios[0]:.3f}, of the processor's time {ratios[1]:.3f}", flush=True)
    return ratios


def write_running(directory: Path) -> Path:
    """A group of a product with sources and one that is handed in, for runs day by day."""
    life = {"from": f"{BEGIN}"}
    app = product("app", **life, sources=[source(files="data/{day}.csv", complete_through=None)])
    handed = product("handed", **{"from": f"{BEGIN - timedelta(1)}"}, sources=None, namespaces=["email"])
    write_group(directory, [entity("a", [app]), entity("b", [handed])], lg_k=12)
    (directory / "data").mkdir()
    return directory


def run_one(directory: Path, number: int) -> None:
    """One run of many: a third of them with a new day of events, a third with a file in the inbox, a third with nothing new."""
    day = BEGIN + timedelta(number // 3)
    now = datetime(day.year, day.month, day.day, 6, tzinfo=UTC) + timedelta(days=1, minutes=number)
    kind = number % 3
    if kind == 0:
        rows = "".join(f"{day}T10:00:00Z,u{number}-{n}@example.com\n" for n in range(USERS))
        (directory / f"data/{day}.csv").write_text(f"at,user\n{rows}")
    group = read_group(directory)
    if kind == 1:
        hand_in(box(directory, "b") / f"{day}.parquet", "b", "handed", day - timedelta(1), number)
        with Workspace(directory, group, now) as workspace:
            waiting = inbox.waiting(directory, time.time(), accepted_files(workspace))
            session = receive_files(workspace, waiting.offers)
            assert [file.outcome for file in session.files] == ["accepted"]
            publish_received(workspace, session)
        return
    report = quiet_run(directory, group, now)
    if report is None:
        report = in_process.run(directory, group, now)
    assert not any(product_run.refusals for product_run in report.products)


def use() -> tuple[int, int]:
    """This process's open descriptors, and its resident memory in bytes."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return len(os.listdir("/proc/self/fd")), pages * os.sysconf("SC_PAGE_SIZE")


def runs(directory: Path, number: int, show: Callable[[str], None]) -> Iterator[tuple[int, int]]:
    """Descriptors and bytes after each of many runs in this process."""
    for done in range(number):
        run_one(directory, done)
        used = use()
        if (done + 1) % 20 == 0:
            show(f"run {done + 1} of {number}: {used[0]} descriptors, {used[1] / 2**20:,.0f} MiB")
        yield used


def are_flat(used: list[tuple[int, int]], warm: int = WARM) -> bool:
    """Whether neither descriptors nor memory grow after the first runs."""
    descriptors, memory = used[warm - 1]
    last = used[-9:]  # The most of three runs of each kind.
    return max(d for d, _ in last) <= descriptors and max(m for _, m in last) <= memory * (1 + MOST_GROWTH)


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("--only", nargs="+", choices=("inbox", "first-day", "runs"), default=("inbox", "first-day", "runs"))
    parser.add_argument("--size", type=float, default=1.0, help="a share of the files, products and runs")
    parser.add_argument("--at-most", type=float, default=0.4, metavar="RATIO")
    given = parser.parse_args()
    is_good = True
    with TemporaryDirectory(prefix="mauwatch-many-") as name:
        folder = Path(name)
        if "inbox" in given.only:
            original = write_inbox(folder / "inbox", 10, 5, round(100 * given.size))
            is_good &= compare(given.old.resolve(), original, "receive", folder)[0] <= given.at_most
        if "first-day" in given.only:
            original = write_first_day(folder / "first-day", 20, round(100 * given.size))
            is_good &= compare(given.old.resolve(), original, "run", folder)[0] <= given.at_most
        if "runs" in given.only:
            used = list(runs(write_running(folder / "runs"), round(200 * given.size), lambda text: print(text, flush=True)))
            is_good &= are_flat(used, min(WARM, len(used) // 2))
    sys.exit(not is_good)


if __name__ == "__main__":
    main()
