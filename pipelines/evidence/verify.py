"""Checking a bundle of evidence: its bytes, its ledger, its figures; where it holds sketches, all figures are recomputed.

Each document is made again from what the ledger binds, and compared place by place. The check needs the bundle alone: no store,
no key, no database library. It names what it has checked, what it can't check, and what it hasn't compared with anything.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from affiliates.errors import RefusedError
from affiliates.periods import month_end
from pipelines import hash_chain
from pipelines.evidence import archive, check_documents, check_ledger, check_licence
from pipelines.evidence.archive import Bundle
from pipelines.evidence.check_sketches import check_sketches
from pipelines.evidence.documents import PAGE, Page
from pipelines.evidence.opened_documents import OpenedDocuments
from pipelines.evidence.verification import Verification

__all__ = ["Verification", "check"]

_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, OSError, RuntimeError)
"""What a document that our code hasn't written makes reading it raise."""


def check(
    path: Path, public_key: str | None = None, head: str | None = None, page: Page | None = None, page_made_with: str = ""
) -> Verification:
    """Check everything in a bundle.

    `public_key`: the key (base64) that has to have signed it. `head`: the digest of the month's ledger head, as it was printed.
    `page`: makes the PDF again, by the libraries that `page_made_with` names; without it the PDF isn't compared. Raises
    `RefusedError` (BUNDLE_CHANGED) for a file that is no bundle, or of which a byte was changed.
    """
    verification = Verification()
    with archive.open_bundle(path) as opened:
        verification.about = opened.about
        verification.sha256 = opened.sha256
        verification.public_key = opened.public_key
        verification.note(f"each byte is as its list says ({len(opened.files)} files)", [])
        try:
            _check_opened(verification, opened, public_key, head)
            _check_page(verification, opened, page, page_made_with)
        except RefusedError as error:
            verification.wrong.append(str(error))
        # Whoever signs may sign anything: a file that isn't as our code writes it is a finding, and no crash of the check.
        except _BROKEN as error:
            verification.wrong.append(f"a file isn't what a bundle of this format holds ({type(error).__name__})")
    return verification


def _check_opened(verification: Verification, opened: Bundle, public_key: str | None, head: str | None) -> None:
    """All checks but the page's. Raises what `_BROKEN` names for a document that our code hasn't written."""
    there = OpenedDocuments(opened)
    check_ledger.check_signature(verification, there, public_key, head)
    check_ledger.check_chain(verification, there, head)
    verification.note("the published figures are what their digests say", _figures_without_digest(there))
    faults = [*check_licence.results_differing(there), *check_ledger.tests_differing(there)]
    threshold = there.licence["threshold"]
    verification.note(f"the test's results follow from the bounds and the threshold of {threshold:,}", faults)
    verification.note("who is in the group follows from who owns whom", check_documents.membership_differing(there))
    verification.note("what the figures rest on is what their digests say", check_documents.inputs_differing(there))
    verification.note("what was collected, signed and read belongs to these figures", check_documents.not_of_the_figures(there))
    verification.note("the method is the one that has made the figures", check_documents.method_differing(there))
    check_documents.check_documents(verification, there)
    if opened.about.get("kind") == "expert":
        check_sketches(verification, there)
    else:
        check_documents.check_erased(verification, there)
        verification.unknown.append("whether the figures come out again: only the expert bundle holds sketches")


def _figures_without_digest(there: OpenedDocuments) -> Iterator[str]:
    """The figures that don't have their digest, or rest on something else than the bundle lists."""
    for one in there.published:
        if hash_chain.publication_digest(one["publication"], one["figures"]) != one["content"]:
            yield f"the figures by {one['publication']['reading']} aren't what their digest says"
    last = f"{month_end(there.month)}"
    for rest in there.inputs["rests"]:
        # The second digest is as if nothing had been erased: figures were published before their sketches were erased.
        published = there.by_reading[rest["reading"]]["publication"]["inputs"]
        if rest["on"] == last and published not in (rest["inputs"], rest["unerased"]):
            yield f"what the figures by {rest['reading']} rest on has changed since they were published"


def _check_page(verification: Verification, opened: Bundle, page: Page | None, made_with: str) -> None:
    """Whether the PDF is the one that the documents make; only the libraries that have made it make it again byte for byte."""
    there_made_with = opened.about.get("page_made_with")
    if page is None:
        verification.leave([PAGE], "the libraries that make it aren't installed: pip install 'mauwatch[group]'")
        return
    names = [name.removesuffix(".json") for name in opened.files if name.endswith(".json") and "/" not in name]
    content = {name: opened.json(f"{name}.json") for name in names if name != "details"}
    try:
        made = page(content | {"about": opened.about}, datetime.fromisoformat(opened.about["made_at"]))
    except RefusedError:
        made = b""
    if made == (opened.folder / PAGE).read_bytes():
        verification.note("the PDF says what the documents say", [])
        if there_made_with != made_with:
            verification.leave(["bundle.json: page_made_with"], f"the same page was made with {made_with}")
    elif there_made_with == made_with:
        verification.wrong.append("the PDF isn't the one that the documents make")
    else:
        verification.leave(
            [PAGE], f"it was made with {there_made_with or 'other libraries'}, and here is {made_with or 'nothing'}"
        )
