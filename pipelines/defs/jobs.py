"""What is due, as Dagster runs: stretches of days or months, each with the products that lack them; and the jobs.

One Dagster run can't hold daily and monthly assets, so three jobs compute: products by day, products by month, and the figures
with the licence tests. A fourth receives what affiliates hand in.
"""

import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import date

import dagster as dg

from affiliates.manifests.group import Group
from affiliates.manifests.product import Product, ProductRef
from affiliates.periods import DAY, Grain, first_day, stretches
from pipelines import runbook
from pipelines.defs import partitions
from pipelines.defs.product_assets import Prefix, product_key
from pipelines.defs.resources import RUN_CONTEXT, RunContext
from pipelines.ingestion import collect, inbox, receive
from pipelines.ingestion.product_run import ProductRun
from pipelines.workflows.receive import receive_files
from pipelines.workspace import Workspace

# Dagster stores these names: schedules, sensors and alerts of failed runs hang on them.
JOBS: dict[Grain, str] = {"day": "mauwatch_days", "month": "mauwatch_months"}
"""The jobs of products, by grain."""
FIGURES = "mauwatch_figures"
"""The job of the figures and the licence tests."""
RECEIVE = "mauwatch_receive"
"""The job that receives what affiliates hand in."""
ALERTS = "mauwatch_alerts"
"""The job of alerts, and the first part of its sensors' names."""
INBOX = "mauwatch_inbox"
"""The sensor that starts that job."""


@dataclass(frozen=True)
class Stretch:
    """One run: periods without a gap, of products of one grain; `first` and `last` are first days of periods, both included."""

    grain: Grain
    first: date
    last: date
    products: tuple[ProductRef, ...]


@dataclass(frozen=True)
class RunPlan:
    """What has to be run, and for each product what is known before its run."""

    stretches: list[Stretch]
    products: list[ProductRun]
    """In the manifests' order."""


def plan(workspace: Workspace, first: date | None = None, last: date | None = None) -> RunPlan:
    """The runs that compute what is due from `first` to `last`, both included, or without them all that is due.

    Products with the same stretch of periods share a run; others don't, so that none is computed beyond what it lacks.
    A product whose sources are refused before anything is known of its days is run for the last of them, and fails there with
    the reason: Dagster then shows the product red.
    """
    known = []
    by_stretch = defaultdict[tuple[Grain, date, date], list[ProductRef]](list)
    for ref, product in workspace.group.products.items():
        planned, due = collect.plan(workspace, ref, product, first, last)
        periods = sorted(due.periods) if due else _last_period(workspace, product, first, last)
        for begin, end in stretches(product.grain, periods):
            by_stretch[product.grain, begin, end].append(ref)
        known.append(planned)
    in_order = sorted(by_stretch, key=lambda stretch: (stretch[0] == "month", *stretch[1:]))  # Days first, then by time.
    return RunPlan([Stretch(*stretch, tuple(by_stretch[stretch])) for stretch in in_order], known)


def _last_period(workspace: Workspace, product: Product, first: date | None, last: date | None) -> list[date]:
    """The last period of a product's life, and of a range, that is over; as a list, empty where there is none."""
    day = min(last or date.max, workspace.today - DAY)
    if product.to is not None:
        day = min(day, product.to - DAY)
    if day < max(first or date.min, product.from_):
        return []
    return [first_day(product.grain, day)]


def jobs(group: Group, prefix: Prefix) -> dict[str, dg.AssetSelection]:
    """By name, the assets that each of the three computing jobs is about; no job of products where there are no such products."""
    keys = asset_keys(group, prefix)
    whole_group = [dg.AssetKey([*prefix, "group", name]) for name in ("figures", "licence_tests")]
    keys_by_job = {JOBS[grain]: keys[grain] for grain in JOBS if keys[grain]} | {FIGURES: whole_group}
    return {name: dg.AssetSelection.assets(*chosen) for name, chosen in keys_by_job.items()}


def receiving_job() -> dg.JobDefinition:
    """The job that receives what waits in the inbox; the sensor of outdated months publishes what that has changed.

    A refused file is in its receipt, in quarantine, and in the run's log as an error with its section of the runbook. The run
    succeeds all the same: it did what it had to, and the file can't be mended where a red run would be looked at.
    """

    @dg.op(description="Files in .mauwatch/inbox: each whole or not at all, with a receipt", required_resource_keys={RUN_CONTEXT})
    def inbox_received(context: dg.OpExecutionContext) -> None:
        run_context: RunContext = getattr(context.resources, RUN_CONTEXT)
        with run_context.without_data("the inbox"):
            workspace = run_context.workspace
            accepted, signed = receive.accepted_files(workspace), receive.must_sign(workspace.group)
            waiting = inbox.waiting(workspace.directory, time.time(), accepted, signed)
            session = receive_files(workspace, waiting.offers, progress=run_context.progress)
        for file in session.files:
            counts = ", ".join(f"{file.number(word)} {word}" for word in ("new", "replaced", "the same", "older"))
            context.log.info(f"{file.offer.name}: {file.outcome}; {counts}")
            for warning in file.warnings:
                context.log.warning(warning)
            for refusal in file.refusals:
                context.log.error(f"{refusal} {runbook.of_file(refusal).line}")
        for finding in session.undecided:
            context.log.error(f"{finding} {finding.page.line}")
        for name, why in [*waiting.left, *session.left]:
            context.log.info(f"{name} is left: {why}")
        if skipped := [*waiting.skipped, *session.skipped]:
            context.log.info(f"skipped, since they were accepted before and are the same still: {len(skipped)}")

    @dg.job(name=RECEIVE, description="Contributions that affiliates hand in")
    def received() -> None:
        inbox_received()

    return received


def asset_keys(group: Group, prefix: Prefix) -> dict[Grain, list[dg.AssetKey]]:
    """The keys of the products that are computed here, by grain: what is handed in has no asset."""
    products = {ref: product for ref, product in group.products.items() if not product.handed_in}
    return {grain: [product_key(prefix, ref) for ref, p in products.items() if p.grain == grain] for grain in JOBS}


def stretch_key(stretch: Stretch) -> str:
    """Text that tells one stretch of a morning from another."""
    return f"{partitions.key_of(stretch.grain, stretch.first)} {partitions.key_of(stretch.grain, stretch.last)}"
