"""The assets: products' contributions, a month's figures, a month's licence tests. They compute nothing themselves."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg

from affiliates.manifests.group import Group
from affiliates.periods import month_end, month_of, months_between
from pipelines.counting.inputs import gather
from pipelines.counting.measure import Measured
from pipelines.defs import checks, partitions, product_assets
from pipelines.defs.partitions import Calendar
from pipelines.defs.product_assets import Prefix, judged_since
from pipelines.defs.resources import RUN_CONTEXT, RunContext, failure
from pipelines.figures import quality_checks, rows, signed_readings
from pipelines.figures.quality_checks import Check, MonthDue
from pipelines.ingestion import stated_counts
from pipelines.licences.release_tests import LicenceTest
from pipelines.runbook import Finding, Page
from pipelines.store import mark, publications
from pipelines.store.contributions import ContributionStore
from pipelines.workflows.publish import note_data, note_tests, publish_month
from pipelines.workspace import Workspace


def from_group(group: Group, calendar: Calendar, prefix: Prefix) -> list[dg.AssetsDefinition]:
    """All assets of a group: one for each product with sources, the figures, and the licence tests."""
    products = product_assets.contributions(group, calendar, prefix)
    keys = [key for steps in products for key in steps.keys]
    return [*products, figures(keys, calendar, prefix), licence_tests(calendar, prefix)]


def figures(products: Sequence[dg.AssetKey], calendar: Calendar, prefix: Prefix) -> dg.AssetsDefinition:
    """The asset of the people in a month: of the group, of each affiliate and of each product, under every reading."""
    key = dg.AssetKey([*prefix, "group", "figures"])
    # The days of a month that isn't over don't exist yet, and a product's life may begin in the middle of a month.
    mapping = dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)

    @dg.asset(
        key=key,
        group_name="whole_group",
        description=(
            "How many different people the group, its affiliates and its products reached in a calendar month, with 95 % "
            "bounds and with what is missing, under every reading. Published into the store, each version kept, where "
            "anything it rests on has changed; a month that somebody signed keeps its figures. The plots are of the "
            "group under the reading of record, or else the first one."
        ),
        deps=[dg.AssetDep(product, partition_mapping=mapping) for product in products],
        partitions_def=calendar.months,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=checks.specs(key, checks.OF_FIGURES),
        required_resource_keys={RUN_CONTEXT},
    )
    def publish_figures(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        run_context: RunContext = getattr(context.resources, RUN_CONTEXT)
        months = months_between(*partitions.requested_periods(context, "month"))
        outcomes = list[Check]()
        findings = list[Finding]()
        new = 0
        with run_context.without_data("the group's figures"):
            stated_counts.take_counts(run_context.workspace)
            store = run_context.workspace.store_if_any()
            if store is not None:
                findings += note_data(run_context.workspace, store)
                findings += mark.findings(store, run_context.workspace.directory)
                findings += signed_readings.findings(store, run_context.workspace.group)
            for number, month in enumerate(months):
                if store is None:
                    break
                run_context.progress(f"{month:%Y-%m}", number, len(months))
                month_run = publish_month(run_context.workspace, store, month)
                run_context.report.add(month_run)
                findings += [finding for finding in month_run.findings if finding not in findings]
                new += bool(month_run.measured)
                measured = _measured_in_force(store, run_context.workspace.group, month)
                if measured is not None:
                    context.add_asset_metadata(_figure_metadata(measured), partition_key=partitions.key_of("month", month))
            outcomes = list(_checks_of_months(store, run_context.workspace, months)) if store else []
            if failed := [finding for finding in findings if finding.page == Page.UNFORESEEN]:
                raise failure("\n".join(map(str, failed)), [Page.UNFORESEEN])  # Months without an error are published.
        for finding in findings:
            context.log.warning(str(finding))
        metadata = {"run": f"{new} of {len(months)} months published", "findings": "\n".join(map(str, findings)) or "none"}
        yield dg.MaterializeResult(metadata=metadata, check_results=list(checks.results(key, checks.OF_FIGURES, outcomes)))

    return publish_figures


def licence_tests(calendar: Calendar, prefix: Prefix) -> dg.AssetsDefinition:
    """The asset of the licence tests that ask for a month."""

    @dg.asset(
        key=dg.AssetKey([*prefix, "group", "licence_tests"]),
        group_name="whole_group",
        description=(
            "Whether the group had more users than a licence's threshold in the month that its clause asks for, under "
            "each reading: under, over, undetermined or not_measured. A month that no licence asks for says so. Results "
            "of the stated readings; no legal advice."
        ),
        deps=[dg.AssetKey([*prefix, "group", "figures"])],
        partitions_def=calendar.months,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={RUN_CONTEXT},
    )
    def note_licence_tests(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        run_context: RunContext = getattr(context.resources, RUN_CONTEXT)
        with run_context.without_data("the licence tests"):
            store = run_context.workspace.store_if_any()
            if store is not None:
                known = {m.inputs.digest: m for m in run_context.report.measured.values()}
                run_context.report.tests = note_tests(run_context.workspace, store, known)
        for month in months_between(*partitions.requested_periods(context, "month")):
            metadata = _tests_metadata([test for test in run_context.report.tests if test.licence.measured_month == month])
            context.add_asset_metadata(metadata, partition_key=partitions.key_of("month", month))
        return dg.MaterializeResult()

    return note_licence_tests


def _checks_of_months(store: ContributionStore, workspace: Workspace, months: Sequence[date]) -> Iterator[Check]:
    """The checks of a run's months, and of the open months before."""
    this_month = month_of(workspace.today)
    for month in sorted({*months, *months_between(judged_since(store, workspace), this_month)}):
        measured = _measured_in_force(store, workspace.group, month)
        if measured is not None:
            inputs = gather(store, workspace.group, month, measured.inputs.reading)
            yield from quality_checks.check_figures(measured, MonthDue(inputs, workspace.group, workspace.now))


def _measured_in_force(store: ContributionStore, group: Group, month: date) -> Measured | None:
    """The published figures under the reading of record on the month's last day, or else the first reading."""
    reading = group.readings.reading_on(month_end(month))
    publication = publications.in_force(store, month).get((month, reading.name))
    return rows.read_figures(store, publication, reading) if publication else None


def _figure_metadata(measured: Measured) -> dict[str, Any]:
    """The group's figure with its bounds, coverage and reading; numbers are plotted over the months."""
    figure = measured.group
    plotted = {"estimate": figure.estimate, "lower": figure.lower, "upper": figure.upper}
    return {name: number for name, number in plotted.items() if number is not None} | {
        "standard_error": figure.standard_error,
        "complete": figure.complete,
        "state": figure.state,
        "coverage": f"{figure.coverage.days_present} of {figure.coverage.days_expected} days",
        "reading": measured.inputs.reading.name,
    }


def _tests_metadata(tests: Sequence[LicenceTest]) -> dict[str, Any]:
    """By licence and reading, the results of a month's tests."""
    ids = [test.licence.id for test in tests]
    results = dict[str, Any]()
    for test in tests:
        # One licence may be tested for several licensees: then each goes by its name.
        name = test.licence.id if ids.count(test.licence.id) == 1 else f"{test.licence.id}, {test.licensee}"
        results |= {f"{name}, {reading}": outcome.result for reading, outcome in test.readings.items()}
    return results or {"tests": "none: no licence asks for this month"}
