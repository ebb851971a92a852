"""Writing evidence: two bundles with what a third party needs to recompute the figures of a licence's test.

The outside bundle has figures, method, membership, attestations, digests and the ledger: nobody's personal data. The expert
bundle has the sketches, too, which are personal data: it is for whoever must recompute everything. Neither has a forecast, a
scenario or an alert.

Over 300 lines: one function for each file of a bundle.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import polars as pl

from affiliates import signing
from affiliates.errors import Code, RefusedError, refused
from affiliates.manifests.group import Entity, Group
from affiliates.manifests.product import Product
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end
from pipelines import hash_chain
from pipelines.counting import inputs
from pipelines.counting.inputs import Inputs
from pipelines.evidence import archive
from pipelines.evidence.bundle_reader import DETAILS, PARTS, file_of
from pipelines.licences import release_tests
from pipelines.licences.release_tests import Licence, LicenceTest
from pipelines.records import StatedCount, StoredContribution
from pipelines.store import ledger, publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import Publication
from pipelines.workspace import Workspace

Kind = Literal["outside", "expert"]
"""Which bundle."""
PAGE = "evidence.pdf"
"""The file of the page, in each bundle and beside the bundles."""
# Part of every bundle, word by word: a changed text changes bundles' digests.
METHOD = """\
Each affiliate turns its users' identifiers into keys by a secret that the group shares (HMAC-SHA256 over the normalised
identifier and its namespace), and hands over a HyperLogLog sketch of the keys for each product and day, or month. No identifier
leaves it. A canary in each contribution, a sketch of fixed identifiers, proves that normalisation, key and hash were the group's.

The centre unites the sketches of all products of the members of the group, whoever owns them: within a namespace (a kind of
identifier) each key counts once. Across namespaces that no crosswalk joins nobody can tell who is who: between all the same
people and all different ones lies the identity interval.

The estimate takes unjoined namespaces for different people. The interval reaches from the 95 % lower bound if they are the same
to the 95 % upper bound if they are different, with counts and ceilings of products that gave no sketch. There is no upper bound
while anything that was due is missing or was computed before its late events had arrived, and nothing stands in for it.

A test is under the threshold only when there is an upper bound and it doesn't exceed it; over only when the lower bound does;
else it is undetermined.
"""


Page = Callable[[Mapping[str, Any], datetime], bytes]
"""Makes the page that a lawyer reads, as a PDF, from the outside bundle's JSON by name (and `about`), and the time."""


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


def write(workspace: Workspace, licence: Licence, to: Path, kinds: Sequence[Kind], page: Page) -> dict[Kind, str]:
    """Write a licence's bundles (`outside.zip`, `expert.zip`) and the page into a folder; gives each bundle's SHA-256.

    Raises `RefusedError` where the month has no published figures (FIGURE_MISSING), and where the store isn't what its ledger
    noted (EVIDENCE_UNWRITABLE).
    """
    group = workspace.group
    store = workspace.store_if_any()
    month = licence.measured_month
    key = group.settings.evidence_key
    private = workspace.directory / key if key else None
    if store is None:
        raise _no_figures(month)
    to.mkdir(parents=True, exist_ok=True)
    digests: dict[Kind, str] = {}
    # One snapshot: figures, tests and ledger of one moment. The folder is on the disk that has room for the bundles.
    with store.snapshot() as fixed, TemporaryDirectory(prefix="mauwatch-", dir=to) as room:
        tested = _tested_licence(fixed, group, licence, workspace.today)
        entries = ledger.read(fixed)
        if faults := ledger.faults(fixed):
            raise refused(
                Code.EVIDENCE_UNWRITABLE,
                "the ledger",
                "isn't what was noted",
                faults[0],
                "find out who changed the store: mauwatch verify",
            )
        contents = _outside_contents(fixed, group, licence, tested)
        head = hash_chain.head_of(entries, month)
        about = {
            "group": group.settings.group,
            "licence": licence.id,
            "month": f"{month:%Y-%m}",
            "made_at": workspace.now.isoformat(timespec="seconds"),
            "made_by": f"mauwatch {metadata.version('mauwatch')}",
            "ledger_head": {"number": head.number, "digest": head.digest} if head else None,
            "public_key": signing.public_of(private) if private else None,
        }
        texts = {f"{name}.json": _json(content) for name, content in contents.items()}
        # The page is made from the texts as they are written, so it can't say anything else than the bundle.
        written = {name.removesuffix(".json"): json.loads(text) for name, text in texts.items()}
        pdf = page(written | {"about": about}, workspace.now)
        texts |= {"ledger.jsonl": "".join(f"{entry.to_line()}\n" for entry in entries), "method.txt": METHOD}
        (to / PAGE).write_bytes(pdf)
        for kind in kinds:
            folder = Path(room) / kind
            folder.mkdir()
            (folder / PAGE).write_bytes(pdf)
            for name, text in texts.items():
                (folder / name).write_text(text, encoding="utf-8")
            if kind == "expert":
                _write_sketches(fixed, tested, folder)
            digests[kind] = archive.write(to / f"{kind}.zip", folder, about | {"kind": kind}, private)
    return digests


def _tested_licence(store: ContributionStore, group: Group, licence: Licence, today: date) -> TestedLicence:
    """The licence's test, run again, with all that the bundle is written from. Raises `RefusedError` as `write` does."""
    month = licence.measured_month
    published = {reading: publication for (_, reading), publication in publications.in_force(store, month).items()}
    bases: list[FigureBasis] = []
    for reading in group.readings.readings:
        if reading.name not in published:
            raise _no_figures(month)
        # A signed month rests on what the store had then, a preliminary one on what it has now.
        up_to = published[reading.name].position if published[reading.name].signed else None
        days = [month_end(month), *([licence.released] if reading.membership == "release_date" else [])]
        bases += [FigureBasis(reading, on, inputs.gather(store, group, month, reading, on, up_to)) for on in days]
    (test, *_) = release_tests.run_tests(store, group, [licence], today=today)
    return TestedLicence(test, published, bases)


def _no_figures(month: date) -> RefusedError:
    return refused(
        Code.FIGURE_MISSING,
        f"evidence for {month:%Y-%m}",
        "nothing was published for the month",
        "",
        "bring its contributions, and run: mauwatch run",
    )


def _outside_contents(
    store: ContributionStore, group: Group, licence: Licence, tested: TestedLicence
) -> dict[str, dict[str, Any]]:
    """The contents of the outside bundle's JSON files, by file name without its ending."""
    figures = []
    for reading in group.readings.readings:
        publication = tested.published[reading.name]
        row = asdict(publication) | {"not_counted": "\n".join(publication.not_counted)}
        rows = publications.figures_of(store, publication.id)
        figures.append({"publication": row, "figures": rows, "content": hash_chain.publication_digest(row, rows)})
    # A month is signed under all readings at once: each of its publications has the same.
    closing = tested.published[group.readings.readings[0].name].collected
    noted = publications.tests_of(store, licence.id, tested.test.licensee)
    return {
        "figures": {"published": figures},
        "licence": _licence(group, licence, tested) | {"noted": noted},
        "group": _group(group, tested),
        "inputs": _inputs(tested),
        "closing": {"collected": json.loads(closing) if closing else None},
    }


def _licence(group: Group, licence: Licence, tested: TestedLicence) -> dict[str, Any]:
    """licence.json: the test's results, the registry's entry and clause, and the readings."""
    record = next((entry for entry in group.readings.of_record if entry.holds_on(licence.released)), None)
    return tested.test.to_dict() | {
        "name": licence.name,
        "licensor": licence.entry.licensor,
        "entry": licence.entry.model_dump(mode="json"),
        "clause": licence.clause.model_dump(mode="json"),
        "digest": licence.entry.digest,
        "read": [reading.model_dump(mode="json") for reading in group.readings.readings],
        "of_record": record.model_dump(mode="json", by_alias=True) if record else None,
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
    versions = {version.id: version for basis in tested.bases for version in basis.inputs.versions}
    given = {(count.ref, count.kind): count for basis in tested.bases for count in basis.inputs.stated_counts.values()}
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


def _write_sketches(store: ContributionStore, tested: TestedLicence, folder: Path) -> None:
    """Write a Parquet file for each product, with the parts of its contributions, and the details that their digests cover."""
    versions = {version.id: version for basis in tested.bases for version in basis.inputs.versions}
    (folder / DETAILS).write_text(_json({"contributions": store.read_details(sorted(versions))}), encoding="utf-8")
    for name, ids in _by_product(versions.values()):
        rows = [
            (number, part.audience, part.namespace, part.registers.to_image() if part.registers else None, part.erased_at)
            for number, part in store.read_parts(ids)
        ]
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(rows, schema=PARTS, orient="row").write_parquet(path, compression="zstd")


def _by_product(versions: Iterable[StoredContribution]) -> Iterator[tuple[str, list[int]]]:
    """Each product's file of sketches, with the numbers of its contributions, both in order."""
    by_file: dict[str, list[int]] = {}
    for version in versions:
        by_file.setdefault(file_of(version), []).append(version.id)
    for name, ids in sorted(by_file.items()):
        yield name, sorted(ids)


def _json(content: Any) -> str:
    """Indented JSON for people, with values in the form that digests are made of: moments in UTC, decimals as text."""
    return json.dumps(json.loads(hash_chain.canonical(_plain(content))), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _plain(value: Any) -> Any:
    """The value with what `canonical` doesn't take, such as decimals, as text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float | bool | date | datetime) else str(value)
