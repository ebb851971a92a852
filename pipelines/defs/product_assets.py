"""The assets of products: each holds a product's contributions. Many products of an affiliate are one step.

A step of Dagster costs as much as counting a small product does. So a step is about many products, of which any may be chosen.
Each is an asset by itself: a refused one is red, and the others of its step are materialised.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import CODE_VERSION_TAG, DATA_VERSION_TAG, compute_logical_data_version

from affiliates.errors import unforeseen_into
from affiliates.manifests.group import Group
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import Grain, first_day, last_day
from affiliates.sketches.registers import STRETCH, standard_error
from pipelines.defs import checks, partitions
from pipelines.defs.partitions import Calendar
from pipelines.defs.resources import RUN_CONTEXT, RunContext, failure_of, failure_of_all
from pipelines.figures import data_findings, quality_checks, rows
from pipelines.figures.quality_checks import Check
from pipelines.ingestion import collect
from pipelines.ingestion.product_run import ProductRun
from pipelines.store import product_days
from pipelines.store.contributions import ContributionStore
from pipelines.store.product_days import ProductDay
from pipelines.workspace import Workspace

Prefix = Sequence[str]
"""The first parts of every asset key."""
Yielded = dg.AssetMaterialization | dg.AssetCheckEvaluation | dg.Output[None]
Products = Mapping[dg.AssetKey, tuple[ProductRef, Product]]
"""Products by their assets' keys."""

MOST_PRODUCTS = 50
"""Products of a step: so many wait with their checks' results, and fail together where one ends the step."""


def product_key(prefix: Prefix, ref: ProductRef) -> dg.AssetKey:
    """The key of the asset that holds a product's contributions: PREFIX/affiliate/product."""
    return dg.AssetKey([*prefix, *ref])


def contributions(group: Group, calendar: Calendar, prefix: Prefix) -> list[dg.AssetsDefinition]:
    """The steps that compute products with sources, each for some products of one affiliate and grain."""
    steps = defaultdict[tuple[str, Grain], list[dict[dg.AssetKey, tuple[ProductRef, Product]]]](list)
    for ref, product in group.products.items():
        if not product.handed_in:
            _put(product_key(prefix, ref), (ref, product), steps[ref.affiliate, product.grain])
    of_names = defaultdict[str, list[tuple[Grain, Products]]](list)
    for (affiliate, grain), of_affiliate in steps.items():
        for products in of_affiliate:
            of_names[f"{product_key(prefix, ProductRef(affiliate, grain)).to_python_identifier()}s"].append((grain, products))
    return [
        _step(name if number == 1 else f"{name}_{number}", grain, products, calendar)
        for name, same_name in of_names.items()
        for number, (grain, products) in enumerate(same_name, 1)
    ]


def _put(
    key: dg.AssetKey, product: tuple[ProductRef, Product], steps: list[dict[dg.AssetKey, tuple[ProductRef, Product]]]
) -> None:
    """Put a product into the first step that has room, or into a new one; names that Dagster takes for one stay apart."""
    for step in steps:
        if len(step) < MOST_PRODUCTS and key.to_python_identifier() not in {other.to_python_identifier() for other in step}:
            step[key] = product
            return
    steps.append({key: product})


def _step(name: str, grain: Grain, products: Products, calendar: Calendar) -> dg.AssetsDefinition:
    """The step that computes any of these products, by day or by month."""
    check_names = checks.of_product(grain)

    @dg.multi_asset(
        name=name,
        specs=[_spec(key, ref, product) for key, (ref, product) in products.items()],
        check_specs=[spec for key in products for spec in checks.specs(key, check_names)],
        can_subset=True,
        partitions_def=calendar.of(grain),
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={RUN_CONTEXT},
    )
    def compute_contributions(context: dg.AssetExecutionContext) -> Iterator[Yielded]:
        run_context: RunContext = getattr(context.resources, RUN_CONTEXT)
        first, last = partitions.requested_periods(context, grain)
        chosen = context.selected_asset_keys
        outcomes = dict[dg.AssetKey, Sequence[Check]]()
        failures = list[dg.Failure]()
        for key, (ref, product) in products.items():
            if key not in chosen:
                continue
            try:
                computed = _compute(run_context, ref, product, first, last)
            except dg.Failure as failure:
                failures.append(failure)
                if run_context.errors:  # Such as a full disk, which every other product would meet, too.
                    break
                continue
            outcomes[key] = computed.outcomes
            yield from _materializations(key, computed, context.run.run_id)
        with run_context.without_data("the checks' results"):
            # What the checks are of is asked for once: Dagster would ask, and write all events so far, for each check.
            latest = checks.latest_materializations(context.instance, list(outcomes))
            evaluations = [
                event for key in outcomes for event in checks.evaluations(key, check_names, outcomes[key], latest.get(key))
            ]
        yield from evaluations
        if failures:
            raise failure_of_all(failures)

    return compute_contributions


def _materializations(key: dg.AssetKey, computed: "_Computed", run_id: str) -> Iterator[dg.AssetMaterialization]:
    """What Dagster shows of each period of a product, as it makes that itself of a `MaterializeResult`.

    Of many results in a step Dagster's own way takes quadratic time.
    """
    tags = {CODE_VERSION_TAG: run_id, DATA_VERSION_TAG: compute_logical_data_version(run_id, {}).value}
    run_metadata = _run_metadata(computed.run)
    for period, metadata in computed.periods.items():
        yield dg.AssetMaterialization(key, partition=period, metadata=run_metadata | metadata, tags=tags)


def _spec(key: dg.AssetKey, ref: ProductRef, product: Product) -> dg.AssetSpec:
    """The asset of a product's sketches, by day or by month.

    Of a range that is run, only the periods that could be computed are materialised: a day that the sources don't have stays
    missing, since a green partition without data would hide the gap.
    """
    grain = product.grain
    return dg.AssetSpec(
        key,
        group_name=_group_name(ref.affiliate),
        description=(
            f"Who used {product.name or product.product} of {ref.affiliate} in a {grain}, as sketches of keyed identifiers. "
            f"Active: {' '.join(product.active.meaning.split())} ({product.active.label}). "
            f"Running a {grain} again replaces it. Its late events "
            f"have arrived {product.settles_after} days after its end; until then it is computed anew."
        ),
        skippable=True,
    )


@dataclass(frozen=True)
class _Computed:
    """What a step did for one product."""

    run: ProductRun
    periods: Mapping[str, dict[str, Any]]
    """By partition key, the numbers of each period that is materialised."""
    outcomes: Sequence[Check]


def _compute(run_context: RunContext, ref: ProductRef, product: Product, first: date, last: date) -> _Computed:
    """Compute and store what is due of a product, and check the product's days.

    `first`, `last`: first days of the first and the last period. Raises `dg.Failure` with the product's refusals, and for what
    ends the whole step.
    """
    grain = product.grain
    with run_context.without_data(str(ref)):
        run_context.progress(str(ref), len(run_context.report.products), run_context.steps)
        product_run = collect.collect(run_context.workspace, ref, product, first, last_day(grain, last))
        run_context.report.products.append(product_run)
        if product_run.refusals:
            raise failure_of(product_run.refusals)
        days, outcomes = list[ProductDay](), list[Check]()
        with unforeseen_into(str(ref), product_run.refuse):
            store = run_context.workspace.store_if_any()
            since = min(first, judged_since(store, run_context.workspace))
            # The checks compare a day with the days before.
            back = quality_checks.past_since(since)
            today = run_context.workspace.now.date()
            days = product_days.read(store, ref, grain, back, max(last, today)) if store else []
            outcomes = list(quality_checks.check_product(days, since=since, label=product.active.label))
        if product_run.refusals:  # Of the checks: what was computed is stored.
            raise failure_of(product_run.refusals)
    missing = {first_day(grain, day) for day in product_run.missing}
    periods = {
        partitions.key_of(grain, day.day): _day_metadata(day)
        for day in days
        if first <= day.day <= last and day.day not in missing
    }
    return _Computed(product_run, periods, outcomes)


def judged_since(store: ContributionStore | None, workspace: Workspace) -> date:
    """The day from which on days are checked together with those of a run."""
    return data_findings.judged_since(rows.signed_months(store) if store else (), workspace.today)


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
