"""The demo: a real group's events, counted with and without the crosswalk."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from affiliates.errors import Code, refused
from affiliates.manifests.group import Group
from affiliates.manifests.loader import read_group
from affiliates.periods import month_end
from pipelines.counting import inputs, measure
from pipelines.counting.figure import Figure
from pipelines.counting.measure import Measured
from pipelines.licences import release_tests
from pipelines.licences.release_tests import LicenceTest
from pipelines.store import contributions
from pipelines.workflows.report import Progress, Report
from pipelines.workflows.run import run

NAME = "git-activity"
FIRST = date(2023, 6, 1)
LAST = date(2026, 7, 31)
SHOWN = date(2025, 3, 1)


@dataclass(frozen=True)
class Demo:
    """What the demo shows."""

    group: Group
    report: Report
    shown: Measured
    effect: dict[str, tuple[Figure, Figure]]
    """By tested month: the group's figure without and with the crosswalk."""
    tests: list[LicenceTest]


def folder(name: str) -> Path:
    """A demo's group directory: in the wheel beside this module, in a checkout at the top."""
    inside = Path(__file__).parent / "data"
    return (inside if inside.is_dir() else Path(__file__).parents[2] / "demo") / name


def copy(directory: Path, name: str) -> None:
    """Copy a demo's group directory; over an earlier copy, but over nothing else."""
    theirs = directory / "group.yaml"
    # A demo may be played again in its folder; anybody's own group directory is never written over.
    ours = theirs.is_file() and theirs.read_bytes() == (folder(name) / "group.yaml").read_bytes()
    if directory.exists() and any(directory.iterdir()) and not ours:
        raise refused(
            Code.FILE_EXISTS, str(directory), "holds something else than this demo", "", "name another folder: mauwatch demo DIR"
        )
    shutil.copytree(folder(name), directory, dirs_exist_ok=True)


def play(directory: Path, now: datetime, progress: Progress) -> Demo:
    """Count the demo group in `directory`, and once more without its crosswalk in a folder that is thrown away."""
    copy(directory, NAME)
    group = read_group(directory)
    report = run(directory, group, now, FIRST, LAST, progress)
    months = sorted({licence.measured_month for licence in release_tests.llama_releases()})
    with TemporaryDirectory(prefix="mauwatch-demo-") as name:
        apart = Path(name) / "demo"
        shutil.copytree(directory, apart, ignore=shutil.ignore_patterns(".mauwatch"))
        settings = group.settings.model_copy(update={"crosswalk": None})
        # The same events without the crosswalk show what joining identifiers does, and nothing else differs.
        unjoined = group.model_copy(update={"settings": settings})
        for month in months:
            run(apart, unjoined, now, month, month_end(month), progress)
        with _store(apart, unjoined) as store:
            without = {month: _figures(store, unjoined, month).group for month in months}
    with _store(directory, group) as store:
        joined = {month: _figures(store, group, month).group for month in months}
        shown = _figures(store, group, SHOWN)
        tests = list(release_tests.run_tests(store, group, release_tests.llama_releases()))
    effect = {f"{month:%Y-%m}": (without[month], joined[month]) for month in months}
    return Demo(group, report, shown, effect, tests)


@contextmanager
def _store(directory: Path, group: Group) -> Iterator[contributions.ContributionStore]:
    with contributions.open_store(group.settings.store, directory) as store:
        yield store


def _figures(store: contributions.ContributionStore, group: Group, month: date) -> Measured:
    return measure.measure(store, group, inputs.gather(store, group, month, group.readings.readings[0]))
