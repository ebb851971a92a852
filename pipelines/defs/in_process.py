"""`mauwatch run`: a run of the centre through Dagster, in this process, with its history in `.mauwatch/dagster`.

A run through Dagster and one without, `pipelines.workflows.run`, leave the same store and give the same report; tests compare.
"""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import dagster as dg

from affiliates.manifests.group import Group
from affiliates.periods import stretches
from pipelines.defs import assets, instance, jobs, partitions, sensors
from pipelines.defs.jobs import FIGURES, JOBS, Stretch
from pipelines.defs.partitions import Calendar
from pipelines.defs.product_assets import product_key
from pipelines.defs.resources import RUN_CONTEXT, RunContext
from pipelines.ingestion import clock_check, stated_counts
from pipelines.workflows import publish, run_note
from pipelines.workflows.report import Progress, Report
from pipelines.workflows.run import empty_range, failure_alerted, notify
from pipelines.workspace import Workspace


def run(
    directory: Path,
    group: Group,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = lambda what, done, of: None,
) -> Report:
    """Compute and publish what is due: a Dagster run for each stretch of product periods, then one for each stretch of months.

    `first` and `last` limit the days of the products, both included. Product runs come first, since a month's figures rest on
    all of them. They are apart from the figures' runs, since a step whose product was refused would keep Dagster from publishing
    the month without that product. A run that fails as a whole is an alert, where the store can be reached, and raises.
    """
    with failure_alerted(directory, group, now, first, last):
        return _run(directory, group, now, first, last, progress)


def _run(directory: Path, group: Group, now: datetime, first: date | None, last: date | None, progress: Progress) -> Report:
    """The run itself, with its workspace and Dagster's store open."""
    with Workspace(directory, group, now) as workspace, _quiet_and_batched(), instance.open_instance(directory, group) as dagster:
        run_context = RunContext(workspace, progress=progress)
        verdict = clock_check.settle(workspace)
        run_context.report.findings += verdict.findings
        if not verdict.is_usable:
            return run_context.report
        calendar = partitions.calendar(group)
        location = _definitions(group, calendar, run_context)
        plan = jobs.plan(workspace, first, last)
        run_context.steps = sum(len(stretch.products) for stretch in plan.stretches)
        for stretch in plan.stretches:
            selection = [product_key((), ref) for ref in stretch.products]
            _execute(location, JOBS[stretch.grain], stretch, dagster, selection)
            _raise_first(run_context)
        # A product may have had several stretches: the report has one row for each, in the manifests' order.
        for product_run in run_context.report.products:
            next(planned for planned in plan.products if planned.name == product_run.name).add(product_run)
        run_context.report.products = plan.products
        run_context.report.findings += empty_range(group, first, last, now.date())
        with run_context.report.step("the manifests' counts"):
            stated_counts.take_counts(workspace)
        store = workspace.store_if_any()
        if store is not None:
            with run_context.report.step("the products' data"):
                run_context.report.findings += publish.note_data(workspace, store, plan.products)
        _publish(run_context, location, calendar, dagster)
        notify(workspace, run_context.report, first, last)
        run_note.note(workspace, run_context.report, first, last)
        return run_context.report


def _publish(run_context: RunContext, location: dg.Definitions, calendar: Calendar, dagster: dg.DagsterInstance) -> None:
    """Publish the months that are out of date, then note the licence tests, whose results may change without any month."""
    store = run_context.workspace.store_if_any()
    if store is None:
        return
    months = publish.outdated_months(run_context.workspace, store)
    runs = sensors.within(months, calendar)
    for month in months:
        if month not in runs:  # Of a product that no manifest names any more: no partition, but a month all the same.
            run_context.report.add(publish.publish_month(run_context.workspace, store, month))
    for begin, end in stretches("month", runs):
        _execute(location, FIGURES, Stretch("month", begin, end, ()), dagster, None)
        _raise_first(run_context)
    if not runs or run_context.report.failed:  # Else the runs of figures have noted them.
        known = {m.inputs.digest: m for m in run_context.report.measured.values()}
        with run_context.report.step("the licence tests"):
            run_context.report.tests = publish.note_tests(run_context.workspace, store, known)
    run_context.report.published.sort()


def _execute(
    location: dg.Definitions,
    job: str,
    stretch: Stretch,
    dagster: dg.DagsterInstance,
    selection: list[dg.AssetKey] | None,
) -> None:
    """Carry out one Dagster run; what goes wrong in it is in the run context's report and errors."""
    location.resolve_job_def(job).execute_in_process(
        asset_selection=selection,
        instance=dagster,
        raise_on_error=False,
        run_config={"loggers": {"none": {}}},
        tags=partitions.range_tags(stretch.grain, stretch.first, stretch.last) | instance.process_tag(),
    )


def _raise_first(run_context: RunContext) -> None:
    """Raise the first error that ended a whole step, such as a store that can't be used: every other step would meet it too."""
    if run_context.errors:
        raise run_context.errors[0]


def _definitions(group: Group, calendar: Calendar, run_context: RunContext) -> dg.Definitions:
    """The assets and jobs, on a run context that is open already, without schedules and sensors."""
    return dg.Definitions(
        assets=assets.from_group(group, calendar, ()),
        jobs=[dg.define_asset_job(name, chosen) for name, chosen in jobs.jobs(group, ()).items()],
        resources={RUN_CONTEXT: dg.ResourceDefinition.hardcoded_resource(run_context)},
        loggers={"none": _silent},
    )


@dg.logger({}, description="Nothing: the report says what was done")
def _silent(_: dg.InitLoggerContext) -> logging.Logger:
    """A logger of Dagster's runs that writes nowhere."""
    logger = logging.getLogger("mauwatch.dagster")
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    return logger


@contextmanager
def _quiet_and_batched() -> Iterator[None]:
    """Without warnings of what is in beta at Dagster, and with its events written many at a time."""
    before = os.environ.get("DAGSTER_EVENT_BATCH_SIZE")
    os.environ["DAGSTER_EVENT_BATCH_SIZE"] = "1000"
    try:
        with warnings.catch_warnings():
            for category in (dg.BetaWarning, dg.PreviewWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        if before is None:
            del os.environ["DAGSTER_EVENT_BATCH_SIZE"]
        else:
            os.environ["DAGSTER_EVENT_BATCH_SIZE"] = before
