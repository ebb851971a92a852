"""Scenarios on who really wrote to which project in a month: each affiliate sold, and each one bought that was left out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from pipelines.scenarios.definition import Definition
from pipelines.scenarios.paths import GroupPaths, ScenarioPaths
from tests.support.deals import deal_group
from tests.support.git_activity import SHARED
from tests.support.paths import ROOT
from tests.support.sketches import keys

DEMO = ROOT / "demo" / "git-activity"
MONTH = "2025-03"
Authors = dict[str, np.ndarray]
"""By affiliate/product, the numbers of its authors."""


def _numbered(authors: pl.DataFrame) -> Authors:
    """Authors (product, user) as numbers by product."""
    numbered = authors.unique().with_columns(pl.col("user").rank("dense").alias("number")).sort("product", "number")
    return {str(name): some["number"].to_numpy() for (name,), some in numbered.group_by("product", maintain_order=True)}


def slice_of_the_demo() -> Authors:
    """The authors of the demo's slice."""
    owners = {
        product["product"]: manifest["entity"]
        for path in sorted((DEMO / "affiliates").glob("*.yaml"))
        for manifest in [yaml.safe_load(path.read_text(encoding="utf-8"))]
        for product in manifest.get("products", [])
    }
    events = pl.read_parquet(DEMO / "events.parquet").filter(
        pl.col("day").dt.strftime("%Y-%m").eq(MONTH) & ~pl.col("bot") & pl.col("product").is_in(list(owners))
    )
    names = pl.col("product").replace_strict(owners, return_dtype=pl.String) + "/" + pl.col("product")
    return _numbered(events.select(names.alias("product"), "user"))


def whole() -> Authors:
    """The authors of all events."""
    if not SHARED.is_dir():
        pytest.skip("the whole of git-activity isn't here")
    events = pl.scan_parquet(SHARED / "events.parquet").filter(
        pl.col("event_time").dt.strftime("%Y-%m").eq(MONTH) & pl.col("event_type").eq("commit") & ~pl.col("is_bot")
    )
    names = pl.col("affiliate") + "/" + pl.col("product")
    return _numbered(events.select(names.alias("product"), pl.col("user_id").alias("user")).collect())


@pytest.fixture(scope="module", params=[slice_of_the_demo, whole])
def authors(request: pytest.FixtureRequest) -> Authors:
    read: Callable[[], Authors] = request.param
    return read()


@pytest.fixture
def sketched(authors: Authors) -> dict[str, dict[str, np.ndarray]]:
    return {name: {"author": _keys(numbers)} for name, numbers in authors.items()}


def _keys(numbers: np.ndarray) -> np.ndarray:
    return np.asarray(keys(0, int(numbers.max()) + 1)[numbers])


def affiliates(authors: Authors) -> list[str]:
    return sorted({name.partition("/")[0] for name in authors})


def truth(authors: Authors, without: str = "") -> int:
    """How many different authors there are without an affiliate."""
    return len(np.unique(np.concatenate([some for name, some in authors.items() if name.partition("/")[0] != without])))


def holds(after: GroupPaths, number: int) -> bool:
    low, high = np.quantile(after.people, [0.025, 0.975])
    return bool(low <= number <= high)


def test_each_affiliate_sold_leaves_the_true_number_without_it(
    authors: Authors, sketched: dict[str, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    """People write to projects of several affiliates: those stay whoever of them is sold."""
    with deal_group(tmp_path / "group", sketched, months=1, lg_k=21) as deal:
        baseline = deal.baseline(deal.definition("scenario: a\nchanges:\n- {exclude: {audience: internal}}\n"))
        assert baseline.people.estimate == truth(authors)
        for affiliate in affiliates(authors):
            change = {"divest": affiliate, "on": "2026-10-01"}
            after = ScenarioPaths(baseline, Definition.from_dict({"scenario": "a", "changes": [change]})).after(0)
            assert holds(after, truth(authors, affiliate)), affiliate


def test_each_affiliate_that_was_left_out_makes_the_true_union_once_bought(
    authors: Authors, sketched: dict[str, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    """The whole group again: adding the number of the affiliate's own authors would count many of them twice."""
    for affiliate in affiliates(authors):
        group = {name: some for name, some in sketched.items() if name.partition("/")[0] != affiliate}
        bought = np.unique(np.concatenate([some["author"] for name, some in sketched.items() if name not in group]))
        with deal_group(tmp_path / affiliate / "group", group, months=1, lg_k=21) as deal:
            deal.write_target({"author": bought}, product=f"{affiliate}/all", lg_k=21)
            change = f"{{acquire: {affiliate}, on: 2026-10-01, contribution: target.parquet}}"
            definition = deal.definition(f"scenario: a\nchanges:\n- {change}\n")
            after = ScenarioPaths(deal.baseline(definition), definition).after(0)
            assert holds(after, truth(authors)), affiliate
