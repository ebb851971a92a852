"""From files to contributions: what is silently dropped here is missing from the group's number."""

import gzip
import io
import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affiliates.aggregation import activity, contribute
from affiliates.crosswalks.snapshot import from_table
from affiliates.errors import RefusedError
from affiliates.identity.keys import GroupKey, person_key
from affiliates.identity.normalisation import normalise
from affiliates.sketches.registers import Registers
from affiliates.sources import file_checks
from affiliates.sources import files as sources_files
from tests.support.event_files import JANUARY, contributions, encoded, users
from tests.support.groups import KEY, Manifests, entity, events, product, source, write_group

Make = Callable[..., Path]

ROWS: list[tuple[str, str | None]] = [
    ("2025-01-01T00:00:00Z", "a@example.com"),
    ("2025-01-01T23:59:59Z", "A@example.com "),
    ("2025-01-02T12:00:00Z", "b@example.com"),
    ("2025-01-02T12:00:01Z", None),
    ("2025-01-31T23:59:59Z", "n/a"),
]


def of_emails(*emails: str) -> str:
    frame = pl.DataFrame({"x": emails}, schema={"x": pl.String})
    keys = frame.select(person_key(normalise(pl.col("x"), "email"), "email", GroupKey(KEY, "1"))).to_series()
    return Registers.from_keys(21, keys.to_numpy()).digest()


KINDS = ["parquet", "csv", "csv.gz", "csv.zst", "jsonl", "jsonl.gz", "jsonl.zst"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_registers(make: Make, kind: str) -> None:
    """A person whom one format spells otherwise is another person in another product's files."""
    directory = make(
        [entity("a", [product(sources=[source(files=f"events.{kind}")])])], {f"events.{kind}": encoded(kind, events(ROWS))}
    )
    computed = contributions(directory)
    assert list(computed) == JANUARY
    assert {d: users(c) for d, c in computed.items() if users(c)} == {
        date(2025, 1, 1): {"email": 1},
        date(2025, 1, 2): {"email": 1},
    }
    assert computed[date(2025, 1, 1)].parts[0].registers.digest() == of_emails("a@example.com")
    assert [computed[d].unidentified_events for d in (date(2025, 1, 1), date(2025, 1, 2), date(2025, 1, 31))] == [0, 1, 1]
    assert computed[date(2025, 1, 1)].parts[0].events == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_and_a_pattern_give_the_same_as_one_file(make: Make, kind: str) -> None:
    """A part that a folder or a pattern leaves out is people left out."""
    frame = events(ROWS)
    by_day = {d: frame.filter(pl.col("at").dt.date() == d) for d in JANUARY}
    files = {
        f"folder/{d}.{kind}": encoded(kind, part) for d, part in by_day.items() if part.height or not kind.startswith("jsonl")
    }
    files |= {f"days/{d}/part-{i}.{kind}": data for i, (d, data) in enumerate(zip(JANUARY, files.values(), strict=False))}
    folder = make([entity("a", [product(sources=[source(files="folder")])])], files)
    assert {d: c.parts[0].registers.digest() for d, c in contributions(folder).items()} == {
        d: of_emails(*{"2025-01-01": ["a@example.com"], "2025-01-02": ["b@example.com"]}.get(str(d), [])) for d in JANUARY
    }
    if kind.startswith("jsonl"):
        return  # A file of JSON lines without a line has no columns, so no day can be zero in it.
    days = make([entity("a", [product(sources=[source(files=f"days/{{day}}/part-*.{kind}", complete_through=None)])])])
    assert {d: c.parts[0].registers.digest() for d, c in contributions(days).items()} == {
        d: c.parts[0].registers.digest() for d, c in contributions(folder).items()
    }


def test_gap_against_zero(make: Make) -> None:
    """No rows before `complete_through` and an empty file are zero users; no file is a gap."""
    one = make([entity("a", [product(sources=[source(complete_through="2025-01-20")])])], {"events.parquet": events(ROWS[:1])})
    computed = contributions(one)
    assert list(computed) == JANUARY[:20]
    assert computed[date(2025, 1, 19)].parts[0].registers.is_empty
    files = {f"{d}.csv": b"at,user\n" for d in JANUARY if d.day not in (7, 8)}
    by_day = make([entity("a", [product(sources=[source(files="{day}.csv", complete_through=None)])])], files)
    assert list(contributions(by_day)) == [d for d in JANUARY if d.day not in (7, 8)]
    (by_day / "2025-01-09.csv").write_bytes(b"")
    with pytest.raises(RefusedError, match="zero bytes"):
        contributions(by_day)


def test_complete_through_in_a_file_of_its_own(make: Make) -> None:
    """A file that doesn't hold a day must not pass for one that says nothing: days would count before they are whole."""
    directory = make(
        [entity("a", [product(sources=[source(complete_through="done.txt")])])],
        {"events.parquet": events(ROWS[:1]), "done.txt": b"2025-01-05\n"},
    )
    assert list(contributions(directory)) == JANUARY[:5]
    (directory / "done.txt").write_text("soon")
    with pytest.raises(RefusedError, match="names a file that doesn't hold a day"):
        contributions(directory)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York", "Asia/Kathmandu"])
def test_the_groups_day(make: Make, zone: str) -> None:
    """An event at night counts on another day in another zone; on two, its user counts in a month too many."""
    rows: list[tuple[str, str | None]] = [
        (f"2025-01-0{1 + i // 24}T{i % 24:02}:30:00Z", f"u{i}@example.com") for i in range(6, 48)
    ]
    directory = make([entity("a", [product()])], {"events.parquet": events(rows)}, time_zone=zone)
    computed = contributions(directory)
    counted = {d.day: users(c).get("email", 0) for d, c in computed.items() if users(c)}
    oracle: dict[int, int] = {}
    for text, _ in rows:
        day = datetime.fromisoformat(text).astimezone(ZoneInfo(zone)).day
        oracle[day] = oracle.get(day, 0) + 1
    assert counted == oracle


TIMES = {
    "zone in the type": pl.Series([datetime(2025, 1, 5, 1, tzinfo=UTC)]),
    "another zone in the type": pl.Series([datetime(2025, 1, 5, 1, tzinfo=UTC)]).dt.convert_time_zone("Asia/Tokyo"),
    "nanoseconds": pl.Series([datetime(2025, 1, 5, 1, tzinfo=UTC)]).dt.cast_time_unit("ns"),
    "text with an offset": pl.Series(["2025-01-05T03:00:00+02:00"]),
    "text with Z and a blank": pl.Series(["2025-01-05 01:00Z"]),
    "text with fractions": pl.Series(["2025-01-05T01:00:00.123456789+0000"]),
    "text with UTC": pl.Series(["2025-01-05 01:00:00 UTC"]),
    "a day": pl.Series([date(2025, 1, 5)]),
}


@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES)
def test_event_times(make: Make, times: pl.Series) -> None:
    """However a time is written, the event is on the same day."""
    frame = pl.DataFrame({"at": times, "user": ["a@example.com"]})
    directory = make([entity("a", [product()])], {"events.parquet": frame})
    assert [d for d, c in contributions(directory).items() if users(c)] == [date(2025, 1, 5)]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_whole_numbers_since_1970(make: Make, unit: str, factor: int) -> None:
    """A unit mistaken by a thousand puts all events on one day in 1970."""
    at = int(datetime(2025, 1, 5, 23, 59, 59, tzinfo=UTC).timestamp()) * factor
    frame = pl.DataFrame({"at": [at], "user": ["a@example.com"]})
    directory = make([entity("a", [product(sources=[source(time={"column": "at", "unit": unit})])])], {"events.parquet": frame})
    assert [d for d, c in contributions(directory).items() if users(c)] == [date(2025, 1, 5)]


@pytest.mark.parametrize(
    "times", [pl.Series([datetime(2025, 1, 5, 20)]), pl.Series(["2025-01-05T20:00:00"])], ids=["type", "text"]
)
def test_times_without_zone_need_one(make: Make, times: pl.Series) -> None:
    """Taken for UTC in silence, an evening in New York would count on the wrong day."""
    frame = pl.DataFrame({"at": times, "user": ["a@example.com"]})
    directory = make([entity("a", [product()])], {"events.parquet": frame})
    with pytest.raises(RefusedError, match=r"times without a zone \(1 in column at, as in events.parquet\)"):
        contributions(directory)
    declared = source(time={"column": "at", "zone": "America/New_York"})
    directory = make([entity("a", [product(sources=[declared])])])
    assert [d for d, c in contributions(directory).items() if users(c)] == [date(2025, 1, 6)]


def test_summer_time(make: Make) -> None:
    """The hour that comes twice counts once; the hour that never was is refused, not dropped."""
    declared = product(sources=[source(time={"column": "at", "zone": "Europe/Berlin"}, complete_through="2025-05-31")])
    twice = pl.DataFrame({"at": [datetime(2024, 10, 27, 2, 30)], "user": ["a@example.com"]})
    directory = make([entity("a", [declared | {"from": "2024-10-01"}])], {"events.parquet": twice})
    assert [d for d, c in contributions(directory, [date(2024, 10, 27)]).items() if users(c)] == [date(2024, 10, 27)]
    never = pl.DataFrame({"at": [datetime(2025, 3, 30, 2, 30)], "user": ["a@example.com"]})
    directory = make([entity("a", [declared])], {"events.parquet": never})
    with pytest.raises(RefusedError, match="time"):
        contributions(directory, [date(2025, 3, 30)])


def test_audiences_and_conditions(make: Make) -> None:
    """Robots and employees are no external users; and what a null leaves undecided is reported."""
    users_ = [f"u{i}@example.com" for i in range(6)]
    frame = events(
        [("2025-01-05T00:00:00Z", u) for u in users_],
        kind=["open", "open", "open", "push", None, "open"],
        bot=[False, True, True, False, False, None],
        staff=[False, True, False, False, False, True],
    )
    declared = source(counts_when="kind = 'open'", automated_when="bot", internal_when="staff")
    computed = contributions(make([entity("a", [product(sources=[declared])])], {"events.parquet": frame}))[date(2025, 1, 5)]
    assert users(computed) == {"email": 1}
    assert users(computed, "automated") == {"email": 2}
    assert users(computed, "internal") == {"email": 1}
    assert computed.undecided_events == 2  # A null kind and a null bot.


def test_first_usable_identifier_is_the_user(make: Make) -> None:
    """Counted by each of her identifiers, a user would be several."""
    frame = events(
        [("2025-01-05T00:00:00Z", u) for u in ("a@example.com", None, " ", "n/a", None)],
        device=["d1", "d2", "d2", "d3", "0"],
    )
    declared = source(identifiers=[{"column": "user", "namespace": "email"}, {"column": "device", "namespace": "device"}])
    computed = contributions(make([entity("a", [product(sources=[declared])])], {"events.parquet": frame}))[date(2025, 1, 5)]
    assert users(computed) == {"email": 1, "device": 2}
    assert computed.unidentified_events == 1


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt32, pl.Categorical, pl.String])
def test_identifiers_of_other_types_are_their_text(make: Make, dtype: Any) -> None:
    """Customer 12 is the same person as a number here and as a text in another product."""
    text = pl.Series(["12", "12", "34"])
    ids = text.cast(dtype) if dtype in (pl.String, pl.Categorical) else text.cast(pl.Int64).cast(dtype)
    frame = pl.DataFrame({"at": [datetime(2025, 1, 5, tzinfo=UTC)] * 3, "user": ids})
    computed = contributions(make([entity("a", [product()])], {"events.parquet": frame}))[date(2025, 1, 5)]
    assert computed.parts[0].registers.digest() == of_emails("12", "34")


def test_two_sources_are_one_product_and_both_must_be_there(make: Make) -> None:
    """A day that one of two sources lacks is a gap, not a day with fewer users."""
    files: dict[str, Any] = {
        "one.parquet": events(ROWS[:1]),
        "two.parquet": events([("2025-01-01T10:00:00Z", "z@example.com"), ROWS[0]]),
    }
    both = [
        source(files="one.parquet", complete_through="2025-01-10"),
        source(files="two.parquet", complete_through="2025-01-03"),
    ]
    computed = contributions(make([entity("a", [product(sources=both)])], files))
    assert list(computed) == JANUARY[:3]
    assert computed[date(2025, 1, 1)].parts[0].registers.digest() == of_emails("a@example.com", "z@example.com")


def test_product_by_month(make: Make) -> None:
    """A month that isn't whole is no month with fewer users."""
    frame = events([("2025-01-05T00:00:00Z", "a@example.com"), ("2025-01-25T00:00:00Z", "a@example.com"), ROWS[2]])
    directory = make([entity("a", [product(grain="month")])], {"events.parquet": frame})
    computed = contributions(directory)
    assert list(computed) == [date(2025, 1, 1)]
    assert computed[date(2025, 1, 1)].parts[0].registers.digest() == of_emails("a@example.com", "b@example.com")
    cut = make([entity("a", [product(grain="month", sources=[source(complete_through="2025-01-30")])])])
    assert contributions(cut) == {}


def test_the_day_of_a_run_is_not_over(make: Make) -> None:
    """Half a day counted as a whole one is a smaller number that nobody sees."""
    directory = make(
        [entity("a", [product(sources=[source(complete_through="2025-01-05")])])], {"events.parquet": events(ROWS[:3])}
    )
    with pytest.raises(RefusedError, match="`complete_through` is today, which isn't over"):
        contributions(directory, now=datetime(2025, 1, 5, 23, 59, tzinfo=UTC))
    assert max(contributions(directory, now=datetime(2025, 1, 6, tzinfo=UTC))) == date(2025, 1, 5)


def test_crosswalk_joins_and_its_table_is_checked(make: Make) -> None:
    """A snapshot with a key of two persons, or with identifiers in it, must not get into a contribution."""
    frame = events([(f"2025-01-05T0{i}:00:00Z", f"{n}@example.com") for i, n in enumerate("abc")])
    keys = {
        n: pl.DataFrame({"x": [f"{n}@example.com"]}).select(person_key(pl.col("x"), "email", GroupKey(KEY, "1"))).item()
        for n in "abc"
    }
    table = pl.DataFrame({"key": [f"{keys['a']:016x}", f"{keys['b']:016x}"], "person_key": ["00000000000000aa"] * 2})
    walked = from_table(table)
    several = {"email": {"identifiers_per_person": "several"}}
    directory = make([entity("a", [product()])], {"events.parquet": frame}, namespaces=several)
    computed = contributions(directory, crosswalk=lambda month: walked)[date(2025, 1, 5)]
    assert users(computed) == {"email": 1, "person": 1}
    assert computed.crosswalk_digest == walked.digest == from_table(table.reverse()).digest
    for bad, rule in [
        (table.with_columns(key=pl.lit("user@example.com")), "16 hex characters"),
        (table.with_columns(key=pl.lit("00000000000000bb")), "one person"),
        (table.drop("key"), "columns are missing"),
        (table.with_columns(pl.lit(7).alias("key")), "must be text"),
        (table.with_columns(pl.lit(None, pl.String).alias("key")), "16 hex characters"),
    ]:
        with pytest.raises(RefusedError, match=rule) as refused:
            from_table(bad)
        assert "user@example.com" not in str(refused.value)


BAD = "planted.person@example.com"


@pytest.mark.parametrize(
    ("files", "changes", "rule"),
    [
        ({}, {"files": "nowhere.csv"}, "no file is there"),
        ({"e.csv": b""}, {"files": "e.csv"}, "zero bytes"),
        ({"e.parquet": b"PAR1 and then nothing"}, {"files": "e.parquet"}, "not a readable Parquet file"),
        ({"e.csv": f"when,user\n1,{BAD}\n".encode()}, {"files": "e.csv"}, r"columns are missing \(at, among 2 columns\)"),
        ({"e.jsonl": f'{{"when": 1, "user": "{BAD}"}}\n'.encode()}, {"files": "e.jsonl"}, r"columns are missing \(at,"),
        (
            {"e.csv": f"at,user\n2025-01-05T00:00:00Z,{BAD}\n2025-01-05T00:00:00Z\n".encode()},
            {"files": "e.csv"},
            "line 3: 1 fields",
        ),
        ({"e.csv": f"at,user\n2025-01-05T00:00:00Z,{BAD},x\n".encode()}, {"files": "e.csv"}, "line 2: 3 fields"),
        ({"e.csv": f"{BAD},{BAD}x\n{BAD},{BAD}\n".encode()}, {"files": "e.csv"}, "columns are missing"),
        (
            {"e.csv": f'at,user,x\n2025-01-05T00:00:00Z,{BAD},12" tablet\n'.encode()},
            {"files": "e.csv"},
            "encloses no field|never closed",
        ),
        ({"e.csv": f'at,x,user\n2025-01-05T00:00:00Z, "a,b",{BAD}\n'.encode()}, {"files": "e.csv"}, "encloses no field"),
        ({"e.csv": f"at,user\n2025-01-05T00:00:00Z,{BAD}\n\n".encode()}, {"files": "e.csv"}, "line 3: it is empty"),
        (
            {"e.jsonl": f'{{"at": "2025-01-05T00:00:00Z", "user": {{"id": "{BAD}"}}}}\n'.encode()},
            {"files": "e.jsonl"},
            "objects or lists",
        ),
        ({"d/e.csv": b"at,user\n", "d/part-00001": f"at,user\n1,{BAD}\n".encode()}, {"files": "d"}, "unknown format"),
        ({"e.csv": f'at,user\n2025-01-05T00:00:00Z,"{BAD}\n'.encode()}, {"files": "e.csv"}, "never closed"),
        ({"e.csv": b"at,user\n2025-01-05T00:00:00Z,\xff\xfe\n"}, {"files": "e.csv"}, r"is no UTF-8 text \(line 2\)"),
        ({"e.csv": b"at,at\n1,2\n"}, {"files": "e.csv"}, "each once"),
        ({"e.csv.gz": gzip.compress(f"at,user\n1,{BAD}\n".encode() * 999)[:60]}, {"files": "e.csv.gz"}, "cut off"),
        ({"e.jsonl": f'{{"at": 1, "user": "{BAD}"}}\n{{"at":\n'.encode()}, {"files": "e.jsonl"}, "line 2 isn't a JSON object"),
        (
            {"e.csv": f"at,user,n\n2025-01-05T00:00:00Z,{BAD},many\n".encode()},
            {"files": "e.csv", "types": {"n": "integer"}},
            "wrong type",
        ),
        ({"e.csv": f"at,user\n{BAD},{BAD}\n".encode()}, {"files": "e.csv"}, "without a readable time"),
        ({"e.csv": f"at,user\n,{BAD}\n".encode()}, {"files": "e.csv"}, "without a readable time"),
        ({"e.csv": f"at,user\n1970-01-01T00:00:00Z,{BAD}\n".encode()}, {"files": "e.csv"}, "before 1971"),
        ({"e.csv": f"at,user\n2025-06-01T12:00:01Z,{BAD}\n".encode()}, {"files": "e.csv"}, "in the future"),
        ({"e.csv": f"at,user\n2025-01-05T00:00:00,{BAD}\n".encode()}, {"files": "e.csv"}, "without a zone"),
        (
            {"e.csv": f"at,user\n2025-01-05T00:00:00Z,{BAD}\n".encode()},
            {"files": "e.csv", "counts_when": "n > 1"},
            r"columns are missing \(n,",
        ),
        (
            {"e.csv": f"at,user\n2025-01-05T00:00:00Z,{BAD}\n".encode()},
            {"files": "e.csv", "counts_when": "user > 1"},
            "don't fit",
        ),
        (
            {"e.csv": b"at,user\n" + b"2025-01-05T00:00:00Z,n/a\n" * 200},
            {"files": "e.csv"},
            r"usable identifier \(200 of 200",
        ),
        ({"2025-01-05.csv": f"at,user\n2025-01-06T00:00:00Z,{BAD}\n".encode()}, {"files": "{day}.csv"}, "on another day"),
        ({"e.csv": b"x", "e.parquet": b"x"}, {"files": "."}, "unknown format|format isn't clear"),
    ],
)
def test_bad_sources_are_refused_without_a_value(make: Make, files: dict[str, bytes], changes: Manifests, rule: str) -> None:
    """polars fills, skips or guesses: events would be missing in silence, and its errors would show somebody's address."""
    if "{day}" in changes["files"]:
        changes = changes | {"complete_through": None}
    directory = make([entity("a", [product(sources=[source(**changes)])])], files)
    with pytest.raises(RefusedError, match=rule) as refused:
        contributions(directory)
    assert "planted" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Boolean, pl.List(pl.Int64)])
def test_identifiers_must_be_text_or_whole_numbers(make: Make, dtype: Any) -> None:
    """A float has lost digits, or has a point that the same number elsewhere hasn't."""
    ids = pl.Series([[1]]) if isinstance(dtype, pl.List) else pl.Series([1]).cast(dtype)
    frame = pl.DataFrame({"at": [datetime(2025, 1, 5, tzinfo=UTC)], "user": ids})
    with pytest.raises(RefusedError, match="text or whole numbers"):
        contributions(make([entity("a", [product()])], {"events.parquet": frame}))


@pytest.mark.parametrize("first", [pl.Float64, pl.Boolean, pl.Date])
def test_each_files_identifiers_must_be_text_or_whole_numbers(make: Make, first: Any) -> None:
    """One day's column with a gap is 1001.0 in pandas: read with another day's text, each user would count a second time."""
    days = {f"2025-01-0{d + 1}.parquet": pl.DataFrame({"at": [datetime(2025, 1, d + 1, 1, tzinfo=UTC)], "user": ids})
            for d, ids in enumerate((pl.Series(["1001"]), pl.Series([1001]).cast(first)))}  # fmt: skip
    for declared in (source(files="days/{day}.parquet", complete_through=None), source(files="days")):
        directory = make([entity("a", [product(sources=[declared])])], {f"days/{name}": frame for name, frame in days.items()})
        with pytest.raises(RefusedError, match=r"2025-01-02\.parquet: identifiers must be text or whole numbers"):
            contributions(directory)


def test_whole_numbers_of_several_types_are_one_text(make: Make) -> None:
    """Were int64 and uint64 joined as floats, a number over 2^53 would be its neighbour; and text, with a third file's."""
    who = [pl.Series([2**53 + 1]), pl.Series([2**53 + 1], dtype=pl.UInt64), pl.Series([f"{2**53 + 1}"]), pl.Series([None])]
    for number in (2, 4):
        files = {
            f"{number}/{n}.parquet": pl.DataFrame({"at": [datetime(2025, 1, 5, tzinfo=UTC)], "user": ids})
            for n, ids in enumerate(who[:number])
        }
        computed = contributions(make([entity("a", [product(sources=[source(files=f"{number}")])])], files))
        assert users(computed[date(2025, 1, 5)]) == {"email": 1}


@pytest.mark.parametrize("times", [pl.Series([1.5]), pl.Series([True]), pl.Series([17])])
def test_time_must_be_a_time(make: Make, times: pl.Series) -> None:
    """A number without a unit might be seconds or days."""
    frame = pl.DataFrame({"at": times, "user": ["a"]})
    with pytest.raises(RefusedError, match="no type of a time"):
        contributions(make([entity("a", [product()])], {"events.parquet": frame}))


def test_a_day_without_users_may_have_columns_without_types(make: Make) -> None:
    """An empty export has no types; refused, it would keep the whole month out."""
    files = {"2025-01-01.parquet": events(ROWS[:1]), "2025-01-02.parquet": pl.DataFrame({"at": [], "user": []})}
    computed = contributions(
        make([entity("a", [product(sources=[source(files="{day}.parquet", complete_through=None)])])], files)
    )
    assert [users(c) for c in computed.values()] == [{"email": 1}, {}]


def test_names_that_look_like_patterns_are_names(make: Make) -> None:
    """polars would read e1.csv twice and e[1].csv never."""
    files = {"d/e[1].csv": encoded("csv", events(ROWS[:1])), "d/e1.csv": encoded("csv", events(ROWS[2:3]))}
    computed = contributions(make([entity("a", [product(sources=[source(files="d")])])], files))
    assert [d.day for d, c in computed.items() if users(c)] == [1, 2]


def test_a_folder_takes_every_file(make: Make) -> None:
    """Capitals in an ending, a subfolder or a link must leave nobody out, nor a broken link."""
    one, two = encoded("csv", events(ROWS[:1])), encoded("csv", events(ROWS[2:3]))
    files = {"d/a.CSV.GZ": gzip.compress(one), "d/deep/b.csv": two, "d/_SUCCESS": b"", "d/.part.crc": b"x"}
    directory = make([entity("a", [product(sources=[source(files="d")])])], files)
    (directory / "elsewhere").mkdir()
    (directory / "elsewhere" / "c.csv").write_bytes(encoded("csv", events([("2025-01-09T00:00:00Z", "z@example.com")])))
    (directory / "d" / "link").symlink_to(directory / "elsewhere")
    computed = contributions(directory)
    assert [d.day for d, c in computed.items() if users(c)] == [1, 2, 9]
    (directory / "d" / "broken.csv").symlink_to(directory / "nowhere")
    with pytest.raises(RefusedError, match="lead nowhere"):
        contributions(directory)


def test_a_quoted_field_may_hold_line_ends(make: Make) -> None:
    """A note of two lines is one event; and one that is never closed hides all lines after it."""
    text = 'at,user,note\n2025-01-05T00:00:00Z,a@example.com,"two\nlines, one ""quoted"""\n2025-01-06T00:00:00Z,b@example.com,x\n'
    computed = contributions(make([entity("a", [product(sources=[source(files="e.csv")])])], {"e.csv": text.encode()}))
    assert [d.day for d, c in computed.items() if users(c)] == [5, 6]
    bad = text.replace("x\n", 'x"y\n')
    with pytest.raises(RefusedError, match="line 4: a quotation mark is never closed"):
        contributions(make([entity("a", [product(sources=[source(files="e.csv")])])], {"e.csv": bad.encode()}))


def test_a_month_of_nobody_is_not_zero(make: Make) -> None:
    """Judged by the period: four good months must not hide one whose identifiers are all empty."""
    rows = [(f"2025-01-{d:02}T00:00:00Z", f"u{i}@example.com" if d != 7 else None) for d in (5, 6, 7, 8, 9) for i in range(150)]
    with pytest.raises(RefusedError, match="2025-01-07: too many events without a usable identifier"):
        contributions(make([entity("a", [product()])], {"events.parquet": events(rows)}))
    frame = events([r for r in rows if r[1]], kind=[None] * 150 + ["x"] * 450)
    declared = source(counts_when="kind <> 'bot'")
    with pytest.raises(RefusedError, match="2025-01-05: too many events that `counts_when` leaves undecided"):
        contributions(make([entity("a", [product(sources=[declared])])], {"events.parquet": frame}))


def test_days_of_dates_are_the_groups(make: Make) -> None:
    """A date has no hour, so it can't be brought into another zone: it would be right for most, and wrong for some."""
    frame = pl.DataFrame({"at": [date(2025, 1, 5)], "user": ["a@example.com"]})
    at_five = datetime(2025, 1, 4, 20, tzinfo=UTC)  # In Tokyo it is the 5th already.
    app = product(sources=[source(complete_through="2025-01-03")])
    directory = make([entity("a", [app])], {"events.parquet": frame}, time_zone="Asia/Tokyo")
    assert not any(users(c) for c in contributions(directory, now=at_five).values())
    with pytest.raises(RefusedError, match="times in the future"):
        contributions(directory, now=datetime(2025, 1, 4, 12, tzinfo=UTC))
    declared = source(time={"column": "at", "zone": "America/New_York"})
    with pytest.raises(RefusedError, match="can't be brought into another zone"):
        contributions(make([entity("a", [product(sources=[declared])])], time_zone="UTC"))


def test_json_lines_with_late_or_mixed_fields(make: Make) -> None:
    """A field that first comes after the lines that polars looks at would be missing, and with it its users."""
    lines = [{"at": "2025-01-05T00:00:00Z", "mixed": 1}] * 10_050 + [
        {"at": "2025-01-05T00:00:00Z", "user": "a@example.com", "mixed": [1]}
    ]
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    directory = make([entity("a", [product(unidentified_limit=1, sources=[source(files="e.jsonl")])])], {"e.jsonl": data})
    assert users(contributions(directory)[date(2025, 1, 5)]) == {"email": 1}


def test_truncated_parquet_in_the_middle(make: Make) -> None:
    """Half a file must not count as a smaller one."""
    whole = encoded("parquet", events([("2025-01-05T00:00:00Z", f"u{i}@example.com") for i in range(20_000)]))
    directory = make([entity("a", [product()])], {"events.parquet": whole[: len(whole) // 2]})
    with pytest.raises(RefusedError, match="not a readable Parquet file"):
        contributions(directory)


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 31 * 24 - 1),
        st.sampled_from(["a", "B ", "b", "", "n/a", None, "c"]),
        st.booleans() | st.none(),
        st.booleans() | st.none(),
    ),
    max_size=40,
)


@given(EVENTS)
def test_counts_equal_a_plain_loop(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str | None, bool | None, bool | None]]
) -> None:
    """Oracle: the same events counted one by one in Python."""
    directory = tmp_path_factory.mktemp("g")
    times = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=h) for h, *_ in rows]
    frame = pl.DataFrame(
        {"at": times, "user": [u for _, u, _, _ in rows], "fine": [f for *_, f, _ in rows], "bot": [b for *_, b in rows]},
        schema={"at": pl.Datetime("us", "UTC"), "user": pl.String, "fine": pl.Boolean, "bot": pl.Boolean},
    )
    declared = source(counts_when="fine", automated_when="bot")
    write_group(directory, [entity("a", [product(sources=[declared], unidentified_limit=1)])], {"events.parquet": frame})
    expected: dict[tuple[date, str], set[str]] = {}
    for (_, user, fine, bot), at in zip(rows, times, strict=True):
        if fine and user not in (None, "", "n/a"):
            expected.setdefault((at.date(), "automated" if bot else "external"), set()).add(str(user).strip().lower())
    computed = {
        (d, p.audience): p.distinct_users for d, c in contributions(directory).items() for p in c.parts if p.distinct_users
    }
    assert computed == {k: len(v) for k, v in expected.items()}


def test_passes_do_not_change_a_contribution(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large sources are read once a month instead of once: the same contributions must come out."""
    frame = events([(f"2025-0{1 + i % 3}-{1 + i % 28:02}T00:00:00Z", f"u{i % 17}@example.com") for i in range(500)])
    directory = make([entity("a", [product(sources=[source(complete_through="2025-03-31")])])], {"events.parquet": frame})
    days = [date(2025, 1, 1) + timedelta(i) for i in range(90)]
    at_once = contributions(directory, days)
    monkeypatch.setattr(contribute, "PASS_BYTES", 0)
    assert {d: c.digest for d, c in contributions(directory, days).items()} == {d: c.digest for d, c in at_once.items()}
    assert len(at_once) == 90


def test_batches_do_not_change_a_contribution(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who comes again in a later batch is still one."""
    frame = events([("2025-01-05T00:00:00Z", f"u{i % 700}@example.com") for i in range(5_000)])
    directory = make([entity("a", [product()])], {"events.parquet": frame})
    at_once = contributions(directory)
    monkeypatch.setattr(activity, "BATCH_ROWS", 100)
    in_batches = contributions(directory)
    assert {d: c.digest for d, c in in_batches.items()} == {d: c.digest for d, c in at_once.items()}
    assert in_batches[date(2025, 1, 5)].parts[0].events == 5_000


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu", "Europe/Berlin", "America/Santiago"])
def test_passes_by_month_lose_nobody_at_their_edges(make: Make, zone: str, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass skips row groups by their times: at a month's edge, and where clocks change, it must skip none too many."""
    start, hours = datetime(2025, 2, 27, tzinfo=UTC), 24 * 36
    rows: list[tuple[str, str | None]] = [
        ((start + timedelta(minutes=60 * i + 30)).isoformat(), f"u{i}@example.com") for i in range(hours)
    ]
    out = io.BytesIO()
    frame = events(rows).with_columns(pl.col("at").dt.cast_time_unit(unit))  # type: ignore[arg-type]
    frame.write_parquet(out, row_group_size=7)
    declared = product(sources=[source(complete_through="2025-03-31")])
    directory = make([entity("a", [declared])], {"events.parquet": out.getvalue()}, time_zone=zone)
    days = [date(2025, 2, 20) + timedelta(i) for i in range(39)]
    at_once = contributions(directory, days)
    monkeypatch.setattr(contribute, "PASS_BYTES", 0)
    by_month = contributions(directory, days)
    assert {d: c.digest for d, c in by_month.items()} == {d: c.digest for d, c in at_once.items()}
    expected: dict[date, int] = {}
    for at, _ in rows:
        day = datetime.fromisoformat(at).astimezone(ZoneInfo(zone)).date()
        expected[day] = expected.get(day, 0) + 1
    assert {d: users(c)["email"] for d, c in by_month.items() if users(c)} == {d: n for d, n in expected.items() if d in days}


def test_days_are_read_in_portions(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Daily files are read some at a time: none twice, none left out."""
    by_day = {f"days/{d}.parquet": events([(f"{d}T12:00:00Z", f"u{d.day % 4}@example.com")]) for d in JANUARY}
    directory = make([entity("a", [product(sources=[source(files="days/{day}.parquet", complete_through=None)])])], by_day)
    whole = contributions(directory)
    monkeypatch.setattr(sources_files, "PORTION_BYTES", 2500)
    assert {d: c.digest for d, c in contributions(directory).items()} == {d: c.digest for d, c in whole.items()}
    assert all(c.parts[0].events == 1 for c in whole.values())


@pytest.mark.parametrize("day", [date(2024, 9, 7), date(2024, 9, 8)])
def test_a_zone_that_skips_midnight(make: Make, day: date) -> None:
    """In Santiago the 8th of September 2024 begins at one o'clock: no such midnight may stop a run."""
    rows: list[tuple[str, str | None]] = [("2024-09-08T03:59:59Z", "a@example.com"), ("2024-09-08T04:00:00Z", "b@example.com")]
    declared = product(**{"from": "2024-09-01"}, sources=[source(complete_through="2024-09-30")])
    directory = make([entity("a", [declared])], {"events.parquet": events(rows)}, time_zone="America/Santiago")
    assert users(contributions(directory, [day])[day]) == {"email": 1}


def listed(folder: Path) -> list[str]:
    return sorted(path.removeprefix(f"{folder}/") for path in sources_files._in_folder(folder))


def test_each_folder_and_file_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two links of a folder to itself were 2^40 paths; and a file by two paths would be its events twice."""
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for name in ("data/e.csv", "data/sub/f.csv", "elsewhere/g.csv"):
        (tmp_path / name).write_text("at,user\n")
    for number in range(8):
        (tmp_path / "data" / f"self-{number}").symlink_to(".")
        (tmp_path / "data" / "sub" / f"up-{number}").symlink_to("..")
    (tmp_path / "data" / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "copy.csv").symlink_to("e.csv")
    (tmp_path / "data" / "hard.csv").hardlink_to(tmp_path / "data" / "e.csv")
    (tmp_path / "data" / "nowhere.csv").symlink_to("gone.csv")
    scanned: list[str] = []
    scandir = os.scandir

    def noting(path: str) -> Any:
        scanned.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noting)
    assert listed(tmp_path / "data") == ["again/g.csv", "e.csv", "nowhere.csv", "sub/f.csv"]
    assert len(scanned) == 3


@pytest.mark.parametrize("hidden", ["_archive", ".snapshot", "lost+found"])
def test_what_a_name_leaves_out_hides_no_other_path(tmp_path: Path, hidden: str) -> None:
    """A hidden link, or a name like that of an unfinished file, would take the place of the path that counts: people left out."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "e.csv").write_text("at,user\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "f.csv.tmp").write_text("at,user\n")
    (tmp_path / "data" / "z.csv").hardlink_to(tmp_path / "data" / "f.csv.tmp")
    (tmp_path / "data" / hidden).symlink_to(tmp_path / "kept")
    (tmp_path / "data" / "zz").symlink_to(tmp_path / "kept")
    assert {"z.csv", "zz/e.csv"} <= set(listed(tmp_path / "data"))


def test_a_folder_that_may_not_be_listed_is_no_empty_one(make: Make) -> None:
    """Its files would silently not count."""
    directory = make(
        [entity("a", [product(sources=[source(files="dd")])])], {"dd/sub/e.csv": b"at,user\n2025-01-05T00:00:00Z,a\n"}
    )
    scandir = os.scandir

    def denying(path: str) -> Any:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    with patch.object(os, "scandir", denying), pytest.raises(OSError, match="denied"):
        contributions(directory)


def test_an_open_quotation_mark_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever counts the marks of all lines before at each line needs hours for a million lines."""
    counted = 0

    class Line(str):
        def count(self, *arguments: Any) -> int:
            nonlocal counted
            counted += len(self)
            return super().count(*arguments)

    lines = ["at,user", '2025-01-05T00:00:00Z,"a', *["x" * 20] * 5000, 'b"', "2025-01-05T00:00:00Z,c"]
    monkeypatch.setattr(file_checks, "_lines", lambda path: map(Line, lines))
    assert file_checks._check_records(tmp_path, ",", 2, "here") == 3
    assert counted == sum(map(len, lines))
    monkeypatch.setattr(file_checks, "_LONGEST_RECORD", 1000)
    with pytest.raises(RefusedError, match="isn't closed within 1,000 characters"):
        file_checks._check_records(tmp_path, ",", 2, "here")
