"""What only one part of the group, or a target, brings, and what two of them have in common: measured from sketches. Pure.

Sketches are compared namespace by namespace, and the namespaces' numbers add up, as the figure's convention has it. Where two
parts share no kind of identifier nobody in common can be seen: then the overlap isn't measured, and no number is shown.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from affiliates.manifests.product import ProductRef
from affiliates.sketches.overlap import MeasuredOverlap, overlap, unique_additions
from affiliates.sketches.registers import Bounds, Registers
from pipelines.counting.figure import Share
from pipelines.counting.in_common import TOO_FEW, UNSHARED, Sketch, sketch_of, sum_of
from pipelines.scenarios.answer_parts import PairOverlap, RestsOn, UniqueAddition
from pipelines.scenarios.baseline import Baseline

MOST_PARTS = 100
"""Parts of one kind whose unique additions are measured at most: each takes some milliseconds."""


def unique_of_group(baseline: Baseline) -> tuple[list[UniqueAddition], list[str]]:
    """What each affiliate and each product brings alone in the base month, and notes of what isn't measured."""
    shares = baseline.sizes.shares_of(baseline.composition)
    refs = sorted(map(ProductRef.parse, shares))
    by_affiliate = {name: [str(ref) for ref in group] for name, group in groupby(refs, key=lambda ref: ref.affiliate)}
    several = {name: products for name, products in by_affiliate.items() if len(products) > 1}
    additions: list[UniqueAddition] = []
    notes: list[str] = []
    for kind, parts in (("affiliate", by_affiliate), ("product", {str(ref): [str(ref)] for ref in refs} if several else {})):
        if len(parts) > MOST_PARTS:
            notes.append(f"unique additions aren't measured for {len(parts)} {kind}s: at most {MOST_PARTS}")
            continue
        measured = _unique(kind, {name: [shares[product] for product in products] for name, products in parts.items()})
        # An affiliate's only product brings what the affiliate does.
        additions += [a for a in measured if kind == "affiliate" or a.name.partition("/")[0] in several]
    return additions, notes


def of_targets(baseline: Baseline, names: Iterable[str]) -> tuple[list[UniqueAddition], list[PairOverlap]]:
    """What each target by contribution brings beside the group of the base month, and what both have in common."""
    base = baseline.composition
    group = sketch_of(baseline.sizes.shares_of(base).values())
    additions: list[UniqueAddition] = []
    overlaps: list[PairOverlap] = []
    for name in names:
        shares = baseline.sizes.target_shares(name, tuple(base.reading.audiences))
        target = sketch_of(shares)
        pairs = {namespace: overlap(target[namespace], group[namespace]) for namespace in target.keys() & group.keys()}
        additions.append(_addition(name, "target", shares, target, pairs))
        overlaps.append(_pair(name, "group", target, group, pairs))
    return additions, overlaps


def _unique(kind: str, parts: Mapping[str, Sequence[Share]]) -> list[UniqueAddition]:
    """What each part brings beside all others."""
    sketches = {name: sketch_of(shares) for name, shares in parts.items()}
    by_namespace: dict[str, dict[str, Registers]] = defaultdict(dict)
    for name, sketch in sketches.items():
        for namespace, registers in sketch.items():
            by_namespace[namespace][name] = registers
    pairs: dict[str, dict[str, MeasuredOverlap]] = defaultdict(dict)
    for namespace, named in by_namespace.items():
        if len(named) > 1:
            for name, pair in unique_additions(named).items():
                pairs[name][namespace] = pair
    return [_addition(name, kind, parts[name], sketches[name], pairs[name]) for name in parts]


def _addition(
    name: str, kind: str, shares: Sequence[Share], sketch: Sketch, pairs: Mapping[str, MeasuredOverlap]
) -> UniqueAddition:
    """What a part brings alone; `pairs`: by namespace that others have, the part beside them."""
    counted = [reason for share in shares for reason in share.unbounded]
    if not sketch:
        why = counted[0] if counted else "nobody is in its sketches"
        return UniqueAddition(name, kind, None, None, None, RestsOn.MEASURED, False, why)
    apart = sorted(sketch.keys() - pairs.keys())
    if not pairs:
        return UniqueAddition(name, kind, None, None, None, RestsOn.MEASURED, False, UNSHARED)
    alone = sum_of([*(pair.only_first for pair in pairs.values()), *(sketch[namespace].bounds() for namespace in apart)])
    low, high = math.floor(alone.lower), math.ceil(alone.upper)
    why_not = None
    if apart:
        why_not = f"compared by {', '.join(sorted(pairs))} alone: identifiers of {', '.join(apart)} are in no other part"
        low = math.floor(sum_of([pair.only_first for pair in pairs.values()]).lower)
    if counted:
        why_not = counted[0]
    return UniqueAddition(name, kind, round(alone.estimate), low, high, RestsOn.MEASURED, why_not is None, why_not)


def _pair(first: str, second: str, a: Sketch, b: Sketch, pairs: Mapping[str, MeasuredOverlap]) -> PairOverlap:
    """What two parts have in common, with both shares."""
    if not pairs:
        return _not_compared(first, second)
    common = sum_of([pair.common for pair in pairs.values()])
    of_first, of_second = (_shares(common, side) for side in (a, b))
    measurable = any(pair.measurable for pair in pairs.values())
    why_not = None if measurable else TOO_FEW
    apart = sorted(a.keys() ^ b.keys())
    if apart:
        measurable = False
        why_not = f"measured by {', '.join(sorted(pairs))} alone: there may be more in {', '.join(apart)}"
    return PairOverlap(
        first=first,
        second=second,
        common=round(common.estimate),
        lower=math.floor(common.lower),
        upper=math.ceil(common.upper),
        share_of_first=of_first.estimate,
        share_of_first_lower=of_first.lower,
        share_of_first_upper=of_first.upper,
        share_of_second=of_second.estimate,
        share_of_second_lower=of_second.lower,
        share_of_second_upper=of_second.upper,
        basis=RestsOn.MEASURED,
        measurable=measurable,
        why_not=why_not,
    )


def _not_compared(first: str, second: str) -> PairOverlap:
    """Two parts of which nobody in common can be seen."""
    nothing = dict.fromkeys(("common", "lower", "upper"))
    shares = {f"share_of_{side}{end}": None for side in ("first", "second") for end in ("", "_lower", "_upper")}
    return PairOverlap(first, second, **nothing, **shares, basis=RestsOn.MEASURED, measurable=False, why_not=UNSHARED)


def _shares(common: Bounds, side: Sketch) -> Bounds:
    """The people in common as a share of one side's, from 0 to 1."""
    size = sum(registers.bounds().estimate for registers in side.values())
    return Bounds(*(round(min(max(part / size, 0.0), 1.0), 6) for part in common))
