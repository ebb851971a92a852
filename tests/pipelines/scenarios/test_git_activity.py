"""Scenarios on who really wrote to which project in a month: each affiliate sold, and each one bought that was left out."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from affiliates.manifests.group import Group
from affiliates.sketches.registers import Registers
from pipelines.scenarios.baseline import Baseline, read_baseline
from pipelines.scenarios.definition import Definition
from pipelines.scenarios.paths import GroupPaths, ScenarioPaths
from pipelines.workspace import Workspace
from tests.support.deals import NOW, Deal, deal_group
from tests.support.git_activity import SHARED
from tests.support.paths import ROOT
from tests.support.sketches import contributed, give, keys

DEMO = ROOT / "demo" / "git-activity"
FEW = ("2025-03", "2026-07")
ALL = tuple(f"{year}-{month:02}" for year in (2023, 2024, 2025, 2026) for month in range(1, 13))[5:44]
"""The months of the demo."""
LG_K = 21
Authors = dict[str, np.ndarray]
"""By affiliate/product, the numbers of its authors in a month."""


def _numbered(authors: pl.DataFrame) -> Authors:
    """Authors (product, user) as numbers by product."""
    numbered = authors.drop_nulls().unique().with_columns(pl.col("user").rank("dense").alias("number")).sort("product", "number")
    return {str(name): some["number"].to_numpy() for (name,), some in numbered.group_by("product", maintain_order=True)}


def slice_of_the_demo() -> pl.DataFrame:
    """The demo's slice: month, product and author."""
    owners = {
        product["product"]: manifest["entity"]
        for path in sorted((DEMO / "affiliates").glob("*.yaml"))
        for manifest in [yaml.safe_load(path.read_text(encoding="utf-8"))]
        for product in manifest.get("products", [])
    }
    events = pl.read_parquet(DEMO / "events.parquet").filter(~pl.col("bot") & pl.col("product").is_in(list(owners)))
    names = pl.col("product").replace_strict(owners, return_dtype=pl.String) + "/" + pl.col("product")
    return events.select(pl.col("day").dt.strftime("%Y-%m").alias("month"), names.alias("product"), "user")


def whole() -> pl.DataFrame:
    """The same of all events."""
    if not SHARED.is_dir():
        pytest.skip("the whole of git-activity isn't here")
    events = pl.scan_parquet(SHARED / "events.parquet").filter(pl.col("event_type").eq("commit") & ~pl.col("is_bot"))
    names = pl.col("affiliate") + "/" + pl.col("product")
    month = pl.col("event_time").dt.strftime("%Y-%m").alias("month")
    return events.select(month, names.alias("product"), pl.col("user_id").alias("user")).collect()


@pytest.fixture(scope="module", params=[slice_of_the_demo, whole])
def events(request: pytest.FixtureRequest) -> pl.DataFrame:
    read: pl.DataFrame = request.param()
    return read


@contextmanager
def group_of(events: pl.DataFrame, months: tuple[str, ...], folder: Path) -> Iterator[tuple[Deal, dict[str, Authors]]]:
    """A group with the months' contributions in its store, none of them published; and the authors by month."""
    by_month = {month: _numbered(events.filter(pl.col("month") == month).select("product", "user")) for month in months}
    names = sorted({name for authors in by_month.values() for name in authors})
    nobody = np.empty(0, np.int64)
    products = {name: {"author": _keys(nobody)} for name in names}
    life = {name: {"from": "2023-01-01"} for name in names}
    with deal_group(folder / "group", products, months=0, lg_k=LG_K, extra=life) as deal:
        for month, authors in by_month.items():
            day = date.fromisoformat(f"{month}-01")
            sketches = {name: Registers.from_keys(LG_K, _keys(authors.get(name, nobody))) for name in names}
            received = [
                contributed(name, day, {"author": some}, grain="month", computed_at=NOW) for name, some in sketches.items()
            ]
            give(deal.store, deal.group, *received)
        yield deal, by_month


def _keys(numbers: np.ndarray) -> np.ndarray:
    return np.asarray(keys(0, int(numbers.max(initial=0)) + 1)[numbers])


def affiliates(authors: Authors) -> list[str]:
    return sorted({name.partition("/")[0] for name in authors})


def truth(authors: Authors, without: str = "") -> int:
    """How many different authors there are without an affiliate."""
    return len(np.unique(np.concatenate([some for name, some in authors.items() if name.partition("/")[0] != without])))


def holds(after: GroupPaths, number: int) -> bool:
    low, high = np.quantile(after.people, [0.025, 0.975])
    return bool(low <= number <= high)


def baseline(deal: Deal, group: Group, definition: Definition) -> Baseline:
    """What a scenario starts from, on the deal's store and with these manifests."""
    with Workspace(deal.workspace.directory, group, NOW) as workspace:
        return read_baseline(workspace, deal.store, definition, deal.folder)


def asked(month: str, change: dict[str, object]) -> Definition:
    return Definition.from_dict({"scenario": "a", "month": month, "horizon": 1, "changes": [{**change, "on": f"{month}-01"}]})


@pytest.mark.parametrize("months", [FEW, pytest.param(ALL, marks=pytest.mark.thorough)], ids=["some months", "all months"])
def test_each_affiliate_sold_or_bought_makes_the_true_number(
    events: pl.DataFrame, months: tuple[str, ...], tmp_path: Path
) -> None:
    """People write to projects of several affiliates. Those stay whoever of them is sold, and count once when one is bought."""
    with group_of(events, months, tmp_path) as (deal, by_month):
        for month, authors in by_month.items():
            start = baseline(deal, deal.group, asked(month, {"exclude": {"audience": "internal"}}))
            assert start.people.estimate == truth(authors)
            for affiliate in affiliates(authors):
                after = ScenarioPaths(start, asked(month, {"divest": affiliate})).after(0)
                assert holds(after, truth(authors, affiliate)), (month, affiliate)
                others = {name: entity for name, entity in deal.group.entities.items() if name != affiliate}
                bought = [some for name, some in authors.items() if name.partition("/")[0] == affiliate]
                day = date.fromisoformat(f"{month}-01")
                target = {"author": _keys(np.unique(np.concatenate(bought)))}
                deal.write_target(target, product=f"{affiliate}/all", lg_k=LG_K, month=day)
                definition = asked(month, {"acquire": affiliate, "contribution": "target.parquet"})
                left_out = baseline(deal, deal.group.model_copy(update={"entities": others}), definition)
                assert left_out.people.estimate == truth(authors, affiliate)
                assert holds(ScenarioPaths(left_out, definition).after(0), truth(authors)), (month, affiliate)
