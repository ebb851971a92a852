"""What is collected when a month is signed: who vouches for what, and how its figures compare with others'. Pure."""

from typing import Any

from affiliates.attested import Attested
from pipelines.counting import Measured
from pipelines.figures import Figure


def collected(attested: Attested, found: Measured, public_key: str | None = None) -> dict[str, Any]:
    """As it is kept with the signed figures: attestations, affiliates that lack one, and each reconciliation with our figure.

    `public_key`: of the key that signs the month's evidence, so that a later key can't stand in for it.
    """
    due = dict.fromkeys(ref.affiliate for ref, _ in found.inputs.due)
    there = {a.affiliate for a in attested.attestations}
    return {
        "attestations": [a.model_dump(mode="json") for a in attested.attestations],
        "not_attested": [affiliate for affiliate in due if affiliate not in there],
        "reconciliation": [
            r.model_dump(mode="json")
            | _beside(found.products.get(r.product, found.group if "/" not in r.product else None), r.published)
            for r in attested.reconciliation
        ],
        "public_key": public_key,
    }


def said(told: dict[str, Any]) -> list[str]:
    """In words, for whoever signs."""
    lines = []
    for a in told["attestations"]:
        whole = "all products are listed" if a["products_complete"] else "products are missing from the list"
        lines.append(f"{a['affiliate']}: {whole}; active: {a['active']}; left out: {a['exclusions']} ({a['by']}, {a['on']})")
    if told["not_attested"]:
        lines.append(f"nobody has attested for {', '.join(told['not_attested'])}")
    for r in told["reconciliation"]:
        ours = "no figure of ours" if r["ours"] is None else f"ours {r['ours']['estimate']:,}, {r['difference']:+,}"
        lines.append(
            f"{r['product']}: published {r['published']:,} {r['unit']} ({r['source']}, {r['on']}); {ours}: {r['reason']}"
        )
    return lines


def _beside(ours: Figure | None, published: int) -> dict[str, Any]:
    if ours is None or ours.estimate is None:
        return {"ours": None, "difference": None}
    figure = {"estimate": ours.estimate, "lower": ours.lower, "upper": ours.upper}
    return {"ours": figure, "difference": published - ours.estimate}
