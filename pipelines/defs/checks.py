"""The rules of `pipelines.figures.quality_checks` as Dagster's asset checks: which there are, and what a run found."""

from collections.abc import Iterable, Iterator, Sequence

import dagster as dg

from affiliates.periods import Grain
from pipelines import runbook
from pipelines.figures.quality_checks import Check

_ABOUT = {
    "coverage": "Everything that is due is there and settled, or a count or a ceiling stands in: the group has an upper bound.",
    "largest_product_to_sum": "The group has at least as many people as its largest product, and at most all products together.",
    "events_at_least_users": "No day has fewer events than users.",
    "usual_change": "Each day's users are about what the same weekday had in the eight weeks before.",
}
OF_FIGURES = ("coverage", "largest_product_to_sum")
_MOST = 20
"""Findings that are shown of a run; a check's outcome is one row, however many months the run is about."""


def of_product(grain: Grain) -> tuple[str, ...]:
    """Names of a product's checks."""
    return ("events_at_least_users", "usual_change") if grain == "day" else ("events_at_least_users",)


def specs(key: dg.AssetKey, names: Iterable[str]) -> list[dg.AssetCheckSpec]:
    """The checks of an asset; they are evaluated in its own step, for what the run touched."""
    return [dg.AssetCheckSpec(name, asset=key, description=_ABOUT[name]) for name in names]


def results(key: dg.AssetKey, names: Iterable[str], found: Sequence[Check]) -> Iterator[dg.AssetCheckResult]:
    """One result for each name: red as soon as one subject is, with what was said of those."""
    for name in names:
        about = [check for check in found if check.name == name]
        wrong = [check for check in about if not check.passed]
        said = [f"{check.subject}: {check.explanation}." for check in wrong or about]  # Dagster shows line breaks as blanks.
        more = [f"and {len(said) - _MOST} more"] if len(said) > _MOST else []
        more += [runbook.of_check(name).line] if wrong else []
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=name,
            passed=not wrong,
            severity=dg.AssetCheckSeverity.WARN if name == "usual_change" else dg.AssetCheckSeverity.ERROR,
            description="\n".join(said[:_MOST] + more) or "nothing to look at",
            metadata={"red": len(wrong), "looked_at": len(about)} | ({"runbook": runbook.of_check(name).line} if wrong else {}),
        )
