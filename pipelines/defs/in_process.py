"""A run of the centre through Dagster, in this process: what `mauwatch run` does, with its history in `.mauwatch/dagster`."""

import logging
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg

from affiliates.errors import RefusedError
from affiliates.manifests.group import Group
from affiliates.periods import stretches
from pipelines.alerts import responses
from pipelines.alerts.evaluate import RUN
from pipelines.alerts.responses import JobRun
from pipelines.defs import assets, instance, jobs, partitions, sensors
from pipelines.defs.assets import product_key
from pipelines.defs.jobs import FIGURES, JOBS, Stretch
from pipelines.defs.partitions import Calendar
from pipelines.defs.resources import DESK, RunContext
from pipelines.ingestion import stated_counts
from pipelines.workflows import publish
from pipelines.workflows.report import Progress, Report
from pipelines.workflows.run import empty_range, notify
from pipelines.workspace import Workspace


def run(
    directory: Path,
    group: Group,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = lambda what, done, of: None,
) -> Report:
    """The same as `pipelines.workflows.run.run`: a Dagster run for each stretch of days and of months that is due.

    Then one for each stretch of months whose figures are out of date.

    The product runs come first, since a month's figures rest on all of them; and they are apart from the figures', since a
    step whose product was refused would keep Dagster from publishing the month without it. A run that fails as a whole is an
    alert, where the store can be reached.
    """
    try:
        return _run(directory, group, now, first, last, progress)
    except Exception:
        began = time.monotonic()
        with suppress(RefusedError, OSError):
            responses.run_ended(
                directory, group, JobRun(RUN), lambda: now + timedelta(seconds=time.monotonic() - began), failed=True
            )
        raise


def _run(directory: Path, group: Group, now: datetime, first: date | None, last: date | None, progress: Progress) -> Report:
    with Workspace(directory, group, now) as workspace, _quiet(), instance.open_instance(directory, group) as dagster:
        desk = RunContext(workspace, progress=progress)
        calendar = partitions.calendar(group)
        location = _location(group, calendar, desk)
        plan = jobs.plan(workspace, first, last)
        desk.steps = sum(len(stretch.products) for stretch in plan.stretches)
        for stretch in plan.stretches:
            selection = [product_key((), ref) for ref in stretch.products]
            _execute(location, JOBS[stretch.grain], stretch, dagster, selection)
            _raise_first(desk)
        for done in desk.report.products:
            next(known for known in plan.products if known.name == done.name).add(done)
        desk.report.products = plan.products
        desk.report.findings += empty_range(group, first, last, now.date())
        stated_counts.take_counts(workspace)
        _publish(desk, location, calendar, dagster)
        notify(workspace, desk.report, whole=first is None and last is None)
        return desk.report


def _publish(desk: RunContext, location: dg.Definitions, calendar: Calendar, dagster: dg.DagsterInstance) -> None:
    """The figures of months that are out of date, then the licence tests, which may have changed without any."""
    store = desk.workspace.store_if_any()
    if store is None:
        return
    months = publish.outdated_months(desk.workspace, store)
    runs = sensors.within(months, calendar)
    for month in months:
        if month not in runs:  # Of a product that no manifest names any more: no partition, but a month all the same.
            desk.report.add(publish.publish_month(desk.workspace, store, month))
    for begin, end in stretches("month", runs):
        _execute(location, FIGURES, Stretch("month", begin, end, ()), dagster, None)
        _raise_first(desk)
    if not runs:
        known = {m.inputs.digest: m for m in desk.report.measured.values()}
        desk.report.tests = publish.note_tests(desk.workspace, store, known)
    desk.report.published.sort()


def _execute(
    location: dg.Definitions,
    job: str,
    stretch: Stretch,
    dagster: dg.DagsterInstance,
    selection: list[dg.AssetKey] | None,
) -> None:
    location.resolve_job_def(job).execute_in_process(
        asset_selection=selection,
        instance=dagster,
        raise_on_error=False,
        run_config={"loggers": {"none": {}}},
        tags=partitions.range_tags(stretch.grain, stretch.first, stretch.last) | instance.process_tag(),
    )


def _raise_first(desk: RunContext) -> None:
    """What Dagster took for a failed step, but is no product's refusal, ends the run as it would without Dagster."""
    if desk.errors:
        raise desk.errors[0]


def _location(group: Group, calendar: Calendar, desk: RunContext) -> dg.Definitions:
    return dg.Definitions(
        assets=assets.from_group(group, calendar, ()),
        jobs=[dg.define_asset_job(name, chosen) for name, chosen in jobs.jobs(group, ()).items()],
        resources={DESK: dg.ResourceDefinition.hardcoded_resource(desk)},
        loggers={"none": _silent},
    )


@dg.logger({}, description="Nothing: the report says what was done")
def _silent(_: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.getLogger("mauwatch.dagster")
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    return logger


@contextmanager
def _quiet() -> Iterator[None]:
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
