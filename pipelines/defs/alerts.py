"""Alerts under Dagster: a job that evaluates, sends and calls the heartbeat; when the job is due; and runs that fail.

A month's alerts are recorded in the transaction that publishes the month. The job is for what comes with time: messages to be
sent, or tried again; alerts that nobody has acknowledged; months that are overdue.
"""

from datetime import datetime
from functools import partial
from pathlib import Path

import dagster as dg

from affiliates.manifests.group import Group
from affiliates.manifests.product import ProductRef
from affiliates.periods import last_day, month_end
from pipelines.alerts import delivery, evaluate, heartbeat, responses
from pipelines.alerts.evaluate import FAILED
from pipelines.alerts.recorder import AlertRecorder
from pipelines.alerts.responses import FailedRun, JobRun
from pipelines.defs import ticks
from pipelines.defs.jobs import ALERTS, FIGURES, JOBS, plan
from pipelines.defs.resources import RUN_CONTEXT, Clock, RunContext, failure
from pipelines.defs.sensors import under_way
from pipelines.ingestion import collect
from pipelines.runbook import Finding, Page
from pipelines.store import alert_log, contributions, engine, outbox
from pipelines.store.contributions import ContributionStore
from pipelines.store.process_identity import process_is_gone
from pipelines.workflows import monthly_report, report_mail, run_note
from pipelines.workflows.publish import note_data, outdated_months
from pipelines.workspace import Workspace

_HOUR = 7
"""From this hour on, in the group's time zone, the day's evaluation is due: the runs of the morning have begun at six."""


def job() -> dg.JobDefinition:
    """The job: evaluates what is published, sends what waits, and calls the heartbeat's address.

    The heartbeat is silent where a run has failed, a message can't be delivered, or the clock is doubted: an outside service then
    rings.
    """

    @dg.op(description="Alerts: an evaluation, what waits in the outbox, the heartbeat", required_resource_keys={RUN_CONTEXT})
    def alerts_sent(context: dg.OpExecutionContext) -> None:
        run_context: RunContext = getattr(context.resources, RUN_CONTEXT)
        with run_context.without_data("the alerts"):
            workspace = run_context.workspace
            missed = ticks.mornings_without_look(context.instance, workspace.group, workspace.now)
            store = workspace.store() if missed else workspace.store_if_any()
            if store is None:
                return  # Nothing is published, so nothing can be wrong with it.
            report = run_context.report
            with report.step("the products' data"):
                note_data(workspace, store)
            with report.step("the failed runs"):
                responses.end_failures(store, workspace.group, workspace.now, partial(_is_due, workspace, store))
                for name in missed:
                    responses.note_failure(store, workspace.group, JobRun(name), workspace.now)
            with report.step("the alerts"):
                for refusal in evaluate.evaluate(store, workspace.group, workspace.registry, workspace.now, whole=True):
                    report.fail(refusal)
            not_made = list[Finding]()
            with report.step("the monthly report"):
                not_made = monthly_report.make_due(workspace, store)
                not_made += report_mail.send_due(workspace, store)
            findings = delivery.deliver(store, workspace.directory, workspace.group, workspace.clock)
            with report.step("the log of runs"):
                run_note.note_watch(workspace, store, len([*report.findings, *findings, *not_made]), report.failed)
            if report.failed:  # The failure of this run is an alert, which the next one that succeeds ends.
                raise failure("\n".join(map(str, report.findings)), report.pages)
            failed_run = alert_log.current(store).get(FAILED)
            findings += [finding for finding in run_context.report.findings if finding.page == Page.CLOCK]
            if not findings and not (failed_run and failed_run.is_open):
                findings = heartbeat.ping(workspace.group.alerting, workspace.directory)
        for finding in [*findings, *not_made]:
            context.log.error(f"{finding} {finding.page.line}")

    @dg.job(name=ALERTS, description="Alerts and the heartbeat")
    def alerting() -> None:
        alerts_sent()

    return alerting


def sensors(directory: Path, group: Group, clock: Clock, running: bool) -> list[dg.SensorDefinition]:
    """Three sensors: when the job is due, and how runs of all jobs end, by failure and by success.

    `running`: whether they are on from the start.
    """
    status = dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        name=f"{ALERTS}_due",
        job_name=ALERTS,
        minimum_interval_seconds=60,
        default_status=status,
        description="Once a day after the morning's runs, and whenever a message waits or nobody has acknowledged an alert.",
    )
    def due(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        now = clock()
        local = now.astimezone(group.zone)
        reasons = list[str]()
        anything_waits = False
        with ticks.reasons_into(reasons.append, ALERTS):
            anything_waits = _anything_waits(directory, group, now)
        if reasons:
            return dg.SkipReason(reasons[0])
        if anything_waits:
            # At most one run a minute, which is how often the sensor looks.
            return dg.RunRequest(run_key=f"{now:%Y-%m-%d %H:%M}")
        if local.hour < _HOUR or under_way(context.instance):
            return dg.SkipReason("nothing waits, and the day's evaluation comes after the morning's runs")
        return dg.RunRequest(run_key=f"{local:%Y-%m-%d}")

    @dg.run_failure_sensor(
        name=f"{ALERTS}_failed", minimum_interval_seconds=30, default_status=status, description="A run that failed is an alert."
    )
    def failed(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        return _note_end(directory, group, context.dagster_run, clock, failed=True)

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name=f"{ALERTS}_succeeded",
        minimum_interval_seconds=30,
        default_status=status,
        description="A job's next run that succeeds ends the alert.",
    )
    def succeeded(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
        return _note_end(directory, group, context.dagster_run, clock, failed=False)

    return [due, failed, succeeded]


def _note_end(directory: Path, group: Group, run: dg.DagsterRun, clock: Clock, failed: bool) -> dg.SkipReason | None:
    """Record and tell how a run has ended; why that can't be done, where it can't."""
    reasons = list[str]()
    with ticks.reasons_into(reasons.append, ALERTS):
        responses.run_ended(directory, group, _job_run(run), clock, failed)
    return dg.SkipReason(reasons[0]) if reasons else None


def _is_due(workspace: Workspace, store: ContributionStore, failed: FailedRun) -> bool:
    """Whether anything that a run has failed to do is still due; true where nobody can tell."""
    if failed.job in JOBS.values() and failed.first is None:  # What was due couldn't be found out then.
        return any(JOBS[stretch.grain] == failed.job for stretch in plan(workspace).stretches)
    if failed.first is None or failed.last is None:
        return True
    if failed.job == FIGURES:
        return any(failed.first <= month_end(month) and month <= failed.last for month in outdated_months(workspace, store))
    if not failed.product:
        return True
    ref = ProductRef.parse(failed.product)
    product = workspace.group.product(ref)
    if product is None:  # No manifest names it any more.
        return False
    planned, due = collect.plan(workspace, ref, product)
    if planned.refusals or due is None:
        return True
    return any(failed.first <= last_day(product.grain, period) and period <= failed.last for period in due.periods)


def _job_run(run: dg.DagsterRun) -> JobRun:
    """The periods and products that a run is about, from its tags and its asset keys."""
    partition = run.tags.get("dagster/partition", "")
    first = run.tags.get("dagster/asset_partition_range_start", partition)
    last = run.tags.get("dagster/asset_partition_range_end", partition)
    # Without the keys' prefix, which is Dagster's affair: alerts name products as everything else does.
    products = sorted("/".join(key.path[-2:]) for key in run.asset_selection or ())
    return JobRun(run.job_name, first, last, tuple(products))


def _anything_waits(directory: Path, group: Group, now: datetime) -> bool:
    """Whether a message may be sent now, or an alert has to be escalated."""
    if not group.alerting.channels or not engine.exists(group.settings.store, directory):
        return False
    with contributions.open_store(group.settings.store, directory) as store, store.snapshot() as snapshot:
        if AlertRecorder(snapshot, group, now).escalation_is_due():
            return True
        return any(outbox.due(outbox.read(snapshot), now, process_is_gone))
