"""Checking a bundle of evidence: its bytes, its ledger, its figures; where it holds sketches, all figures are recomputed.

The check needs the bundle alone: no store, no key, no database library. It names what it has checked, and what it can't check.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from affiliates.contributions.contract import PartIdentity, digest_of
from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end, month_from_text
from pipelines import hash_chain
from pipelines.counting import measure
from pipelines.counting.figure import Figure
from pipelines.counting.inputs import gather
from pipelines.counting.measure import Measured
from pipelines.evidence import archive
from pipelines.evidence.archive import Bundle
from pipelines.evidence.bundle_reader import DETAILS, BundleReader, group_of
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.outcome import decide

Json = Mapping[str, Any]
"""An object of one of the bundle's JSON files."""
_FIGURE_FIELDS = ("estimate", "lower", "upper", "identity_low", "identity_high", "summed_products", "complete", "lg_k")


@dataclass
class Verification:
    """The outcome of checking a bundle."""

    about: Json = field(default_factory=dict)
    """What the bundle is about, by its own list."""
    sha256: str = ""
    """Of the whole bundle."""
    public_key: str | None = None
    """The key that has signed the bundle (base64); null for an unsigned bundle."""
    right: list[str] = field(default_factory=list)
    """What was checked and holds, a sentence each."""
    wrong: list[str] = field(default_factory=list)
    """What doesn't hold, a sentence each."""
    unknown: list[str] = field(default_factory=list)
    """What can't be told from this bundle and the caller's arguments."""

    def note(self, what: str, wrong: list[str]) -> None:
        """Add the outcome of one check: the faults, or where there are none `what` was checked."""
        self.wrong += wrong
        self.right += [] if wrong else [what]


def check(path: Path, public_key: str | None = None, head: str | None = None) -> Verification:
    """Check everything in a bundle.

    `public_key`: the key (base64) that has to have signed it. `head`: the digest of the month's ledger head, as it was printed.
    Raises `RefusedError` (BUNDLE_CHANGED) for a file that is no bundle, or of which a byte was changed.
    """
    verification = Verification()
    with archive.open_bundle(path) as opened:
        verification.about = opened.about
        verification.sha256 = opened.sha256
        verification.public_key = opened.public_key
        verification.note(f"each byte is as its list says ({len(opened.files)} files)", [])
        _check_signature(verification, opened, public_key)
        try:
            _check_ledger(verification, opened, head)
            _check_figures(verification, opened)
            _check_test(verification, opened)
            group = group_of(opened.json("group.json"), opened.json("licence.json")["read"])
            verification.note("who is in the group follows from who owns whom", list(_membership_differing(opened, group)))
            verification.note("what the figures rest on is what their digests say", list(_inputs_without_digest(opened, group)))
            verification.note("what was collected, signed and read belongs to these figures", list(_not_of_the_figures(opened)))
            verification.unknown.append("whether the PDF and method.txt say the same: they are only covered by the signature")
            if opened.about.get("kind") == "expert":
                _recompute(verification, opened, group)
            else:
                verification.unknown.append("whether the figures come out again: only the expert bundle holds sketches")
        # Whoever signs may sign anything: a file that isn't as our code writes it is a finding, and no crash of the check.
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, OSError) as error:
            verification.wrong.append(f"a file isn't what a bundle of this format holds ({type(error).__name__})")
    return verification


def _check_signature(verification: Verification, opened: Bundle, public_key: str | None) -> None:
    """Whether the bundle is signed, and by the named key. Its bytes fit the signature already: opening checks that."""
    if opened.public_key is None:
        verification.unknown.append("who made it: it isn't signed")
        if public_key is not None:
            verification.wrong.append("it isn't signed, and a key was named")
    elif public_key is None:
        verification.note(f"signed by {opened.public_key}", [])
        verification.unknown.append("whose key that is: compare it with the one that you know, by --public-key")
    else:
        verification.note(
            "signed by the key that was named", [] if opened.public_key == public_key else ["it is signed by another key"]
        )


def _check_ledger(verification: Verification, opened: Bundle, head: str | None) -> None:
    """Whether the chain is whole, ends for the month as it was printed, and has an entry for each published figure."""
    entries = hash_chain.from_lines((opened.folder / "ledger.jsonl").read_text(encoding="utf-8"))
    verification.note(f"the ledger is whole ({len(entries)} entries)", hash_chain.faults(entries))
    month = month_from_text(opened.about["month"])
    last = hash_chain.head_of(entries, month)
    if (last and {"number": last.number, "digest": last.digest}) != opened.about["ledger_head"]:
        verification.wrong.append("the ledger's head of the month isn't the one that the bundle names")
    if head is not None:
        verification.note(
            "the month's head is the printed one",
            [] if last and last.digest == head else ["the month's head isn't the printed one"],
        )
    elif last:
        verification.unknown.append(
            "whether the ledger is the one of that time: compare its head with the printed one, by --head"
        )
    else:
        verification.unknown.append("the month isn't signed: no head of it was printed")
    noted = {entry.body.get("content") for entry in entries if entry.kind == "published"}
    # A store that is older than its ledger has publications that only the digest of the first entry covers.
    began = any(entry.kind == "began" for entry in entries)
    for published in opened.json("figures.json")["published"]:
        if published["content"] not in noted:
            sentence = f"the publication by {published['publication']['reading']} is in no entry of the ledger"
            (verification.unknown if began else verification.wrong).append(sentence)


def _check_figures(verification: Verification, opened: Bundle) -> None:
    """Whether the figures have their digest, and rest on what the bundle lists."""
    wrong = []
    published = opened.json("figures.json")["published"]
    for one in published:
        if hash_chain.publication_digest(one["publication"], one["figures"]) != one["content"]:
            wrong.append(f"the figures by {one['publication']['reading']} aren't what their digest says")
    inputs = {one["publication"]["reading"]: one["publication"]["inputs"] for one in published}
    last = f"{month_end(month_from_text(opened.about['month']))}"
    for rest in opened.json("inputs.json")["rests"]:
        # The second digest is as if nothing had been erased: figures were published before their sketches were erased.
        if rest["on"] == last and inputs[rest["reading"]] not in (rest["inputs"], rest["unerased"]):
            wrong.append(f"what the figures by {rest['reading']} rest on has changed since they were published")
    verification.note("the published figures are what their digests say", wrong)


def _check_test(verification: Verification, opened: Bundle) -> None:
    """Whether the licence's entry has its digest, and each result follows from the bounds and the threshold."""
    test = opened.json("licence.json")
    wrong = []
    entry = LicenceEntry.model_validate(test["entry"])
    if entry.digest != test["digest"]:
        wrong.append("the licence's entry isn't what its digest says")
    # As models: a bundle that is older than a field of clauses has no key of it.
    tested = Clause.model_validate(test["clause"])
    clause = next((clause for clause in entry.clauses if clause == tested), None)
    if clause is None or clause.threshold != test["threshold"] or entry.id != test["licence"]:
        wrong.append("the clause and its threshold aren't those of the licence's entry")
    for name, outcome in test["readings"].items():
        # Bundles that are older than the key have no list of grants.
        if outcome["result"] == "granted" and not test.get("grants", True):
            wrong.append(f"by {name} the test is granted, and the bundle has no grant")
        # A grant hides the result by the numbers, which then stands beside it.
        result = outcome.get("found") or outcome["result"]
        bounds = (outcome["lower"], outcome["upper"])
        if result == "not_measured" and outcome["lower"] is None:
            continue
        if outcome["lower"] is None or decide(test["threshold"], *bounds, (clause and clause.comparator) or "gt") != result:
            wrong.append(f"by {name} the test found {result}, which doesn't follow from its bounds")
    wrong += _test_not_in_ledger(opened, test)
    verification.note(f"the test's results follow from the bounds and the threshold of {test['threshold']:,}", wrong)


def _test_not_in_ledger(opened: Bundle, test: Json) -> Iterator[str]:
    """The results of the test that the ledger doesn't have, or has otherwise."""
    entries = hash_chain.from_lines((opened.folder / "ledger.jsonl").read_text(encoding="utf-8"))
    noted = {entry.body.get("content") for entry in entries if entry.kind == "tested"}
    rows = {row["reading"]: row for row in test["noted"]}
    for name, outcome in test["readings"].items():
        row = rows.get(name)
        if row is None or hash_chain.digest_of(hash_chain.row_content(row)) not in noted:
            yield f"the test by {name} is in no entry of the ledger"
            continue
        same = {key: outcome[key] for key in ("result", "estimate", "lower", "upper", "of_record")}
        same |= {key: test[key] for key in ("licence", "licensee", "released", "threshold")}
        if {key: row[key] for key in same} != same:
            yield f"the test by {name} isn't the one that the ledger has"


def _not_of_the_figures(opened: Bundle) -> Iterator[str]:
    """What stands beside the signed figures and isn't theirs: attestations, the key, readings and days."""
    published = [one["publication"] for one in opened.json("figures.json")["published"]]
    collected = opened.json("closing.json")["collected"]
    signed = json.loads(published[0]["collected"]) if published[0]["collected"] else None
    if collected != signed:
        yield "what was collected isn't what stands with the signed figures"
    if opened.about.get("public_key") != opened.public_key:
        yield "it is signed by another key than its list names"
    readings = opened.json("licence.json")["read"]
    month = month_from_text(opened.about["month"])
    released = opened.json("licence.json")["released"]
    # A group is drawn on the month's last day, and for readings by the release date on that day, too.
    wanted = {(reading["name"], f"{month_end(month)}") for reading in readings}
    wanted |= {(reading["name"], released) for reading in readings if reading["membership"] == "release_date"}
    if {(rest["reading"], rest["on"]) for rest in opened.json("inputs.json")["rests"]} != wanted:
        yield "it doesn't say of each reading what its figures rest on"
    if {publication["reading"] for publication in published} != {reading["name"] for reading in readings}:
        yield "the figures aren't those of its readings"


def _inputs_without_digest(opened: Bundle, group: Group) -> Iterator[str]:
    """The readings whose inputs (members, what was due of them, each contribution) don't have the digest that they ought to."""
    reader = BundleReader(opened)
    month = month_from_text(opened.about["month"])
    readings = {reading.name: reading for reading in group.readings.readings}
    methods = _methods(opened)
    for rest in opened.json("inputs.json")["rests"]:
        on = date.fromisoformat(rest["on"])
        inputs = gather(reader, group, month, readings[rest["reading"]], on, method=methods[rest["reading"]])
        if rest["inputs"] not in (inputs.digest, inputs.unerased):
            yield f"what the figures by {rest['reading']} of the group on {on} rest on isn't what their digest says"


def _methods(opened: Bundle) -> dict[str, int]:
    """By reading, the version of counting that has made its figures: they are made again by the same."""
    return {one["publication"]["reading"]: one["publication"]["method"] for one in opened.json("figures.json")["published"]}


def _membership_differing(opened: Bundle, group: Group) -> Iterator[str]:
    """The days on which the ownership in the bundle makes another group than the bundle says."""
    for drawn in opened.json("group.json")["drawn"]:
        on = date.fromisoformat(drawn["on"])
        paths = group.affiliates(on, Decimal(drawn["control_share"]))
        members = [{"entity": name, "path": [str(step) for step in path]} for name, path in paths.items()]
        if members != drawn["members"]:
            yield f"the group on {on} isn't what its ownership makes it"


def _recompute(verification: Verification, opened: Bundle, group: Group) -> None:
    """Whether the contributions have their digests, and all figures come out of the sketches again, by counting's own code."""
    reader = BundleReader(opened)
    number = len(reader.versions)
    verification.note(f"{number:,} contributions are what their digests say", list(_contributions_differing(reader, opened)))
    month = month_from_text(opened.about["month"])
    published = {one["publication"]["reading"]: one for one in opened.json("figures.json")["published"]}
    outcomes = opened.json("licence.json")["readings"]
    readings = {reading.name: reading for reading in group.readings.readings}
    methods = _methods(opened)
    wrong = list[str]()
    for rest in opened.json("inputs.json")["rests"]:
        reading = readings[rest["reading"]]
        on = date.fromisoformat(rest["on"])
        inputs = gather(reader, group, month, reading, on, method=methods[reading.name])
        measured = measure.measure(reader, group, inputs)
        if on == month_end(month):
            wrong += _figures_differing(measured, published[reading.name])
        # The test asks about the release day's group where the reading says so, else about the month's.
        if (on != month_end(month)) == (reading.membership == "release_date"):
            wrong += _test_differing(measured, reading, outcomes[reading.name])
    verification.note(f"all figures were made again from {number:,} contributions, and are the published ones", wrong)


def _test_differing(measured: Measured, reading: Reading, outcome: Json) -> Iterator[str]:
    """Whether the test of a reading was of other figures than the recomputed ones."""
    figure = measured.group
    ours = measured.summed if reading.counts == "summed_products" else (figure.estimate, figure.lower, figure.upper)
    if (outcome.get("found") or outcome["result"]) == "not_measured":
        return
    if ours != (outcome["estimate"], outcome["lower"], outcome["upper"]):
        yield f"by {reading.name} the test was of other figures than the sketches give"


def _contributions_differing(reader: BundleReader, opened: Bundle) -> Iterator[str]:
    """The contributions whose sketches and details don't have their digest; those with an erased sketch can't be told."""
    parts: dict[int, list[PartIdentity]] = {}
    details = {row["contribution"]: row for row in opened.json(DETAILS)["contributions"]}
    gone = set()
    for number, part in reader.read_parts(sorted(reader.versions)):
        events = details[number]["events"][f"{part.audience} {part.namespace}"]
        if part.registers is None:
            gone.add(number)
        else:
            parts.setdefault(number, []).append(PartIdentity(part.audience, part.namespace, part.registers.digest(), events))
    for number, version in reader.versions.items():
        if number in gone:
            continue
        if digest_of(version, details[number]["normalisation"], parts.get(number, [])) != version.digest:
            yield f"{version.ref}, {version.activity_date}: its sketches aren't what its digest says"


def _figures_differing(measured: Measured, published: Json) -> Iterator[str]:
    """The recomputed figures that aren't the published ones, with the fields that differ."""
    figures: dict[str, Figure] = {"group": measured.group, **measured.affiliates, **measured.products}
    rows = {("group" if row["scope"] == "group" else row["subject"]): row for row in published["figures"]}
    if rows.keys() != figures.keys():
        yield f"the figures by {published['publication']['reading']} are of other affiliates and products"
        return
    for name, figure in figures.items():
        ours = {field: getattr(figure, field) for field in _FIGURE_FIELDS}
        ours |= asdict(figure.coverage) | {"reasons": "\n".join(figure.reasons)}
        other = [field for field, value in ours.items() if rows[name][field] != value]
        # The one float among them: sums of floats may differ in the last digits on another machine.
        other += [] if math.isclose(rows[name]["standard_error"], figure.standard_error, rel_tol=1e-9) else ["standard_error"]
        if other:
            yield f"{name} by {published['publication']['reading']}: {', '.join(other)} made again differ"
