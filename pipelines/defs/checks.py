"""The rules of `pipelines.figures.quality_checks` as Dagster's asset checks: which there are, and what a run found."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from affiliates.periods import Grain
from pipelines import runbook
from pipelines.figures.quality_checks import Check

_DESCRIPTIONS = {
    "coverage": "Everything that is due is there and settled, or a count or a ceiling stands in: the group has an upper bound.",
    "largest_product_to_sum": "The group has at least as many people as its largest product, and at most all products together.",
    "numbers_agree": "No two numbers of a product contradict each other, such as a count and its sketches.",
    "events_at_least_users": "No day has fewer events than users, or events and no users.",
    "no_loss": "No day has lost many of the users, or all of them, that an earlier version of the day had.",
    "no_fall": "A product doesn't fall to nobody, or to a quarter of its past, for longer than chance explains.",
    "usual_change": "Each day's users are about what the same weekday had in the eight weeks before.",
}
"""By a check's name, which Dagster stores: the rule in words."""
OF_FIGURES = ("coverage", "largest_product_to_sum", "numbers_agree")
"""Names of the checks of a month's figures."""
_MOST = 20
"""Lines that a result shows: a check has one result a run, however many months the run is about."""


def of_product(grain: Grain) -> tuple[str, ...]:
    """Names of a product's checks; `usual_change` compares weekdays, so needs days."""
    return ("events_at_least_users", "no_loss", "no_fall", *(("usual_change",) if grain == "day" else ()))


def specs(key: dg.AssetKey, names: Iterable[str]) -> list[dg.AssetCheckSpec]:
    """The checks of an asset; the asset's own step evaluates them, for what the run touched."""
    return [dg.AssetCheckSpec(name, asset=key, description=_DESCRIPTIONS[name]) for name in names]


def results(key: dg.AssetKey, names: Iterable[str], checks: Sequence[Check]) -> Iterator[dg.AssetCheckResult]:
    """One result for each name: red as soon as one subject is, with a line for each red subject, or else for every subject."""
    for name in names:
        evaluated = [check for check in checks if check.name == name]
        red = [check for check in evaluated if not check.passed]
        lines = [f"{check.subject}: {check.explanation}." for check in red or evaluated]  # Dagster shows line breaks as blanks.
        tail = [f"and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
        tail += [runbook.of_check(name).line] if red else []
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=name,
            passed=not red,
            # A day may be unlike its weekday for a good reason; the others are contradictions.
            severity=dg.AssetCheckSeverity.WARN if name == "usual_change" else dg.AssetCheckSeverity.ERROR,
            description="\n".join(lines[:_MOST] + tail) or "nothing to look at",
            metadata={"red": len(red), "looked_at": len(evaluated)} | ({"runbook": runbook.of_check(name).line} if red else {}),
        )


def latest_materializations(
    dagster: dg.DagsterInstance, keys: Sequence[dg.AssetKey]
) -> Mapping[dg.AssetKey, AssetCheckEvaluationTargetMaterializationData]:
    """The newest materialisation of each asset that has one, as a check's result names what it is of."""
    latest = {}
    for asset in dagster.get_asset_records(keys) if keys else ():
        record = asset.asset_entry.last_materialization_record
        if record is not None:
            latest[asset.asset_entry.asset_key] = AssetCheckEvaluationTargetMaterializationData(
                storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
            )
    return latest


def evaluations(
    key: dg.AssetKey,
    names: Iterable[str],
    checks: Sequence[Check],
    of: AssetCheckEvaluationTargetMaterializationData | None,
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """The events that Dagster makes of `results`: an output of the step, and what was found. `of`: the materialisation."""
    for spec, result in zip(specs(key, names), results(key, names, checks), strict=True):
        yield dg.Output(None, spec.get_python_identifier())
        yield dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=spec.name,
            passed=result.passed,
            metadata=result.metadata,
            target_materialization_data=of,
            severity=result.severity,
            description=result.description,
            blocking=spec.blocking,
        )
