"""The looks of schedules and sensors, which Dagster calls ticks: none raises, the last of each is known, and one that is missed.

Dagster keeps the text of whatever a look raises, and starts no run. So a look that can't be made says so in the place of the
reason why it asks for nothing: by a refusal, or by an error's kind, module and line.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickStatus,
)

from affiliates.errors import RefusedError, libraries_reduced, unforeseen_into
from affiliates.manifests.group import Group
from affiliates.periods import DAY, LONGEST_RUN
from pipelines.defs.jobs import ALERTS, FIGURES, INBOX, JOBS, asset_keys

HOUR = 6
"""The hour of the schedules, in the group's time zone: yesterday's exports have had some hours."""
GRACE = timedelta(hours=1)
"""How long after its time a look may come: what is due of a large group takes minutes to find out."""
_FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
UNFINISHED = [status for status in dg.DagsterRunStatus if status not in _FINISHED]
"""What a run is that is queued or going on."""
_MOST_RUNS = 100
"""Runs of a morning that are looked at for a step that has succeeded."""
_EVERY = timedelta(minutes=10)
"""The longest interval of a sensor."""
_FAILED = "can't be looked at: "
"""How the reason begins for which a look that can't be made asks for nothing."""
_SENSORS = (f"{FIGURES}_outdated", INBOX, f"{ALERTS}_due", f"{ALERTS}_failed", f"{ALERTS}_succeeded")


def failed(reason: str) -> str:
    """The reason, as a look gives it that can't be made."""
    return f"{_FAILED}{reason}"


@contextmanager
def reasons_into(note: Callable[[str], None], subject: str) -> Iterator[None]:
    """Gives the reason to `note` why the inside can't be looked at, where it can't; of errors, nothing is raised."""
    reasons = unforeseen_into(subject, lambda refusal: note(failed(str(refusal))), foreseen=OSError)
    with libraries_reduced(), reasons:
        try:
            yield
        except RefusedError as error:
            note(failed(str(error)))
        except OSError as error:
            note(failed(f"{subject}: {error.strerror or type(error).__name__}"))


@dataclass(frozen=True)
class LastTick:
    """The last look of a schedule or sensor."""

    name: str
    at: datetime | None
    """Of a schedule: the time that the look was due; null where there was none yet."""
    failed: bool
    requested: bool
    """Whether it has asked for runs."""
    since: datetime | None
    """Of a schedule: since when it is turned on."""
    is_off: bool


def last_ticks(dagster: dg.DagsterInstance) -> dict[str, LastTick]:
    """By name, the last look of each schedule and sensor that Dagster knows."""
    return {state.instigator_name: _last_tick(dagster, state) for state in dagster.all_instigator_state()}


def missed(dagster: dg.DagsterInstance, group: Group, now: datetime, began: datetime) -> Iterator[str]:
    """What has failed to come of schedules and sensors, a sentence each; `began`: when the daemon was started."""
    ticks = last_ticks(dagster)
    is_settled = now - began > GRACE
    for grain, keys in asset_keys(group, ()).items():
        if keys:
            yield from _missed_morning(dagster, group, JOBS[grain], ticks.get(f"{JOBS[grain]}_due"), now, is_settled)
    for name in _SENSORS:
        tick = ticks.get(name)
        if tick is not None and tick.is_off:
            yield f"{name} is turned off"
        elif tick is not None and tick.failed:
            yield f"the last look of {name} has failed"
        elif is_settled and (tick is None or tick.at is None or now - tick.at > GRACE + _EVERY):
            yield f"{name} hasn't looked since {_shown(tick.at if tick else None)}"


def mornings_without_look(dagster: dg.DagsterInstance, group: Group, now: datetime) -> list[str]:
    """The jobs of products whose schedule hasn't looked this morning, or couldn't: no run of them can tell that it failed."""
    ticks = last_ticks(dagster)
    due = [JOBS[grain] for grain, keys in asset_keys(group, ()).items() if keys]
    return [job for job in due if (tick := ticks.get(f"{job}_due")) and (tick.failed or _is_without_look(tick, group, now))]


def morning_before(group: Group, now: datetime) -> datetime:
    """The last time that the schedules were due, and that is so long ago that their looks have come."""
    local = (now - GRACE).astimezone(group.zone)
    morning = local.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    return morning if morning <= local else (local - DAY).replace(hour=HOUR, minute=0, second=0, microsecond=0)


def _missed_morning(
    dagster: dg.DagsterInstance, group: Group, job: str, tick: LastTick | None, now: datetime, is_settled: bool
) -> Iterator[str]:
    """What a morning lacks: its look, or a run that has succeeded of those that the look has asked for."""
    name = f"{job}_due"
    if tick is None:
        if is_settled:
            yield f"{name} has never looked"
    elif tick.is_off:
        yield f"{name} is turned off"
    elif tick.failed:
        yield f"the last look of {name} has failed"
    elif _is_without_look(tick, group, now):
        if is_settled:
            yield f"{name} hasn't looked since {_shown(tick.at)}; it was due at {_shown(morning_before(group, now))}"
    elif tick.requested and tick.at is not None and not _has_success(dagster, job, tick.at, now):
        yield f"nothing of {job} has succeeded since {_shown(tick.at)}"


def _is_without_look(tick: LastTick, group: Group, now: datetime) -> bool:
    """Whether a schedule hasn't looked at its last time, though it was turned on by then."""
    morning = morning_before(group, now)
    was_on = tick.since is None or tick.since <= morning
    return was_on and (tick.at is None or tick.at < morning)


def _has_success(dagster: dg.DagsterInstance, job: str, since: datetime, now: datetime) -> bool:
    """Whether a run of a job since a moment has succeeded for any product, or may still."""
    going_on = dg.RunsFilter(job_name=job, statuses=UNFINISHED, created_after=max(since, now - LONGEST_RUN))
    succeeded = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=since)
    if any(dagster.get_runs_count(runs) for runs in (succeeded, going_on)):
        return True
    # A product that is refused makes its run fail, and others of the run are counted all the same.
    failed = dagster.get_runs(dg.RunsFilter(job_name=job, created_after=since), limit=_MOST_RUNS)
    return any(dagster.get_run_stats(run.run_id).steps_succeeded for run in failed)


def _last_tick(dagster: dg.DagsterInstance, state: InstigatorState) -> LastTick:
    # Two, for the last one may be under way.
    ticks = dagster.get_ticks(state.instigator_origin_id, state.selector_id, limit=2)
    ended = next((tick for tick in ticks if tick.status != TickStatus.STARTED), None)
    data = state.instigator_data
    since = data.start_timestamp if isinstance(data, ScheduleInstigatorData) else None
    return LastTick(
        state.instigator_name,
        datetime.fromtimestamp(ended.timestamp, UTC) if ended else None,
        failed=ended is not None and (ended.status == TickStatus.FAILURE or (ended.skip_reason or "").startswith(_FAILED)),
        requested=ended is not None and ended.status == TickStatus.SUCCESS and bool(ended.run_ids or ended.run_keys),
        since=datetime.fromtimestamp(since, UTC) if since else None,
        is_off=state.status == InstigatorStatus.STOPPED,
    )


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M %Z}" if moment else "its start"
