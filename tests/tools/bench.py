"""`make bench`: how fast it is beside others in the same run, and how exact, forecasts too; writes bench.md and bench.json.

What is measured of mauwatch is what its commands do; the page names the command of each row. Each measurement is a process
of its own; contenders take turns, so that a machine that slows down slows all of them; the median of the turns counts, and
ratios are those of medians.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import polars as pl
from rich.console import Console

from affiliates.contributions.contract import Contribution, Part
from affiliates.identity import canaries
from affiliates.identity.keys import GroupKey
from affiliates.identity.normalisation import NORMALISATION
from affiliates.manifests.source import PERSON_KEY_COLUMNS
from affiliates.sketches.arrays import Keys
from affiliates.sketches.kernels import hashing
from affiliates.sketches.registers import Registers
from pipelines.records import AcceptedContribution
from pipelines.store import contributions
from tests.support.groups import NOW, entity, product, write_group
from tests.support.paths import TESTS
from tests.tools import backtest, web_bench
from tests.tools.bench_one import DAY, KEY, LOOP

HERE = TESTS
TURNS = 3
KEYS, ROWS, PEOPLE = 50_000_000, 50_000_000, 5_000_000
SUPERSET = ".venv-superset"
"""An environment in the checkout with apache-superset (`web_superset`): without one its row says so."""
OURS = "`mauwatch contribute`"
Result = dict[str, Any]
PROGRESS = Console(stderr=True)


def one(*arguments: object) -> Result:
    """Run a contender in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.tools.bench_one", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parent,
    )
    if done.returncode:
        raise SystemExit(f"{arguments[0]}: {done.stderr[-2000:]}")
    found: Result = json.loads(done.stdout.splitlines()[-1])
    return found


def turns(contenders: dict[str, tuple[object, ...]], number: int = TURNS) -> dict[str, Result]:
    """Medians of so many turns of each."""
    found: dict[str, list[Result]] = {name: [] for name in contenders}
    for turn in range(number):
        for name, arguments in contenders.items():
            PROGRESS.print(f"turn {turn + 1} of {number}: {name}")
            found[name].append(one(*arguments))
    return {
        name: {"seconds": median(r["seconds"] for r in rs), "gib": max(r["gib"] for r in rs), "answer": rs[0]["answer"]}
        for name, rs in found.items()
    }


def ready_keys(path: Path, number: int, compression: Literal["uncompressed", "zstd"]) -> None:
    """A table of ready keys as an engine that hashes writes one: each key once, in any order, of three audiences and two
    namespaces; and the canaries' keys."""
    digits, rng = np.frombuffer(b"0123456789abcdef", np.uint8), np.random.default_rng(number)
    audiences = pl.Series(["external"] * 97 + ["internal"] + ["automated"] * 2)
    namespaces = pl.Series(["email"] * 7 + ["device"] * 3)

    def rows(keys: Keys, **columns: Any) -> pl.DataFrame:
        wide = keys.byteswap().view(np.uint8).reshape(-1, 8)
        texts = np.stack((digits[wide >> 4], digits[wide & 15]), axis=2).reshape(-1, 16)
        frame = pl.DataFrame({"person_key": texts.view("S16").ravel().astype(str)})
        nothing = {"unidentified_events": pl.lit(0, pl.Int64), "undecided_events": pl.lit(0, pl.Int64)}
        return frame.with_columns(**columns, **nothing, crosswalk_digest=pl.lit("")).select(*PERSON_KEY_COLUMNS)

    def parts() -> Iterator[pl.DataFrame]:
        for start in range(0, number, 1 << 20):
            keys = np.empty(min(1 << 20, number - start), np.uint64)
            hashing.simulated_keys(np.uint64(start), np.uint64(7), keys)
            yield rows(
                keys,
                activity_date=pl.lit(DAY),
                audience=audiences.gather(rng.integers(0, len(audiences), len(keys))),
                namespace=namespaces.gather(rng.integers(0, len(namespaces), len(keys))),
                events=pl.Series(rng.geometric(0.3, len(keys)), dtype=pl.Int64),
            )
        for namespace in ("email", "device"):
            yield rows(
                canaries.keys(namespace, GroupKey(KEY, "1")).to_numpy(),
                activity_date=pl.lit(None, pl.Date),
                audience=pl.lit("canary"),
                namespace=pl.lit(namespace),
                events=pl.lit(1, pl.Int64),
            )

    pl.concat(parts()).write_parquet(path, row_group_size=1 << 20, compression=compression)


def group_of(directory: Path, source: dict[str, Any]) -> Path:
    """A group with one product, whose source this is."""
    return write_group(directory, [entity("shop", [product("app", sources=[source])])])


def keys(folder: Path) -> Iterator[Result]:
    """Keys that an engine has made, to a contribution."""
    kinds: tuple[Literal["uncompressed", "zstd"], ...] = ("uncompressed", "zstd")
    paths = {kind: folder / f"{kind}-{DAY}.parquet" for kind in kinds}
    for kind, path in paths.items():
        ready_keys(path, KEYS, kind)
    of_spark = _spark([*paths.values()])
    for kind, path in paths.items():
        group = group_of(folder / kind, {"files": f"{folder}/{kind}-{{day}}.parquet", "person_keys": ["email", "device"]})
        cells = "where audience <> 'canary' group by activity_date, audience, namespace"
        house = f"select uniqCombined64(20)(person_key) as n from file('{path}', Parquet) {cells}"
        duck = f"select approx_count_distinct(person_key) as n from '{path}' {cells}"
        found = turns(
            {
                OURS: ("contribute", group),
                "chdb uniqCombined64(20)": ("chdb", f"select sum(n) from ({house})"),
                "DuckDB approx_count_distinct": ("duckdb", f"select sum(n) from ({duck})"),
                "polars approx_n_unique": ("polars", path),
                "datasketches, a plain loop": ("datasketches", path),
            }
        )
        if of_spark:
            found["Spark hll_sketch_agg(21)"] = of_spark[str(path)]
        for name, result in found.items():
            number = min(LOOP, KEYS) if "loop" in name else KEYS
            error = result["answer"] / number - 1
            yield _row(f"{_millions(KEYS)} ready keys, {kind}", name, number, result, found[OURS], KEYS, error)


def _millions(number: int) -> str:
    return f"{number / 1e6:g} M"


def _spark(paths: list[Path]) -> dict[str, Result]:
    if len(sys.argv) < 2:
        return {}
    PROGRESS.print("Spark")
    done = subprocess.run(
        [sys.argv[1], Path(__file__).with_name("bench_spark.py"), *paths], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"Spark: {done.stderr[-2000:]}")
    found: dict[str, Result] = json.loads(done.stdout.splitlines()[-1])
    return found


def _row(test: str, name: str, number: int, result: Result, ours: Result, our_number: int, error: float | None) -> Result:
    rate = number / result["seconds"] / 1e6
    return {
        "test": test, "contender": name, "million_per_second": rate, "seconds": result["seconds"],
        "ratio": our_number / ours["seconds"] / 1e6 / rate, "error": error, "gib": result.get("gib"),
    }  # fmt: skip


def raw_events(path: Path, rows: int, people: int) -> None:
    """Events of a day, in random order, each person's at least once; strings plainly encoded."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(rows)
    order = rng.permutation(np.concatenate([np.arange(people), rng.integers(0, people, rows - people)]))
    names = pl.select(pl.concat_str(pl.lit("Member"), pl.int_range(people).cast(pl.String).str.zfill(8), pl.lit("@example.com")))
    with pq.ParquetWriter(path, pa.schema([("email", pa.string())]), compression="zstd", use_dictionary=False) as writer:
        for start in range(0, rows, 1 << 20):
            writer.write_table(
                pa.table({"email": names.to_series().gather(order[start : start + (1 << 20)]).to_arrow().cast(pa.string())})
            )


def source_of(files: str) -> dict[str, Any]:
    """Files of events by day, with a column of e-mail addresses."""
    return {"files": files, "identifiers": [{"column": "email", "namespace": "email"}]}


def events(folder: Path) -> Iterator[Result]:
    """Raw events: normalise, keyed SHA-256, distinct."""
    path = folder / f"events-{DAY}.parquet"
    raw_events(path, ROWS, PEOPLE)
    normalised = "(select distinct lower(trim({0}(email))) as e from {1})"
    duck = f"select count(distinct sha256(concat('{KEY}', 'email', chr(31), e))) from {normalised.format('', repr(str(path)))}"
    from_file = f"file('{path}', Parquet)"
    house = f"select uniqExact(SHA256(concat('{KEY}', 'email', char(31), e))) from {normalised.format('', from_file)}"
    group = group_of(folder / "group", source_of(f"{folder}/events-{{day}}.parquet"))
    found = turns(
        {
            OURS: ("contribute", group),
            "DuckDB, exact": ("duckdb", duck),
            "chdb, exact": ("chdb", house),
            "plain polars, exact": ("events_polars", path),
        }
    )
    for name, result in found.items():
        test = f"{_millions(ROWS)} events of {_millions(PEOPLE)} people"
        yield _row(test, name, ROWS, result, found[OURS], ROWS, result["answer"] / PEOPLE - 1)


def many(_: Path, seeds: int = 10) -> Iterator[Result]:
    """700 million distinct keys."""
    for seed in range(seeds):
        PROGRESS.print(f"700 million keys, seed {seed}")
        result = one("made", seed)
        estimate, lower, upper = (result["answer"][k] for k in ("estimate", "lower", "upper"))
        yield {
            "seed": seed, "estimate": round(estimate), "lower": int(lower), "upper": int(upper) + 1,
            "error": estimate / 700e6 - 1, "holds": bool(lower <= 700e6 <= upper), "seconds": result["seconds"],
        }  # fmt: skip


def curve(folder: Path) -> Iterator[Result]:
    """1, 2, 4 and 8 times the events, a tenth as many people."""
    sizes = [ROWS // 4 * times for times in (1, 2, 4, 8)]
    for size in sizes:
        raw_events(folder / f"curve-{size}-{DAY}.parquet", size, size // 10)
    groups = {size: group_of(folder / str(size), source_of(f"{folder}/curve-{size}-{{day}}.parquet")) for size in sizes}
    found = turns({str(size): ("contribute", group) for size, group in groups.items()}, 5)
    first = found[str(sizes[0])]["seconds"] / sizes[0]
    for size in sizes:
        result = found[str(size)]
        per_row = result["seconds"] / size
        yield {"rows": size, "ns_per_row": per_row * 1e9, "ratio": per_row / first, "gib": result["gib"]}


def union(folder: Path) -> Iterator[Result]:
    """40 products x 31 days of dense sketches, from the store to the group's figure."""
    key, days = GroupKey(KEY, "1"), [DAY + timedelta(i) for i in range(31)]
    directory = write_group(folder / "union", [entity("a", [product(f"p{i}", sources=None) for i in range(40)])])
    with contributions.open_store("sqlite:///.mauwatch/store.sqlite", directory, create=True) as store:
        for number in range(40):
            received = [_dense(number, day, key) for day in days]
            store.append_contributions([AcceptedContribution(c, NOW, key.fingerprint) for c in received], NOW)
    found = turns({"union": ("measure", directory)}, 3)["union"]
    yield {"sketches": 40 * 31, "seconds": found["seconds"], "gib": found["gib"]}


def overlaps(_: Path) -> Iterator[Result]:
    """People whom two products have in common, from sketches in memory: one pair, and all pairs of 40 products.

    One pair has no error here: a single draw says nothing of it.
    """
    for products, times in ((2, 20), (40, 1)):
        peer = "inclusion and exclusion by datasketches hll_union"
        found = turns(
            {
                "joint likelihood": ("overlaps", "ours", products, times),
                peer: ("overlaps", "datasketches", products, times),
            }
        )
        for name, result in found.items():
            yield {
                "pairs": products * (products - 1) // 2, "contender": name, "seconds": result["seconds"] / times,
                "ratio": result["seconds"] / found["joint likelihood"]["seconds"],
                "error": result["answer"] if products > 2 else None, "gib": result["gib"],
            }  # fmt: skip


def orchestration(_: Path) -> Iterator[Result]:
    """A day of 20 products as `mauwatch run` counts it, and without Dagster."""
    found = turns({"plain": ("day", "plain"), "dagster": ("day", "dagster")}, 5)
    yield {name: result["seconds"] for name, result in found.items()}


def nothing_new(folder: Path) -> Iterator[Result]:
    """A day's run with nothing new, on the store of the demo at real size."""
    PROGRESS.print("the demo, for a run with nothing new")
    demo: list[str | Path] = [sys.executable, "-m", "dashboards.cli.main", "demo", folder / "demo", "--json"]
    subprocess.run(demo, check=True, stdout=subprocess.DEVNULL, cwd=HERE.parent)
    found = turns({"run": ("nothing_new", folder / "demo")}, 5)["run"]
    yield {"seconds": found["seconds"], "published": found["answer"], "gib": found["gib"]}


def joining(_: Path, number: int = 10_000_000) -> Iterator[Result]:
    """Links between identifiers, in memory, to people with names."""
    found = turns({"links": ("links", number)})["links"]
    yield {"links": number, "people": found["answer"], "seconds": found["seconds"], "gib": found["gib"]}


def whatif(_: Path) -> Iterator[Result]:
    """A what-if on a group of 40 products."""
    PROGRESS.print("what-if")
    command = [sys.executable, "-m", "tests.tools.bench_whatif"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parent)
    if done.returncode:
        raise SystemExit(f"what-if: {done.stderr[-2000:]}")
    yield json.loads(done.stdout.splitlines()[-1])


def dashboard(_: Path) -> Iterator[Result]:
    """The dashboard in a browser, with 50 people at once, and beside others' pages."""
    PROGRESS.print("dashboard")
    environment = HERE.parent / SUPERSET
    more = ["--superset", environment] if (environment / "bin" / "superset").exists() else []
    command = [sys.executable, "-m", "tests.tools.web_bench", "--json", *map(str, more)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=HERE.parent)
    if done.returncode:
        raise SystemExit("dashboard: see above")
    yield json.loads(done.stdout.splitlines()[-1])


def _dense(number: int, day: date, key: GroupKey) -> Contribution:
    values = np.zeros(1 << 21, np.uint8)
    hashing.raise_simulated(values, np.uint64(number * 3_000_000 + day.day * 200_000), 5_000_000, np.uint64(1))
    part = Part("external", "email", Registers(21, None, values), None, None, canaries.image("email", key, 21))
    return Contribution(
        "a", f"p{number}", "day", day, key.epoch, "", NORMALISATION, 0, 0, "seen/1", None, "UTC", NOW, "bench", (part,)
    )


def markdown(found: dict[str, Any]) -> str:
    machine = found["machine"]
    lines = [
        "# How fast, and how exact",
        f"By `make bench` on {machine['day']}: {machine['processor']}, {machine['cores']} cores, {machine['gib']:.0f} GiB, "
        f"Python {machine['python']}. Medians of {TURNS} turns (of the cost curve and of `mauwatch run` 5), each the second run "
        "of a process of its own. A ratio is how many times as fast mauwatch is in the same run; GiB is the most memory that the "
        "process held.",
        "",
        f"{OURS} goes from the product's files to the file that is handed in, with all checks and the canaries; ready keys are a "
        "source with `person_keys`, raw events one with `identifiers`. The others count ready keys by day, audience and "
        "namespace and check nothing; the plain loop takes 5 M keys of one column, one by one.",
        "",
        "| test | contender | M/s | ratio | error | GiB |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for r in [*found["keys"], *found["events"]]:
        gib = "–" if r["gib"] is None else f"{r['gib']:.1f}"
        lines.append(
            f"| {r['test']} | {r['contender']} | {r['million_per_second']:.1f} | {r['ratio']:.2f} | {r['error']:+.3%} | {gib} |"
        )
    lines += [
        "",
        "700 million distinct keys, lgK 21, two threads: how exact one sketch is. The keys are made up as they are hashed, as "
        "`mauwatch demo` counts most of its people.",
        "",
        "| seed | estimate | 95 % interval | error | holds | s |",
    ]
    lines += ["|--:|--:|--:|--:|---|--:|"]
    lines += [
        f"| {r['seed']} | {r['estimate']:,} | {r['lower']:,} to {r['upper']:,} | {r['error']:+.3%} "
        f"| {'yes' if r['holds'] else 'no'} | {r['seconds']:.1f} |"
        for r in found["many"]
    ]
    lines += [
        "",
        f"Cost curve of {OURS}: a tenth as many people as events.",
        "",
        "| events | ns each | ratio | GiB |",
    ]
    lines += ["|--:|--:|--:|--:|"]
    lines += [f"| {r['rows']:,} | {r['ns_per_row']:.1f} | {r['ratio']:.2f} | {r['gib']:.2f} |" for r in found["curve"]]
    (u,) = found["union"]
    lines += [
        "",
        f"{u['sketches']:,} dense sketches (40 products x 31 days), from the store to all figures, as `mauwatch measure --month` "
        f"takes them: {u['seconds']:.1f} s.",
    ]
    lines += [
        "",
        "## Overlap",
        "How many people two products of 5 million have in common, at lgK 21, from sketches in memory, on two threads; each "
        "shares a tenth with the one before. The error is the root of the mean squared error of a pair, in people.",
        "",
        "| pairs | contender | s | ratio | error | GiB |",
        "|--:|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {r['pairs']} | {r['contender']} | {r['seconds']:.4f} | {r['ratio']:.2f} "
        f"| {'–' if r['error'] is None else format(round(r['error']), ',')} | {r['gib']:.1f} |"
        for r in found["overlaps"]
    ]
    lines += ["", "## Whole commands"]
    (o,) = found["orchestration"]
    lines += [
        "",
        f"A day of 20 products with 100,000 users each, the whole process: {o['dagster']:.1f} s by `mauwatch run`, "
        f"{o['plain']:.1f} s without Dagster.",
    ]
    (n,) = found["nothing_new"]
    lines += [
        "",
        f"A day's run with nothing new, on the store of `mauwatch demo` at real size, the whole process: {n['seconds']:.1f} s by "
        f"`mauwatch run`, {n['published']} months published.",
    ]
    (j,) = found["joining"]
    lines += [
        "",
        f"{j['links']:,} links in memory to {j['people']:,} people with names, as `mauwatch crosswalk` joins what it "
        f"has read: {j['seconds']:.1f} s, {j['gib']:.1f} GiB.",
    ]
    (w,) = found["whatif"]
    lines += [
        "",
        f"A what-if on {w['products']} products at lgK 21, {w['months']} months ahead, {w['paths']:,} paths, as `mauwatch "
        f"whatif` answers it once the sketches are loaded: {w['answer']:.2f} s of processor time; the months again with one "
        f"assumption changed: {w['slider'] * 1000:.0f} ms.",
    ]
    lines += ["", web_bench.markdown(found["dashboard"][0])]
    return "\n".join([*lines, *backtest.markdown(found["forecasts"])]) + "\n"


def machine() -> Result:
    said = Path("/proc/cpuinfo")
    model = next((line.partition(":")[2].strip() for line in said.read_text().splitlines() if line.startswith("model name")), "")
    return {
        "day": f"{date.today()}", "processor": model or platform.processor(), "cores": os.cpu_count(),
        "gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30), "python": platform.python_version(),
    }  # fmt: skip


def main() -> None:
    found: dict[str, Any] = {"machine": machine()}
    tests = (
        keys, events, many, curve, union, overlaps, orchestration, nothing_new, joining, whatif, dashboard,
        backtest.forecasts,
    )  # fmt: skip
    for test in tests:
        with TemporaryDirectory(prefix="mauwatch-bench-") as folder:
            found[test.__name__] = list(test(Path(folder)))
    (HERE / "bench.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (HERE / "bench.md").write_text(markdown(found), encoding="utf-8")
    print(markdown(found))


if __name__ == "__main__":
    main()
