"""A group directory as a Dagster code location: assets, checks, jobs, schedules and sensors, put together.

There are two ways to load a group into a Dagster of one's own. Write a module with the line
`defs = build_defs(Path("/srv/acme"), ["mauwatch"])`. Or load this module, with the group directory in the environment
variable MAUWATCH_GROUP and, if wanted, the prefix of all asset keys in MAUWATCH_KEY_PREFIX (parts divided by a slash).
"""

import os
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from affiliates.errors import Code, reduce_libraries, refused, refused_if_unforeseen
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from pipelines.defs import alerts, assets, jobs, partitions, resources, schedules, sensors
from pipelines.defs.resources import Clock, real_clock


def build_defs(
    directory: Path, key_prefix: Sequence[str] = (), clock: Clock = real_clock, running: bool = False
) -> dg.Definitions:
    """All that Dagster has to know about a group directory.

    `key_prefix`: the first parts of every asset key. `clock`: what runs, schedules and sensors take for the time.
    `running`: whether schedules and sensors are turned on from the start; else a person turns them on.
    Raises `RefusedError` with all mistakes in the manifests.
    """
    with refused_if_unforeseen("the group directory"):
        return _build(directory, read_group(directory), key_prefix, clock, running)


def _build(directory: Path, group: Group, key_prefix: Sequence[str], clock: Clock, running: bool) -> dg.Definitions:
    calendar = partitions.calendar(group)
    return dg.Definitions(
        assets=assets.from_group(group, calendar, key_prefix),
        jobs=[
            *(dg.define_asset_job(name, chosen) for name, chosen in jobs.jobs(group, key_prefix).items()),
            jobs.receiving_job(),
            alerts.job(),
        ],
        schedules=schedules.schedules(directory, group, key_prefix, clock, running),
        sensors=[
            sensors.figures_sensor(directory, group, calendar, key_prefix, clock, running),
            sensors.inbox_sensor(directory, group, running),
            *alerts.sensors(directory, group, clock, running),
        ],
        resources={resources.RUN_CONTEXT: resources.run_context_resource(directory, group, clock)},
        executor=dg.in_process_executor,  # A step in a process of its own costs seconds, and counting uses all cores anyway.
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The group in MAUWATCH_GROUP; schedules and sensors are turned on, so the figure comes by itself while the daemon runs.

    Raises `RefusedError` where MAUWATCH_GROUP is missing, or the manifests have mistakes.
    """
    # Dagster calls this when it loads the code location: importing the module reads no environment. The process is Dagster's,
    # a code server or a run, and what it prints goes into a log.
    reduce_libraries()
    directory = os.environ.get("MAUWATCH_GROUP")
    if not directory:
        raise refused(
            Code.GROUP_MISSING,
            "the environment variable MAUWATCH_GROUP",
            "names no group directory",
            "",
            "set it to the folder of group.yaml",
        )
    prefix = os.environ.get("MAUWATCH_KEY_PREFIX", "")
    return build_defs(Path(directory), [part for part in prefix.split("/") if part], running=True)
