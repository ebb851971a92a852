"""What was counted and isn't asked for any more: named by `run` and `measure`, and `close` wants to know why."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from pipelines.alerts import responses
from pipelines.alerts.responses import Closing
from pipelines.figures import data_findings, query
from pipelines.licences import registry
from pipelines.store import alert_log, contributions
from pipelines.workflows import close
from pipelines.workspace import Workspace
from tests.support.databases import both_databases
from tests.support.groups import NOW, Manifests, entity, events, product
from tests.support.runs import go

Make = Callable[..., Path]
JANUARY = date(2025, 1, 1)
LATER = NOW + timedelta(hours=1)
COUNT = {"month": "2025-01", "users": 1000, "unit": "people", "document": "annual report", "attested_by": "CFO"}


def rows(name: str) -> Any:
    """50 people of one product in January."""
    return events([(f"2025-01-{1 + i % 31:02}T12:00:00Z", f"{name}{i}@example.com") for i in range(50)])


def b_with(**changes: Any) -> Manifests:
    return entity("b", [product(to="2025-02-01", sources=[source_of("b")])], **changes)


def source_of(name: str) -> Manifests:
    return {
        "files": f"{name}.parquet", "time": "at", "complete_through": "2025-01-31",
        "identifiers": [{"column": "user", "namespace": "email"}],
    }  # fmt: skip


def a() -> Manifests:
    return entity("a", [product(to="2025-02-01", sources=[source_of("a")])])


@pytest.fixture
def directory(make: Make) -> Path:
    """Two affiliates of 50 people each, run once."""
    group_directory = make([a(), b_with()], {"a.parquet": rows("a"), "b.parquet": rows("b")})
    assert go(group_directory).clean
    assert shown(group_directory) == ([], 100)
    return group_directory


def shown(directory: Path) -> tuple[list[str], int | None]:
    """What the data show of January, and the published number of people."""
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        measured, _ = query.figures_of_month(store, group, JANUARY, group.readings.readings[0])
        return [str(finding) for finding in data_findings.read_month(store, group, JANUARY)], measured.group.estimate


def edit(directory: Path, change: Callable[[Manifests], Any]) -> None:
    """Change b's manifest."""
    path = directory / "affiliates/b.yaml"
    manifest = yaml.safe_load(path.read_text())
    change(manifest)
    path.write_text(yaml.safe_dump(manifest))


def first_product(manifest: Manifests) -> Manifests:
    return dict.__getitem__(manifest, "products")[0]  # type: ignore[no-any-return]


GONE: dict[str, Callable[[Path], Any]] = {
    "manifest gone": lambda d: (d / "affiliates/b.yaml").unlink(),
    "manifest hidden": lambda d: (d / "affiliates/b.yaml").rename(d / "affiliates/.b.yaml"),
    "product gone": lambda d: edit(d, lambda m: m.update(products=[])),
    "life moved on": lambda d: edit(d, lambda m: first_product(m).update({"from": "2025-02-01", "to": "2025-03-01"})),
    "life moved back": lambda d: edit(d, lambda m: first_product(m).update({"from": "2024-12-31", "to": "2025-01-01"})),
    "a smaller share": lambda d: edit(d, lambda m: m["owned_by"][0].update(share=0.4)),
    "bought later": lambda d: edit(d, lambda m: m["owned_by"][0].update({"from": "2025-03-01"})),
    "sold before": lambda d: edit(d, lambda m: m["owned_by"][0].update(to="2024-12-01")),
}


@pytest.mark.parametrize("way", GONE)
def test_what_was_counted_and_is_gone(directory: Path, way: str) -> None:
    """100 people became 50 by an edit of one line: clean, complete, and signed."""
    GONE[way](directory)
    for moment in (LATER, LATER + timedelta(hours=1)):
        report = go(directory, now=moment)
        assert [finding["what"] for finding in report.to_dict()["data_findings"]] == ["stored, and in no figure of 2025-01"]
    (told,), people = shown(directory)
    assert told.startswith("b/app: 31 days (added up 50 users) of 2025-01 are stored, and in no figure: ")
    assert people == 50
    with Workspace(directory, read_group(directory), LATER) as workspace:
        with pytest.raises(RefusedError, match="in no figure"):
            close.close_month(workspace, JANUARY, close.Signature("CFO"))
        close.close_month(workspace, JANUARY, close.Signature("CFO", despite="counsel has agreed"))
    assert [str(finding) for finding in go(directory, now=LATER + timedelta(hours=2)).findings] == [], "it was signed by name"


@both_databases
def test_a_count_that_nobody_states_any_more(make: Make) -> None:
    """A ceiling or a count is all that there was of a product: with its manifest, a thousand people went."""
    stated = entity("b", [product(to="2025-02-01", sources=[], counts=[COUNT])])
    directory = make([a(), stated], {"a.parquet": rows("a")})
    assert go(directory).clean
    assert shown(directory) == ([], 1050)
    (directory / "affiliates/b.yaml").unlink()
    (finding,) = go(directory, now=LATER).to_dict()["data_findings"]
    assert finding["text"].startswith("b/app: counts or ceilings of 2025-01 are stored, and in no figure: no manifest names")


def held(**days: str) -> Manifests:
    return b_with(owned_by=[{"owner": "parent", "share": 1, **days}])


QUIET: dict[str, Callable[[Make, Path], Any]] = {
    "sold on a day of the month": lambda make, d: make([a(), held(to="2025-01-20")]),
    "its life ended within the month": lambda make, d: edit(d, lambda m: first_product(m).update(to="2025-01-20")),
    "another's manifest": lambda make, d: make([entity("c", [product(to="2025-02-01", sources=[source_of("b")])])]),
}


@pytest.mark.parametrize("way", QUIET)
def test_what_the_manifests_say_is_quiet(make: Make, directory: Path, way: str) -> None:
    """Whoever is told each month of an affiliate that was sold reads no finding any more."""
    QUIET[way](make, directory)
    assert go(directory, now=LATER).findings == []


def test_who_was_never_counted_is_quiet(make: Make) -> None:
    """An associate whose events are counted for its own sake was in no figure, and nothing is lost."""
    directory = make(
        [a(), b_with(owned_by=[{"owner": "parent", "share": 0.4}])], {"a.parquet": rows("a"), "b.parquet": rows("b")}
    )
    for moment in (NOW, LATER):
        assert go(directory, now=moment).findings == []
    assert shown(directory) == ([], 50)


def test_an_audience_that_no_reading_asks_for(make: Make) -> None:
    """Employees were in no reading: said until somebody answers for it by name, and then not in every month anew."""
    seen = rows("a").with_columns(staff=True)
    staff = {**source_of("a"), "internal_when": "staff"}
    directory = make([entity("a", [product(to="2025-02-01", sources=[staff])])], {"a.parquet": seen})
    assert go(directory).clean
    outsiders = {"name": "outsiders", "counts": "unique_people", "audiences": ["external"]}
    (directory / "readings.yaml").write_text(yaml.safe_dump({"readings": [outsiders]}))
    (finding,) = go(directory, now=LATER).to_dict()["data_findings"]
    assert finding["what"] == "internal users are asked for by no reading"
    group = read_group(directory)
    with Workspace(directory, group, LATER) as workspace, pytest.raises(RefusedError, match="internal users"):
        close.close_month(workspace, JANUARY, close.Signature("CFO"))
    with contributions.open_store(group.settings.store, directory) as store:
        (alert,) = [known for known in alert_log.current(store).values() if known.kind == "unusual_data"]
        responses.close(store, group, registry.from_directory(directory), alert.opened, Closing("CFO", "accepted", "7"), LATER)
    with Workspace(directory, group, LATER) as workspace:
        close.close_month(workspace, JANUARY, close.Signature("CFO"))
    assert go(directory, now=LATER + timedelta(hours=1)).findings == []
