"""One run: contributions from every source that is due, then the months' figures and licence tests."""

from datetime import date, datetime
from pathlib import Path

from affiliates.manifests.group import Group
from pipelines.alerts import delivery, evaluate, rules
from pipelines.ingestion import collect, due, stated_counts
from pipelines.runbook import Finding, Page
from pipelines.workflows.publish import note_tests, publish_month
from pipelines.workflows.report import Progress, Report
from pipelines.workspace import Workspace


def run(
    directory: Path,
    group: Group,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = lambda what, done, of: None,
) -> Report:
    """Compute the days from `first` to `last` (both included), store them and publish their months.

    Without a range, computes what is missing, wasn't settled, has changed since or was made under
    other settings. A product whose sources are refused keeps what the store has, and the others go on.
    """
    report = Report()
    with Workspace(directory, group, now) as workspace:
        for number, (ref, product) in enumerate(group.products.items()):
            progress(str(ref), number, len(group.products))
            report.products.append(collect.collect(workspace, ref, product, first, last))
        report.findings += empty_range(group, first, last, now.date())
        stated_counts.take_counts(workspace)
        store = workspace.store_if_any()
        if store is not None:
            months = store.read_months()
            for number, month in enumerate(months):
                progress(f"{month:%Y-%m}", number, len(months))
                report.add(publish_month(workspace, store, month))
            report.tests = note_tests(workspace, store, {m.inputs.digest: m for m in report.measured.values()})
        notify(workspace, report, whole=first is None and last is None)
    return report


def notify(workspace: Workspace, report: Report, whole: bool) -> None:
    """Look once more with what the run found itself, send what waits in the outbox, and let the heartbeat beat.

    It stays silent when a product was refused or a message can't be delivered: then the outside service rings. `whole`: the
    run was about all that is due, and not about a range.
    """
    refused = [p.name for p in report.products if p.refusals]
    store = workspace.store_if_any()
    left = list[Finding]()
    if store is not None:
        missing = [p.name for p in report.products if p.missing] if whole else None
        evaluate.evaluate(store, workspace.group, workspace.registry, workspace.now, True, evaluate.RunFacts(missing, refused))
        left = delivery.deliver(store, workspace.directory, workspace.group, workspace.clock)
        report.alerts = delivery.open_alerts(store)
    report.findings += left
    report.findings += [
        Finding(said, Page.UNDELIVERED) for said in rules.unwatched(workspace.group, workspace.registry, workspace.today)
    ]
    if not refused and not left:
        report.findings += delivery.ping(workspace.group.alerting, workspace.directory)


def empty_range(group: Group, first: date | None, last: date | None, today: date) -> list[Finding]:
    """The finding that a range holds no day of any product."""
    if (first is None and last is None) or due.any_days(group, first, last, today):
        return []
    said = f"no product lives between {first or 'the beginning'} and {last or 'today'}, or it lies in the future"
    return [Finding(said, Page.RANGE_EMPTY)]
