"""Mailing the monthly report: once a month when the figure has an upper bound, and again, marked restated, where figures change.

The report and the note of what was sent lie in the group directory. An attempt is noted before the message goes, under a lock, so
two runs never send one. A run that is killed while it sends leaves the note of an attempt, and the next run repeats the message
under the same key, by which a reader knows a repeat: as alerts, a message is sent at least once.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from affiliates.concurrency import atomic_write, private_folder
from affiliates.errors import RefusedError
from affiliates.manifests.report_settings import ReportMail, ReportSettings, file_name
from affiliates.periods import month_end
from pipelines.alerts import heartbeat
from pipelines.alerts.sending import Senders
from pipelines.runbook import Finding, Page
from pipelines.store import published_figures
from pipelines.store.contributions import ContributionStore
from pipelines.workflows import monthly_report
from pipelines.workspace import Workspace

FILE = Path(".mauwatch") / "report_mails.json"
"""In a group directory: by month and address, what was sent. Whoever removes the file has the newest report sent again."""
_SENT = "sent"
_SENDING = "sending"


class _Mail(NamedTuple):
    """A report to one address."""

    month: date
    address: int
    """Which of the addresses, from 0."""
    figures: str
    """Digest of what the month's figures rest on: other figures are another mail."""
    is_restated: bool

    @property
    def line(self) -> str:
        """The month and the address, as the note has them."""
        return f"{self.month:%Y-%m} {self.address}"

    @property
    def key(self) -> str:
        """The same for a repeat."""
        return hashlib.sha256(f"report {self.line} {self.figures}".encode()).hexdigest()[:32]


def send_due(workspace: Workspace, store: ContributionStore) -> list[Finding]:
    """Send the reports that are due; a finding for each that wasn't taken, which the next run tries again."""
    settings = workspace.group.settings.report
    if settings is None or settings.mail is None:
        return []
    with _turn(workspace.directory) as is_ours:
        # Another run sends them now, and says what it couldn't send.
        if not is_ours:
            return []
        notes = _read(workspace.directory)
        due = list(_due(workspace, store, settings, settings.mail, notes))
        return _send(workspace, settings, settings.mail, due, notes) if due else []


def _due(
    workspace: Workspace,
    store: ContributionStore,
    settings: ReportSettings,
    mail: ReportMail,
    notes: Mapping[str, Mapping[str, str]],
) -> Iterator[_Mail]:
    """The newest month's report for each address that hasn't got it, and older ones whose figures have changed since."""
    made = monthly_report.figures_made(workspace.directory)
    for month, figures in sorted(made.items()):
        begins = month_end(month) + timedelta(mail.from_day)
        pdf = workspace.directory / settings.folder / file_name(month, "pdf")
        if workspace.today < begins or not pdf.is_file() or not _has_upper_bound(workspace, store, month):
            continue
        for address in range(mail.channel.addresses):
            note = notes.get(_Mail(month, address, figures, False).line)
            # Of an older month that nobody was sent, nobody waits for a restatement.
            is_due = month == max(made) if note is None else note["figures"] != figures or note["outcome"] != _SENT
            if is_due:
                yield _Mail(month, address, figures, note is not None and note["first"] not in ("", figures))


def _has_upper_bound(workspace: Workspace, store: ContributionStore, month: date) -> bool:
    reading = workspace.group.readings.reading_on(month_end(month))
    return any(past.month == month and past.upper is not None for past in published_figures.read(store, reading, month))


def _send(
    workspace: Workspace, settings: ReportSettings, mail: ReportMail, due: list[_Mail], notes: dict[str, dict[str, str]]
) -> list[Finding]:
    findings = []
    with Senders() as senders:
        for report in due:
            before = notes.get(report.line, {})
            # What this address was first sent of the month: only another figure after it is a restatement.
            first = before.get("first", "")
            notes[report.line] = {"figures": report.figures, "outcome": _SENDING, "first": first}
            _keep(workspace.directory, notes)
            try:
                url = mail.channel.url(report.address, workspace.directory)
                failure = senders.ask(_request(workspace, settings, report, url))
            except RefusedError as error:
                failure = heartbeat.without_subject(error)
            sent = {"figures": report.figures, "outcome": _SENT, "first": first or report.figures}
            notes[report.line] = sent if failure is None else {**notes[report.line], "outcome": "failed"}
            _keep(workspace.directory, notes)
            if failure is not None:
                text = f"the report of {report.month:%Y-%m} isn't mailed to address {report.address + 1}: {failure}"
                findings.append(Finding(text, Page.REPORT))
    return findings


def _request(workspace: Workspace, settings: ReportSettings, report: _Mail, url: str) -> dict[str, Any]:
    """What the sending process is asked for: files and figures go to allowed domains alone, as those of alerts do."""
    group = workspace.group
    alerting = group.alerting
    marked = "Restated: " if report.is_restated else ""
    title = f"{marked}monthly report of {report.month:%Y-%m}"
    link = [f"The pages: {alerting.link}/?month={report.month:%Y-%m}"] if alerting.link else []
    legend = [alerting.legend] if alerting.legend else []
    changed = ["It takes the place of the report that was sent before: figures have changed."] if report.is_restated else []
    end = ["", f"Key: {report.key}", *legend]
    name = group.settings.name or group.settings.group
    full = [f"The monthly report of {name} for {report.month:%Y-%m} is attached.", *changed, *link, *end]
    bare = ["A monthly report is ready. This address isn't allowed to get figures by mail.", *changed, *link, *end]
    attached = [
        str((workspace.directory / settings.folder / file_name(report.month, kind)).resolve()) for kind in ("pdf", "html")
    ]
    return {
        "what": "message",
        "url": url,
        "allowed": alerting.allowed_domains,
        "full": (f"{name}: {title}", "\n".join(full)),
        "bare": (title, "\n".join(bare)),
        "attached": attached,
        "key": report.key,
        "fields": {"kind": "report", "month": f"{report.month:%Y-%m}", "key": report.key},
    }


@contextmanager
def _turn(directory: Path) -> Iterator[bool]:
    """Whether this process may send now: one at a time does, and a killed one's turn is over."""
    path = directory / FILE.with_suffix(".lock")
    private_folder(path.parent)
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def _read(directory: Path) -> dict[str, dict[str, str]]:
    """What is noted. Raises `ValueError` for a file that isn't ours: with nothing noted everything would be sent again."""
    try:
        notes = json.loads((directory / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {line: {name: str(note[name]) for name in ("figures", "outcome", "first")} for line, note in notes.items()}


def _keep(directory: Path, notes: Mapping[str, Mapping[str, str]]) -> None:
    with atomic_write(directory / FILE, mode=0o600) as unfinished:
        unfinished.write_text(json.dumps(notes), encoding="utf-8")
