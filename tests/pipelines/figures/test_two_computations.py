"""A product computed here and handed in: neither replaces the other without a word."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from affiliates.contributions.contract import Contribution, Part
from affiliates.errors import RefusedError
from affiliates.identity import canaries
from affiliates.identity.keys import GroupKey
from affiliates.manifests.loader import read_group
from affiliates.sketches.registers import Registers
from pipelines.records import AcceptedContribution
from pipelines.store import contributions, handed_in
from pipelines.store.contributions import HandedInFile
from pipelines.workflows import close
from pipelines.workspace import Workspace
from tests.support.databases import both_databases
from tests.support.groups import NOW, entity, events, product
from tests.support.runs import go

Make = Callable[..., Path]
JANUARY = date(2025, 1, 1)
DAYS = [JANUARY + timedelta(number) for number in range(31)]
LATER = NOW + timedelta(hours=1)
FILE = HandedInFile("january.parquet", "0" * 64, "a", "--sender")


def computed_here(make: Make, users: int) -> Path:
    """A product with so many users on each day of January, the same every day."""
    rows = [(f"{day}T12:00:00Z", f"u{number}@example.com") for day in DAYS for number in range(users)]
    return make([entity("a", [product(to="2025-02-01")])], {"events.parquet": events(rows)})


def hand_in(directory: Path, key: GroupKey, days: list[date], users: int) -> None:
    """Contributions of so many users, handed in as a file of a's."""
    group = read_group(directory)
    registers = Registers.from_keys(21, np.arange(1, users + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    part = Part("external", "email", registers, users, users, canaries.image("email", key, 21))
    accepted = [
        AcceptedContribution(
            Contribution(
                "a", "app", "day", day, key.epoch, "", "v1 unicode", 0, 0, "seen/1", None, "UTC", LATER, "warehouse", (part,)
            ),
            LATER,
            key.fingerprint,
        )
        for day in days
    ]  # fmt: skip
    with contributions.open_store(group.settings.store, directory, create=True) as store:
        handed_in.append_files(store, [handed_in.FileToStore(accepted, FILE, lambda _, current: None)], LATER)


def told(directory: Path) -> list[str]:
    return [finding["text"] for finding in go(directory, now=LATER).to_dict()["data_findings"]]


def is_refused(directory: Path, why: str) -> None:
    with Workspace(directory, read_group(directory), LATER) as workspace, pytest.raises(RefusedError, match=why):
        close.close_month(workspace, JANUARY, close.Signature("CFO"))


@both_databases
def test_a_file_and_the_product_s_own_source(make: Make, key: GroupKey) -> None:
    """A file of 12 users a day took the place of the 10 of the source, or the source of the file: who is right nobody asked."""
    directory = computed_here(make, 10)
    assert go(directory).clean
    hand_in(directory, key, DAYS[:5], 12)
    (text,) = [text for text in told(directory) if "handed in" in text]
    # The run computes again what isn't by the manifest's settings, so the source has the last word.
    assert text == (
        "a/app: what was computed here counts from 2025-01-01 to 2025-01-05 (50 users), and has replaced what was handed in "
        "(60 users)"
    )
    is_refused(directory, "has replaced what was handed in")
