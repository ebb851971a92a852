"""Whom the products of a month have in common, and whom one of them brings alone: measured from their sketches. Pure.

Sketches are compared namespace by namespace, and the namespaces' numbers add up, as the figure's convention has it. Where two
products share no kind of identifier nobody in common can be seen: then nothing is measured, which is another thing than nobody.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from affiliates.manifests.product import ProductRef
from affiliates.sketches.overlap import MeasuredOverlap, pairwise, unique_additions
from affiliates.sketches.registers import Bounds, Registers
from pipelines.counting.figure import Share

State = Literal["measured", "not_measurable", "not_measured"]
"""`not_measurable`: less than three standard errors from nobody, so the interval is all that is known."""
Sketch = Mapping[str, Registers]
"""By namespace, the union of a part."""
MOST_ALONE = 100
"""Products of which is measured whom each brings alone: each takes some milliseconds."""
COMPARED_MONTHS = 3
"""Months before today's whose products are compared when the month is published; of older ones nobody asks every day."""
MOST_PAIRED = 40
"""Products, the largest ones, that are compared two by two."""
UNSHARED = "no kind of identifier is in both, so nobody in common can be seen"
TOO_FEW = "less than three standard errors from nobody: the interval is all that is known"


@dataclass(frozen=True)
class Alone:
    """Whom a product alone brings beside all others, in people: a row of `unique_additions`, field by column."""

    product: str
    """As affiliate/product."""
    state: State
    estimate: int | None
    lower: int | None
    upper: int | None
    what: str
    """Why it isn't measured, or what the number doesn't cover."""


@dataclass(frozen=True)
class InCommon:
    """Whom two products have in common, in people: a row of `product_overlaps`, field by column."""

    first: str
    second: str
    state: State
    estimate: int | None
    lower: int | None
    upper: int | None
    share_of_first: float | None
    share_of_second: float | None
    what: str
    """Why it isn't measured, or what the number doesn't cover."""


def measure_alone(shares: Mapping[ProductRef, Share]) -> list[Alone]:
    """Whom each product alone brings, in the order of products; nothing where there are more than `MOST_ALONE`."""
    if len(shares) > MOST_ALONE:
        return []
    sketches = {str(ref): sketch_of([share]) for ref, share in shares.items()}
    pairs: dict[str, dict[str, MeasuredOverlap]] = defaultdict(dict)
    for namespace, named in _by_namespace(sketches).items():
        if len(named) > 1:
            for name, beside in unique_additions(named).items():
                pairs[name][namespace] = beside
    return [_alone(str(ref), share, sketches[str(ref)], pairs[str(ref)]) for ref, share in shares.items()]


def measure_pairs(shares: Mapping[ProductRef, Share]) -> list[InCommon]:
    """Whom each two products have in common, the first by name first; of many products the `MOST_PAIRED` largest ones."""
    sketches = {str(ref): sketch_of([share]) for ref, share in shares.items()}
    sizes = {name: sum(registers.bounds().estimate for registers in sketch.values()) for name, sketch in sketches.items()}
    names = sorted(sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST_PAIRED])
    compared: dict[tuple[str, str], dict[str, MeasuredOverlap]] = defaultdict(dict)
    for namespace, named in _by_namespace({name: sketches[name] for name in names}).items():
        for pair, overlap in pairwise(named).items():
            compared[pair][namespace] = overlap
    return [
        _pair(first, second, sketches, compared[first, second], {str(ref): share for ref, share in shares.items()})
        for number, first in enumerate(names)
        for second in names[number + 1 :]
    ]


def sketch_of(shares: Iterable[Share]) -> Sketch:
    """The union of products by namespace; a namespace without anybody is left out."""
    gathered: dict[str, list[Registers]] = defaultdict(list)
    for share in shares:
        for namespace, by_lg_k in share.pool.stated.items():
            gathered[namespace] += by_lg_k.values()
    united = {n: r[0] if len(r) == 1 else Registers.union(r) for n, r in sorted(gathered.items())}
    return {namespace: registers for namespace, registers in united.items() if not registers.is_empty}


def sum_of(parts: Sequence[Bounds]) -> Bounds:
    """The sum over namespaces, which are hashed apart: their errors add up in squares."""
    estimate = sum(part.estimate for part in parts)
    below = math.sqrt(sum((part.estimate - part.lower) ** 2 for part in parts))
    above = math.sqrt(sum((part.upper - part.estimate) ** 2 for part in parts))
    return Bounds(estimate, max(estimate - below, 0.0), estimate + above)


def _by_namespace(sketches: Mapping[str, Sketch]) -> dict[str, dict[str, Registers]]:
    by_namespace: dict[str, dict[str, Registers]] = defaultdict(dict)
    for name, sketch in sketches.items():
        for namespace, registers in sketch.items():
            by_namespace[namespace][name] = registers
    return by_namespace


def _alone(product: str, share: Share, sketch: Sketch, pairs: Mapping[str, MeasuredOverlap]) -> Alone:
    if not sketch:
        return Alone(product, "not_measured", None, None, None, _unsketched(product, share))
    if not pairs:
        return Alone(product, "not_measured", None, None, None, UNSHARED.replace("both", "any other product"))
    apart = sorted(sketch.keys() - pairs.keys())
    only = [pair.only_first for pair in pairs.values()]
    alone = sum_of([*only, *(sketch[namespace].bounds() for namespace in apart)])
    # Whose identifiers nobody else has may be anybody's: of these only the upper bound is certain.
    low = math.floor(sum_of(only).lower)
    caveats = [f"identifiers of {', '.join(apart)} are in no other product"] if apart else []
    caveats += [share.unbounded[0]] if share.unbounded else []
    measurable = bool(apart) or any(pair.addition_measurable for pair in pairs.values())
    what = "; ".join(caveats) if measurable else TOO_FEW
    state: State = "measured" if measurable else "not_measurable"
    return Alone(product, state, round(alone.estimate), low, math.ceil(alone.upper), what)


def _pair(
    first: str,
    second: str,
    sketches: Mapping[str, Sketch],
    pairs: Mapping[str, MeasuredOverlap],
    shares: Mapping[str, Share],
) -> InCommon:
    empty = next((name for name in (first, second) if not sketches[name]), None)
    if empty is not None or not pairs:
        what = UNSHARED if empty is None else _unsketched(empty, shares[empty])
        return InCommon(first, second, "not_measured", None, None, None, None, None, what)
    common = sum_of([pair.common for pair in pairs.values()])
    sizes = [sum(registers.bounds().estimate for registers in sketches[name].values()) for name in (first, second)]
    of_first, of_second = (round(min(common.estimate / size, 1.0), 6) for size in sizes)
    apart = sorted(sketches[first].keys() ^ sketches[second].keys())
    measurable = any(pair.measurable for pair in pairs.values())
    what = f"by {', '.join(sorted(pairs))} alone: there may be more in {', '.join(apart)}" if apart else ""
    return InCommon(
        first,
        second,
        "measured" if measurable else "not_measurable",
        round(common.estimate),
        math.floor(common.lower),
        math.ceil(common.upper),
        of_first,
        of_second,
        what if measurable else TOO_FEW,
    )


def _unsketched(product: str, share: Share) -> str:
    """Why a product has nobody in sketches."""
    return share.unbounded[0] if share.unbounded else f"{product}: nobody is in its sketches"
