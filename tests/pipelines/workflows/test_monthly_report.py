"""The monthly report of a run: made where group.yaml asks for it, again where what it shows has changed, and only there."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from email.message import Message
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from affiliates.manifests.loader import read_group
from pipelines.runbook import Page
from pipelines.workflows import monthly_report, report_mail
from pipelines.workflows.close import Signature, close_month
from pipelines.workflows.report import Report
from pipelines.workspace import Workspace
from tests.support.dashboards import published_group
from tests.support.groups import NOW, events
from tests.support.receivers import Mails, mail_server
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


@pytest.fixture(scope="module")
def mail_host() -> Iterator[Mails]:
    with mail_server() as server:
        yield server


def test_the_report_is_mailed_once_and_again_where_figures_change(group: Path, mail_host: Mails) -> None:
    """Twice, and nobody knows which one counts; not again, and the board decides by figures that are no more."""
    (group / "alerts.yaml").write_text("allowed_domains: [example.com]\nlegend: For counsel.\n")
    ask(group, mail={"urls": [mail_host.url("board@example.com"), mail_host.url("press@example.org")], "from_day": 5})
    # The month is over, and it isn't the fifth yet.
    go(group, datetime(2025, 2, 4, 12, tzinfo=UTC))
    assert mail_host.taken == []
    mail_host.refusing = True
    failed = not_made(go(group))
    assert [text.partition(":")[0] for text in failed] == [
        f"the report of 2025-01 isn't mailed to address {number}" for number in (1, 2)
    ]
    assert not any("127.0.0.1" in text or "example" in text for text in failed)
    mail_host.refusing = False
    assert not_made(go(group)) == []
    go(group)
    assert mail_host.people == [["board@example.com"], ["press@example.org"]]
    first, outside = mail_host.taken
    assert str(first["Subject"]).endswith("monthly report of 2025-01")
    assert "For counsel." in mail_text(first)
    assert attached(first) == {name: content for name, (_, content) in files(group).items()}
    # An address of another domain gets no figure, and no file with any.
    assert attached(outside) == {}
    assert "isn't allowed to get figures" in mail_text(outside)
    # Killed after the note of an attempt: the next run repeats it under the same key.
    notes = json.loads((group / report_mail.FILE).read_text())
    notes["2025-01 0"]["outcome"] = "sending"
    (group / report_mail.FILE).write_text(json.dumps(notes))
    go(group)
    assert len(mail_host.taken) == 3
    assert mail_host.keys[2] == mail_host.keys[0]
    # Other people in a file of January: other figures.
    events([("2025-01-20T08:00:00Z", f"other{number}@example.com") for number in range(900)]).write_parquet(group / "n.parquet")
    go(group)
    go(group)
    assert [str(mail["Subject"]).startswith("Restated: ") for mail in mail_host.taken[3:]] == [False, True]
    assert len(mail_host.taken) == 5
    assert "figures have changed" in mail_text(mail_host.taken[3])
    assert mail_host.keys[3] != mail_host.keys[0]


def mail_text(mail: Message) -> str:
    return "".join(str(part.get_content()) for part in mail.walk() if part.get_content_type() == "text/plain")  # type: ignore[attr-defined]


def attached(mail: Message) -> dict[str, bytes]:
    """The files of a mail by name."""
    parts = (part for part in mail.walk() if part.get_filename())
    return {str(part.get_filename()): bytes(part.get_payload(decode=True)) for part in parts}
