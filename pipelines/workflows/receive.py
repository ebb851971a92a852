"""Receiving files from end to end: whose each file is, whether the file is taken, its receipt, and the months published."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field

from affiliates.errors import RefusedError
from affiliates.periods import months_beside
from pipelines import runbook
from pipelines.alerts import delivery
from pipelines.ingestion import inbox, stated_counts
from pipelines.ingestion.inbox import LeftInInbox, Offer, StagedCopy
from pipelines.ingestion.receipts import ReceivedFile
from pipelines.ingestion.receive import FOLDER, NAMED, OPTION, _copied, _known, _settle, _split, _take, _unwritten
from pipelines.records import Restatement
from pipelines.runbook import Finding, Page
from pipelines.workflows.publish import note_tests, publish_month
from pipelines.workflows.report import Progress, Report
from pipelines.workspace import Workspace


@dataclass
class Session:
    """What one `receive` did."""

    files: list[ReceivedFile] = field(default_factory=list)
    left: list[LeftInInbox] = field(default_factory=list)
    undecided: list[Finding] = field(default_factory=list)
    """Files that this machine can't judge, and why: they wait."""
    report: Report = field(default_factory=Report)
    """Of the months that it published."""

    @property
    def refused(self) -> list[ReceivedFile]:
        return [t for t in self.files if t.refusals]

    @property
    def pages(self) -> list[Page]:
        """What the runbook has about what was found."""
        pages = [runbook.of_file(refusal) for t in self.files for refusal in t.refusals]
        pages += [Page.QUARANTINE] if pages else []
        return list(dict.fromkeys(pages + [finding.page for finding in [*self.undecided, *self.report.findings]]))


def receive_files(
    workspace: Workspace,
    offers: Sequence[Offer],
    sender: str | None = None,
    restated: Restatement | None = None,
    progress: Progress = lambda what, done, of: None,
) -> Session:
    """Take the files, each whole or not at all; each gets its receipt, and what is refused goes into quarantine.

    A file that was accepted before and is the same still isn't taken again. Nothing is published.
    """
    session = Session()
    with inbox.staging_lock(workspace.directory) as stage:
        copies = list[tuple[ReceivedFile, StagedCopy | None]]()
        for number, offer in enumerate(offers):
            progress(offer.name, number, 2 * len(offers))
            bound_by = FOLDER if offer.folder else OPTION if sender else NAMED
            taken = ReceivedFile(offer, sender=offer.folder or sender, bound_by=bound_by)
            try:
                taken.changed_at, taken.seen = inbox.changed_at(offer.path), inbox.seen(offer.path)
                copies.append((taken, _copied(workspace, taken, stage / f"{number}")))
            except OSError as error:
                if error.errno == errno.ENOENT and offer.folder is not None:
                    continue  # Another `receive` was faster.
                session.undecided.append(_unwritten(taken, error))
        copies = [(taken, copy) for taken, copy in copies if not _known(taken)]
        split = _split(copies)
        for number, (taken, copy) in enumerate(copies):
            progress(taken.offer.name, len(copies) + number, 2 * len(copies))
            try:
                if copy is not None and not taken.refusals:
                    _take(workspace, taken, copy, split.get(number, []), restated)
            except RefusedError as error:  # Of our key, our crosswalk: no fault of the file's, which waits.
                page = runbook.of_refusal(error.refusals[0]) or Page.CONTRIBUTION_REFUSED
                session.undecided.append(Finding(f"{taken.offer.name} can't be judged here: {error}", page))
                continue
            session.files.append(taken)
            try:
                _settle(workspace, taken, copy)
            except OSError as error:
                session.undecided.append(_unwritten(taken, error))
    return session


def publish_received(workspace: Workspace, session: Session) -> None:
    """Publish the months that the accepted files are about, and those beside them, where anything has changed."""
    months = {month for t in session.files for month in t.months}
    store = workspace.store_if_any()
    if not months or store is None:
        return
    stated_counts.take_counts(workspace)
    # A day of another zone reaches into the month beside its own.
    near = months_beside(months)
    for month in store.read_months():
        if month in near:
            session.report.add(publish_month(workspace, store, month))
    measured = {m.inputs.digest: m for m in session.report.measured.values()}
    session.report.tests = note_tests(workspace, store, measured)
    session.report.findings += delivery.deliver(store, workspace.directory, workspace.group, workspace.clock)
