"""What `measure --json` answers."""

from collections.abc import Sequence
from typing import Any

from pipelines.runbook import DataFinding

UNTESTED = "no licence tests this window"
"""Said with every window that is no calendar month."""


def to_dict(
    measured: Any, group: Any, publication: Any = None, findings: Sequence[DataFinding] = (), changed: Sequence[str] = ()
) -> dict[str, Any]:
    """The answer of `measure --json`; `published` is null for what was measured anew, or isn't published yet.

    `findings`: what the products' data show of the month; `changed`: what has changed since the publication, a text each.
    """
    published = publication and {
        "known_at": publication.known_at.isoformat(),
        **{name: getattr(publication, name) for name in ("state", "signed_by", "despite")},
        "restated_because": publication.reason,
    }
    # `month` is there for a month alone: whoever parses the answer can't take 28 days for one.
    window = measured.inputs.window
    days = {"kind": window.kind, "first": window.first.isoformat(), "last": window.last.isoformat()}
    return {
        **({"month": f"{window.first:%Y-%m}"} if window.is_month else {"window": days, "note": UNTESTED}),
        "reading": measured.inputs.reading.name,
        "published": published,
        "changed_since_published": list(changed),
        "not_counted": list(measured.inputs.not_counted),
        "data_findings": [finding.to_dict() for finding in findings],
        "conventions": _conventions(measured, group),
        "group": measured.group.to_dict(),
        "affiliates": {name: figure.to_dict() for name, figure in measured.affiliates.items()},
        "products": {name: figure.to_dict() for name, figure in measured.products.items()},
    }


def _conventions(measured: Any, group: Any) -> dict[str, Any]:
    """What the figures take for granted; `identifiers_per_person` by namespace, from the fewest to the most (null: several)."""
    from affiliates.manifests.namespaces import ranges_of
    from pipelines.counting import convention

    said = ranges_of(group.settings.namespaces)
    method = measured.inputs.method
    namespaces = measured.namespaces or ()
    return {
        "method": method,
        "estimate": convention.in_words(method),
        "identifiers_per_person": {name: list(said[name]) for name in sorted(namespaces) if name in said},
        "not_said": convention.unsaid(namespaces, said, method),
    }
