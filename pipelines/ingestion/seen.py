"""How the store keeps what files a period was computed from, and what another look at them shows. Pure.

Two digests stand side by side, cut so that both fit into 64 characters: `STATED:EXACT`. Older versions noted the first alone,
uncut; such a period is compared as it was noted, and passes for unchanged.
"""

from collections.abc import Mapping
from datetime import date

from affiliates.sources.protocol import Fingerprint

_KEPT = 31
"""Characters of each digest: 124 bits."""


def note_of(fingerprint: Fingerprint) -> str:
    """What the store keeps of a fingerprint."""
    return f"{fingerprint.stated[:_KEPT]}:{fingerprint.exact[:_KEPT]}"


def is_as_stated(note: str, fingerprint: Fingerprint) -> bool:
    """Whether names, sizes and times of change are those of a note, of whatever version."""
    stated, is_new, _ = note.partition(":")
    return stated == (fingerprint.stated[:_KEPT] if is_new else fingerprint.stated)


def is_same(note: str, fingerprint: Fingerprint) -> bool:
    """Whether all that a note says is as it was."""
    return note == note_of(fingerprint) if ":" in note else is_as_stated(note, fingerprint)


def newer_notes(notes: Mapping[date, str], now: Mapping[date, Fingerprint]) -> dict[date, str]:
    """By first day, the notes to put in the place of older ones: of files that have another inode, or were never noted whole.

    Names, sizes and times of change are the same. `notes`: of periods whose events are known to be the same.
    """
    return {
        period: note_of(now[period])
        for period, note in notes.items()
        if period in now and note != note_of(now[period]) and is_as_stated(note, now[period])
    }
