"""Erasing: what was to go and is still there, what was to stay and went, and what comes back by itself."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
import yaml
from typer.testing import CliRunner

from affiliates.contributions import contract
from affiliates.errors import Code, RefusedError
from affiliates.manifests.group import Group, settles_at
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import ProductRef
from affiliates.manifests.settings import Settings
from affiliates.periods import DAY
from dashboards.cli.main import app as commands
from pipelines.figures import query
from pipelines.ingestion import inbox
from pipelines.records import AcceptedContribution, Period
from pipelines.store import contributions, erasure, publications, vacuum
from pipelines.store.contributions import ContributionStore
from pipelines.store.erasure import Order, Scope
from pipelines.workflows import close
from pipelines.workflows.receive import receive_files
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.databases import both_databases, rows_of
from tests.support.groups import NOW, entity, events, product, source
from tests.support.sketches import contributed, sketch

Make = Callable[..., Path]
JANUARY = date(2025, 1, 1)
WEEK = Scope("a", "app", JANUARY, JANUARY + 6 * DAY)
ORDER = Order("A. Officer", "asked for by the controller")
PEOPLE = 3000


def january() -> pl.DataFrame:
    """On every day other people than on any other, but for two who come daily."""
    days = [(f"2025-01-{1 + n % 31:02}T12:00:00Z", f"u{n}@example.com") for n in range(PEOPLE - 2)]
    return events(days + [(f"2025-01-{d + 1:02}T12:00:00Z", f"daily{n}@example.com") for d in range(31) for n in range(2)])


@pytest.fixture
def directory(make: Make) -> Path:
    """January of one product, counted."""
    group_directory = make([entity("a", [product("app", to="2025-02-01")])], {"events.parquet": january()}, lg_k=14)
    assert run(group_directory, read_group(group_directory), NOW).clean
    return group_directory


def open_store(directory: Path) -> Any:
    """The group's store, open."""
    return contributions.open_store(read_group(directory).settings.store, directory)


def group_of(directory: Path) -> Group:
    """The group, read again: manifests may have changed."""
    return read_group(directory)


def erased(directory: Path, scope: Scope = WEEK, now: datetime = NOW) -> erasure.ErasurePlan:
    """The plan of an order that is carried out."""
    with open_store(directory) as store:
        return erasure.erase(store, scope, ORDER, now)


def figure(directory: Path, anew: bool = True) -> Any:
    """January's figure of the whole group, computed now, or as it is published."""
    group = read_group(directory)
    with open_store(directory) as store:
        return query.figures_of_month(store, group, JANUARY, group.readings.readings[0], anew=anew)[0].group


def held(store: ContributionStore, directory: Path, wanted: list[bytes]) -> list[bool]:
    """Whether the database's files hold these bytes; of PostgreSQL's those of its tables."""
    if store.engine.dialect.name == "sqlite":
        paths = list((directory / ".mauwatch").glob("store.sqlite*"))
    else:
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("checkpoint"))
            folder = connection.scalar(sa.text("select oid from pg_database where datname = current_database()"))
            paths = list((Path(str(connection.scalar(sa.text("show data_directory")))) / "base" / str(folder)).iterdir())
    whole = b"\n".join(path.read_bytes() for path in paths)
    return [some in whole for some in wanted]


@both_databases
def test_the_bytes_are_gone_from_the_files(store_url: str, directory: Path) -> None:
    """A null in the table, and the image still in the file, its journal or a page that isn't used any more."""
    images = {row["digest"]: row["image"] for row in rows_of(store_url, directory)["sketches"]}
    with open_store(directory) as store:
        plan = erasure.plan(store, WEEK)
        going = [bytes(images[digest])[60:140] for digest in plan.digests]
        staying = next(bytes(image)[60:140] for digest, image in images.items() if digest not in plan.digests)
        assert len(going) == 7
        assert {len(some) for some in going} == {80}
        assert held(store, directory, [*going, staying]) == [True] * 8
        assert erasure.erase(store, WEEK, ORDER, NOW).digests == plan.digests
        assert vacuum.sweep(store) is None
        assert held(store, directory, [*going, staying]) == [False] * 7 + [True]
    after = rows_of(store_url, directory)
    assert {row["digest"] for row in after["sketches"]} == set(images)
    assert {row["digest"] for row in after["sketches"] if row["image"] is None} == set(plan.digests)
    assert {row["erased_at"] for row in after["sketches"]} == {None, NOW}
    assert plan.bytes == sum(len(images[digest]) for digest in plan.digests)


@both_databases
def test_a_reader_keeps_the_bytes_and_that_is_said(store_url: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads sees the old rows, so the database keeps them: told that they are gone, nobody would look again."""
    monkeypatch.setattr(vacuum, "WAIT", 1)
    with open_store(directory) as store, open_store(directory) as other:
        if store_url.startswith("sqlite"):
            sa.event.listen(store.engine, "connect", lambda c, _: c.execute("pragma busy_timeout = 100"))
            store.engine.dispose()
        with other.snapshot() as fixed:
            assert fixed.read_versions(ProductRef("a", "app"))
            erasure.erase(store, WEEK, ORDER, NOW)
            assert vacuum.OTHERS_READ in str(vacuum.sweep(store))
        assert vacuum.sweep(store) is None


def test_what_others_share_and_nobody_is_in_stays(store_url: str, make: Make) -> None:
    """Erased with one product's days, the same registers of another's would be gone as well, and its month unbounded."""
    alike = [(f"2025-01-{d + 1:02}T12:00:00Z", f"u{d % 2}@example.com") for d in range(4)]
    apps = [product(name, to="2025-01-06", sources=[source(complete_through="2025-01-05")]) for name in ("one", "two")]
    directory = make([entity("a", apps)], {"events.parquet": events(alike)}, lg_k=14)
    run(directory, read_group(directory), NOW)
    plan = erased(directory, Scope("a", "one", JANUARY, JANUARY + 4 * DAY))
    assert (len(plan.shared), plan.digests, plan.products, plan.months) == (2, {}, [], {})
    assert figure(directory).upper is not None
    assert rows_of(store_url, directory)["erasures"] == []
    # By both there is nobody beyond: what is left is the fifth day's, on which nobody came.
    assert len(erased(directory, Scope(before=date(2025, 2, 1))).digests) == 2
    assert [row["image"] is None for row in rows_of(store_url, directory)["sketches"]].count(False) == 1


def test_an_unsigned_month_loses_its_upper_bound_and_says_why(store_url: str, directory: Path) -> None:
    """Else its figure would be smaller, with a bound that is none."""
    before = figure(directory)
    assert (before.estimate, before.complete) == (pytest.approx(PEOPLE, rel=0.02), True)
    plan = erased(directory)
    assert plan.months == {JANUARY: "preliminary"}
    after = figure(directory)
    assert (after.upper, after.complete) == (None, False)
    assert after.reasons == ("a/app: 7 sketches are erased, the first on 2025-06-01",)
    assert after.lower < before.lower
    report = run(directory, read_group(directory), NOW + DAY)  # What is published says so, too.
    assert (report.products[0].periods, report.published, report.findings) == (0, [JANUARY], [])
    with open_store(directory) as store:
        (number,) = {p.id for (_, reading), p in publications.in_force(store).items() if reading == "unique_people"}
        assert [f["upper"] for f in publications.figures_of(store, number)] == [None] * 3
    assert run(directory, read_group(directory), NOW + DAY).published == []


def test_a_signed_month_keeps_its_figure(store_url: str, directory: Path) -> None:
    """Erased by retention, each closed month would change, or be a finding in every run from then on."""
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close.close_month(workspace, JANUARY, close.Signature("Head of Finance"))
    before = figure(directory, anew=False)
    assert erased(directory, Scope(before=date(2025, 2, 1))).months == {JANUARY: "closed"}
    assert figure(directory, anew=False) == before
    report = run(directory, read_group(directory), NOW + DAY)
    assert (report.findings, report.published, figure(directory, anew=False)) == ([], [], before)
    with Workspace(directory, read_group(directory), NOW + DAY) as workspace, pytest.raises(RefusedError, match="red"):
        close.close_month(workspace, JANUARY, close.Signature("Head of Finance", restates="again"))


@both_databases
def test_a_run_brings_nothing_back_until_it_is_allowed_by_name(store_url: str, directory: Path) -> None:
    """The events are still there: by the next run, or a file written again, all of it would be in the store once more."""
    before = figure(directory)
    erased(directory)
    (directory / "events.parquet").unlink()
    january().vstack(events([("2025-01-03T13:00:00Z", "late@example.com")])).write_parquet(directory / "events.parquet")
    assert run(directory, read_group(directory), NOW + DAY).products[0].periods == 0
    report = run(directory, read_group(directory), NOW + DAY, JANUARY, JANUARY + 30 * DAY)
    assert (report.products[0].received.erased, report.products[0].received.unchanged) == (7, 24)
    assert [r.rule for r in report.products[0].refusals] == ["was erased, so it isn't stored again"]
    assert "7 periods from 2025-01-01 to 2025-01-07, by A. Officer on 2025-06-01" in report.products[0].refusals[0].values
    assert [row["image"] for row in rows_of(store_url, directory)["sketches"]].count(None) == 7
    january().write_parquet(directory / "events.parquet")
    with open_store(directory) as store:
        assert erasure.allow_again(store, Scope("a", "app", JANUARY + 7 * DAY, JANUARY + 9 * DAY), ORDER, NOW + DAY) == 0
        assert erasure.allow_again(store, replace(WEEK, last_day=JANUARY + 5 * DAY), ORDER, NOW + DAY) == 6
        report = run(directory, read_group(directory), NOW + DAY, JANUARY, JANUARY + 30 * DAY)
        assert (report.products[0].received.replaced, report.products[0].received.erased) == (6, 1)
        erasure.allow_again(store, WEEK, ORDER, NOW + DAY)
    assert run(directory, read_group(directory), NOW + DAY, JANUARY, JANUARY + 30 * DAY).products[0].received.replaced == 1
    assert figure(directory) == before
    # Erased anew, the old word doesn't hold any more.
    erased(directory, now=NOW + 2 * DAY)
    assert run(directory, read_group(directory), NOW + 2 * DAY, JANUARY, JANUARY + DAY).products[0].received.erased == 2
    kinds = [(row["kind"], row["sketches"], row["signed_by"]) for row in rows_of(store_url, directory)["erasures"]]
    assert kinds == [(kind, n, ORDER.by) for kind, n in (("erased", 7), *[("allowed", 0)] * 3, ("erased", 7))]


def test_a_file_brings_nothing_back_either(store_url: str, directory: Path, tmp_path: Path) -> None:
    """Nor in another grain, nor as another product's: the very same registers are the very same people."""
    group = group_of(directory)
    erased(directory)
    week = sketch(0, 400, 14)
    with open_store(directory) as store:
        parts = [p for _, p in store.read_parts([v.id for v in store.read_versions(ProductRef("a", "app"))])]
        assert sum(p.registers is None for p in parts) == 7

        def outcome(*each: contract.Contribution) -> list[str]:
            accepted = [AcceptedContribution(c, settles_at(group, c.ref, c.grain, c.activity_date, "UTC"), "f") for c in each]
            blocked = store.read_blocked(accepted, current(store))
            return [str(blocked[c.affiliate, c.product, c.grain, c.activity_date, False].by) for c in each if blocked]

        changed = contributed("a/app", JANUARY, {"email": week})
        monthly = replace(contributed("a/app", JANUARY, {"email": week}), grain="month")
        assert (outcome(changed), outcome(monthly)) == ([ORDER.by], [ORDER.by])
        assert outcome(contributed("a/app", JANUARY + 7 * DAY, {"email": week})) == []
        assert outcome(replace(monthly, activity_date=date(2025, 2, 1))) == []
        store.append_contributions([accepted_of(group, monthly)], NOW)
        assert store.read_versions(ProductRef("a", "app"))[0].grain == "day"
        assert {v.grain for v in store.read_versions(ProductRef("a", "app"))} == {"day"}


def current(store: ContributionStore) -> dict[Period, Any]:
    """The current version of each period of a/app."""
    return {v.period: v for v in store.read_versions(ProductRef("a", "app"))}


def accepted_of(group: Group, c: contract.Contribution) -> AcceptedContribution:
    """Contributions as a run would have accepted them."""
    return AcceptedContribution(c, settles_at(group, c.ref, c.grain, c.activity_date, "UTC"), "f")


@both_databases
def test_the_same_registers_of_another_day_or_product_are_no_erased_ones(store_url: str, directory: Path) -> None:
    """Small products have days alike. Stored, they must not bring the erased day back: there is one image for each digest."""
    group, week, day = group_of(directory), sketch(0, 400, 14), date(2025, 1, 20)

    def given(name: str = "a/app", of: date = day) -> AcceptedContribution:
        return accepted_of(group, contributed(name, of, {"email": week}, computed_at=NOW))

    with open_store(directory) as store:
        with pytest.raises(RefusedError, match="nothing was ever erased"):
            erasure.allow_again(store, WEEK, ORDER, NOW)
        store.append_contributions([given()], NOW)
        erasure.erase(store, Scope("a", "app", day, day + DAY), ORDER, NOW)
        # By the order's range, and as a part of its month, it is; the day after, and for another product, it isn't.
        monthly = AcceptedContribution(replace(given().contribution, grain="month", activity_date=JANUARY), NOW, "f")
        assert store.append_contributions([given(), given(of=day + DAY), monthly], NOW + DAY).erased == 3
        done = store.append_contributions([given(of=day + 2 * DAY), given("a/tv", day), given("b/app", day)], NOW + DAY)
        assert (done.erased, done.replaced, done.new) == (0, 1, 2)
        versions = {v.activity_date: v for v in store.read_versions(ProductRef("a", "app"))}
        assert [n for n in range(4) if versions[day + n * DAY].erased_at] == [0, 1]
        ids = [versions[day].id, versions[day + 2 * DAY].id]
        assert [part.registers is None for _, part in store.read_parts(ids)] == [True, False]
        assert store.append_contributions([given()], NOW + DAY).erased == 1
        # Other products' stay with their image; what was erased already holds nothing back.
        both = erasure.erase(store, Scope("a", "app", day + 2 * DAY, day + 2 * DAY), ORDER, NOW + 2 * DAY)
        assert (both.shared, week.digest() in both.digests) == ({week.digest()}, False)
        both = erasure.erase(store, Scope(before=date(2025, 2, 1)), ORDER, NOW + 2 * DAY)
        assert week.digest() in both.digests
        after = {v.activity_date: v.erased_at for v in store.read_versions(ProductRef("a", "app"))}
        assert after[day] == after[day + 2 * DAY] == NOW + 2 * DAY


@pytest.mark.parametrize("scope", [Scope(key_epoch="1"), Scope(before=date(2025, 2, 1)), replace(WEEK, superseded=True)], ids=str)
def test_each_kind_of_order_holds_for_its_own_periods(directory: Path, store_url: str, scope: Scope) -> None:
    """A late day of an erased epoch or month with an erased day's users; a replaced version's, and only that one's, period."""
    group, week = group_of(directory), sketch(0, 400, 14)
    with open_store(directory) as store:
        first = contributed("a/app", JANUARY, {"email": week}, computed_at=NOW)
        other = contributed("a/app", JANUARY, {"email": sketch(0, 399, 14)}, computed_at=NOW + DAY)
        for each in (first, other) if scope.superseded else (first,):
            store.append_contributions([accepted_of(group, each)], NOW)
        erasure.erase(store, scope, ORDER, NOW)
        later, inside = (
            replace(first, activity_date=date(2025, 2, 3), key_epoch="2"),
            replace(first, activity_date=date(2024, 12, 31)),
        )
        again = [accepted_of(group, replace(each, computed_at=NOW + 2 * DAY)) for each in (first, inside, later)]
        blocked = store.read_blocked(again, current(store))
        assert [about[3] for about in blocked] == [JANUARY] + [date(2024, 12, 31)] * (not scope.superseded)


def test_a_file_with_an_erased_day_is_refused_whole(directory: Path, tmp_path: Path) -> None:
    """By its receipt the affiliate learns that it was erased, by whom and when; its own copy stays in the inbox."""
    path = tmp_path / "handed-in.parquet"
    done = CliRunner().invoke(commands, ["contribute", "--group", str(directory), "--month", "2025-01", "-o", str(path)])
    assert done.exit_code == 0, done.output
    folder = directory / inbox.INBOX / "a"
    folder.mkdir(parents=True)

    def receive(name: str) -> Any:
        (folder / name).write_bytes(path.read_bytes())
        with Workspace(directory, read_group(directory), datetime.now(UTC)) as workspace:
            return receive_files(workspace, [inbox.offer_of(folder / name, directory)])

    assert receive("first.parquet").refused == []
    plan = erased(directory)
    assert inbox.files_holding(directory, plan.contributions) == ["a/first.parquet"]
    (taken,) = receive("again.parquet").refused
    assert [(r.subject, r.rule) for r in taken.refusals] == [("a/app", "was erased, so it isn't stored again")]
    assert not (folder / "again.parquet").exists()
    with open_store(directory) as store:
        erasure.allow_again(store, WEEK, ORDER, NOW + DAY)
    assert receive("at-last.parquet").refused == []
    assert figure(directory).complete


@both_databases
def test_replaced_versions_go_and_no_figure_changes(store_url: str, directory: Path) -> None:
    """Events without somebody who asked to be deleted give a new version; the old one, with them, would stay for good."""
    (directory / "events.parquet").unlink()
    january().filter(pl.col("user") != "u0@example.com").write_parquet(directory / "events.parquet")
    first = {row["sketch"] for row in rows_of(store_url, directory)["parts"]}
    run(directory, read_group(directory), NOW, JANUARY, JANUARY)
    before, scope = figure(directory), replace(WEEK, superseded=True)
    with open_store(directory) as store:
        (gone,) = erasure.erase(store, scope, ORDER, NOW).digests
        assert gone in first
        assert erasure.erase(store, scope, ORDER, NOW).digests == {}
    assert figure(directory) == before
    assert run(directory, read_group(directory), NOW + DAY).published == []
    assert [row["superseded"] for row in rows_of(store_url, directory)["erasures"]] == [True]
    # The old events again, the old registers: they don't come back by themselves.
    january().write_parquet(directory / "events.parquet")
    assert run(directory, read_group(directory), NOW + DAY, JANUARY, JANUARY).products[0].received.erased == 1
    assert figure(directory) == before


def test_what_a_range_holds(directory: Path, store_url: str) -> None:
    """A month whose days are asked for only in part holds the people of these days, too."""
    group = group_of(directory)
    with open_store(directory) as store:
        for month, epoch in ((date(2024, 11, 1), "0"), (date(2024, 12, 1), "0"), (JANUARY, "1")):
            some = sketch(month.month * 1000, month.month * 1000 + 40, 14)
            monthly = replace(contributed("a/book", month, {"email": some}), grain="month", key_epoch=epoch)
            store.append_contributions([accepted_of(group, monthly)], NOW)

        def going(scope: Scope) -> list[tuple[str, str, int]]:
            return [(g.name, g.grain, len(g.days)) for g in erasure.plan(store, scope).products]

        assert going(Scope("a", "book", date(2024, 12, 31), JANUARY)) == [("a/book", "month", 2)]
        assert going(Scope("a", "book", date(2024, 12, 1), date(2024, 12, 1))) == [("a/book", "month", 1)]
        assert going(Scope("a", "app", date(2024, 12, 31), JANUARY)) == [("a/app", "day", 1)]
        assert going(Scope(key_epoch="0")) == [("a/book", "month", 2)]
        assert going(Scope(before=JANUARY)) == [("a/book", "month", 2)]
        assert going(Scope(before=date(2025, 2, 1))) == [("a/app", "day", 31), ("a/book", "month", 3)]
        assert going(Scope(before=date(2024, 11, 1))) == []
        for nothing in (Scope("a", "apps", JANUARY, JANUARY), Scope(key_epoch="9")):
            with pytest.raises(RefusedError, match="nothing was contributed"):
                going(nothing)


def test_retention_keeps_whole_months(directory: Path) -> None:
    """Counted to the day, a month would lose its first days while it is kept."""
    group = group_of(directory)
    assert erasure.retention(group, date(2026, 11, 21)).before == date(2024, 11, 1)
    kept = group.model_copy(update={"settings": group.settings.model_copy(update={"keep_sketches": 1})})
    assert erasure.retention(kept, date(2025, 1, 31)).before == date(2024, 12, 1)
    assert erasure.retention(kept, date(2025, 2, 1)).before == date(2025, 1, 1)
    with pytest.raises(ValueError, match="keep_sketches"):
        Settings.model_validate({**group.settings.model_dump(exclude={"keys"}), "keep_sketches": 0})


def test_the_command(directory: Path, store_url: str) -> None:
    """Without a name or a reason nothing goes; a dry run changes nothing; the answer says what can't be computed again."""

    def mauwatch(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(commands, ["erase", *arguments, "--group", str(directory)])
        assert done.exit_code == code, done.output
        return done.output

    def refused(*arguments: str) -> str:
        done = CliRunner().invoke(commands, ["erase", *arguments, "--group", str(directory)])
        assert isinstance(done.exception, RefusedError)
        assert [refusal.code for refusal in done.exception.refusals] == [Code.NOT_CONFIRMED]
        return str(done.exception)

    week = ("a/app", "--from", "2025-01-01", "--to", "2025-01-07")
    by = ("--by", "A. Officer", "--reason", "asked for")
    before = rows_of(store_url, directory)
    assert "Would be erased: a/app" in (answer := mauwatch(*week, "--dry-run"))
    assert "7 days" in answer
    assert "Not signed, so without an upper bound from then on: 2025-01." in answer
    for wrong in ((), week[:1], week[:3], (*week, "--epoch", "1"), ("--epoch", "1", *week[1:]), ("a", *week[1:])):
        mauwatch(*wrong, *by, code=2)
    for half in ((), by[:2], ("--by", " ", *by[2:]), (*by[:2], "--reason", "x" * 501)):
        mauwatch(*week, *half, code=2)
    mauwatch("--epoch", "1", "--allow-again", *by, code=2)
    assert rows_of(store_url, directory) == before
    assert "say --yes" in re.sub(r"\s+", " ", refused(*week, *by))
    assert rows_of(store_url, directory) == before
    answer = mauwatch(*week, *by, "--yes")
    assert "The store's file was written anew: the bytes are gone from it." in answer
    assert '"erased_before": 7' in mauwatch(*week, *by, "--json")
    assert [row["upper"] for row in rows_of(store_url, directory)["figures"]].count(None) == 6
    assert "or receive: a/app from 2025-01-01 to 2025-01-07, 7 erased sketches." in re.sub(
        r"\s+", " ", mauwatch(*week, "--allow-again", *by)
    )
    settings = yaml.safe_load((directory / "group.yaml").read_text()) | {"keep_sketches": 1200}
    (directory / "group.yaml").write_text(yaml.safe_dump(settings))
    assert "Erased: all before 19" in (answer := mauwatch("--retention", *by))
    assert "nothing" in answer


def test_it_needs_no_key(directory: Path) -> None:
    """The key is destroyed first, and then the sketches go: an order of things that must be possible."""
    (directory / "group.key").unlink()
    asked = ["erase", "--epoch", "1", "--by", "A. Officer", "--reason", "x", "--yes", "--group", str(directory)]
    done = CliRunner().invoke(commands, asked)
    assert done.exit_code == 0, done.output
    assert "Not published yet, the next run does" in done.output
    assert figure(directory).upper is None
