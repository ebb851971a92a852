"""What is due, as runs: stretches of days or months with the products that lack them; jobs, schedules, and sensors.

One Dagster run can't hold daily and monthly assets, so there are three jobs: products by day, products by
month, and the figures with the licence tests.
"""

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg

from affiliates.group import Group, Product, ProductRef
from affiliates.periods import DAY, Grain, first_day, stretches
from pipelines import collect, inbox, receiving, run, runbook
from pipelines.collect import Centre, ProductRun
from pipelines.defs import instance, partitions
from pipelines.defs.assets import Prefix, product_key
from pipelines.defs.partitions import Calendar
from pipelines.defs.resources import DESK, Clock, Desk

JOBS: dict[Grain, str] = {"day": "mauwatch_days", "month": "mauwatch_months"}
FIGURES = "mauwatch_figures"
RECEIVE, INBOX = "mauwatch_receive", "mauwatch_inbox"
"""The job that takes what affiliates hand in, and the sensor that starts it."""
_AT = "0 6 * * *"
"""Six in the morning, in the group's time zone: the day is over everywhere and its exports have had some hours."""


@dataclass(frozen=True)
class Stretch:
    """One run: periods without a gap, from `first` to `last` (first days), of products of one grain."""

    grain: Grain
    first: date
    last: date
    products: tuple[ProductRef, ...]


@dataclass(frozen=True)
class Plan:
    """What has to be run, and by product (in the manifests' order) what is known before it is."""

    stretches: list[Stretch]
    products: list[ProductRun]


def plan(centre: Centre, first: date | None = None, last: date | None = None) -> Plan:
    """The runs that compute what is due in a range, or without one what is due at all.

    Products with the same stretch of periods share a run; others don't, so that none is computed beyond what it lacks.
    A product whose sources are refused before anything is known of its days is run for the last of them, and fails
    there with the reason.
    """
    known, by_stretch = [], defaultdict[tuple[Grain, date, date], list[ProductRef]](list)
    for ref, product in centre.group.products.items():
        done, due = collect.plan(centre, ref, product, first, last)
        found = sorted(due.periods) if due else _last_period(centre, product, first, last)
        for begin, end in stretches(product.grain, found):
            by_stretch[product.grain, begin, end].append(ref)
        known.append(done)
    order = sorted(by_stretch, key=lambda s: (s[0] == "month", s[1], s[2]))
    return Plan([Stretch(*key, tuple(by_stretch[key])) for key in order], known)


def _last_period(centre: Centre, product: Product, first: date | None, last: date | None) -> list[date]:
    """The last period of the product's life, and of the range, that is over."""
    day = min(last or date.max, centre.today - DAY)
    if product.to is not None:
        day = min(day, product.to - DAY)
    if day < max(first or date.min, product.from_):
        return []
    return [first_day(product.grain, day)]


def jobs(group: Group, prefix: Prefix) -> dict[str, dg.AssetSelection]:
    """By name, what each of the three jobs computes; there is one of products only where there are such."""
    keys = _keys(group, prefix)
    whole = [dg.AssetKey([*prefix, "group", name]) for name in ("figures", "licence_tests")]
    found = {JOBS[grain]: keys[grain] for grain in JOBS if keys[grain]} | {FIGURES: whole}
    return {name: dg.AssetSelection.assets(*chosen) for name, chosen in found.items()}


def schedules(directory: Path, group: Group, prefix: Prefix, clock: Clock, running: bool) -> list[dg.ScheduleDefinition]:
    """Every morning, runs of whatever isn't computed, wasn't settled or has changed, by day and by month."""
    return [_schedule(grain, directory, group, prefix, clock, running) for grain, keys in _keys(group, prefix).items() if keys]


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
        with Centre(directory, group, clock()) as centre:
            found = [s for s in plan(centre).stretches if s.grain == grain]
        for stretch in found:
            yield dg.RunRequest(
                run_key=f"{context.scheduled_execution_time:%Y-%m-%d} {_name(stretch)}",
                asset_selection=[product_key(prefix, ref) for ref in stretch.products],
                tags=partitions.range_tags(grain, stretch.first, stretch.last),
            )
        if not found:
            yield dg.SkipReason("everything that its sources hold is computed and settled")

    return due


def sensor(directory: Path, group: Group, calendar: Calendar, prefix: Prefix, clock: Clock, running: bool) -> dg.SensorDefinition:
    """Publishes the months whose contributions or counts have changed, once no run of products is under way.

    It asks the store and not Dagster's events: whatever changed a month, a schedule, a backfill, a file handed in or a
    manifest, and whatever failed on the way, the month that isn't as it was published is published.
    """

    @dg.sensor(
        name=f"{FIGURES}_outdated",
        job_name=FIGURES,
        minimum_interval_seconds=600,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description="Every ten minutes: months whose contributions, counts or manifests have changed since they were published.",
    )
    def outdated(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        if under_way(context.instance):
            yield dg.SkipReason("waits for the products' runs")
            return
        with Centre(directory, group, clock()) as centre:
            collect.take_counts(centre)  # A count that has changed in a manifest outdates its month.
            store = centre.store_if_any()
            months = run.outdated_months(centre, store) if store else []
            position = store.position(centre.now) if store else None
            today = centre.today
        found = stretches("month", within(months, calendar))
        for first, last in found:
            # Once a day where it stays as it is, such as a month whose contributions can't be united.
            at = f"{position.contributions}-{position.counts}" if position else ""
            yield dg.RunRequest(run_key=f"{today} {first} {last} {at}", tags=partitions.range_tags("month", first, last))
        if not found:
            yield dg.SkipReason("every month is as it was published")

    return outdated


def receiving_job() -> dg.JobDefinition:
    """Takes what waits in the inbox; the sensor of outdated months publishes what that has changed.

    A file that is refused is in its receipt, in quarantine, and here in the log as an error with its section of the runbook.
    The run succeeds: it did what it had to, and a red one would be looked at here, where nobody can mend the file.
    """

    @dg.op(description="Files in .mauwatch/inbox: each whole or not at all, with a receipt", required_resource_keys={DESK})
    def inbox_received(context: dg.OpExecutionContext) -> None:
        desk: Desk = getattr(context.resources, DESK)
        with desk.without_data("the inbox"):
            centre = desk.centre
            offers, left = inbox.waiting(centre.directory, time.time(), receiving.signing(centre))
            session = receiving.receive(centre, offers, progress=desk.progress)
        for taken in session.taken:
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


def inbox_sensor(directory: Path, group: Group, running: bool) -> dg.SensorDefinition:
    """Starts a run that receives, once something in the inbox is whole."""
    signed = frozenset(name for name, entity in group.entities.items() if entity.public_keys)

    @dg.sensor(
        name=INBOX,
        job_name=RECEIVE,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description="Every minute: files and folders in .mauwatch/inbox/AFFILIATE that are written to their end.",
    )
    def handed_in(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        offers, left = inbox.waiting(directory, time.time(), signed)
        if not offers:
            return dg.SkipReason(f"nothing new is whole; {len(left)} left as they are")
        # Once a day for what is there: a file that can't be judged, or not be moved away, isn't tried each minute.
        there = sorted(f"{offer.folder}/{offer.path.name} {inbox.changed_at(offer.path)}" for offer in offers)
        there.append(f"{datetime.now(UTC):%Y-%m-%d}")
        return dg.RunRequest(run_key=hashlib.sha256("\n".join(there).encode(errors="surrogateescape")).hexdigest())

    return handed_in


def within(months: Sequence[date], calendar: Calendar) -> list[date]:
    """Those that are partitions; the store may have months of products that no manifest names any more."""
    return [month for month in months if calendar.months.has_partition_key(partitions.key_of("month", month))]


def under_way(dagster: dg.DagsterInstance) -> bool:
    """Whether runs of products, or of what is handed in, are queued or going on; one without its process holds nothing up."""
    instance.end_orphans(dagster)
    unfinished = [status for status in dg.DagsterRunStatus if status not in _FINISHED]
    since = datetime.now(UTC) - instance.LONGEST
    return any(
        dagster.get_runs_count(dg.RunsFilter(job_name=job, statuses=unfinished, created_after=since))
        for job in (*JOBS.values(), RECEIVE)
    )


_FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def _keys(group: Group, prefix: Prefix) -> dict[Grain, list[dg.AssetKey]]:
    products = {ref: product for ref, product in group.products.items() if not product.handed_in}
    return {grain: [product_key(prefix, ref) for ref, p in products.items() if p.grain == grain] for grain in JOBS}


def _name(stretch: Stretch) -> str:
    """Distinguishes the stretches of a morning: those of other products with the same days share one."""
    return f"{partitions.key_of(stretch.grain, stretch.first)} {partitions.key_of(stretch.grain, stretch.last)}"
