"""Events in databases: what a table gives must be what the same events give in a file, and no day more or less."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
import pytest
import sqlalchemy as sa

from affiliates.aggregation import activity, availability
from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import definition_digest
from affiliates.sources.database.table import EventTable
from tests.support.command import installed
from tests.support.databases import new_database
from tests.support.event_files import JANUARY, contributions, users
from tests.support.groups import NOW, PLANTED, SECRET, entity, events, product, source, write_group
from tests.support.runs import go
from tests.support.services import free_port
from tests.support.tables import KINDS, ROWS, digests, execute, fill, found_in, group_of, opened, table, whole_text


@pytest.fixture(scope="module")
def database(postgres: sa.Engine) -> Iterator[str]:
    with new_database(postgres) as url:
        yield url


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def naive(text: str) -> datetime:
    return at(text).replace(tzinfo=None)


def seconds(text: str) -> int:
    return int(at(text).timestamp())


NAIVE = {"column": "at", "zone": "UTC"}
TIMES: dict[str, tuple[str, str, Callable[[str], Any], Any]] = {
    "timestamptz": ("postgresql", "timestamptz", at, "at"),
    "timestamp": ("postgresql", "timestamp", naive, NAIVE),
    "seconds": ("postgresql", "integer", seconds, {"column": "at", "unit": "s"}),
    "microseconds": ("postgresql", "bigint", lambda t: seconds(t) * 1_000_000, {"column": "at", "unit": "us"}),
    "text": ("postgresql", "text", str, "at"),
    "lite text": ("sqlite", "text", str, "at"),
    "lite local": ("sqlite", "datetime", lambda t: str(naive(t)), NAIVE),
    "lite seconds": ("sqlite", "timestamp", seconds, {"column": "at", "unit": "s"}),
}


@pytest.mark.parametrize(("kind", "zone"), list(zip(TIMES, ["Asia/Tokyo", "America/Santiago"] * 4, strict=True)))
def test_a_table_counts_as_the_same_events_in_a_file(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, zone: str
) -> None:
    """A range a moment too narrow, or days of another zone, would lose people at every midnight."""
    backend, sqltype, value_of, spec = TIMES[kind]
    url = request.getfixturevalue("database") if backend == "postgresql" else f"sqlite:///{tmp_path}/shop.sqlite"
    fill(
        url,
        {"extra": "text", "at": sqltype, "user": "text", "kind": "text"},
        [("unread", value_of(t), user, k) for (t, user), k in zip(ROWS, KINDS, strict=True)],
    )
    settings: dict[str, Any] = {"time_zone": zone, "lg_k": 12}
    counts = {"counts_when": "kind = 'open'"}
    by_table = group_of(tmp_path / "table", table(url, time=spec, **counts), **settings)
    by_file = group_of(tmp_path / "file", source(**counts), {"events.parquet": events(ROWS, kind=KINDS)}, **settings)
    expected = digests(contributions(by_file))
    assert digests(contributions(by_table)) == expected
    for day in (JANUARY[0], JANUARY[30]):  # Computed again by itself: another range, the same people.
        assert digests(contributions(by_table, [day])) == {day: expected[day]}
    assert availability.events_now([found_in(by_table)], "day", {d: [d] for d in JANUARY}, zone) == {
        d: number + (unidentified or 0) for d, (_, number, unidentified) in expected.items()
    }


@pytest.mark.parametrize("kind", [kind for kind in TIMES if kind != "text"])
def test_a_day_computed_again_reads_no_other_rows(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right answer from the whole table is an hour too late, each day."""
    backend, sqltype, value_of, spec = TIMES[kind]
    url = request.getfixturevalue("database") if backend == "postgresql" else f"sqlite:///{tmp_path}/shop.sqlite"
    fill(url, {"at": sqltype, "user": "text"}, [(value_of(t), user) for t, user in ROWS])
    event_table = found_in(group_of(tmp_path / "group", table(url, time=spec), time_zone="Asia/Tokyo"))
    rows = sum(frame.collect().height for frame in event_table.frames([JANUARY[14]], ["at"]))
    widened = 5 if kind in ("lite text", "lite local") else 2 if kind == "timestamp" else 1
    assert 10 < rows <= 17 * widened
    assert [frame.collect_schema().names() for frame in event_table.frames([JANUARY[14]], ["at"])][-1] == [
        "at",
        "__day__",
        "__file__",
    ]


@pytest.mark.parametrize(("kind", "beside"), list(zip(TIMES, [0, 0, 2, 2, 99, 2, 2, 2], strict=True)))
def test_the_fingerprint_of_a_day_changes_with_its_rows(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, beside: int
) -> None:
    """Of days that are another than the group's, no late row may go by unseen; and where it can be told, no other day is red."""
    backend, sqltype, value_of, spec = TIMES[kind]
    url = request.getfixturevalue("database") if backend == "postgresql" else f"sqlite:///{tmp_path}/shop.sqlite"
    fill(url, {"at": sqltype, "user": "text"}, [(value_of(t), user) for t, user in ROWS])
    event_table = found_in(group_of(tmp_path / "group", table(url, time=spec), time_zone="Asia/Tokyo"))
    periods = {d: [d] for d in JANUARY}
    before = event_table.fingerprints(periods)
    assert event_table.fingerprints(periods) == before
    assert {d: s for day in JANUARY[:3] for d, s in event_table.fingerprints({day: [day]}).items()} == {
        d: before[d] for d in JANUARY[:3]
    }
    for time, day in (("2025-01-09T14:59:59+00:00", JANUARY[8]), ("2025-01-09T15:00:00+00:00", JANUARY[9])):
        with opened(url) as connection:
            connection.execute(sa.insert(sa.table("events", sa.column("at"))), {"at": value_of(time)})
        after = event_table.fingerprints(periods)
        changed = {d for d in JANUARY if after[d] != before[d]}
        assert day in changed <= {d for d in JANUARY if abs(d - day) <= timedelta(beside)}
        before = after


def test_only_the_named_columns_are_asked_for(tmp_path: Path, database: str, postgres: sa.Engine) -> None:
    """A user who may read these columns of a schema of its own, and no others, is enough."""
    execute(database, "create schema if not exists analytics")
    fill(
        database, {"at": "timestamptz", "user": "text", "salary": "text"}, [(at(t), u, "x") for t, u in ROWS], "analytics.events"
    )
    execute(
        database,
        "drop role if exists reader", "create role reader login", "grant usage on schema analytics to reader",
        'grant select (at, "user") on analytics.events to reader',
    )  # fmt: skip
    as_reader = sa.make_url(database).set(username="reader").render_as_string(hide_password=False)
    declared = table(as_reader, table="analytics.events")
    assert len(contributions(group_of(tmp_path, declared, lg_k=12), JANUARY[:1])) == 1
    declared = table(as_reader, table="analytics.events", internal_when="salary = 'x'")
    with pytest.raises(RefusedError, match=r"may not be read .*permission denied.* grant mauwatch's user `select`") as refused:
        contributions(group_of(tmp_path, declared), JANUARY[:1])
    assert "reader" not in str(refused.value)
    execute(database, "drop owned by reader", "drop role reader")


IDENTIFIERS: dict[str, list[Any]] = {
    "uuid": [UUID(int=i) for i in range(3)],
    "bigint": [10**17, 2, 3],
    "numeric(30)": [10**25, 2, 3],
    "varchar(40)": ["0012", "12", " 12 "],
    "char(9)": ["a", "b", "c"],
}


@pytest.mark.parametrize("sqltype", IDENTIFIERS)
def test_identifiers_of_a_database_are_their_text(tmp_path: Path, database: str, sqltype: str) -> None:
    """The same person in another product's file has her number or UUID as text."""
    values = IDENTIFIERS[sqltype]
    who = [{"column": "user", "namespace": "device"}]
    fill(database, {"at": "timestamptz", "user": sqltype}, [(at("2025-01-05T12:00:00+00:00"), v) for v in values])
    by_table = group_of(tmp_path / "table", table(database, identifiers=who), lg_k=12)
    frame = events([("2025-01-05T12:00:00Z", str(v)) for v in values])
    by_file = group_of(tmp_path / "file", source(identifiers=who), {"events.parquet": frame}, lg_k=12)
    assert digests(contributions(by_table)) == digests(contributions(by_file))


def test_identifiers_without_one_spelling_are_refused(tmp_path: Path, database: str) -> None:
    """1.0 and 1.00 would be two people."""
    types = ["bytea", "jsonb", "numeric", "numeric(9,2)", "double precision", "boolean", "text[]"]
    fill(database, {"at": "timestamptz", **{f"c{i}": sqltype for i, sqltype in enumerate(types)}}, [])
    for i in range(len(types)):
        who = [{"column": f"c{i}", "namespace": "device"}]
        with pytest.raises(RefusedError, match=rf"a/app, events: identifiers must be text or whole numbers \(column c{i} is "):
            contributions(group_of(tmp_path, table(database, identifiers=who)))


def test_conditions_on_columns_of_all_types(tmp_path: Path, database: str) -> None:
    """A column that a condition can't read would count everybody, or nobody."""
    columns = {
        "paid": "numeric(9,2)",
        "ratio": "real",
        "size": "numeric(4)",
        "big": "bigint",
        "on": "boolean",
        "day": "date",
        "id": "uuid",
        "odd": "xml",
    }
    rows = [
        (at(ROWS[1][0]), f"u{i}@example.com", i / 4, i / 4, i, i, i > 3, date(2025, 1, 1 + i), UUID(int=i), None)
        for i in range(8)
    ]
    fill(database, {"at": "timestamptz", "user": "text", **columns}, rows)
    for condition, expected in {
        "paid >= 1.25": 3, "ratio < 0.5": 2, "size = 5": 1, "big in (1, 2)": 2, '"on"': 4, "day > date '2025-01-06'": 2,
        f"id = '{UUID(int=7)}'": 1, "paid >= 1.25 and not \"on\"": 0,
    }.items():  # fmt: skip
        counted = contributions(group_of(tmp_path, table(database, counts_when=condition), lg_k=12), JANUARY[:1])
        assert users(counted[JANUARY[0]]).get("email", 0) == expected, condition


STRAYS = {
    "no time": (None, "events without a readable time"),
    "missing, written as 0": ("1970-01-01T00:00:00+00:00", "times before 1971"),
    "the future": ("2030-01-01T00:00:00+00:00", "times in the future"),
}


@pytest.mark.parametrize("stray", STRAYS)
@pytest.mark.parametrize("kind", [kind for kind in TIMES if kind != "text"])
def test_times_that_can_not_be_are_refused_on_whatever_day(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str, stray: str
) -> None:
    """A range of days never shows them, and they would be missing from the days they belong to."""
    (backend, sqltype, value_of, spec), (time, rule) = TIMES[kind], STRAYS[stray]
    url = request.getfixturevalue("database") if backend == "postgresql" else f"sqlite:///{tmp_path}/shop.sqlite"
    fill(url, {"at": sqltype, "user": "text"}, [(value_of(ROWS[1][0]), PLANTED), (time and value_of(time), PLANTED)])
    with pytest.raises(RefusedError, match=rf"{rule}.* \(1 in column at"):
        contributions(group_of(tmp_path / "group", table(url, time=spec)), JANUARY[4:5])


BEYOND_YEARS = {
    "infinity": "times that can't be", "-infinity": "times that can't be", "0044-03-15 BC": "times that can't be",
    "20000-01-01": "times that can't be", "9999-12-30": "times in the future", "0001-01-03": "times before 1971",
}  # fmt: skip


@pytest.mark.parametrize("value", BEYOND_YEARS)
@pytest.mark.parametrize("sqltype", ["timestamptz", "timestamp", "date"])
def test_times_that_python_does_not_have_are_named_as_such(tmp_path: Path, database: str, sqltype: str, value: str) -> None:
    """Case 14: psycopg gives the query up for one `infinity`, and the database couldn't be reached, as was said."""
    fill(database, {"at": sqltype, "user": "text"}, [])
    execute(database, f"insert into events values ('2025-01-05', 'a@example.com'), ('{value}', '{PLANTED}')")
    for zone in ("UTC", "America/New_York"):
        spec = {"column": "at", "zone": "Europe/Berlin"} if sqltype == "timestamp" else "at"
        directory = group_of(tmp_path / zone[:3], table(database, time=spec), time_zone=zone)
        with pytest.raises(RefusedError, match=rf"a/app: {BEYOND_YEARS[value]}.* \(1 in column at") as refused:
            contributions(directory, JANUARY[4:5])
        assert "planted" not in whole_text(refused.value)


def test_infinity_in_a_condition_is_later_than_any_day(tmp_path: Path, database: str) -> None:
    """`valid until infinity` is how PostgreSQL says that something has no end."""
    columns = {"at": "timestamptz", "user": "text", "until": "date", "since": "timestamp"}
    fill(database, columns, [])
    execute(
        database,
        "insert into events values ('2025-01-05 10:00+00', 'a@example.com', 'infinity', '-infinity'), "
        "('2025-01-05 10:00+00', 'b@example.com', '2025-01-01', 'infinity'), "
        "('2025-01-05 10:00+00', 'c@example.com', null, null)",
    )
    for condition, expected in {"until > date '2025-02-01'": 1, "until < date '2025-02-01'": 1, "until is not null": 2}.items():
        declared = table(database, counts_when=f"coalesce({condition}, false)")
        counted = contributions(group_of(tmp_path, declared, lg_k=12), JANUARY[4:5])
        assert users(counted[JANUARY[4]]) == {"email": expected}, condition


def test_a_load_table_that_is_complete_for_ever(tmp_path: Path, database: str) -> None:
    """No day: it would call every day to come complete."""
    fill(database, {"at": "timestamptz", "user": "text"}, [(at(t), user) for t, user in ROWS])
    fill(database, {"through": "date"}, [], "loads")
    execute(database, "insert into loads values ('infinity')")
    declared = table(database, complete_through={"table": "loads", "column": "through"})
    with pytest.raises(RefusedError, match=r"`complete_through` names a column that doesn't hold days"):
        contributions(group_of(tmp_path, declared))


@pytest.mark.parametrize("sqltype", ["date", "datetime", "text"])
@pytest.mark.parametrize("value", ["0000-00-00", "0000-00-00 00:00:00", "infinity", "2025-00-05"])
def test_days_of_zero_are_named_by_their_column(tmp_path: Path, sqltype: str, value: str) -> None:
    """MySQL's zero date, as exports carry it elsewhere."""
    url = f"sqlite:///{tmp_path}/shop.sqlite"
    good = "2025-01-05" if sqltype == "date" else "2025-01-05T07:00:00Z"
    fill(url, {"at": "text" if sqltype == "text" else sqltype, "user": "text"}, [])
    execute(url, f"insert into events values ('{good}', 'a@example.com'), ('{value}', '{PLANTED}')")
    with pytest.raises(RefusedError, match=r"column at") as refused:
        contributions(group_of(tmp_path / "group", table(url)), JANUARY[4:5])
    assert "reached" not in str(refused.value)
    assert "planted" not in whole_text(refused.value)


@pytest.mark.parametrize(
    "text", ["2025-1-5", "20250105", " 2025-01-05", "2025-01-05 07:00:00", "2025-19-39", "2025-02-30", "now"]
)
@pytest.mark.parametrize("sqltype", ["date", "text"])
def test_a_day_that_is_written_otherwise_is_not_left_out_in_silence(tmp_path: Path, sqltype: str, text: str) -> None:
    """Among other days' texts it stands where no range finds it."""
    url = f"sqlite:///{tmp_path}/shop.sqlite"
    good = "2025-01-05" if sqltype == "date" else "2025-01-05T07:00:00Z"
    fill(url, {"at": sqltype, "user": "text"}, [(good, "a@example.com"), (text, PLANTED)])
    directory = group_of(tmp_path / "group", table(url, time={"column": "at", "zone": "UTC"}), lg_k=12)
    if (sqltype, text) == ("text", "2025-01-05 07:00:00"):
        assert users(contributions(directory, JANUARY[4:5])[JANUARY[4]]) == {"email": 2}
        return
    with pytest.raises(RefusedError, match=r"values of the wrong type|events without a readable time"):
        contributions(directory, JANUARY[4:5])


def test_days_of_a_database(tmp_path: Path, database: str) -> None:
    """A column of days is of the group's days, in whichever database."""
    lite = f"sqlite:///{tmp_path}/shop.sqlite"
    rows = [(date(2025, 1, 1 + i % 31), f"u{i % 7}@example.com") for i in range(99)]
    fill(database, {"at": "date", "user": "text"}, list(rows))
    fill(lite, {"at": "date", "user": "text"}, [(str(day), user) for day, user in rows])
    by_file = group_of(tmp_path / "file", source(), {"events.parquet": pl.DataFrame(rows, ["at", "user"], orient="row")}, lg_k=12)
    for number, url in enumerate((database, lite)):
        by_table = group_of(tmp_path / str(number), table(url), lg_k=12, time_zone="Asia/Tokyo")
        assert [users(c) for c in contributions(by_table).values()] == [users(c) for c in contributions(by_file).values()]


@pytest.mark.parametrize("backend", ["postgresql", "sqlite"])
def test_late_rows_are_counted_on_their_day(tmp_path: Path, request: pytest.FixtureRequest, backend: str) -> None:
    """Of days that settled long ago those whose rows changed are counted again, and no others; a load table says which are
    whole."""
    url = request.getfixturevalue("database") if backend == "postgresql" else f"sqlite:///{tmp_path}/shop.sqlite"
    (kind, value_of) = ("timestamptz", at) if backend == "postgresql" else ("text", str)
    fill(url, {"at": kind, "user": "text"}, [(value_of(t), user) for t, user in ROWS])
    fill(url, {"through": "date"}, [("2025-01-20" if backend == "sqlite" else date(2025, 1, 20),)], "loads")
    declared = table(url, complete_through={"table": "loads", "column": "through"})
    directory = write_group(tmp_path / "group", [entity("a", [product(sources=[declared], to="2025-02-01")])], lg_k=12)
    assert go(directory).products[0].periods == 20
    execute(url, "insert into loads values ('2025-01-31')")
    assert go(directory, NOW + timedelta(1)).products[0].periods == 11
    assert go(directory, NOW + timedelta(2)).products[0].periods == 0
    execute(url, "insert into events values ('2025-01-05T07:00:00+00:00', 'new@example.com')")
    report = go(directory, NOW + timedelta(3))
    assert (report.products[0].periods, report.products[0].received.replaced) == (1, 1)
    assert go(directory, NOW + timedelta(4)).products[0].periods == 0


@pytest.mark.parametrize("value", [None, "soon", "2025-01-31T00:00:00"])
def test_loaded_through_no_day(tmp_path: Path, value: str | None) -> None:
    """An empty table has loaded nothing yet; of a time nobody can tell whether its day is whole."""
    url = f"sqlite:///{tmp_path}/shop.sqlite"
    fill(url, {"at": "text", "user": "text"}, list(ROWS))
    fill(url, {"through": "text"}, [(value,)], "loads")
    directory = group_of(tmp_path / "group", table(url, complete_through={"table": "loads", "column": "through"}))
    if value is None:
        assert contributions(directory) == {}
        return
    with pytest.raises(RefusedError, match="`complete_through` names a column that doesn't hold days"):
        contributions(directory)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no table": ({"table": "evnts"}, r"a/app, evnts: no such table or view \(sqlite:///.*correct `table`"),
    "no schema": ({"table": "shop.events"}, "no such table|didn't give its rows"),
    "no column": (
        {"time": "when"},
        r"a/app, events: columns are missing \(when, among 4 columns.*correct the manifest's columns",
    ),
    "near column": ({"identifiers": [{"column": "usr", "namespace": "email"}]}, "it has user for usr"),
    "type of time": ({"time": "amount"}, r"the time column has no type of a time \(column amount is "),
    "no unit": ({"time": "number"}, "the time column has no type of a time"),
    "values": ({"identifiers": [{"column": "number", "namespace": "email"}]}, "values of the wrong type .some of column number"),
    "condition": ({"counts_when": "number > 'x'"}, "the types in a condition don't fit together"),
    "load table": ({"complete_through": {"table": "loads", "column": "x"}}, "`complete_through`: the database"),
    "no file": ({"database": {"url": "sqlite:///gone.sqlite"}}, r"no file is there \(sqlite:///gone.sqlite"),
    "no variable": ({"database": {"env": "NOWHERE_DB"}}, r"the database's URL isn't there \(the environment's NOWHERE_DB"),
    "no such file": ({"database": {"file": "gone.txt"}}, r"the database's URL isn't there \(gone.txt\)"),
    "no URL": ({"database": {"url": f"://{SECRET}"}}, r"the database's URL isn't one \(`url`\)"),
    "no driver": ({"database": {"url": f"nosuch://me:{SECRET}@localhost/x"}}, r"has no driver here \(nosuch\)"),
    "no database": ({"database": None}, "a table without `database` can't be read from here .events.*hand in the contributions"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_table_is_refused_by_name(tmp_path: Path, wrong: str) -> None:
    """With what is wrong and what to do, and with nobody's address or password."""
    changes, expected = WRONG[wrong]
    fill(
        f"sqlite:///{tmp_path}/shop.sqlite",
        {"at": "text", "user": "text", "number": "integer", "amount": "real"},
        [(ROWS[1][0], PLANTED, PLANTED, 1)],
    )
    group_of(tmp_path, {k: v for k, v in table("sqlite:///shop.sqlite", **changes).items() if v is not None})
    with pytest.raises(RefusedError, match=expected) as refused:
        contributions(tmp_path)
    assert PLANTED not in whole_text(refused.value)
    assert SECRET not in whole_text(refused.value)


def test_a_closed_port_and_a_wrong_password(tmp_path: Path) -> None:
    """The URL is shown without user, password and options, whatever the driver says."""
    port = free_port()
    url = f"postgresql://me:{SECRET}@localhost:{port}/shop?application_name={SECRET}"
    for place in ({"url": url}, {"file": "url.txt"}):
        directory = group_of(tmp_path, table("", database=place), {"url.txt": url.encode()})
        with pytest.raises(
            RefusedError, match=rf"can't be reached, or lets nobody in \(postgresql://localhost:{port}/shop: "
        ) as refused:
            contributions(directory)
        assert SECRET not in whole_text(refused.value)
        group = read_group(directory)
        assert SECRET not in repr(group) + group.model_dump_json() + str(group.entities["a"].products[0].sources[0])
        assert url not in json.dumps(group.model_dump(), default=str)


@pytest.mark.parametrize(
    "url", ["postgresql://me:a@{}@h/x", "postgresql://me:a@{}/b@h/x", "postgresql://me:a@b/{}@h/x", "mysql://{}"]
)
def test_a_password_with_signs_of_its_own_is_not_taken_for_a_host(tmp_path: Path, url: str) -> None:
    """Not escaped, it ends where its own @ stands, and the rest looks like the host."""
    with pytest.raises(RefusedError) as refused:
        found_in(group_of(tmp_path, table(url.format(SECRET))))
    assert SECRET not in whole_text(refused.value)


def test_a_server_s_error_quotes_no_value(tmp_path: Path, database: str) -> None:
    """PostgreSQL says which text isn't a number: somebody's address."""
    fill(database, {"at": "timestamptz", "user": "text"}, [(at(ROWS[1][0]), PLANTED)])
    execute(database, 'create view broken as select at, "user"::bigint as "user" from events')
    with pytest.raises(RefusedError, match=r"a/app: the database didn't give its rows .*state 22P02") as refused:
        contributions(group_of(tmp_path, table(database, table="broken")))
    assert "planted" not in whole_text(refused.value)


def test_rows_that_come_between_check_and_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They count, or wait for the next run; and what a check would have refused never counts unchecked."""
    url = f"sqlite:///{tmp_path}/shop.sqlite"
    fill(url, {"at": "text", "user": "text"}, [(ROWS[1][0], "a@example.com")])
    checked = activity.check

    def meanwhile(*args: Any) -> None:
        checked(*args)
        rows = [("2025-01-01T09:00:00+00:00", "b@example.com"), ("soon", "c@example.com"), (None, "d@example.com")]
        for row in rows:
            execute(url, f"insert into events values ({', '.join(repr(v) if v else 'null' for v in row)})")

    monkeypatch.setattr(activity, "check", meanwhile)
    counted = contributions(group_of(tmp_path / "group", table(url)))
    assert users(counted[JANUARY[0]]) == {"email": 2}
    assert sum(sum(p.events or 0 for p in c.parts) for c in counted.values()) == 2


def test_sqlite_is_opened_for_reading_alone(tmp_path: Path) -> None:
    """A file that isn't there must not come into being, and one that is must not change."""
    url = f"sqlite:///{tmp_path}/shop.sqlite"
    fill(url, {"at": "text", "user": "text"}, list(ROWS))
    before = (tmp_path / "shop.sqlite").read_bytes()
    event_table = found_in(group_of(tmp_path / "group", table(url)))
    contributions(tmp_path / "group")
    assert isinstance(event_table, EventTable)
    with event_table.engine.connect() as connection, pytest.raises(sa.exc.OperationalError, match="readonly"):
        connection.exec_driver_sql("delete from events")
    assert (tmp_path / "shop.sqlite").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["group", "shop.sqlite"]


def test_the_definition_is_the_table_and_not_its_database(tmp_path: Path) -> None:
    """A new password or host must not compute years again; nor may a digest be made of a password."""
    same, other = (
        [group_of(tmp_path, table("", database=place, table=name)) and found_in_manifest(tmp_path) for name in ("events", "e2")]
        for place in ({"env": "SHOP_DB"}, {"url": f"postgresql://me:{SECRET}@localhost/x"})
    )
    assert same == other
    assert same[0] != same[1]


def test_the_definition_of_files_is_as_it_was(tmp_path: Path) -> None:
    """Another digest for the same manifest would compute every store's past again: this one was made before there were tables."""
    group_of(tmp_path, source())
    assert found_in_manifest(tmp_path) == "f16cfde025c2367f50e3ed6d667170cd5f874926bd944bbfb47382dfa6dfedb7"


def found_in_manifest(directory: Path) -> str:
    group = read_group(directory)
    return definition_digest(group.entities["a"].products[0], group.settings)


def test_without_the_library_the_extra_is_named(tmp_path: Path) -> None:
    """An affiliate with files alone installs no database's library; one with a table is told which."""
    group_of(tmp_path / "database", table("sqlite:///shop.sqlite"))
    group_of(tmp_path / "objects", source(files="s3://bucket/e.csv"))
    code = f"""
import sys
sys.modules.update(dict.fromkeys(("sqlalchemy", "obstore")))
from pathlib import Path
from affiliates.sources import resolve
from affiliates.manifests.loader import read_group
from affiliates.errors import RefusedError
for name in ("database", "objects"):
    directory = Path({str(tmp_path)!r}) / name
    try:
        resolve.find("a/app", read_group(directory).entities["a"].products[0], directory, "UTC")
    except RefusedError as refusal:
        print(refusal)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert [line.partition(": ")[2] for line in done.stdout.splitlines()] == [
        "a table needs a library that isn't installed (sqlalchemy). Next: pip install 'mauwatch[database]'.",
        "an object store needs a library that isn't installed (obstore). Next: pip install 'mauwatch[objects]'.",
    ]


def test_a_run_over_bad_tables_keeps_no_word_of_them(tmp_path: Path) -> None:
    """Reports, logs and Dagster's history are read by many: no address, no password in any of them."""
    columns = {"at": "text", "user": "real", "number": "integer"}
    fill(f"sqlite:///{tmp_path}/shop.sqlite", columns, [(ROWS[1][0], PLANTED, PLANTED)])
    sources = {
        "values": table("sqlite:///shop.sqlite", identifiers=[{"column": "number", "namespace": "email"}]),
        "types": table("sqlite:///shop.sqlite"),
        "closed": table(f"postgresql://me:{SECRET}@localhost:{free_port()}/shop"),
    }
    write_group(
        tmp_path, [entity("a", [product(name, sources=[declared], to="2025-01-03") for name, declared in sources.items()])]
    )
    for command in (["run", "--log-json"], ["doctor"]):
        done = installed(*command, "--group", tmp_path)
        assert done.returncode == 1
        assert all(f"a/{name}" in done.stdout + done.stderr for name in sources)
        assert not [word for word in ("planted", SECRET) if word in done.stdout + done.stderr]
    kept = [path for path in (tmp_path / ".mauwatch").rglob("*") if path.is_file()]
    assert kept, "Dagster's history"
    assert not [path for path in kept if b"planted" in path.read_bytes() or SECRET.encode() in path.read_bytes()]
