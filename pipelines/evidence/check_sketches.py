"""Checks of an expert bundle's sketches: contributions have their digests, and all figures come out of the sketches again."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from affiliates.contributions.contract import PartIdentity, digest_of
from affiliates.manifests.readings import Reading
from affiliates.periods import month_end
from pipelines.counting import measure
from pipelines.counting.figure import Figure
from pipelines.counting.measure import Measured
from pipelines.evidence.bundle_reader import DETAILS
from pipelines.evidence.check_documents import check_erased
from pipelines.evidence.documents import Json
from pipelines.evidence.opened_documents import OpenedDocuments
from pipelines.evidence.verification import Verification

_FIGURE_FIELDS = (
    "estimate", "lower", "upper", "identity_low", "identity_high", "summed_products", "complete", "lg_k", "unidentified_events",
    "undecided_events",
)  # fmt: skip


def check_sketches(verification: Verification, there: OpenedDocuments) -> None:
    """Whether the contributions have their digests, and all figures come out of the sketches again, by counting's own code."""
    number = len(there.reader.versions)
    faults = list(_contributions_differing(verification, there))
    verification.note(f"{number:,} contributions are what their digests say", faults)
    if check_erased(verification, there):
        verification.unknown.append("whether the figures come out again: sketches were erased since")
        return
    wrong = list[str]()
    for basis in there.bases:
        measured = measure.measure(there.reader, there.group, basis.inputs)
        if basis.on == month_end(there.month):
            wrong += _figures_differing(measured, there.by_reading[basis.reading.name])
        # The test asks about the release day's group where the reading says so, else about the month's.
        if basis.on == there.days_of(basis.reading)[-1]:
            wrong += _test_differing(measured, basis.reading, there.licence["readings"][basis.reading.name])
    verification.note(f"all figures were made again from {number:,} contributions, and are the published ones", wrong)


def _test_differing(measured: Measured, reading: Reading, outcome: Json) -> Iterator[str]:
    """Whether the test of a reading was of other figures than the recomputed ones."""
    figure = measured.group
    ours = measured.summed if reading.counts == "summed_products" else (figure.estimate, figure.lower, figure.upper)
    if (outcome.get("found") or outcome["result"]) == "not_measured":
        return
    # Bundles of the first format may lack both keys.
    rest = {"coverage": asdict(figure.coverage), "complete": figure.complete}
    same = all(outcome.get(name, value) == value for name, value in rest.items())
    if ours != (outcome["estimate"], outcome["lower"], outcome["upper"]) or not same:
        yield f"by {reading.name} the test was of other figures than the sketches give"


def _contributions_differing(verification: Verification, there: OpenedDocuments) -> Iterator[str]:
    """The contributions whose sketches and details don't have their digest; those with an erased sketch are named."""
    reader = there.reader
    parts: dict[int, list[PartIdentity]] = {}
    content = there.opened.json(DETAILS)
    rows = content["contributions"]
    details = {row["contribution"]: row for row in rows}
    gone = dict[int, bool]()
    seen = Counter[tuple[int, str]]()
    for number, part in reader.read_parts(sorted(reader.versions)):
        name = f"{part.audience} {part.namespace}"
        events = details[number]["events"][name]
        seen[number, name] += 1
        if (part.registers is None) != (part.erased_at is not None):
            yield f"{DETAILS}: a sketch is neither there nor erased"
        if part.registers is None:
            gone[number] = True
        else:
            parts.setdefault(number, []).append(PartIdentity(part.audience, part.namespace, part.registers.digest(), events))
    listed = Counter((row["contribution"], name) for row in rows for name in row["events"])
    order = [row["contribution"] for row in rows]
    if there.is_compared and (
        listed != seen
        or set(content) != {"contributions"}
        or order != sorted(set(order))
        or any(set(row) != {"contribution", "normalisation", "events"} for row in rows)
    ):
        yield f"{DETAILS}: its rows aren't those of the sketches"
    yield from reader.stray_parts() if there.is_compared else ()
    for number, version in reader.versions.items():
        if number in gone:
            if version.erased_at is None:
                yield f"{version.ref}, {version.activity_date}: a sketch is erased, and the contribution isn't"
            continue
        # A contribution of nobody has no part, and so no row of details: its digest covers its normalisation all the same.
        if number not in details:
            verification.leave([f"inputs.json: contributions[{number - 1}].digest"], "it is of nobody, and has no sketch")
        elif digest_of(version, f"{details[number]['normalisation']}", parts.get(number, [])) != version.digest:
            yield f"{version.ref}, {version.activity_date}: its sketches aren't what its digest says"
    if gone:
        names = [f"{DETAILS}: contributions {', '.join(map(str, sorted(gone)))}, and their digests"]
        verification.leave(names, "their sketches are erased")


def _figures_differing(measured: Measured, published: Json) -> Iterator[str]:
    """The recomputed figures that aren't the published ones, with the fields that differ."""
    figures: dict[str, Figure] = {"group": measured.group, **measured.affiliates, **measured.products}
    rows = {("group" if row["scope"] == "group" else row["subject"]): row for row in published["figures"]}
    if rows.keys() != figures.keys():
        yield f"the figures by {published['publication']['reading']} are of other affiliates and products"
        return
    for name, figure in figures.items():
        ours = {field: getattr(figure, field) for field in _FIGURE_FIELDS}
        ours |= asdict(figure.coverage) | {"reasons": "\n".join(figure.reasons)}
        other = [field for field, value in ours.items() if rows[name][field] != value]
        # The one float among them: sums of floats may differ in the last digits on another machine.
        other += [] if math.isclose(rows[name]["standard_error"], figure.standard_error, rel_tol=1e-9) else ["standard_error"]
        if other:
            yield f"{name} by {published['publication']['reading']}: {', '.join(other)} made again differ"
