"""Receiving files from end to end: copies, judgement, receipts and quarantine, and the months that the files change."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from affiliates.errors import Refusal, RefusedError, unforeseen_into
from affiliates.periods import months_beside
from pipelines import runbook
from pipelines.alerts import delivery
from pipelines.ingestion import clock_check, inbox, receive, staging, stated_counts
from pipelines.ingestion.inbox import LeftInInbox, Offer
from pipelines.ingestion.receipts import ReceivedFile
from pipelines.ingestion.receive import BY_FILE, BY_FOLDER, BY_OPTION
from pipelines.records import Restatement
from pipelines.runbook import Finding, Page
from pipelines.workflows.publish import note_data, note_tests, publish_month
from pipelines.workflows.report import Progress, Report
from pipelines.workspace import Workspace


@dataclass
class Session:
    """What one `mauwatch receive`, or one run of the inbox's job, did."""

    files: list[ReceivedFile] = field(default_factory=list)
    """Files that were judged: accepted or refused."""
    left: list[LeftInInbox] = field(default_factory=list)
    """Files of the inbox that can't be taken yet."""
    skipped: list[str] = field(default_factory=list)
    """Files of the inbox, as FOLDER/NAME, that were accepted before and are the same still."""
    undecided: list[Finding] = field(default_factory=list)
    """Files that this machine can't judge, and why: they wait."""
    report: Report = field(default_factory=Report)
    """What publishing the changed months did."""

    @contextmanager
    def contained(self, file: ReceivedFile) -> Iterator[None]:
        """Makes an error inside that nobody foresaw a finding: the file waits. An `OSError` is foreseen, and raised."""

        def note(refusal: Refusal) -> None:
            self.undecided.append(Finding(str(refusal), Page.UNFORESEEN))

        with unforeseen_into(file.offer.name, note, foreseen=OSError):
            yield

    @property
    def refused(self) -> list[ReceivedFile]:
        """The files that were refused."""
        return [file for file in self.files if file.refusals]

    @property
    def pages(self) -> list[Page]:
        """The runbook's sections about what went wrong, each once."""
        pages = [runbook.of_file(refusal) for file in self.files for refusal in file.refusals]
        pages += [Page.QUARANTINE] if pages else []
        return list(dict.fromkeys(pages + [finding.page for finding in [*self.undecided, *self.report.findings]]))


def receive_files(
    workspace: Workspace,
    offers: Sequence[Offer],
    sender: str | None = None,
    restatement: Restatement | None = None,
    progress: Progress = lambda step, done, total: None,
) -> Session:
    """Take the files, each whole or not at all; each gets its receipt, and a refused one goes into quarantine.

    `sender`: the affiliate that hands in the files outside the inbox; else their rows say. `restatement`: why contributions of
    closed months are accepted. A file that was accepted before, and is the same still, isn't taken again. Nothing is
    published: see `publish_received`. Raises `RefusedError` for a store that can't be used, `OSError` for a full disk.
    """
    session = Session()
    verdict = clock_check.settle(workspace)
    session.undecided += verdict.findings
    if not verdict.is_usable:  # The files wait in their places.
        return session
    with staging.staging_lock(workspace.directory) as stage:
        files = list[ReceivedFile]()
        # All copies first: only beside the others can a piece of an export be told from a version of it.
        for number, offer in enumerate(offers):
            progress(offer.name, number, 2 * len(offers))
            bound_by = BY_FOLDER if offer.folder else BY_OPTION if sender else BY_FILE
            file = ReceivedFile(offer, sender=offer.folder or sender, bound_by=bound_by)
            if _copy(workspace, session, file, stage / f"{number}"):
                files.append(file)
        new = list[ReceivedFile]()
        for file in files:
            if receive.was_accepted(workspace, file):
                session.skipped.append(inbox.place_of(file.offer))
            else:
                new.append(file)
        files = new
        receive.note_ambiguous(files)
        for number, file in enumerate(files):
            progress(file.offer.name, len(files) + number, 2 * len(files))
            _judge(workspace, session, file, restatement)
    return session


def publish_received(workspace: Workspace, session: Session) -> None:
    """Publish the months that the accepted files are about, and those beside them, where anything has changed."""
    months = {month for file in session.files for month in file.months}
    store = workspace.store_if_any()
    if not months or store is None:
        return
    report = session.report
    with report.step("the manifests' counts"):
        stated_counts.take_counts(workspace)
    # A day of another zone reaches into the month beside its own.
    near = months_beside(months)
    with report.step("the products' data"):
        report.findings += note_data(workspace, store)
    for month in store.read_months():
        if month in near:
            report.add(publish_month(workspace, store, month))
    measured = {figures.inputs.digest: figures for figures in report.measured.values()}
    with report.step("the licence tests"):
        report.tests = note_tests(workspace, store, measured)
    with report.step("the sending of alerts"):
        report.findings += delivery.deliver(store, workspace.directory, workspace.group, workspace.clock)


def _copy(workspace: Workspace, session: Session, file: ReceivedFile, to: Path) -> bool:
    """Whether the file could be looked at; if not, a finding says so."""
    offer = file.offer
    try:
        with session.contained(file):
            # Noted before the copy: bytes that are written after this moment show as a change.
            file.changed_at = inbox.changed_at(offer.path)
            file.state = inbox.state_of(offer.path)
            receive.copy(workspace, file, to)
            return True
    except OSError as error:
        # Another `receive` was faster, and has put the file into quarantine, or the sender took the file back.
        if error.errno != errno.ENOENT or offer.folder is None:
            session.undecided.append(receive.disk_finding(file, error))
    return False


def _judge(workspace: Workspace, session: Session, file: ReceivedFile, restatement: Restatement | None) -> None:
    """Take or refuse one copied file, and record what became of it."""
    with session.contained(file):
        try:
            if file.copy is not None and not file.refusals:
                receive.take(workspace, file, restatement)
        except RefusedError as error:
            # Our key, our crosswalk or our store: no fault of the file's, which waits in its place.
            page = runbook.of_refusal(error.refusals[0]) or Page.CONTRIBUTION_REFUSED
            session.undecided.append(Finding(f"{file.offer.name} can't be judged here: {error}", page))
            return
        session.files.append(file)
        try:
            receive.record_outcome(workspace, file)
        except OSError as error:
            session.undecided.append(receive.disk_finding(file, error))
