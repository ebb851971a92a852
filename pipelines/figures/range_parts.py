"""How wide a published figure's range is by each cause: who is who, stand-ins, missing days, sketches. Pure.

The parts add up to the upper bound less the lower one. Most of a range is mostly identity, which is no sampling error: a page
that shows the width as one number lets it pass for one.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from pipelines.counting.contradictions import standing_in
from pipelines.counting.figure import Figure
from pipelines.records import StatedCount

Kind = Literal["identity", "stand_in", "gap", "sketches", "edges"]
"""Unjoined identifiers; counts and ceilings in the place of sketches; what is missing or unsettled; the sketches' error; days of
other time zones that reach over the month's edges."""
_STATISTICAL = 4
"""Standard errors: so far the bounds of sketches may lie from their estimate, which errs itself."""


class RangePart(NamedTuple):
    """What one cause adds to a range."""

    kind: Kind
    people: int | None
    """By how many people the range is wider; null for a gap, of which nobody knows how many people it hides."""
    what: str
    """The cause in words."""


def range_parts(figure: Figure, stated_counts: Iterable[StatedCount]) -> list[RangePart]:
    """The parts of a figure's range, the widest first, gaps at the front; causes that add nobody are left out.

    `stated_counts`: the month's counts and ceilings of the figure's products; those stand in that the figure's reasons name.
    Without an upper bound the parts are those of what is there, and a gap says what isn't.
    """
    # A stated number stands in only where a reason of the figure names its product.
    stand_ins = standing_in(figure.reasons, stated_counts)
    counted = sum(stated.users for stated in stand_ins if stated.kind == "count")
    stated_users = sum(stated.users for stated in stand_ins)
    most = max((figure.identity_high or 0) - counted, 0)
    least = min(figure.identity_low or 0, most)
    statistical = math.ceil(_STATISTICAL * figure.standard_error) + 1  # Bounds are rounded outward.
    if figure.upper is None:
        # The library's bounds lie two standard errors from the estimate, on either side.
        sizes = {"sketches": 2 * math.ceil(2 * figure.standard_error), "stand_in": stated_users, "identity": most - least}
        gaps = list(_gaps(figure, {str(stated.ref) for stated in stand_ins}))
    else:
        above = max(figure.upper - most - stated_users, 0)
        below = max(least - figure.lower, 0)
        sketches = min(above, statistical) + min(below, statistical)
        # A count that more people are known by than by all sketches is the lower bound: only what lies above it is open.
        sizes = _fitted(
            figure.upper - figure.lower, {"sketches": sketches, "edges": above + below - sketches, "stand_in": stated_users}
        )
        gaps = []
    words = {
        "identity": "who is the same person: identifiers that no crosswalk joins",
        "stand_in": f"counts and ceilings in the place of sketches: {', '.join(str(stated.ref) for stated in stand_ins)}",
        "sketches": f"the error of the sketches, by lg_k {figure.lg_k}",
        "edges": "days of other time zones, which reach over the month's edges",
    }
    parts = [RangePart(kind, size, words[kind]) for kind, size in sizes.items() if size > 0]  # type: ignore[arg-type]
    return [*gaps, *sorted(parts, key=lambda part: -(part.people or 0))]


def _fitted(width: int, sizes: dict[str, int]) -> dict[str, int]:
    """The sizes in their order, as far as the width goes; what is left is identity."""
    left = width
    fitted = {}
    for kind, size in sizes.items():
        fitted[kind] = min(size, left)
        left -= fitted[kind]
    return {**fitted, "identity": left}


def _gaps(figure: Figure, bounded: set[str]) -> Iterator[RangePart]:
    """The reasons of products that nothing stands in for."""
    for reason in figure.reasons:
        if reason.partition(": ")[0] not in bounded:
            yield RangePart("gap", None, reason)
