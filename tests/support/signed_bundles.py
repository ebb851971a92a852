"""A group with a signed month whose evidence is in bundles, small enough to be checked a thousand times."""

import json
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from affiliates import signing
from affiliates.manifests.loader import read_group
from dashboards.report import pdf
from pipelines import hash_chain
from pipelines.evidence import archive, verify
from pipelines.evidence import write as evidence_write
from pipelines.licences import release_tests
from pipelines.store import contributions, ledger
from pipelines.workflows.close import Signature, close_month
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.groups import ATTESTED, NOW, entity, events, product, write_group

MARCH = date(2025, 3, 1)
LLAMA_4 = next(licence for licence in release_tests.releases() if licence.id == "llama-4")
KINDS: tuple[evidence_write.Kind, ...] = ("outside", "expert")


def signed_group(directory: Path, signed_on: datetime = NOW, is_signed: bool = True) -> Path:
    """March 2025, signed or published alone: two products of days and months, one sold before the release, one by count, a joint
    venture outside."""
    days = {"time": "at", "identifiers": [{"column": "user", "namespace": "email"}], "complete_through": "2025-03-31"}
    life = {"from": "2025-03-01", "to": "2025-04-01"}
    count = {"month": "2025-03", "users": 40, "unit": "people", "document": "call records", "attested_by": "head of billing"}
    write_group(
        directory,
        [
            entity("a", [product("app", **life, sources=[days | {"files": "app.parquet"}], name="The App")]) | {"name": "A Ltd"},
            entity("b", [product("chat", **life, sources=[days | {"files": "chat.parquet"}], grain="month")],
                   owned_by=[{"owner": "parent", "share": "100 %", "to": "2025-04-03"}]),
            entity("c", [product("calls", **life, sources=[], counts=[count])],
                   controlled_by=[{"by": "a", "basis": "contract", "document": "shareholders' agreement"}], owned_by=[]),
            entity("j", [product("jv", **life, sources=[])], owned_by=[{"owner": "parent", "share": "50 %"}]),
        ],
        lg_k=12, evidence_key="evidence.pem", name="The Group",
    )  # fmt: skip
    # Two days, so that a bundle has few rows: each of them is changed in many ways.
    rows = [(f"{MARCH + timedelta(n % 2)}T12:00:00Z", f"u{n}@example.com") for n in range(60)]
    events(rows).write_parquet(directory / "app.parquet")
    events([(at, f"x{user}" if n % 2 else user) for n, (at, user) in enumerate(rows)]).write_parquet(directory / "chat.parquet")
    if signed_on == NOW:  # Attested before that.
        (directory / "attested").mkdir()
        (directory / "attested" / "2025-03.yaml").write_text(yaml.safe_dump(ATTESTED))
    record = {"reading": "unique_people", "adopted_by": "Board", "from": "2025-01-01"}
    readings = [{"name": "unique_people", "counts": "unique_people"},
                {"name": "summed_products", "counts": "summed_products", "membership": "month_end"}]  # fmt: skip
    (directory / "readings.yaml").write_text(yaml.safe_dump({"readings": readings, "of_record": [record]}))
    signing.new_pair(directory / "evidence.pem")
    run(directory, read_group(directory), signed_on)
    if not is_signed:
        return directory
    with Workspace(directory, read_group(directory), signed_on) as workspace:
        close_month(workspace, MARCH, Signature("Head of Finance", despite="calls are counted elsewhere"))
    return directory


def write_bundles(directory: Path, to: Path, *readings: str) -> Path:
    """Both bundles of the licence, of all readings or of those that are named; gives the folder."""
    filing = evidence_write.Filing(KINDS, readings or ("unique_people", "summed_products"), page_made_with=pdf.made_with())
    with Workspace(directory, read_group(directory), NOW) as workspace:
        evidence_write.write(workspace, LLAMA_4, to, filing, pdf.pdf)
    return to


def head_of(directory: Path) -> str:
    """The digest that was printed when March was signed."""
    with contributions.open_store(read_group(directory).settings.store, directory) as store:
        head = hash_chain.head_of(ledger.read(store), MARCH)
    assert head is not None
    return head.digest


class Forger:
    """Whoever has a bundle and a key: opens it, changes it, and packs and signs it anew."""

    def __init__(self, bundle: Path, key: Path | None, room: Path) -> None:
        self.room = room
        self.key = key
        self.folder = room / "whole"
        with archive.open_bundle(bundle) as opened:
            shutil.copytree(opened.folder, self.folder)
            self.about: dict[str, Any] = dict(opened.about)

    def packed(self, change: Callable[[Path, dict[str, Any]], None]) -> Path:
        """The bundle after a change of its folder, and of what its list says besides the files; signed anew."""
        folder = self.room / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        about: dict[str, Any] = json.loads(json.dumps(self.about))
        change(folder, about)
        archive.write(self.room / "changed.zip", folder, about, self.key)
        return self.room / "changed.zip"

    def checked(
        self, change: Callable[[Path, dict[str, Any]], None], head: str | None, page: bool = False
    ) -> verify.Verification:
        """What a check of the changed bundle finds; `page`: with the PDF made again."""
        made = (pdf.pdf, pdf.made_with()) if page else (None, "")
        return verify.check(self.packed(change), None, head, *made)


def in_file(name: str, change: Callable[[Any], None]) -> Callable[[Path, dict[str, Any]], None]:
    """A change of one JSON file."""

    def changed(folder: Path, about: dict[str, Any]) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return changed
