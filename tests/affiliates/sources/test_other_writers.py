"""Files of one source that several writers made: each file's times and types are its own, and none is bent to fit another's."""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affiliates.errors import Code, RefusedError
from affiliates.manifests.loader import read_group
from dashboards.cli.doctor import examine
from tests.support.event_files import JANUARY, contributions, users
from tests.support.groups import NOW, PLANTED, entity, events, product, source, write_group
from tests.support.services import Put
from tests.support.tables import group_of

Make = Callable[..., Path]

NEW_YORK = ZoneInfo("America/New_York")


def _bytes(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


def _named(prefix: str, number: int = 5) -> list[str]:
    return [f"{prefix}{i}@example.com" for i in range(number)]


OLD = pl.DataFrame({"at": [date(2025, 1, 1)] * 5, "user": _named("old")})
NEW = pl.DataFrame({"at": [datetime(2025, 1, 2, 15, tzinfo=UTC)] * 5, "user": _named("new")})


@pytest.mark.parametrize("place", ["disk", "store"])
@pytest.mark.parametrize("files", [{"old": OLD, "new": NEW}, {"old": OLD}, {"new": NEW}])
def test_dates_beside_times_are_the_groups_days(
    tmp_path: Path, request: pytest.FixtureRequest, place: str, files: dict[str, pl.DataFrame]
) -> None:
    """Case 10: cast to fit the times, a date became midnight in UTC: in New York the day before, here the year before."""
    whole = {f"d/{name}.parquet": _bytes(frame) for name, frame in files.items()}
    where = ""
    if place == "store":
        where, whole = request.getfixturevalue("put")(whole) + "/", {}
    directory = group_of(tmp_path, source(files=f"{where}d"), whole, time_zone="America/New_York", lg_k=12)
    counted = {day.day: users(c)["email"] for day, c in contributions(directory).items() if users(c)}
    assert counted == {day: 5 for day, name in ((1, "old"), (2, "new")) if name in files}


def test_zones_that_differ_and_columns_that_nobody_reads(make: Make) -> None:
    """Case 13: `at` tells instants in each file, in whatever zone and unit; loaded_at is nobody's business."""
    instants = pl.Series("at", [datetime(2025, 1, day, 10, tzinfo=UTC) for day in (1, 2, 3)], pl.Datetime("us", "UTC"))
    at = [
        instants[:1], instants[1:2].dt.convert_time_zone("Europe/Berlin").dt.cast_time_unit("ms"),
        instants[2:].dt.convert_time_zone("America/New_York").dt.cast_time_unit("ns"),
    ]  # fmt: skip
    loaded: list[Any] = [
        [datetime(2025, 1, 9)], pl.Series([datetime(2025, 1, 9, tzinfo=UTC)], dtype=pl.Datetime("us", "UTC")), [{"a": [1.5]}],
    ]  # fmt: skip
    files = {
        f"e-2025-01-0{n + 1}.parquet": pl.DataFrame({"at": at[n], "user": [f"u{n}@example.com"], "loaded_at": loaded[n]})
        for n in range(3)
    }
    for declared in (source(files="d/e-{day}.parquet", complete_through=None), source(files="d")):
        directory = make([entity("a", [product(sources=[declared])])], {f"d/{name}": frame for name, frame in files.items()})
        assert [day.day for day, c in contributions(directory).items() if users(c) == {"email": 1}] == [1, 2, 3]
        (line,) = [(fine, text) for what, fine, text in examine(directory, read_group(directory), NOW) if what == "a/app"]
        assert line[0], line


WAYS: dict[str, Callable[[datetime], pl.Series]] = {
    "utc us": lambda at: pl.Series([at], dtype=pl.Datetime("us", "UTC")),
    "new york ms": lambda at: pl.Series([at], dtype=pl.Datetime("ms", "UTC")).dt.convert_time_zone("America/New_York"),
    "kathmandu ns": lambda at: pl.Series([at], dtype=pl.Datetime("ns", "UTC")).dt.convert_time_zone("Asia/Kathmandu"),
    "text": lambda at: pl.Series([at.astimezone(NEW_YORK).isoformat()]),
    "text of a database": lambda at: pl.Series([f"{at:%Y-%m-%d %H:%M:%S}+00"]),
    "date": lambda at: pl.Series([at.astimezone(NEW_YORK).date()]),
    "naive": lambda at: pl.Series([at.astimezone(NEW_YORK).replace(tzinfo=None)], dtype=pl.Datetime("us")),
}
USERS: list[Callable[[int], pl.Series]] = [
    lambda number: pl.Series([str(number)]), lambda number: pl.Series([number], dtype=pl.Int64),
    lambda number: pl.Series([number], dtype=pl.UInt32), lambda number: pl.Series([str(number)], dtype=pl.Categorical),
]  # fmt: skip


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(0, 31 * 24 * 60 - 1), st.integers(1, 9), st.sampled_from(sorted(WAYS)), st.integers(0, 3)),
        min_size=1,
        max_size=8,
    )
)
def test_each_file_in_its_own_way(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, str, int]]) -> None:
    """Oracle: the same events by Python's own zones, one by one; every file is written in another way."""
    directory = tmp_path_factory.mktemp("g")
    # From New York's first moment of January, so that each way's day is in the month.
    start = datetime(2025, 1, 1, 5, tzinfo=UTC)
    expected: dict[date, set[int]] = {}
    files = {}
    for number, (minutes, user, way, kind) in enumerate(rows):
        at = start + timedelta(minutes=minutes)
        files[f"d/{number}.parquet"] = pl.DataFrame({"at": WAYS[way](at), "user": USERS[kind](user)})
        expected.setdefault(at.astimezone(NEW_YORK).date(), set()).add(user)
    declared = source(
        files="d", time={"column": "at", "zone": "America/New_York"}, identifiers=[{"column": "user", "namespace": "account"}]
    )
    write_group(directory, [entity("a", [product(sources=[declared])])], files, time_zone="America/New_York", lg_k=12)
    counted = {day: users(c)["account"] for day, c in contributions(directory).items() if users(c)}
    assert counted == {day: len(people) for day, people in expected.items()}


def test_conditions_see_each_files_own_type(make: Make) -> None:
    """A number beside text would be compared as text, where 9 is more than 10."""
    at = [datetime(2025, 1, 5, 10, tzinfo=UTC)] * 2
    files = {
        "d/a.parquet": pl.DataFrame({"at": at, "user": _named("a", 2), "n": [9, 10]}),
        "d/b.parquet": pl.DataFrame({"at": at, "user": _named("b", 2), "n": [9.5, 10.5]}),
        "d/c.parquet": pl.DataFrame({"at": [], "user": [], "n": []}),
    }
    directory = make([entity("a", [product(sources=[source(files="d", counts_when="n < 10")])])], files)
    assert users(contributions(directory)[date(2025, 1, 5)]) == {"email": 2}
    files["d/d.parquet"] = pl.DataFrame({"at": at, "user": _named("d", 2), "n": ["9", "10"]})
    directory = make([entity("a", [product(sources=[source(files="d", counts_when="n < 10")])])], files)
    with pytest.raises(RefusedError, match=r"a/app, d\.parquet, counts_when: the types .* don't fit .*n is text"):
        contributions(directory)


def _last(dtype: pl.DataType) -> pl.Series:
    return pl.Series([2**63 - 1], dtype=pl.Int64).cast(dtype)


BEYOND: dict[str, tuple[pl.Series, dict[str, Any], str]] = {
    "us": (_last(pl.Datetime("us", "UTC")), {}, "times that can't be"),
    "ms": (_last(pl.Datetime("ms", "UTC")), {}, "times that can't be"),
    "us in a zone": (_last(pl.Datetime("us", "America/New_York")), {}, "times that can't be"),
    "us, the other way": (pl.Series([-(2**63) + 1]).cast(pl.Datetime("us", "UTC")), {}, "times that can't be"),
    "local": (_last(pl.Datetime("us")), {"zone": "America/New_York"}, "times that can't be"),
    "date": (pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date), {}, "times that can't be"),
    "date, the other way": (pl.Series([-(2**31) + 1], dtype=pl.Int32).cast(pl.Date), {}, "times that can't be"),
    "nanoseconds": (_last(pl.Datetime("ns", "UTC")), {}, "times in the future"),
    "seconds": (pl.Series([2**63 - 1]), {"unit": "s"}, "times in the future"),
    "milliseconds as seconds": (pl.Series([1_736_000_000_000]), {"unit": "s"}, "times in the future"),
    "that wrap into 2025": (pl.Series([(1_736_000_000_000_000 + 2**64) // 1_000_000]), {"unit": "s"}, "times in the future"),
    "negative": (pl.Series([-(2**63) + 1]), {"unit": "ms"}, "times before 1971"),
    "64 bits": (pl.Series([2**64 - 1], dtype=pl.UInt64), {"unit": "ns"}, "without a readable time"),
    "the last day": (pl.Series([date(9999, 12, 31)]), {}, "times that can't be"),
    "the last second": (pl.Series([datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)]), {}, "times that can't be"),
    "the last day but one": (pl.Series([date(9999, 12, 30)]), {}, "times in the future"),
    "a zero day as text": (pl.Series(["0000-00-00 00:00:00"]), {}, "without a readable time"),
    "infinity as text": (pl.Series(["infinity"]), {}, "without a readable time"),
    "year 0": (pl.Series([datetime(1, 1, 1, tzinfo=UTC)]), {}, "times that can't be"),
}


@pytest.mark.parametrize("what", BEYOND)
def test_a_time_that_can_not_be_is_named_by_file_and_column(make: Make, what: str) -> None:
    """polars panics far beyond all years, or wraps around to a day of our own; either way another cause was named, or none."""
    times, spec, rule = BEYOND[what]
    good: Any = {"s": [1_736_000_000], "ms": [1_736_000_000_000], "ns": pl.Series([1_736_000_000_000_000_000], dtype=pl.UInt64)}
    first = pl.DataFrame({"at": good.get(spec.get("unit"), [datetime(2025, 1, 5, tzinfo=UTC)]), "user": ["a@example.com"]})
    files = {"d/a.parquet": first, "d/b.parquet": pl.DataFrame({"at": times, "user": [PLANTED]})}
    for zone in ("UTC", "America/New_York", "Asia/Tokyo"):
        declared = source(files="d", time={"column": "at", **spec})
        directory = make([entity("a", [product(sources=[declared])])], files, time_zone=zone)
        with pytest.raises(RefusedError, match=rf"{rule}.* \(1 in column at, as in b\.parquet"):
            contributions(directory)


WRONG = {
    "no time": (pl.Series([1.5]), r"a/app, b\.parquet: the time column has no type of a time \(column at is Float64\)"),
    "local": (pl.Series([datetime(2025, 1, 5)]), r"times without a zone \(1 in column at, as in b\.parquet\)"),
    "empty": (pl.Series([None]), r"events without a readable time \(1 in column at, as in b\.parquet\)"),
    "text": (pl.Series(["5 January"]), r"events without a readable time \(1 in column at, as in b\.parquet\)"),
    "early": (pl.Series([date(1970, 1, 1)]), r"times before 1971.* \(1 in column at, as in b\.parquet\)"),
    "late": (
        pl.Series([date(2030, 1, 1)]),
        r"times in the future \(1 in column at, as in b\.parquet, after 2025-06-01 12:00 UTC\)",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_times_that_are_wrong_are_named_by_file_and_column(tmp_path: Path, put: Put, what: str) -> None:
    """Of a year of files, a person has to be told which one; without it all files `don't fit together`."""
    times, expected = WRONG[what]
    good = events([("2025-01-05T00:00:00Z", "a@example.com")])
    whole = {"d/a.parquet": _bytes(good), "d/b.parquet": _bytes(pl.DataFrame({"at": times, "user": [PLANTED]}))}
    with pytest.raises(RefusedError, match=expected):
        contributions(group_of(tmp_path / "disk", source(files="d"), whole))
    with pytest.raises(RefusedError, match=expected.replace(r"b\.parquet", r"s3://\w+/d/b\.parquet")):
        contributions(group_of(tmp_path / "store", source(files=f"{put(whole)}/d")))


def test_an_event_on_another_day_is_named_by_its_file(make: Make) -> None:
    """The one file of a month that is named by arrival."""
    files = {f"{day}.parquet": events([(f"{day}T10:00:00Z", "a@example.com")]) for day in JANUARY[:3]}
    files["2025-01-04.parquet"] = events([("2025-01-05T10:00:00Z", PLANTED)])
    directory = make([entity("a", [product(sources=[source(files="{day}.parquet", complete_through=None)])])], files)
    with pytest.raises(RefusedError, match=r"on another day.* \(1 in column at, as in 2025-01-04\.parquet\)"):
        contributions(directory)


OTHER_WRITERS = Path(__file__).parents[2] / "data/other-writers"


def test_columns_of_types_that_nobody_reads(make: Make) -> None:
    """A column that the manifest doesn't name may be anything that Parquet has, a zone that nobody knows among them."""
    whole = (OTHER_WRITERS / "extras.parquet").read_bytes()
    assert users(contributions(make([entity("a", [product()])], {"events.parquet": whole}))[date(2025, 1, 5)]) == {"email": 1}


@pytest.mark.parametrize("zone", ["offset", "z", "utc-plus-1"])
@pytest.mark.parametrize("group_zone", ["UTC", "Asia/Tokyo"])
def test_zones_as_arrow_writes_them(make: Make, zone: str, group_zone: str) -> None:
    """An offset in the place of a zone's name: 23:30 in UTC all the same, on which polars panics when it is left alone."""
    whole = (OTHER_WRITERS / f"{zone}.parquet").read_bytes()
    files: dict[str, Any] = {"d/a.parquet": whole, "d/b.parquet": events([("2025-01-05T23:30:00Z", "b@example.com")])}
    directory = make([entity("a", [product(sources=[source(files="d")])])], files, time_zone=group_zone)
    day = date(2025, 1, 5 + (group_zone != "UTC"))
    assert {day: users(c) for day, c in contributions(directory).items() if users(c)} == {day: {"email": 2}}


def test_times_as_old_engines_write_them(make: Make) -> None:
    """INT96, as Impala and older Sparks write it: local times, whose zone the manifest says."""
    whole = (OTHER_WRITERS / "int96.parquet").read_bytes()
    declared = source(time={"column": "at", "zone": "America/New_York"})
    directory = make([entity("a", [product(sources=[declared])])], {"events.parquet": whole})
    assert [day.day for day, c in contributions(directory).items() if users(c)] == [6]


def test_codes_of_times(make: Make) -> None:
    """A runbook goes by the code."""
    frame = pl.DataFrame({"at": BEYOND["us"][0], "user": [PLANTED]})
    with pytest.raises(RefusedError) as refused:
        contributions(make([entity("a", [product()])], {"events.parquet": frame}))
    assert refused.value.refusals[0].code is Code.SOURCE_TIMES_IMPOSSIBLE
