"""A stranger's file of contributions, thousands of times damaged, in a process that the system holds to so much memory.

`python -m tests.support.foreign_files FILE NUMBER MEMORY`: reads NUMBER mutations of FILE within MEMORY bytes more than before,
and prints how many were read and refused. What isn't one of both, or takes over ten seconds, ends it.
"""

import random
import resource
import signal
import sys
from collections import Counter
from pathlib import Path

from affiliates.contributions import contract
from affiliates.errors import RefusedError

PLANTED = "planted.person@example.com"


def damaged(whole: bytes, rng: random.Random) -> bytes:
    """Flipped bytes anywhere or in the footer, or in heads of pages; cut off; parts of it twice."""
    file, footer = bytearray(whole), len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        way, at = rng.randrange(6), rng.randrange(len(file))
        if way == 0:
            file[at] = rng.randrange(256)
        elif way in (1, 2):
            file[rng.randrange(min(footer, len(file) - 1), len(file))] ^= 1 << rng.randrange(8)
        elif way == 3:
            file[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif way == 4:
            file[at : at + 8] = rng.randbytes(8)
        elif rng.random() < 0.2:
            del file[at : at + rng.choice((1, 8, 10_000))]
            file += bytes(max(0, 16 - len(file)))
    return bytes(file)


def outcome(path: Path) -> str:
    """What came of reading a file: `read` or `refused`; anything else is raised."""
    try:
        contract.read(path)
    except RefusedError as refused:
        if PLANTED in str(refused):
            raise AssertionError("a refusal quotes the file") from None
        return "refused"
    return "read"


def main(path: Path, number: int, memory: int) -> None:
    """Read so many mutations of a file within so many bytes, and print how many were read and refused."""
    whole, rng, outcomes, changed = path.read_bytes(), random.Random(7), Counter[str](), path.with_suffix(".damaged")
    outcome(path)  # What is loaded and compiled once isn't the file's.
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + memory,) * 2)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for _ in range(number):
        changed.write_bytes(damaged(whole, rng) if number > 1 else whole)
        signal.alarm(10)
        outcomes[outcome(changed)] += 1
    signal.alarm(0)
    changed.unlink()
    print(dict(sorted(outcomes.items())))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
