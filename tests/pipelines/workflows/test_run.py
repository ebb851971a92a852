"""A run: what it stores, what it leaves alone, and what it says when something is wrong."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from affiliates.contributions.contract import Contribution, Part
from affiliates.errors import RefusedError
from affiliates.identity import canaries
from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from affiliates.sketches.registers import Registers
from pipelines.alerts import responses, unusual_data
from pipelines.alerts.responses import Closing
from pipelines.counting import exclusions, inputs, measure
from pipelines.figures import data_findings
from pipelines.figures.rows import new_publication
from pipelines.licences import registry
from pipelines.records import AcceptedContribution, Position
from pipelines.store import alert_log, contributions, schema
from pipelines.workflows import close
from pipelines.workflows.report import Report
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.crosswalks import from_people
from tests.support.databases import both_databases, rows_of
from tests.support.groups import KEY, NOW, entity, events, product, source

Make = Callable[..., Path]
PLANTED = "planted.person@example.com"
pytestmark = both_databases
JANUARY = date(2025, 1, 1), date(2025, 1, 31)
ROWS: list[tuple[str, str | None]] = [(f"2025-01-{1 + i % 31:02}T12:00:00Z", f"u{i % 60}@example.com") for i in range(200)]


def two(make: Make, **settings: Any) -> Path:
    """Two products of two affiliates over the same events: the same people."""
    return make([entity(n, [product(f"{n}-app")]) for n in ("a", "b")], {"events.parquet": events(ROWS)}, **settings)


def go(directory: Path, first: date | None = None, last: date | None = None, now: datetime = NOW) -> Report:
    return run(directory, read_group(directory), now, first, last)


def rows(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """Everything in the store."""
    return rows_of(read_group(directory).settings.store, directory)


def people(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """Everything in the store but what files it was computed from, and when, that days are missing meanwhile, and that runs
    have looked."""
    return {table: content for table, content in rows(directory).items() if table not in ("sources_seen", "incidents", "runs")}


def estimates(directory: Path) -> list[int | None]:
    """The published versions of the group's figure, in their order."""
    published = rows(directory)["figures"]
    return [r["estimate"] for r in published if (r["scope"], r["reading"]) == ("group", "unique_people")]


def figure(directory: Path, month: date = JANUARY[0]) -> measure.Measured:
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        return measure.measure(store, group, inputs.gather(store, group, month, group.readings.readings[0]))


def test_a_run_counts_and_publishes(make: Make) -> None:
    """The same people of two products are one group's people once, and each scope is published."""
    directory = two(make)
    report = go(directory, *JANUARY)
    assert report.clean
    assert [(p.name, p.received.new) for p in report.products] == [("a/a-app", 31), ("b/b-app", 31)]
    measured = figure(directory)
    assert (measured.group.estimate, measured.group.summed_products, measured.group.complete) == (60, 120, True)
    published = [r for r in rows(directory)["figures"] if r["reading"] == "unique_people"]
    assert sorted((r["scope"], r["subject"], r["estimate"]) for r in published) == [
        ("affiliate", "a", 60), ("affiliate", "b", 60), ("group", "test", 60),
        ("product", "a/a-app", 60), ("product", "b/b-app", 60),
    ]  # fmt: skip


def test_a_published_figure_carries_what_was_measured(make: Make) -> None:
    """SQLAlchemy silently drops what a table has no column for."""
    directory = make([entity("a", [product()])], {"events.parquet": events([*ROWS, ("2025-01-02T00:00:00Z", None)])})
    go(directory, date(2025, 1, 1), date(2025, 1, 30))
    group = read_group(directory)
    new = new_publication(figure(directory), group.readings.readings[0], "test", Position(0, 0, NOW), NOW, "preliminary")
    assert set(new.figures[0]) | {"id", "publication"} == set(schema.figures.c.keys())
    assert set(new.row) | {"id"} == set(schema.publications.c.keys())
    row = rows(directory)["figures"][0]
    assert (row["unidentified_events"], row["undecided_events"]) == (1, 0)
    assert row["reasons"] == "a/app: 1 of 31 days (2025-01-31) missing"


def test_the_same_again_changes_nothing(make: Make) -> None:
    """Versions and publications of nothing new would bury those that matter."""
    directory = two(make)
    go(directory, *JANUARY)
    before = people(directory)
    for days in (JANUARY, (None, None)):
        report = go(directory, days[0], days[1], now=NOW + timedelta(days=1))
        assert {p.received.new + p.received.replaced + p.received.confirmed for p in report.products} == {0}
        assert people(directory) == before


def test_rows_in_another_order_are_the_same(make: Make) -> None:
    """An export without an order would look like new users each day."""
    directory = two(make)
    go(directory, *JANUARY)
    before = people(directory)
    events(ROWS[::-1]).write_parquet(directory / "events.parquet")
    go(directory, *JANUARY)
    assert people(directory) == before


def test_late_events_replace_the_day_and_the_older_version_stays(make: Make) -> None:
    """Added up, the day's people would count twice; overwritten, nobody could say what was known before."""
    directory = two(make)
    go(directory, *JANUARY)
    events([*ROWS, ("2025-01-31T23:00:00Z", "late@example.com")]).write_parquet(directory / "events.parquet")
    report = go(directory, date(2025, 1, 31), date(2025, 1, 31))
    assert [(p.received.new, p.received.replaced) for p in report.products] == [(0, 1), (0, 1)]
    assert figure(directory).group.estimate == 61
    kept = [r for r in rows(directory)["contributions"] if r["activity_date"] == JANUARY[1]]
    assert len(kept) == 4
    assert {r["supersedes"] for r in kept if r["supersedes"]} == {r["id"] for r in kept if not r["supersedes"]}
    assert estimates(directory) == [60, 61]


def test_a_run_without_range_computes_what_is_missing_or_was_not_settled(make: Make) -> None:
    """A day that was counted before its late events came would stay too small for ever."""
    so_far = source(complete_through="2025-01-19")
    directory = make([entity(n, [product(f"{n}-app", sources=[so_far])]) for n in ("a", "b")])
    early = datetime(2025, 1, 20, 6, tzinfo=UTC)
    with pytest.raises(RefusedError, match="isn't there yet"):
        figure(directory)
    events([r for r in ROWS if r[0] < "2025-01-20"]).write_parquet(directory / "events.parquet")
    first = go(directory, now=early)
    assert {p.received.new for p in first.products} == {19}
    assert figure(directory).group.upper is None
    two(make)
    second = go(directory, now=NOW)
    assert {(p.received.new, p.received.confirmed) for p in second.products} == {(12, 3)}  # Three days hadn't settled.
    assert figure(directory).group.complete
    assert {p.received.new + p.received.confirmed + p.received.unchanged for p in go(directory).products} == {0}


def test_other_settings_compute_again(make: Make) -> None:
    """A condition that changed would hold for new days alone, and half a month would be by the old one."""
    directory = two(make)
    go(directory, *JANUARY)
    make([entity("a", [product("a-app", sources=[source(counts_when="user <> 'u1@example.com'")])])])
    report = go(directory)
    assert {p.name: p.received.replaced for p in report.products} == {"a/a-app": 31, "b/b-app": 0}
    assert figure(directory).affiliates["a"].estimate == 59


def test_membership_moves_the_published_figure_without_new_data(make: Make) -> None:
    """A company that left the group would stay in its figure until somebody contributes again."""
    directory = two(make)
    go(directory, *JANUARY)
    make([entity("b", [product("b-app")], owned_by=[{"owner": "parent", "share": 0.5}])])
    report = go(directory)
    assert report.published == [JANUARY[0]]
    assert list(figure(directory).affiliates) == ["a"]


def test_a_missing_day_is_said(make: Make) -> None:
    """A day without a file isn't a day without users: the figure has no upper bound."""
    files = {f"{date(2025, 1, d)}.csv": b"at,user\n" for d in range(1, 32) if d != 13}
    directory = make([entity("a", [product(sources=[source(files="{day}.csv", complete_through=None)], to="2025-02-01")])], files)
    report = go(directory)
    assert [p.missing for p in report.products] == [(date(2025, 1, 13),)]
    assert not report.clean
    assert figure(directory).group.upper is None


def test_a_published_figure_that_lost_its_inputs_is_published_as_unknown(make: Make) -> None:
    """A count that was withdrawn would stand for ever, and unknown is published once."""
    given = {"month": "2025-01", "users": 77, "unit": "people", "document": "report", "attested_by": "CFO"}
    directory = make([entity("a", [product("x", counts=[given], sources=[])])])
    go(directory)
    make([entity("a", [product("x", sources=[])])])
    go(directory)
    assert estimates(directory) == [77, None]
    go(directory)
    assert estimates(directory) == [77, None]


def test_another_key_under_the_same_epoch_computes_again(make: Make) -> None:
    """Keys of two secrets never meet: half a month of each would count everybody twice."""
    directory = two(make)
    go(directory, date(2025, 1, 1), date(2025, 1, 15))
    (directory / "group.key").write_text("ab" * 32)
    go(directory, date(2025, 1, 16), date(2025, 1, 31))
    with pytest.raises(RefusedError, match="two keys"):
        figure(directory)
    report = go(directory)
    assert {p.received.replaced for p in report.products} == {15}
    assert figure(directory).group.estimate == 60


def test_other_grain_lg_k_zone_or_life_computes_again(make: Make) -> None:
    """Periods by the settings before would stay, and be united with the new ones."""
    directory = two(make)
    go(directory, *JANUARY)
    make([entity("a", [product("a-app")])], lg_k=16, time_zone="Asia/Tokyo")
    assert sum(p.received.replaced for p in go(directory).products) >= 31
    assert figure(directory).affiliates["a"].lg_k == 16
    half = {"grain": "month", "from": "2025-01-15", "to": "2025-02-01"}
    make([entity(n, [product(f"{n}-app", **half)]) for n in ("a", "b")])
    go(directory)
    assert figure(directory).group.coverage.months_present == 2
    less = figure(directory).group.estimate
    make([entity(n, [product(f"{n}-app", **half | {"from": "2025-01-01"})]) for n in ("a", "b")])
    go(directory)
    assert figure(directory).group.estimate == 60 > (less or 0)


def test_what_no_manifest_names_any_more_blocks_no_month(make: Make) -> None:
    """Stored contributions of a renamed product have another crosswalk: united with the others, they would be refused."""
    directory = two(make)
    go(directory, *JANUARY)
    table = pl.DataFrame({"key": ["00000000000000aa"], "person_key": ["00000000000000bb"]})
    table.write_parquet(directory / "cw.parquet")
    make([entity(n, [product("renamed", to="2025-02-01")]) for n in ("a", "b")], crosswalk="cw.parquet")
    assert go(directory).clean
    assert figure(directory).group.estimate == 60


def test_unidentified_events_are_said(make: Make) -> None:
    """Events that name nobody are in no sketch: without their number, the figure looks whole."""
    rows_ = [*ROWS, *[("2025-01-03T00:00:00Z", None)] * 7]
    directory = make([entity("a", [product()])], {"events.parquet": events(rows_)})
    report = go(directory, *JANUARY)
    assert report.to_dict()["products"]["a/app"]["unidentified_events"] == 7
    assert figure(directory).group.to_dict()["unidentified_events"] == 7


def test_ceilings_that_change_within_a_month(make: Make) -> None:
    """The lower ceiling, or one that ends within the month, would bound days that it doesn't hold for."""
    roofs = [
        {"users": 900, "unit": "accounts", "document": "d", "attested_by": "CFO", "to": "2025-01-31"},
        {"users": 10, "unit": "accounts", "document": "d", "attested_by": "CFO", "from": "2025-01-31", "to": "2025-02-15"},
    ]
    directory = make([entity("a", [product("x", sources=[], ceilings=roofs)])])
    go(directory)
    assert figure(directory).group.upper == 900
    assert figure(directory, date(2025, 2, 1)).group.upper is None


def test_counts_of_the_manifest(make: Make) -> None:
    """A count holds for its month alone, and a changed one replaces the one before, which is kept."""
    given = {"month": "2025-01", "users": 900, "unit": "people", "document": "report", "attested_by": "CFO"}
    roof = {"users": 5000, "unit": "accounts", "document": "register", "attested_by": "CFO"}
    life = {"sources": [], "to": "2025-03-01"}
    directory = make([entity("a", [product("x", counts=[given], **life), product("y", ceilings=[roof], **life)])])
    go(directory)
    measured = figure(directory)
    assert (measured.products["a/x"].estimate, measured.group.upper) == (900, 5900)
    assert figure(directory, date(2025, 2, 1)).group.upper is None  # The count is January's alone.
    make([entity("a", [product("x", counts=[given | {"users": 800}], **life), product("y", ceilings=[roof], **life)])])
    go(directory)
    assert figure(directory).group.upper == 5800
    assert [r["users"] for r in rows(directory)["counts"] if r["kind"] == "count"] == [900, 800]


def test_crosswalk_joins_people_and_a_new_snapshot_is_computed_again(make: Make) -> None:
    """Days by two snapshots name the same people differently, and would count them twice."""
    directory = two(make)
    links = pl.DataFrame({"identifier": [f"u{i}@example.com" for i in range(60)], "person": [f"p{i // 2}" for i in range(60)]})
    go(directory, *JANUARY)
    table = from_people(links, "email", GroupKey(KEY, "1"))
    table.write_parquet(directory / "2025-01.parquet")
    joined: dict[str, Any] = {"crosswalk": "{month}.parquet", "namespaces": {"person": {"identifiers_per_person": 1}}}
    make([entity(n, [product(f"{n}-app", to="2025-02-01")]) for n in ("a", "b")], **joined)
    report = go(directory)
    assert {p.received.replaced for p in report.products} == {31}
    assert (figure(directory).group.estimate, figure(directory).group.identity_low) == (30, 30)
    table.head(30).write_parquet(directory / "2025-01.parquet")
    make([entity("b", [product("b-app", to="2025-02-01", sources=[source(files="gone.parquet")])])], **joined)
    report = go(directory)
    assert any("crosswalk snapshots can't be united" in f.text for f in report.findings)


def bad_sources() -> dict[str, dict[str, bytes]]:
    good = f"at,user\n2025-01-05T00:00:00Z,{PLANTED}\n"
    return {
        "zero bytes": {"e.csv": b""},
        "truncated Parquet": {"e.csv": b"PAR1" + PLANTED.encode()},
        "bad line": {"e.csv": f"{good}2025-01-05T00:00:00Z,{PLANTED},x\n".encode()},
        "short line": {"e.csv": f"{good}2025-01-05T00:00:00Z\n".encode()},
        "missing column": {"e.csv": good.replace("at,", "when,").encode()},
        "time without zone": {"e.csv": good.replace("00Z", "00").encode()},
        "1970": {"e.csv": good.replace("2025-01-05", "1970-01-01").encode()},
        "future": {"e.csv": good.replace("2025-01-05", "2031-01-05").encode()},
        "no time": {"e.csv": f"at,user\n{PLANTED},{PLANTED}\n".encode()},
        "nobody": {"e.csv": b"at,user\n" + b"2025-01-05T00:00:00Z,unknown\n" * 150},
    }


@pytest.mark.parametrize("files", bad_sources().values(), ids=bad_sources())
@pytest.mark.parametrize("existing", [True, False], ids=["existing store", "no store yet"])
def test_a_refused_source_changes_nothing_and_leaks_nothing(make: Make, files: dict[str, bytes], existing: bool) -> None:
    """Half an export would pass for a day, and a library's message quotes the identifier that it stumbled over."""
    kind = "parquet" if files["e.csv"].startswith(b"PAR1") else "csv"
    entities = [entity("a", [product(sources=[source(files="e.csv", format=kind)])])]
    if existing:
        good = f"at,user\n2025-01-05T00:00:00Z,{PLANTED}\n".encode()
        directory = make([entity("a", [product(sources=[source(files="e.csv")])])], {"e.csv": good})
        assert go(directory, *JANUARY).clean
    directory = make(entities, files)
    before = rows(directory)
    report = go(directory, *JANUARY)
    assert not report.clean
    assert len(report.products[0].refusals) == 1
    after = rows(directory)
    before.pop("runs", []), after.pop("runs", [])
    known, alerts = before.pop("incidents", []), after.pop("incidents", [])
    raised = [(r["kind"], r["subjects"]) for r in alerts if r not in known]
    assert raised == ([("failed_run", "a/app, 2025-01-01 to 2025-01-31 by mauwatch run")] if existing else [])
    assert after == before
    assert PLANTED not in str(report)
    assert not any(PLANTED.encode() in p.read_bytes() for p in (directory / ".mauwatch").rglob("*") if p.is_file())


def test_one_refused_product_does_not_keep_the_others(make: Make) -> None:
    """One broken export would keep all products out; left out unsaid, the figure would look bounded."""
    directory = make(
        [entity("a", [product(sources=[source(files="gone.csv")])]), entity("b", [product("b-app")])],
        {"events.parquet": events(ROWS)},
    )
    report = go(directory, *JANUARY)
    assert [len(p.refusals) for p in report.products] == [1, 0]
    measured = figure(directory)
    assert (measured.group.estimate, measured.group.upper) == (60, None)


def test_a_sketch_that_is_not_its_digest_is_refused(make: Make) -> None:
    """A byte that changed on the disk would be some other number of people."""
    directory = two(make)
    go(directory, *JANUARY)
    url = read_group(directory).settings.store
    with contributions.open_store(url, directory) as store, store.writing() as connection:
        connection.exec_driver_sql("update sketches set image = (select image from sketches order by digest limit 1)")
    with pytest.raises(RefusedError, match="isn't what its digest says"):
        figure(directory)


def test_small_days_of_nobody_are_judged_together(make: Make) -> None:
    """Five events a day are too few to judge, and a whole month of nobody would be zero users."""
    rows_ = [(f"2025-01-{1 + i % 31:02}T00:00:00Z", "n/a") for i in range(150)]
    report = go(make([entity("a", [product()])], {"events.parquet": events(rows_)}), *JANUARY)
    assert "150 of 150" in str(report.products[0].refusals[0])


def test_a_range_in_which_nothing_lives_is_a_finding(make: Make) -> None:
    """A year mistyped would end well, with nothing done."""
    directory = two(make)
    for first, last in ((date(2024, 1, 1), date(2024, 12, 31)), (date(2030, 1, 1), date(2030, 1, 31))):
        assert "no product lives between" in str(go(directory, first, last).findings[0])


def test_days_gone_from_the_sources_are_said_when_asked_for(make: Make) -> None:
    """Who computes a range again believes that all of its days were read."""
    files = {f"2025-01-{d:02}.csv": f"at,user\n2025-01-{d:02}T12:00:00Z,u@example.com\n".encode() for d in range(1, 32)}
    directory = make([entity("a", [product(sources=[source(files="{day}.csv", complete_through=None)], to="2025-02-01")])], files)
    assert go(directory).clean
    (directory / "2025-01-13.csv").unlink()
    assert go(directory).clean
    assert go(directory, *JANUARY).products[0].missing == (date(2025, 1, 13),)


def test_no_key_no_run(make: Make) -> None:
    """Without a key nobody can be counted, and no store should be there that looks like a result."""
    directory = two(make)
    (directory / "group.key").unlink()
    with pytest.raises(RefusedError, match="the group key"):
        go(directory, *JANUARY)
    assert rows(directory) == {}


def test_nothing_readable_of_people_is_in_the_store(make: Make) -> None:
    """An identifier or the key in the store would be in each of its backups."""
    directory = make([entity("a", [product()])], {"events.parquet": events([("2025-01-05T00:00:00Z", PLANTED)])})
    go(directory, *JANUARY)
    for content in [p.read_bytes() for p in directory.glob(".mauwatch/*")] + [repr(rows(directory)).encode()]:
        assert b"planted" not in content
        assert KEY.encode() not in content


def test_a_table_that_is_counted_where_it_lies_is_handed_in(make: Make, key: GroupKey) -> None:
    """No run can compute it: one that tries ends with a finding for ever, and so does the advice to run."""
    lies = source(files=None, table="shop.events", complete_through=None)
    there = product(sources=[lies], to="2025-02-01")
    directory = make([entity("a", [there]), entity("b", [product()])], {"events.parquet": events(ROWS)})
    group = read_group(directory)
    part = Part("external", "email", Registers.from_coupons(21, np.array([], np.uint32)), 0, 0, canaries.image("email", key, 21))
    theirs = Contribution(
        "a", "app", "day", JANUARY[0], key.epoch, "", "v1 unicode", 0, 0, "seen/1", "theirs", "UTC", NOW, "warehouse", (part,)
    )
    with contributions.open_store(group.settings.store, directory, create=True) as store:
        store.append_contributions([AcceptedContribution(theirs, NOW, key.fingerprint)], NOW)
        assert [p.refusals for p in go(directory).products] == [(), ()]
        due = list(group.products.items())
        versions = store.read_versions(ProductRef("a", "app"))
    assert len(versions) == 1
    assert list(exclusions.reasons(group, ["parent", "a", "b"], JANUARY[0], [], due, versions)) == []


def test_a_month_handed_in_whole_has_no_missing_days_until_its_first_day_comes(make: Make, key: GroupKey) -> None:
    """Then the days stand for the month (decision 15), and each one that isn't there is missing."""
    by_day = source(files="days/{day}.parquet", time=None, complete_through=None)
    directory = make(
        [entity("a", [product(sources=[by_day])])], {"days/2025-02-01.parquet": events([("2025-02-01T00:00:00Z", "x")])}
    )
    group = read_group(directory)
    part = Part(
        "external", "email", Registers.from_keys(21, np.arange(1, 9, dtype=np.uint64)), 8, 8, canaries.image("email", key, 21)
    )
    whole = Contribution(
        "a", "app", "month", date(2025, 1, 1), key.epoch, "", "v1 unicode", 0, 0, "seen/1", None, "UTC", NOW, "test", (part,)
    )
    with contributions.open_store(group.settings.store, directory, create=True) as store:
        store.append_contributions([AcceptedContribution(whole, NOW, key.fingerprint)], NOW)

    def missing() -> set[date]:
        return {d for d in run(directory, group, NOW).products[0].missing if d.month == 1}

    assert missing() == set()
    events([("2025-01-05T00:00:00Z", "x")]).write_parquet(directory / "days/2025-01-05.parquet")
    assert missing() == {date(2025, 1, d) for d in range(1, 32) if d != 5}
    assert missing() == {date(2025, 1, d) for d in range(1, 32) if d != 5}


def by_day(users: int, first: int, last: int) -> list[tuple[str, str | None]]:
    """So many people on each of these days of January 2025."""
    return [(f"2025-01-{day:02}T12:00:00Z", f"u{n}@example.com") for day in range(first, last + 1) for n in range(users)]


@pytest.mark.parametrize(
    ("rows_", "settings", "what"),
    [
        (by_day(30, 1, 20), {}, "a/app: no users from 2025-01-21"),
        (by_day(100, 1, 14) + by_day(10, 15, 31), {}, "a/app: far fewer users than before from 2025-01-15"),
        (by_day(30, 1, 31), {"counts_when": "user = 'nobody'"}, "a/app: no users from 2025-01-01"),
        (by_day(30, 1, 31), {"automated_when": "user like '%'"}, "a/app: no users from 2025-01-01"),
    ],
    ids=["the export stands still", "a tenth", "a condition that never holds", "all are robots"],
)
def test_a_fall_is_told_by_everything(make: Make, rows_: Any, settings: dict[str, Any], what: str) -> None:
    """A yellow check in Dagster was all that knew of it: the figure was low, complete, and could be signed."""
    # Without the limit, a condition that leaves out everybody is refused at once.
    app = product(to="2025-02-01", unidentified_limit=1.0, sources=[source(**settings)])
    directory = make([entity("a", [app])], {"events.parquet": events(rows_)})
    for moment in (NOW, NOW + timedelta(days=1)):  # The next day's run has nothing new, and says it again.
        report = go(directory, now=moment)
        assert not report.clean
        assert [f"{found['product']}: {found['what']}" for found in report.to_dict()["data_findings"]] == [what]
        assert any("open: unusual data" in alert for alert in report.alerts)
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        assert [found.subject for found in data_findings.read_month(store, group, JANUARY[0])] == [what]
        assert [found.subject for found in unusual_data.open_findings(store)] == [what]
    with Workspace(directory, group, NOW) as workspace, pytest.raises(RefusedError, match="no_fall, a/app"):
        close.close_month(workspace, JANUARY[0], close.Signature("CFO"))


def test_what_somebody_has_accepted_is_said_no_more_until_it_is_worse(make: Make) -> None:
    """A product that has really shrunk would make every run end with 1, and the next fall would be read by nobody."""
    shrunk = by_day(100, 1, 14) + by_day(10, 15, 31)
    directory = make([entity("a", [product(to="2025-02-01")])], {"events.parquet": events(shrunk)})
    assert not go(directory).clean
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        (alert,) = [known for known in alert_log.current(store).values() if known.kind == "unusual_data"]
        known = registry.from_directory(directory)
        responses.close(store, group, known, alert.opened, Closing("CFO", "accepted", "2025/1"), NOW)
    assert go(directory, now=NOW + timedelta(days=1)).clean
    events(by_day(100, 1, 14) + by_day(10, 15, 20)).write_parquet(directory / "events.parquet")
    worse = go(directory, now=NOW + timedelta(days=2))
    told = [found["what"] for found in worse.to_dict()["data_findings"]]
    assert told == ["fewer users than an earlier version from 2025-01-21", "no users from 2025-01-21"]
    events(by_day(100, 1, 31)).write_parquet(directory / "events.parquet")
    assert go(directory, now=NOW + timedelta(days=3)).clean
    events(shrunk).write_parquet(directory / "events.parquet")
    assert not go(directory, now=NOW + timedelta(days=4)).clean, "a new fall is news"


def test_days_that_nobody_can_know_of_yet_are_refused(make: Make) -> None:
    """Written once and for ever, `complete_through: 2026-12-31` makes of every day without data one of zero users."""
    directory = make([entity("a", [product(sources=[source(complete_through="2026-12-31")])])], {"events.parquet": events(ROWS)})
    report = go(directory)
    (refusal,) = report.products[0].refusals
    assert (refusal.rule, "2026-12-31" in refusal.values) == ("`complete_through` lies in the future", True)


def test_what_is_handed_in_and_never_came_is_missing(make: Make) -> None:
    """`run` ended with 0 and `days missing 0` while `measure` named all of the month's days."""
    directory = make(
        [entity("a", [product(to="2025-02-01"), product("prepaid", to="2025-02-01", sources=[])])],
        {"events.parquet": events(ROWS)},
    )
    report = go(directory)
    assert [(p.name, len(p.missing)) for p in report.products] == [("a/app", 0), ("a/prepaid", 31)]
    assert not report.clean
    assert any("a/prepaid: 31 of 31 days" in reason for reason in figure(directory).group.reasons)
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        assert set(data_findings.read_missing(store, group, NOW)) == {"a/prepaid"}
        (alert,) = [known for known in alert_log.current(store).values() if known.kind == "missing_data"]
    assert alert.subjects == "2025-01 a/prepaid"


def test_a_part_of_a_source_that_is_gone_is_told(make: Make) -> None:
    """Each of its days was replaced by one of half the users, clean and complete; of files handed in a warning said so."""
    half = source(files="parts")
    parts = {f"parts/{name}.parquet": events([(at, f"{name}{user}") for at, user in by_day(20, 1, 31)]) for name in "ab"}
    directory = make([entity("a", [product(to="2025-02-01", sources=[half])])], parts)
    assert go(directory).clean
    (directory / "parts/b.parquet").unlink()
    for moment in (NOW + timedelta(days=1), NOW + timedelta(days=2)):
        (told,) = go(directory, now=moment).to_dict()["data_findings"]
        assert told["what"] == "fewer users than an earlier version from 2025-01-01"
        assert "620 users from 2025-01-01 to 2025-01-31, 1,240 by an earlier version" in told["text"]
    with Workspace(directory, read_group(directory), NOW) as workspace, pytest.raises(RefusedError, match="an earlier version"):
        close.close_month(workspace, JANUARY[0], close.Signature("CFO"))
    parts["parts/b.parquet"].write_parquet(directory / "parts/b.parquet")
    assert go(directory, now=NOW + timedelta(days=3)).clean


def test_another_definition_loses_nobody(make: Make) -> None:
    """A condition that leaves half of the users out is no export that has lost them, where `active` says that it is meant."""
    rows_ = by_day(40, 1, 31)
    directory = make([entity("a", [product(to="2025-02-01")])], {"events.parquet": events(rows_)})
    assert go(directory).clean
    fewer = source(counts_when="length(user) > 14")
    active = {"id": "seen", "version": 2, "meaning": "was seen with a long name"}
    make([entity("a", [product(to="2025-02-01", sources=[fewer], active=active)])])
    report = go(directory, now=NOW + timedelta(days=1))
    assert report.products[0].received.replaced == 31
    assert report.clean


def test_a_count_that_the_contributions_rule_out_is_told(make: Make) -> None:
    """It was dropped without a word, and the lower of the two was signed."""
    counts = [{"month": "2025-01", "users": 1000, "unit": "people", "document": "annual report", "attested_by": "CFO"}]
    directory = make([entity("a", [product(to="2025-02-01", counts=counts)])], {"events.parquet": events(ROWS)})
    (told,) = go(directory).to_dict()["data_findings"]
    text = "a count of 1,000 people (annual report), and its sketches give at most 61: one of the two is wrong"
    assert told["text"] == f"2025-01, a/app: {text}"
    with Workspace(directory, read_group(directory), NOW) as workspace, pytest.raises(RefusedError, match="annual report"):
        close.close_month(workspace, JANUARY[0], close.Signature("CFO"))
    make([entity("a", [product(to="2025-02-01", counts=[{**counts[0], "users": 60}])])])
    assert go(directory, now=NOW + timedelta(days=1)).clean
