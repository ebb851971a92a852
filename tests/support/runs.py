"""Runs of a group directory."""

from datetime import datetime
from pathlib import Path

from affiliates.manifests.loader import read_group
from pipelines.workflows.report import Report
from pipelines.workflows.run import run
from tests.support.groups import NOW


def go(directory: Path, now: datetime = NOW) -> Report:
    """A run without a range."""
    return run(directory, read_group(directory), now)
