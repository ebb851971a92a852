"""The command line, as tests call it: in a process of its own, or here, which takes no time to import."""

import json
import os
import subprocess
import sys
from contextlib import chdir, nullcontext, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from typer.testing import CliRunner

from affiliates.errors import RefusedError
from dashboards.cli import main
from dashboards.cli.main import app
from tests.support.environment import variables

Done = subprocess.CompletedProcess[str]


def installed(*arguments: object, cwd: Path | None = None) -> Done:
    """The installed command in a process of its own: with what whole processes say, logs of libraries among it."""
    return subprocess.run(
        [Path(sys.executable).parent / "mauwatch", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=120, check=False,
        env=os.environ | {"PYTHONWARNINGS": "error", "COLUMNS": "120"},
    )  # fmt: skip


def mauwatch(*arguments: object, cwd: Path | None = None) -> Done:
    """The same in this process: what it answers, and with which code."""
    out, err, code = StringIO(), StringIO(), 0
    with (
        patch.object(sys, "argv", ["mauwatch", *map(str, arguments)]),
        variables(COLUMNS="120"),
        redirect_stdout(out), redirect_stderr(err), chdir(cwd) if cwd else nullcontext(),
    ):  # fmt: skip
        try:
            main.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return subprocess.CompletedProcess(["mauwatch", *map(str, arguments)], code, out.getvalue(), err.getvalue())


def answer(*arguments: object, code: int = 0) -> Any:
    """What the command answers in JSON; it has to end with this code."""
    done = mauwatch(*arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def ran(*arguments: str, code: int = 0) -> str:
    """What the command prints, or the refusal's text; it has to end with this code."""
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, RefusedError):
        assert code == 2
        return str(result.exception)
    assert result.exit_code == code, result.output
    return result.output


def asked(*arguments: object, code: int = 0) -> str:
    """What the command prints; a refusal is raised."""
    done = CliRunner().invoke(app, ["key", *map(str, arguments)], catch_exceptions=not code)
    if isinstance(done.exception, RefusedError):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output
