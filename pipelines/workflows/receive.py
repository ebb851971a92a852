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
from pipelines.records import AcceptedContribution, Period, Restatement
from pipelines.runbook import Finding, Page
from pipelines.workflows.publish import note_data, note_tests, publish_month
from pipelines.workflows.report import Progress, Report
from pipelines.workspace import Workspace

_MOST_FILES = 200
"""Files that are stored in one transaction."""
_MOST_REGISTERS = 64 << 20
"""Bytes of registers after which no more files wait."""


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
        receive.note_ambiguous(workspace, files)
        batch = _Batch(workspace, session, restatement)
        for number, file in enumerate(files):
            progress(file.offer.name, len(files) + number, 2 * len(files))
            batch.take(file)
        batch.end()
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


@dataclass
class _Batch:
    """Files that are judged one after the other, and stored together: a transaction for each file takes longer than its rows."""

    workspace: Workspace
    session: Session
    restatement: Restatement | None
    waiting: list[tuple[ReceivedFile, list[AcceptedContribution]]] = field(default_factory=list)
    """The files that are judged and not recorded yet, in their order, with what may be stored of them."""
    periods: set[Period] = field(default_factory=set)
    """The places that the waiting files' contributions take."""
    size: int = 0
    """Bytes of their registers."""

    def take(self, file: ReceivedFile) -> None:
        """Judge a file by itself; with what is stored it is compared when the batch ends."""
        with self._noted(file):
            accepted = receive.judged(self.workspace, file) if file.copy is not None and not file.refusals else []
            periods = {new.period for new in accepted}
            # What another file has of the same period has to be stored before.
            if self.periods & periods or len(self.waiting) >= _MOST_FILES or self.size > _MOST_REGISTERS:
                self.end()
            self.waiting.append((file, accepted))
            self.periods |= periods
            parts = [part for new in accepted for part in new.contribution.parts]
            self.size += sum(part.registers.values.nbytes for part in parts if part.registers.values is not None)

    def end(self) -> None:
        """Store what waits, all together or else file by file, and record what became of each file."""
        waiting, self.waiting, self.periods, self.size = self.waiting, [], set(), 0
        to_store = [(file, accepted) for file, accepted in waiting if accepted]
        are_stored = not to_store or self._store_together(to_store)
        for file, accepted in waiting:
            if accepted and not are_stored and not self._store_alone(file, accepted):
                continue
            with self.session.contained(file):
                self.session.files.append(file)
                try:
                    receive.record_outcome(self.workspace, file)
                except OSError as error:
                    self.session.undecided.append(receive.disk_finding(file, error))

    def _store_alone(self, file: ReceivedFile, accepted: list[AcceptedContribution]) -> bool:
        """Whether the file could be judged beside what is stored."""
        with self._noted(file):
            receive.store_files(self.workspace, [(file, accepted)], self.restatement)
            return True
        return False

    def _store_together(self, to_store: list[tuple[ReceivedFile, list[AcceptedContribution]]]) -> bool:
        """Whether the files could be stored in one transaction; what kept one of them out may keep out that one alone."""
        errors = list[Refusal]()
        try:
            with unforeseen_into("the files", errors.append, foreseen=OSError):
                receive.store_files(self.workspace, to_store, self.restatement)
        except RefusedError:
            return False
        return not errors

    @contextmanager
    def _noted(self, file: ReceivedFile) -> Iterator[None]:
        """Makes what is refused inside, and what nobody foresaw, a finding.

        Our key, our crosswalk or our store is no fault of the file's, which waits in its place.
        """
        with self.session.contained(file):
            try:
                yield
            except RefusedError as error:
                page = runbook.of_refusal(error.refusals[0]) or Page.CONTRIBUTION_REFUSED
                self.session.undecided.append(Finding(f"{file.offer.name} can't be judged here: {error}", page))
