"""Checks of licence.json: each value is made again from the entry, the figures and the signature, or named as not compared."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from affiliates.manifests.grants import AcceptedVersion, Grant
from affiliates.manifests.readings import OfRecord, Reading
from affiliates.periods import local_day, month_before
from pipelines import hash_chain
from pipelines.evidence import documents
from pipelines.evidence.documents import Json
from pipelines.evidence.opened_documents import OpenedDocuments
from pipelines.evidence.verification import Verification
from pipelines.licences.entry import Clause, LicenceEntry
from pipelines.licences.outcome import decide
from pipelines.records import summed_bounds

FILE = "licence.json"
_COVERAGE = ("days_expected", "days_present", "months_expected", "months_present")
_NOTED = (
    "id", "licence", "licensee", "reading", "released", "measured_month", "threshold", "result", "estimate", "lower", "upper",
    "of_record", "known_at",
)  # fmt: skip
SINCE = "it isn't as it was when the month was signed: the ledger doesn't bind what came since"


def results_differing(there: OpenedDocuments) -> Iterator[str]:
    """Whether the licence's entry has its digest, and each result follows from the bounds and the threshold."""
    test = there.licence
    entry = LicenceEntry.model_validate(test["entry"])
    if entry.digest != test["digest"]:
        yield "the licence's entry isn't what its digest says"
    # As models: a bundle that is older than a field of clauses has no key of it.
    tested = Clause.model_validate(test["clause"])
    clause = next((clause for clause in entry.clauses if clause == tested), None)
    if clause is None or clause.threshold != test["threshold"] or entry.id != test["licence"]:
        yield "the clause and its threshold aren't those of the licence's entry"
    if wanting := [reading["name"] for reading in test["read"] if reading["name"] not in test["readings"]]:
        yield f"there is no test by {', '.join(wanting)}"
    for name, outcome in test["readings"].items():
        # Bundles that are older than the key have no list of grants.
        if outcome["result"] == "granted" and not test.get("grants", True):
            yield f"by {name} the test is granted, and the bundle has no grant"
        # A grant hides the result by the numbers, which then stands beside it.
        result = outcome.get("found") or outcome["result"]
        bounds = (outcome["lower"], outcome["upper"])
        if result == "not_measured" and outcome["lower"] is None:
            continue
        if outcome["lower"] is None or decide(test["threshold"], *bounds, (clause and clause.comparator) or "gt") != result:
            yield f"by {name} the test found {result}, which doesn't follow from its bounds"


def documents_differing(verification: Verification, there: OpenedDocuments) -> Iterator[str]:
    """The places of licence.json that aren't what the rest of the bundle, and the signature, make them."""
    test = there.licence
    entry = LicenceEntry.model_validate(test["entry"])
    clause = next((clause for clause in entry.clauses if clause.id == test["clause"]["id"]), None)
    if clause is None or clause.test_date is None or clause.threshold is None:
        yield f"{FILE}: clause isn't one of the entry that is tested at a release"
        return
    released = clause.test_date
    grants = [Grant.model_validate({name: value for name, value in g.items() if name != "in_force"}) for g in test["grants"]]
    asked_on = local_day(datetime.fromisoformat(there.about["made_at"]), there.group.settings.time_zone)
    record = OfRecord.model_validate(test["of_record"]) if test["of_record"] else None
    wanted = {
        "licence": entry.id,
        "licensee": there.group.settings.ultimate_parent,
        "released": released,
        "measured_month": f"{month_before(released):%Y-%m}",
        "threshold": clause.threshold,
        "readings": {reading.name: _outcome(verification, there, clause, reading, record) for reading in there.readings},
        "name": entry.name,
        "licensor": entry.licensor,
        "entry": entry.model_dump(mode="json"),
        "clause": clause.model_dump(mode="json"),
        "digest": entry.digest,
        "read": [documents.reading_document(reading) for reading in there.readings],
        "of_record": record.model_dump(mode="json", by_alias=True) if record else None,
        "grants": [
            grant.model_dump(mode="json", by_alias=True) | {"in_force": grant.holds_on(asked_on)}
            for grant in grants
            if entry.id in grant.licences
        ],
        "grants_on": asked_on,
        "accepted": [
            accepted.model_dump(mode="json")
            for accepted in map(AcceptedVersion.model_validate, test["accepted"])
            if accepted.licence == entry.id
        ],
        "noted": list(_noted(there)),
    }
    yield from (f"{FILE}: {place} isn't what the rest makes it" for place in documents.differing(documents.plain(wanted), test))
    yield from _not_as_signed(verification, there, record)


def _noted(there: OpenedDocuments) -> Iterator[Json]:
    """The noted tests in their order, numbered by their place, each with the columns of its table and no others."""
    rows = {row["reading"]: row for row in there.licence["noted"]}
    for place, name in enumerate(sorted(reading.name for reading in there.readings), 1):
        # What the columns say is under the ledger's digest.
        yield {column: rows[name][column] for column in _NOTED} | {"id": place}


def _outcome(
    verification: Verification, there: OpenedDocuments, clause: Clause, reading: Reading, record: OfRecord | None
) -> dict[str, Any]:
    """A reading's result as the published figures make it; what they can't say is taken over, and named as not compared."""
    outcome: dict[str, Any] = there.licence["readings"][reading.name]
    at = f"{FILE}: readings.{reading.name}"
    numbers = _numbers(there, reading) if there.tests_the_month_end(reading) else None
    if numbers is None:
        numbers = {name: outcome[name] for name in ("estimate", "lower", "upper", "coverage", "complete")}
        if not there.basis and there.about["kind"] != "expert":
            verification.leave([f"{at}: {', '.join(numbers)}"], "the group of the release day has no published figure")
    threshold: int = there.licence["threshold"]
    estimate, lower, upper = numbers["estimate"], numbers["lower"], numbers["upper"]
    is_measured = lower is not None
    by_numbers = decide(threshold, lower, upper, clause.comparator or "gt") if is_measured else "not_measured"
    is_open = by_numbers in ("undetermined", "not_measured")
    covered = outcome["found"] is not None
    return numbers | {
        "result": outcome["result"] if covered else by_numbers,
        "found": by_numbers if covered else None,
        "why": outcome["why"] if covered else [],
        "of_record": record is not None and record.reading == reading.name and record.holds_on(there.released),
        "settled_by": outcome["settled_by"] if is_open else [],
        "settling": outcome["settling"] if by_numbers == "undetermined" else None,
        "headroom": None if estimate is None else threshold - estimate,
        "headroom_lower": None if upper is None else threshold - upper,
        "headroom_upper": None if lower is None else threshold - lower,
    }


def _numbers(there: OpenedDocuments, reading: Reading) -> dict[str, Any]:
    """What the published figures say of a reading's test: whoever it counts, as the reading says."""
    rows = there.by_reading[reading.name]["figures"]
    whole: Mapping[str, Any] = next(row for row in rows if row["scope"] == "group")
    estimate, lower, upper = whole["estimate"], whole["lower"], whole["upper"]
    if reading.counts == "summed_products":
        lower, upper = summed_bounds((row["lower"], row["upper"]) for row in rows if row["scope"] == "product")
        estimate = whole["summed_products"]
    coverage = {name: whole[name] for name in _COVERAGE}
    return {"estimate": estimate, "lower": lower, "upper": upper, "coverage": coverage, "complete": whole["complete"]}


def _not_as_signed(verification: Verification, there: OpenedDocuments, record: OfRecord | None) -> Iterator[str]:
    """What isn't as the month was signed: the entry and the test's numbers have to be, the rest may have changed since."""
    test = there.licence
    for reading in there.readings:
        signed = there.basis[reading.name] if there.basis else None
        outcome = test["readings"][reading.name]
        at = f"{FILE}: readings.{reading.name}"
        if signed is None:
            continue
        bound = signed["licences"][test["licence"]]
        entry = documents.differing(bound["entry"], test["entry"], "entry")
        yield from (f"{FILE}: {place} isn't what the month was signed by" for place in entry)
        yield from (
            f"{FILE}: {place} isn't what the month was signed by"
            for place in documents.differing(signed["reading"], documents.reading_document(reading), f"read.{reading.name}")
        )
        if hash_chain.digest_of(documents.tested_document(outcome)) != bound["numbers"]:
            yield f"{at}: the test's numbers aren't those that were signed"
        if documents.open_digest(outcome) != bound["open"]:
            verification.leave([f"{at}: settled_by, settling"], SINCE)
        if documents.covered_digest(outcome) != bound["covered"]:
            verification.leave([f"{at}: result, found, why"], SINCE)
        terms = documents.terms_document(record, test["grants"], test["accepted"])
        names = [f"{FILE}: of_record, grants, accepted, and the result under them"]
        if hash_chain.digest_of(terms) != bound["terms"] and not any(n.startswith(names[0]) for n in verification.not_compared):
            verification.leave(names, SINCE)
