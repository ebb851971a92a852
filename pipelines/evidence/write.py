"""Writing evidence: bundles with what a third party needs to recompute the figures of a licence's test.

The outside bundle has figures, method, membership, grants, attestations, digests and the ledger, by the readings that were
chosen: nobody's personal data. The expert bundle has the sketches, too, which are personal data: it is for whoever must
recompute everything. The privileged bundle is as the outside one, by all readings, for counsel alone. None has a forecast, a
scenario or an alert.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import polars as pl

from affiliates import signing
from affiliates.concurrency import atomic_write, private_folder, temporary_folder
from affiliates.errors import Code, RefusedError, did_you_mean, refused
from affiliates.manifests.group import Group
from affiliates.periods import local_day, month_end
from pipelines import hash_chain
from pipelines.counting import inputs
from pipelines.evidence import archive, documents, signed_numbers
from pipelines.evidence.binding import signed_basis
from pipelines.evidence.bundle_reader import DETAILS, PARTS, file_of
from pipelines.evidence.contents import TestedLicence, contents
from pipelines.evidence.documents import PAGE, FigureBasis, Page
from pipelines.evidence.method_text import method_text
from pipelines.figures import changes
from pipelines.hash_chain import LedgerEntry
from pipelines.licences import release_tests
from pipelines.licences.release_tests import Licence
from pipelines.records import StoredContribution
from pipelines.store import ledger, publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import Publication
from pipelines.workspace import Workspace

Kind = Literal["outside", "expert", "privileged"]
"""Which bundle."""
PRIVILEGED_PAGE = "privileged.pdf"
"""The page of the privileged bundle, beside the bundles."""


@dataclass(frozen=True)
class Filing:
    """What is written, and for whom."""

    kinds: Sequence[Kind]
    readings: Sequence[str] = ()
    """Names of the readings that the outside and the expert bundle show; without any, the reading of record on the release
    date, or where none is, all of them."""
    addressee: str = ""
    """To whom the outside page is addressed; without one, to the licensor."""
    purpose: str = ""
    """What the page is for, in a sentence; without one, to show what the test finds."""
    page_made_with: str = ""
    """By which libraries the page is made: whoever has the same can make it again, byte for byte."""


@dataclass(frozen=True)
class Written:
    """What was written."""

    digests: Mapping[Kind, str]
    """Each bundle's SHA-256."""
    readings: Sequence[str]
    """The readings that the outside and the expert bundle show."""
    left_out: Sequence[str]
    """The readings that these don't show."""
    preliminary: bool
    """Whether nobody has signed the month."""


def write(workspace: Workspace, licence: Licence, to: Path, filing: Filing, page: Page) -> Written:
    """Write a licence's bundles (`outside.zip`, `expert.zip`, `privileged.zip`) and their pages into a folder.

    Raises `RefusedError` where the month has no published figures (FIGURE_MISSING), where the store isn't what its ledger
    noted (EVIDENCE_UNWRITABLE), and for a reading that nobody knows (MANIFEST_NAME_UNKNOWN).
    """
    store = workspace.store_if_any()
    key = workspace.group.settings.evidence_key
    private = workspace.directory / key if key else None
    if store is None:
        raise _no_figures(licence.measured_month)
    digests: dict[Kind, str] = {}
    # One snapshot: figures, tests and ledger of one moment.
    with store.snapshot() as fixed:
        group, licence, whole = _tested_licence(workspace, fixed, licence)
        chosen = _chosen_readings(group, licence, filing.readings)
        outside = whole.limited_to(chosen)
        if faults := ledger.faults(fixed):
            raise refused(
                Code.EVIDENCE_UNWRITABLE,
                "the ledger",
                "isn't what was noted",
                faults[0],
                "find out who changed the store: mauwatch verify",
            )
        entries = ledger.read(fixed)
        about = _about(workspace, group, licence, filing, hash_chain.head_of(entries, licence.measured_month), private)
        today = local_day(workspace.now, group.settings.time_zone)
        private_folder(to)
        # The folder is on the disk that has room for the bundles.
        with temporary_folder(to) as room:
            for kind in filing.kinds:
                tested = whole if kind == "privileged" else outside
                folder = room / kind
                folder.mkdir()
                named = about | {"kind": kind} | _heading(group, licence, filing, kind)
                files = contents(fixed, group, licence, tested, today, entries)
                texts = {f"{name}.json": _json(content) for name, content in files.items()}
                # The page is made from the texts as they are written, so it can't say anything else than the bundle.
                written = {name.removesuffix(".json"): json.loads(text) for name, text in texts.items()}
                pdf = page(written | {"about": named}, workspace.now)
                with atomic_write(to / (PRIVILEGED_PAGE if kind == "privileged" else PAGE), mode=0o600) as unfinished:
                    unfinished.write_bytes(pdf)
                (folder / PAGE).write_bytes(pdf)
                shown = _entries_shown(entries, licence.measured_month, written["licence"]["noted"])
                texts["ledger.jsonl"] = "".join(f"{entry.to_line()}\n" for entry in shown)
                texts["method.txt"] = method_text(max(publication.method for publication in tested.published.values()))
                for name, text in texts.items():
                    (folder / name).write_text(text, encoding="utf-8")
                if kind == "expert":
                    _write_sketches(fixed, tested, folder)
                digests[kind] = archive.write(to / f"{kind}.zip", folder, named, private)
    left_out = [name for name in whole.published if name not in chosen]
    return Written(digests, chosen, left_out, not any(publication.signed for publication in whole.published.values()))


def _about(
    workspace: Workspace, group: Group, licence: Licence, filing: Filing, head: LedgerEntry | None, private: Path | None
) -> dict[str, Any]:
    """What the list of each bundle says besides its files."""
    return {
        "group": group.settings.group,
        "licence": licence.id,
        "month": f"{licence.measured_month:%Y-%m}",
        "made_at": workspace.now.isoformat(timespec="seconds"),
        "made_by": f"mauwatch {metadata.version('mauwatch')}",
        "page_made_with": filing.page_made_with,
        "ledger_head": {"number": head.number, "digest": head.digest} if head else None,
        "public_key": signing.public_of(private) if private else None,
    }


def _entries_shown(entries: Sequence[LedgerEntry], month: date, noted: Sequence[Mapping[str, Any]]) -> Sequence[LedgerEntry]:
    """The ledger up to the month's head, or to the last of its tests: no printed head is of what came later.

    Of a month that nobody has signed, all entries.
    """
    head = hash_chain.head_of(entries, month)
    if head is None:
        return entries
    tests = [entry.number for row in noted if (entry := documents.noted_entry(entries, row))]
    return [entry for entry in entries if entry.number <= max(head.number, *tests)]


def _chosen_readings(group: Group, licence: Licence, names: Sequence[str]) -> list[str]:
    """The readings of the outside bundle, in the order of readings.yaml. Raises `RefusedError` for a name that nobody knows."""
    known = [reading.name for reading in group.readings.readings]
    if unknown := [name for name in names if name not in known]:
        hint = did_you_mean(unknown[0], known, several=True)
        raise refused(Code.MANIFEST_NAME_UNKNOWN, f"--reading {unknown[0]}", "no such reading", hint, "name one of readings.yaml")
    record = [adopted.reading for adopted in group.readings.of_record if adopted.holds_on(licence.released)]
    return [name for name in known if name in (names or record or known)]


def _heading(group: Group, licence: Licence, filing: Filing, kind: Kind) -> dict[str, str]:
    """Whom the page is for and what for, and the legend at its foot."""
    name = group.settings.name or group.settings.group
    privileged = kind == "privileged"
    purpose = filing.purpose or (
        f"to show what the test of section {licence.clause.section or licence.clause.id} of the {licence.name} finds for "
        f"{licence.measured_month:%B %Y}"
    )
    # Counsel's legend says that a text is privileged: on a page that goes outside it would be false.
    legend = (group.legend or "Privileged and confidential: for counsel alone.") if privileged else ""
    return {
        "addressee": f"counsel of {name}" if privileged else filing.addressee or licence.entry.licensor,
        "purpose": purpose,
        "legend": legend,
    }


def _tested_licence(workspace: Workspace, store: ContributionStore, licence: Licence) -> tuple[Group, Licence, TestedLicence]:
    """The licence's test, run again, with all that the bundle is written from: the group, the licence and the test.

    A month that was signed is shown as it was signed, whatever the manifests and the registry say by now. Raises `RefusedError`
    as `write` does.
    """
    month = licence.measured_month
    in_force = publications.in_force(store, month)
    signed = signed_basis(workspace.group, licence, list(in_force.values()))
    group, licence = (signed.group, signed.licence) if signed else (workspace.group, licence)
    published = signed.published if signed else {reading: publication for (_, reading), publication in in_force.items()}
    bases: list[FigureBasis] = []
    for reading in group.readings.readings:
        if reading.name not in published:
            raise _no_figures(month)
        # Published figures rest on what the store had then.
        up_to = published[reading.name].position
        days = [month_end(month), *([licence.released] if reading.membership == "release_date" else [])]
        method = published[reading.name].method
        bases += [FigureBasis(reading, on, inputs.gather(store, group, month, reading, on, up_to, method)) for on in days]
        _check_same_settings(store, group, published[reading.name], bases[-len(days)])
    # Figures by a reading that readings.yaml no longer has stay published, and are no part of the test.
    known = {reading.name: published[reading.name] for reading in group.readings.readings}
    test = release_tests.run_signed_test(store, group, licence, workspace.group, workspace.today)
    test = signed_numbers.as_signed(test, known)
    return group, licence, TestedLicence(test, known, bases, signed)


def _check_same_settings(store: ContributionStore, group: Group, publication: Publication, basis: FigureBasis) -> None:
    """Refuse a month that isn't signed, whose settings have changed: its figures couldn't be made again from the bundle."""
    if publication.signed or changes.is_same(publication, basis.inputs):
        return
    raise refused(
        Code.EVIDENCE_UNWRITABLE,
        f"evidence for {publication.month:%Y-%m}",
        "what the published figures rest on has changed since",
        "; ".join(changes.since_published(store, group, basis.reading, publication)),
        "publish the month with that, or take it back: mauwatch run",
    )


def _no_figures(month: date) -> RefusedError:
    return refused(
        Code.FIGURE_MISSING,
        f"evidence for {month:%Y-%m}",
        "nothing was published for the month",
        "",
        "bring its contributions, and run: mauwatch run",
    )


def _write_sketches(store: ContributionStore, tested: TestedLicence, folder: Path) -> None:
    """Write a Parquet file for each product, with the parts of its contributions, and the details that their digests cover."""
    versions = {version.id: version for basis in tested.bases for version in documents.all_versions(basis.inputs)}
    places = documents.numbers(tested.bases)
    details = [row | {"contribution": places[row["contribution"]]} for row in store.read_details(sorted(versions))]
    (folder / DETAILS).write_text(_json({"contributions": details}), encoding="utf-8")
    for name, ids in _by_product(versions.values()):
        rows = [
            (places[number], part.audience, part.namespace, part.registers.to_image() if part.registers else None, part.erased_at)
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
    return json.dumps(documents.plain(content), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
