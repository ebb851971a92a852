"""Runs of a group directory."""

from datetime import datetime
from pathlib import Path

from affiliates.manifests import read_group
from pipelines.run import Report, run
from tests.support.groups import NOW


def go(directory: Path, now: datetime = NOW) -> Report:
    return run(directory, read_group(directory), now)
