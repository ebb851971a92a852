"""What a run keeps for the next one: alerts' outlooks. Kept too long, they would hide a change."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.alerts import expectations
from pipelines.alerts.expectations import Outlook
from pipelines.alerts.outlook_cache import FILE as OUTLOOKS
from pipelines.alerts.outlook_cache import OutlookCache
from pipelines.forecasting.series import Point

POINTS = [Point(24_300 + i, 100.0 * 1.05**i, 95.0 * 1.05**i, 105.0 * 1.05**i) for i in range(14)]


def outlook(directory: Path, points: list[Point], threshold: int) -> Outlook | None:
    """As a run asks for it."""
    cache = OutlookCache(directory)
    result = cache.probabilities(points, threshold)
    cache.write()
    return result


def test_an_outlook_is_forecast_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kept one is the very same; and of each other month, bound or threshold another one is forecast."""
    first = outlook(tmp_path, POINTS, 300)
    assert first == expectations.probabilities(POINTS, 300)
    assert first is not None
    with monkeypatch.context() as patched:
        patched.setattr(expectations, "probabilities", lambda points, threshold: pytest.fail("forecast again"))
        assert outlook(tmp_path, POINTS, 300) == first
    last = POINTS[-1]
    others = [
        (POINTS[:-1], 300),
        ([*POINTS[:-1], Point(last.number, last.value, last.lower, 400.0)], 300),
        ([*POINTS[:-1], Point(last.number, 250.0, last.lower, last.upper)], 300),
        ([*POINTS[:-1], Point(last.number, last.value, last.lower, last.upper, "a definition")], 300),
        (POINTS, 240),
    ]
    for points, threshold in others:
        assert outlook(tmp_path, points, threshold) == expectations.probabilities(points, threshold)
    assert outlook(tmp_path, POINTS[:1], 300) is outlook(tmp_path, POINTS[:1], 300) is None


def test_outlooks_that_nobody_asks_for_go(tmp_path: Path) -> None:
    """The file would else grow with each day."""
    outlook(tmp_path, POINTS, 300)
    outlook(tmp_path, POINTS, 301)
    assert len(json.loads((tmp_path / OUTLOOKS).read_text())) == 1
    (tmp_path / OUTLOOKS).write_text('{"a": 1}')
    assert outlook(tmp_path, POINTS, 300) == expectations.probabilities(POINTS, 300)


def test_a_run_with_nothing_new_imports_no_compiler_and_no_migrations() -> None:
    """numba, alembic and Dagster take longer to import than such a run takes."""
    program = (
        "import sys; import dashboards.cli.main, dashboards.cli.log_lines, dashboards.cli.tables, pipelines.workflows.quiet_run; "
        "print([name for name in ('numba', 'llvmlite', 'alembic', 'dagster') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
