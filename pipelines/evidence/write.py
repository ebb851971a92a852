"""What a third party needs to make a licence test's figures again, gathered from the store into two bundles.

`outside`: figures, method, membership, attestations, digests, the ledger; nobody's data. `expert`: the sketches too, which are
personal data: for whoever must compute everything anew. No forecast, scenario or alert is in either.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from importlib.metadata import version
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
PAGE = "evidence.pdf"
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
"""What a lawyer reads, of the outside bundle's files and `about`, as a PDF."""


@dataclass(frozen=True)
class FigureBasis:
    """What one reading's figures rest on."""

    reading: Reading
    on: date
    """The day on which the group is drawn."""
    inputs: Inputs


@dataclass(frozen=True)
class TestedLicence:
    """A licence's test, and what it and the month's published figures rest on."""

    test: LicenceTest
    published: Mapping[str, Publication]
    rests: Sequence[FigureBasis]


def write(workspace: Workspace, licence: Licence, to: Path, kinds: Sequence[Kind], page: Page) -> dict[Kind, str]:
    """Write a licence's bundles into a folder, and the page that is in them beside them; gives their SHA-256.

    Raises `RefusedError` where the month has no published figures.
    """
    group = workspace.group
    store = workspace.store_if_any()
    month = licence.measured_month
    key = group.settings.evidence_key
    private = workspace.directory / key if key else None
    if store is None:
        raise _nothing(month)
    to.mkdir(parents=True, exist_ok=True)
    done: dict[Kind, str] = {}
    with store.snapshot() as fixed, TemporaryDirectory(prefix="mauwatch-", dir=to) as room:
        found = _found(fixed, group, licence, workspace.today)
        entries = ledger.read(fixed)
        if wrong := ledger.faults(fixed):
            raise refused(
                Code.EVIDENCE_UNWRITABLE,
                "the ledger",
                "isn't what was noted",
                wrong[0],
                "find out who changed the store: mauwatch verify",
            )
        told = _told(fixed, group, licence, found)
        head = hash_chain.head_of(entries, month)
        about = {
            "group": group.settings.group,
            "licence": licence.id,
            "month": f"{month:%Y-%m}",
            "made_at": workspace.now.isoformat(timespec="seconds"),
            "made_by": f"mauwatch {version('mauwatch')}",
            "ledger_head": {"number": head.number, "digest": head.digest} if head else None,
            "public_key": signing.public_of(private) if private else None,
        }
        texts = {f"{name}.json": _json(said) for name, said in told.items()}
        sheets = page(
            {name.removesuffix(".json"): json.loads(text) for name, text in texts.items()} | {"about": about}, workspace.now
        )
        texts |= {"ledger.jsonl": "".join(f"{e.to_line()}\n" for e in entries), "method.txt": METHOD}
        (to / PAGE).write_bytes(sheets)
        for kind in kinds:
            folder = Path(room) / kind
            folder.mkdir()
            (folder / PAGE).write_bytes(sheets)
            for name, text in texts.items():
                (folder / name).write_text(text, encoding="utf-8")
            if kind == "expert":
                _write_sketches(fixed, found, folder)
            done[kind] = archive.write(to / f"{kind}.zip", folder, about | {"kind": kind}, private)
    return done


def _found(store: ContributionStore, group: Group, licence: Licence, today: date) -> TestedLicence:
    month = licence.measured_month
    published = {reading: p for (_, reading), p in publications.in_force(store, month).items()}
    rests: list[FigureBasis] = []
    for reading in group.readings.readings:
        if reading.name not in published:
            raise _nothing(month)
        up_to = published[reading.name].position if published[reading.name].signed else None
        days = [month_end(month), *([licence.released] if reading.membership == "release_date" else [])]
        rests += [FigureBasis(reading, on, inputs.gather(store, group, month, reading, on, up_to)) for on in days]
    (test, *_) = release_tests.run_tests(store, group, [licence], today=today)
    return TestedLicence(test, published, rests)


def _nothing(month: date) -> RefusedError:
    said = f"evidence for {month:%Y-%m}"
    return refused(
        Code.FIGURE_MISSING, said, "nothing was published for the month", "", "bring its contributions, and run: mauwatch run"
    )


def _told(store: ContributionStore, group: Group, licence: Licence, found: TestedLicence) -> dict[str, dict[str, Any]]:
    """The outside bundle's files, by name."""
    figures = []
    for reading in group.readings.readings:
        publication = found.published[reading.name]
        row = asdict(publication) | {"not_counted": "\n".join(publication.not_counted)}
        rows = publications.figures_of(store, publication.id)
        figures.append({"publication": row, "figures": rows, "content": hash_chain.publication_digest(row, rows)})
    closing = found.published[group.readings.readings[0].name].collected
    return {
        "figures": {"published": figures},
        "licence": _licence(group, licence, found) | {"noted": publications.tests_of(store, licence.id, found.test.licensee)},
        "group": _group(group, licence, found),
        "inputs": _inputs(found),
        "closing": {"collected": json.loads(closing) if closing else None},
    }


def _licence(group: Group, licence: Licence, found: TestedLicence) -> dict[str, Any]:
    record = next((r for r in group.readings.of_record if r.holds_on(licence.released)), None)
    return found.test.to_dict() | {
        "name": licence.name,
        "licensor": licence.entry.licensor,
        "entry": licence.entry.model_dump(mode="json"),
        "clause": licence.clause.model_dump(mode="json"),
        "digest": licence.entry.digest,
        "read": [r.model_dump(mode="json") for r in group.readings.readings],
        "of_record": record.model_dump(mode="json", by_alias=True) if record else None,
    }


def _group(group: Group, licence: Licence, found: TestedLicence) -> dict[str, Any]:
    """Who belongs to it on the days that count, by which path, and who doesn't: with the ownership that tells so."""
    days = sorted({rest.on for rest in found.rests})
    ties = {name: _ties(entity, days) for name, entity in group.entities.items()}
    known = {name: held for name, held in ties.items() if held or name == group.settings.ultimate_parent}
    shares = {rest.reading.control_share for rest in found.rests}
    drawn = []
    for on in days:
        for share in sorted(shares):
            paths = group.affiliates(on, share)
            outside = {e: group.why_outside(e, paths, on) for e in known if e not in paths}
            drawn.append(
                {
                    "on": on,
                    "control_share": share,
                    "members": [{"entity": e, "path": [str(s) for s in p]} for e, p in paths.items()],
                    "outside": [{"entity": e, "why": why} for e, why in outside.items()],
                }
            )
    return {
        "group": group.settings.group,
        "name": group.settings.name,
        "ultimate_parent": group.settings.ultimate_parent,
        "time_zone": group.settings.time_zone,
        "drawn": drawn,
        "epochs": [{"epoch": e.epoch, "from": e.from_} for e in group.settings.epochs],
        "entities": [
            {"entity": name, "name": group.entities[name].name, **held}
            | {"products": [_product(p) for p in group.entities[name].products]}
            for name, held in known.items()
        ],
    }


def _ties(entity: Entity, days: Sequence[date]) -> dict[str, list[dict[str, Any]]]:
    """Who owned or controlled it on any of these days; what came or comes later isn't said: a deal may not be known yet."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, ties in (("owned_by", entity.owned_by), ("controlled_by", entity.controlled_by)):
        held = [t for t in ties if any(t.holds_on(day) for day in days)]
        if held:
            ended = [t if t.to is None or t.to <= days[-1] else t.model_copy(update={"to": None}) for t in held]
            found[name] = [t.model_dump(mode="json", by_alias=True) for t in ended]
    return found


def _product(product: Product) -> dict[str, Any]:
    """What of a product decides what was due of it; not where its events lie."""
    said = product.model_dump(
        mode="json", by_alias=True, include={"product", "name", "active", "grain", "settles_after", "from_", "to"}
    )
    return {**said, "day_zone": product.day_zone}


def _inputs(found: TestedLicence) -> dict[str, Any]:
    """Each contribution that a figure rests on, by its digest; and what kinds of evidence they are."""
    versions = {v.id: v for rest in found.rests for v in rest.inputs.versions}
    given = {(g.ref, g.kind): g for rest in found.rests for g in rest.inputs.stated_counts.values()}
    first = found.rests[0].inputs
    grades = dict.fromkeys(("daily contributions", "monthly contributions", "a count", "a ceiling", "nothing"), 0)
    for ref, _ in first.due:
        mine = {v.grain for v in first.versions if v.ref == ref}
        number = first.stated_counts.get(ref)
        grades[_grade(mine, number)] += 1
    return {
        "contributions": [v.to_dict() for v in sorted(versions.values(), key=lambda v: v.id)],
        "given": [asdict(g) for _, g in sorted(given.items())],
        "rests": [
            {"reading": r.reading.name, "on": r.on, "inputs": r.inputs.digest, "unerased": r.inputs.unerased} for r in found.rests
        ],
        "grades": grades,
    }


def _grade(grains: Collection[str], given: StatedCount | None) -> str:
    if grains:
        return "daily contributions" if "day" in grains else "monthly contributions"
    return f"a {given.kind}" if given else "nothing"


def _write_sketches(store: ContributionStore, found: TestedLicence, folder: Path) -> None:
    """A Parquet file for each product, of what each of its contributions holds."""
    versions = {v.id: v for rest in found.rests for v in rest.inputs.versions}
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
    found: dict[str, list[int]] = {}
    for v in versions:
        found.setdefault(file_of(v), []).append(v.id)
    for name, ids in sorted(found.items()):
        yield name, sorted(ids)


def _json(said: Any) -> str:
    return json.dumps(json.loads(hash_chain.canonical(_plain(said))), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _plain(said: Any) -> Any:
    """Moments and decimals in the one form that digests are made of."""
    if isinstance(said, Mapping):
        return {str(k): _plain(v) for k, v in said.items()}
    if isinstance(said, list | tuple):
        return [_plain(v) for v in said]
    return said if said is None or isinstance(said, str | int | float | bool | date | datetime) else str(said)
