"""The documents' commands run as they stand, with their output beneath. `python -m tests.tools.documents` renews all pages.

A block of the kind `console` holds commands, each behind `$ `, and what they print. The commands of a page run in order, in one
folder that begins empty. A page that needs a group says so in its first lines, and these commands run unseen before the others:

    <!-- before: mauwatch init acme --name acme -->

A line `...` in an output stands for lines that the page leaves out.
"""

import atexit
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEMO, DEMO_GROUP = "make demo", "mauwatch-demo"
DEMO_DAY = "2026-11-21"
"""The day on which the documents' demo is played: its months end with the one before."""
LEFT_OUT = "..."
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
_BEFORE = re.compile(r"^<!-- before: (.+) -->$", re.MULTILINE)
_CHANGING = (
    (re.compile(r"\b(on|at) \d{4}-\d\d-\d\d( \d\d:\d\d)?"), r"\1 DAY"),  # Today's date.
    (re.compile(r" days {3}\d{4}-\d\d-\d\d$", re.MULTILINE), " days   DAY"),  # When a month was published.
    (re.compile(r"[0-9,]+ bytes"), "N bytes"),  # Each group has another key, and so files of another size.
    (re.compile(r"\b[0-9a-f]{64}\b"), "DIGEST"),
    (re.compile(r"\bfingerprint [0-9a-f]{12}\b"), "fingerprint FINGERPRINT"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"), "NOW"),
)


def pages() -> list[Path]:
    """README.md and all pages of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def sets() -> list[tuple[Path, ...]]:
    """Pages whose commands run in one process: those that need the demo share it, and every other page is alone."""
    texts = {page: page.read_text(encoding="utf-8") for page in pages()}
    commanding = [page for page, text in texts.items() if _BLOCK.search(text)]
    of_demo = tuple(page for page in commanding if DEMO in [*_BEFORE.findall(texts[page]), *_commands_of(texts[page])])
    return [of_demo, *((page,) for page in commanding if page not in of_demo)]


def renewed(text: str) -> str:
    """A page with the outputs of its commands as they are now.

    An output that differs only in what changes from run to run stays as it stands. Raises `ValueError` where lines are left out
    and the lines beside them aren't found any more.
    """
    with tempfile.TemporaryDirectory(prefix="documents-") as folder:
        before = _BEFORE.findall(text)
        shutil.copytree(_prepared(tuple(command for command in before if command != DEMO)), folder, dirs_exist_ok=True)
        if DEMO in before:
            run(DEMO, Path(folder))

        def block(match: re.Match[str]) -> str:
            parts = (_renewed_output(command, shown, Path(folder)) for command, shown in commands(match[1]))
            return "```console\n" + "".join(parts) + "```"

        return _BLOCK.sub(block, text)


def _commands_of(text: str) -> list[str]:
    return [command for block in _BLOCK.findall(text) for command, _ in commands(block)]


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a block, with the output that stands beneath it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def _renewed_output(command: str, shown: str, folder: Path) -> str:
    output = run(command, folder)
    if LEFT_OUT in shown.splitlines():
        output = _shortened(output, shown, command)
    same = unchanging(output) == unchanging(shown.strip("\n"))
    return f"$ {command}\n" + (shown if same else f"{output}\n" if output else "")


def run(command: str, folder: Path) -> str:
    """What a command prints on standard output, without spaces at the lines' ends. Raises `CalledProcessError` if it fails."""
    if command == DEMO:
        group, output = _demo()
        if not (folder / DEMO_GROUP).exists():
            (folder / DEMO_GROUP).symlink_to(group)
        return output
    done = subprocess.run(
        shlex.split(command), cwd=folder, capture_output=True, text=True, check=True, timeout=600,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    lines = (line.rstrip() for line in done.stdout.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


@cache
def _prepared(commands_before: tuple[str, ...]) -> Path:
    """A folder in which commands have run; a process runs the same ones once."""
    folder = Path(tempfile.mkdtemp(prefix="documents-"))
    atexit.register(shutil.rmtree, folder)
    if commands_before:
        shutil.copytree(_prepared(commands_before[:-1]), folder, dirs_exist_ok=True)
        run(commands_before[-1], folder)
    return folder


@cache
def _demo() -> tuple[Path, str]:
    """The group of `make demo` and what the command prints. It takes two minutes, so a process plays it once."""
    folder = Path(tempfile.mkdtemp(prefix="documents-"))
    atexit.register(shutil.rmtree, folder)
    return folder / DEMO_GROUP, run(f"mauwatch demo {DEMO_GROUP} --today {DEMO_DAY}", folder)


def unchanging(text: str) -> str:
    """An output without what changes from run to run: today's date, sizes of files, digests."""
    for pattern, instead in _CHANGING:
        text = pattern.sub(instead, text)
    return text


def _shortened(output: str, shown: str, command: str) -> str:
    """The lines of an output that a page shows: those of the same shape, numbers aside, in the same order."""
    lines = output.splitlines()
    position = 0
    kept: list[str] = []
    for line in shown.strip("\n").splitlines():
        if line == LEFT_OUT:
            kept.append(LEFT_OUT)
            continue
        after_gap = not kept or kept[-1] == LEFT_OUT
        places = range(position, len(lines)) if after_gap else range(position, min(position + 1, len(lines)))
        place = next((n for n in places if _shape(lines[n]) == _shape(line)), None)
        if place is None:
            raise ValueError(f"`{command}` no longer prints a line such as this after the one before: {line}")
        kept.append(lines[place])
        position = place + 1
    return "\n".join(kept)


def _shape(line: str) -> str:
    """A line without its numbers, and with one space for many."""
    return re.sub(r"\s+", " ", re.sub(r"[\d.,%+-]+|─+", "#", unchanging(line))).strip()


if __name__ == "__main__":
    chosen = [ROOT / name for name in sys.argv[1:]] or [page for pages_of_set in sets() for page in pages_of_set]
    for page in chosen:
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
