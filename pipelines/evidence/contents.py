"""What a bundle of evidence says, file by file: figures, the licence's test, membership and inputs. Nobody's personal data."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

from affiliates.manifests.group import Entity, Group
from affiliates.manifests.product import Product
from affiliates.manifests.readings import Reading
from affiliates.periods import month_days
from pipelines import hash_chain
from pipelines.counting.inputs import Inputs
from pipelines.licences.release_tests import Licence, LicenceTest
from pipelines.records import StatedCount
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import Publication


@dataclass(frozen=True)
class FigureBasis:
    """What a month's figures under one reading rest on, with the group of one day."""

    reading: Reading
    on: date
    """The day whose affiliates are the group: the month's last, or the release date."""
    inputs: Inputs


@dataclass(frozen=True)
class TestedLicence:
    """A licence's test, with the publications in force and what these and the test rest on."""

    test: LicenceTest
    published: Mapping[str, Publication]
    """By reading."""
    bases: Sequence[FigureBasis]

    def limited_to(self, names: Collection[str]) -> "TestedLicence":
        """The same, of the readings with these names alone."""
        kept = {name: outcome for name, outcome in self.test.readings.items() if name in names}
        published = {name: publication for name, publication in self.published.items() if name in names}
        bases = [basis for basis in self.bases if basis.reading.name in names]
        return TestedLicence(replace(self.test, readings=kept), published, bases)

    @property
    def readings(self) -> list[Reading]:
        """The readings that it has figures of, in the order of readings.yaml."""
        return list({basis.reading.name: basis.reading for basis in self.bases}.values())


def contents(
    store: ContributionStore, group: Group, licence: Licence, tested: TestedLicence, today: date
) -> dict[str, dict[str, Any]]:
    """The contents of a bundle's JSON files, by file name without its ending; `today`: the day on which grants are in force."""
    figures = []
    for reading in tested.readings:
        publication = tested.published[reading.name]
        row = asdict(publication) | {"not_counted": "\n".join(publication.not_counted)}
        rows = publications.figures_of(store, publication.id)
        figures.append({"publication": row, "figures": rows, "content": hash_chain.publication_digest(row, rows)})
    days = month_days(licence.measured_month)
    # A month is signed under all readings at once: each of its publications has the same.
    closing = tested.published[tested.readings[0].name].collected
    noted = [row for row in publications.tests_of(store, licence.id, tested.test.licensee) if row["reading"] in tested.published]
    return {
        "figures": {"published": figures},
        "licence": _licence(group, licence, tested, today) | {"noted": noted},
        "group": _group(group, tested),
        "inputs": _inputs(tested) | {"namespaces": sorted({cell.namespace for cell in store.read_cells(days)})},
        "closing": {"collected": json.loads(closing) if closing else None},
    }


def _licence(group: Group, licence: Licence, tested: TestedLicence, today: date) -> dict[str, Any]:
    """licence.json: the test's results, the registry's entry and clause, the readings, and what was granted and accepted."""
    record = next((entry for entry in group.readings.of_record if entry.holds_on(licence.released)), None)
    return tested.test.to_dict() | {
        "name": licence.name,
        "licensor": licence.entry.licensor,
        "entry": licence.entry.model_dump(mode="json"),
        "clause": licence.clause.model_dump(mode="json"),
        "digest": licence.entry.digest,
        "read": [reading.model_dump(mode="json") for reading in tested.readings],
        "of_record": record.model_dump(mode="json", by_alias=True) if record else None,
        # Grants of other licensors are nobody's business who gets this bundle.
        "grants": [
            grant.model_dump(mode="json", by_alias=True) | {"in_force": grant.holds_on(today)}
            for grant in group.grants.grants
            if licence.id in grant.licences
        ],
        "grants_on": today,
        "accepted": [a.model_dump(mode="json") for a in group.grants.accepted if a.licence == licence.id],
    }


def _group(group: Group, tested: TestedLicence) -> dict[str, Any]:
    """group.json: who belongs to the group on the days that count, by which path, who doesn't, and the ownership behind it."""
    days = sorted({basis.on for basis in tested.bases})
    ties = {name: _ties(entity, days) for name, entity in group.entities.items()}
    known = {name: of_days for name, of_days in ties.items() if of_days or name == group.settings.ultimate_parent}
    # Readings may differ in the share that is control, and so in who belongs to the group.
    shares = {basis.reading.control_share for basis in tested.bases}
    drawn = []
    for on in days:
        for share in sorted(shares):
            paths = group.affiliates(on, share)
            outside = {name: group.why_outside(name, paths, on) for name in known if name not in paths}
            drawn.append(
                {
                    "on": on,
                    "control_share": share,
                    "members": [{"entity": name, "path": [str(step) for step in path]} for name, path in paths.items()],
                    "outside": [{"entity": name, "why": why} for name, why in outside.items()],
                }
            )
    return {
        "group": group.settings.group,
        "name": group.settings.name,
        "ultimate_parent": group.settings.ultimate_parent,
        "time_zone": group.settings.time_zone,
        "namespaces": {name: namespace.model_dump(mode="json") for name, namespace in group.settings.namespaces.items()},
        "drawn": drawn,
        "epochs": [{"epoch": epoch.epoch, "from": epoch.from_} for epoch in group.settings.epochs],
        "entities": [
            {"entity": name, "name": group.entities[name].name, **of_days}
            | {"products": [_product(product) for product in group.entities[name].products]}
            for name, of_days in known.items()
        ],
    }


def _ties(entity: Entity, days: Sequence[date]) -> dict[str, list[dict[str, Any]]]:
    """Who owned or controlled an entity on at least one of these days.

    An end after the last of these days is left out: a deal may not be public yet.
    """
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for kind, ties in (("owned_by", entity.owned_by), ("controlled_by", entity.controlled_by)):
        of_days = [tie for tie in ties if any(tie.holds_on(day) for day in days)]
        if of_days:
            known = [tie if tie.to is None or tie.to <= days[-1] else tie.model_copy(update={"to": None}) for tie in of_days]
            by_kind[kind] = [tie.model_dump(mode="json", by_alias=True) for tie in known]
    return by_kind


def _product(product: Product) -> dict[str, Any]:
    """The settings of a product that decide what was due of the product; not where its events lie."""
    settings = {"product", "name", "active", "grain", "settles_after", "from_", "to"}
    return {**product.model_dump(mode="json", by_alias=True, include=settings), "day_zone": product.day_zone}


def _inputs(tested: TestedLicence) -> dict[str, Any]:
    """inputs.json: each contribution and stated count that a figure rests on, and the number of products by kind of evidence."""
    all_inputs = [basis.inputs for basis in tested.bases]
    versions = {version.id: version for rest in all_inputs for version in (*rest.versions, *rest.other_grain)}
    stated = [count for rest in all_inputs for count in (*rest.stated_counts.values(), *rest.ceilings.values())]
    given = {(count.ref, count.kind): count for count in stated}
    first = tested.bases[0].inputs
    grades = dict.fromkeys(("daily contributions", "monthly contributions", "a count", "a ceiling", "nothing"), 0)
    for ref, _ in first.due:
        grains = {version.grain for version in first.versions if version.ref == ref}
        grades[_grade(grains, first.stated_counts.get(ref))] += 1
    return {
        "contributions": [version.to_dict() for version in sorted(versions.values(), key=lambda version: version.id)],
        "given": [asdict(count) for _, count in sorted(given.items())],
        "rests": [
            {"reading": basis.reading.name, "on": basis.on, "inputs": basis.inputs.digest, "unerased": basis.inputs.unerased}
            for basis in tested.bases
        ],
        "grades": grades,
    }


def _grade(grains: Collection[str], given: StatedCount | None) -> str:
    """The kind of evidence that there is for a product: sketches before a stated number."""
    if grains:
        return "daily contributions" if "day" in grains else "monthly contributions"
    return f"a {given.kind}" if given else "nothing"
