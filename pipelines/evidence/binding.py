"""What a month rests on when it is signed, for the record that is kept with its signature: the ledger's entry binds it.

Evidence is written from this record afterwards, whatever the manifests and the registry say by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end
from pipelines import hash_chain
from pipelines.counting.inputs import gather
from pipelines.evidence import documents
from pipelines.evidence.bundle_reader import group_of
from pipelines.licences.release_tests import Licence, LicenceTest
from pipelines.records import ContributionReader
from pipelines.store.publications import Publication


def record_of(
    reader: ContributionReader,
    group: Group,
    month: date,
    reading: Reading,
    tests: Sequence[LicenceTest],
    namespaces: Sequence[str],
    today: date,
) -> dict[str, Any]:
    """What the figures of a month under a reading, and the licence tests of them, rest on.

    `tests`: all that rest on the month, for every licensee. `namespaces`: of the month's sketches. A licence that is released
    after `today` isn't in the record, since nobody knows yet who belongs to the group then.
    """
    of_parent = [test for test in tests if test.licensee == group.settings.ultimate_parent and test.licence.released <= today]
    released = {test.licence.released for test in of_parent}
    days = sorted({month_end(month), *(released if _by_release_date(group) else ())})
    own_days = days if reading.membership == "release_date" else [month_end(month)]
    rests = {}
    for on in own_days:
        inputs = gather(reader, group, month, reading, on)
        rests[f"{on}"] = {
            "inputs": inputs.unerased,
            "contributions": documents.contributions_digest(documents.all_versions(inputs)),
        }
    content: dict[str, Any] = {
        "days": days,
        "group": documents.group_document(group, days),
        "reading": documents.reading_document(reading),
        "rests": rests,
        "namespaces": sorted(namespaces),
        "licences": {test.licence.id: _licence(group, test, reading) for test in of_parent},
    }
    return dict(documents.plain(content))


def _by_release_date(group: Group) -> bool:
    return any(reading.membership == "release_date" for reading in group.readings.readings)


def _licence(group: Group, test: LicenceTest, reading: Reading) -> dict[str, Any]:
    """A licence's entry whole, and the rest as digests: a bundle about one licence shows nothing of another's grants."""
    outcome = test.readings[reading.name].to_dict()
    return {
        "entry": test.licence.entry.model_dump(mode="json"),
        "numbers": hash_chain.digest_of(documents.tested_document(outcome)),
        "open": documents.open_digest(outcome),
        "covered": documents.covered_digest(outcome),
        "terms": hash_chain.digest_of(terms(group, test.licence)),
    }


def terms(group: Group, licence: Licence) -> dict[str, Any]:
    """What the group knows of a licence besides its text: reading of record, grants, and who has accepted it."""
    adopted = next((entry for entry in group.readings.of_record if entry.holds_on(licence.released)), None)
    grants = [grant.model_dump(mode="json", by_alias=True) for grant in group.grants.grants if licence.id in grant.licences]
    accepted = [a.model_dump(mode="json") for a in group.grants.accepted if a.licence == licence.id]
    return documents.terms_document(adopted, grants, accepted)


@dataclass(frozen=True)
class SignedBasis:
    """What a signed month rests on, as evidence is written from it."""

    group: Group
    """Settings, ownership, products and readings as they were signed; grants and the reading of record as they are now."""
    licence: Licence
    """The licence with the entry that was signed."""
    days: Sequence[date]
    """The days whose ties the group has."""
    namespaces: Sequence[str]
    """Of the month's sketches."""
    document: Mapping[str, Any]
    """The group as the signature keeps it."""
    published: Mapping[str, Publication]
    """By reading, what was signed last; all at once."""


def signed_basis(group: Group, licence: Licence, in_force: Sequence[Publication]) -> SignedBasis | None:
    """What the month of a licence was signed on; null where nobody has signed it, or its signature keeps nothing of the licence.

    `in_force`: the month's publications. A month that was signed before there were such records has none, and neither has a
    licence that was released, or came into the registry, after the signing.
    """
    signed = [publication for publication in in_force if publication.signed]
    # By its number: a clock that was ahead has signed with a later moment. All readings are signed at once, so what was signed at
    # another moment is of a reading that is gone.
    last = max(signed, key=lambda publication: publication.id, default=None)
    newest = {publication.reading: publication for publication in signed if last and publication.known_at == last.known_at}
    bases = {name: documents.basis_of(publication.collected) for name, publication in newest.items()}
    kept = {name: basis for name, basis in bases.items() if basis is not None and licence.id in basis["licences"]}
    if not kept or len(kept) != len(newest):
        return None
    first = next(iter(kept.values()))
    # In the order of readings.yaml, as far as it still has them.
    order = [reading.name for reading in group.readings.readings]
    names = sorted(kept, key=lambda name: (order.index(name) if name in order else len(order), name))
    as_signed = group_of(first["group"], [kept[name]["reading"] for name in names])
    readings = as_signed.readings.model_copy(update={"of_record": group.readings.of_record})
    entry = type(licence.entry).model_validate(first["licences"][licence.id]["entry"])
    clause = next((clause for clause in entry.clauses if clause.id == licence.clause.id), None)
    if clause is None or clause.test_date is None:
        return None
    return SignedBasis(
        as_signed.model_copy(update={"readings": readings, "grants": group.grants, "alerting": group.alerting}),
        licence.model_copy(update={"entry": entry, "clause": clause, "name": entry.name, "released": clause.test_date}),
        [date.fromisoformat(day) for day in first["days"]],
        first["namespaces"],
        first["group"],
        {name: newest[name] for name in names},
    )
