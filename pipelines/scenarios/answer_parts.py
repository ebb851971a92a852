"""The parts of a scenario's answer. Pure.

Numbers are people, months are written YYYY-MM, days YYYY-MM-DD, probabilities and shares are parts of one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Bounds = tuple[int, int | None]
"""The fewest and the most people that there can be; null where nothing bounds them from above."""


class RestsOn(StrEnum):
    """What a number rests on. A number of several kinds has the weakest: assumed, then stated, then measured."""

    MEASURED = "measured"
    STATED = "stated"
    ASSUMED = "assumed"


@dataclass(frozen=True)
class ScenarioInputs:
    """What a scenario was run on: the same inputs give the same answer. Digests are SHA-256 in hex."""

    figure: str
    """Of what the base month's figure rests on."""
    manifests: str
    """Of what the group's manifests say of those who count before or after the changes: owners, lives of products, readings."""
    series: str
    """Of the published months that the growth rests on."""
    registry: str
    """Of the licences whose clauses are tested."""
    contributions: Mapping[str, str]
    """Of each target's contribution, by the file's name as the scenario writes it."""
    definition: str
    """Of the scenario."""
    method: int
    """The version of counting."""
    joining: str = ""
    """Of the contributions of products that don't count in the base month and do by a change, or by the manifests, later."""


@dataclass(frozen=True)
class Size:
    """The group's people at the base month."""

    estimate: int | None
    lower: int
    """The fewest people that there can be."""
    upper: int | None
    """The most people that there can be; null where something is missing."""
    basis: RestsOn
    reasons: tuple[str, ...] = ()
    """Why there is no upper bound, and what stands in for something."""


@dataclass(frozen=True)
class Side:
    """A month before the changes, or after them: by the estimate, which takes unjoined identifiers for different people."""

    p2_5: int
    p50: int
    p97_5: int
    probability_over: float
    """Of being over the threshold in this month, by the estimate."""
    probability_over_by_range: float | None
    """The same with the doubt that the figure's bounds leave; null without an upper bound."""
    crossed: float
    """Of having been over the threshold in this month or any before it, by the estimate."""


@dataclass(frozen=True)
class BothBounds:
    """What holds for certain, before and after."""

    before: Bounds
    after: Bounds


@dataclass(frozen=True)
class MonthAnswer:
    """A month from the base month on."""

    month: str
    before: Side
    after: Side
    bounds: BothBounds
    in_force: tuple[str, ...]
    """The changes that hold in the month on every path, in the order of their days."""


@dataclass(frozen=True)
class ClauseChance:
    """The test of a clause at a release to come."""

    clause: str
    """licence#clause of the registry, or `threshold` for the scenario's own."""
    name: str
    threshold: int
    comparator: str
    """gt: only more than the threshold is over; gte: the threshold itself is, too."""
    release: str
    month: str
    """The month that is tested: the one before the release."""
    assumed: bool
    """Whether the day of the release is assumed, and not the scenario's."""
    before: float
    after: float
    """Probability of being over, by the estimate."""
    before_by_range: float | None
    after_by_range: float | None
    """The same with the doubt that the figure's bounds leave; null without an upper bound."""


@dataclass(frozen=True)
class CrossingMonths:
    """The first months by which the threshold was crossed with a probability of 10 and of 50 %; null within the horizon."""

    p10: str | None
    p50: str | None


@dataclass(frozen=True)
class Crossing:
    """When the threshold is crossed, before and after the changes."""

    before: CrossingMonths
    after: CrossingMonths


@dataclass(frozen=True)
class UniqueAddition:
    """The people whom only one part of the group, or a target, brings, at the base month."""

    name: str
    kind: str
    """affiliate, product or target."""
    estimate: int | None
    lower: int | None
    upper: int | None
    basis: RestsOn
    measurable: bool
    why_not: str | None = None


@dataclass(frozen=True)
class PairOverlap:
    """The people whom two parts have in common, at the base month, and which share of each part that is."""

    first: str
    second: str
    common: int | None
    lower: int | None
    upper: int | None
    share_of_first: float | None
    share_of_first_lower: float | None
    share_of_first_upper: float | None
    share_of_second: float | None
    share_of_second_lower: float | None
    share_of_second_upper: float | None
    basis: RestsOn
    measurable: bool
    why_not: str | None = None


@dataclass(frozen=True)
class TornadoBar:
    """How far one assumption moves the answer at the decision month, all others drawn as they are."""

    assumption: str
    low: str
    high: str
    after_at_low: int
    """The middle (p50) of the group's people where the assumption is at its low end."""
    after_at_high: int
    p_over_at_low: float
    p_over_at_high: float
    basis: RestsOn
    source: str | None
    as_of: str | None


@dataclass(frozen=True)
class Frontier:
    """The group at the decision month by a target's people and by the share of them whom the group has already.

    The rows of the tables are `users`, the columns `overlap`.
    """

    target: str
    users: tuple[int, ...]
    overlap: tuple[float, ...]
    p50: tuple[tuple[int, ...], ...]
    p97_5: tuple[tuple[int, ...], ...]
    p_over: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class BreakEven:
    """The overlap from which on the group stays under the threshold at the decision month, by the target's people."""

    users: int
    overlap_needed_p50: float | None
    """For a probability of a half; null where not even a target of shared people alone would do."""
    overlap_needed_p95: float | None
    """For a probability of 97.5 %."""


@dataclass(frozen=True)
class TargetModelTest:
    """What a model's licence found, or would have found, for the target as its own licensee."""

    licence: str
    own_test: str
    """under, over, undetermined or not_measured."""
    why: str
    after_closing: str
    """What becomes of the use once the target belongs to the group."""


@dataclass(frozen=True)
class TargetSide:
    """A target's models and their tests."""

    name: str
    models: tuple[TargetModelTest, ...]
    next_version: str
    """What the next version's release tests, in a sentence."""


@dataclass(frozen=True)
class Assumption:
    """A number that the answer takes for granted, and on whose word."""

    change: str
    """The change, or `group` for what the base takes for granted."""
    key: str
    value: str
    basis: RestsOn
    source: str | None
    as_of: str | None
