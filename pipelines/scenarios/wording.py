"""Numbers and changes as a scenario's sentences write them. Pure."""

from collections.abc import Sequence

from affiliates.errors import in_plain_sight
from pipelines.scenarios.changes import AnyChange

_VERBS = {
    "acquire": "buying",
    "launch": "launching",
    "divest": "selling",
    "retire": "ending",
    "grow": "growing",
    "ownership": "holding",
    "exclude": "leaving out",
    "reading": "reading by",
    "threshold": "a threshold of",
    "clause": "testing",
}


def people(number: float) -> str:
    """A number of people for a sentence: three digits of millions, else whole."""
    if number >= 999_500:
        millions = number / 1e6
        return f"{millions:.0f} M" if millions >= 99.95 else f"{millions:.1f} M" if millions >= 9.995 else f"{millions:.2f} M"
    return f"{number:,.0f}"


def span(low: float, high: float) -> str:
    """A range of people for a sentence."""
    first, second = people(low), people(high)
    if first == second:
        return first
    return f"{first.removesuffix(' M')}-{second}" if first.endswith(" M") and second.endswith(" M") else f"{first}-{second}"


def chance(probability: float) -> str:
    """A probability in per cent, never rounded to a certainty that it isn't."""
    if 0 < probability < 0.01:
        return "under 1 %"
    if 0.99 < probability < 1:
        return "over 99 %"
    return f"{probability * 100:.0f} %"


def doing(changes: Sequence[AnyChange]) -> str:
    """The changes as the subject of a sentence: "buying X and selling y"."""
    parts = [in_plain_sight(f"{_VERBS[change.kind]} {change.subject}") for change in changes]
    if len(parts) > 3:
        return f"{len(parts)} changes, among them {parts[0]},"
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
