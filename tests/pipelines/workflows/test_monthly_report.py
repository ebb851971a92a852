"""The monthly report of a run: made where group.yaml asks for it, again where what it shows has changed, and only there."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from affiliates.manifests.loader import read_group
from pipelines.runbook import Page
from pipelines.workflows import monthly_report
from pipelines.workflows.close import Signature, close_month
from pipelines.workflows.report import Report
from pipelines.workspace import Workspace
from tests.support.dashboards import published_group
from tests.support.groups import NOW
from tests.support.runs import go

JANUARY = "mauwatch-2025-01"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_group(tmp_path_factory.mktemp("published") / "group")


@pytest.fixture
def group(published: Path, tmp_path: Path) -> Path:
    return copytree(published, tmp_path / "group")


def ask(directory: Path, **settings: Any) -> None:
    """Ask for reports in group.yaml."""
    file = directory / "group.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"report": settings}))


def files(directory: Path, folder: str = "reports") -> Mapping[str, tuple[int, bytes]]:
    """The reports by name: number of the file and content."""
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in (directory / folder).glob("*")}


def not_made(report: Report) -> list[str]:
    return [finding.text for finding in report.findings if finding.page is Page.REPORT]


def test_a_run_writes_no_report_that_nobody_asked_for(group: Path) -> None:
    """Figures in a folder that nobody knows of are read by whoever finds them."""
    go(group)
    assert not (group / "reports").exists()
    assert not (group / monthly_report.FILE).exists()


def test_a_run_writes_the_newest_month_and_leaves_it_until_something_changes(group: Path) -> None:
    """A paper of yesterday's figures beside today's pages; or one that is new each day, and nobody can tell why."""
    ask(group, folder="filed")
    assert not_made(go(group)) == []
    first = files(group, "filed")
    assert set(first) == {f"{JANUARY}.html", f"{JANUARY}.pdf"}
    assert b"January" in first[f"{JANUARY}.html"][1]
    assert first[f"{JANUARY}.pdf"][1].startswith(b"%PDF")
    go(group)
    assert files(group, "filed") == first
    # One that is gone comes back; the other's bytes are the same, so nobody is told of a change that is none.
    (group / "filed" / f"{JANUARY}.pdf").unlink()
    go(group)
    again = files(group, "filed")
    assert again[f"{JANUARY}.pdf"][1] == first[f"{JANUARY}.pdf"][1]
    assert again[f"{JANUARY}.html"] == first[f"{JANUARY}.html"]
    with Workspace(group, read_group(group), NOW) as workspace:
        close_month(workspace, date(2025, 1, 1), Signature("Head of Legal", despite="a test"))
    go(group)
    second = files(group, "filed")
    assert second[f"{JANUARY}.html"] != first[f"{JANUARY}.html"]
    assert b"closed by Head of Legal" in second[f"{JANUARY}.html"][1]


def test_a_report_that_cant_be_made_is_a_finding_each_time(group: Path) -> None:
    """Else the folder has last month's paper, and everybody takes it for this one's."""
    ask(group)
    (group / "reports").write_text("a file in the folder's place")
    for _ in range(2):
        report = go(group)
        (finding,) = not_made(report)
        assert finding.startswith("the report of 2025-01 isn't made: ")
        assert "can't be written" in finding
        # The figures are published all the same, and the run hasn't failed.
        assert not report.failed
