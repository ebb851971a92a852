"""The monthly report of a run, where group.yaml asks for it: of the newest month that is over, and of older ones that change.

A report is words and pictures, which a face makes (`dashboards.web.monthly_report`), and the centre knows no face: a process of
its own is started (`mauwatch report`), and only where something that the report shows has changed. That is told by the numbers of
rows and digests of manifests, since a quiet run has no time to write a paper in order to throw it away.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from affiliates.concurrency import atomic_write, private_folder
from affiliates.manifests.report_settings import ReportSettings, file_name
from affiliates.periods import month_end
from pipelines.licences import release_tests
from pipelines.runbook import Finding, Page
from pipelines.store import alert_log, clause_results, outlooks, publications
from pipelines.store.contributions import ContributionStore
from pipelines.store.publications import Publication
from pipelines.workspace import Workspace

FILE = Path(".mauwatch") / "reports.json"
"""In a group directory: what the last report of each month rests on. Whoever removes the file has the newest one made anew."""
_SECONDS = 300.0
"""Seconds that a report has to be made."""
_KINDS = ("html", "pdf")


class _Basis(NamedTuple):
    """What a month's report rests on, as digests."""

    figures: str
    """Of the month's publications: an older month's report is made again where they change."""
    counted: str
    """Of what the month's figures rest on: signing the month changes the report, and no figure."""
    whole: str
    """Of all that the newest month's report shows; empty for older ones, whose alerts and outlook are those of their time."""


def make_due(workspace: Workspace, store: ContributionStore) -> list[Finding]:
    """Make the reports that are due; a finding for each that can't be made. Nothing where group.yaml has no `report`."""
    settings = workspace.group.settings.report
    if settings is None:
        return []
    with store.snapshot() as fixed:
        current = _bases(workspace, fixed)
    kept = _read(workspace.directory)
    findings = []
    for month in _due(workspace, settings, current, kept):
        failure = _make(workspace.directory, settings.folder, month)
        if failure is None:
            kept[month] = current[month]
        else:
            findings.append(Finding(f"the report of {month:%Y-%m} isn't made: {failure}", Page.REPORT))
    # As it was: a run that leaves everything as it was writes no file.
    if kept != _read(workspace.directory):
        _keep(workspace.directory, kept)
    return findings


def figures_made(directory: Path) -> dict[date, str]:
    """By month whose report was made, the digest of what the report's figures rest on."""
    return {month: basis.counted for month, basis in _read(directory).items()}


def _due(
    workspace: Workspace, settings: ReportSettings, current: Mapping[date, _Basis], kept: Mapping[date, _Basis]
) -> Iterator[date]:
    """The months whose report is to be made, in order.

    The newest, and from the first report on all others: a run that comes late leaves no gap, and a first run writes no years.
    """
    if not current:
        return
    newest = max(current)
    folder = workspace.directory / settings.folder
    for month, basis in sorted(current.items()):
        if month < min(kept, default=newest):
            continue
        known = kept.get(month)
        is_same = known is not None and known.figures == basis.figures and (month < newest or known.whole == basis.whole)
        is_there = all((folder / file_name(month, kind)).is_file() for kind in _KINDS)
        if not (is_same and is_there):
            yield month


def _bases(workspace: Workspace, fixed: ContributionStore) -> dict[date, _Basis]:
    """By month that is over and published by its reading of record, what the report rests on now."""
    in_force = publications.in_force(fixed)
    readings = workspace.group.readings
    months = sorted(
        {
            month
            for month, name in in_force
            if month_end(month) < workspace.today and readings.reading_on(month_end(month)).name == name
        }
    )
    numbers = {month: [f"{in_force[key].id}" for key in sorted(in_force) if key[0] == month] for month in months}
    bases = {month: _Basis(_digest(of_month), _counted(in_force, month), "") for month, of_month in numbers.items()}
    if months:
        newest = months[-1]
        shown = [number for of_month in numbers.values() for number in of_month]
        whole = _digest([*shown, *_others(workspace, fixed, readings.reading_on(month_end(newest)).name)])
        bases[newest] = bases[newest]._replace(whole=whole)
    return bases


def _counted(in_force: Mapping[tuple[date, str], Publication], month: date) -> str:
    of_month = [(key[1], in_force[key]) for key in sorted(in_force) if key[0] == month]
    return _digest([f"{name} {publication.inputs} {publication.method}" for name, publication in of_month])


def _others(workspace: Workspace, fixed: ContributionStore, reading: str) -> Iterator[str]:
    """What the newest month's report shows beside figures: alerts, results of clauses, outlook, manifests, the program."""
    yield metadata.version("mauwatch")
    yield from sorted(f"alert {alert.id}" for alert in alert_log.current(fixed).values())
    yield from sorted(f"result {row['id']}" for row in clause_results.current(fixed))
    known = release_tests.llama_releases(workspace.registry)
    threshold = known[-1].clause.threshold if known else None
    if threshold is not None:
        outlook = outlooks.newest(fixed, reading, "", threshold)
        yield f"outlook {outlook.known_at if outlook else None}"
    for folder in (".", "affiliates", "licences"):
        for path in sorted((workspace.directory / folder).glob("*.yaml")):
            yield f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _make(directory: Path, folder: str, month: date) -> str | None:
    """Have a report made by a process of its own; why it wasn't, or null."""
    try:
        (directory / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{folder} can't be written: {error.strerror}"
    command = [sys.executable, "-P", "-m", "dashboards.cli.main", "report", f"{month:%Y-%m}", "--json", "--group", str(directory)]
    try:
        ended = subprocess.run(  # noqa: S603 arguments of our own
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {_SECONDS:.0f} s"
    if ended.returncode == 0:
        return None
    with suppress(ValueError, KeyError, IndexError, TypeError):
        refusal = json.loads(ended.stdout)["errors"][0]
        return " ".join(filter(None, (refusal["subject"], refusal["rule"], refusal.get("values", ""))))
    return f"the process has ended with {ended.returncode}"


def _read(directory: Path) -> dict[date, _Basis]:
    """What is kept of the reports that were made; nothing where the file isn't ours."""
    try:
        kept = json.loads((directory / FILE).read_text(encoding="utf-8"))
        return {date.fromisoformat(month): _Basis(*map(str, basis)) for month, basis in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _keep(directory: Path, kept: Mapping[date, _Basis]) -> None:
    path = directory / FILE
    private_folder(path.parent)
    with atomic_write(path, mode=0o600) as unfinished:
        unfinished.write_text(json.dumps({f"{month}": basis for month, basis in sorted(kept.items())}), encoding="utf-8")


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
