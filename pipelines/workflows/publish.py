"""Publishing a month: figures under each reading whose inputs changed, with the licence tests that rest on them."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from affiliates.errors import RefusedError
from affiliates.manifests.readings import Reading
from pipelines import runbook
from pipelines.alerts import evaluate
from pipelines.counting import measure
from pipelines.counting.inputs import METHOD, Inputs, gather
from pipelines.counting.measure import Measured
from pipelines.figures.rows import new_publication
from pipelines.licences import release_tests
from pipelines.licences.release_tests import LicenceTest
from pipelines.runbook import Finding, Page
from pipelines.store import publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import PRELIMINARY, NewPublication, Publication
from pipelines.workflows.report import MonthRun
from pipelines.workspace import Workspace


def publish_month(workspace: Workspace, store: ContributionStore, month: date) -> MonthRun:
    """Publish a month's figures under each reading whose inputs changed, with the licence tests that rest on it.

    A month that was signed keeps its figures: that its inputs changed is a finding.
    """
    done = MonthRun(month)
    new = []
    with store.snapshot() as fixed:
        position = fixed.position(workspace.now)
        by_digest = dict[str, Measured]()
        for reading, inputs, last, signed in _standing(workspace, fixed, month):
            if not _behind(inputs, last, signed):
                continue
            if signed:
                done.findings += [f for f in _changed_since(last, inputs) if f not in done.findings]
                continue
            try:
                if inputs.digest not in by_digest:
                    by_digest[inputs.digest] = measure.measure(fixed, workspace.group, inputs)
            except RefusedError as error:
                page = runbook.of_refusal(error.refusals[0]) or Page.NOT_UNITED
                said = Finding(str(error), page)
                done.findings += [said] if said not in done.findings else []
                continue
            found = by_digest[inputs.digest]
            new.append(new_publication(found, reading, workspace.group.settings.group, position, workspace.now, PRELIMINARY))
            done.measured[reading.name] = found
        tests = _tests_of(workspace, fixed, month, by_digest) if new else []
    if new:
        _append(workspace, store, done, new, release_tests.rows(tests, workspace.now))
    return done


def outdated_months(workspace: Workspace, store: ContributionStore) -> list[date]:
    """Months that `publish_month` would publish or find something about; all the others are as they were published."""
    with store.snapshot() as fixed:
        return [month for month in fixed.read_months() if any(_behind(*s[1:]) for s in _standing(workspace, fixed, month))]


def _standing(
    workspace: Workspace, fixed: ContributionStore, month: date
) -> Iterator[tuple[Reading, Inputs, Publication | None, bool]]:
    """By reading, what a month rests on now, its publication in force, and whether the month is signed."""
    before = publications.in_force(fixed, month)
    signed = any(p.signed for p in before.values())
    gathered: dict[object, Inputs] = {}
    for reading in workspace.group.readings.readings:
        alike = reading.audiences, reading.control_share  # Readings that differ in nothing else rest on the same.
        if alike not in gathered:
            gathered[alike] = gather(fixed, workspace.group, month, reading)
        yield reading, gathered[alike], before.get((month, reading.name)), signed


def _behind(inputs: Inputs, last: Publication | None, signed: bool) -> bool:
    """Whether what is published isn't what the inputs give; what was published and then withdrawn becomes unknown."""
    if last is None:
        return not (signed or inputs.is_empty)
    if signed:  # That sketches were erased since is no reason to restate it: it can't be computed any more.
        return last.inputs not in (inputs.digest, inputs.unerased)
    return last.inputs != inputs.digest or last.method != METHOD


def _append(
    workspace: Workspace, store: ContributionStore, done: MonthRun, new: list[NewPublication], tests: list[dict[str, Any]]
) -> None:
    """With what alerts follow from it, in one transaction."""
    if not publications.append(
        store,
        done.month,
        new,
        tests,
        lambda within: evaluate.evaluate(within, workspace.group, workspace.registry, workspace.now),
    ):
        done.measured = {}  # Signed in the meantime: the next run says whether anything came too late.
    for found in done.measured.values():
        wrong = [Finding(f"{done.month:%Y-%m}: {what}", Page.CHECK_LARGEST) for what in found.contradictions]
        done.findings += [w for w in wrong if w not in done.findings]


def _changed_since(last: Publication | None, inputs: Inputs) -> list[Finding]:
    if last is None or last.inputs in (inputs.digest, inputs.unerased):
        return []
    said = (
        f"{last.month:%Y-%m} is {last.state}, and what it rests on has changed since {last.known_at:%Y-%m-%d}: the signed "
        f"figure stands; compare with `mauwatch measure --month {last.month:%Y-%m} --anew`, and restate it with "
        f"`mauwatch close {last.month:%Y-%m} --by NAME --restates REASON`"
    )
    return [Finding(said, Page.MONTH_CHANGED)]


def _tests_of(workspace: Workspace, store: ContributionStore, month: date, known: dict[str, Measured]) -> list[LicenceTest]:
    about = [licence for licence in release_tests.releases(workspace.registry) if licence.measured_month == month]
    return list(release_tests.run_tests(store, workspace.group, about, known, today=workspace.today))


def note_tests(workspace: Workspace, store: ContributionStore, known: dict[str, Measured]) -> list[LicenceTest]:
    """Test every licence of the registry, and note the results that differ from those before.

    Results that rest on more than what is published aren't noted: they come with the publication.
    """
    with store.snapshot() as fixed:
        every = release_tests.releases(workspace.registry)
        tests = list(release_tests.run_tests(fixed, workspace.group, every, known, today=workspace.today))
        ahead = {month for month in {t.licence.measured_month for t in tests} if _ahead(workspace, fixed, month)}
        stood = publications.in_force(fixed)
    rows = [
        row
        for row in release_tests.rows(tests, workspace.now)
        if row["measured_month"] not in ahead or row["result"] == "not_measured"
    ]
    publications.append_tests(store, rows, stood)
    return tests


def _ahead(workspace: Workspace, fixed: ContributionStore, month: date) -> bool:
    """Whether the store has more of a month than is published: another run is at work on it."""
    return any(_behind(inputs, last, signed) for _, inputs, last, signed in _standing(workspace, fixed, month) if not signed)
