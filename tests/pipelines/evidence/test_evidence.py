"""Evidence: what a third party is given shows what was counted, and what was changed in it is found, by whoever signs it anew."""

import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from typer.testing import CliRunner

from affiliates import signing
from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from affiliates.sketches.registers import Registers
from dashboards.cli.main import app
from dashboards.report import pdf
from pipelines import hash_chain
from pipelines.evidence import archive, verify
from pipelines.evidence import write as evidence_write
from pipelines.licences import release_tests
from pipelines.store import contributions, ledger
from pipelines.workflows.close import Signature, close_month
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support.databases import both_databases
from tests.support.groups import ATTESTED, NOW, entity, events, product, write_group
from tests.support.paths import ROOT

MARCH = date(2025, 3, 1)
LLAMA_4 = next(licence for licence in release_tests.releases() if licence.id == "llama-4")


def made_in(directory: Path, store_url: str = "sqlite:///.mauwatch/store.sqlite") -> Path:
    """March 2025: days of two products, one of them of an affiliate that is sold before the release; a month by count alone."""
    days = {"time": "at", "identifiers": [{"column": "user", "namespace": "email"}], "complete_through": "2025-03-31"}
    life = {"from": "2025-03-01", "to": "2025-04-01"}
    count = {"month": "2025-03", "users": 40, "unit": "people", "document": "call records", "attested_by": "head of billing"}
    write_group(
        directory,
        [
            entity("a", [product("app", **life, sources=[days | {"files": "app.parquet"}])]),
            entity("b", [product("chat", **life, sources=[days | {"files": "chat.parquet"}], grain="month")],
                   owned_by=[{"owner": "parent", "share": "100 %", "to": "2025-04-03"}]),
            entity("c", [product("calls", **life, sources=[], counts=[count])]),
            entity("project-tiger", [], owned_by=[{"owner": "parent", "share": "100 %", "from": "2026-12-01"}]),
        ],
        store=store_url, evidence_key="evidence.pem",
    )  # fmt: skip
    rows = [(f"{MARCH + timedelta(n % 31)}T12:00:00Z", f"u{n}@example.com") for n in range(200)]
    events(rows).write_parquet(directory / "app.parquet")
    events([(at, f"x{user}" if n % 2 else user) for n, (at, user) in enumerate(rows)]).write_parquet(directory / "chat.parquet")
    (directory / "attested").mkdir()
    (directory / "attested" / "2025-03.yaml").write_text(yaml.safe_dump(ATTESTED))
    signing.new_pair(directory / "evidence.pem")
    run(directory, read_group(directory), NOW)
    return directory


def close(directory: Path) -> None:
    """Closes March, in spite of what is open."""
    with Workspace(directory, read_group(directory), NOW) as workspace:
        close_month(workspace, MARCH, Signature("Head of Finance", despite="calls are counted elsewhere"))


def write(directory: Path, to: Path) -> None:
    """Writes both bundles of the licence into a folder."""
    with Workspace(directory, read_group(directory), NOW) as workspace:
        evidence_write.write(workspace, LLAMA_4, to, evidence_write.Filing(["outside", "expert"]), pdf.pdf)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The group with March closed and both bundles written; no test may change it."""
    group_directory = made_in(tmp_path_factory.mktemp("group"))
    close(group_directory)
    write(group_directory, group_directory / "evidence")
    return group_directory


def test_all_figures_come_out_again(directory: Path) -> None:
    """From the sketches alone: of days, of a month, of a count, and of the group as it was on two days."""
    verification = verify.check(directory / "evidence" / "expert.zip", signing.public_of(directory / "evidence.pem"))
    assert verification.wrong == []
    assert "all figures were made again from 32 contributions, and are the published ones" in verification.right
    assert "32 contributions are what their digests say" in verification.right
    assert "signed by the key that was named" in verification.right


def test_nobodys_data_is_in_the_outside_bundle(directory: Path) -> None:
    """Whoever gets it learns no usage of a day, no deal that isn't public, and no sketch."""
    with archive.open_bundle(directory / "evidence" / "outside.zip") as opened:
        names = set(opened.files)
        assert names == {
            "closing.json", "evidence.pdf", "figures.json", "group.json", "inputs.json", "ledger.jsonl", "licence.json",
            "method.txt",
        }  # fmt: skip
        members = {
            m["entity"] for drawn in opened.json("group.json")["drawn"] if drawn["on"] == "2025-04-05" for m in drawn["members"]
        }
        assert members == {"a", "c", "parent"}, "b was sold two days before the release"
        assert opened.json("inputs.json")["grades"] == {
            "daily contributions": 1, "monthly contributions": 1, "a count": 1, "a ceiling": 0, "nothing": 0,
        }  # fmt: skip
        assert not {"details", "events"} & set(opened.json("inputs.json")), "how much a product is used on a day is nobody else's"
        assert opened.json("closing.json")["collected"]["attestations"] == ATTESTED["attestations"]
        texts = "".join(path.read_text() for path in opened.folder.glob("*.json*"))
        assert "project-tiger" not in texts, "what is bought later may not be known yet"
        assert "2025-04-03" in texts, "and b was sold before the release"
    assert (directory / "evidence" / "evidence.pdf").read_bytes().startswith(b"%PDF")
    verification = verify.check(directory / "evidence" / "outside.zip")
    assert verification.wrong == []
    assert any("whether the figures come out again" in sentence for sentence in verification.unknown)


def page_content(directory: Path) -> dict[str, Any]:
    """What the page is made of."""
    with archive.open_bundle(directory / "evidence" / "outside.zip") as opened:
        files = {path.stem: json.loads(path.read_text()) for path in opened.folder.glob("*.json") if path.stem != "manifest"}
        return files | {"about": {**opened.about, "ledger_head": None}}


def sheets(page: bytes) -> int:
    """The number of sheets in a PDF."""
    return len(re.findall(rb"/Type /Page\b", page))


def texts_of(content: dict[str, Any]) -> set[str]:
    """All texts of the page, before they are broken into lines."""
    paper = pdf.sheets_of("Group", content["about"], NOW)
    try:
        pdf.write(paper, content)
        return paper.texts
    finally:
        paper.close_fonts()


def test_nothing_is_cut_from_the_page(directory: Path) -> None:
    """A product, a member, a reason or an attestation that stands in the bundle alone is what somebody will ask about."""
    content = page_content(directory)
    names = [f"company-{n}" for n in range(60)]
    long_name = "a-name-without-any-place-to-break-" * 3
    for published in content["figures"]["published"]:
        of_product = next(f for f in published["figures"] if f["scope"] == "product")
        published["figures"] += [{**of_product, "subject": f"a/{name}"} for name in [*names, long_name]]
        whole = next(f for f in published["figures"] if f["scope"] == "group")
        whole["reasons"] = "\n".join(f"{name}: 2025-03 missing" for name in names)
    for drawn in content["group"]["drawn"]:
        drawn["outside"] += [{"entity": f"sold-{name}", "why": "no share of it is known on that day"} for name in names]
        drawn["members"] += [{"entity": name, "path": ["parent holds 100 %"]} for name in names]
    collected = content["closing"]["collected"]
    collected["attestations"] += [{**collected["attestations"][0], "affiliate": name} for name in names]
    written = "\n".join(texts_of(content))
    for name in names:
        assert f"a/{name}\n" in f"{written}\n"
        assert f"not complete: {name}: 2025-03 missing" in written
        assert f"Not in it: sold-{name}" in written
        assert f"·\u00a0{name}, by Head of Data of A" in written
    assert long_name in written
    assert "in the bundle" not in written
    page = pdf.pdf(content, NOW)
    assert sheets(page) > 5
    assert pdf.pdf(content, NOW) == page


def test_the_page_of_a_small_group_is_short(directory: Path) -> None:
    """Nobody reads twelve sheets about three products."""
    assert 2 <= sheets(pdf.pdf(page_content(directory), NOW)) <= 4


def test_what_counsel_asks_of_the_page(directory: Path) -> None:
    """The clause in its own words with their place, what was granted, for whom it is, who signs: without the program at hand."""
    written = "\n".join(texts_of(page_content(directory)))
    for text in (
        "If, on the Llama 4 version release date, the monthly active users of the products or services made available",
        "The words of section 2 (Additional Commercial Terms) of the Llama 4 Community License (© Meta Platforms, Inc.",
        "CLOSED: Head of Finance has signed the figures of March 2025",
        "Signed although something was open: calls are counted elsewhere",
        "Meta Platforms, Inc. (Meta Platforms Ireland Ltd for EEA/Switzerland)",
        "to show what the test of section 2",
        "No grant or side letter for this licence is known to the group's records.",
        "Nobody is recorded as having accepted this licence.",
        "a table that joins the identifiers of one person, so that the person counts once",
        "Name, office, place and date:",
    ):
        assert text in written, text
    assert "PRIVILEGED" not in written


TWO = "readings: [{name: people, counts: unique_people}, {name: sum, counts: summed_products}]\n"
GRANTS = {
    "grants": [
        {"id": "meta-1", "licences": ["llama-4"], "licensee": "parent", "from": "2025-04-20",
         "cap": {"users": 900, "reading": "sum"}, "covers": {"products": ["a/app"]},
         "reporting": [{"duty": "users", "due": "2025-09-30", "every_months": 6}],
         "document": {"name": "letter 9"}},
        {"id": "tencent-1", "licences": ["hunyuan-dit"], "licensee": "parent", "from": "2025-04-20",
         "document": {"name": "secret"}},
    ],
    "accepted": [{"licence": "llama-4", "entity": "a", "by": "Counsel of A", "on": "2025-04-11"}],
}  # fmt: skip


def test_the_outward_version_shows_the_readings_that_were_chosen(tmp_path: Path) -> None:
    """The other readings' figures and results stand in the privileged version alone; grants of others in neither."""
    group_directory = made_in(tmp_path / "group")
    (group_directory / "readings.yaml").write_text(
        TWO + "of_record: [{reading: people, adopted_by: Counsel, from: 2025-01-01}]\n"
    )
    (group_directory / "grants.yaml").write_text(yaml.safe_dump(GRANTS))
    run(group_directory, read_group(group_directory), NOW)

    def written(*options: str) -> dict[str, Any]:
        command = ["evidence", "llama-4", "-o", str(tmp_path / "e"), "--privileged", "--yes", "--group", str(group_directory)]
        command += options
        done = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
        shown = CliRunner().invoke(app, command, catch_exceptions=False).output
        assert "Preliminary: nobody has signed the figures of 2025-03" in shown
        return dict(json.loads(done.output)) | {"shown": shown}

    answer = written()
    assert (answer["readings"], answer["left_out"], answer["preliminary"]) == (["people"], ["sum"], True)
    assert "Readings shown to the outside: people; not shown: sum (--reading)." in answer["shown"]
    outward = tmp_path / "e" / "outside.zip"
    with archive.open_bundle(outward) as opened, archive.open_bundle(tmp_path / "e" / "privileged.zip") as whole:
        texts = "".join(path.read_text() for path in opened.folder.glob("*.json"))
        assert '"sum"' not in texts.replace('"reading": "sum"', "", 1), "but for the grant's own cap"
        assert set(whole.json("licence.json")["readings"]) == {"people", "sum"}
        assert "tencent-1" not in texts
        licence = opened.json("licence.json")
        assert [grant["id"] for grant in licence["grants"]] == ["meta-1"]
        assert licence["accepted"][0]["by"] == "Counsel of A"
        content = {path.stem: json.loads(path.read_text()) for path in whole.folder.glob("*.json")} | {"about": dict(whole.about)}
    page = "\n".join(texts_of(content))
    assert "PRIVILEGED: for counsel alone." in page
    assert "PRELIMINARY: nobody has signed the figures of March 2025" in page
    assert "900 users of the group, by sum" in page
    assert "users by 2025-09-30, then every 6 months" in page
    for name in ("outside", "privileged"):
        assert verify.check(tmp_path / "e" / f"{name}.zip").wrong == []
    assert written("--reading", "sum", "--reading", "people")["readings"] == ["people", "sum"]
    with pytest.raises(RefusedError, match="no such reading"):
        written("--reading", "peple")


def test_a_name_that_the_font_lacks(directory: Path, tmp_path: Path) -> None:
    """A box in the place of a name is no evidence: said, with the way out."""
    content = page_content(directory)
    content["group"]["name"] = "\u4e2d\u6587 Holdings"
    with pytest.raises(RefusedError, match="no glyph for some characters \\(\u4e2d\u6587\\)"):
        pdf.pdf(content, NOW)
    with pytest.raises(RefusedError, match="isn't a font that can be read"):
        pdf.pdf(content, NOW, Path(__file__))
    font = FontBuilder(1000)
    font.setupGlyphOrder([".notdef", "first", "second"])
    font.setupCharacterMap({0x4E2D: "first", 0x6587: "second"})
    font.setupGlyf({name: TTGlyphPen(None).glyph() for name in (".notdef", "first", "second")})
    font.setupHorizontalMetrics(dict.fromkeys([".notdef", "first", "second"], (600, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupOS2()
    font.setupPost()
    font.setupNameTable({"familyName": "Two", "styleName": "Regular"})
    font.save(tmp_path / "two.ttf")
    assert sheets(pdf.pdf(content, NOW, tmp_path / "two.ttf")) >= 2


def test_the_head_that_was_printed(directory: Path) -> None:
    """A ledger that is written anew as a whole fits in itself; only the paper tells."""
    with contributions.open_store(read_group(directory).settings.store, directory) as store:
        head = hash_chain.head_of(ledger.read(store), MARCH)
    assert head is not None
    path = directory / "evidence" / "outside.zip"
    assert "the month's head is the printed one" in verify.check(path, head=head.digest).right
    assert verify.check(path, head="0" * 64).wrong == ["the month's head isn't the printed one"]


def again(directory: Path, to: Path, change: Callable[[Path], None], private: Path | None = None) -> list[str]:
    """The expert bundle, changed and packed and signed anew by somebody who can; what is found wrong in it."""
    with archive.open_bundle(directory / "evidence" / "expert.zip") as opened:
        folder = to / "files"
        shutil.copytree(opened.folder, folder)
        about = dict(opened.about)
    change(folder)
    archive.write(to / "again.zip", folder, about, private or directory / "evidence.pem")
    return verify.check(to / "again.zip").wrong


def edit(name: str, change: Callable[[Any], None]) -> Callable[[Path], None]:
    """A change of one JSON file of a bundle."""

    def edited(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return edited


def other_sketch(folder: Path) -> None:
    """Puts an empty sketch in the place of a real one."""
    path = folder / "sketches" / "a" / "app.parquet"
    frame = pl.read_parquet(path)
    empty = Registers.from_coupons(21, pl.Series([], dtype=pl.UInt32).to_numpy()).to_image()
    images = [empty, *frame["sketch"].to_list()[1:]]
    frame.with_columns(pl.Series("sketch", images, pl.Binary)).write_parquet(path)


def first_figure(content: Any) -> Any:
    """The first figure of figures.json."""
    return content["published"][0]["figures"][0]


def forget(folder: Path) -> None:
    """A ledger that fits in itself, without the month's signing."""
    entries = hash_chain.from_lines((folder / "ledger.jsonl").read_text())
    new: list[hash_chain.LedgerEntry] = []
    for e in entries:
        if e.body.get("state") != "closed":
            at = NOW
            new.append(hash_chain.next_entry(new[-1] if new else None, e.kind, e.body, at))
    (folder / "ledger.jsonl").write_text("".join(f"{e.to_line()}\n" for e in new))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda folder: None, None),
        (edit("figures.json", lambda s: first_figure(s).update(estimate=5)), "aren't what their digest says"),
        (edit("figures.json", lambda s: s["published"][0].update(content="0" * 64)), "in no entry of the ledger"),
        (edit("licence.json", lambda s: s["readings"]["unique_people"].update(result="over")), "doesn't follow from its bounds"),
        (edit("licence.json", lambda s: s["readings"]["unique_people"].update(upper=300)), "of other figures than the sketches"),
        (edit("licence.json", lambda s: s["entry"].update(name="Another")), "entry isn't what its digest says"),
        (edit("group.json", lambda s: s["drawn"][0]["members"].pop()), "isn't what its ownership makes it"),
        (edit("group.json", lambda s: s["entities"][2]["owned_by"].clear()), "isn't what its ownership makes it"),
        (edit("inputs.json", lambda s: s["contributions"].pop()), "isn't what their digest says"),
        (edit("inputs.json", lambda s: s["contributions"][0].update(digest="0" * 64)), "sketches aren't what its digest says"),
        (edit("inputs.json", lambda s: s["given"][0].update(users=1)), "isn't what their digest says"),
        (edit("inputs.json", lambda s: s.clear()), "isn't what a bundle of this format holds"),
        (other_sketch, "its sketches aren't what its digest says"),
        (lambda folder: (folder / "ledger.jsonl").write_text("\n".join((folder / "ledger.jsonl").read_text().splitlines()[1:])),
         "comes after nothing"),
        (forget, "in no entry of the ledger"),
        (edit("licence.json", lambda s: s.update(threshold=9_000_000_000)), "aren't those of the licence's entry"),
        (edit("licence.json", lambda s: s["readings"]["unique_people"].update(lower=None, upper=None)), "doesn't follow"),
        (edit("licence.json", lambda s: s["readings"]["unique_people"].update(result="granted", found="under")),
         "isn't the one that the ledger has"),
        (edit("licence.json", lambda s: s["noted"].clear()), "in no entry of the ledger"),
        (edit("inputs.json", lambda s: s["rests"].clear()), "what its figures rest on"),
        (edit("closing.json", lambda s: s["collected"]["attestations"].clear()), "isn't what stands with the signed figures"),
        (edit("group.json", lambda s: s["entities"][2]["products"].clear()), "isn't what their digest says"),
    ],
)  # fmt: skip
def test_what_was_changed_and_signed_anew_is_found(
    directory: Path, tmp_path: Path, change: Callable[[Path], None], fault: str | None
) -> None:
    """The bytes are right then: what doesn't fit with the rest has to give it away."""
    wrong = again(directory, tmp_path, change)
    assert (wrong == []) if fault is None else any(fault in line for line in wrong), wrong


def test_an_old_bundle_outlives_its_key(directory: Path, tmp_path: Path) -> None:
    """A rotated key, or a lost one: what it signed is still its own."""
    old = signing.public_of(directory / "evidence.pem")
    copy = tmp_path / "group"
    shutil.copytree(directory, copy)
    (copy / "evidence.pem").unlink()
    signing.new_pair(copy / "evidence.pem")
    new = signing.public_of(copy / "evidence.pem")
    write(copy, tmp_path / "new")
    assert verify.check(directory / "evidence" / "expert.zip", old).wrong == []
    # The month was signed with the old key: a new one may not stand in for it, before somebody restates the month.
    assert verify.check(tmp_path / "new" / "expert.zip", new).wrong == ["it is signed by another key than the month was"]
    with Workspace(copy, read_group(copy), NOW) as workspace:
        close_month(workspace, MARCH, Signature("Head of Finance", despite="as before", restates="another evidence key"))
    write(copy, tmp_path / "restated")
    assert verify.check(tmp_path / "restated" / "expert.zip", new).wrong == []
    (copy / "evidence.pem").unlink()
    with pytest.raises(RefusedError, match="can't be read"):
        write(copy, tmp_path / "lost")


@both_databases
def test_a_month_that_nobody_signed(store_url: str, tmp_path: Path) -> None:
    """The bundle says so, and isn't taken for a closed month's."""
    group_directory = made_in(tmp_path / "group", store_url)
    write(group_directory, tmp_path / "evidence")
    verification = verify.check(tmp_path / "evidence" / "expert.zip")
    assert verification.wrong == []
    assert "the month isn't signed: no head of it was printed" in verification.unknown


def test_manifests_that_changed_since_the_signing(directory: Path, tmp_path: Path) -> None:
    """The signature keeps the settings that its figures rest on, and the bundle shows those."""
    group_directory = tmp_path / "group"
    shutil.copytree(directory, group_directory)
    path = group_directory / "affiliates" / "a.yaml"
    path.write_text(path.read_text().replace("2025-04-01", "2025-03-30"))
    done = CliRunner().invoke(app, ["evidence", "llama-4", "-o", str(tmp_path / "e"), "--group", str(group_directory)])
    assert done.exception is None
    with archive.open_bundle(tmp_path / "e" / "outside.zip") as opened:
        (entity_a,) = (entity for entity in opened.json("group.json")["entities"] if entity["entity"] == "a")
    assert entity_a["products"][0]["to"] == "2025-04-01"
    assert verify.check(tmp_path / "e" / "outside.zip").wrong == []


def test_nothing_to_show(tmp_path: Path) -> None:
    """A bundle without figures would look like evidence."""
    group_directory = write_group(tmp_path / "group", [entity("a", [product("app", sources=[])])], evidence_key="evidence.pem")
    signing.new_pair(group_directory / "evidence.pem")
    with pytest.raises(RefusedError, match="nothing was published for the month"):
        write(group_directory, tmp_path / "evidence")


@pytest.mark.skipif(not (ROOT / ".venv-core").is_dir(), reason="make .venv-core/ready")
def test_a_bundle_is_checked_by_the_core_install_alone(directory: Path, tmp_path: Path) -> None:
    """By somebody who has no database library, no store and no key."""
    path = tmp_path / "elsewhere" / "expert.zip"
    path.parent.mkdir()
    shutil.copy(directory / "evidence" / "expert.zip", path)
    command: list[str | Path] = [ROOT / ".venv-core" / "bin" / "mauwatch", "verify", path, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=path.parent, check=False)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["wrong"]) == (0, []), done.stderr
    assert any(line.startswith("all figures were made again") for line in answer["right"])
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    done = subprocess.run(command, capture_output=True, text=True, cwd=path.parent, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["wrong"]


def test_the_commands(directory: Path, tmp_path: Path) -> None:
    """What a person types, and what a program reads by `--json`."""

    def asked(*arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(app, [str(a) for a in arguments])
        return done.exit_code, done.output

    code, text = asked("evidence", "llama-4", "-o", tmp_path / "e", "--group", directory, "--json")
    assert code == 0
    assert set(json.loads(text)["bundles"]) == {"outside"}
    assert asked("verify", tmp_path / "e" / "outside.zip")[0] == 0
    assert asked("verify", "--group", directory)[0] == 0
    with zipfile.ZipFile(tmp_path / "no.zip", "w") as other:
        other.writestr("bundle.json", "{}")
    code, text = asked("verify", tmp_path / "no.zip")
    assert (code, "is no bundle, or was changed" in text) == (1, True)
    with pytest.raises(RefusedError, match="has no test at its release"):
        CliRunner().invoke(
            app, ["evidence", "llama-9", "-o", str(tmp_path / "x"), "--group", str(directory)], catch_exceptions=False
        )
