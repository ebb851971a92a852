"""Numbers of one product that can't both be right. Pure.

Where two such numbers contradict each other, one of them is wrong, and nobody here knows which. So the figure has no upper bound,
and says both. The lower bound stays that of the sketches: a statement lowers nothing that was counted.

The texts are reasons of a publication, so they stay as they are. Each begins with its product and ends with `WRONG`.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from affiliates.sketches.plausibility import MISSED
from affiliates.sketches.registers import Bounds
from pipelines.counting.bounds import Pool, Sketches, estimate_people, namespace_bounds, unite
from pipelines.counting.convention import Convention
from pipelines.counting.figure import Share
from pipelines.counting.stand_ins import StatedBounds
from pipelines.records import StatedCount

WRONG = "one of the two is wrong"
"""How the text of a contradiction ends."""
_NOBODY = Bounds(0, 0, 0)
_MORE_ERRORS = 2.0
"""Standard errors beyond the bounds, which lie two of them out: an exact count beside a sketch contradicts by chance once in
16,000 months."""


@dataclass(frozen=True)
class OtherGrain:
    """A product's people by the contributions of the month in the grain that isn't counted."""

    counted: str
    """What the counted ones are: `days` or `month`."""
    other: str
    sketches: Sketches
    is_alike: bool = False
    """Whether both are of one key and one crosswalk: then the same people have the same registers."""
    has_other_crosswalk: bool = False
    """Whether both are of one key, and each is joined by a crosswalk of its own."""


def is_one(reason: str) -> bool:
    """Whether a figure's reason tells a contradiction."""
    return reason.endswith(WRONG)


def among(reasons: Iterable[str]) -> list[str]:
    """The contradictions among a figure's reasons."""
    return [reason for reason in reasons if is_one(reason)]


def standing_in(reasons: Sequence[str], stated: Iterable[StatedCount]) -> list[StatedCount]:
    """The counts and ceilings that stand in for sketches in a figure with these reasons: of the products that a reason names.

    A number that contradicts the sketches stands in for nothing.
    """
    named = {reason.partition(": ")[0] for reason in reasons}
    doubted = {reason.partition(": ")[0] for reason in among(reasons)}
    return [number for number in stated if str(number.ref) in named - doubted]


def doubted(name: str, share: Share, stated: StatedBounds, convention: Convention, other: OtherGrain | None) -> Share:
    """The share, without an upper bound where numbers of the product `name` (affiliate/product) contradict each other."""
    texts = list(_texts(name, share, stated, convention, other))
    if not texts:
        return share
    least = min(stated.least, stated.ceiling.users) if share.unbounded and stated.ceiling and stated.least is not None else None
    return replace(share, stated_count=None, least_people=least, unbounded=(*share.unbounded, *texts))


def _texts(name: str, share: Share, stated: StatedBounds, convention: Convention, other: OtherGrain | None) -> Iterator[str]:
    """The product's contradictions, a text each."""
    if share.empty_periods:
        periods = f"{share.empty_periods} period{'s have' if share.empty_periods > 1 else ' has'}"
        yield f"{name}: {periods} events, and nobody in the sketch: {WRONG}"
    count = stated.most if stated.most and stated.most.kind == "count" else None
    if count and stated.ceiling and count.users > stated.ceiling.users:
        yield f"{name}: {_shown(count)}, and {_shown(stated.ceiling)}: {WRONG}"
    if not (stated.most or stated.least or other):
        return
    people = estimate_people(share.pool, convention.ranges)
    more = _MORE_ERRORS * people.standard_error
    for number in (stated.most, stated.ceiling):
        if number and number.users < math.floor(people.lower - more):
            yield f"{name}: {_shown(number)}, and its sketches give at least {math.floor(people.lower):,}: {WRONG}"
    if share.unbounded:
        return  # Sketches that lack something bound nobody from above.
    upper = math.ceil(people.upper)
    if stated.least is not None and stated.least > people.upper + more:
        shown = _shown(count) if count and count.users == stated.least else f"a count of {stated.least:,} people"
        yield f"{name}: {shown}, and its sketches give at most {upper:,}: {WRONG}"
    if other:
        by_other = estimate_people(Pool.from_sketches(other.sketches), convention.ranges)
        if by_other.lower - _MORE_ERRORS * by_other.standard_error > people.upper + more:
            at_least = f"at least {math.floor(by_other.lower):,} by its {other.other}"
            yield f"{name}: at most {upper:,} people by its {other.counted}, and {at_least}: {WRONG}"
        elif other.is_alike:
            yield from _lacking(name, share.pool.stated, other)
        elif other.has_other_crosswalk:
            yield from _joined_away(name, share.pool.stated, other)


def _lacking(name: str, counted: Sketches, other: OtherGrain) -> Iterator[str]:
    """The namespaces in which the grain that isn't counted has somebody whom the counted one lacks, a text each.

    Where nobody knows how many identifiers one person has, the bounds of people are too wide to contradict each other. The
    identifiers of the two grains are the same ones, so that they can be compared by themselves.
    """
    for namespace, sketches in other.sketches.items():
        ours = {namespace: counted.get(namespace, {})}
        own = namespace_bounds(ours[namespace]) if ours[namespace] else _NOBODY
        both = namespace_bounds(unite([ours, {namespace: sketches}])[namespace])
        more = _MORE_ERRORS * (own.upper - own.lower + both.upper - both.lower) / 4  # Bounds lie four errors apart.
        if both.lower - more > own.upper:
            at_most = f"at most {math.ceil(own.upper):,} of {namespace} by its {other.counted}"
            yield f"{name}: {at_most}, and at least {math.floor(both.lower):,} with its {other.other}: {WRONG}"


def _joined_away(name: str, counted: Sketches, other: OtherGrain) -> Iterator[str]:
    """That the counted grain has over a tenth fewer identifiers and people, added up, than the other has by its own crosswalk."""
    upper = sum(namespace_bounds(sketches).upper for sketches in counted.values())
    lower = sum(namespace_bounds(sketches).lower for sketches in other.sketches.values())
    if upper < (1 - MISSED) * lower:
        at_most = f"at most {math.ceil(upper):,} users by its {other.counted}"
        yield f"{name}: {at_most}, and at least {math.floor(lower):,} by its {other.other}, under another crosswalk: {WRONG}"


def _shown(number: StatedCount) -> str:
    """A stated number as part of a sentence."""
    return f"a {number.kind} of {number.users:,} {number.unit} ({number.document})"
