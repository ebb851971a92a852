"""What method 2 signed and bundled stands, and is checked by method 2: made by the build before (tests/data/README.md)."""

import zipfile
from datetime import date
from pathlib import Path

import pytest
import yaml

from affiliates.manifests.loader import read_group
from dashboards.report import pdf
from pipelines.counting.convention import METHOD
from pipelines.counting.measure import Measured
from pipelines.evidence import archive, verify
from pipelines.evidence import write as evidence_write
from pipelines.figures import query
from pipelines.licences import release_tests
from pipelines.store import contributions, publications
from pipelines.workflows.close import Signature, close_month
from pipelines.workspace import Workspace
from tests.support.groups import NOW, ONE_EACH
from tests.support.paths import ROOT
from tests.support.runs import go

MARCH = date(2025, 3, 1)
LLAMA_4 = next(licence for licence in release_tests.releases() if licence.id == "llama-4")
SIGNED = (303, 292, 354)
"""The group's figure as method 2 signed it: 263 in sketches, 40 in a count."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The group directory with March closed by method 2, and method 2's expert bundle of it."""
    with zipfile.ZipFile(ROOT / "tests" / "data" / "method-2.zip") as made_before:
        made_before.extractall(tmp_path)
    (tmp_path / "group.key").chmod(0o600)
    # As the first run of this build does: the store of before has an older schema.
    with contributions.open_store(read_group(tmp_path).settings.store, tmp_path, create=True):
        return tmp_path


def figures(directory: Path, anew: bool = False) -> Measured:
    """March under the first reading."""
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        return query.figures_of_month(store, group, MARCH, group.readings.readings[0], anew=anew)[0]


def estimate_and_bounds(measured: Measured) -> tuple[int | None, int, int | None]:
    return measured.group.estimate, measured.group.lower, measured.group.upper


def verified(bundle: Path) -> verify.Verification:
    """Of an expert bundle, checked by this build."""
    verification = verify.check(bundle)
    assert any("all figures were made again" in text for text in verification.right)
    return verification


def test_a_bundle_of_method_2_is_made_again_by_method_2(directory: Path) -> None:
    """By method 3 its figures would come out otherwise, and an auditor would call honest evidence forged."""
    assert verified(directory / "evidence" / "expert.zip").wrong == []


def test_what_an_older_signature_does_not_bind_is_named(directory: Path) -> None:
    """The bundle is verified as before, and nobody reads that nothing is wrong."""
    seen = verified(directory / "evidence" / "expert.zip")
    named = "\n".join(seen.not_compared)
    for name in (
        "entities (names, owned_by, controlled_by, products)",
        "grants",
        "headroom",
        "coverage",
        "addressee",
        "evidence.pdf",
    ):
        assert name in named
    assert not seen.is_whole


def test_an_older_signature_keeps_no_settings(directory: Path) -> None:
    """So evidence of its month is refused once the settings have changed; restated, the month has what it takes."""
    path = directory / "affiliates" / "a.yaml"
    path.write_text(path.read_text().replace("2025-04-01", "2025-03-30"))
    with Workspace(directory, read_group(directory), NOW) as workspace:
        filing = evidence_write.Filing(["expert"])
        evidence_write.write(workspace, LLAMA_4, directory / "anew", filing, pdf.pdf)
        changed = "what the figures by unique_people rest on has changed since they were published"
        assert changed in verify.check(directory / "anew" / "expert.zip").wrong
        close_month(workspace, MARCH, Signature("Head of Finance", despite="as before", restates="a shorter life"))
        path.write_text(path.read_text().replace("2025-03-30", "2025-03-29"))
    with Workspace(directory, read_group(directory), NOW) as workspace:
        evidence_write.write(workspace, LLAMA_4, directory / "again", filing, pdf.pdf)
    assert verified(directory / "again" / "expert.zip").wrong == []


def test_a_month_signed_by_method_2_stands_whatever_is_said_since(directory: Path) -> None:
    """A statement on namespaces moves no figure of method 2, so nothing that the month rests on has changed."""
    assert estimate_and_bounds(figures(directory)) == SIGNED
    group_file = directory / "group.yaml"
    group_file.write_text(group_file.read_text() + yaml.safe_dump({"namespaces": ONE_EACH}))
    report = go(directory)
    assert (report.published, report.findings) == ([], [])
    assert estimate_and_bounds(figures(directory)) == SIGNED
    with Workspace(directory, read_group(directory), NOW) as workspace:
        evidence_write.write(workspace, LLAMA_4, directory / "anew", evidence_write.Filing(["expert"]), pdf.pdf)
    assert verified(directory / "anew" / "expert.zip").wrong == []


def test_restated_it_is_method_3s(directory: Path) -> None:
    """Counts are other people then, and of a namespace that isn't said any number is one person's."""
    anew = figures(directory, anew=True)
    assert estimate_and_bounds(anew) == (343, 40, 354)
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close_month(workspace, MARCH, Signature("Head of Finance", despite="as before", restates="method 3"))
        store = workspace.store()
        in_force = publications.in_force(store, MARCH)
        assert {publication.method for publication in in_force.values()} == {METHOD}
        evidence_write.write(workspace, LLAMA_4, directory / "anew", evidence_write.Filing(["expert"]), pdf.pdf)
    assert estimate_and_bounds(figures(directory)) == estimate_and_bounds(anew)
    assert verified(directory / "anew" / "expert.zip").wrong == []
    # What is said of namespaces, and which there are: the page's lines below the figures.
    with archive.open_bundle(directory / "anew" / "expert.zip") as opened:
        assert opened.json("group.json")["namespaces"] == {}
        assert opened.json("inputs.json")["namespaces"] == ["email"]
