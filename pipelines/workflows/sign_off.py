"""What is kept with a month's signed figures besides them: attestations, and reconciliations with published figures."""

from collections.abc import Mapping
from typing import Any

from affiliates.manifests.attestations import Attested
from pipelines.counting.figure import Figure
from pipelines.counting.measure import Measured
from pipelines.evidence.documents import BASIS


def sign_off_record(
    attested: Attested, measured: Measured, public_key: str | None = None, basis: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The record that is kept with a reading's signed figures, ready for JSON. The ledger's entry covers it by digest.

    It holds the month's attestations, the affiliates that lack one, and each reconciliation beside our figure. `public_key`:
    the key that signs the month's evidence, so that a later key can't stand in for it. `basis`: what the figures and the licence
    tests rest on (`pipelines.evidence.binding`), so that evidence can be written from it whatever is changed later.
    """
    due = dict.fromkeys(ref.affiliate for ref, _ in measured.inputs.due)
    attesting = {attestation.affiliate for attestation in attested.attestations}
    return {
        "attestations": [attestation.model_dump(mode="json") for attestation in attested.attestations],
        "not_attested": [affiliate for affiliate in due if affiliate not in attesting],
        "reconciliation": [
            entry.model_dump(mode="json") | _beside(_figure_of(measured, entry.product), entry.published)
            for entry in attested.reconciliation
        ],
        "public_key": public_key,
        **({BASIS: basis} if basis is not None else {}),
    }


def sign_off_lines(record: dict[str, Any]) -> list[str]:
    """A `sign_off_record` in words, for whoever signs: a line for each attestation, gap and reconciliation."""
    lines = []
    for entry in record["attestations"]:
        whole = "all products are listed" if entry["products_complete"] else "products are missing from the list"
        lines.append(
            f"{entry['affiliate']}: {whole}; active: {entry['active']}; left out: {entry['exclusions']} "
            f"({entry['by']}, {entry['on']})"
        )
    if record["not_attested"]:
        lines.append(f"nobody has attested for {', '.join(record['not_attested'])}")
    for entry in record["reconciliation"]:
        ours = "no figure of ours" if entry["ours"] is None else f"ours {entry['ours']['estimate']:,}, {entry['difference']:+,}"
        lines.append(
            f"{entry['product']}: published {entry['published']:,} {entry['unit']} ({entry['source']}, {entry['on']}); "
            f"{ours}: {entry['reason']}"
        )
    return lines


def _figure_of(measured: Measured, subject: str) -> Figure | None:
    """The figure of a product (affiliate/product), or of the group for any name without a slash."""
    return measured.products.get(subject, measured.group if "/" not in subject else None)


def _beside(ours: Figure | None, published: int) -> dict[str, Any]:
    """Our figure, and how much more people were published than we estimate; nulls where there is no estimate."""
    if ours is None or ours.estimate is None:
        return {"ours": None, "difference": None}
    figure = {"estimate": ours.estimate, "lower": ours.lower, "upper": ours.upper}
    return {"ours": figure, "difference": published - ours.estimate}
