"""The digests of snapshots that were read, kept by what they rest on: most commands need no more of a snapshot than its digest.

A snapshot of millions of keys takes half a second to read and to check, and a group may have one for each month. A digest is kept
under the state of the snapshot's file and of the file beside it, what the snapshot was read for, and the program that checks it.
"""

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from affiliates.concurrency import atomic_write, private_folder
from affiliates.crosswalks.statements import BESIDE, Expected
from affiliates.sources.places import Places, PlaceState, are_apart, state_of

FILE = Path(".mauwatch") / "crosswalks.json"
"""In a group directory; whoever removes the file makes the next command read the snapshots again."""


class KnownDigest(NamedTuple):
    """What is known of a snapshot without its table."""

    digest: str
    unsaid: str
    """What the snapshot doesn't say of itself, in a sentence; empty where it says all."""


class Sight(NamedTuple):
    """A snapshot's file at a moment."""

    state: PlaceState
    taken: float
    """By the monotonic clock, in seconds."""


class DigestMemo:
    """The digests in a file of a group directory; `code`: a digest of the program that reads and checks snapshots."""

    def __init__(self, directory: Path, code: str) -> None:
        self._directory = directory
        self._code = code
        self._kept = _read(directory / FILE)

    def look(self, name: str) -> Sight:
        """A snapshot's file as it is now."""
        path = self._directory / name
        return Sight(state_of(Places(files=(str(path), f"{path}{BESIDE}"))), time.monotonic())

    def digest(self, name: str, expected: Expected) -> KnownDigest | None:
        """What is known of a snapshot, if all that it rests on is as it was when it was read; null else."""
        kept = self._kept.get(name)
        rests_on = self._rests_on(self.look(name), expected)
        return KnownDigest(*kept[1:]) if kept is not None and kept[0] == rests_on else None

    def keep(self, name: str, before: Sight, expected: Expected, known: KnownDigest) -> None:
        """Keep what was read of a snapshot that was looked at before. Where nothing can be written, the next command reads."""
        after = self.look(name)
        if before.state != after.state or not are_apart(after.taken - before.taken, after.state):
            return
        self._kept[name] = [self._rests_on(after, expected), *known]
        path = self._directory / FILE
        with suppress(OSError):
            private_folder(path.parent)
            with atomic_write(path, mode=0o600, durable=False) as unfinished:
                unfinished.write_text(json.dumps(self._kept), encoding="utf-8")

    def _rests_on(self, sight: Sight, expected: Expected) -> str:
        parts = [sight.state.digest, expected.largest_person, expected.month, sorted(expected.fingerprints()), self._code]
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def _read(path: Path) -> dict[str, list[str]]:
    """What was kept; nothing where the file isn't ours."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        is_ours = all(len(entry) == 3 and all(isinstance(part, str) for part in entry) for entry in kept.values())
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return kept if is_ours else {}
