"""Keys that somebody else has made, from a table to registers: a key lost on the way is a person lost."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from datasketches import hll_sketch

from affiliates.aggregation import availability, contribute, ready_keys
from affiliates.contributions.contract import Contribution
from affiliates.crosswalks import snapshot
from affiliates.crosswalks.snapshot import Crosswalk
from affiliates.errors import RefusedError
from affiliates.identity import canaries
from affiliates.identity.keyring import Keyring
from affiliates.identity.keys import PERSON, GroupKey
from affiliates.manifests.product import AUDIENCES, Product, ProductRef
from affiliates.manifests.settings import Settings
from affiliates.manifests.source import Source
from affiliates.sketches.arrays import Keys
from affiliates.sketches.registers import Registers
from affiliates.sources import resolve
from affiliates.sources.file_checks import check_file
from affiliates.sources.file_formats import READ_ERRORS
from tests.support.groups import KEY, NOW

FIRST = date(2025, 1, 1)
SCHEMA = {
    "activity_date": pl.Date, "audience": pl.String, "namespace": pl.String, "person_key": pl.String, "events": pl.Int64,
    "unidentified_events": pl.Int64, "undecided_events": pl.Int64, "crosswalk_digest": pl.String,
}  # fmt: skip
NAMESPACES = ("email", "device")
PLACES = {"since": pl.Int32, "audience": pl.Int16, "namespace": pl.Int16}


def some(number: int, seed: int = 0) -> Keys:
    return np.random.default_rng((number, seed)).integers(0, 2**64, number, dtype=np.uint64)


def as_text(keys: Keys) -> pl.Series:
    return pl.Series("person_key", [f"{key:016x}" for key in keys.tolist()], pl.String)


def table(keys: pl.Series, **changes: Any) -> pl.DataFrame:
    """One event of each key, on one day, by external users in the namespace `email`."""
    row = {
        "activity_date": FIRST, "audience": "external", "namespace": "email", "events": 1, "unidentified_events": 0,
        "undecided_events": 0, "crosswalk_digest": "",
    } | changes  # fmt: skip
    columns = {name: pl.lit(value, SCHEMA[name]) for name, value in row.items()}
    return keys.rename("person_key").to_frame().with_columns(**columns).select(*SCHEMA)


CANARIES = pl.concat(
    table(as_text(canaries.keys(n, GroupKey(KEY, "1")).to_numpy()), activity_date=None, audience="canary", namespace=n)
    for n in NAMESPACES
)


def contributed(
    directory: Path,
    files: str,
    lg_k: int = 12,
    grain: str = "day",
    days: Sequence[date] = (FIRST,),
    joined: Crosswalk | None = None,
) -> list[Contribution]:
    """Contributions of a source of ready keys, by somebody who has no key."""
    source = {"files": files, "person_keys": NAMESPACES} | ({} if "{day}" in files else {"complete_through": "2025-01-31"})
    product = Product.model_validate(
        {"product": "app", "from": days[0], "grain": grain, "active": {"id": "seen", "meaning": "was seen"}, "sources": [source]}
    )
    settings = Settings.model_validate({"group": "g", "ultimate_parent": "p", "key": {"file": "group.key"}, "lg_k": lg_k})
    context = contribute.EdgeContext(directory, settings, Keyring(settings, directory), lambda month: joined, NOW)
    sources = resolve.find("shop/app", product, directory, "UTC")
    periods = availability.periods_present(sources, product, list(days), "UTC", NOW)
    passes = contribute.contribute(ProductRef("shop", "app"), product, sources, periods, context)
    return [contribution for one_pass in passes for contribution in one_pass]


def registers_of(directory: Path, keys: pl.Series, lg_k: int = 12, **options: Any) -> Registers:
    """The registers of external users of `email` that a Parquet file of keys gives."""
    pl.concat([table(keys), CANARIES]).write_parquet(directory / "keys.parquet", **options)
    return of_email(contributed(directory, "keys.parquet", lg_k))


def of_email(contributions: list[Contribution]) -> Registers:
    (contribution,) = contributions
    return next(part.registers for part in contribution.parts if (part.audience, part.namespace) == ("external", "email"))


@pytest.mark.parametrize("lg_k", [12, 21])
@pytest.mark.parametrize("number", [0, 1, 255, 256, 257, 5_000, 300_001])
def test_texts_give_the_registers_of_the_keys(tmp_path: Path, number: int, lg_k: int) -> None:
    """Blocks of 256 have a rest; few keys keep their coupons, many don't."""
    keys = some(number)
    expected = Registers.from_keys(lg_k, keys)
    registers = registers_of(tmp_path, as_text(keys), lg_k, row_group_size=1000)
    assert registers.digest() == expected.digest()
    assert (registers.coupons is None) == (expected.coupons is None)


def test_they_are_the_librarys_registers(tmp_path: Path) -> None:
    """Other registers than another engine's sketch of the same keys would count the same people twice."""
    keys = np.append(some(40_000), np.array([0, 2**64 - 1, 0x0123456789ABCDEF, 0xFEDCBA9876543210], np.uint64))
    sketch = hll_sketch(12)
    for key in keys.tolist():
        sketch.update(f"{key:016x}")
    theirs = Registers.from_image(bytes(sketch.serialize_compact()))
    assert registers_of(tmp_path, as_text(keys)).digest() == theirs.digest()


def mixed(number: int, days: Sequence[date]) -> pl.DataFrame:
    """Rows of several days, audiences and namespaces in any order, some without a key, most keys more than once."""
    rng = np.random.default_rng(number)
    rows = pl.DataFrame(
        {
            "activity_date": rng.choice(np.array(days, "datetime64[D]"), number),
            "audience": [AUDIENCES[i] for i in rng.integers(0, len(AUDIENCES), number)],
            "namespace": [(*NAMESPACES, PERSON)[i] for i in rng.choice(3, number, p=[0.5, 0.4, 0.1])],
            "person_key": as_text(some(number // 3)[rng.integers(0, number // 3, number)]),
            "events": rng.integers(0, 9, number),
            "unidentified_events": rng.integers(0, 2, number),
            "undecided_events": rng.integers(0, 2, number),
            "crosswalk_digest": [""] * number,
        },
        schema=SCHEMA,
    )
    nobody = pl.Series(rng.random(number) < 0.05)
    return rows.with_columns(
        pl.when(~nobody).then("person_key").alias("person_key"),
        pl.when(~nobody).then("namespace").alias("namespace"),
        pl.when(nobody).then(0).otherwise("events").alias("events"),
    )


Counted = dict[date, tuple[dict[tuple[str, str], tuple[str, int]], int, int]]


def by_definition(rows: pl.DataFrame, joined: Crosswalk | None) -> Counted:
    """By period: digest of the registers and events of each cell; unidentified and undecided events. Row by row."""
    people = dict(joined.table.iter_rows()) if joined else {}
    keys = defaultdict[Any, set[int]](set)
    events = defaultdict[Any, int](int)
    not_counted = defaultdict[date, list[int]](lambda: [0, 0])
    for day, audience, namespace, text, n_events, unidentified, undecided, _ in rows.iter_rows():
        not_counted[day][0] += unidentified
        not_counted[day][1] += undecided
        if text is not None:
            key = int(text, 16)
            cell = day, (audience, PERSON if key in people else namespace)
            keys[cell].add(people.get(key, key))
            events[cell] += n_events
    cells: dict[date, dict[tuple[str, str], tuple[str, int]]] = defaultdict(dict)
    for (day, cell), numbers in keys.items():
        digest = Registers.from_keys(12, np.array(sorted(numbers), np.uint64)).digest()
        cells[day][cell] = (digest, events[day, cell])
    return {day: (cells[day], unidentified, undecided) for day, (unidentified, undecided) in not_counted.items()}


@pytest.mark.parametrize("joins", [False, True])
@pytest.mark.parametrize("grain", ["day", "month"])
def test_cells_are_those_of_the_definition(tmp_path: Path, grain: str, joins: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches of other sizes than the files and row groups, with days that aren't asked for."""
    monkeypatch.setattr(ready_keys, "BATCH_ROWS", 777)
    days = [date(2025, 1, d) for d in range(1, 32)] if grain == "month" else [date(2025, 1, d) for d in (1, 2, 4)]
    there = [FIRST] if grain == "month" else [*days, date(2025, 1, 3), date(2025, 1, 9)]
    rows = mixed(20_000, there)
    keys = some(20_000 // 3)
    joined = snapshot.from_keys(keys[::2], some(len(keys[::2]), 1)) if joins else None
    if joined:  # A person's key stands in the snapshot, or the table is refused.
        people = pl.Series(as_text(joined.people).to_list()).sample(rows.height, with_replacement=True, seed=1)
        is_person = (pl.col("namespace") == PERSON) & pl.col("person_key").is_not_null()
        rows = rows.with_columns(person_key=pl.when(is_person).then(people).otherwise("person_key"))
    proved = pl.concat([CANARIES, CANARIES.filter(namespace="email").with_columns(namespace=pl.lit(PERSON))])
    (tmp_path / "keys").mkdir()
    for number, part in enumerate([rows[:5_000], proved, rows[5_000:5_001], rows[5_001:]]):
        part.write_parquet(tmp_path / "keys" / f"{number}[1].parquet", row_group_size=301)
    counted = {
        c.activity_date: (
            {
                (p.audience, p.namespace): (p.registers.digest(), p.events)
                for p in c.parts
                if p.events or not p.registers.is_empty
            },
            c.unidentified_events,
            c.undecided_events,
        )
        for c in contributed(tmp_path, "keys", grain=grain, days=days, joined=joined)
    }
    expected = {day: of_day for day, of_day in by_definition(rows, joined).items() if day in days}
    assert counted == expected


def test_a_long_backfill_of_many_namespaces_keeps_its_cells_apart() -> None:
    """With 32,760 cells of users, a canary's number has more than 16 bits: in fewer, it would be no cell, or another's."""
    days = [FIRST + timedelta(n) for n in range(520)]
    namespaces = [f"n{i}" for i in range(21)]
    grid = ready_keys._Grid(days, FIRST, {day: day for day in days}, namespaces)
    rows = pl.DataFrame({"since": [519, None], "audience": [2, 3], "namespace": [20, 20]}, schema_overrides=PLACES)
    cells = rows.select(grid.numbered(*map(pl.col, rows.columns))).to_series().to_list()
    assert cells == [grid.n_user_cells - 1, grid.n_user_cells + 20]
    assert grid.cell(cells[0]) == (days[-1], "automated", "n20")


@pytest.mark.parametrize(
    "text",
    [
        "0123456789ABCDEF", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg", "0123456789abcd/f", "0123456789abcd:f",
        "0123456789abcd`f", "0123456789abcd@f", "0123456789abcdé", "g123456789abcdef", "short", "", "0123456789abcdef" * 4,
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    """An engine that writes capitals, or hashes to another length, would make other people of all."""
    for texts in ([text], ["0123456789abcdef", text], [text] + ["0123456789abcdef"] * 300):
        with pytest.raises(RefusedError, match=r"texts that are no key.*1 row") as refused:
            registers_of(tmp_path, pl.Series(texts))
        assert "0123" not in str(refused.value)


@pytest.mark.parametrize("dtype", [pl.UInt64, pl.Int64, pl.Float64, pl.Binary, pl.Categorical])
def test_a_column_of_another_type_is_refused(tmp_path: Path, dtype: Any) -> None:
    keys = as_text(some(100)).cast(dtype) if dtype in (pl.Binary, pl.Categorical) else pl.Series(range(100), dtype=dtype)
    table(keys).write_parquet(tmp_path / "keys.parquet")
    with pytest.raises(RefusedError, match="keys must be text"):
        contributed(tmp_path, "keys.parquet")


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_table_of_keys_has_no_other_column(tmp_path: Path, ending: str) -> None:
    """Identifiers beside the keys they were made of: the table is handled as one that holds none."""
    rows = table(as_text(some(3))).with_columns(pl.lit("alice@example.org").alias("alice@example.org"))
    writing: Any = {"parquet": rows.write_parquet, "csv": rows.write_csv, "jsonl": rows.write_ndjson}[ending]
    writing(tmp_path / f"k.{ending}")
    source = Source.model_validate({"files": f"k.{ending}", "person_keys": ["email"], "complete_through": "2025-01-31"})
    with pytest.raises(RefusedError, match=r"a table of keys has other columns beside its own \(no\. 9 of 9\)") as error:
        check_file(tmp_path / f"k.{ending}", ending, source, "a/app")
    assert "alice" not in str(error.value)


def test_days_with_a_time_are_refused(tmp_path: Path) -> None:
    """They are no day of the period: without a word, nobody would be counted."""
    rows = pl.concat([table(as_text(some(100))), CANARIES])
    rows.with_columns(pl.col("activity_date").cast(pl.Datetime)).write_parquet(tmp_path / "keys.parquet")
    with pytest.raises(RefusedError, match="days must be dates"):
        contributed(tmp_path, "keys.parquet")


def test_files_of_two_kinds_are_refused_whichever_comes_first(tmp_path: Path) -> None:
    """A file of numbers must not slip in behind one of keys."""
    (tmp_path / "keys").mkdir()
    keys = some(5_000)
    pl.concat([table(as_text(keys)), CANARIES]).write_parquet(tmp_path / "keys" / "b.parquet")
    for series in (pl.Series(keys), pl.Series(keys.view(np.int64)), pl.Series(keys.view(np.float64))):
        for name in ("a.parquet", "c.parquet"):
            table(series).write_parquet(tmp_path / "keys" / name)
            with pytest.raises(RefusedError):
                contributed(tmp_path, "keys")
            (tmp_path / "keys" / name).unlink()


@pytest.mark.parametrize(
    "options",
    ["codec gzip", "codec brotli", "codec lz4_raw", "codec zstd, parquet_version v2", "codec snappy", "codec uncompressed"],
)
def test_what_another_engine_writes_counts_the_same(tmp_path: Path, options: str) -> None:
    """DuckDB: dictionaries, pages of the second version, other codecs; with keys that come again."""
    keys = np.concatenate([some(20_000), some(200, 1).repeat(50)])
    rows = pl.concat([table(as_text(keys)), CANARIES])
    rows.write_parquet(tmp_path / "ours.parquet")
    path = tmp_path / "keys.parquet"
    ours = f"(select * from '{tmp_path}/ours.parquet')"
    duckdb.connect().execute(f"copy {ours} to '{path}' (format parquet, {options}, row_group_size 4096)")
    assert of_email(contributed(tmp_path, "keys.parquet")).digest() == Registers.from_keys(12, keys).digest()


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    """Read as far as it goes, it would be a day of fewer users."""
    registers_of(tmp_path, as_text(some(5_000)))
    path = tmp_path / "keys.parquet"
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(RefusedError, match="read"):
        contributed(tmp_path, "keys.parquet")


def _read_damaged(directory: Path, compression: Any, first: int) -> None:
    """Damage a file in 150 ways, and read what comes of each from the way `first` on; a line of `outcomes` begins each."""
    rng = random.Random(compression)
    registers_of(directory, as_text(some(3_000)), compression=compression, row_group_size=1_000)
    path = directory / "keys.parquet"
    whole = path.read_bytes()
    with (directory / "outcomes").open("a", buffering=1) as outcomes:
        for turn in range(150):
            damaged = bytearray(whole)
            near_end = turn % 2 == 0
            for _ in range(rng.choice([1, 1, 3, 30])):
                at = rng.randrange(max(0, len(whole) - 700), len(whole)) if near_end else rng.randrange(len(whole))
                damaged[at] = rng.randrange(256)
            damaged = damaged[: rng.choice([len(damaged), len(damaged), rng.randrange(len(damaged))])]
            if turn < first:
                continue
            path.write_bytes(damaged)
            outcomes.write(f"\n{turn} ")
            try:
                registers = of_email(contributed(directory, "keys.parquet"))
            except RefusedError:
                outcomes.write("refused")
                continue
            try:
                rows = pl.read_parquet(path)
            except READ_ERRORS:
                outcomes.write("refused by polars")
                continue
            theirs = rows.filter(pl.col("person_key").is_not_null(), activity_date=FIRST, audience="external", namespace="email")
            keys = np.array([int(text, 16) for text in theirs["person_key"]], np.uint64)
            outcomes.write("the same" if registers.digest() == Registers.from_keys(12, keys).digest() else "wrong")


@pytest.mark.parametrize("compression", ["uncompressed", "zstd", "snappy"])
def test_damaged_files_count_as_polars_reads_them_or_are_refused(tmp_path: Path, compression: Any) -> None:
    """Foreign bytes in footer, heads and pages: no hang, and never registers that polars' reading doesn't give.

    In a process of its own, since polars 2.1.0 may end the process on such a file (decision 114).
    """
    first, ends = 0, 0
    while first < 150:
        process = get_context("spawn").Process(target=_read_damaged, args=(tmp_path, compression, first))
        process.start()
        process.join(120)
        assert process.exitcode is not None, "it hangs"
        assert process.exitcode <= 0, "an error that nobody foresaw"
        turns = [line.partition(" ") for line in (tmp_path / "outcomes").read_text().split("\n") if line]
        ends += process.exitcode < 0
        first = int(turns[-1][0]) + 1
    outcomes = [outcome for _, _, outcome in turns]
    assert len(outcomes) == 150
    assert "wrong" not in outcomes
    assert outcomes.count("refused") > 100
    assert "the same" in outcomes
    assert ends == outcomes.count("") <= 5


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_what_the_query_left_out_comes_along(tmp_path: Path, ending: str) -> None:
    """A condition that never holds would else give zero people, and no number that says how many events it left out."""
    rows = table(as_text(some(5))).with_columns(excluded_events=pl.lit(7, pl.Int64))
    proofs = CANARIES.with_columns(excluded_events=pl.lit(0, pl.Int64))
    nobody = rows.head(1).with_columns(
        person_key=pl.lit(None, pl.String), namespace=pl.lit(None, pl.String), events=pl.lit(0, pl.Int64)
    )
    frame = pl.concat([rows, nobody, proofs])
    path = tmp_path / f"keys.{ending}"
    writers: dict[str, Callable[[], None]] = {
        "parquet": lambda: frame.write_parquet(path),
        "csv": lambda: frame.write_csv(path),
        "jsonl": lambda: frame.write_ndjson(path),
    }
    writers[ending]()
    (contribution,) = contributed(tmp_path, f"keys.{ending}")
    assert contribution.excluded_events == 6 * 7


def test_an_older_table_tells_nothing_of_it(tmp_path: Path) -> None:
    """A zero in the place of `not known` would be a statement that nobody has made."""
    pl.concat([table(as_text(some(5))), CANARIES]).write_parquet(tmp_path / "keys.parquet")
    (contribution,) = contributed(tmp_path, "keys.parquet")
    assert contribution.excluded_events is None


def test_a_table_of_nobody_is_refused(tmp_path: Path) -> None:
    """All of 300 events left out by the query's condition: no day without users."""
    nothing = table(pl.Series("person_key", [None], pl.String), namespace=None, events=0)
    rows = nothing.with_columns(excluded_events=pl.lit(300, pl.Int64))
    pl.concat([rows, CANARIES.with_columns(excluded_events=pl.lit(0, pl.Int64))]).write_parquet(tmp_path / "keys.parquet")
    with pytest.raises(RefusedError, match="conditions leave out all of them"):
        contributed(tmp_path, "keys.parquet")


def test_events_of_rows_without_a_key_are_refused(tmp_path: Path) -> None:
    """A join that gives no key makes everybody nobody: the events are there, and the people silently gone."""
    lost = table(pl.Series("person_key", [None] * 50, pl.String), events=3)
    pl.concat([table(as_text(some(50))), lost, CANARIES]).write_parquet(tmp_path / "keys.parquet")
    with pytest.raises(RefusedError, match=r"events of rows without a key \(50 rows\)"):
        contributed(tmp_path, "keys.parquet")


@pytest.mark.parametrize("people", ["the snapshot's", "one that it doesn't have"])
def test_people_are_the_snapshots(tmp_path: Path, people: str) -> None:
    """A warehouse's join on an empty person id makes one key of everybody; the digest of its crosswalk says nothing of that."""
    joined = snapshot.from_keys(some(50), some(50, 1))
    keys = joined.people if people == "the snapshot's" else np.zeros(1, np.uint64)
    rows = table(as_text(keys), namespace=PERSON, crosswalk_digest=joined.digest)
    proof = table(as_text(canaries.keys(PERSON, GroupKey(KEY, "1")).to_numpy()), audience="canary", namespace=PERSON)
    pl.concat([rows, proof, CANARIES]).write_parquet(tmp_path / "keys.parquet")
    if people == "the snapshot's":
        (contribution,) = contributed(tmp_path, "keys.parquet", joined=joined)
        assert [part.registers.at_least for part in contribution.parts if part.namespace == PERSON] == [50]
    else:
        with pytest.raises(RefusedError, match="people whom the month's crosswalk doesn't have"):
            contributed(tmp_path, "keys.parquet", joined=joined)
