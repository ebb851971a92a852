"""What a bundle of evidence says, file by file: figures, the licence's test, membership and inputs. Nobody's personal data."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from affiliates.manifests.group import Group
from affiliates.manifests.readings import Reading
from affiliates.periods import month_days
from pipelines import hash_chain
from pipelines.evidence import binding, documents
from pipelines.evidence.binding import SignedBasis
from pipelines.evidence.documents import FigureBasis
from pipelines.hash_chain import LedgerEntry
from pipelines.licences.release_tests import Licence, LicenceTest
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import Publication


@dataclass(frozen=True)
class TestedLicence:
    """A licence's test, with the publications in force and what these and the test rest on."""

    test: LicenceTest
    published: Mapping[str, Publication]
    """By reading."""
    bases: Sequence[FigureBasis]
    signed: SignedBasis | None = None
    """What the month was signed on, where its signature keeps that."""

    def limited_to(self, names: Collection[str]) -> "TestedLicence":
        """The same, of the readings with these names alone."""
        kept = {name: outcome for name, outcome in self.test.readings.items() if name in names}
        published = {name: publication for name, publication in self.published.items() if name in names}
        bases = [basis for basis in self.bases if basis.reading.name in names]
        return replace(self, test=replace(self.test, readings=kept), published=published, bases=bases)

    @property
    def readings(self) -> list[Reading]:
        """The readings that it has figures of, in the order of readings.yaml."""
        return list({basis.reading.name: basis.reading for basis in self.bases}.values())


def contents(
    store: ContributionStore,
    group: Group,
    licence: Licence,
    tested: TestedLicence,
    today: date,
    entries: Sequence[LedgerEntry],
) -> dict[str, dict[str, Any]]:
    """The contents of a bundle's JSON files, by file name without its ending.

    `group`, `licence`: as the month was signed, where it was. `today`: the day on which grants are in force. `entries`: the
    ledger's.
    """
    days = month_days(licence.measured_month)
    cells = () if tested.signed else store.read_cells(days)
    namespaces = tested.signed.namespaces if tested.signed else sorted({cell.namespace for cell in cells})
    # A month is signed under all readings at once: each of its publications has the same.
    collected = tested.published[tested.readings[0].name].collected
    record = json.loads(collected) if collected else None
    return {
        "figures": {"published": _figures(store, tested, entries)},
        "licence": _licence(group, licence, tested, today) | {"noted": noted(store, licence, tested)},
        "group": _group(group, tested),
        "inputs": documents.inputs_document(tested.bases) | {"namespaces": namespaces},
        # What the month rests on stands in the other files, and with the publications.
        "closing": {"collected": record and {name: value for name, value in record.items() if name != documents.BASIS}},
    }


def noted(store: ContributionStore, licence: Licence, tested: TestedLicence) -> list[dict[str, Any]]:
    """The rows of the test as the store and its ledger have them, numbered by their place."""
    rows = publications.tests_of(store, licence.id, tested.test.licensee)
    shown = [row for row in rows if row["reading"] in tested.published]
    return [row | {"id": place} for place, row in enumerate(shown, 1)]


def _figures(store: ContributionStore, tested: TestedLicence, entries: Sequence[LedgerEntry]) -> list[dict[str, Any]]:
    """figures.json: publications and their figures, numbered by their place: the store's own numbers are nobody else's."""
    figures = []
    for place, reading in enumerate(tested.readings, 1):
        publication = tested.published[reading.name]
        row = asdict(publication) | {"not_counted": "\n".join(publication.not_counted)}
        rows = sorted(publications.figures_of(store, publication.id), key=lambda row: (row["scope"], row["subject"]))
        content = hash_chain.publication_digest(row, rows)
        of_month = documents.entries_of(entries, f"{publication.month:%Y-%m}", reading.name)
        row |= {"id": place, "supersedes": documents.superseded(of_month) if of_month else None}
        numbered = [figure | {"id": number, "publication": place} for number, figure in enumerate(rows, 1)]
        figures.append({"publication": row, "figures": numbered, "content": content})
    return figures


def _licence(group: Group, licence: Licence, tested: TestedLicence, today: date) -> dict[str, Any]:
    """licence.json: the test's results, the registry's entry and clause, the readings, and what was granted and accepted."""
    # Grants of other licensors are nobody's business who gets this bundle.
    of_licence = [grant for grant in group.grants.grants if licence.id in grant.licences]
    terms = binding.terms(group, licence)
    in_force = [grant | {"in_force": own.holds_on(today)} for grant, own in zip(terms["grants"], of_licence, strict=True)]
    return (
        tested.test.to_dict()
        | {
            "name": licence.name,
            "licensor": licence.entry.licensor,
            "entry": licence.entry.model_dump(mode="json"),
            "clause": licence.clause.model_dump(mode="json"),
            "digest": licence.entry.digest,
            "read": [documents.reading_document(reading) for reading in tested.readings],
            "grants_on": today,
        }
        | terms
        | {"grants": in_force}
    )


def _group(group: Group, tested: TestedLicence) -> dict[str, Any]:
    """group.json: who belongs to the group on the days that count, by which path, who doesn't, and the ownership behind it."""
    days = sorted({basis.on for basis in tested.bases})
    whole = tested.signed.document if tested.signed else documents.group_document(group, days)
    known = [entity["entity"] for entity in whole["entities"]]
    shares = {basis.reading.control_share for basis in tested.bases}
    return {**whole, "drawn": documents.drawn_document(group, days, shares, known)}
