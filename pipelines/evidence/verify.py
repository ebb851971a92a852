"""Checking a bundle of evidence: its bytes, its ledger, its figures, and, where it holds sketches, all of them made again.

Needs the bundle alone: no store, no key, no database library. What is checked is said, and so is what can't be.
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
from affiliates.periods import month_end, month_from_text
from pipelines import hash_chain
from pipelines.counting import measure
from pipelines.counting.figure import Figure
from pipelines.counting.inputs import gather
from pipelines.counting.measure import Measured
from pipelines.evidence import archive
from pipelines.evidence.archive import Bundle
from pipelines.evidence.bundle_reader import DETAILS, BundleReader, group_of
from pipelines.licences.entry import LicenceEntry
from pipelines.licences.outcome import decide

Told = Mapping[str, Any]
_OF_A_FIGURE = ("estimate", "lower", "upper", "identity_low", "identity_high", "summed_products", "complete", "lg_k")


@dataclass
class Verification:
    """What was found in a bundle."""

    about: Told = field(default_factory=dict)
    sha256: str = ""
    public_key: str | None = None
    right: list[str] = field(default_factory=list)
    """What was checked and is as it ought to be."""
    wrong: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """What this bundle, or what was given with it, can't tell."""

    def note(self, what: str, wrong: list[str]) -> None:
        """That something was checked, and what of it is wrong."""
        self.wrong += wrong
        self.right += [] if wrong else [what]


def check(path: Path, public_key: str | None = None, head: str | None = None) -> Verification:
    """Check all of a bundle; `public_key`: by which it has to be signed; `head`: the month's ledger head, as it was printed.

    Raises `RefusedError` for a file that is no bundle or of which a byte was changed.
    """
    found = Verification()
    with archive.open_bundle(path) as opened:
        found.about = opened.about
        found.sha256 = opened.sha256
        found.public_key = opened.public_key
        found.note(f"each byte is as its list says ({len(opened.files)} files)", [])
        _signed(found, opened, public_key)
        try:
            _ledger(found, opened, head)
            _figures(found, opened)
            _test(found, opened)
            group = group_of(opened.json("group.json"), opened.json("licence.json")["read"])
            found.note("who is in the group follows from who owns whom", list(_membership(opened, group)))
            found.note("what the figures rest on is what their digests say", list(_gathered(opened, group)))
            found.note("what was collected, signed and read belongs to these figures", list(_bound(opened)))
            found.unknown.append("whether the PDF and method.txt say the same: they are only covered by the signature")
            if opened.about.get("kind") == "expert":
                _again(found, opened, group)
            else:
                found.unknown.append("whether the figures come out again: only the expert bundle holds sketches")
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, OSError) as error:
            found.wrong.append(f"a file isn't what a bundle of this format holds ({type(error).__name__})")
    return found


def _signed(found: Verification, opened: Bundle, public_key: str | None) -> None:
    if opened.public_key is None:
        found.unknown.append("who made it: it isn't signed")
        if public_key is not None:
            found.wrong.append("it isn't signed, and a key was named")
    elif public_key is None:
        found.note(f"signed by {opened.public_key}", [])
        found.unknown.append("whose key that is: compare it with the one that you know, by --public-key")
    else:
        found.note("signed by the key that was named", [] if opened.public_key == public_key else ["it is signed by another key"])


def _ledger(found: Verification, opened: Bundle, head: str | None) -> None:
    entries = hash_chain.from_lines((opened.folder / "ledger.jsonl").read_text(encoding="utf-8"))
    found.note(f"the ledger is whole ({len(entries)} entries)", hash_chain.faults(entries))
    month = month_from_text(opened.about["month"])
    last = hash_chain.head_of(entries, month)
    said = opened.about["ledger_head"]
    if (last and {"number": last.number, "digest": last.digest}) != said:
        found.wrong.append("the ledger's head of the month isn't the one that the bundle names")
    if head is not None:
        found.note(
            "the month's head is the printed one",
            [] if last and last.digest == head else ["the month's head isn't the printed one"],
        )
    elif last:
        found.unknown.append("whether the ledger is the one of that time: compare its head with the printed one, by --head")
    else:
        found.unknown.append("the month isn't signed: no head of it was printed")
    noted = {e.body.get("content") for e in entries if e.kind == "published"}
    began = any(e.kind == "began" for e in entries)
    for held in opened.json("figures.json")["published"]:
        if held["content"] not in noted:
            said_ = f"the publication by {held['publication']['reading']}"
            (found.unknown if began else found.wrong).append(f"{said_} is in no entry of the ledger")


def _figures(found: Verification, opened: Bundle) -> None:
    wrong = []
    for held in opened.json("figures.json")["published"]:
        if hash_chain.publication_digest(held["publication"], held["figures"]) != held["content"]:
            wrong.append(f"the figures by {held['publication']['reading']} aren't what their digest says")
    published = {
        held["publication"]["reading"]: held["publication"]["inputs"] for held in opened.json("figures.json")["published"]
    }
    last = f"{month_end(month_from_text(opened.about['month']))}"
    for rest in opened.json("inputs.json")["rests"]:
        if rest["on"] == last and published[rest["reading"]] not in (rest["inputs"], rest["unerased"]):
            wrong.append(f"what the figures by {rest['reading']} rest on has changed since they were published")
    found.note("the published figures are what their digests say", wrong)


def _test(found: Verification, opened: Bundle) -> None:
    told = opened.json("licence.json")
    wrong = []
    entry = LicenceEntry.model_validate(told["entry"])
    if entry.digest != told["digest"]:
        wrong.append("the licence's entry isn't what its digest says")
    clause = next((c for c in entry.clauses if c.model_dump(mode="json") == told["clause"]), None)
    if clause is None or clause.threshold != told["threshold"] or entry.id != told["licence"]:
        wrong.append("the clause and its threshold aren't those of the licence's entry")
    for name, outcome in told["readings"].items():
        result = outcome.get("found") or outcome["result"]
        bounds = outcome["lower"], outcome["upper"]
        if result == "not_measured" and outcome["lower"] is None:
            continue
        if outcome["lower"] is None or decide(told["threshold"], *bounds, (clause and clause.comparator) or "gt") != result:
            wrong.append(f"by {name} the test found {result}, which doesn't follow from its bounds")
    wrong += _noted(opened, told)
    found.note(f"the test's results follow from the bounds and the threshold of {told['threshold']:,}", wrong)


def _noted(opened: Bundle, told: Told) -> Iterator[str]:
    """What of the test isn't as the ledger has it."""
    entries = hash_chain.from_lines((opened.folder / "ledger.jsonl").read_text(encoding="utf-8"))
    noted = {e.body.get("content") for e in entries if e.kind == "tested"}
    rows = {row["reading"]: row for row in told["noted"]}
    for name, outcome in told["readings"].items():
        row = rows.get(name)
        if row is None or hash_chain.digest_of(hash_chain.row_content(row)) not in noted:
            yield f"the test by {name} is in no entry of the ledger"
            continue
        same = {key: outcome[key] for key in ("result", "estimate", "lower", "upper", "of_record")}
        same |= {key: told[key] for key in ("licence", "licensee", "released", "threshold")}
        if {key: row[key] for key in same} != same:
            yield f"the test by {name} isn't the one that the ledger has"


def _bound(opened: Bundle) -> Iterator[str]:
    """What belongs to the signed figures and stands beside them."""
    published = [held["publication"] for held in opened.json("figures.json")["published"]]
    collected = opened.json("closing.json")["collected"]
    told = json.loads(published[0]["collected"]) if published[0]["collected"] else None
    if collected != told:
        yield "what was collected isn't what stands with the signed figures"
    if opened.about.get("public_key") != opened.public_key:
        yield "it is signed by another key than its list names"
    readings = opened.json("licence.json")["read"]
    month = month_from_text(opened.about["month"])
    released = opened.json("licence.json")["released"]
    wanted = {(r["name"], f"{month_end(month)}") for r in readings}
    wanted |= {(r["name"], released) for r in readings if r["membership"] == "release_date"}
    if {(rest["reading"], rest["on"]) for rest in opened.json("inputs.json")["rests"]} != wanted:
        yield "it doesn't say of each reading what its figures rest on"
    if {p["reading"] for p in published} != {r["name"] for r in readings}:
        yield "the figures aren't those of its readings"


def _gathered(opened: Bundle, group: Group) -> Iterator[str]:
    """Whether what the figures rest on is what their digest says: the members, what was due of them, and each contribution."""
    holder = BundleReader(opened)
    month = month_from_text(opened.about["month"])
    readings = {r.name: r for r in group.readings.readings}
    for rest in opened.json("inputs.json")["rests"]:
        on = date.fromisoformat(rest["on"])
        inputs = gather(holder, group, month, readings[rest["reading"]], on)
        if rest["inputs"] not in (inputs.digest, inputs.unerased):
            yield f"what the figures by {rest['reading']} of the group on {on} rest on isn't what their digest says"


def _membership(opened: Bundle, group: Group) -> Iterator[str]:
    for drawn in opened.json("group.json")["drawn"]:
        on = date.fromisoformat(drawn["on"])
        paths = group.affiliates(on, Decimal(drawn["control_share"]))
        if [{"entity": e, "path": [str(s) for s in p]} for e, p in paths.items()] != drawn["members"]:
            yield f"the group on {on} isn't what its ownership makes it"


def _again(found: Verification, opened: Bundle, group: Group) -> None:
    """All figures from the sketches."""
    holder = BundleReader(opened)
    told = opened.json("inputs.json")
    found.note(f"{len(holder.versions):,} contributions are what their digests say", list(_contributions(holder, opened)))
    month = month_from_text(opened.about["month"])
    published = {held["publication"]["reading"]: held for held in opened.json("figures.json")["published"]}
    outcomes = opened.json("licence.json")["readings"]
    wrong = list[str]()
    for rest in told["rests"]:
        (reading,) = (r for r in group.readings.readings if r.name == rest["reading"])
        on = date.fromisoformat(rest["on"])
        inputs = gather(holder, group, month, reading, on)
        measured = measure.measure(holder, group, inputs)
        held = published[reading.name]
        if on == month_end(month):
            wrong += _differing(measured, held)
        if (on != month_end(month)) == (reading.membership == "release_date"):
            outcome = outcomes[reading.name]
            figure = measured.group
            ours = measured.summed if reading.counts == "summed_products" else (figure.estimate, figure.lower, figure.upper)
            measured_at_all = (outcome.get("found") or outcome["result"]) != "not_measured"
            if measured_at_all and ours != (outcome["estimate"], outcome["lower"], outcome["upper"]):
                wrong.append(f"by {reading.name} the test was of other figures than the sketches give")
    found.note(f"all figures were made again from {len(holder.versions):,} contributions, and are the published ones", wrong)


def _contributions(holder: BundleReader, opened: Bundle) -> Iterator[str]:
    parts: dict[int, list[PartIdentity]] = {}
    details = {d["contribution"]: d for d in opened.json(DETAILS)["contributions"]}
    gone = set()
    for number, part in holder.read_parts(sorted(holder.versions)):
        events = details[number]["events"][f"{part.audience} {part.namespace}"]
        if part.registers is None:
            gone.add(number)
        else:
            parts.setdefault(number, []).append(PartIdentity(part.audience, part.namespace, part.registers.digest(), events))
    for number, v in holder.versions.items():
        if number not in gone and digest_of(v, details[number]["normalisation"], parts.get(number, [])) != v.digest:
            yield f"{v.ref}, {v.activity_date}: its sketches aren't what its digest says"


def _differing(measured: Measured, held: Told) -> Iterator[str]:
    figures: dict[str, Figure] = {"group": measured.group, **measured.affiliates, **measured.products}
    rows = {("group" if row["scope"] == "group" else row["subject"]): row for row in held["figures"]}
    if rows.keys() != figures.keys():
        yield f"the figures by {held['publication']['reading']} are of other affiliates and products"
        return
    for name, figure in figures.items():
        ours = {n: getattr(figure, n) for n in _OF_A_FIGURE} | asdict(figure.coverage) | {"reasons": "\n".join(figure.reasons)}
        other = [n for n, value in ours.items() if rows[name][n] != value]
        other += [] if math.isclose(rows[name]["standard_error"], figure.standard_error, rel_tol=1e-9) else ["standard_error"]
        if other:
            yield f"{name} by {held['publication']['reading']}: {', '.join(other)} made again differ"
