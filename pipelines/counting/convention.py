"""What a figure takes for granted, by the version of counting that makes it. Pure.

A figure that was signed, or put into a bundle, is checked by the version that made it, so every version's convention stays here.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from affiliates.identity.keys import PERSON
from affiliates.manifests.namespaces import ONE, IdentifierRange, ranges_of
from affiliates.manifests.settings import Settings
from pipelines.counting.bounds import IdentifierRanges

METHOD = 4
"""The version of counting. A change of counting that can move a figure raises the version, and preliminary figures are then
published anew."""
FIRST_WITH_RANGES = 3
"""The first version whose bounds follow `namespaces` in group.yaml, and whose estimate has counts in it."""
FIRST_WITH_CONTRADICTIONS = 4
"""The first version that compares a product's numbers, and gives no upper bound where two of them contradict each other."""
ESTIMATE_IN_WORDS = "an identifier that the crosswalk doesn't join counts as another person, and so does everybody in a count"
"""The convention of the estimate, as it stands beside the number."""
EARLIER_ESTIMATE_IN_WORDS = (
    "an identifier that the crosswalk doesn't join counts as another person, everybody in a count as somebody counted already"
)
"""The convention of methods 1 and 2."""


@dataclass(frozen=True)
class Convention:
    """What a figure takes for granted."""

    ranges: IdentifierRanges
    """How many identifiers of each namespace one person has."""
    adds_counts: bool
    """Whether the people of a count are added to the estimate; before method 3 they were only a floor of it."""
    finds_contradictions: bool = True
    """Whether two numbers that can't both be right leave no upper bound; before method 4 the one in the figure was believed."""


def convention_of(method: int, settings: Settings) -> Convention:
    """The convention of a method. Before method 3 each identifier was taken for one person's only one."""
    if method < FIRST_WITH_RANGES:
        return Convention(IdentifierRanges(unsaid=ONE), adds_counts=False, finds_contradictions=False)
    ranges = IdentifierRanges(ranges_of(settings.namespaces))
    return Convention(ranges, adds_counts=True, finds_contradictions=method >= FIRST_WITH_CONTRADICTIONS)


def comparable(method: int) -> int:
    """The first version whose figures can be compared with a method's: method 4 takes away upper bounds and moves no estimate."""
    return FIRST_WITH_RANGES if method >= FIRST_WITH_RANGES else method


def said_ranges(method: int, settings: Settings) -> dict[str, list[float | None]]:
    """What `namespaces` says, as far as a method's figures rest on it: for the digest of a figure's inputs."""
    if method < FIRST_WITH_RANGES:
        return {}
    return {name: list(per_person) for name, per_person in sorted(ranges_of(settings.namespaces).items())}


def in_words(method: int) -> str:
    """The convention of a method's estimates, as it stands beside the number."""
    return ESTIMATE_IN_WORDS if method >= FIRST_WITH_RANGES else EARLIER_ESTIMATE_IN_WORDS


def unsaid(namespaces: Iterable[str], said: Collection[str], method: int = METHOD) -> list[str]:
    """The namespaces of sketches of which group.yaml says nothing, as far as a method's bounds rest on that."""
    return sorted(set(namespaces) - set(said)) if method >= FIRST_WITH_RANGES else []


def lines(
    namespaces: Collection[str],
    said: Mapping[str, IdentifierRange],
    method: int = METHOD,
    advised: bool = True,
    doubted: bool = False,
) -> list[str]:
    """What stands beside a figure: the estimate's convention, and what is said of the namespaces of its sketches.

    `advised`: with what to do about it, for whoever keeps group.yaml. `doubted`: the figure is an earlier one, and group.yaml may
    have said something else then.
    """
    texts = [f"Estimate: {in_words(method)}."]
    if method < FIRST_WITH_RANGES:
        return [*texts, f"Bounds, by method {method}: each identifier is one person's only one in its namespace."]
    if known := {name: said[name] for name in sorted(namespaces) if name in said}:
        by = "group.yaml" if advised else "the group"
        when = f"{by} says now, and perhaps not when the figure was made" if doubted else f"{by} says"
        texts.append(f"Identifiers per person, as {when}: {', '.join(f'{n} {r}' for n, r in known.items())}.")
    if unknown := unsaid(namespaces, said, method):
        example = f"{{{unknown[0]}: {{identifiers_per_person: {'1' if unknown[0] == PERSON else '[1, 3]'}}}}}"
        advice = f" Say in group.yaml what holds, such as `namespaces: {example}`." if advised else ""
        texts.append(
            f"Not said, so any number of these may be one person's, and the lower bound leaves them out: {', '.join(unknown)}."
            f"{advice}"
        )
    return texts
