"""How long a day's `mauwatch run` with nothing new takes beside another checkout: `python -m tests.tools.nothing_new OLD GROUP`.

OLD is a checkout with its own `.venv`; GROUP is a group directory, such as the demo's, of which each build gets a copy (a newer
build may migrate its store). Each copy is brought up to date by one run, and then both builds take turns. Printed are the
medians of the elapsed and of the processor's time with their ratios; the exit code is 1 where the first is over `--at-most`.
Beside them stands this build's first run of a day, which says nothing again (`pipelines.workflows.unchanged`) and asks all anew.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pipelines.workflows.unchanged import FILE

ROOT = Path(__file__).parents[2]
FIRST = "first of a day"


class Took(NamedTuple):
    """What a whole process took, in seconds."""

    elapsed: float
    processor: float
    """User and system time of all its threads: the same whatever else is at work on the machine."""


def took_by(checkout: Path, command_name: str, group: Path) -> Took:
    """How long a command of the build takes, `run` or `receive`; raises `SystemExit` where the command fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "DAGSTER"))}
    command: list[str | Path] = [checkout / ".venv" / "bin" / "mauwatch", command_name, "--group", group]
    began, used = time.perf_counter(), _processor()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=group)
    took = Took(time.perf_counter() - began, _processor() - used)
    if done.returncode not in (0, 1):  # 1 is a finding, such as missing days.
        raise SystemExit(f"{checkout}: {done.stderr[-2000:]}")
    return took


def _processor() -> float:
    """The processor's time of all processes so far that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("group", type=Path)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--at-most", type=float, default=0.2, metavar="RATIO")
    given = parser.parse_args()
    checkouts = {"old": given.old.resolve(), "new": ROOT, FIRST: ROOT}
    took: dict[str, list[Took]] = {name: [] for name in checkouts}
    with TemporaryDirectory(prefix="mauwatch-nothing-new-") as folder:
        groups = {name: Path(shutil.copytree(given.group, Path(folder) / name, symlinks=True)) for name in checkouts}
        for name, checkout in checkouts.items():
            took_by(checkout, "run", groups[name])
        for turn in range(given.turns):
            for name, checkout in checkouts.items():
                if name == FIRST:
                    (groups[name] / FILE).unlink(missing_ok=True)
                took[name].append(took_by(checkout, "run", groups[name]))
                print(f"turn {turn + 1} of {given.turns}, {name}: {took[name][-1].elapsed:.1f} s", flush=True)
    ratios = []
    for what in Took._fields:
        old, new, first = (median(getattr(run, what) for run in took[name]) for name in checkouts)
        ratios.append(new / old)
        print(f"{what}: old {old:.1f} s, new {new:.1f} s, ratio {new / old:.3f}; {FIRST} {first:.1f} s, ratio {first / old:.3f}")
    sys.exit(ratios[0] > given.at_most)


if __name__ == "__main__":
    main()
