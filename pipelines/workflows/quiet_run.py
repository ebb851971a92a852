"""A run that finds nothing to compute and nothing to publish: a day's usual case, without Dagster.

Whether there is anything to do is asked in the same way as by the whole run: of the sources (which days are due, and which files
have changed), of the manifests' counts, and of the digests of what each published month rests on.
"""

from datetime import datetime
from pathlib import Path

from affiliates.errors import Refusal, unforeseen_into
from affiliates.manifests.group import Group
from pipelines.figures.figure_cache import FigureCache
from pipelines.ingestion import clock_check, collect, stated_counts
from pipelines.workflows import basis, publish, run_note
from pipelines.workflows.report import Report
from pipelines.workflows.run import failure_alerted, notify
from pipelines.workflows.unchanged import Look
from pipelines.workspace import Workspace


def quiet_run(directory: Path, group: Group, now: datetime, look: Look | None = None) -> Report | None:
    """The report of a run without a range, where nothing is due; null where anything has to be computed or published.

    What may change by itself is done all the same: licence tests, whose grants begin and end with days, alerts, messages that
    wait, and the heartbeat. Raises what a run raises, after the alert of a failed run. `look`: taken before the group was read;
    with it, a report that left all as it was is kept for the next run (`unchanged`).
    """
    # Looked at before keys, crosswalk and store are opened, and again once the store is closed.
    before = basis.of_run(look, group) if look is not None else None
    with failure_alerted(directory, group, now), Workspace(directory, group, now) as workspace:
        report = Report()
        verdict = clock_check.look(workspace.store_if_any(), workspace.now)
        if not verdict.is_usable:
            report.findings += verdict.findings
            return report
        if not verdict.is_fine:  # There is something to compute anew: the whole run does it, and tells it.
            return None
        # What nobody foresaw is the whole run's to meet again: there, each step is apart from the others.
        errors = list[Refusal]()
        is_quiet = False
        with unforeseen_into("a quiet run", errors.append):
            is_quiet = _goes_quietly(workspace, report)
        if not is_quiet:
            return None
        notify(workspace, report)
        run_note.note_quiet(workspace, report, before is not None)
        ends = basis.until(workspace)
    if look is not None and before is not None:
        before.keep(report, basis.places_of(look.directory, group), now, ends)
    return report


def _goes_quietly(workspace: Workspace, report: Report) -> bool:
    """Whether nothing has to be computed or published; if so, what a run does then is done and put down."""
    for ref, product in workspace.group.products.items():
        planned, due = collect.plan(workspace, ref, product)
        # A refused product is Dagster's to show.
        if due is None or due.periods:
            return False
        report.products.append(planned)
    store = workspace.store_if_any()
    if store is None:
        return False
    stated_counts.take_counts(workspace)
    kept = FigureCache(workspace.directory, workspace.group)
    # One snapshot: what isn't outdated is what the licences are tested by.
    with store.snapshot() as fixed:
        findings = publish.findings_without_publishing(workspace, fixed)
        if findings is None:
            return False
        report.findings += publish.note_data(workspace, store, report.products)
        tested = publish.run_licence_tests(workspace, fixed, {}, kept)
    report.tests = publish.append_tests(workspace, store, tested, set())
    report.findings += findings
    kept.remove_unused()
    return True
