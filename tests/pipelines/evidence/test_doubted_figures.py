"""Evidence of a month in which numbers contradict each other: its figures must come out again with all that contradicts."""

from datetime import date, timedelta
from pathlib import Path

import yaml

from affiliates.manifests.loader import read_group
from dashboards.report import pdf
from pipelines.evidence import archive, verify
from pipelines.evidence import write as evidence_write
from pipelines.licences import release_tests
from pipelines.workflows.close import Signature, close_month
from pipelines.workspace import Workspace
from tests.support.groups import NOW, entity, events, product, source, write_group
from tests.support.runs import go

MARCH = date(2025, 3, 1)
LLAMA_4 = next(licence for licence in release_tests.releases() if licence.id == "llama-4")


def manifest(grain: str) -> dict[str, object]:
    """March of one product, by days or by the month, with a count and a ceiling that can't both be right."""
    stated = {"unit": "people", "document": "annual report", "attested_by": "CFO"}
    one = source(files="app.parquet", complete_through="2025-03-31")
    life = {"from": "2025-03-01", "to": "2025-04-01", "grain": grain, "sources": [one]}
    counts, ceilings = [{"month": "2025-03", "users": 1000, **stated}], [{"from": "2025-03-01", "users": 900, **stated}]
    return entity("a", [product("app", **life, counts=counts, ceilings=ceilings)])


def test_they_are_made_again_with_all_that_contradicts(tmp_path: Path) -> None:
    """A bundle without the ceiling, or without the days beside the month, would give other figures: honest, and called forged."""
    rows = [(f"{MARCH + timedelta(n % 31)}T12:00:00Z", f"u{n}@example.com") for n in range(310)]
    directory = write_group(tmp_path, [manifest("day")], {"app.parquet": events(rows)})
    go(directory)
    (directory / "affiliates" / "a.yaml").write_text(yaml.safe_dump(manifest("month")))
    # Half of the events are gone before the month is counted whole: it has fewer people than its days.
    events(rows[::2]).write_parquet(directory / "app.parquet")
    go(directory)
    with Workspace(directory, read_group(directory), NOW) as workspace:
        signed = close_month(workspace, MARCH, Signature("Head of Finance", despite="the report is being looked at"))
        evidence_write.write(workspace, LLAMA_4, directory / "evidence", evidence_write.Filing(["expert"]), pdf.pdf)
    reasons = signed["unique_people"].group.reasons
    assert [reason.partition(", and ")[0] for reason in reasons] == [
        "a/app: a count of 1,000 people (annual report)",
        "a/app: a count of 1,000 people (annual report)",
        "a/app: at most 156 people by its month",
    ]
    verification = verify.check(directory / "evidence" / "expert.zip")
    assert verification.wrong == []
    assert "all figures were made again from 32 contributions, and are the published ones" in verification.right
    with archive.open_bundle(directory / "evidence" / "expert.zip") as opened:
        assert opened.json("licence.json")["readings"]["unique_people"]["result"] == "undetermined"
        assert [given["kind"] for given in opened.json("inputs.json")["given"]] == ["ceiling", "count"]
