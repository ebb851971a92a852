"""When runs of products are due: every morning."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from affiliates.manifests.group import Group
from affiliates.periods import Grain, clock_fault
from pipelines.defs import partitions, ticks
from pipelines.defs.jobs import JOBS, Stretch, asset_keys, plan, stretch_key
from pipelines.defs.product_assets import Prefix, product_key
from pipelines.defs.resources import NOT_PLANNED, Clock
from pipelines.workspace import Workspace


def schedules(directory: Path, group: Group, prefix: Prefix, clock: Clock, running: bool) -> list[dg.ScheduleDefinition]:
    """A schedule for each grain that has products: every morning, runs of what isn't computed, wasn't settled or has changed."""
    grains = [grain for grain, keys in asset_keys(group, prefix).items() if keys]
    return [_schedule(grain, directory, group, prefix, clock, running) for grain in grains]


def _schedule(grain: Grain, directory: Path, group: Group, prefix: Prefix, clock: Clock, running: bool) -> dg.ScheduleDefinition:
    """The schedule of the products of one grain."""

    @dg.schedule(
        name=f"{JOBS[grain]}_due",
        cron_schedule=f"0 {ticks.HOUR} * * *",
        job_name=JOBS[grain],
        execution_timezone=group.settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
        description=f"Each morning: what is due of products that count by {grain}, a run for each stretch without a gap.",
    )
    def due(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        if fault := clock_fault(clock()):
            yield dg.SkipReason(ticks.failed(f"this machine's clock is wrong: {fault}"))
            return
        stretches = list[Stretch]()
        reasons = list[str]()
        with ticks.reasons_into(reasons.append, JOBS[grain]), Workspace(directory, group, clock()) as workspace:
            stretches = [stretch for stretch in plan(workspace).stretches if stretch.grain == grain]
        if reasons:
            # Of a run that fails, an alert tells, and Dagster's page shows it red; of a look that fails, neither.
            morning = f"{context.scheduled_execution_time:%Y-%m-%d}"
            yield dg.RunRequest(run_key=f"{morning} not planned", tags={NOT_PLANNED: reasons[0]})
            return
        for stretch in stretches:
            yield dg.RunRequest(
                # Once for a stretch each morning: a second tick of the same morning asks for nothing new.
                run_key=f"{context.scheduled_execution_time:%Y-%m-%d} {stretch_key(stretch)}",
                asset_selection=[product_key(prefix, ref) for ref in stretch.products],
                tags=partitions.range_tags(grain, stretch.first, stretch.last),
            )
        if not stretches:
            yield dg.SkipReason("everything that its sources hold is computed and settled")

    return due
