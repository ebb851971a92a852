"""What only lies among a source's files: counted, it is people whom nobody committed; left out in silence, people may be lost."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from affiliates.errors import Code, RefusedError
from affiliates.sources.leftovers import HIDDEN, IN_HIDDEN, OF_THE_SYSTEM, UNFINISHED, why_left_out
from tests.support.event_files import JANUARY, contributions, encoded, users
from tests.support.groups import entity, events, product, source
from tests.support.runs import go
from tests.support.services import Put
from tests.support.tables import found_in, group_of

Make = Callable[..., Path]

DAY = date(2025, 1, 5)
LEFT_BY_OTHERS = {
    "_temporary/0/task_2025_0000_m_000001/part-1.parquet": IN_HIDDEN, "_SUCCESS": HIDDEN, "._SUCCESS.crc": HIDDEN,
    ".part-0.parquet.crc": HIDDEN, ".spark-staging-8f2c/part-1.parquet": IN_HIDDEN, ".hive-staging_1/1.parquet": IN_HIDDEN,
    "_committed_5120963843": HIDDEN, "_started_5120963843": HIDDEN, "_metadata": HIDDEN, "._events.parquet": HIDDEN,
    ".DS_Store": HIDDEN, "__MACOSX/._a.parquet": IN_HIDDEN, ".snapshot/hourly.0/a.csv": IN_HIDDEN, ".Trash-1/a.csv": IN_HIDDEN,
    ".syncthing.a.parquet.tmp": HIDDEN, ".a.parquet.Xy3k9Q": HIDDEN, ".nfs0000000000c0ffee": HIDDEN, ".a.parquet.swp": HIDDEN,
    "__magic_job-1/part-1.parquet": IN_HIDDEN, ".~lock.a.csv#": HIDDEN, "year=2025/_temporary/part-1.parquet": IN_HIDDEN,
    "a.parquet.tmp": UNFINISHED, "a.parquet.part": UNFINISHED, "a.parquet.crdownload": UNFINISHED, "a.parquet.crswap": UNFINISHED,
    "part-7-0.inprogress.8f2c-11": UNFINISHED, "a.csv._COPYING_": UNFINISHED, "a.csv.filepart": UNFINISHED,
    "a.sync-conflict-20250105-101500-ABCDEF7.csv": UNFINISHED, "a.csv.partial": UNFINISHED, "a.in-progress": UNFINISHED,
    "Thumbs.db": OF_THE_SYSTEM, "desktop.ini": OF_THE_SYSTEM, "lost+found/a.parquet": OF_THE_SYSTEM, "a.csv~": OF_THE_SYSTEM,
    "~$a.xlsx": OF_THE_SYSTEM, "#a.csv#": OF_THE_SYSTEM, "@eaDir/a.csv": OF_THE_SYSTEM, "$RECYCLE.BIN/a.csv": OF_THE_SYSTEM,
    "~syncthing~a.csv.tmp": UNFINISHED, "a.parquet.crc": OF_THE_SYSTEM, "day_$folder$": OF_THE_SYSTEM, "a.bak": OF_THE_SYSTEM,
    "+tmp/a.parquet": OF_THE_SYSTEM, "~snapshot/daily.0/a.csv": OF_THE_SYSTEM, "0b1c.csv.metadata": OF_THE_SYSTEM,
}  # fmt: skip
OF_THE_SOURCE = [
    "part-0.parquet", "day=2025-01-05/part-0.parquet", "_day=2025-01-05/part-0.parquet", "tmp.csv", "temporary/part.csv",
    "country=__HIVE_DEFAULT_PARTITION__/a.csv", "part-00000-tid-1-x.c000.csv", "partial-2025.csv", "backup/a.csv", "part",
    "metadata/a.csv", "in-progress-users.csv", "lock.csv", "crc/a.csv",
]  # fmt: skip


@pytest.mark.parametrize("name", LEFT_BY_OTHERS)
def test_what_others_leave_is_none_of_a_source(name: str) -> None:
    """At any depth, whatever its case, below a folder."""
    for path in (name, f"deep/below/{name}"):
        why = why_left_out(path)
        assert why is not None
        assert why[0] == LEFT_BY_OTHERS[name]
    assert why_left_out(name.upper() if LEFT_BY_OTHERS[name] not in (HIDDEN, IN_HIDDEN) else name) is not None


@pytest.mark.parametrize("name", OF_THE_SOURCE)
def test_events_are_not_taken_for_leftovers(name: str) -> None:
    """A column named _day, a partition of nulls, a file that only sounds like a temporary one: their people count."""
    assert why_left_out(name) is None
    assert why_left_out(f"deep/{name}") is None


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("/x/_exports/part-*.csv", "/x/_exports/part-1.csv", True),
        ("/x/_exports/*.csv", "/x/_exports/_part-1.csv", False),
        ("/x/_part-*.csv", "/x/_part-1.csv", True),
        ("/x/*.tmp", "/x/a.tmp", True),
        ("/x/.hidden/*/a.csv", "/x/.hidden/b/a.csv", True),
        ("/x/.hidden/*/a.csv", "/x/.hidden/_temporary/a.csv", False),
        ("/x/../y/*.csv", "/x/../y/a.csv", True),
    ],
)
def test_what_a_manifest_writes_itself_is_wanted(pattern: str, path: str, wanted: bool) -> None:
    """Somebody who names a hidden folder means it; what a star takes along is meant by nobody."""
    assert (why_left_out(path, pattern) is None) is wanted


def _one(user: str, day: date = DAY) -> bytes:
    return encoded("parquet", events([(f"{day}T10:00:00Z", user)]))


LEFT = {
    "_temporary/0/task_1/part-9.parquet": "u9@example.com",
    ".spark-staging-1/part-8.parquet": "u8@example.com",
    "._part-0.parquet": "u7@example.com",
    "lost+found/part-6.parquet": "u6@example.com",
}
"""Readable files with people whom nobody committed, by their paths."""


@pytest.mark.parametrize("kind", ["folder", "star", "day"])
@pytest.mark.parametrize("place", ["disk", "store"])
def test_leftovers_count_nobody_and_are_told(tmp_path: Path, request: pytest.FixtureRequest, kind: str, place: str) -> None:
    """Case 06: an aborted job's files are under _temporary; whoever reads by Spark doesn't see them."""
    below = {"folder": "d", "star": "d/part", "day": f"d/{DAY}"}[kind]
    whole = {f"{below}/part-0.parquet": _one("a@example.com")}
    whole |= {f"{below}/{path}": _one(user) for path, user in LEFT.items()}
    whole |= {f"{below}/_SUCCESS": b"", f"{below}/Thumbs.db": b"x", "d/_stage/part-5.parquet": _one("u5@example.com")}
    where = ""
    if place == "store":
        where, whole = request.getfixturevalue("put")(whole) + "/", {}
    files = {"folder": "d", "star": "d/*/*.parquet", "day": "d/{day}/*.parquet"}[kind]
    declared = source(files=where + files, complete_through=None if kind == "day" else "2025-01-31", format="parquet")
    directory = group_of(tmp_path, declared, whole, lg_k=12)
    assert users(contributions(directory, [DAY])[DAY]) == {"email": 1}
    # What the pattern matches: one file deeper than the pattern isn't its.
    expected = {"folder": {HIDDEN: 2, IN_HIDDEN: 3, OF_THE_SYSTEM: 2}}.get(kind, {HIDDEN: 1, IN_HIDDEN: 1})
    said = found_in(directory)
    for reason, number in expected.items():
        assert [text for text in said.left_out if reason in text and text.startswith(f"{number} file")], said.left_out
        assert reason in said.summary()


def test_a_run_tells_what_it_left_out(make: Make) -> None:
    """Who reads the figure alone has to learn that files were there and didn't count, and why."""
    files: dict[str, Any] = {"d/part-0.parquet": _one("a@example.com"), "d/_temporary/0/part-1.parquet": _one("b@example.com")}
    directory = make([entity("a", [product(sources=[source(files="d")], to="2025-02-01")])], files, lg_k=12)
    report = go(directory)
    (text,) = report.to_dict()["products"]["a/app"]["left_out"]
    assert text == f"1 file {IN_HIDDEN}, such as _temporary"


def test_a_job_that_has_not_committed_counts_nobody(tmp_path: Path, put: Put) -> None:
    """Databricks writes under the last names and commits by a file beside them: a job that failed leaves its parts there."""
    whole = {
        "d/part-00000-tid-111-aa-1-c000.parquet": _one("a@example.com"), "d/_started_111": b"", "d/_committed_111": b"{}",
        "d/part-00000-tid-222-bb-1-c000.parquet": _one("b@example.com"), "d/_started_222": b"",
    }  # fmt: skip
    for number, (where, given) in enumerate((("", whole), (put(whole) + "/", {}))):
        for files in ("d", "d/*.parquet"):
            directory = group_of(tmp_path / f"{number}{len(files)}", source(files=where + files), given, lg_k=12)
            assert users(contributions(directory, [DAY])[DAY]) == {"email": 1}
            assert any("1 file of a job that hasn't committed" in text for text in found_in(directory).left_out)


OTHER_DAYS = {
    "YYYYMMDD": ("e_{day}.parquet", "e_20250105.parquet"),
    "YYYY_MM_DD": ("e_{day}.parquet", "e_2025_01_05.parquet"),
    "DD.MM.YYYY": ("e_{day}.parquet", "e_05.01.2025.parquet"),
    "YYYY/MM/DD": ("d/{day}/e.parquet", "d/2025/01/05/e.parquet"),
    "a folder each for year, month and day": ("d/{day}/e.parquet", "d/year=2025/month=01/day=05/e.parquet"),
    "a number": ("d/year=*/month=*/day={day}/e.parquet", "d/year=2025/month=01/day=05/e.parquet"),
    "NAME=YYYY-MM-DD": ("d/{day}/e.parquet", "d/dt=2025-01-05/e.parquet"),
    "YYYYMMDD with an hour": ("e_{day}.parquet", "e_2025010510.parquet"),
    "YYYY-MM-DD with an hour": ("day={day}/e.parquet", "day=2025-01-05 00%3A00%3A00/e.parquet"),
    "YYYY-MM-DD with more behind it": ("e_{day}.parquet", "e_2025-01-05-part2.parquet"),
    "a year of two digits": ("e_{day}.parquet", "e_25-01-05.parquet"),
    "the month's name": ("e_{day}.parquet", "e_05Jan2025.parquet"),
    "a moment counted from 1970": ("e_{day}.parquet", "e_1736035200.parquet"),
    "a week": ("e_{day}.parquet", "e_2025-W01-7.parquet"),
    "two days in one path": ("d/{day}/e-{day}.parquet", "d/2025-01-05/e-2025-01-06.parquet"),
    "YYYY-MM": ("e_{day}.parquet", "e_2025-01.parquet"),
}


@pytest.mark.parametrize("way", OTHER_DAYS)
def test_a_day_that_is_written_otherwise_is_said(tmp_path: Path, put: Put, way: str) -> None:
    """Case 19: `no file is there` sends a person to look for files that are there."""
    pattern, name = OTHER_DAYS[way]
    here, there = {name: _one("a@example.com")}, put({name: _one("a@example.com")})
    for where, given in (("", here), (f"{there}/", {})):
        directory = group_of(tmp_path / str(bool(where)), source(files=where + pattern, complete_through=None), given)
        with pytest.raises(RefusedError, match=r"\{day\} is YYYY-MM-DD.*1 file like .* but for the day \(" + way) as refused:
            contributions(directory)
        assert refused.value.refusals[0].code is Code.SOURCE_DAYS_UNCLEAR


def test_some_days_that_are_written_otherwise_are_told(make: Make) -> None:
    """Beside days that are there, a file of another spelling would be a gap whose file lies there."""
    files = {"e_2025-01-05.parquet": _one("a@example.com"), "e_20250106.parquet": _one("b@example.com"), "e_users.parquet": b"x"}
    directory = make([entity("a", [product(sources=[source(files="e_{day}.parquet", complete_through=None)])])], files)
    assert list(contributions(directory)) == [DAY]
    assert found_in(directory).left_out == ["1 file whose day doesn't fit {day}, which is YYYY-MM-DD, such as YYYYMMDD"]


@pytest.mark.parametrize("place", ["disk", "store"])
def test_events_without_a_day_are_not_lost(tmp_path: Path, request: pytest.FixtureRequest, place: str) -> None:
    """Hive and Spark keep rows whose day is null in a folder of their own, which no {day} matches: its people are lost."""
    whole = {
        "d/day=2025-01-05/e.parquet": _one("a@example.com"),
        "d/day=__HIVE_DEFAULT_PARTITION__/e.parquet": _one("b@example.com"),
    }
    where = ""
    if place == "store":
        where, whole = request.getfixturevalue("put")(whole) + "/", {}
    directory = group_of(tmp_path, source(files=f"{where}d/day={{day}}/*.parquet", complete_through=None), whole)
    with pytest.raises(RefusedError, match=r"events without a day \(1 file with __HIVE_DEFAULT_PARTITION__"):
        contributions(directory)


def test_a_pattern_that_matches_folders_is_refused(make: Make) -> None:
    """A star stays within a folder: the folder's files would be left out, or a folder taken for a file."""
    files = {"d/e.parquet": _one("a@example.com"), "d/more/f.parquet": _one("b@example.com")}
    directory = make([entity("a", [product(sources=[source(files="d/*", format="parquet")])])], files)
    with pytest.raises(RefusedError, match=r"matches folders.*1 of 2"):
        contributions(directory)


def test_stars_for_any_depth_are_refused(make: Make) -> None:
    """`**` read one level, as `*` does: the files above and below counted nobody, and the days looked complete."""
    files = {
        "d/e.parquet": _one("a@example.com"),
        "d/x/f.parquet": _one("b@example.com"),
        "d/x/y/g.parquet": _one("c@example.com"),
    }
    directory = make([entity("a", [product(sources=[source(files="d/**/*.parquet")])])], files)
    with pytest.raises(RefusedError, match=r"`\*` stays within a folder: name the folder alone"):
        contributions(directory, [DAY])
    directory = make([entity("a", [product(sources=[source(files="d")])])], files)
    assert users(contributions(directory, [DAY])[DAY]) == {"email": 3}


def test_a_place_with_nothing_but_leftovers_says_so(make: Make) -> None:
    """An export that is still under way isn't an export that is missing."""
    directory = make(
        [entity("a", [product(sources=[source(files="d")])])], {"d/_temporary/0/part-1.parquet": _one("a@example.com")}
    )
    with pytest.raises(RefusedError, match=rf"no file is there \(d; left out: 1 file {IN_HIDDEN}, such as _temporary\)"):
        contributions(directory)


DELTA = {"_delta_log/00000000000000000000.json": json.dumps({"protocol": {"minReaderVersion": 1}}).encode()}
TABLES = {
    "Delta": DELTA,
    "Iceberg": {"metadata/00000-8f2c.metadata.json": b"{}", "metadata/snap-1-8f2c.avro": b"x"},
    "Hudi": {".hoodie/hoodie.properties": b"hoodie.table.name=t"},
    "Paimon": {"snapshot/snapshot-1": b"{}", "schema/schema-0": b"{}"},
}


@pytest.mark.parametrize("place", ["disk", "store"])
@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_another_format_is_refused_by_name(
    tmp_path: Path, request: pytest.FixtureRequest, table: str, place: str
) -> None:
    """Case 08: files of rows that were deleted lie there until somebody tidies up, and a pattern reads all of them."""
    whole = {f"lake/t/{path}": content for path, content in TABLES[table].items()}
    whole |= {f"lake/t/data/day={DAY}/part-0.parquet": _one("a@example.com")}
    where = f"{request.getfixturevalue('put')(whole)}/" if place == "store" else ""
    by_pattern = [
        "lake", "lake/t", "lake/t/data", f"lake/t/data/day={DAY}", f"lake/t/data/day={DAY}/part-0.parquet",
        "lake/*/data/*/*.parquet", "lake/t/data/day={day}/*.parquet", "*/t/data/day={day}/part-*.parquet",
    ]  # fmt: skip
    for number, files in enumerate(by_pattern):
        changes = {"complete_through": None} if "{day}" in files else {}
        directory = group_of(tmp_path / str(number), source(files=where + files, **changes), {} if where else whole)
        with pytest.raises(RefusedError, match=rf"the files belong to a table of {table}, .* \(the table in t/\)") as refused:
            contributions(directory)
        assert refused.value.refusals[0].code is Code.SOURCE_TABLE_FORMAT


@pytest.mark.parametrize("folder", ["base_0000005", "delta_0000006_0000006_0000", "delete_delta_0000007_0000007_0000"])
def test_a_transactional_table_of_hive_is_refused(make: Make, folder: str) -> None:
    """Older bases and deltas lie there until Hive's cleaner comes."""
    directory = make([entity("a", [product(sources=[source(files="d")])])], {f"d/t/{folder}/a.parquet": _one("a@example.com")})
    with pytest.raises(RefusedError, match=r"a table of Hive with transactions, .* \(the table in t/\)"):
        contributions(directory)


def test_a_link_into_a_table_is_refused(make: Make) -> None:
    """By whichever way the files are reached, they are the table's."""
    files = {f"lake/t/{path}": content for path, content in DELTA.items()} | {"lake/t/x/a.parquet": _one("a@example.com")}
    directory = make([entity("a", [product(sources=[source(files="d")])])], files)
    (directory / "d").symlink_to(directory / "lake/t/x")
    with pytest.raises(RefusedError, match="a table of Delta"):
        contributions(directory)


@pytest.mark.parametrize("place", ["disk", "store"])
def test_a_table_beside_a_source_stops_nothing(tmp_path: Path, request: pytest.FixtureRequest, place: str) -> None:
    """A folder named metadata or snapshot, and another folder's table, are nobody's hindrance."""
    whole = {f"t/{path}": content for path, content in DELTA.items()} | {"d/a.parquet": _one("a@example.com")}
    whole |= {"metadata/readme.txt": b"x", "d/snapshot/b.parquet": _one("b@example.com")}
    where = ""
    if place == "store":
        where, whole = request.getfixturevalue("put")(whole) + "/", {}
    directory = group_of(tmp_path, source(files=f"{where}d"), whole, lg_k=12)
    assert users(contributions(directory, [DAY])[DAY]) == {"email": 2}


def test_days_beside_a_leftover_are_days(make: Make) -> None:
    """A hidden part of a day isn't the day: with nothing else of it the day is missing, and not a day without users."""
    files = {
        "2025-01-05/a.parquet": _one("a@example.com"),
        "2025-01-06/_a.parquet": _one("b@example.com", date(2025, 1, 6)),
    }
    declared = source(files="{day}/*.parquet", complete_through=None)
    assert list(contributions(make([entity("a", [product(sources=[declared])])], files), JANUARY)) == [DAY]
