"""A worker of the test suite whose process has ended: its test runs once more, and a second end is a failure."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("ends", "code"), [(1, 0), (2, 1)])
def test_a_test_that_ends_its_worker_runs_once_more(tmp_path: Path, ends: int, code: int) -> None:
    """Played again without end, a crash of our own would never be red."""
    (tmp_path / "conftest.py").write_text(
        "from tests.conftest import pytest_handlecrashitem\n__all__ = ['pytest_handlecrashitem']\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import os\n"
        "from pathlib import Path\n"
        "def test_it(): \n"
        "    before = Path(__file__).with_name('before')\n"
        "    times = len(before.read_text()) if before.exists() else 0\n"
        f"    if times < {ends}:\n"
        "        before.write_text('x' * (times + 1))\n"
        "        os._exit(9)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "--dist", "worksteal", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout
    assert "1 rerun" in done.stdout
