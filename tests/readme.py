"""Commands in README and PRIVACY: run as they stand, in order, with their output beneath. `python -m tests.readme` renews."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dashboards import starter

ROOT = Path(__file__).parent.parent
README, PRIVACY = ROOT / "README.md", ROOT / "PRIVACY.md"
PLAYED = "2026-11-21"
"""The day of the README's demo, whose months end with the one before today's."""
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def run(command: str, folder: Path) -> str:
    """What a command prints; `make demo` stands for what it runs once everything is installed, on that day."""
    command = f"mauwatch demo --today {PLAYED}" if command == "make demo" else command
    done = subprocess.run(
        shlex.split(command), cwd=folder, capture_output=True, text=True, check=True, timeout=600,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    lines = (line.rstrip() for line in done.stdout.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def renewed(text: str, folder: Path) -> str:
    """A document with each console block's output made anew."""

    def block(found: re.Match[str]) -> str:
        commands = [line for line in found[1].splitlines() if line.startswith("$ ")]
        return "```console\n" + "".join(f"{c}\n{out}\n" for c, out in outputs(commands, folder)) + "```"

    return BLOCK.sub(block, text)


def outputs(commands: list[str], folder: Path) -> Iterator[tuple[str, str]]:
    for command in commands:
        yield command, run(command[2:], folder)


def undated(text: str) -> str:
    """Without today's date, which `validate` shows."""
    return re.sub(r" on \d{4}-\d\d-\d\d", " on DAY", text)


def privacy_renewed(folder: Path) -> str:
    """PRIVACY.md, in a folder with the group that README's `init` makes."""
    starter.write(folder / "acme", "acme", "UTC")
    return renewed(PRIVACY.read_text(encoding="utf-8"), folder)


def unsized(text: str) -> str:
    """Without sizes of files: each has another key and was made at another moment."""
    return re.sub(r"[0-9,]+ bytes", "N bytes", text)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        PRIVACY.write_text(privacy_renewed(Path(name)), encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        README.write_text(renewed(README.read_text(encoding="utf-8"), Path(name)), encoding="utf-8")
