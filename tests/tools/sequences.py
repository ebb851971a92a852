"""Random sequences of what people do to a group directory: `python -m tests.tools.sequences [NUMBER [FIRST [PROCESSES]]]`.

A complete figure below the truth of which nobody says a word ends the program with 1, and names the seed and its steps; so does
an error that nobody foresaw.
"""

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.sequence_commands import Outcome
from tests.support.sequences import play

NUMBER = 2_000


def _played(seed: int) -> Outcome:
    with TemporaryDirectory(prefix="mauwatch-sequence-") as folder:
        return play(seed, Path(folder))


def main() -> int:
    """Play the sequences, and say how they ended."""
    given = [int(text) for text in sys.argv[1:]]
    number, first, processes = [*given, *(NUMBER, 0, 2)[len(given) :]]
    kinds = Counter[str]()
    failures = list[str]()
    # A thread of polars doesn't outlive a fork.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        seeds = {pool.submit(_played, seed): seed for seed in range(first, first + number)}
        for done, future in enumerate(as_completed(seeds), 1):
            if error := future.exception():
                failures.append(str(error))
                print(f"seed {seeds[future]}: {error!r}", flush=True)
                continue
            outcome = future.result()
            kinds[outcome.kind] += 1
            if outcome.silently_low:
                failures.append(outcome.kind)
                low = f"{outcome.estimate} of {outcome.truth} people, {outcome.kind} {outcome.faults or ''}"
                print(f"seed {outcome.seed}: {low}: {list(outcome.steps)}", flush=True)
            if done % 50 == 0:
                print(f"{done} of {number}: {dict(kinds.most_common())}", file=sys.stderr, flush=True)
    print(f"{number} sequences from seed {first}: {len(failures)} silently low; {dict(kinds.most_common())}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
