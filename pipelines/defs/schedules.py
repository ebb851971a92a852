"""When runs of products are due: every morning."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from affiliates.manifests.group import Group
from affiliates.periods import Grain
from pipelines.defs import partitions
from pipelines.defs.assets import Prefix, product_key
from pipelines.defs.jobs import JOBS, asset_keys, plan, stretch_key
from pipelines.defs.resources import Clock
from pipelines.workspace import Workspace

_AT = "0 6 * * *"
"""Six in the morning, in the group's time zone: the day is over everywhere and its exports have had some hours."""


def schedules(directory: Path, group: Group, prefix: Prefix, clock: Clock, running: bool) -> list[dg.ScheduleDefinition]:
    """Every morning, runs of whatever isn't computed, wasn't settled or has changed, by day and by month."""
    return [
        _schedule(grain, directory, group, prefix, clock, running) for grain, keys in asset_keys(group, prefix).items() if keys
    ]


def _schedule(grain: Grain, directory: Path, group: Group, prefix: Prefix, clock: Clock, running: bool) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{JOBS[grain]}_due",
        cron_schedule=_AT,
        job_name=JOBS[grain],
        execution_timezone=group.settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
        description=f"Each morning: what is due of products that count by {grain}, a run for each stretch without a gap.",
    )
    def due(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        with Workspace(directory, group, clock()) as workspace:
            found = [s for s in plan(workspace).stretches if s.grain == grain]
        for stretch in found:
            yield dg.RunRequest(
                run_key=f"{context.scheduled_execution_time:%Y-%m-%d} {stretch_key(stretch)}",
                asset_selection=[product_key(prefix, ref) for ref in stretch.products],
                tags=partitions.range_tags(grain, stretch.first, stretch.last),
            )
        if not found:
            yield dg.SkipReason("everything that its sources hold is computed and settled")

    return due
