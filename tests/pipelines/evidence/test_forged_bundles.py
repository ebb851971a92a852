"""A bundle that was changed and signed anew with the right key: each change is found, or named as not compared.

Nobody may read "Nothing is wrong" beside a changed fact, nor be warned of a bundle that is as it was made.
"""

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from affiliates import signing
from affiliates.errors import RefusedError
from affiliates.manifests.loader import read_group
from dashboards.cli.main import app
from dashboards.report import pdf
from pipelines.evidence import archive, verify
from pipelines.evidence import write as evidence_write
from pipelines.workflows.run import run
from pipelines.workspace import Workspace
from tests.support import bundle_edits, signed_bundles
from tests.support.bundle_edits import Change, Edit
from tests.support.bundle_forgeries import FORGERIES
from tests.support.groups import NOW
from tests.support.signed_bundles import KINDS, LLAMA_4, Forger

SAMPLE = {"outside": 97, "expert": 331}
"""Of so many single edits one is tried in `make test`; all of them by `make thorough`."""
FIRST_DAY = ("--from", "2025-03-01", "--to", "2025-03-01")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The group with March signed and both bundles written; no test may change it."""
    directory = signed_bundles.signed_group(tmp_path_factory.mktemp("signed"))
    signed_bundles.write_bundles(directory, directory / "evidence")
    return directory


@pytest.fixture(scope="module")
def head(directory: Path) -> str:
    """The digest that was printed when March was signed."""
    return signed_bundles.head_of(directory)


@pytest.fixture(scope="module", params=KINDS)
def forger(directory: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Forger:
    """Whoever has the right key, with either bundle."""
    bundle = directory / "evidence" / f"{request.param}.zip"
    return Forger(bundle, directory / "evidence.pem", tmp_path_factory.mktemp("forger"))


def outcome(forger: Forger, change: Change, head: str, usual: verify.Verification) -> str:
    """What becomes of a change: `found`, `named` as not compared, found by the `page` alone, or `passed`."""
    try:
        seen = forger.checked(change, head)
        if seen.wrong:
            return "found"
        if set(seen.not_compared) - set(usual.not_compared) or set(seen.unknown) - set(usual.unknown):
            return "named"
        # The page is made again last: that takes as long as all other checks together.
        again = forger.checked(change, head, page=True)
    except RefusedError:
        return "found"
    if again.wrong or any(not text.startswith("evidence.pdf") for text in again.not_compared):
        return "page"
    return "passed"


def outcomes(forger: Forger, edits: Sequence[Edit], head: str) -> tuple[Counter[str], list[str]]:
    """How many edits had each outcome, and the names of those that passed."""
    usual = forger.checked(lambda folder, about: None, head)
    of_each = [(outcome(forger, edit.change, head, usual), edit.name) for edit in edits]
    return Counter(what for what, _ in of_each), [name for what, name in of_each if what == "passed"]


def test_an_unchanged_bundle_is_whole(directory: Path, head: str) -> None:
    """All of the expert's is compared; of the outside one only what takes sketches isn't."""
    made = pdf.pdf, pdf.made_with()
    expert = verify.check(directory / "evidence" / "expert.zip", None, head, *made)
    assert (expert.wrong, expert.unknown, expert.not_compared, expert.is_whole) == ([], [], [], True)
    outside = verify.check(directory / "evidence" / "outside.zip", None, head, *made)
    assert (outside.wrong, outside.not_compared) == ([], [])
    assert outside.unknown == ["whether the figures come out again: only the expert bundle holds sketches"]


def test_single_edits(forger: Forger, head: str) -> None:
    """A sample of what `test_all_single_edits` tries, with edits of every file."""
    edits = list(bundle_edits.of_bundle(forger.folder, forger.about))
    sample = edits[:: SAMPLE[forger.about["kind"]]]
    assert {edit.name.partition(":")[0] for edit in sample} > {"figures.json", "group.json", "inputs.json", "licence.json"}
    numbers, passed = outcomes(forger, sample, head)
    assert passed == []
    assert numbers["found"] > 0.9 * len(sample)


@pytest.mark.thorough
def test_all_single_edits(forger: Forger, head: str) -> None:
    """Each scalar another value, each item and each key dropped, doubled or moved, in every file."""
    edits = list(bundle_edits.of_bundle(forger.folder, forger.about))
    numbers, passed = outcomes(forger, edits, head)
    print(f"{forger.about['kind']}: {len(edits)} edits, {dict(numbers)}")
    assert (passed, len(edits) > 5000) == ([], True)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forgeries(forger: Forger, head: str, forgery: str) -> None:
    """Several places changed so that they fit each other, up to a whole ledger: only the printed head tells then."""
    usual = forger.checked(lambda folder, about: None, head)
    assert outcome(forger, FORGERIES[forgery], head, usual) != "passed"


def answer(*arguments: object) -> tuple[int, str]:
    """Exit code and output of a command."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_the_words_of_the_command(directory: Path, head: str, tmp_path: Path) -> None:
    """`Nothing is wrong` stands only where all was compared; else it is named what wasn't, in words and in JSON."""
    expert, outside = (directory / "evidence" / f"{kind}.zip" for kind in ("expert", "outside"))
    code, text = answer("verify", expert, "--head", head)
    assert (code, text.splitlines()[-1]) == (0, "Nothing is wrong.")
    for arguments in ((expert,), (outside, "--head", head), (outside,)):
        code, text = answer("verify", *arguments)
        assert (code, "Nothing is wrong" in text, "What was compared is right" in text) == (0, False, True)
    shown = signed_bundles.write_bundles(directory, tmp_path / "one", "unique_people") / "expert.zip"
    code, text = answer("verify", shown, "--head", head, "--json")
    said = json.loads(text)
    assert (code, said["wrong"], said["not_compared"], said["not_shown"]) == (0, [], [], ["summed_products"])


def test_no_key_and_a_strangers_key(directory: Path, head: str, tmp_path: Path) -> None:
    """The month's own key is in what the printed head binds: no other may stand in for it, nor none."""
    bundle = directory / "evidence" / "expert.zip"
    signing.new_pair(tmp_path / "other.pem")
    stranger = Forger(bundle, tmp_path / "other.pem", tmp_path / "stranger")
    theirs = signing.public_of(tmp_path / "other.pem")

    def as_theirs(folder: Path, about: dict[str, object]) -> None:
        about["public_key"] = theirs

    assert "it is signed by another key than the month was" in stranger.checked(as_theirs, head).wrong
    assert "it is signed by another key than the month was" in verify.check(stranger.packed(as_theirs), theirs, head).wrong
    nobody = Forger(bundle, None, tmp_path / "nobody")
    unsigned = nobody.checked(lambda folder, about: about.update(public_key=None), head)
    assert "it isn't signed, and the month was signed with a key" in unsigned.wrong


def test_an_older_format_of_a_month_signed_since(
    directory: Path, head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever wants fewer comparisons takes the format that had fewer."""
    forger = Forger(directory / "evidence" / "expert.zip", directory / "evidence.pem", tmp_path)
    monkeypatch.setattr(archive, "FORMAT", archive.FIRST_FORMAT)
    packed = forger.packed(lambda folder, about: None)
    monkeypatch.undo()
    assert verify.check(packed, None, head).wrong == ["its format is older than the month's signature"]


def edited_yaml(path: Path, **values: object) -> None:
    """Gives keys of a YAML file other values."""
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | values, sort_keys=False))


@pytest.fixture
def changed_since(directory: Path, tmp_path: Path) -> Path:
    """The group with all of its settings changed after March was signed."""
    changed = tmp_path / "group"
    shutil.copytree(directory, changed)
    edited_yaml(changed / "group.yaml", name="Another Name", time_zone="Asia/Tokyo", namespaces={})
    manifest = yaml.safe_load((changed / "affiliates" / "a.yaml").read_text())
    manifest["products"][0] |= {"name": "Renamed", "to": "2025-03-20", "settles_after": 9}
    edited_yaml(changed / "affiliates" / "a.yaml", products=manifest["products"], owned_by=[{"owner": "parent", "share": "10 %"}])
    edited_yaml(changed / "affiliates" / "j.yaml", owned_by=[{"owner": "parent", "share": "90 %"}])
    readings = [
        {"name": "unique_people", "counts": "unique_people", "audiences": ["external"]},
        {"name": "new", "counts": "unique_people"},
    ]
    edited_yaml(changed / "readings.yaml", readings=readings)
    return changed


def test_evidence_of_a_signed_month_after_its_settings_changed(changed_since: Path, directory: Path, head: str) -> None:
    """The signature keeps what it rested on: evidence is written from that, and is the one of before."""
    signed_bundles.write_bundles(changed_since, changed_since / "again")
    again = verify.check(changed_since / "again" / "expert.zip", None, head, pdf.pdf, pdf.made_with())
    assert again.is_whole, [*again.wrong, *again.unknown, *again.not_compared]
    with (
        archive.open_bundle(changed_since / "again" / "expert.zip") as now,
        archive.open_bundle(directory / "evidence" / "expert.zip") as then,
    ):
        for name in then.files:
            if not name.endswith((".parquet", ".pdf", "licence.json")):
                assert (now.folder / name).read_bytes() == (then.folder / name).read_bytes(), name


def test_a_clause_that_was_read_anew_since(directory: Path, head: str, tmp_path: Path) -> None:
    """Evidence shows the entry by which the month was signed, and not the one that the registry has by now."""
    clause = LLAMA_4.clause.model_copy(update={"effect_over": "nothing"})
    entry = LLAMA_4.entry.model_copy(
        update={"clauses": (clause, *LLAMA_4.entry.clauses[1:]), "reviewed": LLAMA_4.entry.review_by}
    )
    newer = LLAMA_4.model_copy(update={"entry": entry, "clause": clause})
    filing = evidence_write.Filing(["expert"], page_made_with=pdf.made_with())
    with Workspace(directory, read_group(directory), NOW) as workspace:
        evidence_write.write(workspace, newer, tmp_path, filing, pdf.pdf)
    with archive.open_bundle(tmp_path / "expert.zip") as opened:
        assert opened.json("licence.json")["clause"]["effect_over"] == LLAMA_4.clause.effect_over
    assert verify.check(tmp_path / "expert.zip", None, head, pdf.pdf, pdf.made_with()).is_whole


def test_a_grant_that_came_since_is_named(directory: Path, head: str, tmp_path: Path) -> None:
    """It is no fault, and the printed head doesn't bind it: so it is named, and nobody reads that nothing is wrong."""
    copy = tmp_path / "group"
    shutil.copytree(directory, copy)
    grant = {"id": "g", "licences": ["llama-4"], "licensee": "parent", "from": "2025-05-01", "document": {"name": "letter"}}
    (copy / "grants.yaml").write_text(yaml.safe_dump({"grants": [grant]}))
    run(copy, read_group(copy), NOW)
    signed_bundles.write_bundles(copy, copy / "evidence-2")
    seen = verify.check(copy / "evidence-2" / "expert.zip", None, head)
    assert seen.wrong == []
    named = "\n".join(seen.not_compared)
    assert "licence.json: of_record, grants, accepted, and the result under them" in named
    assert "licence.json: readings.unique_people: result, found, why" in named
    assert "the tests that they note: they came after the month's head" in named


def test_a_month_that_nobody_signed_is_bound_by_nothing(directory: Path, tmp_path: Path) -> None:
    """Its documents are compared with each other, and what only a signature binds is named."""
    copy = tmp_path / "group"
    shutil.copytree(directory, copy)
    shutil.rmtree(copy / ".mauwatch")
    run(copy, read_group(copy), NOW)
    signed_bundles.write_bundles(copy, copy / "evidence-2")
    seen = verify.check(copy / "evidence-2" / "expert.zip", None, None, pdf.pdf, pdf.made_with())
    assert seen.wrong == []
    assert all("nobody has signed the month" in text for text in seen.not_compared)
    assert {text.partition(":")[0] for text in seen.not_compared} == {"group.json", "inputs.json", "licence.json"}
    assert not seen.is_whole


def test_a_licence_that_came_after_the_signing_is_named(tmp_path: Path) -> None:
    """The month's signature can't say who belongs to the group on a day that is still to come."""
    signed_on = datetime(2025, 4, 4, 12, tzinfo=UTC)
    directory = signed_bundles.signed_group(tmp_path, signed_on)
    signed_bundles.write_bundles(directory, directory / "evidence")
    seen = verify.check(directory / "evidence" / "expert.zip", None, signed_bundles.head_of(directory))
    assert seen.wrong == []
    assert any("entry, clause" in text and "older than" in text for text in seen.not_compared)


def test_sketches_that_were_erased_after_the_signing(directory: Path, head: str, tmp_path: Path) -> None:
    """The figures stand by their digests; that nobody can make them again is said, and is no fault."""
    copy = tmp_path / "group"
    shutil.copytree(directory, copy)
    code, _ = answer("erase", "a/app", *FIRST_DAY, "--by", "DPO", "--reason", "asked", "--yes", "--group", copy)
    assert code == 0
    signed_bundles.write_bundles(copy, copy / "evidence-2", "summed_products")
    for kind in KINDS:
        seen = verify.check(copy / "evidence-2" / f"{kind}.zip", None, head)
        assert seen.wrong == []
        assert any(text.startswith("inputs.json: contributions: erased_at") for text in seen.not_compared)
    assert "whether the figures come out again: sketches were erased since" in seen.unknown
