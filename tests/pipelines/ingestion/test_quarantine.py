"""A refused file is told by each run for as long as it lies in quarantine: said once, it would be forgotten with that day's mail.

What would silently go wrong: a correction with late events is refused, the days that were there before stay, and the month is
signed without the correction.
"""

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from affiliates.manifests.loader import read_group
from pipelines.ingestion import quarantine
from pipelines.runbook import Finding, Page
from pipelines.workflows.quiet_run import quiet_run
from pipelines.workflows.run import run
from tests.support.groups import NOW, entity, product
from tests.support.receipts import receipt, take
from tests.support.wrong_contributions import row, write

Make = Callable[..., Path]
DAY = date(2025, 1, 31)


@pytest.fixture
def directory(make: Make) -> Path:
    directory = make([entity("a", [product("app", sources=[], **{"from": "2025-01-31", "to": "2025-02-01"})])])
    write(box(directory) / "january", row(DAY, number=310))
    take(directory)
    return directory


def box(directory: Path) -> Path:
    folder = directory / ".mauwatch" / "inbox" / "a"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def quarantined(directory: Path) -> list[Path]:
    return sorted((directory / ".mauwatch" / "quarantine").glob("*/*[!n]"))


def told(directory: Path) -> list[Finding]:
    """What runs say of the quarantine: the whole run, and the quiet one after it."""
    report = run(directory, read_group(directory), NOW)
    lying = [finding for finding in report.findings if finding.page == Page.QUARANTINE]
    assert report.clean == (not lying)
    quiet = quiet_run(directory, read_group(directory), NOW)
    assert quiet is not None
    assert [finding for finding in quiet.findings if finding.page == Page.QUARANTINE] == lying
    return lying


def test_a_refused_file_is_told_for_as_long_as_it_lies_there(directory: Path) -> None:
    assert told(directory) == []
    (box(directory) / "corrected").write_bytes(b"PAR1" + bytes(100))
    take(directory)
    (path,) = quarantined(directory)
    (reason,) = receipt(path)["refusals"]
    for _ in range(2):
        (finding,) = told(directory)
        for part in (str(path.relative_to(directory)), reason["rule"], reason["next_step"], "delete it"):
            assert part in str(finding)
    path.unlink()  # The receipt may stay.
    assert told(directory) == []


def test_a_file_that_was_accepted_since_is_told_no_more(directory: Path) -> None:
    """The mistake was ours: the runbook has the same file handed in again, out of the quarantine."""
    (directory / "affiliates" / "a.yaml").rename(directory / "a.yaml")
    write(box(directory) / "late", row(DAY, number=400, computed_at=NOW - timedelta(days=1)))
    take(directory)
    (path,) = quarantined(directory)
    (directory / "a.yaml").rename(directory / "affiliates" / "a.yaml")
    assert len(told(directory)) == 1
    take(directory, path, sender="a")
    assert path.exists()
    assert not [finding for finding in run(directory, read_group(directory), NOW).findings if finding.page == Page.QUARANTINE]


def test_very_many_files_are_told_as_a_number(directory: Path) -> None:
    """And files that lie there without a receipt, or with a stranger's words in it, don't keep a run from ending."""
    folder = directory / quarantine.QUARANTINE / "a"
    folder.mkdir(parents=True)
    for number in range(quarantine.MOST_TOLD + 3):
        (folder / f"f-{number:02}").write_bytes(b"")
    (folder / "f-00.receipt.json").write_text('{"refusals": ["x", {"rule": "has\\n\\u001b[2J lines", "next_step": 7}]}')
    findings = [str(finding) for finding in told(directory)]
    assert len(findings) == quarantine.MOST_TOLD + 1
    assert findings[-1].startswith("3 more files")
    assert "\x1b" not in findings[0]
    shutil.rmtree(folder)
    assert told(directory) == []


def test_the_store_says_what_was_accepted(directory: Path) -> None:
    """A receipt that says `accepted` proves nothing: a store that was restored lacks the file."""
    folder = directory / quarantine.QUARANTINE / "a"
    folder.mkdir(parents=True)
    (folder / "late").write_bytes(b"x")
    (folder / "late.receipt.json").write_text(f'{{"outcome": "accepted", "sha256": "{"0" * 64}"}}')
    assert len(told(directory)) == 1
