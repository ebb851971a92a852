"""Checks of a bundle's signature and ledger: the chain, the printed head, and an entry for all that was published and tested."""

from collections.abc import Iterator

from pipelines import hash_chain
from pipelines.evidence import documents
from pipelines.evidence.documents import Json
from pipelines.evidence.opened_documents import LEDGER, OpenedDocuments
from pipelines.evidence.verification import Verification

_OF_PUBLICATION = ("reading", "state", "inputs", "method")
TEST_COLUMNS = ("licence", "licensee", "released", "threshold")
"""Columns of a noted test that licence.json has, too."""


def check_signature(verification: Verification, there: OpenedDocuments, public_key: str | None, head: str | None) -> None:
    """Whether the bundle is signed, by the key that is named and by the one that the month was signed with.

    That its bytes fit the signature is checked already, by opening it.
    """
    own = there.opened.public_key
    bound = there.months_key
    if own is None:
        faults = ["it isn't signed, and the month was signed with a key"] if bound else []
        verification.wrong += [*faults, *(["it isn't signed, and a key was named"] if public_key else [])]
        verification.unknown += [] if faults else ["who made it: it isn't signed"]
        return
    faults = ["it is signed by another key"] if public_key not in (None, own) else []
    faults += ["it is signed by another key than the month was"] if bound not in (None, own) else []
    faults += ["it is signed by another key than its list names"] if there.about.get("public_key") != own else []
    verification.note("signed by the key that was named" if public_key else f"signed by {own}", faults)
    is_known = bound == own and there.head is not None and there.head.digest == head
    if public_key is None and not is_known:
        verification.unknown.append("whose key that is: compare it with the one that you know, by --public-key")


def check_chain(verification: Verification, there: OpenedDocuments, head: str | None) -> None:
    """Whether the chain is whole, ends for the month as it was printed, and has an entry for each published figure."""
    entries = there.entries
    verification.note(f"the ledger is whole ({len(entries)} entries)", hash_chain.faults(entries))
    last = there.head
    if any(documents.differing(last and {"number": last.number, "digest": last.digest}, there.about["ledger_head"])):
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
    if last and entries[-1] != last:
        names = [f"{LEDGER}: the entries {last.number + 1} to {entries[-1].number}, and the tests that they note"]
        verification.leave(names, "they came after the month's head")
    verification.wrong += _publications_differing(verification, there)


def _publications_differing(verification: Verification, there: OpenedDocuments) -> Iterator[str]:
    """The publications that the ledger doesn't have, has otherwise, or has a later one of."""
    # A store that is older than its ledger has publications that only the digest of the first entry covers.
    began = any(entry.kind == "began" for entry in there.entries)
    for one in there.published:
        row = one["publication"]
        of_month = documents.entries_of(there.entries, f"{there.month:%Y-%m}", row["reading"])
        entry = next((entry for entry in of_month if entry.body.get("content") == one["content"]), None)
        if entry is None:
            sentence = f"the publication by {row['reading']} is in no entry of the ledger"
            if began:
                verification.unknown.append(sentence)
            else:
                yield sentence
        elif entry != of_month[-1]:
            yield f"the ledger has a later publication by {row['reading']}"
        elif {name: row[name] for name in _OF_PUBLICATION} != {name: entry.body.get(name) for name in _OF_PUBLICATION}:
            yield f"the publication by {row['reading']} isn't as its entry in the ledger names it"
    shown = {one["publication"]["reading"] for one in there.published}
    of_month = [e for e in there.entries if e.kind == "published" and e.body.get("month") == f"{there.month:%Y-%m}"]
    head = there.head
    # All readings are signed at once, so the head's neighbours are the readings that were signed with it.
    named = {e.body.get("reading"): e for e in of_month if head is None or e.at == head.at}
    verification.not_shown = sorted(str(reading) for reading in named if reading not in shown)


def tests_differing(there: OpenedDocuments) -> Iterator[str]:
    """The results of the test that the ledger doesn't have, has otherwise, or has a later one of."""
    test = there.licence
    rows: dict[str, Json] = {row["reading"]: row for row in test["noted"]}
    for name, outcome in test["readings"].items():
        row = rows.get(name)
        entry = documents.noted_entry(there.entries, row) if row else None
        if row is None or entry is None:
            yield f"the test by {name} is in no entry of the ledger"
            continue
        wanted = {key: row[key] for key in ("licence", "licensee", "reading")}
        later = [e for e in there.entries if e.kind == "tested" and {key: e.body.get(key) for key in wanted} == wanted]
        if later and later[-1] != entry:
            yield f"the ledger has a later test by {name}"
        same = {key: outcome[key] for key in ("result", "estimate", "lower", "upper", "of_record")}
        same |= {key: test[key] for key in TEST_COLUMNS} | {"measured_month": f"{there.month}"}
        if {key: row[key] for key in same} != same:
            yield f"the test by {name} isn't the one that the ledger has"
