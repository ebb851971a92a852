"""What pages read: values as they were published, each with what it rests on, and nothing in the place of what isn't."""

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from affiliates.errors import Code, RefusedError
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from affiliates.periods import month_end
from pipelines.figures import causes, page_month, published_data, published_group, published_licences, published_overview
from pipelines.figures.page_month import PageMonth
from pipelines.licences import release_tests
from pipelines.licences.registry import builtin
from pipelines.runbook import Page
from pipelines.store import clause_results, contributions, month_notes, publications
from pipelines.store.contributions import ContributionStore
from pipelines.workflows import close
from pipelines.workflows.close import Signature
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.databases import SQLITE
from tests.support.groups import Manifests, entity, events, product, source, write_group

NOW = datetime(2025, 5, 4, 12, tzinfo=UTC)
FIRST, SECOND, THIRD, FOURTH = (date(2025, month, 1) for month in (1, 2, 3, 4))
LINE = 100


def users(first: int, last: int, *months: date) -> list[tuple[str, str]]:
    """Somebody a number from `first` on, below `last`, on the tenth of each month."""
    return [(f"{month:%Y-%m}-10T12:00:00Z", f"u{n}@example.com") for month in months for n in range(first, last)]


def counts(**millions: int) -> list[Manifests]:
    return [
        {"month": f"2025-{name[1:]}", "users": number, "unit": "people", "document": "calls", "attested_by": "CFO"}
        for name, number in millions.items()
    ]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four months of a group: `b` joins in March with people of `a`; from April on a count stands in for `a/calls`.

    `a/app` has 60 people, then 70, 70 and 70; `b/shop` has 40 of these and 20 others; `a/calls` has 30 of its own.
    """
    seen = events([*users(0, 60, FIRST), *users(0, 70, SECOND, THIRD, FOURTH)])
    files = {
        "app.parquet": seen,
        "shop.parquet": events(users(30, 90, THIRD, FOURTH)),
        "calls.parquet": events([(at, f"+4930{int(name[1:-12]):06}") for at, name in users(0, 30, FIRST, SECOND, THIRD)]),
    }
    of = {
        "app": source(files="app.parquet", complete_through="2025-04-30"),
        "shop": source(files="shop.parquet", complete_through="2025-04-30"),
        "calls": source(
            files="calls.parquet", complete_through="2025-03-31", identifiers=[{"column": "user", "namespace": "phone"}]
        ),
    }
    products = {name: product(name, sources=[files_], grain="month", to="2025-05-01") for name, files_ in of.items()}
    products["calls"]["counts"] = counts(m04=33)
    bought = {"owner": "parent", "share": 1, "from": "2025-03-10"}
    entities = [entity("a", [products["app"], products["calls"]]), entity("b", [products["shop"]], owned_by=[bought])]
    path = write_group(tmp_path_factory.mktemp("published") / "group", entities, files, store=SQLITE, lg_k=14)
    run(path, read_group(path), NOW)
    return path


@pytest.fixture(scope="module")
def group(directory: Path) -> Group:
    return read_group(directory)


@pytest.fixture
def store(directory: Path) -> Iterator[ContributionStore]:
    with contributions.open_store(SQLITE, directory) as opened, opened.snapshot() as fixed:
        yield fixed


def page(
    store: ContributionStore, group: Group, directory: Path, month: date | None = None, reading: str | None = None
) -> PageMonth:
    return page_month.page_month(store, group, NOW, directory, month, reading)


def kinds(step: page_month.MonthStep) -> list[tuple[str, str]]:
    return [(change.kind, change.subject) for change in step.changes]


def test_a_step_says_its_cause_and_what_cant_be_compared_has_no_number(
    store: ContributionStore, group: Group, directory: Path
) -> None:
    """A join or a stand-in that passed for growth would be sold as such; each product has its own causes."""
    wanted = {
        FIRST: (None, [("first", "")], {"a/app": None, "a/calls": None}),
        SECOND: (10, [("growth", "")], {"a/app": 10, "a/calls": 0}),
        THIRD: (None, [("joined", "b")], {"a/app": 0, "a/calls": 0, "b/shop": None}),
        FOURTH: (None, [("stand_in", "a/calls")], {"a/app": 0, "a/calls": None, "b/shop": 0}),
    }
    for month, (difference, kinds_of_causes, by_product) in wanted.items():
        shown = published_group.read(store, group, page(store, group, directory, month), NOW)
        assert (shown.step.difference, kinds(shown.step)) == (difference, kinds_of_causes)
        assert shown.step.comparable is (difference is not None)
        assert {row.product: row.step.difference for row in shown.products} == by_product
    joined = published_group.read(store, group, page(store, group, directory, THIRD), NOW).step.changes[0]
    assert joined.people == 60, "the affiliate's own people"


def test_the_parts_of_every_range_add_up_to_it(store: ContributionStore, group: Group, directory: Path) -> None:
    """Identity that passes for the sketches' error would be taken for chance."""
    for month in (FIRST, SECOND, THIRD, FOURTH):
        shown = page_month.month(store, page(store, group, directory, month))
        for one in (shown.group, *shown.affiliates.values(), *shown.products.values()):
            assert one.figure.upper is not None
            assert sum(part.people or 0 for part in one.parts) == one.figure.upper - one.figure.lower
    first = page_month.month(store, page(store, group, directory, FIRST)).group
    assert [(part.kind, part.people) for part in first.parts][:1] == [("identity", 30)], "30 phones may be of the 60 addresses"
    last = page_month.month(store, page(store, group, directory, FOURTH)).group
    assert [(part.kind, part.people) for part in last.parts][:1] == [("stand_in", 33)]


def test_what_the_reading_counts_is_what_a_licence_tests(store: ContributionStore, group: Group, directory: Path) -> None:
    """Under the sum the published row holds the unique estimate: a page that shows it beside the test's result contradicts it."""
    tests = {test.licence.id: test for test in release_tests.run_tests(store, group)}
    llama = tests["llama-4"].readings
    for name, estimate in (("unique_people", 120), ("summed_products", 160)):
        shown = page_month.month(store, page(store, group, directory, THIRD, name))
        counted = shown.counted
        result = llama[name]
        assert (counted.estimate, counted.lower, counted.upper) == (result.estimate, result.lower, result.upper)
        assert counted.estimate == estimate
        assert shown.group.summed.estimate == 160
        assert shown.group.summed.lower == sum(row.figure.lower for row in shown.products.values())
        assert shown.group.summed.upper == sum(row.figure.upper or 0 for row in shown.products.values())


def test_every_clause_of_the_registry_is_there_under_each_reading(store: ContributionStore) -> None:
    """Fifteen of 24 tests were in no table: those of a month, a day, a product or an average."""
    rows = published_licences.matrix(store)
    clauses = {(entry.id, clause.id) for entry in builtin().entries for clause in entry.clauses}
    assert {(row.licence, row.clause) for row in rows} == clauses
    assert all(set(row.results) == {"unique_people", "summed_products"} for row in rows)
    (llama,) = (row for row in rows if row.licence == "llama-4")
    assert llama.results["unique_people"].result == "under"
    assert llama.results["unique_people"].headroom_lower == 700_000_000 - (llama.results["unique_people"].upper or 0)
    monthly = next(row for row in rows if (row.licence, row.clause) == ("baichuan2", "dau"))
    assert list(monthly.results["unique_people"].by_month) == [FIRST, SECOND, THIRD, FOURTH]


def test_an_overview_is_of_the_months_bounds(store: ContributionStore, group: Group, directory: Path) -> None:
    """120 people, at least 90: neither under nor over 100; of the sum, 160 and at least 160, over."""
    shown = published_overview.read(store, group, page(store, group, directory, THIRD), LINE, NOW)
    assert (shown.result, shown.headroom_upper, shown.headroom_lower) == ("undetermined", 10, -22)
    assert [(month.month, month.estimate) for month in shown.trend] == [(FIRST, 90), (SECOND, 100), (THIRD, 120)]
    assert shown.outlook is None, "of another threshold than the published ones"
    summed = published_overview.read(store, group, page(store, group, directory, THIRD, "summed_products"), LINE, NOW)
    assert (summed.result, [month.estimate for month in summed.trend]) == ("over", [90, 100, 160])
    again = published_overview.read(store, group, page(store, group, directory), 700_000_000, NOW)
    assert again.group_page.month.page.month == FOURTH, "the newest month that is over"
    assert again.outlook is not None
    assert (again.outlook.month, again.outlook.estimate) == (FOURTH, again.group_page.month.counted.estimate)
    assert again.group_page.month.page.last_run is not None
    assert again.group_page.month.page.last_run.at == NOW


def test_a_day_is_what_it_is(store: ContributionStore, group: Group, directory: Path) -> None:
    calendar = published_group.read(store, group, page(store, group, directory, FOURTH), NOW).calendar
    assert {name: {cell.state for cell in cells} for name, cells in calendar.items()} == {
        "a/app": {"present"}, "b/shop": {"present"}, "a/calls": {"stand_in"},
    }  # fmt: skip
    assert all(len(cells) == 30 for cells in calendar.values())


def test_each_state_of_a_day_comes_from_what_has_happened_to_it(tmp_path: Path) -> None:
    """A day that is late, refused or restated and looks like one that is there would be trusted as such."""

    def of(name: str, *days: str) -> tuple[str, pl.DataFrame]:
        return f"{name}.parquet", events([(f"{day}T12:00:00Z", f"{name}{n}@example.com") for day in days for n in range(40)])

    march, april = ([f"2025-{month:02}-{day:02}" for day in range(1, last)] for month, last in ((3, 32), (4, 21)))
    through = {"steady": "2025-04-20", "behind": "2025-04-12", "broken": "2025-04-10", "sold": "2025-04-20"}
    begins = {"from": "2025-03-01", "settles_after": 4}
    made = {
        name: product(name, **begins, sources=[source(files=f"{name}.parquet", complete_through=last)])
        for name, last in through.items()
    }
    made["sold"]["to"] = "2025-04-05"
    files = dict(of(name, *march, *(day for day in april if day <= last)) for name, last in through.items())
    path = write_group(tmp_path / "group", [entity("a", list(made.values()))], files, store=SQLITE, lg_k=14)
    now = datetime(2025, 4, 21, 12, tzinfo=UTC)
    group = read_group(path)
    run(path, group, now)
    # Another third of March after the month is signed, and another fifth of April before it is.
    with Workspace(path, group, now) as workspace:
        close.close_month(workspace, date(2025, 3, 1), Signature("Head of Finance", despite="early"))
    name, frame = of("steady", *march, *april)
    later = events([(f"{day}T13:00:00Z", "late@example.com") for day in ("2025-03-03", "2025-04-05")])
    pl.concat([frame, later]).write_parquet(path / name)
    (path / "broken.parquet").write_bytes(b"no parquet")
    hour = timedelta(hours=1)
    run(path, group, now + hour)
    with Workspace(path, group, now + 2 * hour) as workspace:
        close.close_month(workspace, date(2025, 3, 1), Signature("Head of Finance", "early", "one came late"))
    with contributions.open_store(SQLITE, path) as opened, opened.snapshot() as fixed:
        shown = {
            month: published_group.read(
                fixed, group, page_month.page_month(fixed, group, now + 2 * hour, path, month), now
            ).calendar
            for month in (date(2025, 3, 1), date(2025, 4, 1))
        }
    of_march, of_april = shown.values()
    assert {cell.day.day: cell.state for cell in of_march["a/steady"] if cell.state != "present"} == {3: "restated"}
    states = {name: [cell.state for cell in cells] for name, cells in of_april.items()}
    # Settled is what was computed four days after its end, so from the 17th on late events may come.
    assert states["a/steady"] == ["present"] * 4 + ["replaced"] + ["present"] * 11 + ["unsettled"] * 4 + ["coming"] * 10
    assert states["a/behind"] == ["present"] * 12 + ["missing"] * 4 + ["awaited"] * 4 + ["coming"] * 10
    assert states["a/broken"] == ["present"] * 10 + ["refused"] * 10 + ["coming"] * 10
    assert states["a/sold"] == ["present"] * 4 + ["outside"] * 26


@pytest.mark.parametrize(
    ("month", "reading", "code"),
    [(date(2024, 1, 1), None, Code.FIGURE_MISSING), (FIRST, "monthly", Code.USAGE_INVALID)],
)
def test_what_isnt_there_is_refused_by_name(
    store: ContributionStore, group: Group, directory: Path, month: date, reading: str | None, code: Code
) -> None:
    with pytest.raises(RefusedError) as raised:
        page(store, group, directory, month, reading)
    assert raised.value.refusals[0].code == code


TABLES = (
    "outlook_months", "outlooks", "clause_results", "month_changes", "range_parts", "unique_additions", "product_overlaps",
    "runs",
)  # fmt: skip


@pytest.fixture
def older(directory: Path, tmp_path: Path) -> Path:
    """The group with a store that an older version has filled: nothing is in the new tables."""
    copied = tmp_path / "group"
    shutil.copytree(directory, copied)
    with sqlite3.connect(copied / ".mauwatch" / "store.sqlite") as connection:
        for table in TABLES:
            connection.execute(f"delete from {table}")
    return copied


def test_what_an_older_version_has_published_is_read_and_the_next_run_publishes_the_rest(older: Path, group: Group) -> None:
    """A page over such a store mustn't fail, nor show a zero, growth, or `under` for what isn't published."""
    with contributions.open_store(SQLITE, older) as opened, opened.snapshot() as fixed:
        shown = published_overview.read(fixed, group, page(fixed, group, older, THIRD), 700_000_000, NOW)
        assert (shown.outlook, shown.licences, shown.group_page.month.page.last_run) == (None, (), None)
        assert (shown.group_page.step.comparable, shown.group_page.step.changes) == (None, ())
        assert shown.group_page.month.group.parts == ()
        assert all(row.addition is None for row in shown.group_page.products)
        assert shown.group_page.month.counted.estimate == 120
        with pytest.raises(RefusedError, match="nothing is published"):
            page(fixed, group, older, date(2024, 12, 1))
    (older / ".mauwatch" / "outlooks.json").write_text("{}")
    run(older, read_group(older), NOW + timedelta(hours=1))
    assert not (older / ".mauwatch" / "outlooks.json").exists(), "outlooks are rows of the store; nobody reads the file"
    with contributions.open_store(SQLITE, older) as opened, opened.snapshot() as fixed:
        shown = published_overview.read(fixed, group, page(fixed, group, older, THIRD), 700_000_000, NOW)
        assert shown.outlook is not None
        assert shown.licences
        assert kinds(shown.group_page.step) == [("joined", "b")]
        assert shown.group_page.month.group.parts
        assert shown.group_page.month.page.last_run is not None


def test_a_month_that_is_published_anew_has_its_step_and_the_next_ones_noted_anew(directory: Path, tmp_path: Path) -> None:
    """Signed and restated: the causes of a publication that is gone would stand beside figures that are others."""
    copied = tmp_path / "group"
    shutil.copytree(directory, copied)
    group = read_group(copied)
    with Workspace(copied, group, NOW) as workspace:
        close.close_month(workspace, SECOND, Signature("Head of Finance", despite="early"))
    users_now = events([*users(0, 60, FIRST), *users(0, 75, SECOND), *users(0, 70, THIRD, FOURTH)])
    users_now.write_parquet(copied / "app.parquet")
    run(copied, group, NOW + timedelta(hours=1), SECOND, month_end(SECOND))
    with Workspace(copied, group, NOW + timedelta(hours=2)) as workspace:
        close.close_month(workspace, SECOND, Signature("Head of Finance", "early", "five came late"))
    with contributions.open_store(SQLITE, copied) as opened, opened.snapshot() as fixed:
        second = published_group.read(fixed, group, page(fixed, group, copied, SECOND), NOW).step
        third = published_group.read(fixed, group, page(fixed, group, copied, THIRD), NOW)
        assert (second.difference, kinds(second)) == (None, [("restated", "")])
        assert kinds(third.step) == [("joined", "b"), ("restated", "")]
        # Everybody's month before is another one, `a/app`'s too.
        assert {row.product: row.step.difference for row in third.products}["a/app"] is None
        in_force = {publication.id for publication in publications.in_force(fixed).values()}
        noted = {pair for pair in month_notes.noted(fixed) if pair[0] in in_force and pair[1] in {*in_force, None}}
        assert {publication for publication, _ in noted} == in_force
        data = published_data.read(fixed, group, NOW, copied)
        assert [(row.state, row.reason) for row in data.signed[:1]] == [("restated", "five came late")]
        assert {row.state for row in data.signed} == {"closed", "restated"}
        assert [(row.product, row.first_day, row.reason) for row in data.replaced] == [
            ("a/app", SECOND, published_data.COMPUTED_ANEW)
        ]
        results = clause_results.current(fixed)
        assert {row["licence"] for row in results} >= {"llama-4"}


def test_a_page_shows_the_day_that_replaced_another_and_whom_products_share(
    store: ContributionStore, group: Group, directory: Path
) -> None:
    """The cells of the matrix: measured, or said why not."""
    shown = published_group.read(store, group, page(store, group, directory, THIRD), NOW)
    pair = shown.overlaps["a/app", "b/shop"]
    assert (pair.state, pair.estimate) == ("measured", 40)
    assert (shown.overlaps["a/app", "a/calls"].state, shown.overlaps["a/app", "a/calls"].estimate) == ("not_measured", None)
    additions = {row.product: row.addition for row in shown.products}
    assert {name: (one.state, one.estimate) for name, one in additions.items() if one} == {
        "a/app": ("measured", 30), "b/shop": ("measured", 20), "a/calls": ("not_measured", None),
    }  # fmt: skip
    first = published_group.read(store, group, page(store, group, directory, FIRST), NOW)
    assert first.overlaps == {}
    assert all(row.addition is None for row in first.products), "of older months nothing is compared"


def test_a_cause_that_cant_be_told_keeps_no_figure_from_anybody(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pages show is noted in the transaction of the figures: an error there would undo them, and the alerts with them."""
    copied = tmp_path / "group"
    shutil.copytree(directory, copied)
    events([*users(0, 60, FIRST), *users(0, 70, SECOND, THIRD), *users(0, 80, FOURTH)]).write_parquet(copied / "app.parquet")
    monkeypatch.setattr(causes, "range_parts", lambda *_: 1 // 0)
    report = run(copied, read_group(copied), NOW + timedelta(hours=1), FOURTH, month_end(FOURTH))
    assert report.published == [FOURTH]
    assert any(finding.page == Page.UNFORESEEN and "the causes of changes" in str(finding) for finding in report.findings)
    with contributions.open_store(SQLITE, copied) as opened, opened.snapshot() as fixed:
        assert page_month.month(fixed, page(fixed, read_group(copied), copied)).counted.estimate == 80 + 10 + 33
