"""What is due, as runs: stretches of days or months with the products that lack them; and the jobs.

One Dagster run can't hold daily and monthly assets, so there are three jobs: products by day, products by month, and the
figures with the licence tests.
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
from pipelines.defs.assets import Prefix, product_key
from pipelines.defs.resources import DESK, RunContext
from pipelines.ingestion import collect, inbox, receive
from pipelines.ingestion.collect import ProductRun
from pipelines.workflows.receive import receive_files
from pipelines.workspace import Workspace

JOBS: dict[Grain, str] = {"day": "mauwatch_days", "month": "mauwatch_months"}
FIGURES = "mauwatch_figures"
RECEIVE = "mauwatch_receive"
INBOX = "mauwatch_inbox"
"""The job that takes what affiliates hand in, and the sensor that starts it."""


@dataclass(frozen=True)
class Stretch:
    """One run: periods without a gap, from `first` to `last` (first days), of products of one grain."""

    grain: Grain
    first: date
    last: date
    products: tuple[ProductRef, ...]


@dataclass(frozen=True)
class RunPlan:
    """What has to be run, and by product (in the manifests' order) what is known before it is."""

    stretches: list[Stretch]
    products: list[ProductRun]


def plan(workspace: Workspace, first: date | None = None, last: date | None = None) -> RunPlan:
    """The runs that compute what is due in a range, or without one what is due at all.

    Products with the same stretch of periods share a run; others don't, so that none is computed beyond what it lacks.
    A product whose sources are refused before anything is known of its days is run for the last of them, and fails
    there with the reason.
    """
    known = []
    by_stretch = defaultdict[tuple[Grain, date, date], list[ProductRef]](list)
    for ref, product in workspace.group.products.items():
        done, due = collect.plan(workspace, ref, product, first, last)
        found = sorted(due.periods) if due else _last_period(workspace, product, first, last)
        for begin, end in stretches(product.grain, found):
            by_stretch[product.grain, begin, end].append(ref)
        known.append(done)
    order = sorted(by_stretch, key=lambda s: (s[0] == "month", s[1], s[2]))
    return RunPlan([Stretch(*key, tuple(by_stretch[key])) for key in order], known)


def _last_period(workspace: Workspace, product: Product, first: date | None, last: date | None) -> list[date]:
    """The last period of the product's life, and of the range, that is over."""
    day = min(last or date.max, workspace.today - DAY)
    if product.to is not None:
        day = min(day, product.to - DAY)
    if day < max(first or date.min, product.from_):
        return []
    return [first_day(product.grain, day)]


def jobs(group: Group, prefix: Prefix) -> dict[str, dg.AssetSelection]:
    """By name, what each of the three jobs computes; there is one of products only where there are such."""
    keys = asset_keys(group, prefix)
    whole = [dg.AssetKey([*prefix, "group", name]) for name in ("figures", "licence_tests")]
    found = {JOBS[grain]: keys[grain] for grain in JOBS if keys[grain]} | {FIGURES: whole}
    return {name: dg.AssetSelection.assets(*chosen) for name, chosen in found.items()}


def receiving_job() -> dg.JobDefinition:
    """Takes what waits in the inbox; the sensor of outdated months publishes what that has changed.

    A file that is refused is in its receipt, in quarantine, and here in the log as an error with its section of the runbook.
    The run succeeds: it did what it had to, and a red one would be looked at here, where nobody can mend the file.
    """

    @dg.op(description="Files in .mauwatch/inbox: each whole or not at all, with a receipt", required_resource_keys={DESK})
    def inbox_received(context: dg.OpExecutionContext) -> None:
        desk: RunContext = getattr(context.resources, DESK)
        with desk.without_data("the inbox"):
            workspace = desk.workspace
            offers, left = inbox.waiting(workspace.directory, time.time(), receive.must_sign(workspace.group))
            session = receive_files(workspace, offers, progress=desk.progress)
        for taken in session.files:
            said = ", ".join(f"{taken.number(word)} {word}" for word in ("new", "replaced", "the same", "older"))
            context.log.info(f"{taken.offer.name}: {taken.outcome}; {said}")
            for warning in taken.warnings:
                context.log.warning(warning)
            for refusal in taken.refusals:
                context.log.error(f"{refusal} {runbook.of_file(refusal).line}")
        for finding in session.undecided:
            context.log.error(f"{finding} {finding.page.line}")
        for name, why in [*left, *session.left]:
            context.log.info(f"{name} is left: {why}")

    @dg.job(name=RECEIVE, description="Contributions that affiliates hand in")
    def received() -> None:
        inbox_received()

    return received


def asset_keys(group: Group, prefix: Prefix) -> dict[Grain, list[dg.AssetKey]]:
    """By grain, the assets of the products whose contributions are computed here."""
    products = {ref: product for ref, product in group.products.items() if not product.handed_in}
    return {grain: [product_key(prefix, ref) for ref, p in products.items() if p.grain == grain] for grain in JOBS}


def stretch_key(stretch: Stretch) -> str:
    """Distinguishes the stretches of a morning: those of other products with the same days share one."""
    return f"{partitions.key_of(stretch.grain, stretch.first)} {partitions.key_of(stretch.grain, stretch.last)}"
