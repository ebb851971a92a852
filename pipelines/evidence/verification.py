"""What checking a bundle has found: right, wrong, unknown, and what wasn't compared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_NAMED = 20
"""Places of one file that are named as wrong."""


@dataclass
class Verification:
    """The outcome of checking a bundle."""

    about: Mapping[str, Any] = field(default_factory=dict)
    """What the bundle is about, by its own list."""
    sha256: str = ""
    """Of the whole bundle."""
    public_key: str | None = None
    """The key that has signed the bundle (base64); null for an unsigned bundle."""
    right: list[str] = field(default_factory=list)
    """What was checked and holds, a sentence each."""
    wrong: list[str] = field(default_factory=list)
    """What doesn't hold, a sentence each."""
    unknown: list[str] = field(default_factory=list)
    """What can't be told from this bundle and the caller's arguments."""
    not_compared: list[str] = field(default_factory=list)
    """What the bundle says and nothing was compared with, by file and name, each with the reason."""
    not_shown: list[str] = field(default_factory=list)
    """Readings under which the ledger has figures of the month, and the bundle none."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong, and all was compared."""
        return not (self.wrong or self.unknown or self.not_compared)

    def note(self, what: str, wrong: Iterable[str]) -> None:
        """Add the outcome of one check: the faults, or where there are none `what` was checked."""
        faults = list(wrong)
        more = [f"and {len(faults) - MOST_NAMED} places more"] if len(faults) > MOST_NAMED else []
        self.wrong += faults[:MOST_NAMED] + more
        self.right += [] if faults else [what]

    def leave(self, names: Iterable[str], why: str) -> None:
        """Add what wasn't compared, and why not."""
        self.not_compared += [f"{name}: {why}" for name in names]
