"""What starts a run without a schedule: outdated months, and files in the inbox."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg

from affiliates.manifests.group import Group
from affiliates.periods import LONGEST_RUN, stretches
from pipelines.defs import instance, partitions, ticks
from pipelines.defs.jobs import FIGURES, INBOX, JOBS, RECEIVE
from pipelines.defs.partitions import Calendar
from pipelines.defs.product_assets import Prefix
from pipelines.defs.resources import Clock
from pipelines.ingestion import inbox, receive, stated_counts
from pipelines.workflows import publish
from pipelines.workspace import Workspace


def figures_sensor(
    directory: Path, group: Group, calendar: Calendar, prefix: Prefix, clock: Clock, running: bool
) -> dg.SensorDefinition:
    """Publishes the months whose contributions or counts have changed, once no run of products is under way.

    The sensor asks the store and not Dagster's events. So a month that isn't as it was published is published, whatever changed
    it (a schedule, a backfill, a file handed in, a manifest), and whatever failed on the way.
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
        reasons = list[str]()
        with ticks.reasons_into(reasons.append, FIGURES), Workspace(directory, group, clock()) as workspace:
            stated_counts.take_counts(workspace)  # A count that has changed in a manifest outdates its month.
            store = workspace.store_if_any()
            months = publish.outdated_months(workspace, store) if store else []
            position = store.position(workspace.now) if store else None
            today = workspace.today
        if reasons:
            yield dg.SkipReason(reasons[0])
            return
        outdated_stretches = stretches("month", within(months, calendar))
        for first, last in outdated_stretches:
            # Once a day where it stays as it is, such as a month whose contributions can't be united.
            stored = f"{position.contributions}-{position.counts}" if position else ""
            yield dg.RunRequest(run_key=f"{today} {first} {last} {stored}", tags=partitions.range_tags("month", first, last))
        if not outdated_stretches:
            yield dg.SkipReason("every month is as it was published")

    return outdated


def inbox_sensor(directory: Path, group: Group, running: bool) -> dg.SensorDefinition:
    """Starts a run of the receiving job, once a file or folder in the inbox is written to its end."""
    signed = receive.must_sign(group)

    @dg.sensor(
        name=INBOX,
        job_name=RECEIVE,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description="Every minute: files and folders in .mauwatch/inbox/AFFILIATE that are written to their end.",
    )
    def handed_in(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        reasons = list[str]()
        with ticks.reasons_into(reasons.append, INBOX):
            with Workspace(directory, group, datetime.now(UTC)) as workspace:
                offers, left, skipped = inbox.waiting(directory, time.time(), receive.accepted_files(workspace), signed)
            # Once a day for what is there: a file that can't be judged, or not be moved away, isn't tried each minute. A file
            # that only an earlier store has accepted isn't what it was, by its receipt.
            waiting = sorted(
                f"{offer.folder}/{offer.path.name} {inbox.state_of(offer.path)} {inbox.receipt_of(offer).get('received_at')}"
                for offer in offers
            )
        if reasons:
            return dg.SkipReason(reasons[0])
        if not offers:
            return dg.SkipReason(f"nothing new is whole; {len(left)} left as they are, {len(skipped)} accepted before")
        waiting.append(f"{datetime.now(UTC):%Y-%m-%d}")
        return dg.RunRequest(run_key=hashlib.sha256("\n".join(waiting).encode(errors="surrogateescape")).hexdigest())

    return handed_in


def within(months: Sequence[date], calendar: Calendar) -> list[date]:
    """The months that are partitions; the store may have months of products that no manifest names any more."""
    return [month for month in months if calendar.months.has_partition_key(partitions.key_of("month", month))]


def under_way(dagster: dg.DagsterInstance) -> bool:
    """Whether runs of products, or of the receiving job, are queued or going on.

    A run whose process is gone doesn't count, nor one that is older than the longest run: they would hold figures up for ever.
    """
    instance.end_orphans(dagster)
    since = datetime.now(UTC) - LONGEST_RUN
    return any(
        dagster.get_runs_count(dg.RunsFilter(job_name=job, statuses=ticks.UNFINISHED, created_after=since))
        for job in (*JOBS.values(), RECEIVE)
    )
