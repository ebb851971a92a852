"""One run: contributions from every source that is due, then the months' figures, licence tests and alerts."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from pathlib import Path

from affiliates.errors import RefusedError
from affiliates.manifests.group import Group, lonely_namespaces
from pipelines.alerts import delivery, evaluate, heartbeat, responses, rules
from pipelines.alerts.evaluate import RUN
from pipelines.alerts.responses import JobRun
from pipelines.evidence import leftovers
from pipelines.figures import causes, signed_readings
from pipelines.ingestion import clock_check, collect, crosswalk_use, due, quarantine, receive, stated_counts, statements
from pipelines.ingestion.product_run import ProductRun
from pipelines.runbook import Finding, Page
from pipelines.store import mark
from pipelines.workflows import monthly_report, report_mail, run_note
from pipelines.workflows.publish import note_data, note_tests, publish_month
from pipelines.workflows.report import Progress, Report
from pipelines.workspace import Workspace


def run(
    directory: Path,
    group: Group,
    now: datetime,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = lambda step, done, total: None,
) -> Report:
    """Compute the days from `first` to `last` (both included), store them and publish their months.

    Without a range, computes what is missing, wasn't settled, has changed since or was made under
    other settings. A product whose sources are refused keeps what the store has, and the others go on.
    Raises `RefusedError` where the store, the newest key or the registry's additions can't be used.
    """
    report = Report()
    with Workspace(directory, group, now) as workspace:
        verdict = clock_check.settle(workspace)
        report.findings += verdict.findings
        if not verdict.is_usable:
            return report
        for number, (ref, product) in enumerate(group.products.items()):
            progress(str(ref), number, len(group.products))
            report.products.append(collect.collect(workspace, ref, product, first, last))
        report.findings += empty_range(group, first, last, now.date())
        with report.step("the manifests' counts"):
            stated_counts.take_counts(workspace)
        store = workspace.store_if_any()
        if store is not None:
            with report.step("the products' data"):
                report.findings += note_data(workspace, store, report.products)
            # All months, and not only those of the contributions above: counts, changed manifests and files that were handed
            # in outdate months, too. A month that is as it was published costs a look at its inputs.
            months = store.read_months()
            for number, month in enumerate(months):
                progress(f"{month:%Y-%m}", number, len(months))
                report.add(publish_month(workspace, store, month))
            measured = {figures.inputs.digest: figures for figures in report.measured.values()}
            with report.step("the licence tests"):
                report.tests = note_tests(workspace, store, measured)
        notify(workspace, report, first, last)
        run_note.note(workspace, report, first, last)
    return report


@contextmanager
def failure_alerted(
    directory: Path, group: Group, now: datetime, first: date | None = None, last: date | None = None
) -> Iterator[None]:
    """Makes a run that fails as a whole inside an alert, where the store can be reached; the error is raised all the same.

    `first`, `last`: the range that the run was about.
    """
    began = time.monotonic()

    def clock() -> datetime:
        """`now`, which is a test's where a test runs, and the time that sending takes."""
        return now + timedelta(seconds=time.monotonic() - began)

    try:
        yield
    except Exception:
        run_note.note_failure(directory, now)
        with suppress(RefusedError, OSError):  # What made the run fail may keep the alert from being stored: that is raised.
            # The range's days, as far as it has them: a run of other days mustn't end this.
            days = (str(first or date.min), str(last or now.date())) if first or last else ("", "")
            responses.run_ended(directory, group, JobRun(RUN, *days), clock, failed=True)
        raise


def notify(workspace: Workspace, report: Report, first: date | None = None, last: date | None = None) -> None:
    """Evaluate alerts once more with what the run itself found, send what waits in the outbox, and send the heartbeat.

    There is no heartbeat where a product was refused, a step has failed, a message can't be delivered, or the clock is doubted:
    then the outside service rings. `first`, `last`: the range that the run was about. Only a run without a range knows which
    products lack days.
    """
    with report.step("the look at identifiers"):
        looks = [*lonely_namespaces(workspace.group), *workspace.edge.spellings.findings()]
        report.findings += [Finding(text, Page.IDENTIFIERS) for text in looks]
    report.findings += _older(report.products)
    with report.step("what a killed command has left"):
        leftovers.remove(workspace.directory)
        # Outlooks that an older version has kept; they are rows of the store now.
        (workspace.directory / ".mauwatch" / "outlooks.json").unlink(missing_ok=True)
    with report.step("the quarantine"):
        report.findings += quarantine.findings(workspace.directory, receive.accepted_files(workspace))
    refused = [product.name for product in report.products if product.refusals]
    report.notes += [*workspace.snapshots.unsaid.values(), *crosswalk_use.not_compared(workspace.group)]
    report.findings += crosswalk_use.joining_nobody(workspace, report.measured.values())
    if report.published:  # A figure may rest on a statement that no run has compared with events yet.
        report.findings += statements.contradicted(workspace, refused)
    whole = first is None and last is None
    store = workspace.store_if_any()
    undelivered = list[Finding]()
    if store is not None:
        with report.step("the signed readings and the store's mark"):
            report.findings += [*signed_readings.findings(store, workspace.group), *mark.findings(store, workspace.directory)]
        missing = {product.name: product.missing for product in report.products if product.missing} if whole else None
        if whole:
            facts = evaluate.RunFacts(missing, [*refused, *([RUN] if report.failed else [])])
        else:
            days = first or date.min, last or workspace.today
            facts = responses.facts_of_range(*days, workspace.group, refused, report.failed)
        with report.step("the causes of changes"):  # Of publications that an older version has made.
            causes.note(store, workspace.group, workspace.now, report.fail, workspace.published_inputs)
        with report.step("the alerts"):
            known = workspace.published_inputs
            for refusal in evaluate.evaluate(store, workspace.group, workspace.registry, workspace.now, True, facts, known):
                report.fail(refusal)
        with report.step("the monthly report"):
            report.findings += monthly_report.make_due(workspace, store)
            report.findings += report_mail.send_due(workspace, store)
        with report.step("the sending of alerts"):
            undelivered = delivery.deliver(store, workspace.directory, workspace.group, workspace.clock)
            report.alerts = delivery.open_alerts(store)
    report.findings += undelivered
    with report.step("the licences that alerts.yaml names"):
        unwatched = rules.unwatched(workspace.group, workspace.registry, workspace.today)
        report.findings += [Finding(text, Page.UNDELIVERED) for text in unwatched]
    is_doubted = report.failed or any(finding.page == Page.CLOCK for finding in report.findings)
    if not refused and not undelivered and not is_doubted:
        with report.step("the heartbeat"):
            report.findings += heartbeat.ping(workspace.group.alerting, workspace.directory)


def _older(products: Sequence[ProductRun]) -> list[Finding]:
    """A finding for each product whose results weren't stored, since the store has results of a later moment."""
    return [
        Finding(
            f"{product.name}: {number:,} {'results are' if number > 1 else 'result is'} not stored: the store has what was "
            "computed at a later moment. Another run was faster, or a clock is wrong",
            Page.CLOCK,
        )
        for product in products
        if (number := product.received.older)
    ]


def empty_range(group: Group, first: date | None, last: date | None, today: date) -> list[Finding]:
    """The finding that a range (both ends included) holds no day of any product; none for a run without a range."""
    if (first is None and last is None) or due.has_days(group, first, last, today):
        return []
    text = f"no product lives between {first or 'the beginning'} and {last or 'today'}, or it lies in the future"
    return [Finding(text, Page.RANGE_EMPTY)]
