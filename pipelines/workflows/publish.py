"""Publishing a month: figures under each reading whose inputs have changed, with the licence tests that rest on them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, NamedTuple

from affiliates.errors import Refusal, RefusedError, unforeseen_into
from affiliates.manifests.product import ProductRef
from affiliates.manifests.readings import Reading
from affiliates.periods import LONGEST_RUN, add_months, month_before, month_of
from pipelines import runbook
from pipelines.alerts import evaluate, unusual_data
from pipelines.counting import in_common, measure
from pipelines.counting.convention import METHOD
from pipelines.counting.figure import Share
from pipelines.counting.inputs import Inputs, gather
from pipelines.counting.measure import Measured
from pipelines.figures import causes, data_findings
from pipelines.figures.figure_cache import FigureCache
from pipelines.figures.months import Months
from pipelines.figures.rows import new_publication
from pipelines.ingestion.product_run import ProductRun
from pipelines.licences import clause_rows, clause_tests, release_tests
from pipelines.licences.release_tests import LicenceTest
from pipelines.runbook import DataFinding, Finding, Page
from pipelines.store import clause_results, publications, shared_people
from pipelines.store.contributions import ContributionStore
from pipelines.store.engine import Store
from pipelines.store.publications import PRELIMINARY, NewPublication, Publication
from pipelines.workflows.report import MonthRun
from pipelines.workspace import Workspace


class _ReadingState(NamedTuple):
    """What a month rests on now under one reading, and what was published of the month."""

    reading: Reading
    inputs: Inputs
    published: Publication | None
    """The publication in force under this reading."""
    signed: bool
    """Whether the month is signed, under any reading."""
    is_coming: bool = False
    """Whether the publication is of a moment that is still to come: a clock was ahead."""

    @property
    def has_changed(self) -> bool:
        """Whether the publication isn't what the inputs give. Figures whose inputs are gone are published as unknown."""
        if self.published is None:
            return not (self.signed or self.inputs.is_empty)
        if self.signed:
            # That sketches were erased since is no reason to restate the month: it can't be computed any more (decision 46).
            return self.published.inputs not in (self.inputs.digest, self.inputs.unerased)
        return self.published.inputs != self.inputs.digest or self.published.method != METHOD or self.is_coming


def publish_month(workspace: Workspace, store: ContributionStore, month: date) -> MonthRun:
    """Publish a month's figures under each reading whose inputs have changed, with the licence tests that rest on them.

    A month that was signed keeps its figures: that its inputs have changed is a finding. So is a month that can't be measured,
    and an error that nobody foresaw.
    """
    month_run = MonthRun(month)
    with month_run.contained():
        _publish(workspace, store, month_run)
    return month_run


def _publish(workspace: Workspace, store: ContributionStore, month_run: MonthRun) -> None:
    """Measure and publish a month, and put down what was published and found."""
    month = month_run.month
    new = list[NewPublication]()
    # One snapshot for inputs, sketches and tests: contributions that come in meanwhile belong to the next run.
    with store.snapshot() as fixed:
        position = fixed.position(workspace.now)
        by_digest = dict[str, Measured]()
        for state in _reading_states(workspace, fixed, month):
            if not state.has_changed:
                continue
            if state.signed:
                month_run.note(*_changed_since_signed(state))
                continue
            measured = _measured(workspace, fixed, state.inputs, by_digest, month_run)
            if measured is not None:
                group = workspace.group.settings.group
                new.append(new_publication(measured, state.reading, group, position, workspace.now, PRELIMINARY))
                workspace.published_inputs.note(state.inputs, position)
                month_run.measured[state.reading.name] = measured
        tests = _tests_of(workspace, fixed, month, by_digest) if new else []
        results = list(clause_rows.of_releases(tests, workspace.now))
        # What pages show keeps no figure, and no alert of it, from anybody.
        with unforeseen_into(f"the clauses that {month:%Y-%m} is tested by", month_run.fail_aside):
            results += _clauses_of(workspace, fixed, month, by_digest, bool(new))
    if new:
        _append(workspace, store, month_run, new, release_tests.rows(tests, workspace.now), results)


def outdated_months(workspace: Workspace, store: ContributionStore) -> list[date]:
    """First days of the months that `publish_month` would publish, or find something about."""
    with store.snapshot() as fixed:
        return [month for month in fixed.read_months() if _is_outdated(workspace, fixed, month)]


def _is_outdated(workspace: Workspace, fixed: ContributionStore, month: date) -> bool:
    """Whether a month isn't as it was published; true where nobody foresaw why that can't be told, for publishing says why."""
    errors = list[Refusal]()
    with unforeseen_into(f"{month:%Y-%m}", errors.append):
        return any(state.has_changed for state in _reading_states(workspace, fixed, month))
    return bool(errors)


def note_data(workspace: Workspace, store: ContributionStore, products: Sequence[ProductRun] = ()) -> list[DataFinding]:
    """Record what the products' data show, before a month is published by them; gives what nobody has accepted.

    Before, since no level of an alert may follow a figure down that is low because a product's data stand still.
    `products`: what a run did for them, with what it has found in their sources.
    """
    findings = data_findings.read(store, workspace.group, workspace.now)
    findings += [finding for product in products for finding in product.findings]
    computed = {product.name for product in products if product.periods and not product.refusals}
    return unusual_data.record(store, workspace.group, workspace.now, findings, computed)


def findings_without_publishing(workspace: Workspace, fixed: ContributionStore) -> list[Finding] | None:
    """The findings about months by a snapshot, where no month has to be published; null where any has."""
    findings = list[Finding]()
    for month in fixed.read_months():
        for state in _reading_states(workspace, fixed, month):
            if state.has_changed and not state.signed:
                return None
            findings += _changed_since_signed(state) if state.has_changed else []
    return list(dict.fromkeys(findings))


def note_tests(workspace: Workspace, store: ContributionStore, measured: dict[str, Measured]) -> list[LicenceTest]:
    """Test every licence of the registry, and note in the store the results that differ from those before.

    `measured`: by the inputs' digest, what was measured already. Results that rest on more than what is published aren't
    noted: they come with the publication.
    """
    kept = FigureCache(workspace.directory, workspace.group)
    with store.snapshot() as fixed:
        tested = run_licence_tests(workspace, fixed, measured, kept)
        # What has neither contributions nor figures has nothing unpublished.
        known = {*fixed.read_months(), *(month for month, _ in tested.in_force)}
        months = known & {row["month"] for row in tested.results}
        unpublished = {month for month in months if _has_unpublished(workspace, fixed, month)}
    tests = append_tests(workspace, store, tested, unpublished)
    kept.remove_unused()
    return tests


class Tested(NamedTuple):
    """The tests of every licence, and what was in force in the same snapshot."""

    tests: list[LicenceTest]
    """Those at a release."""
    in_force: Mapping[tuple[date, str], Publication]
    results: list[dict[str, Any]]
    """Rows of `clause_results` for every clause, those at a release included."""


def run_licence_tests(workspace: Workspace, fixed: ContributionStore, measured: dict[str, Measured], kept: FigureCache) -> Tested:
    """The tests of every licence of the registry, by what a snapshot has."""
    months = Months(fixed, workspace.group, measured, as_run=True, kept=kept)
    tests = list(release_tests.run_all_in(months, release_tests.releases(workspace.registry), workspace.today))
    clauses = clause_tests.run_clauses(months, workspace.registry.entries, workspace.today)
    results = [*clause_rows.of_releases(tests, workspace.now), *clause_rows.of_clauses(clauses, workspace.now)]
    return Tested(tests, publications.in_force(fixed), results)


def append_tests(
    workspace: Workspace, store: ContributionStore, tested: Tested, unpublished: Collection[date]
) -> list[LicenceTest]:
    """Note the results that differ from those before, but for those of months that have more than is published."""
    rows = [
        row
        for row in release_tests.rows(tested.tests, workspace.now)
        if row["measured_month"] not in unpublished or row["result"] == "not_measured"
    ]
    publications.append_tests(store, rows, tested.in_force)
    results = [row for row in tested.results if row["month"] not in unpublished or row["result"] == "not_measured"]
    clause_results.append(store, results, whole=not unpublished, stood=tested.in_force)
    return tested.tests


def _reading_states(workspace: Workspace, fixed: ContributionStore, month: date) -> Iterator[_ReadingState]:
    """The month's state under each reading."""
    in_force = publications.in_force(fixed, month)
    signed = any(publication.signed for publication in in_force.values())
    gathered: dict[object, Inputs] = {}
    for reading in workspace.group.readings.readings:
        published = in_force.get((month, reading.name))
        # What a signed month rests on is asked of the version of counting that has signed the month.
        method = published.method if published is not None and signed else METHOD
        # Readings that differ in nothing else rest on the same inputs.
        settings = reading.audiences, reading.control_share, method
        if settings not in gathered:
            gathered[settings] = gather(fixed, workspace.group, month, reading, method=method)
        is_coming = published is not None and published.known_at > workspace.now + LONGEST_RUN
        yield _ReadingState(reading, gathered[settings], published, signed, is_coming)


def _measured(
    workspace: Workspace, fixed: ContributionStore, inputs: Inputs, by_digest: dict[str, Measured], month_run: MonthRun
) -> Measured | None:
    """The figures of these inputs, measured once for all readings that share them; None, and a finding, if they can't be."""
    try:
        if inputs.digest not in by_digest:
            also = partial(_in_common, workspace, month_run, inputs)
            by_digest[inputs.digest] = measure.measure(fixed, workspace.group, inputs, also)
    except RefusedError as error:
        month_run.note(Finding(str(error), runbook.of_refusal(error.refusals[0]) or Page.NOT_UNITED))
        return None
    return by_digest[inputs.digest]


def _in_common(workspace: Workspace, month_run: MonthRun, inputs: Inputs, shares: Mapping[ProductRef, Share]) -> None:
    """Measure whom the month's products have in common, of a month that pages are opened for; nothing else waits for that."""
    # Of a month of years ago nobody asks, and a first run measures years.
    if inputs.month < add_months(month_of(workspace.today), -in_common.COMPARED_MONTHS):
        return
    with unforeseen_into(f"who uses several products in {inputs.month:%Y-%m}", month_run.fail_aside):
        alone = [vars(row) for row in in_common.measure_alone(shares)]
        month_run.in_common[inputs.digest] = alone, [vars(row) for row in in_common.measure_pairs(shares)]


def _append(
    workspace: Workspace,
    store: ContributionStore,
    month_run: MonthRun,
    new: list[NewPublication],
    tests: list[dict[str, Any]],
    results: list[dict[str, Any]],
) -> None:
    """Store the publications with their causes and the alerts that follow, in one transaction: a crash loses no alert."""

    def evaluate_within(within: Store) -> None:
        causes.note(within, workspace.group, workspace.now, month_run.fail_aside, workspace.published_inputs)
        clause_results.append(within, results)
        for inputs, (alone, pairs) in month_run.in_common.items():
            shared_people.append(within, inputs, alone, pairs)
        evaluate.evaluate(within, workspace.group, workspace.registry, workspace.now, inputs=workspace.published_inputs)

    if not publications.append(store, month_run.month, new, tests, evaluate_within):
        # Somebody signed the month meanwhile, or another run published it knowing as much. The next run says what came late.
        month_run.measured = {}
    for measured in month_run.measured.values():
        texts = (f"{month_run.month:%Y-%m}: {contradiction}" for contradiction in measured.contradictions)
        month_run.note(*(Finding(text, Page.CHECK_LARGEST) for text in texts), *data_findings.contradictions_of(measured))


def _changed_since_signed(state: _ReadingState) -> list[Finding]:
    """The finding that a signed month's inputs have changed; none for a reading that wasn't there when somebody signed."""
    signed = state.published
    if signed is None or signed.inputs in (state.inputs.digest, state.inputs.unerased):
        return []
    text = (
        f"{signed.month:%Y-%m} is {signed.state}, and what it rests on has changed since {signed.known_at:%Y-%m-%d}: the signed "
        f"figure stands; compare with `mauwatch measure --month {signed.month:%Y-%m} --anew`, and restate it with "
        f"`mauwatch close {signed.month:%Y-%m} --by NAME --restates REASON`"
    )
    return [Finding(text, Page.MONTH_CHANGED)]


def _tests_of(workspace: Workspace, fixed: ContributionStore, month: date, measured: dict[str, Measured]) -> list[LicenceTest]:
    """The licence tests that rest on a month."""
    releases = [licence for licence in release_tests.releases(workspace.registry) if licence.measured_month == month]
    kept = FigureCache(workspace.directory, workspace.group)
    return list(
        release_tests.run_tests(fixed, workspace.group, releases, measured, today=workspace.today, as_run=True, kept=kept)
    )


def _clauses_of(
    workspace: Workspace, fixed: ContributionStore, month: date, measured: dict[str, Measured], is_due: bool
) -> Iterator[dict[str, Any]]:
    """The rows of `clause_results` of the clauses that are tested by this month now, beside those at a release."""
    # Earlier months were tested by the run of their time; the run's end tests all clauses once more.
    if is_due and month == month_before(workspace.today):
        kept = FigureCache(workspace.directory, workspace.group)
        months = Months(fixed, workspace.group, measured, as_run=True, kept=kept)
        tests = clause_tests.run_clauses(months, workspace.registry.entries, workspace.today)
        yield from clause_rows.of_clauses((test for test in tests if test.month == month), workspace.now)


def _has_unpublished(workspace: Workspace, fixed: ContributionStore, month: date) -> bool:
    """Whether the store has more of an open month than is published: another run is at work on the month."""
    return any(state.has_changed for state in _reading_states(workspace, fixed, month) if not state.signed)
