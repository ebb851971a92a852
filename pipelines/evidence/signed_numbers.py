"""A signed month's test by the group of another day than the month's end, once sketches were erased: as it was signed.

No figure of that group is published, so the test's noted bounds stand (`release_tests`). The signature binds the digest of all
the test's numbers: what has that digest is what was signed.
"""

from collections.abc import Mapping
from dataclasses import replace

from pipelines import hash_chain
from pipelines.evidence import documents
from pipelines.licences.outcome import ReadingResult
from pipelines.licences.release_tests import LicenceTest
from pipelines.store.publications import Publication


def as_signed(test: LicenceTest, published: Mapping[str, Publication]) -> LicenceTest:
    """The test with the numbers that were signed, as far as these can be told: the check of the bundle says where they can't.

    `published`: by reading.
    """
    return replace(test, readings={name: _as_signed(test, name, published[name]) for name in test.readings})


def _as_signed(test: LicenceTest, reading: str, publication: Publication) -> ReadingResult:
    outcome = test.readings[reading]
    basis = documents.basis_of(publication.collected)
    bound = (basis or {}).get("licences", {}).get(test.licence.id)
    # Whether a test was complete isn't noted with its bounds.
    for candidate in (outcome, replace(outcome, complete=not outcome.complete)):
        if bound is None or _digest(candidate) == bound["numbers"]:
            return candidate
    return outcome


def _digest(outcome: ReadingResult) -> str:
    return hash_chain.digest_of(documents.tested_document(outcome.to_dict()))
