"""An affiliate's machine has the core alone: a command of the edge that needs more fails there, and nowhere else."""

import json
import subprocess
from pathlib import Path

import pytest

from affiliates.contributions import contract
from dashboards.cli import scaffold
from tests.support.paths import ROOT

CORE = ROOT / ".venv-core" / "bin"

pytestmark = pytest.mark.skipif(not CORE.exists(), reason="needs the core's own environment: make .venv-core/ready")


def core(*arguments: str, cwd: Path, code: int = 0) -> str:
    ran = subprocess.run([CORE / "mauwatch", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert ran.returncode == code, ran.stderr
    return ran.stdout + ran.stderr


def test_the_core_has_nothing_of_the_centre() -> None:
    """Else this module shows nothing."""
    for name in ("dagster", "sqlalchemy", "alembic", "psycopg", "obstore", "dash", "pyspark"):
        assert subprocess.run([CORE / "python", "-c", f"import {name}"], capture_output=True).returncode == 1


def test_the_edges_commands_run_on_the_core(tmp_path: Path) -> None:
    """From a group's own files to a contribution, its query and what it reveals."""
    scaffold.write(tmp_path / "acme", "acme", "UTC")
    (tmp_path / "acme" / "affiliates" / "parent.yaml").unlink()
    at = tmp_path / "acme"
    said = core("contribute", "--month", "2025-01", "-o", "c.parquet", cwd=at)
    assert "Stayed: all identifiers" in said
    held = json.loads(core("inspect", "c.parquet", "--json", cwd=at))
    assert held["contributions"] == 31
    assert {(h["audience"], h["namespace"]): h["people"] for h in held["holds"]}["external", "email"] == 90
    assert [c.activity_date.day for c in contract.read(at / "c.parquet")] == list(range(1, 32))
    options = ["contribute", "shop/app", "--files", "data/app.csv", "--time", "at", "--identifier", "email=user"]
    options += ["--month", "2025-01", "--key-file", ".mauwatch/group.key", "-o", "d.parquet"]
    core(*options, cwd=at)
    assert "hll_sketch_agg" in core("contribute", "--print-sql", "spark", "--self-test", cwd=at)
    assert "is missing" in core("measure", "--month", "2025-01", cwd=at, code=2)
    core("key", "new", "another.key", cwd=at)


def test_a_deals_clean_room_runs_on_the_core(tmp_path: Path) -> None:
    """The other side of a deal has no centre, and installs none to be compared with."""
    scaffold.write(tmp_path / "acme", "acme", "UTC")
    core("deal", "new", "larkspur", "--month", "2025-01", cwd=tmp_path)
    core("contribute", "example/app", "--key-for", "larkspur", "--group", "acme", cwd=tmp_path)
    events = (tmp_path / "acme" / "data" / "app.csv").read_text()
    # The other side knows half of them, by other events.
    lines = events.splitlines()
    (tmp_path / "acme" / "data" / "app.csv").write_text("\n".join([lines[0], *lines[1::2]]) + "\n")
    core("deal", "new", "other", "--month", "2025-01", cwd=tmp_path)
    for name in ("deal.key", "deal.json", "canaries.json"):
        (tmp_path / "other" / name).write_bytes((tmp_path / "larkspur" / name).read_bytes())
    core("contribute", "example/app", "--key-for", "other", "--group", "acme", cwd=tmp_path)
    (theirs,) = (tmp_path / "other" / "ours").iterdir()
    theirs.rename(tmp_path / "larkspur" / "theirs" / theirs.name)
    said = json.loads(core("deal", "report", "larkspur", "--json", cwd=tmp_path))
    assert said["common"]["estimate"] == pytest.approx(said["theirs"]["compared"]["estimate"], abs=1)
    assert "Deleted: " in core("deal", "destroy", "larkspur", "--yes", cwd=tmp_path)


@pytest.mark.parametrize(
    ("source", "extra"),
    [
        ("{table: events, database: {url: 'sqlite:///x.sqlite'}, complete_through: 2025-01-31, time: at,", "mauwatch[database]"),
        ("{files: 's3://bucket/events/', format: parquet, complete_through: 2025-01-31, time: at,", "mauwatch[objects]"),
    ],
)
def test_what_takes_an_extra_names_it(tmp_path: Path, source: str, extra: str) -> None:
    manifest = (
        "entity: shop\nproducts:\n  - product: app\n    from: 2025-01-01\n    active: {id: seen, meaning: was seen}\n"
        f"    sources: [{source} identifiers: [{{column: user, namespace: email}}]}}]\n"
    )
    (tmp_path / "affiliates").mkdir()
    (tmp_path / "affiliates" / "shop.yaml").write_text(manifest)
    (tmp_path / "group.key").write_text("c0de" * 16)
    (tmp_path / "group.yaml").write_text("group: g\nultimate_parent: p\nkey: {file: group.key}\n")
    assert extra in core("contribute", "--month", "2025-01", cwd=tmp_path, code=2)
