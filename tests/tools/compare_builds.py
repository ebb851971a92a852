"""Shows that two checkouts are the same product: `python tests/tools/compare_builds.py OLD NEW [--small]`.

Each checkout's own `.venv` plays both demos, a group of its own and a store of every old schema (`play_build.py`), in a folder
outside of both. Compared, byte for byte, are what all commands print and their exit codes, all tables and views, digests,
ledger and receipts, the files that are left, the contents of evidence bundles, and the names that Dagster knows. Both are
played by this file's neighbour, so that an older checkout needs none of this.

`--small` plays the made-up demo at a hundred-thousandth of its size. `--keep FOLDER` keeps what was compared. The exit code is
1 where anything differs.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

SHOWN = 6
"""Lines of a difference that are printed."""
TOLERATED = (
    (r"(RUNBOOK|docs/runbook)\.md#", "RUNBOOK#"),
    (r"\d+ GiB free", "N GiB free"),
)
"""What may differ, as a pattern and what stands for it on both sides: where the runbook lies, and the machine's disk."""
REWORDED: tuple[tuple[str, str], ...] = ()
"""Refusals and headings whose wording has changed on purpose: the old text, and the new one."""


def play(checkout: Path, folder: Path, options: list[str]) -> Path:
    """Plays a checkout in a folder, and gives the folder of its results; raises `CalledProcessError` where it can't be played."""
    results, work = folder / "results", folder / "work"
    results.mkdir(parents=True)
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MAUWATCH", "DAGSTER", "AWS"))}
    environment |= {"TZ": "UTC", "COLUMNS": "120", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0", "NO_COLOR": "1"}
    program = Path(__file__).with_name("play_build.py").resolve()
    # -P: the folder of this file isn't a place to import from.
    command = [str(checkout / ".venv" / "bin" / "python"), "-P", str(program), str(checkout), str(results), *options]
    print(f"{checkout} is played", file=sys.stderr, flush=True)
    subprocess.run(command, cwd=work, env=environment, check=True)
    return results


def canonical(text: str, old: bool) -> list[str]:
    """The lines of a result, with what may differ put alike."""
    for before, after in REWORDED if old else ():
        text = text.replace(before, after)
    for pattern, same in TOLERATED:
        text = re.sub(pattern, same, text)
    return text.splitlines()


def differences(old: Path, new: Path) -> list[str]:
    """Prints a line for each result, and names those that differ."""
    names = sorted({path.name for folder in (old, new) for path in folder.iterdir()})
    different = []
    for name in names:
        if not (old / name).exists() or not (new / name).exists():
            print(f"{name.removesuffix('.txt'):60} only in {'the new' if (new / name).exists() else 'the old'} build: differs")
            different.append(name)
            continue
        before = canonical((old / name).read_text(encoding="utf-8"), old=True)
        after = canonical((new / name).read_text(encoding="utf-8"), old=False)
        print(
            f"{name.removesuffix('.txt'):60} {len(before):7,} {len(after):7,} lines  {'same' if before == after else 'differs'}"
        )
        if before != after:
            different.append(name)
            changed = [line for line in difflib.unified_diff(before, after, n=0, lineterm="") if line[:3] not in {"---", "+++"}]
            for line in changed[:SHOWN]:
                print(f"    {line[:400]}")
    return different


def compare(old: Path, new: Path, folder: Path, options: list[str]) -> int:
    """Plays both checkouts and compares them; the exit code."""
    played = {name: play(checkout.resolve(), folder / name, options) for name, checkout in (("old", old), ("new", new))}
    different = differences(played["old"], played["new"])
    total = len(list(played["new"].iterdir()))
    print(f"{total} results, {len(different)} differ" if different else f"{total} results, all the same")
    return 1 if different else 0


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--small", action="store_true", help="leave the demo at real size out")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="a new folder for what is compared")
    parser.add_argument("--only", nargs="+", metavar="PLAY", help="some of own, stores, git-activity and conglomerate")
    given = parser.parse_args()
    options = [*(["--small"] if given.small else []), *(["--only", *given.only] if given.only else [])]
    with TemporaryDirectory(prefix="compare-") as folder:
        sys.exit(compare(given.old, given.new, given.keep.resolve() if given.keep else Path(folder), options))


if __name__ == "__main__":
    main()
