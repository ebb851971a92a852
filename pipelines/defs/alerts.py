"""Alerts under Dagster: a job that looks, sends and lets the heartbeat beat; when it is due; and runs that fail.

A month that is published brings its alerts along in its own transaction. What is left for the job is time: messages to be
sent, or tried again, alerts that nobody has acknowledged, months that ought to be there by now.
"""

from datetime import datetime
from pathlib import Path

import dagster as dg

from affiliates.manifests.group import Group
from pipelines.alerts import delivery, evaluate, responses
from pipelines.alerts.evaluate import FAILED
from pipelines.alerts.recorder import AlertRecorder
from pipelines.alerts.responses import JobRun
from pipelines.defs.resources import DESK, Clock, RunContext
from pipelines.defs.sensors import under_way
from pipelines.store import alert_log, contributions, engine, outbox
from pipelines.store.process_identity import process_is_gone

ALERTS = "mauwatch_alerts"
_HOUR = 7
"""From then on, in the group's time zone, the day's look may be taken: the runs of the morning have begun at six."""


def job() -> dg.JobDefinition:
    """Looks at what is published, sends what waits, and calls the heartbeat's address unless a run has failed or a message
    can't be delivered."""

    @dg.op(description="Alerts: a look, what waits in the outbox, the heartbeat", required_resource_keys={DESK})
    def alerts_sent(context: dg.OpExecutionContext) -> None:
        desk: RunContext = getattr(context.resources, DESK)
        with desk.without_data("the alerts"):
            workspace = desk.workspace
            store = workspace.store_if_any()
            rules = workspace.group.alerting
            if store is None:
                return
            evaluate.evaluate(store, workspace.group, workspace.registry, workspace.now, whole=True)
            findings = delivery.deliver(store, workspace.directory, workspace.group, workspace.clock)
            failing = alert_log.current(store).get(FAILED)
            if not findings and not (failing and failing.is_open):
                findings = delivery.ping(rules, workspace.directory)
        for finding in findings:
            context.log.error(f"{finding} {finding.page.line}")

    @dg.job(name=ALERTS, description="Alerts and the heartbeat")
    def alerting() -> None:
        alerts_sent()

    return alerting


def sensors(directory: Path, group: Group, clock: Clock, running: bool) -> list[dg.SensorDefinition]:
    """When the job is due, and how the other jobs' runs end."""
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
        if _waits(directory, group, now):
            return dg.RunRequest(run_key=f"{now:%Y-%m-%d %H:%M}")
        if local.hour < _HOUR or under_way(context.instance):
            return dg.SkipReason("nothing waits, and the day's look comes after the morning's runs")
        return dg.RunRequest(run_key=f"{local:%Y-%m-%d}")

    @dg.run_failure_sensor(
        name=f"{ALERTS}_failed", minimum_interval_seconds=30, default_status=status, description="A run that failed is an alert."
    )
    def failed(context: dg.RunFailureSensorContext) -> None:
        responses.run_ended(directory, group, _about(context.dagster_run), clock, failed=True)

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name=f"{ALERTS}_succeeded",
        minimum_interval_seconds=30,
        default_status=status,
        description="A job's next run that succeeds ends the alert.",
    )
    def succeeded(context: dg.RunStatusSensorContext) -> None:
        responses.run_ended(directory, group, _about(context.dagster_run), clock, failed=False)

    return [due, failed, succeeded]


def _about(run: dg.DagsterRun) -> JobRun:
    """Which periods and products a run is about."""
    one = run.tags.get("dagster/partition", "")
    first = run.tags.get("dagster/asset_partition_range_start", one)
    last = run.tags.get("dagster/asset_partition_range_end", one)
    chosen = sorted("/".join(key.path[-2:]) for key in run.asset_selection or ())
    return JobRun(run.job_name, first, last, tuple(chosen))


def _waits(directory: Path, group: Group, now: datetime) -> bool:
    """Whether a message may be sent now, or an alert has waited for too long."""
    if not group.alerting.channels or not engine.exists(group.settings.store, directory):
        return False
    with contributions.open_store(group.settings.store, directory) as store, store.snapshot() as fixed:
        if AlertRecorder(fixed, group, now).escalation_is_due():
            return True
        return any(outbox.due(outbox.read(fixed), now, process_is_gone))
