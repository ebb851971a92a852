"""Real events against true counts: the demo's slice always, all of the data where it lies beside the checkout.

The oracles are independent: DuckDB over the raw file, and the counts that came with the data.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml

from affiliates.aggregation import availability, contribute
from affiliates.contributions import contract
from affiliates.contributions.contract import Contribution
from affiliates.crosswalks import snapshot
from affiliates.identity.keyring import Keyring
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from affiliates.manifests.product import Product, ProductRef
from affiliates.sources import resolve
from dashboards.demo import git_activity
from pipelines.counting import measure
from pipelines.counting.figure import Figure
from pipelines.counting.inputs import gather
from pipelines.counting.measure import Measured
from pipelines.ingestion import inbox
from pipelines.runbook import DataFinding
from pipelines.store.contributions import open_store
from pipelines.workflows import receive
from pipelines.workflows.report import Report
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.git_activity import COMPLETE_THROUGH, SHARED, truth, write_group

NOW = datetime(2027, 6, 1, tzinfo=UTC)
EVER, YEAR = date(1990, 1, 1), date(git_activity.LAST.year - 1, git_activity.LAST.month, 1)
"""When all of the data has settled."""
there = pytest.mark.skipif(not SHARED.exists(), reason="the whole data lies beside the checkout")


def published(report: Report) -> dict[str, Measured]:
    """Of a first run, all months, as it measured them."""
    return {f"{month:%Y-%m}": found for (month, reading), found in report.measured.items() if reading == "unique_people"}


def close(figure: Figure, true: int) -> bool:
    """Within 2 people or 0.2 %."""
    return figure.estimate is not None and abs(figure.estimate - true) <= max(2, 0.002 * true)


def compare(found: dict[str, Measured], true: dict[str, Any], through: str) -> tuple[int, int]:
    """Each figure of each whole month is close; returns how many there are and how many intervals hold the truth."""
    figures = inside = 0
    for month, measured in found.items():
        if month > through:
            continue
        for level, each in (
            ("group", {"group": measured.group}),
            ("affiliate", measured.affiliates),
            ("product", measured.products),
        ):
            for name, figure in each.items():
                expected = true[level][name.rpartition("/")[2]].get(month, 0)
                assert close(figure, expected), (month, level, name, figure.estimate, expected)
                assert figure.complete
                figures += 1
                inside += figure.upper is not None and figure.lower <= expected <= figure.upper
    # And nothing that has users is left out of the comparison.
    for level in ("group", "affiliate", "product"):
        for name, months in true[level].items():
            for month in (m for m, n in months.items() if n and m <= through and m in found):
                here = {"group": ["group"], "affiliate": list(found[month].affiliates)}.get(
                    level, [p.rpartition("/")[2] for p in found[month].products]
                )
                assert name in here, (month, level, name)
    return figures, inside


def by_sketches_alone(directory: Path, workspace: Path, last: date, first: date = EVER) -> Report:
    """As `run`, but each affiliate counts at its own edge, and the centre, whose manifests name no source, receives files."""
    group = read_group(directory)
    shutil.copytree(directory, workspace, ignore=shutil.ignore_patterns("*.parquet", ".mauwatch"))
    if (directory / "crosswalk.parquet").exists():
        shutil.copy(directory / "crosswalk.parquet", workspace)
    for path in (workspace / "affiliates").glob("*.yaml"):
        said = yaml.safe_load(path.read_text())
        for product in said.get("products", []):
            del product["sources"]
        path.write_text(yaml.safe_dump(said, sort_keys=False))
    keys = Keyring(group.settings, directory)
    place = contribute.EdgeContext(directory, group.settings, keys, snapshot.Snapshots(group.settings, directory, keys), NOW)
    files = []
    for affiliate, entity in group.entities.items():
        if entity.products:
            files.append(workspace / f"{affiliate}.parquet")
            own = {ref: product for ref, product in group.products.items() if ref.affiliate == affiliate}
            contract.write(files[-1], _counted(own, place, first, last))
    with Workspace(workspace, read_group(workspace), NOW) as opened:
        session = receive.receive_files(opened, [inbox.offer_of(file, workspace) for file in files])
        assert [taken.refusals for taken in session.files] == [[]] * len(files)
        receive.publish_received(opened, session)
    return session.report


def _counted(
    products: Mapping[ProductRef, Product], place: contribute.EdgeContext, first: date, last: date
) -> Iterator[Contribution]:
    for ref, product in products.items():
        found = resolve.find(str(ref), product, place.directory, "UTC")
        days = pl.date_range(max(product.from_, first), last, eager=True).to_list()
        for some in contribute.contribute(
            ref, product, found, availability.periods_present(found, product, days, "UTC", NOW), place
        ):
            yield from some


def figures_of(found: dict[str, Measured]) -> dict[str, list[tuple[str, Figure]]]:
    return {m: [("", f.group), *f.affiliates.items(), *f.products.items()] for m, f in found.items()}


@pytest.mark.long
@there
@pytest.mark.parametrize(
    "with_crosswalk",
    [pytest.param(True, id="crosswalk"), pytest.param(False, id="no crosswalk", marks=pytest.mark.thorough)],
)
def test_all_of_the_data(tmp_path: Path, with_crosswalk: bool, pytestconfig: pytest.Config) -> None:
    """331 months, 39 products, six affiliates and the group, by days; --thorough: by sketches alone, too, the very same."""
    thorough = pytestconfig.getoption("--thorough")
    directory = write_group(tmp_path / "group", with_crosswalk)
    group = read_group(directory)
    report = run(directory, group, NOW, last=COMPLETE_THROUGH)
    assert not any(product.refusals or product.missing for product in report.products)
    # Real products that nobody has written commits for, for months: nothing else is unlike before.
    assert all(isinstance(told, DataFinding) and told.what.startswith("no users from") for told in report.findings)
    assert len(report.findings) <= 4
    true = truth("person" if with_crosswalk else "user")
    found = published(report)
    figures, inside = compare(found, true, "2026-07")
    assert set(true["group"]["group"]) <= set(found)
    assert figures > 7_000
    assert inside >= 0.95 * figures
    contributions = sum(p.received.new for p in report.products)
    print(f"{contributions} contributions, {len(found)} months, {figures} figures, {inside} of them inside their interval")
    if thorough:
        again = published(by_sketches_alone(directory, tmp_path / "centre", COMPLETE_THROUGH))
        assert figures_of(again) == figures_of(found)
        print(f"contributed by sketches alone: all {sum(map(len, figures_of(again).values()))} figures the same")


Slice = tuple[Path, Group, dict[str, Measured]]


@pytest.mark.long
def test_the_slice(tmp_path: Path) -> None:
    """Counted once, and all that is asked of it in one test, since that takes half a minute."""
    directory = tmp_path / "demo" / "group"
    git_activity.copy(directory, git_activity.NAME)
    group = read_group(directory)
    report = run(directory, group, NOW, git_activity.FIRST, git_activity.LAST)
    assert not any(product.refusals or product.missing for product in report.products)
    # Real products that nobody has written commits for, for months: nothing else is unlike before.
    assert all(isinstance(told, DataFinding) and told.what.startswith("no users from") for told in report.findings)
    assert len(report.findings) <= 4
    counted = directory, group, published(report)
    an_independent_engine_agrees(counted)
    if SHARED.exists():
        compare(counted[2], truth("person"), "2026-07")
    contributed_by_sketch_only_gives_the_same_figures(counted, tmp_path)
    a_month_counted_again_is_the_same(counted)


def an_independent_engine_agrees(counted: Slice) -> None:
    """DuckDB counts the raw file; its people are joined by keys made with Python's own hmac."""
    import hashlib
    import hmac

    directory, group, found = counted
    key = (directory / "group.key").read_text().strip().encode()
    with duckdb.connect() as db:
        db.create_function(
            "key_of",
            lambda user: hmac.new(key, b"author\x1f" + user.encode(), hashlib.sha256).hexdigest()[:16],
            ["VARCHAR"],
            "VARCHAR",
        )
        affiliates = [(p.product, e.entity) for e in group.entities.values() for p in e.products]
        db.execute("create table offered (product varchar, affiliate varchar)")
        db.executemany("insert into offered values (?, ?)", affiliates)
        db.execute(f"""
            create table people as
            with keys as (select distinct user, key_of(user) as key from '{directory}/events.parquet' where user is not null)
            select strftime(day, '%Y-%m') as month, affiliate, product, coalesce(person_key, key) as person
            from '{directory}/events.parquet' join keys using (user) join offered using (product)
            left join '{directory}/crosswalk.parquet' using (key)
            where not bot
        """)
        true: dict[str, Any] = {"group": {"group": {}}, "affiliate": {}, "product": {}}
        for level, column in (("group", "'group'"), ("affiliate", "affiliate"), ("product", "product")):
            for name, month, n in db.execute(
                f"select {column}, month, count(distinct person) from people group by all"
            ).fetchall():
                true[level].setdefault(name, {})[month] = n
    for product, affiliate in affiliates:
        true["product"].setdefault(product, {})
        true["affiliate"].setdefault(affiliate, {})
    figures, inside = compare(found, true, "2026-07")
    assert figures == 38 * (1 + 6 + 39) - 2  # Two products were born in the second month.
    assert inside == figures


def contributed_by_sketch_only_gives_the_same_figures(counted: Slice, tmp_path: Path) -> None:
    """Each figure of the last year, with bounds and coverage, is that of the raw events: not only close to it. `--thorough`:
    of all the shared data's months."""
    directory, _, found = counted
    report = by_sketches_alone(directory, tmp_path / "centre", git_activity.LAST, YEAR)
    again = {month: figures for month, figures in published(report).items() if month >= f"{YEAR:%Y-%m}"}
    assert figures_of(again) == figures_of({month: found[month] for month in again})
    assert set(again) == {month for month in found if month >= f"{YEAR:%Y-%m}"}


def a_month_counted_again_is_the_same(counted: Slice) -> None:
    """Its events are hashed at the edge, stored, united and measured again: the same answer."""
    directory, group, found = counted
    again = run(directory, group, NOW, date(2025, 3, 1), date(2025, 3, 31))
    assert sum(p.received.unchanged for p in again.products) == 39 * 31
    with open_store(group.settings.store, directory) as store:
        inputs = gather(store, group, date(2025, 3, 1), group.readings.readings[0])
        figure = measure.measure(store, group, inputs).group
    assert json.dumps(figure.to_dict()) == json.dumps(found["2025-03"].group.to_dict())
