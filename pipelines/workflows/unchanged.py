"""A run over what is as the last quiet run left it: what that run said is said again, and nothing is asked anew.

What a run says follows from what the run reads, and from the time. A quiet run leaves all of that as it was (`quiet_run`), so the
next one would read the same. What a run reads, and how a change of each shows (tests/pipelines/workflows/test_unchanged.py tries
them one by one):

- manifests and the group's licences: their names and bytes;
- keys, crosswalk, the files of sources and in quarantine, zones, and the store with its mark: inode, size, times, owner and mode
  of each, and the names in every folder that is searched (`affiliates.sources.places`);
- variables of the environment that hold keys: a digest of their values, with a salt;
- the program: the same of each of its files, the names of the libraries installed, which hold their versions, and Python's;
- the time: until the next moment at which a day begins or late events are due in any zone of the group, an escalation is due, or
  the clock is doubted; and never a moment before the quiet run's own.

Sources in databases and object stores, and stores that aren't one file, show no change to such a look: nothing is kept then, nor
while a message waits. The heartbeat isn't part of what is kept: it is sent each time.
"""

import hashlib
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from affiliates.concurrency import atomic_write, private_folder
from affiliates.manifests.product import ProductRef
from affiliates.sources.places import APART, Places, PlaceState, are_apart, state_of
from pipelines.ingestion.product_run import ProductRun
from pipelines.runbook import DataFinding, Finding, Page
from pipelines.store import run_log
from pipelines.workflows.report import Report

FILE = Path(".mauwatch") / "unchanged.json"
"""In a group directory; whoever removes the file makes the next run ask everything anew."""
_FILES = ("group.yaml", "readings.yaml", "alerts.yaml", "grants.yaml")
_FOLDERS = ("affiliates", "licences")
"""The group's files that are read whole, and the folders of such files."""
_PACKAGES = ("affiliates", "pipelines", "dashboards", "sql")


class _Kept(NamedTuple):
    """What the last quiet run kept."""

    state: str
    """Digest of all that the run read, as it was."""
    begins: datetime
    """The run's moment."""
    ends: datetime
    """The first moment at which time alone may change what a run says."""
    salt: str
    places: Places
    variables: tuple[str, ...]
    heartbeat: Mapping[str, Any] | None
    """As alerts.yaml has it; null for none."""
    program: str
    """The version of mauwatch: the same while all is as it was."""
    report: Report


class Look:
    """A group directory as a run finds it, before the run reads anything of it."""

    def __init__(self, directory: Path, now: datetime) -> None:
        # Whole: another run may name the same directory otherwise.
        self.directory = Path(os.path.abspath(directory))
        self.now = now
        self.read = _digest([*_manifests(directory), *_program()])
        """Digest of the manifests and the program: they are read first."""

    def report(self) -> Report | None:
        """What the last quiet run said, if all is as it was; null else. The heartbeat is sent then."""
        kept = _read(self.directory / FILE)
        if kept is None or not kept.begins <= self.now < kept.ends:
            return None
        if _whole(self.read, kept.salt, kept.places, kept.variables).digest != kept.state:
            return None
        if kept.heartbeat is not None:
            from affiliates.manifests.alert_settings import Alerting
            from pipelines.alerts import heartbeat

            alerting = Alerting.model_validate({"heartbeat": kept.heartbeat})
            kept.report.findings += heartbeat.ping(alerting, self.directory)
        run_log.to_file(self.directory, kept.report.logged(self.now, "unchanged", kept.program))
        return kept.report

    def is_as_it_was(self) -> bool:
        """Whether manifests and program are as they were when the look was taken."""
        return self.read == _digest([*_manifests(self.directory), *_program()])


class RunBasis:
    """What a quiet run rests on, looked at before the run: what the run says is kept if all is the same after it."""

    def __init__(self, look: Look, places: Places, variables: Sequence[str], heartbeat: Mapping[str, Any] | None) -> None:
        self._look = look
        self._places = places
        self._variables = tuple(variables)
        self._heartbeat = heartbeat
        self._salt = secrets.token_hex(16)
        self._taken = time.monotonic()
        self._before = self._state()

    def keep(self, report: Report, places: Places | None, begins: datetime, ends: datetime) -> None:
        """Keep what a run said that has left everything as it was, and has let its store go; `places`: as they are now.

        `begins`: the run's moment; `ends`: the first moment at which time alone may change what it said.
        """
        kept = replace(report, tests=[])
        if ends <= begins or places != self._places or not _can_be_kept(kept):
            return
        # A run may be over within a tick of the files' clock where the process has opened the store before.
        time.sleep(max(0.0, APART - (time.monotonic() - self._taken)))
        after = self._state()
        is_same = after == self._before and self._look.is_as_it_was()
        if not is_same or not are_apart(time.monotonic() - self._taken, after):
            return
        content = {
            "state": after.digest,
            "begins": begins.isoformat(),
            "ends": ends.isoformat(),
            "salt": self._salt,
            "places": self._places._asdict(),
            "variables": self._variables,
            "heartbeat": self._heartbeat,
            "program": metadata.version("mauwatch"),
            "report": _values(kept),
        }
        with suppress(OSError):  # Where nothing can be written, the next run asks anew.
            path = self._look.directory / FILE
            private_folder(path.parent)
            with atomic_write(path, mode=0o600, durable=False) as unfinished:
                unfinished.write_text(json.dumps(content), encoding="utf-8")

    def _state(self) -> PlaceState:
        return _whole(self._look.read, self._salt, self._places, self._variables)


def _whole(read: str, salt: str, places: Places, variables: Sequence[str]) -> PlaceState:
    """The state of everything that a run rests on."""
    of_places = state_of(places)
    values = [hashlib.sha256(f"{salt}{os.environ.get(name)!r}".encode()).hexdigest() for name in variables]
    return of_places._replace(digest=_digest([read, salt, of_places.digest, repr(places), repr(variables), *values]))


def _manifests(directory: Path) -> Iterator[str]:
    """The group's directory and owner, and what its manifests and licences hold."""
    yield f"{os.path.realpath(directory)} {os.geteuid()} {os.getegid()}"
    for name in _FILES:
        yield f"{name} {_content(directory / name)}"
    for folder in _FOLDERS:
        with suppress(OSError):
            for path in sorted((directory / folder).iterdir()):
                yield f"{folder}/{path.name} {_content(path)}"


def _content(path: Path) -> str:
    """SHA-256 in hex of a file's bytes; the kind of failure where it can't be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return type(error).__name__


_ROOT = Path(__file__).parents[2]


def _program(root: Path = _ROOT) -> Iterator[str]:
    """What this program is: its files, where Python looks for libraries, and which are there with their versions."""
    yield f"{sys.version} {sys.prefix}"
    for package in _PACKAGES:
        for folder, folders, names in os.walk(root / package):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(names):
                with suppress(OSError):
                    status = os.stat(os.path.join(folder, name))
                    yield f"{folder}/{name} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    for path in sys.path:
        yield path
        with suppress(OSError):
            yield from sorted(name for name in os.listdir(path) if name.endswith((".dist-info", ".egg-info", ".pth")))


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()


def _can_be_kept(report: Report) -> bool:
    """Whether a report is a quiet one's, and its values give the same report: no failure, no doubt of the clock, no refusal."""
    passing = {Page.UNFORESEEN, Page.CLOCK, Page.PING, Page.REPORT}
    is_quiet = not report.published and not any(finding.page in passing for finding in report.findings)
    return is_quiet and _report(_values(report)) == report


def _values(report: Report) -> dict[str, Any]:
    """A quiet report's values, ready for JSON."""
    days = {"first": str, "last": str}
    return {
        "products": [
            {**product.ref._asdict(), "missing": list(map(str, product.missing)), "left_out": product.left_out}
            for product in report.products
        ],
        "findings": [
            {name: days.get(name, lambda same: same)(value) for name, value in asdict(finding).items() if value is not None}
            for finding in report.findings
        ],
        "notes": report.notes,
        "alerts": report.alerts,
    }


def _report(values: Mapping[str, Any]) -> Report:
    """The report with these values."""
    return Report(
        products=[
            ProductRun(
                ProductRef(product["affiliate"], product["product"]),
                missing=tuple(map(date.fromisoformat, product["missing"])),
                left_out=tuple(product["left_out"]),
            )
            for product in values["products"]
        ],
        findings=[_finding(finding) for finding in values["findings"]],
        notes=list(values["notes"]),
        alerts=list(values["alerts"]),
    )


def _finding(values: Mapping[str, Any]) -> Finding:
    known = {**values, "page": Page(values["page"])}
    if "what" not in known:
        return Finding(**known)
    return DataFinding(**known | {name: date.fromisoformat(known[name]) for name in ("first", "last") if name in known})


def _read(path: Path) -> _Kept | None:
    """What was kept; null where nothing was, or the file isn't ours."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return _Kept(
            kept["state"],
            datetime.fromisoformat(kept["begins"]),
            datetime.fromisoformat(kept["ends"]),
            kept["salt"],
            Places(**{name: tuple(paths) for name, paths in kept["places"].items()}),
            tuple(kept["variables"]),
            kept["heartbeat"],
            kept["program"],
            _report(kept["report"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
