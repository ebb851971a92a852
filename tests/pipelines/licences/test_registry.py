"""The registry: a fact that is lost or mistyped would test the wrong month, or nobody at all."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from affiliates.errors import RefusedError
from pipelines.licences import registry
from pipelines.licences.entry import TESTED, Clause, LicenceEntry
from pipelines.licences.registry import builtin, from_directory, replacements
from pipelines.licences.release_tests import llama_releases
from tests.support.groups import entity
from tests.support.paths import SHARED as SHARED_DATA

SHARED = SHARED_DATA / "data" / "licences" / "registry.yaml"
collected = pytest.mark.skipif(not SHARED.exists(), reason="the facts collected from the texts lie beside the checkout")

OURS_OF_THEIRS = {
    "all products or services offered by or on behalf of licensee or affiliates; not limited to ones that use the model":
        "all that are made available by or for them, not only those that use the model",
    "ask Meta for a separate licence (grant is discretionary); no rights under this licence until Meta expressly gives them":
        "no rights under the licence until Meta expressly grants them",
}  # fmt: skip
"""Where our words differ from those of the collection: what `licences` prints."""


def raw_files() -> dict[str, dict[str, Any]]:
    return {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(registry.FOLDER.glob("*.yaml"))}


def differing(theirs: Any, ours: Any, at: str) -> Iterator[str]:
    """Every fact of theirs that ours lacks or says otherwise; what ours has beyond doesn't differ."""
    if isinstance(theirs, Mapping):
        for key, value in theirs.items():
            yield from differing(value, ours.get(key) if isinstance(ours, Mapping) else None, f"{at}.{key}")
    elif isinstance(theirs, list):
        if len(theirs) != len(ours or ()):
            yield f"{at}: {len(theirs)} of theirs, {len(ours or ())} of ours"
        for i, (value, mine) in enumerate(zip(theirs, ours or (), strict=False)):
            yield from differing(value, mine, f"{at}[{i}]")
    else:
        theirs = OURS_OF_THEIRS.get(theirs, theirs) if isinstance(theirs, str) else theirs
        if str(theirs) != str(ours) and f"{theirs}-01" != str(ours):  # A month is its first day.
            yield f"{at}: {theirs} there, {ours} here"


def said(entry: LicenceEntry) -> dict[str, Any]:
    """An entry in the collection's words: a regulation's clauses are its thresholds."""
    facts = entry.model_dump(mode="json", by_alias=True)
    return facts | {"thresholds": facts["clauses"]}


@collected
def test_every_fact_collected_from_the_texts_is_here() -> None:
    """No entry is missing, and each threshold, comparator, date, source and rule is as it was read."""
    facts = yaml.safe_load(SHARED.read_text(encoding="utf-8"))
    theirs = {entry["id"]: entry for entry in facts["licences"] + facts["regulations"]}
    ours = {entry.id: said(entry) for entry in builtin().entries}
    assert set(theirs) == set(ours)
    assert [wrong for id_, entry in theirs.items() for wrong in differing(entry, ours[id_], id_)] == []
    assert {entry.reviewed.isoformat() for entry in builtin().entries} == {facts["compiled"]}
    assert set(facts["evidence_levels"]) == {entry.evidence for entry in builtin().entries}


@collected
def test_the_comparison_sees_what_differs() -> None:
    """A comparison that can't fail would let a mistyped threshold through."""
    facts = yaml.safe_load(SHARED.read_text(encoding="utf-8"))
    (llama_4,) = (entry for entry in facts["licences"] if entry["id"] == "llama-4")
    ours = json.loads(json.dumps(said(builtin().get("llama-4") or builtin().entries[0])))
    assert list(differing(llama_4, ours, "x")) == []
    ours["clauses"][0] |= {"threshold": 70_000_000, "measured_period": "2025-04-01"}
    ours["sources"] = ours["sources"][:1]
    assert [wrong.partition(":")[0] for wrong in differing(llama_4, ours, "x")] == [
        "x.clauses[0].threshold", "x.clauses[0].measured_period", "x.sources"
    ]  # fmt: skip


@collected
def test_every_point_that_the_texts_leave_open_is_here() -> None:
    theirs = yaml.safe_load(SHARED.read_text(encoding="utf-8"))["interpretations"]
    ours = {point.point: point.model_dump(mode="json") for point in builtin().interpretations}
    assert [point["point"] for point in theirs] == list(ours)
    for point in theirs:
        mine = ours[point["point"]]
        assert [wrong for k, v in point.items() for wrong in differing(v, mine["readings"].get(k, mine.get(k)), k)] == []


def test_every_clause_is_tested_or_says_what_it_would_need() -> None:
    """A clause of users that is neither would be missing from every table, and nobody would look for it."""
    for entry in builtin().entries:
        for clause in entry.clauses:
            assert clause.tested == (clause.needs is None)
            if clause.metric in TESTED:
                assert clause.tested, (entry.id, clause.id)
                assert clause.threshold
                assert clause.undefined
            else:
                assert clause.needs, (entry.id, clause.id)
    tested = [(e.id, c.id) for e in builtin().entries for c in e.clauses if c.tested]
    assert len(tested) == len(set(tested)) == 21
    assert {e.id for e in builtin().entries if e.kind == "regulation"} == {"eu-dma", "eu-dsa"}


def test_what_a_licence_inherits_is_its_own() -> None:
    """Code Llama points to the text of Llama 2; without its clause it would count nobody."""
    code, llama = builtin().get("code-llama"), builtin().get("llama-2")
    assert code is not None
    assert llama is not None
    mine, base = code.clauses[0], llama.clauses[0]
    assert mine.alternative_measured_period_if_own_date == date(2023, 7, 1)
    same = {"inherits": None, "alternative_measured_period_if_own_date": None}
    assert mine.model_copy(update=same) == base
    assert len({v.clause.wording_fingerprint for v in llama_releases()}) == 1


def test_a_digest_is_of_what_is_said_and_not_of_its_order() -> None:
    """Else an entry that was only rearranged would pass for another, or one that changed for the same."""
    said_, *_ = raw_files()["databricks.yaml"]["licences"]
    entry = LicenceEntry.model_validate(said_)
    assert LicenceEntry.model_validate(dict(reversed(said_.items()))).digest == entry.digest
    clause = dict(reversed(said_["clauses"][0].items()))
    assert LicenceEntry.model_validate({**said_, "clauses": [clause]}).digest == entry.digest
    assert LicenceEntry.model_validate({**said_, "clauses": [clause | {"threshold": 700_000_001}]}).digest != entry.digest
    digests = [entry.digest for entry in builtin().entries]
    assert len(set(digests)) == len(digests)
    assert all(len(digest) == 64 for digest in digests)


ADDED: dict[str, Any] = {
    "id": "in-house", "name": "A licence of our own", "licensor": "Nobody", "kind": "model_licence", "evidence": "primary_text",
    "reviewed": date(2026, 11, 22), "review_by": date(2027, 1, 1), "version_date": {"date": "2025-06-01"},
    "sources": ["contract 7"], "clauses": [{
        "id": "mau", "metric": "monthly_active_users", "threshold": 5, "comparator": "gte", "unit": "users",
        "whose": ["licensee"], "measured": "average_of_six_months", "scope": "each",
    }],
}  # fmt: skip


def written(directory: Path, *entries: Mapping[str, Any], name: str = "ours.yaml") -> Path:
    (directory / "licences").mkdir(exist_ok=True)
    (directory / "licences" / name).write_text(yaml.safe_dump({"licences": list(entries)}, sort_keys=False))
    return directory


def test_a_group_adds_and_replaces_entries(tmp_path: Path) -> None:
    """The registry moves without the program: a newer entry stands in the place of ours, and that is said."""
    newer = raw_files()["databricks.yaml"]["licences"][0] | {"reviewed": date(2026, 12, 1), "name": "Another"}
    group_registry = from_directory(written(tmp_path, ADDED, newer))
    assert (group_registry.added, group_registry.replaced) == (("in-house",), ("dbrx",))
    assert len(group_registry.entries) == len(builtin().entries) + 1
    assert group_registry.get("dbrx") != builtin().get("dbrx")
    assert [clause.measured for clause in group_registry.entries[-1].clauses] == ["average_of_six_months"]
    assert builtin().get("in-house") is None
    assert [entry.id for entry in group_registry.due_for_review(date(2027, 1, 2))] == ["in-house"]
    assert group_registry.due_for_review(date(2027, 1, 1)) == []


def test_a_clause_is_inherited_from_ours(tmp_path: Path) -> None:
    """A new Llama is two dates: the text has been the same since 2023."""
    clause = {"id": "mau", "inherits": "llama-4#mau", "test_date": date(2026, 12, 5), "measured_period": "2026-11"}
    group_registry = from_directory(written(tmp_path, ADDED | {"id": "llama-5", "family": "Llama", "clauses": [clause]}))
    newest = llama_releases(group_registry)[-1]
    assert (newest.id, newest.clause.threshold, newest.measured_month) == ("llama-5", 700_000_000, date(2026, 11, 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "licences/ours.yaml:23: unknown key `colour`"),
        ({"evidence": "hearsay"}, "`evidence`"),
        ({"clauses": [ADDED["clauses"][0] | {"comparator": None}]}, "needs a `threshold` and a `comparator`"),
        ({"clauses": [ADDED["clauses"][0] | {"metric": "gmv"}]}, "say in `needs` why"),
        ({"clauses": [ADDED["clauses"][0] | {"measured": "month_before_release"}]}, "has a `test_date` just where"),
        ({"clauses": [{"id": "mau", "inherits": "llama-9#mau"}]}, "no such clause"),
        ({"clauses": ADDED["clauses"] * 2}, "two of its clauses have one id"),
        ({"review_by": date(2026, 1, 1)}, "lies before `reviewed`"),
        ({"sources": []}, "`sources`"),
        ({"id": "dbrx", "reviewed": date(2026, 11, 21)}, "replaced only by one that was reviewed later"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """What a typo leaves out would be a clause that nobody tests."""
    with pytest.raises(RefusedError) as refused:
        from_directory(written(tmp_path, ADDED | change))
    assert message in str(refused.value)
    assert str(refused.value).startswith("licences/ours.yaml:")


@pytest.mark.parametrize("number", [0, -1, -700_000_000])
def test_no_threshold_is_nobody(tmp_path: Path, number: int) -> None:
    """Of 0, everybody would be over; of less, nothing means anything."""
    for change in ({"clauses": [ADDED["clauses"][0] | {"threshold": number}]}, {"user_threshold": number}):
        with pytest.raises(RefusedError, match="threshold"):
            from_directory(written(tmp_path, ADDED | change))


def test_what_a_replacement_changes_is_said(tmp_path: Path) -> None:
    """Ten times the threshold, or no clause at all, clears everybody; under its old name, nobody sees it."""
    newer = raw_files()["databricks.yaml"]["licences"][0] | {"reviewed": date(2026, 12, 1)}
    assert replacements(from_directory(written(tmp_path, newer | {"name": "Another"}))) == ["dbrx: the same tests"]
    clause = {**newer["clauses"][0], "threshold": 7_000_000_000}
    before = "dbrx: mau 700,000,000 (gt, month_before_release, all, licensee and its affiliates)"
    (more,) = replacements(from_directory(written(tmp_path, newer | {"clauses": [clause]})))
    assert more == f"{before}, now 7,000,000,000 (gt, month_before_release, all, licensee and its affiliates)"
    assert replacements(from_directory(written(tmp_path, newer | {"clauses": []}))) == [f"{before}, now not tested"]
    assert replacements(builtin()) == []


def test_one_id_in_two_files(tmp_path: Path) -> None:
    written(tmp_path, ADDED, name="a.yaml")
    with pytest.raises(RefusedError, match="two entries have one id"):
        from_directory(written(tmp_path, ADDED, name="b.yaml"))


def test_a_months_test_is_the_month_before_its_date() -> None:
    """A period that contradicts its date would test a month that the text doesn't ask for."""
    clause = builtin().entries[0].clauses  # Any entry: what counts is the model.
    assert clause
    base = (builtin().get("dbrx") or builtin().entries[0]).clauses[0].model_dump()
    with pytest.raises(ValueError, match="isn't the month before"):
        Clause.model_validate(base | {"measured_period": date(2024, 3, 1)})


def test_quoted_words_are_the_texts_own() -> None:
    """A clause that is quoted wrongly is worse than none: with the version's name masked, its digest is the licence's."""
    quoted = {entry.id: clause for entry in builtin().entries for clause in entry.clauses if clause.words}
    family = {id_: clause for id_, clause in quoted.items() if id_ not in ("dbrx", "code-llama")}
    assert set(family) == {entry.id for entry in builtin().entries if entry.family == "Llama"} - {"llama-1"}
    for id_, clause in family.items():
        assert clause.words is not None
        assert clause.wording_fingerprint is not None
        name = f"{'Meta ' if id_ == 'llama-3' else ''}Llama {id_.removeprefix('llama-')}"
        masked = clause.words.replace(f"on the {name} version", "on the <V> version").replace("\u2019", "'")
        digest = hashlib.sha256(masked.encode()).hexdigest()[:12]
        assert clause.wording_fingerprint.startswith(f"sha256/12 {digest} "), id_
    assert quoted["code-llama"].words == quoted["llama-2"].words


def test_words_are_never_inherited(make: Callable[..., Path]) -> None:
    """Another version's sentence in quotation marks would name that version."""
    directory = make([entity("a", [])])
    (directory / "licences").mkdir()
    (directory / "licences" / "new.yaml").write_text(
        "licences: [{id: llama-9, name: L, licensor: M, family: Llama, kind: model_licence, evidence: secondary,"
        " reviewed: 2026-11-21, review_by: 2027-11-21, version_date: {date: '2026-01-05'}, sources: [x],"
        " clauses: [{id: mau, inherits: llama-4#mau, test_date: 2026-01-05, measured_period: 2025-12}]}]\n"
    )
    entry = from_directory(directory).get("llama-9")
    assert entry is not None
    assert (entry.clauses[0].threshold, entry.clauses[0].words) == (700_000_000, None)
