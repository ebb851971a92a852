"""What the repository promises its readers: documents that are true, pins, a wheel that is whole."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests import wrong_contributions
from tests.readme import PRIVACY, README, ROOT, privacy_renewed, renewed, undated, unsized


@pytest.mark.documents
def test_the_readmes_commands_print_what_it_says(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    assert unsized(undated(renewed(text, tmp_path))) == unsized(undated(text))


def test_the_readmes_table_of_wrong_contributions_is_the_tests() -> None:
    """Each row is a file that a test hands in, with what `receive` says of it."""
    assert wrong_contributions.table() in README.read_text(encoding="utf-8")


@pytest.mark.documents
def test_what_an_affiliates_privacy_officer_is_shown_is_what_leaves(tmp_path: Path) -> None:
    assert unsized(privacy_renewed(tmp_path)) == unsized(PRIVACY.read_text(encoding="utf-8"))


def test_links_lead_somewhere() -> None:
    for document in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), (document.name, target)


def test_pins_are_names_and_versions_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)
    pinned = {re.sub("[-_.]+", "-", line.partition("==")[0]).lower() for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [d for extra in project["optional-dependencies"].values() for d in extra]
    assert {re.split(r"[><=\[]", name)[0].lower() for name in wanted} <= pinned


def test_decisions_are_numbered_and_short() -> None:
    parts = re.split(r"^## ", (ROOT / "DECISIONS.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert [int(p.split(".")[0]) for p in parts] == list(range(1, len(parts) + 1))
    assert all(len(p.strip().splitlines()) <= 15 for p in parts)


def test_the_wheel_holds_what_runs_from_it(tmp_path: Path) -> None:
    """sql/ and demo/ are no packages: left out, an installed mauwatch would fail at its first run."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(wheel).extractall(unpacked)
    assert not (unpacked / "tests").exists()
    assert not (unpacked / "sql").exists()
    assert (unpacked / "affiliates" / "normalisation_v1.json").is_file()
    ours = sorted(path.relative_to(ROOT / "demo") for path in (ROOT / "demo").rglob("*") if path.is_file())
    assert (
        sorted(p.relative_to(unpacked / "dashboards" / "demo") for p in (unpacked / "dashboards" / "demo").rglob("*.*")) == ours
    )
    code = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r}); import dashboards; "
        f"assert dashboards.__file__.startswith({str(unpacked)!r}); "
        "sys.argv = ['mauwatch', *sys.argv[1:]]; from dashboards.cli import main; main()"
    )
    run = ["run", "--group", "made", "--from", "2025-01-01", "--to", "2025-01-31"]
    for command in (["init", "made"], run, ["licences", "--group", "made", "--json"]):
        ran = subprocess.run(
            [sys.executable, "-P", "-c", code, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
    assert '"llama-4"' in ran.stdout


@pytest.mark.parametrize("folder", ["affiliates", "pipelines", "dashboards", "tests", "sql", "demo"])
def test_no_raw_address_of_a_person(folder: str) -> None:
    """Only example.com and example.org, and what normalisation is documented with."""
    allowed = re.compile(r"@(?:[a-z.]+\.)?example\.(?:com|org)|@(?:gmail|googlemail)\.com", re.IGNORECASE)
    for path in (ROOT / folder).rglob("*"):
        if path.suffix in {".py", ".yaml", ".md", ".csv", ".sql"}:
            for address in re.findall(r"[\w.+-]+@[\w-]+\.[\w.-]+", path.read_text(encoding="utf-8")):
                assert allowed.search(address), (path.name, address)
