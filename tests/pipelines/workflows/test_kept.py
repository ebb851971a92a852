"""What a run with nothing new does without."""

import subprocess
import sys


def test_a_run_with_nothing_new_imports_no_compiler_and_no_migrations() -> None:
    """numba, alembic and Dagster take longer to import than such a run takes."""
    program = (
        "import sys; import dashboards.cli.main, dashboards.cli.log_lines, dashboards.cli.tables, pipelines.workflows.quiet_run; "
        "print([name for name in ('numba', 'llvmlite', 'alembic', 'dagster') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
