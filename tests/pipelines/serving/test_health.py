"""/health: what it says of the data, beside what it says of the service."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from affiliates.manifests.loader import read_group
from pipelines.serving.health import HealthMonitor
from pipelines.workflows.run import run
from tests.support.groups import NOW, entity, events, product

Make = Callable[..., Path]
STILL = events([(f"2025-01-{day:02}T12:00:00Z", f"u{n}@example.com") for day in range(1, 15) for n in range(50)])


def health(directory: Path) -> dict[str, Any]:
    """The answer of a service whose webserver doesn't run."""
    group = read_group(directory)
    with dg.DagsterInstance.ephemeral() as dagster:
        return HealthMonitor(directory, lambda: group, dagster, ("127.0.0.1", 9), lambda: 0.0, lambda: "").report()[1]


def test_what_a_run_has_found_is_known(make: Make) -> None:
    """`healthy` was all that was said of a group of which a product stood still, and another one never came."""
    products = [product(to="2025-02-01"), product("prepaid", to="2025-02-01", sources=[])]
    directory = make([entity("a", products)], {"events.parquet": STILL})
    assert health(directory)["data"] == {"fine": True, "found": "none yet"}
    run(directory, read_group(directory), NOW)
    answer = health(directory)
    assert answer["data"] == {
        "fine": False,
        "found": "a/prepaid: 31 days missing (2025-01-01 to 2025-01-31); a/app: no users from 2025-01-15",
        "runbook": "Runbook: docs/runbook.md#days-missing",
    }
    assert "data" not in answer["checks"], "a service that is started again mends no data"


def test_data_that_are_mended_are_fine(make: Make) -> None:
    whole = events([(f"2025-01-{day:02}T12:00:00Z", f"u{n}@example.com") for day in range(1, 32) for n in range(50)])
    directory = make([entity("a", [product(to="2025-02-01")])], {"events.parquet": STILL})
    run(directory, read_group(directory), NOW)
    assert health(directory)["data"]["runbook"] == "Runbook: docs/runbook.md#alert-unusual-data"
    whole.write_parquet(directory / "events.parquet")
    run(directory, read_group(directory), NOW + timedelta(days=1))
    assert health(directory)["data"] == {"fine": True, "found": "complete, and as usual"}
