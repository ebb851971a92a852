"""Checks of a bundle's documents: each is made again from what is bound, and compared place by place."""

import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from decimal import Decimal

from affiliates.periods import month_end
from pipelines.counting.figure import Coverage, Figure
from pipelines.evidence import check_licence, documents
from pipelines.evidence.bundle_reader import DETAILS, file_of
from pipelines.evidence.method_text import method_text
from pipelines.evidence.opened_documents import LEDGER, OpenedDocuments
from pipelines.evidence.verification import Verification

METHOD = "method.txt"
_FILES = ("closing.json", "figures.json", "group.json", "inputs.json", "licence.json")
_ABOUT = {
    "group", "licence", "month", "made_at", "made_by", "page_made_with", "ledger_head", "public_key", "kind", "addressee",
    "purpose", "legend",
}  # fmt: skip
_PUBLICATION = {
    "id", "month", "reading", "state", "inputs", "method", "not_counted", "contributions_to", "counts_to", "signed_by", "despite",
    "reason", "supersedes", "collected", "known_at",
}  # fmt: skip
_FIGURE = {f.name for f in (*fields(Figure), *fields(Coverage))} - {"coverage"}
_FIGURE |= {"id", "publication", "month", "reading", "scope", "subject", "inputs", "known_at"}
_BOUND_BY_SIGNATURE = (
    "group.json: name, ultimate_parent, lg_k, namespaces, epochs, entities (names, owned_by, controlled_by, products), drawn",
    "inputs.json: namespaces; of contributions what the digest of the inputs leaves out (computed_at, definition, ...)",
    "licence.json: name, licensor, entry, clause, digest, threshold, released, licensee, read, of_record, grants, grants_on, "
    "accepted; of readings found, why, settled_by, settling",
)
"""What only the signature binds."""
_FIRST_FORMAT = (
    "figures.json, licence.json, inputs.json: id, publication, supersedes, keys without a value",
    "bundle.json: format, group, licence, kind, made_at, made_by, addressee, purpose, legend",
    "licence.json: readings: headroom, headroom_lower, headroom_upper, coverage, complete",
    "group.json: drawn: outside, on",
    "inputs.json: grades",
)
"""What isn't compared in a bundle of the first format."""


def check_documents(verification: Verification, there: OpenedDocuments) -> None:
    """Whether each document is what the others, and what the month was signed on, make it."""
    if not there.basis:
        signed = there.head is not None
        why = "no signature binds it: nobody has signed the month"
        why = "the month's signature doesn't bind it: it is older than such records, or than the licence" if signed else why
        verification.leave(_BOUND_BY_SIGNATURE, why)
    if not there.is_compared:
        if there.basis:
            verification.wrong.append("its format is older than the month's signature")
        verification.leave(_FIRST_FORMAT, "bundles of this format didn't say it in one way only")
        return
    verification.note("each file is there, and no other", _files_differing(there))
    verification.note("the documents say what the rest of the bundle makes of them", _documents_differing(verification, there))
    if there.basis:
        verification.note("settings, ownership and contributions are those that the month was signed on", _not_as_signed(there))


def membership_differing(there: OpenedDocuments) -> Iterator[str]:
    """The days on which the ownership in the bundle makes another group than the bundle says."""
    for drawn in there.group_json["drawn"]:
        on = date.fromisoformat(drawn["on"])
        paths = there.group.affiliates(on, Decimal(drawn["control_share"]))
        members = [{"entity": name, "path": [str(step) for step in path]} for name, path in paths.items()]
        if members != drawn["members"]:
            yield f"the group on {on} isn't what its ownership makes it"


def inputs_differing(there: OpenedDocuments) -> Iterator[str]:
    """The readings whose inputs (members, what was due of them, each contribution) don't have the digest that they ought to."""
    rests = {(rest["reading"], rest["on"]): rest for rest in there.inputs["rests"]}
    for basis in there.bases:
        rest = rests.get((basis.reading.name, f"{basis.on}"))
        if rest is not None and rest["inputs"] not in (basis.inputs.digest, basis.inputs.unerased):
            yield f"what the figures by {basis.reading.name} of the group on {basis.on} rest on isn't what their digest says"


def not_of_the_figures(there: OpenedDocuments) -> Iterator[str]:
    """What stands beside the signed figures and isn't theirs: attestations, readings and days."""
    collected = there.published[0]["publication"]["collected"]
    signed = json.loads(collected) if collected else None
    if signed:
        signed.pop(documents.BASIS, None)
    if any(documents.differing(signed, there.closing["collected"])):
        yield "what was collected isn't what stands with the signed figures"
    # A group is drawn on the month's last day, and for readings by the release date on that day, too.
    wanted = [(reading.name, f"{on}") for reading in there.readings for on in there.days_of(reading)]
    if sorted((rest["reading"], rest["on"]) for rest in there.inputs["rests"]) != sorted(wanted):
        yield "it doesn't say of each reading what its figures rest on"
    if [one["publication"]["reading"] for one in there.published] != [reading.name for reading in there.readings]:
        yield "the figures aren't those of its readings"


def method_differing(there: OpenedDocuments) -> Iterator[str]:
    """Whether method.txt is the text of the way of counting that has made the figures."""
    method = max(one["publication"]["method"] for one in there.published)
    if (there.opened.folder / METHOD).read_text(encoding="utf-8") != method_text(method):
        yield f"{METHOD} isn't the text of the way of counting number {method}"


def _files_differing(there: OpenedDocuments) -> Iterator[str]:
    """The files that a bundle of this kind doesn't have, and those that are wanting."""
    wanted = {*_FILES, LEDGER, METHOD, documents.PAGE}
    if there.about["kind"] == "expert":
        wanted |= {DETAILS, *(file_of(version) for version in there.reader.versions.values())}
    for name in sorted(wanted ^ set(there.opened.files)):
        yield f"{name} {'is wanting' if name in wanted else 'is no file of such a bundle'}"


def _documents_differing(verification: Verification, there: OpenedDocuments) -> Iterator[str]:
    """The places at which a document isn't what the rest makes it."""
    yield from _list_differing(there)
    yield from _figures_differing(there)
    days = sorted({basis.on for basis in there.bases})
    # A signed month's group is shown with the ties of all days that its signature was about.
    basis = next(iter(there.basis.values()), None)
    tie_days = [date.fromisoformat(day) for day in basis["days"]] if basis else days
    whole = documents.group_document(there.group, tie_days)
    known = [entity["entity"] for entity in whole["entities"]]
    shares = {reading.control_share for reading in there.readings}
    whole |= {"drawn": documents.drawn_document(there.group, days, shares, known)}
    yield from (_made("group.json", place) for place in documents.differing(documents.plain(whole), there.group_json))
    namespaces = basis["namespaces"] if basis else there.inputs["namespaces"]
    inputs = documents.plain(documents.inputs_document(there.bases) | {"namespaces": namespaces})
    yield from (_made("inputs.json", place) for place in documents.differing(inputs, there.inputs))
    closing = {"collected": there.closing["collected"]}
    yield from (_made("closing.json", place) for place in documents.differing(closing, there.closing))
    yield from check_licence.documents_differing(verification, there)


def _made(file: str, place: str) -> str:
    return f"{file}: {place} isn't what the rest makes it"


def _list_differing(there: OpenedDocuments) -> Iterator[str]:
    """What the bundle's list says otherwise than its documents."""
    about = there.about
    if set(about) != _ABOUT:
        yield "bundle.json: its keys aren't those of such a list"
    wanted = {"group": there.group_json["group"], "licence": there.licence["licence"], "month": there.licence["measured_month"]}
    yield from (f"bundle.json: {name} isn't that of the documents" for name, value in wanted.items() if about.get(name) != value)
    # Only the page holds these words, and it is the same for no text and for none at all.
    texts = ("made_at", "made_by", "page_made_with", "addressee", "purpose", "legend")
    if not all(isinstance(about.get(name), str) for name in texts):
        yield f"bundle.json: {', '.join(texts)} aren't all texts"
    if about.get("kind") not in ("outside", "expert", "privileged"):
        yield "bundle.json: there is no such kind of bundle"


def _figures_differing(there: OpenedDocuments) -> Iterator[str]:
    """Rows of figures.json with other keys, numbers or order than the ledger's digests leave open."""
    if set(there.opened.json("figures.json")) != {"published"}:
        yield "figures.json: its keys aren't those of such a file"
    for place, one in enumerate(there.published, 1):
        row, figures = one["publication"], one["figures"]
        at = f"figures.json: published[{place - 1}]"
        if set(one) != {"publication", "figures", "content"} or set(row) != _PUBLICATION:
            yield f"{at}: its keys aren't those of a publication"
        of_month = documents.entries_of(there.entries, f"{there.month:%Y-%m}", row["reading"])
        own = {"id": place, "supersedes": documents.superseded(of_month) if of_month else None}
        if any(documents.differing(own, {"id": row["id"], "supersedes": row["supersedes"]})):
            yield f"{at}: id and supersedes aren't its place and the entry that it restates"
        numbered = [[figure["id"], figure["publication"]] for figure in figures]
        if any(documents.differing([[number, place] for number in range(1, len(figures) + 1)], numbered)):
            yield f"{at}: the figures aren't numbered by their place"
        subjects = [(figure["scope"], figure["subject"]) for figure in figures]
        if subjects != sorted(set(subjects)) or any(set(figure) != _FIGURE for figure in figures):
            yield f"{at}: the figures aren't each there once, in order, with the keys of a figure"
        if row["month"] != f"{there.month}":
            yield f"{at}: it is of another month"


def _not_as_signed(there: OpenedDocuments) -> Iterator[str]:
    """What isn't as the month was signed: settings, ownership, products, and contributions."""
    shown = {name: value for name, value in there.group_json.items() if name != "drawn"}
    for reading in there.readings:
        basis = there.basis[reading.name]
        yield from (
            f"group.json: {place} isn't what the month was signed on" for place in documents.differing(basis["group"], shown)
        )
        for on in there.days_of(reading):
            inputs = there.basis_at(reading, on).inputs
            bound = basis["rests"].get(f"{on}", {})
            if bound != {
                "inputs": inputs.unerased,
                "contributions": documents.contributions_digest(documents.all_versions(inputs)),
            }:
                yield f"inputs.json: what {reading.name} rests on, for the group on {on}, isn't what the month was signed on"


def check_erased(verification: Verification, there: OpenedDocuments) -> bool:
    """Name what was erased since the figures were published; gives whether anything was."""
    erased = False
    for reading in there.readings:
        inputs = there.basis_at(reading, month_end(there.month)).inputs
        erased |= there.by_reading[reading.name]["publication"]["inputs"] != inputs.digest
    if erased:
        verification.leave(["inputs.json: contributions: erased_at"], "sketches were erased since the figures were published")
    return erased
