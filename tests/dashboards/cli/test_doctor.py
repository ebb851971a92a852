"""`doctor` looks as far as `run` does: what a run refuses, or ends with 1 for, is said before there is a run."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from affiliates.manifests.loader import read_group
from dashboards.cli.doctor import examine
from pipelines.alerts import responses
from pipelines.alerts.responses import Closing
from pipelines.licences import registry
from pipelines.store import alert_log, contributions
from pipelines.workflows.run import run
from tests.support.groups import NOW, entity, events, product, source

Make = Callable[..., Path]
ROWS = [(f"2025-01-{day:02}T{hour:02}:00:00Z", f"u{day}-{hour}@example.com") for day in range(1, 32) for hour in (1, 12, 23)]
EVENTS = events(ROWS, kind=["open"] * len(ROWS))
NUMBERS = EVENTS.with_columns(at=pl.col("at").dt.timestamp("ms"))
LOCAL = EVENTS.with_columns(pl.col("at").dt.replace_time_zone(None))
BY_DAY = {f"days/2025-01-{day:02}.parquet": EVENTS.filter(pl.col("at").dt.day() == day) for day in range(1, 32)}
NAMED = source(files="days/{day}.parquet", complete_through=None)


def look(directory: Path, now: datetime = NOW) -> dict[str, tuple[bool, str]]:
    """By subject, the last that doctor says of it."""
    return {what: (fine, text) for what, fine, text in examine(directory, read_group(directory), now)}


@pytest.mark.parametrize(
    ("manifest", "files", "zone", "rule"),
    [
        (NAMED, BY_DAY, "America/New_York", "events on another day, in America/New_York, than the file's name says"),
        (NAMED, BY_DAY, "UTC", None),
        (source(time={"column": "at", "unit": "s"}), {"events.parquet": NUMBERS}, "UTC", "times in the future"),
        (source(time={"column": "at", "unit": "us"}), {"events.parquet": NUMBERS}, "UTC", "times before 1971"),
        (source(time={"column": "at", "unit": "ms"}), {"events.parquet": NUMBERS}, "UTC", None),
        (source(), {"events.parquet": LOCAL}, "UTC", "times without a zone"),
        (source(counts_when='kind = "open"'), {"events.parquet": EVENTS}, "UTC", "columns are missing"),
        (source(counts_when="kind = 'open'"), {"events.parquet": EVENTS}, "UTC", None),
        (source(complete_through="2026-12-31"), {"events.parquet": EVENTS}, "UTC", "`complete_through` lies in the future"),
    ],
    ids=["the zone of names", "names that fit", "seconds", "microseconds", "milliseconds", "no zone", "double quotes",
         "single quotes", "days to come"],
)  # fmt: skip
def test_what_a_run_refuses_doctor_sees(
    make: Make, manifest: dict[str, Any], files: dict[str, Any], zone: str, rule: str | None
) -> None:
    """Its `ok` was believed, and the next morning's run refused the product."""
    directory = make([entity("a", [product(to="2025-02-01", sources=[manifest])])], files, time_zone=zone)
    fine, text = look(directory)["a/app"]
    refusals = [str(refusal) for refusal in run(directory, read_group(directory), NOW).products[0].refusals]
    assert fine == (rule is None) == (not refusals)
    if rule is not None:
        assert rule in text
        assert rule in refusals[0]


def test_the_cause_of_double_quotes_is_said(make: Make) -> None:
    """The message spoke of the export alone, where every column is there."""
    directory = make([entity("a", [product(sources=[source(counts_when='kind = "open"')])])], {"events.parquet": EVENTS})
    assert "a text in a condition stands in single quotes" in look(directory)["a/app"][1]


@pytest.mark.parametrize(
    ("columns", "condition"),
    [
        ({"user": pl.lit("n/a")}, {}),
        ({"kind": pl.lit("closed")}, {"counts_when": "kind = 'open'"}),
        ({"kind": pl.lit(None, pl.String)}, {"counts_when": "kind = 'open'"}),
    ],
    ids=["nobody is named", "a condition that never holds", "a condition that is never decided"],
)
def test_a_source_that_gives_nobody_is_seen(make: Make, columns: dict[str, pl.Expr], condition: dict[str, str]) -> None:
    """A run takes such days as days of zero users, and ends with 1 only once there is a week of them."""
    files = {"events.parquet": EVENTS.with_columns(**columns)}
    directory = make([entity("a", [product(sources=[source(**condition)])])], files)
    assert not look(directory)["a/app"][0]


def test_what_the_store_shows_is_said_until_somebody_accepts_it(make: Make) -> None:
    """Of a product that stands still, `doctor` said ok: its newest events are fine."""
    still = events([(f"2025-01-{day:02}T12:00:00Z", f"u{n}@example.com") for day in range(1, 15) for n in range(50)])
    directory = make([entity("a", [product(to="2025-02-01")])], {"events.parquet": still})
    run(directory, read_group(directory), NOW)
    assert look(directory)["data"] == (
        False,
        "a/app: no users from 2025-01-15 to 2025-01-31, 50.0 on average before, although `complete_through` says that all "
        "events are there through 2025-01-31",
    )
    group = read_group(directory)
    with contributions.open_store(group.settings.store, directory) as store:
        (alert,) = [known for known in alert_log.current(store).values() if known.kind == "unusual_data"]
        known = registry.from_directory(directory)
        responses.close(store, group, known, alert.opened, Closing("CFO", "accepted", "2025/1"), NOW)
    assert "data" not in look(directory)


def test_last_month_is_the_groups(make: Make) -> None:
    """In Auckland it is March by then, and the snapshot of February is what a run needs."""
    directory = make(
        [entity("a", [product()])],
        {"events.parquet": EVENTS},
        time_zone="Pacific/Auckland",
        crosswalk="crosswalk-{month}.parquet",
    )
    assert "2025-02" in look(directory, datetime(2025, 2, 28, 13, tzinfo=UTC))["crosswalk"][1]
    assert "2025-01" in look(directory, datetime(2025, 2, 28, 10, tzinfo=UTC))["crosswalk"][1]


def test_the_registry_tells_what_a_group_replaces(make: Make) -> None:
    """An entry of a later `reviewed` stands in the place of ours: of a year to come, in the place of every newer one."""
    directory = make([entity("a", [product(to="2025-02-01")])], {"events.parquet": EVENTS})
    (directory / "licences").mkdir()
    ours = registry.FOLDER / "databricks.yaml"
    text = ours.read_text()
    for year, is_fine in (("2027", True), ("2999", False)):
        changed = re.sub(r"reviewed: \d{4}", f"reviewed: {year}", re.sub(r"review_by: \d{4}", "review_by: 3000", text))
        (directory / "licences" / "ours.yaml").write_text(changed)
        fine, said = look(directory, datetime(2028, 1, 1, tzinfo=UTC))["registry"]
        assert (fine, "; replaced by licences/*.yaml: dbrx: the same tests" in said) == (is_fine, True)
