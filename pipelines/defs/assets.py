"""The assets: a product's contributions, a month's figures, a month's licence tests. They compute nothing themselves."""

import math
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg

from affiliates.errors import unforeseen_into
from affiliates.manifests.group import Group
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import first_day, last_day, month_end, month_of, months_between, periods_between
from affiliates.sketches.registers import STRETCH, standard_error
from pipelines.counting.inputs import gather
from pipelines.counting.measure import Measured
from pipelines.defs import checks, partitions
from pipelines.defs.partitions import Calendar
from pipelines.defs.resources import RUN_CONTEXT, RunContext, failure, failure_of
from pipelines.figures import data_findings, quality_checks, rows, signed_readings
from pipelines.figures.quality_checks import Check, MonthDue
from pipelines.ingestion import collect, stated_counts
from pipelines.ingestion.collect import ProductRun
from pipelines.licences.release_tests import LicenceTest
from pipelines.runbook import Finding, Page
from pipelines.store import mark, product_days, publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.product_days import ProductDay
from pipelines.workflows.publish import note_data, note_tests, publish_month
from pipelines.workspace import Workspace

Prefix = Sequence[str]
"""The first parts of every asset key."""
Yielded = dg.AssetMaterialization | dg.AssetCheckResult | dg.MaterializeResult[None]


def product_key(prefix: Prefix, ref: ProductRef) -> dg.AssetKey:
    """The key of the asset that holds a product's contributions: PREFIX/affiliate/product."""
    return dg.AssetKey([*prefix, *ref])


def from_group(group: Group, calendar: Calendar, prefix: Prefix) -> list[dg.AssetsDefinition]:
    """All assets of a group: one for each product with sources, the figures, and the licence tests."""
    products = [contributions(ref, product, calendar, prefix) for ref, product in group.products.items() if not product.handed_in]
    return [*products, figures([asset.key for asset in products], calendar, prefix), licence_tests(calendar, prefix)]


def contributions(ref: ProductRef, product: Product, calendar: Calendar, prefix: Prefix) -> dg.AssetsDefinition:
    """The asset of a product's sketches, by day or by month.

    Of a range that is run, only the periods that could be computed are materialised: a day that the sources don't have stays
    missing, since a green partition without data would hide the gap.
    """
    key = product_key(prefix, ref)
    name = str(ref)
    grain = product.grain
    check_names = checks.of_product(grain)

    @dg.asset(
        key=key,
        group_name=_group_name(ref.affiliate),
        description=(
            f"Who used {product.name or product.product} of {ref.affiliate} in a {grain}, as sketches of keyed identifiers. "
            f"Active: {' '.join(product.active.meaning.split())} ({product.active.label}). "
            f"Running a {grain} again replaces it. Its late events "
            f"have arrived {product.settles_after} days after its end; until then it is computed anew."
        ),
        partitions_def=calendar.of(grain),
        backfill_policy=dg.BackfillPolicy.single_run(),
        output_required=False,
        check_specs=checks.specs(key, check_names),
        required_resource_keys={RUN_CONTEXT},
    )
    def compute_contributions(context: dg.AssetExecutionContext) -> Iterator[Yielded]:
        run_context: RunContext = getattr(context.resources, RUN_CONTEXT)
        first, last = partitions.requested_periods(context, grain)
        with run_context.without_data(name):
            run_context.progress(name, len(run_context.report.products), run_context.steps)
            product_run = collect.collect(run_context.workspace, ref, product, first, last_day(grain, last))
            run_context.report.products.append(product_run)
            if product_run.refusals:
                raise failure_of(product_run.refusals)
            days, outcomes = list[ProductDay](), list[Check]()
            with unforeseen_into(name, product_run.refuse):
                store = run_context.workspace.store_if_any()
                since = min(first, _judged_since(store, run_context.workspace))
                # The checks compare a day with the days before.
                back = quality_checks.past_since(since)
                today = run_context.workspace.now.date()
                days = product_days.read(store, ref, grain, back, max(last, today)) if store else []
                outcomes = list(quality_checks.check_product(days, since=since, label=product.active.label))
            if product_run.refusals:  # Of the checks: what was computed is stored.
                raise failure_of(product_run.refusals)
        missing = {first_day(grain, day) for day in product_run.missing}
        metadata_by_period = {
            partitions.key_of(grain, day.day): _day_metadata(day)
            for day in days
            if first <= day.day <= last and day.day not in missing
        }
        results = list(checks.results(key, check_names, outcomes))
        run_metadata = _run_metadata(product_run)
        # Events for each period beside the materialisation of the whole range would be written twice by Dagster.
        if len(metadata_by_period) == len(periods_between(grain, first, last)):
            for period, metadata in metadata_by_period.items():
                context.add_asset_metadata(metadata, partition_key=period)
            yield dg.MaterializeResult(metadata=run_metadata, check_results=results)
            return
        for period, metadata in metadata_by_period.items():
            yield dg.AssetMaterialization(key, partition=period, metadata={**metadata, **run_metadata})
        yield from results

    return compute_contributions


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
    def publish_figures(context: dg.AssetExecutionContext) -> Iterator[Yielded]:
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


def _group_name(affiliate: str) -> str:
    """An affiliate's name in the letters that Dagster allows for a group of assets; asset keys keep dots and dashes."""
    return affiliate.replace(".", "_").replace("-", "_")


def _day_metadata(day: ProductDay) -> dict[str, Any]:
    """A day's numbers, for Dagster plots them over the partitions; the bounds are two standard errors off, stretched as a
    figure's are."""
    numbers = {"estimate": day.users, "events": day.events, "stored_bytes": day.stored_bytes}
    if day.users is not None:
        error = 2 * STRETCH * standard_error(day.lg_k, day.users)
        numbers |= {"lower": math.floor(day.users - error), "upper": math.ceil(day.users + error)}
    return {name: number for name, number in numbers.items() if number is not None}


def _run_metadata(run: ProductRun) -> dict[str, Any]:
    """A run's numbers as a text: they aren't of one partition, and Dagster would plot them as if they were."""
    counts = run.received
    text = f"{run.periods} computed: {counts.new} new, {counts.replaced} replaced, {counts.confirmed} confirmed"
    text += f"; {len(run.missing)} days missing"
    return {"run": f"{text}; {run.unidentified:,} events named nobody" if run.unidentified else text}


def _judged_since(store: ContributionStore | None, workspace: Workspace) -> date:
    """The day from which on days are checked together with those of a run."""
    return data_findings.judged_since(rows.signed_months(store) if store else (), workspace.today)


def _checks_of_months(store: ContributionStore, workspace: Workspace, months: Sequence[date]) -> Iterator[Check]:
    """The checks of a run's months, and of the open months before."""
    this_month = month_of(workspace.today)
    for month in sorted({*months, *months_between(_judged_since(store, workspace), this_month)}):
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
