"""One contender of `make bench`, in a process of its own: `python -m tests.tools.bench_one NAME FILE...` prints JSON.

Each is timed at its second run, and says what it found and the most memory that its process held. A run may return a
function that reads the answer once the time is taken.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

DAY = date(2025, 1, 1)
KEY = "c0de" * 16
LOOP = 5_000_000
"""Keys that the plain loop gets: so many take a few seconds."""


def _made(seed: str) -> Callable[[], dict[str, float]]:
    """700 million distinct keys that are made up as they are counted."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    from affiliates.sketches.kernels import hashing
    from affiliates.sketches.registers import Registers

    people, halves = 700_000_000, [np.zeros(1 << 21, np.uint8) for _ in range(2)]
    hashing.raise_simulated(np.zeros(1 << 21, np.uint8), np.uint64(0), 1000, np.uint64(1))

    def run() -> dict[str, float]:
        with ThreadPoolExecutor(2) as pool:
            salt, half = np.uint64(int(seed) * 0x1234567 + 1), people // 2
            list(pool.map(lambda i: hashing.raise_simulated(halves[i], np.uint64(i * half), half, salt), range(2)))
        return Registers(21, None, np.maximum(*halves)).bounds()._asdict()

    return run


def _datasketches(path: str) -> Callable[[], float]:
    """The plain loop, from the file's first row groups on."""
    import pyarrow.parquet as pq
    from datasketches import hll_sketch

    def run() -> float:
        sketch, left = hll_sketch(21), LOOP
        for batch in pq.ParquetFile(path).iter_batches(columns=["person_key"]):
            for key in batch.column(0)[:left].to_pylist():
                sketch.update(key)
            left -= min(left, batch.num_rows)
            if not left:
                break
        return float(sketch.get_estimate())

    return run


def _chdb(query: str, *_: str) -> Callable[[], float]:
    import chdb

    chdb.query("select 1")
    return lambda: float(str(chdb.query(query)))


def _duckdb(query: str, *_: str) -> Callable[[], float]:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set threads = 2")

    def run() -> float:
        found = connection.execute(query).fetchone()
        assert found is not None
        return float(found[0])

    return run


def _polars(path: str) -> Callable[[], float]:
    """Of a table of ready keys, different keys by day, audience and namespace, and the sum of these numbers."""
    import polars as pl

    cells = pl.scan_parquet(path).filter(pl.col("audience") != "canary").group_by("activity_date", "audience", "namespace")
    query = cells.agg(pl.col("person_key").approx_n_unique()).select(pl.col("person_key").sum())
    return lambda: float(query.collect(engine="streaming").item())


def _contribute(directory: str) -> Callable[[], Callable[[], float]]:
    """`mauwatch contribute` for the day, from the product's files to the file that is handed in: the sum of its cells."""
    from typer.testing import CliRunner

    from affiliates.contributions import contract
    from dashboards.cli.main import app

    day, file = str(DAY), Path(directory) / "contribution.parquet"

    def answer() -> float:
        (made,) = contract.read(file)
        return sum(part.registers.bounds().estimate for part in made.parts)

    def run() -> Callable[[], float]:
        file.unlink(missing_ok=True)
        done = CliRunner().invoke(app, ["contribute", "--group", directory, "--from", day, "--to", day, "-o", str(file)])
        if done.exit_code:
            raise SystemExit(f"contribute: {done.output} {done.exception}")
        return answer

    return run


def _events_polars(path: str) -> Callable[[], float]:
    """The same steps in plain polars: normalise, drop duplicates, key, count."""
    import polars as pl

    from affiliates.identity.keys import GroupKey, person_key

    normalised = pl.scan_parquet(path).select(email=pl.col("email").str.strip_chars().str.to_lowercase()).unique()
    query = normalised.select(person_key(pl.col("email"), "email", GroupKey(KEY, "1")).n_unique())
    return lambda: float(query.collect(engine="streaming").item())


def _measure(directory: str) -> Callable[[], float]:
    """40 products x 31 days of dense sketches in a store: united and measured."""
    from affiliates.manifests.loader import read_group
    from pipelines.counting import measure
    from pipelines.counting.inputs import gather
    from pipelines.store import contributions

    group = read_group(Path(directory))

    def run() -> float:
        with contributions.open_store(group.settings.store, Path(directory)) as store:
            inputs = gather(store, group, DAY, group.readings.readings[0])
            return float(measure.measure(store, group, inputs).group.estimate or 0)

    return run


def _day(through: str) -> Callable[[], int]:
    """The whole process that counts a day of 20 products of 100,000 users: `mauwatch run`, or the same without Dagster."""
    import polars as pl

    from tests.support.groups import entity, product, write_group

    plain = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; import dashboards.cli.main; "
        "from affiliates.manifests.loader import read_group; from dashboards.cli import console, tables; "
        "from pipelines.workflows.run import run; "
        "at = Path(sys.argv[1]); console.output().print(tables.report(run(at, read_group(at), datetime.now(UTC))))"
    )
    start = {"dagster": ["-m", "dashboards.cli.main", "run", "--group"], "plain": ["-c", plain]}[through]
    days = iter([date.today() - timedelta(2), date.today() - timedelta(1)])
    source = {"files": "{day}.parquet", "identifiers": [{"column": "user", "namespace": "email"}]}
    life = {"from": str(date.today() - timedelta(2)), "sources": [source]}
    kept = TemporaryDirectory(prefix="mauwatch-bench-")
    folder = Path(kept.name)
    write_group(folder, [entity(f"a{i}", [product(f"p{j}", **life) for j in range(5)]) for i in range(4)])
    users = pl.DataFrame({"user": [f"u{i}@example.com" for i in range(100_000)]})

    def run() -> int:
        users.write_parquet(folder / f"{next(days)}.parquet")
        done = subprocess.run([sys.executable, *start, str(folder)], capture_output=True, check=False, text=True)
        if done.returncode > 1 or done.returncode < 0:
            raise SystemExit(f"{through} in {kept.name}: {done.stderr}")
        return len(list(folder.glob("*.parquet")))

    return run


def _nothing_new(directory: str) -> Callable[[], int]:
    """The whole process of a day's first run that finds nothing new; gives how many months it has published, which are none.

    A later run of the day says again what the first one has said, and takes a fifth of the time.
    """
    from pipelines.workflows.unchanged import FILE

    def run() -> int:
        (Path(directory) / FILE).unlink(missing_ok=True)
        command = [sys.executable, "-m", "dashboards.cli.main", "run", "--group", directory, "--json"]
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        if done.returncode not in (0, 1):  # 1 is a finding, such as missing days.
            raise SystemExit(f"a run in {directory}: {done.stderr}")
        return len(json.loads(done.stdout)["published_months"])

    return run


def _links(number: str) -> Callable[[], int]:
    """So many links between half as many people's identifiers: clustered, and each person given a name."""
    import numpy as np

    from affiliates.crosswalks import clusters
    from affiliates.sketches.kernels import hashing

    size, people, rng = int(number), int(number) // 2, np.random.default_rng(1)
    keys = np.empty(4 * people, np.uint64)
    hashing.simulated_keys(np.uint64(0), np.uint64(7), keys)
    whose = rng.integers(0, people, size)
    one, other = keys[whose], keys[people + 3 * whose + rng.integers(0, 3, size)]
    del keys, whose

    def run() -> int:
        small, _ = clusters.cut_out(clusters.clusters_of(one, other), 100)
        return clusters.name_clusters(small, DAY, clusters.NO_NAMES)[1].new

    return run


def _overlaps(by: str, products: str, times: str) -> Callable[[], Callable[[], float]]:
    """All pairs of so many products of 5 million people at lgK 21, so many times; each shares a tenth with the one before.

    Gives the root of the mean squared error of the pairs' people in common.
    """
    import numpy as np
    from datasketches import hll_sketch, hll_union

    from affiliates.sketches.kernels import hashing
    from affiliates.sketches.overlap import pairwise
    from affiliates.sketches.registers import Registers

    people = 5_000_000
    common = people // 10
    named = {}
    for number in range(int(products)):
        values = np.zeros(1 << 21, np.uint8)
        hashing.raise_simulated(values, np.uint64(number * (people - common)), people, np.uint64(5))
        named[str(number)] = Registers(21, None, values)
    theirs = {name: hll_sketch.deserialize(sketch.to_image()) for name, sketch in named.items()}

    def included_and_excluded(one: hll_sketch, other: hll_sketch) -> float:
        union = hll_union(21)
        union.update(one)
        union.update(other)
        return float(one.get_estimate() + other.get_estimate() - union.get_estimate())

    def run() -> Callable[[], float]:
        for _ in range(int(times)):
            if by == "ours":
                numbers = {pair: measured.common.estimate for pair, measured in pairwise(named).items()}
            else:
                numbers = {
                    (one, other): included_and_excluded(theirs[one], theirs[other])
                    for one in theirs
                    for other in theirs
                    if int(one) < int(other)
                }
        errors = [n - (common if int(other) - int(one) == 1 else 0) for (one, other), n in numbers.items()]
        return lambda: float(np.sqrt(np.mean(np.square(errors))))

    return run


CONTENDERS: dict[str, Callable[..., Callable[[], Any]]] = {
    "made": _made, "datasketches": _datasketches, "chdb": _chdb, "duckdb": _duckdb, "polars": _polars,
    "contribute": _contribute, "events_polars": _events_polars, "measure": _measure, "day": _day,
    "nothing_new": _nothing_new, "links": _links, "overlaps": _overlaps,
}  # fmt: skip


def main() -> None:
    name, *arguments = sys.argv[1:]
    run = CONTENDERS[name](*arguments)
    if name != "made":  # Which would find its registers raised already.
        run()
    started = time.perf_counter()
    answer = run()
    seconds = time.perf_counter() - started
    if callable(answer):
        answer = answer()
    # Not getrusage: its peak is that of the process that started this one, where that was larger.
    said = Path("/proc/self/status").read_text()
    peak = int(said.partition("VmHWM:")[2].split()[0]) / (1 << 20)
    print(json.dumps({"seconds": seconds, "answer": answer, "gib": peak}))


if __name__ == "__main__":
    main()
