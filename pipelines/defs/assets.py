"""The assets: a product's contributions, a month's figures, a month's licence tests. Each computes nothing itself."""

import math
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from affiliates.manifests.group import Group
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import first_day, last_day, month_before, month_end, month_of, months_between, periods_between
from affiliates.sketches.registers import STRETCH, standard_error
from pipelines.counting.inputs import gather
from pipelines.counting.measure import Measured
from pipelines.defs import checks, partitions
from pipelines.defs.partitions import Calendar
from pipelines.defs.resources import DESK, RunContext, failure_of
from pipelines.figures import quality_checks, rows
from pipelines.figures.quality_checks import WEEKS, Check, MonthDue
from pipelines.ingestion import collect, stated_counts
from pipelines.ingestion.collect import ProductRun
from pipelines.licences.release_tests import LicenceTest
from pipelines.runbook import Finding
from pipelines.store import product_days, publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.product_days import ProductDay
from pipelines.workflows.publish import note_tests, publish_month
from pipelines.workspace import Workspace

Prefix = Sequence[str]
Yielded = dg.AssetMaterialization | dg.AssetCheckResult | dg.MaterializeResult[None]


def product_key(prefix: Prefix, ref: ProductRef) -> dg.AssetKey:
    """The key of the asset that holds a product's contributions: PREFIX/affiliate/product."""
    return dg.AssetKey([*prefix, *ref])


def from_group(group: Group, calendar: Calendar, prefix: Prefix) -> list[dg.AssetsDefinition]:
    """An asset for each product with sources, the figures, and the licence tests."""
    products = [contributions(ref, product, calendar, prefix) for ref, product in group.products.items() if not product.handed_in]
    return [*products, figures([asset.key for asset in products], calendar, prefix), licence_tests(calendar, prefix)]


def contributions(ref: ProductRef, product: Product, calendar: Calendar, prefix: Prefix) -> dg.AssetsDefinition:
    """A product's sketches, by day or by month. Of a range that is run, only the periods that could be computed are
    materialised: a day that its sources don't have stays missing."""
    key = product_key(prefix, ref)
    name = str(ref)
    grain = product.grain
    names = checks.of_product(grain)

    @dg.asset(
        key=key,
        group_name=_group_name(ref.affiliate),
        description=(
            f"Who used {product.name or product.product} of {ref.affiliate} in a {grain}, as sketches of keyed identifiers. "
            f"Active: {product.active.meaning} ({product.active.label}). Running a {grain} again replaces it. Its late events "
            f"have arrived {product.settles_after} days after its end; until then it is computed anew."
        ),
        partitions_def=calendar.of(grain),
        backfill_policy=dg.BackfillPolicy.single_run(),
        output_required=False,
        check_specs=checks.specs(key, names),
        required_resource_keys={DESK},
    )
    def computed(context: dg.AssetExecutionContext) -> Iterator[Yielded]:
        desk: RunContext = getattr(context.resources, DESK)
        first, last = partitions.requested_periods(context, grain)
        with desk.without_data(name):
            desk.progress(name, len(desk.report.products), desk.steps)
            done = collect.collect(desk.workspace, ref, product, first, last_day(grain, last))
            desk.report.products.append(done)
            if done.refusals:
                raise failure_of(done.refusals)
            store = desk.workspace.store_if_any()
            since = min(first, _open_since(store, desk.workspace))
            back = since - timedelta(weeks=WEEKS)
            today = desk.workspace.now.date()
            days = product_days.read(store, ref, grain, back, max(last, today)) if store else []
            found = quality_checks.check_product(days, since=since)
        gone = {first_day(grain, day) for day in done.missing}
        there = {partitions.key_of(grain, d.day): _of_day(d) for d in days if first <= d.day <= last and d.day not in gone}
        results = list(checks.results(key, names, found))
        about = _of_run(done)
        if len(there) == len(periods_between(grain, first, last)):
            for period, metadata in there.items():
                context.add_asset_metadata(metadata, partition_key=period)
            yield dg.MaterializeResult(metadata=about, check_results=results)
            return
        for period, metadata in there.items():
            yield dg.AssetMaterialization(key, partition=period, metadata={**metadata, **about})
        yield from results

    return computed


def figures(products: Sequence[dg.AssetKey], calendar: Calendar, prefix: Prefix) -> dg.AssetsDefinition:
    """People in a month: of the group, of each affiliate and of each product, under every reading."""
    key = dg.AssetKey([*prefix, "group", "figures"])
    # The days of a month that isn't over don't exist yet, and a life may begin in its middle.
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
        required_resource_keys={DESK},
    )
    def publish(context: dg.AssetExecutionContext) -> Iterator[Yielded]:
        desk: RunContext = getattr(context.resources, DESK)
        months = months_between(*partitions.requested_periods(context, "month"))
        found = list[Check]()
        findings = list[Finding]()
        new = 0
        with desk.without_data("the group's figures"):
            stated_counts.take_counts(desk.workspace)
            store = desk.workspace.store_if_any()
            for number, month in enumerate(months):
                if store is None:
                    break
                desk.progress(f"{month:%Y-%m}", number, len(months))
                done = publish_month(desk.workspace, store, month)
                desk.report.add(done)
                findings += [f for f in done.findings if f not in findings]
                new += bool(done.measured)
                measured = _in_force(store, desk.workspace.group, month)
                if measured is not None:
                    context.add_asset_metadata(_of_figure(measured), partition_key=partitions.key_of("month", month))
            found = list(_of_months(store, desk.workspace, months)) if store else []
        for finding in findings:
            context.log.warning(str(finding))
        metadata = {"run": f"{new} of {len(months)} months published", "findings": "\n".join(map(str, findings)) or "none"}
        yield dg.MaterializeResult(metadata=metadata, check_results=list(checks.results(key, checks.OF_FIGURES, found)))

    return publish


def licence_tests(calendar: Calendar, prefix: Prefix) -> dg.AssetsDefinition:
    """What the tests of the licences find that ask for a month."""

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
        required_resource_keys={DESK},
    )
    def tested(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        desk: RunContext = getattr(context.resources, DESK)
        with desk.without_data("the licence tests"):
            store = desk.workspace.store_if_any()
            if store is not None:
                known = {m.inputs.digest: m for m in desk.report.measured.values()}
                desk.report.tests = note_tests(desk.workspace, store, known)
        for month in months_between(*partitions.requested_periods(context, "month")):
            metadata = _of_tests([t for t in desk.report.tests if t.licence.measured_month == month])
            context.add_asset_metadata(metadata, partition_key=partitions.key_of("month", month))
        return dg.MaterializeResult()

    return tested


def _group_name(affiliate: str) -> str:
    """The affiliate's name in the letters that Dagster takes; asset keys keep their dots and dashes."""
    return affiliate.replace(".", "_").replace("-", "_")


def _of_day(day: ProductDay) -> dict[str, Any]:
    """Numbers only, for Dagster plots them over the partitions; the bounds are two standard errors off, stretched as a
    figure's are."""
    known = {"estimate": day.users, "events": day.events, "stored_bytes": day.stored_bytes}
    if day.users is not None:
        error = 2 * STRETCH * standard_error(day.lg_k, day.users)
        known |= {"lower": math.floor(day.users - error), "upper": math.ceil(day.users + error)}
    return {name: number for name, number in known.items() if number is not None}


def _of_run(done: ProductRun) -> dict[str, Any]:
    """As a text: numbers of a run aren't of its partitions, and would be plotted as if they were."""
    r = done.received
    said = (
        f"{done.periods} computed: {r.new} new, {r.replaced} replaced, {r.confirmed} confirmed; {len(done.missing)} days missing"
    )
    return {"run": f"{said}; {done.unidentified:,} events named nobody" if done.unidentified else said}


def _open_since(store: ContributionStore | None, workspace: Workspace) -> date:
    """From when on days are judged with those of a run, so that a red one isn't green as soon as the next day is in: the
    first of the month before, unless that is signed already."""
    this = month_of(workspace.today)
    before = month_before(this)
    return this if store and before in rows.signed_months(store) else before


def _of_months(store: ContributionStore, workspace: Workspace, months: Sequence[date]) -> Iterator[Check]:
    """The checks of the run's months, and of the open ones before."""
    this = month_of(workspace.today)
    for month in sorted({*months, *months_between(_open_since(store, workspace), this)}):
        measured = _in_force(store, workspace.group, month)
        if measured is not None:
            inputs = gather(store, workspace.group, month, measured.inputs.reading)
            yield from quality_checks.check_figures(measured, MonthDue(inputs, workspace.group, workspace.now))


def _in_force(store: ContributionStore, group: Group, month: date) -> Measured | None:
    """The published figures under the reading of record on the month's last day, or else the first reading."""
    reading = group.readings.reading_on(month_end(month))
    publication = publications.in_force(store, month).get((month, reading.name))
    return rows.read_figures(store, publication, reading) if publication else None


def _of_figure(measured: Measured) -> dict[str, Any]:
    figure = measured.group
    plotted = {"estimate": figure.estimate, "lower": figure.lower, "upper": figure.upper}
    return {name: number for name, number in plotted.items() if number is not None} | {
        "standard_error": figure.standard_error,
        "complete": figure.complete,
        "state": figure.state,
        "coverage": f"{figure.coverage.days_present} of {figure.coverage.days_expected} days",
        "reading": measured.inputs.reading.name,
    }


def _of_tests(tests: Sequence[LicenceTest]) -> dict[str, Any]:
    ids = [t.licence.id for t in tests]  # Of several licensees, each by its name.
    names = [t.licence.id if ids.count(t.licence.id) == 1 else f"{t.licence.id}, {t.licensee}" for t in tests]
    found = {f"{of}, {name}": o.result for of, t in zip(names, tests, strict=True) for name, o in t.readings.items()}
    return found or {"tests": "none: no licence asks for this month"}
